/*
 * fuzz_server.c: raw bytes into a real server, through one end of a socketpair. Two servers, one that runs handlers on its loop and
 * one that has workers, serve every input. The first three bytes are the plan:
 *
 *   1. bits 1: workers; 2: half-closes at once, else when every good request is answered; 4: leaves instead; 8: the rest makes
 *      good requests, else it is what is sent; 16: in pieces
 *   2. and 3. how large the pieces are, by turns: bits 1 to 32, and one
 *
 * What is sent is also read here, strictly (server/requests.c). The server must see the same good requests, each just so, and
 * answer what its stack answers; nothing else may reach the stack; every answer has the form it should have
 * (server/answers.c), nothing follows the last one, none is a 500, and the connection ends when the client's half does.
 */
#include "server/server.h"

#include <rung/basic_auth.h>
#include <rung/error_pages.h>
#include <rung/files.h>
#include <rung/reproxy.h>
#include <rung/rung.h>

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <linux/sockios.h>
#include <unistd.h>

enum {
	MOST = 16 * 1024,         /* bytes of an input */
	MOST_SENT = 192 * 1024,   /* and what is made of it */
	MOST_REQUESTS = 4 * 1024, /* in that */
	MOST_ANSWERED = 64 * 1024 * 1024,
	MOST_PIECES = 64,
	PATIENCE_MS = 60 * 1000, /* fuzzers share the machine */
};

/* The connection under way. */
static struct talk {
	int fd;
	bool is_half_closed, is_over;
	const char *sent;
	size_t sent_size;
	struct request requests[MOST_REQUESTS];
	size_t request_count, answered; /* these */
	bool is_last;                   /* nothing may follow the last answer */
	char *came;
	size_t came_size, came_room, judged;
} talk;

/* Shows what it was about: the fuzzer shows the input alone. */
void insist(bool holds, const char *what)
{
	if (holds)
		return;
	size_t shown = talk.came_size - talk.judged < 400 ? talk.came_size - talk.judged : 400;
	fprintf(stderr, "broken: %s\n%zu of %zu requests answered, %zu bytes judged, %zu came, then:\n%.*s\n",
		what, talk.answered, talk.request_count, talk.judged, talk.came_size, (int)shown,
		talk.came ? talk.came + talk.judged : "");
	if (talk.answered < talk.request_count)
		fprintf(stderr, "next: %.*s %.*s, verdict %d\n",
			(int)talk.requests[talk.answered].method.size, talk.requests[talk.answered].method.at,
			(int)talk.requests[talk.answered].path.size, talk.requests[talk.answered].path.at,
			(int)talk.requests[talk.answered].verdict);
	abort();
}

/* -- the stack --------------------------------------------------------------------------------------------------- */

static atomic_uint begun, finished;

static void count_finish(const struct rung_env *env, const struct rung_finish *finish, void *data)
{
	(void)env, (void)finish, (void)data;
	atomic_fetch_add(&finished, 1);
}

static struct text text_of(const char *text)
{
	return (struct text){ text, strlen(text) };
}

/* Says in the answer which request it is for. */
static int mark(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	uint32_t seen = sum_seen(
		text_of(env->method), text_of(env->path_info), text_of(env->query), text_of(env->host));

	atomic_fetch_add(&begun, 1);
	insist(rung_on_finish(env, count_finish, NULL) == 0, "memory");
	rung_next(self, env, res);
	return rung_headerf(res, "X-Seen", "%08x %d", (unsigned)seen, strcmp(env->method, "HEAD") == 0);
}

static int root(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_text(res, 200, "root");
}

static int tell_name(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return rung_reply_text(res, 200, rung_param(env, "name"));
}

static int tell_place(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	return rung_reply_textf(res, 200, "%s%s%s %s", (const char *)rung_data(self),
		*env->script_name ? " " : "", env->script_name, env->path_info);
}

static int give_uri(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)env;
	return rung_reply_uri_raw(res, 200, rung_data(self));
}

