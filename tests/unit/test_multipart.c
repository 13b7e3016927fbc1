/* test_multipart.c: multipart forms: what browsers and curl send, what RFC 7578 and RFC 2046 allow, what is malformed, limits. */
#include "params.h"

#include <errno.h>
#include <time.h>

SUITE(multipart);

static const struct asked form = { .parse = rung_form_within };

#define TYPE "multipart/form-data; boundary="

static const struct rung_reply *ask(
	const struct asked *asked, const char *type, const char *body, size_t size)
{
	return params_ask(
		asked, PARAMS_REQUEST("POST", "/", .content_type = type, .body = body, .body_size = size));
}

/* -- what is sent ------------------------------------------------------------------------------------------------ */

struct body_case {
	const char *what, *type, *body, *result; /* result NULL: 400 */
	size_t size;                             /* 0: strlen(body) */
};

static void check(const struct body_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct body_case *c = &cases[i];
		const struct rung_reply *reply = ask(&form, c->type, c->body, c->size);

		cr_expect(reply->status == (c->result ? 200 : 400), "%s: %d: %s", c->what, reply->status,
			test_log());
		if (c->result)
			cr_expect_str_eq(reply->body, c->result, "%s: <%s>, not <%s>", c->what, reply->body,
				c->result);
		else
			cr_expect(strstr(test_log(), "rung: 400 in tell: multipart form: "), "%s: %s",
				c->what, test_log());
	}
}

/* As they came over the wire from Chromium and curl 7.88. */
static const char chromium[] =
	"------WebKitFormBoundarykpW5R2fzk7QiCiQn\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\n"
	"Gr\xc3\xbc\xc3\x9f"
	"e & so\r\n"
	"------WebKitFormBoundarykpW5R2fzk7QiCiQn\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n"
	"a\r\nb\r\n"
	"------WebKitFormBoundarykpW5R2fzk7QiCiQn\r\nContent-Disposition: form-data; name=\"empty\"; "
	"filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n"
	"------WebKitFormBoundarykpW5R2fzk7QiCiQn\r\nContent-Disposition: form-data; name=\"doc\"; "
	"filename=\"na%22me\\x.txt\"\r\nContent-Type: text/plain\r\n\r\none\r\n--x\r\n"
	"------WebKitFormBoundarykpW5R2fzk7QiCiQn\r\nContent-Disposition: form-data; name=\"doc\"; "
	"filename=\"\xe2\x82\xac.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n\0\xff\r\n\r\n"
	"------WebKitFormBoundarykpW5R2fzk7QiCiQn\r\nContent-Disposition: form-data; name=\"q%22uo\\te\"\r\n\r\n"
	"v\r\n"
	"------WebKitFormBoundarykpW5R2fzk7QiCiQn--\r\n";

static const char curl[] =
	"--------------------------bbb33076e5071754\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\n"
	"Gr\xc3\xbc\xc3\x9f"
	"e & so\r\n"
	"--------------------------bbb33076e5071754\r\nContent-Disposition: form-data; name=\"doc\"; "
	"filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nhello\n\r\n"
	"--------------------------bbb33076e5071754\r\nContent-Disposition: form-data; name=\"doc\"; "
	"filename=\"we%22ird;x.bin\"\r\nContent-Type: application/octet-stream\r\n\r\nhello\n\r\n"
	"--------------------------bbb33076e5071754\r\nContent-Disposition: form-data; name=\"typed\"\r\n"
	"Content-Type: text/csv\r\n\r\nx\r\n"
	"--------------------------bbb33076e5071754--\r\n";

/* curl -F 'doc=@a.txt,a.txt': several files in one part; and ;encoder=base64. */
static const char curl_mixed[] =
	"--------------------------2cf9bd9e6010eca6\r\nContent-Disposition: form-data; name=\"doc\"\r\n"
	"Content-Type: multipart/mixed; boundary=------------------------bd8f76f5689c6216\r\n\r\n"
	"--------------------------bd8f76f5689c6216\r\nContent-Disposition: attachment; filename=\"a.txt\"\r\n"
	"Content-Type: text/plain\r\n\r\nhello\n\r\n"
	"--------------------------bd8f76f5689c6216--\r\n\r\n"
	"--------------------------2cf9bd9e6010eca6--\r\n";
