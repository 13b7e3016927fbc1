/* test_env.c: the request as an app sees it: fields, memory, values, views, the body, hooks, failures and the log. */
#include "support.h"

#include <errno.h>

SUITE(env);

/* Runs a function inside a request; its assertions are the test. */
static const struct rung_reply *run_with(
	struct rung_client **ret_client, rung_call_fn inside, const struct rung_client_request *request)
{
	*ret_client = test_client_with(rung_run(inside),
		&(const struct rung_setup){ .size = sizeof(struct rung_setup), .probes = test_no_probes });
	return rung_client_request(*ret_client, request);
}

#define REQUEST(...) \
	(&(const struct rung_client_request){ .size = sizeof(struct rung_client_request), __VA_ARGS__ })

static void run(rung_call_fn inside, const struct rung_client_request *request)
{
	struct rung_client *client;
	int status = run_with(&client, inside, request)->status;

	cr_assert(status == 200, "%d: %s", status, test_log());
	rung_client_destroy(client);
}

/* A literal as a value, whose type has no const. */
static void *text(const char *literal)
{
	return (void *)(uintptr_t)literal;
}

static int done(struct rung_response *res)
{
	return rung_reply_text(res, 200, "");
}

/* -- reading ----------------------------------------------------------------------------------------------------- */

static int read_fields(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	ASSERT_STR(env->method, "PUT");
	ASSERT_STR(env->scheme, "http");
	ASSERT_STR(env->host, "localhost");
	ASSERT_STR(env->script_name, "");
	ASSERT_STR(env->path_info, "/a%20b");
	ASSERT_STR(env->query, "c=%64");
	ASSERT_STR(env->protocol, "HTTP/1.1");
	ASSERT_INT(env->content_length, 0);
	ASSERT_INT(env->hop, 0);
	cr_assert(!env->uri && !env->outer);
	ASSERT_STR(rung_request_header(env, "x-A"), "1");
	ASSERT_STR(rung_request_field(env, 1)->value, "2");
	cr_assert_null(rung_request_header(env, "X-B"));
	cr_assert_null(rung_request_field(env, 3));
	cr_assert_null(rung_param(env, "name"));
	ASSERT_STR(rung_remote_address(env), "");
	cr_assert_not(rung_is_development(env));
	cr_assert_null(rung_uri_header(env));
	rung_uri_header_set(env, "X-Where");
	ASSERT_STR(rung_uri_header(env), "X-Where");
	return done(res);
}

Test(env, a_request_can_be_read)
{
	static const struct rung_field fields[] = { { .name = "X-A", .value = "1" },
		{ .name = "X-A", .value = "2" }, { 0 } };

	run(read_fields, REQUEST("PUT", "/a%20b?c=%64", .headers = fields));
}

static int use_memory(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	char *last = NULL;
	for (size_t size = 0; size < 300000; size = size * 3 + 1) {
		char *memory = rung_alloc(env, size);

		cr_assert(memory && memory != last && (uintptr_t)memory % 16 == 0);
		memset(memory, 0xaa, size);
		last = memory;
	}
	cr_assert_null(rung_alloc(env, SIZE_MAX));
	ASSERT_STR(rung_printf(env, "%d-%s", 7, "x"), "7-x");
	ASSERT_INT(strlen(rung_printf(env, "%5000d", 1)), 5000);
	ASSERT_STR(rung_strndup(env, "abcdef", 3), "abc");
	ASSERT_STR(rung_strndup(env, "", 0), "");
	return done(res);
}

Test(env, memory_lives_as_long_as_the_request)
{
	run(use_memory, REQUEST("GET", "/"));
}

/* -- the body ---------------------------------------------------------------------------------------------------- */

