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
	MOST_MEMORY = 1024 * 1024 * 1024, /* more is a mistake */
	DEFAULT_HEADER_BYTES = 8 * 1024,
	DEFAULT_HEADER_COUNT = 100,
	DEFAULT_TARGET = 8000, /* what RFC 9112 section 3 asks for at least */
	FIELD_MEMORY = 64,     /* bytes that libmicrohttpd keeps of a field beside its text */
	SPARE_MEMORY = 1024,   /* for the answer's head, and reads */
	MEMORY_A_FIELD = 160,  /* of a connection, where its memory alone is given */
	MOST_CONNECTIONS = 16384,
	SPARE_DESCRIPTORS = 64, /* for files, logs and listeners beside connections */
	DEFAULT_DRAIN = 10,
	MOST_LOOPS = 1024,
	MOST_WORKERS = 4096,
	DEFAULT_WORKERS = 16, /* where an app's class says that it may wait */
	DEFAULT_QUEUE = 1024,
	DEFAULT_KEEP_ALIVE = 1000,
	SHARE_OF_A_PEER = 4, /* one address may have so much of all connections, a fourth */
	DEFAULT_HEADER_SECONDS = 20,
	DEFAULT_IDLE_SECONDS = 75,
	DEFAULT_BODY_SECONDS = 30,
	DEFAULT_SEND_SECONDS = 30,
	DEFAULT_RATE = 500,
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

static void set_default(unsigned *limit, unsigned value)
{
	if (!*limit)
		*limit = value;
}

/* What libmicrohttpd needs to take a head that is at both limits, or 0 where one of them is none: then it is the memory itself
 * that limits, and libmicrohttpd that answers. */
static size_t memory_for_heads(const struct rung_limits *limits)
{
	if (limits->header_bytes == (size_t)RUNG_UNLIMITED ||
		limits->header_count == (unsigned)RUNG_UNLIMITED)
		return 0;
	return limits->header_bytes + (size_t)limits->header_count * FIELD_MEMORY + SPARE_MEMORY;
}

/* Where the memory alone is given, heads may be what it holds, up to the usual. */
static void fill_head_limits(struct rung_limits *limits)
{
	size_t memory = limits->connection_memory;

	if (!limits->header_count && memory && memory / MEMORY_A_FIELD < DEFAULT_HEADER_COUNT)
		limits->header_count = (unsigned)(memory / MEMORY_A_FIELD);
	set_default(&limits->header_count, DEFAULT_HEADER_COUNT);
	if (!limits->header_bytes) {
		limits->header_bytes = DEFAULT_HEADER_BYTES;
		size_t need = memory_for_heads(limits);
		if (memory && need > memory && need - memory < limits->header_bytes)
			limits->header_bytes -= need - memory;
	}
	if (!limits->target)
		limits->target =
			DEFAULT_TARGET < limits->header_bytes ? DEFAULT_TARGET : limits->header_bytes;
}

/* A head is taken apart in the connection's memory: what is promised of the one must fit into the other. */
static int set_head_limits(struct rung_limits *limits)
{
	size_t memory = limits->connection_memory ? limits->connection_memory : DEFAULT_MEMORY;

	fill_head_limits(limits);
	if (limits->target > limits->header_bytes && limits->target != (size_t)RUNG_UNLIMITED)
		return rung_refuse(-EINVAL,
			"server: a target of %zu bytes is never met in a head of %zu; give header_bytes more",
			limits->target, limits->header_bytes);
	size_t need = memory_for_heads(limits);
	if (need > MOST_MEMORY || memory > MOST_MEMORY)
		return rung_refuse(-EINVAL,
			"server: a connection that may have more than a gigabyte of memory; give header_bytes, "
			"header_count or connection_memory less");
	if (limits->connection_memory && need > memory)
		return rung_refuse(-EINVAL,
			"server: connection memory of %zu bytes does not hold %zu header_bytes in %u fields; give it %zu",
			memory, limits->header_bytes, limits->header_count, need);
	limits->connection_memory = need > memory ? need : memory;
	return 0;
}

static void set_times(struct rung_limits *limits)
{
	set_default(&limits->drain_seconds, DEFAULT_DRAIN);
	set_default(&limits->header_seconds, DEFAULT_HEADER_SECONDS);
	set_default(&limits->idle_seconds, DEFAULT_IDLE_SECONDS);
	set_default(&limits->body_seconds, DEFAULT_BODY_SECONDS);
	set_default(&limits->send_seconds, DEFAULT_SEND_SECONDS);
	set_default(&limits->total_seconds, (unsigned)RUNG_UNLIMITED);
	set_default(&limits->least_rate, DEFAULT_RATE);
}

