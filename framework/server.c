/* server.c: making and ending a server. See server.h. */
#include "app_record.h"
#include "server_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
	DEFAULT_BODY = 10 * 1024 * 1024,
	DEFAULT_BODY_MEMORY = 64 * 1024,
	LEAST_BODY_MEMORY = 4 * 1024,
	DEFAULT_MEMORY = 16 * 1024,
	LEAST_MEMORY = 4 * 1024,
	MOST_CONNECTIONS = 16384,
	SPARE_DESCRIPTORS = 64, /* for files, logs and listeners beside connections */
	DEFAULT_DRAIN = 10,
	MOST_LOOPS = 1024,
	MOST_WORKERS = 4096,
	DEFAULT_WORKERS = 16, /* where an app's class says that it may wait */
	DEFAULT_QUEUE = 1024,
};

static unsigned default_connections(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ||
		limit.rlim_cur > MOST_CONNECTIONS + SPARE_DESCRIPTORS)
		return MOST_CONNECTIONS;
	return limit.rlim_cur > 2 * SPARE_DESCRIPTORS ? (unsigned)limit.rlim_cur - SPARE_DESCRIPTORS
						      : (unsigned)limit.rlim_cur / 2;
}

static int set_limits(struct rung_limits *limits)
{
	if (limits->body < 0)
		return rung_refuse(-EINVAL, "server: a negative body limit; use 0 for the default");
	if (limits->connection_memory && limits->connection_memory < LEAST_MEMORY)
		return rung_refuse(
			-EINVAL, "server: connection memory below 4096 bytes holds no request; give more");
	if (limits->body_memory && limits->body_memory < LEAST_BODY_MEMORY)
		return rung_refuse(-EINVAL,
			"server: less than 4096 bytes of memory for a body only slow it down; give more");
	if (!limits->body_memory)
		limits->body_memory = DEFAULT_BODY_MEMORY;
	if (!limits->body)
		limits->body = DEFAULT_BODY;
	if (!limits->connection_memory)
		limits->connection_memory = DEFAULT_MEMORY;
	if (!limits->connections)
		limits->connections = default_connections();
	if (!limits->queue)
		limits->queue = DEFAULT_QUEUE;
	if (!limits->drain_seconds)
		limits->drain_seconds = DEFAULT_DRAIN;
	return 0;
}

static unsigned default_loops(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	return cores < 1 ? 1 : (unsigned)cores;
}

static int make_loops(struct rung_server *server, unsigned count)
{
	if (count > MOST_LOOPS)
		return rung_refuse(
			-EINVAL, "server: %u loops; use at most %d, best one a core", count, MOST_LOOPS);
	server->loops = calloc(count, sizeof *server->loops);
	if (!server->loops)
		return rung_refuse(-ENOMEM, "server: out of memory");
	server->loop_count = count;
	for (unsigned i = 0; i < count; i++) {
		server->loops[i].server = server;
		server->loops[i].wake_fd = server->loops[i].watch_fd = -1;
	}
	return 0;
}

/* What the stack is told: the caller's setup, with what only the socket knows filled in. */
static int start_stack(struct rung_server *server, const struct rung_setup *given)
{
	struct rung_setup setup = { .size = sizeof setup };

	if (given && rung_options_copy("server", &setup, given, sizeof setup) < 0)
		return -EINVAL;
	if (!setup.authorities)
		setup.authorities = server->authorities;
	setup.is_public = setup.is_public || server->is_public;
	server->site = rung_site_of(server->app, &setup);
	server->site.is_stopping = &server->is_stopping;
	int rc = rung_start(server->app, &setup);
	server->is_started = rc == 0;
	return rc;
}

/* Those asked for; else, where an app says that it waits, some. */
static int make_workers(struct rung_server *server, unsigned count)
{
	const struct rung_app *blocker = rung_blocker(server->app);

	if (!count && blocker) {
		count = DEFAULT_WORKERS;
		rung_site_log(&server->site, RUNG_LOG_INFO,
			"rung: %s may wait, so handlers run on %u workers", rung_app_name(blocker), count);
	}
	if (!count)
		return 0;
	if (count > MOST_WORKERS)
		return rung_refuse(-EINVAL, "server: %u workers; use at most %d", count, MOST_WORKERS);
	server->workers = rung_workers_new(count, server->limits.queue);
	return server->workers ? 0 : -ENOMEM;
}