static int read_input(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	char buffer[8] = "";
	size_t size;

	(void)self;
	ASSERT_INT(env->content_length, 6);
	ASSERT_INT(rung_input_read(env, buffer, 4), 4);
	cr_assert(memcmp(buffer, "abcd", 4) == 0);
	ASSERT_INT(rung_input_read(env, buffer, 4), 2);
	ASSERT_INT(rung_input_read(env, buffer, 4), 0);
	rung_input_rewind(env);
	ASSERT_INT(rung_input_read(env, buffer, 1), 1);
	ASSERT_STR(rung_input_bytes(env, &size), "abcdef");
	ASSERT_INT(size, 6);
	/* A redispatch begins anew, and does not move what the outer view has reached. */
	struct rung_env *view = rung_view(env, &(struct rung_target){ .uri = "/" });
	ASSERT_INT(rung_input_read(view, buffer, 8), 6);
	ASSERT_INT(rung_input_read(env, buffer, 8), 5);
	/* Without a body there is none, nor a field that tells of one. */
	view = rung_view(env, &(struct rung_target){ .uri = "/", .drop_body = true });
	ASSERT_INT(view->content_length, 0);
	ASSERT_INT(rung_input_read(view, buffer, 8), 0);
	ASSERT_STR(rung_input_bytes(view, &size), "");
	ASSERT_INT(size, 0);
	cr_assert(!rung_request_header(view, "Content-Length") && !rung_request_header(view, "Content-Type"));
	ASSERT_STR(rung_request_header(view, "X-Other"), "kept");
	ASSERT_STR(rung_request_header(env, "Content-Type"), "a/b");
	return done(res);
}

Test(env, a_body_is_read_per_view)
{
	static const struct rung_field fields[] = { { .name = "Content-Type", .value = "a/b" },
		{ .name = "X-Other", .value = "kept" }, { 0 } };

	run(read_input, REQUEST("POST", "/", .headers = fields, .body = "abcdef"));
}

/* -- values ------------------------------------------------------------------------------------------------------ */

static char destroyed[32];

static void note_destroyed(void *value)
{
	strncat(destroyed, value, 1);
}

static const struct rung_key key = { "test.value", note_destroyed }, other_key = { "test.other", NULL };

static int scope_values(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	cr_assert_null(rung_env_get(env, &key));
	ASSERT_INT(rung_env_set(env, &key, text("1")), 0);
	ASSERT_STR(rung_env_get(env, &key), "1");
	cr_assert_null(rung_env_get(env, &other_key));
	/* A rewrite shares the scope. */
	struct rung_env *same = rung_rewrite(env, &(struct rung_target){ .path_info = "/x" });
	ASSERT_INT(rung_env_set(same, &key, text("2")), 0);
	ASSERT_STR(rung_env_get(env, &key), "2");
	/* A redispatch looks outward and writes to its own. */
	struct rung_env *view = rung_view(same, &(struct rung_target){ .uri = "/" });
	ASSERT_STR(rung_env_get(view, &key), "2");
	ASSERT_INT(rung_env_set(view, &key, text("3")), 0);
	ASSERT_INT(rung_env_set(view, &other_key, text("x")), 0);
	ASSERT_STR(rung_env_get(view, &key), "3");
	ASSERT_STR(rung_env_get(env, &key), "2");
	cr_assert_null(rung_env_get(env, &other_key));
	struct rung_env *inner = rung_view(view, &(struct rung_target){ .uri = "/" });
	ASSERT_STR(rung_env_get(inner, &key), "3");
	ASSERT_STR(rung_env_get(inner, &other_key), "x");
	/* A scope stays its view's own when another one opens later. */
	struct rung_env *sibling = rung_view(env, &(struct rung_target){ .uri = "/" });
	ASSERT_STR(rung_env_get(sibling, &key), "2");
	ASSERT_STR(destroyed, "");
	return done(res);
}

Test(env, values_are_scoped_and_destroyed_once_in_reverse)
{
	run(scope_values, REQUEST("GET", "/"));
	ASSERT_STR(destroyed, "321");
}

