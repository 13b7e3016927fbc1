/*
 * input.h: private: the body of a request on its way in. Either it is kept, in memory and past a threshold in an unlinked
 * file, and read in one piece when it is whole; or it goes by, through a ring, to a handler that reads it as it comes.
 */
#pragma once

#include "ring.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct rung_request;

/* A body that is kept. Zeroed, but for fd -1, it is empty. */
struct rung_spool {
	const char *folder; /* for the file */
	size_t most_held;   /* bytes kept in memory before there is a file */
	char *held;         /* the arena's: what is not in the file (yet) */
	size_t held_size, held_room;
	int64_t size; /* in all */
	int fd;       /* -1: there is no file */
	void *mapped; /* the file, once the body is whole */
	size_t mapped_size;
};

/* Appends to what is kept. `announced` is how long it will be in all, 0 when that is not known. Returns 0, -ENOMEM, or what
 * the file system says. */
int rung_spool_add(struct rung_request *request, const char *bytes, size_t size, int64_t announced);

/* It is whole: makes it the request's input, in one piece. Returns as rung_spool_add() does. */
int rung_spool_end(struct rung_request *request);

/* Frees what the arena does not: once nobody reads the input any more. */
void rung_spool_release(struct rung_spool *spool);

/* A body that goes by: a loop puts in, a worker takes out. */
struct rung_stream {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct rung_ring ring;
	bool has_ended;
	int err;         /* what it ended with, 0: whole */
	int64_t taken;   /* bytes, by the reader */
	bool is_waiting; /* the reader is, for bytes */
	bool is_held_up; /* the writer waits for room */
	bool is_telling; /* has_room was called, and rung_stream_told() not yet */
	void (*has_room)(
		struct rung_stream *stream); /* called under the lock, by the reader, when it is held up */
	void *owner;
};

enum {
	RUNG_STREAM_ROOM = 256 * 1024, /* bytes between the loop and the worker: a block that arenas keep */
	RUNG_STREAM_ENOUGH =
		128 * 1024, /* bytes for which the worker is woken even though more may come at once */
};

/* Makes the request's body one that goes by; all in its arena. Returns 0 or -ENOMEM. */
int rung_stream_open(struct rung_request *request, void (*has_room)(struct rung_stream *stream));
void rung_stream_close(struct rung_stream *stream); /* when neither side uses it any more */

/* Returns how many bytes it took; when not all, has_room will be called. A reader that waits for fewer than are worth a
 * change of threads is left asleep: then *ret_is_untold, and rung_stream_tell() is called once nothing more comes at once. */
size_t rung_stream_put(struct rung_stream *stream, const char *bytes, size_t size, bool *ret_is_untold);
void rung_stream_tell(struct rung_stream *stream);

void rung_stream_told(struct rung_stream *stream);

/* No more will come; the first end counts. */
void rung_stream_end(struct rung_stream *stream, int err);
