/* perlbal.c: Perlbal acts on X-Reproxy-URL when enable_reproxy is on; the final answer keeps the fields given here. */
#include "reproxy_private.h"

static int emit(const struct reproxy *reproxy, struct rung_response *res, const struct rung_uri *uri,
	const char *text)
{
	(void)uri;
	return rung_header(res, reproxy->header, text);
}

const struct reproxy_rules rung_reproxy_perlbal_rules = { .emit = emit, .by_address = true };
