/* backend.h: a backend that does as it is told, over real sockets: what it says is bytes, right or wrong. */
#pragma once

#include "support.h"

#include <pthread.h>
#include <stdatomic.h>

struct backend;

/* Serves one connection, from begin to end, on a thread of its own; number counts from 0. The descriptor is closed afterwards. */
typedef void (*backend_fn)(struct backend *backend, int fd, unsigned number);

enum { BACKEND_MOST = 512, BACKEND_ROOM = 64 * 1024 };

struct backend {
	unsigned port;
	char url[160];       /* "http://127.0.0.1:PORT" or "unix:PATH" */
	char authority[160]; /* "127.0.0.1:PORT" */
	backend_fn serve;
	const char *answer; /* for backend_answer() */
	void *data;         /* the test's */
	atomic_uint connections, open, requests;
	pthread_mutex_t lock;
	char seen[BACKEND_ROOM]; /* the head of the last request */
	int64_t seen_body;       /* bytes of its body */
	char body[BACKEND_ROOM]; /* the first of them */

	int listener;
	pthread_t thread;
	struct backend_peer {
		struct backend *backend;
		pthread_t thread;
		int fd;
		unsigned number;
	} peers[BACKEND_MOST];
};

/* On a free port. `answer` is for backend_answer(). */
struct backend *backend_start(backend_fn serve, const char *answer);
struct backend *backend_start_unix(const char *path, backend_fn serve, const char *answer);
void backend_stop(struct backend *backend); /* closes everything, waits for its threads */

/* Reads a request, body and all; false at the end of the connection. */
bool backend_take(struct backend *backend, int fd);

/* Reads a head alone. What came behind it is in buffer too. Returns the head's size, 0 at the end. */
size_t backend_take_head(struct backend *backend, int fd, char *buffer, size_t room, size_t *ret_filled);

/* False when the other side has gone. */
bool backend_say(int fd, const char *text);
bool backend_say_bytes(int fd, const void *bytes, size_t size);

/* Serves: the same answer to each request. */
void backend_answer(struct backend *backend, int fd, unsigned number);

/* Serves: the request, as text, head and body. */
void backend_echo(struct backend *backend, int fd, unsigned number);

/* A copy of what was seen last, to be freed. */
char *backend_seen(struct backend *backend);

/* A port that nobody listens on. */
unsigned backend_dead_port(void);
