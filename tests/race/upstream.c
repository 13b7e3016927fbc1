/*
 * upstream.c: everything at once that a server does which forwards: answers short and long, uploads kept and going by, clients and a
 * backend that leave half-way, more transfers than there may be. For ThreadSanitizer; a plain program, like the race beside it.
 *
 * Usage: race_upstream [SECONDS]. Exits 1 when an answer was wrong.
 */
#include <rung/rung.h>
#include <rung/upstream.h>

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 6, LONG = 300 * 1000, UPLOAD = 200 * 1000 };

static atomic_bool is_over;
static atomic_uint answers, wrong, refused;

static void quiet(void *data, enum rung_log_level level, const char *line)
{
	(void)data, (void)level, (void)line;
}

static unsigned any(unsigned below)
{
	static _Thread_local unsigned seed;

	if (!seed)
		seed = (unsigned)(uintptr_t)&seed ^ (unsigned)time(NULL);
	return (unsigned)rand_r(&seed) % below;
}

/* -- the backend ------------------------------------------------------------------------------------------------------ */

struct stream {
	struct rung_source source;
	int left;
	bool breaks;
};

static ssize_t read_stream(struct rung_source *source, void *buffer, size_t max)
{
	struct stream *stream = (struct stream *)source;
	size_t size = max < (size_t)stream->left ? max : (size_t)stream->left;

	if (any(20) == 0)
		return -EAGAIN;
	if (stream->breaks && stream->left < LONG / 2)
		return -EIO;
	memset(buffer, 'x', size);
	stream->left -= (int)size;
	return (ssize_t)size;
}

static int give_long(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct stream *stream = rung_alloc(env, sizeof *stream);

	if (!stream)
		return -ENOMEM;
	*stream = (struct stream){
		.source.read = read_stream, .left = LONG, .breaks = rung_data(self) != NULL
	};
	return rung_reply_pull(res, 200, "text/plain", &stream->source, any(2) ? LONG : -1);
}

static int hello(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_text(res, 200, "hello");
}

static int count(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	size_t size;

	(void)self;
	rung_input_bytes(env, &size);
	return rung_reply_textf(res, 200, "%zu", size);
}

/* Holds the one who asks until something else has happened. */
static int wait_a_moment(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	usleep(any(20000));
	return rung_reply_text(res, 200, "hello");
}

static struct rung_app *make_backend(void)
{
	return rung_routes(rung_get("/hello", hello), rung_get("/long", give_long),
		rung_get("/breaks", give_long, .data = "breaks"), rung_get("/wait", wait_a_moment),
		rung_post("/count", count));
}

/* -- clients ----------------------------------------------------------------------------------------------------------- */

