/*
 * server_linger.c: connections that have been answered while the client still sends. Closed at once, what it has sent and nobody
 * has read would make the kernel reset the connection, and many a client then never looks at the answer (RFC 9112 section 9.6).
 * So a second descriptor of it is kept for a while, and what comes is thrown away.
 */
#include "server_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	MOST = 256,                    /* of a loop; those beyond are closed at once */
	QUIET_MS = 2000,               /* as long as nothing comes */
	TIME_MS = 10000,               /* in all */
	MOST_BYTES = 64 * 1024 * 1024, /* of one */
	BYTES_A_TURN = 1024 * 1024,    /* then it is the turn of others */
};

struct lingering {
	struct lingering *next;
	int fd;
	int64_t end, quiet_end; /* by rung_clock() */
	int64_t bytes;
};

void rung_linger(struct loop *loop, int connection_fd)
{
	struct lingering *one = loop->lingering_count < MOST ? malloc(sizeof *one) : NULL;
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP, .data.ptr = NULL };
	int64_t now = rung_clock();

	if (!one)
		return;
	*one = (struct lingering){
		.next = loop->lingering, .end = now + TIME_MS, .quiet_end = now + QUIET_MS
	};
	one->fd = fcntl(connection_fd, F_DUPFD_CLOEXEC, 0);
	if (one->fd < 0 || epoll_ctl(rung_loop_epoll(loop), EPOLL_CTL_ADD, one->fd, &event) < 0) {
		if (one->fd >= 0)
			close(one->fd);
		free(one);
		return;
	}
	shutdown(one->fd, SHUT_WR);
	loop->lingering = one;
	loop->lingering_count++;
}

/* Returns false when the client has closed, too. */
static bool throw_away(struct lingering *one, int64_t now)
{
	static _Thread_local char bytes[64 * 1024];

	for (size_t size = 0; size < BYTES_A_TURN;) {
		ssize_t n = recv(one->fd, bytes, sizeof bytes, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		size += (size_t)n;
		one->bytes += n;
		one->quiet_end = now + QUIET_MS;
	}
	return true;
}

void rung_linger_turn(struct loop *loop, bool is_over)
{
	struct lingering **place = &loop->lingering;
	int64_t now = rung_clock();

	while (*place) {
		struct lingering *one = *place;

		if (!is_over && throw_away(one, now) && one->bytes < MOST_BYTES && now < one->end &&
			now < one->quiet_end) {
			place = &one->next;
			continue;
		}
		*place = one->next;
		loop->lingering_count--;
		close(one->fd);
		free(one);
	}
}
