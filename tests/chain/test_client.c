/* test_client.c: the in-process client: what it sends, what it shows of an answer, cookies, and bodies step by step. */
#include "support.h"

#include <errno.h>

SUITE(client);

/* Says what arrived: request line, fields, body. */
static int tell(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	size_t size;
	const char *body = rung_input_bytes(env, &size);
	const char *text = rung_printf(env, "%s %s%s?%s at %s\n", env->method, env->script_name,
		env->path_info, env->query, env->host);
	const struct rung_field *field;

	(void)self;
	for (size_t i = 0; (field = rung_request_field(env, i)); i++)
		text = rung_printf(env, "%s%s: %s\n", text, field->name, field->value);
	return rung_reply_textf(res, 200, "%s%zu:%s", text, size, body);
}

/* -- what is sent ---------------------------------------------------------------------------------------------- */

Test(client, a_get_has_a_host_and_no_body)
{
	struct rung_client *client = test_client(rung_run(tell));

	ASSERT_STR(rung_client_get(client, "/a%20b?c=d&e")->body,
		"GET /a%20b?c=d&e at localhost\nHost: localhost\n0:");
	ASSERT_STR(rung_client_get(client, "/")->body, "GET /? at localhost\nHost: localhost\n0:");
	ASSERT_STR(rung_client_get(client, "/a?b?c")->body, "GET /a?b?c at localhost\nHost: localhost\n0:");
	rung_client_destroy(client);
}

Test(client, method_and_target_have_defaults)
{
	struct rung_client *client = test_client(rung_run(tell));

	ASSERT_HAS(rung_client_send(client, .body = NULL)->body, "GET /? at localhost\n");
	ASSERT_HAS(rung_client_send(client, "PURGE")->body, "PURGE /? at localhost\n");
	rung_client_destroy(client);
}

Test(client, every_form_of_target_is_taken)
{
	struct rung_client *client = test_client(rung_run(tell));

	ASSERT_HAS(rung_client_get(client, "http://Other.test:81/x?y")->body,
		"GET /x?y at Other.test:81\nHost: localhost\n");
	ASSERT_HAS(rung_client_get(client, "http://other.test")->body, "GET /? at other.test\n");
	ASSERT_HAS(rung_client_get(client, "http://other.test?y")->body, "GET /?y at other.test\n");
	ASSERT_HAS(rung_client_send(client, "OPTIONS", "*")->body, "OPTIONS *? at localhost\n");
	ASSERT_INT(rung_client_send(client, "CONNECT", "other.test:443")->status, 501);
	rung_client_destroy(client);
}

Test(client, what_a_server_would_refuse_is_refused_with_its_reason)
{
	static const struct rung_field two_hosts[] = { { .name = "Host", .value = "a" },
		{ .name = "host", .value = "a" }, { 0 } };
	static const struct rung_field bad_host[] = { { .name = "Host", .value = "a/b" }, { 0 } };
	struct rung_client *client = test_client(rung_run(tell));
	static const char *const bad[] = { "", "x", "*", "/a b", "/a#b", "/\x01", "http://", "ftp://h/" };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_expect(rung_client_get(client, bad[i])->status == 400, "<%s>: %d", bad[i],
			rung_client_get(client, bad[i])->status);
	ASSERT_INT(rung_client_send(client, "BAD METHOD", "/")->status, 400);
	ASSERT_INT(rung_client_send(client, "", "/")->status, 400);
	ASSERT_STR(
		rung_client_send(client, "GET", "/", .headers = two_hosts)->body, "more than one Host field");
	ASSERT_STR(
		rung_client_send(client, "GET", "/", .headers = bad_host)->body, "the Host field is no host");
	ASSERT_INT(rung_client_get(client, "/")->status, 200);
	rung_client_destroy(client);
}

Test(client, fields_keep_order_spelling_and_number)
{
	static const struct rung_field fields[] = { { .name = "x-b", .value = "1" }, { .name = "X-A" },
		{ .name = "X-B", .value = "2" }, { .name = "Host", .value = "h:81" }, { 0 } };
	struct rung_client *client = test_client(rung_run(tell));

	ASSERT_STR(rung_client_send(client, "GET", "/", .headers = fields)->body,
		"GET /? at h:81\nx-b: 1\nX-A: \nX-B: 2\nHost: h:81\n0:");
	rung_client_destroy(client);
}

