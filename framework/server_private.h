/*
 * server_private.h: private: the parts of the server. server.c makes and ends it, server_listen.c has the addresses it listens
 * on, server_socket.c their sockets, server_accept.c takes connections from them, server_loop.c is one event loop,
 * server_drain.c its end, server_takeover.c the change to another process, server_tls.c certificates, server_answer.c what
 * libmicrohttpd calls for a request, server_guard.c what of it is refused, server_input.c its body, server_send.c its answer,
 * server_body.c the answer's body, server_work.c the workers, server_time.c what takes too long, server_linger.c who sends on when it is answered, server_peers.c how many
 * connections an address has.
 *
 * Everything of a loop belongs to its thread: its connections, its exchanges. Other threads reach it by mail alone. An
 * exchange with a job belongs to a worker until the job comes back as mail.
 */
#pragma once

#include "request.h"
#include "wake_private.h"
#include <rung/server.h>

#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/un.h>
#include <time.h>

enum {
	RUNG_IN_ONE_BUFFER = 64 * 1024, /* files up to here leave in one send, larger ones by sendfile */
	RUNG_STREAM_BLOCK = 32 * 1024,  /* what a PULL body is asked for at a time */
	RUNG_KEPT_EXCHANGES = 256,      /* of a loop, for requests to come */
	RUNG_RETRY_MS = 10,             /* how often a body is asked again that nobody can wake */
	RUNG_LOOK_MS = 500,             /* how often files that are being sent are looked at */
	RUNG_SWALLOW = 8 * 1024 *
		       1024,  /* bytes past a body's limit that are read, and again once the answer is out */
	RUNG_LONG_MS = 50,    /* a handler that holds a loop longer is named in the log */
	RUNG_LINGER_MS = 100, /* how often those are looked at that are answered and still send */
	RUNG_WALK_MS = 1000,  /* how often connections are looked at for what takes too long */
	RUNG_MAX_LISTENERS = 32, /* addresses */
};

union rung_address {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
	struct sockaddr_un local;
};

/* A listening socket. */
struct listen_socket {
	int fd;            /* -1 once it is closed */
	atomic_uint users; /* loops that still accept from it; the last one closes it */
};

/* A listening socket that came from outside: by the options, or from the process that served before. */
struct offer {
	int fd; /* -1 once it is taken */
	union rung_address address;
	socklen_t size;
	bool is_lent, is_taken;
	dev_t dev;
	ino_t ino;
};

/* An address that is listened on, by one socket or, over TCP, mostly by one for each loop. */
struct listener {
	union rung_address address;
	socklen_t address_size;
	struct listen_socket *sockets;
	unsigned socket_count;
	char url[160]; /* "http://127.0.0.1:8080/", "unix:/run/app.sock" */
	bool is_tls;
	bool is_lent;   /* others hold its sockets too: what is in its queue is not lost when we close */
	bool is_handed; /* another process serves it now */
	dev_t dev;      /* of the file of a Unix socket of ours; ino 0: there is none to remove */
	ino_t ino;
};

/* A listening socket as one loop sees it. */
struct acceptor {
	struct listener *listener;
	struct listen_socket *socket;
	bool is_shared; /* other loops accept from it too */
};

/* What server_time.c remembers of a connection from one walk to the next; times in milliseconds of rung_clock(). */
struct patience {
	uint64_t step;    /* where the connection was */
	int64_t since;    /* it is there, or has come on as far as it must */
	int64_t begun;    /* its request */
	uint64_t enough;  /* how far it must come next: bytes of body received, or of the answer taken */
	uint64_t pending; /* bytes of the answer that were on their way */
	bool is_known;    /* it was looked at before */
};

