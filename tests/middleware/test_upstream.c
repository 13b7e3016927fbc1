/* test_upstream.c: requests that are forwarded: what the backend sees, and what the client gets, in-process, over real sockets. */
#include "backend.h"

#include <rung/upstream.h>

#include <errno.h>
#include <unistd.h>

SUITE(upstream);

#define OK "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n"

static struct rung_client *client_of(struct backend *backend)
{
	return test_client(rung_upstream(.to = backend->url));
}

Test(upstream, an_answer_comes_back)
{
	struct backend *backend = backend_start(backend_answer, OK);
	struct rung_client *client = client_of(backend);
	const struct rung_reply *reply = rung_client_get(client, "/a/b?c=d");

	ASSERT_INT(reply->status, 200);
	ASSERT_STR(reply->body, "hello\n");
	ASSERT_STR(rung_reply_header(reply, "Content-Type"), "text/plain");
	ASSERT_STR(rung_reply_header(reply, "Content-Length"), "6");
	char *seen = backend_seen(backend);
	ASSERT_HAS(seen, "GET /a/b?c=d HTTP/1.1\r\n");
	free(seen);
	rung_client_destroy(client);
	backend_stop(backend);
}

Test(upstream, connections_are_kept)
{
	struct backend *backend = backend_start(backend_answer, OK);
	struct rung_client *client = client_of(backend);

	for (int i = 0; i < 20; i++)
		ASSERT_INT(rung_client_get(client, "/")->status, 200);
	ASSERT_INT(atomic_load(&backend->connections), 1);
	ASSERT_INT(atomic_load(&backend->requests), 20);
	rung_client_destroy(client);
	backend_stop(backend);
}

static struct rung_client *client_with(struct rung_upstream_options options)
{
	options.size = sizeof options;
	return test_client(rung_upstream_new(&options));
}

/* What the backend saw of a request with these fields. To be freed. */
static char *seen_with(struct rung_upstream_options options, const struct rung_field *fields)
{
	struct backend *backend = backend_start(backend_answer, OK);

	options.to = backend->url;
	struct rung_client *client = client_with(options);
	const struct rung_reply *reply = rung_client_send(client, .target = "/x", .headers = fields);
	ASSERT_INT(reply->status, 200);
	char *seen = backend_seen(backend);
	rung_client_destroy(client);
	backend_stop(backend);
	return seen;
}

#define FIELDS(...)                  \
	(const struct rung_field[])  \
	{                            \
		__VA_ARGS__,         \
		{                    \
			.name = NULL \
		}                    \
	}

static void expect_lines(const char *seen, const char *const *lines)
{
	for (; *lines; lines++)
		ASSERT_HAS(seen, *lines);
}

static void expect_none(const char *seen, const char *const *parts)
{
	for (; *parts; parts++)
		cr_assert(!strcasestr(seen, *parts), "%s is in %s", *parts, seen);
}

#define LINES(...)                \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}

Test(upstream, fields_are_passed_on_as_they_are)
{
	char *seen = seen_with((struct rung_upstream_options){ 0 },
		FIELDS({ .name = "X-One", .value = "1" }, { .name = "x-two", .value = "a" },
			{ .name = "x-two", .value = "b" }, { .name = "X-Empty", .value = "" },
			{ .name = "Cookie", .value = "a=b; c=d" },
			{ .name = "Range", .value = "bytes=0-1" }));

	expect_lines(
		seen, LINES("\r\nX-One: 1\r\n", "\r\nx-two: a\r\n", "\r\nx-two: b\r\n", "\r\nX-Empty:\r\n",
			      "\r\nCookie: a=b; c=d\r\n", "\r\nRange: bytes=0-1\r\n"));
	/* What libcurl would add by itself. */
	expect_none(seen, LINES("\r\nAccept:", "\r\nUser-Agent:", "\r\nExpect:", "\r\nAccept-Encoding:"));
	free(seen);
}

