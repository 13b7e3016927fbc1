/* pipe.c: a ring of bytes between a writer on any thread and whoever asks the body. See pipe.h. */
#include "request.h"
#include "ring.h"
#include <rung/pipe.h>
#include <rung/wake.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_ROOM = 64 * 1024 };

_Thread_local bool rung_must_not_wait;

struct rung_pipe {
	struct rung_source source; /* the reading end */
	pthread_mutex_t lock;
	pthread_cond_t has_room;
	unsigned ends; /* that are still held: the writing and the reading one */
	unsigned waiting;
	bool is_endless;
	bool is_body;
	bool is_gone;             /* nobody will read any more */
	bool is_stopped;          /* the server stops, and the body has ended */
	bool is_closed;           /* nobody will write any more */
	bool is_starving;         /* the reader was told "not yet" */
	int err;                  /* what the body ends with once it is closed */
	struct rung_env *env;     /* of the response, while it is a body */
	struct rung_waker *waker; /* likewise, to the end of the pipe */
	struct rung_ring ring;
	char bytes[];
};

struct rung_pipe *rung_pipe_open(const struct rung_pipe_options *given)
{
	struct rung_pipe_options options;

	if (rung_options_copy("pipe", &options, given, sizeof options) < 0)
		return NULL;
	size_t room = options.room ? options.room : DEFAULT_ROOM;
	struct rung_pipe *pipe = room < SIZE_MAX / 2 ? malloc(sizeof *pipe + room) : NULL;
	if (!pipe) {
		rung_refuse(-ENOMEM, "pipe: out of memory");
		return NULL;
	}
	*pipe = (struct rung_pipe){ .ends = 1, .is_endless = options.endless };
	pipe->ring = (struct rung_ring){ .at = pipe->bytes, .room = room };
	/* Neither fails on Linux with default attributes. */
	pthread_mutex_init(&pipe->lock, NULL);
	pthread_cond_init(&pipe->has_room, NULL);
	return pipe;
}

/* The lock is held, and given up. */
static void drop_end(struct rung_pipe *pipe)
{
	bool is_last = --pipe->ends == 0;

	pthread_mutex_unlock(&pipe->lock);
	if (!is_last)
		return;
	rung_waker_destroy(pipe->waker);
	pthread_cond_destroy(&pipe->has_room);
	pthread_mutex_destroy(&pipe->lock);
	free(pipe);
}

/* -- the reading end ---------------------------------------------------------------------------------------------- */

/* Nothing is in it. */
static ssize_t when_empty(struct rung_pipe *pipe)
{
	if (pipe->is_closed)
		return pipe->err;
	if (pipe->is_endless && rung_is_stopping(pipe->env)) {
		pipe->is_stopped = true;
		return 0;
	}
	pipe->is_starving = true;
	return -EAGAIN;
}

static ssize_t read_pipe(struct rung_source *source, void *buffer, size_t max)
{
	struct rung_pipe *pipe = (struct rung_pipe *)source;

	pthread_mutex_lock(&pipe->lock);
	ssize_t n = pipe->ring.size ? (ssize_t)rung_ring_take(&pipe->ring, buffer, max) : when_empty(pipe);
	if (pipe->waiting && n != -EAGAIN)
		pthread_cond_broadcast(&pipe->has_room);
	pthread_mutex_unlock(&pipe->lock);
	return n;
}

static void close_pipe(struct rung_source *source)
{
	struct rung_pipe *pipe = (struct rung_pipe *)source;

	pthread_mutex_lock(&pipe->lock);
	pipe->is_gone = true;
	pipe->env = NULL;
	pthread_cond_broadcast(&pipe->has_room);
	drop_end(pipe);
}

static int refuse_reader(struct rung_response *res, struct rung_pipe *pipe, int err)
{
	if (pipe) {
		pthread_mutex_lock(&pipe->lock);
		pipe->is_gone = pipe->is_gone || !pipe->is_body;
		pthread_mutex_unlock(&pipe->lock);
	}
	return rung_response_stick(res, err);
}

