/*
 * race.c: everything at once, for ThreadSanitizer: servers of several loops, each stopped in the middle of all that its clients do. See
 * race.h.
 *
 * race [WORKERS [SECONDS]]: handlers run on the loops, or on so many workers; for about so long, 8 seconds unless told. Exits 0 when
 * every answer that came was right, and of each pair of counts both are equal: hooks heard once, sources closed once.
 */
#include "race.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 5, INSIDE = 2, ROUND_MS = 700 };

struct counts counts;

/* -- what all share ---------------------------------------------------------------------------------------------- */

void blame(const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	fprintf(stderr, "race: %s\n", text);
	atomic_fetch_add(&counts.wrong, 1);
}

char byte_at(size_t index)
{
	return "0123456789abcdefghijklmnopqrstuvwxyz"[index * 7 % 36];
}

unsigned sum(unsigned before, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		before = before * 31 + (unsigned char)bytes[i];
	return before;
}

unsigned any(unsigned below)
{
	static atomic_uint threads;
	static _Thread_local unsigned seed;

	if (!seed)
		seed = (unsigned)time(NULL) * 1000 + atomic_fetch_add(&threads, 1) + 1;
	return (unsigned)rand_r(&seed) % (below ? below : 1);
}

void nap(unsigned most_microseconds)
{
	usleep(any(most_microseconds));
}

/* -- rounds ------------------------------------------------------------------------------------------------------ */

static void compare(const char *what, atomic_uint *left, atomic_uint *right)
{
	if (atomic_load(left) != atomic_load(right))
		blame("%s: %u and %u", what, atomic_load(left), atomic_load(right));
}

/* Once nobody is left. Requests of in-process clients are counted too. */
static void compare_all(void)
{
	compare("requests begun and finished", &counts.begun, &counts.finished);
	compare("requests begun and logged", &counts.begun, &counts.logged);
	compare("sources opened and closed", &counts.opened, &counts.closed);
	compare("bytes taken and freed", &counts.taken, &counts.freed);
	compare("pipes given and returned", &counts.given, &counts.returned);
	compare("wakers lent and released", &counts.lent, &counts.released);
}

static void begin(pthread_t *thread, void *(*run)(void *), void *data)
{
	if (pthread_create(thread, NULL, run, data) == 0)
		return;
	fprintf(stderr, "race: no thread\n");
	exit(1);
}

/* The stop comes while clients still connect and ask. */
static void stop(struct around *around)
{
	pthread_mutex_lock(&around->lock);
	struct rung_server *server = around->server;
	around->server = NULL;
	pthread_mutex_unlock(&around->lock);
	atomic_store(&around->is_stopping, true);
	rung_server_destroy(server);
	atomic_store(&around->is_over, true);
}

static void run_round(unsigned workers)
{
	struct around around = { .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_t clients[CLIENTS + INSIDE];

	around.server = rung_server_new(make_stack(workers > 0), .loops = 1 + any(3), .workers = workers,
		/* Counted by address, so that the loops share a table; nobody comes near the number. */
		.setup = &quiet,
		.limits = { .drain_seconds = 2, .body_memory = BODY_MEMORY, .connections_per_ip = 10000 });
	if (!around.server) {
		fprintf(stderr, "race: %s\n", rung_error());
		exit(1);
	}
	around.port = rung_server_port(around.server);
	start_writers();
	for (size_t i = 0; i < CLIENTS + INSIDE; i++)
		begin(&clients[i], i < CLIENTS ? be_client : be_inside, &around);
	usleep((ROUND_MS + any(ROUND_MS)) * 1000);
	stop(&around);
	for (size_t i = 0; i < CLIENTS + INSIDE; i++)
		pthread_join(clients[i], NULL);
	stop_writers();
	compare_all();
}

int main(int argc, char **argv)
{
	unsigned workers = argc > 1 ? (unsigned)atoi(argv[1]) : 0, rounds = 0;
	time_t end = time(NULL) + (argc > 2 ? atoi(argv[2]) : 8);

	make_file();
	do
		run_round(workers);
	while (++rounds < 3 || time(NULL) < end);
	remove_file();
	printf("race: %u rounds, %u requests, %u whole answers, %u sources, %u pipes, %u wakers, %u wrong\n",
		rounds, atomic_load(&counts.begun), atomic_load(&counts.answers), atomic_load(&counts.opened),
		atomic_load(&counts.given), atomic_load(&counts.lent), atomic_load(&counts.wrong));
	return atomic_load(&counts.wrong) || atomic_load(&counts.answers) < 20;
}