static const char curl_base64[] =
	"--------------------------6c8b8dde74ee18fa\r\nContent-Disposition: form-data; name=\"enc\"; "
	"filename=\"a.txt\"\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8K\r\n"
	"--------------------------6c8b8dde74ee18fa--\r\n";
/* and --form-escape */
static const char curl_escape[] =
	"--------------------------6c8b8dde74ee18fa\r\nContent-Disposition: form-data; name=\"doc\"; "
	"filename=\"q\\\"b\\\\s\"\r\nContent-Type: text/plain\r\n\r\nhello\n\r\n"
	"--------------------------6c8b8dde74ee18fa--\r\n";

Test(multipart, what_browsers_and_curl_send)
{
	static const struct body_case cases[] = {
		{ "chromium", TYPE "----WebKitFormBoundarykpW5R2fzk7QiCiQn", chromium,
			"title=Gr\\xc3\\xbc\\xc3\\x9fe & so;text=a\\x0d\\x0ab;empty=;"
			"doc=<na\"me\\x.txt|x.txt|text/plain|one\\x0d\\x0a--x>;"
			"doc=<\\xe2\\x82\\xac.bin|\xe2\x82\xac.bin|application/octet-stream|\\x00\\xff\\x0d\\x0a>;"
			"q\"uo\\te=v;",
			sizeof chromium - 1 },
		{ "curl", TYPE "------------------------bbb33076e5071754", curl,
			"title=Gr\\xc3\\xbc\\xc3\\x9fe & so;doc=<a.txt|a.txt|text/plain|hello\\x0a>;"
			"doc=<we\"ird;x.bin|we_ird;x.bin|application/octet-stream|hello\\x0a>;typed=x;" },
		{ "curl --form-escape", TYPE "------------------------6c8b8dde74ee18fa", curl_escape,
			"doc=<q\"b\\s|s|text/plain|hello\\x0a>;" },
		{ "curl, several in one part", TYPE "------------------------2cf9bd9e6010eca6", curl_mixed,
			NULL },
		{ "curl, base64", TYPE "------------------------6c8b8dde74ee18fa", curl_base64, NULL },
		{ "firefox, an empty form", TYPE "---------------------------9051914041544843365972754266",
			"-----------------------------9051914041544843365972754266--\r\n", "" },
	};

	check(cases, sizeof cases / sizeof *cases);
}

/* A value named a, in boundary b. */
#define D(parameters)     "Content-Disposition: form-data; " parameters "\r\n"
#define PART(head, bytes) "--b\r\n" head "\r\n" bytes "\r\n"
#define END               "--b--\r\n"
#define GOOD              PART(D("name=a"), "1") END