Test(client, a_body_has_its_length_said)
{
	struct rung_client *client = test_client(rung_run(tell));

	ASSERT_HAS(
		rung_client_send(client, "POST", "/", .body = "hello")->body, "Content-Length: 5\n5:hello");
	ASSERT_HAS(rung_client_send(client, "POST", "/", .body = "hello", .body_size = 2)->body,
		"Content-Length: 2\n2:he");
	ASSERT_HAS(rung_client_send(client, "POST", "/", .body = "")->body, "Content-Length: 0\n0:");
	ASSERT_HAS(rung_client_send(client, "POST", "/", .body = "a\0b", .body_size = 3)->body, "3:a");
	rung_client_destroy(client);
}

Test(client, the_host_is_an_option_and_where_the_stack_listens)
{
	struct rung_client *client = rung_client_new(rung_run(tell), .host = "app.test:8080");

	ASSERT_STR(rung_client_get(client, "/")->body, "GET /? at app.test:8080\nHost: app.test:8080\n0:");
	rung_client_destroy(client);
}

/* -- what is shown ---------------------------------------------------------------------------------------------- */

static int answer(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)env;
	rung_header(res, "X-One", "1");
	rung_header_add(res, "Link", "<a>");
	rung_header_add(res, "Link", "<b>");
	return rung_reply_bytes(res, 203, "a/b", "a\0b", 3);
}

Test(client, an_answer_has_status_fields_and_body)
{
	struct rung_client *client = test_client(rung_run(answer));
	const struct rung_reply *reply = rung_client_get(client, "/");
	static const char *const names[] = { "X-One", "Link", "Link", "Content-Type", "Content-Length" };

	ASSERT_INT(reply->status, 203);
	ASSERT_INT(reply->size, 3);
	cr_assert(memcmp(reply->body, "a\0b", 4) == 0, "the bytes, and a NUL behind them");
	ASSERT_INT(reply->outcome, RUNG_SENT);
	ASSERT_STR(rung_reply_header(reply, "x-oNE"), "1");
	ASSERT_STR(rung_reply_header(reply, "link"), "<a>");
	ASSERT_STR(rung_reply_header(reply, "Content-Length"), "3");
	cr_assert_null(rung_reply_header(reply, "Link2"));
	for (size_t i = 0; i < 5; i++)
		ASSERT_STR(rung_reply_field(reply, i)->name, names[i]);
	cr_assert_null(rung_reply_field(reply, 5));
	rung_client_destroy(client);
}

Test(client, head_tells_the_length_and_brings_no_body)
{
	struct rung_client *client = test_client(rung_run(answer));
	const struct rung_reply *reply = rung_client_send(client, "HEAD", "/");

	ASSERT_INT(reply->status, 203);
	ASSERT_INT(reply->size, 0);
	ASSERT_STR(reply->body, "");
	ASSERT_STR(rung_reply_header(reply, "Content-Length"), "3");
	rung_client_destroy(client);
}

static int large(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	size_t size = 300001;
	char *text = rung_alloc(env, size);

	(void)self;
	memset(text, 'x', size);
	res->status = 200;
	return rung_body_static(res, text, size);
}

Test(client, a_large_body_arrives_whole_again_and_again)
{
	struct rung_client *client = test_client(rung_run(large));

	for (int i = 0; i < 50; i++) {
		const struct rung_reply *reply = rung_client_get(client, "/");

		ASSERT_INT(reply->size, 300001);
		ASSERT_INT(strspn(reply->body, "x"), 300001);
	}
	rung_client_destroy(client);
}

/* -- step by step ----------------------------------------------------------------------------------------------- */

/* Gives "one", then nothing for two times, then "two", and ends as it was told. */
struct steps {
	struct rung_source source;
	int step, closes;
	ssize_t ending;
	int64_t size;
	struct rung_finish finish;
	int finishes;
};

static ssize_t read_step(struct rung_source *source, void *buffer, size_t max)
{
	struct steps *steps = (struct steps *)source;
	const char *text = steps->step == 0 ? "one" : "two";
	int step = steps->step++;

	if (step == 1 || step == 2)
		return -EAGAIN;
	if (step > 3)
		return steps->ending;
	cr_assert_geq(max, 3);
	memcpy(buffer, text, 3);
	return 3;
}

static void close_steps(struct rung_source *source)
{
	((struct steps *)source)->closes++;
}

static void note_finish(const struct rung_env *env, const struct rung_finish *finish, void *data)
{
	struct steps *steps = data;

	(void)env;
	steps->finish = *finish;
	steps->finishes++;
}

static int give_steps(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct steps *steps = (struct steps *)(uintptr_t)rung_data(self);
	struct steps fresh = { .source = { .read = read_step, .close = close_steps },
		.ending = steps->ending,
		.size = steps->size };

	*steps = fresh;
	rung_on_finish(env, note_finish, steps);
	return rung_reply_pull(res, 200, "text/plain", &steps->source, steps->size);
}

