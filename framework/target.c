/* target.c: request targets, RFC 9112 section 3.2. On the way of every request, so one walk over the bytes. */
#include "request.h"
#include "uri_private.h"

#include <errno.h>

static struct rung_slice slice(const char *from, const char *to)
{
	return (struct rung_slice){ from, (size_t)(to - from) };
}

/* Walks over path and query; `at` is at the path. Returns false at a byte that no target may hold. */
static bool split_path(const char *at, const char *end, struct rung_request_target *target)
{
	const char *path = at, *query = NULL;

	for (; at < end; at++) {
		if (!uri_is(*at, URI_TARGET))
			return false;
		if (*at == '?' && !query)
			query = at;
	}
	target->path = slice(path, query ? query : end);
	if (query)
		target->query = slice(query + 1, end);
	return true;
}

/* The authority is no more lenient than in any URI; http has no empty host (RFC 9110 section 4.2.1). */
static bool has_good_authority(const char *scheme, const char *end)
{
	struct rung_uri uri;

	return rung_uri_parse(scheme, (size_t)(end - scheme), &uri) == 0 && uri.host.size > 0;
}

static bool split_absolute(const char *at, const char *end, struct rung_request_target *target)
{
	const char *scheme = at;

	while (at < end && uri_is(*at, URI_SCHEME))
		at++;
	if (at == scheme || !uri_is(*scheme, URI_ALPHA) || end - at < 3 || at[0] != ':' || at[1] != '/' ||
		at[2] != '/')
		return false;
	target->scheme = slice(scheme, at);
	const char *authority = at += 3;
	while (at < end && *at != '/' && *at != '?' && uri_is(*at, URI_TARGET))
		at++;
	target->authority = slice(authority, at);
	target->form = RUNG_TARGET_ABSOLUTE;
	if (!has_good_authority(scheme, at) || !split_path(at, end, target))
		return false;
	if (target->path.size == 0)
		target->path = (struct rung_slice){ "/", 1 };
	return true;
}

/* host:port, both of them (RFC 9110 section 9.3.6). */
static bool split_authority(const char *at, const char *end, struct rung_request_target *target)
{
	struct rung_slice host, port;

	if (rung_uri_parse_authority(at, (size_t)(end - at), &host, &port) < 0 || port.size == 0)
		return false;
	target->form = RUNG_TARGET_AUTHORITY;
	target->authority = slice(at, end);
	target->path = slice(end, end);
	return true;
}

static bool is_web(const struct rung_slice *scheme)
{
	return (scheme->size == 4 && rung_same_letters(scheme->at, "http", 4)) ||
	       (scheme->size == 5 && rung_same_letters(scheme->at, "https", 5));
}

static bool split(const char *method, const char *text, const char *end, struct rung_request_target *target)
{
	if (text == end)
		return false;
	if (rung_same_text(method, "CONNECT"))
		return split_authority(text, end, target);
	if (*text == '/') {
		target->form = RUNG_TARGET_ORIGIN;
		return split_path(text, end, target);
	}
	if (*text == '*' && end - text == 1) {
		target->form = RUNG_TARGET_ASTERISK;
		target->path = slice(text, end);
		return rung_same_text(method, "OPTIONS");
	}
	return split_absolute(text, end, target) && is_web(&target->scheme);
}

void rung_target_scan(char *text, struct rung_raw_target *ret_target)
{
	size_t path_size = 0, i = 0;
	bool is_plain = *text == '/', has_escape = false;

	for (; text[i]; i++) {
		if (!uri_is(text[i], URI_TARGET))
			is_plain = false;
		has_escape |= text[i] == '%';
		if (text[i] == '?' && !path_size)
			path_size = i;
	}
	ret_target->at = text;
	ret_target->size = i;
	/* A "?" at the very start is of no form that has a query. */
	ret_target->path_size = path_size ? path_size : i;
	ret_target->is_plain = is_plain;
	ret_target->has_escape = has_escape;
}

int rung_target_parse(
	const char *method, const char *text, size_t size, struct rung_request_target *ret_target)
{
	struct rung_request_target target = { 0 };

	if (!split(method, text, text + size, &target))
		return -EINVAL;
	*ret_target = target;
	return 0;
}
