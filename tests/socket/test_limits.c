/* test_limits.c: what a client controls, at each limit and one past it: heads, connections, times. Times are a second where
 * they can be, and nothing depends on how late they come, only on their not coming early. */
#include "support.h"

#include <rung/reproxy.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

SUITE(limits);

enum { MOST_MS = 20000 }; /* longer than any cut here takes on a machine that is busy */

static int tell(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	size_t size;

	(void)self;
	rung_input_bytes(env, &size);
	return rung_reply_textf(res, 200, "%s %zu", env->method, size);
}

static struct rung_server *serve(struct rung_limits limits)
{
	return test_server(rung_run(tell), (struct rung_server_options){ .limits = limits });
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void put(int fd, const char *text)
{
	cr_assert(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

/* Reads one answer with a short body, or up to the end. To be freed. */
static char *take_answer(int fd)
{
	char *text = test_read(fd, MOST_MS, NULL);

	return text;
}

static bool is_readable(int fd, int milliseconds)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	return poll(&ready, 1, milliseconds) > 0;
}

static int open_pair(struct rung_server *server)
{
	int pair[2];

	cr_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	ASSERT_INT(rung_server_add(server, pair[1]), 0);
	return pair[0];
}

/* The connection ends no earlier than so many seconds after `begun`, with this in what came, or with nothing. */
static void expect_cut(int fd, int64_t begun, int seconds, const char *part)
{
	char *answer = take_answer(fd);
	int64_t took = now_ms() - begun;

	if (part)
		ASSERT_HAS(answer, part);
	else
		ASSERT_STR(answer, "");
	cr_assert(took >= seconds * 1000 - 10 && took < MOST_MS, "it took %lld ms", (long long)took);
	free(answer);
	close(fd);
}

static void expect_log(const char *line)
{
	for (int i = 0; i < 500 && !strstr(test_log(), line); i++)
		usleep(10 * 1000);
	ASSERT_HAS(test_log(), line);
}

/* -- heads ----------------------------------------------------------------------------------------------------------- */

/* A request whose head has exactly so many bytes and fields. To be freed. */
static char *make_head(size_t size, unsigned fields)
{
	char *text = calloc(1, size + 1);
	size_t at = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n");

	for (unsigned i = 2; i + 1 < fields; i++)
		at += (size_t)sprintf(text + at, "f%u:\r\n", i);
	at += (size_t)sprintf(text + at, "x: ");
	cr_assert(at + 4 <= size);
	memset(text + at, 'y', size - 4 - at);
	memcpy(text + size - 4, "\r\n\r\n", 4);
	return text;
}

static void expect_head(struct rung_server *server, size_t size, unsigned fields, const char *part)
{
	char *request = make_head(size, fields);
	char *answer = test_send(server, request);

	cr_assert(strstr(answer, part), "%zu bytes, %u fields -> %s", size, fields, answer);
	free(answer);
	free(request);
}

static void expect_limits_of_heads(struct rung_limits limits, size_t size, unsigned fields)
{
	struct rung_server *server = serve(limits);

	expect_head(server, size, 3, "200 OK");
	expect_head(server, size + 1, 3, "431 the request's head is larger than this server takes");
	expect_head(server, fields * 20, fields, "200 OK");
	expect_head(
		server, fields * 20, fields + 1, "431 the request has more fields than this server takes");
	/* What is promised of the one and of the other is promised of both together. */
	expect_head(server, size, fields, "200 OK");
	ASSERT_INT(rung_server_destroy(server), 0);
	ASSERT_HAS(test_log(), "rung: refused 127.0.0.1: 431 ");
}

Test(limits, heads_by_default)
{
	expect_limits_of_heads((struct rung_limits){ 0 }, 8192, 100);
}

Test(limits, heads_as_told)
{
	expect_limits_of_heads((struct rung_limits){ .header_bytes = 1000, .header_count = 10 }, 1000, 10);
}

Test(limits, memory_grows_with_what_is_promised)
{
	expect_limits_of_heads(
		(struct rung_limits){ .header_bytes = 60000, .header_count = 400 }, 60000, 400);
}

Test(limits, what_is_promised_shrinks_with_the_memory)
{
	expect_limits_of_heads((struct rung_limits){ .connection_memory = 4096 }, 1472, 25);
}

Test(limits, without_limits_the_memory_is_one)
{
	struct rung_server *server =
		serve((struct rung_limits){ .header_bytes = RUNG_UNLIMITED, .header_count = RUNG_UNLIMITED });

	expect_head(server, 14000, 3, "200 OK");
	expect_head(server, 3000, 150, "200 OK");
	ASSERT_INT(rung_server_destroy(server), 0);
}

static void expect_target(struct rung_server *server, size_t size, const char *part)
{
	char *request = calloc(1, size + 100);

	strcpy(request, "GET ");
	memset(request + 4, '/', size);
	strcpy(request + 4 + size, " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	/* Half of it a query, which is cut off from what libmicrohttpd sees. */
	request[4 + size / 2] = '?';
	char *answer = test_send(server, request);
	cr_assert(strstr(answer, part), "%zu -> %s", size, answer);
	free(answer);
	free(request);
}

Test(limits, targets)
{
	struct rung_server *server = serve((struct rung_limits){ 0 });

	expect_target(server, 8000, "200 OK");
	expect_target(server, 8001, "414 the request target is longer than this server takes");
	rung_server_destroy(server);
	server = serve((struct rung_limits){ .target = 100 });
	expect_target(server, 100, "200 OK");
	expect_target(server, 101, "HTTP/1.1 414 ");
	rung_server_destroy(server);
	ASSERT_HAS(test_log(), "rung: refused 127.0.0.1: 414 ");
}

static void expect_refused(struct rung_limits limits, const char *message)
{
	cr_assert_null(rung_server_new(rung_run(tell), .limits = limits));
	ASSERT_HAS(rung_error(), message);
}

Test(limits, what_makes_no_sense_is_refused)
{
	expect_refused((struct rung_limits){ .connection_memory = 8192, .header_bytes = 8192 },
		"does not hold 8192 header_bytes in 51 fields; give it ");
	expect_refused((struct rung_limits){ .target = 9000 }, "a target of 9000 bytes");
	expect_refused((struct rung_limits){ .connections = RUNG_UNLIMITED }, "give a number");
	expect_refused((struct rung_limits){ .connection_memory = RUNG_UNLIMITED }, "a gigabyte");
	expect_refused((struct rung_limits){ .hops = 51 }, "51 hops; use at most 50");
	expect_refused((struct rung_limits){ .hops = RUNG_UNLIMITED }, "use at most 50");
}

/* -- connections ------------------------------------------------------------------------------------------------------- */

/* From another address of this machine, with so much room for what comes, in bytes; 0: the usual. */
static int connect_as(struct rung_server *server, const char *source, int room)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };
	const int segment = 1460;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* Before it connects, or else more has been promised to the server; in segments as on a cable, since loopback's large ones
	 * are taken all at once or not for seconds. */
	if (room) {
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
		setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
	}
	inet_pton(AF_INET, source, &from.sin_addr);
	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	to.sin_port = htons((uint16_t)rung_server_port(server));
	cr_assert(bind(fd, (struct sockaddr *)&from, sizeof from) == 0);
	cr_assert(connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "%s", strerror(errno));
	return fd;
}

/* A client whose kernel does not take much for it. */
static int connect_small(struct rung_server *server)
{
	return connect_as(server, "127.0.0.1", 4096);
}

static bool is_served(int fd)
{
	char answer[512] = "";

	if (send(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 27, MSG_NOSIGNAL) < 0)
		return false;
	return is_readable(fd, MOST_MS) && recv(fd, answer, sizeof answer - 1, 0) > 0 &&
	       strstr(answer, "200 OK");
}

Test(limits, connections_from_one_address)
{
	struct rung_server_options options = { .loops = 2, .limits.connections_per_ip = 3 };
	struct rung_server *server = test_server(rung_run(tell), options);
	int fds[3];

	for (int i = 0; i < 3; i++) {
		fds[i] = test_connect(server);
		cr_assert(is_served(fds[i]));
	}
	int one_more = test_connect(server);
	char *answer = take_answer(one_more);
	ASSERT_HAS(answer, "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\n");
	ASSERT_HAS(answer, "429 too many connections from this address");
	free(answer);
	close(one_more);
	expect_log("rung: refused 127.0.0.1: 429 more than 3 connections (connections_per_ip)");
	/* Others are not held up, and those that are there go on. */
	int other = connect_as(server, "127.0.0.2", 0), local = open_pair(server);
	cr_assert(is_served(other) && is_served(local) && is_served(fds[0]));
	close(other);
	close(local);
	/* One that goes makes room for one. */
	close(fds[1]);
	bool has_room = false;
	for (int i = 0; i < 500 && !has_room; i++) {
		fds[1] = test_connect(server);
		has_room = is_served(fds[1]);
		if (!has_room)
			close(fds[1]);
		usleep(10 * 1000);
	}
	cr_assert(has_room);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(limits, unix_sockets_have_no_address_to_count)
{
	struct rung_server *server = serve((struct rung_limits){ .connections_per_ip = 1 });
	int one = open_pair(server), two = open_pair(server);

	cr_assert(is_served(one) && is_served(two));
	close(one);
	close(two);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(limits, connections_in_all_wait)
{
	struct rung_server *server = serve((struct rung_limits){ .connections = 2 });
	int one = test_connect(server), two = test_connect(server);

	cr_assert(is_served(one) && is_served(two));
	int three = test_connect(server);
	put(three, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	cr_assert_not(is_readable(three, 300));
	close(one);
	cr_assert(is_readable(three, MOST_MS));
	close(two);
	close(three);
	ASSERT_INT(rung_server_destroy(server), 0);
}

static void expect_so_many_requests(struct rung_limits limits, int most)
{
	struct rung_server *server = serve(limits);
	int fd = test_connect(server);
	char answer[1024];

	for (int i = 1; i <= most; i++) {
		put(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
		size_t size = 0;
		do {
			ssize_t n = recv(fd, answer + size, sizeof answer - 1 - size, 0);
			cr_assert(n > 0, "request %d has no answer", i);
			size += (size_t)n;
			answer[size] = '\0';
		} while (!strstr(answer, "GET 0"));
		cr_assert(!strcasestr(answer, "Connection: close") == (i < most), "%d: %s", i, answer);
	}
	cr_assert(is_readable(fd, MOST_MS) && recv(fd, answer, 1, 0) == 0, "it stays open");
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(limits, requests_of_a_connection)
{
	expect_so_many_requests((struct rung_limits){ .keep_alive_requests = 1 }, 1);
	expect_so_many_requests((struct rung_limits){ .keep_alive_requests = 3 }, 3);
	expect_so_many_requests((struct rung_limits){ 0 }, 1000);
}

/* -- heads and bodies that are slow -------------------------------------------------------------------------------------- */

Test(limits, a_head_that_does_not_come)
{
	struct rung_server *server = serve((struct rung_limits){ .header_seconds = 1 });
	int64_t begun = now_ms();
	int silent = test_connect(server), in_line = test_connect(server), in_fields = test_connect(server),
	    local = open_pair(server), later = test_connect(server);

	put(in_line, "GET / HT");
	put(in_fields, "GET / HTTP/1.1\r\nHost: h\r\nX: y");
	put(local, "GET / HTTP/1.1\r\nHost: h\r\nX: y");
	cr_assert(is_served(later));
	put(later, "GET / HTTP/1.1\r\n");
	expect_cut(silent, begun, 1, NULL);
	expect_cut(in_line, begun, 1, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n");
	expect_cut(in_fields, begun, 1, "408 the request's head took too long");
	expect_cut(local, begun, 1, "408 the request's head took too long");
	expect_cut(later, begun, 1, "408 the request's head took too long");
	expect_log("rung: cut 127.0.0.1: its head has not come for 1 s (header_seconds)");
	expect_log("rung: cut unix:: its head has not come for 1 s (header_seconds)");
	ASSERT_INT(rung_server_destroy(server), 0);
}

/* Sends a byte now and then until an answer comes. Returns how many. */
static int trickle(int fd, const char *text, int gap_ms)
{
	int sent = 0;

	for (int64_t begun = now_ms(); !is_readable(fd, gap_ms) && now_ms() - begun < MOST_MS; sent++)
		if (send(fd, &text[(size_t)sent % strlen(text)], 1, MSG_NOSIGNAL) < 0)
			break;
	return sent;
}

Test(limits, a_head_that_trickles)
{
	struct rung_server *server = serve((struct rung_limits){ .header_seconds = 1 });
	int64_t begun = now_ms();
	int fd = test_connect(server);

	put(fd, "GET / HTTP/1.1\r\nHost: h\r\n");
	cr_assert(trickle(fd, "X-a: b\r\n", 50) > 10);
	expect_cut(fd, begun, 1, "408 the request's head took too long");
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(limits, an_idle_connection)
{
	struct rung_server *server = serve((struct rung_limits){ .idle_seconds = 1, .header_seconds = 60 });
	int fd = test_connect(server), first = test_connect(server);
	int64_t begun = now_ms();

	cr_assert(is_served(fd));
	expect_cut(fd, begun, 1, NULL);
	expect_log("rung: cut 127.0.0.1: no request has come for 1 s (idle_seconds)");
	/* Before its first request it is not idle. */
	cr_assert(is_served(first));
	close(first);
	ASSERT_INT(rung_server_destroy(server), 0);
}

#define POST "POST / HTTP/1.1\r\nHost: h\r\n"

Test(limits, a_body_that_does_not_come)
{
	struct rung_server *server = serve((struct rung_limits){ .body_seconds = 1 });
	int64_t begun = now_ms();
	int none = test_connect(server), part = test_connect(server), chunked = test_connect(server),
	    expecting = test_connect(server);

	put(none, POST "Content-Length: 10\r\n\r\n");
	put(part, POST "Content-Length: 10\r\n\r\nabc");
	put(chunked, POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
	put(expecting, POST "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n");
	expect_cut(none, begun, 1, "HTTP/1.1 408 Request Timeout\r\n");
	expect_cut(part, begun, 1, "408 the request's body took too long");
	expect_cut(chunked, begun, 1, "408 the request's body took too long");
	expect_cut(expecting, begun, 1, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 408 Request Timeout\r\n");
	expect_log("rung: cut 127.0.0.1: its body has hardly grown for 1 s (body_seconds)");
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(limits, a_body_that_trickles)
{
	struct rung_server *server = serve((struct rung_limits){ .body_seconds = 1 });
	int64_t begun = now_ms();
	int fd = test_connect(server), extension = test_connect(server);

	put(fd, POST "Content-Length: 100000\r\n\r\n");
	put(extension, POST "Transfer-Encoding: chunked\r\n\r\n1;");
	cr_assert(trickle(fd, "x", 50) > 10);
	expect_cut(fd, begun, 1, "408 the request's body took too long");
	cr_assert(trickle(extension, "x", 50) >= 0);
	expect_cut(extension, begun, 1, "408 the request's body took too long");
	ASSERT_INT(rung_server_destroy(server), 0);
}

static void send_body(int fd, int pieces, size_t size, int gap_ms)
{
	char piece[4096], head[128];

	memset(piece, 'x', sizeof piece);
	sprintf(head, POST "Connection: close\r\nContent-Length: %zu\r\n\r\n", (size_t)pieces * size);
	put(fd, head);
	for (int i = 0; i < pieces; i++) {
		usleep((useconds_t)gap_ms * 1000);
		cr_assert(send(fd, piece, size, MSG_NOSIGNAL) == (ssize_t)size, "piece %d", i);
	}
}

Test(limits, a_body_that_comes_on_at_the_least_rate)
{
	struct rung_server *server = serve((struct rung_limits){ .body_seconds = 2, .least_rate = 100 });
	int fd = test_connect(server);

	/* Some 1,000 a second, for longer than the limit. */
	send_body(fd, 50, 100, 100);
	char *answer = take_answer(fd);
	ASSERT_HAS(answer, "POST 5000");
	free(answer);
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(limits, without_a_least_rate_any_progress_will_do)
{
	struct rung_server *server =
		serve((struct rung_limits){ .body_seconds = 2, .least_rate = RUNG_UNLIMITED });
	int fd = test_connect(server);

	send_body(fd, 25, 1, 200);
	char *answer = take_answer(fd);
	ASSERT_HAS(answer, "POST 25");
	free(answer);
	put(fd = test_connect(server), POST "Content-Length: 2\r\n\r\na");
	expect_cut(fd, now_ms(), 2, "408 ");
	ASSERT_INT(rung_server_destroy(server), 0);
}

/* -- readers that are slow ------------------------------------------------------------------------------------------------ */

enum { LARGE = 64 * 1024 * 1024 };

static char file_path[64];
static atomic_int aborted, sent;

static void note_end(const struct rung_env *env, const struct rung_finish *finish, void *data)
{
	(void)env, (void)data;
	atomic_fetch_add(finish->outcome == RUNG_SENT ? &sent : &aborted, 1);
}

static ssize_t read_endless(struct rung_source *source, void *buffer, size_t max)
{
	(void)source;
	memset(buffer, 'z', max);
	return (ssize_t)max;
}

static int give_large(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	static struct rung_source endless = { .read = read_endless };

	(void)self;
	if (rung_on_finish(env, note_end, NULL) < 0)
		return -ENOMEM;
	if (strcmp(env->path_info, "/bytes") == 0) {
		res->status = 200;
		return rung_body_take(res, calloc(1, LARGE), LARGE, free);
	}
	if (strcmp(env->path_info, "/file") == 0)
		return rung_reply_file(res, 200, "application/x-test", file_path);
	return rung_reply_pull(res, 200, "text/plain", &endless, -1);
}

static struct rung_server *serve_large(struct rung_limits limits)
{
	strcpy(file_path, "/tmp/rung-test-XXXXXX");
	int fd = mkstemp(file_path);

	cr_assert(fd >= 0 && ftruncate(fd, LARGE) == 0);
	close(fd);
	return test_server(rung_run(give_large), (struct rung_server_options){ .limits = limits });
}

static void ask(int fd, const char *path)
{
	char request[128];

	sprintf(request, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path);
	put(fd, request);
}

static void wait_for(atomic_int *count, int least)
{
	for (int i = 0; i < MOST_MS / 10 && atomic_load(count) < least; i++)
		usleep(10 * 1000);
	ASSERT_INT(atomic_load(count), least);
}

static const char *const large[] = { "/bytes", "/file", "/stream" };

Test(limits, a_client_that_reads_nothing)
{
	struct rung_server *server = serve_large((struct rung_limits){ .send_seconds = 1 });
	int64_t begun = now_ms();
	int fds[6];

	for (int i = 0; i < 6; i++)
		ask(fds[i] = i < 3 ? connect_small(server) : open_pair(server), large[i % 3]);
	wait_for(&aborted, 6);
	cr_assert(now_ms() - begun >= 990);
	ASSERT_INT(atomic_load(&sent), 0);
	expect_log("rung: cut 127.0.0.1: it has hardly taken any of the answer for 1 s (send_seconds)");
	expect_log("rung: cut unix:: it has hardly taken any of the answer for 1 s (send_seconds)");
	for (int i = 0; i < 6; i++)
		close(fds[i]);
	unlink(file_path);
	ASSERT_INT(rung_server_destroy(server), 0);
}

/* Takes some now and then, until it is cut: which it sees only when it has taken all that its kernel has of it. */
static void sip(int fd, size_t size, int gap_ms)
{
	char bytes[65536];

	for (int64_t begun = now_ms(); !atomic_load(&aborted); usleep((useconds_t)gap_ms * 1000)) {
		cr_assert(now_ms() - begun < MOST_MS, "it is not cut");
		if (recv(fd, bytes, size, 0) <= 0)
			break;
	}
}

Test(limits, a_client_that_sips)
{
	struct rung_server *server = serve_large((struct rung_limits){ .send_seconds = 1 });
	int fd = connect_small(server);

	ask(fd, "/stream");
	sip(fd, 5, 100);
	wait_for(&aborted, 1);
	close(fd);
	unlink(file_path);
	ASSERT_INT(rung_server_destroy(server), 0);
}

/* It takes some all the time, ten times less than it must. */
Test(limits, a_client_that_reads_below_the_least_rate)
{
	struct rung_limits limits = { .send_seconds = 1, .least_rate = 200000 };
	struct rung_server *server = serve_large(limits);
	int fd = connect_small(server);

	ask(fd, "/bytes");
	sip(fd, 1000, 50);
	wait_for(&aborted, 1);
	close(fd);
	unlink(file_path);
	ASSERT_INT(rung_server_destroy(server), 0);
}

/* A client that takes what it can on a slow line, for longer than the limit, is left alone: over TCP and a Unix socket. */
Test(limits, a_client_that_reads_slowly_but_steadily)
{
	struct rung_server *server = serve_large((struct rung_limits){ .send_seconds = 2 });
	int fds[2] = { connect_small(server), open_pair(server) };
	char bytes[65536];
	size_t got[2] = { 0 };

	ask(fds[0], "/file");
	ask(fds[1], "/bytes");
	for (int64_t begun = now_ms(); now_ms() - begun < 6000; usleep(50 * 1000))
		for (int i = 0; i < 2; i++) {
			ssize_t n = recv(fds[i], bytes, i ? 60000 : 3000, 0);

			cr_assert(n > 0, "%s was cut after %zu bytes: %s", i ? "the Unix socket" : "TCP",
				got[i], test_log());
			got[i] += (size_t)n;
		}
	ASSERT_INT(atomic_load(&aborted), 0);
	close(fds[0]);
	close(fds[1]);
	wait_for(&aborted, 2);
	unlink(file_path);
	ASSERT_INT(rung_server_destroy(server), 0);
}

static struct rung_pipe *pipe_of_stream;
static atomic_bool has_pipe;

static int give_pipe(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	pipe_of_stream = rung_pipe_new();
	if (!pipe_of_stream || rung_on_finish(env, note_end, NULL) < 0 ||
		rung_reply_pipe(res, 200, "text/plain", pipe_of_stream) < 0)
		return -ENOMEM;
	atomic_store(&has_pipe, true);
	return 0;
}

static struct rung_server *serve_pipe(struct rung_limits limits, bool is_unix, int *ret_fd)
{
	struct rung_server *server =
		test_server(rung_run(give_pipe), (struct rung_server_options){ .limits = limits });

	*ret_fd = is_unix ? open_pair(server) : test_connect(server);
	ask(*ret_fd, "/");
	for (int i = 0; i < MOST_MS / 10 && !atomic_load(&has_pipe); i++)
		usleep(10 * 1000);
	cr_assert(atomic_load(&has_pipe));
	return server;
}

/* Neither one that has nothing to say, nor one that says little by little. */
Test(limits, a_stream_with_little_to_say_is_not_slow)
{
	int fd;
	struct rung_server *server = serve_pipe((struct rung_limits){ .send_seconds = 1 }, false, &fd);

	usleep(3500 * 1000);
	for (int i = 0; i < 35; i++) {
		ASSERT_INT(rung_pipe_write(pipe_of_stream, "tick\n", 5), 0);
		usleep(100 * 1000);
	}
	ASSERT_INT(rung_pipe_write(pipe_of_stream, "the end", 7), 0);
	rung_pipe_close(pipe_of_stream);
	wait_for(&sent, 1);
	char *answer = test_read(fd, 500, NULL);
	ASSERT_HAS(answer, "the end");
	free(answer);
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
}

/* What is small lies in the queue with all its overhead, and the client looks only now and then. */
Test(limits, a_stream_with_little_to_say_over_a_unix_socket)
{
	int fd;
	struct rung_server *server = serve_pipe((struct rung_limits){ .send_seconds = 4 }, true, &fd);
	char bytes[4096];

	for (int i = 0; i < 100; i++) {
		cr_assert(rung_pipe_write(pipe_of_stream, "tick\n", 5) == 0, "it was cut: %s", test_log());
		usleep(100 * 1000);
		if (i % 7 == 6)
			cr_assert(recv(fd, bytes, sizeof bytes, 0) > 0);
	}
	rung_pipe_close(pipe_of_stream);
	wait_for(&sent, 1);
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
}

/* -- a whole request ------------------------------------------------------------------------------------------------------ */

Test(limits, a_stream_past_the_time_of_a_whole_request)
{
	int fd;
	int64_t begun = now_ms();
	struct rung_server *server = serve_pipe((struct rung_limits){ .total_seconds = 1 }, false, &fd);

	while (rung_pipe_write(pipe_of_stream, "tick\n", 5) == 0)
		usleep(50 * 1000);
	cr_assert(rung_pipe_is_gone(pipe_of_stream));
	rung_pipe_close(pipe_of_stream);
	expect_cut(fd, begun, 1, "tick\n");
	wait_for(&aborted, 1);
	expect_log("rung: cut 127.0.0.1: its request has gone on for 1 s (total_seconds)");
	ASSERT_INT(rung_server_destroy(server), 0);
}

/* It sleeps in its body, and nothing but the walk can wake it. */
Test(limits, a_stream_that_sleeps_past_the_time_of_a_whole_request)
{
	int fd;
	int64_t begun = now_ms();
	struct rung_server *server = serve_pipe((struct rung_limits){ .total_seconds = 1 }, false, &fd);

	expect_cut(fd, begun, 1, "200 OK");
	wait_for(&aborted, 1);
	rung_pipe_close(pipe_of_stream);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(limits, a_body_past_the_time_of_a_whole_request)
{
	struct rung_server *server =
		serve((struct rung_limits){ .total_seconds = 1, .body_seconds = RUNG_UNLIMITED });
	int64_t begun = now_ms();
	int fd = test_connect(server);

	put(fd, POST "Content-Length: 10\r\n\r\nabc");
	expect_cut(fd, begun, 1, "HTTP/1.1 408 ");
	/* What is idle has no request. */
	fd = test_connect(server);
	cr_assert(is_served(fd));
	cr_assert_not(is_readable(fd, 3500), "an idle connection was cut");
	cr_assert(is_served(fd));
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
}

static atomic_bool may_end;

static int wait_long(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	if (rung_on_finish(env, note_end, NULL) < 0)
		return -ENOMEM;
	for (int i = 0; i < MOST_MS / 10 && !atomic_load(&may_end); i++)
		usleep(10 * 1000);
	return rung_reply_text(res, 200, "at last");
}

/* Its client is let go; the handler comes to its end, and then the request does. */
Test(limits, a_handler_past_the_time_of_a_whole_request)
{
	struct rung_server_options options = { .workers = 2, .limits.total_seconds = 1 };
	struct rung_server *server = test_server(rung_run(wait_long), options);
	int64_t begun = now_ms();
	int fd = test_connect(server);

	ask(fd, "/");
	expect_cut(fd, begun, 1, NULL);
	ASSERT_INT(atomic_load(&aborted), 0);
	atomic_store(&may_end, true);
	wait_for(&aborted, 1);
	ASSERT_INT(rung_server_destroy(server), 0);
}

static int hold(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	if (strcmp(env->path_info, "/hold") == 0)
		usleep(3500 * 1000);
	return tell(self, env, res);
}

/* A handler holds the only loop, while a client does its part. */
Test(limits, the_time_that_a_loop_was_held_does_not_count)
{
	unsetenv("TEST_WORKERS");
	struct rung_server *server = test_server(rung_run(hold),
		(struct rung_server_options){ .limits = { .header_seconds = 1, .body_seconds = 1 } });
	int holder = test_connect(server), head = test_connect(server), body = test_connect(server);

	put(head, "GET / HTTP/1.1\r\n");
	put(body, POST "Content-Length: 3\r\n\r\na");
	usleep(300 * 1000);
	ask(holder, "/hold");
	usleep(300 * 1000);
	put(head, "Host: h\r\nConnection: close\r\n\r\n");
	put(body, "bc");
	char *answer = take_answer(head);
	ASSERT_HAS(answer, "200 OK");
	free(answer);
	cr_assert(is_readable(body, MOST_MS));
	answer = test_read(body, 300, NULL);
	ASSERT_HAS(answer, "POST 3");
	free(answer);
	close(holder);
	close(head);
	close(body);
	ASSERT_INT(rung_server_destroy(server), 0);
}

/* -- redispatch ------------------------------------------------------------------------------------------------------------- */

static int count_down(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	int left = atoi(env->path_info + 1);

	(void)self;
	if (left == 0)
		return rung_reply_text(res, 200, "down");
	return rung_reply_uri(res, 200, "/%s", rung_printf(env, "%d", left - 1));
}

static void expect_hops(struct rung_server *server, int hops, const char *part)
{
	char request[128];

	sprintf(request, "GET /%d HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", hops);
	char *answer = test_send(server, request);
	cr_assert(strstr(answer, part), "%d -> %s", hops, answer);
	free(answer);
}

Test(limits, hops)
{
	struct rung_server *server = test_server(rung_stack(rung_reproxy(), rung_run(count_down)),
		(struct rung_server_options){ .limits.hops = 3 });

	expect_hops(server, 3, "down");
	expect_hops(server, 4, "502 Bad Gateway");
	rung_server_destroy(server);
	ASSERT_HAS(test_log(), "reproxy: more than 3 hops");
	server = test_server(rung_stack(rung_reproxy(.max_hops = 5), rung_run(count_down)),
		(struct rung_server_options){ .limits.hops = 3 });
	expect_hops(server, 5, "down");
	expect_hops(server, 6, "502 Bad Gateway");
	rung_server_destroy(server);
	server = test_server(
		rung_stack(rung_reproxy(), rung_run(count_down)), (struct rung_server_options){ 0 });
	expect_hops(server, 10, "down");
	expect_hops(server, 11, "502 Bad Gateway");
	rung_server_destroy(server);
}
