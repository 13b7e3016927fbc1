/* test_upstream_messages.c: how answers are framed, and which connections are used again. */
#include "backend.h"

#include <rung/upstream.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

/* -- connections ----------------------------------------------------------------------------------------------------- */

static void expect_connections(const char *answer, unsigned expected)
{
	struct backend *backend = backend_start(backend_answer, answer);
	struct rung_client *client = test_client(rung_upstream(.to = backend->url));

	for (int i = 0; i < 3; i++) {
		const struct rung_reply *reply = rung_client_get(client, "/");
		ASSERT_INT(reply->status, 200);
		ASSERT_STR(reply->body, "hello\n");
	}
	ASSERT_INT(atomic_load(&backend->connections), expected);
	rung_client_destroy(client);
	backend_stop(backend);
}

/* RFC 9112 section 9.3. */
Test(upstream_messages, a_connection_is_kept_when_its_backend_keeps_it)
{
	expect_connections("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n", 1);
	expect_connections("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\nhello\n", 3);
	expect_connections("HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 6\r\n\r\nhello\n", 3);
	expect_connections("HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n", 3);
	expect_connections(
		"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 6\r\n\r\nhello\n", 1);
	expect_connections(
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello\n\r\n0\r\nA: b\r\n\r\n", 1);
}

Test(upstream_messages, a_connection_that_nobody_uses_is_closed)
{
	struct backend *backend =
		backend_start(backend_answer, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n");
	struct rung_client *client = test_client(rung_upstream(.to = backend->url, .keep_seconds = 1));

	ASSERT_INT(rung_client_get(client, "/")->status, 200);
	ASSERT_INT(atomic_load(&backend->open), 1);
	for (int i = 0; i < 1000 && atomic_load(&backend->open); i++)
		usleep(10 * 1000);
	ASSERT_INT(atomic_load(&backend->open), 0);
	ASSERT_INT(rung_client_get(client, "/")->status, 200);
	ASSERT_INT(atomic_load(&backend->connections), 2);
	rung_client_destroy(client);
	backend_stop(backend);
}

/* -- the chunked coding ---------------------------------------------------------------------------------------------- */

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

/* A backend that says this, over a connection that stays open. */
static void expect(const char *answer, const char *body)
{
	struct backend *backend = backend_start(backend_answer, answer);
	struct rung_client *client = test_client(rung_upstream(.to = backend->url, .idle_seconds = 5));
	const struct rung_reply *reply = rung_client_get(client, "/");

	if (body) {
		ASSERT_INT(reply->status, 200);
		ASSERT_INT(reply->outcome, RUNG_SENT);
		ASSERT_STR(reply->body, body);
	} else {
		cr_assert(reply->status == 502 || (reply->status == 200 && reply->outcome == RUNG_BROKEN),
			"%d %d to %s", reply->status, reply->outcome, answer);
	}
	rung_client_destroy(client);
	backend_stop(backend);
}

Test(upstream_messages, chunks_as_they_may_be_written)
{
	expect(CHUNKED "5\r\nhello\r\n0\r\n\r\n", "hello");
	expect(CHUNKED "0005\r\nhello\r\n00\r\n\r\n", "hello");
	expect(CHUNKED "5;name=\"a;b\"\r\nhello\r\n0;last\r\n\r\n", "hello");
	expect(CHUNKED "5 \t; name\r\nhello\r\n0\r\n\r\n", "hello");
	expect(CHUNKED "a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n", "01234567890123456789a");
	expect(CHUNKED "5\r\nhello\r\n0\r\nOne: 1\r\nTwo: 2\r\n\r\n", "hello");
	expect(CHUNKED "0\r\n\r\n", "");
}

/* What somebody else may read in another way. */
Test(upstream_messages, chunks_that_are_none)
{
	expect(CHUNKED "\r\nhello\r\n0\r\n\r\n", NULL);
	expect(CHUNKED " 5\r\nhello\r\n0\r\n\r\n", NULL);
	expect(CHUNKED "+5\r\nhello\r\n0\r\n\r\n", NULL);
	expect(CHUNKED "-5\r\nhello\r\n0\r\n\r\n", NULL);
	expect(CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", NULL);
	expect(CHUNKED "5\nhello\r\n0\r\n\r\n", NULL);
	expect(CHUNKED "5;a\nhello\r\n0\r\n\r\n", NULL);
	expect(CHUNKED "5\rhello\r\n0\r\n\r\n", NULL);
	expect(CHUNKED "5\r\nhello0\r\n\r\n", NULL);
	expect(CHUNKED "5\r\nhello\n0\r\n\r\n", NULL);
	expect(CHUNKED "5\r\nhello!\r\n0\r\n\r\n", NULL);
	expect(CHUNKED "5\r\nhello\r\n0\r\n\n", NULL);
	expect(CHUNKED "10000000000000005\r\nhello\r\n0\r\n\r\n", NULL);
}

static void expect_limit(const char *before, int count, const char *after, bool is_fine)
{
	char answer[24 * 1024];

	snprintf(answer, sizeof answer, "%s%0*d%s", before, count, 1, after);
	expect(answer, is_fine ? "hello" : NULL);
}

Test(upstream_messages, what_nobody_reads_of_chunks_has_limits)
{
	expect_limit(CHUNKED "5;a=", 1000, "\r\nhello\r\n0\r\n\r\n", true);
	expect_limit(CHUNKED "5;a=", 1100, "\r\nhello\r\n0\r\n\r\n", false);
	expect_limit(CHUNKED "5\r\nhello\r\n0\r\nA: ", 8000, "\r\n\r\n", true);
	expect_limit(CHUNKED "5\r\nhello\r\n0\r\nA: ", 8300, "\r\n\r\n", false);
}

/* -- in pieces ------------------------------------------------------------------------------------------------------- */

static void answer_slowly(struct backend *backend, int fd, unsigned number)
{
	int yes = 1;

	(void)number;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	while (backend_take(backend, fd))
		for (const char *at = backend->answer; *at; at++) {
			if (!backend_say_bytes(fd, at, 1))
				return;
			usleep(200);
		}
}

static void expect_in_pieces(const char *answer)
{
	struct backend *backend = backend_start(answer_slowly, answer);
	struct rung_client *client = test_client(rung_upstream(.to = backend->url));

	for (int i = 0; i < 2; i++) {
		const struct rung_reply *reply = rung_client_get(client, "/");
		ASSERT_INT(reply->status, 200);
		ASSERT_INT(reply->outcome, RUNG_SENT);
		ASSERT_STR(rung_reply_header(reply, "X-A"), "b c");
		ASSERT_STR(reply->body, "hello, world");
	}
	ASSERT_INT(atomic_load(&backend->connections), 1);
	rung_client_destroy(client);
	backend_stop(backend);
}

Test(upstream_messages, answers_may_come_a_byte_at_a_time)
{
	expect_in_pieces("HTTP/1.1 200 OK\r\nX-A: b c\r\nContent-Length: 12\r\n\r\nhello, world");
	expect_in_pieces(
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-A: b c\r\nTransfer-Encoding: chunked\r\n\r\n"
		"5;x=y\r\nhello\r\n7\r\n, world\r\n0\r\nB: c\r\n\r\n");
}
