/*
 * test_nonsense.c: handlers that return nonsense, over a socket: each costs its own request and a line in the log, what it
 * gave is closed once, and the server goes on. Lint would find most of it first, so it is off.
 */
#include "support.h"

#include <rung/access_log.h>
#include <rung/error_pages.h>
#include <rung/inspect.h>
#include <rung/trace.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

SUITE(nonsense);

/* -- a source that answers as it is told ------------------------------------------------------------------------- */

struct source {
	struct rung_source source;
	int64_t left;   /* bytes it gives as it should */
	ssize_t answer; /* and what it says then */
};

enum { ENDLESS = 1, TOO_MUCH = 2 }; /* as .answer: as many bytes as there is room for; one more than that */

static atomic_int opened, closed;

static ssize_t read_source(struct rung_source *base, void *buffer, size_t max)
{
	struct source *source = (struct source *)base;

	if (source->left) {
		size_t size = source->left < (int64_t)max ? (size_t)source->left : max;

		memset(buffer, 'x', size);
		source->left -= (int64_t)size;
		return (ssize_t)size;
	}
	if (source->answer == TOO_MUCH)
		return (ssize_t)max + 1;
	if (source->answer != ENDLESS)
		return source->answer;
	memset(buffer, 'x', max);
	return (ssize_t)max;
}

static void close_source(struct rung_source *base)
{
	(void)base;
	atomic_fetch_add(&closed, 1);
}

static int give_source(
	struct rung_env *env, struct rung_response *res, int64_t size, int64_t left, ssize_t answer)
{
	struct source *source = rung_alloc(env, sizeof *source);

	cr_assert(source != NULL);
	*source = (struct source){
		.source = { .read = read_source, .close = close_source }, .left = left, .answer = answer
	};
	atomic_fetch_add(&opened, 1);
	return rung_reply_pull(res, 200, "text/plain", &source->source, size);
}

/* -- nonsense ------------------------------------------------------------------------------------------------------ */

typedef int (*nonsense_fn)(struct rung_env *env, struct rung_response *res);

static int no_status(struct rung_env *env, struct rung_response *res)
{
	give_source(env, res, 5, 5, 0);
	res->status = 0;
	return 0;
}

static int status_42(struct rung_env *env, struct rung_response *res)
{
	give_source(env, res, 5, 5, 0);
	res->status = 42;
	return 0;
}

static int status_1000(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	rung_reply_text(res, 1000, "text");
	return 0;
}

static int returns_the_status(struct rung_env *env, struct rung_response *res)
{
	give_source(env, res, 5, 5, 0);
	return 200;
}

static int returns_the_least_number(struct rung_env *env, struct rung_response *res)
{
	give_source(env, res, 5, 5, 0);
	return INT_MIN;
}

static void spoil_status(struct rung_env *env, struct rung_response *res, void *data)
{
	(void)env, (void)data;
	res->status = 42;
}

static int hook_spoils_status(struct rung_env *env, struct rung_response *res)
{
	rung_on_response(env, spoil_status, NULL);
	return give_source(env, res, 5, 5, 0);
}

static int null_bytes(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	rung_reply_bytes(res, 200, "text/plain", NULL, 5);
	return 0;
}

static int null_source(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	rung_reply_pull(res, 200, "text/plain", NULL, 5);
	return 0;
}

static int null_pipe(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	rung_reply_pipe(res, 200, "text/plain", NULL);
	return 0;
}

static int negative_length(struct rung_env *env, struct rung_response *res)
{
	give_source(env, res, -7, 5, 0);
	return 0;
}

static int negative_length_of_file(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	res->status = 200;
	rung_body_file(res, open("/dev/null", O_RDONLY | O_CLOEXEC), 0, -1, NULL);
	return 0;
}

static int split_value(struct rung_env *env, struct rung_response *res)
{
	rung_header(res, "X-Name", "a\r\nSet-Cookie: evil=1");
	return give_source(env, res, 5, 5, 0);
}

static int split_name(struct rung_env *env, struct rung_response *res)
{
	rung_header(res, "X\r\nSet-Cookie: evil=1\r\nY", "a");
	return give_source(env, res, 5, 5, 0);
}

static int split_type(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	rung_reply_bytes(res, 200, "text/plain\r\nSet-Cookie: evil=1", "x", 1);
	return 0;
}

static int split_cookie(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	rung_set_cookie(res, "name", "x\r\nSet-Cookie: evil=1");
	return rung_reply_text(res, 200, "text");
}

/* -- what is found out when the head has gone ------------------------------------------------------------------------ */

