/* server_socket.c: addresses as texts, and listening sockets on them. */
#include "server_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* -- addresses ------------------------------------------------------------------------------------------------------ */

static int parse_local(const char *path, union rung_address *address, socklen_t *ret_size)
{
	size_t size = strlen(path);

	if (size == 0 || size >= sizeof address->local.sun_path)
		return rung_refuse(-EINVAL,
			"server: the path of a Unix socket has 1 to %zu bytes; \"%.200s\" has %zu",
			sizeof address->local.sun_path - 1, path, size);
	address->local.sun_family = AF_UNIX;
	memcpy(address->local.sun_path, path, size + 1);
	*ret_size = sizeof address->local;
	return 0;
}

static int parse_port(const char *text, unsigned *ret_port)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || end - text > 5 || port > 65535)
		return rung_refuse(-EINVAL, "server: there is no port \"%.20s\"; use 0 to 65535", text);
	*ret_port = (unsigned)port;
	return 0;
}

/* Cuts "HOST:PORT" into its parts. More than one colon without brackets is IPv6 alone. */
static int split_port(const char *text, char *host, size_t room, unsigned *port)
{
	const char *colon = strrchr(text, ':'), *from = text;
	size_t size = strlen(text);

	if (*text == '[') {
		const char *end = strchr(text, ']');

		colon = end && end[1] == ':' ? end + 1 : NULL;
		from = text + 1;
		size = end && (colon || !end[1]) ? (size_t)(end - from) : room;
	} else if (colon && colon == strchr(text, ':')) {
		size = (size_t)(colon - text);
	} else {
		colon = NULL;
	}
	if (size >= room)
		size = 0; /* no address is that long; none is the empty one */
	memcpy(host, from, size);
	host[size] = '\0';
	return colon ? parse_port(colon + 1, port) : 0;
}

int rung_address_parse(
	const char *text, unsigned usual_port, union rung_address *ret_address, socklen_t *ret_size)
{
	union rung_address address = { .any.sa_family = AF_UNSPEC };
	char host[INET6_ADDRSTRLEN];
	unsigned port = usual_port;

	if (strncmp(text, "unix:", 5) == 0)
		return parse_local(text + 5, ret_address, ret_size);
	if (split_port(text, host, sizeof host, &port) < 0)
		return -EINVAL;
	if (strcmp(host, "localhost") == 0)
		strcpy(host, "127.0.0.1");
	if (inet_pton(AF_INET, host, &address.four.sin_addr) == 1) {
		address.four.sin_family = AF_INET;
		address.four.sin_port = htons((uint16_t)port);
		*ret_size = sizeof address.four;
	} else if (inet_pton(AF_INET6, host, &address.six.sin6_addr) == 1) {
		address.six.sin6_family = AF_INET6;
		address.six.sin6_port = htons((uint16_t)port);
		*ret_size = sizeof address.six;
	} else {
		return rung_refuse(-EINVAL,
			"server: \"%.200s\" is no numeric address; use one such as 127.0.0.1, 127.0.0.1:8080 or [::1]:8080",
			text);
	}
	*ret_address = address;
	return 0;
}

unsigned rung_address_port(const union rung_address *address)
{
	switch (address->any.sa_family) {
	case AF_INET:
		return ntohs(address->four.sin_port);
	case AF_INET6:
		return ntohs(address->six.sin6_port);
	default:
		return 0;
	}
}

bool rung_address_is_loopback(const union rung_address *address)
{
	switch (address->any.sa_family) {
	case AF_INET:
		return ntohl(address->four.sin_addr.s_addr) >> 24 == 127;
	case AF_INET6:
		return IN6_IS_ADDR_LOOPBACK(&address->six.sin6_addr);
	default:
		return true;
	}
}

bool rung_address_is_wildcard(const union rung_address *address)
{
	switch (address->any.sa_family) {
	case AF_INET:
		return address->four.sin_addr.s_addr == htonl(INADDR_ANY);
	case AF_INET6:
		return IN6_IS_ADDR_UNSPECIFIED(&address->six.sin6_addr);
	default:
		return false;
	}
}

