/*
 * server_loop.c: one event loop: a thread of ours that turns a libmicrohttpd daemon of its own. An external loop is
 * as fast as libmicrohttpd's internal one, and it lets wakes, draining and retries happen on the right thread.
 */
#include "server_private.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <fcntl.h>
#include <unistd.h>

enum { UNTOLD_TURNS = 32 };

/* -- connections ------------------------------------------------------------------------------------------------- */

/* Edges alone, so that the set stays quiet afterwards whether or not anybody acts on it. */
static void watch(struct connection *connection)
{
	struct epoll_event event = { .events = EPOLLRDHUP | EPOLLET, .data.ptr = connection };

	/* Without memory for it the client's leaving shows when the next bytes are sent. */
	connection->is_watched =
		epoll_ctl(connection->loop->watch_fd, EPOLL_CTL_ADD, connection->fd, &event) == 0;
}

static void forget_hang_up(struct connection *connection)
{
	if (!connection->left_place)
		return;
	*connection->left_place = connection->next_left;
	if (connection->next_left)
		connection->next_left->left_place = connection->left_place;
	connection->left_place = NULL;
}

static void forget_connection(struct connection *connection)
{
	struct loop *loop = connection->loop;

	*connection->place = connection->next;
	if (connection->next)
		connection->next->place = connection->place;
	forget_hang_up(connection);
	/* Before it is closed, so that no event names memory that is gone. */
	if (connection->is_watched)
		epoll_ctl(loop->watch_fd, EPOLL_CTL_DEL, connection->fd, NULL);
	if (connection->lingers && !loop->is_past_deadline)
		rung_linger(loop, connection->fd);
	rung_peer_leave(loop->server->peers, connection->peer);
	rung_tls_forget(connection);
	free(connection);
}

/*
 * One connection too many of an address is told so and closed before anything of it is read: letting libmicrohttpd answer
 * would keep it until its request is there. Over TLS it is just closed. Without a struct connection no request of it is begun.
 */
static bool admit_peer(struct loop *loop, struct MHD_Connection *mhd, const struct sockaddr *address, int fd,
	struct peer **ret_peer)
{
	int rc = rung_peer_enter(loop->server->peers, address, ret_peer);
	char text[INET6_ADDRSTRLEN];

	if (rc == 0)
		return true;
	if (rc == -EUSERS) {
		rung_site_log(&loop->server->site, RUNG_LOG_INFO,
			"rung: refused %s: 429 more than %u connections (connections_per_ip)",
			rung_peer_text(address, text), loop->server->limits.connections_per_ip);
		rung_write_past(
			mhd, fd, "429 Too Many Requests", "429 too many connections from this address\n");
	}
	shutdown(fd, SHUT_RDWR);
	return false;
}

static void on_connection(
	void *cls, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode code)
{
	struct loop *loop = cls;
	struct connection *connection = *context;
	int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		loop->connection_count--;
		rung_accept_room(loop);
		if (connection)
			forget_connection(connection);
		return;
	}
	const struct sockaddr *address =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
	struct peer *peer = NULL;

	loop->connection_count++;
	if (loop->server->peers && !admit_peer(loop, mhd, address, fd, &peer))
		return;
	connection = malloc(sizeof *connection);
	/* Without memory to know it by it cannot be served. */
	if (!connection) {
		rung_peer_leave(loop->server->peers, peer);
		shutdown(fd, SHUT_RDWR);
		return;
	}
	*connection = (struct connection){
		.next = loop->connections,
		.place = &loop->connections,
		.loop = loop,
		.fd = fd,
		.is_unix = !address || (address->sa_family != AF_INET && address->sa_family != AF_INET6),
		.mhd = mhd,
		.peer = peer,
		.is_tls =
			MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_DAEMON)->daemon == loop->tls_daemon,
	};
	if (loop->connections)
		loop->connections->place = &connection->next;
	loop->connections = connection;
	*context = connection;
	watch(connection);
}

void rung_loop_hung_up(struct connection *connection)
{
	struct loop *loop = connection->loop;

	connection->has_left = true;
	if (connection->left_place)
		return;
	connection->next_left = loop->left;
	connection->left_place = &loop->left;
	if (loop->left)
		loop->left->left_place = &connection->next_left;
	loop->left = connection;
}

