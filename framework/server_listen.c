/* server_listen.c: the addresses a server listens on: which they are, who accepts from them, what they are called. */
#include "server_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { UNIX_MODE = 0660 };

/* -- what is offered ------------------------------------------------------------------------------------------------ */

int rung_server_offer(struct rung_server *server, struct offer offer)
{
	struct offer *offers = reallocarray(server->offers, server->offer_count + 1, sizeof *offers);

	if (!offers) {
		close(offer.fd);
		return rung_refuse(-ENOMEM, "server: out of memory");
	}
	server->offers = offers;
	server->offers[server->offer_count++] = offer;
	return 0;
}

int rung_server_offer_lent(struct rung_server *server, const int *fds)
{
	int rc = 0;

	server->uses_all_lent = fds != NULL;
	for (; fds && *fds >= 0; fds++) {
		struct offer offer;

		rc = rc < 0 ? rc : rung_offer_read(*fds, &offer);
		if (rc < 0) {
			close(*fds);
			continue;
		}
		offer.is_lent = true;
		rc = rung_server_offer(server, offer);
	}
	return rc;
}

void rung_server_drop_offers(struct rung_server *server)
{
	for (unsigned i = 0; i < server->offer_count; i++)
		if (!server->offers[i].is_taken)
			close(server->offers[i].fd);
	free(server->offers);
	server->offers = NULL;
	server->offer_count = 0;
}

/* -- which ---------------------------------------------------------------------------------------------------------- */

/* NULL, refused with a message. */
static struct listener *add_listener(struct rung_server *server)
{
	struct listener *listener;

	if (server->listener_count == RUNG_MAX_LISTENERS) {
		rung_refuse(-E2BIG, "server: it listens on %d addresses at most", RUNG_MAX_LISTENERS);
		return NULL;
	}
	listener = calloc(1, sizeof *listener);
	if (!listener)
		rung_refuse(-ENOMEM, "server: out of memory");
	else
		server->listeners[server->listener_count++] = listener;
	return listener;
}

/* Cuts a scheme off the text. */
static bool has_scheme(const char **text, const char *scheme)
{
	size_t size = strlen(scheme);
	bool is_there = strncmp(*text, scheme, size) == 0;

	*text += is_there ? size : 0;
	return is_there;
}

/* TCP is TLS where there is a certificate, unless it is said otherwise. */
static int choose_scheme(
	const struct rung_server *server, struct listener *listener, bool is_plain, bool is_secure)
{
	bool is_local = listener->address.any.sa_family == AF_UNIX;

	if (is_local && (is_plain || is_secure))
		return rung_refuse(-EINVAL, "server: a Unix socket has no scheme; write \"unix:PATH\"");
	if (is_secure && !server->tls)
		return rung_refuse(-EINVAL, "server: https takes a certificate; give it .tls (--tls-cert)");
	listener->is_tls = server->tls && !is_local && !is_plain;
	return 0;
}

/* From what was offered, else anew. */
static int open_listener(struct rung_server *server, struct listener *listener, unsigned mode)
{
	unsigned room = server->offer_count > server->loop_count ? server->offer_count : server->loop_count;

	listener->sockets = calloc(room, sizeof *listener->sockets);
	if (!listener->sockets)
		return rung_refuse(-ENOMEM, "server: out of memory");
	if (rung_listener_adopt(listener, server->offers, server->offer_count))
		return 0;
	return rung_listener_open(listener, server->loop_count, mode);
}

static int open_address(
	struct rung_server *server, const struct rung_server_options *options, const char *text)
{
	struct listener *listener = add_listener(server);
	unsigned mode = options->unix_mode ? options->unix_mode : UNIX_MODE;

	if (!listener)
		return -ENOMEM;
	bool is_plain = has_scheme(&text, "http://"), is_secure = has_scheme(&text, "https://");
	int rc = rung_address_parse(text, options->port, &listener->address, &listener->address_size);
	if (rc == 0)
		rc = choose_scheme(server, listener, is_plain, is_secure);
	return rc < 0 ? rc : open_listener(server, listener, mode);
}

