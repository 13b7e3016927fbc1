/* date.h: HTTP dates, RFC 9110 section 5.6.7, without locale. */
#pragma once

#include <rung/api.h>

#include <time.h>

RUNG_BEGIN

enum { RUNG_HTTP_DATE_SIZE = 30 }; /* "Sun, 06 Nov 1994 08:49:37 GMT" and a NUL */

/* Writes the IMF-fixdate of a time. Years before 0 and past 9999 are written as 0000 and 9999. */
RUNG_API void rung_http_date(time_t when, char buffer[RUNG_HTTP_DATE_SIZE]);

RUNG_END