Test(multipart, what_the_rfcs_allow)
{
	static const struct body_case cases[] = {
		{ "one value", TYPE "b", PART(D("name=\"a\""), "1") END, "a=1;" },
		{ "an unquoted name", TYPE "b", PART(D("name=a"), "1") END, "a=1;" },
		{ "an empty name", TYPE "b", PART(D("name=\"\""), "1") END, "=1;" },
		{ "an empty value", TYPE "b", PART(D("name=a"), "") END, "a=;" },
		{ "a head alone", TYPE "b", "--b\r\n" D("name=a") "\r\n" END, "a=;" },
		{ "order and repetition", TYPE "b",
			PART(D("name=b"), "1") PART(D("name=a"), "2") PART(D("name=b"), "3") END,
			"b=1;a=2;b=3;" },
		{ "no line's end behind the end", TYPE "b", PART(D("name=a"), "1") "--b--", "a=1;" },
		{ "no part", TYPE "b", "--b--", "" },
		{ "a preamble", TYPE "b", "this is\r\nignored\r\n" PART(D("name=a"), "1") END, "a=1;" },
		{ "an empty preamble line", TYPE "b", "\r\n" PART(D("name=a"), "1") END, "a=1;" },
		{ "a boundary in the middle of a line is none", TYPE "b", "x" GOOD, "" },
		{ "nor behind a bare LF", TYPE "b", "x\n" GOOD, "" },
		{ "an epilogue", TYPE "b", PART(D("name=a"), "1") END PART(D("name=b"), "2") END, "a=1;" },
		{ "blanks behind boundaries", TYPE "b", "--b \t\r\n" D("name=a") "\r\n1\r\n--b-- \t\r\n",
			"a=1;" },
		{ "case of names", TYPE "b",
			PART("CONTENT-disposition:FORM-DATA;NAME=a;FileName=x\r\ncontent-TYPE:a/B\r\n", "1")
				END,
			"a=<x|x|a/B|1>;" },
		{ "a quoted boundary", TYPE "\"b\"", PART(D("name=a"), "1") END, "a=1;" },
		{ "every byte of boundaries", TYPE "\"'()+_,-./:=? 09azAZ\"",
			"--'()+_,-./:=? 09azAZ\r\n" D("name=a") "\r\n1\r\n--'()+_,-./:=? 09azAZ--", "a=1;" },
		{ "an unquoted one that is no token", TYPE "a/=:?b",
			"--a/=:?b\r\n" D("name=a") "\r\n1\r\n--a/=:?b--", "a=1;" },
		{ "other parameters", "Multipart/Form-Data; charset=utf-8;; boundary=b ;x=\"y;z\";",
			PART(D("name=a"), "1") END, "a=1;" },
		{ "other fields", TYPE "b", PART("X-A: 1\r\n" D("name=a") "Content-Length: 77\r\n", "1") END,
			"a=1;" },
		{ "identity codings", TYPE "b",
			PART(D("name=a") "Content-Transfer-Encoding: 8bit\r\n", "1")
				PART(D("name=b") "Content-Transfer-Encoding: BINARY\r\n", "2")
					PART(D("name=c") "Content-Transfer-Encoding: 7bit\r\n", "3") END,
			"a=1;b=2;c=3;" },
		{ "a file without a type", TYPE "b", PART(D("name=a; filename=x"), "1") END,
			"a=<x|x|text/plain|1>;" },
		{ "a file with a name and no bytes", TYPE "b", PART(D("name=a; filename=x"), "") END,
			"a=<x|x|text/plain|>;" },
		{ "a file with bytes and no name", TYPE "b", PART(D("name=a; filename=\"\""), "1") END,
			"a=<|file|text/plain|1>;" },
		{ "neither", TYPE "b", PART(D("name=a; filename=\"\""), "") END, "a=;" },
		{ "what looks like a boundary", TYPE "b",
			PART(D("name=a"), "-b\r\n-b\r--b\n--b\r\n- -b\r\n --b") END,
			"a=-b\\x0d\\x0a-b\\x0d--b\\x0a--b\\x0d\\x0a- -b\\x0d\\x0a --b;" },
		{ "a CR before the boundary's own", TYPE "b", PART(D("name=a"), "1\r") END, "a=1\\x0d;" },
		{ "blank lines in a value", TYPE "b", PART(D("name=a"), "\r\n\r\n1\r\n\r\n") END,
			"a=\\x0d\\x0a\\x0d\\x0a1\\x0d\\x0a\\x0d\\x0a;" },
		{ "a folded-looking value", TYPE "b", PART(D("name=a"), " X: 1\r\n Y") END,
			"a= X: 1\\x0d\\x0a Y;" },
	};

	check(cases, sizeof cases / sizeof *cases);
}

