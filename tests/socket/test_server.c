/* test_server.c: the server over real connections: what goes over the wire, request bodies, files, streams, draining. */
#include "support.h"

#include <rung/reproxy.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

SUITE(server);

static const struct rung_server_options plain;

static int tell(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	size_t size;
	const char *body = rung_input_bytes(env, &size);

	(void)self;
	return rung_reply_textf(res, 200, "%s|%s|%s|%s|%s|%s|%zu:%.20s|%s", env->method, env->scheme,
		env->host, env->path_info, env->query, env->protocol, size, body, rung_remote_address(env));
}

static void expect(struct rung_app *app, const char *request, const char *part)
{
	struct rung_server *server = test_server(app, plain);
	char *answer = test_send(server, request);

	ASSERT_HAS(answer, part);
	free(answer);
	ASSERT_INT(rung_server_destroy(server), 0);
}

#define CLOSE "Connection: close\r\n\r\n"

/* -- requests ---------------------------------------------------------------------------------------------------- */

Test(server, answers_with_status_date_and_length)
{
	struct rung_server *server = test_server(rung_run(tell), plain);
	char *answer = test_send(server, "GET / HTTP/1.1\r\nHost: h.example\r\n" CLOSE);

	ASSERT_HAS(answer, "HTTP/1.1 200 OK\r\n");
	ASSERT_HAS(answer, "\r\nDate: ");
	ASSERT_HAS(answer, "\r\nContent-Type: text/plain; charset=utf-8\r\n");
	ASSERT_HAS(answer, "\r\nContent-Length: 43\r\n");
	ASSERT_HAS(answer, "\r\n\r\nGET|http|h.example|/||HTTP/1.1|0:|127.0.0.1");
	free(answer);
	rung_server_destroy(server);
}

Test(server, keeps_the_raw_target)
{
	expect(rung_run(tell), "GET /a%2Fb%00//c;d?x=%zz&y=?+ HTTP/1.1\r\nHost: h\r\n" CLOSE,
		"|/a%2Fb%00//c;d|x=%zz&y=?+|");
	expect(rung_run(tell), "GET /? HTTP/1.1\r\nHost: h\r\n" CLOSE, "|/||HTTP");
	expect(rung_run(tell), "GET /a?b HTTP/1.1\r\nHost: h\r\n" CLOSE, "|/a|b|");
	expect(rung_run(tell), "GET HTTP://Other.example:81/p?q HTTP/1.1\r\nHost: h\r\n" CLOSE,
		"|Other.example:81|/p|q|");
	expect(rung_run(tell), "GET http://other?q HTTP/1.1\r\nHost: h\r\n" CLOSE, "|other|/|q|");
	expect(rung_run(tell), "OPTIONS * HTTP/1.1\r\nHost: h\r\n" CLOSE, "OPTIONS|http|h|*||");
	expect(rung_run(tell), "GET /old HTTP/1.0\r\n\r\n", "|/old||HTTP/1.0|");
}

Test(server, five_hundred_arguments_are_no_trouble)
{
	char request[8192] = "GET /?";
	size_t at = strlen(request);

	for (int i = 0; i < 500; i++)
		at += (size_t)sprintf(request + at, "a%d=b&", i);
	strcpy(request + at, " HTTP/1.1\r\nHost: h\r\n" CLOSE);
	expect(rung_run(tell), request, "a498=b&a499=b&|HTTP/1.1");
}

