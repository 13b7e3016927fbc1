/*
 * subject.c: the program that tests launch, load, restart and take over.
 *
 *	/          "hello"
 *	/slow?MS   an answer of ten pieces, each after so many milliseconds, of known length
 *	/big       a megabyte, read piece by piece
 *	/scheme    env->scheme
 *	/hang      never returns
 */
#include <rung/rung.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct pieces {
	struct rung_source source;
	long wait_ms;
	int64_t next; /* when the next one may go out */
	size_t left, size;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Never across a piece's end, so that there is one wait for each. */
static ssize_t read_pieces(struct rung_source *source, void *buffer, size_t max)
{
	struct pieces *pieces = (struct pieces *)source;
	size_t size = pieces->left % pieces->size ? pieces->left % pieces->size : pieces->size;

	if (pieces->left % pieces->size == 0 && now_ms() < pieces->next)
		return -EAGAIN;
	if (size > max)
		size = max;
	if (pieces->left % pieces->size == 0)
		pieces->next = now_ms() + pieces->wait_ms;
	memset(buffer, 'x', size);
	pieces->left -= size;
	return (ssize_t)size;
}

static int reply_pieces(
	struct rung_env *env, struct rung_response *res, size_t count, size_t size, long wait_ms)
{
	struct pieces *pieces = rung_alloc(env, sizeof *pieces);

	if (!pieces)
		return -ENOMEM;
	*pieces = (struct pieces){
		.source.read = read_pieces,
		.wait_ms = wait_ms,
		.left = count * size,
		.size = size,
	};
	return rung_reply_pull(res, 200, "text/plain", &pieces->source, (int64_t)(count * size));
}

static int hello(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_text(res, 200, "hello\n");
}

static int slow(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return reply_pieces(env, res, 10, 10, strtol(env->query, NULL, 10));
}

static int big(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return reply_pieces(env, res, 64, 16384, 0);
}

static int scheme(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return rung_reply_textf(res, 200, "%s from %s", env->scheme, rung_remote_address(env));
}

static int hang(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env, (void)res;
	for (;;)
		pause();
	return 0;
}

int main(int argc, char **argv)
{
	return rung_main(argc, argv,
		rung_routes(rung_get("/", hello), rung_get("/slow", slow), rung_get("/big", big),
			rung_get("/scheme", scheme), rung_get("/hang", hang)));
}
