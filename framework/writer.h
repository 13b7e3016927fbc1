/*
 * writer.h: text that grows in the request's memory: a page, a JSON document, a field made of parts.
 *
 * Errors stick, as in a response: when memory is out, later writes do nothing and rung_reply_written() reports it. So a
 * page is written without a check a line.
 *
 *	struct rung_writer page = rung_writer(env);
 *
 *	rung_write(&page, "<!doctype html><title>");
 *	rung_write_html(&page, name);
 *	return rung_reply_written(res, 200, "text/html; charset=utf-8", &page);
 */
#pragma once

#include <rung/api.h>

RUNG_BEGIN

struct rung_env;
struct rung_response;

struct rung_writer {
	const struct rung_env *env;
	char *text;  /* NUL-terminated once something was written; NULL before */
	size_t size; /* bytes, without the NUL */
	size_t room;
	int error; /* 0, or what stuck: -ENOMEM, -EINVAL for a NULL or a bad format */
};

/* An empty one. Its text lives as long as the request. */
static inline struct rung_writer rung_writer(const struct rung_env *env)
{
	struct rung_writer writer = { env, NULL, 0, 0, 0 };

	return writer;
}

/* As it is. All return 0 or the error that stuck. */
RUNG_API int rung_write(struct rung_writer *writer, const char *text);
RUNG_API int rung_write_bytes(struct rung_writer *writer, const void *bytes, size_t size);
RUNG_API int rung_writef(struct rung_writer *writer, const char *format, ...) RUNG_PRINTF(2, 3);

/* Escaped for HTML, as text or inside an attribute's quotes of either kind. Control bytes other than tab and line ends, and
 * what is no UTF-8, become U+FFFD. */
RUNG_API int rung_write_html(struct rung_writer *writer, const char *text);

/* A JSON string with its quotes (RFC 8259 section 7), safe inside a script element too. What is no UTF-8 becomes U+FFFD; NULL
 * becomes null. */
RUNG_API int rung_write_json(struct rung_writer *writer, const char *text);

/* Percent-encoded down to unreserved characters (RFC 3986 section 2.3): good as one path segment, also the first of a relative
 * reference, and as a name or value of a query. */
RUNG_API int rung_write_uri(struct rung_writer *writer, const char *text);

/* The text becomes the body, not copied again; content_type may be NULL. Returns 0 or the error that stuck, be it the writer's
 * or the response's. */
RUNG_API int rung_reply_written(
	struct rung_response *res, int status, const char *content_type, const struct rung_writer *writer);

RUNG_END
