/* server_listen.c: listening sockets, and how this process is addressed. */
#include "server_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union address {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
};

static int parse_address(const char *text, unsigned port, union address *address)
{
	memset(address, 0, sizeof *address);
	if (strcmp(text, "localhost") == 0)
		text = "127.0.0.1";
	if (inet_pton(AF_INET, text, &address->four.sin_addr) == 1) {
		address->four.sin_family = AF_INET;
		address->four.sin_port = htons((uint16_t)port);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &address->six.sin6_addr) == 1) {
		address->six.sin6_family = AF_INET6;
		address->six.sin6_port = htons((uint16_t)port);
		return 0;
	}
	return rung_refuse(
		-EINVAL, "server: \"%s\" is no numeric address; use one such as 127.0.0.1 or ::1", text);
}

static socklen_t size_of(const union address *address)
{
	return address->any.sa_family == AF_INET ? sizeof address->four : sizeof address->six;
}

static unsigned port_of(const union address *address)
{
	return ntohs(address->any.sa_family == AF_INET ? address->four.sin_port : address->six.sin6_port);
}

static bool is_loopback(const union address *address)
{
	if (address->any.sa_family == AF_INET)
		return ntohl(address->four.sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&address->six.sin6_addr);
}

static bool is_wildcard(const union address *address)
{
	if (address->any.sa_family == AF_INET)
		return address->four.sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&address->six.sin6_addr);
}

/*
 * One socket a loop, sharing the port by SO_REUSEPORT, so that the kernel spreads connections evenly. The first is
 * bound without it: else a port that another program of this user shares would be taken for free.
 */
static int open_socket(const union address *address, bool is_first)
{
	const int on = 1;
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (!is_first)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	if (address->any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, &address->any, size_of(address)) == 0) {
		if (is_first)
			setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
		if (listen(fd, SOMAXCONN) == 0)
			return fd;
	}
	int err = -errno;
	close(fd);
	return err;
}

static void add_authority(struct rung_server *server, const char *host, unsigned port)
{
	unsigned i = 0;

	while (server->authorities[i])
		i++;
	snprintf(server->authority_text[i], sizeof server->authority_text[i], "%s:%u", host, port);
	server->authorities[i] = server->authority_text[i];
}

static void note_address(struct rung_server *server, const union address *address)
{
	char text[INET6_ADDRSTRLEN], host[INET6_ADDRSTRLEN + 2];
	const void *bytes = address->any.sa_family == AF_INET ? (const void *)&address->four.sin_addr
							      : (const void *)&address->six.sin6_addr;

	inet_ntop(address->any.sa_family, bytes, text, sizeof text);
	snprintf(host, sizeof host, address->any.sa_family == AF_INET ? "%s" : "[%s]", text);
	server->port = port_of(address);
	server->is_public = !is_loopback(address);
	snprintf(server->url, sizeof server->url, "http://%s:%u/", host, server->port);
	if (!is_wildcard(address))
		add_authority(server, host, server->port);
	else
		add_authority(
			server, address->any.sa_family == AF_INET ? "127.0.0.1" : "[::1]", server->port);
	if (!server->is_public || is_wildcard(address))
		add_authority(server, "localhost", server->port);
}

static int refuse_address(int err, const char *text, unsigned port)
{
	if (err == -EADDRINUSE)
		return rung_refuse(err,
			"server: port %u on %s is in use; stop what listens there, or choose another with "
			"--port",
			port, text);
	if (err == -EACCES)
		return rung_refuse(
			err, "server: port %u on %s needs more rights; choose one above 1023", port, text);
	return rung_refuse(err, "server: cannot listen on %s port %u: %s", text, port, strerror(-err));
}

int rung_server_listen(struct rung_server *server, const char *text, unsigned port)
{
	union address address;
	socklen_t size = sizeof address;

	if (port > 65535)
		return rung_refuse(-EINVAL, "server: there is no port %u; use 0 to 65535", port);
	if (parse_address(text, port, &address) < 0)
		return -EINVAL;
	for (unsigned i = 0; i < server->loop_count; i++) {
		int fd = open_socket(&address, i == 0);

		if (fd < 0)
			return refuse_address(fd, text, port);
		server->loops[i].listen_fd = fd;
		/* Port 0 became a real one, which the other sockets share. */
		if (i == 0 && getsockname(fd, &address.any, &size) < 0)
			return refuse_address(-errno, text, port);
	}
	note_address(server, &address);
	return 0;
}
