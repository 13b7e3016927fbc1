/* uri.c: URIs: split and put together. RFC 3986. Resolving is in uri_resolve.c, escapes are in uri_escape.c. */
#include "uri_private.h"

#include <errno.h>
#include <string.h>

static struct rung_slice slice(const char *from, const char *to)
{
	return (struct rung_slice){ from, (size_t)(to - from) };
}

/* -- splitting --------------------------------------------------------------------------------------------------- */

/* Where a run of allowed bytes and good escapes ends; the end of the text unless something bad stands there. `also` are
 * two more bytes that are allowed, or NULs, which are not. */
static const char *skip(const char *at, const char *end, unsigned classes, const char also[2])
{
	for (; at < end; at++) {
		if (uri_is(*at, classes))
			continue;
		if (*at == '%' && uri_is_escape(at, end))
			at += 2;
		else if (!*at || (*at != also[0] && *at != also[1]))
			break;
	}
	return at;
}

static bool is_all(struct rung_slice part, unsigned classes, const char also[2])
{
	return !part.size || skip(part.at, part.at + part.size, classes, also) == part.at + part.size;
}

/* One group of an IPv6 address, one to four hex digits. Returns what follows, or NULL. */
static const char *skip_group(const char *at, const char *end)
{
	const char *from = at;

	while (at < end && at - from < 4 && uri_is(*at, URI_HEX))
		at++;
	return at == from ? NULL : at;
}

/* dec-octet without leading zeros. */
static const char *skip_octet(const char *at, const char *end)
{
	unsigned value = 0;
	const char *from = at;

	for (; at < end && uri_is(*at, URI_DIGIT) && at - from < 3; at++)
		value = value * 10 + (unsigned)(*at - '0');
	return at == from || value > 255 || (*from == '0' && at - from > 1) ? NULL : at;
}

static bool is_ipv4(const char *at, const char *end)
{
	for (int i = 0; i < 4; i++) {
		if (i && (at == end || *at++ != '.'))
			return false;
		at = skip_octet(at, end);
		if (!at)
			return false;
	}
	return at == end;
}

/* Eight groups of sixteen bits, the last two perhaps as an IPv4 address, one run of them perhaps as "::". */
static bool is_ipv6(const char *at, const char *end)
{
	int groups = 0;
	bool has_gap = false;

	if (end - at >= 2 && at[0] == ':' && at[1] == ':') {
		has_gap = true;
		at += 2;
	}
	while (at < end) {
		if (memchr(at, '.', (size_t)(end - at)) && !memchr(at, ':', (size_t)(end - at)))
			return is_ipv4(at, end) && (has_gap ? groups <= 5 : groups == 6);
		at = skip_group(at, end);
		if (!at || ++groups > 8)
			return false;
		if (at == end)
			break;
		if (*at++ != ':' || at == end)
			return false;
		if (*at == ':') {
			if (has_gap)
				return false;
			has_gap = true;
			at++;
		}
	}
	return has_gap ? groups <= 7 : groups == 8;
}

/* "v" hex "." and a name for addresses to come. */
static bool is_future(const char *at, const char *end)
{
	if (end - at < 4 || (*at | 0x20) != 'v' || !uri_is(at[1], URI_HEX))
		return false;
	for (at++; at < end && uri_is(*at, URI_HEX); at++)
		continue;
	if (at == end || *at++ != '.' || at == end)
		return false;
	for (; at < end; at++)
		if (!uri_is(*at, URI_UNRESERVED | URI_SUB) && *at != ':')
			return false;
	return true;
}

/* Returns what follows the host, or NULL when it is none. A name may be empty and may hold escapes. */
static const char *skip_host(const char *at, const char *end)
{
	if (at < end && *at == '[') {
		const char *close = memchr(at, ']', (size_t)(end - at));

		if (!close || !(is_ipv6(at + 1, close) || is_future(at + 1, close)))
			return NULL;
		return close + 1;
	}
	return skip(at, end, URI_UNRESERVED | URI_SUB, "\0");
}

static bool is_port(struct rung_slice port)
{
	unsigned value = 0;

	for (size_t i = 0; i < port.size; i++) {
		if (!uri_is(port.at[i], URI_DIGIT))
			return false;
		value = value * 10 + (unsigned)(port.at[i] - '0');
		if (value > 65535)
			return false;
	}
	return true;
}

static int split_host_port(
	const char *at, const char *end, struct rung_slice *ret_host, struct rung_slice *ret_port)
{
	const char *behind = skip_host(at, end);
	struct rung_slice port = { 0 };

	if (!behind || (behind < end && *behind != ':'))
		return -EINVAL;
	if (behind < end)
		port = slice(behind + 1, end);
	if (!is_port(port))
		return -EINVAL;
	*ret_host = slice(at, behind);
	*ret_port = port;
	return 0;
}

int rung_uri_parse_authority(
	const char *text, size_t size, struct rung_slice *ret_host, struct rung_slice *ret_port)
{
	struct rung_slice host, port;

	if (split_host_port(text, text + size, &host, &port) < 0 || host.size == 0)
		return -EINVAL;
	*ret_host = host;
	*ret_port = port;
	return 0;
}

