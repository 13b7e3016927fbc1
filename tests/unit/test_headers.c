/* test_headers.c: tokens, field values, lists and Accept weights, by themselves. */
#include "support.h"

SUITE(headers);

/* -- characters -------------------------------------------------------------------------------------------------- */

Test(headers, a_token_is_made_of_the_bytes_that_the_rfc_lists)
{
	static const char allowed[] = "!#$%&'*+-.^_`|~0123456789"
				      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	for (int byte = 0; byte < 256; byte++) {
		char text[] = { 'a', (char)byte, 'b' };
		bool expected = byte && strchr(allowed, byte);

		cr_expect(rung_is_token(text, 3) == expected, "byte 0x%02x inside", byte);
		cr_expect(rung_is_token(text + 1, 1) == expected, "byte 0x%02x alone", byte);
	}
}

Test(headers, a_token_is_not_empty_and_ends_where_its_size_says)
{
	cr_assert_not(rung_is_token("", 0));
	cr_assert_not(rung_is_token("abc", 0));
	cr_assert(rung_is_token("GET /", 3));
	cr_assert_not(rung_is_token("GET /", 4));
	cr_assert_not(rung_is_token("GET\0", 4));
}

Test(headers, a_field_value_holds_no_control_byte_but_tab)
{
	for (int byte = 0; byte < 256; byte++) {
		char text[] = { 'a', (char)byte, 'b' };
		bool expected = byte == '\t' || (byte >= 0x20 && byte != 0x7f);

		cr_expect(rung_is_field_value(text, 3) == expected, "byte 0x%02x inside", byte);
		cr_expect(rung_is_field_value(text + 1, 1) == expected, "byte 0x%02x alone", byte);
	}
}

Test(headers, a_field_value_may_be_empty_and_ends_where_its_size_says)
{
	cr_assert(rung_is_field_value("", 0));
	cr_assert(rung_is_field_value("ok\r\n", 2));
	cr_assert_not(rung_is_field_value("ok\r\n", 3));
}

Test(headers, names_compare_without_case_and_letters_alone_have_one)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} cases[] = {
		{ "Content-Type", "content-type", true }, { "ETAG", "etag", true }, { "", "", true },
		{ "A", "", false }, { "Content-Type", "Content-Typ", false },
		{ "Content-Typ", "Content-Type", false },
		{ "x[", "x{", false }, /* 0x20 apart, as letters of two cases are */
		{ "x@", "x`", false }, { "x^", "x~", false }, { "x-", "x\r", false },
		{ "\xc9", "\xe9", false }, /* letters in Latin-1, not in ASCII */
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect(rung_names_equal(cases[i].a, cases[i].b) == cases[i].equal, "\"%s\" and \"%s\"",
			cases[i].a, cases[i].b);
}

/* -- lists ------------------------------------------------------------------------------------------------------- */

/* The members of a list, each in brackets. */
static void join_list(const char *value, char *out, size_t room)
{
	const char *member;
	size_t size, at = 0;

	out[0] = '\0';
	while (rung_list_next(&value, &member, &size)) {
		int n = snprintf(out + at, room - at, "[%.*s]", (int)size, member);

		cr_assert(n > 0 && (size_t)n < room - at, "the list does not end");
		at += (size_t)n;
	}
}

