/*
 * conditional.h: what a request's preconditions make of a response, by RFC 9110 section 13: If-Match,
 * If-Unmodified-Since, If-None-Match, If-Modified-Since, in that order of precedence.
 *
 * Rack: Rack::ConditionalGet, which knows the last two.
 */
#pragma once

#include <rung/api.h>

#include <time.h>

RUNG_BEGIN

struct rung_env;

enum rung_precondition {
	RUNG_GO_ON,               /* there is none, or all of them hold: answer as if there were none */
	RUNG_NOT_MODIFIED,        /* 304: the client has it already */
	RUNG_PRECONDITION_FAILED, /* 412: it is not what the client thinks it is */
};

/*
 * Judges the request against the validators of what would be sent. `etag` is an entity-tag with its quotes, such as
 * "\"1\"" or "W/\"1\"", NULL if there is none; `modified` is when it changed last, -1 if unknown. A date that is none
 * counts as if it were not there; a list of tags ends where it stops being one, and so matches less. Only for responses whose
 * status would be 2xx.
 */
RUNG_API enum rung_precondition rung_preconditions(
	const struct rung_env *env, const char *etag, time_t modified);

RUNG_END
