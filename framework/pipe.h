/*
 * pipe.h: a body that is written: bytes go in on any thread and come out at the client. A pipe holds so much and no more, so
 * a slow client makes its writer wait, or be told that it is full; and a writer learns when the client has gone.
 *
 *	struct rung_pipe *pipe = rung_pipe_new();
 *	rung_reply_pipe(res, 200, "text/plain", pipe);
 *	give_to_some_thread(pipe);          // which calls rung_pipe_write() and, at the end, rung_pipe_close()
 *
 * Rack: streaming bodies (an object that responds to `call`).
 */
#pragma once

#include <rung/api.h>

RUNG_BEGIN

struct rung_pipe;
struct rung_response;

/* Zero means the default. */
struct rung_pipe_options {
	size_t size;
	size_t room; /* bytes that it holds; default 64 KiB */
	/* It has no end of its own, as a stream of events has none: when the server stops, the body ends behind what is in it, and
	 * writers get -ESHUTDOWN. Other pipes are left to end by themselves, up to the deadline. */
	bool endless;
};

/* Returns NULL when memory is out. Ownership: the writer's, given back by rung_pipe_close() or rung_pipe_abort(). */
RUNG_API RUNG_MUST_USE struct rung_pipe *rung_pipe_open(const struct rung_pipe_options *options);
#define rung_pipe_new(...) \
	rung_pipe_open(    \
		&(const struct rung_pipe_options){ .size = sizeof(struct rung_pipe_options), __VA_ARGS__ })

/*
 * Makes the reading end the body of a response, once. Returns 0; else, as other setters, an error that sticks: -EINVAL for NULL,
 * -EBUSY when it is a body already, -ENOMEM; then its writers get -EPIPE.
 * Ownership: the writing end stays whose it was.
 */
RUNG_API int rung_body_pipe(struct rung_response *res, struct rung_pipe *pipe);
RUNG_API int rung_reply_pipe(
	struct rung_response *res, int status, const char *content_type, struct rung_pipe *pipe);

/*
 * Writes everything, and waits for room as long as that takes; a client that takes nothing is cut by the server after a while.
 * Returns 0; -EPIPE when the client has gone; -ESHUTDOWN when the server stops, for an endless one; -EDEADLK instead of
 * waiting on a thread that must not: in a handler, on an event loop. On failure a part may have been written.
 * Threads: any; what one call writes stays together only with rung_pipe_offer().
 */
RUNG_API int rung_pipe_write(struct rung_pipe *pipe, const void *bytes, size_t size);

/*
 * Writes all of it or nothing, and never waits. Returns as rung_pipe_write() does; -EAGAIN when there is no room for it now,
 * -EMSGSIZE when there never will be. Threads: any.
 */
RUNG_API int rung_pipe_offer(struct rung_pipe *pipe, const void *bytes, size_t size);

/* True when the client has gone, or the response with this body was replaced. Threads: any. */
RUNG_API bool rung_pipe_is_gone(struct rung_pipe *pipe);

/* The end of the body; and, with a negative errno, a body that broke: the client sees that it is not whole. Both give the writing
 * end back, so that the pipe must not be used any more; NULL does nothing. Threads: any. */
RUNG_API void rung_pipe_close(struct rung_pipe *pipe);
RUNG_API void rung_pipe_abort(struct rung_pipe *pipe, int err);

RUNG_END