/* True when libmicrohttpd has read all that there was. */
static bool is_read(const struct connection *connection)
{
	char byte;

	return recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

/*
 * When the last bytes and the client's leaving come in one event, libmicrohttpd reads the bytes and never looks again. Another event
 * makes it, but only one behind the last byte. What is being answered, or sleeps, comes here again when that is over.
 */
static void tell_of_hang_up(struct connection *connection)
{
	struct exchange *exchange = connection->exchange;

	if (exchange && exchange->is_begun && !exchange->is_arriving) {
		forget_hang_up(connection);
		rung_body_give_up(exchange);
	} else if (exchange && exchange->is_suspended) {
		forget_hang_up(connection);
	} else if (is_read(connection)) {
		forget_hang_up(connection);
		shutdown(connection->fd, SHUT_RD);
	}
}

static void tell_of_hang_ups(struct loop *loop)
{
	struct connection *connection = loop->left;

	while (connection) {
		struct connection *next = connection->next_left;

		tell_of_hang_up(connection);
		connection = next;
	}
}

static void read_watch(struct loop *loop)
{
	struct epoll_event events[64];
	int count;

	do {
		count = epoll_wait(loop->watch_fd, events, 64, 0);
		for (int i = 0; i < count; i++) {
			rung_loop_hung_up(events[i].data.ptr);
		}
	} while (count == 64);
}

/* -- the daemon -------------------------------------------------------------------------------------------------- */

/* Targets and arguments stay as they were sent; decoding is the router's. */
static size_t keep_escapes(void *cls, struct MHD_Connection *mhd, char *text)
{
	(void)cls;
	(void)mhd;
	return strlen(text);
}

static struct MHD_Daemon *start_daemon(struct loop *loop, unsigned flags, struct MHD_OptionItem *more)
{
	const struct rung_limits *limits = &loop->server->limits;
	unsigned connections = limits->connections / loop->server->loop_count;

	return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |
					MHD_USE_ERROR_LOG | flags,
		0, NULL, NULL, rung_answer, loop, MHD_OPTION_EXTERNAL_LOGGER, rung_guard_listen, loop,
		MHD_OPTION_URI_LOG_CALLBACK, rung_answer_target, loop, MHD_OPTION_UNESCAPE_CALLBACK,
		keep_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED, rung_answer_done, loop,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, loop, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		limits->connection_memory, MHD_OPTION_CONNECTION_LIMIT, connections ? connections : 1u,
		/* Without it files go by read and write instead of sendfile. Loops block SIGPIPE themselves. */
		MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_STRICT_FOR_CLIENT, 0, MHD_OPTION_ARRAY, more,
		MHD_OPTION_END);
}

/* A daemon is all TLS or none of it, so TLS has one of its own. */
static int start_daemons(struct loop *loop)
{
	static char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
	struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };
	struct MHD_OptionItem secure[] = {
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, priorities },
		{ MHD_OPTION_HTTPS_CERT_CALLBACK, 0, rung_tls_callback() },
		{ MHD_OPTION_END, 0, NULL },
	};

	loop->daemon = start_daemon(loop, 0, none);
	if (loop->daemon && loop->server->tls)
		loop->tls_daemon = start_daemon(loop, MHD_USE_TLS, secure);
	if (!loop->daemon || (loop->server->tls && !loop->tls_daemon))
		return rung_refuse(-ENOMEM,
			"server: libmicrohttpd did not start; is there memory, are there descriptors?");
	return 0;
}

static int epoll_of(struct MHD_Daemon *daemon)
{
	return MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

/* libmicrohttpd passes over events whose data is NULL, so our descriptors can sit in its epoll set and end its wait. */
int rung_loop_epoll(const struct loop *loop)
{
	return epoll_of(loop->daemon);
}

static int add_to_epoll(struct loop *loop, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };

	if (epoll_ctl(epoll_of(loop->daemon), EPOLL_CTL_ADD, fd, &event) < 0)
		return rung_refuse(-errno, "server: cannot watch a descriptor: %s", strerror(errno));
	return 0;
}

