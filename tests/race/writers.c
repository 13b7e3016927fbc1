/* writers.c: threads that fill bodies in the race: writers that wait for room and writers that offer, one that sends events to all
 * who watch, and ringers that wake a source at any time, also when its client has left long ago. */
#include "race.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WRITERS = 3, RINGERS = 2, MOST_WATCHERS = 64 };

/* A list of work; its own lock, so that nothing of the library's is hidden by it. */
struct work {
	struct work *next;
	struct rung_pipe *pipe;
	enum writing how;
	struct bell *bell;
};

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct work *first;
	bool is_ended;
};

static struct queue to_write = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, false };
static struct queue to_ring = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, false };
static pthread_t threads[WRITERS + RINGERS + 1];

static void put(struct queue *queue, struct work work)
{
	struct work *made = malloc(sizeof *made);

	if (!made)
		abort();
	*made = work;
	pthread_mutex_lock(&queue->lock);
	made->next = queue->first;
	queue->first = made;
	pthread_cond_signal(&queue->changed);
	pthread_mutex_unlock(&queue->lock);
}

/* False when it has ended and nothing is left. */
static bool take(struct queue *queue, struct work *ret_work)
{
	pthread_mutex_lock(&queue->lock);
	while (!queue->first && !queue->is_ended)
		pthread_cond_wait(&queue->changed, &queue->lock);
	struct work *work = queue->first;
	if (work)
		queue->first = work->next;
	pthread_mutex_unlock(&queue->lock);
	if (work)
		*ret_work = *work;
	free(work);
	return work != NULL;
}

static void end(struct queue *queue, bool is_ended)
{
	pthread_mutex_lock(&queue->lock);
	queue->is_ended = is_ended;
	pthread_cond_broadcast(&queue->changed);
	pthread_mutex_unlock(&queue->lock);
}

/* -- writers ----------------------------------------------------------------------------------------------------- */

void give_to_writer(struct rung_pipe *pipe, enum writing how)
{
	atomic_fetch_add(&counts.given, 1);
	put(&to_write, (struct work){ .pipe = pipe, .how = how });
}

static int write_piece(struct rung_pipe *pipe, const char *bytes, size_t size, enum writing how)
{
	int rc;

	if (how != WRITE_OFFERING)
		return rung_pipe_write(pipe, bytes, size);
	while ((rc = rung_pipe_offer(pipe, bytes, size)) == -EAGAIN && !rung_pipe_is_gone(pipe))
		nap(500);
	return rc;
}

static void write_body(struct rung_pipe *pipe, enum writing how)
{
	size_t whole = how == WRITE_BREAKING ? any(PIPE_BYTES) : PIPE_BYTES;
	char bytes[1000];
	int rc = 0;

	for (size_t at = 0; at < whole && rc == 0;) {
		size_t size = 1 + any(sizeof bytes);

		size = size < whole - at ? size : whole - at;
		for (size_t i = 0; i < size; i++)
			bytes[i] = byte_at(at + i);
		rc = write_piece(pipe, bytes, size, how);
		at += size;
		if (any(30) == 0)
			nap(1000);
	}
	if (rc != 0 && rc != -EPIPE && rc != -EAGAIN)
		blame("a writer gets %d", rc);
	if (how == WRITE_BREAKING)
		rung_pipe_abort(pipe, -EIO);
	else
		rung_pipe_close(pipe);
	atomic_fetch_add(&counts.returned, 1);
}

static void *be_writer(void *unused)
{
	struct work work;

	while (take(&to_write, &work))
		write_body(work.pipe, work.how);
	return unused;
}

/* -- events ------------------------------------------------------------------------------------------------------ */

static pthread_mutex_t watching = PTHREAD_MUTEX_INITIALIZER;
static struct rung_pipe *watchers[MOST_WATCHERS];
static bool may_send_end;

void give_to_sender(struct rung_pipe *pipe)
{
	size_t i = 0;

	atomic_fetch_add(&counts.given, 1);
	pthread_mutex_lock(&watching);
	while (i < MOST_WATCHERS && watchers[i])
		i++;
	if (i < MOST_WATCHERS)
		watchers[i] = pipe;
	pthread_mutex_unlock(&watching);
	if (i < MOST_WATCHERS)
		return;
	rung_pipe_close(pipe);
	atomic_fetch_add(&counts.returned, 1);
}

