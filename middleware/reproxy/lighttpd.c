/*
 * lighttpd.c: lighttpd 1.5 restarts the request as X-Rewrite-Host and X-Rewrite-URI say, and its configuration picks the
 * backend by them. It acts only on a chunked response, so the empty body is one of unknown length. lighttpd 1.4 has no
 * such thing, and would show both fields to the client.
 */
#include "reproxy_private.h"

#include <errno.h>

static ssize_t read_nothing(struct rung_source *source, void *buffer, size_t max)
{
	(void)source;
	(void)buffer;
	(void)max;
	return 0;
}

static int emit(const struct reproxy *reproxy, struct rung_response *res, const struct rung_uri *uri,
	const char *text)
{
	/* Has neither state nor close, so all responses share it. */
	static struct rung_source nothing = { .read = read_nothing };
	int port = (int)uri->port.size;

	(void)reproxy;
	(void)text;
	rung_headerf(res, "X-Rewrite-Host", "%.*s%s%.*s", (int)uri->host.size, uri->host.at, port ? ":" : "",
		port, port ? uri->port.at : "");
	rung_headerf(res, "X-Rewrite-URI", "%.*s%s%.*s", (int)uri->path.size, uri->path.at,
		uri->query.at ? "?" : "", (int)uri->query.size, uri->query.at ? uri->query.at : "");
	return rung_body_pull(res, &nothing, -1);
}

const struct reproxy_rules rung_reproxy_lighttpd_rules = { .emit = emit };
