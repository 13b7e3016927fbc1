/*
 * race.c: everything at once, for ThreadSanitizer: a server of several loops whose stack has a bit of everything, clients
 * that ask, that leave in the middle, and that come in by rung_server_add(), other threads with in-process clients, and a stop
 * while all of them go on. A plain program, since a test framework's processes and signals would only be in the way.
 *
 * race [WORKERS]: handlers run on the loops, or on so many workers. Exits 0 when every answer that came was right and the finish hooks heard of each request once.
 */
#include <rung/access_log.h>
#include <rung/basic_auth.h>
#include <rung/error_pages.h>
#include <rung/files.h>
#include <rung/inspect.h>
#include <rung/reproxy.h>
#include <rung/rung.h>

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS = 4, ROUNDS = 150 };

static atomic_uint begun, finished, wrong, logged;
static atomic_bool is_stopping;
static struct rung_server *server;
static unsigned port;

/* Whoever uses a server sees to it that it is there: nobody may add to one that is being destroyed. */
static pthread_mutex_t adding = PTHREAD_MUTEX_INITIALIZER;
static bool is_closed;

/* -- the stack --------------------------------------------------------------------------------------------------- */

static void count_finish(const struct rung_env *env, const struct rung_finish *finish, void *data)
{
	(void)env;
	(void)finish;
	(void)data;
	atomic_fetch_add(&finished, 1);
}

static int count(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	atomic_fetch_add(&begun, 1);
	if (rung_on_finish(env, count_finish, NULL) < 0)
		return -ENOMEM;
	rung_next(self, env, res);
	return 0;
}

static int hello(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_set_cookie(res, "seen", "1");
	return rung_reply_textf(res, 200, "hello %s", rung_remote_address(env));
}

static int elsewhere(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return rung_reply_uri(res, 200, "http://own.internal/%s", rung_param(env, "name"));
}

/* A stream that says "not yet" every other time. */
struct stream {
	struct rung_source source;
	int left;
};

static ssize_t read_stream(struct rung_source *source, void *buffer, size_t max)
{
	struct stream *stream = (struct stream *)source;

	if (stream->left == 0)
		return 0;
	if (stream->left-- % 2)
		return -EAGAIN;
	memset(buffer, 'x', max < 64 ? max : 64);
	return (ssize_t)(max < 64 ? max : 64);
}

static int give_stream(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct stream *stream = rung_alloc(env, sizeof *stream);

	(void)self;
	if (!stream)
		return -ENOMEM;
	*stream = (struct stream){ .source = { .read = read_stream }, .left = 6 };
	return rung_reply_pull(res, 200, "text/plain", &stream->source, -1);
}

static void take_line(void *data, const char *line, size_t bytes)
{
	(void)data;
	if (line[bytes - 1] == '\n')
		atomic_fetch_add(&logged, 1);
}

static struct rung_app *make_stack(void)
{
	return rung_stack(rung_inspect(.keep = 5), rung_access_log(.write = take_line), rung_error_pages(),
		rung_use(count),
		rung_reproxy(.names = rung_names({ "own.internal", rung_files(.root = "/proc/self") })),
		rung_routes(rung_get("/", hello), rung_get("/d/:name", elsewhere),
			rung_get("/stream", give_stream),
			rung_get("/guarded", .app = rung_stack(rung_basic_auth(.user = "u", .password = "p"),
						     rung_run(hello)))));
}

/* -- clients ----------------------------------------------------------------------------------------------------- */

static const struct {
	const char *target, *status;
} asked[] = { { "/", "200" }, { "/d/status", "200" }, { "/stream", "200" }, { "/guarded", "401" },
	{ "/nothing", "404" }, { "/d/nothing", "404" }, { "/_rung/requests.json", "200" } };

static int connect_to_server(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	close(fd);
	return -1;
}

static int add_to_server(void)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	pthread_mutex_lock(&adding);
	int rc = is_closed ? -ECANCELED : rung_server_add(server, ends[1]);
	if (is_closed)
		close(ends[1]);
	pthread_mutex_unlock(&adding);
	if (rc == 0)
		return ends[0];
	close(ends[0]);
	return -1;
}

/* Sends one request and looks at the answer's status; leaves at once when it shall not wait for it. */
static void ask(int fd, size_t which, bool leaves)
{
	char text[512];
	int size = snprintf(text, sizeof text,
		"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", asked[which].target);

	if (send(fd, text, (size_t)size, MSG_NOSIGNAL) == size && !leaves) {
		size_t at = 0;
		ssize_t n;

		while ((n = recv(fd, text + at, sizeof text - 1 - at, 0)) > 0)
			at = at + (size_t)n < sizeof text - 1 ? at + (size_t)n : 0;
		if (at > 12 && memcmp(text, "HTTP/1.1 ", 9) == 0 &&
			memcmp(text + 9, asked[which].status, 3) != 0) {
			fprintf(stderr, "race: %s gave %.20s\n", asked[which].target, text);
			atomic_fetch_add(&wrong, 1);
		}
	}
	close(fd);
}

static void *be_client(void *argument)
{
	size_t number = (size_t)(uintptr_t)argument;

	for (size_t i = 0; !atomic_load(&is_stopping); i++) {
		int fd = (i + number) % 3 ? connect_to_server() : add_to_server();

		if (fd >= 0)
			ask(fd, (i * 5 + number) % (sizeof asked / sizeof *asked), i % 5 == 0);
		else
			usleep(1000);
	}
	return NULL;
}

/* In-process clients share nothing with the server but the library. */
static void *be_inside(void *argument)
{
	struct rung_client *client = rung_client_new(make_stack());

	(void)argument;
	for (size_t i = 0; client && i < ROUNDS; i++) {
		size_t which = i % (sizeof asked / sizeof *asked);

		if (rung_client_get(client, asked[which].target)->status != atoi(asked[which].status))
			atomic_fetch_add(&wrong, 1);
	}
	rung_client_destroy(client);
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned workers = argc > 1 ? (unsigned)atoi(argv[1]) : 0;
	pthread_t clients[CLIENTS], inside;

	server = rung_server_new(make_stack(), .loops = 3, .workers = workers,
		/* Counted by address, so that the loops share a table; nobody comes near the number. */
		.limits = { .drain_seconds = 5, .connections_per_ip = 10000 });
	if (!server) {
		fprintf(stderr, "race: %s\n", rung_error());
		return 1;
	}
	port = rung_server_port(server);
	for (size_t i = 0; i < CLIENTS; i++)
		if (pthread_create(&clients[i], NULL, be_client, (void *)(uintptr_t)i) != 0)
			return 1;
	if (pthread_create(&inside, NULL, be_inside, NULL) != 0)
		return 1;
	pthread_join(inside, NULL);
	usleep(300 * 1000);
	/* The stop comes while clients still connect and ask. */
	pthread_mutex_lock(&adding);
	is_closed = true;
	pthread_mutex_unlock(&adding);
	rung_server_destroy(server);
	atomic_store(&is_stopping, true);
	for (size_t i = 0; i < CLIENTS; i++)
		pthread_join(clients[i], NULL);
	printf("race: %u requests, %u finished, %u lines, %u wrong\n", atomic_load(&begun),
		atomic_load(&finished), atomic_load(&logged), atomic_load(&wrong));
	return atomic_load(&wrong) || atomic_load(&begun) < ROUNDS ||
	       atomic_load(&begun) != atomic_load(&finished) || atomic_load(&begun) != atomic_load(&logged);
}
