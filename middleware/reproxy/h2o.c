/*
 * h2o.c: H2O acts on X-Reproxy-URL when reproxy is ON, and drops status and every other field of the response. It fetches by GET,
 * and 2.2 sends the body of that to whoever asked by HEAD, where the client takes it for the next answer; under 307 it keeps
 * the method.
 */
#include "reproxy_private.h"

static int emit(const struct reproxy *reproxy, struct rung_response *res, const struct rung_uri *uri,
	const char *text)
{
	(void)uri;
	return rung_header(res, reproxy->header, text);
}

const struct reproxy_rules rung_reproxy_h2o_rules = { .emit = emit, .by_address = true, .head_as_307 = true };
