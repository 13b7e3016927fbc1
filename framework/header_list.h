/*
 * header_list.h: private: the array behind request and response fields. Memory comes from the request's arena; a
 * removed field leaves no gap.
 */
#pragma once

#include "arena.h"
#include "text.h"
#include <rung/headers.h>

struct rung_header_list {
	struct rung_field *fields;
	uint32_t count;
	uint32_t room;
};

/* Room for the first fields of a list, beside it, so that most lists need no memory of their own. */
enum { RUNG_FIRST_FIELDS = 12 };

static inline bool rung_name_is(const struct rung_field *field, const char *name, size_t size)
{
	return field->name_size == size && rung_same_letters(field->name, name, size);
}

/* The first of that name, or NULL. Sizes nearly always tell names apart. */
static inline struct rung_field *rung_list_find(
	const struct rung_header_list *list, const char *name, size_t size)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (rung_name_is(&list->fields[i], name, size))
			return &list->fields[i];
	return NULL;
}

/* Makes room for at least one more. Returns 0 or -ENOMEM. */
int rung_list_grow(struct rung_header_list *list, struct rung_arena *arena);

/* Appends; the strings are pointed at. Returns 0 or -ENOMEM. */
static inline int rung_list_push(
	struct rung_header_list *list, struct rung_arena *arena, struct rung_field field)
{
	if (list->count == list->room) {
		int rc = rung_list_grow(list, arena);

		if (rc < 0)
			return rc;
	}
	list->fields[list->count++] = field;
	return 0;
}

/* Removes all of that name from index `from` on. */
void rung_list_remove(struct rung_header_list *list, const char *name, size_t size, uint32_t from);

void rung_list_filter(struct rung_header_list *list,
	bool (*match)(const struct rung_field *field, const void *data), const void *data);

/* Makes `copy` an independent list of the same fields with room for `more`. Returns 0 or -ENOMEM. */
int rung_list_copy(const struct rung_header_list *list, struct rung_arena *arena, uint32_t more,
	struct rung_header_list *copy);
