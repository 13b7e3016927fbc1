/* test_pipe.c: bodies that are written: order, limits, who waits, and who learns of the end; through the in-process client. */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

SUITE(pipe);

static struct rung_pipe *shared;

static int give(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_pipe(res, 200, "text/plain", shared);
}

static struct rung_client *open_client(void)
{
	return test_client(rung_run(give));
}

static const struct rung_reply *start(struct rung_client *client)
{
	return rung_client_start(
		client, &(struct rung_client_request){ .size = sizeof(struct rung_client_request) });
}

Test(pipe, what_was_written_before_is_the_body)
{
	struct rung_client *client = open_client();

	shared = rung_pipe_new();
	ASSERT_INT(rung_pipe_write(shared, "hello ", 6), 0);
	ASSERT_INT(rung_pipe_offer(shared, "world", 5), 0);
	/* Written and closed before anyone reads; the client gives it its own end. */
	const struct rung_reply *reply = start(client);
	rung_pipe_close(shared);
	ASSERT_STR(rung_reply_header(reply, "Content-Type"), "text/plain");
	char text[64];
	ssize_t n = rung_client_read(client, text, sizeof text);
	ASSERT_INT(n, 11);
	cr_assert(memcmp(text, "hello world", 11) == 0);
	ASSERT_INT(rung_client_read(client, text, sizeof text), 0);
	rung_client_destroy(client);
}

Test(pipe, an_offer_is_taken_whole_or_not_at_all)
{
	struct rung_client *client = open_client();
	char text[16];

	shared = rung_pipe_new(.room = 8);
	start(client);
	ASSERT_INT(rung_client_read(client, text, sizeof text), -EAGAIN);
	ASSERT_INT(rung_pipe_offer(shared, "12345", 5), 0);
	ASSERT_INT(rung_pipe_offer(shared, "6789", 4), -EAGAIN);
	ASSERT_INT(rung_pipe_offer(shared, "123456789", 9), -EMSGSIZE);
	ASSERT_INT(rung_pipe_offer(shared, "678", 3), 0);
	ASSERT_INT(rung_pipe_offer(shared, "", 0), 0);
	ASSERT_INT(rung_client_read(client, text, 3), 3);
	ASSERT_INT(rung_pipe_offer(shared, "abc", 3), 0);
	ASSERT_INT(rung_client_read(client, text, sizeof text), 8);
	cr_assert(memcmp(text, "45678abc", 8) == 0, "%.8s", text);
	ASSERT_INT(rung_client_read(client, text, sizeof text), -EAGAIN);
	rung_pipe_close(shared);
	ASSERT_INT(rung_client_read(client, text, sizeof text), 0);
	rung_client_destroy(client);
}

enum { MUCH = 1000 * 1000 };

static void *write_much(void *argument)
{
	size_t piece = (size_t)(uintptr_t)argument;
	char bytes[5000];

	for (size_t at = 0; at < MUCH;) {
		size_t size = MUCH - at < piece ? MUCH - at : piece;

		for (size_t i = 0; i < size; i++)
			bytes[i] = (char)((at + i) * 7 % 251);
		if (rung_pipe_write(shared, bytes, size) != 0)
			return (void *)1;
		at += size;
	}
	rung_pipe_close(shared);
	return NULL;
}

/* Rooms and pieces that divide each other and that do not, both larger and smaller. */
Test(pipe, every_byte_comes_through_in_order)
{
	static const struct {
		size_t room, piece;
	} cases[] = { { 1, 1000 }, { 7, 3 }, { 100, 100 }, { 100, 5000 }, { 4096, 1000 }, { 0, 4999 } };
	struct rung_client *client = open_client();

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		pthread_t writer;
		void *failed;

		shared = rung_pipe_new(.room = cases[i].room);
		cr_assert(pthread_create(&writer, NULL, write_much, (void *)(uintptr_t)cases[i].piece) == 0);
		const struct rung_reply *reply = rung_client_get(client, "/");
		pthread_join(writer, &failed);
		cr_assert_null(failed);
		ASSERT_INT(reply->size, MUCH);
		for (size_t at = 0; at < MUCH; at++)
			cr_assert(reply->body[at] == (char)(at * 7 % 251), "byte %zu of case %zu", at, i);
	}
	rung_client_destroy(client);
}

static void *write_until_gone(void *ret_rc)
{
	int rc = 0;

	while (rc == 0)
		rc = rung_pipe_write(shared, "some bytes", 10);
	*(int *)ret_rc = rc;
	return NULL;
}