static int error_half_way(struct rung_env *env, struct rung_response *res)
{
	return give_source(env, res, 1000, 500, -EIO);
}

static int error_half_way_in_chunks(struct rung_env *env, struct rung_response *res)
{
	return give_source(env, res, -1, 500, -EIO);
}

static int end_half_way(struct rung_env *env, struct rung_response *res)
{
	return give_source(env, res, 1000, 500, 0);
}

static int error_of_no_name(struct rung_env *env, struct rung_response *res)
{
	return give_source(env, res, 1000, 500, -123456);
}

static int least_number(struct rung_env *env, struct rung_response *res)
{
	return give_source(env, res, 1000, 500, SSIZE_MAX * -1 - 1);
}

static int more_than_room(struct rung_env *env, struct rung_response *res)
{
	return give_source(env, res, 1000000, 500, TOO_MUCH);
}

static int more_than_room_in_chunks(struct rung_env *env, struct rung_response *res)
{
	return give_source(env, res, -1, 500, TOO_MUCH);
}

static int file_half_there(struct rung_env *env, struct rung_response *res)
{
	char path[] = "/tmp/rung-nonsense-XXXXXX";
	int fd = mkstemp(path);

	(void)env;
	cr_assert(fd >= 0 && unlink(path) == 0 && ftruncate(fd, 100000) == 0);
	res->status = 200;
	return rung_body_file(res, fd, 0, 200000, NULL);
}

static int pipe_for_a_large_file(struct rung_env *env, struct rung_response *res)
{
	int ends[2];

	(void)env;
	cr_assert(pipe2(ends, O_CLOEXEC) == 0);
	close(ends[1]);
	res->status = 200;
	return rung_body_file(res, ends[0], 0, 200000, NULL);
}

static int folder_for_a_small_file(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	res->status = 200;
	return rung_body_file(res, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0, 10, NULL);
}

/* -- what is no harm ------------------------------------------------------------------------------------------------- */

static int endless_under_a_length(struct rung_env *env, struct rung_response *res)
{
	return give_source(env, res, 100000, 0, ENDLESS);
}

static int lies_about_the_length(struct rung_env *env, struct rung_response *res)
{
	rung_header(res, "Content-Length", "99999");
	rung_header(res, "Transfer-Encoding", "chunked");
	return give_source(env, res, 5, 5, 0);
}

static int two_bodies(struct rung_env *env, struct rung_response *res)
{
	give_source(env, res, 7, 7, 0);
	return give_source(env, res, 5, 5, 0);
}

enum outcome {
	FAILED, /* a 500, and the connection stays */
	CUT,    /* a 200 that ends too early */
	WHOLE,  /* a right answer, and the connection stays */
};

static const struct {
	const char *what;
	nonsense_fn call;
	enum outcome outcome;
	size_t size;     /* WHOLE: bytes of body */
	const char *log; /* NULL: none is due */
} all[] = {
	{ "no status", no_status, FAILED, 0, "no response was made" },
	{ "status 42", status_42, FAILED, 0, "status 42; use 200 to 999" },
	{ "status 1000", status_1000, FAILED, 0, "status 1000; use 200 to 999" },
	{ "returns 200", returns_the_status, FAILED, 0, "call returned 200" },
	{ "returns the least number", returns_the_least_number, FAILED, 0, "rung: 500 in " },
	{ "a hook sets 42", hook_spoils_status, FAILED, 0, "a response hook failed" },
	{ "NULL for bytes", null_bytes, FAILED, 0, "the bytes of the body is NULL" },
	{ "NULL for a source", null_source, FAILED, 0, "the source of the body is NULL" },
	{ "NULL for a pipe", null_pipe, FAILED, 0, "the pipe of the body is NULL" },
	{ "a negative length", negative_length, FAILED, 0, "Invalid argument" },
	{ "a file's negative length", negative_length_of_file, FAILED, 0, "Invalid argument" },
	{ "CR LF in a value", split_value, FAILED, 0, "rung: 500 in " },
	{ "CR LF in a name", split_name, FAILED, 0, "rung: 500 in " },
	{ "CR LF in a type", split_type, FAILED, 0, "rung: 500 in " },
	{ "CR LF in a cookie", split_cookie, FAILED, 0, "rung: 500 in " },
	{ "a folder as file", folder_for_a_small_file, FAILED, 0, "Is a directory" },
	{ "an error half-way", error_half_way, CUT, 0, "Input/output error after 500 bytes" },
	{ "an error between chunks", error_half_way_in_chunks, CUT, 0, "Input/output error after 500 bytes" },
	{ "an end half-way", end_half_way, CUT, 0, "it ended before its announced length after 500 bytes" },
	{ "an error without a name", error_of_no_name, CUT, 0, "Unknown error 123456 after 500 bytes" },
	{ "the least number", least_number, CUT, 0, "after 500 bytes" },
	{ "more than room", more_than_room, CUT, 0, "after 500 bytes" },
	{ "more than room between chunks", more_than_room_in_chunks, CUT, 0, "after 500 bytes" },
	{ "half a file", file_half_there, FAILED, 0, "Input/output error" },
	{ "a pipe as file", pipe_for_a_large_file, FAILED, 0, "Invalid argument" },
	{ "no end under a length", endless_under_a_length, WHOLE, 100000, NULL },
	{ "a length that is wrong", lies_about_the_length, WHOLE, 5, NULL },
	{ "two bodies", two_bodies, WHOLE, 5, NULL },
};

