/* h2o.c: H2O acts on X-Reproxy-URL when reproxy is ON, and drops every other field of the response. */
#include "reproxy_private.h"

static int emit(const struct reproxy *reproxy, struct rung_response *res, const struct rung_uri *uri,
	const char *text)
{
	(void)uri;
	return rung_header(res, reproxy->header, text);
}

const struct reproxy_rules reproxy_h2o_rules = { .emit = emit, .by_address = true };
