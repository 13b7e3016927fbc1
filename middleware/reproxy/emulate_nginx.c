/*
 * emulate_nginx.c: what nginx 1.22 does with X-Accel-Redirect: an internal redirect to a location, which serves a folder or
 * passes the request on, to a fixed place or to the one that X-Reproxy-Url names.
 *
 * Sources: nginx's ngx_http_upstream.c, ngx_http_proxy_module.c, ngx_http_core_module.c, ngx_inet.c, ngx_http_parse.c, read
 * and recorded.
 */
#include "emulate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* -- paths ------------------------------------------------------------------------------------------------------- */

/* ".." as a whole element of a path. */
static bool climbs(const char *path)
{
	for (const char *at = path; (at = strstr(at, "..")); at++)
		if ((at == path || at[-1] == '/') && (!at[2] || at[2] == '/'))
			return true;
	return false;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* nginx's way with escapes that are none: "%" goes, and a second digit that is none goes with the first. Returns false for a
 * NUL. */
static bool decode(const char *text, char *to)
{
	while (*text) {
		if (*text != '%') {
			*to++ = *text++;
			continue;
		}
		int high = text[1] ? digit(text[1]) : -1;
		if (high < 0) {
			text++;
			if (*text)
				*to++ = *text++;
			continue;
		}
		int low = text[2] ? digit(text[2]) : -1;
		if (low >= 0 && !(high | low))
			return false;
		if (low >= 0)
			*to++ = (char)(high << 4 | low);
		text += text[2] ? 3 : 2;
	}
	*to = '\0';
	return true;
}

/* What nginx escapes in a path that it has decoded (NGX_ESCAPE_URI). */
static bool is_escaped(unsigned char c)
{
	return c <= ' ' || c >= 0x7f || strchr("\"#%<>?\\^`{|}", c) != NULL;
}

static char *escape(const struct rung_env *env, const char *path)
{
	static const char digits[] = "0123456789ABCDEF";
	char *text = rung_alloc(env, 3 * strlen(path) + 1), *to = text;

	for (; text && *path; path++)
		if (is_escaped((unsigned char)*path)) {
			*to++ = '%';
			*to++ = digits[(unsigned char)*path >> 4];
			*to++ = digits[*path & 15];
		} else {
			*to++ = *path;
		}
	if (text)
		*to = '\0';
	return text;
}

/* -- URLs -------------------------------------------------------------------------------------------------------- */

static bool is_port(const char *text, size_t size)
{
	unsigned long port = 0;

	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		port = port < 100000 ? port * 10 + (unsigned long)(text[i] - '0') : port;
	}
	return size && port >= 1 && port <= 65535;
}

/* Where a host and what may follow it end; NULL when it is none. */
static const char *host_end(const char *text, const char *end)
{
	if (*text != '[') {
		const char *colon = memchr(text, ':', (size_t)(end - text));

		return colon ? colon : end;
	}
	const char *close = memchr(text, ']', (size_t)(end - text));
	if (!close || close == text + 1 || (close[1] && close + 1 < end && close[1] != ':'))
		return NULL;
	return close + 1;
}

/* Returns NULL, or why nginx says 500. *ret_rest is what follows the authority, "" for nothing. */
static const char *parse(
	struct emulated *request, const char *text, struct emulated_url *url, const char **ret_rest)
{
	const char *at = rung_emulated_scheme(text, true, &url->scheme);
	unsigned usual = at && url->scheme[4] ? 443 : 80;

	if (!at || !*at)
		return "it has no http:// or https://";
	const char *end = at + strcspn(at, *at == '[' ? "/" : "/?");
	const char *stop = host_end(at, end);
	if (!stop)
		return "it has an invalid host";
	if (stop < end && !is_port(stop + 1, (size_t)(end - stop) - 1))
		return "it has an invalid port";
	if (stop == at)
		return "it has no host";
	url->port = stop < end ? (unsigned)atoi(stop + 1) : 0;
	url->host = rung_emulated_copy(request, at, (size_t)(stop - at));
	url->host_field = rung_emulated_copy(
		request, at, (size_t)((url->port && url->port != usual ? end : stop) - at));
	*ret_rest = end;
	return url->host && url->host_field ? NULL : "memory is out";
}

