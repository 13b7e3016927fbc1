/*
 * server_takeover.c: one process takes over from another, over a Unix socket that both know. Messages in packets:
 *
 *	old to new   OFFER   its listening sockets, as descriptors, with what is to be known of each; several where they
 *	                     are many
 *	new to old   READY   it serves; which of them it has taken
 *	old to new   GO      the old one leaves the path alone from now on, and drains when the new one hangs up
 *
 * Until READY the old one serves as before, and goes on if the new one hangs up or stays silent. From GO to the drain both
 * serve; between them no connection is without somebody who accepts it.
 */
#include "server_private.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	CONTROL_MODE = 0600,
	MOST_AT_ONCE = 128,       /* descriptors in a packet; the kernel takes 253 */
	MOST_OFFERS = 8192,       /* of one server */
	TRIES = 50,               /* to reach the one that serves, while it is itself being taken over from */
	TRY_MS = 100,             /* between them */
	MESSAGE_MS = 10000,       /* for what the other process does at once */
	READY_MS = 5 * 60 * 1000, /* for the start of a stack */
};

enum kind { OFFER = 1, READY, GO };

struct head {
	char magic[8];
	uint32_t kind, count, has_more;
};

struct note {
	uint64_t dev, ino;
	uint32_t is_lent;
};

struct offer_packet {
	struct head head;
	struct note notes[MOST_AT_ONCE];
};

struct ready_packet {
	struct head head;
	uint8_t is_taken[MOST_OFFERS];
};

struct takeover {
	struct rung_server *server;
	struct sockaddr_un address;
	dev_t dev;
	ino_t ino; /* of our socket's file; 0: there is none */
	int listen_fd, stop_fd;
	int old_fd; /* to the process that served before, or -1 */
	pthread_t thread;
	bool has_thread, is_handed;
	void (*on_handed_over)(void *data);
	void *data;
};

static const char magic[8] = "rung/1";

static struct head head_of(enum kind kind, unsigned count)
{
	struct head head = { .kind = kind, .count = count };

	memcpy(head.magic, magic, sizeof magic);
	return head;
}

static bool is_head(const struct head *head, ssize_t size, enum kind kind, size_t each, unsigned most)
{
	return size >= (ssize_t)sizeof *head && memcmp(head->magic, magic, sizeof magic) == 0 &&
	       head->kind == (uint32_t)kind && head->count <= most &&
	       (size_t)size == sizeof *head + head->count * each;
}

static void set_patience(int fd, int ms)
{
	const struct timeval time = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

/* Ours, or root. */
static bool is_friend(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	       (peer.uid == geteuid() || peer.uid == 0);
}

/* -- the old process ---------------------------------------------------------------------------------------------------- */

static bool send_packet(int fd, const struct offer_packet *packet, const int *fds)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(MOST_AT_ONCE * sizeof(int))];
	} control = { .room = { 0 } };
	size_t count = packet->head.count;
	struct iovec part = {
		.iov_base = (void *)(uintptr_t)packet,
		.iov_len = sizeof packet->head + count * sizeof packet->notes[0],
	};
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (count) {
		message.msg_control = control.room;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.head = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(count * sizeof(int)),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
		};
		memcpy(CMSG_DATA(&control.head), fds, count * sizeof(int));
	}
	return sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)part.iov_len;
}

/* All sockets in the order of the listeners. */
static bool send_offers(struct takeover *old, int fd)
{
	struct rung_server *server = old->server;
	struct offer_packet packet = { .head = head_of(OFFER, 0) };
	int fds[MOST_AT_ONCE];
	bool is_sent = true;

	for (unsigned i = 0; i < server->listener_count; i++)
		for (unsigned j = 0; j < server->listeners[i]->socket_count && is_sent; j++) {
			const struct listener *listener = server->listeners[i];

			if (packet.head.count == MOST_AT_ONCE) {
				packet.head.has_more = 1;
				is_sent = send_packet(fd, &packet, fds);
				packet.head.count = 0;
			}
			fds[packet.head.count] = listener->sockets[j].fd;
			packet.notes[packet.head.count++] =
				(struct note){ listener->dev, listener->ino, listener->is_lent };
		}
	packet.head.has_more = 0;
	return is_sent && send_packet(fd, &packet, fds);
}

