/* test_upstream_server.c: a server that forwards to a backend, with a client at one end and the backend at the other: what streams through,
 * who holds whom up, who learns that the other has gone. */
#include "backend.h"
#include "tree.h"

#include <rung/reproxy.h>
#include <rung/upstream.h>

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

SUITE(upstream_server);

#define GET "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
#define OK  "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"

enum { PIECE = 64 * 1024 };
static const int64_t gigabyte = 1000000000;

static struct rung_server *serve(struct backend *backend)
{
	return test_server(
		rung_upstream(.to = backend->url, .idle_seconds = 20), (struct rung_server_options){ 0 });
}

static int ask(struct rung_server *server, const char *request)
{
	int fd = test_connect(server);
	struct timeval patience = { .tv_sec = 30 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	cr_assert(send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request));
	return fd;
}

static void over(struct rung_server *server, struct backend *backend)
{
	ASSERT_INT(rung_server_destroy(server), 0);
	backend_stop(backend);
}

static bool becomes(atomic_uint *value, unsigned wanted)
{
	for (int i = 0; i < 2000 && atomic_load(value) != wanted; i++)
		usleep(5000);
	return atomic_load(value) == wanted;
}

/* -- memory ---------------------------------------------------------------------------------------------------------- */

static long status_kib(const char *name)
{
	char line[256];
	long kib = -1;
	FILE *file = fopen("/proc/self/status", "r");

	cr_assert(file != NULL);
	while (fgets(line, sizeof line, file))
		if (strncmp(line, name, strlen(name)) == 0)
			kib = strtol(line + strlen(name) + 1, NULL, 10);
	fclose(file);
	return kib;
}

/* The peak counts from here. */
static long reset_peak(void)
{
	FILE *file = fopen("/proc/self/clear_refs", "w");

	if (file) {
		fputs("5", file);
		fclose(file);
	}
	return status_kib("VmRSS");
}

/* Under a sanitizer freed memory stays for a while: 256 MiB of it. */
#if defined(__SANITIZE_ADDRESS__) || defined(__clang__)
enum { MOST_KIB = 600 * 1024 };
#else
enum { MOST_KIB = 10 * 1024 };
#endif

/* -- through ----------------------------------------------------------------------------------------------------------- */