/* -- locations --------------------------------------------------------------------------------------------------- */

static const char fetch_url[] = "$upstream_http_x_reproxy_url";

static const char *upstream_field(const struct emulated *at, const char *variable)
{
	static const char prefix[] = "$upstream_http_";

	if (strncmp(variable, prefix, sizeof prefix - 1) != 0)
		return NULL;
	variable += sizeof prefix - 1;
	for (size_t i = 0; i < at->asked_count; i++) {
		const char *a = variable, *b = at->asked[i].name;

		while (*a && (*a | 0x20) == ((*b == '-' ? '_' : *b) | 0x20)) {
			a++;
			b++;
		}
		if (!*a && !*b)
			return at->asked[i].value;
	}
	return NULL;
}

/* The target as it goes into the request line, once host and port are known. */
static const char *request_target(
	const struct emulated *at, const struct rung_location *location, const char *rest)
{
	const char *query = at->query ? at->query : "", *mark = at->query ? "?" : "";
	bool is_variable = *location->pass == '$';

	if (*rest && is_variable)
		return *rest == '?' ? rung_printf(at->env, "/%s", rest) : rest;
	if (!*rest && !at->is_redirected)
		return rung_printf(at->env, "%s%s%s", at->path, mark, query);
	size_t prefix = *rest && location->path[0] == '/' ? strlen(location->path) : 0;
	if (*rest && location->path[0] == '=')
		prefix = strlen(location->path) - 2;
	const char *path = escape(at->env, at->path + prefix);
	return path ? rung_printf(at->env, "%s%s%s%s", rest, path, mark, query) : NULL;
}

/* The hardened location sends neither body nor credentials on, hides what steers, and obeys no target. */
static const char *const not_passed_on_hardened[] = { "Keep-Alive", "TE", "Expect", "Upgrade", "Content-Type",
	"Cookie", "Authorization", "X-Reproxied", NULL };
static const char *const hidden_hardened[] = { "X-Reproxy-Url", "X-Reproxied", NULL };

static const struct emulated_request to_hardened = {
	.left_out = not_passed_on_hardened,
	.no_underscores = true,
	.added = { { "X-Reproxied", VALUE_TEXT, PLACE_FIRST, "1" } },
};

static void harden(struct emulated *at, struct emulated_url *url)
{
	url->request = &to_hardened;
	url->input = INPUT_NONE;
	at->also_hidden = hidden_hardened;
	at->is_over = true;
}

/* Scheme, host and port with which nginx names itself: the client's Host, and the port where it listens. */
static const char *own_origin(const struct emulated *at)
{
	const char *const *here = at->reproxy->authorities;
	const char *host = at->env->host, *colon = here && here[0] ? strrchr(here[0], ':') : NULL;
	const char *port = colon && strcmp(colon, ":80") != 0 && !strchr(colon, ']') ? colon : "";
	int size = (int)(*host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":"));

	return rung_printf(at->env, "%s://%.*s%s", at->env->scheme, size, host, port);
}

/* proxy_redirect default: a Location below the place that is passed on to becomes one below nginx's own location. */
static int redirect_back(struct emulated *at, const struct rung_location *location)
{
	const char *value = rung_header_get(at->res, "Location");
	size_t size = strlen(location->pass);

	if (!value || *location->pass == '$' || *location->path != '/' ||
		strncmp(value, location->pass, size) != 0)
		return 0;
	const char *origin = own_origin(at);
	return origin ? rung_headerf(at->res, "Location", "%s%s%s", origin, location->path, value + size)
		      : -ENOMEM;
}

