/*
 * race.h: the parts of the race: race.c has the rounds, stack.c what answers, writers.c the threads that fill bodies, clients.c those
 * that ask. Everything at once, for ThreadSanitizer; plain programs, since a test framework's processes and signals would only be in
 * the way.
 */
#pragma once

#include <rung/rung.h>

#include <pthread.h>
#include <stdatomic.h>

enum {
	PIPE_BYTES = 60 * 1000,  /* of a body that comes through a pipe */
	FILE_BYTES = 200 * 1000, /* of /file and /taken: more than leaves in one send */
	RINGS = 20,              /* pieces of /bell */
	DING_SIZE = 5,
	BODY_MEMORY = 4096, /* of an upload, before it is a file */
	MOST_UPLOAD = 60 * 1000,
};

/* What is counted in a round; each pair must be equal at its end. */
extern struct counts {
	atomic_uint begun, finished, logged; /* requests */
	atomic_uint opened, closed;          /* sources */
	atomic_uint taken, freed;            /* bytes with a free function */
	atomic_uint given, returned;         /* pipes, to writers */
	atomic_uint lent, released;          /* wakers, to ringers */
	atomic_uint answers;                 /* whole and right ones */
	atomic_uint wrong;
} counts;

/* Says what is wrong, and counts it. */
void blame(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Bytes 0.. of every body with content. */
char byte_at(size_t index);
unsigned sum(unsigned before, const char *bytes, size_t size);

/* A number below `below`, other on every thread and in every run. */
unsigned any(unsigned below);
void nap(unsigned most_microseconds);

/* -- stack.c -- */
extern const struct rung_setup quiet;
struct rung_app *make_stack(bool has_workers);
void make_file(void);
void remove_file(void);

/* -- writers.c -- */
enum writing { WRITE_BLOCKING, WRITE_OFFERING, WRITE_BREAKING };

void start_writers(void);
void stop_writers(void); /* after what they have been given */
void give_to_writer(struct rung_pipe *pipe, enum writing how);
void give_to_sender(struct rung_pipe *pipe); /* of events */

struct bell;
struct rung_source *hang_bell(struct rung_env *env); /* NULL: out of memory */

/* -- clients.c -- */
struct around {
	struct rung_server
		*server; /* under lock, NULL once it is being destroyed: nobody may add to it then */
	pthread_mutex_t lock;
	unsigned port;
	atomic_bool is_stopping; /* answers may be cut */
	atomic_bool is_over;
};
void *be_client(void *around);
void *be_inside(void *around); /* an in-process client */
