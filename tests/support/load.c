/* load.c: see load.h. */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECT_MS = 100, ANSWER_MS = 10000, ROOM = 4096 };

/* What is asked in turn, and how long its answer's body is. */
static const struct {
	const char *target;
	long long size;
} asked[] = { { "/", 6 }, { "/big", 1048576 }, { "/", 6 }, { "/slow?3", 100 } };

/* -1: there is no server now. A handshake that is dropped is tried again sooner than the kernel would. */
static int open_connection(unsigned port)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err = 0;
	struct pollfd ready = { .fd = fd, .events = POLLOUT };
	socklen_t size = sizeof err;

	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	if (errno == EINPROGRESS && poll(&ready, 1, CONNECT_MS) == 1 &&
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size) == 0 && err == 0)
		return fd;
	close(fd);
	return -1;
}

/* As recv(); -ETIMEDOUT after a long silence. */
static ssize_t receive(int fd, char *buffer, size_t room)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	if (poll(&ready, 1, ANSWER_MS) != 1)
		return -ETIMEDOUT;
	ssize_t n = recv(fd, buffer, room, 0);
	return n < 0 ? -errno : n;
}

struct answer {
	long long bytes; /* that came in all */
	bool is_whole, closes;
	ssize_t ending; /* what recv() said where it is not whole */
};

static struct answer read_answer(int fd, long long size)
{
	char buffer[ROOM + 1] = "";
	struct answer answer = { 0 };
	size_t filled = 0;
	char *end;

	while (!(end = strstr(buffer, "\r\n\r\n")) && filled < ROOM) {
		answer.ending = receive(fd, buffer + filled, ROOM - filled);
		if (answer.ending <= 0)
			return answer;
		filled += (size_t)answer.ending;
		answer.bytes += answer.ending;
		buffer[filled] = '\0';
	}
	if (!end || strncmp(buffer, "HTTP/1.1 200 ", 13) != 0)
		return answer;
	answer.closes = strstr(buffer, "Connection: close") != NULL;
	long long left = size - (long long)(filled - (size_t)(end + 4 - buffer));
	while (left > 0) {
		answer.ending = receive(fd, buffer, left < ROOM ? (size_t)left : ROOM);
		if (answer.ending <= 0)
			return answer;
		answer.bytes += answer.ending;
		left -= answer.ending;
	}
	answer.is_whole = left == 0;
	return answer;
}

static void note_loss(
	struct load_client *client, const struct answer *answer, const char *target, bool is_reused)
{
	struct load *load = client->load;

	if (answer->ending == -ETIMEDOUT)
		atomic_fetch_add(&load->not_answered, 1);
	else if (is_reused && answer->bytes == 0)
		atomic_fetch_add(&load->lost_reused, 1);
	else
		atomic_fetch_add(&load->cut, 1);
	if (!atomic_exchange(&load->has_loss, true))
		snprintf(load->first_loss, sizeof load->first_loss,
			"%s: %lld bytes, then %s, on a %s connection of a client that %s", target,
			answer->bytes, answer->ending ? strerror((int)-answer->ending) : "the end",
			is_reused ? "reused" : "new", client->keeps ? "keeps" : "closes");
}

static void *ask_on_and_on(void *argument)
{
	struct load_client *client = argument;
	struct load *load = client->load;
	unsigned turn = (unsigned)(client - load->clients);
	int fd = -1;
	bool is_reused = false;

	for (; !atomic_load(&load->is_over); turn++) {
		const char *target = asked[turn % 4].target;
		char request[256];

		if (fd < 0 && (is_reused = false, fd = open_connection(load->port)) < 0) {
			atomic_fetch_add(&load->no_server, 1);
			usleep(2000);
			continue;
		}
		int size = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\n%s\r\n", target,
			client->keeps ? "" : "Connection: close\r\n");
		send(fd, request, (size_t)size, MSG_NOSIGNAL);
		struct answer answer = read_answer(fd, asked[turn % 4].size);
		if (answer.is_whole)
			atomic_fetch_add(&load->answers, 1);
		else
			note_loss(client, &answer, target, is_reused);
		is_reused = true;
		if (!answer.is_whole || answer.closes || !client->keeps) {
			close(fd);
			fd = -1;
		}
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

void load_start(struct load *load, unsigned port, unsigned keeping, unsigned closing)
{
	memset(load, 0, sizeof *load);
	load->port = port;
	for (load->count = 0; load->count < keeping + closing; load->count++) {
		struct load_client *client = &load->clients[load->count];

		client->load = load;
		client->keeps = load->count < keeping;
		cr_assert(pthread_create(&client->thread, NULL, ask_on_and_on, client) == 0);
	}
}

void load_stop(struct load *load)
{
	atomic_store(&load->is_over, true);
	for (unsigned i = 0; i < load->count; i++)
		pthread_join(load->clients[i].thread, NULL);
	load->count = 0;
}

void load_expect_no_loss(struct load *load, unsigned least_answers)
{
	load_stop(load);
	cr_assert(!atomic_load(&load->has_loss),
		"%u answers, %u cut, %u lost on reused connections, %u not given, %u without a server; first: %s",
		atomic_load(&load->answers), atomic_load(&load->cut), atomic_load(&load->lost_reused),
		atomic_load(&load->not_answered), atomic_load(&load->no_server), load->first_loss);
	cr_assert(
		atomic_load(&load->answers) >= least_answers, "only %u answers", atomic_load(&load->answers));
}