/* A folder that was named is looked at, so that the first large upload is not what tells. */
static int set_spool(struct rung_server *server, const char *folder)
{
	const char *temporary = getenv("TMPDIR");

	if (folder && access(folder, W_OK | X_OK) < 0)
		return rung_refuse(-errno,
			"server: large bodies cannot be kept in %s: %s; name another folder", folder,
			strerror(errno));
	if (!folder)
		folder = temporary && *temporary ? temporary : "/tmp";
	server->spool = strdup(folder);
	return server->spool ? 0 : rung_refuse(-ENOMEM, "server: out of memory");
}

static int open_server(struct rung_server *server, const struct rung_server_options *options)
{
	int rc = set_limits(&server->limits);

	if (rc == 0)
		rc = set_spool(server, options->spool);
	if (rc == 0)
		rc = make_loops(server, options->loops ? options->loops : default_loops());
	if (rc == 0)
		rc = rung_server_listen(server, options);
	if (rc == 0)
		rc = start_stack(server, options->setup);
	if (rc == 0)
		rc = make_workers(server, options->workers);
	for (unsigned i = 0; i < server->loop_count && rc == 0; i++)
		rc = rung_loop_open(&server->loops[i]);
	for (unsigned i = 0; i < server->loop_count && rc == 0; i++)
		rc = rung_loop_start(&server->loops[i]);
	return rc;
}

struct rung_server *rung_server_open(const struct rung_server_options *given)
{
	struct rung_server_options options;

	if (rung_options_copy("server", &options, given, sizeof options) < 0)
		return NULL;
	if (rung_take(options.app, "server") < 0)
		return NULL;
	struct rung_server *server = calloc(1, sizeof *server);
	if (!server) {
		rung_refuse(-ENOMEM, "server: out of memory");
		rung_drop(options.app);
		return NULL;
	}
	server->app = options.app;
	server->limits = options.limits;
	server->knows_layout = rung_guard_knows_layout();
	if (open_server(server, &options) == 0)
		return server;
	rung_server_destroy(server);
	return NULL;
}

unsigned rung_server_port(const struct rung_server *server)
{
	return server->port;
}

const char *rung_server_url(const struct rung_server *server)
{
	return server->urls[0];
}

const char *const *rung_server_urls(const struct rung_server *server)
{
	return server->urls;
}

/* A descriptor on its way to a loop. */
struct arrival {
	struct rung_mail mail;
	struct loop *loop;
	int fd;
};

static void deliver_arrival(struct rung_mail *mail, bool is_over)
{
	struct arrival *arrival = (struct arrival *)mail;
	/* The address only tells the family; a socketpair has none to show. */
	const struct sockaddr unnamed = { .sa_family = AF_UNIX };

	if (is_over)
		close(arrival->fd);
	else
		MHD_add_connection(arrival->loop->daemon, arrival->fd, &unnamed, sizeof unnamed);
	free(arrival);
}

int rung_server_add(struct rung_server *server, int fd)
{
	unsigned turn = atomic_fetch_add(&server->next_loop, 1);
	struct arrival *arrival = malloc(sizeof *arrival);

	if (!arrival) {
		close(fd);
		return -ENOMEM;
	}
	arrival->mail.deliver = deliver_arrival;
	arrival->loop = &server->loops[turn % server->loop_count];
	arrival->fd = fd;
	rung_loop_post(arrival->loop, &arrival->mail);
	return 0;
}

unsigned rung_server_destroy(struct rung_server *server)
{
	unsigned cut = 0;

	if (!server)
		return 0;
	rung_server_unlink(server);
	clock_gettime(CLOCK_MONOTONIC, &server->deadline);
	server->deadline.tv_sec += server->limits.drain_seconds;
	atomic_store_explicit(&server->is_stopping, true, memory_order_release);
	for (unsigned i = 0; i < server->loop_count; i++)
		if (server->loops[i].is_running)
			rung_loop_wake(&server->loops[i]);
	for (unsigned i = 0; i < server->loop_count; i++) {
		rung_loop_close(&server->loops[i]);
		cut += server->loops[i].cut;
	}
	rung_server_unlisten(server);
	rung_workers_destroy(server->workers);
	if (server->is_started)
		rung_stop(server->app);
	rung_drop(server->app);
	free(server->loops);
	free(server->spool);
	free(server);
	return cut;
}
