/* date.c: HTTP dates, written and read without the locale. RFC 9110 section 5.6.7. */
#include <rung/date.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const time_t last_written = 253402300799; /* with four digits for the year */
static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char *const long_days[7] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday",
	"Saturday" };
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct",
	"Nov", "Dec" };

/* -- writing ----------------------------------------------------------------------------------------------------- */

void rung_http_date(time_t when, char buffer[RUNG_HTTP_DATE_SIZE])
{
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

/* -- reading ----------------------------------------------------------------------------------------------------- */

/* Each of these takes its piece of the text and gives what follows, NULL when it is not there; NULL stays NULL. */

static const char *take(const char *at, const char *literal)
{
	size_t size = strlen(literal);

	return at && strncmp(at, literal, size) == 0 ? at + size : NULL;
}

static const char *take_number(const char *at, int digits, int *ret_number)
{
	int number = 0;

	for (int i = 0; at && i < digits; i++, at++) {
		if (*at < '0' || *at > '9')
			return NULL;
		number = number * 10 + (*at - '0');
	}
	*ret_number = number;
	return at;
}

static const char *take_day(const char *at)
{
	for (size_t i = 0; at && i < 7; i++)
		if (take(at, days[i]))
			return at + 3;
	return NULL;
}

static const char *take_long_day(const char *at)
{
	for (size_t i = 0; at && i < 7; i++)
		if (take(at, long_days[i]))
			return take(at, long_days[i]);
	return NULL;
}

static const char *take_month(const char *at, struct tm *parts)
{
	for (parts->tm_mon = 0; at && parts->tm_mon < 12; parts->tm_mon++)
		if (take(at, months[parts->tm_mon]))
			return at + 3;
	return NULL;
}

static const char *take_time(const char *at, struct tm *parts)
{
	at = take(take_number(at, 2, &parts->tm_hour), ":");
	at = take(take_number(at, 2, &parts->tm_min), ":");
	return take_number(at, 2, &parts->tm_sec);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static const char *take_fixed(const char *at, struct tm *parts)
{
	int year = 0;

	at = take(take_number(take(take_day(at), ", "), 2, &parts->tm_mday), " ");
	at = take(take_number(take(take_month(at, parts), " "), 4, &year), " ");
	parts->tm_year = year - 1900;
	return take(take_time(at, parts), " GMT");
}

/* A year that seems more than 50 years ahead is the last one of those two digits. */
static int full_year(int two_digits)
{
	time_t now = time(NULL);
	struct tm today;

	if (!gmtime_r(&now, &today))
		return two_digits;
	int this_year = today.tm_year + 1900, year = this_year - this_year % 100 + two_digits;
	return year > this_year + 50 ? year - 100 : year;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static const char *take_old(const char *at, struct tm *parts)
{
	int year = 0;

	at = take(take_number(take(take_long_day(at), ", "), 2, &parts->tm_mday), "-");
	at = take(take_number(take(take_month(at, parts), "-"), 2, &year), " ");
	parts->tm_year = full_year(year) - 1900;
	return take(take_time(at, parts), " GMT");
}

/* "Sun Nov  6 08:49:37 1994" */
static const char *take_asctime(const char *at, struct tm *parts)
{
	int year = 0;

	at = take(take_month(take(take_day(at), " "), parts), " ");
	at = at && *at == ' ' ? take_number(at + 1, 1, &parts->tm_mday) : take_number(at, 2, &parts->tm_mday);
	at = take_number(take(take_time(take(at, " "), parts), " "), 4, &year);
	parts->tm_year = year - 1900;
	return at;
}

/* timegm() makes a day of the next month of one that there is not, and a second of the next minute of a leap second. */
static int make_time(struct tm *parts, time_t *ret_when)
{
	struct tm made = *parts;

	if (parts->tm_mday < 1 || parts->tm_hour > 23 || parts->tm_min > 59 || parts->tm_sec > 60)
		return -EINVAL;
	time_t when = timegm(&made);
	bool same_day = made.tm_mday == parts->tm_mday && made.tm_mon == parts->tm_mon;
	if ((!same_day && parts->tm_sec < 60) || when > last_written)
		return -EINVAL;
	*ret_when = when;
	return 0;
}

int rung_http_date_parse(const char *text, time_t *ret_when)
{
	static const char *(*const forms[])(
		const char *, struct tm *) = { take_fixed, take_old, take_asctime };

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		struct tm parts = { 0 };
		const char *end = forms[i](text, &parts);

		if (end && !*end)
			return make_time(&parts, ret_when);
	}
	return -EINVAL;
}