/* The whole, and read in pieces, must be the same. */
static int echo(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	size_t size, read = 0;
	const char *whole = rung_input_bytes(env, &size);
	uint32_t pieces = 0;
	char piece[700];
	ssize_t n;

	(void)self;
	while ((n = rung_input_read(env, piece, sizeof piece)) > 0) {
		pieces = sum(pieces, piece, (size_t)n);
		read += (size_t)n;
	}
	insist(n == 0 && read == size && whole[size] == '\0', "a body is read as it is seen");
	pieces = size ? pieces : sum(0, "", 0);
	insist(sum(0, whole, size) == pieces, "a body is read as it is seen");
	return rung_reply_textf(res, 200, "%zu %08x", size, (unsigned)pieces);
}

/* As it comes, on the server with workers. */
static int take(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	uint32_t pieces = sum(0, "", 0);
	size_t size = 0;
	char piece[700];
	ssize_t n;

	(void)self;
	while ((n = rung_input_read(env, piece, sizeof piece)) > 0) {
		pieces = sum(pieces, piece, (size_t)n);
		size += (size_t)n;
	}
	return n < 0 ? (int)n : rung_reply_textf(res, 200, "%zu %08x", size, (unsigned)pieces);
}

/* A stream that says "not yet" before each piece if it is late, and is woken at the worst moment: in between. */
struct stream {
	struct rung_source source;
	struct rung_waker *waker;
	int given;
	bool is_late, has_waited;
};

static ssize_t read_stream(struct rung_source *source, void *buffer, size_t max)
{
	struct stream *stream = (struct stream *)source;

	if (stream->is_late && !stream->has_waited) {
		stream->has_waited = true;
		rung_wake(stream->waker);
		return -EAGAIN;
	}
	stream->has_waited = false;
	if (stream->given == STREAM_PIECES)
		return 0;
	stream->given++;
	insist(max >= strlen(STREAM_PIECE), "room for a piece");
	memcpy(buffer, STREAM_PIECE, strlen(STREAM_PIECE));
	return (ssize_t)strlen(STREAM_PIECE);
}

static void close_stream(struct rung_source *source)
{
	rung_waker_destroy(((struct stream *)source)->waker);
}

static int give_stream(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct stream *stream = rung_alloc(env, sizeof *stream);

	insist(stream != NULL, "memory");
	*stream = (struct stream){ .source = { .read = read_stream, .close = close_stream },
		.is_late = rung_data(self) != NULL };
	if (stream->is_late)
		stream->waker = rung_waker(env);
	return rung_reply_pull(res, 200, "text/plain", &stream->source, -1);
}

static char folder[] = "/tmp/rung-fuzz-server-XXXXXX";

static struct rung_app *make_stack(bool has_workers)
{
	return rung_stack(rung_use(mark), rung_error_pages(),
		rung_reproxy(.names = rung_names({ "own.internal", rung_run(tell_place, .data = "named") })),
		rung_routes(rung_get("/", root), rung_get("/p/:name", tell_name),
			rung_get("/self", give_uri, .data = "/p/own"),
			rung_get("/named", give_uri, .data = "http://own.internal/inside"),
			rung_post("/echo", echo), rung_post("/small", echo, .body_limit = SMALL_LIMIT),
			rung_post("/take", take, .stream_input = has_workers),
			rung_get("/stream", give_stream), rung_get("/late", give_stream, .data = "late"),
			rung_get("/guarded", .app = rung_stack(rung_basic_auth(.user = "u", .password = "p"),
						     rung_run(root))),
			rung_mount("/m", rung_run(tell_place, .data = "mounted")),
			rung_mount("/f", rung_files(.root = folder))));
}

/* -- the servers ------------------------------------------------------------------------------------------------- */

static struct rung_server *servers[2];
static unsigned descriptors;

static void take_line(void *data, enum rung_log_level level, const char *line)
{
	(void)data, (void)level;
	for (; *line; line++)
		insist(*line >= 0x20 && *line < 0x7f, "nothing in the log but printable ASCII");
}

/* Servers make no pipes; libFuzzer keeps those to the program that names functions for it. */
static unsigned count_descriptors(void)
{
	DIR *open = opendir("/proc/self/fd");
	struct dirent *entry;
	struct stat is;
	unsigned count = 0;

	insist(open != NULL, "a list of descriptors");
	while ((entry = readdir(open)))
		count += *entry->d_name != '.' && fstat(atoi(entry->d_name), &is) == 0 &&
			 !S_ISFIFO(is.st_mode);
	closedir(open);
	return count;
}

