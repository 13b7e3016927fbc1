/*
 * server.h: a stack on a socket. The only part that knows libmicrohttpd.
 *
 * One event loop a core, each a thread with its own epoll. Handlers run on them, so a handler must not wait; or on workers,
 * threads where handlers, bodies that are read, closes and finish hooks may wait as they like, for some microseconds more a
 * request. The
 * library never touches signals: rung_main() does, and whoever embeds a server does it himself.
 */
#pragma once

#include <rung/api.h>
#include <rung/app.h>

RUNG_BEGIN

struct rung_server;

/* What a client controls, each with its limit. Zero means the default. */
struct rung_limits {
	int64_t body; /* bytes of a request's body, where no route says otherwise; default 10 MiB; more: 413 */
	size_t body_memory; /* bytes of it kept in memory, beyond which it goes to a file; default 64 KiB, at least 4 KiB */
	size_t connection_memory; /* bytes a connection may use for heads and buffers; default 16 KiB, at least 4 KiB */
	unsigned
		connections; /* at a time, in all; default: the descriptors there are less 64, at most 16384 */
	unsigned queue;      /* requests that wait for a worker; default 1024; more: 503 */
	unsigned drain_seconds; /* how long a stop waits for what is in flight; default 10 */
};

/* Zero means the default. */
struct rung_server_options {
	size_t size;
	struct rung_app *app; /* positional in the macro; taken */
	const char *bind;     /* an address as in .listen; default "127.0.0.1", unless .listen names some */
	unsigned port;        /* of addresses that name none; 0 picks a free one */
	unsigned loops;       /* event loops; default one a core */
	unsigned
		workers; /* threads for handlers that wait; default 0: none, or 16 where a class has RUNG_BLOCKS */
	const char *spool; /* the folder for large request bodies; default TMPDIR in the environment, else /tmp */
	const struct rung_setup *setup; /* authorities and is_public are filled in when they are not given */
	struct rung_limits limits;
	/* Addresses, NULL-ended, at most 32: "127.0.0.1:8080", "[::1]:8080", "::1", "localhost:0", or "unix:/run/app.sock".
	 * The file of a Unix socket takes the place of one that nobody serves any more, and is removed at the end. */
	const char *const *listen;
	unsigned unix_mode; /* permissions of these files; default 0660 */
};

/*
 * Binds, starts the stack and serves. Returns NULL, with a message for rung_error(), when an address cannot be had,
 * the stack does not start, or memory is out; the app is then dropped.
 */
RUNG_API RUNG_MUST_USE struct rung_server *rung_server_open(const struct rung_server_options *options);
#define rung_server_new(...)                                  \
	rung_server_open(&(const struct rung_server_options){ \
		.size = sizeof(struct rung_server_options), __VA_ARGS__ })

/* The first port it listens on, 0 where there are Unix sockets alone; its first address as a URL, "http://127.0.0.1:8080/"
 * or "unix:/run/app.sock"; and all of them, NULL-ended. */
RUNG_API unsigned rung_server_port(const struct rung_server *server);
RUNG_API const char *rung_server_url(const struct rung_server *server);
RUNG_API const char *const *rung_server_urls(const struct rung_server *server);

/* Serves one end of a connected stream socket, such as a socketpair's, as if it had been accepted. Takes the
 * descriptor, also on failure. Returns 0 or a negative errno. Threads: any, until the server is being destroyed. */
RUNG_API int rung_server_add(struct rung_server *server, int fd);

/*
 * Stops: no connection is accepted any more, idle ones are closed, answers in flight are finished up to the deadline
 * and then cut; stops the stack and drops it. NULL does nothing. Returns how many requests were cut.
 */
RUNG_API unsigned rung_server_destroy(struct rung_server *server);

RUNG_END