int rung_loop_open(struct loop *loop)
{
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	loop->watch_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->wake_fd < 0 || loop->watch_fd < 0)
		return rung_refuse(-errno, "server: cannot make a descriptor: %s", strerror(errno));
	if (loop->server->workers && rung_arena_pool_share(&loop->pool) < 0)
		return rung_refuse(-ENOMEM, "server: out of memory");
	int rc = start_daemons(loop);
	if (rc == 0)
		rc = add_to_epoll(loop, loop->wake_fd);
	if (rc == 0 && loop->tls_daemon)
		rc = add_to_epoll(loop, epoll_of(loop->tls_daemon));
	if (rc == 0)
		rc = add_to_epoll(loop, loop->watch_fd);
	return rc == 0 ? rung_accept_start(loop) : rc;
}

/* -- mail ---------------------------------------------------------------------------------------------------------- */

void rung_loop_wake(struct loop *loop)
{
	const uint64_t one = 1;
	ssize_t size;

	do
		size = write(loop->wake_fd, &one, sizeof one);
	while (size < 0 && errno == EINTR);
	/* Set after the writing: whoever sees it finds the descriptor readable. Until then that keeps the loop awake. */
	atomic_store(&loop->has_mail, true);
}

void rung_loop_post(struct loop *loop, struct rung_mail *mail)
{
	struct rung_mail *before = atomic_load(&loop->mail);

	do
		mail->next = before;
	while (!atomic_compare_exchange_weak(&loop->mail, &before, mail));
	/* Whoever found the box empty wakes the loop for all who come before it is emptied. */
	if (!before)
		rung_loop_wake(loop);
}

/* In the order in which it was posted. */
static void deliver_mail(struct loop *loop, bool is_over)
{
	struct rung_mail *mail = atomic_exchange(&loop->mail, NULL), *in_order = NULL;

	while (mail) {
		struct rung_mail *next = mail->next;

		mail->next = in_order;
		in_order = mail;
		mail = next;
	}
	while (in_order) {
		struct rung_mail *next = in_order->next;

		in_order->deliver(in_order, is_over);
		in_order = next;
	}
}

static void take_mail(struct loop *loop)
{
	uint64_t count;

	loop->news++;
	/* Cleared before the reading, so that what is posted meanwhile is not lost. */
	atomic_store(&loop->has_mail, false);
	if (read(loop->wake_fd, &count, sizeof count) < 0 && errno != EAGAIN && errno != EINTR)
		return; /* it stays readable, and is read in the next turn */
	deliver_mail(loop, false);
}

/* The box too: a writer that was put aside between its writing and its word would have the loop turn for nothing until it is back, on the
 * same core for as long as a thread may run. */
static bool has_mail(struct loop *loop)
{
	return atomic_load_explicit(&loop->has_mail, memory_order_relaxed) ||
	       atomic_load_explicit(&loop->mail, memory_order_relaxed);
}

/* Where several requests are with workers, those that share this core may be about to bring theirs back: one turn then does for all what
 * else each of them would wake the loop for. With a core of its own nobody is let before. */
static void let_others_post(const struct loop *loop)
{
	if (loop->away > 1)
		sched_yield();
}

/* -- turning ----------------------------------------------------------------------------------------------------- */

static bool is_past(const struct timespec *deadline)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > deadline->tv_sec ||
	       (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec);
}

/* While files are sent; nothing would wake the loop when one of them is cut short. */
static void look_at_files(struct loop *loop)
{
	if (!is_past(&loop->next_look))
		return;
	rung_look_at_files(loop);
	clock_gettime(CLOCK_MONOTONIC, &loop->next_look);
	loop->next_look.tv_nsec += RUNG_LOOK_MS * 1000000L;
	loop->next_look.tv_sec += loop->next_look.tv_nsec / 1000000000;
	loop->next_look.tv_nsec %= 1000000000;
}

/* The daemon that is waited for sees to its own work by itself. */
static bool has_tls_work(const struct loop *loop)
{
	MHD_UNSIGNED_LONG_LONG milliseconds;

	return loop->tls_daemon && MHD_get_timeout(loop->tls_daemon, &milliseconds) == MHD_YES;
}

