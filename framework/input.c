/* input.c: the body of a request: how it is kept or goes by, and how handlers read it. See input.h. */
#include "request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* -- kept ---------------------------------------------------------------------------------------------------------- */

/* Where the length was told, one piece of exactly that size; where it was not (chunked), doubled as it grows. */
static int make_room(struct rung_request *request, size_t more, int64_t announced)
{
	struct rung_spool *spool = &request->spool;
	size_t need = spool->held_size + more + 1;
	size_t room = spool->held_room * 2;

	if (need <= spool->held_room)
		return 0;
	if (room < need)
		room = need;
	if (announced >= (int64_t)room)
		room = (size_t)announced + 1;
	if (room > spool->most_held + 1)
		room = spool->most_held + 1;
	char *held = rung_arena_alloc(&request->arena, room);
	if (!held)
		return -ENOMEM;
	if (spool->held_size)
		memcpy(held, spool->held, spool->held_size);
	spool->held = held;
	spool->held_room = room;
	return 0;
}

/* Without a name from the start, or, where the file system cannot do that, as good as without. */
static int open_file(const char *folder)
{
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
	char path[4096];

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL))
		return fd < 0 ? -errno : fd;
	if ((size_t)snprintf(path, sizeof path, "%s/rung-XXXXXX", folder) >= sizeof path)
		return -ENAMETOOLONG;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	unlink(path);
	return fd;
}