Test(pipe, a_writer_that_waits_learns_that_the_client_has_gone)
{
	struct rung_client *client = open_client();
	pthread_t writer;
	int rc = 0;

	shared = rung_pipe_new(.room = 64);
	start(client);
	cr_assert(pthread_create(&writer, NULL, write_until_gone, &rc) == 0);
	usleep(20 * 1000);
	cr_assert_not(rung_pipe_is_gone(shared));
	rung_client_abort(client);
	pthread_join(writer, NULL);
	ASSERT_INT(rc, -EPIPE);
	cr_assert(rung_pipe_is_gone(shared));
	ASSERT_INT(rung_pipe_offer(shared, "x", 1), -EPIPE);
	rung_pipe_close(shared);
	rung_client_destroy(client);
}

Test(pipe, one_that_breaks_is_a_broken_body)
{
	struct rung_client *client = open_client();
	char text[16];

	shared = rung_pipe_new();
	start(client);
	ASSERT_INT(rung_pipe_write(shared, "half", 4), 0);
	rung_pipe_abort(shared, -EIO);
	ASSERT_INT(rung_client_read(client, text, sizeof text), 4);
	ASSERT_INT(rung_client_read(client, text, sizeof text), -EIO);
	ASSERT_HAS(test_log(), "rung: body of GET /: Input/output error after 4 bytes");
	rung_client_destroy(client);
}

static int too_much_at_once(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	char bytes[100] = "";

	(void)self;
	shared = rung_pipe_new(.room = 64);
	rung_reply_pipe(res, 200, "text/plain", shared);
	int rc = rung_pipe_write(shared, bytes, sizeof bytes);
	rung_pipe_close(shared);
	return rc < 0 ? rung_fail(env, rc, "the pipe is full and its reader is waiting for me") : 0;
}

Test(pipe, a_handler_is_never_made_to_wait_for_itself)
{
	struct rung_client *client = test_client(rung_run(too_much_at_once));

	ASSERT_INT(rung_client_get(client, "/")->status, 500);
	ASSERT_HAS(test_log(), "the pipe is full");
	rung_client_destroy(client);
}

static int give_twice(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	shared = rung_pipe_new();
	rung_reply_pipe(res, 200, "text/plain", shared);
	return rung_body_pipe(res, shared);
}

Test(pipe, it_has_one_reader)
{
	struct rung_client *client = test_client(rung_run(give_twice));

	ASSERT_INT(rung_client_get(client, "/")->status, 500);
	ASSERT_INT(rung_pipe_offer(shared, "x", 1), -EPIPE);
	rung_pipe_close(shared);
	rung_client_destroy(client);
}

static int give_null(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_pipe(res, 200, "text/plain", NULL);
}

Test(pipe, null_is_an_error_and_harmless_to_close)
{
	struct rung_client *client = test_client(rung_run(give_null));

	ASSERT_INT(rung_client_get(client, "/")->status, 500);
	ASSERT_HAS(test_log(), "the pipe of the body is NULL");
	rung_pipe_close(NULL);
	rung_pipe_abort(NULL, -EIO);
	rung_client_destroy(client);
}

static int give_and_replace(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	shared = rung_pipe_new();
	rung_reply_pipe(res, 200, "text/plain", shared);
	return rung_reply_text(res, 200, "something else");
}

Test(pipe, a_body_that_is_replaced_has_gone)
{
	struct rung_client *client = test_client(rung_run(give_and_replace));

	ASSERT_STR(rung_client_get(client, "/")->body, "something else");
	cr_assert(rung_pipe_is_gone(shared));
	ASSERT_INT(rung_pipe_write(shared, "x", 1), -EPIPE);
	rung_pipe_close(shared);
	rung_client_destroy(client);
}

/* A writer that is slow: the client waits for each piece, by waking and not by asking again and again. */
static void *write_slowly(void *unused)
{
	(void)unused;
	for (int i = 0; i < 5; i++) {
		usleep(5 * 1000);
		rung_pipe_write(shared, "tick ", 5);
	}
	rung_pipe_close(shared);
	return NULL;
}

Test(pipe, a_client_waits_until_there_is_more)
{
	struct rung_client *client = open_client();
	pthread_t writer;
	char text[64];

	shared = rung_pipe_new();
	start(client);
	ASSERT_INT(rung_client_read(client, text, sizeof text), -EAGAIN);
	ASSERT_INT(rung_client_wait(client, 10), -ETIMEDOUT);
	cr_assert(pthread_create(&writer, NULL, write_slowly, NULL) == 0);
	ASSERT_INT(rung_client_wait(client, -1), 0);
	ASSERT_INT(rung_client_read(client, text, 5), 5);
	pthread_join(writer, NULL);
	rung_client_abort(client);
	shared = rung_pipe_new();
	cr_assert(pthread_create(&writer, NULL, write_slowly, NULL) == 0);
	ASSERT_STR(rung_client_get(client, "/")->body, "tick tick tick tick tick ");
	pthread_join(writer, NULL);
	rung_client_destroy(client);
}

