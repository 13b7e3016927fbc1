/* test_uri.c: URIs and request targets, case by case, after RFC 3986 and RFC 9112. */
#include "support.h"

#include <errno.h>

SUITE(uri);

/* A room that is too small is told: the buffer then holds "" if anything, and all past the room is as it was. */
#define ASSERT_FULL(call, text, room)                                                        \
	do {                                                                                 \
		memset(text, '!', sizeof text);                                              \
		ASSERT_INT(call, -ENOSPC);                                                   \
		cr_assert(text[room] == '!' && (room == 0 || text[0] == '\0'), "%s", #call); \
	} while (0)

/* -- splitting --------------------------------------------------------------------------------------------------- */

/* A part for a message: "-" when absent. */
static const char *show(struct rung_slice part, char room[64])
{
	if (!part.at)
		return "-";
	snprintf(room, 64, "%.*s", (int)part.size, part.at);
	return room;
}

static const char *parts_of(const struct rung_uri *uri)
{
	static char text[512];
	char room[7][64];

	snprintf(text, sizeof text, "%s|%s|%s|%s|%s|%s|%s", show(uri->scheme, room[0]),
		show(uri->userinfo, room[1]), show(uri->host, room[2]), show(uri->port, room[3]),
		show(uri->path, room[4]), show(uri->query, room[5]), show(uri->fragment, room[6]));
	return text;
}

Test(uri, a_reference_is_split_into_its_parts)
{
	/* scheme|userinfo|host|port|path|query|fragment */
	static const char *const cases[][2] = {
		{ "", "-|-|-|-||-|-" },
		{ "http://h", "http|-|h|-||-|-" },
		{ "http://h/", "http|-|h|-|/|-|-" },
		{ "http://h:80/a/b?c#d", "http|-|h|80|/a/b|c|d" },
		{ "http://h?c", "http|-|h|-||c|-" },
		{ "http://h#d", "http|-|h|-||-|d" },
		{ "http://h/?#", "http|-|h|-|/||" },
		{ "http://h:/", "http|-|h||/|-|-" },
		{ "http://h:65535", "http|-|h|65535||-|-" },
		{ "http://h:00080/", "http|-|h|00080|/|-|-" },
		{ "http://u:p@h:1/", "http|u:p|h|1|/|-|-" },
		{ "http://@h/", "http||h|-|/|-|-" },
		{ "http:///p", "http|-||-|/p|-|-" },
		{ "file:///etc/x", "file|-||-|/etc/x|-|-" },
		{ "http://[::1]:80/", "http|-|[::1]|80|/|-|-" },
		{ "http://[2001:db8::192.0.2.1]/", "http|-|[2001:db8::192.0.2.1]|-|/|-|-" },
		{ "http://[v7.a:b]/", "http|-|[v7.a:b]|-|/|-|-" },
		{ "http://192.0.2.1/", "http|-|192.0.2.1|-|/|-|-" },
		{ "http://a%20b/", "http|-|a%20b|-|/|-|-" },
		{ "HTTP://H/", "HTTP|-|H|-|/|-|-" },
		{ "mailto:a@b", "mailto|-|-|-|a@b|-|-" },
		{ "urn:a:b:c", "urn|-|-|-|a:b:c|-|-" },
		{ "a+b-c.d:x", "a+b-c.d|-|-|-|x|-|-" },
		{ "//h/p", "-|-|h|-|/p|-|-" },
		{ "/p", "-|-|-|-|/p|-|-" },
		{ "p/q", "-|-|-|-|p/q|-|-" },
		{ "./a:b", "-|-|-|-|./a:b|-|-" },
		{ "p/a:b", "-|-|-|-|p/a:b|-|-" },
		{ "?q", "-|-|-|-||q|-" },
		{ "?q?r/s", "-|-|-|-||q?r/s|-" },
		{ "#f?g", "-|-|-|-||-|f?g" },
		{ "/a;b=c,d!$&'()*+@:", "-|-|-|-|/a;b=c,d!$&'()*+@:|-|-" },
		{ "/%C3%a9", "-|-|-|-|/%C3%a9|-|-" },
		{ "1a", "-|-|-|-|1a|-|-" },
		{ "a//b", "-|-|-|-|a//b|-|-" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rung_uri uri;

		cr_assert(rung_uri_parse(cases[i][0], strlen(cases[i][0]), &uri) == 0, "<%s> is refused",
			cases[i][0]);
		cr_expect_str_eq(parts_of(&uri), cases[i][1], "<%s> is %s", cases[i][0], parts_of(&uri));
	}
}

Test(uri, what_the_grammar_does_not_know_is_refused)
{
	static const char *const cases[] = { "http://h/a b", "http://h/a\tb", "http://h/\n",
		"http://h/\r\nX: y", "http://h/\x7f", "http://h/\xc3\xa9", "http://h/%", "http://h/%4",
		"http://h/%4g", "http://h/<", "http://h/\"", "http://h/{", "http://h/|", "http://h/^",
		"http://h/`", "http://h\\x/", "http://h/\\", "http://h/[", "http://h/a#b#c",
		"http://h:65536/", "http://h:99999999999/", "http://h:8o/", "http://h:-1/", "http://h:1:2/",
		"http://[::1/", "http://::1/", "http://[::1]x/", "http://[]/", "http://[::g]/",
		"http://[1:2:3:4:5:6:7]/", "http://[1:2:3:4:5:6:7:8:9]/", "http://[1::2::3]/",
		"http://[1:2:3:4:5:6:7:8::]/", "http://[::1.2.3]/", "http://[::1.2.3.256]/",
		"http://[::01.2.3.4]/", "http://[12345::]/", "http://[v.a]/", "http://[v1.]/",
		"http://[fe80::1%25eth0]/", "http://u@v@h/", "http://u p@h/", "http://h%zz/", ":", ":a",
		"1a:b", "-a:b", "a b:c", "http://h<x/" };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rung_uri uri = { .path = { "untouched", 9 } };

		cr_expect(rung_uri_parse(cases[i], strlen(cases[i]), &uri) == -EINVAL, "<%s> is taken",
			cases[i]);
		cr_expect(uri.path.size == 9 && !uri.scheme.at, "<%s>: touched on failure", cases[i]);
	}
	struct rung_uri uri;
	ASSERT_INT(rung_uri_parse("/a\0b", 4, &uri), -EINVAL);
}

Test(uri, each_byte_is_taken_where_the_grammar_has_it)
{
	/* RFC 3986 appendix A: what may stand bare in each part; "%" may not, it begins an escape. */
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	static const struct {
		const char *before, *after, *also;
	} places[] = { { "http://u", "@h/", "!$&'()*+,;=:" }, { "http://h", "/", "!$&'()*+,;=@/?#:" },
		{ "http://h/p", "", "!$&'()*+,;=:@/?#" }, { "http://h/?q", "", "!$&'()*+,;=:@/?#" },
		{ "http://h/#f", "", "!$&'()*+,;=:@/?" } };

	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		for (int byte = 0; byte < 256; byte++) {
			char text[32];
			struct rung_uri uri;
			int size = snprintf(text, sizeof text, "%s_%s", places[i].before, places[i].after);
			bool expected = byte && (strchr(unreserved, byte) || strchr(places[i].also, byte));

			/* These end the authority, and what follows is no userinfo. */
			if (i == 0 && byte && strchr("/?#", byte))
				continue;
			text[strlen(places[i].before)] = (char)byte;
			cr_expect((rung_uri_parse(text, (size_t)size, &uri) == 0) == expected,
				"%s, then byte 0x%02x", places[i].before, byte);
		}
}

Test(uri, no_byte_beyond_the_size_is_read)
{
	struct rung_uri uri;
	char *text = malloc(12); /* of the exact size, so that the sanitizer sees a read past its end */

	memcpy(text, "http://h/%41", 12);
	ASSERT_INT(rung_uri_parse(text, 12, &uri), 0);
	ASSERT_INT(rung_uri_parse(text, 11, &uri), -EINVAL);
	ASSERT_INT(rung_uri_parse(text, 10, &uri), -EINVAL);
	ASSERT_INT(rung_uri_parse(text, 9, &uri), 0);
	ASSERT_INT(rung_uri_parse(text, 7, &uri), 0);
	ASSERT_INT(rung_uri_parse(text, 5, &uri), 0);
	free(text);
}

Test(uri, parts_are_written_as_they_were_read)
{
	static const char *const cases[] = { "", "/", "?", "#", "?#", "//", "//h", "//@h:", "x:", "x:?#",
		"http://U:p@H:080/%7e/../b?c=%2F#%41", "http://[2001:DB8::1.2.3.4]:1/", "http://[v7.a:b]",
		"file:///etc", "mailto:a@b", "a//b/./c", "./a:b", "http://h/?", "http://h/#" };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rung_uri uri;
		char text[64];
		size_t size = strlen(cases[i]);

		cr_assert(rung_uri_parse(cases[i], size, &uri) == 0, "<%s> is refused", cases[i]);
		ASSERT_INT(rung_uri_format(&uri, text, size + 1), size);
		ASSERT_STR(text, cases[i]);
		for (size_t room = 0; room <= size; room++)
			ASSERT_FULL(rung_uri_format(&uri, text, room), text, room);
	}
	struct rung_uri made = { .host = { "h", 1 }, .port = { "8", 1 }, .path = { "/p", 2 } };
	char text[16];
	ASSERT_INT(rung_uri_format(&made, text, sizeof text), 7);
	ASSERT_STR(text, "//h:8/p");
}

