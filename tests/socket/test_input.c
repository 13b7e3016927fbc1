/* test_input.c: bodies of requests over real connections: kept in memory and in files, gone by, refused before and behind their
 * limits. */
#include "support.h"

#include <rung/basic_auth.h>
#include <rung/error_pages.h>
#include <rung/reproxy.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

SUITE(input);

/* -- what is sent -------------------------------------------------------------------------------------------------- */

static char byte_at(size_t i)
{
	return (char)(i * 31 % 251);
}

static bool send_all(int fd, const void *bytes, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t n = send(fd, (const char *)bytes + at, size - at, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

static bool send_text(int fd, const char *text)
{
	return send_all(fd, text, strlen(text));
}

/* Bytes from..to of the body, a piece at a time, each as a chunk if it is to be chunked. */
static bool send_body(int fd, size_t from, size_t to, size_t piece, bool is_chunked)
{
	static _Thread_local char bytes[64 * 1024];

	while (from < to) {
		size_t size = to - from < piece ? to - from : piece;
		char line[32];

		for (size_t i = 0; i < size; i++)
			bytes[i] = byte_at(from + i);
		snprintf(line, sizeof line, "%zx\r\n", size);
		if (is_chunked && !send_text(fd, line))
			return false;
		if (!send_all(fd, bytes, size) || (is_chunked && !send_text(fd, "\r\n")))
			return false;
		from += size;
	}
	return true;
}

static void send_head(int fd, const char *line, size_t length)
{
	char head[256];

	snprintf(head, sizeof head, "%s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n", line, length);
	cr_assert(send_text(fd, head));
}

#define CHUNKED " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

static void expect_closed(int fd)
{
	char byte;
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	cr_assert(poll(&ready, 1, 10000) == 1, "the connection stays open");
	ssize_t n = recv(fd, &byte, 1, 0);
	cr_assert(n == 0 || (n < 0 && errno == ECONNRESET), "more came");
}

/* Reads one answer: to the end of a body whose length its head says. */
static char *read_answer(int fd)
{
	static char text[8192];
	size_t size = 0;
	const char *body;

	for (;;) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		text[size] = '\0';
		const char *length = strstr(text, "Content-Length: ");
		if ((body = strstr(text, "\r\n\r\n")) != NULL && length &&
			text + size >= body + 4 + atoi(length + 16))
			return text;
		cr_assert(poll(&ready, 1, 10000) == 1, "no answer; %s came", text);
		ssize_t n = recv(fd, text + size, sizeof text - size - 1, 0);
		cr_assert(n > 0, "the answer breaks off: %s", text);
		size += (size_t)n;
	}
}

/* What is left of the connection is this answer, or nothing of it. */
static void expect_closed_behind(int fd, const char *start)
{
	char *rest = test_read(fd, 10000, NULL);

	cr_assert(!*rest || strncmp(rest, start, strlen(start)) == 0, "%s", rest);
	free(rest);
}

/* -- what answers -------------------------------------------------------------------------------------------------- */

static bool is_right(const char *bytes, size_t from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != byte_at(from + i))
			return false;
	return true;
}

/* Says how long the body is and whether every byte is right, seen as a whole and read in pieces. */
static int check(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	size_t size, at = 0;
	const char *whole = rung_input_bytes(env, &size);
	char piece[1000];
	ssize_t n;

	(void)self;
	cr_assert(whole);
	bool is_good = is_right(whole, 0, size) && whole[size] == '\0';
	while ((n = rung_input_read(env, piece, sizeof piece)) > 0) {
		is_good = is_good && is_right(piece, at, (size_t)n);
		at += (size_t)n;
	}
	return rung_reply_textf(res, 200, "%zu %s, read %zu, length %lld", size, is_good ? "good" : "BAD", at,
		(long long)env->content_length);
}

