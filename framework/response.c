/* response.c: status and header fields of an answer. Rack: the SPEC's headers, Rack::Response. */
#include "request.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct rung_response *rung_response_new(struct rung_env *env)
{
	struct rung_request *request = env->request_;
	struct rung_response_store *store = rung_alloc(env, sizeof *store);

	if (!store)
		return NULL;
	rung_response_init(store, env);
	rung_response_prepare(store);
	store->next = request->responses;
	request->responses = store;
	return &store->response;
}

int rung_response_stick(struct rung_response *res, int err)
{
	if (!res->error)
		res->error = err;
	return res->error;
}

void rung_response_clear(struct rung_response *res)
{
	rung_body_drop(res);
	res->headers_->count = 0;
	res->status = 0;
	res->error = 0;
	res->pass = false;
	res->exact_ = false;
}

static struct rung_response_store *store_of(struct rung_response *res)
{
	return (struct rung_response_store *)res;
}

/* A list beside its response cannot be handed over, only copied; one in the arena can. */
static void move_fields(struct rung_response *to, struct rung_response *from)
{
	struct rung_field *beside = store_of(from)->first_fields;

	if (from->headers_->fields != beside) {
		*to->headers_ = *from->headers_;
		*from->headers_ = (struct rung_header_list){ beside, 0, RUNG_FIRST_FIELDS };
		return;
	}
	if (to->headers_->room < from->headers_->count)
		*to->headers_ = (struct rung_header_list){ store_of(to)->first_fields, 0, RUNG_FIRST_FIELDS };
	memcpy(to->headers_->fields, beside, from->headers_->count * sizeof *beside);
	to->headers_->count = from->headers_->count;
}

void rung_response_move(struct rung_response *to, struct rung_response *from)
{
	rung_body_drop(to);
	to->status = from->status;
	to->error = from->error;
	to->kind = from->kind;
	to->pass = from->pass;
	to->exact_ = from->exact_;
	move_fields(to, from);
	*to->body_ = *from->body_;
	/* What moved must not be closed twice. */
	from->kind = RUNG_BODY_EMPTY;
	rung_response_clear(from);
}

/* -- setting ---------------------------------------------------------------------------------------------------- */

static int refuse_field(struct rung_response *res, const char *name, const char *what)
{
	rung_fail_at(res->env_, -EINVAL, NULL, 0, "response field \"%s\" %s", name, what);
	return rung_response_stick(res, -EINVAL);
}

static int check_field(
	struct rung_response *res, const char *name, size_t name_size, const char *value, size_t value_size)
{
	if (name_size > UINT32_MAX || !rung_is_token(name, name_size))
		return refuse_field(res, name, "has a name that is no token; use letters, digits and \"-\"");
	if (value_size > UINT32_MAX || !rung_is_field_value(value, value_size))
		return refuse_field(res, name, "has a control byte in its value; encode it or leave it out");
	return 0;
}

/* The place for a field that stands instead of all of that name: that of the first of them, or a new one. NULL, with the
 * error stuck, when memory is out. */
static inline struct rung_field *place_for(struct rung_response *res, const char *name, size_t size)
{
	struct rung_header_list *list = res->headers_;
	struct rung_field *first = rung_list_find(list, name, size);

	if (first) {
		rung_list_remove(list, name, size, (uint32_t)(first - list->fields) + 1);
		return first;
	}
	if (list->count == list->room && rung_list_grow(list, rung_arena_of(res->env_)) < 0) {
		rung_response_stick(res, -ENOMEM);
		return NULL;
	}
	return &list->fields[list->count++];
}

static int put_field(struct rung_response *res, const struct rung_field *field)
{
	struct rung_field *place = place_for(res, field->name, field->name_size);

	if (place)
		*place = *field;
	return res->error;
}

/* Copies name and value into one piece of the arena. */
static int copy_field(struct rung_response *res, const char *name, size_t name_size, const char *value,
	size_t value_size, struct rung_field *ret_field)
{
	char *copy = rung_alloc(res->env_, name_size + value_size + 2);

	if (!copy)
		return rung_response_stick(res, -ENOMEM);
	memcpy(copy, name, name_size + 1);
	memcpy(copy + name_size + 1, value, value_size + 1);
	*ret_field =
		(struct rung_field){ copy, copy + name_size + 1, (uint32_t)name_size, (uint32_t)value_size };
	return 0;
}

int rung_header(struct rung_response *res, const char *name, const char *value)
{
	struct rung_field field;

	if (res->error)
		return res->error;
	if (!value) {
		rung_header_remove(res, name);
		return 0;
	}
	size_t name_size = strlen(name), value_size = strlen(value);
	int rc = check_field(res, name, name_size, value, value_size);
	if (rc == 0)
		rc = copy_field(res, name, name_size, value, value_size, &field);
	return rc < 0 ? rc : put_field(res, &field);
}

int rung_put_literal_beside(
	struct rung_response *res, const char *name, size_t name_size, const char *value, size_t value_size)
{
	struct rung_field *place;

	if (res->error)
		return res->error;
	place = place_for(res, name, name_size);
	if (place)
		*place = (struct rung_field){ name, value, (uint32_t)name_size, (uint32_t)value_size };
	return res->error;
}