/* -- views ------------------------------------------------------------------------------------------------------- */

static int rewrite(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct rung_target all = { .method = "PUT",
		.scheme = "https",
		.host = "h",
		.script_name = "/s",
		.path_info = "/p",
		.query = "q" };
	struct rung_env *view = rung_rewrite(env, &all);

	(void)self;
	cr_assert(strcmp(view->method, "PUT") == 0 && strcmp(view->scheme, "https") == 0 &&
		  strcmp(view->host, "h") == 0 && strcmp(view->script_name, "/s") == 0 &&
		  strcmp(view->path_info, "/p") == 0 && strcmp(view->query, "q") == 0);
	cr_assert(view->outer == env && view->hop == 0 && !view->uri);
	ASSERT_STR(rung_request_header(view, "Host"), "localhost");
	struct rung_env *none = rung_rewrite(view, &(struct rung_target){ 0 });
	cr_assert(none->method == view->method && none->path_info == view->path_info && none->outer == view);
	cr_assert(strcmp(env->method, "GET") == 0 && strcmp(env->path_info, "/orig") == 0 &&
		  strcmp(env->host, "localhost") == 0);
	return done(res);
}

Test(env, a_rewrite_is_the_same_request_seen_otherwise)
{
	run(rewrite, REQUEST("GET", "/orig"));
}

static int dispatch(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_env *view = rung_view(
		env, &(struct rung_target){ .host = "h:81", .path_info = "/p", .uri = "http://h:81/p" });

	(void)self;
	cr_assert(view->hop == 1 && view->outer == env);
	ASSERT_STR(view->uri, "http://h:81/p");
	ASSERT_STR(view->host, "h:81");
	ASSERT_STR(rung_request_header(view, "Host"), "h:81");
	ASSERT_STR(rung_request_header(env, "Host"), "localhost");
	ASSERT_STR(view->method, "GET");
	struct rung_env *mounted = rung_rewrite(view, &(struct rung_target){ .path_info = "" });
	ASSERT_STR(mounted->uri, "http://h:81/p");
	ASSERT_INT(mounted->hop, 1);
	return done(res);
}

Test(env, a_dispatch_has_a_hop_a_uri_and_a_host)
{
	run(dispatch, REQUEST("GET", "/"));
}

static int nest(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	static const struct {
		unsigned max_hops, depth;
	} cases[] = { { 3, 3 }, { 0, 10 } };
	char words[64];

	(void)self;
	for (size_t i = 0; i < 2; i++) {
		struct rung_env *view = env;

		for (unsigned hop = 1; hop <= cases[i].depth; hop++) {
			view = rung_view(
				view, &(struct rung_target){ .uri = "/", .max_hops = cases[i].max_hops });
			cr_assert(view && view->hop == hop, "hop %u of %u", hop, cases[i].depth);
		}
		cr_assert_null(
			rung_view(view, &(struct rung_target){ .uri = "/", .max_hops = cases[i].max_hops }));
		ASSERT_INT(rung_failure(env)->err, -ELOOP);
		snprintf(words, sizeof words, "more than %u redispatches", cases[i].depth);
		ASSERT_HAS(rung_failure(env)->message, words);
	}
	return done(res);
}

Test(env, dispatches_nest_up_to_a_limit)
{
	run(nest, REQUEST("GET", "/"));
}

static bool is_x(const struct rung_field *field, const void *data)
{
	return strncmp(field->name, data, 2) == 0;
}

static size_t count_fields(const struct rung_env *env)
{
	size_t count = 0;

	while (rung_request_field(env, count))
		count++;
	return count;
}

