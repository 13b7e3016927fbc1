/*
 * body.h: what a response carries. One body at a time, closed exactly once by the framework: when it was sent, when a
 * layer replaces it, when the client leaves, when a layer fails.
 *
 * EMPTY, BYTES (copied, static, or taken with a free function), FILE (a descriptor and a range of it), URI (to be
 * reproxied), PULL (a source that is asked for bytes).
 *
 * Ownership: a descriptor, a source or taken bytes belong to the response from the call on, also when the call fails.
 * Errors stick in res->error and the link that called the app reports them, so results may be ignored; each setter
 * also returns that error. NULL for bytes of some size, or for a source, is -EINVAL: what rung_printf() gives when memory is
 * out may come here unchecked.
 */
#pragma once

#include <rung/api.h>

RUNG_BEGIN

struct rung_response;

enum rung_body_kind {
	RUNG_BODY_EMPTY,
	RUNG_BODY_BYTES,
	RUNG_BODY_FILE,
	RUNG_BODY_URI,
	RUNG_BODY_PULL,
};

/* Something that is asked for bytes. Embedded first in a struct of its maker's. */
struct rung_source {
	/* Returns bytes written to buffer (1 to max), 0 at the end, -EAGAIN for "not yet", else a negative errno:
	 * the connection is cut, as no status can be sent any more. Not called again after 0 or an error. */
	ssize_t (*read)(struct rung_source *source, void *buffer, size_t max);
	/* Called once, whatever happened. NULL: nothing to do. */
	void (*close)(struct rung_source *source);
	struct rung_source *inner_; /* private: what a filter stands around */
};

/* Copies the bytes. */
RUNG_API int rung_body_bytes(struct rung_response *res, const void *bytes, size_t size);

/* Points at bytes that outlive the request: literals, tables, rung_alloc() memory. */
RUNG_API int rung_body_static(struct rung_response *res, const void *bytes, size_t size);

/* Takes the bytes; free_bytes(bytes) runs at close. */
RUNG_API int rung_body_take(struct rung_response *res, void *bytes, size_t size, void (*free_bytes)(void *));

/* Takes the descriptor of a regular file and sends `length` bytes from `offset`. `path` is for layers that hand the
 * file to a web server in front; copied; NULL if unknown. -EINVAL for a negative number. */
RUNG_API int rung_body_file(
	struct rung_response *res, int fd, int64_t offset, int64_t length, const char *path);

/* A URI to be reproxied; copied. Judged by the reproxy layer, so that one place answers for it. */
RUNG_API int rung_body_uri(struct rung_response *res, const char *uri);

/* Takes the source. `size` is its length in bytes, -1 when unknown (sent chunked). */
RUNG_API int rung_body_pull(struct rung_response *res, struct rung_source *source, int64_t size);

/* Closes the body; it is EMPTY afterwards. Headers stay. */
RUNG_API void rung_body_close(struct rung_response *res);

/* The body's length in bytes: 0 for EMPTY and URI, -1 when unknown. */
RUNG_API int64_t rung_body_size(const struct rung_response *res);

/* The URI of a URI body, else NULL. */
RUNG_API const char *rung_body_get_uri(const struct rung_response *res);

/* The bytes of a BYTES body, else NULL. */
RUNG_API const void *rung_body_get_bytes(const struct rung_response *res, size_t *ret_size);

/* The path of a FILE body, NULL if unknown or another kind. */
RUNG_API const char *rung_body_get_path(const struct rung_response *res);

/*
 * Puts a filter around the body: `outer` becomes the body, of unknown length, and what was there is returned as a
 * source for outer's read to draw on. Content-Length is dropped and a strong ETag made weak, since the bytes change.
 * Returns NULL, and leaves the response alone, when there is nothing to filter (EMPTY, URI, a reproxy header); NULL
 * with res->error set when memory is out. Ownership: the framework closes outer, then the inner source.
 */
RUNG_API struct rung_source *rung_filter(struct rung_response *res, struct rung_source *outer);

RUNG_END
