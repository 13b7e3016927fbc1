/* params.h: what tests of queries, forms and cookies share: an app that tells what it was given. */
#pragma once

#include "support.h"

/* What to parse, and how. */
struct asked {
	int (*parse)(struct rung_env *env, const struct rung_params_limits *limits,
		const struct rung_params **ret_params);
	struct rung_params_limits limits; /* size is filled in */
};

/* An app whose .data is a struct asked: a piece a pair, "name=value;", or "name=<filename|safe name|type|bytes>;". What is not
 * printable is \xHH. A failure is returned, and nothing may have been set. */
int params_tell(const struct rung_app *self, struct rung_env *env, struct rung_response *res);

/* Sends a request to it. The reply is valid until the next call. */
const struct rung_reply *params_ask(const struct asked *asked, const struct rung_client_request *request);
#define PARAMS_REQUEST(...) \
	(&(const struct rung_client_request){ .size = sizeof(struct rung_client_request), __VA_ARGS__ })
