/*
 * upstream_private.h: private: the parts of upstream. upstream.c is the app; origin.c where it forwards to; allow.c what URIs may name;
 * request.c what is sent; answer.c what comes back; transfer.c one request to a backend, between the thread that asks and the one that
 * carries; engine.c the thread that carries all of them; message.c what of HTTP goes over a connection, and chunks.c of it the chunked
 * coding; channel.c connections that are kept; dial.c how libcurl makes them.
 *
 * libcurl finds, connects and secures; the messages are ours. Its own cost 10 us a request where all else of a request takes 14, and it
 * takes heads for good that can be read in two ways, so that they were read here anyway.
 */
#pragma once

#include "../../framework/ring.h"
#include <rung/body.h>
#include <rung/env.h>
#include <rung/response.h>
#include <rung/upstream.h>
#include <rung/uri.h>
#include <rung/wake.h>

#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>

struct sockaddr;
struct upstream;
struct engine;
struct channel;
struct dial;
struct place;

enum {
	UPSTREAM_ORIGINS = 32,
	UPSTREAM_RING = 64 * 1024,  /* bytes of an answer between the backend and the client */
	UPSTREAM_INPUT = 64 * 1024, /* bytes of a request's body that goes by */
	UPSTREAM_PIECE = 16 * 1024, /* of these, read at a time */
	UPSTREAM_FRONT = 8,         /* room before a piece for a chunk's size and its line's end */
	UPSTREAM_BACK = 8,          /* and behind it, for its end and the last chunk */
	UPSTREAM_FIELDS = 100,      /* of an answer's head */
	UPSTREAM_DOWN_MS = 10000,   /* how long a backend that failed is tried last */
	UPSTREAM_WALK_MS = 250,     /* how often transfers are looked at for what takes too long */
	UPSTREAM_READ = 32 * 1024,  /* bytes that are read from a backend at a time; fits into the ring */
	UPSTREAM_LEAST = 4 * 1024,  /* room in the ring that is worth a read */
	UPSTREAM_EXTENSION = 1024,  /* bytes of a chunk's line */
	UPSTREAM_WHY = 256,
};

/* -- origin.c -------------------------------------------------------------------------------------------------- */

/* A backend of .to. */
struct origin {
	char *url;               /* scheme and authority, with "/" behind it */
	char *text;              /* for messages */
	char *local;             /* path of a Unix socket; NULL: TCP */
	char *authority;         /* "HOST:PORT" */
	char *host;              /* what Host says: without the scheme's own port */
	struct place *place;     /* the engine's alone: its connections; NULL: none yet */
	atomic_llong down_until; /* rung_upstream_clock() */
};

struct origins {
	struct origin *list;
	unsigned count;
	char *path;       /* of all of them, in place of the script name, "" or "/v2"; NULL: they have none */
	atomic_uint next; /* whose turn it is */
};

/* Reads .to. Returns 0 or a negative errno, refused with a message. */
int rung_upstream_origins_parse(const char *text, struct origins *ret_origins);
void rung_upstream_origins_free(struct origins *origins);

/* The next one to try of those that are not in the set yet, which it joins; the first of all at `first`. NULL: all were tried. */
struct origin *rung_upstream_origin_pick(struct origins *origins, unsigned first, uint32_t *tried);

/* -- allow.c --------------------------------------------------------------------------------------------------- */

struct allow_entry;

struct allow {
	struct allow_entry *list;
	unsigned count;
};

/* Reads .allow. Returns 0 or a negative errno, refused with a message. */
int rung_upstream_allow_parse(const char *const *texts, struct allow *ret_allow);
void rung_upstream_allow_free(struct allow *allow);

/* True when a URI may name this host, in brackets where it is IPv6's. */
bool rung_upstream_allow_host(const struct allow *allow, const char *host, size_t size, unsigned port);

/* True when this address may be connected to. */
bool rung_upstream_allow_address(const struct allow *allow, const struct sockaddr *address);

/* -- chunks.c ---------------------------------------------------------------------------------------------------- */

enum chunk_state {
	CHUNK_SIZE,
	CHUNK_EXTENSION,
	CHUNK_SIZE_END,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_TRAILER, /* the begin of a line behind the last chunk */
	CHUNK_TRAILER_LINE,
	CHUNK_LAST_LF,
	CHUNK_OVER,
};