static void check_end(const struct steps *steps, int64_t bytes, enum rung_outcome outcome)
{
	ASSERT_INT(steps->closes, 1);
	ASSERT_INT(steps->finishes, 1);
	ASSERT_INT(steps->finish.status, 200);
	ASSERT_INT(steps->finish.bytes, bytes);
	ASSERT_INT(steps->finish.outcome, outcome);
}

#define REQUEST(...) \
	(&(const struct rung_client_request){ .size = sizeof(struct rung_client_request), __VA_ARGS__ })

Test(client, a_body_is_read_in_steps)
{
	struct steps steps = { .size = -1 };
	struct rung_client *client = test_client(rung_run(give_steps, .data = &steps));
	const struct rung_reply *reply = rung_client_start(client, REQUEST("GET", "/"));
	char buffer[8];

	ASSERT_INT(reply->status, 200);
	ASSERT_STR(reply->body, "");
	cr_assert_null(rung_reply_header(reply, "Content-Length"));
	ASSERT_INT(steps.step, 0);
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), 3);
	cr_assert(memcmp(buffer, "one", 3) == 0);
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), -EAGAIN);
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), -EAGAIN);
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), 3);
	cr_assert(memcmp(buffer, "two", 3) == 0);
	ASSERT_INT(steps.finishes, 0);
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), 0);
	ASSERT_INT(reply->outcome, RUNG_SENT);
	check_end(&steps, 6, RUNG_SENT);
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), 0);
	rung_client_destroy(client);
	check_end(&steps, 6, RUNG_SENT);
}

Test(client, what_is_not_there_yet_is_waited_for)
{
	struct steps steps = { .size = -1 };
	struct rung_client *client = test_client(rung_run(give_steps, .data = &steps));

	ASSERT_STR(rung_client_get(client, "/")->body, "onetwo");
	check_end(&steps, 6, RUNG_SENT);
	rung_client_destroy(client);
}

Test(client, leaving_closes_the_body_and_is_heard)
{
	struct steps steps = { .size = -1 };
	struct rung_client *client = test_client(rung_run(give_steps, .data = &steps));
	const struct rung_reply *reply = rung_client_start(client, REQUEST("GET", "/"));
	char buffer[8];

	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), 3);
	rung_client_abort(client);
	check_end(&steps, 3, RUNG_ABORTED);
	ASSERT_INT(reply->outcome, RUNG_ABORTED);
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), 0);
	/* The next request leaves the one before it, and so does the end of the client. */
	rung_client_start(client, REQUEST("GET", "/"));
	rung_client_start(client, REQUEST("GET", "/"));
	check_end(&(struct steps){ .closes = 1, .finishes = 1, .finish = { 200, 0, RUNG_ABORTED } }, 0,
		RUNG_ABORTED);
	ASSERT_INT(steps.finishes, 0);
	rung_client_destroy(client);
	check_end(&steps, 0, RUNG_ABORTED);
}

Test(client, a_body_that_fails_or_ends_early_is_broken)
{
	struct steps steps = { .size = -1, .ending = -EIO };
	struct rung_client *client = test_client(rung_run(give_steps, .data = &steps));
	const struct rung_reply *reply = rung_client_get(client, "/");

	ASSERT_INT(reply->outcome, RUNG_BROKEN);
	ASSERT_STR(reply->body, "onetwo");
	check_end(&steps, 6, RUNG_BROKEN);
	steps.ending = 0;
	steps.size = 7;
	reply = rung_client_get(client, "/");
	ASSERT_STR(rung_reply_header(reply, "Content-Length"), "7");
	ASSERT_INT(reply->outcome, RUNG_BROKEN);
	check_end(&steps, 6, RUNG_BROKEN);
	/* What comes beyond the announced length is not asked for. */
	steps.size = 3;
	reply = rung_client_get(client, "/");
	ASSERT_STR(reply->body, "one");
	ASSERT_INT(reply->outcome, RUNG_SENT);
	check_end(&steps, 3, RUNG_SENT);
	rung_client_destroy(client);
}

/* -- cookies ----------------------------------------------------------------------------------------------------- */

/* Sets what the query says, word for word; shows what came. */
static int set_cookie(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const char *cookies = rung_request_header(env, "Cookie");
	char line[256];

	(void)self;
	if (*env->query) {
		cr_assert_geq(rung_uri_decode(env->query, strlen(env->query), line, sizeof line), 0);
		rung_header_add(res, "Set-Cookie", line);
	}
	return rung_reply_text(res, 200, cookies ? cookies : "none");
}

