/* range.c: the ranges of a request. RFC 9110 sections 13.1.5 (If-Range) and 14. */
#include "request.h"
#include <rung/date.h>
#include <rung/range.h>

#include <string.h>
#include <strings.h>

/* -- If-Range ---------------------------------------------------------------------------------------------------- */

/* A weak tag, on either side, is not equal to anything here, nor is a date that is not exactly the one sent, or whose second
 * is not over yet: the thing may change again and keep it. */
static bool is_same_state(const char *if_range, const char *etag, time_t modified)
{
	time_t date;

	if (*if_range == '"')
		return etag && strcmp(if_range, etag) == 0;
	return modified != -1 && rung_http_date_parse(if_range, &date) == 0 && date == modified &&
	       modified < time(NULL);
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

/* "-5": the last five bytes. Takes what stands up to `end`; of nothing no part can be named. */
static enum rung_range_kind take_suffix(
	const char *at, const char *end, int64_t size, struct rung_range *ret_range)
{
	int64_t length;
	const char *behind = take_position(at, &length);

	if (behind == at || behind != end)
		return RUNG_RANGE_ALL;
	if (length == 0)
		return RUNG_RANGE_UNSATISFIABLE;
	if (size == 0)
		return RUNG_RANGE_ALL;
	ret_range->length = length < size ? length : size;
	ret_range->offset = size - ret_range->length;
	return RUNG_RANGE_PART;
}

/* "0-4" or "5-". */
static enum rung_range_kind take_range(
	const char *at, const char *end, int64_t size, struct rung_range *ret_range)
{
	int64_t first, last;
	const char *behind = take_position(at, &first);

	if (behind == at || *behind != '-')
		return RUNG_RANGE_ALL;
	at = behind + 1;
	behind = take_position(at, &last);
	if (behind != end)
		return RUNG_RANGE_ALL;
	if (behind == at)
		last = INT64_MAX;
	if (last < first)
		return RUNG_RANGE_ALL;
	if (first >= size)
		return RUNG_RANGE_UNSATISFIABLE;
	ret_range->offset = first;
	ret_range->length = (last < size ? last + 1 : size) - first;
	return RUNG_RANGE_PART;
}

/* -- sets -------------------------------------------------------------------------------------------------------- */

static bool touch(const struct rung_range *a, const struct rung_range *b)
{
	return a->offset <= b->offset + b->length && b->offset <= a->offset + a->length;
}

static struct rung_range join(const struct rung_range *a, const struct rung_range *b)
{
	int64_t a_end = a->offset + a->length, b_end = b->offset + b->length;
	int64_t offset = a->offset < b->offset ? a->offset : b->offset;

	return (struct rung_range){ offset, (a_end > b_end ? a_end : b_end) - offset };
}

/* Adds a range, joined with all it overlaps or touches; it then stands where the first of these stood. */
static void add(struct rung_range_set *set, struct rung_range range)
{
	size_t place = set->count, kept, i;

	for (i = 0; i < set->count; i++) {
		if (!touch(&set->ranges[i], &range))
			continue;
		range = join(&set->ranges[i], &range);
		if (i < place)
			place = i;
		/* It is larger now, and may touch what it did not before. */
		for (kept = i + 1; kept < set->count; kept++)
			set->ranges[kept - 1] = set->ranges[kept];
		set->count--;
		i = (size_t)-1;
	}
	for (i = set->count; i > place; i--)
		set->ranges[i] = set->ranges[i - 1];
	set->ranges[place] = range;
	set->count++;
}

static enum rung_range_kind take_set(const char *at, int64_t size, struct rung_range_set *set)
{
	const char *member;
	size_t member_size, members = 0;

	for (; rung_list_next(&at, &member, &member_size); members++) {
		const char *end = member + member_size;
		struct rung_range range;
		enum rung_range_kind kind = *member == '-' ? take_suffix(member + 1, end, size, &range)
							   : take_range(member, end, size, &range);

		if (kind == RUNG_RANGE_ALL || members == RUNG_MAX_RANGES)
			return RUNG_RANGE_ALL;
		if (kind == RUNG_RANGE_PART)
			add(set, range);
	}
	return set->count ? RUNG_RANGE_PART : members ? RUNG_RANGE_UNSATISFIABLE : RUNG_RANGE_ALL;
}

enum rung_range_kind rung_ranges(const struct rung_env *env, const char *etag, time_t modified, int64_t size,
	struct rung_range_set *ret_set)
{
	struct rung_range_set set = { .count = 0 };
	const char *value = strcmp(env->method, "GET") == 0 ? only_field(env, "Range") : NULL;
	const char *if_range = value ? rung_request_header(env, "If-Range") : NULL;

	if (!value || strncasecmp(value, "bytes=", 6) != 0 ||
		(if_range && !is_same_state(if_range, etag, modified)))
		return RUNG_RANGE_ALL;
	enum rung_range_kind kind = take_set(value + 6, size, &set);
	if (kind == RUNG_RANGE_PART)
		*ret_set = set;
	return kind;
}