Test(upstream, what_is_between_two_is_not_passed_on)
{
	char *seen = seen_with((struct rung_upstream_options){ 0 },
		FIELDS({ .name = "Connection", .value = "close, X-Secret , \"q\"" },
			{ .name = "connection", .value = "x-other" }, { .name = "X-SECRET", .value = "v1" },
			{ .name = "X-Other", .value = "v2" }, { .name = "Keep-Alive", .value = "timeout=5" },
			{ .name = "Proxy-Authorization", .value = "Basic eDp5" },
			{ .name = "Proxy-Connection", .value = "keep-alive" },
			{ .name = "TE", .value = "trailers" }, { .name = "Trailer", .value = "X" },
			{ .name = "Upgrade", .value = "websocket" }, { .name = "Accept", .value = "*/*" }));

	expect_none(seen, LINES("Connection:", "secret", "other", "keep-alive", "Proxy-",
				  "\r\nTE:", "Trailer", "Upgrade"));
	ASSERT_HAS(seen, "\r\nAccept: */*\r\n");
	free(seen);
}

Test(upstream, the_backend_is_told_of_the_client)
{
	const struct rung_field *spoofed = FIELDS({ .name = "Host", .value = "public.example:8443" },
		{ .name = "Forwarded", .value = "for=6.6.6.6" },
		{ .name = "X-Forwarded-For", .value = "6.6.6.6" },
		{ .name = "x-forwarded-PROTO", .value = "https" },
		{ .name = "X_Forwarded_Host", .value = "evil" },
		{ .name = "X-Forwarded-Prefix", .value = "/evil" },
		{ .name = "X-Real-IP", .value = "6.6.6.6" });
	char *seen = seen_with((struct rung_upstream_options){ 0 }, spoofed);

	expect_lines(seen,
		LINES("\r\nX-Forwarded-Proto: http\r\n", "\r\nX-Forwarded-Host: public.example:8443\r\n",
			"\r\nForwarded: for=unknown;host=\"public.example:8443\";proto=http\r\n"));
	expect_none(seen, LINES("6.6.6.6", "evil", "https"));
	free(seen);
	seen = seen_with((struct rung_upstream_options){ .trust_forwarded = true }, spoofed);
	expect_lines(
		seen, LINES("\r\nForwarded: for=6.6.6.6, for=unknown;host=",
			      "\r\nX-Forwarded-For: 6.6.6.6, unknown\r\n", "\r\nX-Forwarded-Proto: https\r\n",
			      "\r\nX-Real-IP: 6.6.6.6\r\n", "\r\nX-Forwarded-Prefix: /evil\r\n"));
	free(seen);
	seen = seen_with((struct rung_upstream_options){ .no_forwarded = true }, spoofed);
	expect_none(seen, LINES("orwarded", "6.6.6.6", "X-Real-IP"));
	free(seen);
	/* What another layer has written is passed on as it is. */
	seen = seen_with(
		(struct rung_upstream_options){ .trust_forwarded = true, .no_forwarded = true }, spoofed);
	expect_lines(seen, LINES("\r\nForwarded: for=6.6.6.6\r\n", "\r\nX-Forwarded-For: 6.6.6.6\r\n",
				   "\r\nx-forwarded-PROTO: https\r\n", "\r\nX-Real-IP: 6.6.6.6\r\n"));
	expect_none(seen, LINES("unknown", "X-Forwarded-Host:"));
	free(seen);
}

Test(upstream, host_is_the_backends_or_the_clients)
{
	const struct rung_field *host = FIELDS({ .name = "Host", .value = "public.example" });
	char *seen = seen_with((struct rung_upstream_options){ 0 }, host);

	ASSERT_HAS(seen, "\r\nHost: 127.0.0.1:");
	free(seen);
	seen = seen_with((struct rung_upstream_options){ .pass_host = true }, host);
	ASSERT_HAS(seen, "\r\nHost: public.example\r\n");
	free(seen);
}

/* -- targets --------------------------------------------------------------------------------------------------------- */

static void expect_target(const char *path, const char *mount, const char *target, const char *expected)
{
	struct backend *backend = backend_start(backend_answer, OK);
	char url[256], line[512];

	snprintf(url, sizeof url, "%s%s", backend->url, path);
	struct rung_app *app = rung_upstream(.to = url);
	if (mount)
		app = rung_routes(rung_mount(mount, app));
	struct rung_client *client = test_client(app);
	ASSERT_INT(rung_client_get(client, target)->status, 200);
	char *seen = backend_seen(backend);
	snprintf(line, sizeof line, "GET %s HTTP/1.1\r\n", expected);
	ASSERT_HAS(seen, line);
	free(seen);
	rung_client_destroy(client);
	backend_stop(backend);
}

