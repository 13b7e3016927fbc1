/* test_guard.c: what is no request, or two requests in one, is refused with raw bytes before any app sees it; and no
 * good request is taken for a bad one. */
#include "support.h"

#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

SUITE(guard);

static const struct rung_server_options plain;

static atomic_int calls;

static int tell(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	size_t size;
	const char *body = rung_input_bytes(env, &size);

	(void)self;
	atomic_fetch_add(&calls, 1);
	struct rung_writer text = rung_writer(env);
	rung_writef(&text, "%s %s", env->method, env->path_info);
	for (size_t i = 0; rung_request_field(env, i); i++) {
		const struct rung_field *field = rung_request_field(env, i);
		rung_writef(&text, "|%s=%s", field->name, field->value);
	}
	rung_writef(&text, "|%.*s.", (int)size, body);
	return rung_reply_written(res, 200, "text/plain", &text);
}

struct attempt {
	const char *bytes;
	size_t size;       /* 0: up to the NUL */
	const char *start; /* of the answer */
	const char *part;  /* of the answer */
};

#define RAW(text) (text), sizeof(text) - 1
#define H         "Host: h\r\n"
#define BAD       "HTTP/1.1 400 "

static size_t count_heads(const char *answer)
{
	size_t count = 0;

	for (const char *at = answer; (at = strstr(at, "HTTP/1.1 ")); at++)
		count++;
	return count;
}

/* What would be answered too, if the connection went on. */
#define SMUGGLED "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"

/* One answer, which closes the connection, and nothing reached the app. */
static void refuse(struct rung_server *server, const struct attempt *attempt, const char *bytes, size_t size)
{
	char *answer = test_exchange(server, bytes, size, NULL);

	cr_assert(strncmp(answer, attempt->start, strlen(attempt->start)) == 0, "%s -> %s", bytes, answer);
	cr_assert(strstr(answer, attempt->part), "%s -> %s", bytes, answer);
	cr_assert(count_heads(answer) == 1, "%s -> %s", bytes, answer);
	cr_assert(strcasestr(answer, "Connection: close"), "%s -> %s", bytes, answer);
	cr_assert(atomic_load(&calls) == 0, "%s reached the app", bytes);
	cr_assert(strstr(test_log(), "refused "), "%s left no line in the log", bytes);
	test_log_clear();
	free(answer);
}

/* Each alone, and with a good request behind it. */
static void refuse_each(const struct attempt *attempts, size_t count)
{
	struct rung_server *server = test_server(rung_run(tell), plain);

	atomic_store(&calls, 0);
	for (size_t i = 0; i < count; i++) {
		const struct attempt *attempt = &attempts[i];
		size_t size = attempt->size ? attempt->size : strlen(attempt->bytes);
		char pipelined[1024];

		refuse(server, attempt, attempt->bytes, size);
		cr_assert(size + sizeof SMUGGLED <= sizeof pipelined);
		memcpy(pipelined, attempt->bytes, size);
		memcpy(pipelined + size, SMUGGLED, sizeof SMUGGLED);
		refuse(server, attempt, pipelined, size + sizeof SMUGGLED - 1);
	}
	/* It still serves. */
	char *answer = test_send(server, "GET /after HTTP/1.1\r\n" H "\r\n");
	ASSERT_HAS(answer, "GET /after|Host=h|.");
	free(answer);
	rung_server_destroy(server);
}

#define REFUSE(attempts) refuse_each(attempts, sizeof attempts / sizeof *attempts)

