/*
 * carry.c: what carries much, or waits: a large file by way of a reproxy, bodies of requests that are kept or go by, and
 * a handler that sleeps.
 *
 * CARRY_ROOT in the environment is the folder of the file, which is called "large". With CARRY_STREAMS bodies go by, which
 * takes workers.
 */
#include <rung/files.h>
#include <rung/reproxy.h>
#include <rung/rung.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>

static int hello(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)env;
	return rung_reply_text(res, 200, "Hello, World!\n");
}

static int send_file(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)env;
	return rung_reply_uri(res, 200, "http://files.internal/large");
}

static int reply_size(struct rung_env *env, struct rung_response *res, size_t size)
{
	const char *text = rung_printf(env, "%zu\n", size);

	return text ? rung_reply_text(res, 200, text) : -ENOMEM;
}

static int keep(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	size_t size;

	(void)self;
	if (!rung_input_bytes(env, &size))
		return -EIO;
	return reply_size(env, res, size);
}

static int pass(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	static _Thread_local char buffer[64 * 1024];
	size_t size = 0;
	ssize_t n;

	(void)self;
	while ((n = rung_input_read(env, buffer, sizeof buffer)) > 0)
		size += (size_t)n;
	return n < 0 ? (int)n : reply_size(env, res, size);
}

static int wait_a_second(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct timespec second = { .tv_sec = 1 };

	(void)self;
	(void)env;
	nanosleep(&second, NULL);
	return rung_reply_text(res, 200, "that was a second\n");
}

int main(int argc, char **argv)
{
	const char *root = getenv("CARRY_ROOT");

	return rung_main(argc, argv,
		rung_stack(rung_reproxy(.server = RUNG_SERVER_SELF,
				   .names = rung_names(
					   { "files.internal", rung_files(.root = root ? root : ".") })),
			rung_routes(rung_get("/", hello), rung_get("/file", send_file),
				rung_post("/keep", keep),
				rung_post("/pass", pass, .stream_input = getenv("CARRY_STREAMS") != NULL),
				rung_get("/wait", wait_a_second))));
}