Test(upstream, targets_are_sent_as_they_came)
{
	expect_target("", NULL, "/", "/");
	expect_target(
		"", NULL, "/a%2Fb/%7e|\xc3\xa9//c?x=%20&y=a/../b", "/a%2Fb/%7e|\xc3\xa9//c?x=%20&y=a/../b");
	expect_target("", NULL, "/a/../b/./c", "/a/../b/./c");
	expect_target("", "/api", "/api/x?y", "/api/x?y");
	expect_target("", "/api", "/api", "/api");
	expect_target("/", "/api", "/api/x?y", "/x?y");
	expect_target("/", "/api", "/api", "/");
	expect_target("/v2", "/api", "/api/x", "/v2/x");
	expect_target("/v2/", NULL, "/x..y/...", "/v2/x..y/...");
}

Test(upstream, no_step_leads_out_of_where_it_is_mounted)
{
	static const char *const targets[] = { "/api/../admin", "/api/a/%2e%2E/../x", "/api/..",
		"/api/..;x/y", "/api/.%2e/y" };
	struct backend *backend = backend_start(backend_answer, OK);
	struct rung_client *client =
		test_client(rung_routes(rung_mount("/api", rung_upstream(.to = backend->url))));

	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
		ASSERT_INT(rung_client_get(client, targets[i])->status, 400);
	ASSERT_INT(atomic_load(&backend->requests), 0);
	rung_client_destroy(client);
	backend_stop(backend);
}

/* -- methods and bodies ---------------------------------------------------------------------------------------------- */

static const struct rung_reply *send_body(
	struct rung_client *client, const char *method, const char *body, size_t size)
{
	return rung_client_send(client, .method = method, .target = "/", .body = body, .body_size = size);
}

Test(upstream, methods_and_bodies_are_passed_on)
{
	static const char *const methods[] = { "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND",
		"GET", "X-METHOD-THAT-IS-LONGER-THAN-MOST-METHODS-ARE", "GET", "POST" };
	struct backend *backend = backend_start(backend_echo, NULL);
	struct rung_client *client = client_of(backend);
	char line[128];

	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		snprintf(line, sizeof line, "%s / HTTP/1.1\r\n", methods[i]);
		const struct rung_reply *reply =
			rung_client_send(client, .method = methods[i], .target = "/");
		ASSERT_INT(reply->status, 200);
		cr_assert(strncmp(reply->body, line, strlen(line)) == 0, "%s", reply->body);
		bool has_length = strstr(reply->body, "\r\nContent-Length: 0\r\n");
		ASSERT_INT(has_length, methods[i][0] == 'P' && strcmp(methods[i], "PROPFIND") != 0);
		cr_assert(!strcasestr(reply->body, "Transfer-Encoding"));
		reply = send_body(client, methods[i], "some\0body", 9);
		cr_assert(strncmp(reply->body, line, strlen(line)) == 0, "%s", reply->body);
		ASSERT_HAS(reply->body, "\r\nContent-Length: 9\r\n");
		ASSERT_INT(backend->seen_body, 9);
		cr_assert(memcmp(backend->body, "some\0body", 9) == 0);
	}
	rung_client_destroy(client);
	backend_stop(backend);
}

Test(upstream, the_client_s_expectation_is_not_passed_on)
{
	char *seen = seen_with(
		(struct rung_upstream_options){ 0 }, FIELDS({ .name = "Expect", .value = "100-continue" }));

	expect_none(seen, LINES("expect", "100-continue"));
	free(seen);
}

Test(upstream, large_bodies_go_both_ways)
{
	enum { SIZE = 3 * 1024 * 1024 };
	struct backend *backend = backend_start(backend_answer, OK);
	struct rung_client *client = client_of(backend);
	char *body = malloc(SIZE);

	cr_assert(body);
	memset(body, 'b', SIZE);
	ASSERT_INT(send_body(client, "PUT", body, SIZE)->status, 200);
	ASSERT_INT(backend->seen_body, SIZE);
	free(body);
	rung_client_destroy(client);
	backend_stop(backend);
}

/* -- answers --------------------------------------------------------------------------------------------------------- */

/* One request of a backend that says this to each. */
static const struct rung_reply *ask_once(
	const char *answer, const char *method, struct backend **ret_backend, struct rung_client **ret_client)
{
	*ret_backend = backend_start(backend_answer, answer);
	*ret_client = client_of(*ret_backend);
	return rung_client_send(*ret_client, .method = method, .target = "/");
}

