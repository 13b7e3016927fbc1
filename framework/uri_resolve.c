/* uri_resolve.c: references against a base, and the normal form. RFC 3986 sections 5.2 and 6.2. */
#include "uri_private.h"

#include <errno.h>
#include <string.h>

/* -- dot segments ------------------------------------------------------------------------------------------------ */

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

	if (out->is_full || !out->buffer)
		return;
	out->size = (size_t)(remove_segments(path, out->buffer + out->size) - out->buffer);
	size_t size = out->size - start;
	if (has_authority || size < 2 || path[0] != '/' || path[1] != '/')
		return;
	rung_uri_put(out, "/.", 2);
	if (out->is_full)
		return;
	for (size_t i = size; i-- > 0;)
		path[i + 2] = path[i];
	memcpy(path, "/.", 2);
}

/* -- resolving --------------------------------------------------------------------------------------------------- */

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
	rung_uri_put_slice(out, (struct rung_slice){ base->path.at, size });
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
	rung_uri_put_before_path(&out, &target);
	size_t start = out.size;
	if (!is_own_path && reference->path.size == 0) {
		rung_uri_put_slice(&out, base->path);
	} else {
		if (!is_own_path && *reference->path.at != '/')
			put_folder_of(&out, base);
		rung_uri_put_slice(&out, reference->path);
		remove_dots(&out, start, target.host.at != NULL);
	}
	rung_uri_put_marked(&out, '?', target.query);
	rung_uri_put_marked(&out, '#', target.fragment);
	return rung_uri_finish(&out);
}

/* -- normalising ------------------------------------------------------------------------------------------------- */

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

	rung_uri_put(out, "//", 2);
	if (uri->userinfo.at) {
		put_normal(out, uri->userinfo, false);
		uri_put_byte(out, '@');
	}
	put_normal(out, uri->host, true);
	while (digits.size > 1 && *digits.at == '0')
		digits = (struct rung_slice){ digits.at + 1, digits.size - 1 };
	/* Where no default is known, which reads as 0, a port of 0 is one that was written and stays. */
	if (uri->port.size && (port == 0 || port != rung_uri_default_port(uri))) {
		uri_put_byte(out, ':');
		rung_uri_put_slice(out, digits);
	}
}

/* Dots are removed only where the path begins with a slash: those of a relative one count (section 6.2.2.3). */
static void put_normal_path(struct uri_writer *out, const struct rung_uri *uri)
{
	size_t start = out->size;

	if (uri->path.size == 0 && uri->host.at && rung_uri_default_port(uri)) {
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
	return rung_uri_finish(&out);
}
