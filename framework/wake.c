/* wake.c: wakers. See wake.h. */
#include "request.h"
#include "wake_private.h"

#include <stddef.h>
#include <stdlib.h>

static void drop(struct rung_waker *waker)
{
	if (atomic_fetch_sub(&waker->references, 1) > 1)
		return;
	pthread_mutex_destroy(&waker->lock);
	free(waker);
}

static struct rung_waker *make(struct rung_request *request)
{
	struct rung_waker *waker = calloc(1, sizeof *waker);

	if (!waker)
		return NULL;
	if (pthread_mutex_init(&waker->lock, NULL) != 0) {
		free(waker);
		return NULL;
	}
	atomic_init(&waker->references, 1);
	waker->request = request;
	return waker;
}

struct rung_waker *rung_waker(struct rung_env *env)
{
	struct rung_request *request = env->request_;

	if (!request->waker)
		request->waker = make(request);
	if (request->waker)
		atomic_fetch_add(&request->waker->references, 1);
	return request->waker;
}

void rung_wake(struct rung_waker *waker)
{
	pthread_mutex_lock(&waker->lock);
	if (waker->request && !waker->is_posted) {
		waker->is_posted = true;
		atomic_fetch_add(&waker->references, 1);
		waker->request->wake(waker->request, &waker->mail);
	}
	pthread_mutex_unlock(&waker->lock);
}

void rung_waker_destroy(struct rung_waker *waker)
{
	if (waker)
		drop(waker);
}

struct rung_request *rung_waker_delivered(struct rung_mail *mail)
{
	struct rung_waker *waker = (struct rung_waker *)((char *)mail - offsetof(struct rung_waker, mail));

	pthread_mutex_lock(&waker->lock);
	struct rung_request *request = waker->request;
	waker->is_posted = false;
	pthread_mutex_unlock(&waker->lock);
	drop(waker);
	return request;
}

void rung_request_drop_waker(struct rung_request *request)
{
	struct rung_waker *waker = request->waker;

	if (!waker)
		return;
	request->waker = NULL;
	pthread_mutex_lock(&waker->lock);
	waker->request = NULL;
	pthread_mutex_unlock(&waker->lock);
	drop(waker);
}