/* What the new one has of an address it has all of. */
static void mark_handed(struct rung_server *server, const struct ready_packet *ready)
{
	unsigned at = 0;

	for (unsigned i = 0; i < server->listener_count; i++) {
		struct listener *listener = server->listeners[i];

		for (unsigned j = 0; j < listener->socket_count && at < ready->head.count; j++, at++)
			listener->is_handed = listener->is_handed || ready->is_taken[at];
	}
}

/* True once there is something to read on the first, or its end; false when we are to stop, or after that time. */
static bool wait_for(int fd, int stop_fd, int ms)
{
	struct pollfd polls[] = { { .fd = stop_fd, .events = POLLIN }, { .fd = fd, .events = POLLIN } };
	int count;

	do
		count = poll(polls, 2, ms);
	while (count < 0 && errno == EINTR);
	return count > 0 && !polls[0].revents;
}

static void let_go(struct takeover *old, int fd, const struct ready_packet *ready)
{
	const struct head go = head_of(GO, 0);

	mark_handed(old->server, ready);
	old->is_handed = true;
	send(fd, &go, sizeof go, MSG_NOSIGNAL);
	/* Until the path is the other's, whoever comes by it is sent away to try again, not told that nobody is there. */
	wait_for(fd, old->stop_fd, MESSAGE_MS);
}

/* Sets is_handed when the new process has taken over. */
static void hand_over(struct takeover *old, int fd)
{
	struct rung_server *server = old->server;
	struct ready_packet *ready = malloc(sizeof *ready);

	set_patience(fd, MESSAGE_MS);
	/* In this order: either we see that it stops, or its loops see that their sockets are not theirs alone. */
	atomic_store(&server->is_shared, true);
	if (ready && is_friend(fd) && !atomic_load(&server->is_stopping) && send_offers(old, fd)) {
		if (!wait_for(fd, old->stop_fd, READY_MS)) {
			/* We end while it may be about to serve: let nothing of ours be in its way. */
			free(ready);
			return;
		}
		ssize_t size = recv(fd, ready, sizeof *ready, 0);
		if (is_head(&ready->head, size, READY, 1, MOST_OFFERS))
			let_go(old, fd, ready);
	}
	atomic_store(&server->is_shared, false);
	free(ready);
}

static void *serve(void *argument)
{
	struct takeover *old = argument;

	while (!old->is_handed && wait_for(old->listen_fd, old->stop_fd, -1)) {
		int fd = accept4(old->listen_fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0) {
			/* Out of descriptors, perhaps. */
			wait_for(old->stop_fd, old->stop_fd, TRY_MS);
			continue;
		}
		hand_over(old, fd);
		close(fd);
	}
	if (!old->is_handed)
		return NULL;
	rung_site_log(&old->server->site, RUNG_LOG_INFO, "rung: another process has taken over");
	rung_server_drain(old->server);
	if (old->on_handed_over)
		old->on_handed_over(old->data);
	return NULL;
}

/* -- the new process ---------------------------------------------------------------------------------------------------- */

static int refuse_path(int err, const char *path, const char *why)
{
	return rung_refuse(err, "server: cannot take over by %s: %s", path, why);
}

/* Returns the descriptor; -ENOENT when nobody is there, -EAGAIN when it is worth another try. */
static int reach(const struct sockaddr_un *address)
{
	struct stat info;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return -errno;
	set_patience(fd, MESSAGE_MS);
	if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0)
		return fd;
	err = -errno;
	close(fd);
	/* What is refused so may also be a file of another kind. */
	if (err == -ECONNREFUSED && lstat(address->sun_path, &info) == 0 && !S_ISSOCK(info.st_mode))
		return -ENOTSOCK;
	return err == -ECONNREFUSED ? -ENOENT : err;
}

static void close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