Test(upstream_server, an_answer_passes_through)
{
	struct backend *backend = backend_start(backend_echo, NULL);
	struct rung_server *server = serve(backend);
	int fd = ask(server, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody" GET);
	char *text = test_read(fd, 500, NULL);

	ASSERT_HAS(text, "POST /x HTTP/1.1\r\n");
	ASSERT_HAS(text, "\r\n\r\nbodyHTTP/1.1 200 OK");
	ASSERT_HAS(text, "\r\nX-Forwarded-For: 127.0.0.1\r\n");
	ASSERT_HAS(text, "\r\nForwarded: for=127.0.0.1;host=\"h\";proto=http\r\n");
	ASSERT_HAS(text, "GET / HTTP/1.1\r\n");
	free(text);
	close(fd);
	ASSERT_INT(atomic_load(&backend->connections), 1);
	over(server, backend);
}

static void answer_gigabyte(struct backend *backend, int fd, unsigned number)
{
	static char piece[PIECE];
	bool is_chunked = backend->data != NULL;

	(void)number;
	memset(piece, 'a', sizeof piece);
	if (!backend_take(backend, fd))
		return;
	backend_say(fd, is_chunked ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
				   : "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
	for (int64_t left = gigabyte; left;) {
		size_t size = left < PIECE ? (size_t)left : PIECE;
		char line[32];

		snprintf(line, sizeof line, "%zx\r\n", size);
		if ((is_chunked && !backend_say(fd, line)) || !backend_say_bytes(fd, piece, size) ||
			(is_chunked && !backend_say(fd, "\r\n")))
			return;
		left -= (int64_t)size;
	}
	if (is_chunked)
		backend_say(fd, "0\r\n\r\n");
}

/* Reads to the end, counting the letters of the body. */
static int64_t count_letters(int fd)
{
	static char buffer[256 * 1024];
	int64_t count = 0;
	ssize_t n;

	while (count < gigabyte && (n = recv(fd, buffer, sizeof buffer, 0)) > 0)
		for (ssize_t i = 0; i < n; i++)
			count += buffer[i] == 'a';
	return count;
}

static void expect_gigabyte(bool is_chunked)
{
	struct backend *backend = backend_start(answer_gigabyte, NULL);
	struct rung_server *server = serve(backend);

	backend->data = is_chunked ? backend : NULL;
	long before = reset_peak();
	int fd = ask(server, GET);
	int64_t count = count_letters(fd);
	long grown = status_kib("VmHWM") - before;
	/* Chunks have an "a" among their sizes' digits. */
	cr_assert(count >= gigabyte, "%lld bytes came", (long long)count);
	cr_assert(grown < MOST_KIB, "it took %ld KiB more", grown);
	close(fd);
	over(server, backend);
}

Test(upstream_server, a_gigabyte_comes_through_ten_megabytes)
{
	expect_gigabyte(false);
}

Test(upstream_server, in_chunks_too)
{
	expect_gigabyte(true);
}

static void send_gigabyte(int fd, bool is_chunked)
{
	static char piece[PIECE];
	char line[32];

	memset(piece, 'u', sizeof piece);
	for (int64_t left = gigabyte; left;) {
		size_t size = left < PIECE ? (size_t)left : PIECE;

		snprintf(line, sizeof line, "%zx\r\n", size);
		cr_assert(!is_chunked || backend_say(fd, line));
		cr_assert(backend_say_bytes(fd, piece, size), "cut with %lld left", (long long)left);
		cr_assert(!is_chunked || backend_say(fd, "\r\n"));
		left -= (int64_t)size;
	}
	if (is_chunked)
		cr_assert(backend_say(fd, "0\r\n\r\n"));
}

static void expect_upload(bool is_chunked)
{
	struct backend *backend = backend_start(backend_answer, OK);
	struct rung_server *server =
		test_server(rung_upstream(.to = backend->url, .stream_input = true, .body_limit = gigabyte),
			(struct rung_server_options){ 0 });

	long before = reset_peak();
	int fd = ask(server, is_chunked ? "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
					: "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n");
	send_gigabyte(fd, is_chunked);
	char *text = test_read(fd, 5000, NULL);
	long grown = status_kib("VmHWM") - before;
	ASSERT_HAS(text, "\r\n\r\nhello\n");
	ASSERT_INT(backend->seen_body, gigabyte);
	cr_assert(grown < MOST_KIB, "it took %ld KiB more", grown);
	free(text);
	close(fd);
	over(server, backend);
}

Test(upstream_server, a_gigabyte_goes_up_through_ten_megabytes)
{
	expect_upload(false);
}

Test(upstream_server, up_in_chunks_too)
{
	expect_upload(true);
}

/* -- uploads that end early ---------------------------------------------------------------------------------------------- */

#define UPLOAD "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nthe begin"

static struct rung_server *serve_uploads(struct backend *backend)
{
	return test_server(
		rung_upstream(.to = backend->url, .stream_input = true), (struct rung_server_options){ 0 });
}

Test(upstream_server, a_client_that_leaves_its_upload_takes_the_backend_s_with_it)
{
	struct backend *backend = backend_start(backend_answer, OK);
	struct rung_server *server = serve_uploads(backend);
	int fd = ask(server, UPLOAD);

	cr_assert(becomes(&backend->open, 1));
	usleep(50000);
	close(fd);
	cr_assert(becomes(&backend->open, 0), "the backend still waits for the rest");
	ASSERT_INT(atomic_load(&backend->requests), 0);
	over(server, backend);
}

/* libmicrohttpd gives no answer before the end of a body, so it is all sent. */
static void send_rest(int fd)
{
	static char piece[1000];

	for (size_t left = 1000000 - strlen("the begin"); left;) {
		size_t size = left < sizeof piece ? left : sizeof piece;

		cr_assert(backend_say_bytes(fd, piece, size));
		left -= size;
	}
}

static void refuse_upload(struct backend *backend, int fd, unsigned number)
{
	static char buffer[PIECE];
	size_t filled;

	(void)number;
	if (backend_take_head(backend, fd, buffer, sizeof buffer, &filled))
		backend_say(
			fd, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n");
	/* Reads on, so that the answer is not lost to a reset. */
	shutdown(fd, SHUT_WR);
	while (recv(fd, buffer, sizeof buffer, 0) > 0)
		;
}

Test(upstream_server, a_backend_may_refuse_an_upload_before_its_end)
{
	struct backend *backend = backend_start(refuse_upload, NULL);
	struct rung_server *server = serve_uploads(backend);
	int fd = ask(server, UPLOAD);

	send_rest(fd);
	char *text = test_read(fd, 1000, NULL);
	ASSERT_HAS(text, "HTTP/1.1 413 ");
	ASSERT_HAS(text, "no\n");
	free(text);
	close(fd);
	over(server, backend);
}

static void die_at_once(struct backend *backend, int fd, unsigned number)
{
	static char buffer[PIECE];
	size_t filled;

	(void)number;
	backend_take_head(backend, fd, buffer, sizeof buffer, &filled);
}

Test(upstream_server, a_backend_that_dies_while_it_is_sent_to_is_502)
{
	struct backend *backend = backend_start(die_at_once, NULL);
	struct rung_server *server = serve_uploads(backend);
	int fd = ask(server, UPLOAD);

	send_rest(fd);
	char *text = test_read(fd, 1000, NULL);
	ASSERT_HAS(text, "HTTP/1.1 502 ");
	free(text);
	close(fd);
	over(server, backend);
}

/* -- clients that leave ------------------------------------------------------------------------------------------------- */

static void say_and_wait(struct backend *backend, int fd, unsigned number)
{
	char byte;

	(void)number;
	if (backend_take(backend, fd) && backend_say(fd, backend->answer))
		while (recv(fd, &byte, 1, 0) > 0)
			;
}

static void expect_left(const char *said)
{
	struct backend *backend = backend_start(say_and_wait, said);
	struct rung_server *server = serve(backend);

	for (int i = 0; i < 8; i++) {
		int fd = ask(server, GET);
		cr_assert(becomes(&backend->open, 1));
		for (int j = 0; j < 1000 && atomic_load(&backend->requests) != (unsigned)i + 1; j++)
			usleep(2000);
		if (*said) {
			char *text = test_read(fd, 200, NULL);
			ASSERT_HAS(text, "HTTP/1.1 200 OK");
			free(text);
		}
		close(fd);
		cr_assert(becomes(&backend->open, 0), "the backend is still asked, %d", i);
	}
	over(server, backend);
}

Test(upstream_server, a_client_that_leaves_before_the_head)
{
	expect_left("");
}

Test(upstream_server, a_client_that_leaves_amid_the_body)
{
	expect_left("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
}

Test(upstream_server, a_client_that_reads_nothing_holds_the_backend_up)
{
	struct backend *backend = backend_start(answer_gigabyte, NULL);
	struct rung_server *server = serve(backend);
	long before = reset_peak();
	int fd = ask(server, GET);

	usleep(1000 * 1000);
	cr_assert(status_kib("VmHWM") - before < MOST_KIB);
	ASSERT_INT(atomic_load(&backend->open), 1);
	close(fd);
	cr_assert(becomes(&backend->open, 0));
	over(server, backend);
}

Test(upstream_server, a_stop_does_not_wait_for_a_backend_for_ever)
{
	struct backend *backend = backend_start(say_and_wait, "");
	struct rung_server *server = test_server(
		rung_upstream(.to = backend->url), (struct rung_server_options){ .limits.drain_seconds = 1 });
	int fd = ask(server, GET);
	time_t begun = time(NULL);

	cr_assert(becomes(&backend->requests, 1));
	ASSERT_INT(rung_server_destroy(server), 1);
	cr_assert(time(NULL) - begun < 15);
	close(fd);
	backend_stop(backend);
}

/* -- backends that go ----------------------------------------------------------------------------------------------------- */

static void say_and_go(struct backend *backend, int fd, unsigned number)
{
	(void)number;
	if (backend_take(backend, fd))
		backend_say(fd, backend->answer);
}

/* What the client gets, and whether its connection was closed behind it. */
static char *get_cut(const char *answer, bool *ret_is_closed)
{
	struct backend *backend = backend_start(say_and_go, answer);
	struct rung_server *server = serve(backend);
	int fd = ask(server, GET);
	char *text = test_read(fd, 2000, NULL);
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	*ret_is_closed = poll(&ready, 1, 0) > 0;
	close(fd);
	over(server, backend);
	return text;
}

Test(upstream_server, a_body_that_breaks_off_cuts_the_client)
{
	bool is_closed;
	char *text = get_cut("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ", &is_closed);

	ASSERT_HAS(text, "Content-Length: 10\r\n");
	ASSERT_HAS(text, "\r\n\r\nhalf ");
	cr_assert(is_closed);
	free(text);
	text = get_cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf \r\n", &is_closed);
	ASSERT_HAS(text, "half ");
	cr_assert(!strstr(text, "\r\n0\r\n"), "it looks whole: %s", text);
	cr_assert(is_closed);
	free(text);
	text = get_cut("", &is_closed);
	ASSERT_HAS(text, "HTTP/1.1 502 ");
	free(text);
}

/* -- many at once ---------------------------------------------------------------------------------------------------------- */

static void answer_own(struct backend *backend, int fd, unsigned number)
{
	static _Thread_local char buffer[2048];
	size_t filled;
	char *end;

	(void)number;
	while (backend_take_head(backend, fd, buffer, sizeof buffer, &filled)) {
		char answer[4096];

		end = strstr(buffer + 4, " HTTP");
		*end = '\0';
		/* Of a size of its own, too. */
		int size = atoi(buffer + 5) % 2000 + 10;
		snprintf(answer, sizeof answer,
			"HTTP/1.1 200 OK\r\nX-Mine: %s\r\nContent-Length: %d\r\n\r\n%0*d", buffer + 4, size,
			size, atoi(buffer + 5));
		if (!backend_say(fd, answer))
			return;
	}
}

enum { ASKERS = 12, TIMES = 100 };

static void *ask_many(void *argument)
{
	struct rung_server *server = ((void **)argument)[0];
	long first = (long)(uintptr_t)((void **)argument)[1];
	int fd = test_connect(server);
	char text[256], expected[4096];

	for (long i = first; i < first + TIMES; i++) {
		snprintf(text, sizeof text, "GET /%ld HTTP/1.1\r\nHost: h\r\n\r\n", i);
		cr_assert(backend_say(fd, text));
		int size = (int)(i % 2000) + 10;
		snprintf(expected, sizeof expected, "\r\nX-Mine: /%ld\r\n", i);
		char *got = malloc(8192), *body = NULL;
		size_t filled = 0;
		cr_assert(got);
		got[0] = '\0';
		while (!body || filled - (size_t)(body - got) < (size_t)size) {
			ssize_t n = recv(fd, got + filled, 8191 - filled, 0);
			cr_assert(n > 0, "%ld: %zd behind %s", i, n, got);
			filled += (size_t)n;
			got[filled] = '\0';
			body = strstr(got, "\r\n\r\n");
			body = body ? body + 4 : NULL;
		}
		ASSERT_HAS(got, expected);
		snprintf(expected, sizeof expected, "%0*ld", size, i);
		ASSERT_STR(body, expected);
		free(got);
	}
	close(fd);
	return NULL;
}

Test(upstream_server, many_at_once_get_their_own)
{
	struct backend *backend = backend_start(answer_own, NULL);
	struct rung_server *server = serve(backend);
	pthread_t threads[ASKERS];
	void *arguments[ASKERS][2];

	for (long i = 0; i < ASKERS; i++) {
		arguments[i][0] = server;
		arguments[i][1] = (void *)(uintptr_t)(i * 10000 + 1);
		cr_assert(pthread_create(&threads[i], NULL, ask_many, arguments[i]) == 0);
	}
	for (int i = 0; i < ASKERS; i++)
		pthread_join(threads[i], NULL);
	cr_assert(atomic_load(&backend->connections) <= ASKERS);
	over(server, backend);
}

/* -- TLS -------------------------------------------------------------------------------------------------------------------- */

#define NEW_KEY "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "

static void make_certificates(void)
{
	char line[2048];

	tree_make();
	snprintf(line, sizeof line,
		"cd %s && exec 2>openssl.log && set -e && "
		"openssl req -x509 " NEW_KEY "-keyout root.key -out root.pem -days 2 -subj /CN=root && "
		"openssl req " NEW_KEY "-keyout leaf.key -out leaf.csr -subj /CN=leaf && "
		"printf 'subjectAltName=IP:127.0.0.1\n' >leaf.ext && "
		"openssl x509 -req -in leaf.csr -CA root.pem -CAkey root.key -set_serial 3 -days 2 -extfile leaf.ext "
		"-out leaf.pem",
		tree_at("out"));
	ASSERT_INT(system(line), 0);
}

static int tell(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return rung_reply_textf(res, 200, "%s %s", env->scheme, env->path_info);
}

static int status_over_tls(unsigned port, const char *host, const char *ca, const char *body)
{
	char to[128];

	snprintf(to, sizeof to, "https://%s:%u", host, port);
	struct rung_client *client = test_client(rung_upstream(.to = to, .ca = ca));
	const struct rung_reply *reply = rung_client_get(client, "/x");
	int status = reply->status;
	if (status == 200)
		ASSERT_STR(reply->body, body);
	rung_client_destroy(client);
	return status;
}

Test(upstream_server, certificates_are_checked, .fini = tree_remove)
{
	make_certificates();
	char *ca = strdup(tree_at("out/root.pem")), *cert = strdup(tree_at("out/leaf.pem")),
	     *key = strdup(tree_at("out/leaf.key"));
	struct rung_server *server = test_server(
		rung_run(tell), (struct rung_server_options){ .tls = { .cert = cert, .key = key } });

	ASSERT_INT(status_over_tls(rung_server_port(server), "127.0.0.1", ca, "https /x"), 200);
	/* Nobody whom the system trusts has signed it; and it is for another name. */
	test_log_clear();
	ASSERT_INT(status_over_tls(rung_server_port(server), "127.0.0.1", NULL, ""), 502);
	ASSERT_HAS(test_log(), "https://127.0.0.1");
	ASSERT_INT(status_over_tls(rung_server_port(server), "localhost", ca, ""), 502);
	ASSERT_INT(rung_server_destroy(server), 0);
	free(ca);
	free(cert);
	free(key);
}
