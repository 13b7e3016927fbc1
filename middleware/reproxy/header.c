/* header.c: the URI alone, for a server of one's own that reads X-Reproxy-Url. */
#include "reproxy_private.h"

static int emit(const struct reproxy *reproxy, struct rung_response *res, const struct rung_uri *uri,
	const char *text)
{
	(void)uri;
	return rung_header(res, reproxy->header, text);
}

const struct reproxy_rules rung_reproxy_header_rules = { .emit = emit, .by_address = true };