int rung_header_static(struct rung_response *res, const char *name, const char *value)
{
	if (res->error)
		return res->error;
	size_t name_size = strlen(name), value_size = strlen(value);
	int rc = check_field(res, name, name_size, value, value_size);
	return rc < 0 ? rc : rung_put_literal(res, name, name_size, value, value_size);
}

int rung_header_add(struct rung_response *res, const char *name, const char *value)
{
	struct rung_field field;

	if (res->error)
		return res->error;
	size_t name_size = strlen(name), value_size = strlen(value);
	int rc = check_field(res, name, name_size, value, value_size);
	if (rc == 0)
		rc = copy_field(res, name, name_size, value, value_size, &field);
	if (rc == 0)
		rc = rung_list_push(res->headers_, rung_arena_of(res->env_), field);
	return rc < 0 ? rung_response_stick(res, rc) : 0;
}

int rung_header_default(struct rung_response *res, const char *name, const char *value)
{
	if (res->error || rung_list_find(res->headers_, name, strlen(name)))
		return res->error;
	return rung_header_add(res, name, value);
}

int rung_headerf(struct rung_response *res, const char *name, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	int size = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (size < 0)
		return rung_response_stick(res, -EINVAL);
	if ((size_t)size < sizeof text)
		return rung_header(res, name, text);
	char *value = rung_alloc(res->env_, (size_t)size + 1);
	if (!value)
		return rung_response_stick(res, -ENOMEM);
	va_start(arguments, format);
	vsnprintf(value, (size_t)size + 1, format, arguments);
	va_end(arguments);
	return rung_header(res, name, value);
}

void rung_header_remove(struct rung_response *res, const char *name)
{
	rung_list_remove(res->headers_, name, strlen(name), 0);
}

void rung_header_filter(struct rung_response *res,
	bool (*match)(const struct rung_field *field, const void *data), const void *data)
{
	rung_list_filter(res->headers_, match, data);
}

/* -- reading ---------------------------------------------------------------------------------------------------- */

const char *rung_header_get(const struct rung_response *res, const char *name)
{
	const struct rung_field *field = rung_list_find(res->headers_, name, strlen(name));

	return field ? field->value : NULL;
}

const struct rung_field *rung_header_at(const struct rung_response *res, size_t index)
{
	return index < res->headers_->count ? &res->headers_->fields[index] : NULL;
}

/* -- merging ---------------------------------------------------------------------------------------------------- */

static uint32_t letter_bit(char c)
{
	return 1u << (rung_lower(c) & 31);
}

/* The first letters of a list of names, a bit each: most fields are not in it, and their first letter tells. */
static uint32_t letters_of(const char *const *names)
{
	uint32_t letters = 0;

	for (; names && *names; names++)
		letters |= letter_bit(**names);
	return letters;
}

static bool is_listed(const struct rung_field *field, const char *const *names)
{
	for (; names && *names; names++)
		if (rung_names_equal(field->name, *names))
			return true;
	return false;
}

void rung_header_merge(struct rung_response *onto, const struct rung_response *from, const char *const *skip)
{
	const struct rung_header_list *theirs = from->headers_;
	struct rung_header_list *ours = onto->headers_;
	uint32_t letters = letters_of(skip), count = 0, room = theirs->count + ours->count + 1;

	if (onto->error || theirs->count == 0)
		return;
	struct rung_field *merged = rung_alloc(onto->env_, room * sizeof *merged);
	if (!merged) {
		rung_response_stick(onto, -ENOMEM);
		return;
	}
	/* The fields of `from` come first: so its Set-Cookie lines do, and a browser lets the later ones win. */
	for (uint32_t i = 0; i < theirs->count; i++) {
		const struct rung_field *field = &theirs->fields[i];

		if (letters & letter_bit(*field->name) && is_listed(field, skip))
			continue;
		if (rung_name_is(field, "Set-Cookie", 10) ||
			!rung_list_find(ours, field->name, field->name_size))
			merged[count++] = *field;
	}
	if (ours->count)
		memcpy(merged + count, ours->fields, ours->count * sizeof *merged);
	*ours = (struct rung_header_list){ merged, count + ours->count, room };
}

int rung_header_replace(struct rung_response *res, const struct rung_field *fields, size_t count)
{
	struct rung_header_list *list = res->headers_;

	if (res->error)
		return res->error;
	if (count > UINT32_MAX / sizeof *fields)
		return rung_response_stick(res, -EINVAL);
	if (count > list->room) {
		struct rung_field *room = rung_alloc(res->env_, count * sizeof *room);

		if (!room)
			return rung_response_stick(res, -ENOMEM);
		list->fields = room;
		list->room = (uint32_t)count;
	}
	for (size_t i = 0; i < count; i++) {
		struct rung_field field = fields[i];

		if (!field.name_size) {
			field.name_size = (uint32_t)strlen(field.name);
			field.value_size = (uint32_t)strlen(field.value);
		}
		if (check_field(res, field.name, field.name_size, field.value, field.value_size) < 0)
			return res->error;
		list->fields[i] = field;
	}
	list->count = (uint32_t)count;
	return 0;
}