static void write_file(const char *name, const char *text, size_t times)
{
	char path[64];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	insist(file != NULL, "a file");
	while (times--)
		fputs(text, file);
	fclose(file);
}

static void end(void)
{
	char path[64];

	rung_server_destroy(servers[0]);
	rung_server_destroy(servers[1]);
	insist(atomic_load(&begun) == atomic_load(&finished), "every request is finished, once");
	insist(count_descriptors() <= descriptors, "no descriptor stays open");
	snprintf(path, sizeof path, "%s/a.txt", folder);
	unlink(path);
	snprintf(path, sizeof path, "%s/large", folder);
	unlink(path);
	rmdir(folder);
	free(talk.came);
}

static void begin(void)
{
	const struct rung_setup setup = { .size = sizeof setup, .log = take_line };

	insist(mkdtemp(folder) != NULL, "a folder");
	write_file("a.txt", "hello\n", 1);
	write_file("large", "hello\n", LARGE_FILE / 6);
	descriptors = count_descriptors();
	for (unsigned i = 0; i < 2; i++) {
		servers[i] = rung_server_new(make_stack(i == 1), .loops = 1, .workers = 2 * i,
			.setup = &setup, .limits = { .body = BODY_LIMIT, .body_memory = 4096 });
		if (!servers[i])
			fprintf(stderr, "%s\n", rung_error());
		insist(servers[i] != NULL, "a server");
	}
	atexit(end);
}

/* -- one connection ---------------------------------------------------------------------------------------------- */

static void read_requests(void)
{
	size_t at = 0, size;

	talk.request_count = talk.answered = 0;
	while (talk.request_count < MOST_REQUESTS && (size = read_request(talk.sent + at, talk.sent_size - at,
							      &talk.requests[talk.request_count])) > 0) {
		at += size;
		if (talk.requests[talk.request_count++].verdict >= BAD)
			break;
	}
}

/* The request that comes next must be answered. */
static bool has_good_one(void)
{
	return !talk.is_last && talk.answered < talk.request_count &&
	       talk.requests[talk.answered].verdict == GOOD;
}

/* Nothing but the client's own wish or a body that nobody wants ends a connection. */
static bool must_stay(const struct request *request, const struct expected *expected)
{
	bool has_length = !text_is(request->method, "HEAD") || expected->body.size < 20;

	return request->verdict == GOOD && !request->may_close && !talk.is_half_closed &&
	       expected->status == 200 && has_length;
}

static void judge_seen(const struct request *request, const struct answer *answer)
{
	struct expected expected = expect(request);

	insist(request->has_head, "nothing reaches the stack but requests");
	insist(answer->seen == request->seen, "the stack sees what was sent");
	insist(answer->is_head == text_is(request->method, "HEAD"), "HEAD is HEAD");
	if (request->verdict >= BAD) {
		insist(answer->status >= 400 && answer->is_closing, "nobody answers to half a body");
		return;
	}
	insist(!expected.status || answer->status == expected.status, "the status is the one expected");
	insist(!answer->is_cut || (expected.may_be_cut && talk.is_half_closed), "answers are whole");
	insist(!must_stay(request, &expected) || !answer->is_closing, "the connection stays");
	if (!expected.body.at || answer->is_head)
		return;
	/* Without chunks it does not show that it is cut. */
	bool may_be_short = answer->is_cut || (expected.may_be_cut && request->is_old && talk.is_half_closed);
	insist(answer->body.size == expected.body.size || may_be_short, "the body is of the size expected");
	insist(answer->body.size <= expected.body.size &&
			memcmp(answer->body.at, expected.body.at, answer->body.size) == 0,
		"the body is the one expected");
}