static void expect_kept(struct rung_server_options options, size_t size, bool is_chunked)
{
	struct rung_server *server = test_server(rung_run(check), options);
	int fd = test_connect(server);
	char expected[64];

	snprintf(expected, sizeof expected, "%zu good, read %zu, length %zu", size, size, size);
	/* Twice, so that nothing of the first request is left in the second's way. */
	for (int i = 0; i < 2; i++) {
		if (is_chunked)
			cr_assert(send_text(fd, "POST /" CHUNKED));
		else
			send_head(fd, "POST /", size);
		cr_assert(send_body(fd, 0, size, 5000, is_chunked));
		if (is_chunked)
			cr_assert(send_text(fd, "0\r\n\r\n"));
		ASSERT_HAS(read_answer(fd), expected);
	}
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(input, bodies_of_all_sizes_arrive_whole)
{
	static const size_t sizes[] = { 1, 4095, 4096, 4097, 65535, 65536, 65537, 131072, 200000, 1048576,
		10 * 1048576 };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (int is_chunked = 0; is_chunked < 2; is_chunked++)
			expect_kept((struct rung_server_options){ 0 }, sizes[i], is_chunked);
}

Test(input, the_threshold_may_be_small)
{
	for (size_t size = 4090; size < 4100; size++)
		expect_kept((struct rung_server_options){ .limits.body_memory = 4096 }, size, size % 2);
	expect_kept((struct rung_server_options){ .limits.body_memory = 4096 }, 100000, true);
}

static unsigned open_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;

	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

Test(input, large_bodies_leave_no_file_and_no_descriptor)
{
	char folder[] = "/tmp/rung-test-XXXXXX";
	struct rung_server *server;
	unsigned before = 0;

	cr_assert(mkdtemp(folder));
	server = test_server(rung_run(check), (struct rung_server_options){ .spool = folder });
	int fd = test_connect(server);
	for (int i = 0; i < 20; i++) {
		send_head(fd, "POST /", 300000);
		cr_assert(send_body(fd, 0, 300000, 50000, false));
		ASSERT_HAS(read_answer(fd), "300000 good");
		if (i == 0)
			before = open_descriptors();
	}
	/* One may be under way: the last request's, before it is put away. */
	cr_assert(open_descriptors() <= before + 1, "%u descriptors, %u before", open_descriptors(), before);
	close(fd);
	/* And one whose client leaves in the middle. */
	fd = test_connect(server);
	send_head(fd, "POST /", 300000);
	cr_assert(send_body(fd, 0, 200000, 50000, false));
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
	cr_assert(rmdir(folder) == 0, "something is left in %s", folder);
}

Test(input, a_folder_that_cannot_be_written_is_refused)
{
	cr_assert_null(rung_server_new(rung_run(check), .spool = "/nowhere/at/all"));
	ASSERT_HAS(rung_error(), "server: large bodies cannot be kept in /nowhere/at/all");
}

Test(input, a_disk_that_is_full_is_a_503_and_the_next_request_is_served)
{
	struct rlimit limit = { 100000, 100000 };

	signal(SIGXFSZ, SIG_IGN);
	cr_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0); /* files may not grow past that */
	struct rung_server *server = test_server(rung_run(check), (struct rung_server_options){ 0 });
	int fd = test_connect(server);
	send_head(fd, "POST /", 1000000);
	cr_assert(send_body(fd, 0, 1000000, 50000, false));
	ASSERT_HAS(read_answer(fd), "HTTP/1.1 503 ");
	ASSERT_HAS(test_log(), "the body of POST / cannot be kept: File too large");
	close(fd);
	fd = test_connect(server);
	send_head(fd, "POST /", 1000);
	cr_assert(send_body(fd, 0, 1000, 1000, false));
	ASSERT_HAS(read_answer(fd), "1000 good");
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
}

static int reproxy_to_check(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	size_t size;

	(void)self;
	cr_assert(rung_input_bytes(env, &size) && size == 200000);
	return rung_reply_uri(res, 307, "http://inner/check");
}

Test(input, a_redispatch_reads_a_large_body_again)
{
	struct rung_server *server =
		test_server(rung_stack(rung_reproxy(.names = rung_names({ "inner", rung_run(check) })),
				    rung_run(reproxy_to_check)),
			(struct rung_server_options){ 0 });
	int fd = test_connect(server);

	send_head(fd, "POST /", 200000);
	cr_assert(send_body(fd, 0, 200000, 50000, false));
	ASSERT_HAS(read_answer(fd), "200000 good, read 200000");
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
}