static int pass(struct emulated *at, const struct rung_location *location)
{
	const char *text = *location->pass == '$' ? upstream_field(at, location->pass) : location->pass;
	struct emulated_url url = { .uri = text, .input = at->rules->input };
	const char *rest = "";
	const char *why = text ? parse(at, text, &url, &rest) : "there is no such field";

	if (why)
		return rung_emulated_status(at, 500, "proxy_pass to \"%.300s\": %s", text ? text : "", why);
	const char *target = request_target(at, location, rest);
	if (!target)
		return -ENOMEM;
	if (!*target)
		return rung_emulated_status(at, 500, "proxy_pass with an empty URI");
	const char *query = strchr(target, '?');
	url.path = query ? rung_strndup(at->env, target, (size_t)(query - target)) : target;
	url.query = query ? query + 1 : NULL;
	if (target != rest)
		url.uri = rung_printf(at->env, "%s://%s%s", url.scheme, url.host_field, target);
	if (!url.path || !url.uri)
		return -ENOMEM;
	if (at->rules == &rung_emulation_nginx_hardened && strcmp(location->pass, fetch_url) == 0)
		harden(at, &url);
	int rc = rung_emulated_judge(at, rung_emulated_fetch(at, &url), &url);
	return rc == 0 ? redirect_back(at, location) : rc;
}

static const char *etag(const struct rung_env *env, int64_t size, int64_t mtime_ns)
{
	return rung_printf(
		env, "\"%llx-%llx\"", (unsigned long long)(mtime_ns / 1000000000), (unsigned long long)size);
}

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " ");
}

/* A number that may have blanks behind it; NULL where there is none, or one too large. */
static const char *take_number(const char *at, int64_t *ret_number)
{
	size_t digits = strspn(at, "0123456789");

	if (!digits || digits > 18)
		return NULL;
	*ret_number = strtoll(at, NULL, 10);
	return skip_blanks(at + digits);
}

/* One member, up to the comma or the end; its length is 0 or less where it lies outside. NULL: it is no range. */
static const char *take_range(const char *at, int64_t size, struct rung_range *ret_range)
{
	int64_t from = 0, to = size - 1;

	at = skip_blanks(at);
	if (*at == '-') {
		at = take_number(at + 1, &to);
		from = at && to < size ? size - to : 0;
		to = size - 1;
	} else {
		at = take_number(at, &from);
		at = at && *at == '-' ? skip_blanks(at + 1) : NULL;
		if (at && *at && *at != ',')
			at = take_number(at, &to);
	}
	*ret_range = (struct rung_range){ from, (to < size ? to + 1 : size) - from };
	return at && (!*at || *at == ',') ? at : NULL;
}

/* nginx calls 416 what it cannot read, and sends the whole where a range is empty from its start. Of several parts it would
 * make one body; here the whole is sent. */
static int range(const struct rung_env *env, int64_t size, struct rung_range *ret_range)
{
	const char *at = rung_request_header(env, "Range");
	size_t count = 0;

	if (!at || strncasecmp(at, "bytes=", 6) != 0 || !at[6])
		return 200;
	for (at += 5; at && (*at == ',' || !count);) {
		struct rung_range one;

		at = take_range(at + 1, size, &one);
		if (!at)
			return 416;
		if (one.length <= 0 && one.offset == 0)
			return 200;
		if (one.length > 0 && !count++)
			*ret_range = one;
		if (!*at)
			break;
	}
	return !count ? 416 : count > 1 ? 200 : 206;
}

/* index.html, the default of `index`. */
static int serve_index(struct emulated *at, struct rung_emulated_file *file)
{
	const char *folder = file->path;
	struct stat stat_;

	if (stat(folder, &stat_) < 0)
		return rung_emulated_status(at, 404, "there is no folder %s", folder);
	file->path = rung_printf(at->env, "%sindex.html", folder);
	int rc = file->path ? rung_emulated_file(at, file) : -ENOMEM;
	return rc == -ENOENT ? rung_emulated_status(at, 403, "the folder %s is not listed", folder) : rc;
}

static int serve(struct emulated *at, const struct rung_location *location, const char *rest)
{
	const char *type = location->type ? location->type : "";
	struct rung_emulated_file file = { .type = type, .etag = etag, .range = range, .conditional = true };

	file.path = rung_printf(at->env, "%s/%s", location->folder, rest);
	if (!file.path)
		return -ENOMEM;
	if (!*rest || rest[strlen(rest) - 1] == '/')
		return serve_index(at, &file);
	if (strcmp(at->method, "GET") != 0 && strcmp(at->method, "HEAD") != 0)
		return rung_emulated_status(at, 405, "files are not for %s", at->method);
	int rc = rung_emulated_file(at, &file);
	if (rc == -ENOENT)
		return rung_emulated_status(at, 404, "there is no file %s", file.path);
	if (rc == -EACCES)
		return rung_emulated_status(at, 403, "the file %s cannot be read", file.path);
	return rc;
}

