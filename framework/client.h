/*
 * client.h: the in-process client: the same contract as a socket's, without port or thread. For tests, and for
 * programs that want an answer of their own stack.
 *
 * Rack: Rack::MockRequest and MockResponse, with Rack::Test's cookie jar.
 */
#pragma once

#include <rung/api.h>
#include <rung/app.h>
#include <rung/env.h>
#include <rung/headers.h>

RUNG_BEGIN

struct rung_client;

/* Zero means the default. */
struct rung_client_options {
	size_t size;
	struct rung_app *app; /* positional in the macro; taken */
	const struct rung_setup
		*setup;   /* what the stack is started with; default: listening on "localhost" */
	const char *host; /* Host of requests that give none; default "localhost" */
	bool no_cookies;  /* no jar: Set-Cookie is only shown */
};

/* Takes the stack and starts it. Returns NULL, with a message for rung_error(), when the app is NULL or open, does
 * not start, or memory is out; the app is then dropped. */
RUNG_API RUNG_MUST_USE struct rung_client *rung_client_open(const struct rung_client_options *options);
#define rung_client_new(...)                                  \
	rung_client_open(&(const struct rung_client_options){ \
		.size = sizeof(struct rung_client_options), __VA_ARGS__ })

/* Aborts what is open, stops the stack and drops it. NULL does nothing. */
RUNG_API void rung_client_destroy(struct rung_client *client);

struct rung_client_request {
	size_t size;
	const char *method;               /* positional in the macro */
	const char *target;               /* positional: any form of RFC 9112 section 3.2 */
	const struct rung_field *headers; /* ended by { 0 }; NULL: none */
	const void *body; /* Content-Length is added, unless Transfer-Encoding says that it came in chunks */
	size_t body_size; /* 0: strlen(body) */
	const char *content_type; /* of the body: a Content-Type field; NULL: none is added */
	const char *
		form; /* instead of body: "a=1&b=2", as application/x-www-form-urlencoded unless content_type says otherwise */
};

/* An answer, valid until the client's next request. */
struct rung_reply {
	int status;
	const char *body; /* a NUL follows */
	size_t size;      /* of the body, bytes */
	enum rung_outcome outcome;

	/* private */
	struct rung_client *client_;
};

/* The first field of that name, without regard to case, or NULL; and field number `index`, or NULL past the last. */
RUNG_API const char *rung_reply_header(const struct rung_reply *reply, const char *name);
RUNG_API const struct rung_field *rung_reply_field(const struct rung_reply *reply, size_t index);

/*
 * Sends a request and reads the whole answer. Never NULL: a request that a server would refuse by itself (a bad
 * target, no Host) gives that 400; when memory is out the status is 503.
 * A body that says "not yet" is asked again; see rung_client_start() to step.
 */
RUNG_API const struct rung_reply *rung_client_request(
	struct rung_client *client, const struct rung_client_request *request);
#define rung_client_send(client, ...)                                    \
	rung_client_request(client, &(const struct rung_client_request){ \
					    .size = sizeof(struct rung_client_request), __VA_ARGS__ })
RUNG_API const struct rung_reply *rung_client_get(struct rung_client *client, const char *target);

/* Sends a request and gives the head of the answer: body and size are empty, rung_client_read() has the body. */
RUNG_API const struct rung_reply *rung_client_start(
	struct rung_client *client, const struct rung_client_request *request);

/* The next bytes of the body. Returns how many, 0 at the end (the request is then finished), -EAGAIN when the body has
 * none yet, else the body's error. */
RUNG_API ssize_t rung_client_read(struct rung_client *client, void *buffer, size_t max);

/*
 * After -EAGAIN: waits until the body may have more, at most `timeout_ms` milliseconds, -1: without end. Returns 0, also
 * for a body that nobody can wake, after a millisecond; -ETIMEDOUT.
 */
RUNG_API int rung_client_wait(struct rung_client *client, int timeout_ms);

/* Leaves, as a client does that closes its connection: the body is closed, finish hooks hear RUNG_ABORTED. */
RUNG_API void rung_client_abort(struct rung_client *client);

/* The value the jar would send for a cookie to the path "/", or NULL; and forgets every cookie. */
RUNG_API const char *rung_client_cookie(const struct rung_client *client, const char *name);
RUNG_API void rung_client_forget_cookies(struct rung_client *client);

RUNG_END