Test(headers, lists_are_stepped_through)
{
	static const char *const cases[][2] = {
		{ "", "" },
		{ " \t ", "" },
		{ ",", "" },
		{ " , ,,\t, ", "" },
		{ "a", "[a]" },
		{ "a,b", "[a][b]" },
		{ "  a \t,\tb  ", "[a][b]" },
		{ ",a,,b,", "[a][b]" },
		{ "a b, c", "[a b][c]" },
		{ "\"a,b\", c", "[\"a,b\"][c]" },
		{ "x=\"a\\\",b\", c", "[x=\"a\\\",b\"][c]" },
		{ "\"\", b", "[\"\"][b]" },
		{ "\"a, b", "[\"a, b]" }, /* a quote that nothing closes runs to the end */
		{ "\"a\\", "[\"a\\]" },   /* a backslash is the last byte */
		{ "W/\"1\", \"2\"", "[W/\"1\"][\"2\"]" },
		{ "a;q=0.5,b;q=1", "[a;q=0.5][b;q=1]" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char got[256];

		join_list(cases[i][0], got, sizeof got);
		cr_expect_str_eq(got, cases[i][1], "<%s> is %s, not %s", cases[i][0], got, cases[i][1]);
	}
}

Test(headers, the_end_of_a_list_stays_the_end)
{
	const char *cursor = "a", *member = NULL;
	size_t size = 99;

	cr_assert(rung_list_next(&cursor, &member, &size));
	member = NULL;
	size = 99;
	cr_assert_not(rung_list_next(&cursor, &member, &size));
	cr_assert_not(rung_list_next(&cursor, &member, &size));
	cr_assert_null(member, "untouched at the end");
	ASSERT_INT(size, 99);
}

Test(headers, a_list_has_its_whole_members_alone)
{
	static const struct {
		const char *value, *member;
		bool expected;
	} cases[] = {
		{ "keep-alive, Upgrade", "upgrade", true },
		{ "keep-alive, Upgrade", "KEEP-ALIVE", true },
		{ "close", "close", true },
		{ " ,close ,", "close", true },
		{ "not-close", "close", false },
		{ "closed", "close", false },
		{ "clos", "close", false },
		{ "\"close\"", "close", false },
		{ "x=\"a, close\"", "close", false },
		{ "", "close", false },
		{ "", "", false },
		{ NULL, "close", false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect(rung_list_has(cases[i].value, cases[i].member) == cases[i].expected, "<%s> and %s",
			cases[i].value ? cases[i].value : "(NULL)", cases[i].member);
}

/* -- Accept ------------------------------------------------------------------------------------------------------ */

struct accept_case {
	const char *accept, *type;
	unsigned quality;
};

static void check_accept(const struct accept_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		unsigned got = rung_accept_quality(cases[i].accept, cases[i].type);

		cr_expect(got == cases[i].quality, "<%s> gives %s %u, not %u",
			cases[i].accept ? cases[i].accept : "(NULL)", cases[i].type, got, cases[i].quality);
	}
}

Test(headers, accept_weighs_a_type)
{
	static const struct accept_case cases[] = {
		{ "text/html", "text/html", 1000 },
		{ "TEXT/HTML", "text/html", 1000 },
		{ "text/html", "text/plain", 0 },
		{ "text/html", "text/htm", 0 },
		{ "text/htm", "text/html", 0 },
		{ "text/*", "text/html", 1000 },
		{ "text/*", "texts/html", 0 },
		{ "*/*", "image/png", 1000 },
		{ "*/html", "text/html", 0 },
		{ "text/html;q=0.5", "text/html", 500 },
		{ "text/html; Q=0.5", "text/html", 500 },
		{ "text/html ; q=0.5", "text/html", 500 },
		{ "text/html;level=1;q=0.5", "text/html", 500 },
		{ "text/html;q=0", "text/html", 0 },
		{ "text/html;q=0.", "text/html", 0 },
		{ "text/html;q=1.", "text/html", 1000 },
		{ "text/html;q=1.000", "text/html", 1000 },
		{ "text/html;q=0.001", "text/html", 1 },
		{ "text/html;q=0.999", "text/html", 999 },
		{ "a/b, text/html;q=0.25 , c/d", "text/html", 250 },
		{ "text/html;x=\"a,b;q=0.1\";q=0.9", "text/html", 900 },
		{ "text/html;x=\"\\\";q=0.1\";q=0.9", "text/html", 900 },
	};

	check_accept(cases, sizeof cases / sizeof *cases);
}

Test(headers, nothing_said_accepts_everything)
{
	static const struct accept_case cases[] = {
		{ NULL, "text/html", 1000 },
		{ "", "text/html", 1000 },
		{ " ", "text/html", 1000 },
		{ ", ,", "text/html", 1000 },
	};

	check_accept(cases, sizeof cases / sizeof *cases);
}

Test(headers, the_most_specific_range_decides_whatever_the_order)
{
	static const struct accept_case cases[] = {
		{ "*/*;q=0.1, text/*;q=0.5, text/html", "text/html", 1000 },
		{ "text/html, text/*;q=0.5, */*;q=0.1", "text/html", 1000 },
		{ "text/html, text/*;q=0.5, */*;q=0.1", "text/plain", 500 },
		{ "text/html, text/*;q=0.5, */*;q=0.1", "image/png", 100 },
		{ "text/html;q=0, */*", "text/html", 0 },
		{ "*/*, text/html;q=0", "text/html", 0 },
		{ "text/*;q=0, */*", "text/css", 0 },
		{ "text/html;q=0.2, text/html;q=0.3", "text/html", 300 }, /* of several the last */
		/* RFC 9110 section 12.5.1: a range with parameters is about other things than the bare type */
		{ "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, "
		  "text/plain;format=fixed;q=0.4, */*;q=0.5",
			"text/plain", 700 },
		{ "text/*;q=0.3, text/plain;q=0.7, */*;q=0.5", "text/html", 300 },
		{ "text/*;q=0.3, text/plain;q=0.7, */*;q=0.5", "image/jpeg", 500 },
		{ "text/html;level=1;q=0.4, text/*;q=0.9", "text/html", 400 },
	};

	check_accept(cases, sizeof cases / sizeof *cases);
}

Test(headers, what_cannot_be_parsed_is_passed_over)
{
	static const struct accept_case cases[] = {
		{ "text/html;q=2, */*;q=0.1", "text/html", 100 },
		{ "text/html;q=1.001, */*;q=0.1", "text/html", 100 },
		{ "text/html;q=0.1234, */*;q=0.2", "text/html", 200 },
		{ "text/html;q=-1, */*;q=0.1", "text/html", 100 },
		{ "text/html;q=, */*;q=0.1", "text/html", 100 },
		{ "text/html;q=.5, */*;q=0.1", "text/html", 100 },
		{ "text/html;q=0,5, */*;q=0.1", "text/html", 0 }, /* the comma ends the member: q=0 */
		{ "text/html;q=0.5x, */*;q=0.1", "text/html", 100 },
		{ "text/html;q=\"0.5\", */*;q=0.1", "text/html", 100 },
		{ "text, html, */*;q=0.1", "text/html", 100 },
		{ ";q=0, */*;q=0.1", "text/html", 100 },
		{ "text/html;", "text/html", 1000 },
		{ "text/html;q", "text/html", 1000 },
		{ "text/html; ;q=0.5", "text/html", 500 },
		{ "/", "text/html", 1000 },
		{ "text", "text/html", 1000 }, /* nothing in it says what is accepted */
		{ "text/html;q=9", "text/html", 1000 },
	};

	check_accept(cases, sizeof cases / sizeof *cases);
}