Test(multipart, names_are_unescaped)
{
	static const struct body_case cases[] = {
		{ "percents of browsers", TYPE "b", PART(D("name=\"%22%0D%0a%0d%0A\""), "1") END,
			"\"\\x0d\\x0a\\x0d\\x0a=1;" },
		{ "other percents", TYPE "b", PART(D("name=\"100%25%20%2\""), "1") END, "100%25%20%2=1;" },
		{ "a percent at the end", TYPE "b", PART(D("name=\"%\""), "1") END, "%=1;" },
		{ "backslashes before quotes", TYPE "b", PART(D("name=\"a\\\"b\\\\c\""), "1") END,
			"a\"b\\c=1;" },
		{ "other backslashes", TYPE "b", PART(D("name=\"C:\\x\\y\""), "1") END, "C:\\x\\y=1;" },
		{ "a backslash at the end of all", TYPE "b", PART(D("name=a; filename=\"x\\\""), "1") END,
			"a=<x\\|file|text/plain|1>;" },
		{ "an escaped one there", TYPE "b", PART(D("name=a; filename=\"x\\\\\""), "1") END,
			"a=<x\\|file|text/plain|1>;" },
		{ "semicolons and equals", TYPE "b", PART(D("name=\"a;b=c\"; filename=\";x=y\""), "1") END,
			"a;b=c=<;x=y|;x=y|text/plain|1>;" },
		{ "bytes that are no UTF-8", TYPE "b", PART(D("name=\"\xff\"; filename=\"\xc3\""), "1") END,
			"\\xff=<\\xc3|_|text/plain|1>;" },
		{ "filename*", TYPE "b", PART(D("name=a; filename*=UTF-8''%e2%82%ac%20rates"), "1") END,
			"a=<\\xe2\\x82\\xac rates|\xe2\x82\xac rates|text/plain|1>;" },
		{ "filename* wins", TYPE "b",
			PART(D("name=a; filename=x; filename*=utf-8'en'y"), "1")
				PART(D("name=a; filename*=utf-8'en'y; filename=x"), "1") END,
			"a=<y|y|text/plain|1>;a=<y|y|text/plain|1>;" },
		{ "a path", TYPE "b", PART(D("name=a; filename=\"../../etc/passwd\""), "1") END,
			"a=<../../etc/passwd|passwd|text/plain|1>;" },
		{ "nested names", TYPE "b", PART(D("name=\"a[b][]\""), "1") END, "a[b][]=1;" },
	};

	check(cases, sizeof cases / sizeof *cases);
}

/* -- what is malformed ------------------------------------------------------------------------------------------- */

Test(multipart, a_type_without_one_good_boundary_is_400)
{
	static const struct body_case cases[] = {
		{ "no parameter", "multipart/form-data", GOOD, NULL },
		{ "no boundary", "multipart/form-data; charset=b", GOOD, NULL },
		{ "two", TYPE "b; boundary=b", GOOD, NULL },
		{ "two, by case", TYPE "b; Boundary=c", GOOD, NULL },
		{ "empty", TYPE, GOOD, NULL },
		{ "empty in quotes", TYPE "\"\"", GOOD, NULL },
		{ "a blank at the end", TYPE "\"b \"", "--b \r\n" D("name=a") "\r\n1\r\n--b --", NULL },
		{ "an open quote", TYPE "\"b", GOOD, NULL },
		{ "a byte that none may have", TYPE "b*", "--b*\r\n" D("name=a") "\r\n1\r\n--b*--", NULL },
		{ "an escape", TYPE "\"\\b\"", GOOD, NULL },
		{ "beyond ASCII", TYPE "b\xc3", "--b\xc3\r\n" D("name=a") "\r\n1\r\n--b\xc3--", NULL },
		{ "words behind", TYPE "b c", GOOD, NULL },
		{ "words behind quotes", TYPE "\"b\"c", GOOD, NULL },
		{ "blanks around the equals", "multipart/form-data; boundary = b", GOOD, NULL },
	};

	check(cases, sizeof cases / sizeof *cases);
}