static int connect_to(unsigned port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval patience = { .tv_sec = 20 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool say(int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		bytes += n;
		size -= (size_t)n;
	}
	return true;
}

/* The status, and how many letters of the body there were up to the end of the connection; -1 when nothing came. */
static int hear(int fd, size_t most, size_t *ret_letters)
{
	char buffer[16384];
	int status = -1;
	size_t heard = 0;
	ssize_t n;

	*ret_letters = 0;
	while (heard < most && (n = recv(fd, buffer, sizeof buffer - 1, 0)) > 0) {
		buffer[n] = '\0';
		if (status < 0)
			sscanf(buffer, "HTTP/1.1 %d", &status);
		for (ssize_t i = 0; i < n; i++)
			*ret_letters += buffer[i] == 'x';
		heard += (size_t)n;
	}
	return status;
}

static void judge(bool is_right, const char *what, int status, size_t letters)
{
	atomic_fetch_add(&answers, 1);
	if (status == 503) {
		atomic_fetch_add(&refused, 1);
	} else if (!is_right) {
		atomic_fetch_add(&wrong, 1);
		fprintf(stderr, "race: %s: status %d, %zu letters\n", what, status, letters);
	}
}

static void get(unsigned port, const char *path)
{
	int fd = connect_to(port);
	bool leaves = any(4) == 0;
	char request[256];
	size_t letters;

	if (fd < 0)
		return;
	int size = snprintf(
		request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", path);
	if (say(fd, request, (size_t)size) && !(leaves && any(2))) {
		int status = hear(fd, leaves ? any(100000) : SIZE_MAX, &letters);
		/* Chunks' heads have no "x" but that of text/plain's head, which has none. */
		if (!leaves && strcmp(path, "/long") == 0)
			judge(status == 200 && letters >= LONG, path, status, letters);
		else if (!leaves && strcmp(path, "/breaks") == 0)
			judge((status == 200 || status == 502) && letters < LONG, path, status, letters);
		else if (!leaves)
			judge(status == 200, path, status, letters);
	}
	close(fd);
}

static void post(unsigned port)
{
	static const char piece[1000];
	int fd = connect_to(port), pieces = 0;
	bool leaves = any(4) == 0;
	char request[256];
	size_t letters;

	if (fd < 0)
		return;
	int size = snprintf(request, sizeof request,
		"POST /count HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", UPLOAD);
	bool goes_on = say(fd, request, (size_t)size);
	while (goes_on && pieces < UPLOAD / 1000 && !(leaves && any(100) == 0)) {
		goes_on = say(fd, piece, sizeof piece);
		pieces++;
	}
	int status = goes_on && pieces == UPLOAD / 1000 ? hear(fd, SIZE_MAX, &letters) : 0;
	if (status)
		judge(status == 200, "/count", status, 0);
	close(fd);
}

static void *be_client(void *argument)
{
	unsigned port = (unsigned)(uintptr_t)argument;
	static const char *const paths[] = { "/hello", "/long", "/breaks", "/wait", "/hello" };

	while (!atomic_load(&is_over)) {
		unsigned which = any(6);

		if (which < 5)
			get(port, paths[which]);
		else
			post(port);
	}
	return NULL;
}

static void *be_inside(void *argument)
{
	struct rung_client *client = argument;
	static const char *const paths[] = { "/hello", "/long", "/wait" };

	while (!atomic_load(&is_over)) {
		struct rung_client_request request = { .size = sizeof request, .target = paths[any(3)] };
		char buffer[5000];

		rung_client_start(client, &request);
		for (unsigned left = any(100);
			left && rung_client_read(client, buffer, sizeof buffer) == -EAGAIN; left--)
			rung_client_wait(client, 100);
	}
	return NULL;
}

/* -- all of it ----------------------------------------------------------------------------------------------------------- */

static struct rung_server *serve(struct rung_app *app, unsigned workers, const struct rung_setup *setup)
{
	struct rung_server *server = rung_server_new(
		app, .loops = 2, .workers = workers, .setup = setup, .limits.drain_seconds = 1);

	if (!server) {
		fprintf(stderr, "race: %s\n", rung_error());
		exit(1);
	}
	return server;
}

static void round_of(const struct rung_setup *setup, bool streams, unsigned seconds)
{
	struct rung_server *backend = serve(make_backend(), 4, setup);
	pthread_t clients[CLIENTS + 1];
	char to[64];

	snprintf(to, sizeof to, "http://127.0.0.1:%u", rung_server_port(backend));
	struct rung_server *front =
		serve(rung_upstream(.to = to, .stream_input = streams, .transfers = 5, .kept = 3), 4, setup);
	struct rung_client *inside = rung_client_new(rung_upstream(.to = to), .setup = setup);
	atomic_store(&is_over, false);
	for (int i = 0; i < CLIENTS; i++)
		pthread_create(&clients[i], NULL, be_client, (void *)(uintptr_t)rung_server_port(front));
	pthread_create(&clients[CLIENTS], NULL, be_inside, inside);
	sleep(seconds);
	atomic_store(&is_over, true);
	for (int i = 0; i <= CLIENTS; i++)
		pthread_join(clients[i], NULL);
	rung_client_destroy(inside);
	rung_server_destroy(front);
	rung_server_destroy(backend);
}

int main(int argc, char **argv)
{
	struct rung_setup setup = { .size = sizeof setup, .quiet = true, .log = quiet };
	unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 3;

	for (int i = 0; i < 4; i++)
		round_of(&setup, i % 2, seconds);
	printf("%u answers, %u of them refused, %u wrong\n", atomic_load(&answers), atomic_load(&refused),
		atomic_load(&wrong));
	return atomic_load(&wrong) || atomic_load(&answers) < 20 ||
	       atomic_load(&refused) == atomic_load(&answers);
}
