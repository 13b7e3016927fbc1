/* date.c: HTTP dates. RFC 9110 section 5.6.7. */
#include <rung/date.h>

#include <stdio.h>
#include <string.h>

void rung_http_date(time_t when, char buffer[RUNG_HTTP_DATE_SIZE])
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
		"Oct", "Nov", "Dec" };
	struct tm parts = { .tm_mday = 1 };
	char text[64];

	if (!gmtime_r(&when, &parts))
		parts.tm_year = when < 0 ? -1900 : 8099;
	int year = parts.tm_year + 1900;
	snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[parts.tm_wday % 7],
		parts.tm_mday, months[parts.tm_mon % 12],
		year < 0      ? 0
		: year > 9999 ? 9999
			      : year,
		parts.tm_hour, parts.tm_min, parts.tm_sec);
	memcpy(buffer, text, RUNG_HTTP_DATE_SIZE);
	buffer[RUNG_HTTP_DATE_SIZE - 1] = '\0';
}