static void over(struct backend *backend, struct rung_client *client)
{
	rung_client_destroy(client);
	backend_stop(backend);
}

Test(upstream, fields_of_the_answer_come_back_in_order)
{
	struct backend *backend;
	struct rung_client *client;
	const struct rung_reply *reply = ask_once(
		"HTTP/1.1 201 Made\r\nSet-Cookie: a=1\r\nX-A:  v  \r\nset-cookie: b=2\r\nX-Empty:\r\nLocation: http://elsewhere/\r\n"
		"Connection: keep-alive, X-Gone\r\nX-Gone: x\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\n"
		"Upgrade: h2c\r\nTrailer: X-T\r\nContent-Length: 2\r\n\r\nok",
		"GET", &backend, &client);
	static const char *const expected[][2] = { { "Set-Cookie", "a=1" }, { "X-A", "v" },
		{ "set-cookie", "b=2" }, { "X-Empty", "" }, { "Location", "http://elsewhere/" },
		{ "Content-Length", "2" } };
	size_t count = sizeof expected / sizeof *expected;

	ASSERT_INT(reply->status, 201);
	ASSERT_STR(reply->body, "ok");
	for (size_t i = 0; i < count; i++) {
		const struct rung_field *field = rung_reply_field(reply, i);
		cr_assert(field);
		ASSERT_STR(field->name, expected[i][0]);
		ASSERT_STR(field->value, expected[i][1]);
	}
	cr_assert(!rung_reply_field(reply, count));
	over(backend, client);
}

Test(upstream, chunks_come_back_whole_and_trailers_do_not)
{
	struct backend *backend;
	struct rung_client *client;
	const struct rung_reply *reply =
		ask_once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			 "5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: t\r\nSet-Cookie: evil=1\r\n\r\n",
			"GET", &backend, &client);

	ASSERT_STR(reply->body, "hello world");
	cr_assert(!rung_reply_header(reply, "X-Trailer") && !rung_reply_header(reply, "Set-Cookie") &&
		  !rung_reply_header(reply, "Transfer-Encoding"));
	/* What came without a length has none either, however short it is. */
	cr_assert_null(rung_reply_header(reply, "Content-Length"));
	ASSERT_INT(rung_client_get(client, "/")->status, 200);
	ASSERT_INT(atomic_load(&backend->connections), 1);
	over(backend, client);
}

static void answer_and_close(struct backend *backend, int fd, unsigned number)
{
	(void)number;
	if (backend_take(backend, fd))
		backend_say(fd, backend->answer);
}

Test(upstream, an_answer_may_end_with_the_connection)
{
	struct backend *backend = backend_start(
		answer_and_close, "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nto the end");
	struct rung_client *client = client_of(backend);

	for (int i = 0; i < 3; i++) {
		const struct rung_reply *reply = rung_client_get(client, "/");
		ASSERT_INT(reply->status, 200);
		ASSERT_STR(reply->body, "to the end");
	}
	over(backend, client);
}