Test(server, refuses_what_is_no_request)
{
	static const struct {
		const char *request, *answer;
	} cases[] = {
		{ "GET / HTTP/1.1\r\n\r\n", "400 Bad Request" },
		{ "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "more than one Host field" },
		{ "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "the Host field is no host" },
		{ "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "the Host field is no host" },
		{ "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "the Host field is no host" },
		{ "GET x HTTP/1.1\r\nHost: a\r\n\r\n", "the request target is not valid" },
		{ "GET * HTTP/1.1\r\nHost: a\r\n\r\n", "the request target is not valid" },
		{ "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", "the request target is not valid" },
		{ "GET /a\x01 HTTP/1.1\r\nHost: a\r\n\r\n", "the request target is not valid" },
		{ "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", "400" },
		{ "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", "the method is no token" },
		{ "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "501 Not Implemented" },
	};
	struct rung_server *server = test_server(rung_run(tell), plain);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *answer = test_send(server, cases[i].request);

		cr_assert(strstr(answer, cases[i].answer), "%s -> %s", cases[i].request, answer);
		ASSERT_HAS(answer, "Connection: close");
		free(answer);
	}
	rung_server_destroy(server);
}

Test(server, keeps_connections_and_answers_in_order)
{
	struct rung_server *server = test_server(rung_run(tell), plain);
	char *answer =
		test_send(server, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nHEAD /2 HTTP/1.1\r\nHost: h\r\n\r\n"
				  "POST /3 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
				  "GET /4 HTTP/1.1\r\nHost: h\r\n\r\n");
	const char *one = strstr(answer, "|/1|"), *three = strstr(answer, "|/3||HTTP/1.1|3:abc|"),
		   *four = strstr(answer, "|/4|");

	cr_assert(one && three && four && one < three && three < four, "%s", answer);
	cr_assert_null(strstr(answer, "|/2|"));
	free(answer);
	rung_server_destroy(server);
}

/* -- bodies of requests ------------------------------------------------------------------------------------------ */

Test(server, takes_bodies_by_length_and_chunked)
{
	expect(rung_run(tell), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n" CLOSE "hello",
		"|5:hello|");
	expect(rung_run(tell),
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n" CLOSE
		"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
		"|5:hello|");
	expect(rung_run(tell), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n" CLOSE, "|0:|");
}

static char *post_of(size_t size, size_t *ret_size)
{
	char *request = malloc(size + 256);
	int at = sprintf(request,
		"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", size);

	memset(request + at, 'x', size);
	*ret_size = (size_t)at + size;
	return request;
}

Test(server, a_body_at_the_limit_passes_and_one_byte_more_is_413)
{
	struct rung_server_options options = { .limits.body = 100000 };
	struct rung_server *server = test_server(rung_run(tell), options);
	size_t size;
	char *request = post_of(100000, &size);
	char *answer = test_exchange(server, request, size, NULL);

	ASSERT_HAS(answer, "|100000:xxxx");
	free(answer);
	free(request);
	request = post_of(100001, &size);
	/* Only the head is sent: the answer does not wait for the body. */
	answer = test_exchange(server, request, size - 100001, NULL);
	ASSERT_HAS(answer, "413 ");
	ASSERT_HAS(answer, "larger than this server takes");
	free(answer);
	free(request);
	rung_server_destroy(server);
}

Test(server, a_length_beyond_all_numbers_is_413_or_400)
{
	struct rung_server *server = test_server(rung_run(tell), plain);
	char *answer = test_send(
		server, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9223372036854775807\r\n\r\n");

	ASSERT_HAS(answer, " 413 ");
	free(answer);
	rung_server_destroy(server);
}

Test(server, a_chunked_body_past_the_limit_is_413)
{
	struct rung_server_options options = { .limits.body = 1000 };
	struct rung_server *server = test_server(rung_run(tell), options);
	char request[4096];
	int at = sprintf(
		request, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", 2000);

	memset(request + at, 'x', 2000);
	strcpy(request + at + 2000, "\r\n0\r\n\r\n");
	char *answer = test_exchange(server, request, (size_t)at + 2007, NULL);
	ASSERT_HAS(answer, " 413 ");
	free(answer);
	rung_server_destroy(server);
}

Test(server, expect_continue_is_answered_and_refusal_comes_without_it)
{
	struct rung_server_options options = { .limits.body = 10 };
	struct rung_server *server = test_server(rung_run(tell), options);
	int fd = test_connect(server);
	const char *head = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";

	cr_assert(send(fd, head, strlen(head), 0) > 0);
	char *answer = test_read(fd, 200, NULL);
	ASSERT_HAS(answer, "HTTP/1.1 100 Continue");
	free(answer);
	cr_assert(send(fd, "body", 4, 0) == 4);
	answer = test_read(fd, 200, NULL);
	ASSERT_HAS(answer, "|4:body|");
	free(answer);
	close(fd);
	answer = test_send(
		server, "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n");
	ASSERT_HAS(answer, "413 ");
	cr_assert_null(strstr(answer, "100 Continue"));
	free(answer);
	rung_server_destroy(server);
}

/* -- files ------------------------------------------------------------------------------------------------------- */

#define GET_TAIL " / HTTP/1.1\r\nHost: h\r\n" CLOSE
#define GET      "GET" GET_TAIL

static char file_path[64];

static void make_file(size_t size)
{
	strcpy(file_path, "/tmp/rung-test-XXXXXX");
	int fd = mkstemp(file_path);
	FILE *file = fdopen(fd, "wb");

	cr_assert_not_null(file);
	for (size_t i = 0; i < size; i++)
		fputc((int)(i * 31 % 251), file);
	fclose(file);
}

static int send_file(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_file(res, 200, "application/x-test", file_path);
}

static int send_part(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	res->status = 206;
	return rung_body_file(res, open(file_path, O_RDONLY | O_CLOEXEC), 1000, 70000, NULL);
}

static void expect_bytes(const char *answer, size_t size, size_t from, size_t count)
{
	const char *body = strstr(answer, "\r\n\r\n");

	cr_assert(body && size - (size_t)(body + 4 - answer) == count, "%zu bytes came", size);
	for (size_t i = 0; i < count; i++)
		cr_assert((unsigned char)body[4 + i] == (from + i) * 31 % 251, "byte %zu is wrong", i);
}

Test(server, sends_files_of_all_sizes)
{
	static const size_t sizes[] = { 0, 1, 65535, 65536, 65537, 3000000 };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t size;
		char length[64];

		make_file(sizes[i]);
		struct rung_server *server = test_server(rung_run(send_file), plain);
		char *answer = test_exchange(server, GET, strlen(GET), &size);
		sprintf(length, "Content-Length: %zu\r\n", sizes[i]);
		ASSERT_HAS(answer, length);
		expect_bytes(answer, size, 0, sizes[i]);
		free(answer);
		answer = test_exchange(server, "HEAD" GET_TAIL, strlen("HEAD" GET_TAIL), &size);
		ASSERT_HAS(answer, length);
		cr_assert(strcmp(strstr(answer, "\r\n\r\n"), "\r\n\r\n") == 0);
		free(answer);
		rung_server_destroy(server);
		unlink(file_path);
	}
}

Test(server, sends_a_part_of_a_file)
{
	size_t size;

	make_file(100000);
	struct rung_server *server = test_server(rung_run(send_part), plain);
	char *answer = test_exchange(server, GET, strlen(GET), &size);
	ASSERT_HAS(answer, "206 Partial Content");
	expect_bytes(answer, size, 1000, 70000);
	free(answer);
	rung_server_destroy(server);
	unlink(file_path);
}

static int send_short(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	res->status = 200;
	return rung_body_file(res, open(file_path, O_RDONLY | O_CLOEXEC), 0, 2000, NULL);
}

Test(server, a_small_file_that_is_shorter_than_said_is_a_500)
{
	make_file(1000);
	struct rung_server *server = test_server(rung_run(send_short), plain);
	char *answer = test_send(server, "GET / HTTP/1.1\r\nHost: h\r\n" CLOSE);
	ASSERT_HAS(answer, "500 Internal Server Error");
	ASSERT_HAS(test_log(), "the answer could not be sent");
	free(answer);
	rung_server_destroy(server);
	unlink(file_path);
}

/* -- streams ----------------------------------------------------------------------------------------------------- */

struct stream {
	struct rung_source source;
	int pieces;  /* still to come */
	int not_yet; /* how often to say so before each */
	int waited;
	int fail_at; /* pieces left at which it fails; -1: never */
};

static atomic_int closed;

static ssize_t stream_read(struct rung_source *source, void *buffer, size_t max)
{
	struct stream *stream = (struct stream *)source;

	if (stream->waited < stream->not_yet) {
		stream->waited++;
		return -EAGAIN;
	}
	stream->waited = 0;
	if (stream->pieces == stream->fail_at)
		return -EIO;
	if (stream->pieces == 0)
		return 0;
	cr_assert(max >= 6);
	memcpy(buffer, "piece\n", 6);
	stream->pieces--;
	return 6;
}

static void stream_close(struct rung_source *source)
{
	(void)source;
	atomic_fetch_add(&closed, 1);
}

static atomic_int finished_as, finished_bytes;

static void note_finish(const struct rung_env *env, const struct rung_finish *finish, void *data)
{
	(void)env, (void)data;
	atomic_store(&finished_bytes, (int)finish->bytes);
	atomic_store(&finished_as, (int)finish->outcome + 1);
}

static int reply_stream(struct rung_env *env, struct rung_response *res, struct stream how, int64_t size)
{
	struct stream *stream = rung_alloc(env, sizeof *stream);

	*stream = how;
	stream->source = (struct rung_source){ .read = stream_read, .close = stream_close };
	rung_on_finish(env, note_finish, NULL);
	return rung_reply_pull(res, 200, "text/plain", &stream->source, size);
}

static int three(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return reply_stream(env, res, (struct stream){ .pieces = 3, .fail_at = -1 }, -1);
}

static int three_slow(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return reply_stream(env, res, (struct stream){ .pieces = 3, .not_yet = 3, .fail_at = -1 }, -1);
}

static int three_known(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return reply_stream(env, res, (struct stream){ .pieces = 3, .fail_at = -1 }, 18);
}

static int three_of_five(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return reply_stream(env, res, (struct stream){ .pieces = 3, .fail_at = -1 }, 30);
}

static int broken(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return reply_stream(env, res, (struct stream){ .pieces = 3, .fail_at = 1 }, -1);
}

static int endless(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return reply_stream(env, res, (struct stream){ .pieces = -1, .fail_at = 1000000 }, -1);
}

static int slow_endless(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return reply_stream(env, res, (struct stream){ .pieces = -1, .not_yet = 1, .fail_at = 1000000 }, -1);
}

static char *stream_answer(rung_call_fn call, const char *request)
{
	atomic_store(&closed, 0);
	atomic_store(&finished_as, 0);
	struct rung_server *server = test_server(rung_run(call), plain);
	char *answer = test_send(server, request);

	rung_server_destroy(server);
	ASSERT_INT(atomic_load(&closed), 1);
	return answer;
}

#define GET_STREAM "GET / HTTP/1.1\r\nHost: h\r\n" CLOSE

Test(server, streams_of_unknown_length_are_chunked)
{
	char *answer = stream_answer(three, GET_STREAM);

	ASSERT_HAS(answer, "Transfer-Encoding: chunked");
	ASSERT_HAS(answer, "6\r\npiece\n\r\n6\r\npiece\n\r\n6\r\npiece\n\r\n0\r\n\r\n");
	ASSERT_INT(atomic_load(&finished_as), RUNG_SENT + 1);
	ASSERT_INT(atomic_load(&finished_bytes), 18);
	free(answer);
	answer = stream_answer(three_slow, GET_STREAM);
	ASSERT_HAS(answer, "0\r\n\r\n");
	ASSERT_INT(atomic_load(&finished_bytes), 18);
	free(answer);
}

Test(server, http_1_0_gets_a_stream_until_close)
{
	char *answer = stream_answer(three, "GET / HTTP/1.0\r\n\r\n");

	cr_assert_null(strstr(answer, "chunked"));
	ASSERT_HAS(answer, "\r\n\r\npiece\npiece\npiece\n");
	free(answer);
}

Test(server, streams_of_known_length_have_it)
{
	char *answer = stream_answer(three_known, GET_STREAM);

	ASSERT_HAS(answer, "Content-Length: 18\r\n");
	ASSERT_HAS(answer, "\r\n\r\npiece\npiece\npiece\n");
	ASSERT_INT(atomic_load(&finished_as), RUNG_SENT + 1);
	free(answer);
}

Test(server, a_stream_that_ends_early_or_fails_is_cut)
{
	char *answer = stream_answer(three_of_five, GET_STREAM);

	ASSERT_HAS(answer, "Content-Length: 30\r\n");
	ASSERT_INT(atomic_load(&finished_as), RUNG_BROKEN + 1);
	ASSERT_HAS(test_log(), "ended before its announced length");
	free(answer);
	test_log_clear();
	answer = stream_answer(broken, GET_STREAM);
	cr_assert_null(strstr(answer, "0\r\n\r\n"));
	ASSERT_INT(atomic_load(&finished_as), RUNG_BROKEN + 1);
	ASSERT_INT(atomic_load(&finished_bytes), 12);
	ASSERT_HAS(test_log(), "Input/output error after 12 bytes");
	free(answer);
}

Test(server, head_of_a_stream_does_not_spoil_the_connection)
{
	struct rung_server *server = test_server(rung_run(three), plain);
	char *answer = test_send(server, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
	const char *end = strstr(answer, "\r\n\r\n");

	cr_assert(end && end[4] == '\0', "%s", answer);
	cr_assert_null(strstr(answer, "Content-Length"));
	free(answer);
	rung_server_destroy(server);
	server = test_server(rung_run(three_known), plain);
	answer = test_send(server, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
	ASSERT_HAS(answer, "Content-Length: 18\r\n");
	end = strstr(answer, "\r\n\r\n");
	cr_assert(end && end[4] == '\0', "%s", answer);
	free(answer);
	rung_server_destroy(server);
}

static void wait_for(atomic_int *what, int least)
{
	for (int i = 0; i < 300 && atomic_load(what) < least; i++)
		usleep(10000);
	cr_assert(atomic_load(what) >= least, "it did not happen within 3 s");
}

Test(server, a_client_that_leaves_ends_the_stream)
{
	static const rung_call_fn kinds[] = { endless, slow_endless };

	for (size_t i = 0; i < 2; i++) {
		atomic_store(&closed, 0);
		atomic_store(&finished_as, 0);
		struct rung_server *server = test_server(rung_run(kinds[i]), plain);
		int fd = test_connect(server);
		char some[64];

		cr_assert(send(fd, GET_STREAM, strlen(GET_STREAM), 0) > 0);
		cr_assert(recv(fd, some, sizeof some, 0) > 0);
		close(fd);
		wait_for(&finished_as, RUNG_ABORTED + 1);
		ASSERT_INT(atomic_load(&finished_as), RUNG_ABORTED + 1);
		ASSERT_INT(atomic_load(&closed), 1);
		rung_server_destroy(server);
	}
}

/* -- heads of answers -------------------------------------------------------------------------------------------- */

static int odd_fields(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	rung_header(res, "X-Empty", "");
	rung_header_add(res, "Set-Cookie", "a=1");
	rung_header_add(res, "Set-Cookie", "b=2");
	rung_header(res, "x-SPELLING", "kept");
	return rung_reply_empty(res, 299);
}

Test(server, fields_keep_order_spelling_and_number)
{
	struct rung_server *server = test_server(rung_run(odd_fields), plain);
	char *answer = test_send(server, "GET / HTTP/1.1\r\nHost: h\r\n" CLOSE);

	ASSERT_HAS(answer, "HTTP/1.1 299 ");
	ASSERT_HAS(answer, "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nx-SPELLING: kept\r\n");
	ASSERT_HAS(answer, "X-Empty: ");
	free(answer);
	rung_server_destroy(server);
}

static int huge_head(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	char value[1000];

	(void)self;
	memset(value, 'v', sizeof value - 1);
	value[sizeof value - 1] = '\0';
	for (int i = 0; i < atoi(env->query); i++)
		rung_header_add(res, "X-Large", value);
	return rung_reply_text(res, 200, "made it");
}

Test(server, a_head_that_does_not_fit_is_a_500_and_never_a_silent_close)
{
	struct rung_server *server = test_server(rung_run(huge_head), plain);

	for (int kilobytes = 1; kilobytes <= 20; kilobytes++) {
		char request[128];

		sprintf(request, "GET /?%d HTTP/1.1\r\nHost: h\r\n" CLOSE, kilobytes);
		char *answer = test_send(server, request);
		cr_assert(strstr(answer, " 200 OK") || strstr(answer, " 500 "), "%d KB: \"%.40s\"", kilobytes,
			answer);
		cr_assert(kilobytes > 8 || strstr(answer, "made it"), "%d KB did not fit", kilobytes);
		free(answer);
	}
	ASSERT_HAS(test_log(), "its head is larger than the connection's memory");
	rung_server_destroy(server);
}

static int no_content(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return rung_reply_empty(res, atoi(env->query));
}

Test(server, statuses_without_content_have_none)
{
	struct rung_server *server = test_server(rung_run(no_content), plain);
	char *answer = test_send(server,
		"GET /?204 HTTP/1.1\r\nHost: h\r\n\r\nGET /?304 HTTP/1.1\r\nHost: h\r\n\r\n"
		"GET /?205 HTTP/1.1\r\nHost: h\r\n\r\nGET /?200 HTTP/1.1\r\nHost: h\r\n\r\n");

	ASSERT_HAS(answer, "HTTP/1.1 204 No Content\r\n");
	ASSERT_HAS(answer, "HTTP/1.1 304 Not Modified\r\n");
	ASSERT_HAS(answer, "HTTP/1.1 205 Reset Content\r\n");
	ASSERT_HAS(answer, "HTTP/1.1 200 OK\r\n");
	free(answer);
	rung_server_destroy(server);
}

static int not_modified(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_header(res, "Content-Length", env->query);
	return rung_reply_empty(res, 304);
}

/* Of a 304 the length is that of the 200 it stands for (RFC 9110 section 8.6); bytes do not follow. */
Test(server, a_304_has_the_length_that_its_app_gives)
{
	struct rung_server *server = test_server(rung_run(not_modified), plain);
	char *answer = test_send(server,
		"GET /?12345 HTTP/1.1\r\nHost: h\r\n\r\nHEAD /?12346 HTTP/1.1\r\nHost: h\r\n\r\n"
		"GET /?0 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	const char *second = strstr(answer, "\r\nContent-Length: 12345\r\n\r\nHTTP/1.1 304 ");

	cr_assert(second, "%s", answer);
	const char *third = strstr(second, "\r\nContent-Length: 12346\r\n\r\nHTTP/1.1 304 ");
	cr_assert(third, "%s", answer);
	const char *end = strstr(third, "\r\nContent-Length: 0\r\n\r\n");
	cr_assert(end && end[23] == '\0', "%s", answer);
	free(answer);
	rung_server_destroy(server);
}

static int set_connection(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_header(res, "connection", env->query);
	return rung_reply_text(res, 200, "text");
}

Test(server, an_app_may_say_what_becomes_of_the_connection)
{
	struct rung_server *server = test_server(rung_run(set_connection), plain);
	char *answer = test_send(server,
		"GET /?keep-alive HTTP/1.1\r\nHost: h\r\n\r\n"
		"GET /?Keep-Alive,keep-alive HTTP/1.1\r\nHost: h\r\n\r\n"
		"GET /?close HTTP/1.1\r\nHost: h\r\n\r\nGET /?never-asked HTTP/1.1\r\nHost: h\r\n\r\n");
	const char *at = answer;

	for (int i = 0; i < 3; i++) {
		at = strstr(at, "HTTP/1.1 200 OK\r\n");
		cr_assert(at != NULL, "answer %d: %s", i, answer);
		at++;
	}
	cr_assert_null(strstr(at, "HTTP/1.1"), "closed after the third: %s", answer);
	ASSERT_HAS(at, "Connection: close\r\n");
	free(answer);
	rung_server_destroy(server);
}

/* Lint would find it first. */
Test(server, an_interim_status_is_no_answer)
{
	const struct rung_setup unlinted = { .size = sizeof unlinted, .probes = test_no_probes };
	struct rung_server *server =
		test_server(rung_run(no_content), (struct rung_server_options){ .setup = &unlinted });
	char *answer = test_send(
		server, "GET /?103 HTTP/1.1\r\nHost: h\r\n\r\nGET /?200 HTTP/1.1\r\nHost: h\r\n\r\n");

	ASSERT_HAS(answer, "HTTP/1.1 500 ");
	ASSERT_HAS(answer, "HTTP/1.1 200 OK\r\n");
	ASSERT_HAS(test_log(), "status 103; use 200 to 999");
	free(answer);
	rung_server_destroy(server);
}

static int give(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_uri_raw(res, 200, "http://files.internal/x");
}

Test(server, emission_on_the_wire)
{
	struct rung_server *server =
		test_server(rung_stack(rung_reproxy(.server = RUNG_SERVER_NGINX), rung_run(give)), plain);
	char *answer = test_send(server, "GET / HTTP/1.1\r\nHost: h\r\n" CLOSE);

	ASSERT_HAS(answer, "Content-Length: 0\r\n");
	ASSERT_HAS(answer, "X-Accel-Redirect: /reproxy\r\n");
	ASSERT_HAS(answer, "X-Reproxy-Url: http://files.internal/x\r\n");
	free(answer);
	rung_server_destroy(server);
	/* lighttpd 1.5 acts on a chunked answer alone. */
	server = test_server(rung_stack(rung_reproxy(.server = RUNG_SERVER_LIGHTTPD), rung_run(give)), plain);
	answer = test_send(server, "GET / HTTP/1.1\r\nHost: h\r\n" CLOSE);
	ASSERT_HAS(answer, "Transfer-Encoding: chunked\r\n");
	ASSERT_HAS(answer, "\r\n\r\n0\r\n\r\n");
	ASSERT_HAS(answer, "X-Rewrite-URI: /x\r\n");
	free(answer);
	rung_server_destroy(server);
}

/* -- draining ---------------------------------------------------------------------------------------------------- */

static void *destroy(void *server)
{
	return (void *)(uintptr_t)rung_server_destroy(server);
}

static double seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

static int slow_thirty(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return reply_stream(env, res, (struct stream){ .pieces = 30, .not_yet = 1, .fail_at = -1 }, 180);
}

Test(server, a_stop_closes_idle_connections_and_finishes_what_is_in_flight)
{
	struct rung_server *server = test_server(rung_run(slow_thirty), plain);
	int idle = test_connect(server), used = test_connect(server), busy = test_connect(server);
	const char *request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
	struct timespec start;
	pthread_t thread;
	void *cut;
	char byte;

	cr_assert(send(used, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", strlen(request), 0) > 0);
	free(test_read(used, 700, NULL));
	cr_assert(send(busy, request, strlen(request), 0) > 0);
	usleep(50000);
	clock_gettime(CLOCK_MONOTONIC, &start);
	cr_assert(pthread_create(&thread, NULL, destroy, server) == 0);
	char *answer = test_read(busy, 3000, NULL);
	const char *body = strstr(answer, "\r\n\r\n");
	cr_assert(body && strlen(body + 4) == 180, "cut: %s", answer);
	free(answer);
	ASSERT_INT(recv(idle, &byte, 1, 0), 0);
	ASSERT_INT(recv(used, &byte, 1, 0), 0);
	pthread_join(thread, &cut);
	ASSERT_INT((uintptr_t)cut, 0);
	cr_assert(seconds_since(&start) < 5, "it waited for the deadline");
	close(idle);
	close(used);
	close(busy);
}

Test(server, the_deadline_cuts_what_does_not_end)
{
	struct rung_server_options options = { .limits.drain_seconds = 1 };
	struct rung_server *server = test_server(rung_run(slow_endless), options);
	int fd = test_connect(server);
	struct timespec start;

	atomic_store(&closed, 0);
	atomic_store(&finished_as, 0);
	cr_assert(send(fd, GET_STREAM, strlen(GET_STREAM), 0) > 0);
	usleep(100000);
	clock_gettime(CLOCK_MONOTONIC, &start);
	ASSERT_INT(rung_server_destroy(server), 1);
	cr_assert(seconds_since(&start) < 4);
	ASSERT_INT(atomic_load(&closed), 1);
	ASSERT_INT(atomic_load(&finished_as), RUNG_ABORTED + 1);
	close(fd);
}

Test(server, no_connection_is_taken_after_a_stop)
{
	struct rung_server *server = test_server(rung_run(tell), plain);
	struct rung_server *other;
	unsigned port = rung_server_port(server);

	rung_server_destroy(server);
	struct rung_server_options options = { .port = port };
	other = test_server(rung_run(tell), options); /* the port is free again */
	ASSERT_INT(rung_server_port(other), port);
	rung_server_destroy(other);
}

/* -- listening --------------------------------------------------------------------------------------------------- */

Test(server, a_port_in_use_is_refused)
{
	struct rung_server *server = test_server(rung_run(tell), (struct rung_server_options){ .loops = 2 });
	unsigned port = rung_server_port(server);

	cr_assert_null(rung_server_new(rung_run(tell), .port = port, .loops = 2));
	ASSERT_HAS(rung_error(), "is in use; stop what listens there, or choose another");
	rung_server_destroy(server);
}

Test(server, bad_options_are_refused)
{
	cr_assert_null(rung_server_new(rung_run(tell), .bind = "example.org"));
	ASSERT_HAS(rung_error(), "\"example.org\" is no numeric address");
	cr_assert_null(rung_server_new(rung_run(tell), .port = 65536));
	ASSERT_HAS(rung_error(), "there is no port 65536");
	cr_assert_null(rung_server_new(rung_run(tell), .loops = 5000));
	ASSERT_HAS(rung_error(), "5000 loops");
	cr_assert_null(rung_server_new(rung_run(tell), .limits.body = -2));
	ASSERT_HAS(rung_error(), "negative body limit");
	cr_assert_null(rung_server_new(rung_run(tell), .limits.connection_memory = 100));
	ASSERT_HAS(rung_error(), "connection memory");
	cr_assert_null(rung_server_new(NULL));
	ASSERT_HAS(rung_error(), "NULL");
}

Test(server, ipv6_and_its_authority)
{
	struct rung_server *server = rung_server_new(rung_run(tell), .bind = "::1", .loops = 1);

	if (!server) {
		/* A machine without IPv6: then the refusal must say so. */
		ASSERT_HAS(rung_error(), "cannot listen on ::1");
		return;
	}
	ASSERT_HAS(rung_server_url(server), "http://[::1]:");
	rung_server_destroy(server);
}

static atomic_int served;

static int count(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	atomic_fetch_add(&served, 1);
	return tell(self, env, res);
}

static void *twenty_connections(void *server)
{
	for (int i = 0; i < 20; i++) {
		char *answer = test_send(server, "GET /x HTTP/1.1\r\nHost: h\r\n" CLOSE);

		ASSERT_HAS(answer, "|/x|");
		free(answer);
	}
	return NULL;
}

Test(server, several_loops_serve_several_clients)
{
	struct rung_server *server = test_server(rung_run(count), (struct rung_server_options){ .loops = 3 });
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		cr_assert(pthread_create(&threads[i], NULL, twenty_connections, server) == 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ASSERT_INT(atomic_load(&served), 80);
	rung_server_destroy(server);
}
