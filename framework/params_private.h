/* params_private.h: private: what params.c and the parser of each kind share. */
#pragma once

#include "request.h"
#include <rung/params.h>

/* Pairs in the making, in the request's memory. */
struct rung_pair_list {
	struct rung_pair *pairs;
	size_t count, room;
};

/* Returns a place for one more, or NULL when memory is out. */
struct rung_pair *rung_pair_add(struct rung_pair_list *list, const struct rung_env *env);

/* Each parses what it is given, within limits that are all set. They return as params.h has it, and have recorded why. */
int rung_multipart_parse(struct rung_env *env, const struct rung_params_limits *limits,
	const char *content_type, struct rung_params *ret_params);
int rung_cookies_parse(
	struct rung_env *env, const struct rung_params_limits *limits, struct rung_params *ret_params);