Test(uri, the_port_that_counts)
{
	static const struct {
		const char *uri;
		unsigned port;
	} cases[] = { { "http://h", 80 }, { "HTTPS://h", 443 }, { "http://h:", 80 }, { "http://h:0", 0 },
		{ "http://h:8080", 8080 }, { "ftp://h", 0 }, { "//h", 0 }, { "//h:1", 1 },
		{ "http://h:00443", 443 } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rung_uri uri;

		cr_assert(rung_uri_parse(cases[i].uri, strlen(cases[i].uri), &uri) == 0);
		cr_expect(rung_uri_port(&uri) == cases[i].port, "%s: %u", cases[i].uri, rung_uri_port(&uri));
	}
}

Test(uri, an_authority_is_host_and_port)
{
	static const struct {
		const char *text, *host, *port; /* host NULL: refused */
	} cases[] = { { "h", "h", "-" }, { "h:80", "h", "80" }, { "h:", "h", "" },
		{ "[::1]:8", "[::1]", "8" }, { "[::1]", "[::1]", "-" }, { "a.b-c_d~e", "a.b-c_d~e", "-" },
		{ "a%2fb", "a%2fb", "-" }, { "", NULL, NULL }, { ":80", NULL, NULL }, { "u@h", NULL, NULL },
		{ "h/", NULL, NULL }, { "h?q", NULL, NULL }, { "h#f", NULL, NULL }, { "h:x", NULL, NULL },
		{ "h:65536", NULL, NULL }, { "h h", NULL, NULL }, { "[::1", NULL, NULL },
		{ "::1", NULL, NULL }, { "h%", NULL, NULL }, { "\xc3\xa9", NULL, NULL },
		{ "h\r\n", NULL, NULL } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rung_slice host = { 0 }, port = { 0 };
		char room[2][64];
		int rc = rung_uri_parse_authority(cases[i].text, strlen(cases[i].text), &host, &port);

		cr_expect(rc == (cases[i].host ? 0 : -EINVAL), "<%s>: %d", cases[i].text, rc);
		cr_expect_str_eq(
			show(host, room[0]), cases[i].host ? cases[i].host : "-", "<%s>", cases[i].text);
		cr_expect_str_eq(
			show(port, room[1]), cases[i].port ? cases[i].port : "-", "<%s>", cases[i].text);
	}
}

