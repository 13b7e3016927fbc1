/* load.h: clients that ask without end while a server comes and goes, and count what they lose. */
#pragma once

#include "support.h"

#include <pthread.h>
#include <stdatomic.h>

enum { LOAD_MOST = 32 };

struct load;

struct load_client {
	struct load *load;
	pthread_t thread;
	bool keeps; /* its connection, else each request has one of its own */
};

struct load {
	unsigned port;
	struct load_client clients[LOAD_MOST];
	unsigned count;
	atomic_bool is_over;
	atomic_uint answers; /* whole ones */
	atomic_uint cut;     /* a connection that was had, and no whole answer on it */
	atomic_uint
		lost_reused; /* closed before a byte of the answer, on a connection that had given one before */
	atomic_uint not_answered; /* nothing for 10 s */
	atomic_uint no_server;    /* times that there was no connection to be had; they try again */
	char first_loss[256];     /* what happened first, for a message */
	atomic_bool has_loss;
};

/* Clients for the subject program: so many that keep their connections, and so many that do not. */
void load_start(struct load *load, unsigned port, unsigned keeping, unsigned closing);
void load_stop(struct load *load);

/* Fails the test if anything was lost. */
void load_expect_no_loss(struct load *load, unsigned least_answers);