static int enter(struct emulated *at, const struct rung_location *location)
{
	bool is_prefix = *location->path == '/';
	const char *rest = is_prefix ? at->path + strlen(location->path) : "";

	if (location->pass)
		return pass(at, location);
	if (location->folder)
		return serve(at, location, rest);
	if (!is_prefix)
		return rung_emulated_app(at, location->app, at->path, at->query);
	rest = escape(at->env, rest);
	const char *path = rest ? rung_printf(at->env, "/%s", rest) : NULL;
	return path ? rung_emulated_app(at, location->app, path, at->query) : -ENOMEM;
}

/* What the documentation of Rack::Reproxy has the administrator write, and its hardened form, which is exact. */
static bool is_fetching(const struct emulated *at, const char *path, struct rung_location *ret_location)
{
	const char *location = at->reproxy->location;
	bool is_exact = at->rules == &rung_emulation_nginx_hardened || *location == '@';

	*ret_location = (struct rung_location){ .path = location, .pass = fetch_url };
	return is_exact ? strcmp(path, location) == 0 : strncmp(path, location, strlen(location)) == 0;
}

static const struct rung_location *find(
	const struct emulated *at, const char *path, struct rung_location *fetching)
{
	const struct rung_location *location = rung_emulated_location(at->reproxy->locations, path);

	if (is_fetching(at, path, fetching) &&
		(!location || (*location->path != '=' && strlen(location->path) < strlen(fetching->path))))
		return fetching;
	return location;
}

/* -- redirects --------------------------------------------------------------------------------------------------- */

enum { MOST_REDIRECTS = 10 };

/* A location that passes on and ends in a slash takes the path without it for a mistake, unless it is another's own. */
static bool wants_slash(const struct emulated *at, const char *path, const struct rung_location *found)
{
	if (!at->reproxy->locations || (found && strcmp(found->path, path) == 0))
		return false;
	const char *longer = rung_printf(at->env, "%s/", path);
	const struct rung_location *location =
		longer ? rung_emulated_location(at->reproxy->locations, longer) : NULL;

	return location && location->pass && strcmp(location->path, longer) == 0;
}

static int add_slash(struct emulated *at, const char *path)
{
	const char *origin = own_origin(at);

	rung_emulated_status(at, 301, "%s wants a slash behind it", path);
	return rung_headerf(at->res, "Location", "%s%s/%s%s", origin ? origin : "", path,
		at->query ? "?" : "", at->query ? at->query : "");
}

static int redirect(struct emulated *at, const char *path, bool is_named)
{
	struct rung_location fetching;

	if (++at->hops > MOST_REDIRECTS)
		return rung_emulated_status(
			at, 500, "it went round %d times; the last was to %s", MOST_REDIRECTS, path);
	const struct rung_location *location = find(at, path, &fetching);
	if (is_named)
		return location ? enter(at, location)
				: rung_emulated_status(at, 500, "there is no location %s", path);
	at->path = path;
	at->is_redirected = true;
	if (wants_slash(at, path, location))
		return add_slash(at, path);
	if (location)
		return enter(at, location);
	if (*path != '/')
		return rung_emulated_status(at, 404, "no location begins as \"%.300s\" does", path);
	const char *escaped = escape(at->env, path);
	return escaped ? rung_emulated_inside(at, escaped, at->query) : -ENOMEM;
}