/* -- resolving and the normal form ------------------------------------------------------------------------------- */

static void check_resolved(const char *base_text, const char *reference_text, const char *expected)
{
	struct rung_uri base, reference;
	char text[256];

	cr_assert(rung_uri_parse(base_text, strlen(base_text), &base) == 0);
	cr_assert(rung_uri_parse(reference_text, strlen(reference_text), &reference) == 0, "%s",
		reference_text);
	ssize_t size = rung_uri_resolve(&base, &reference, text, sizeof text);
	cr_expect(size == (ssize_t)strlen(expected) && strcmp(text, expected) == 0,
		"<%s> at <%s> is <%s>, not <%s>", reference_text, base_text, size < 0 ? "(refused)" : text,
		expected);
	for (size_t room = 0; size > 0 && room <= (size_t)size; room++)
		ASSERT_FULL(rung_uri_resolve(&base, &reference, text, room), text, room);
}

Test(uri, references_resolve_as_in_the_rfc)
{
	/* RFC 3986 section 5.4, all of it. */
	static const char *const cases[][2] = {
		{ "g:h", "g:h" },
		{ "g", "http://a/b/c/g" },
		{ "./g", "http://a/b/c/g" },
		{ "g/", "http://a/b/c/g/" },
		{ "/g", "http://a/g" },
		{ "//g", "http://g" },
		{ "?y", "http://a/b/c/d;p?y" },
		{ "g?y", "http://a/b/c/g?y" },
		{ "#s", "http://a/b/c/d;p?q#s" },
		{ "g#s", "http://a/b/c/g#s" },
		{ "g?y#s", "http://a/b/c/g?y#s" },
		{ ";x", "http://a/b/c/;x" },
		{ "g;x", "http://a/b/c/g;x" },
		{ "g;x?y#s", "http://a/b/c/g;x?y#s" },
		{ "", "http://a/b/c/d;p?q" },
		{ ".", "http://a/b/c/" },
		{ "./", "http://a/b/c/" },
		{ "..", "http://a/b/" },
		{ "../", "http://a/b/" },
		{ "../g", "http://a/b/g" },
		{ "../..", "http://a/" },
		{ "../../", "http://a/" },
		{ "../../g", "http://a/g" },
		{ "../../../g", "http://a/g" },
		{ "../../../../g", "http://a/g" },
		{ "/./g", "http://a/g" },
		{ "/../g", "http://a/g" },
		{ "g.", "http://a/b/c/g." },
		{ ".g", "http://a/b/c/.g" },
		{ "g..", "http://a/b/c/g.." },
		{ "..g", "http://a/b/c/..g" },
		{ "./../g", "http://a/b/g" },
		{ "./g/.", "http://a/b/c/g/" },
		{ "g/./h", "http://a/b/c/g/h" },
		{ "g/../h", "http://a/b/c/h" },
		{ "g;x=1/./y", "http://a/b/c/g;x=1/y" },
		{ "g;x=1/../y", "http://a/b/c/y" },
		{ "g?y/./x", "http://a/b/c/g?y/./x" },
		{ "g?y/../x", "http://a/b/c/g?y/../x" },
		{ "g#s/./x", "http://a/b/c/g#s/./x" },
		{ "g#s/../x", "http://a/b/c/g#s/../x" },
		{ "http:g", "http:g" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_resolved("http://a/b/c/d;p?q", cases[i][0], cases[i][1]);
}

Test(uri, references_resolve_where_the_rfc_has_no_example)
{
	check_resolved("http://u@a:81/b", "c", "http://u@a:81/c");
	check_resolved("http://a", "b", "http://a/b");
	check_resolved("http://a?q", "", "http://a?q");
	check_resolved("http://a?q", "?", "http://a?");
	check_resolved("http://a/b#f", "c", "http://a/c");
	check_resolved("http://a/b/", "%2e%2e/c", "http://a/b/%2e%2e/c");
	check_resolved("x:b/c", "d", "x:b/d");
	check_resolved("x:b", "../d", "x:d");
	check_resolved("x:", "d", "x:d");
	check_resolved("x:/a/b", "..//c", "x:/.//c");
	struct rung_uri base, reference;
	char text[64];
	cr_assert(rung_uri_parse("/a", 2, &base) == 0 && rung_uri_parse("b", 1, &reference) == 0);
	ASSERT_INT(rung_uri_resolve(&base, &reference, text, sizeof text), -EINVAL);
}

Test(uri, the_normal_form)
{
	static const char *const cases[][2] = {
		{ "HTTP://Example.COM:80/%7euser/%c3%a9?%7e=%2f#%41",
			"http://example.com/~user/%C3%A9?~=%2F#A" },
		{ "https://h:443", "https://h/" },
		{ "http://h:443", "http://h:443/" },
		{ "http://h:", "http://h/" },
		{ "http://h:080/", "http://h/" },
		{ "http://h:0081/", "http://h:81/" },
		{ "http://h?q", "http://h/?q" },
		{ "http://h/a/./b/../c", "http://h/a/c" },
		{ "http://h/../../a", "http://h/a" },
		{ "http://h/%2e%2e/a", "http://h/a" },
		{ "http://h/a/..", "http://h/" },
		{ "http://U:P@H%48/", "http://U:P@hh/" },
		{ "http://[2001:DB8::A]/", "http://[2001:db8::a]/" },
		{ "ftp://H:21", "ftp://h:21" },
		{ "ftp://h:0/", "ftp://h:0/" }, /* no port is known to be its default, so none is dropped */
		{ "//h:00", "//h:0" },
		{ "ftp://h:/", "ftp://h/" },
		{ "http://h:0/", "http://h:0/" },
		{ "a/../b", "a/../b" },
		{ "/a/../b", "/b" },
		{ "x:/..//b", "x:/.//b" },
		{ "", "" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rung_uri uri;
		char text[256];

		cr_assert(rung_uri_parse(cases[i][0], strlen(cases[i][0]), &uri) == 0, "%s", cases[i][0]);
		ssize_t size = rung_uri_normalize(&uri, text, sizeof text);
		cr_expect(size == (ssize_t)strlen(cases[i][1]) && strcmp(text, cases[i][1]) == 0,
			"<%s> is <%s>, not <%s>", cases[i][0], text, cases[i][1]);
		for (size_t room = 0; size >= 0 && room <= (size_t)size; room++)
			ASSERT_FULL(rung_uri_normalize(&uri, text, room), text, room);
	}
}

/* -- escapes ----------------------------------------------------------------------------------------------------- */

Test(uri, what_may_stay_stays_and_the_rest_is_encoded)
{
	static const struct {
		enum rung_uri_part part;
		const char *text, *encoded;
	} cases[] = {
		{ RUNG_URI_SEGMENT, "", "" },
		{ RUNG_URI_SEGMENT, "aZ09-._~!$&'()*+,;=:@", "aZ09-._~!$&'()*+,;=:@" },
		{ RUNG_URI_SEGMENT, "a/b?c#d%e f", "a%2Fb%3Fc%23d%25e%20f" },
		{ RUNG_URI_SEGMENT, "\xc3\xa9\r\n\x7f\\\"<>", "%C3%A9%0D%0A%7F%5C%22%3C%3E" },
		{ RUNG_URI_PATH, "/a b/c?d", "/a%20b/c%3Fd" },
		{ RUNG_URI_QUERY, "a&b=c+d/e?f:g@~", "a%26b%3Dc%2Bd%2Fe%3Ff%3Ag%40~" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t size = strlen(cases[i].text), encoded = strlen(cases[i].encoded);
		char text[128];

		ASSERT_INT(rung_uri_encoded_size(cases[i].part, cases[i].text, size), encoded);
		ASSERT_INT(rung_uri_encode(cases[i].part, cases[i].text, size, text, encoded + 1), encoded);
		ASSERT_STR(text, cases[i].encoded);
		for (size_t room = 0; room <= encoded; room++)
			ASSERT_FULL(
				rung_uri_encode(cases[i].part, cases[i].text, size, text, room), text, room);
	}
}

Test(uri, escapes_are_decoded_once)
{
	static const struct {
		const char *text, *decoded;
		ssize_t result;
	} cases[] = {
		{ "", "", 0 },
		{ "abc", "abc", 3 },
		{ "%41%62%2f%2F", "Ab//", 4 },
		{ "a+b", "a+b", 3 },
		{ "%2541", "%41", 3 },
		{ "%c3%a9\xff", "\xc3\xa9\xff", 3 },
		{ "%", NULL, -EINVAL },
		{ "a%4", NULL, -EINVAL },
		{ "%4g", NULL, -EINVAL },
		{ "%g4", NULL, -EINVAL },
		{ "%%41", NULL, -EINVAL },
		{ "a%00b", NULL, -EILSEQ },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t size = strlen(cases[i].text);
		char text[32];

		strcpy(text, cases[i].text);
		/* In place, with the least room that always suffices. */
		ssize_t result = rung_uri_decode(text, size, text, size + 1);
		cr_expect(result == cases[i].result, "<%s>: %zd", cases[i].text, result);
		if (result >= 0)
			cr_expect_str_eq(text, cases[i].decoded, "<%s>: <%s>", cases[i].text, text);
		for (size_t room = 0; result >= 0 && room <= (size_t)result; room++)
			ASSERT_FULL(rung_uri_decode(cases[i].text, size, text, room), text, room);
	}
}

/* -- request targets --------------------------------------------------------------------------------------------- */

Test(uri, the_four_forms_of_a_target)
{
	/* form|scheme|authority|path|query; NULL: refused */
	static const char *const cases[][3] = {
		{ "GET", "/", "0|-|-|/|-" },
		{ "GET", "/a/b?c=d", "0|-|-|/a/b|c=d" },
		{ "GET", "/a?", "0|-|-|/a|" },
		{ "GET", "/a?b?c", "0|-|-|/a|b?c" },
		{ "GET", "//h/p", "0|-|-|//h/p|-" },
		{ "GET", "/%zz|{}^`\"<>\\\x80", "0|-|-|/%zz|{}^`\"<>\\\x80|-" },
		{ "OPTIONS", "/", "0|-|-|/|-" },
		{ "GET", "http://h", "1|http|h|/|-" },
		{ "GET", "http://h:80/a?b", "1|http|h:80|/a|b" },
		{ "GET", "HTTPS://H?q", "1|HTTPS|H|/|q" },
		{ "OPTIONS", "http://h", "1|http|h|/|-" },
		{ "CONNECT", "h:443", "2|-|h:443||-" },
		{ "CONNECT", "[::1]:443", "2|-|[::1]:443||-" },
		{ "OPTIONS", "*", "3|-|-|*|-" },
		{ "GET", "*", NULL },
		{ "OPTIONS", "*/", NULL },
		{ "GET", "", NULL },
		{ "GET", "a", NULL },
		{ "GET", "?a", NULL },
		{ "GET", "h:443", NULL },
		{ "GET", "ftp://h/", NULL },
		{ "GET", "http:/a", NULL },
		{ "GET", "http://", NULL },
		{ "GET", "http:///a", NULL },
		{ "GET", "://h", NULL },
		{ "GET", "http://[::1]:8/", "1|http|[::1]:8|/|-" },
		{ "GET", "http://h:/", "1|http|h:|/|-" },
		{ "GET", "http://h/|{%\x80", "1|http|h|/|{%\x80|-" },
		/* only paths and queries are lenient, the authority is as strict as in any URI */
		{ "GET", "http://h:65536/", NULL },
		{ "GET", "http://h:x/", NULL },
		{ "GET", "http://[::g]/", NULL },
		{ "GET", "http://a|b/", NULL },
		{ "GET", "http://\x80/", NULL },
		{ "GET", "http://:80/", NULL },
		{ "GET", "/a b", NULL },
		{ "GET", "/a#b", NULL },
		{ "GET", "/a\tb", NULL },
		{ "GET", "/a\x7f", NULL },
		{ "GET", "http://h/a b", NULL },
		{ "GET", "http://h/#", NULL },
		{ "CONNECT", "h", NULL },
		{ "CONNECT", "h:", NULL },
		{ "CONNECT", "/", NULL },
		{ "CONNECT", "u@h:1", NULL },
		{ "CONNECT", "http://h/", NULL },
		{ "connect", "h:443", NULL },
		{ "options", "*", NULL },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rung_request_target target = { .form = (enum rung_target_form)9 };
		char room[4][64], text[320] = "";
		int rc = rung_target_parse(cases[i][0], cases[i][1], strlen(cases[i][1]), &target);

		if (rc == 0)
			snprintf(text, sizeof text, "%d|%s|%s|%s|%s", target.form,
				show(target.scheme, room[0]), show(target.authority, room[1]),
				show(target.path, room[2]), show(target.query, room[3]));
		else
			cr_expect(rc == -EINVAL && (int)target.form == 9, "%s %s: %d", cases[i][0],
				cases[i][1], rc);
		cr_expect_str_eq(text, cases[i][2] ? cases[i][2] : "", "%s %s is <%s>", cases[i][0],
			cases[i][1], text);
	}
	struct rung_request_target target;
	ASSERT_INT(rung_target_parse("GET", "/a\0b", 4, &target), -EINVAL);
}

Test(uri, a_path_or_query_of_a_target_holds_all_but_controls_space_and_the_number_sign)
{
	for (int byte = 0; byte < 256; byte++) {
		bool expected = byte > ' ' && byte != 0x7f && byte != '#';
		char path[] = { '/', (char)byte }, query[] = { '/', '?', (char)byte };
		struct rung_request_target target;

		cr_expect((rung_target_parse("GET", path, sizeof path, &target) == 0) == expected,
			"byte 0x%02x in a path", byte);
		cr_expect((rung_target_parse("GET", query, sizeof query, &target) == 0) == expected,
			"byte 0x%02x in a query", byte);
	}
}