int rung_body_pipe(struct rung_response *res, struct rung_pipe *pipe)
{
	if (!pipe) {
		rung_fail_at(res->env_, -EINVAL, NULL, 0, "the pipe of the body is NULL; check what made it");
		return rung_response_stick(res, -EINVAL);
	}
	if (res->error)
		return refuse_reader(res, pipe, res->error);
	if (pipe->is_body)
		return refuse_reader(res, pipe, -EBUSY);
	struct rung_waker *waker = rung_waker(res->env_);
	if (!waker)
		return refuse_reader(res, pipe, -ENOMEM);
	pthread_mutex_lock(&pipe->lock);
	pipe->source = (struct rung_source){ .read = read_pipe, .close = close_pipe };
	pipe->is_body = true;
	pipe->env = res->env_;
	pipe->waker = waker;
	pipe->ends++;
	pthread_mutex_unlock(&pipe->lock);
	return rung_body_pull(res, &pipe->source, -1);
}

/* -- the writing end ----------------------------------------------------------------------------------------------- */

static int state_of(const struct rung_pipe *pipe)
{
	return pipe->is_gone ? -EPIPE : pipe->is_stopped ? -ESHUTDOWN : 0;
}

/* The lock is held, and given up. A reader that was not told "not yet" asks by itself. */
static void unlock_and_feed(struct rung_pipe *pipe)
{
	bool is_starving = pipe->is_starving;

	pipe->is_starving = false;
	pthread_mutex_unlock(&pipe->lock);
	if (is_starving)
		rung_wake(pipe->waker);
}

static int wait_for_room(struct rung_pipe *pipe)
{
	if (rung_must_not_wait)
		return -EDEADLK;
	pipe->waiting++;
	pthread_cond_wait(&pipe->has_room, &pipe->lock);
	pipe->waiting--;
	return 0;
}

int rung_pipe_write(struct rung_pipe *pipe, const void *bytes, size_t size)
{
	const char *at = bytes;

	pthread_mutex_lock(&pipe->lock);
	int rc = state_of(pipe);
	while (rc == 0 && size) {
		size_t piece = rung_ring_put(&pipe->ring, at, size);

		at += piece;
		size -= piece;
		if (size && pipe->is_starving) {
			unlock_and_feed(pipe);
			pthread_mutex_lock(&pipe->lock);
		}
		while (rc == 0 && size && pipe->ring.size == pipe->ring.room && state_of(pipe) == 0)
			rc = wait_for_room(pipe);
		if (rc == 0)
			rc = state_of(pipe);
	}
	unlock_and_feed(pipe);
	return rc;
}

int rung_pipe_offer(struct rung_pipe *pipe, const void *bytes, size_t size)
{
	pthread_mutex_lock(&pipe->lock);
	int rc = state_of(pipe);
	if (rc == 0 && size > pipe->ring.room)
		rc = -EMSGSIZE;
	else if (rc == 0 && size > pipe->ring.room - pipe->ring.size)
		rc = -EAGAIN;
	if (rc == 0)
		rung_ring_put(&pipe->ring, bytes, size);
	unlock_and_feed(pipe);
	return rc;
}

bool rung_pipe_is_gone(struct rung_pipe *pipe)
{
	pthread_mutex_lock(&pipe->lock);
	bool is_gone = pipe->is_gone;
	pthread_mutex_unlock(&pipe->lock);
	return is_gone;
}

void rung_pipe_abort(struct rung_pipe *pipe, int err)
{
	if (!pipe)
		return;
	pthread_mutex_lock(&pipe->lock);
	pipe->is_closed = true;
	pipe->err = err;
	/* Woken under the lock, since the pipe may be gone as soon as the lock is. */
	if (pipe->is_starving)
		rung_wake(pipe->waker);
	pipe->is_starving = false;
	drop_end(pipe);
}

void rung_pipe_close(struct rung_pipe *pipe)
{
	rung_pipe_abort(pipe, 0);
}
