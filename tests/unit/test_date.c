/* test_date.c: HTTP dates, RFC 9110 section 5.6.7, whatever the locale. */
#include "support.h"

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
