/*
 * emulate_settling.h: private: what emulate_held.c, emulate_response.c and emulate_body.c share.
 */
#pragma once

#include "emulate.h"

/* The answer's fields as they become. */
struct settling {
	struct emulated *at;
	const struct emulated_answer *rules;
	struct rung_field *from; /* the target's, the length among them */
	size_t from_count;
	struct rung_field *to;
	size_t to_count;
	const char *connection; /* the names of more that are hidden */
	const char *const *first;
	size_t type_at; /* of a Content-Type that was set behind all others; 0: of none */
};

/* -- emulate_held.c ---------------------------------------------------------------------------------------------- */

/* Whether a server takes two names for one. */
bool rung_emulated_same(const struct emulated_answer *rules, const char *a, const char *b);

/* The first field of that name, or NULL. */
struct rung_field *rung_emulated_find(
	const struct emulated_answer *rules, struct rung_field *fields, size_t count, const char *name);

/* How a field of a response that asked is kept; NULL: it is not. */
const struct emulated_kept *rung_emulated_kept(
	const struct emulated_answer *rules, const struct rung_field *field);

/* Where the charset parameter begins, or NULL. Only the first parameter that is one counts, as in nginx. */
const char *rung_emulated_charset(const char *type);

/* Makes the field a Content-Length. Returns 0 or -ENOMEM. */
int rung_emulated_put_length(struct emulated *at, struct rung_field *field, int64_t number);

/* -- emulate_body.c ---------------------------------------------------------------------------------------------- */

/* Reads a body as far as it comes at once, up to so many bytes. Returns 1 when it ended there, and is bytes now; 0 when there
 * is more; or a negative errno. Touches fields, so whoever needs them has them already. */
int rung_emulated_begin_body(struct emulated *at, size_t most, const char **ret_bytes, size_t *ret_size);

/* Cuts a whole answer to the ranges that were asked for, where the server does. Returns 0 or a negative errno. */
int rung_emulated_cut(struct settling *settling);

/* A body in chunks that ends at once has a length after all; one that ends with its connection is seen to end too late. Returns
 * 0 or more, or a negative errno. */
int rung_emulated_measure_nothing(struct settling *settling);

/* An answer to HEAD has no length that is 0: it may be that nobody made a body to measure. Returns 0 or a negative errno. */
int rung_emulated_drop_nothing(struct settling *settling);
