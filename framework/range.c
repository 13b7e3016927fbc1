/* range.c: the one range of a request. RFC 9110 sections 13.1.5 (If-Range) and 14. */
#include "request.h"
#include <rung/date.h>
#include <rung/range.h>

#include <string.h>
#include <strings.h>

/* -- If-Range ---------------------------------------------------------------------------------------------------- */

/* A weak tag, on either side, is not equal to anything here, nor is a date that is not exactly the one sent. */
static bool is_same_state(const char *if_range, const char *etag, time_t modified)
{
	time_t date;

	if (*if_range == '"')
		return etag && strcmp(if_range, etag) == 0;
	return modified != -1 && rung_http_date_parse(if_range, &date) == 0 && date == modified;
}

/* -- Range ------------------------------------------------------------------------------------------------------- */

/* The field, if there is exactly one. */
static const char *only_field(const struct rung_env *env, const char *name)
{
	const struct rung_field *field;
	const char *value = NULL;
	size_t size = strlen(name);

	for (size_t i = 0; (field = rung_request_field(env, i)); i++) {
		if (!rung_name_is(field, name, size))
			continue;
		if (value)
			return NULL;
		value = field->value;
	}
	return value;
}

/* Reads digits. Returns what follows; `at` itself when there are none. */
static const char *take_position(const char *at, int64_t *ret_position)
{
	int64_t position = 0;

	for (; *at >= '0' && *at <= '9'; at++) {
		int digit = *at - '0';

		/* Past the largest of files it stays there. */
		position = position > (INT64_MAX - digit) / 10 ? INT64_MAX : position * 10 + digit;
	}
	*ret_position = position;
	return at;
}

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t");
}

/* "-5": the last five bytes. */
static enum rung_range_kind take_suffix(const char *at, int64_t size, struct rung_range *range)
{
	int64_t length;
	const char *end = take_position(at, &length);

	if (end == at || *skip_blanks(end))
		return RUNG_RANGE_ALL;
	if (length == 0)
		return RUNG_RANGE_UNSATISFIABLE;
	/* Of nothing no part can be named. */
	if (size == 0)
		return RUNG_RANGE_ALL;
	range->length = length < size ? length : size;
	range->offset = size - range->length;
	return RUNG_RANGE_PART;
}

/* "0-4" or "5-". */
static enum rung_range_kind take_range(const char *at, int64_t size, struct rung_range *range)
{
	int64_t first, last = INT64_MAX;
	const char *end = take_position(at, &first);

	if (end == at || *end != '-')
		return RUNG_RANGE_ALL;
	at = end + 1;
	end = take_position(at, &last);
	if (*skip_blanks(end))
		return RUNG_RANGE_ALL;
	if (end == at)
		last = INT64_MAX;
	if (last < first)
		return RUNG_RANGE_ALL;
	if (first >= size)
		return RUNG_RANGE_UNSATISFIABLE;
	range->offset = first;
	range->length = (last < size ? last + 1 : size) - first;
	return RUNG_RANGE_PART;
}

enum rung_range_kind rung_range(const struct rung_env *env, const char *etag, time_t modified, int64_t size,
	struct rung_range *ret_range)
{
	struct rung_range range = { 0 };
	const char *value = strcmp(env->method, "GET") == 0 ? only_field(env, "Range") : NULL;
	const char *if_range = value ? rung_request_header(env, "If-Range") : NULL;

	if (!value || strncasecmp(value, "bytes=", 6) != 0 ||
		(if_range && !is_same_state(if_range, etag, modified)))
		return RUNG_RANGE_ALL;
	const char *at = skip_blanks(value + 6);
	enum rung_range_kind kind =
		*at == '-' ? take_suffix(at + 1, size, &range) : take_range(at, size, &range);
	if (kind == RUNG_RANGE_PART)
		*ret_range = range;
	return kind;
}
