/*
 * server_private.h: private: the parts of the server. server.c makes and ends it, server_listen.c has the sockets,
 * server_loop.c one event loop, server_answer.c what libmicrohttpd calls for a request, server_guard.c what of it is
 * refused, server_send.c its answer.
 *
 * Everything of a loop belongs to its thread: its connections, its exchanges, its memory. Other threads reach it
 * through its pipe alone.
 */
#pragma once

#include "request.h"
#include <rung/server.h>

#include <microhttpd.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>

enum {
	RUNG_IN_ONE_BUFFER = 64 * 1024, /* files up to here leave in one send, larger ones by sendfile */
	RUNG_STREAM_BLOCK = 32 * 1024,  /* what a PULL body is asked for at a time */
	RUNG_KEPT_EXCHANGES = 256,      /* of a loop, for requests to come */
	RUNG_RETRY_MS = 10,             /* how often a body that said "not yet" is asked again */
	RUNG_LOOK_MS = 500,             /* how often files that are being sent are looked at */
};

/* A client's connection, as long as it lasts. */
struct connection {
	struct connection *next, **place;
	int fd;
	struct exchange *exchange; /* the request under way, or NULL: idle */
};

/* A request and its answer on their way; recycled by its loop. */
struct exchange {
	struct rung_request request;
	struct loop *loop;
	struct connection *connection; /* NULL when there was no memory for one */
	struct MHD_Connection *mhd;
	struct exchange *next;                    /* free ones, or those that wait for their body */
	struct exchange *next_file, **file_place; /* those whose file libmicrohttpd sends; NULL: it is none */
	int file;                                 /* libmicrohttpd's */
	int64_t file_end;                         /* how long the file must stay, in bytes */
	struct rung_raw_target target;            /* inside libmicrohttpd's buffer */
	char cut;                                 /* the byte that was overwritten behind its "?" */
	const char *next_field;                   /* where the next one must begin */
	const char *wrong;                        /* what the guard found, or NULL */
	bool is_begun, is_run, is_head;
	bool is_waiting; /* suspended, in its loop's list */
	bool is_broken;  /* its body, of request or answer, went wrong */
	bool is_cut;     /* the drain's deadline found it unfinished */
	char *input;
	size_t input_size, input_room;
	struct rung_response *response;
	int status;
	int64_t length; /* of the body as announced, -1: unknown */
	int64_t sent;   /* of a PULL body */
};

struct loop {
	struct rung_server *server;
	struct MHD_Daemon *daemon;
	pthread_t thread;
	bool is_running;
	int listen_fd;
	int pipe[2];          /* numbers: a descriptor to serve, or WAKE */
	atomic_bool has_mail; /* there may be a number in the pipe: spares a read a turn */
	struct rung_arena_pool pool;
	struct exchange *free;
	unsigned free_count;
	struct exchange *waiting;
	struct exchange *files;    /* those whose file is being sent */
	struct timespec next_look; /* at these */
	struct connection *connections;
	unsigned connection_count;
	bool is_draining;
	bool has_told; /* of a refusal that libmicrohttpd is about to tell of */
	unsigned cut; /* requests that the deadline cut */
};

struct rung_server {
	struct rung_app *app;
	struct rung_site site;
	struct rung_limits limits;
	struct loop *loops;
	unsigned loop_count;
	atomic_uint next_loop; /* for rung_server_add() */
	atomic_bool is_stopping;
	struct timespec deadline; /* once is_stopping */
	unsigned port;
	bool is_public;
	bool knows_layout; /* of libmicrohttpd's heads */
	char url[80];
	char authority_text[4][72];
	const char *authorities[5];
	bool is_started; /* the stack is */
};

/* -- server_listen.c ------------------------------------------------------------------------------------------- */

/* Opens a listening socket for each loop, all on one port, and fills the server's port, url and authorities.
 * Returns 0 or a negative errno, refused with a message. */
int rung_server_listen(struct rung_server *server, const char *address, unsigned port);

/* -- server_loop.c --------------------------------------------------------------------------------------------- */

int rung_loop_open(struct loop *loop);  /* makes daemon and pipe; refused with a message */
int rung_loop_start(struct loop *loop); /* its thread */
int rung_loop_send(struct loop *loop, int number);
enum { RUNG_LOOP_WAKE = -1 };
void rung_loop_close(struct loop *loop); /* joins the thread, frees everything */

/* -- server_answer.c: libmicrohttpd's callbacks ------------------------------------------------------------------ */

void *rung_answer_target(void *loop, const char *target, struct MHD_Connection *mhd);
enum MHD_Result rung_answer(void *loop, struct MHD_Connection *mhd, const char *url, const char *method,
	const char *version, const char *upload, size_t *upload_size, void **exchange);
void rung_answer_done(
	void *loop, struct MHD_Connection *mhd, void **exchange, enum MHD_RequestTerminationCode why);

/* -- server_guard.c ---------------------------------------------------------------------------------------------- */

/* Logs, and mends, what libmicrohttpd says when it refuses a request by itself. */
void rung_guard_listen(void *loop, const char *format, va_list arguments);

/* True when the pieces of a head lie where this libmicrohttpd is known to leave them. */
bool rung_guard_knows_layout(void);

/* Called with the head's line, with each field, and at the end: set exchange->wrong where it is no request. */
void rung_guard_begin(struct exchange *exchange, const char *method, const char *version);
void rung_guard_field(
	struct exchange *exchange, const char *name, size_t name_size, const char *value, size_t *value_size);
void rung_guard_end(struct exchange *exchange, const char *method);

/* -- server_send.c --------------------------------------------------------------------------------------------- */

/* Queues the response; in its place a 500 or 503 without a body when it cannot be sent. MHD_NO closes the connection. */
enum MHD_Result rung_server_send(
	struct exchange *exchange, struct MHD_Connection *mhd, struct rung_response *res);

/* Asks a body again that was not there yet. */
void rung_answer_resume(struct exchange *exchange);

/* Cuts the connections whose file has become shorter than what was promised of it: sendfile() then sends nothing, and
 * libmicrohttpd would wait for ever. */
void rung_look_at_files(struct loop *loop);
void rung_forget_file(struct exchange *exchange);