Test(multipart, a_body_that_is_not_as_it_should_be_is_400)
{
	static const struct body_case cases[] = {
		{ "no boundary in it", TYPE "b", "a=1", NULL },
		{ "another boundary", TYPE "c", GOOD, NULL },
		{ "a bare boundary", TYPE "b", "b\r\n" D("name=a") "\r\n1\r\nb--\r\n", NULL },
		{ "a boundary alone", TYPE "b", "--b", NULL },
		{ "and one dash", TYPE "b", "--b-", NULL },
		{ "and a line's end", TYPE "b", "--b\r\n", NULL },
		{ "no end", TYPE "b", PART(D("name=a"), "1"), NULL },
		{ "half of an end", TYPE "b", PART(D("name=a"), "1") "--b-", NULL },
		{ "bytes behind a boundary", TYPE "b", "--bx\r\n" D("name=a") "\r\n1\r\n" END, NULL },
		{ "a boundary that goes on in a value", TYPE "b", PART(D("name=a"), "\r\n--bc") END, NULL },
		{ "bytes behind the end", TYPE "b", PART(D("name=a"), "1") "--b--x", NULL },
		{ "bare LFs", TYPE "b", "--b\nContent-Disposition: form-data; name=a\n\n1\n--b--\n", NULL },
		{ "no head", TYPE "b", "--b\r\n\r\n1\r\n" END, NULL },
		{ "nothing", TYPE "b", "--b\r\n" END, NULL },
		{ "nothing but a blank line", TYPE "b", "--b\r\n\r\n" END, NULL },
		{ "no blank line", TYPE "b", "--b\r\n" D("name=a") END, NULL },
		{ "no disposition", TYPE "b", PART("Content-Type: text/plain\r\n", "1") END, NULL },
		{ "another disposition", TYPE "b",
			PART("Content-Disposition: attachment; name=a\r\n", "1") END, NULL },
		{ "none in it", TYPE "b", PART("Content-Disposition: ; name=a\r\n", "1") END, NULL },
		{ "two dispositions", TYPE "b", PART(D("name=a") D("name=a"), "1") END, NULL },
		{ "two types", TYPE "b",
			PART(D("name=a") "Content-Type: a/b\r\ncontent-type: a/b\r\n", "1") END, NULL },
		{ "no name", TYPE "b", PART(D("filename=a"), "1") END, NULL },
		{ "two names", TYPE "b", PART(D("name=a; NAME=a"), "1") END, NULL },
		{ "two filenames", TYPE "b", PART(D("name=a; filename=a; filename=b"), "1") END, NULL },
		{ "an open quote", TYPE "b", PART(D("name=\"a"), "1") END, NULL },
		{ "an open quote by an escape", TYPE "b", PART(D("name=\"a\\\"; filename=\"b\""), "1") END,
			NULL },
		{ "words behind quotes", TYPE "b", PART(D("name=\"a\"b"), "1") END, NULL },
		{ "a name without value", TYPE "b", PART(D("name"), "1") END, NULL },
		{ "an empty unquoted one", TYPE "b", PART(D("name=; filename=x"), "1") END, NULL },
		{ "a parameter without name", TYPE "b", PART(D("=a; name=a"), "1") END, NULL },
		{ "filename* in another charset", TYPE "b",
			PART(D("name=a; filename*=iso-8859-1'en'%a3"), "1") END, NULL },
		{ "filename* with one quote", TYPE "b", PART(D("name=a; filename*=UTF-8'x"), "1") END, NULL },
		{ "filename* with a bad escape", TYPE "b", PART(D("name=a; filename*=UTF-8''%a"), "1") END,
			NULL },
		{ "filename* with a NUL", TYPE "b", PART(D("name=a; filename*=UTF-8''a%00b"), "1") END,
			NULL },
		{ "a folded field", TYPE "b", PART("Content-Disposition: form-data;\r\n name=a\r\n", "1") END,
			NULL },
		{ "a line without colon", TYPE "b", PART(D("name=a") "X\r\n", "1") END, NULL },
		{ "a blank before the colon", TYPE "b", PART(D("name=a") "X : 1\r\n", "1") END, NULL },
		{ "an empty field name", TYPE "b", PART(D("name=a") ": 1\r\n", "1") END, NULL },
		{ "a bare LF in the head", TYPE "b", PART(D("name=a") "X: 1\nY: 2\r\n", "1") END, NULL },
		{ "a bare CR in the head", TYPE "b", PART(D("name=a") "X: 1\rY: 2\r\n", "1") END, NULL },
		{ "quoted-printable", TYPE "b",
			PART(D("name=a") "Content-Transfer-Encoding: quoted-printable\r\n", "1") END, NULL },
	};

	check(cases, sizeof cases / sizeof *cases);
}

Test(multipart, a_nul_in_a_head_is_400_and_in_a_value_a_byte)
{
	static const char head[] = "--b\r\nContent-Disposition: form-data; name=\"a\0b\"\r\n\r\n1\r\n--b--";
	static const char value[] =
		"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\0002\r\n--b--";

	ASSERT_INT(ask(&form, TYPE "b", head, sizeof head - 1)->status, 400);
	ASSERT_STR(ask(&form, TYPE "b", value, sizeof value - 1)->body, "a=1\\x002;");
}

