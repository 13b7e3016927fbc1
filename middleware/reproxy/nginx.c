/*
 * nginx.c: X-Accel-Redirect names an internal location, which fetches what X-Reproxy-Url says:
 *
 *     location = /reproxy { internal; set $reproxy_url $upstream_http_x_reproxy_url; proxy_pass $reproxy_url; }
 *
 * The body is empty with Content-Length: 0; any body, however small, makes nginx drop its connection to the app.
 */
#include "reproxy_private.h"

static int emit(const struct reproxy *reproxy, struct rung_response *res, const struct rung_uri *uri,
	const char *text)
{
	(void)uri;
	rung_header(res, "X-Accel-Redirect", reproxy->location);
	return rung_header(res, reproxy->header, text);
}

const struct reproxy_rules rung_reproxy_nginx_rules = { .emit = emit };