/* Returns how many descriptors came with the packet, or a negative errno with none of them open. */
static int receive_packet(int fd, struct offer_packet *packet, int *fds)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(MOST_AT_ONCE * sizeof(int))];
	} control;
	struct iovec part = { .iov_base = packet, .iov_len = sizeof *packet };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof control.room,
	};
	ssize_t size = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	size_t count = 0;

	if (size <= 0)
		return size < 0 ? -errno : -ECONNRESET;
	const struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
	if (rights && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS) {
		count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(rights), count * sizeof(int));
	}
	bool is_good = is_head(&packet->head, size, OFFER, sizeof packet->notes[0], MOST_AT_ONCE);
	if (is_good && count == packet->head.count && !(message.msg_flags & MSG_CTRUNC))
		return (int)count;
	close_all(fds, count);
	return message.msg_flags & MSG_CTRUNC ? -EMFILE : -EPROTO;
}

/* Takes the descriptors, also on failure. */
static int take_packet(
	struct rung_server *server, const struct offer_packet *packet, const int *fds, int count)
{
	for (int i = 0; i < count; i++) {
		struct offer offer;
		int rc = rung_offer_read(fds[i], &offer);

		if (rc < 0) {
			close(fds[i]);
		} else {
			offer.dev = (dev_t)packet->notes[i].dev;
			offer.ino = (ino_t)packet->notes[i].ino;
			offer.is_lent = packet->notes[i].is_lent;
			rc = rung_server_offer(server, offer);
		}
		if (rc < 0) {
			close_all(fds + i + 1, (size_t)(count - i - 1));
			return rc;
		}
	}
	return 0;
}

/* -ECONNRESET before the first packet: it has sent us away. */
static int receive_offers(struct rung_server *server, int fd)
{
	struct offer_packet packet = { .head.has_more = 1 };
	int fds[MOST_AT_ONCE];
	int rc = 0;

	while (rc == 0 && packet.head.has_more) {
		int count = receive_packet(fd, &packet, fds);

		if (count < 0)
			rc = server->offer_count && count == -ECONNRESET ? -EPROTO : count;
		else
			rc = take_packet(server, &packet, fds, count);
		if (rc == 0 && server->offer_count > MOST_OFFERS)
			rc = -E2BIG;
	}
	return rc;
}

/* One try. Returns 0; -ENOENT when there is nobody; -EAGAIN or -ECONNRESET when it is worth another. */
static int ask_once(struct rung_server *server)
{
	struct takeover *new = server->takeover;
	int fd = reach(&new->address);

	if (fd < 0)
		return fd;
	int rc = is_friend(fd) ? receive_offers(server, fd) : -EPERM;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	/* Until it says that they are ours. */
	atomic_store(&server->is_shared, true);
	new->old_fd = fd;
	return 0;
}

static int ask(struct rung_server *server)
{
	const char *path = server->takeover->address.sun_path;
	int rc = -EAGAIN;

	for (int i = 0; i < TRIES && (rc == -EAGAIN || rc == -ECONNRESET); i++) {
		if (i)
			usleep(TRY_MS * 1000);
		rc = ask_once(server);
	}
	switch (rc) {
	case 0:
	case -ENOENT:
		return 0;
	case -EAGAIN:
	case -ECONNRESET:
		return refuse_path(rc, path, "the process there does not answer; stop it first");
	case -EPERM:
		return refuse_path(rc, path, "the process there is another user's");
	case -EPROTO:
	case -EPROTOTYPE:
		return refuse_path(rc, path, "what answers there is no such server; choose another path");
	case -ENOTSOCK:
		return refuse_path(
			rc, path, "it is there and is no socket; remove it or choose another path");
	default:
		return refuse_path(rc, path, strerror(-rc));
	}
}

static struct takeover *new_takeover(struct rung_server *server, const struct rung_server_options *options)
{
	struct takeover *takeover = calloc(1, sizeof *takeover);

	if (!takeover)
		return NULL;
	takeover->server = server;
	takeover->listen_fd = takeover->stop_fd = takeover->old_fd = -1;
	takeover->on_handed_over = options->on_handed_over;
	takeover->data = options->on_handed_over_data;
	takeover->address.sun_family = AF_UNIX;
	return takeover;
}