Test(pipe, room_beyond_memory_is_refused)
{
	cr_assert_null(rung_pipe_new(.room = SIZE_MAX));
	ASSERT_HAS(rung_error(), "pipe: out of memory");
}

/* -- events ---------------------------------------------------------------------------------------------------------- */

static int give_events(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const char *last = rung_last_event_id(env);

	(void)self;
	shared = rung_pipe_new(.endless = true);
	rung_reply_events(res, shared);
	ASSERT_INT(rung_event_send(shared, .data = last ? last : "from the start"), 0);
	return 0;
}

Test(pipe, events_as_the_standard_writes_them)
{
	static const struct {
		struct rung_event event;
		const char *bytes;
	} cases[] = {
		{ { .data = "one" }, "data: one\n\n" },
		{ { .data = "" }, "data: \n\n" },
		{ { .data = "a\nb\r\nc\rd" }, "data: a\ndata: b\ndata: c\ndata: d\n\n" },
		{ { .data = "a\n" }, "data: a\ndata: \n\n" },
		{ { .data = "x", .event = "tick", .id = "7", .retry_ms = 1500 },
			"event: tick\nid: 7\nretry: 1500\ndata: x\n\n" },
		{ { .id = "8" }, "id: 8\n\n" },
		{ { .data = ":colon \xc3\xa4" }, "data: :colon \xc3\xa4\n\n" },
	};
	struct rung_client *client = test_client(rung_run(give_events));
	char text[256];

	const struct rung_reply *reply = start(client);
	ASSERT_INT(reply->status, 200);
	ASSERT_STR(rung_reply_header(reply, "Content-Type"), "text/event-stream");
	ASSERT_STR(rung_reply_header(reply, "Cache-Control"), "no-cache");
	ASSERT_STR(rung_reply_header(reply, "X-Accel-Buffering"), "no");
	ASSERT_INT(rung_client_read(client, text, sizeof text), 22);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rung_event event = cases[i].event;

		event.size = sizeof event;
		ASSERT_INT(i % 2 ? rung_event_write(shared, &event) : rung_event_try(shared, &event), 0);
		ssize_t n = rung_client_read(client, text, sizeof text - 1);
		cr_assert(n > 0);
		text[n] = '\0';
		ASSERT_STR(text, cases[i].bytes);
	}
	ASSERT_INT(rung_event_comment(shared, "still here"), 0);
	ssize_t n = rung_client_read(client, text, sizeof text - 1);
	text[n] = '\0';
	ASSERT_STR(text, ": still here\n\n");
	rung_pipe_close(shared);
	rung_client_destroy(client);
}

Test(pipe, events_that_would_break_their_frame_are_refused)
{
	shared = rung_pipe_new();
	ASSERT_INT(rung_event_send(shared, .data = "x", .event = "a\ndata: forged"), -EINVAL);
	ASSERT_INT(rung_event_send(shared, .data = "x", .id = "a\rb"), -EINVAL);
	ASSERT_INT(rung_event_comment(shared, "a\nb"), -EINVAL);
	ASSERT_INT(rung_event_write(shared, &(struct rung_event){ .data = "no size" }), -EINVAL);
	rung_pipe_close(shared);
}

Test(pipe, large_events_and_full_pipes)
{
	char *data = malloc(5001);

	memset(data, 'x', 5000);
	data[5000] = '\0';
	shared = rung_pipe_new(.room = 6000);
	ASSERT_INT(rung_event_offer(shared, .data = data), 0);
	ASSERT_INT(rung_event_offer(shared, .data = data), -EAGAIN);
	data[4990] = '\0';
	rung_pipe_close(shared);
	shared = rung_pipe_new(.room = 100);
	ASSERT_INT(rung_event_offer(shared, .data = data), -EMSGSIZE);
	rung_pipe_close(shared);
	free(data);
}

Test(pipe, a_browser_that_comes_back_says_what_it_saw_last)
{
	struct rung_client *client = test_client(rung_run(give_events));
	const struct rung_field fields[] = { { .name = "Last-Event-ID", .value = "41" }, { 0 } };
	char text[64];

	rung_client_start(client, &(struct rung_client_request){
					  .size = sizeof(struct rung_client_request), .headers = fields });
	ssize_t n = rung_client_read(client, text, sizeof text - 1);
	text[n] = '\0';
	ASSERT_STR(text, "data: 41\n\n");
	rung_pipe_close(shared);
	rung_client_destroy(client);
}