static int split_authority(const char *at, const char *end, struct rung_uri *uri)
{
	const char *sign = memchr(at, '@', (size_t)(end - at));

	if (sign) {
		uri->userinfo = slice(at, sign);
		if (!is_all(uri->userinfo, URI_UNRESERVED | URI_SUB, ":"))
			return -EINVAL;
		at = sign + 1;
	}
	return split_host_port(at, end, &uri->host, &uri->port);
}

/* A scheme, when what comes before the first ":" is one. Returns what follows it. */
static const char *split_scheme(const char *at, const char *end, struct rung_uri *uri)
{
	const char *from = at;

	if (at == end || !uri_is(*at, URI_ALPHA))
		return from;
	while (at < end && uri_is(*at, URI_SCHEME))
		at++;
	if (at == end || *at != ':')
		return from;
	uri->scheme = slice(from, at);
	return at + 1;
}

/* Cuts off what follows the first `mark`. Returns the new end. */
static const char *cut_at(const char *at, const char *end, char mark, struct rung_slice *ret_rest)
{
	const char *found = at < end ? memchr(at, mark, (size_t)(end - at)) : NULL;

	if (!found)
		return end;
	*ret_rest = slice(found + 1, end);
	return found;
}

/* In a reference without scheme or authority the first segment may hold no ":" (RFC 3986 section 4.2). */
static bool is_bad_first_segment(const struct rung_uri *uri)
{
	for (size_t i = 0; i < uri->path.size && uri->path.at[i] != '/'; i++)
		if (uri->path.at[i] == ':')
			return true;
	return false;
}

int rung_uri_parse(const char *text, size_t size, struct rung_uri *ret_uri)
{
	const char *end = text + size;
	struct rung_uri uri = { 0 };
	const char *at = split_scheme(text, end, &uri);

	end = cut_at(at, end, '#', &uri.fragment);
	end = cut_at(at, end, '?', &uri.query);
	if (end - at >= 2 && at[0] == '/' && at[1] == '/') {
		const char *authority = at + 2;

		at = memchr(authority, '/', (size_t)(end - authority));
		at = at ? at : end;
		if (split_authority(authority, at, &uri) < 0)
			return -EINVAL;
	}
	uri.path = slice(at, end);
	if (!uri.scheme.at && !uri.host.at && is_bad_first_segment(&uri))
		return -EINVAL;
	if (!is_all(uri.path, URI_SEGMENT, "/") || !is_all(uri.query, URI_SEGMENT, "/?") ||
		!is_all(uri.fragment, URI_SEGMENT, "/?"))
		return -EINVAL;
	*ret_uri = uri;
	return 0;
}

static bool scheme_is(const struct rung_uri *uri, const char *name)
{
	size_t size = strlen(name);

	if (uri->scheme.size != size)
		return false;
	for (size_t i = 0; i < size; i++)
		if ((uri->scheme.at[i] | 0x20) != name[i])
			return false;
	return true;
}

unsigned rung_uri_default_port(const struct rung_uri *uri)
{
	return scheme_is(uri, "http") ? 80 : scheme_is(uri, "https") ? 443 : 0;
}

unsigned rung_uri_port(const struct rung_uri *uri)
{
	unsigned value = 0;

	if (uri->port.size == 0)
		return rung_uri_default_port(uri);
	for (size_t i = 0; i < uri->port.size; i++)
		value = value * 10 + (unsigned)(uri->port.at[i] - '0');
	return value;
}

/* -- putting together -------------------------------------------------------------------------------------------- */

void rung_uri_put_slice(struct uri_writer *out, struct rung_slice part)
{
	if (part.size)
		rung_uri_put(out, part.at, part.size);
}

void rung_uri_put_before_path(struct uri_writer *out, const struct rung_uri *uri)
{
	if (uri->scheme.at) {
		rung_uri_put_slice(out, uri->scheme);
		uri_put_byte(out, ':');
	}
	if (!uri->host.at)
		return;
	rung_uri_put(out, "//", 2);
	if (uri->userinfo.at) {
		rung_uri_put_slice(out, uri->userinfo);
		uri_put_byte(out, '@');
	}
	rung_uri_put_slice(out, uri->host);
	if (uri->port.at) {
		uri_put_byte(out, ':');
		rung_uri_put_slice(out, uri->port);
	}
}

void rung_uri_put_marked(struct uri_writer *out, char mark, struct rung_slice part)
{
	if (!part.at)
		return;
	uri_put_byte(out, mark);
	rung_uri_put_slice(out, part);
}

ssize_t rung_uri_format(const struct rung_uri *uri, char *buffer, size_t room)
{
	struct uri_writer out = { .buffer = buffer, .room = room };

	rung_uri_put_before_path(&out, uri);
	rung_uri_put_slice(&out, uri->path);
	rung_uri_put_marked(&out, '?', uri->query);
	rung_uri_put_marked(&out, '#', uri->fragment);
	return rung_uri_finish(&out);
}
