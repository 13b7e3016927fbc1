/*
 * server_loop.c: one event loop: a thread of ours that turns a libmicrohttpd daemon of its own. An external loop is
 * as fast as libmicrohttpd's internal one, and it lets wakes, draining and retries happen on the right thread.
 */
#include "server_private.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <fcntl.h>
#include <unistd.h>

/* -- connections ------------------------------------------------------------------------------------------------- */

static void on_connection(
	void *cls, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode code)
{
	struct loop *loop = cls;
	struct connection *connection = *context;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		loop->connection_count--;
		if (!connection)
			return;
		*connection->place = connection->next;
		if (connection->next)
			connection->next->place = connection->place;
		free(connection);
		return;
	}
	loop->connection_count++;
	connection = malloc(sizeof *connection);
	if (!connection)
		return; /* it is served all the same; only a drain cannot close it while it is idle */
	*connection = (struct connection){
		.next = loop->connections,
		.place = &loop->connections,
		.fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
	};
	if (loop->connections)
		loop->connections->place = &connection->next;
	loop->connections = connection;
	*context = connection;
}

/* -- the daemon -------------------------------------------------------------------------------------------------- */

/* Targets and arguments stay as they were sent; decoding is the router's. */
static size_t keep_escapes(void *cls, struct MHD_Connection *mhd, char *text)
{
	(void)cls;
	(void)mhd;
	return strlen(text);
}

static struct MHD_Daemon *start_daemon(struct loop *loop)
{
	const struct rung_limits *limits = &loop->server->limits;
	unsigned connections = limits->connections / loop->server->loop_count;

	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
		rung_answer, loop, MHD_OPTION_EXTERNAL_LOGGER, rung_guard_listen, loop,
		MHD_OPTION_LISTEN_SOCKET, loop->listen_fd, MHD_OPTION_URI_LOG_CALLBACK, rung_answer_target,
		loop, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED,
		rung_answer_done, loop, MHD_OPTION_NOTIFY_CONNECTION, on_connection, loop,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits->connection_memory, MHD_OPTION_CONNECTION_LIMIT,
		connections ? connections : 1u,
		/* Without it files go by read and write instead of sendfile. Loops block SIGPIPE themselves. */
		MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_STRICT_FOR_CLIENT, 0, MHD_OPTION_END);
}

/* libmicrohttpd passes over events whose data is NULL, so our pipe can sit in its epoll set and end its wait. */
static int watch_pipe(struct loop *loop)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };

	if (!info || epoll_ctl(info->epoll_fd, EPOLL_CTL_ADD, loop->pipe[0], &event) < 0)
		return rung_refuse(-errno, "server: cannot watch a pipe: %s", strerror(errno));
	return 0;
}

