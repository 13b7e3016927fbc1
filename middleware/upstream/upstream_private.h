/*
 * upstream_private.h: private: the parts of upstream. upstream.c is the app; origin.c where it forwards to; allow.c what URIs may name;
 * request.c what is sent; answer.c what comes back; transfer.c one request to a backend, between the thread that asks and the one that
 * carries; curl.c what libcurl calls for it; engine.c the thread that carries all of them.
 */
#pragma once

#include "../../framework/ring.h"
#include <rung/body.h>
#include <rung/env.h>
#include <rung/response.h>
#include <rung/upstream.h>
#include <rung/uri.h>
#include <rung/wake.h>

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>

struct sockaddr;
struct upstream;

enum {
	UPSTREAM_ORIGINS = 32,
	UPSTREAM_RING = 64 * 1024,  /* bytes of an answer between the backend and the client */
	UPSTREAM_INPUT = 64 * 1024, /* bytes of a request's body that goes by */
	UPSTREAM_PIECE = 16 * 1024, /* of these, read at a time */
	UPSTREAM_FIELDS = 100,      /* of an answer's head */
	UPSTREAM_DOWN_MS = 10000,   /* how long a backend that failed is tried last */
	UPSTREAM_WALK_MS = 250,     /* how often transfers are looked at for what takes too long */
	UPSTREAM_METHOD = 32,       /* of a method's name that is remembered */
	UPSTREAM_WHY = 256,
};

/* -- origin.c -------------------------------------------------------------------------------------------------- */

/* A backend of .to. */
struct origin {
	char *url;               /* scheme and authority, with "/" behind it */
	char *text;              /* for messages */
	char *local;             /* path of a Unix socket; NULL: TCP */
	char *authority;         /* "HOST:PORT" */
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

/* -- transfer.c ------------------------------------------------------------------------------------------------- */

/* What is asked of the engine for a transfer. */
enum ask {
	UPSTREAM_START = 1,
	UPSTREAM_CANCEL = 2,
	UPSTREAM_DRAIN = 4, /* there is room for more of the answer */
	UPSTREAM_FEED = 8,  /* there is more of the request's body, or its end */
};

/* How an easy handle is set; so that it is only told what changes. */
enum transfer_mode {
	UPSTREAM_BARE, /* no body either way is out of the usual */
	UPSTREAM_HEAD, /* the answer has none */
	UPSTREAM_BODY, /* the request has one */
};

/*
 * One request to a backend and its answer. Its asker, the thread that handles the request or reads the answer's body, fills the first
 * part before it starts, and gives the whole back when it is done; in between the engine's thread owns what is not under the lock.
 */
struct transfer {
	struct upstream *upstream;
	CURL *easy;
	struct transfer *next; /* free ones */

	/* the request; all of it outlives the transfer */
	struct rung_env *env;
	const char *url; /* for a URI's; else the origin's counts */
	struct origin *origin;
	unsigned first_origin;
	uint32_t tried;
	bool is_repeatable;
	const char *body;
	int64_t body_size; /* -1: not known */
	int64_t body_at;
	bool streams_input;

	/* how the handle is set */
	enum transfer_mode mode;
	bool is_fresh;
	struct origin *set_origin;
	char set_method[UPSTREAM_METHOD];
	char error[CURL_ERROR_SIZE];

	/* mail for the engine */
	atomic_uint asks;
	struct transfer *next_mail;

	/* the engine's alone */
	struct transfer *before, *after; /* those under way */
	struct transfer *next_news;
	bool is_started, has_news;
	bool is_running;   /* libcurl has it */
	bool is_connected; /* the request goes, or went, over a connection that was had */
	bool is_refused;   /* an address may not be connected to */
	bool is_over;
	int64_t moved;     /* rung_upstream_clock() when something came or went */
	size_t head_total; /* bytes of heads, also of those that were passed over */
	unsigned field_count;
	bool has_line, has_length, is_chunked, has_coding;

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

/* Sets the handle for a request. Returns 0 or what the link shall make of it. */
int rung_upstream_request_set(struct transfer *transfer, struct rung_env *env);

/* Has the handle go to the transfer's origin. Returns 0 or -ENOMEM. */
int rung_upstream_request_aim(struct transfer *transfer);

/* True for fields that concern one connection alone. */
bool rung_upstream_is_hop_by_hop(const struct rung_field *field);

/* -- answer.c ---------------------------------------------------------------------------------------------------- */

/* Takes a line of a head, with its end. On the engine's thread. Returns 0, or a negative errno once it has been told why. */
int rung_upstream_answer_line(struct transfer *transfer, const char *line, size_t size);

/* Makes the response of a transfer that has a head. Takes the transfer, also on failure. Returns 0 or a negative errno. */
int rung_upstream_answer(struct transfer *transfer, struct rung_env *env, struct rung_response *res);

/* -- curl.c ------------------------------------------------------------------------------------------------------ */

/* Makes a handle for a transfer. Returns 0 or -ENOMEM. */
int rung_upstream_curl_open(struct transfer *transfer);

/* -- engine.c ---------------------------------------------------------------------------------------------------- */

struct engine;

/* Starts its thread. Returns 0 or a negative errno, refused with a message. */
int rung_upstream_engine_start(struct upstream *upstream, struct engine **ret_engine);
void rung_upstream_engine_stop(struct engine *engine);

/* Threads: any. For a transfer that has begun only under its lock, while it is not done. */
void rung_upstream_engine_ask(struct engine *engine, struct transfer *transfer, unsigned asks);

/* Something of the transfer is to be told to its asker at the end of this turn. */
void rung_upstream_engine_note(struct transfer *transfer);

/* A socket was made, or is about to be closed, by us. */
int rung_upstream_engine_know(struct engine *engine, int fd);
void rung_upstream_engine_forget(struct engine *engine, int fd);

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
