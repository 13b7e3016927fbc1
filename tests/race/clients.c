/* clients.c: clients of the race: they ask for everything, look at every byte that comes, and leave at any moment. */
#include "race.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 400 * 1000 };

enum content { NOTHING, TEXT, DINGS, XES, PIPED, MAY_BREAK, FILED, EVENTS, UPLOAD, STREAMED };

static const struct question {
	const char *method, *target;
	int status;
	enum content content;
} questions[] = {
	{ "GET", "/", 200, TEXT },
	{ "GET", "/d/file", 200, FILED },
	{ "GET", "/stream", 200, XES },
	{ "GET", "/bell", 200, DINGS },
	{ "GET", "/pipe/write", 200, PIPED },
	{ "GET", "/pipe/offer", 200, PIPED },
	{ "GET", "/pipe/break", 200, MAY_BREAK },
	{ "GET", "/events", 200, EVENTS },
	{ "GET", "/taken", 200, FILED },
	{ "POST", "/keep", 200, UPLOAD },
	{ "POST", "/take", 200, STREAMED },
	{ "GET", "/guarded", 401, NOTHING },
	{ "GET", "/nothing", 404, NOTHING },
	{ "GET", "/d/nothing", 404, NOTHING },
	{ "HEAD", "/taken", 200, NOTHING },
	{ "POST", "/nothing", 404, NOTHING },
	{ "GET", "/_rung/requests.json", 200, NOTHING },
};

enum { QUESTIONS = sizeof questions / sizeof *questions };

/* What is left of an answer once it is read. */
struct answer {
	int status;
	bool is_whole; /* it has the end that its head promised */
	const char *body;
	size_t size;
};

/* -- connections ------------------------------------------------------------------------------------------------- */

static int connect_to(unsigned port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	close(fd);
	return -1;
}

static int add_to(struct around *around)
{
	int ends[2], rc = -1;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	pthread_mutex_lock(&around->lock);
	if (around->server)
		rc = rung_server_add(around->server, ends[1]);
	else
		close(ends[1]);
	pthread_mutex_unlock(&around->lock);
	if (rc == 0)
		return ends[0];
	close(ends[0]);
	return -1;
}

static bool send_all(int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		bytes += n;
		size -= (size_t)n;
	}
	return true;
}

/* -- asking ------------------------------------------------------------------------------------------------------ */

/* In pieces, some of them late. Returns false when it is not all sent, on purpose if it leaves. */
static bool send_upload(int fd, const char *bytes, size_t size, bool is_chunked, bool leaves)
{
	size_t end = leaves ? any((unsigned)size + 1) : size;

	for (size_t at = 0; at < end;) {
		size_t piece = 1 + any(9000);
		char line[16];

		piece = piece < end - at ? piece : end - at;
		snprintf(line, sizeof line, "%zx\r\n", piece);
		if ((is_chunked && !send_all(fd, line, strlen(line))) || !send_all(fd, bytes + at, piece) ||
			(is_chunked && !send_all(fd, "\r\n", 2)))
			return false;
		at += piece;
		if (any(4) == 0)
			nap(500);
	}
	return !leaves && (!is_chunked || send_all(fd, "0\r\n\r\n", 5));
}

static bool send_question(
	int fd, const struct question *question, const char *bytes, size_t size, bool leaves)
{
	bool has_body = *question->method == 'P', is_chunked = any(2);
	char head[256], framing[64] = "";

	if (has_body && is_chunked)
		strcpy(framing, "Transfer-Encoding: chunked\r\n");
	else if (has_body)
		snprintf(framing, sizeof framing, "Content-Length: %zu\r\n", size);
	snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n",
		question->method, question->target, framing);
	return send_all(fd, head, strlen(head)) &&
	       (!has_body || send_upload(fd, bytes, size, is_chunked, leaves));
}

/* Up to the end of the connection, or, for who leaves or watches events, to some point before it. */
static size_t receive(int fd, char *text, size_t most)
{
	size_t size = 0;
	ssize_t n;

	while (size < most && (n = recv(fd, text + size, most - size, 0)) > 0) {
		size += (size_t)n;
		if (any(20) == 0)
			nap(1000);
	}
	text[size] = '\0';
	return size;
}

/* Joins chunks in place. */
static bool join_chunks(char *at, const char *end, struct answer *answer)
{
	char *to = at;

	answer->body = at;
	for (;;) {
		char *line_end;
		size_t size = strtoul(at, &line_end, 16);

		if (line_end == at || line_end + 2 + size + 2 > end)
			return false;
		memmove(to, line_end + 2, size);
		to += size;
		answer->size = (size_t)(to - answer->body);
		at = line_end + 2 + size + 2;
		if (size == 0)
			return true;
	}
}