/* Those that are slow miss some; those that have gone, or have had enough, are let go. */
static unsigned send_event(unsigned number)
{
	unsigned left = 0;
	char id[16];

	snprintf(id, sizeof id, "%u", number);
	for (size_t i = 0; i < MOST_WATCHERS; i++) {
		if (!watchers[i])
			continue;
		int rc = any(10) ? rung_event_offer(watchers[i], .data = "tick\ntock", .id = id)
				 : rung_event_comment(watchers[i], "");
		if (rc != 0 && rc != -EAGAIN && rc != -EPIPE && rc != -ESHUTDOWN)
			blame("a sender of events gets %d", rc);
		left++;
		if ((rc == 0 || rc == -EAGAIN) && any(200))
			continue;
		rung_pipe_close(watchers[i]);
		watchers[i] = NULL;
		atomic_fetch_add(&counts.returned, 1);
	}
	return left;
}

static void *be_sender(void *unused)
{
	bool is_over = false;

	for (unsigned i = 0; !is_over; i++) {
		pthread_mutex_lock(&watching);
		is_over = send_event(i) == 0 && may_send_end;
		pthread_mutex_unlock(&watching);
		nap(2000);
	}
	return unused;
}

/* -- bells ------------------------------------------------------------------------------------------------------- */

/* Between the request and its ringer; each lets go of it once. */
struct bell {
	struct rung_source source;
	struct rung_waker *waker;
	atomic_uint holders;
	atomic_uint rung;
	unsigned told;
	bool is_closed;
};

static void let_go(struct bell *bell)
{
	if (atomic_fetch_sub(&bell->holders, 1) == 1)
		free(bell);
}

static ssize_t read_bell(struct rung_source *source, void *buffer, size_t max)
{
	struct bell *bell = (struct bell *)source;

	(void)max;
	if (bell->told == RINGS)
		return 0;
	if (bell->told == atomic_load(&bell->rung)) {
		/* The worst moment: between the look and the answer. */
		if (any(4) == 0)
			rung_wake(bell->waker);
		return -EAGAIN;
	}
	bell->told++;
	memcpy(buffer, "ding ", DING_SIZE);
	return DING_SIZE;
}

static void close_bell(struct rung_source *source)
{
	struct bell *bell = (struct bell *)source;

	if (bell->is_closed)
		blame("a bell is closed twice");
	bell->is_closed = true;
	atomic_fetch_add(&counts.closed, 1);
	let_go(bell);
}

struct rung_source *hang_bell(struct rung_env *env)
{
	struct bell *bell = calloc(1, sizeof *bell);

	if (!bell)
		return NULL;
	bell->source = (struct rung_source){ .read = read_bell, .close = close_bell };
	bell->waker = rung_waker(env);
	if (!bell->waker)
		abort();
	atomic_init(&bell->holders, 2);
	atomic_fetch_add(&counts.opened, 1);
	atomic_fetch_add(&counts.lent, 1);
	put(&to_ring, (struct work){ .bell = bell });
	return &bell->source;
}

static void ring(struct bell *bell)
{
	unsigned rings = RINGS, after = any(3);

	while (rings--) {
		atomic_fetch_add(&bell->rung, 1);
		rung_wake(bell->waker);
		if (any(3) == 0)
			nap(1500);
	}
	/* The request may have ended by now, or will soon. */
	while (after--) {
		nap(3000);
		rung_wake(bell->waker);
	}
	rung_waker_destroy(bell->waker);
	atomic_fetch_add(&counts.released, 1);
	let_go(bell);
}

static void *be_ringer(void *unused)
{
	struct work work;

	while (take(&to_ring, &work))
		ring(work.bell);
	return unused;
}

/* -- all of them ------------------------------------------------------------------------------------------------- */

void start_writers(void)
{
	int rc = 0;

	end(&to_write, false);
	end(&to_ring, false);
	may_send_end = false;
	for (size_t i = 0; i < WRITERS; i++)
		rc |= pthread_create(&threads[i], NULL, be_writer, NULL);
	for (size_t i = 0; i < RINGERS; i++)
		rc |= pthread_create(&threads[WRITERS + i], NULL, be_ringer, NULL);
	rc |= pthread_create(&threads[WRITERS + RINGERS], NULL, be_sender, NULL);
	if (rc != 0)
		exit(1);
}

void stop_writers(void)
{
	end(&to_write, true);
	end(&to_ring, true);
	pthread_mutex_lock(&watching);
	may_send_end = true;
	pthread_mutex_unlock(&watching);
	for (size_t i = 0; i < sizeof threads / sizeof *threads; i++)
		pthread_join(threads[i], NULL);
}