void rung_address_print(const union rung_address *address, char *text, size_t room)
{
	char host[INET6_ADDRSTRLEN] = "?";

	switch (address->any.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &address->four.sin_addr, host, sizeof host);
		snprintf(text, room, "%s:%u", host, rung_address_port(address));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &address->six.sin6_addr, host, sizeof host);
		snprintf(text, room, "[%s]:%u", host, rung_address_port(address));
		break;
	default:
		snprintf(text, room, "unix:%s", address->local.sun_path);
	}
}

/* -- over TCP ------------------------------------------------------------------------------------------------------- */

/*
 * One socket a loop, sharing the port by SO_REUSEPORT, so that the kernel spreads connections evenly. The first is
 * bound without it: else a port that another program of this user shares would be taken for free.
 */
static int open_tcp(struct listener *listener, bool is_first)
{
	const int on = 1;
	int fd = socket(listener->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (!is_first)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	if (listener->address.any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, &listener->address.any, listener->address_size) == 0) {
		if (is_first)
			setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
		if (listen(fd, SOMAXCONN) == 0)
			return fd;
	}
	int err = -errno;
	close(fd);
	return err;
}

static int refuse_tcp(int err, const struct listener *listener)
{
	char text[RUNG_ADDRESS_TEXT];

	rung_address_print(&listener->address, text, sizeof text);
	if (err == -EADDRINUSE)
		return rung_refuse(err,
			"server: port %u (%s) is in use; stop what listens there, or choose another with --port",
			rung_address_port(&listener->address), text);
	if (err == -EACCES)
		return rung_refuse(err, "server: %s needs more rights; choose a port above 1023", text);
	return rung_refuse(err, "server: cannot listen on %s: %s", text, strerror(-err));
}

static int open_all_tcp(struct listener *listener, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		int fd = open_tcp(listener, i == 0);
		socklen_t size = sizeof listener->address;

		if (fd < 0)
			return refuse_tcp(fd, listener);
		listener->sockets[listener->socket_count++].fd = fd;
		/* Port 0 became a real one, which the other sockets share. */
		if (i == 0 && getsockname(fd, &listener->address.any, &size) < 0)
			return refuse_tcp(-errno, listener);
	}
	return 0;
}

/* -- Unix sockets --------------------------------------------------------------------------------------------------- */

/* 0: nobody answers there, and the file was left behind. */
static int probe(const struct sockaddr_un *address, int type)
{
	struct stat info;
	int rc = 0;

	if (lstat(address->sun_path, &info) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(info.st_mode))
		return -ENOTSOCK;
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* A full queue, and one of another type, is somebody's too. */
	if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN ||
		errno == EPROTOTYPE)
		rc = -EADDRINUSE;
	else if (errno != ECONNREFUSED && errno != ENOENT)
		rc = -errno;
	close(fd);
	return rc;
}

/*
 * The mode is the file's from its first moment, whatever the umask: set on the socket first, where the umask may still
 * narrow it, then on the file. Nobody can connect before listen().
 */
static int bind_new(int fd, const struct sockaddr_un *address, unsigned mode, dev_t *ret_dev, ino_t *ret_ino)
{
	struct stat info;

	if (fchmod(fd, mode) < 0 || bind(fd, (const struct sockaddr *)address, sizeof *address) < 0 ||
		lstat(address->sun_path, &info) < 0)
		return -errno;
	*ret_dev = info.st_dev;
	*ret_ino = info.st_ino;
	return chmod(address->sun_path, mode) < 0 || listen(fd, SOMAXCONN) < 0 ? -errno : 0;
}

