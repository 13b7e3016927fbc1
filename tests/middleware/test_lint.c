/* test_lint.c: every breach of the contract is found, named and becomes a 500; what keeps it passes. */
#include "support.h"

#include <rung/lint.h>
#include <rung/reproxy.h>

#include <errno.h>

SUITE(lint);

/* -- breaches -------------------------------------------------------------------------------------------------- */

typedef void (*break_fn)(struct rung_env *env, struct rung_response *res);

struct breach {
	break_fn run;
	const char *words; /* of the log line */
};

/* The app that breaks what the test says. */
static int breaker(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct breach *breach = rung_data(self);

	rung_reply_text(res, 200, "text");
	breach->run(env, res);
	return 0;
}

static void early_status(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	res->status = 103;
}

static void body_of_204(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	res->status = 204;
}

static void body_of_304(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	res->status = 304;
}

static void length_of_204(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	rung_reply_empty(res, 204);
	rung_header(res, "Content-Length", "4");
}

static void bare_401(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	res->status = 401;
}

static void bare_405(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	res->status = 405;
}

static void status_field(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	rung_header(res, "status", "200 OK");
}

static void framing_field(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	rung_header(res, "Transfer-Encoding", "chunked");
}

static void two_types(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	rung_header_add(res, "content-type", "text/html");
}

static void two_locations(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	rung_header_add(res, "Location", "/a");
	rung_header_add(res, "Location", "/b");
}

static void wrong_length(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	rung_header(res, "Content-Length", "5");
}

static void worded_length(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	rung_header(res, "Content-Length", "+4");
}

static void length_of_nothing(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	rung_reply_empty(res, 200);
	rung_header(res, "Content-Length", "4");
}

static void edited_field(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	((struct rung_field *)(uintptr_t)rung_header_at(res, 0))->value = "a\nb";
	((struct rung_field *)(uintptr_t)rung_header_at(res, 0))->value_size = 3;
}

static void other_path(struct rung_env *env, struct rung_response *res)
{
	(void)res;
	env->path_info = "/elsewhere";
}

static void other_method(struct rung_env *env, struct rung_response *res)
{
	(void)res;
	env->method = "POST";
}

static const struct breach breaches[] = {
	{ early_status, "the status is none of a final response" },
	{ body_of_204, "a 204, 205 or 304 has a body" },
	{ body_of_304, "a 204, 205 or 304 has a body" },
	{ length_of_204, "a 204 has a Content-Length" },
	{ bare_401, "a 401 has no WWW-Authenticate" },
	{ bare_405, "a 405 has no Allow" },
	{ status_field, "Status is no field" },
	{ framing_field, "Transfer-Encoding is the server's" },
	{ two_types, "a field that may stand once stands twice" },
	{ two_locations, "a field that may stand once stands twice" },
	{ wrong_length, "Content-Length and the body differ" },
	{ worded_length, "Content-Length is no number" },
	{ length_of_nothing, "Content-Length and the body differ" },
	{ edited_field, "a field was changed behind the setters" },
	{ other_path, "it changed env" },
	{ other_method, "it changed env" },
};

Test(lint, what_breaks_the_contract_is_a_500_that_names_the_app_and_the_mend)
{
	for (size_t i = 0; i < sizeof breaches / sizeof *breaches; i++) {
		struct rung_client *client =
			test_client(rung_run(breaker, .name = "careless", .data = &breaches[i]));

		test_log_clear();
		cr_expect(rung_client_get(client, "/")->status == 500, "%s", breaches[i].words);
		cr_expect(strstr(test_log(), "rung: 500 in careless: lint: careless: ") != NULL &&
				  strstr(test_log(), breaches[i].words) != NULL,
			"%s: %s", breaches[i].words, test_log());
		rung_client_destroy(client);
	}
}

/* -- breaches of layers ------------------------------------------------------------------------------------------ */

static int answer(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)env;
	return rung_reply_text(res, 200, "text");
}

/* Writes before it calls on. */
static int hasty(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_header(res, "X-Early", "1");
	rung_next(self, env, res);
	return 0;
}

static int calls_twice(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	rung_next(self, env, res);
	return 0;
}

/* Opens the view that the target describes. */
static int opens_view(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct rung_target *target = rung_data(self);
	struct rung_env *view = target->uri ? rung_view(env, target) : rung_rewrite(env, target);

	rung_next(self, view, res);
	return 0;
}

static int opens_nameless_view(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_env *view = rung_view(env, &(const struct rung_target){ .path_info = "/" });

	rung_next(self, view, res);
	return 0;
}

Test(lint, a_layer_that_wrote_does_not_call_on)
{
	rung_call_fn layers[] = { hasty, calls_twice };

	for (size_t i = 0; i < 2; i++) {
		struct rung_client *client =
			test_client(rung_stack(rung_use(layers[i]), rung_run(answer, .name = "inside")));

		test_log_clear();
		ASSERT_INT(rung_client_get(client, "/")->status, 500);
		ASSERT_HAS(test_log(),
			"inside: lint: inside: it was called with a response that somebody wrote to");
		rung_client_destroy(client);
	}
}