/* Sockets that were lent to us are for us, also where no option names their address. */
static int open_lent(struct rung_server *server)
{
	for (unsigned i = 0; i < server->offer_count; i++) {
		const struct offer *offer = &server->offers[i];

		if (offer->is_taken || !offer->is_lent || !server->uses_all_lent)
			continue;
		struct listener *listener = add_listener(server);
		if (!listener)
			return -ENOMEM;
		listener->address = offer->address;
		choose_scheme(server, listener, false, false);
		int rc = open_listener(server, listener, 0);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int open_addresses(struct rung_server *server, const struct rung_server_options *options)
{
	int rc = 0;

	if (options->port > 65535)
		return rung_refuse(-EINVAL, "server: there is no port %u; use 0 to 65535", options->port);
	if (options->unix_mode > 0777)
		return rung_refuse(
			-EINVAL, "server: mode 0%o of a Unix socket; use 0 to 0777", options->unix_mode);
	if (options->bind)
		rc = open_address(server, options, options->bind);
	for (const char *const *text = options->listen; text && *text && rc == 0; text++)
		rc = open_address(server, options, *text);
	if (rc == 0)
		rc = open_lent(server);
	/* Nothing was named. */
	if (rc == 0 && !server->listener_count)
		rc = open_address(server, options, "127.0.0.1");
	return rc;
}

/* -- who accepts ---------------------------------------------------------------------------------------------------- */

/* Sockets and loops are dealt out to each other, so that each has one: of the fewer some have several. */
static unsigned shares_of(const struct rung_server *server, const struct listener *listener)
{
	return listener->socket_count > server->loop_count ? listener->socket_count : server->loop_count;
}

static void deal_out(struct rung_server *server, struct listener *listener)
{
	unsigned shares = shares_of(server, listener);

	for (unsigned i = 0; i < shares; i++) {
		struct loop *loop = &server->loops[i % server->loop_count];
		struct listen_socket *socket = &listener->sockets[i % listener->socket_count];

		atomic_fetch_add(&socket->users, 1);
		loop->acceptors[loop->acceptor_count++] = (struct acceptor){
			.listener = listener,
			.socket = socket,
			.is_shared = server->loop_count > listener->socket_count,
		};
	}
}

static int make_acceptors(struct rung_server *server)
{
	unsigned most = 0;

	for (unsigned i = 0; i < server->listener_count; i++)
		most += shares_of(server, server->listeners[i]) / server->loop_count + 1;
	for (unsigned i = 0; i < server->loop_count; i++) {
		server->loops[i].acceptors = calloc(most, sizeof *server->loops[i].acceptors);
		if (!server->loops[i].acceptors)
			return rung_refuse(-ENOMEM, "server: out of memory");
	}
	for (unsigned i = 0; i < server->listener_count; i++)
		deal_out(server, server->listeners[i]);
	return 0;
}

/* -- what they are called --------------------------------------------------------------------------------------------- */

static void add_authority(struct rung_server *server, const char *authority)
{
	unsigned i = 0;

	for (; server->authorities[i]; i++)
		if (strcmp(server->authorities[i], authority) == 0)
			return;
	snprintf(server->authority_text[i], sizeof server->authority_text[i], "%s", authority);
	server->authorities[i] = server->authority_text[i];
}

static void note_address(struct rung_server *server, const struct listener *listener)
{
	const union rung_address *address = &listener->address;
	bool is_loopback = rung_address_is_loopback(address), is_wildcard = rung_address_is_wildcard(address);
	unsigned port = rung_address_port(address);
	char text[72];

	if (!server->port)
		server->port = port;
	server->is_public = server->is_public || !is_loopback;
	if (is_wildcard)
		snprintf(text, sizeof text, "%s:%u",
			address->any.sa_family == AF_INET ? "127.0.0.1" : "[::1]", port);
	else
		rung_address_print(address, text, sizeof text);
	add_authority(server, text);
	if (is_loopback || is_wildcard) {
		snprintf(text, sizeof text, "localhost:%u", port);
		add_authority(server, text);
	}
}

static void note_addresses(struct rung_server *server)
{
	for (unsigned i = 0; i < server->listener_count; i++) {
		struct listener *listener = server->listeners[i];
		char text[sizeof listener->url - sizeof "https:///"];

		rung_address_print(&listener->address, text, sizeof text);
		server->urls[i] = listener->url;
		if (listener->address.any.sa_family == AF_UNIX) {
			snprintf(listener->url, sizeof listener->url, "%s", text);
			continue;
		}
		snprintf(listener->url, sizeof listener->url, "%s://%s/", listener->is_tls ? "https" : "http",
			text);
		note_address(server, listener);
	}
	/* A Unix socket alone has no authority of its own; this is what its clients mostly say. */
	if (!server->authorities[0])
		add_authority(server, "localhost");
}

/* True when it is found; a negative errno when the text is no address. */
static int try_plain(const struct rung_server_options *options, const char *text, char *buffer, size_t room)
{
	bool is_plain = has_scheme(&text, "http://"), is_secure = has_scheme(&text, "https://");
	union rung_address address;
	socklen_t size;
	int rc = rung_address_parse(text, options->port, &address, &size);

	if (rc < 0)
		return rc;
	if (address.any.sa_family != AF_UNIX) {
		if (is_secure || (options->tls.cert && !is_plain))
			return false;
		if (rung_address_port(&address) == 0)
			return rung_refuse(
				-EINVAL, "server: port 0 is any port; give one, so that others know it");
	}
	if (rung_address_is_wildcard(&address))
		snprintf(buffer, room, "%s:%u", address.any.sa_family == AF_INET ? "127.0.0.1" : "[::1]",
			rung_address_port(&address));
	else
		rung_address_print(&address, buffer, room);
	return true;
}

int rung_server_plain_address(const struct rung_server_options *options, char *buffer, size_t room)
{
	bool has_names = options->bind || (options->listen && *options->listen);
	int rc = 0;

	if (options->bind)
		rc = try_plain(options, options->bind, buffer, room);
	for (const char *const *text = options->listen; text && *text && rc == 0; text++)
		rc = try_plain(options, *text, buffer, room);
	if (!has_names)
		rc = try_plain(options, "127.0.0.1", buffer, room);
	if (rc == 0)
		return rung_refuse(-EINVAL,
			"server: every address is TLS; add one for the server in front, such as http://127.0.0.1:8080");
	return rc < 0 ? rc : 0;
}

/* -- all of it ---------------------------------------------------------------------------------------------------------- */

int rung_server_listen(struct rung_server *server, const struct rung_server_options *options)
{
	int rc = open_addresses(server, options);

	if (rc == 0)
		rc = make_acceptors(server);
	if (rc == 0)
		note_addresses(server);
	return rc;
}

/* Whose file it is says its inode: somebody may have put another in its place. */
static void remove_file(struct listener *listener)
{
	const char *path = listener->address.local.sun_path;
	struct stat info;

	if (listener->is_handed || !listener->ino)
		return;
	if (lstat(path, &info) == 0 && info.st_ino == listener->ino && info.st_dev == listener->dev)
		unlink(path);
	listener->ino = 0;
}

void rung_server_unlink(struct rung_server *server)
{
	/* Those who may serve there soon need it. */
	if (atomic_load(&server->is_shared))
		return;
	for (unsigned i = 0; i < server->listener_count; i++)
		remove_file(server->listeners[i]);
}

void rung_server_unlisten(struct rung_server *server)
{
	rung_server_unlink(server);
	for (unsigned i = 0; i < server->listener_count; i++) {
		struct listener *listener = server->listeners[i];

		for (unsigned j = 0; j < listener->socket_count; j++)
			if (listener->sockets[j].fd >= 0)
				close(listener->sockets[j].fd);
		free(listener->sockets);
		free(listener);
	}
	server->listener_count = 0;
}