int rung_local_bind(int fd, const struct sockaddr_un *address, unsigned mode, dev_t *ret_dev, ino_t *ret_ino)
{
	int type, rc = bind_new(fd, address, mode, ret_dev, ret_ino);
	socklen_t size = sizeof type;

	if (rc != -EADDRINUSE)
		return rc;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
		return -errno;
	rc = probe(address, type);
	if (rc == 0 && unlink(address->sun_path) < 0 && errno != ENOENT)
		rc = -errno;
	return rc < 0 ? rc : bind_new(fd, address, mode, ret_dev, ret_ino);
}

static int refuse_local(int err, const char *path)
{
	switch (err) {
	case -EADDRINUSE:
		return rung_refuse(err,
			"server: somebody serves on %s already; stop that, choose another path, or see --takeover",
			path);
	case -ENOTSOCK:
		return rung_refuse(
			err, "server: %s is there and is no socket; remove it or choose another path", path);
	default:
		return rung_refuse(err, "server: cannot listen on unix:%s: %s", path, strerror(-err));
	}
}

static int open_local(struct listener *listener, unsigned mode)
{
	const struct sockaddr_un *address = &listener->address.local;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return refuse_local(-errno, address->sun_path);
	listener->sockets[listener->socket_count++].fd = fd;
	int rc = rung_local_bind(fd, address, mode, &listener->dev, &listener->ino);
	return rc < 0 ? refuse_local(rc, address->sun_path) : 0;
}

/* -- sockets that are there already --------------------------------------------------------------------------------- */

int rung_offer_read(int fd, struct offer *ret_offer)
{
	struct offer offer = { .fd = fd, .size = sizeof offer.address };
	int type = 0, listens = 0;
	socklen_t type_size = sizeof type, listens_size = sizeof listens;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) < 0 || type != SOCK_STREAM ||
		getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_size) < 0 || !listens ||
		getsockname(fd, &offer.address.any, &offer.size) < 0)
		return rung_refuse(-EINVAL,
			"server: descriptor %d is no listening stream socket; with systemd: ListenStream=, Accept=no",
			fd);
	switch (offer.address.any.sa_family) {
	case AF_INET:
	case AF_INET6:
	case AF_UNIX:
		break;
	default:
		return rung_refuse(-EAFNOSUPPORT,
			"server: descriptor %d listens neither on TCP nor on a Unix socket", fd);
	}
	/* A path that fills its room has no NUL. */
	if (offer.size >= sizeof offer.address)
		offer.address.local.sun_path[sizeof offer.address.local.sun_path - 1] = '\0';
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	*ret_offer = offer;
	return 0;
}

/* Port 0 is any. */
static bool is_wanted(const union rung_address *wanted, const union rung_address *there)
{
	if (wanted->any.sa_family != there->any.sa_family)
		return false;
	if (wanted->any.sa_family == AF_UNIX)
		return strcmp(wanted->local.sun_path, there->local.sun_path) == 0;
	if (rung_address_port(wanted) && rung_address_port(wanted) != rung_address_port(there))
		return false;
	if (wanted->any.sa_family == AF_INET)
		return wanted->four.sin_addr.s_addr == there->four.sin_addr.s_addr;
	return memcmp(&wanted->six.sin6_addr, &there->six.sin6_addr, sizeof wanted->six.sin6_addr) == 0;
}

bool rung_listener_adopt(struct listener *listener, struct offer *offers, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct offer *offer = &offers[i];

		if (offer->is_taken || !is_wanted(&listener->address, &offer->address))
			continue;
		/* The first one says the port, so that those of one address stay together. */
		listener->address = offer->address;
		listener->address_size = offer->size;
		listener->is_lent = offer->is_lent;
		listener->dev = offer->dev;
		listener->ino = offer->ino;
		listener->sockets[listener->socket_count++].fd = offer->fd;
		offer->is_taken = true;
	}
	return listener->socket_count > 0;
}

int rung_listener_open(struct listener *listener, unsigned count, unsigned unix_mode)
{
	if (listener->address.any.sa_family == AF_UNIX)
		return open_local(listener, unix_mode);
	return open_all_tcp(listener, count);
}
