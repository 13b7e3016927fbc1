/*
 * emulate_rack.c: what Rack::Reproxy::Rack does in a Ruby process: it calls itself again with another environment, or .app
 * where there is one, without end if it must. The answer's fields are merged as Ruby merges a Hash: by their spelling.
 *
 * Source: the gem's lib/rack/reproxy.rb, read and recorded.
 */
#include "emulate.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static bool is_scheme(const struct rung_uri *uri, const char *scheme)
{
	return uri->scheme.size == strlen(scheme) &&
	       strncasecmp(uri->scheme.at, scheme, uri->scheme.size) == 0;
}

/* URI's path: that of an FTP URL has no slash in front. NULL: it has none, and the gem raises. */
static char *path_of(const struct emulated *at, const struct rung_uri *uri)
{
	const char *path = uri->path.at;
	size_t size = uri->path.size;

	if (uri->scheme.at && !uri->host.at && size && *path != '/')
		return NULL;
	if (is_scheme(uri, "ftp") && size && *path == '/') {
		path++;
		size--;
	}
	return rung_strndup(at->env, size ? path : "", size);
}

/* The script name is cut off whatever follows it. */
static const char *below(const char *script_name, const char *path)
{
	size_t size = strlen(script_name);

	return strncmp(path, script_name, size) == 0 ? path + size : path;
}

static int go(struct emulated *at, const char *text)
{
	struct emulated_url url = {
		.scheme = at->env->scheme, .uri = text, .host = "", .input = at->rules->input
	};
	struct rung_uri uri;

	if (rung_uri_parse(text, strlen(text), &uri) < 0)
		return rung_fail(
			at->env, -EINVAL, "reproxy as rack: URI::InvalidURIError for \"%.300s\"", text);
	const char *path = path_of(at, &uri);
	if (!path)
		return rung_fail(
			at->env, -EINVAL, "reproxy as rack: NoMethodError, \"%.300s\" has no path", text);
	url.script_name = at->env->script_name;
	url.path = below(url.script_name, path);
	url.query = uri.query.at ? rung_strndup(at->env, uri.query.at, uri.query.size) : NULL;
	url.host_field = uri.host.at ? rung_strndup(at->env, uri.host.at, uri.host.size) : NULL;
	if ((uri.query.at && !url.query) || (uri.host.at && !url.host_field))
		return -ENOMEM;
	return at->reproxy->everything ? rung_emulated_call(at, at->reproxy->everything, &url)
				       : rung_emulated_inside_at(at, &url);
}

/* -- the table --------------------------------------------------------------------------------------------------- */

static const char *const scrubbed[] = { "X-Reproxy-Url", "X_Reproxy_Url", "X-Reproxy_Url", "X_Reproxy-Url",
	NULL };

static const struct emulated_ask asks[] = { { "X-Reproxy-Url", go, NULL }, { NULL, NULL, NULL } };

const struct emulation rung_emulation_rack = {
	.name = "rack",
	.app = { .left_out = scrubbed },
	.target = { .left_out = scrubbed, .added = { { "X-Reproxied", VALUE_TEXT, PLACE_SET, "1" } } },
	.asks = asks,
	.targets_ask = true,
	.case_counts = true,
	.input = INPUT_ANNOUNCED,
	.answer = { .on_asker = true, .by_spelling = true },
	.unreachable = 502,
	.no_answer = 502,
	.timeout = 502,
};