/* -- limits -------------------------------------------------------------------------------------------------------- */

static struct rung_app *limited(void)
{
	return rung_stack(rung_error_pages(),
		rung_routes(rung_post("/small", check, .body_limit = 100000), rung_post("/plain", check),
			rung_post("/large", check, .body_limit = 3000000), rung_get("/get", check),
			rung_mount("/in", rung_routes(rung_post("/small", check, .body_limit = 90000)))));
}

static struct rung_server *limited_server(void)
{
	return test_server(limited(), (struct rung_server_options){ .limits.body = 200000 });
}

/* Sends a head alone; the answer must come before a byte of body does, and end the connection. */
static void expect_refused_at_head(struct rung_server *server, const char *line, size_t length, int status)
{
	int fd = test_connect(server);
	char expected[32];

	snprintf(expected, sizeof expected, "HTTP/1.1 %d ", status);
	send_head(fd, line, length);
	char *answer = read_answer(fd);
	cr_assert(strncmp(answer, expected, strlen(expected)) == 0, "%s: %s", line, answer);
	ASSERT_HAS(answer, "Connection: close");
	expect_closed(fd);
	close(fd);
}

Test(input, what_is_too_large_is_refused_at_the_head)
{
	struct rung_server *server = limited_server();

	expect_refused_at_head(server, "POST /small", 100001, 413);
	expect_refused_at_head(server, "POST /in/small", 90001, 413);
	expect_refused_at_head(server, "POST /plain", 200001, 413);
	expect_refused_at_head(server, "POST /large", 3000001, 413);
	expect_refused_at_head(server, "POST /nowhere", 150000, 404);
	expect_refused_at_head(server, "POST /get", 150000, 405);
	expect_refused_at_head(server, "PUT /plain", 150000, 405);
	expect_refused_at_head(server, "DELETE /large", 150000, 405);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(input, layers_see_a_refusal_by_a_route)
{
	struct rung_server *server = limited_server();
	int fd = test_connect(server);

	cr_assert(send_text(fd,
		"POST /small HTTP/1.1\r\nHost: h\r\nAccept: application/json\r\nContent-Length: 100001\r\n\r\n"));
	char *answer = read_answer(fd);
	ASSERT_HAS(answer, "HTTP/1.1 413 ");
	ASSERT_HAS(answer, "Content-Type: application/problem+json");
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(input, a_route_may_take_more_than_the_server)
{
	struct rung_server *server = limited_server();
	int fd = test_connect(server);

	send_head(fd, "POST /large", 3000000);
	cr_assert(send_body(fd, 0, 3000000, 60000, false));
	ASSERT_HAS(read_answer(fd), "3000000 good");
	send_head(fd, "POST /small", 100000);
	cr_assert(send_body(fd, 0, 100000, 60000, false));
	ASSERT_HAS(read_answer(fd), "100000 good");
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(input, a_small_body_that_nobody_wants_keeps_the_connection)
{
	struct rung_server *server = limited_server();
	int fd = test_connect(server);

	for (int i = 0; i < 3; i++) {
		send_head(fd, "POST /nowhere", 60000);
		cr_assert(send_body(fd, 0, 60000, 60000, false));
		ASSERT_HAS(read_answer(fd), "HTTP/1.1 404 ");
	}
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
}

static void expect_chunked(struct rung_server *server, const char *path, size_t size, const char *expected)
{
	int fd = test_connect(server);
	char head[128];

	snprintf(head, sizeof head, "POST %s" CHUNKED, path);
	cr_assert(send_text(fd, head));
	cr_assert(send_body(fd, 0, size, 20000, true));
	cr_assert(send_text(fd, "0\r\n\r\n"));
	ASSERT_HAS(read_answer(fd), expected);
	close(fd);
}

Test(input, chunks_past_a_limit_are_413)
{
	struct rung_server *server = limited_server();

	expect_chunked(server, "/small", 100000, "100000 good");
	expect_chunked(server, "/small", 100001, "HTTP/1.1 413 ");
	expect_chunked(server, "/plain", 200001, "HTTP/1.1 413 ");
	expect_chunked(server, "/large", 3000001, "HTTP/1.1 413 ");
	expect_chunked(server, "/large", 300000, "300000 good");
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(input, chunks_without_end_are_answered_and_cut)
{
	struct rung_server *server = limited_server();
	int fd = test_connect(server);
	struct timeval patience = { .tv_sec = 10 };
	char text[512];

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	cr_assert(send_text(fd, "POST /small" CHUNKED));
	/* Far enough past the limit for the answer, not far enough to be cut. */
	cr_assert(send_body(fd, 0, 12 * 1024 * 1024, 60000, true));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	ssize_t n = recv(fd, text, sizeof text - 1, 0);
	cr_assert(n > 0);
	text[n] = '\0';
	ASSERT_HAS(text, "HTTP/1.1 413 Content Too Large\r\n");
	ASSERT_HAS(text, "Connection: close\r\n");
	/* And then it ends, whatever the client does. */
	cr_assert_not(send_body(fd, 0, 64 * 1024 * 1024, 60000, true));
	close(fd);
	fd = test_connect(server);
	send_head(fd, "POST /small", 1000);
	cr_assert(send_body(fd, 0, 1000, 1000, false));
	ASSERT_HAS(read_answer(fd), "1000 good");
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
}

/* What it sends behind the answer does not break the connection before it has read that. */
static void expect_answer_while_sending(struct rung_server *server, const char *head, size_t before)
{
	int fd = test_connect(server);
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	cr_assert(send_text(fd, head));
	cr_assert(send_body(fd, 0, before, 60000, strstr(head, "chunked") != NULL));
	cr_assert(poll(&ready, 1, 10000) == 1, "there is no answer");
	cr_assert(send_body(fd, before, before + 8000000, 60000, strstr(head, "chunked") != NULL),
		"the connection broke: %s", strerror(errno));
	ASSERT_HAS(read_answer(fd), "Connection: close");
	expect_closed(fd);
	/* It does not send on for ever. */
	cr_assert_not(send_body(fd, 0, 256 * 1024 * 1024, 60000, false));
	close(fd);
}

Test(input, an_answer_that_comes_early_is_not_lost)
{
	struct rung_server *server = limited_server();

#define LARGE "Content-Length: 1000000000\r\n\r\n"
	expect_answer_while_sending(server, "POST /small HTTP/1.1\r\nHost: h\r\n" LARGE, 0);
	expect_answer_while_sending(server, "POST /nowhere HTTP/1.1\r\nHost: h\r\n" LARGE, 0);
	expect_answer_while_sending(server, "POST /small HTTP/1.1\r\n" LARGE, 0);
	expect_answer_while_sending(server, "POST /small" CHUNKED, 12 * 1024 * 1024);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(input, a_stop_waits_for_no_one_who_sends_on)
{
	struct rung_server *server = test_server(
		limited(), (struct rung_server_options){ .limits = { .body = 1000, .drain_seconds = 1 } });
	int fd = test_connect(server);

	send_head(fd, "POST /small", 1000000000);
	ASSERT_HAS(read_answer(fd), "HTTP/1.1 413 ");
	ASSERT_INT(rung_server_destroy(server), 0);
	close(fd);
}

static int no_body_wanted(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	size_t size;

	(void)self;
	ASSERT_STR(rung_input_bytes(env, &size), "");
	ASSERT_INT(size, 0);
	return rung_reply_textf(res, 403, "%lld", (long long)env->content_length);
}

static bool never_admit(const struct rung_app *self, struct rung_env *env, struct rung_admission *admission)
{
	(void)self, (void)env, (void)admission;
	return false;
}

static const struct rung_app_class guard_class = {
	.size = sizeof(struct rung_app),
	.name = "guard",
	.flags = RUNG_ENDPOINT,
	.call = no_body_wanted,
	.admit = never_admit,
};

Test(input, an_app_may_answer_before_the_body)
{
	struct rung_server *server =
		test_server(rung_app_new(&guard_class), (struct rung_server_options){ 0 });

	expect_refused_at_head(server, "POST /", 5000000, 403);
	expect_refused_at_head(server, "PATCH /", 5000000, 403);
	expect_refused_at_head(server, "DELETE /", 5000000, 403);
	/* With Expect no "100 Continue" goes out, however small the body. */
	int fd = test_connect(server);
	cr_assert(send_text(
		fd, "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
	char *answer = read_answer(fd);
	cr_assert(strncmp(answer, "HTTP/1.1 403 ", 13) == 0, "%s", answer);
	expect_closed(fd);
	close(fd);
	/* In chunks too. */
	fd = test_connect(server);
	cr_assert(send_text(fd, "POST /" CHUNKED));
	ASSERT_HAS(read_answer(fd), "HTTP/1.1 403 ");
	expect_closed(fd);
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(input, a_login_that_is_missing_is_told_before_the_body)
{
	struct rung_server *server = test_server(
		rung_stack(rung_basic_auth(.realm = "r", .user = "u", .password = "p"), rung_run(check)),
		(struct rung_server_options){ 0 });

	expect_refused_at_head(server, "POST /", 5000000, 401);
	ASSERT_INT(rung_server_destroy(server), 0);
}

/* -- going by ------------------------------------------------------------------------------------------------------ */

static atomic_int begun, ended_with;
static atomic_bool may_read;

/* Reads it as it comes, once it may. */
static int read_slowly(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	char piece[10000];
	size_t at = 0;
	ssize_t n;
	bool is_good = true;

	(void)self;
	atomic_fetch_add(&begun, 1);
	while (!atomic_load(&may_read))
		usleep(1000);
	while ((n = rung_input_read(env, piece, sizeof piece)) > 0) {
		is_good = is_good && is_right(piece, at, (size_t)n);
		at += (size_t)n;
	}
	atomic_store(&ended_with, (int)n);
	if (n < 0)
		return (int)n;
	return rung_reply_textf(res, 200, "%zu %s, length %lld", at, is_good ? "good" : "BAD",
		(long long)env->content_length);
}

static int answer_unread(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_text(res, 200, "I do not care");
}

static void *let_read_late(void *unused)
{
	usleep(4000 * 1000);
	atomic_store(&may_read, true);
	return unused;
}

static struct rung_server *stream_server(int64_t limit)
{
	return test_server(
		rung_routes(rung_post("/read", read_slowly, .stream_input = true, .body_limit = limit),
			rung_post("/whole", check, .stream_input = true, .body_limit = limit),
			rung_post("/unread", answer_unread, .stream_input = true, .body_limit = limit)),
		(struct rung_server_options){ 0 });
}

static void wait_for(atomic_int *value, int wanted)
{
	for (int i = 0; i < 2000 && atomic_load(value) != wanted; i++)
		usleep(5 * 1000);
	ASSERT_INT(atomic_load(value), wanted);
}

Test(input, a_streamed_body_goes_by)
{
	struct rung_server *server = stream_server(100 * 1024 * 1024);
	int fd = test_connect(server);

	atomic_store(&may_read, true);
	send_head(fd, "POST /read", 20000000);
	wait_for(&begun, 1); /* before a byte of it came */
	cr_assert(send_body(fd, 0, 20000000, 60000, false));
	ASSERT_HAS(read_answer(fd), "20000000 good, length 20000000");
	/* In chunks, on the same connection. */
	cr_assert(send_text(fd, "POST /read" CHUNKED));
	cr_assert(send_body(fd, 0, 3000000, 7000, true));
	cr_assert(send_text(fd, "0\r\n\r\n"));
	ASSERT_HAS(read_answer(fd), "3000000 good, length -1");
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(input, a_streamed_body_may_be_had_whole_and_may_be_left)
{
	struct rung_server *server = stream_server(100 * 1024 * 1024);
	int fd = test_connect(server);

	send_head(fd, "POST /whole", 300000);
	cr_assert(send_body(fd, 0, 300000, 60000, false));
	ASSERT_HAS(read_answer(fd), "300000 good, read 300000");
	cr_assert(send_text(fd, "POST /whole" CHUNKED));
	cr_assert(send_body(fd, 0, 300000, 60000, true));
	cr_assert(send_text(fd, "0\r\n\r\n"));
	ASSERT_HAS(read_answer(fd), "300000 good, read 300000");
	send_head(fd, "POST /unread", 1000000);
	cr_assert(send_body(fd, 0, 1000000, 60000, false));
	ASSERT_HAS(read_answer(fd), "I do not care");
	send_head(fd, "POST /whole", 10);
	cr_assert(send_body(fd, 0, 10, 60000, false));
	ASSERT_HAS(read_answer(fd), "10 good, read 10");
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(input, a_slow_reader_holds_its_client_up_and_nothing_grows)
{
	struct rung_server *server = stream_server(1024 * 1024 * 1024);
	int fd = test_connect(server), small = 64 * 1024;
	size_t sent = 0;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	atomic_store(&may_read, false);
	send_head(fd, "POST /read", 64 * 1024 * 1024);
	wait_for(&begun, 1);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (int full = 0; full < 100;) {
		char bytes[4096];

		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = byte_at(sent + i);
		ssize_t n = send(fd, bytes, sizeof bytes, MSG_NOSIGNAL);
		full = n < 0 ? full + 1 : 0;
		sent += n > 0 ? (size_t)n : 0;
		if (n < 0)
			usleep(3000);
		cr_assert(sent < 32 * 1024 * 1024, "the server takes everything");
	}
	fcntl(fd, F_SETFL, 0);
	atomic_store(&may_read, true);
	cr_assert(send_body(fd, sent, 64 * 1024 * 1024, 60000, false));
	ASSERT_HAS(read_answer(fd), "67108864 good");
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
}

static atomic_int seen;

static int count_bytes(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	char piece[1000];
	ssize_t n;

	(void)self;
	while ((n = rung_input_read(env, piece, sizeof piece)) > 0)
		atomic_fetch_add(&seen, (int)n);
	return n < 0 ? (int)n : rung_reply_textf(res, 200, "%d", atomic_load(&seen));
}

static int discard(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	char piece[64 * 1024];

	(void)self;
	while (rung_input_read(env, piece, sizeof piece) > 0)
		;
	return rung_reply_empty(res, 204);
}

struct rush {
	struct rung_server *server;
	atomic_bool is_over;
};

/* Sends a body without end as fast as it is taken. */
static void *rush(void *argument)
{
	static const char zeros[256 * 1024];
	struct rush *rush = argument;
	int fd = test_connect(rush->server);

	send_head(fd, "POST /rush", (size_t)1 << 40);
	while (!atomic_load(&rush->is_over) && send(fd, zeros, sizeof zeros, MSG_NOSIGNAL) > 0)
		;
	close(fd);
	return NULL;
}

Test(input, small_pieces_reach_their_reader_though_the_loop_never_rests)
{
	struct rung_server *server = test_server(
		rung_routes(rung_post("/read", count_bytes, .stream_input = true),
			rung_post("/rush", discard, .stream_input = true, .body_limit = RUNG_UNLIMITED)),
		(struct rung_server_options){ .loops = 1, .workers = 6 });
	struct rush rushing = { .server = server };
	pthread_t threads[4];
	int fd = test_connect(server);

	for (size_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, rush, &rushing);
	send_head(fd, "POST /read", 200);
	for (int i = 1; i <= 20; i++) {
		cr_assert(send_text(fd, "0123456789"));
		wait_for(&seen, 10 * i);
	}
	ASSERT_HAS(read_answer(fd), "200");
	atomic_store(&rushing.is_over, true);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(input, a_client_that_leaves_in_the_middle_ends_the_reading)
{
	struct rung_server *server = stream_server(1024 * 1024);

	atomic_store(&may_read, true);
	for (int i = 0; i < 20; i++) {
		int fd = test_connect(server);

		atomic_store(&ended_with, 1);
		send_head(fd, "POST /read", 1000000);
		cr_assert(send_body(fd, 0, 1000 * (size_t)i, 1000, false));
		wait_for(&begun, i + 1);
		close(fd);
		wait_for(&ended_with, -ECONNRESET);
	}
	ASSERT_INT(rung_server_destroy(server), 0);
	cr_assert_null(strstr(test_log(), "500"), "%s", test_log());
}

Test(input, a_streamed_body_past_its_limit_is_413)
{
	struct rung_server *server = stream_server(100000);

	atomic_store(&may_read, true);
	expect_refused_at_head(server, "POST /read", 100001, 413);
	expect_chunked(server, "/read", 100000, "100000 good");
	expect_chunked(server, "/read", 100001, "HTTP/1.1 413 ");
	ASSERT_INT(atomic_load(&ended_with), -E2BIG);
	expect_chunked(server, "/unread", 500000, "HTTP/1.1 200 ");
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(input, expect_continue_goes_out_for_a_streamed_body)
{
	struct rung_server *server = stream_server(100000);
	int fd = test_connect(server);

	atomic_store(&may_read, true);
	cr_assert(send_text(fd,
		"POST /read HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n\r\n"));
	char *answer = test_read(fd, 200, NULL);
	ASSERT_STR(answer, "HTTP/1.1 100 Continue\r\n\r\n");
	free(answer);
	cr_assert(send_body(fd, 0, 5000, 5000, false));
	ASSERT_HAS(read_answer(fd), "5000 good");
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(input, a_client_that_is_too_slow_ends_the_reading)
{
	struct rung_server *server =
		test_server(rung_routes(rung_post("/read", read_slowly, .stream_input = true)),
			(struct rung_server_options){ .limits.body_seconds = 1 });
	int fd = test_connect(server);

	atomic_store(&may_read, true);
	atomic_store(&ended_with, 1);
	send_head(fd, "POST /read", 1000000);
	cr_assert(send_body(fd, 0, 5000, 5000, false));
	wait_for(&ended_with, -ETIMEDOUT);
	expect_closed_behind(fd, "HTTP/1.1 408 ");
	close(fd);
	/* A handler that does not read is not its client's fault. */
	atomic_store(&may_read, false);
	atomic_store(&begun, 0);
	fd = test_connect(server);
	send_head(fd, "POST /read", 500000);
	pthread_t helper;
	cr_assert(pthread_create(&helper, NULL, let_read_late, NULL) == 0);
	cr_assert(send_body(fd, 0, 500000, 60000, false));
	ASSERT_HAS(read_answer(fd), "500000 good");
	pthread_join(helper, NULL);
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(input, a_stop_cuts_a_body_that_does_not_come)
{
	struct rung_server *server =
		test_server(rung_routes(rung_post("/read", read_slowly, .stream_input = true)),
			(struct rung_server_options){ .limits.drain_seconds = 1 });
	int fd = test_connect(server);

	atomic_store(&may_read, true);
	send_head(fd, "POST /read", 1000);
	wait_for(&begun, 1);
	ASSERT_INT(rung_server_destroy(server), 1);
	ASSERT_INT(atomic_load(&ended_with), -ECONNRESET);
	close(fd);
}

static void *let_read(void *unused)
{
	usleep(1500 * 1000);
	atomic_store(&may_read, true);
	return unused;
}

Test(input, a_stop_cuts_a_body_that_nobody_reads)
{
	struct rung_server *server =
		test_server(rung_routes(rung_post("/read", read_slowly, .stream_input = true)),
			(struct rung_server_options){ .limits.drain_seconds = 1 });
	int fd = test_connect(server);
	pthread_t helper;

	atomic_store(&may_read, false);
	send_head(fd, "POST /read", 1000000);
	wait_for(&begun, 1);
	cr_assert(send_body(fd, 0, 300000, 60000, false));
	/* The handler sees the end only after the deadline. */
	cr_assert(pthread_create(&helper, NULL, let_read, NULL) == 0);
	ASSERT_INT(rung_server_destroy(server), 1);
	pthread_join(helper, NULL);
	ASSERT_INT(atomic_load(&ended_with), -ECONNRESET);
	close(fd);
}
