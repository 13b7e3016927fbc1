/* test_upstream_faults.c: backends that do wrong: not there, slow, gone half-way, or saying what is no HTTP. */
#include "backend.h"

#include <rung/upstream.h>

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

SUITE(upstream_faults);

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"

static void answer_and_close(struct backend *backend, int fd, unsigned number)
{
	(void)number;
	if (backend_take(backend, fd))
		backend_say(fd, backend->answer);
}

static void expect_status(const char *answer, int status, const char *logged)
{
	struct backend *backend = backend_start(answer_and_close, answer);
	struct rung_client *client = test_client(rung_upstream(.to = backend->url, .idle_seconds = 5));

	test_log_clear();
	int got = rung_client_get(client, "/")->status;
	cr_assert(got == status, "%d, not %d, to %.200s", got, status, answer);
	if (logged)
		ASSERT_HAS(test_log(), logged);
	rung_client_destroy(client);
	backend_stop(backend);
}

#define HEAD "HTTP/1.1 200 OK\r\n"

Test(upstream_faults, what_is_no_http_is_502)
{
	static const char *const answers[] = {
		"",
		"\r\n\r\n",
		"hello\n",
		"SSH-2.0-OpenSSH_9.2\r\n",
		"HTTP/1.1\r\n\r\n",
		"HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n",
		"HTTP/1.1 abc OK\r\n\r\n",
		"HTTP/2 200 OK\r\n\r\n",
		"HTTP/3.0 200 OK\r\n\r\n",
		"HTTP/1.1 099 OK\r\n\r\n",
		"http/1.1 200 OK\r\n\r\n",
		"ICY 200 OK\r\n\r\n",
		"HTTP/1.1 200OK\r\n\r\n",
		"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
		HEAD "Content-Length: 1",
		HEAD,
		"HTTP/1.1 100 Continue\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
		expect_status(answers[i], 502, "upstream: http://127.0.0.1:");
}

Test(upstream_faults, heads_that_could_be_read_in_two_ways_are_502)
{
	static const char *const heads[] = {
		"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"Content-Length: x\r\n\r\n",
		"Content-Length: -1\r\n\r\n",
		"Content-Length: +1\r\n\r\na",
		"Content-Length: 1, 1\r\n\r\na",
		"Content-Length: 0x1\r\n\r\na",
		"Content-Length:\r\n\r\n",
		"Content-Length: 99999999999999999999\r\n\r\na",
		"Content-Length: 1 2\r\n\r\na",
		"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
		"Transfer-Encoding: gzip\r\n\r\n",
		"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
		"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
		"X-A: b\r\n folded\r\nContent-Length: 1\r\n\r\na",
		"X-A: b\r\n\tfolded: x\r\n\r\n",
		" X: y\r\n\r\n",
		"no colon\r\n\r\n",
		": no name\r\n\r\n",
		"X A: b\r\n\r\n",
		"X-A : b\r\n\r\n",
		"X-A: a\rb\r\n\r\n",
		"X-A: a\001b\r\n\r\n",
		"X-A: a\x7f\r\n\r\n",
		"X\x80: a\r\n\r\n",
	};
	char answer[512];

	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		snprintf(answer, sizeof answer, HEAD "%s", heads[i]);
		expect_status(answer, 502, "upstream: http://127.0.0.1:");
	}
	/* What can be read in one way alone is taken. */
	expect_status(HEAD "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 200, NULL);
	expect_status(HEAD "Content-Length: 1\r\nX-A: \xc3\xa9\r\n\r\na", 200, NULL);
	expect_status("HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na", 200, NULL);
	expect_status("HTTP/1.1 200 OK\nContent-Length: 1\n\na", 200, NULL);
	expect_status("HTTP/1.1 299 \r\ntransfer-encoding: CHUNKED\r\n\r\n0\r\n\r\n", 299, NULL);
	expect_status("HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", 999, NULL);
}

static void answer_nul(struct backend *backend, int fd, unsigned number)
{
	static const char bytes[] = HEAD "X-A: a\0b\r\nContent-Length: 0\r\n\r\n";

	(void)number;
	if (backend_take(backend, fd))
		backend_say_bytes(fd, bytes, sizeof bytes - 1);
}

Test(upstream_faults, a_nul_in_a_head_is_502)
{
	struct backend *backend = backend_start(answer_nul, NULL);
	struct rung_client *client = test_client(rung_upstream(.to = backend->url));

	ASSERT_INT(rung_client_get(client, "/")->status, 502);
	rung_client_destroy(client);
	backend_stop(backend);
}

Test(upstream_faults, heads_have_limits)
{
	char *answer = malloc(300 * 1024);
	size_t size = 0;

	cr_assert(answer);
	size += (size_t)sprintf(answer, HEAD "X-Large: ");
	memset(answer + size, 'x', 9000);
	strcpy(answer + size + 9000, "\r\nContent-Length: 0\r\n\r\n");
	expect_status(answer, 502, ".header_bytes");
	memset(answer + size, 'x', 200000);
	strcpy(answer + size + 200000, "\r\nContent-Length: 0\r\n\r\n");
	expect_status(answer, 502, NULL);
	size = (size_t)sprintf(answer, HEAD);
	for (int i = 0; i < 101; i++)
		size += (size_t)sprintf(answer + size, "X-%d: v\r\n", i);
	strcpy(answer + size, "\r\n");
	expect_status(answer, 502, "too many fields");
	/* Those that are passed over count too. */
	size = 0;
	for (int i = 0; i < 1000; i++)
		size += (size_t)sprintf(answer + size, "HTTP/1.1 102 Processing\r\n\r\n");
	strcpy(answer + size, OK);
	expect_status(answer, 502, ".header_bytes");
	free(answer);
}

Test(upstream_faults, a_head_that_fits_is_taken)
{
	struct backend *backend = backend_start(backend_answer, NULL);
	char *answer = malloc(32 * 1024), *value = malloc(20001);

	cr_assert(answer && value);
	memset(value, 'v', 20000);
	value[20000] = '\0';
	sprintf(answer, HEAD "X-Large: %s\r\nContent-Length: 0\r\n\r\n", value);
	backend->answer = answer;
	struct rung_client *client =
		test_client(rung_upstream(.to = backend->url, .header_bytes = 32 * 1024));
	ASSERT_STR(rung_reply_header(rung_client_get(client, "/"), "X-Large"), value);
	rung_client_destroy(client);
	backend_stop(backend);
	free(answer);
	free(value);
}

/* -- not there ------------------------------------------------------------------------------------------------------- */

static void expect_failure(const char *to, int status, const char *logged)
{
	struct rung_client *client = test_client(rung_upstream(.to = to, .connect_seconds = 1));

	test_log_clear();
	ASSERT_INT(rung_client_get(client, "/")->status, status);
	ASSERT_HAS(test_log(), logged);
	rung_client_destroy(client);
}

static void speak_plainly(struct backend *backend, int fd, unsigned number)
{
	(void)backend, (void)number;
	backend_say(fd, "this is no TLS, and never will be\r\n");
}

Test(upstream_faults, a_name_that_nobody_has)
{
	struct rung_client *client =
		test_client(rung_upstream(.to = "http://no-such-host.invalid/", .connect_seconds = 2));
	int status = rung_client_get(client, "/")->status;

	/* Without a network nobody says that there is none. */
	cr_assert(status == 502 || status == 504, "%d", status);
	ASSERT_HAS(test_log(), "no-such-host.invalid");
	rung_client_destroy(client);
}

Test(upstream_faults, a_backend_that_is_not_there_is_502)
{
	char to[256];

	snprintf(to, sizeof to, "http://127.0.0.1:%u", backend_dead_port());
	expect_failure(to, 502, to);
	snprintf(to, sizeof to, "http://127.0.0.1:%u, http://127.0.0.1:%u", backend_dead_port(),
		backend_dead_port());
	expect_failure(to, 502, "http://127.0.0.1:");
	expect_failure("unix:/nowhere/at/all.sock", 502, "unix:/nowhere/at/all.sock");
	/* Speaks no TLS. */
	struct backend *backend = backend_start(speak_plainly, NULL);
	snprintf(to, sizeof to, "https://%s", backend->authority);
	expect_failure(to, 502, to);
	backend_stop(backend);
}

/* A listener whose queue is full and that never accepts: the kernel answers no more handshakes. */
Test(upstream_faults, a_connection_that_cannot_be_had_in_time_is_504)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM, 0), fds[8];
	char to[256];

	cr_assert(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 &&
		  listen(listener, 0) == 0 && getsockname(listener, (struct sockaddr *)&address, &size) == 0);
	for (int i = 0; i < 8; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fds[i], (struct sockaddr *)&address, sizeof address);
	}
	usleep(50000);
	snprintf(to, sizeof to, "http://127.0.0.1:%u", ntohs(address.sin_port));
	expect_failure(to, 504, to);
	/* Another one is tried instead. */
	struct backend *backend = backend_start(backend_answer, OK);
	snprintf(to, sizeof to, "http://127.0.0.1:%u,%s", ntohs(address.sin_port), backend->url);
	struct rung_client *client = test_client(rung_upstream(.to = to, .connect_seconds = 1));
	ASSERT_INT(rung_client_get(client, "/")->status, 200);
	rung_client_destroy(client);
	backend_stop(backend);
	for (int i = 0; i < 8; i++)
		close(fds[i]);
	close(listener);
}

