/* uri_private.h: private: classes of bytes, shared by the files that read URIs. */
#pragma once

#include <rung/uri.h>

enum {
	URI_ALPHA = 1 << 0,
	URI_DIGIT = 1 << 1,
	URI_HEX = 1 << 2,
	URI_MARK = 1 << 3,   /* the rest of unreserved: - . _ ~ */
	URI_SUB = 1 << 4,    /* sub-delims */
	URI_EXTRA = 1 << 5,  /* ":" and "@", which path segments may hold besides */
	URI_SCHEME = 1 << 6, /* + - . beside letters and digits */
	URI_TARGET = 1 << 7, /* what a request target may hold at all */

	URI_UNRESERVED = URI_ALPHA | URI_DIGIT | URI_MARK,
	URI_SEGMENT = URI_UNRESERVED | URI_SUB | URI_EXTRA,
};

extern const unsigned char rung_uri_class[256];

static inline bool uri_is(char c, unsigned classes)
{
	return rung_uri_class[(unsigned char)c] & classes;
}

static inline int uri_hex_value(char c)
{
	return uri_is(c, URI_DIGIT) ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* True when a "%" at this place has its two hex digits. */
static inline bool uri_is_escape(const char *at, const char *end)
{
	return end - at > 2 && uri_is(at[1], URI_HEX) && uri_is(at[2], URI_HEX);
}

/* Text that grows in a buffer of fixed size; once it did not fit, it stays so. */
struct uri_writer {
	char *buffer;
	size_t room, size;
	bool is_full;
};

static inline void uri_put_byte(struct uri_writer *out, char c)
{
	if (out->size + 1 < out->room)
		out->buffer[out->size++] = c;
	else
		out->is_full = true;
}

void rung_uri_put(struct uri_writer *out, const char *text, size_t size);

/* Ends the text with a NUL. Returns its length; -ENOSPC, and an empty text if there is room for one, when it was full. */
ssize_t rung_uri_finish(struct uri_writer *out);

/* Pieces of a URI, shared by writing one as it stands and writing one resolved. */
void rung_uri_put_slice(struct uri_writer *out, struct rung_slice part);
void rung_uri_put_before_path(struct uri_writer *out, const struct rung_uri *uri);
void rung_uri_put_marked(
	struct uri_writer *out, char mark, struct rung_slice part); /* nothing for an absent part */

/* 80 for http, 443 for https, else 0. */
unsigned rung_uri_default_port(const struct rung_uri *uri);
