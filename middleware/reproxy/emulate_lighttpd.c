/*
 * emulate_lighttpd.c: what lighttpd 1.5 does with X-Rewrite-URI and X-Rewrite-Host when proxy-core.allow-x-rewrite is on: the
 * request starts again under another name, and the configuration finds a backend by it. Here .names are that configuration;
 * a host that none of them stands for comes back to the app.
 *
 * Sources: lighttpd 1.5's mod_proxy_core.c and connections.c, read and recorded.
 */
#include "emulate.h"

#include <errno.h>
#include <string.h>

static int go(struct emulated *at, const char *value)
{
	const char *uri = rung_emulated_asked(at, "X-Rewrite-URI"),
		   *host = rung_emulated_asked(at, "X-Rewrite-Host");
	struct emulated_url url = { .scheme = "http", .input = at->rules->input };
	struct rung_slice name, port;

	(void)value;
	if (host)
		at->host = host;
	if (uri) {
		const char *query = strchr(uri, '?');

		at->path = query ? rung_strndup(at->env, uri, (size_t)(query - uri)) : uri;
		at->query = query ? query + 1 : NULL;
	}
	url.host_field = at->host ? at->host : at->env->host;
	if (rung_uri_parse_authority(url.host_field, strlen(url.host_field), &name, &port) < 0)
		return rung_emulated_status(at, 500, "\"%.200s\" is no host to it", url.host_field);
	url.host = rung_strndup(at->env, name.at, name.size);
	url.port = port.size ? rung_uri_port(&(const struct rung_uri){ .port = port }) : 0;
	url.path = at->path;
	url.query = at->query;
	url.uri = rung_printf(at->env, "http://%s%s%s%s", url.host_field, at->path ? at->path : "",
		at->query ? "?" : "", at->query ? at->query : "");
	if (!url.host || !url.path || !url.uri)
		return -ENOMEM;
	int fetched = rung_emulated_fetch(at, &url);
	if (fetched != FETCH_UNREACHABLE)
		return rung_emulated_judge(at, fetched, &url);
	return rung_emulated_inside_at(at, &url);
}

/* It restarts on a response in chunks alone; any other hangs, or is a 403 where the connection ends. */
static int go_if_chunked(struct emulated *at, const char *value)
{
	if (strcmp(at->method, "HEAD") == 0)
		return rung_emulated_status(at, 403, "there is no body to a HEAD, and so no restart");
	if (at->asked_size >= 0) {
		rung_emulated_warn(at, DANGER_HANG,
			"with a Content-Length beside X-Rewrite-URI lighttpd 1.5 hangs; answer in chunks");
		return rung_emulated_status(at, 504, "it would hang, since the response is not in chunks");
	}
	return go(at, value);
}

static bool is_known(const char *method)
{
	static const char *const known[] = { "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND",
		"MKCOL", "COPY", "MOVE", "PROPPATCH", "REPORT", "CHECKOUT", "CHECKIN", "VERSION_CONTROL",
		"UNCHECKOUT", "MKACTIVITY", "MERGE", "LOCK", "UNLOCK", "LABEL", "CONNECT" };

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(known[i], method) == 0)
			return true;
	return false;
}

static int admit(struct emulated *at)
{
	const struct rung_env *env = at->env;

	if (!is_known(env->method))
		return 501;
	if (rung_request_header(env, "Transfer-Encoding") ||
		(strcmp(env->method, "POST") == 0 && !rung_request_header(env, "Content-Length")))
		return 411;
	return 0;
}

/* -- the table --------------------------------------------------------------------------------------------------- */

static const char *const not_passed_on[] = { "Connection", "Keep-Alive", NULL };

static const struct emulated_ask asks[] = {
	{ "X-Sendfile", rung_emulated_sendfile, NULL },
	{ "X-LIGHTTPD-send-file", rung_emulated_sendfile, NULL },
	{ "X-Rewrite-URI", go_if_chunked, NULL },
	{ "X-Rewrite-Host", go_if_chunked, NULL },
	{ NULL, NULL, NULL },
};

static const char *const hidden[] = { "Connection", "Keep-Alive", "Transfer-Encoding", "X-Rewrite-URI",
	"X-Rewrite-Host", "X-Rewrite-Backend", NULL };

const struct emulation rung_emulation_lighttpd = {
	.name = "lighttpd",
	.app = { .left_out = not_passed_on,
		.joins = true,
		.no_empty = true,
		.added = { { "X-Forwarded-For", VALUE_CLIENT, PLACE_FRONT, NULL },
			{ "X-Host", VALUE_HOST, PLACE_FRONT, "the target's" },
			{ "X-Forwarded-Proto", VALUE_SCHEME, PLACE_FRONT, NULL } } },
	.target = { .left_out = not_passed_on,
		.joins = true,
		.no_empty = true,
		.added = { { "X-Forwarded-For", VALUE_CLIENT, PLACE_FRONT, NULL },
			{ "X-Host", VALUE_HOST, PLACE_FRONT, "the target's" },
			{ "X-Forwarded-Proto", VALUE_SCHEME, PLACE_FRONT, NULL } } },
	.admit = admit,
	.asks = asks,
	.may_ask = rung_emulated_may_ask,
	.targets_ask = true,
	.input = INPUT_ANNOUNCED,
	.answer = { .hidden = hidden, .groups = true, .measures = true },
	.unreachable = 500,
	.no_answer = 200,
	.timeout = 504,
};
