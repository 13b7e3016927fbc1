/*
 * wake_private.h: private: how a wake reaches the thread that asks the body.
 *
 * A waker outlives its request, since those who hold it do not know when that ends: it is counted, and the request lets go of
 * it under its lock.
 */
#pragma once

#include <rung/wake.h>

#include <pthread.h>
#include <stdatomic.h>

struct rung_request;

/* Something for another thread to do: an event loop's mail. */
struct rung_mail {
	struct rung_mail *next;
	/* Called once, on the loop's thread; when the loop has ended meanwhile, with is_over, by whoever ends it. */
	void (*deliver)(struct rung_mail *mail, bool is_over);
};

struct rung_waker {
	atomic_uint references;
	pthread_mutex_t lock;
	struct rung_request *request; /* NULL: it has ended */
	bool is_posted;               /* the mail below is on its way, and holds a reference */
	struct rung_mail mail;
};

/* For who answers the request: lets go of its waker, if it has one. */
void rung_request_drop_waker(struct rung_request *request);

/* The reference that a mail on its way holds is dropped; gives the request, NULL when it has ended meanwhile. Only on the thread that
 * also ends the request, or else it might end in between. */
struct rung_request *rung_waker_delivered(struct rung_mail *mail);
