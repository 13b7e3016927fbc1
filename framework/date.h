/* date.h: HTTP dates, RFC 9110 section 5.6.7, without locale. */
#pragma once

#include <rung/api.h>

#include <time.h>

RUNG_BEGIN

enum { RUNG_HTTP_DATE_SIZE = 30 }; /* "Sun, 06 Nov 1994 08:49:37 GMT" and a NUL */

/*
 * Reads a date in any of the three forms that RFC 9110 names: "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37
 * GMT", "Sun Nov  6 08:49:37 1994". A year of two digits is the one at most 50 years ahead. The day's name is not compared
 * with the date. Returns 0; -EINVAL for anything else, also behind the date. ret_when is untouched on failure.
 */
RUNG_API int rung_http_date_parse(const char *text, time_t *ret_when);

/* Writes the IMF-fixdate of a time. Years before 0 and past 9999 are written as 0000 and 9999. */
RUNG_API void rung_http_date(time_t when, char buffer[RUNG_HTTP_DATE_SIZE]);

RUNG_END
