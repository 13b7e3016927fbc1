/*
 * server_accept.c: how connections come to a loop. We accept ourselves and hand them to libmicrohttpd, whose own way spins
 * when descriptors run out, and knows one socket alone.
 *
 * The listening sockets sit in libmicrohttpd's epoll set and end its wait, but it does not tell of them. To ask the
 * kernel at every turn would cost a system call a request; so it is asked after a turn that nothing else explains, and
 * every few requests. As the set is level-triggered, a turn that did not ask is followed at once by another.
 */
#include "server_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BATCH = 64,       /* connections, then it is the turn of those that are there */
	NEWS_A_LOOK = 16, /* after so many requests the listeners are looked at in any case */
	STARVED_MS = 100, /* how long we wait for descriptors to come back, unless a connection closes */
	TELL_MS = 10000,  /* how often the log hears of it */
};

/* -- whom the loop waits for --------------------------------------------------------------------------------------- */

static void stop_waiting(struct loop *loop)
{
	for (unsigned i = 0; i < loop->acceptor_count && loop->is_accepting; i++)
		epoll_ctl(rung_loop_epoll(loop), EPOLL_CTL_DEL, loop->acceptors[i].socket->fd, NULL);
	loop->is_accepting = false;
}

/* Returns 0, or a negative errno with none of them in the set. */
static int start_waiting(struct loop *loop)
{
	for (unsigned i = 0; i < loop->acceptor_count; i++) {
		const struct acceptor *acceptor = &loop->acceptors[i];
		/* Of loops that share a socket one is enough for a connection. */
		struct epoll_event event = { .events = EPOLLIN };

		if (acceptor->is_shared)
			event.events |= EPOLLEXCLUSIVE;
		if (epoll_ctl(rung_loop_epoll(loop), EPOLL_CTL_ADD, acceptor->socket->fd, &event) == 0)
			continue;
		int err = -errno;
		while (i--)
			epoll_ctl(rung_loop_epoll(loop), EPOLL_CTL_DEL, loop->acceptors[i].socket->fd, NULL);
		return err;
	}
	loop->is_accepting = true;
	loop->accept_again = 0;
	return 0;
}

int rung_accept_start(struct loop *loop)
{
	loop->acceptor_polls = calloc(loop->acceptor_count + 1, sizeof *loop->acceptor_polls);
	if (!loop->acceptor_polls)
		return rung_refuse(-ENOMEM, "server: out of memory");
	for (unsigned i = 0; i < loop->acceptor_count; i++)
		loop->acceptor_polls[i] =
			(struct pollfd){ .fd = loop->acceptors[i].socket->fd, .events = POLLIN };
	int rc = start_waiting(loop);
	return rc < 0 ? rung_refuse(rc, "server: cannot watch a listener: %s", strerror(-rc)) : 0;
}

/* -- taking -------------------------------------------------------------------------------------------------------- */

static unsigned room_of(const struct rung_server *server)
{
	unsigned room = server->limits.connections / server->loop_count;

	return room ? room : 1;
}

static bool is_full(const struct loop *loop)
{
	return loop->connection_count >= room_of(loop->server);
}

/*
 * Nothing to accept with. They stay in the kernel's queue, and we stop waiting for them, since that would spin; a
 * connection that closes, or a while, has us try again.
 */
static RUNG_COLD void starve(struct loop *loop, int err)
{
	long long now = rung_clock(), tell_again = atomic_load(&loop->server->tell_again);

	if (!loop->is_starved && now >= tell_again &&
		atomic_compare_exchange_strong(&loop->server->tell_again, &tell_again, now + TELL_MS))
		rung_site_log(&loop->server->site, RUNG_LOG_ERROR,
			"rung: cannot accept connections: %s; they wait until it can be done again",
			strerror(err));
	loop->is_starved = true;
	loop->accept_again = now + STARVED_MS;
}

