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

/*
 * What a client controls, each with its limit. Zero means the default.
 *
 * Times are looked at once a second, so a limit of N seconds cuts N to N + 2 seconds after it began to count, never earlier.
 * Whatever is cut leaves a line in the log that says who, and by which limit.
 */
struct rung_limits {
	int64_t body; /* bytes of a request's body, where no route says otherwise; default 10 MiB; more: 413 */
	size_t body_memory; /* bytes of it kept in memory, beyond which it goes to a file; default 64 KiB, at least 4 KiB */
	size_t connection_memory; /* bytes a connection may use for heads and buffers; default 16 KiB, at least 4 KiB */
	unsigned
		connections; /* at a time, in all; default: the descriptors there are less 64, at most 16384 */
	unsigned queue;      /* requests that wait for a worker; default 1024; more: 503 */
	unsigned drain_seconds; /* how long a stop waits for what is in flight; default 10 */

	/* Heads. connection_memory grows with these two; where it alone is given, they are what it holds. */
	size_t header_bytes; /* of a request's head, from the method to the blank line; default 8 KiB; more: 431 */
	unsigned header_count; /* fields of a head; default 100; more: 431 */
	size_t target;         /* bytes of a request target; default 8000, at most header_bytes; more: 414 */

	/* Connections. */
	/* From one IPv4 address or IPv6 /64, at a time; more: 429 and closed, before anything is read. Unix sockets do not count.
	 * Default: a quarter of `connections`, so that no single client takes all there are and yet a proxy gets
	 * enough; none while the server listens on loopback alone, where whoever connects is on this machine. */
	unsigned connections_per_ip;
	unsigned
		keep_alive_requests; /* of one connection; default 1000; the last answer says that it closes */

	/* Times, in seconds. */
	unsigned
		header_seconds; /* from a connection's begin, later from the first line of a request, to its head's end;
				    default 20; more: 408 where something came, and closed */
	unsigned
		idle_seconds; /* between requests; default 75, beyond the 60 of servers in front; more: closed */
	unsigned
		body_seconds; /* in which a request's body must end or grow by least_rate; default 30; more: 408 */
	unsigned send_seconds; /* in which a client must take what was sent of an answer, or least_rate of it;
				  default 30; more: cut. A stream that has nothing to send is never slow */
	unsigned
		total_seconds; /* for a request with its answer; default none; more: cut, but a handler that is on a
				   worker comes to its end first */
	unsigned least_rate; /* bytes a second, on average over body_seconds or send_seconds, default 500;
				RUNG_UNLIMITED: any progress will do */

	unsigned
		hops; /* redispatches one inside the other, for layers that do not say; default 10, at most 50; more: 502 */
};

/* PEM files. */
struct rung_tls_files {
	const char *
		cert; /* the server's certificate, and behind it those that lead up to one that clients know; NULL: no TLS */
	const char *key; /* its private key; default: in .cert */
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
	const char *
		spool; /* the folder for large request bodies; default TMPDIR in the environment, else /tmp */
	const struct rung_setup *setup; /* authorities and is_public are filled in when they are not given */
	struct rung_limits limits;
	/* Addresses, NULL-ended, at most 32: "127.0.0.1:8080", "[::1]:8080", "::1", "localhost:0", or "unix:/run/app.sock".
	 * The file of a Unix socket takes the place of one that nobody serves any more, and is removed at the end. */
	const char *const *listen;
	unsigned unix_mode; /* permissions of these files; default 0660 */
	/* With it TCP is TLS (1.2 or 1.3, HTTP/1.1 by ALPN), but for addresses that begin with "http://". Unix sockets and
	 * rung_server_add() are never TLS. */
	struct rung_tls_files tls;
	/* Listening sockets that are there already, such as systemd's, ended by -1; taken, also on failure. They serve for
	 * the addresses named above that are theirs, and beside those. Whoever lent them keeps them: what waits in their
	 * queues at the end is left for the next process. */
	const int *inherit;
	/* The path of a Unix socket by which one process takes over from another, both of one user and started with the same
	 * path. The new one gets the listening sockets of those addresses that both have and serves them; only then does the
	 * old one drain, and on_handed_over is called, on a thread of the server's own: time to destroy it. If the new one
	 * does not come so far, the old one goes on. NULL: nobody takes over. */
	const char *takeover;
	void (*on_handed_over)(void *data);
	void *on_handed_over_data;
};

/*
 * Binds, starts the stack and serves. Returns NULL, with a message for rung_error(), when an address cannot be had,
 * the stack does not start, or memory is out; the app is then dropped.
 */
RUNG_API RUNG_MUST_USE struct rung_server *rung_server_open(const struct rung_server_options *options);
#define rung_server_new(...)                                  \
	rung_server_open(&(const struct rung_server_options){ \
		.size = sizeof(struct rung_server_options), __VA_ARGS__ })

/*
 * Writes the address at which a server in front would reach one with these options, without TLS: "127.0.0.1:8080",
 * "unix:/run/app.sock", NUL-terminated. Opens nothing. Returns 0; -EINVAL, refused, when an address is none, all of them
 * are TLS, or the port is 0 and thus not known yet.
 */
RUNG_API RUNG_MUST_USE int rung_server_plain_address(
	const struct rung_server_options *options, char *buffer, size_t room);

/* The first port it listens on, 0 where there are Unix sockets alone; its first address as a URL, "http://127.0.0.1:8080/"
 * or "unix:/run/app.sock"; and all of them, NULL-ended. */
RUNG_API unsigned rung_server_port(const struct rung_server *server);
RUNG_API const char *rung_server_url(const struct rung_server *server);
RUNG_API const char *const *rung_server_urls(const struct rung_server *server);

/* Serves one end of a connected stream socket, such as a socketpair's, as if it had been accepted. Takes the
 * descriptor, also on failure. Returns 0 or a negative errno. Threads: any, until the server is being destroyed. */
RUNG_API int rung_server_add(struct rung_server *server, int fd);

/*
 * Reads the files of .tls again, for connections to come; those there are go on. Returns 0; -ENOTSUP without TLS; another
 * negative errno when they are no good, and a line in the log: then the old ones stay. Threads: any, until the server is
 * being destroyed.
 */
RUNG_API int rung_server_reload(struct rung_server *server);

/*
 * Begins the end and returns at once: connections that have come are still accepted, new ones are not; idle ones are closed
 * after half a second in which a request would still be answered; answers in flight are finished up to limits.drain_seconds,
 * say "Connection: close", and streams are told; then what is left is cut. A second call does nothing.
 * Threads: any, until the server is being destroyed.
 */
RUNG_API void rung_server_drain(struct rung_server *server);

/* The same without patience: cuts what is in flight now, also during a drain. */
RUNG_API void rung_server_cut(struct rung_server *server);

/* Nobody is served any more; rung_server_destroy() has nothing left to wait for but workers and the stack's stop. */
RUNG_API bool rung_server_has_ended(const struct rung_server *server);

/* Drains, waits for the end of it, stops the stack and drops it. NULL does nothing. Returns how many requests were cut. */
RUNG_API unsigned rung_server_destroy(struct rung_server *server);

RUNG_END
