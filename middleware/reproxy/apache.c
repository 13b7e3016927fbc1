/* apache.c: mod_reproxy acts on X-Reproxy-Url, whatever the status. */
#include "reproxy_private.h"

static int emit(const struct reproxy *reproxy, struct rung_response *res, const struct rung_uri *uri,
	const char *text)
{
	(void)uri;
	return rung_header(res, reproxy->header, text);
}

const struct reproxy_rules rung_reproxy_apache_rules = { .emit = emit };
