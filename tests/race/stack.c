/* stack.c: what answers in the race: a bit of everything, every body kind, and hooks that count. */
#include "race.h"

#include <rung/access_log.h>
#include <rung/basic_auth.h>
#include <rung/error_pages.h>
#include <rung/files.h>
#include <rung/inspect.h>
#include <rung/reproxy.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- counting ---------------------------------------------------------------------------------------------------- */

static void count_finish(const struct rung_env *env, const struct rung_finish *finish, void *data)
{
	bool *is_heard = data;

	(void)env, (void)finish;
	if (*is_heard)
		blame("a hook is heard twice");
	*is_heard = true;
	atomic_fetch_add(&counts.finished, 1);
}

static int count(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	bool *is_heard = rung_alloc(env, sizeof *is_heard);

	if (!is_heard)
		return -ENOMEM;
	*is_heard = false;
	if (rung_on_finish(env, count_finish, is_heard) < 0)
		return -ENOMEM;
	atomic_fetch_add(&counts.begun, 1);
	rung_next(self, env, res);
	return 0;
}

static void take_line(void *data, const char *line, size_t bytes)
{
	(void)data;
	if (line[bytes - 1] == '\n')
		atomic_fetch_add(&counts.logged, 1);
}

/* -- short answers ----------------------------------------------------------------------------------------------- */

static int hello(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	rung_set_cookie(res, "seen", "1");
	return rung_reply_text(res, 200, "hello");
}

static int elsewhere(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return rung_reply_uri(res, 200, "http://own.internal/%s", rung_param(env, "name"));
}

/* -- uploads ----------------------------------------------------------------------------------------------------- */

/* Kept, in memory or in a file. */
static int keep(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	size_t size;
	const char *bytes = rung_input_bytes(env, &size);

	(void)self;
	return bytes ? rung_reply_textf(res, 200, "%zu %u", size, sum(0, bytes, size)) : -EIO;
}

/* As it comes; some leave before its end. */
static int take(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	unsigned have = 0, patience = any(8) ? 1000 : any(20);
	size_t size = 0;
	char piece[3000];
	ssize_t n = 1;

	(void)self;
	while (patience-- && (n = rung_input_read(env, piece, sizeof piece)) > 0) {
		have = sum(have, piece, (size_t)n);
		size += (size_t)n;
		if (any(50) == 0)
			nap(2000);
	}
	if (n < 0)
		return (int)n;
	return n ? rung_reply_text(res, 200, "enough") : rung_reply_textf(res, 200, "%zu %u", size, have);
}

/* -- bodies ------------------------------------------------------------------------------------------------------ */

/* A source that says "not yet" every other time, and has no waker. */
struct stream {
	struct rung_source source;
	int left;
	bool is_closed;
};

static ssize_t read_stream(struct rung_source *source, void *buffer, size_t max)
{
	struct stream *stream = (struct stream *)source;

	if (stream->left == 0)
		return 0;
	if (stream->left-- % 2)
		return -EAGAIN;
	memset(buffer, 'x', max < 64 ? max : 64);
	return (ssize_t)(max < 64 ? max : 64);
}

static void close_stream(struct rung_source *source)
{
	struct stream *stream = (struct stream *)source;

	if (stream->is_closed)
		blame("a source is closed twice");
	stream->is_closed = true;
	atomic_fetch_add(&counts.closed, 1);
}

static int give_stream(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct stream *stream = rung_alloc(env, sizeof *stream);

	(void)self;
	if (!stream)
		return -ENOMEM;
	*stream = (struct stream){ .source = { .read = read_stream, .close = close_stream }, .left = 6 };
	atomic_fetch_add(&counts.opened, 1);
	return rung_reply_pull(res, 200, "text/plain", &stream->source, -1);
}

static int give_bell(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_source *source = hang_bell(env);

	(void)self;
	return source ? rung_reply_pull(res, 200, "text/plain", source, -1) : -ENOMEM;
}

static int give_pipe(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const char *how = rung_param(env, "how");
	struct rung_pipe *pipe = rung_pipe_new(.room = 1000 + any(20000));

	(void)self;
	if (!pipe)
		return -ENOMEM;
	int rc = rung_reply_pipe(res, 200, "text/plain", pipe);
	/* Its writer learns of a failure too. */
	give_to_writer(pipe, strcmp(how, "write") == 0   ? WRITE_BLOCKING
			     : strcmp(how, "offer") == 0 ? WRITE_OFFERING
							 : WRITE_BREAKING);
	return rc;
}

static int give_events(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_pipe *pipe = rung_pipe_new(.endless = true, .room = 4000);

	(void)self, (void)env;
	if (!pipe)
		return -ENOMEM;
	int rc = rung_reply_events(res, pipe);
	give_to_sender(pipe);
	return rc;
}

static void free_bytes(void *bytes)
{
	free(bytes);
	atomic_fetch_add(&counts.freed, 1);
}

static int give_bytes(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	char *bytes = malloc(FILE_BYTES);

	(void)self, (void)env;
	if (!bytes)
		return -ENOMEM;
	for (size_t i = 0; i < FILE_BYTES; i++)
		bytes[i] = byte_at(i);
	atomic_fetch_add(&counts.taken, 1);
	res->status = 200;
	return rung_body_take(res, bytes, FILE_BYTES, free_bytes);
}

/* -- the log: there are breaks on purpose ------------------------------------------------------------------------- */

static void drop_line(void *data, enum rung_log_level level, const char *line)
{
	(void)data, (void)level, (void)line;
}

const struct rung_setup quiet = { .size = sizeof quiet, .log = drop_line };

/* -- the whole --------------------------------------------------------------------------------------------------- */

static char folder[] = "/tmp/rung-race-XXXXXX";

static const char *path_of_file(void)
{
	static char path[64];

	snprintf(path, sizeof path, "%s/file", folder);
	return path;
}

void make_file(void)
{
	FILE *file = mkdtemp(folder) ? fopen(path_of_file(), "w") : NULL;

	if (!file)
		exit(1);
	for (size_t i = 0; i < FILE_BYTES; i++)
		putc(byte_at(i), file);
	fclose(file);
}

void remove_file(void)
{
	unlink(path_of_file());
	rmdir(folder);
}

struct rung_app *make_stack(bool has_workers)
{
	return rung_stack(rung_inspect(.keep = 5), rung_access_log(.write = take_line), rung_error_pages(),
		rung_use(count),
		rung_reproxy(.names = rung_names({ "own.internal", rung_files(.root = folder) })),
		rung_routes(rung_get("/", hello), rung_get("/d/:name", elsewhere),
			rung_get("/stream", give_stream), rung_get("/bell", give_bell),
			rung_get("/pipe/:how", give_pipe), rung_get("/events", give_events),
			rung_get("/taken", give_bytes), rung_post("/keep", keep),
			rung_post("/take", take, .stream_input = has_workers),
			rung_get("/guarded", .app = rung_stack(rung_basic_auth(.user = "u", .password = "p"),
						     rung_run(hello)))));
}