/* How far the chunked coding of a body has been read; all zero at its begin. */
struct chunks {
	enum chunk_state state;
	uint64_t left;   /* bytes of the chunk */
	unsigned digits; /* of its size */
	size_t passed;   /* bytes of a chunk's line, or of all trailers */
};

/*
 * Undoes the coding in place (RFC 9112 section 7.1): moves the body's bytes, *ret_kept of them, to the front of those given. Extensions
 * and trailers are passed over. *ret_used is how many bytes were looked at: less than `size` once it is over. Returns 0, or -EBADMSG for
 * what is no coding, or has more than UPSTREAM_EXTENSION bytes of the one or `most_trailers` of the other; what was good before that
 * counts.
 */
int rung_upstream_chunks_take(struct chunks *chunks, char *bytes, size_t size, size_t most_trailers,
	size_t *ret_used, size_t *ret_kept);

/* -- transfer.c ------------------------------------------------------------------------------------------------- */

/* What is asked of the engine for a transfer. */
enum ask {
	UPSTREAM_START = 1,
	UPSTREAM_CANCEL = 2,
	UPSTREAM_DRAIN = 4, /* there is room for more of the answer */
	UPSTREAM_FEED = 8,  /* there is more of the request's body, or its end */
};

/* Where the answer's next byte belongs. */
enum framing {
	UPSTREAM_IN_HEAD,
	UPSTREAM_LENGTH, /* the body, of which the length is told */
	UPSTREAM_CHUNKS,
	UPSTREAM_TO_END, /* the body, which the connection's end ends */
	UPSTREAM_WHOLE,
};

/*
 * One request to a backend and its answer. Its asker, the thread that handles the request or reads the answer's body, fills the first
 * part before it starts, and gives the whole back when it is done; in between the engine's thread owns what is not under the lock.
 */
struct transfer {
	struct upstream *upstream;
	struct transfer *next; /* free ones */

	/* the request; all of it outlives the transfer */
	struct rung_env *env;
	const char *url; /* for a URI's; else the origin's counts */
	struct origin *origin;
	unsigned first_origin;
	uint32_t tried;
	bool is_repeatable, is_head;
	struct iovec parts[4]; /* up to Host's value, that, the rest of the head, a body that is in memory */
	const char *host;      /* in place of the origin's; NULL: there is none */
	bool streams_input, is_chunked_input;
	char *piece; /* room for one of UPSTREAM_PIECE bytes of what goes by, with the chunk around it */

	/* mail for the engine */
	atomic_uint asks;
	struct transfer *next_mail;

	/* the engine's alone */
	struct transfer *before, *after; /* those under way */
	struct transfer *next_news;
	bool is_started, has_news;
	bool is_connected; /* the request goes, or went, over a connection that was had */
	bool is_refused;   /* an address may not be connected to */
	bool wants_new;    /* a kept connection has failed it */
	bool is_over;
	struct channel *channel; /* NULL: it has none yet, or no more */
	int64_t moved;           /* rung_upstream_clock() when something came or went */

	/* the request on its way; the engine's too */
	size_t sent;                 /* bytes of the parts */
	size_t piece_at, piece_size; /* bytes of the piece that are sent, and in it */
	bool has_taken;              /* of the body that goes by: it cannot be sent again */
	bool has_last;               /* the piece is the last one */
	bool is_blocked;             /* the connection takes no more at the moment */
	bool is_sent, sends_no_more; /* all of it; as much as there is a use for */

	/* the answer on its way; the engine's too */
	enum framing framing;
	bool has_answered;                   /* a byte came */
	bool is_closing, is_keeping, is_old; /* by Connection; HTTP/1.0 */
	int64_t left;                        /* of the body, where its length is told */
	struct chunks chunks;
	char *line; /* the begin of a line of the head */
	size_t line_size;
	size_t head_total; /* bytes of heads, also of those that were passed over */
	unsigned field_count;
	bool has_line, has_length, has_coding;

	/* under the lock */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_waiting; /* the asker, on changed */
	bool has_head;
	bool is_ready;    /* the asker has been told of the head, or the end */
	bool is_done;     /* the engine knows it no more */
	bool is_taken;    /* the answer's body has a reader */
	bool is_starving; /* that was told "not yet" */
	bool is_paused;   /* the ring was full */
	bool is_hungry;   /* the request's body had no more */
	bool input_ended;
	int input_err;
	int err; /* why it failed, or 0 */
	char why[UPSTREAM_WHY];
	int status;
	int64_t length; /* of the body, as told; -1: not told */
	size_t head_size;
	char *head; /* of each field its name, NUL, its value, NUL */
	struct rung_ring ring;
	struct rung_ring input;
	struct rung_waker *waker;
	struct rung_source source;
};