/* A client's connection, as long as it lasts. */
struct connection {
	struct connection *next, **place;
	struct loop *loop;
	int fd;
	struct exchange *exchange; /* the request under way, or NULL: idle */
	bool is_watched;           /* its descriptor is in loop->watch_fd */
	bool has_left;             /* the client has closed its sending half */
	bool is_cut;               /* it took too long */
	bool is_unix;              /* no TCP, which could tell what the client has taken */
	struct MHD_Connection *mhd;
	struct peer *peer; /* whose connections are counted; NULL: they are not */
	unsigned requests; /* that have ended */
	uint64_t received; /* bytes of requests' bodies */
	struct patience patience;
	int64_t idle_end; /* while the loop drains: until when it is kept idle; 0: not known yet */
	bool is_ended;    /* its input is */
	bool lingers;     /* its client was answered while it sent */
	bool is_tls;
	struct tls_pair *pair; /* the certificate it began with; NULL: none yet */
	struct connection *next_left,
		**left_place; /* those whose leaving is still to be told; NULL: it is none */
};

/* What a worker does with an exchange. */
enum job {
	RUNG_JOB_NONE,
	RUNG_JOB_RUN,    /* the chain */
	RUNG_JOB_READ,   /* a piece of the answer's body */
	RUNG_JOB_FINISH, /* closes and hooks */
};

/* A request and its answer on their way; recycled by its loop. */
struct exchange {
	struct rung_request request;
	struct loop *loop;
	struct connection *connection; /* NULL once libmicrohttpd is done with the request */
	struct MHD_Connection *mhd;
	struct exchange *next; /* free ones, or those whose body is asked again after a while */
	struct exchange *next_file, **file_place; /* those whose file libmicrohttpd sends; NULL: it is none */
	int file;                                 /* libmicrohttpd's */
	int64_t file_end;                         /* how long the file must stay, in bytes */
	struct rung_raw_target target;            /* inside libmicrohttpd's buffer, or a copy of it */
	char cut;                                 /* the byte that was overwritten behind its "?" */
	const char *next_field;                   /* where the next one must begin */
	const char *wrong;                        /* what the guard found, or NULL */
	bool is_begun, is_run, is_head;
	bool is_suspended;   /* libmicrohttpd leaves it alone until it is resumed */
	bool is_waiting;     /* for its body to have more */
	bool is_polled;      /* in its loop's list of those that nobody can wake */
	bool is_broken;      /* its body, of request or answer, went wrong */
	bool is_cut;         /* the drain's deadline found it unfinished */
	bool is_given_up;    /* its answer waited for more, and its client has left */
	bool is_arriving;    /* its request's body is not whole yet */
	bool answers_large;  /* some app answers 413 to a body past the limit */
	bool is_unread;      /* the chain runs without the body, and the connection ends with the answer */
	bool is_refused;     /* the answer is ours, not the chain's */
	bool has_wake;       /* one came while a worker asked the body */
	bool is_over;        /* a worker has read the body to its end */
	int64_t input_size;  /* bytes of the request's body that came, kept or not */
	int64_t input_limit; /* those that are kept */
	int input_err;       /* why they could not be kept, or 0 */
	struct rung_stream *stream;   /* a body that goes by; NULL: it is kept */
	struct rung_mail stream_mail; /* the stream has room again */
	struct exchange *next_untold,
		**untold_place; /* those whose reader does not know yet what has come; NULL: it is none */
	struct rung_response *response;
	int err; /* why the response cannot be sent, or 0 */
	int status;
	int64_t length; /* of the body as announced, -1: unknown */
	int64_t sent;   /* of a PULL body */

	/* with workers */
	enum job job;
	struct exchange *next_job;
	struct rung_mail mail;       /* the job is done */
	char *block;                 /* what a worker read of the body */
	size_t block_at, block_size; /* bytes passed on, bytes in it */
	ssize_t ending;              /* once is_over: what the body ended with */
	struct rung_finish how;      /* for RUNG_JOB_FINISH */
	struct sockaddr_in6 peer;    /* large enough for IPv4's; family AF_UNIX for what has no address */
};

struct lingering;

