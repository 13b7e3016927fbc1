/* test_date.c: HTTP dates, RFC 9110 section 5.6.7, whatever the locale. */
#include "support.h"

#include <errno.h>
#include <locale.h>

SUITE(date);

Test(date, times_are_written_as_http_has_them)
{
	static const struct {
		time_t when;
		const char *text;
	} cases[] = {
		{ 784111777, "Sun, 06 Nov 1994 08:49:37 GMT" }, /* the RFC's example */
		{ 0, "Thu, 01 Jan 1970 00:00:00 GMT" }, { -1, "Wed, 31 Dec 1969 23:59:59 GMT" },
		{ 951782400, "Tue, 29 Feb 2000 00:00:00 GMT" },
		{ 4102444799, "Thu, 31 Dec 2099 23:59:59 GMT" },
		{ 253402300799, "Fri, 31 Dec 9999 23:59:59 GMT" },
		{ 253402300800, "Sat, 01 Jan 9999 00:00:00 GMT" }, /* past 9999 the year stays 9999 */
	};

	setlocale(LC_ALL, "de_DE.UTF-8");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[RUNG_HTTP_DATE_SIZE];

		rung_http_date(cases[i].when, text);
		ASSERT_STR(text, cases[i].text);
		ASSERT_INT(strlen(text) + 1, sizeof text);
	}
}

Test(date, times_beyond_all_years_are_written_too)
{
	static const time_t extremes[] = { INT64_MAX, INT64_MIN, -62167219201 };

	for (size_t i = 0; i < sizeof extremes / sizeof *extremes; i++) {
		char text[RUNG_HTTP_DATE_SIZE];

		rung_http_date(extremes[i], text);
		ASSERT_INT(strlen(text) + 1, sizeof text);
		ASSERT_HAS(text, " GMT");
		ASSERT_HAS(text, extremes[i] > 0 ? " 9999 " : " 0000 ");
	}
}

Test(date, all_three_forms_are_read)
{
	static const struct {
		const char *text;
		time_t when;
	} cases[] = {
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", 784111777 }, { "Sun Nov  6 08:49:37 1994", 784111777 },
		{ "Wed Nov 16 08:49:37 1994", 784975777 }, { "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
		{ "Wed, 31 Dec 1969 23:59:59 GMT", -1 }, { "Tue, 29 Feb 2000 00:00:00 GMT", 951782400 },
		{ "Mon, 29 Feb 2000 00:00:00 GMT", 951782400 }, /* the wrong day */
		{ "Fri, 31 Dec 9999 23:59:59 GMT", 253402300799 },
		{ "Saturday, 31-Dec-60 23:59:59 GMT",
			2871763199 }, /* 2060, while that is not 50 years ahead */
		{ "Sunday, 01-Jan-95 00:00:00 GMT", 788918400 },
		{ "Thu, 31 Dec 1998 23:59:60 GMT", 915148800 }, /* a leap second */
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		time_t when = 7;

		cr_expect(rung_http_date_parse(cases[i].text, &when) == 0, "%s", cases[i].text);
		cr_expect(when == cases[i].when, "%s is %lld", cases[i].text, (long long)when);
	}
}

Test(date, what_is_no_date_is_refused)
{
	static const char *const cases[] = { "", "0", "now", "Sun", "Sun, 06 Nov 1994",
		"Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
		"Sun, 06 Nov 1994 08:49:37 GMT ", " Sun, 06 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 GMT, x", "sun, 06 nov 1994 08:49:37 gmt",
		"Xxx, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Xxx 1994 08:49:37 GMT",
		"Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
		"Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT",
		"Sun, 29 Feb 1995 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
		"Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
		"Sun, 06 Nov 94 08:49:37 GMT", "Sun, 06 Nov -994 08:49:37 GMT",
		"Sun, 06 Nov 19940 08:49:37 GMT", "Sun, +6 Nov 1994 08:49:37 GMT",
		"Sunday, 06-Nov-1994 08:49:37 GMT", "Sun, 06-Nov-94 08:49:37 GMT",
		"Sun Nov 06 08:49:37 1994 GMT", "Sun Nov 6 08:49:37 1994", "Sun Nov  6 8:49:37 1994",
		"Sun Nov  6 08:49:37 94", "Fri, 31 Dec 9999 23:59:60 GMT" };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		time_t when = 7;

		cr_expect(rung_http_date_parse(cases[i], &when) == -EINVAL, "<%s> is %lld", cases[i],
			(long long)when);
		cr_expect(when == 7, "<%s>: touched on failure", cases[i]);
	}
}
