/* conditional.c: preconditions of a request. RFC 9110 sections 8.8.3 (entity tags) and 13. */
#include "request.h"
#include <rung/conditional.h>
#include <rung/date.h>

#include <string.h>

/* -- entity tags ------------------------------------------------------------------------------------------------- */

struct tag {
	const char *at; /* the opaque part with its quotes */
	size_t size;
	bool is_weak;
};

/* Reads a tag. Returns what follows it, NULL when there is none. A backslash in it is a byte like any other. */
static const char *take_tag(const char *at, struct tag *ret_tag)
{
	struct tag tag = { .is_weak = at[0] == 'W' && at[1] == '/' };

	tag.at = at += tag.is_weak ? 2 : 0;
	if (*at != '"')
		return NULL;
	for (at++; *at != '"'; at++)
		if ((unsigned char)*at <= ' ' || *at == 0x7f)
			return NULL;
	tag.size = (size_t)(at + 1 - tag.at);
	*ret_tag = tag;
	return at + 1;
}

static bool same_tag(const struct tag *a, const struct tag *b, bool strong)
{
	if (strong && (a->is_weak || b->is_weak))
		return false;
	return a->size == b->size && memcmp(a->at, b->at, a->size) == 0;
}

/* Whether a list of tags has this one. "*" stands for any. What is no list ends where it stops being one. */
static bool list_has(const char *list, const struct tag *own, bool strong)
{
	struct tag tag;

	if (strcmp(list, "*") == 0)
		return true;
	while (list && *list) {
		list += strspn(list, " \t,");
		list = take_tag(list, &tag);
		if (list && own->at && same_tag(&tag, own, strong))
			return true;
	}
	return false;
}

/* Whether any field of that name has the tag; *ret_is_there tells whether there is such a field. */
static bool fields_have(
	const struct rung_env *env, const char *name, const struct tag *own, bool strong, bool *ret_is_there)
{
	const struct rung_field *field;
	size_t size = strlen(name);
	bool has = false;

	*ret_is_there = false;
	for (size_t i = 0; (field = rung_request_field(env, i)); i++) {
		if (!rung_name_is(field, name, size))
			continue;
		*ret_is_there = true;
		has = has || list_has(field->value, own, strong);
	}
	return has;
}

/* -- preconditions ----------------------------------------------------------------------------------------------- */

/* Whether there is such a date to compare with, and the thing has one too. */
static bool has_date(const struct rung_env *env, const char *name, time_t modified, time_t *ret_date)
{
	const char *value = rung_request_header(env, name);

	return value && modified != -1 && rung_http_date_parse(value, ret_date) == 0;
}

/* The order is that of section 13.2.2. */
enum rung_precondition rung_preconditions(const struct rung_env *env, const char *etag, time_t modified)
{
	bool is_read = strcmp(env->method, "GET") == 0 || strcmp(env->method, "HEAD") == 0, is_there;
	struct tag own = { 0 };
	time_t date;

	if (etag && !take_tag(etag, &own))
		own.at = NULL;
	bool matches = fields_have(env, "If-Match", &own, true, &is_there);
	if (is_there && !matches)
		return RUNG_PRECONDITION_FAILED;
	if (!is_there && has_date(env, "If-Unmodified-Since", modified, &date) && modified > date)
		return RUNG_PRECONDITION_FAILED;
	matches = fields_have(env, "If-None-Match", &own, false, &is_there);
	if (matches)
		return is_read ? RUNG_NOT_MODIFIED : RUNG_PRECONDITION_FAILED;
	if (!is_there && is_read && has_date(env, "If-Modified-Since", modified, &date) && modified <= date)
		return RUNG_NOT_MODIFIED;
	return RUNG_GO_ON;
}
