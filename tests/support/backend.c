/* backend.c: see backend.h. */
#include "backend.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void *serve_peer(void *argument)
{
	struct backend_peer *peer = argument;

	peer->backend->serve(peer->backend, peer->fd, peer->number);
	shutdown(peer->fd, SHUT_RDWR);
	atomic_fetch_sub(&peer->backend->open, 1);
	return NULL;
}

static void *serve_all(void *argument)
{
	struct backend *backend = argument;
	int fd, on = 1;

	while ((fd = accept4(backend->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		unsigned number = atomic_load(&backend->connections);

		if (number == BACKEND_MOST) {
			close(fd);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		backend->peers[number] = (struct backend_peer){ backend, 0, fd, number };
		atomic_fetch_add(&backend->open, 1);
		if (pthread_create(
			    &backend->peers[number].thread, NULL, serve_peer, &backend->peers[number]) != 0)
			abort();
		atomic_fetch_add(&backend->connections, 1);
	}
	return NULL;
}

static struct backend *start(int fd, backend_fn serve, const char *answer)
{
	struct backend *backend = calloc(1, sizeof *backend);

	cr_assert(backend && fd >= 0 && listen(fd, 128) == 0, "no backend: %s", strerror(errno));
	backend->listener = fd;
	backend->serve = serve;
	backend->answer = answer;
	pthread_mutex_init(&backend->lock, NULL);
	cr_assert(pthread_create(&backend->thread, NULL, serve_all, backend) == 0);
	return backend;
}

static int bind_port(unsigned *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
		  getsockname(fd, (struct sockaddr *)&address, &size) == 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

struct backend *backend_start(backend_fn serve, const char *answer)
{
	unsigned port;
	int fd = bind_port(&port);
	struct backend *backend = start(fd, serve, answer);

	backend->port = port;
	snprintf(backend->authority, sizeof backend->authority, "127.0.0.1:%u", port);
	snprintf(backend->url, sizeof backend->url, "http://127.0.0.1:%u", port);
	return backend;
}

struct backend *backend_start_unix(const char *path, backend_fn serve, const char *answer)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	unlink(path);
	cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0, "%s: %s", path,
		strerror(errno));
	struct backend *backend = start(fd, serve, answer);
	snprintf(backend->url, sizeof backend->url, "unix:%s", path);
	return backend;
}

void backend_stop(struct backend *backend)
{
	shutdown(backend->listener, SHUT_RDWR);
	pthread_join(backend->thread, NULL);
	close(backend->listener);
	for (unsigned i = 0; i < atomic_load(&backend->connections); i++)
		shutdown(backend->peers[i].fd, SHUT_RDWR);
	for (unsigned i = 0; i < atomic_load(&backend->connections); i++) {
		pthread_join(backend->peers[i].thread, NULL);
		close(backend->peers[i].fd);
	}
	pthread_mutex_destroy(&backend->lock);
	free(backend);
}

unsigned backend_dead_port(void)
{
	unsigned port;

	close(bind_port(&port));
	return port;
}

/* -- requests ---------------------------------------------------------------------------------------------------- */

size_t backend_take_head(struct backend *backend, int fd, char *buffer, size_t room, size_t *ret_filled)
{
	size_t filled = 0;
	char *end;

	buffer[0] = '\0';
	while (!(end = strstr(buffer, "\r\n\r\n"))) {
		ssize_t n = filled + 1 < room ? recv(fd, buffer + filled, room - 1 - filled, 0) : 0;

		if (n <= 0)
			return 0;
		filled += (size_t)n;
		buffer[filled] = '\0';
	}
	size_t size = (size_t)(end - buffer) + 4;
	pthread_mutex_lock(&backend->lock);
	snprintf(backend->seen, sizeof backend->seen, "%.*s", (int)size, buffer);
	backend->seen_body = 0;
	backend->body[0] = '\0';
	pthread_mutex_unlock(&backend->lock);
	*ret_filled = filled;
	return size;
}

/* Notes a piece of a body. */
static void note_body(struct backend *backend, const char *bytes, size_t size)
{
	pthread_mutex_lock(&backend->lock);
	if (backend->seen_body < BACKEND_ROOM - 1) {
		size_t left = (size_t)(BACKEND_ROOM - 1 - backend->seen_body);

		left = size < left ? size : left;
		memcpy(backend->body + backend->seen_body, bytes, left);
		backend->body[backend->seen_body + (int64_t)left] = '\0';
	}
	backend->seen_body += (int64_t)size;
	pthread_mutex_unlock(&backend->lock);
}

/* Reads on with what has come already. */
struct reader {
	int fd;
	char *at, *end, *buffer;
	size_t room;
};

static bool fill(struct reader *reader)
{
	ssize_t n = recv(reader->fd, reader->buffer, reader->room, 0);

	if (n <= 0)
		return false;
	reader->at = reader->buffer;
	reader->end = reader->buffer + n;
	return true;
}

static bool take_bytes(struct backend *backend, struct reader *reader, int64_t size, bool note)
{
	while (size) {
		if (reader->at == reader->end && !fill(reader))
			return false;
		int64_t piece = reader->end - reader->at;

		piece = piece < size ? piece : size;
		if (note)
			note_body(backend, reader->at, (size_t)piece);
		reader->at += piece;
		size -= piece;
	}
	return true;
}

static bool take_line(struct reader *reader, char *line, size_t room)
{
	for (size_t size = 0; size + 1 < room;) {
		if (reader->at == reader->end && !fill(reader))
			return false;
		line[size++] = *reader->at++;
		line[size] = '\0';
		if (line[size - 1] == '\n')
			return true;
	}
	return false;
}

static bool take_chunks(struct backend *backend, struct reader *reader)
{
	char line[128];
	int64_t size;

	do {
		if (!take_line(reader, line, sizeof line))
			return false;
		size = strtoll(line, NULL, 16);
		if (!take_bytes(backend, reader, size, true) || !take_bytes(backend, reader, 2, false))
			return false;
	} while (size);
	return true;
}

bool backend_take(struct backend *backend, int fd)
{
	static _Thread_local char buffer[BACKEND_ROOM];
	size_t filled = 0, size = backend_take_head(backend, fd, buffer, sizeof buffer, &filled);

	if (!size)
		return false;
	struct reader reader = { fd, buffer + size, buffer + filled, buffer, sizeof buffer };
	const char *length = strcasestr(buffer, "\r\nContent-Length:");
	const char *coding = strcasestr(buffer, "\r\nTransfer-Encoding: chunked");
	bool is_whole = true;
	if (coding && coding < buffer + size)
		is_whole = take_chunks(backend, &reader);
	else if (length && length < buffer + size)
		is_whole = take_bytes(backend, &reader, strtoll(length + 17, NULL, 10), true);
	if (is_whole)
		atomic_fetch_add(&backend->requests, 1);
	return is_whole;
}

bool backend_say_bytes(int fd, const void *bytes, size_t size)
{
	const char *at = bytes;

	while (size) {
		ssize_t n = send(fd, at, size, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		at += n;
		size -= (size_t)n;
	}
	return true;
}

bool backend_say(int fd, const char *text)
{
	return backend_say_bytes(fd, text, strlen(text));
}

void backend_answer(struct backend *backend, int fd, unsigned number)
{
	(void)number;
	while (backend_take(backend, fd) && backend_say(fd, backend->answer))
		;
}

void backend_echo(struct backend *backend, int fd, unsigned number)
{
	char head[128];

	(void)number;
	while (backend_take(backend, fd)) {
		char *seen = backend_seen(backend);

		snprintf(head, sizeof head,
			"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
			strlen(seen) + strlen(backend->body));
		bool is_said =
			backend_say(fd, head) && backend_say(fd, seen) && backend_say(fd, backend->body);
		free(seen);
		if (!is_said)
			break;
	}
}

char *backend_seen(struct backend *backend)
{
	pthread_mutex_lock(&backend->lock);
	char *copy = strdup(backend->seen);
	pthread_mutex_unlock(&backend->lock);
	cr_assert(copy);
	return copy;
}