/* Returns false when there is not even a head. */
static bool read_answer(char *text, size_t size, bool is_head, struct answer *answer)
{
	char *end = strstr(text, "\r\n\r\n");

	if (size < 12 || !end || strncmp(text, "HTTP/1.1 ", 9) != 0)
		return false;
	end[2] = '\0';
	const char *length = strstr(text, "Content-Length: ");
	answer->status = atoi(text + 9);
	answer->body = end + 4;
	answer->size = (size_t)(text + size - answer->body);
	if (strstr(text, "Transfer-Encoding: chunked"))
		answer->is_whole = join_chunks(end + 4, text + size, answer);
	else
		answer->is_whole = is_head || !length || answer->size == strtoul(length + 16, NULL, 10);
	return true;
}

/* -- judging ----------------------------------------------------------------------------------------------------- */

static bool is_pattern(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != byte_at(i))
			return false;
	return true;
}

static bool has_dings(const struct answer *answer)
{
	for (size_t i = 0; i < answer->size; i++)
		if (answer->body[i] != "ding "[i % DING_SIZE])
			return false;
	return answer->size == (size_t)RINGS * DING_SIZE;
}

static bool is_right(
	const struct question *question, const struct answer *answer, const char *upload, size_t size)
{
	char told[64];

	switch (question->content) {
	case TEXT:
		return answer->size == 5 && memcmp(answer->body, "hello", 5) == 0;
	case DINGS:
		return has_dings(answer);
	case XES:
		return answer->size == 192;
	case PIPED:
		return answer->size == PIPE_BYTES && is_pattern(answer->body, answer->size);
	case FILED:
		return answer->size == FILE_BYTES && is_pattern(answer->body, answer->size);
	case UPLOAD:
	case STREAMED:
		snprintf(told, sizeof told, "%zu %u", size, sum(0, upload, size));
		if (question->content == STREAMED && answer->size == 6 &&
			memcmp(answer->body, "enough", 6) == 0)
			return true;
		return answer->size == strlen(told) && memcmp(answer->body, told, answer->size) == 0;
	case MAY_BREAK:
	case EVENTS:
	case NOTHING:
		break;
	}
	return true;
}

/* While the server stops, answers may be missing and cut; what is whole is right even then. */
static void judge(struct around *around, const struct question *question, const struct answer *answer,
	const char *upload, size_t size)
{
	bool may_break = question->content == MAY_BREAK;

	if (!answer->is_whole) {
		if (!may_break && !atomic_load(&around->is_stopping))
			blame("%s is cut: %zu bytes came", question->target, answer->size);
	} else if (answer->status != question->status) {
		blame("%s %s gave %d", question->method, question->target, answer->status);
	} else if (may_break || !is_right(question, answer, upload, size)) {
		blame("%s gave %zu bytes that are not right: %.40s", question->target, answer->size,
			answer->body);
	} else {
		atomic_fetch_add(&counts.answers, 1);
	}
}

static void ask(struct around *around, int fd, char *text, const char *upload)
{
	const struct question *question = &questions[any(QUESTIONS)];
	bool leaves = any(4) == 0 || question->content == EVENTS;
	size_t size = any(3) ? any(MOST_UPLOAD) : any(5000);
	struct answer answer = { 0 };

	if (!send_question(fd, question, upload, size, leaves && any(2)) || (leaves && any(3) == 0))
		return;
	/* Half of those that are left here have not read all that came. */
	size_t came = receive(fd, text, leaves ? 1 + any(any(2) ? 300 : 100000) : ROOM - 1);
	if (leaves)
		return;
	if (read_answer(text, came, *question->method == 'H', &answer))
		judge(around, question, &answer, upload, size);
	else if (!atomic_load(&around->is_stopping))
		blame("%s %s gave no answer: %zu bytes came", question->method, question->target, came);
}

void *be_client(void *data)
{
	struct around *around = data;
	char *text = malloc(ROOM), *upload = malloc(MOST_UPLOAD);

	if (!text || !upload)
		abort();
	for (size_t i = 0; i < MOST_UPLOAD; i++)
		upload[i] = byte_at(i);
	while (!atomic_load(&around->is_over)) {
		int fd = any(3) ? connect_to(around->port) : add_to(around);

		if (fd < 0) {
			nap(1000);
			continue;
		}
		ask(around, fd, text, upload);
		close(fd);
	}
	free(text);
	free(upload);
	return NULL;
}

/* -- inside ------------------------------------------------------------------------------------------------------ */

/* In-process clients share nothing with the server but the library, and the threads that fill bodies. */
void *be_inside(void *data)
{
	struct around *around = data;
	struct rung_client *client = rung_client_new(make_stack(false), .setup = &quiet);

	if (!client)
		abort();
	while (!atomic_load(&around->is_over)) {
		const struct question *question = &questions[any(QUESTIONS)];
		const char *body = "a body from inside";

		/* Nobody would leave an endless one. */
		if (question->content == EVENTS)
			continue;
		const struct rung_reply *reply = rung_client_send(client, question->method, question->target,
			.body = *question->method == 'P' ? body : NULL);
		struct answer answer = { reply->status, true, reply->body, reply->size };
		if (question->content == MAY_BREAK)
			continue;
		if (reply->status != question->status || !is_right(question, &answer, body, strlen(body)))
			blame("inside, %s %s gave %d, %zu bytes", question->method, question->target,
				reply->status, reply->size);
	}
	rung_client_destroy(client);
	return NULL;
}