struct loop {
	struct rung_server *server;
	struct MHD_Daemon *daemon;
	struct MHD_Daemon *tls_daemon; /* NULL without TLS; its epoll set sits in the other's */
	pthread_t thread;
	bool is_running;
	struct acceptor *acceptors;
	struct pollfd *acceptor_polls; /* as many */
	unsigned acceptor_count;
	bool is_accepting;    /* they are in libmicrohttpd's epoll set */
	bool is_starved;      /* there was no descriptor or memory for a connection */
	int64_t accept_again; /* rung_clock() of the next try then; 0: nothing stands against it */
	unsigned
		news; /* of clients and workers, counted: a turn that brings none has been ended by something else */
	unsigned news_seen;   /* by the last turn */
	unsigned news_looked; /* when the listeners were last looked at */
	int wake_fd;          /* an eventfd in libmicrohttpd's epoll set: there is mail */
	int watch_fd; /* an epoll set, in that one too: clients that hang up while libmicrohttpd does not look */
	_Atomic(struct rung_mail *) mail; /* newest first */
	atomic_bool has_mail;             /* wake_fd may be readable: spares a read a turn */
	struct rung_arena_pool pool;
	struct exchange *free;
	unsigned free_count;
	struct exchange *untold;   /* those whose reader sleeps over bytes */
	unsigned untold_turns;     /* since readers were woken */
	struct exchange *polled;   /* those whose body nobody can wake */
	struct exchange *files;    /* those whose file is being sent */
	struct timespec next_look; /* at these */
	int64_t next_walk;         /* along the connections, in milliseconds of rung_clock() */
	int64_t now; /* as a handler's end found it in this turn, 0: none ran; spares asking again */
	struct connection *connections;
	struct connection *left;
	struct lingering *lingering; /* closed, but for what the client may still send */
	unsigned lingering_count;
	unsigned connection_count;
	unsigned away;      /* exchanges with a job */
	unsigned suspended; /* exchanges that libmicrohttpd leaves alone */
	unsigned turns;
	bool is_draining, is_past_deadline;
	bool has_ended;        /* nobody takes mail any more */
	int64_t listeners_end; /* by rung_clock(), once is_draining: when they are closed */
	bool is_busy;          /* something was answered, or a piece of a body came, in this turn */
	bool has_told;         /* of a refusal that libmicrohttpd is about to tell of */
	unsigned cut;          /* requests that the deadline cut */
};

struct rung_server {
	struct rung_app *app;
	struct rung_site site;
	struct rung_limits limits;
	struct rung_workers *workers; /* NULL: handlers run on the loops */
	struct rung_peers *peers;     /* NULL: they are not counted */
	struct rung_tls *tls;         /* NULL: there is none */
	struct loop *loops;
	unsigned loop_count;
	atomic_uint next_loop; /* for rung_server_add() */
	atomic_llong
		tell_again; /* rung_clock() from which on the log may hear again of connections that cannot be accepted */
	atomic_bool is_stopping;
	atomic_llong deadline; /* by rung_clock(), once is_stopping */
	atomic_uint running_loops;
	struct offer *offers; /* while it opens */
	unsigned offer_count;
	bool uses_all_lent;
	struct takeover *takeover; /* NULL: nobody can take over from it */
	atomic_bool is_shared;     /* another process has our sockets, and may be going to serve them */
	struct listener *listeners[RUNG_MAX_LISTENERS];
	unsigned listener_count;
	const char *urls[RUNG_MAX_LISTENERS + 1]; /* NULL-ended */
	unsigned port;                            /* the first TCP listener's, else 0 */
	bool is_public;
	char *spool;       /* the folder for large bodies; NULL: the default */
	bool knows_layout; /* of libmicrohttpd's heads */
	char authority_text[2 * RUNG_MAX_LISTENERS][72];
	const char *authorities[2 * RUNG_MAX_LISTENERS + 1]; /* NULL-ended */
	bool is_started;                                     /* the stack is */
};

