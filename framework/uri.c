/* uri.c: URIs: split, put together, resolved, normalised. RFC 3986. Escapes are in uri_escape.c. */
#include "uri_private.h"

#include <errno.h>
#include <string.h>

static struct rung_slice slice(const char *from, const char *to)
{
	return (struct rung_slice){ from, (size_t)(to - from) };
}

/* -- splitting ----------------------------------------------------------------------------------------------------- */

/* Where a run of allowed bytes and good escapes ends; the end of the text unless something bad stands there. */
static const char *skip(const char *at, const char *end, unsigned classes, const char *also)
{
	for (; at < end; at++) {
		if (uri_is(*at, classes))
			continue;
		if (*at == '%' && uri_is_escape(at, end))
			at += 2;
		else if (!*at || !strchr(also, *at))
			break;
	}
	return at;
}

static bool is_all(struct rung_slice part, unsigned classes, const char *also)
{
	return skip(part.at, part.at + part.size, classes, also) == part.at + part.size;
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
	return skip(at, end, URI_UNRESERVED | URI_SUB, "");
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

static unsigned default_port(const struct rung_uri *uri)
{
	return scheme_is(uri, "http") ? 80 : scheme_is(uri, "https") ? 443 : 0;
}

unsigned rung_uri_port(const struct rung_uri *uri)
{
	unsigned value = 0;

	if (uri->port.size == 0)
		return default_port(uri);
	for (size_t i = 0; i < uri->port.size; i++)
		value = value * 10 + (unsigned)(uri->port.at[i] - '0');
	return value;
}

/* -- putting together ------------------------------------------------------------------------------------------------ */

static void put_slice(struct uri_writer *out, struct rung_slice part)
{
	if (part.size)
		uri_put(out, part.at, part.size);
}

static void put_before_path(struct uri_writer *out, const struct rung_uri *uri)
{
	if (uri->scheme.at) {
		put_slice(out, uri->scheme);
		uri_put_byte(out, ':');
	}
	if (!uri->host.at)
		return;
	uri_put(out, "//", 2);
	if (uri->userinfo.at) {
		put_slice(out, uri->userinfo);
		uri_put_byte(out, '@');
	}
	put_slice(out, uri->host);
	if (uri->port.at) {
		uri_put_byte(out, ':');
		put_slice(out, uri->port);
	}
}

static void put_marked(struct uri_writer *out, char mark, struct rung_slice part)
{
	if (!part.at)
		return;
	uri_put_byte(out, mark);
	put_slice(out, part);
}

ssize_t rung_uri_format(const struct rung_uri *uri, char *buffer, size_t room)
{
	struct uri_writer out = { .buffer = buffer, .room = room };

	put_before_path(&out, uri);
	put_slice(&out, uri->path);
	put_marked(&out, '?', uri->query);
	put_marked(&out, '#', uri->fragment);
	return uri_finish(&out);
}

/* -- dot segments ------------------------------------------------------------------------------------------------------ */

/* True when the text at this place is `dots` as a whole segment; *ret_next is the slash behind it, or the end. */
static bool is_segment(const char *at, const char *end, const char *dots, const char **ret_next)
{
	size_t size = strlen(dots);

	if ((size_t)(end - at) < size || memcmp(at, dots, size) != 0 || (at + size < end && at[size] != '/'))
		return false;
	*ret_next = at + size;
	return true;
}

/* Drops the last segment of what was written, with its slash. */
static char *drop_segment(const char *path, char *to)
{
	while (to > path && *--to != '/')
		continue;
	return to;
}

/* The loop of RFC 3986 section 5.2.4, in place, since what is kept never grows. Returns the new end. */
static char *remove_segments(char *path, const char *end)
{
	const char *at = path, *next;
	char *to = path;

	while (at < end) {
		if (is_segment(at, end, ".", &next) || is_segment(at, end, "..", &next)) {
			at = next < end ? next + 1 : end;
		} else if (is_segment(at, end, "/.", &next) || is_segment(at, end, "/..", &next)) {
			if (next - at == 3)
				to = drop_segment(path, to);
			at = next;
			if (at == end)
				*to++ = '/';
		} else {
			do
				*to++ = *at++;
			while (at < end && *at != '/');
		}
	}
	return to;
}

/*
 * Removes "." and ".." segments from what stands in the writer from `start` on. A path that then begins with "//" where
 * no authority stands before it would be read as one, so "/." is put before it.
 */
static void remove_dots(struct uri_writer *out, size_t start, bool has_authority)
{
	char *path = out->buffer + start;

	if (out->is_full)
		return;
	out->size = (size_t)(remove_segments(path, out->buffer + out->size) - out->buffer);
	size_t size = out->size - start;
	if (has_authority || size < 2 || path[0] != '/' || path[1] != '/')
		return;
	uri_put(out, "/.", 2);
	if (out->is_full)
		return;
	memmove(path + 2, path, size);
	memcpy(path, "/.", 2);
}

/* -- resolving ---------------------------------------------------------------------------------------------------------- */

/* The base's path up to its last slash (RFC 3986 section 5.2.3). */
static void put_folder_of(struct uri_writer *out, const struct rung_uri *base)
{
	size_t size = base->path.size;

	if (base->host.at && size == 0) {
		uri_put_byte(out, '/');
		return;
	}
	while (size && base->path.at[size - 1] != '/')
		size--;
	put_slice(out, (struct rung_slice){ base->path.at, size });
}

ssize_t rung_uri_resolve(
	const struct rung_uri *base, const struct rung_uri *reference, char *buffer, size_t room)
{
	struct uri_writer out = { .buffer = buffer, .room = room };
	struct rung_uri target = *reference;
	bool is_own_path = reference->scheme.at || reference->host.at;

	if (!base->scheme.at)
		return -EINVAL;
	if (!reference->scheme.at)
		target.scheme = base->scheme;
	if (!is_own_path) {
		target.userinfo = base->userinfo;
		target.host = base->host;
		target.port = base->port;
		if (reference->path.size == 0 && !reference->query.at)
			target.query = base->query;
	}
	put_before_path(&out, &target);
	size_t start = out.size;
	if (!is_own_path && reference->path.size == 0) {
		put_slice(&out, base->path);
	} else {
		if (!is_own_path && *reference->path.at != '/')
			put_folder_of(&out, base);
		put_slice(&out, reference->path);
		remove_dots(&out, start, target.host.at != NULL);
	}
	put_marked(&out, '?', target.query);
	put_marked(&out, '#', target.fragment);
	return uri_finish(&out);
}

/* -- normalising -------------------------------------------------------------------------------------------------------- */

static void put_lower(struct uri_writer *out, char c)
{
	uri_put_byte(out, c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
}

static char upper_hex(char c)
{
	return c >= 'a' ? (char)(c - 0x20) : c;
}

/* Decodes escapes of unreserved bytes, writes the others in upper case. */
static void put_normal(struct uri_writer *out, struct rung_slice part, bool is_host)
{
	for (size_t i = 0; i < part.size; i++) {
		char c = part.at[i];

		if (c != '%') {
			is_host ? put_lower(out, c) : uri_put_byte(out, c);
			continue;
		}
		char byte = (char)(uri_hex_value(part.at[i + 1]) << 4 | uri_hex_value(part.at[i + 2]));
		if (uri_is(byte, URI_UNRESERVED)) {
			is_host ? put_lower(out, byte) : uri_put_byte(out, byte);
		} else {
			uri_put_byte(out, '%');
			uri_put_byte(out, upper_hex(part.at[i + 1]));
			uri_put_byte(out, upper_hex(part.at[i + 2]));
		}
		i += 2;
	}
}

static void put_normal_authority(struct uri_writer *out, const struct rung_uri *uri)
{
	unsigned port = rung_uri_port(uri);
	struct rung_slice digits = uri->port;

	uri_put(out, "//", 2);
	if (uri->userinfo.at) {
		put_normal(out, uri->userinfo, false);
		uri_put_byte(out, '@');
	}
	put_normal(out, uri->host, true);
	while (digits.size > 1 && *digits.at == '0')
		digits = (struct rung_slice){ digits.at + 1, digits.size - 1 };
	if (uri->port.size && port != default_port(uri)) {
		uri_put_byte(out, ':');
		put_slice(out, digits);
	}
}

/* Dots are removed only where the path begins with a slash: those of a relative one count (section 6.2.2.3). */
static void put_normal_path(struct uri_writer *out, const struct rung_uri *uri)
{
	size_t start = out->size;

	if (uri->path.size == 0 && uri->host.at && default_port(uri)) {
		uri_put_byte(out, '/');
		return;
	}
	put_normal(out, uri->path, false);
	if (!out->is_full && (uri->scheme.at || uri->host.at || (uri->path.size && *uri->path.at == '/')))
		remove_dots(out, start, uri->host.at != NULL);
}

ssize_t rung_uri_normalize(const struct rung_uri *uri, char *buffer, size_t room)
{
	struct uri_writer out = { .buffer = buffer, .room = room };

	if (uri->scheme.at) {
		for (size_t i = 0; i < uri->scheme.size; i++)
			put_lower(&out, uri->scheme.at[i]);
		uri_put_byte(&out, ':');
	}
	if (uri->host.at)
		put_normal_authority(&out, uri);
	put_normal_path(&out, uri);
	if (uri->query.at) {
		uri_put_byte(&out, '?');
		put_normal(&out, uri->query, false);
	}
	if (uri->fragment.at) {
		uri_put_byte(&out, '#');
		put_normal(&out, uri->fragment, false);
	}
	return uri_finish(&out);
}
