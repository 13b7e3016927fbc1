/*
 * emulate_apache.c: what Apache 2.4 does with X-Reproxy-Url, with a mod_reproxy that does what it means to: AllowReproxy on,
 * PreserveHeaders Content-Type Content-Disposition ETag Last-Modified; and with X-Sendfile, with mod_xsendfile.
 *
 * Sources: httpd's mod_proxy_http.c, proxy_util.c, http_filters.c, byterange_filter.c, apr_uri.c, read and recorded.
 */
#include "emulate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* -- Max-Forwards -------------------------------------------------------------------------------------------------- */

/* What is left of it; -1 where there is none. What is no number is 0. */
static long long forwards_left(const struct rung_env *env)
{
	const char *value = rung_request_header(env, "Max-Forwards");
	char *end;

	if (!value)
		return -1;
	long long left = strtoll(value, &end, 10);
	return *end || end == value || left < 0 ? 0 : left;
}

/* Each time it passes a request on takes one. At 0 it answers itself. */
static int admit(struct emulated *at)
{
	if (forwards_left(at->env) != 0 || strcmp(at->env->method, "TRACE") == 0)
		return 0;
	return strcmp(at->env->method, "OPTIONS") == 0 ? 200 : 400;
}

/* Of its own answers only the one to OPTIONS is no error. */
static int page(struct emulated *at)
{
	return at->res->status == 200 ? rung_header_static(at->res, "Allow", "TRACE") : 0;
}

/* -- URLs -------------------------------------------------------------------------------------------------------- */

/* As apr_uri_parse takes a URL apart: any user goes, an empty port is none. Without a path, its query goes too. */
static bool parse(struct emulated *at, const char *text, struct emulated_url *url)
{
	const char *host = rung_emulated_scheme(text, true, &url->scheme);
	char *end;

	if (!host)
		return false;
	const char *stop = host + strcspn(host, "/?#");
	const char *user = memrchr(host, '@', (size_t)(stop - host));
	host = user ? user + 1 : host;
	const char *close = *host == '[' ? memchr(host, ']', (size_t)(stop - host)) : NULL;
	const char *port = close ? close + 1 : memchr(host, ':', (size_t)(stop - host));
	if (!port)
		port = stop;
	if (port == host || (*host == '[' && !close) || (port < stop && *port != ':'))
		return false;
	if (port + 1 < stop) {
		unsigned long number = strtoul(port + 1, &end, 10);

		if (end != stop || number > 65535)
			return false;
		url->port = (unsigned)number;
	}
	bool is_usual = !url->port || url->port == (url->scheme[4] ? 443 : 80);
	url->host = rung_emulated_copy(at, host, (size_t)(port - host));
	url->host_field = rung_emulated_copy(at, host, (size_t)((is_usual ? port : stop) - host));
	url->path = *stop == '/' ? rung_emulated_copy(at, stop, strcspn(stop, "?")) : "";
	url->query = *stop == '/' ? strchr(stop, '?') : NULL;
	url->query = url->query ? url->query + 1 : NULL;
	return url->host && url->host_field && url->path;
}

static int go(struct emulated *at, const char *urls)
{
	struct emulated_url all = { .uri = urls };
	int fetched;

	if (forwards_left(at->env) == 1)
		return rung_emulated_status(at, 502, "Max-Forwards does not let it pass on %.300s", urls);
	int rc = rung_emulated_try(at, urls, parse, NULL, &fetched);

	if (rc < 0)
		return rc;
	if (fetched < 0)
		return rung_emulated_status(at, 502, "there is no URL it could fetch in \"%.300s\"", urls);
	return rung_emulated_judge(at, fetched, &all);
}

/* -- the path that the app sees ------------------------------------------------------------------------------------ */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool stays(unsigned char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
	       (c && strchr("$-_.+!*'(),;:@&=/~", c) != NULL);
}

static char *decode(const struct rung_env *env, const char *path)
{
	char *text = rung_alloc(env, strlen(path) + 1), *to = text;

	while (text && *path) {
		int high = *path == '%' && path[1] ? digit(path[1]) : -1;
		int low = high >= 0 && path[2] ? digit(path[2]) : -1;

		*to++ = (char)(low >= 0 && (high | low) ? high << 4 | low : *path);
		path += low >= 0 ? 3 : 1;
	}
	if (text)
		*to = '\0';
	return text;
}