/* Milliseconds of a clock that never goes back; some milliseconds late, for the price of a few instructions. */
static inline int64_t rung_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* -- server_listen.c ------------------------------------------------------------------------------------------- */

/* Opens what the options name, gives each loop its acceptors, and fills the server's port, urls and authorities.
 * Returns 0 or a negative errno, refused with a message. */
int rung_server_listen(struct rung_server *server, const struct rung_server_options *options);

/* Removes the files of Unix sockets, so that nobody comes any more that way. */
void rung_server_unlink(struct rung_server *server);

/* Closes and frees what is left of all that. */
void rung_server_unlisten(struct rung_server *server);

/* Offers what the options lend, ended by -1. Takes all of them, also on failure. Refused with a message. */
int rung_server_offer_lent(struct rung_server *server, const int *fds);

/* Adds a socket to those that listeners may take. Takes the descriptor, also on failure. Refused with a message. */
int rung_server_offer(struct rung_server *server, struct offer offer);

/* Closes those that nobody took. */
void rung_server_drop_offers(struct rung_server *server);

/* -- server_socket.c ------------------------------------------------------------------------------------------- */

/* "127.0.0.1:80", "127.0.0.1", "[::1]:80", "::1", "localhost" or "unix:PATH". Returns 0 or -EINVAL, refused. */
int rung_address_parse(
	const char *text, unsigned usual_port, union rung_address *ret_address, socklen_t *ret_size);

enum { RUNG_ADDRESS_TEXT = 128 }; /* room for any of those below */

/* "127.0.0.1:80", "[::1]:80", "unix:PATH". */
void rung_address_print(const union rung_address *address, char *text, size_t room);
unsigned rung_address_port(const union rung_address *address);
bool rung_address_is_loopback(const union rung_address *address); /* or local in another way */
bool rung_address_is_wildcard(const union rung_address *address);

/* Makes an offer of a descriptor. Refused with a message when it is no listening stream socket. */
int rung_offer_read(int fd, struct offer *ret_offer);

/* Gives the listener those of its address. True when there were some. */
bool rung_listener_adopt(struct listener *listener, struct offer *offers, unsigned count);

/*
 * Binds a Unix socket of a type and has it listen, in place of a file that nobody serves any more. Returns 0 or a negative
 * errno: -EADDRINUSE when somebody serves there, -ENOTSOCK when it is another kind of file.
 */
int rung_local_bind(int fd, const struct sockaddr_un *address, unsigned mode, dev_t *ret_dev, ino_t *ret_ino);

/*
 * Opens the sockets of a listener, which has room for `count`, as many where one port can have several, and completes its
 * address. Returns 0 or a negative errno, refused with a message.
 */
int rung_listener_open(struct listener *listener, unsigned count, unsigned unix_mode);

/* -- server_accept.c ------------------------------------------------------------------------------------------- */

/* Has the loop wait for connections too. Refused with a message. */
int rung_accept_start(struct loop *loop);

/* Each turn: takes connections, if there are some and there is room for them. */
void rung_accept_turn(struct loop *loop);

/* How long the loop may sleep for our sake, in milliseconds; -1: for ever. */
int32_t rung_accept_patience(const struct loop *loop);

/* A connection has gone: there is room again, and a descriptor. */
void rung_accept_room(struct loop *loop);

/* Takes all that have come so far. False when some are left for which there is no room. */
bool rung_accept_rest(struct loop *loop);

/* No more from what other processes hold too, or from all; what no other loop accepts from is closed. */
void rung_accept_leave(struct loop *loop, bool all);
void rung_accept_end(struct loop *loop);

/* -- server_takeover.c ------------------------------------------------------------------------------------------ */

/* Asks the process that serves at the path, if there is one, for its sockets: they become offers. Refused with a message. */
int rung_takeover_ask(struct rung_server *server, const struct rung_server_options *options);

/* The server serves: the other process may end, and the path is ours. Refused with a message. */
int rung_takeover_begin(struct rung_server *server);