static int write_all(int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

/* What is held gathers small pieces, so that the file is written in larger ones. */
static int write_to_file(struct rung_spool *spool, const char *bytes, size_t size)
{
	if (spool->fd < 0)
		spool->fd = open_file(spool->folder ? spool->folder : "/tmp");
	if (spool->fd < 0)
		return spool->fd;
	int rc = write_all(spool->fd, spool->held, spool->held_size);
	spool->held_size = 0;
	if (rc == 0 && size >= spool->held_room)
		return write_all(spool->fd, bytes, size);
	if (rc == 0 && size) {
		memcpy(spool->held, bytes, size);
		spool->held_size = size;
	}
	return rc;
}

int rung_spool_add(struct rung_request *request, const char *bytes, size_t size, int64_t announced)
{
	struct rung_spool *spool = &request->spool;
	bool fits = spool->held_size + size <= spool->most_held;
	int rc = 0;

	if (spool->fd < 0 && fits)
		rc = make_room(request, size, announced);
	else if (spool->fd < 0 && spool->held_room <= spool->most_held)
		rc = make_room(request, spool->most_held - spool->held_size, 0);
	if (rc < 0)
		return rc;
	spool->size += (int64_t)size;
	if (!fits)
		return write_to_file(spool, bytes, size);
	memcpy(spool->held + spool->held_size, bytes, size);
	spool->held_size += size;
	return 0;
}

int rung_spool_end(struct rung_request *request)
{
	struct rung_spool *spool = &request->spool;

	if (spool->fd < 0) {
		if (spool->held)
			spool->held[spool->held_size] = '\0';
		rung_request_input(request, spool->held ? spool->held : "", spool->held_size);
		return 0;
	}
	int rc = write_to_file(spool, "", 1);
	if (rc == 0)
		rc = write_to_file(spool, NULL, 0);
	if (rc < 0)
		return rc;
	void *mapped = mmap(NULL, (size_t)spool->size + 1, PROT_READ, MAP_PRIVATE, spool->fd, 0);
	if (mapped == MAP_FAILED)
		return -errno;
	spool->mapped = mapped;
	spool->mapped_size = (size_t)spool->size + 1;
	rung_request_input(request, mapped, (size_t)spool->size);
	return 0;
}

void rung_spool_release(struct rung_spool *spool)
{
	if (spool->mapped)
		munmap(spool->mapped, spool->mapped_size);
	if (spool->fd >= 0)
		close(spool->fd);
	spool->mapped = NULL;
	spool->fd = -1;
}

/* -- going by -------------------------------------------------------------------------------------------------------- */

int rung_stream_open(struct rung_request *request, void (*has_room)(struct rung_stream *stream))
{
	struct rung_stream *stream = rung_arena_alloc(&request->arena, sizeof *stream);
	char *bytes = rung_arena_alloc(&request->arena, RUNG_STREAM_ROOM - 64);

	if (!stream || !bytes)
		return -ENOMEM;
	*stream = (struct rung_stream){
		.ring = { .at = bytes, .room = RUNG_STREAM_ROOM - 64 },
		.has_room = has_room,
	};
	/* Neither fails on Linux with default attributes. */
	pthread_mutex_init(&stream->lock, NULL);
	pthread_cond_init(&stream->changed, NULL);
	request->stream = stream;
	return 0;
}

void rung_stream_close(struct rung_stream *stream)
{
	pthread_cond_destroy(&stream->changed);
	pthread_mutex_destroy(&stream->lock);
}

size_t rung_stream_put(struct rung_stream *stream, const char *bytes, size_t size, bool *ret_is_untold)
{
	pthread_mutex_lock(&stream->lock);
	size_t taken = rung_ring_put(&stream->ring, bytes, size);
	bool is_enough = stream->ring.size >= RUNG_STREAM_ENOUGH;
	bool is_waiting = stream->is_waiting;
	stream->is_held_up = taken < size;
	stream->is_waiting = is_waiting && !is_enough;
	pthread_mutex_unlock(&stream->lock);
	/* Outside, or the reader would wake only to wait for the lock. The stream stays until this thread, the loop, ends it. */
	if (is_waiting && is_enough)
		pthread_cond_signal(&stream->changed);
	*ret_is_untold = is_waiting && !is_enough;
	return taken;
}

void rung_stream_tell(struct rung_stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	bool is_waiting = stream->is_waiting;
	stream->is_waiting = false;
	pthread_mutex_unlock(&stream->lock);
	if (is_waiting)
		pthread_cond_signal(&stream->changed);
}

void rung_stream_told(struct rung_stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	stream->is_telling = false;
	pthread_mutex_unlock(&stream->lock);
}

void rung_stream_end(struct rung_stream *stream, int err)
{
	pthread_mutex_lock(&stream->lock);
	if (!stream->has_ended)
		stream->err = err;
	stream->has_ended = true;
	pthread_cond_signal(&stream->changed);
	pthread_mutex_unlock(&stream->lock);
}

static ssize_t read_stream(struct rung_stream *stream, void *buffer, size_t max)
{
	pthread_mutex_lock(&stream->lock);
	while (!stream->ring.size && !stream->has_ended) {
		stream->is_waiting = true;
		pthread_cond_wait(&stream->changed, &stream->lock);
	}
	stream->is_waiting = false;
	/* A body that broke off says so at once: what is left of it is of no use. */
	ssize_t n = stream->err ? stream->err : (ssize_t)rung_ring_take(&stream->ring, buffer, max);
	if (n > 0)
		stream->taken += n;
	if (stream->is_held_up && stream->ring.size <= stream->ring.room / 2) {
		stream->is_held_up = false;
		if (!stream->is_telling)
			stream->has_room(stream);
		stream->is_telling = true;
	}
	pthread_mutex_unlock(&stream->lock);
	return n;
}

/* Somebody wants the whole of it after all. */
static int keep_stream(struct rung_request *request)
{
	struct rung_stream *stream = request->stream;
	int64_t announced = request->env.content_length;
	char *buffer = stream->taken ? NULL : rung_arena_alloc(&request->arena, 16 * 1024);
	ssize_t n;

	if (!buffer)
		return stream->taken ? -ESPIPE : -ENOMEM;
	while ((n = read_stream(stream, buffer, 16 * 1024)) > 0) {
		int rc = rung_spool_add(request, buffer, (size_t)n, announced);

		if (rc < 0)
			return rc;
	}
	if (n == 0)
		n = rung_spool_end(request);
	if (n == 0)
		request->stream = NULL;
	/* It is what was announced, for those who have looked at it already. */
	request->env.content_length = announced;
	return (int)n;
}

/* -- for handlers ------------------------------------------------------------------------------------------------------ */

/* A view whose body was dropped has length 0 and sees none, though the request still holds it. */
ssize_t rung_input_read(struct rung_env *env, void *buffer, size_t max)
{
	struct rung_request *request = env->request_;

	if (env->content_length == 0 || max == 0)
		return 0;
	if (request->stream) {
		if (request->stream->taken != (int64_t)env->input_at_)
			return -ESPIPE;
		ssize_t n = read_stream(request->stream, buffer, max);
		env->input_at_ += n > 0 ? (size_t)n : 0;
		return n;
	}
	size_t left = request->input_size - env->input_at_;
	if (left > max)
		left = max;
	memcpy(buffer, request->input + env->input_at_, left);
	env->input_at_ += left;
	return (ssize_t)left;
}

void rung_input_rewind(struct rung_env *env)
{
	env->input_at_ = 0;
}

const void *rung_input_bytes(const struct rung_env *env, size_t *ret_size)
{
	struct rung_request *request = env->request_;

	*ret_size = 0;
	if (env->content_length == 0)
		return "";
	if (request->stream) {
		int rc = keep_stream(request);

		if (rc < 0) {
			rung_fail_at((struct rung_env *)(uintptr_t)env, rc, NULL, 0,
				"the request's body cannot be had whole: %s", strerror(-rc));
			return NULL;
		}
	}
	*ret_size = request->input_size;
	return request->input;
}
