/*
 * server_work.c: the workers: threads that run handlers which may wait, while the loops go on. A connection whose request
 * is with a worker is suspended; the exchange comes back to its loop as mail.
 *
 * The queue is bounded for new requests alone: what was begun is also finished, and an exchange has one job at a time, so
 * that the rest is bounded by the number of connections.
 *
 * A semaphore counts the jobs. A condition variable with several waiters may lose a signal in glibc before 2.41 (its bug 25847), and
 * with it a request for as long as no other one comes.
 */
#include "server_private.h"

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct rung_workers {
	pthread_mutex_t lock;
	sem_t jobs; /* in the queue, and once more for each thread that is to end */
	struct exchange *first, **end;
	unsigned waiting; /* requests in the queue */
	unsigned limit;   /* of these */
	unsigned count;
	pthread_t threads[];
};

static void work(struct exchange *exchange)
{
	switch (exchange->job) {
	case RUNG_JOB_RUN:
		rung_must_not_wait = true;
		exchange->response = rung_request_run(&exchange->request);
		rung_must_not_wait = false;
		rung_server_prepare(exchange);
		break;
	case RUNG_JOB_READ:
		rung_body_work(exchange);
		break;
	case RUNG_JOB_FINISH:
		rung_request_finish(&exchange->request, &exchange->how);
		break;
	case RUNG_JOB_NONE:
		break;
	}
}

static void come_back(struct rung_mail *mail, bool is_over)
{
	struct exchange *exchange = (struct exchange *)((char *)mail - offsetof(struct exchange, mail));
	enum job job = exchange->job;

	(void)is_over; /* loops end after the last job */
	exchange->job = RUNG_JOB_NONE;
	exchange->loop->away--;
	rung_answer_job_done(exchange, job);
}

/* NULL: there is none, and the thread is to end. */
static struct exchange *take_job(struct rung_workers *workers)
{
	while (sem_wait(&workers->jobs) < 0)
		; /* by a signal that a debugger sends */
	pthread_mutex_lock(&workers->lock);
	struct exchange *exchange = workers->first;
	if (exchange) {
		workers->first = exchange->next_job;
		if (!workers->first)
			workers->end = &workers->first;
		workers->waiting -= exchange->job == RUNG_JOB_RUN;
	}
	pthread_mutex_unlock(&workers->lock);
	return exchange;
}

/*
 * Whom a batch thread's waking finds at work is not interrupted by it: a loop that shares the core hands out all that it has read before
 * workers begin, instead of being put aside at each job. Other programs have no priority by it. What a handler starts inherits it, which
 * does no harm, and where it is not allowed all goes on as usual.
 */
static void let_loops_finish(void)
{
	const struct sched_param none = { 0 };

	sched_setscheduler(0, SCHED_BATCH, &none);
}

static void *serve(void *argument)
{
	struct rung_workers *workers = argument;
	struct exchange *exchange;

	let_loops_finish();
	while ((exchange = take_job(workers))) {
		work(exchange);
		rung_loop_post(exchange->loop, &exchange->mail);
	}
	return NULL;
}

bool rung_work(struct exchange *exchange, enum job job)
{
	struct rung_workers *workers = exchange->loop->server->workers;

	exchange->job = job;
	exchange->next_job = NULL;
	exchange->mail.deliver = come_back;
	pthread_mutex_lock(&workers->lock);
	bool is_full = job == RUNG_JOB_RUN && workers->waiting >= workers->limit;
	if (!is_full) {
		*workers->end = exchange;
		workers->end = &exchange->next_job;
		workers->waiting += job == RUNG_JOB_RUN;
		exchange->loop->away++;
	}
	pthread_mutex_unlock(&workers->lock);
	/* Outside, or who is woken would first wait for the lock. */
	if (is_full)
		exchange->job = RUNG_JOB_NONE;
	else
		sem_post(&workers->jobs);
	return !is_full;
}

/* Like loops they take no signal. */
static int start_threads(struct rung_workers *workers, unsigned count)
{
	sigset_t all, before;
	int rc = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (workers->count < count && rc == 0) {
		rc = pthread_create(&workers->threads[workers->count], NULL, serve, workers);
		workers->count += rc == 0;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -rc;
}

struct rung_workers *rung_workers_new(unsigned count, unsigned queue)
{
	struct rung_workers *workers = calloc(1, sizeof *workers + count * sizeof *workers->threads);

	if (!workers || pthread_mutex_init(&workers->lock, NULL) != 0) {
		free(workers);
		rung_refuse(-ENOMEM, "server: out of memory");
		return NULL;
	}
	sem_init(&workers->jobs, 0, 0); /* cannot fail with these */
	workers->end = &workers->first;
	workers->limit = queue;
	int rc = start_threads(workers, count);
	if (rc == 0)
		return workers;
	rung_refuse(rc, "server: cannot start %u workers: %s; give it fewer", count, strerror(-rc));
	rung_workers_destroy(workers);
	return NULL;
}

void rung_workers_destroy(struct rung_workers *workers)
{
	if (!workers)
		return;
	for (unsigned i = 0; i < workers->count; i++)
		sem_post(&workers->jobs);
	for (unsigned i = 0; i < workers->count; i++)
		pthread_join(workers->threads[i], NULL);
	sem_destroy(&workers->jobs);
	pthread_mutex_destroy(&workers->lock);
	free(workers);
}