/* Ends it. */
void rung_takeover_end(struct rung_server *server);

/* -- server_tls.c ----------------------------------------------------------------------------------------------- */

/* Reads certificate and key from PEM files; again, where what is there stays if they are no good; the end. The first two are
 * refused with a message. */
struct rung_tls *rung_tls_open(const char *cert, const char *key);
int rung_tls_reload(struct rung_tls *tls); /* threads: any */
void rung_tls_close(struct rung_tls *tls); /* NULL does nothing */

/* For MHD_OPTION_HTTPS_CERT_CALLBACK. */
void *rung_tls_callback(void);

/* The connection is over. */
void rung_tls_forget(struct connection *connection);

/* -- server_drain.c --------------------------------------------------------------------------------------------- */

/* Each turn, once the server is stopping. Returns true when the loop has ended. */
bool rung_drain_turn(struct loop *loop);
int32_t rung_drain_patience(void); /* how long a loop that drains may sleep, in milliseconds */

/* The connection has become idle while its loop drains. */
void rung_drain_idle(struct connection *connection);

/* -- server_loop.c --------------------------------------------------------------------------------------------- */

int rung_loop_open(struct loop *loop);   /* makes daemon and descriptors; refused with a message */
int rung_loop_start(struct loop *loop);  /* its thread */
void rung_loop_wake(struct loop *loop);  /* threads: any */
void rung_loop_close(struct loop *loop); /* joins the thread, frees everything */

/* The epoll set that ends the loop's wait. */
int rung_loop_epoll(const struct loop *loop);

/* Has the mail delivered on the loop's thread. Threads: any. */
void rung_loop_post(struct loop *loop, struct rung_mail *mail);

/* The client has hung up: has libmicrohttpd see that, which it does not always by itself, and bodies that wait given up. */
void rung_loop_hung_up(struct connection *connection);

/* -- server_answer.c: libmicrohttpd's callbacks ------------------------------------------------------------------ */

void *rung_answer_target(void *loop, const char *target, struct MHD_Connection *mhd);
enum MHD_Result rung_answer(void *loop, struct MHD_Connection *mhd, const char *url, const char *method,
	const char *version, const char *upload, size_t *upload_size, void **exchange);
void rung_answer_done(
	void *loop, struct MHD_Connection *mhd, void **exchange, enum MHD_RequestTerminationCode why);

/* Every time a request could not be handed to a worker, or it came back. */
void rung_answer_job_done(struct exchange *exchange, enum job job);

void rung_exchange_suspend(struct exchange *exchange);
void rung_exchange_resume(struct exchange *exchange); /* if it is suspended */

/* -- server_input.c: the request's body ------------------------------------------------------------------------- */

/* The head is there: asks the chain what it wants of the body, and refuses what nobody will take. */
struct rung_refusal rung_input_admit(struct exchange *exchange);

/* Called with each piece. */
enum MHD_Result rung_input_take(struct exchange *exchange, const char *bytes, size_t *size);

/* With the end of a body that is kept. */
struct rung_refusal rung_input_complete(struct exchange *exchange);

/* Nothing of the body will come any more. */
void rung_input_arrived(struct exchange *exchange);

/* Too slow, or too late: reading it ends with `err`. */
void rung_input_cut(struct exchange *exchange, int err);

/* The request ends: what the arena does not hold is given back. */
void rung_input_release(struct exchange *exchange);

/* Wakes the readers of bodies for which something came. */
void rung_input_tell(struct loop *loop);

/* -- server_linger.c ------------------------------------------------------------------------------------------- */

/* The connection is about to be closed: its client may send on for a while. */
void rung_linger(struct loop *loop, int connection_fd);

/* Throws away what has come; when it is over, all of them. */
void rung_linger_turn(struct loop *loop, bool is_over);

/* -- server_guard.c ---------------------------------------------------------------------------------------------- */