int rung_loop_open(struct loop *loop)
{
	if (pipe2(loop->pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
		loop->pipe[0] = loop->pipe[1] = -1;
		return rung_refuse(-errno, "server: cannot make a pipe: %s", strerror(errno));
	}
	loop->daemon = start_daemon(loop);
	if (!loop->daemon)
		return rung_refuse(-ENOMEM,
			"server: libmicrohttpd did not start; is there memory, are there descriptors?");
	return watch_pipe(loop);
}

/* -- turning ----------------------------------------------------------------------------------------------------- */

static void begin_drain(struct loop *loop)
{
	MHD_socket listener = MHD_quiesce_daemon(loop->daemon);

	/* Quiesced but open it would still complete handshakes that nobody answers. */
	if (listener != MHD_INVALID_SOCKET)
		close(listener);
	loop->listen_fd = -1;
	loop->is_draining = true;
	/* Idle ones see the end of their input and close; a request under way closes with its answer. */
	for (struct connection *connection = loop->connections; connection; connection = connection->next)
		if (!connection->exchange)
			shutdown(connection->fd, SHUT_RD);
}

static void read_pipe(struct loop *loop)
{
	int numbers[64];
	ssize_t size;

	/* Cleared before the reading, so that what is written meanwhile is not lost. */
	atomic_store(&loop->has_mail, false);
	while ((size = read(loop->pipe[0], numbers, sizeof numbers)) > 0)
		for (size_t i = 0; i < (size_t)size / sizeof *numbers; i++) {
			if (numbers[i] == RUNG_LOOP_WAKE)
				continue;
			/* The address only tells the family; a socketpair has none to show. */
			struct sockaddr unnamed = { .sa_family = AF_UNIX };
			MHD_add_connection(loop->daemon, numbers[i], &unnamed, sizeof unnamed);
		}
}

static void retry_waiting(struct loop *loop)
{
	struct exchange *exchange = loop->waiting;

	loop->waiting = NULL;
	while (exchange) {
		struct exchange *next = exchange->next;

		rung_answer_resume(exchange);
		exchange = next;
	}
}

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

/* How long the loop may sleep, in milliseconds; -1: until something happens. */
static int32_t patience(const struct loop *loop)
{
	if (loop->waiting)
		return RUNG_RETRY_MS;
	if (loop->is_draining)
		return 50;
	return loop->files ? RUNG_LOOK_MS : -1;
}

/* One that the deadline finds suspended must be resumed before the daemon may be stopped. */
static void cut_what_is_left(struct loop *loop)
{
	for (struct connection *connection = loop->connections; connection; connection = connection->next) {
		if (connection->exchange) {
			connection->exchange->is_cut = true;
			loop->cut++;
		}
		shutdown(connection->fd, SHUT_RDWR);
	}
	while (loop->waiting) {
		retry_waiting(loop);
		MHD_run_wait(loop->daemon, 0);
	}
}

static void *turn(void *argument)
{
	struct loop *loop = argument;
	struct rung_server *server = loop->server;

	for (;;) {
		MHD_run_wait(loop->daemon, patience(loop));
		if (atomic_load_explicit(&loop->has_mail, memory_order_relaxed))
			read_pipe(loop);
		if (loop->waiting)
			retry_waiting(loop);
		if (loop->files)
			look_at_files(loop);
		if (!atomic_load_explicit(&server->is_stopping, memory_order_acquire))
			continue;
		if (!loop->is_draining)
			begin_drain(loop);
		if (loop->connection_count == 0)
			return NULL;
		if (is_past(&server->deadline)) {
			cut_what_is_left(loop);
			return NULL;
		}
	}
}

/* Loops take no signal: whose they are is for the program to say. SIGPIPE thus never ends it on their account. */
int rung_loop_start(struct loop *loop)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&loop->thread, NULL, turn, loop);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0)
		return rung_refuse(-rc, "server: cannot start a thread: %s", strerror(rc));
	loop->is_running = true;
	return 0;
}

int rung_loop_send(struct loop *loop, int number)
{
	ssize_t size;

	do
		size = write(loop->pipe[1], &number, sizeof number);
	while (size < 0 && errno == EINTR);
	int rc = size < 0 ? -errno : 0;
	/* Set after the writing: whoever sees it finds the number. Until then the pipe keeps the loop awake. */
	atomic_store(&loop->has_mail, true);
	return rc;
}

void rung_loop_close(struct loop *loop)
{
	if (loop->is_running)
		pthread_join(loop->thread, NULL);
	loop->is_running = false;
	if (loop->daemon) {
		MHD_stop_daemon(loop->daemon);
		/* Unless it was quiesced, the daemon has closed the listener. */
		loop->listen_fd = -1;
	}
	if (loop->listen_fd >= 0)
		close(loop->listen_fd);
	if (loop->pipe[0] >= 0) {
		close(loop->pipe[0]);
		close(loop->pipe[1]);
	}
	while (loop->free) {
		struct exchange *exchange = loop->free;

		loop->free = exchange->next;
		rung_arena_finish(&exchange->request.arena);
		free(exchange);
	}
	rung_arena_pool_finish(&loop->pool);
}