Test(client, cookies_come_back_where_they_belong)
{
	struct rung_client *client = test_client(rung_run(set_cookie));

	ASSERT_STR(rung_client_get(client, "/?a=1")->body, "none");
	ASSERT_STR(rung_client_get(client, "/shop/cart?b=2")->body, "a=1");
	ASSERT_STR(rung_client_get(client, "/shop/x?c=3;%20Path=/shop/deep")->body, "a=1; b=2");
	ASSERT_STR(rung_client_get(client, "/shop/deep")->body, "a=1; b=2; c=3");
	ASSERT_STR(rung_client_get(client, "/shop/deeper")->body, "a=1; b=2");
	ASSERT_STR(rung_client_get(client, "/shopping")->body, "a=1");
	ASSERT_STR(rung_client_get(client, "http://localhost/shop/deep?")->body, "a=1; b=2; c=3");
	ASSERT_STR(rung_client_get(client, "/?a=4")->body, "a=1");
	ASSERT_STR(rung_client_cookie(client, "a"), "4");
	cr_assert_null(rung_client_cookie(client, "b"), "it belongs to another path");
	rung_client_forget_cookies(client);
	ASSERT_STR(rung_client_get(client, "/")->body, "none");
	rung_client_destroy(client);
}

Test(client, a_cookie_goes_when_its_time_is_over)
{
	static const char *const over[] = { "a=;%20Max-Age=0", "a=;%20max-age=-5",
		"a=;%20Expires=Thu,%2001%20Jan%201970%2000:00:00%20GMT",
		"a=;%20Expires=Tue,%2010%20Nov%202020%2000:00:00%20GMT" };
	static const char *const lasting[] = { "a=1;%20Max-Age=9", "a=1;%20Max-Age=99999999999999999999",
		"a=1;%20Expires=Thu,%2001%20Jan%202099%2000:00:00%20GMT", "a=1;%20Expires=whenever",
		"a=1;%20Max-Age=9;%20Expires=Thu,%2001%20Jan%201970%2000:00:00%20GMT" };
	struct rung_client *client = test_client(rung_run(set_cookie));
	char target[256];

	for (size_t i = 0; i < sizeof over / sizeof *over; i++) {
		rung_client_get(client, "/?a=1");
		snprintf(target, sizeof target, "/?%s", over[i]);
		ASSERT_STR(rung_client_get(client, target)->body, "a=1");
		cr_expect_null(rung_client_cookie(client, "a"), "%s", over[i]);
	}
	for (size_t i = 0; i < sizeof lasting / sizeof *lasting; i++) {
		rung_client_forget_cookies(client);
		snprintf(target, sizeof target, "/?%s", lasting[i]);
		rung_client_get(client, target);
		cr_expect(rung_client_cookie(client, "a") != NULL, "%s", lasting[i]);
	}
	rung_client_destroy(client);
}

Test(client, cookies_of_ones_own_and_none_at_all)
{
	static const struct rung_field own[] = { { .name = "Cookie", .value = "mine=1" }, { 0 } };
	struct rung_client *client = test_client(rung_run(set_cookie));

	rung_client_get(client, "/?a=1");
	ASSERT_STR(rung_client_send(client, "GET", "/", .headers = own)->body, "mine=1");
	rung_client_destroy(client);
	client = rung_client_new(rung_run(set_cookie), .no_cookies = true);
	ASSERT_STR(rung_reply_header(rung_client_get(client, "/?a=1"), "Set-Cookie"), "a=1");
	ASSERT_STR(rung_client_get(client, "/")->body, "none");
	cr_assert_null(rung_client_cookie(client, "a"));
	rung_client_forget_cookies(client);
	rung_client_destroy(client);
}

/* -- refusals ---------------------------------------------------------------------------------------------------- */

static int pass_on(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	return 0;
}

static int refuse_to_start(struct rung_app *app, const struct rung_setup *setup)
{
	(void)app;
	(void)setup;
	return rung_refuse(-EIO, "sulky: not today; try tomorrow");
}

static const struct rung_app_class sulky_class = {
	.size = sizeof(struct rung_app), .name = "sulky", .call = tell, .start = refuse_to_start
};

Test(client, a_stack_that_cannot_serve_is_refused_and_dropped)
{
	cr_assert_null(rung_client_new(NULL));
	ASSERT_HAS(rung_error(), "client: it was given NULL as an app");
	cr_assert_null(rung_client_new(rung_use(pass_on)));
	ASSERT_HAS(rung_error(), "client: the stack of use ends in a layer");
	cr_assert_null(rung_client_new(rung_stack(rung_use(pass_on), rung_app_new(&sulky_class))));
	ASSERT_STR(rung_error(), "sulky: not today; try tomorrow");
	rung_client_destroy(NULL);
}