/* Logs, and mends, what libmicrohttpd says when it refuses a request by itself. */
void rung_guard_listen(void *loop, const char *format, va_list arguments) RUNG_PRINTF(2, 0);

/*
 * Writes an answer that closes the connection past libmicrohttpd, where it would give none or a wrong one; the caller then shuts
 * the socket. Only while nothing of an answer is on its way. False over TLS, and where the socket does not take it whole
 * without waiting.
 */
bool rung_write_past(struct MHD_Connection *mhd, int fd, const char *status, const char *text);

/* True when the pieces of a head lie where this libmicrohttpd is known to leave them. */
bool rung_guard_knows_layout(void);

/* Called with the head's line, with each field, and at the end with the head's size in bytes: set exchange->wrong where it is no request. */
void rung_guard_begin(struct exchange *exchange, const char *method, const char *version);
void rung_guard_field(
	struct exchange *exchange, const char *name, size_t name_size, const char *value, size_t *value_size);
void rung_guard_end(struct exchange *exchange, const char *method, size_t size);

/* -- server_send.c --------------------------------------------------------------------------------------------- */

/* What may wait for a disk, before rung_server_send(): brings small files into memory. */
void rung_server_prepare(struct exchange *exchange);

/* Queues the response; in its place a 500 or 503 without a body when it cannot be sent. MHD_NO closes the connection. */
enum MHD_Result rung_server_send(struct exchange *exchange);

/* Cuts the connections whose file has become shorter than what was promised of it: sendfile() then sends nothing, and
 * libmicrohttpd would wait for ever. */
void rung_look_at_files(struct loop *loop);
void rung_forget_file(struct exchange *exchange);

/* -- server_body.c --------------------------------------------------------------------------------------------- */

/* libmicrohttpd's content reader: the next bytes of the body, or the connection sleeps until there are some. */
ssize_t rung_body_next(void *exchange, uint64_t position, char *buffer, size_t max);

/* On a worker: reads a block. On the loop: takes what it read. */
void rung_body_work(struct exchange *exchange);
void rung_body_worked(struct exchange *exchange);

/* A wake for the request; on its loop. */
void rung_body_woken(struct exchange *exchange);

/* Asks those again that nobody can wake. */
void rung_body_poll(struct loop *loop);

/* The client has hung up, or the deadline has come. */
void rung_body_give_up(struct exchange *exchange);

/* -- server_work.c --------------------------------------------------------------------------------------------- */

/* Starts `count` threads. NULL, refused with a message, when that fails. */
struct rung_workers *rung_workers_new(unsigned count, unsigned queue);
void rung_workers_destroy(
	struct rung_workers *workers); /* joins them; there must be no job left. NULL does nothing */

/* Hands the exchange to a worker. False when the queue is full, which only RUNG_JOB_RUN meets. */
bool rung_work(struct exchange *exchange, enum job job);

/* -- server_time.c --------------------------------------------------------------------------------------------- */

/* Cuts the connections that take too long. Spares itself the walk when the last one is less than RUNG_WALK_MS ago. */
void rung_look_at_times(struct loop *loop);

/* -- server_peers.c -------------------------------------------------------------------------------------------- */

/* Counts connections an address, over all loops, up to `limit`. NULL, refused with a message, when memory is out. */
struct rung_peers *rung_peers_new(unsigned limit);
void rung_peers_destroy(struct rung_peers *peers); /* NULL does nothing */

/*
 * Counts one connection more. Returns 0 and the peer, NULL for an address that is not counted; -EUSERS when it has as many
 * as it may have; -ENOMEM. Threads: any.
 */
int rung_peer_enter(struct rung_peers *peers, const struct sockaddr *address, struct peer **ret_peer);
void rung_peer_leave(struct rung_peers *peers, struct peer *peer); /* NULL does nothing */

/* Without port: "127.0.0.1", "::1", "unix:" for what is neither. */
const char *rung_peer_text(const struct sockaddr *address, char text[INET6_ADDRSTRLEN]);