Test(multipart, cut_anywhere_it_is_400_or_whole)
{
	/* Behind the last boundary's dashes nothing is missing any more. */
	for (size_t size = 1; size < sizeof chromium - 1; size++) {
		int status =
			ask(&form, TYPE "----WebKitFormBoundarykpW5R2fzk7QiCiQn", chromium, size)->status;

		cr_expect(
			status == (size < sizeof chromium - 3 ? 400 : status), "%zu bytes: %d", size, status);
	}
}

/* -- limits ------------------------------------------------------------------------------------------------------ */

static char *repeat(const char *front, const char *piece, size_t count, const char *end)
{
	size_t front_size = strlen(front), size = strlen(piece), end_size = strlen(end);
	char *text = malloc(front_size + size * count + end_size + 1), *at = text;

	cr_assert_not_null(text);
	memcpy(at, front, front_size);
	at += front_size;
	for (size_t i = 0; i < count; i++, at += size)
		memcpy(at, piece, size);
	memcpy(at, end, end_size + 1);
	return text;
}

static int status_of(
	const struct asked *asked, const char *front, const char *piece, size_t count, const char *end)
{
	char *text = repeat(front, piece, count, end);
	int status = ask(asked, TYPE "b", text, 0)->status;

	free(text);
	return status;
}

Test(multipart, a_boundary_has_at_most_70_bytes)
{
	for (size_t size = 69; size <= 71; size++) {
		char type[160], body[512], boundary[80];

		memset(boundary, 'x', size);
		boundary[size] = '\0';
		snprintf(type, sizeof type, TYPE "%s", boundary);
		snprintf(body, sizeof body, "--%s\r\n" D("name=a") "\r\n1\r\n--%s--", boundary, boundary);
		cr_expect(ask(&form, type, body, 0)->status == (size <= 70 ? 200 : 400), "%zu", size);
	}
}

Test(multipart, the_first_boundary_is_in_the_first_16_kib)
{
	/* "\r\n--b" ends in byte 16384. */
	ASSERT_INT(status_of(&form, "", "x", 16 * 1024 - 5, "\r\n" GOOD), 200);
	ASSERT_INT(status_of(&form, "", "x", 16 * 1024 - 4, "\r\n" GOOD), 400);
	ASSERT_HAS(test_log(), "not in the first 16384 bytes");
}

Test(multipart, past_a_limit_it_is_413)
{
	static const struct asked few_escapes = { .parse = rung_form_within, .limits = { .escapes = 4 } };
	static const struct asked two_parts = { .parse = rung_form_within, .limits = { .parts = 2 } };
	static const struct asked small_text = { .parse = rung_form_within, .limits = { .text = 10 } };
	static const struct {
		const char *what;
		const struct asked *asked;
		const char *front, *piece;
		size_t most;
		const char *end, *words;
	} limits[] = {
		{ "parts", &form, "", PART(D("name=a"), "1"), 4096, END, "more than 4096 parts" },
		{ "own parts", &two_parts, "", PART(D("name=a"), "1"), 2, END, "part 3: more than 2 parts" },
		{ "files", &form, "", PART(D("name=a;filename=b"), "1"), 128, END,
			"part 129: more than 128 files" },
		{ "text", &form, "--b\r\n" D("name=a") "\r\n", "x", 16 * 1024 * 1024, "\r\n" END,
			"more than 16777216 bytes in values that are no files" },
		{ "text of several parts", &small_text, PART(D("name=a"), "1234"), PART(D("name=a"), "12"), 3,
			END, "more than 10 bytes in values" },
		{ "a head", &form, "--b\r\n" D("name=a") "X: ", "x",
			64 * 1024 - (sizeof D("name=a") "X: \r\n" - 1), "\r\n\r\n1\r\n" END,
			"part 1: more than 65536 bytes in its head" },
		{ "a disposition", &form, "--b\r\nContent-Disposition: form-data; name=\"", "x",
			1536 - (sizeof "form-data; name=\"\"" - 1), "\"\r\n\r\n1\r\n" END,
			"more than 1536 bytes in its Content-Disposition" },
		{ "its parameters", &form, "--b\r\nContent-Disposition: form-data; name=a", ";x=y", 15,
			"\r\n\r\n1\r\n" END, "more than 16 parameters in its Content-Disposition" },
		{ "percents", &few_escapes, "--b\r\nContent-Disposition: form-data; name=\"", "%22", 4,
			"\"\r\n\r\n1\r\n" END, "more than 4 escapes in names" },
		{ "backslashes of several parts", &few_escapes, "", PART(D("name=\"\\\\\""), "1"), 4, END,
			"part 5: more than 4 escapes in names" },
		{ "all escapes", &form, "", PART(D("name=\"%0a%0a%0a%0a\""), "1"), 2048, END,
			"more than 8192 escapes" },
	};

	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		int status = status_of(
			limits[i].asked, limits[i].front, limits[i].piece, limits[i].most, limits[i].end);

		cr_expect(status == 200, "%s at the limit: %d: %s", limits[i].what, status, test_log());
		status = status_of(
			limits[i].asked, limits[i].front, limits[i].piece, limits[i].most + 1, limits[i].end);
		cr_expect(status == 413, "%s one past the limit: %d", limits[i].what, status);
		cr_expect(strstr(test_log(), limits[i].words), "%s: %s", limits[i].what, test_log());
	}
}