/* How long the loop may sleep, in milliseconds; -1: until something happens. */
static int32_t patience(const struct loop *loop)
{
	if (has_tls_work(loop))
		return 0;
	if (loop->polled || loop->left)
		return RUNG_RETRY_MS;
	if (loop->is_draining)
		return rung_drain_patience();
	if (loop->files)
		return RUNG_LOOK_MS;
	if (loop->lingering)
		return RUNG_LINGER_MS;
	int32_t accept = rung_accept_patience(loop);
	return loop->connections && accept < 0 ? RUNG_WALK_MS : accept;
}

/* True when the daemon would sleep now; else it has more to read or to send, and the next turn follows at once. */
static bool rests(const struct loop *loop)
{
	MHD_UNSIGNED_LONG_LONG milliseconds;

	return MHD_get_timeout(loop->daemon, &milliseconds) != MHD_YES || milliseconds > 0;
}

/* A turn in which nothing happened was most likely ended by a client that hung up. Others may wait for some turns. */
static bool may_have_left(struct loop *loop)
{
	bool is_quiet = !loop->is_busy && rests(loop);

	loop->is_busy = false;
	return is_quiet || loop->suspended || loop->turns++ % 16 == 0;
}

/* Readers of bodies are woken for what has come when nothing more comes at once, not for each piece of it; and after some turns in
 * any case, since other clients may keep the loop from ever resting. */
static void tell_readers(struct loop *loop)
{
	if (!rests(loop) && ++loop->untold_turns < UNTOLD_TURNS)
		return;
	loop->untold_turns = 0;
	rung_input_tell(loop);
}

static void *turn(void *argument)
{
	struct loop *loop = argument;
	struct rung_server *server = loop->server;

	rung_must_not_wait = true;
	rung_log_hold();
	for (;;) {
		if (rung_log_held)
			rung_log_flush();
		if (loop->untold)
			tell_readers(loop);
		MHD_run_wait(loop->daemon, patience(loop));
		if (has_mail(loop)) {
			let_others_post(loop);
			take_mail(loop);
		}
		if (may_have_left(loop))
			read_watch(loop);
		if (loop->left)
			tell_of_hang_ups(loop);
		if (loop->polled)
			rung_body_poll(loop);
		if (loop->files)
			look_at_files(loop);
		if (loop->lingering)
			rung_linger_turn(loop, false);
		rung_accept_turn(loop);
		if (loop->connections)
			rung_look_at_times(loop);
		/* After all that resumes connections: that alone would not end the next wait. */
		if (loop->tls_daemon)
			MHD_run_wait(loop->tls_daemon, 0);
		if (atomic_load_explicit(&server->is_stopping, memory_order_acquire) && rung_drain_turn(loop))
			break;
	}
	rung_log_flush();
	atomic_fetch_sub(&server->running_loops, 1);
	return NULL;
}

/* Loops take no signal: whose they are is for the program to say. SIGPIPE thus never ends it on their account. */
int rung_loop_start(struct loop *loop)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	atomic_fetch_add(&loop->server->running_loops, 1);
	int rc = pthread_create(&loop->thread, NULL, turn, loop);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0)
		atomic_fetch_sub(&loop->server->running_loops, 1);
	if (rc != 0)
		return rung_refuse(-rc, "server: cannot start a thread: %s", strerror(rc));
	loop->is_running = true;
	return 0;
}

void rung_loop_close(struct loop *loop)
{
	if (loop->is_running)
		pthread_join(loop->thread, NULL);
	loop->is_running = false;
	loop->has_ended = true;
	if (loop->tls_daemon)
		MHD_stop_daemon(loop->tls_daemon);
	if (loop->daemon)
		MHD_stop_daemon(loop->daemon);
	rung_linger_turn(loop, true);
	free(loop->acceptors);
	free(loop->acceptor_polls);
	deliver_mail(loop, true);
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	if (loop->watch_fd >= 0)
		close(loop->watch_fd);
	while (loop->free) {
		struct exchange *exchange = loop->free;

		loop->free = exchange->next;
		rung_arena_finish(&exchange->request.arena);
		free(exchange);
	}
	rung_arena_pool_finish(&loop->pool);
}
