/*
 * uri.h: URIs and request targets. The only place that knows percent signs.
 *
 * Nothing here allocates: parsed parts point into the text that was given, results are written to the caller's
 * buffer. No function needs or keeps a NUL at the end of its input.
 *
 * Sources: RFC 3986 (URIs), RFC 9112 section 3.2 (request targets), RFC 9110 section 4 (http and https).
 */
#pragma once

#include <rung/api.h>

RUNG_BEGIN

/* A run of bytes inside someone else's text. `at` is NULL when the part is absent; an empty part has size 0. */
struct rung_slice {
	const char *at;
	size_t size;
};

/* The parts of a URI reference, as they stand in the text: still encoded, in their own case. */
struct rung_uri {
	struct rung_slice scheme;   /* without ":" */
	struct rung_slice userinfo; /* without "@" */
	struct rung_slice host;     /* IPv6 in its brackets; may be empty while the authority is there */
	struct rung_slice port;     /* digits only, may be empty ("h:") */
	struct rung_slice path;     /* never absent, may be empty */
	struct rung_slice query;    /* without "?" */
	struct rung_slice fragment; /* without "#" */
};

/*
 * Splits a URI reference (absolute or relative) after the strict grammar of RFC 3986.
 * Returns 0; -EINVAL when the text is no URI reference (a bad escape, a byte that must be encoded, a port above
 * 65535 or not of digits, a bad IP literal ...). ret_uri is untouched on failure. Empty text is a valid reference.
 */
RUNG_API RUNG_MUST_USE int rung_uri_parse(const char *text, size_t size, struct rung_uri *ret_uri);

/* The port that counts: the one written, else 80 for http, 443 for https, else 0. */
RUNG_API unsigned rung_uri_port(const struct rung_uri *uri);

/*
 * Writes the parts as text (RFC 3986 section 5.3), NUL-terminated.
 * Returns the length without the NUL; -ENOSPC when it does not fit in `room` bytes (the buffer then holds "" if
 * room > 0).
 */
RUNG_API ssize_t rung_uri_format(const struct rung_uri *uri, char *buffer, size_t room);

/*
 * Resolves `reference` against `base` (RFC 3986 section 5.2, strict) and writes the target URI, NUL-terminated, dot
 * segments removed. `base` must have a scheme.
 * Returns the length without the NUL; -EINVAL when base has no scheme; -ENOSPC as above.
 */
RUNG_API ssize_t rung_uri_resolve(
	const struct rung_uri *base, const struct rung_uri *reference, char *buffer, size_t room);

/*
 * Writes the normal form (RFC 3986 section 6.2.2 and 6.2.3): scheme and host in lower case, escapes in upper case,
 * unreserved characters decoded, dot segments removed, the default port and an empty port dropped, an empty path of
 * http and https as "/".
 * Returns the length without the NUL; -ENOSPC as above.
 */
RUNG_API ssize_t rung_uri_normalize(const struct rung_uri *uri, char *buffer, size_t room);

/*
 * Splits and checks an authority as it stands in a Host field or a table of names: host [":" port], no userinfo.
 * Returns 0; -EINVAL (also for empty text). ret_host and ret_port are untouched on failure; a port that is absent
 * gives a slice whose `at` is NULL.
 */
RUNG_API RUNG_MUST_USE int rung_uri_parse_authority(
	const char *text, size_t size, struct rung_slice *ret_host, struct rung_slice *ret_port);

/* What may stay as it is when text is encoded; everything else becomes %XX. */
enum rung_uri_part {
	RUNG_URI_SEGMENT, /* one path segment: unreserved, sub-delims, ":" and "@" */
	RUNG_URI_PATH,    /* a whole path: the same and "/" */
	RUNG_URI_QUERY, /* one name or value in a query: unreserved only, so that "&", "=" and "+" are data */
};

/* Returns how many bytes the encoded form of the text takes, without NUL. */
RUNG_API size_t rung_uri_encoded_size(enum rung_uri_part part, const char *text, size_t size);

/*
 * Percent-encodes text and adds a NUL. Returns the length without the NUL; -ENOSPC as above.
 */
RUNG_API ssize_t rung_uri_encode(
	enum rung_uri_part part, const char *text, size_t size, char *buffer, size_t room);

/*
 * Decodes percent signs once and adds a NUL; "+" stays "+". The result is never longer than the text, so a room of
 * size + 1 always suffices, and buffer may be the text itself.
 * Returns the length without the NUL; -EINVAL for a "%" without two hex digits; -EILSEQ for %00, which no C string
 * can hold; -ENOSPC as above.
 */
RUNG_API ssize_t rung_uri_decode(const char *text, size_t size, char *buffer, size_t room);

/*
 * Decodes one name or value of a query or an urlencoded form (the URL standard's application/x-www-form-urlencoded) and adds a
 * NUL: "+" is a blank, escapes are decoded once, %00 too, and a "%" without two hex digits stays as it is. buffer has room for
 * size + 1 bytes, and may be the text itself.
 * Returns the length without the NUL.
 */
RUNG_API size_t rung_uri_decode_form(const char *text, size_t size, char *buffer);

/* RFC 9112 section 3.2. */
enum rung_target_form {
	RUNG_TARGET_ORIGIN,    /* /path?query */
	RUNG_TARGET_ABSOLUTE,  /* http://host/path?query */
	RUNG_TARGET_AUTHORITY, /* host:port, CONNECT alone */
	RUNG_TARGET_ASTERISK,  /* *, OPTIONS alone */
};

/* A request target in its parts. For the absolute form an empty path is given as "/" (RFC 9110 section 4.2.3). */
struct rung_request_target {
	enum rung_target_form form;
	struct rung_slice scheme;    /* absolute form, else absent */
	struct rung_slice authority; /* absolute and authority form, else absent */
	struct rung_slice path;  /* origin and absolute form; "*" for the asterisk form; empty for CONNECT */
	struct rung_slice query; /* absent when there is no "?" */
};

/*
 * Splits a request target. The method decides between the forms, as the RFC has it. More lenient than
 * rung_uri_parse in one thing: paths and queries may hold bytes that should have been encoded ("|", "{", bytes from
 * 0x80 up, a "%" without digits), because clients send them and the router judges escapes. Control characters,
 * space, DEL and "#" are always refused.
 * Returns 0; -EINVAL. ret_target is untouched on failure.
 */
RUNG_API RUNG_MUST_USE int rung_target_parse(
	const char *method, const char *text, size_t size, struct rung_request_target *ret_target);

RUNG_END