/* -- slow ------------------------------------------------------------------------------------------------------------ */

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Says what there is, and then nothing until the other side goes. */
static void answer_and_wait(struct backend *backend, int fd, unsigned number)
{
	char byte;

	(void)number;
	if (backend_take(backend, fd) && backend_say(fd, backend->answer))
		while (recv(fd, &byte, 1, 0) > 0)
			;
}

static void expect_silence(const char *answer, int status, enum rung_outcome outcome)
{
	struct backend *backend = backend_start(answer_and_wait, answer);
	struct rung_client *client = test_client(rung_upstream(.to = backend->url, .idle_seconds = 1));
	double begun = seconds_now();
	const struct rung_reply *reply = rung_client_get(client, "/");

	ASSERT_INT(reply->status, status);
	ASSERT_INT(reply->outcome, outcome);
	cr_assert(seconds_now() - begun >= 1.0 && seconds_now() - begun < 20);
	for (int i = 0; i < 1000 && atomic_load(&backend->open); i++)
		usleep(5000);
	ASSERT_INT(atomic_load(&backend->open), 0);
	rung_client_destroy(client);
	backend_stop(backend);
}

Test(upstream_faults, a_silent_backend_is_504_or_cut)
{
	expect_silence("", 504, RUNG_SENT);
	expect_silence(HEAD "Content-Le", 504, RUNG_SENT);
	expect_silence(HEAD "Content-Length: 10\r\n\r\nhalf ", 200, RUNG_BROKEN);
	expect_silence(HEAD "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", 200, RUNG_BROKEN);
}