static int edit_fields(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_env *view = rung_rewrite(env, &(struct rung_target){ 0 });

	(void)self;
	ASSERT_INT(rung_request_header_set(view, "x-a", "new"), 0);
	ASSERT_INT(rung_request_header_set(view, "Y", "1"), 0);
	ASSERT_STR(rung_request_header(view, "X-A"), "new");
	ASSERT_STR(rung_request_header(env, "X-A"), "1");
	cr_assert_null(rung_request_header(env, "Y"));
	ASSERT_INT(count_fields(view), 4); /* one X-A of two, X-B, Host, Y */
	ASSERT_INT(rung_request_header_remove(view, "host"), 0);
	ASSERT_INT(rung_request_header_remove(view, "nothing"), 0);
	ASSERT_INT(rung_request_header_filter(view, is_x, "x-"), 0);
	ASSERT_INT(rung_request_header_filter(view, is_x, "X-"), 0);
	ASSERT_INT(count_fields(view), 1);
	ASSERT_INT(count_fields(env), 4);
	/* A view opened from it sees the change, and its own stay its own. */
	struct rung_env *inner = rung_view(view, &(struct rung_target){ .uri = "/" });
	ASSERT_STR(rung_request_header(inner, "Y"), "1");
	for (int i = 0; i < 40; i++)
		ASSERT_INT(rung_request_header_set(inner, rung_printf(env, "Z-%d", i), "1"), 0);
	ASSERT_INT(count_fields(inner), 41);
	ASSERT_INT(count_fields(view), 1);
	ASSERT_INT(rung_request_header_set(inner, "bad name", "1"), -EINVAL);
	ASSERT_INT(rung_request_header_set(inner, "Bad", "a\nb"), -EINVAL);
	ASSERT_INT(count_fields(inner), 41);
	return done(res);
}

Test(env, a_views_fields_are_its_own)
{
	static const struct rung_field fields[] = { { .name = "X-A", .value = "1" },
		{ .name = "X-B", .value = "2" }, { .name = "x-A", .value = "3" }, { 0 } };

	run(edit_fields, REQUEST("GET", "/", .headers = fields));
}

/* -- hooks ------------------------------------------------------------------------------------------------------- */

static char events[256];
static struct rung_finish ended;

static void note_finish(const struct rung_env *env, const struct rung_finish *finish, void *data)
{
	ended = *finish;
	snprintf(events + strlen(events), 64, "%s%s ", (const char *)data, env->path_info);
}

static void note_response(struct rung_env *env, struct rung_response *res, void *data)
{
	snprintf(events + strlen(events), 64, "%s%s=%d ", (const char *)data, env->path_info, res->status);
	rung_header_add(res, "X-Hook", data);
}

static int set_hooks(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_env *view =
		rung_view(env, &(struct rung_target){ .path_info = "/inner", .uri = "/inner" });

	(void)self;
	ASSERT_INT(rung_on_finish(env, note_finish, text("a")), 0);
	ASSERT_INT(rung_on_response(env, note_response, text("r")), 0);
	ASSERT_INT(rung_on_finish(view, note_finish, text("b")), 0);
	ASSERT_INT(rung_on_response(view, note_response, text("s")), 0);
	if (*env->query)
		return -EIO;
	return rung_reply_text(res, 201, "body");
}

Test(env, hooks_run_in_reverse_once_and_always)
{
	struct rung_client *client = test_client(rung_run(set_hooks));
	const struct rung_reply *reply = rung_client_get(client, "/x");

	ASSERT_STR(events, "s/inner=201 r/x=201 b/inner a/x ");
	ASSERT_STR(rung_reply_header(reply, "X-Hook"), "s");
	cr_assert(ended.status == 201 && ended.bytes == 4 && ended.outcome == RUNG_SENT);
	events[0] = '\0';
	rung_client_get(client, "/x?fail");
	ASSERT_STR(events, "s/inner=500 r/x=500 b/inner a/x ");
	cr_assert(ended.status == 500 && ended.bytes == 0);
	events[0] = '\0';
	rung_client_start(client, REQUEST("GET", "/x"));
	ASSERT_STR(events, "s/inner=201 r/x=201 ");
	rung_client_abort(client);
	ASSERT_STR(events, "s/inner=201 r/x=201 b/inner a/x ");
	ASSERT_INT(ended.outcome, RUNG_ABORTED);
	rung_client_destroy(client);
	ASSERT_STR(events, "s/inner=201 r/x=201 b/inner a/x ");
}