/* Takes one, pristine. Returns 0; -EBUSY when there are too many; -ENOMEM. */
int rung_upstream_transfer_take(struct upstream *upstream, struct transfer **ret_transfer);

/* Gives it back: one that is under way is cut off first. */
void rung_upstream_transfer_give(struct transfer *transfer);
void rung_upstream_transfer_free(struct transfer *transfer);

/* Sends it off. The handle has been set. */
void rung_upstream_transfer_start(struct transfer *transfer);

/* Sends the request's body on, as it comes, to its end or until it is of no use. Returns 0 or what reading it gave. */
int rung_upstream_transfer_feed(struct transfer *transfer, struct rung_env *env);

/* Waits for the answer's head, or the end. */
void rung_upstream_transfer_wait(struct transfer *transfer);

/* Records the first reason; the lock is held. */
void rung_upstream_transfer_fail(struct transfer *transfer, int err, const char *format, ...)
	RUNG_PRINTF(3, 4);

/* -- request.c --------------------------------------------------------------------------------------------------- */

/* Writes the request, but for the origin's Host. Returns 0 or what the link shall make of it. */
int rung_upstream_request_set(struct transfer *transfer, struct rung_env *env);

/* Has it go to the transfer's origin. */
void rung_upstream_request_aim(struct transfer *transfer);

/* True for fields that concern one connection alone. */
bool rung_upstream_is_hop_by_hop(const struct rung_field *field);

/* -- answer.c ---------------------------------------------------------------------------------------------------- */

/* Takes a line of a head, with its end. On the engine's thread. Returns 0, or a negative errno once it has been told why. */
int rung_upstream_answer_line(struct transfer *transfer, const char *line, size_t size);

/* Makes the response of a transfer that has a head. Takes the transfer, also on failure. Returns 0 or a negative errno. */
int rung_upstream_answer(struct transfer *transfer, struct rung_env *env, struct rung_response *res);

/* -- message.c: on the engine's thread --------------------------------------------------------------------------- */

/* Sends the request, or what of it can be sent now. May end the transfer. */
void rung_upstream_message_send(struct transfer *transfer);

/* Reads what there is of the answer. May end the transfer. */
void rung_upstream_message_receive(struct transfer *transfer);

/* Takes bytes of the answer, no more than fit into the ring, and changes them. Returns 0, or a negative errno once it has been told why;
 * *ret_used is how many were looked at: less than `size` once the answer is whole. */
int rung_upstream_message_take(struct transfer *transfer, char *bytes, size_t size, size_t *ret_used);

/* -- channel.c: on the engine's thread --------------------------------------------------------------------------- */

enum { CHANNEL_IN = 1, CHANNEL_OUT = 2 };

/* A connection to a backend. */
struct channel {
	struct engine *engine;
	struct place *place;         /* where it leads to */
	struct transfer *transfer;   /* NULL: it is kept */
	struct dial *dial;           /* while it is made, and over TLS as long as it lasts; else NULL */
	int fd;                      /* -1: it is being made */
	unsigned wants;              /* CHANNEL_... */
	bool is_used;                /* it has carried an answer */
	int64_t since;               /* rung_upstream_clock() when it was put by */
	struct channel *next, *prev; /* those that are kept, the one that was used last first */
	struct channel *next_here, *prev_here; /* of these the place's */
};

/* Gives the transfer a connection: one that is kept, or one that is being made, whose fd is -1 yet. Returns 0 or -ENOMEM. */
int rung_upstream_channel_get(struct transfer *transfer);

/* Its transfer has done with it, and another one may use it; or closes it. Either way the transfer has none then. */
void rung_upstream_channel_keep(struct channel *channel);
void rung_upstream_channel_close(struct channel *channel);

/* As readv and writev of a socket that does not block. Returns bytes, 0 at the end, or a negative errno. */
ssize_t rung_upstream_channel_read(struct channel *channel, void *buffer, size_t max);
ssize_t rung_upstream_channel_write(struct channel *channel, const struct iovec *parts, int count);