/* Room for the name that the socket has at first. */
enum { SUFFIX_ROOM = 16 };

int rung_takeover_ask(struct rung_server *server, const struct rung_server_options *options)
{
	const char *path = options->takeover;
	size_t most = sizeof server->takeover->address.sun_path - SUFFIX_ROOM - 1;

	if (!path)
		return 0;
	if (!*path || strlen(path) > most)
		return rung_refuse(-EINVAL, "server: the path to take over by has 1 to %zu bytes", most);
	server->takeover = new_takeover(server, options);
	if (!server->takeover)
		return rung_refuse(-ENOMEM, "server: out of memory");
	strcpy(server->takeover->address.sun_path, path);
	return ask(server);
}

/* Under another name first: the path is the old one's until it says so. */
static int listen_aside(struct takeover *new, struct sockaddr_un *ret_aside)
{
	*ret_aside = new->address;
	snprintf(ret_aside->sun_path + strlen(ret_aside->sun_path), SUFFIX_ROOM, ".%d", (int)getpid());
	new->stop_fd = eventfd(0, EFD_CLOEXEC);
	new->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (new->stop_fd < 0 || new->listen_fd < 0)
		return -errno;
	return rung_local_bind(new->listen_fd, ret_aside, CONTROL_MODE, &new->dev, &new->ino);
}

static int start_thread(struct takeover *new)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&new->thread, NULL, serve, new);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	new->has_thread = rc == 0;
	return -rc;
}

/* What it does not hear of, it does not survive: the old one goes by our READY, we go on in any case. */
static int say_ready(struct rung_server *server)
{
	struct ready_packet *ready = calloc(1, sizeof *ready);
	struct head go;

	if (!ready)
		return -ENOMEM;
	ready->head = head_of(READY, server->offer_count);
	for (unsigned i = 0; i < server->offer_count; i++)
		ready->is_taken[i] = server->offers[i].is_taken;
	send(server->takeover->old_fd, ready, sizeof ready->head + server->offer_count, MSG_NOSIGNAL);
	free(ready);
	atomic_store(&server->is_shared, false);
	if (recv(server->takeover->old_fd, &go, sizeof go, 0) <= 0)
		rung_site_log(&server->site, RUNG_LOG_WARNING,
			"rung: the process taken over from has gone meanwhile");
	return 0;
}

int rung_takeover_begin(struct rung_server *server)
{
	struct takeover *new = server->takeover;
	struct sockaddr_un aside;

	if (!new)
		return 0;
	int rc = listen_aside(new, &aside);
	if (rc == 0)
		rc = start_thread(new);
	if (rc == 0 && new->old_fd >= 0)
		rc = say_ready(server);
	if (rc == 0 && rename(aside.sun_path, new->address.sun_path) < 0)
		rc = -errno;
	if (rc < 0 && new->ino)
		unlink(aside.sun_path);
	if (new->old_fd >= 0)
		close(new->old_fd);
	new->old_fd = -1;
	return rc < 0 ? refuse_path(rc, new->address.sun_path, strerror(-rc)) : 0;
}

void rung_takeover_end(struct rung_server *server)
{
	struct takeover *takeover = server->takeover;
	const uint64_t one = 1;
	struct stat info;

	if (!takeover)
		return;
	if (takeover->has_thread) {
		while (write(takeover->stop_fd, &one, sizeof one) < 0 && errno == EINTR)
			continue;
		pthread_join(takeover->thread, NULL);
	}
	/* The file at the path is the next one's after a takeover. */
	if (takeover->ino && lstat(takeover->address.sun_path, &info) == 0 && info.st_ino == takeover->ino &&
		info.st_dev == takeover->dev)
		unlink(takeover->address.sun_path);
	if (takeover->listen_fd >= 0)
		close(takeover->listen_fd);
	if (takeover->stop_fd >= 0)
		close(takeover->stop_fd);
	if (takeover->old_fd >= 0)
		close(takeover->old_fd);
	free(takeover);
	server->takeover = NULL;
}