enum { ALL = sizeof all / sizeof *all };

static int answer_nonsense(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	unsigned i = (unsigned)atoi(env->query);

	(void)self;
	if (!*env->query || i >= ALL)
		return rung_reply_text(res, 200, "sense");
	return all[i].call(env, res);
}

/* Asks for it, and then, on the same connection, for something else. */
static char *ask(struct rung_server *server, int i, size_t *ret_size)
{
	char request[256];
	int size = snprintf(request, sizeof request,
		"GET /?%d HTTP/1.1\r\nHost: h\r\n\r\n"
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
		i);
	int fd = test_connect(server);

	cr_assert(send(fd, request, (size_t)size, MSG_NOSIGNAL) == size);
	char *answer = test_read(fd, 5000, ret_size);
	close(fd);
	return answer;
}

static void check(int i, const char *answer, size_t size)
{
	static const char *const lines[] = { "HTTP/1.1 500 ", "HTTP/1.1 200 ", "HTTP/1.1 200 " };
	const char *what = all[i].what, *body = strstr(answer, "\r\n\r\n"),
		   *next = body ? strstr(body, "HTTP/1.1 ") : NULL;

	cr_expect(strncmp(answer, lines[all[i].outcome], 13) == 0, "%s: <%.300s>", what, answer);
	cr_expect_null(strstr(answer, "evil"), "%s: <%.300s>", what, answer);
	cr_assert(body != NULL, "%s: <%.300s>", what, answer);
	if (all[i].outcome == CUT) {
		cr_expect(!next && !strstr(body, "\r\n0\r\n"), "%s: <%.300s>", what, answer);
		return;
	}
	cr_assert(next && strncmp(next, "HTTP/1.1 200 ", 13) == 0, "%s: <%.300s>", what, answer);
	cr_expect(strcmp(answer + size - 5, "sense") == 0, "%s: <%.300s>", what, answer);
	cr_expect(all[i].outcome == FAILED || (size_t)(next - body - 4) == all[i].size, "%s: <%.300s>", what,
		answer);
}

static void check_log(int i)
{
	const char *log = test_log();

	/* With workers a body is closed, and its end told of, when the client has its answer. */
	for (int waited = 0; all[i].log && !strstr(log, all[i].log) && waited < 500; waited++) {
		usleep(10000);
		log = test_log();
	}
	cr_expect(all[i].log ? strstr(log, all[i].log) != NULL : !*log, "%s: the log has <%s>", all[i].what,
		log);
}

static void ask_for_all(struct rung_app *app, bool is_logged)
{
	const struct rung_setup unlinted = { .size = sizeof unlinted, .probes = test_no_probes };
	struct rung_server *server = test_server(app, (struct rung_server_options){ .setup = &unlinted });

	for (int i = 0; i < ALL; i++) {
		size_t size;

		test_log_clear();
		char *answer = ask(server, i, &size);
		check(i, answer, size);
		if (is_logged)
			check_log(i);
		free(answer);
	}
	ASSERT_INT(rung_server_destroy(server), 0);
	ASSERT_INT(atomic_load(&closed), atomic_load(&opened));
}

Test(nonsense, costs_its_own_request_and_nothing_else)
{
	ask_for_all(rung_run(answer_nonsense), true);
}

/* Those who write about failures have to name them. */
Test(nonsense, is_no_trouble_for_layers_around)
{
	ask_for_all(rung_stack(rung_inspect(), rung_trace(.when = RUNG_TRACE_ON), rung_access_log(),
			    rung_error_pages(), rung_run(answer_nonsense)),
		false);
	ASSERT_HAS(test_log(), "\"GET / HTTP/1.1\" 200 5 ");
}