static void break_response(struct rung_env *env, struct rung_response *res, void *data)
{
	(void)data;
	if (*env->query)
		res->status = atoi(env->query);
	else
		rung_header(res, "bad name", "x");
}

static int set_bad_hook(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_on_response(env, break_response, NULL);
	return rung_reply_text(res, 200, "must not go out");
}

Test(env, a_response_hook_that_fails_lets_nothing_out)
{
	struct rung_client *client = test_client(rung_run(set_bad_hook));
	const struct rung_reply *reply = rung_client_get(client, "/");

	ASSERT_INT(reply->status, 500);
	ASSERT_STR(reply->body, "");
	ASSERT_HAS(test_log(), "bad name");
	/* Nor does one that sets a status that is none. */
	ASSERT_INT(rung_client_get(client, "/?101")->status, 500);
	ASSERT_INT(rung_client_get(client, "/?1000")->status, 500);
	ASSERT_INT(rung_client_get(client, "/?-1")->status, 500);
	ASSERT_STR(rung_client_get(client, "/?299")->body, "must not go out");
	rung_client_destroy(client);
}

/* -- failures and the log ---------------------------------------------------------------------------------------- */

static int fail_and_recover(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct rung_failure *failure;

	(void)self;
	cr_assert_null(rung_failure(env));
	ASSERT_INT(rung_fail(env, -EIO, "why: %d", 7), -EIO);
	failure = rung_failure(env);
	cr_assert(failure->err == -EIO && failure->line > 0 && strstr(failure->file, "test_env.c"));
	ASSERT_STR(failure->message, "why: 7");
	/* Recorded, not returned: it is no failure of the response. */
	return done(res);
}

Test(env, a_failure_is_recorded_where_it_happens)
{
	run(fail_and_recover, REQUEST("GET", "/"));
	ASSERT_STR(test_log(), "");
}

static int log_path(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_log(env, RUNG_LOG_INFO, "query %s end", env->query);
	rung_log(env, RUNG_LOG_INFO, "%s", "a\nb\r\t\x1b[31m\x7f\xc3\xa9");
	return done(res);
}

Test(env, nothing_forges_a_line_of_the_log)
{
	char target[6000] = "/?";
	struct rung_client *client = test_client(rung_run(log_path));

	memset(target + 2, 'q', sizeof target - 3);
	rung_client_get(client, target);
	ASSERT_HAS(test_log(), "\na\\x0ab\\x0d\\x09\\x1b[31m\\x7f\\xc3\\xa9\n");
	const char *newline = strchr(test_log(), '\n');
	cr_assert(newline - test_log() <= 4096, "a line is cut, not lost: %td bytes", newline - test_log());
	rung_client_destroy(client);
}

static int tell_development(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return rung_reply_text(res, 200, rung_is_development(env) ? "development" : "production");
}

Test(env, development_is_what_the_setup_or_the_environment_says)
{
	const struct rung_setup setup = { .size = sizeof setup, .development = true };
	struct rung_client *client = test_client_with(rung_run(tell_development), &setup);

	ASSERT_STR(rung_client_get(client, "/")->body, "development");
	rung_client_destroy(client);
	unsetenv("RUNG_ENV");
	client = test_client(rung_run(tell_development));
	ASSERT_STR(rung_client_get(client, "/")->body, "production");
	rung_client_destroy(client);
	setenv("RUNG_ENV", "development", 1);
	client = test_client(rung_run(tell_development));
	ASSERT_STR(rung_client_get(client, "/")->body, "development");
	rung_client_destroy(client);
}