/* Slashes in a row become one; "." goes, and ".." with what is before it. */
static void tidy(char *path)
{
	char *to = path;

	for (const char *at = path; *at;) {
		size_t size = strcspn(at + (*at == '/'), "/") + (*at == '/');
		bool is_dot = size == 2 && at[1] == '.', is_up = size == 3 && at[1] == '.' && at[2] == '.';
		bool is_last = !at[size];

		if (is_up)
			for (; to > path && *--to != '/';)
				;
		if ((is_dot || is_up || size == 1) && !is_last) {
			at += size;
			continue;
		}
		memmove(to, at, is_dot || is_up ? 1 : size);
		to += is_dot || is_up ? 1 : size;
		at += size;
	}
	*to = '\0';
}

/* It is decoded, with AllowEncodedSlashes On, tidied, and encoded again. */
static const char *app_path(const struct rung_env *env)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *at = env->path_info;

	while (*at && stays((unsigned char)*at) && !(*at == '/' && (at[1] == '/' || at[1] == '.')))
		at++;
	if (!*at || *env->path_info != '/')
		return NULL;
	char *path = decode(env, env->path_info);
	char *text = path ? rung_alloc(env, 3 * strlen(path) + 1) : NULL, *to = text;
	if (!text)
		return NULL;
	tidy(path);
	for (; *path; path++) {
		if (stays((unsigned char)*path)) {
			*to++ = *path;
			continue;
		}
		*to++ = '%';
		*to++ = digits[(unsigned char)*path >> 4];
		*to++ = digits[*path & 15];
	}
	*to = '\0';
	return text;
}

/* -- the table --------------------------------------------------------------------------------------------------- */

static const char *const not_passed_on[] = { "Connection", "Keep-Alive", "TE", "Trailer", "Upgrade",
	"Proxy-Authenticate", "Proxy-Connection", NULL };
static const char *const not_passed_to_targets[] = { "Connection", "Keep-Alive", "TE", "Trailer", "Upgrade",
	"Proxy-Authenticate", "Proxy-Connection", "X-Proxy-Capabilities", NULL };

static const struct emulated_ask asks[] = {
	{ "X-Reproxy-Url", go, NULL },
	{ "X-Sendfile", rung_emulated_sendfile, NULL },
	{ NULL, NULL, NULL },
};

static const struct emulated_kept survive[] = {
	{ "Content-Disposition", KEEP_SET },
	{ "ETag", KEEP_SET },
	{ "Last-Modified", KEEP_SET },
	{ "Content-Type", KEEP_TYPE },
	{ "Set-Cookie", KEEP_BEFORE },
	{ NULL, KEEP_BEFORE },
};

static const char *const hidden[] = { "Connection", "Keep-Alive", "Proxy-Authenticate", "TE", "Trailer",
	"Trailers", "Warning", "Transfer-Encoding", "Upgrade", NULL };
static const char *const last[] = { "Set-Cookie", NULL };

const struct emulation rung_emulation_apache = {
	.name = "apache",
	.app = { .left_out = not_passed_on,
		.joins = true,
		.added = { { "X-Proxy-Capabilities", VALUE_TEXT, PLACE_MERGED, "reproxy-file" },
			{ "X-Forwarded-For", VALUE_CLIENT, PLACE_MERGED, NULL },
			{ "X-Forwarded-Host", VALUE_HOST, PLACE_MERGED, NULL },
			{ "X-Forwarded-Server", VALUE_SERVER, PLACE_MERGED, NULL },
			{ "Content-Length", VALUE_LENGTH, PLACE_LAST, NULL },
			{ "Max-Forwards", VALUE_LESS, PLACE_SET, "1" } } },
	.target = { .left_out = not_passed_to_targets,
		.joins = true,
		.added = { { "X-Forwarded-For", VALUE_CLIENT, PLACE_MERGED, NULL },
			{ "X-Forwarded-Host", VALUE_HOST, PLACE_MERGED, NULL },
			{ "X-Forwarded-Server", VALUE_SERVER, PLACE_MERGED, NULL },
			{ "Content-Length", VALUE_LENGTH, PLACE_LAST, NULL },
			{ "Max-Forwards", VALUE_LESS, PLACE_SET, "2" } } },
	.app_path = app_path,
	.admit = admit,
	.page = page,
	.asks = asks,
	.may_ask = rung_emulated_may_ask,
	.input = INPUT_ZERO,
	.answer = { .kept = survive,
		.hidden = hidden,
		.last = last,
		.hides_connection = true,
		.measures_nothing = true,
		.rewrites_dates = true,
		.no_zero_with_head = true,
		.joins_vary = true,
		.cuts = 8192 },
	.unreachable = 502,
	.no_answer = 502,
	.timeout = 502,
};