static void answer_slowly(struct backend *backend, int fd, unsigned number)
{
	(void)number;
	if (!backend_take(backend, fd))
		return;
	for (const char *at = backend->answer; *at; at++) {
		usleep(40 * 1000);
		if (!backend_say_bytes(fd, at, 1))
			return;
	}
}

/* As long as something comes. */
Test(upstream_faults, a_slow_backend_is_waited_for)
{
	struct backend *backend =
		backend_start(answer_slowly, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n");
	struct rung_client *client = test_client(rung_upstream(.to = backend->url, .idle_seconds = 1));
	const struct rung_reply *reply = rung_client_get(client, "/");

	ASSERT_INT(reply->status, 200);
	ASSERT_STR(reply->body, "hello\n");
	rung_client_destroy(client);
	backend_stop(backend);
}

/* -- gone half-way --------------------------------------------------------------------------------------------------- */

static void expect_cut(const char *answer, const char *whole)
{
	struct backend *backend = backend_start(answer_and_close, answer);
	struct rung_client *client = test_client(rung_upstream(.to = backend->url));
	const struct rung_reply *reply = rung_client_get(client, "/");

	/* Where nothing of the body came there is still something better to say. */
	cr_assert(
		(reply->status == 200 && reply->outcome == RUNG_BROKEN) || (!*whole && reply->status == 502),
		"%d %d to %s", reply->status, reply->outcome, answer);
	rung_client_destroy(client);
	backend_stop(backend);
}

Test(upstream_faults, a_body_that_is_not_whole_is_no_whole_body)
{
	expect_cut(HEAD "Content-Length: 10\r\n\r\nhalf ", "half ");
	expect_cut(HEAD "Content-Length: 10\r\n\r\n", "");
	expect_cut(HEAD "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "half");
	expect_cut(HEAD "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n", "half");
	expect_cut(HEAD "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nnonsense\r\n", "half");
	expect_cut(HEAD "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nffffffffffffffffff\r\nx", "half");
	expect_cut(HEAD "Transfer-Encoding: chunked\r\n\r\n", "");
}

/* What is said behind an answer must not become the answer to the next request. */
static void answer_too_much(struct backend *backend, int fd, unsigned number)
{
	(void)number;
	while (backend_take(backend, fd) &&
		backend_say(fd, OK "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nevil\n"))
		;
}

Test(upstream_faults, what_comes_behind_an_answer_is_no_answer)
{
	struct backend *backend = backend_start(answer_too_much, NULL);
	struct rung_client *client = test_client(rung_upstream(.to = backend->url));

	for (int i = 0; i < 10; i++) {
		const struct rung_reply *reply = rung_client_get(client, "/");
		ASSERT_INT(reply->status, 200);
		ASSERT_STR(reply->body, "hello\n");
	}
	rung_client_destroy(client);
	backend_stop(backend);
}

/* Answers once, then closes when it has the next request, without a word. */
static void die_at_the_second(struct backend *backend, int fd, unsigned number)
{
	(void)number;
	if (backend_take(backend, fd) && backend_say(fd, OK))
		backend_take(backend, fd);
}

static void expect_repeat(const char *method, const char *body, bool is_repeated)
{
	struct backend *backend = backend_start(die_at_the_second, NULL);
	struct rung_client *client = test_client(rung_upstream(.to = backend->url));

	ASSERT_INT(rung_client_get(client, "/")->status, 200);
	unsigned before = atomic_load(&backend->requests);
	const struct rung_reply *reply =
		rung_client_send(client, .method = method, .target = "/", .body = body);
	/* One that may not be done twice comes once: over a new connection, or in vain. */
	unsigned came = atomic_load(&backend->requests) - before;
	ASSERT_INT(came, is_repeated ? 2 : 1);
	if (is_repeated)
		ASSERT_INT(reply->status, 200);
	else
		cr_assert(reply->status == 200 || reply->status == 502);
	rung_client_destroy(client);
	backend_stop(backend);
}

Test(upstream_faults, a_kept_connection_that_dies_costs_no_request_that_may_be_repeated)
{
	expect_repeat("GET", NULL, true);
	expect_repeat("PUT", "body", true);
	expect_repeat("DELETE", NULL, true);
	expect_repeat("POST", "body", false);
	expect_repeat("POST", NULL, false);
	expect_repeat("PATCH", "body", false);
	expect_repeat("WEIRD", NULL, false);
}

/* -- limits ---------------------------------------------------------------------------------------------------------- */

static struct rung_app *asked;

/* The first answer is still under way when the second one is asked for. */
static int ask_twice(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_response *first = rung_response_new(env);

	(void)self;
	cr_assert(first);
	rung_call(asked, env, first);
	ASSERT_INT(first->status, 200);
	rung_call(asked, env, res);
	return 0;
}

Test(upstream_faults, more_transfers_than_there_may_be_are_503)
{
	struct backend *backend = backend_start(answer_and_wait, HEAD "Content-Length: 10\r\n\r\nhalf ");

	asked = rung_upstream(.to = backend->url, .transfers = 1);
	struct rung_client *client =
		test_client(rung_routes(rung_get("/twice", ask_twice), rung_get("/once", .app = asked)));
	ASSERT_INT(rung_client_get(client, "/twice")->status, 503);
	ASSERT_HAS(test_log(), "1 transfers are under way");
	/* They are counted right afterwards. */
	const struct rung_client_request once = { .size = sizeof once, .target = "/once" };
	for (int i = 0; i < 3; i++)
		ASSERT_INT(rung_client_start(client, &once)->status, 200);
	rung_client_destroy(client);
	backend_stop(backend);
}

/* The environment's proxies are for others. */
Test(upstream_faults, no_proxy_is_used)
{
	struct backend *backend = backend_start(backend_answer, OK);

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	struct rung_client *client = test_client(rung_upstream(.to = backend->url));
	ASSERT_INT(rung_client_get(client, "/")->status, 200);
	rung_client_destroy(client);
	backend_stop(backend);
}