Test(upstream, answers_without_a_body)
{
	struct backend *backend;
	struct rung_client *client;
	const struct rung_reply *reply = ask_once(
		"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\nETag: \"x\"\r\n\r\n", "HEAD", &backend, &client);

	ASSERT_INT(reply->status, 200);
	ASSERT_STR(rung_reply_header(reply, "Content-Length"), "12345");
	ASSERT_INT(reply->size, 0);
	/* The connection is as good as before. */
	ASSERT_INT(rung_client_send(client, "HEAD", "/")->status, 200);
	ASSERT_INT(atomic_load(&backend->connections), 1);
	over(backend, client);
	reply = ask_once("HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n", "GET", &backend, &client);
	ASSERT_INT(reply->status, 204);
	ASSERT_STR(rung_reply_header(reply, "X-A"), "b");
	ASSERT_INT(rung_client_get(client, "/")->status, 204);
	ASSERT_INT(atomic_load(&backend->connections), 1);
	over(backend, client);
	reply = ask_once("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 77\r\n\r\n", "GET",
		&backend, &client);
	ASSERT_INT(reply->status, 304);
	ASSERT_STR(rung_reply_header(reply, "ETag"), "\"x\"");
	ASSERT_INT(rung_client_get(client, "/")->status, 304);
	ASSERT_INT(atomic_load(&backend->connections), 1);
	over(backend, client);
	reply = ask_once("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "GET", &backend, &client);
	ASSERT_INT(reply->status, 200);
	ASSERT_INT(reply->size, 0);
	over(backend, client);
}

Test(upstream, news_of_answers_to_come_are_passed_over)
{
	struct backend *backend;
	struct rung_client *client;
	const struct rung_reply *reply = ask_once(
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n" OK,
		"GET", &backend, &client);

	ASSERT_INT(reply->status, 200);
	ASSERT_STR(reply->body, "hello\n");
	cr_assert(!rung_reply_header(reply, "Link"));
	over(backend, client);
}

Test(upstream, redirects_are_the_client_s_affair)
{
	struct backend *backend;
	struct rung_client *client;
	const struct rung_reply *reply = ask_once(
		"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n", "GET", &backend, &client);

	ASSERT_INT(reply->status, 302);
	ASSERT_STR(rung_reply_header(reply, "Location"), "/b");
	ASSERT_INT(atomic_load(&backend->requests), 1);
	over(backend, client);
}

static void answer_large(struct backend *backend, int fd, unsigned number)
{
	static char piece[64 * 1024];
	char head[128];
	int64_t left = *(const int64_t *)backend->data;

	(void)number;
	if (!backend_take(backend, fd))
		return;
	snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %lld\r\n\r\n", (long long)left);
	memset(piece, 'a', sizeof piece);
	backend_say(fd, head);
	while (left) {
		size_t size = left < (int64_t)sizeof piece ? (size_t)left : sizeof piece;

		if (!backend_say_bytes(fd, piece, size))
			return;
		left -= (int64_t)size;
	}
}

Test(upstream, a_large_answer_is_read_in_pieces)
{
	int64_t size = 20 * 1024 * 1024;
	struct backend *backend = backend_start(answer_large, NULL);
	struct rung_client *client = client_of(backend);
	static char buffer[10000];
	int64_t total = 0;
	ssize_t n;

	backend->data = &size;
	const struct rung_reply *reply = rung_client_start(client,
		&(struct rung_client_request){ .size = sizeof(struct rung_client_request), .target = "/" });
	ASSERT_INT(reply->status, 200);
	ASSERT_STR(rung_reply_header(reply, "Content-Length"), "20971520");
	while ((n = rung_client_read(client, buffer, sizeof buffer)) != 0) {
		if (n == -EAGAIN) {
			rung_client_wait(client, -1);
			continue;
		}
		cr_assert(n > 0, "%zd", n);
		cr_assert(buffer[0] == 'a' && buffer[n - 1] == 'a');
		total += n;
	}
	ASSERT_INT(total, size);
	ASSERT_INT(reply->outcome, RUNG_SENT);
	over(backend, client);
}

Test(upstream, an_answer_that_is_left_half_read_ends_the_transfer)
{
	int64_t size = 1LL << 30;
	struct backend *backend = backend_start(answer_large, NULL);
	struct rung_client *client = client_of(backend);
	char buffer[1000];

	backend->data = &size;
	for (int i = 0; i < 5; i++) {
		rung_client_start(
			client, &(struct rung_client_request){
					.size = sizeof(struct rung_client_request), .target = "/" });
		ssize_t n;
		while ((n = rung_client_read(client, buffer, sizeof buffer)) == -EAGAIN)
			rung_client_wait(client, -1);
		cr_assert(n > 0);
		rung_client_abort(client);
	}
	for (int i = 0; i < 1000 && atomic_load(&backend->open); i++)
		usleep(5000);
	ASSERT_INT(atomic_load(&backend->open), 0);
	over(backend, client);
}

/* -- several backends ------------------------------------------------------------------------------------------------ */

Test(upstream, backends_take_turns)
{
	struct backend *one = backend_start(backend_answer, OK), *two = backend_start(backend_answer, OK);
	char to[512];

	snprintf(to, sizeof to, "%s, %s", one->url, two->url);
	struct rung_client *client = test_client(rung_upstream(.to = to));
	for (int i = 0; i < 10; i++)
		ASSERT_INT(rung_client_get(client, "/")->status, 200);
	ASSERT_INT(atomic_load(&one->requests), 5);
	ASSERT_INT(atomic_load(&two->requests), 5);
	ASSERT_INT(atomic_load(&one->connections), 1);
	rung_client_destroy(client);
	backend_stop(one);
	backend_stop(two);
}

Test(upstream, a_backend_that_is_down_is_passed_over)
{
	struct backend *backend = backend_start(backend_echo, NULL);
	char to[512];

	snprintf(to, sizeof to, "http://127.0.0.1:%u,%s,http://127.0.0.1:%u", backend_dead_port(),
		backend->url, backend_dead_port());
	struct rung_client *client = test_client(rung_upstream(.to = to));
	for (int i = 0; i < 9; i++) {
		const struct rung_reply *reply = send_body(client, "POST", "abc", 3);
		ASSERT_INT(reply->status, 200);
		ASSERT_HAS(reply->body, "\r\n\r\nabc");
		ASSERT_HAS(reply->body, backend->authority);
	}
	over(backend, client);
}

Test(upstream, unix_sockets)
{
	char path[64];

	snprintf(path, sizeof path, "/tmp/rung-upstream-%d.sock", (int)getpid());
	struct backend *backend = backend_start_unix(path, backend_echo, NULL);
	struct rung_client *client = client_of(backend);
	for (int i = 0; i < 3; i++) {
		const struct rung_reply *reply = rung_client_get(client, "/over/unix");
		ASSERT_INT(reply->status, 200);
		ASSERT_HAS(reply->body, "GET /over/unix HTTP/1.1\r\nHost: localhost\r\n");
	}
	ASSERT_INT(atomic_load(&backend->connections), 1);
	over(backend, client);
	unlink(path);
}

/* -- making ---------------------------------------------------------------------------------------------------------- */

static void expect_refusal(struct rung_app *app, const char *part)
{
	cr_assert(!app, "it was not refused: %s", part);
	ASSERT_HAS(rung_error(), part);
}

Test(upstream, what_makes_no_sense_is_refused)
{
	const char *const allow[] = { "files.example", NULL }, *const none[] = { NULL };

	expect_refusal(rung_upstream(), "either .to, a backend, or .allow");
	expect_refusal(rung_upstream(.to = "http://a", .allow = allow), "either .to, a backend, or .allow");
	expect_refusal(rung_upstream(.allow = none), ".allow is empty");
	expect_refusal(rung_upstream(.to = ""), "is empty");
	expect_refusal(rung_upstream(.to = "127.0.0.1:80"), "write http://HOST:PORT");
	expect_refusal(rung_upstream(.to = "ftp://a/"), "write http://HOST:PORT");
	expect_refusal(rung_upstream(.to = "http://u:p@a/"), "has a user");
	expect_refusal(rung_upstream(.to = "http://a/?q"), "has a user, a query");
	expect_refusal(rung_upstream(.to = "http://a/x,http://b/y"), "has another path");
	expect_refusal(rung_upstream(.to = "http://a,http://b/"), "has another path");
	expect_refusal(rung_upstream(.to = "unix:"), "has no path of a Unix socket");
	expect_refusal(rung_upstream(.to = "http://a", .header_bytes = 10), ".header_bytes");
	expect_refusal(rung_upstream(.to = "http://a", .transfers = 1000000), ".transfers");
	expect_refusal(rung_upstream(.to = "http://a", .body_limit = -2), ".body_limit");
	expect_refusal(rung_upstream(.to = "http://a", .idle_seconds = 2000000000), "seconds at most");
	struct rung_app *app = rung_upstream(.to = "https://a", .ca = "/nowhere/ca.pem");
	ASSERT_INT(rung_start(app, NULL), -ENOENT);
	ASSERT_HAS(rung_error(), "/nowhere/ca.pem");
	rung_app_destroy(app);
}

Test(upstream, a_server_does_not_forward_to_itself)
{
	const char *const authorities[] = { "127.0.0.1:8080", NULL };
	struct rung_setup setup = { .size = sizeof setup, .authorities = authorities };
	struct rung_app *app = rung_upstream(.to = "http://127.0.0.1:8080/");

	ASSERT_INT(rung_start(app, &setup), -EINVAL);
	ASSERT_HAS(rung_error(), "where this server itself listens");
	rung_app_destroy(app);
}

Test(upstream, the_stack_shows_where_it_forwards_to)
{
	struct rung_app *app = rung_upstream(.to = "http://127.0.0.1:3000");
	char text[512];

	cr_assert(app && rung_stack_print(app, text, sizeof text) > 0);
	ASSERT_HAS(text, "to=\"http://127.0.0.1:3000\"");
	rung_app_destroy(app);
}
