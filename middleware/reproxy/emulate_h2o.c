/*
 * emulate_h2o.c: what H2O 2.2 does with X-Reproxy-URL when reproxy is ON: it delegates the request within itself, to a
 * configured host (.any_host_is_self: every authority with the scheme's own port), or fetches from elsewhere.
 *
 * Sources: H2O's lib/handler/reproxy.c, lib/core/request.c, lib/core/proxy.c, lib/common/url.c, read and recorded.
 */
#include "emulate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DELEGATIONS = 5 };

/* -- URLs -------------------------------------------------------------------------------------------------------- */

/* The authority's parts. Returns what follows it, or NULL when it is none. */
static const char *parse_authority(struct emulated *at, const char *text, struct emulated_url *url)
{
	const char *host = text, *end = text + strcspn(text, "/:");

	if (*text == '[') {
		host = text + 1;
		end = strchr(host, ']');
		if (!end)
			return NULL;
	}
	if (end == host)
		return NULL;
	const char *after = *text == '[' ? end + 1 : end;
	url->host = rung_emulated_copy(at, text, (size_t)(after - text));
	if (*after == ':') {
		size_t digits = strspn(after + 1, "0123456789");
		unsigned long port = strtoul(after + 1, NULL, 10);

		after += 1 + digits;
		if (!digits || (*after && *after != '/') || port >= 65535)
			return NULL;
		url->port = port ? (unsigned)port : EMULATED_NO_PORT;
	}
	url->host_field = rung_emulated_copy(at, text, (size_t)(after - text));
	return (*after && *after != '/') || !url->host || !url->host_field ? NULL : after;
}

/* A path relative to where the request is: its last segment goes, and leading dots are followed. */
static const char *resolve(struct emulated *at, const char *relative)
{
	if (*relative == '/')
		return relative;
	const char *slash = strrchr(at->path, '/');
	size_t size = slash ? (size_t)(slash - at->path) + 1 : 0;
	while (*relative == '.') {
		size_t dots = strspn(relative, ".");

		if (dots > 2 || (relative[dots] && relative[dots] != '/'))
			break;
		for (size_t up = dots - 1; up && size > 1; up--)
			for (size--; size > 1 && at->path[size - 1] != '/';)
				size--;
		relative += dots + (relative[dots] == '/');
	}
	return rung_printf(at->env, "%.*s%s", (int)size, size ? at->path : "/", relative);
}

/* Sets path and query of the next hop. */
static int place_path(struct emulated *at, struct emulated_url *url, const char *target)
{
	const char *query = strchr(target, '?');

	url->path = query ? rung_emulated_copy(at, target, (size_t)(query - target)) : target;
	url->query = query ? query + 1 : NULL;
	url->uri = url->host_field && *url->host
			   ? rung_printf(at->env, "%s://%s%s", url->scheme, url->host_field, target)
			   : target;
	at->path = url->path;
	return url->path && url->uri ? 0 : -ENOMEM;
}

/* -- delegation -------------------------------------------------------------------------------------------------- */

static bool is_configured(const struct emulated *at, const struct emulated_url *url)
{
	unsigned usual = url->scheme[4] ? 443 : 80;

	return at->reproxy->any_host_is_self && (!url->port || url->port == usual);
}

static int too_many(struct emulated *at)
{
	return rung_emulated_status(
		at, 502, "too many internal delegations; it follows %d", MOST_DELEGATIONS);
}

/* The handler that passes on to the app is one delegation more. */
static int delegate_inside(struct emulated *at, struct emulated_url *url)
{
	if (++at->hops > MOST_DELEGATIONS)
		return too_many(at);
	url->request = &at->rules->app;
	url->input = at->has_input ? INPUT_AGAIN : INPUT_NONE;
	const char *host = url->host_field && *url->host_field ? url->host_field : at->env->host;
	url->host_field = host;
	return rung_emulated_inside_at(at, url);
}

static int delegate(struct emulated *at, const char *text)
{
	struct emulated_url *url = rung_alloc(at->env, sizeof *url);
	const char *rest = text;

	if (!url)
		return -ENOMEM;
	*url = (struct emulated_url){ .scheme = at->env->scheme, .host = "" };
	const char *after = rung_emulated_scheme(text, false, &url->scheme);
	bool has_authority = after || strncmp(text, "//", 2) == 0;
	if (has_authority) {
		rest = parse_authority(at, after ? after : text + 2, url);
		if (!rest || (url->host && strpbrk(url->host, "?#@")))
			rung_emulated_warn(at, DANGER_HANG,
				"on a URL such as %.300s H2O 2.2 hangs; write a host, a port of digits and a path",
				text);
		if (!rest)
			return rung_emulated_status(at, 502, "\"%.300s\" is no URL", text);
	}
	const char *target = has_authority ? (*rest ? rest : "/") : resolve(at, text);
	if (!target || place_path(at, url, target) < 0)
		return -ENOMEM;
	if (++at->hops > MOST_DELEGATIONS)
		return too_many(at);
	if (!*url->host || is_configured(at, url))
		return delegate_inside(at, url);
	url->input = at->has_input ? INPUT_AGAIN : INPUT_NONE;
	return rung_emulated_judge(at, rung_emulated_fetch(at, url), url);
}

static int go(struct emulated *at, const char *text)
{
	if (at->asked_status != 307 && at->asked_status != 308) {
		at->method = "GET";
		at->has_input = false;
	}
	return delegate(at, text);
}

/* A redirect that comes after a delegation is followed, too. */
static int go_on(struct emulated *at, const char *text)
{
	if (strcmp(at->method, "POST") == 0 && at->asked_status != 307 && at->asked_status != 308)
		at->method = "GET";
	return delegate(at, text);
}

static bool may_ask(const struct emulated *at, const struct emulated_ask *ask)
{
	int status = at->res->status;

	return ask->go == go || (at->asked && status >= 300 && status <= 399 && status != 304);
}

/* -- the table --------------------------------------------------------------------------------------------------- */

static const char *const not_passed_on[] = { "Connection", "Keep-Alive", "Proxy-Authorization", "TE",
	"Upgrade", "Expect", "HTTP2-Settings", NULL };

#define PASSED_ON                                                                   \
	{                                                                           \
		.left_out = not_passed_on, .added = {                               \
			{ "content-length", VALUE_LENGTH_OR_0, PLACE_FIRST, NULL }, \
			{ "cookie", VALUE_NONE, PLACE_JOINED, NULL },               \
			{ "x-forwarded-proto", VALUE_SCHEME, PLACE_LAST, NULL },    \
			{ "x-forwarded-for", VALUE_CLIENT, PLACE_JOINED, NULL },    \
			{ "via", VALUE_VIA, PLACE_JOINED, NULL }                    \
		}                                                                   \
	}

static const struct emulated_ask asks[] = {
	{ "Location", go_on, NULL },
	{ "X-Reproxy-Url", go, NULL },
	{ NULL, NULL, NULL },
};

static const char *const hidden[] = { "Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding",
	"Upgrade", "Server", "Date", NULL };
static const char *const first[] = { "Content-Length", NULL };

const struct emulation rung_emulation_h2o = {
	.name = "h2o",
	.app = PASSED_ON,
	.target = PASSED_ON,
	.asks = asks,
	.may_ask = may_ask,
	.targets_ask = true,
	.delegates = true,
	.input = INPUT_NONE,
	.answer = { .hidden = hidden, .first = first },
	.unreachable = 502,
	.no_answer = 502,
	.timeout = 502,
};