static int set_limits(struct rung_limits *limits)
{
	if (limits->body < 0 && limits->body != RUNG_UNLIMITED)
		return rung_refuse(-EINVAL, "server: a negative body limit; use 0 for the default");
	if (limits->connection_memory && limits->connection_memory < LEAST_MEMORY)
		return rung_refuse(
			-EINVAL, "server: connection memory below 4096 bytes holds no request; give more");
	if (limits->body_memory && limits->body_memory < LEAST_BODY_MEMORY)
		return rung_refuse(-EINVAL,
			"server: less than 4096 bytes of memory for a body only slow it down; give more");
	if (!limits->body_memory)
		limits->body_memory = DEFAULT_BODY_MEMORY;
	if (limits->connections == (unsigned)RUNG_UNLIMITED)
		return rung_refuse(
			-EINVAL, "server: connections without limit; each is a descriptor, so give a number");
	if (limits->hops > RUNG_MAX_DISPATCHES)
		return rung_refuse(
			-EINVAL, "server: %u hops; use at most %d", limits->hops, RUNG_MAX_DISPATCHES);
	if (!limits->body)
		limits->body = DEFAULT_BODY;
	if (limits->body == RUNG_UNLIMITED)
		limits->body = INT64_MAX;
	set_default(&limits->connections, default_connections());
	set_default(&limits->queue, DEFAULT_QUEUE);
	set_default(&limits->keep_alive_requests, DEFAULT_KEEP_ALIVE);
	set_default(&limits->hops, RUNG_MAX_HOPS);
	set_times(limits);
	return set_head_limits(limits);
}

/* Whoever connects to loopback is on this machine already; a proxy there has all clients' connections. */
static int make_peers(struct rung_server *server)
{
	struct rung_limits *limits = &server->limits;
	unsigned share = limits->connections / SHARE_OF_A_PEER;

	if (!limits->connections_per_ip)
		limits->connections_per_ip = !server->is_public ? (unsigned)RUNG_UNLIMITED
					     : share            ? share
								: 1;
	if (limits->connections_per_ip == (unsigned)RUNG_UNLIMITED)
		return 0;
	server->peers = rung_peers_new(limits->connections_per_ip);
	return server->peers ? 0 : -ENOMEM;
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

static int open_tls(struct rung_server *server, const struct rung_tls_files *files)
{
	if (!files->cert && files->key)
		return rung_refuse(
			-EINVAL, "server: a key without a certificate; give .tls.cert (--tls-cert) too");
	if (!files->cert)
		return 0;
	server->tls = rung_tls_open(files->cert, files->key ? files->key : files->cert);
	return server->tls ? 0 : -EINVAL;
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
	if (!setup.max_hops)
		setup.max_hops = server->limits.hops;
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
	int rc = rung_server_offer_lent(server, options->inherit);

	if (rc == 0)
		rc = set_limits(&server->limits);
	if (rc == 0)
		rc = set_spool(server, options->spool);
	if (rc == 0)
		rc = make_loops(server, options->loops ? options->loops : default_loops());
	if (rc == 0)
		rc = open_tls(server, &options->tls);
	if (rc == 0)
		rc = rung_takeover_ask(server, options);
	if (rc == 0)
		rc = rung_server_listen(server, options);
	if (rc == 0)
		rc = make_peers(server);
	if (rc == 0)
		rc = start_stack(server, options->setup);
	if (rc == 0)
		rc = make_workers(server, options->workers);
	for (unsigned i = 0; i < server->loop_count && rc == 0; i++)
		rc = rung_loop_open(&server->loops[i]);
	for (unsigned i = 0; i < server->loop_count && rc == 0; i++)
		rc = rung_loop_start(&server->loops[i]);
	if (rc == 0)
		rc = rung_takeover_begin(server);
	rung_server_drop_offers(server);
	return rc;
}

static void close_all(const int *fds)
{
	for (; fds && *fds >= 0; fds++)
		close(*fds);
}

struct rung_server *rung_server_open(const struct rung_server_options *given)
{
	struct rung_server_options options;

	if (rung_options_copy("server", &options, given, sizeof options) < 0)
		return NULL;
	if (rung_take(options.app, "server") < 0) {
		close_all(options.inherit);
		return NULL;
	}
	struct rung_server *server = calloc(1, sizeof *server);
	if (!server) {
		rung_refuse(-ENOMEM, "server: out of memory");
		close_all(options.inherit);
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
	rung_takeover_end(server);
	rung_server_drain(server);
	for (unsigned i = 0; i < server->loop_count; i++) {
		rung_loop_close(&server->loops[i]);
		cut += server->loops[i].cut;
	}
	rung_server_unlisten(server);
	rung_tls_close(server->tls);
	rung_workers_destroy(server->workers);
	rung_peers_destroy(server->peers);
	if (server->is_started)
		rung_stop(server->app);
	rung_drop(server->app);
	free(server->loops);
	free(server->spool);
	free(server);
	return cut;
}