static void judge(const struct answer *answer)
{
	insist(!talk.is_last, "nothing follows the last answer");
	insist(answer->status != 500 && answer->status != 502 && answer->status != 503,
		"no fault of the server");
	insist(talk.answered < talk.request_count, "no answer without a request");
	const struct request *request = &talk.requests[talk.answered++];
	if (answer->is_seen) {
		judge_seen(request, answer);
	} else {
		insist(request->verdict != GOOD, "a good request is not refused");
		insist(answer->status >= 400 && answer->is_closing, "a refusal ends the connection");
	}
	talk.is_last = answer->is_closing || answer->is_cut;
}

static void judge_all(void)
{
	struct answer answer;
	size_t size;

	while ((size = read_answer(
			talk.came + talk.judged, talk.came_size - talk.judged, talk.is_over, &answer)) > 0) {
		talk.judged += size;
		judge(&answer);
	}
	if (talk.is_over)
		insist(!has_good_one(), "a good request is answered");
}

static void make_room(void)
{
	talk.came_room = talk.came_room ? 2 * talk.came_room : 256 * 1024;
	talk.came = realloc(talk.came, talk.came_room);
	insist(talk.came && talk.came_room <= MOST_ANSWERED, "no more than expected");
}

static void receive(void)
{
	if (talk.came_room - talk.came_size < 64 * 1024)
		make_room();
	ssize_t n = recv(talk.fd, talk.came + talk.came_size, talk.came_room - talk.came_size, MSG_DONTWAIT);
	if (n > 0)
		talk.came_size += (size_t)n;
	else if (n == 0 || errno == ECONNRESET)
		talk.is_over = true;
	else
		insist(errno == EAGAIN, "nothing else goes wrong");
}

/* Returns what is ready, after reading what has come. */
static int wait_for(short events)
{
	struct pollfd ready = { .fd = talk.fd, .events = events };
	int count;

	/* libFuzzer's timer goes off in the middle of it. */
	do
		count = poll(&ready, 1, PATIENCE_MS);
	while (count < 0 && errno == EINTR);
	insist(count == 1, "the server does not hang");
	if (ready.revents & ~POLLOUT)
		receive();
	return ready.revents;
}

/* Until the server has read what was sent, or does not want it for now. */
static void let_read(void)
{
	int left = 1;

	for (int i = 0; i < 20 && left && ioctl(talk.fd, SIOCOUTQ, &left) == 0; i++)
		sched_yield();
}

static void send_all(const uint8_t *plan)
{
	bool is_cut = *plan & 16;
	size_t at = 0;

	for (unsigned i = 0; at < talk.sent_size && !talk.is_over; i++) {
		size_t left = talk.sent_size - at, piece = (plan[1 + i % 2] & 63u) + 1;

		if (!is_cut || piece > left || i >= MOST_PIECES)
			piece = left;
		ssize_t n = send(talk.fd, talk.sent + at, piece, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) {
			at += (size_t)n;
			if (is_cut && i < MOST_PIECES)
				let_read();
		} else if (errno == EAGAIN) {
			wait_for(POLLIN | POLLOUT);
		} else {
			insist(errno == EPIPE || errno == ECONNRESET, "nothing else goes wrong");
			break;
		}
	}
}

static void half_close(void)
{
	talk.is_half_closed = true;
	shutdown(talk.fd, SHUT_WR);
}

static void converse(const uint8_t *plan)
{
	send_all(plan);
	if (*plan & 4)
		return;
	read_requests();
	if (*plan & 2)
		half_close();
	for (judge_all(); !talk.is_over; judge_all()) {
		if (!talk.is_half_closed && !has_good_one())
			half_close();
		wait_for(POLLIN);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char made[MOST_SENT];
	int ends[2];

	if (size < 3 || size > MOST)
		return 0;
	if (!servers[0])
		begin();
	talk.is_half_closed = talk.is_over = talk.is_last = false;
	talk.came_size = talk.judged = 0;
	talk.sent = (const char *)data + 3;
	talk.sent_size = size - 3;
	if (*data & 8) {
		talk.sent_size = make_requests(data + 3, size - 3, made, sizeof made);
		talk.sent = made;
	}
	insist(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "a socketpair");
	talk.fd = ends[0];
	if (!talk.came)
		make_room();
	insist(rung_server_add(servers[*data & 1], ends[1]) == 0, "a connection");
	converse(data);
	close(talk.fd);
	return 0;
}
