/*
 * headers.h: header fields: an ordered multimap whose names compare without case and keep their spelling, and the
 * parsers that field values share.
 *
 * A list of some ten fields is fastest as a plain array; no hash is built. Requests and responses each have one;
 * apps reach them through env.h and response.h.
 *
 * Sources: RFC 9110 section 5 (fields), 5.6.1 (lists), 12.4.2 (quality values).
 */
#pragma once

#include <rung/api.h>

RUNG_BEGIN

/* One field line. Both strings are NUL-terminated; sizes are without the NUL. Whoever fills one by hand may leave
 * the sizes 0: then they are counted where the field is taken. */
struct rung_field {
	const char *name;
	const char *value;
	uint32_t name_size;
	uint32_t value_size;
};

/* True when the text is a token (RFC 9110 section 5.6.2), as names and methods must be; empty text is none. */
RUNG_API RUNG_PURE bool rung_is_token(const char *text, size_t size);

/* True when the text may stand as a field value: no control byte but tab (so no CR, LF, NUL), no DEL. */
RUNG_API RUNG_PURE bool rung_is_field_value(const char *text, size_t size);

/* True when both names are the same without regard to case. */
RUNG_API RUNG_PURE bool rung_names_equal(const char *a, const char *b);

/*
 * Steps through a comma-separated list: skips empty members and white space, does not split inside a quoted string.
 * Start with *cursor at the value; each call gives one member and moves the cursor. Returns false at the end.
 */
RUNG_API bool rung_list_next(const char **cursor, const char **ret_member, size_t *ret_size);

/* True when a list such as that of Connection has this member, without regard to case. */
RUNG_API RUNG_PURE bool rung_list_has(const char *value, const char *member);

/*
 * The weight, 0 to 1000, that an Accept value gives a media type such as "text/html": the most specific range that
 * matches decides, of several the last; a range with parameters is less specific than the bare type. What cannot be
 * parsed is passed over. NULL, or a value in which nothing can be parsed, accepts everything: 1000.
 */
RUNG_API RUNG_PURE unsigned rung_accept_quality(const char *accept, const char *media_type);

/*
 * The weight, 0 to 1000, that an Accept-Encoding value gives a content coding such as "gzip": its own member decides, else
 * "*"; what is named nowhere is 0, but "identity" 1000. What cannot be parsed is passed over. NULL: nothing but identity is
 * sure to be understood. "x-gzip" means "gzip" (RFC 9110 section 8.4.1.3).
 */
RUNG_API RUNG_PURE unsigned rung_coding_quality(const char *accept_encoding, const char *coding);

RUNG_END
