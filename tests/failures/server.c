/*
 * server.c: the program whose calls fail: a full stack, in which a request may meet everything there is. It runs as any
 * program of rung_main() does; RUNG_FAILURES_FOLDER names a folder with small.txt and large.bin. With --workers there are
 * also a route that reads its body as it comes, and, when RUNG_FAILURES_BACKEND names one, one to a backend, which only run on them.
 */
#include "fail.h"

#include <rung/access_log.h>
#include <rung/basic_auth.h>
#include <rung/error_pages.h>
#include <rung/files.h>
#include <rung/main.h>
#include <rung/reproxy.h>
#include <rung/rung.h>
#include <rung/upstream.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Twenty fields, so that a response's list grows. */
static int hello(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	for (int i = 0; i < 20; i++) {
		const char *name = rung_printf(env, "X-Field-%d", i);

		if (!name)
			return -ENOMEM;
		rung_header(res, name, "value");
	}
	rung_set_cookie(res, "seen", "1", .max_age = 60);
	return rung_reply_text(res, 200, rung_data(self));
}

static int download(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_header(res, "Cache-Control", "private");
	rung_set_cookie(res, "name", rung_param(env, "name"));
	return rung_reply_uri(res, 200, "http://files.internal/%s", rung_param(env, "name"));
}

static int to_second(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_uri(res, 307, "http://second.internal/echo?from=%s", "first");
}

/* The body, told by its length and a sum that any change of it or of its order changes. */
struct sum {
	unsigned long long size;
	unsigned value;
};

static void add(struct sum *sum, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sum->value = sum->value * 31 + (unsigned char)bytes[i];
	sum->size += size;
}

static int echo(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct sum sum = { 0 };
	size_t size;
	const char *body = rung_input_bytes(env, &size);

	(void)self;
	if (!body)
		return -ENOMEM;
	add(&sum, body, size);
	return rung_reply_textf(res, 200, "%llu bytes, %u", sum.size, sum.value);
}

static int echo_as_it_comes(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct sum sum = { 0 };
	char piece[5000];
	ssize_t n;

	(void)self;
	while ((n = rung_input_read(env, piece, sizeof piece)) > 0)
		add(&sum, piece, (size_t)n);
	if (n < 0)
		return (int)n;
	return rung_reply_textf(res, 200, "%llu bytes, %u", sum.size, sum.value);
}

/* -- streams ----------------------------------------------------------------------------------------------------- */

enum { STREAM_LINES = 5000 };

static void *write_lines(void *argument)
{
	struct rung_pipe *pipe = argument;
	int rc = 0;

	for (int i = 0; i < STREAM_LINES && rc == 0; i++) {
		char line[32];

		rc = rung_pipe_write(pipe, line, (size_t)snprintf(line, sizeof line, "line %d of many\n", i));
	}
	rung_pipe_close(pipe);
	return NULL;
}

/* Written by a thread of its own. */
static int stream(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_pipe *pipe = rung_pipe_new(.room = 4096);
	pthread_t writer;

	(void)self;
	if (!pipe)
		return -ENOMEM;
	int rc = rung_reply_pipe(res, 200, "text/plain", pipe);
	if (rc == 0)
		rc = -pthread_create(&writer, NULL, write_lines, pipe);
	if (rc < 0) {
		rung_pipe_close(pipe);
		return rung_fail(env, rc, "no thread to write with: %s", strerror(-rc));
	}
	pthread_detach(writer);
	return 0;
}

/* -- the stack --------------------------------------------------------------------------------------------------- */

static struct rung_app *guarded(struct rung_app *app)
{
	return rung_stack(rung_basic_auth(.realm = "r", .user = "u", .password = "p"), app);
}

static struct rung_app *make_routes(const char *folder, bool has_workers)
{
	const char *backend = getenv("RUNG_FAILURES_BACKEND");

	return rung_routes(rung_get("/", hello, .data = "hello"),
		rung_get("/guarded", .app = guarded(rung_run(hello, .data = "secret"))),
		rung_get("/d/:name", download), rung_post("/second", to_second), rung_post("/echo", echo),
		rung_get("/stream", stream),
		rung_mount("/list", rung_files(.root = folder, .listing = true, .precompressed = true)),
		rung_route(
			"PUT", "/comes", has_workers ? echo_as_it_comes : echo, .stream_input = has_workers),
		rung_mount("/up", has_workers && backend ? rung_upstream(.to = backend)
							 : rung_run(hello, .data = "nobody asks")));
}

static struct rung_app *make_stack(const char *folder, bool has_workers)
{
	return rung_stack(rung_access_log(), rung_error_pages(),
		rung_reproxy(.names = rung_names({ "files.internal", rung_files(.root = folder) },
				     { "second.internal", rung_run(echo, .name = "second") })),
		make_routes(folder, has_workers));
}

int main(int argc, char **argv)
{
	const char *folder = getenv("RUNG_FAILURES_FOLDER");
	bool has_workers = false;

	for (int i = 1; i < argc; i++)
		has_workers = has_workers || strncmp(argv[i], "--workers", 9) == 0;
	if (failing_begin)
		failing_begin();
	return rung_main(argc, argv, make_stack(folder ? folder : ".", has_workers));
}