Test(multipart, the_types_parameters_have_a_limit)
{
	char type[256] = TYPE "b";

	for (int i = 0; i < 15; i++)
		strcat(type, ";x=y");
	ASSERT_INT(ask(&form, type, GOOD, 0)->status, 200);
	strcat(type, ";x=y");
	ASSERT_INT(ask(&form, type, GOOD, 0)->status, 413);
}

/* -- time -------------------------------------------------------------------------------------------------------- */

static double seconds_of(const char *front, const char *piece, size_t count, const char *end)
{
	char *text = repeat(front, piece, count, end);
	struct timespec from, to;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	int status = ask(&form, TYPE "b", text, 0)->status;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	free(text);
	cr_expect(status >= 200 && status < 500, "%d", status);
	return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

/* Eight megabytes of what is nearly a boundary, a head, or an end: a second would be a million steps back and forth. */
Test(multipart, hostile_bodies_take_time_in_proportion_to_their_size)
{
	static const char *const pieces[] = { "\r\n--", "\r\n-", "\r", "\r\n", "-", "\r\n--a", "\r\n\r\n--",
		"\r\n--b \t" };

	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		size_t count = 8 * 1024 * 1024 / strlen(pieces[i]);
		double seconds = seconds_of("--b\r\n" D("name=a;filename=x") "\r\n", pieces[i], count, "");

		seconds += seconds_of("--b\r\n", pieces[i], count, "");
		seconds += seconds_of("", pieces[i], count, "");
		cr_expect(seconds < 2, "%zu: %f seconds", i, seconds);
	}
}

/* -- where files lie --------------------------------------------------------------------------------------------- */

static int look_at_file(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct rung_params *params;
	size_t size;
	const char *body = rung_input_bytes(env, &size);

	(void)self;
	ASSERT_INT(rung_form(env, &params), 0);
	const struct rung_upload *file = rung_params_file(params, "a");
	cr_assert_not_null(file);
	cr_assert((const char *)file->bytes > body && (const char *)file->bytes + file->size < body + size,
		"not copied");
	ASSERT_STR(rung_params_get(params, "a"), "2");
	cr_assert(rung_params_file(params, "b") == NULL);
	/* Reading on, or from the start, is another matter. */
	char first[4] = "";
	ASSERT_INT(rung_input_read(env, first, 3), 3);
	ASSERT_STR(first, "--b");
	return rung_reply_bytes(res, 200, "text/plain", file->bytes, file->size);
}

Test(multipart, a_file_lies_in_the_body_and_is_no_value)
{
	struct rung_client *client = test_client(rung_run(look_at_file));
	const struct rung_reply *reply = rung_client_send(client, "POST", "/", .content_type = TYPE "b",
		.body = PART(D("name=a;filename=x"), "1") PART(D("name=a"), "2") PART(D("name=b"), "3") END);

	ASSERT_INT(reply->status, 200);
	ASSERT_STR(reply->body, "1");
	rung_client_destroy(client);
}