Test(lint, a_view_is_a_whole_request)
{
	static const struct {
		struct rung_target target;
		const char *words;
	} cases[] = {
		{ { .method = "G T" }, "the method is no token" },
		{ { .method = "" }, "the method is no token" },
		{ { .scheme = "ftp" }, "the scheme is neither" },
		{ { .host = "u@h" }, "the host is no authority" },
		{ { .host = "h/p" }, "the host is no authority" },
		{ { .host = "h\r\nX: y", .uri = "/" }, "the host is no authority" },
		{ { .script_name = "a" }, "script_name is neither" },
		{ { .script_name = "/a/" }, "script_name is neither" },
		{ { .path_info = "a" }, "path_info is neither" },
		{ { .path_info = "*" }, "path_info is neither" },
		{ { .path_info = "" }, "are both empty" },
		{ { .path_info = "/a?b" }, "a delimiter is left" },
		{ { .path_info = "/a#b" }, "a delimiter is left" },
		{ { .query = "a#b" }, "a delimiter is left" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rung_client *client = test_client(rung_stack(
			rung_use(opens_view, .data = &cases[i].target), rung_run(answer, .name = "inside")));

		test_log_clear();
		cr_expect(rung_client_get(client, "/")->status == 500, "%s", cases[i].words);
		cr_expect(strstr(test_log(), "inside: lint: inside: ") && strstr(test_log(), cases[i].words),
			"%s: %s", cases[i].words, test_log());
		rung_client_destroy(client);
	}
	struct rung_client *client =
		test_client(rung_stack(rung_use(opens_nameless_view), rung_run(answer, .name = "inside")));
	ASSERT_INT(rung_client_get(client, "/")->status, 500);
	ASSERT_HAS(test_log(), "give rung_view() a .uri");
	rung_client_destroy(client);
}

/* -- what passes ------------------------------------------------------------------------------------------------- */

static int fit(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const char *path = env->path_info;

	(void)self;
	if (strcmp(path, "/length") == 0) {
		rung_header(res, "Content-Length", "4");
		return rung_reply_text(res, 200, "text");
	}
	if (strcmp(path, "/304") == 0) {
		rung_header(res, "ETag", "\"1\"");
		rung_header(res, "Content-Length", "4");
		return rung_reply_empty(res, 304);
	}
	if (strcmp(path, "/401") == 0) {
		rung_header(res, "WWW-Authenticate", "Basic");
		return rung_reply_text(res, 401, "");
	}
	if (strcmp(path, "/head") == 0) {
		rung_header(res, "Content-Length", "4");
		return rung_reply_empty(res, 200);
	}
	if (strcmp(path, "/cookies") == 0) {
		rung_set_cookie(res, "a", "1");
		rung_set_cookie(res, "b", "2");
		rung_header_add(res, "Link", "<a>");
		rung_header_add(res, "Link", "<b>");
		return rung_reply_empty(res, 204);
	}
	if (strcmp(path, "/uri") == 0)
		return rung_reply_uri(res, 200, "/length");
	return strcmp(path, "/fail") == 0 ? -EIO : rung_reply_empty(res, 999);
}

Test(lint, what_keeps_the_contract_passes)
{
	static const struct {
		const char *method, *target;
		int status;
	} cases[] = { { "GET", "/length", 200 }, { "HEAD", "/length", 200 }, { "GET", "/304", 304 },
		{ "GET", "/401", 401 }, { "HEAD", "/head", 200 }, { "GET", "/cookies", 204 },
		{ "GET", "/uri", 200 }, { "GET", "/999", 999 }, { "OPTIONS", "*", 999 },
		{ "PURGE", "/%zz", 999 } };
	struct rung_client *client = test_client(rung_stack(rung_reproxy(), rung_run(fit)));

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect(
			rung_client_send(client, cases[i].method, cases[i].target)->status == cases[i].status,
			"%s: %s", cases[i].target, test_log());
	ASSERT_STR(test_log(), "");
	/* A failure is no breach. */
	ASSERT_INT(rung_client_get(client, "/fail")->status, 500);
	cr_assert_null(strstr(test_log(), "lint"));
	rung_client_destroy(client);
}

/* -- as a layer -------------------------------------------------------------------------------------------------- */

Test(lint, as_a_layer_it_watches_the_one_below)
{
	struct rung_client *client = test_client_with(
		rung_stack(rung_lint(), rung_run(breaker, .name = "careless", .data = &breaches[1])),
		&(const struct rung_setup){ .size = sizeof(struct rung_setup), .probes = test_no_probes });

	ASSERT_INT(rung_client_get(client, "/")->status, 500);
	ASSERT_HAS(test_log(), "rung: 500 in lint: lint: careless: a 204, 205 or 304 has a body");
	rung_client_destroy(client);
	client = test_client_with(rung_stack(rung_lint(), rung_run(answer)),
		&(const struct rung_setup){ .size = sizeof(struct rung_setup), .probes = test_no_probes });
	ASSERT_STR(rung_client_get(client, "/")->body, "text");
	rung_client_destroy(client);
}