Test(guard, lengths_that_could_be_read_in_two_ways)
{
	static const struct attempt attempts[] = {
		{ RAW("POST / HTTP/1.1\r\n" H
		      "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
			BAD, "both Content-Length and Transfer-Encoding" },
		{ RAW("POST / HTTP/1.1\r\n" H
		      "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
			BAD, "both Content-Length and Transfer-Encoding" },
		{ RAW("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"), BAD,
			"more than one Content-Length" },
		{ RAW("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"), BAD,
			"more than one Content-Length" },
		{ RAW("POST / HTTP/1.1\r\n" H
		      "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
			BAD, "more than one Transfer-Encoding" },
		{ RAW("POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
			"HTTP/1.1 501 ", "no transfer coding but chunked" },
		{ RAW("POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n"), "HTTP/1.1 501 ",
			"no transfer coding but chunked" },
		{ RAW("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n"),
			"HTTP/1.1 501 ", "501" },
		{ RAW("POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n0\r\n\r\n"), "HTTP/1.1 501 ",
			"501" },
		{ RAW("POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), BAD,
			"Transfer-Encoding in HTTP/1.0" },
		{ RAW("POST / HTTP/1.1\r\n" H
		      "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
			BAD, "more than one Transfer-Encoding" },
		{ RAW("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
			"HTTP/1.1 501 ", "501" },
		{ RAW("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"),
			"HTTP/1.1 501 ", "501" },
		{ RAW("POST / HTTP/1.1\r\n" H "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
			"HTTP/1.1 501 ", "501" },
		{ RAW("POST / HTTP/1.1\r\n" H "Transfer-Encoding: \x0b"
		      "chunked\r\n\r\n0\r\n\r\n"),
			BAD, "a field value has a control character" },
		{ RAW("POST / HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"), BAD,
			"a field name is no token" },
		{ RAW("POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"), BAD,
			"400" },
		{ RAW("POST / HTTP/1.1\r\n" H "Content-Length: 0\r\nContent-Length: 44\r\n\r\n"), BAD,
			"more than one Content-Length" },
		{ RAW("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked \r\n\r\n0\r\n\r\n"), BAD,
			"a blank behind the Transfer-Encoding" },
		{ RAW("POST / HTTP/1.1\r\n" H "transfer-encoding: chunked\t\r\n\r\n0\r\n\r\n"), BAD,
			"a blank behind the Transfer-Encoding" },
	};

	REFUSE(attempts);
}

Test(guard, lengths_that_are_no_numbers)
{
	static const struct attempt attempts[] = {
		{ RAW("POST / HTTP/1.1\r\n" H "Content-Length: 1, 1\r\n\r\na"), BAD, "" },
		{ RAW("POST / HTTP/1.1\r\n" H "Content-Length: +1\r\n\r\na"), BAD, "" },
		{ RAW("POST / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\na"), BAD, "" },
		{ RAW("POST / HTTP/1.1\r\n" H "Content-Length: 0x1\r\n\r\na"), BAD, "" },
		{ RAW("POST / HTTP/1.1\r\n" H "Content-Length: 1a\r\n\r\na"), BAD, "" },
		{ RAW("POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n"), BAD, "" },
		{ RAW("POST / HTTP/1.1\r\n" H "Content-Length: 1 1\r\n\r\na"), BAD, "" },
		{ RAW("POST / HTTP/1.1\r\n" H "Content-Length: 1.0\r\n\r\na"), BAD, "" },
		{ RAW("POST / HTTP/1.1\r\n" H "Content-Length: 1e1\r\n\r\na"), BAD, "" },
		{ RAW("POST / HTTP/1.1\r\n" H "Content-Length: \"1\"\r\n\r\na"), BAD, "" },
		{ RAW("POST / HTTP/1.1\r\n" H "Content-Length:\r\n 1\r\n\r\na"), BAD, "" },
		{ RAW("POST / HTTP/1.1\r\n" H "Content-Length: a\r\n\r\n"), BAD, "" },
		{ RAW("POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551616\r\n\r\na"),
			"HTTP/1.1 413 ", "" },
		{ RAW("POST / HTTP/1.1\r\n" H "Content-Length: 99999999999999999999999999\r\n\r\na"),
			"HTTP/1.1 413 ", "" },
	};

	REFUSE(attempts);
}

Test(guard, fields_that_are_none)
{
	static const struct attempt attempts[] = {
		{ RAW("GET / HTTP/1.1\r\n" H "X : y\r\n\r\n"), BAD, "a field name is no token" },
		{ RAW("GET / HTTP/1.1\r\n" H "X\t: y\r\n\r\n"), BAD, "a field name is no token" },
		{ RAW("GET / HTTP/1.1\r\n" H "Content-Length : 5\r\n\r\nhello"), BAD,
			"a field name is no token" },
		{ RAW("GET / HTTP/1.1\r\n" H "X[]: y\r\n\r\n"), BAD, "a field name is no token" },
		{ RAW("GET / HTTP/1.1\r\n" H "X\x80: y\r\n\r\n"), BAD, "a field name is no token" },
		{ RAW("GET / HTTP/1.1\r\n" H ": y\r\n\r\n"), BAD, "400" },
		{ RAW("GET / HTTP/1.1\r\n" H "X: a\x01z\r\n\r\n"), BAD,
			"a field value has a control character" },
		{ RAW("GET / HTTP/1.1\r\n" H "X: a\x7fz\r\n\r\n"), BAD,
			"a field value has a control character" },
		{ RAW("GET / HTTP/1.1\r\n" H "X: a\rz\r\n\r\n"), BAD,
			"a field value has a control character" },
		{ RAW("GET / HTTP/1.1\r\n" H "X: y\r\r\n\r\n"), BAD,
			"a field value has a control character" },
		{ RAW("GET / HTTP/1.1\r\n" H "no colon\r\n\r\n"), BAD, "" },
		{ RAW("GET / HTTP/1.1\r\n X: y\r\n" H "\r\n"), BAD, "" },
	};

	REFUSE(attempts);
}

/* libmicrohttpd takes these apart without a word: only where its pieces lie tells of them. */
Test(guard, what_libmicrohttpd_hides)
{
	static const struct attempt attempts[] = {
		{ RAW("GET / HTTP/1.1\r\n" H "X: a\0b\r\n\r\n"), BAD, "the head has a NUL" },
		{ RAW("GET / HTTP/1.1\r\n" H "X: a\r\nY: b\0\r\n\r\n"), BAD, "the head has a NUL" },
		{ RAW("GET /a\0b HTTP/1.1\r\n" H "\r\n"), BAD, "" },
		{ RAW("GET / HTTP/1.1\nHost: h\r\n\r\n"), BAD, "the head has a NUL" },
		{ RAW("GET / HTTP/1.1\r\nHost: h\n\r\n"), BAD, "the head has a NUL" },
		{ RAW("GET / HTTP/1.1\r\nHost: h\r\nX: y\nZ: z\r\n\r\n"), BAD, "the head has a NUL" },
		{ RAW("GET / HTTP/1.1\r\nHost: h\r\n\n"), BAD, "the head has a NUL" },
		{ RAW("GET / HTTP/1.1\r\n" H "X: y\r\n folded\r\n\r\n"), BAD, "400" },
		{ RAW("GET / HTTP/1.1\r\n" H "X: y\r\n\tfolded\r\nZ: z\r\n\r\n"), BAD, "400" },
		{ RAW("GET  / HTTP/1.1\r\n" H "\r\n"), BAD, "400" },
		{ RAW("GET /  HTTP/1.1\r\n" H "\r\n"), BAD, "400" },
		{ RAW("GET / HTTP/1.1 \r\n" H "\r\n"), BAD, "400" },
		{ RAW("GET /a b HTTP/1.1\r\n" H "\r\n"), BAD, "400" },
		{ RAW("GET\0 / HTTP/1.1\r\n" H "\r\n"), BAD, "" },
		{ RAW("GET / HTTP/1.1\r\n" H "X: y\n:z\n"), BAD, "the head has a NUL" },
		{ RAW("GET / HTTP/1.1\r\n" H "X: y\n:z\nY: y\r\n\r\n"), BAD, "the head has a NUL" },
		{ RAW("GET / HTTP/1.1\r\n" H "X: y\n\0z\n"), BAD, "the head has a NUL" },
		{ RAW("GET / HTTP/1.1\r\n" H "X: y\n:zz\n"), BAD, "the head has a NUL" },
	};

	REFUSE(attempts);
}

Test(guard, versions_methods_expectations)
{
	static const struct attempt attempts[] = {
		{ RAW("GET / HTTP/1.2\r\n" H "\r\n"), "HTTP/1.1 505 ", "HTTP/1.0 and HTTP/1.1" },
		{ RAW("GET / HTTP/1.3\r\n" H "\r\n"), "HTTP/1.1 505 ", "HTTP/1.0 and HTTP/1.1" },
		{ RAW("GET / HTTP/1.4\r\n" H "\r\n"), "HTTP/1.1 505 ", "HTTP/1.0 and HTTP/1.1" },
		{ RAW("GET / HTTP/1.5\r\n" H "\r\n"), "HTTP/1.1 505 ", "HTTP/1.0 and HTTP/1.1" },
		{ RAW("GET / HTTP/1.6\r\n" H "\r\n"), "HTTP/1.1 505 ", "HTTP/1.0 and HTTP/1.1" },
		{ RAW("GET / HTTP/1.7\r\n" H "\r\n"), "HTTP/1.1 505 ", "HTTP/1.0 and HTTP/1.1" },
		{ RAW("GET / HTTP/1.8\r\n" H "\r\n"), "HTTP/1.1 505 ", "HTTP/1.0 and HTTP/1.1" },
		{ RAW("GET / HTTP/1.9\r\n" H "\r\n"), "HTTP/1.1 505 ", "HTTP/1.0 and HTTP/1.1" },
		{ RAW("GET / HTTP/2.0\r\n" H "\r\n"), "HTTP/1.1 505 ", "" },
		{ RAW("GET / HTTP/0.9\r\n" H "\r\n"), "HTTP/1.1 505 ", "" },
		{ RAW("GET / http/1.1\r\n" H "\r\n"), BAD, "" },
		{ RAW("GET / HTTP/3.0\r\n" H "\r\n"), "HTTP/1.1 505 ", "" },
		{ RAW("GET / HTTP/1.10\r\n" H "\r\n"), "HTTP/1.1 ", "" },
		{ RAW("GET / HTTP/1.1x\r\n" H "\r\n"), "HTTP/1.1 ", "" },
		{ RAW("GET / HTTP/11\r\n" H "\r\n"), "HTTP/1.1 ", "" },
		{ RAW("GET / HTTPS/1.1\r\n" H "\r\n"), "HTTP/1.1 ", "" },
		{ RAW("GET / HTTP/1.\r\n" H "\r\n"), "HTTP/1.1 ", "" },
		{ RAW("G(T / HTTP/1.1\r\n" H "\r\n"), BAD, "the method is no token" },
		{ RAW("G\x80T / HTTP/1.1\r\n" H "\r\n"), BAD, "the method is no token" },
		{ RAW("GET /\r\n\r\n"), BAD, "" },
		{ RAW("G\x01T / HTTP/1.1\r\n" H "\r\n"), BAD, "the method is no token" },
		{ RAW("POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nExpect: magic\r\n\r\na"), "HTTP/1.1 417 ",
			"no expectation but 100-continue" },
		{ RAW("GET / HTTP/1.1\r\n" H "Expect: 200-ok\r\n\r\n"), "HTTP/1.1 417 ",
			"no expectation but 100-continue" },
		{ RAW("GET / HTTP/1.1\r\n" H "Expect: 100-continue, 200-ok\r\n\r\n"), "HTTP/1.1 417 ",
			"no expectation but 100-continue" },
		{ RAW("GET / HTTP/1.1\r\n" H "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n"), BAD,
			"more than one Expect field" },
	};

	REFUSE(attempts);
}

Test(guard, hosts)
{
	static const struct attempt attempts[] = {
		{ RAW("GET / HTTP/1.1\r\n\r\n"), BAD, "no Host field" },
		{ RAW("GET http://h/ HTTP/1.1\r\n\r\n"), BAD, "no Host field" },
		{ RAW("GET / HTTP/1.1\r\n" H "Host: g\r\n\r\n"), BAD, "more than one Host field" },
		{ RAW("GET / HTTP/1.1\r\n" H H "\r\n"), BAD, "more than one Host field" },
		{ RAW("GET / HTTP/1.0\r\n" H H "\r\n"), BAD, "more than one Host field" },
		{ RAW("GET / HTTP/1.1\r\nHost: h/p\r\n\r\n"), BAD, "the Host field is no host" },
		{ RAW("GET / HTTP/1.1\r\nHost: u@h\r\n\r\n"), BAD, "the Host field is no host" },
		{ RAW("GET / HTTP/1.1\r\nHost: h i\r\n\r\n"), BAD, "the Host field is no host" },
		{ RAW("GET / HTTP/1.1\r\nHost: h\ti\r\n\r\n"), BAD, "the Host field is no host" },
		{ RAW("GET / HTTP/1.1\r\nHost: h?q\r\n\r\n"), BAD, "the Host field is no host" },
		{ RAW("GET / HTTP/1.1\r\nHost: h#f\r\n\r\n"), BAD, "the Host field is no host" },
		{ RAW("GET / HTTP/1.1\r\nHost: h\\i\r\n\r\n"), BAD, "the Host field is no host" },
		{ RAW("GET / HTTP/1.1\r\nHost: h:port\r\n\r\n"), BAD, "the Host field is no host" },
		{ RAW("GET / HTTP/1.1\r\nHost: h:1:2\r\n\r\n"), BAD, "the Host field is no host" },
		{ RAW("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"), BAD, "the Host field is no host" },
		{ RAW("GET / HTTP/1.1\r\nHost: http://h\r\n\r\n"), BAD, "the Host field is no host" },
		{ RAW("GET / HTTP/1.1\r\nHost: h\x80\r\n\r\n"), BAD, "the Host field is no host" },
		{ RAW("GET / HTTP/1.1\r\nHost: h\x01\r\n\r\n"), BAD, "a field value has a control" },
		{ RAW("GET / HTTP/1.1\r\nHost:\r\n h\r\n\r\n"), BAD, "400" },
	};

	REFUSE(attempts);
}

Test(guard, targets_that_are_none)
{
	static const char part[] = "the request target ";
	static const struct attempt attempts[] = {
		{ RAW("GET x HTTP/1.1\r\n" H "\r\n"), BAD, part },
		{ RAW("GET ?q HTTP/1.1\r\n" H "\r\n"), BAD, part },
		{ RAW("GET ../x HTTP/1.1\r\n" H "\r\n"), BAD, part },
		{ RAW("GET \\x HTTP/1.1\r\n" H "\r\n"), BAD, part },
		{ RAW("GET * HTTP/1.1\r\n" H "\r\n"), BAD, part },
		{ RAW("GET h:80 HTTP/1.1\r\n" H "\r\n"), BAD, part },
		{ RAW("GET /a#b HTTP/1.1\r\n" H "\r\n"), BAD, part },
		{ RAW("GET /a\tb HTTP/1.1\r\n" H "\r\n"), BAD, "400" },
		{ RAW("GET /a?b\x7f HTTP/1.1\r\n" H "\r\n"), BAD, part },
		{ RAW("GET /a\rb HTTP/1.1\r\n" H "\r\n"), BAD, "400" },
		{ RAW("GET http:///x HTTP/1.1\r\n" H "\r\n"), BAD, "" },
		{ RAW("GET http://u@h/x HTTP/1.1\r\n" H "\r\n"), BAD, part },
		{ RAW("GET http://h:x/ HTTP/1.1\r\n" H "\r\n"), BAD, part },
		{ RAW("GET ftp://h/x HTTP/1.1\r\n" H "\r\n"), BAD, part },
		{ RAW("GET http:x HTTP/1.1\r\n" H "\r\n"), BAD, part },
		{ RAW("GET http://h/a#b HTTP/1.1\r\n" H "\r\n"), BAD, part },
		{ RAW("CONNECT h:80 HTTP/1.1\r\n" H "\r\n"), "HTTP/1.1 501 ", "501" },
		{ RAW("CONNECT / HTTP/1.1\r\n" H "\r\n"), BAD, part },
	};

	REFUSE(attempts);
}

/* Every control character there is, wherever one may stand. */
Test(guard, control_characters_anywhere)
{
	static const char *const forms[] = { "G@T / HTTP/1.1\r\n" H "\r\n", "GET /a@b HTTP/1.1\r\n" H "\r\n",
		"GET /?a@b HTTP/1.1\r\n" H "\r\n", "GET / HTTP/1.1@\r\n" H "\r\n",
		"GET / HTTP/1.1\r\n" H "X@Y: z\r\n\r\n", "GET / HTTP/1.1\r\n" H "X: y@z\r\n\r\n" };
	enum { METHOD = 0, VALUE = 5 };
	static const struct attempt attempt = { .start = "HTTP/1.1 ", .part = "" };
	struct rung_server *server = test_server(rung_run(tell), plain);
	char bytes[256];

	for (size_t form = 0; form < sizeof forms / sizeof *forms; form++)
		for (int byte = 0; byte <= 0x7f; byte = byte == 0x1f ? 0x7f : byte + 1) {
			size_t size = strlen(forms[form]);

			memcpy(bytes, forms[form], size + 1);
			*strchr(bytes, '@') = (char)byte;
			/* A line that ends behind the method is closed without a word: see below. */
			if (form == METHOD ? byte != '\n' : form != VALUE || byte != '\t')
				refuse(server, &attempt, bytes, size);
		}
	rung_server_destroy(server);
}

/* libmicrohttpd reads chunks by itself, and answers by itself. */
Test(guard, chunks_that_are_none)
{
#define CHUNKED "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
	static const struct attempt attempts[] = {
		{ RAW(CHUNKED "0x3\r\nabc\r\n0\r\n\r\n"), BAD, "" },
		{ RAW(CHUNKED "+3\r\nabc\r\n0\r\n\r\n"), BAD, "" },
		{ RAW(CHUNKED "-3\r\nabc\r\n0\r\n\r\n"), BAD, "" },
		{ RAW(CHUNKED " 3\r\nabc\r\n0\r\n\r\n"), BAD, "" },
		{ RAW(CHUNKED "\r\nabc\r\n0\r\n\r\n"), BAD, "" },
		{ RAW(CHUNKED "g\r\nabc\r\n0\r\n\r\n"), BAD, "" },
		{ RAW(CHUNKED "3\r\nabcd\r\n0\r\n\r\n"), BAD, "" },
		{ RAW(CHUNKED "3\r\nabc0\r\n\r\n"), BAD, "" },
		{ RAW(CHUNKED "fffffffffffffffff\r\nabc\r\n0\r\n\r\n"), "HTTP/1.1 4", "" },
		{ RAW(CHUNKED "10000000000000003\r\nabc\r\n0\r\n\r\n"), "HTTP/1.1 4", "" },
	};

	REFUSE(attempts);
}

/* Without a method and a target libmicrohttpd closes, and calls nobody. */
Test(guard, lines_that_are_closed_without_a_word)
{
	static const char *const lines[] = { "GET\r\n" H "\r\n" SMUGGLED,
		"G\nT / HTTP/1.1\r\n" H "\r\n" SMUGGLED, " / HTTP/1.1\r\n" H "\r\n" SMUGGLED,
		" GET / HTTP/1.1\r\n" H "\r\n" SMUGGLED };
	struct rung_server *server = test_server(rung_run(tell), plain);

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		char *answer = test_send(server, lines[i]);

		ASSERT_STR(answer, "");
		free(answer);
	}
	ASSERT_INT(atomic_load(&calls), 0);
	rung_server_destroy(server);
}

/* Methods that do something special elsewhere are the app's affair: none is answered here. */
Test(guard, trace_is_a_method_like_others)
{
	struct rung_server *server = test_server(rung_routes(rung_get("/", tell)), plain);
	char *answer = test_send(server, "TRACE / HTTP/1.1\r\n" H "X-Secret: s3cret\r\n\r\n");

	ASSERT_HAS(answer, "HTTP/1.1 405 ");
	cr_assert_null(strstr(answer, "s3cret"));
	free(answer);
	rung_server_destroy(server);
}

/* -- and what is good passes ----------------------------------------------------------------------------------------- */

Test(guard, lets_good_requests_pass)
{
	static const struct attempt attempts[] = {
		{ RAW("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 200 ", "GET /|Host=h|." },
		{ RAW("GET / HTTP/1.0\r\n\r\n"), "HTTP/1.", "GET /|." },
		{ RAW("GET /?a=b?c HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 200 ", "GET /|Host=h|." },
		{ RAW("GET / HTTP/1.1\r\nHost:h\r\nX:y\r\n\r\n"), "HTTP/1.1 200 ", "|Host=h|X=y|." },
		{ RAW("GET / HTTP/1.1\r\nHost: \t h\r\nX: \ty\r\n\r\n"), "HTTP/1.1 200 ", "|Host=h|X=y|." },
		{ RAW("GET / HTTP/1.1\r\nHost: h \t\r\nX: y z \r\n\r\n"), "HTTP/1.1 200 ",
			"|Host=h|X=y z|." },
		{ RAW("GET / HTTP/1.1\r\nHost: h\r\nX:\r\nY: \r\nZ: z\r\n\r\n"), "HTTP/1.1 200 ",
			"|Host=h|X=|Y=|Z=z|." },
		{ RAW("GET / HTTP/1.1\r\nHost: h\r\nX: \xe4\xff\tz\r\n\r\n"), "HTTP/1.1 200 ",
			"|X=\xe4\xff\tz|." },
		{ RAW("GET / HTTP/1.1\r\nHost: h\r\nX: a:b\r\n\r\n"), "HTTP/1.1 200 ", "|X=a:b|." },
		{ RAW("GET / HTTP/1.1\r\nHost: h\r\nCookie: a=b; c=\"d\"\r\nCookie: e=f\r\n\r\n"),
			"HTTP/1.1 200 ", "|Cookie=a=b; c=\"d\"|Cookie=e=f|." },
		{ RAW("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 200 ", "GET /|Host=h|." },
		{ RAW("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 03\r\n\r\nabc"), "HTTP/1.1 200 ",
			"|abc." },
		{ RAW("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: t\r\n\r\n"),
			"HTTP/1.1 200 ", "|abc." },
		{ RAW("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\nabc"),
			"HTTP/1.1 ", "|abc." },
		{ RAW("POST / HTTP/1.0\r\nHost: h\r\nExpect: whatever\r\nContent-Length: 3\r\n\r\nabc"),
			"HTTP/1.", "|abc." },
		{ RAW("M-SEARCH /x HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 200 ", "M-SEARCH /x" },
		{ RAW("GET http://h/x HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 200 ", "GET /x|Host=h|." },
		{ RAW("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 200 ", "OPTIONS *" },
	};
	struct rung_server *server = test_server(rung_run(tell), plain);

	for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
		const struct attempt *attempt = &attempts[i];
		char *answer = test_exchange(server, attempt->bytes, attempt->size, NULL);

		cr_assert(strncmp(answer, attempt->start, strlen(attempt->start)) == 0, "%s -> %s",
			attempt->bytes, answer);
		cr_assert(strstr(answer, attempt->part), "%s -> %s", attempt->bytes, answer);
		free(answer);
	}
	rung_server_destroy(server);
}

/* libmicrohttpd goes another way for it, on which with a request behind it the answer was lost after the handler had run. */
Test(guard, an_expectation_without_a_body_is_answered)
{
	static const char *const attempts[] = {
		"GET /one HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n",
		"POST /one HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
		"GET /one HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\nGET /two HTTP/1.1\r\nHost: h\r\n\r\n",
		("POST /one HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n"
		 "POST /two HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"),
	};
	struct rung_server *server = test_server(rung_run(tell), plain);

	for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
		atomic_store(&calls, 0);
		char *answer = test_send(server, attempts[i]);

		cr_assert(strncmp(answer, "HTTP/1.1 200 ", 13) == 0, "%s -> %s", attempts[i], answer);
		ASSERT_HAS(answer, " /one|Host=h|Expect=100-continue|");
		ASSERT_INT(atomic_load(&calls), 1);
		free(answer);
	}
	rung_server_destroy(server);
}

static char *send_in_pieces(struct rung_server *server, const char *bytes, size_t size, size_t piece)
{
	int fd = test_connect(server);

	for (size_t at = 0; at < size; at += piece) {
		cr_assert(send(fd, bytes + at, size - at < piece ? size - at : piece, MSG_NOSIGNAL) > 0);
		usleep(200);
	}
	char *answer = test_read(fd, 200, NULL);
	close(fd);
	return answer;
}

/* The pieces of a head must be found wherever reads cut it, and when one request follows another in a read. */
Test(guard, holds_however_the_bytes_are_cut)
{
	static const char good[] = "GET /one?x HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n"
				   "POST /two HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
				   "GET /three HTTP/1.1\r\nHost: h\r\nCookie: a=b\r\n\r\n";
	static const char bad[] = "GET /one HTTP/1.1\r\nHost: h\r\n\r\n"
				  "GET /two HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n";
	static const size_t pieces[] = { 1, 2, 3, 7, 20, 50, 1000 };
	struct rung_server *server = test_server(rung_run(tell), plain);

	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		char *answer = send_in_pieces(server, good, sizeof good - 1, pieces[i]);

		ASSERT_HAS(answer, "GET /one|Host=h|A=b|.");
		ASSERT_HAS(answer, "POST /two|Host=h|Content-Length=3|abc.");
		ASSERT_HAS(answer, "GET /three|Host=h|Cookie=a=b|.");
		free(answer);
		answer = send_in_pieces(server, bad, sizeof bad - 1, pieces[i]);
		ASSERT_HAS(answer, "GET /one|Host=h|.");
		ASSERT_HAS(answer, "the head has a NUL");
		cr_assert_null(strstr(answer, "GET /two"));
		free(answer);
	}
	rung_server_destroy(server);
}

/* Fields of every length, so that no border of words or buffers makes a good request look bad. */
Test(guard, lets_fields_of_every_length_pass)
{
	struct rung_server *server = test_server(rung_run(tell), plain);
	char request[8192], name[64], value[300];
	int fd = test_connect(server);

	for (size_t i = 1; i < 200; i++) {
		memset(name, 'n', sizeof name);
		name[1 + i % 60] = '\0';
		memset(value, 'v', sizeof value);
		value[i] = '\0';
		int size = snprintf(request, sizeof request,
			"GET /%s HTTP/1.1\r\nHost: h\r\n%s: %s\r\nB:%s\r\n\r\n", name, name, value, value);
		cr_assert(send(fd, request, (size_t)size, MSG_NOSIGNAL) == size);
		char *answer = test_read(fd, 5, NULL);
		for (int n = 0; n < 100 && !*answer; n++) {
			free(answer);
			answer = test_read(fd, 20, NULL);
		}
		cr_assert(strncmp(answer, "HTTP/1.1 200 ", 13) == 0, "%s -> %s", request, answer);
		free(answer);
	}
	close(fd);
	rung_server_destroy(server);
}