/* Returns false when there is no sense in trying the next. */
static bool failed(struct loop *loop, int err)
{
	switch (err) {
	/* Taken by another loop, or gone before we came; or an error of the connection that comes out here (accept(2)). */
	case EAGAIN:
	case EINTR:
	case ECONNABORTED:
	case EPERM:
	case EPROTO:
	case ENOPROTOOPT:
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENONET:
		return true;
	default:
		starve(loop, err);
		return false;
	}
}

/* Returns false when there is no sense in trying the next. */
static bool take(struct loop *loop, const struct acceptor *acceptor)
{
	union rung_address peer = { .any.sa_family = AF_UNSPEC };
	socklen_t size = sizeof peer;
	int fd = accept4(acceptor->socket->fd, &peer.any, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return failed(loop, errno);
	/* A client's end of a Unix socket has no name to show. */
	if (peer.any.sa_family == AF_UNIX)
		size = sizeof peer.any;
	/* It is closed when libmicrohttpd has no memory for it. */
	MHD_add_connection(acceptor->listener->is_tls ? loop->tls_daemon : loop->daemon, fd, &peer.any, size);
	return true;
}

/* One of each that has some, as long as there are some. Returns how many, -1 when there is no room for more. */
static int take_batch(struct loop *loop)
{
	int taken = 0;

	while (taken < BATCH && poll(loop->acceptor_polls, loop->acceptor_count, 0) > 0)
		for (unsigned i = 0; i < loop->acceptor_count; i++) {
			if (!loop->acceptor_polls[i].revents)
				continue;
			if (is_full(loop) || !take(loop, &loop->acceptors[i]))
				return -1;
			taken++;
		}
	return taken;
}

static void look(struct loop *loop)
{
	loop->news_looked = loop->news;
	int taken = take_batch(loop);
	if (taken < 0)
		stop_waiting(loop);
	else if (taken >= BATCH)
		loop->news_looked -= NEWS_A_LOOK;
	else
		loop->is_starved = false;
}

void rung_accept_turn(struct loop *loop)
{
	bool is_quiet = loop->news == loop->news_seen;

	loop->news_seen = loop->news;
	if (loop->is_accepting) {
		if (is_quiet || loop->news - loop->news_looked >= NEWS_A_LOOK)
			look(loop);
		return;
	}
	if (!loop->acceptor_count || is_full(loop) || rung_clock() < loop->accept_again)
		return;
	int rc = start_waiting(loop);
	if (rc < 0)
		starve(loop, -rc);
	else
		look(loop);
}

int32_t rung_accept_patience(const struct loop *loop)
{
	if (loop->is_accepting || !loop->acceptor_count || is_full(loop))
		return -1;
	return STARVED_MS;
}

void rung_accept_room(struct loop *loop)
{
	loop->accept_again = 0;
}

/* -- ending -------------------------------------------------------------------------------------------------------- */

bool rung_accept_rest(struct loop *loop)
{
	int taken = 0;

	do
		taken = loop->acceptor_count ? take_batch(loop) : 0;
	while (taken > 0);
	return taken == 0;
}

static void leave(struct loop *loop, unsigned i)
{
	struct listen_socket *socket = loop->acceptors[i].socket;

	if (atomic_fetch_sub(&socket->users, 1) == 1) {
		close(socket->fd);
		socket->fd = -1;
	}
	loop->acceptor_count--;
	loop->acceptors[i] = loop->acceptors[loop->acceptor_count];
	loop->acceptor_polls[i] = loop->acceptor_polls[loop->acceptor_count];
}

void rung_accept_leave(struct loop *loop, bool all)
{
	/* Explicitly out of the set: a socket that others hold would stay in it when we close it. */
	stop_waiting(loop);
	rung_accept_rest(loop);
	for (unsigned i = loop->acceptor_count; i--;)
		if (all || loop->acceptors[i].listener->is_lent || loop->acceptors[i].listener->is_handed)
			leave(loop, i);
}

void rung_accept_end(struct loop *loop)
{
	stop_waiting(loop);
	while (loop->acceptor_count)
		leave(loop, loop->acceptor_count - 1);
}