/* True when nothing waits to be read from it. */
bool rung_upstream_channel_is_quiet(struct channel *channel);

/* What of it shall call the engine. Returns 0 or a negative errno. */
int rung_upstream_channel_watch(struct channel *channel, unsigned wants);

/* Closes those that nobody used for long, and at the end all. Milliseconds until there is one to close; -1: none is kept. */
void rung_upstream_channels_age(struct engine *engine, int64_t now);
void rung_upstream_channels_close(struct engine *engine);
int64_t rung_upstream_channels_patience(const struct engine *engine);

/* -- dial.c: on the engine's thread ------------------------------------------------------------------------------ */

/* Begins to make the channel's connection. Returns 0 or -ENOMEM. */
int rung_upstream_dial_begin(struct channel *channel, const char *url, const char *local);

/* Ends it, and over TLS the connection. */
void rung_upstream_dial_end(struct channel *channel);

/* Something happened at a socket of its. */
void rung_upstream_dial_event(struct dial *dial, int fd, unsigned events);

/* Over TLS. As those of channels. */
ssize_t rung_upstream_dial_read(struct dial *dial, void *buffer, size_t max);
ssize_t rung_upstream_dial_write(struct dial *dial, const void *bytes, size_t size);

/* Calls libcurl when it wants to be called; milliseconds until then, -1: it does not. */
void rung_upstream_dials_in_time(struct engine *engine);
int64_t rung_upstream_dials_patience(const struct engine *engine);

/* Returns 0 or -ENOMEM. */
int rung_upstream_dials_open(struct engine *engine);
void rung_upstream_dials_close(struct engine *engine);

/* -- engine.c ---------------------------------------------------------------------------------------------------- */

struct engine {
	struct upstream *upstream;
	pthread_t thread;
	int epoll_fd, wake_fd;
	_Atomic(struct transfer *) mail; /* newest first */
	atomic_bool is_ending;
	int64_t next_walk;
	struct transfer *active, *news;
	struct channel **sockets; /* by descriptor; NULL: nobody knows it */
	size_t socket_room;
	struct place *places;
	struct channel *kept; /* those that nobody uses */
	unsigned kept_count;
	struct dial *dialing, *free_dials;
	unsigned free_count;
	void *share; /* libcurl's: names that were found, sessions of TLS */
	char buffer[UPSTREAM_READ];
};

/* Starts its thread. Returns 0 or a negative errno, refused with a message. */
int rung_upstream_engine_start(struct upstream *upstream, struct engine **ret_engine);
void rung_upstream_engine_stop(struct engine *engine);

/* Threads: any. For a transfer that has begun only under its lock, while it is not done. */
void rung_upstream_engine_ask(struct engine *engine, struct transfer *transfer, unsigned asks);

/* On the engine's thread, all the rest: something of the transfer is to be told to its asker at the end of this turn. */
void rung_upstream_engine_note(struct transfer *transfer);

/* A transfer is over, with the error that it has or without one; or with this one. */
void rung_upstream_engine_end(struct transfer *transfer);
void rung_upstream_engine_fail(struct transfer *transfer, int err, const char *format, ...) RUNG_PRINTF(3, 4);

/* A kept connection has failed a request that may be sent again: over one that is made for it. */
void rung_upstream_engine_again(struct transfer *transfer);

/* The connection that was made for a transfer is there; or cannot be had: then another backend may be tried. */
void rung_upstream_engine_reached(struct channel *channel);
void rung_upstream_engine_missed(struct channel *channel, int err, const char *why);

/* Events of this descriptor are the channel's, NULL: nobody's. Returns 0 or -ENOMEM. */
int rung_upstream_engine_know(struct engine *engine, int fd, struct channel *channel);

/* Milliseconds of a clock that never goes back. */
int64_t rung_upstream_clock(void);

/* -- upstream.c -------------------------------------------------------------------------------------------------- */

struct upstream {
	struct rung_app app;
	struct origins origins;
	struct allow allow;
	bool is_remote;
	bool pass_host, trust_forwarded, no_forwarded, stream_input;
	int64_t body_limit;
	char *to, *ca;
	unsigned most_transfers, kept;
	size_t header_bytes;
	long connect_ms, idle_ms, keep_seconds;
	struct engine *engine;
	pthread_mutex_t lock;
	struct transfer *free;
	unsigned taken;
};