static int go(struct emulated *at, const char *value)
{
	if (*value == '@')
		return redirect(at, value, true);
	size_t size = strcspn(value, "?");
	const char *path = value[size] ? rung_strndup(at->env, value, size) : value;
	char *decoded = path && strchr(path, '%') ? rung_alloc(at->env, size + 1) : NULL;
	if (!path || (strchr(path, '%') && !decoded))
		return -ENOMEM;
	if (!size || climbs(path) || (decoded && (!decode(path, decoded) || climbs(decoded))))
		return rung_emulated_status(
			at, 404, "X-Accel-Redirect says \"%.300s\", which is not safe", value);
	path = decoded ? decoded : path;
	if (strcmp(at->method, "HEAD") != 0)
		at->method = "GET";
	at->query = value[size] && value[size + 1] ? value + size + 1 : NULL;
	if (at->from_target)
		rung_emulated_warn(at, DANGER_CHAIN,
			"a target's own X-Accel-Redirect is obeyed, so it can reach every internal location; set "
			"proxy_ignore_headers X-Accel-Redirect in the location, unless you chain on purpose");
	return redirect(at, path, false);
}

/* Locations for X-Accel-Redirect are internal: nobody reaches them from outside. */
static int admit(struct emulated *at)
{
	struct rung_location fetching;
	const char *path = at->env->path_info;

	if (strchr(path, '%')) {
		char *decoded = rung_alloc(at->env, strlen(path) + 1);

		if (!decoded || !decode(path, decoded))
			return decoded ? 400 : 500;
		path = decoded;
	}
	return *path == '/' && find(at, path, &fetching) ? 404 : 0;
}

/* -- the tables -------------------------------------------------------------------------------------------------- */

static const char *const not_passed_on[] = { "Keep-Alive", "TE", "Expect", "Upgrade", NULL };
static const char *const not_passed_to_app[] = { "Keep-Alive", "TE", "Expect", "Upgrade", "X-Reproxy-Url",
	"X-Accel-Redirect", "X-Reproxied", NULL };

static const struct emulated_ask asks[] = { { "X-Accel-Redirect", go, NULL }, { NULL, NULL, NULL } };

static const struct emulated_kept survive[] = {
	{ "Content-Type", KEEP_DEFAULT },
	{ "Set-Cookie", KEEP_BEFORE },
	{ "Content-Disposition", KEEP_BEFORE },
	{ "Cache-Control", KEEP_BEFORE },
	{ "Expires", KEEP_BEFORE },
	{ "Accept-Ranges", KEEP_BEFORE },
	{ NULL, KEEP_BEFORE },
};

static const char *const hidden[] = { "Date", "Server", "X-Pad", "X-Accel-Expires", "X-Accel-Redirect",
	"X-Accel-Limit-Rate", "X-Accel-Buffering", "X-Accel-Charset", "Connection", "Keep-Alive",
	"Transfer-Encoding", NULL };
static const char *const first[] = { "Content-Type", "Content-Length", NULL };
static const char *const first_of_files[] = { "Content-Type", "Content-Length", "Last-Modified", NULL };

const struct emulation rung_emulation_nginx = {
	.name = "nginx",
	.app = { .left_out = not_passed_on,
		.no_underscores = true,
		.added = { { "Content-Length", VALUE_LENGTH, PLACE_FIRST, NULL } } },
	.target = { .left_out = not_passed_on,
		.no_underscores = true,
		.added = { { "Content-Length", VALUE_LENGTH, PLACE_FIRST, NULL } } },
	.admit = admit,
	.asks = asks,
	.targets_ask = true,
	.input = INPUT_AGAIN,
	.answer = { .kept = survive,
		.hidden = hidden,
		.first = first,
		.first_of_files = first_of_files,
		.carries_charset = true },
	.unreachable = 502,
	.no_answer = 502,
	.timeout = 504,
};

const struct emulation rung_emulation_nginx_hardened = {
	.name = "nginx_hardened",
	.app = { .left_out = not_passed_to_app,
		.no_underscores = true,
		.added = { { "Content-Length", VALUE_LENGTH, PLACE_FIRST, NULL } } },
	.target = { .left_out = not_passed_on,
		.no_underscores = true,
		.added = { { "Content-Length", VALUE_LENGTH, PLACE_FIRST, NULL } } },
	.admit = admit,
	.asks = asks,
	.targets_ask = true,
	.input = INPUT_AGAIN,
	.answer = { .kept = survive,
		.hidden = hidden,
		.first = first,
		.first_of_files = first_of_files,
		.carries_charset = true },
	.unreachable = 502,
	.no_answer = 502,
	.timeout = 504,
};
