/* test_lint.c: every breach of the contract is found, named and becomes a 500; what keeps it passes. */
#include "support.h"

#include <rung/lint.h>
#include <rung/reproxy.h>

#include <errno.h>

SUITE(lint);

/* -- breaches -------------------------------------------------------------------------------------------------- */

enum kind { TEXT, EMPTY, FILE_BODY, PULL_OF_3, PULL_UNKNOWN };

/* What an app answers, and does besides, that breaks the contract. */
struct breach {
	const char *words; /* of the log line */
	int status;
	enum kind kind;
	const char *field, *value; /* added, so that it may stand beside what is there */
	void (*run)(struct rung_env *env, struct rung_response *res);
	bool pass;
	bool link_sees; /* the link itself refuses it, before a layer outside could */
};

static ssize_t read_nothing(struct rung_source *source, void *buffer, size_t max)
{
	(void)source, (void)buffer, (void)max;
	return 0;
}

/* Without state, so one is enough for all. */
static struct rung_source nothing = { .read = read_nothing };

static void give_body(struct rung_response *res, const struct breach *breach)
{
	switch (breach->kind) {
	case TEXT:
		rung_reply_text(res, breach->status, "text");
		break;
	case EMPTY:
		rung_reply_empty(res, breach->status);
		break;
	case FILE_BODY:
		rung_reply_file(res, breach->status, NULL, "/proc/self/exe");
		break;
	case PULL_OF_3:
	case PULL_UNKNOWN:
		rung_reply_pull(res, breach->status, NULL, &nothing, breach->kind == PULL_OF_3 ? 3 : -1);
		break;
	}
}

/* The app that breaks what the test says. */
static int breaker(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct breach *breach = rung_data(self);

	give_body(res, breach);
	if (breach->field)
		rung_header_add(res, breach->field, breach->value);
	res->pass = breach->pass;
	if (breach->run)
		breach->run(env, res);
	return 0;
}

static struct rung_field *first_field(struct rung_response *res)
{
	return (struct rung_field *)(uintptr_t)rung_header_at(res, 0);
}

static void edited_value(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	first_field(res)->value = "a\nb";
	first_field(res)->value_size = 3;
}

static void edited_name(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	first_field(res)->name = "Content Type";
	first_field(res)->name_size = 12;
}

static void two_locations(struct rung_env *env, struct rung_response *res)
{
	(void)env;
	rung_header_add(res, "Location", "/a");
	rung_header_add(res, "Location", "/b");
}

static void other_length(struct rung_env *env, struct rung_response *res)
{
	(void)res;
	env->content_length++;
}

static void other_hop(struct rung_env *env, struct rung_response *res)
{
	(void)res;
	env->hop++;
}

static void other_outer(struct rung_env *env, struct rung_response *res)
{
	(void)res;
	env->outer = env;
}

static const struct breach breaches[] = {
	{ "the pass mark stands beside another status than 404 or 405", 200, .pass = true },
	{ "the pass mark stands beside another status than 404 or 405", 403, .pass = true },
	{ "the status is none of a final response", 0, .link_sees = true },
	{ "the status is none of a final response", 103, .link_sees = true },
	{ "the status is none of a final response", 199, .link_sees = true },
	{ "the status is none of a final response", 1000, .link_sees = true },
	{ "the status is none of a final response", -200, .link_sees = true },
	{ "a 204, 205 or 304 has a body", 204 },
	{ "a 204, 205 or 304 has a body", 205 },
	{ "a 204, 205 or 304 has a body", 304 },
	{ "a 204, 205 or 304 has a body", 304, PULL_UNKNOWN },
	{ "a 204, 205 or 304 has a body", 205, PULL_OF_3 },
	{ "a 204, 205 or 304 has a body", 204, FILE_BODY },
	{ "a 204 has a Content-Length", 204, EMPTY, "Content-Length", "4" },
	{ "a 204 has a Content-Length", 204, EMPTY, "Content-Length", "0" },
	{ "a 401 has no WWW-Authenticate", 401 },
	{ "a 405 has no Allow", 405 },
	{ "a 405 has no Allow", 405, EMPTY, .pass = true },
	{ "Status is no field", 200, TEXT, "status", "200 OK" },
	{ "Transfer-Encoding is the server's", 200, TEXT, "Transfer-Encoding", "chunked" },
	{ "Transfer-Encoding is the server's", 200, EMPTY, "transfer-ENCODING", "" },
	{ "a field that may stand once stands twice", 200, TEXT, "content-type", "text/html" },
	{ "a field that may stand once stands twice", 200, .run = two_locations },
	{ "Content-Length and the body differ", 200, TEXT, "Content-Length", "5" },
	{ "Content-Length and the body differ", 200, EMPTY, "Content-Length", "4" },
	{ "Content-Length and the body differ", 205, EMPTY, "Content-Length", "4" },
	{ "Content-Length and the body differ", 200, FILE_BODY, "Content-Length", "1" },
	{ "Content-Length and the body differ", 200, PULL_OF_3, "content-length", "4" },
	{ "Content-Length is no number", 200, TEXT, "Content-Length", "+4" },
	{ "Content-Length is no number", 200, TEXT, "Content-Length", "-4" },
	{ "Content-Length is no number", 200, TEXT, "Content-Length", "" },
	{ "Content-Length is no number", 200, TEXT, "Content-Length", "4, 4" },
	{ "Content-Length is no number", 200, TEXT, "Content-Length", "0x4" },
	{ "a field was changed behind the setters", 200, .run = edited_value },
	{ "a field was changed behind the setters", 200, .run = edited_name },
	{ "it changed env", 200, .run = other_length },
	{ "it changed env", 200, .run = other_hop },
	{ "it changed env", 200, .run = other_outer },
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
			"breach %zu, %s: %s", i, breaches[i].words, test_log());
		rung_client_destroy(client);
	}
}

/* Says the field of its .data twice. */
static int says_twice(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)env;
	rung_header_add(res, rung_data(self), "4");
	rung_header_add(res, rung_data(self), "4");
	return rung_reply_bytes(res, 200, NULL, "text", 4);
}

Test(lint, what_says_one_thing_stands_once)
{
	static const char *const names[] = { "Content-Type", "Content-Length", "Content-Range", "ETag",
		"Last-Modified", "Location", "Retry-After", "rEtRy-aFtEr" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct rung_client *client = test_client(rung_run(says_twice, .data = names[i]));

		test_log_clear();
		cr_expect(rung_client_get(client, "/")->status == 500, "%s", names[i]);
		cr_expect(strstr(test_log(), "a field that may stand once stands twice") != NULL, "%s: %s",
			names[i], test_log());
		rung_client_destroy(client);
	}
}

/* The strings of env, by their places in it. */
static const struct text_place {
	const char *name;
	size_t offset;
} texts[] = {
	{ "method", offsetof(struct rung_env, method) }, { "scheme", offsetof(struct rung_env, scheme) },
	{ "host", offsetof(struct rung_env, host) },
	{ "script_name", offsetof(struct rung_env, script_name) },
	{ "path_info", offsetof(struct rung_env, path_info) }, { "query", offsetof(struct rung_env, query) },
	{ "protocol", offsetof(struct rung_env, protocol) },
	{ "uri", offsetof(struct rung_env, uri) }, /* last: it may be NULL */
};

static const char **text_of(struct rung_env *env, const struct text_place *place)
{
	return (const char **)(void *)((char *)env + place->offset);
}

/* Changes the string of its .data, to one that would be good. */
static int changes_text(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	*text_of(env, rung_data(self)) = "/other";
	return rung_reply_text(res, 200, "text");
}

Test(lint, env_is_read_and_not_written)
{
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct rung_client *client =
			test_client(rung_run(changes_text, .name = "careless", .data = &texts[i]));

		test_log_clear();
		cr_expect(rung_client_get(client, "/")->status == 500, "%s", texts[i].name);
		cr_expect(strstr(test_log(),
				  "lint: careless: it changed env; open a view with rung_rewrite()") != NULL,
			"%s: %s", texts[i].name, test_log());
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

static int hasty_status(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	res->status = 200;
	rung_next(self, env, res);
	return 0;
}

static int hasty_body(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_body_bytes(res, "early", 5);
	rung_next(self, env, res);
	return 0;
}

static int hasty_mark(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	res->pass = true;
	rung_next(self, env, res);
	return 0;
}

static int hasty_error(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	res->error = -EIO;
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
	static const rung_call_fn layers[] = { hasty, hasty_status, hasty_body, hasty_mark, hasty_error,
		calls_twice };

	for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
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
		{ { .script_name = "/a?b" }, "a delimiter is left" },
		{ { .script_name = "/a#b" }, "a delimiter is left" },
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

static void no_hop(struct rung_env *view)
{
	view->uri = "/";
}

static void no_uri(struct rung_env *view)
{
	view->hop = 1;
}

static void negative_content_length(struct rung_env *view)
{
	view->content_length = -1;
}

static void length_without_body(struct rung_env *view)
{
	rung_request_header_set(view, "Content-Length", "4");
}

static void other_content_length(struct rung_env *view)
{
	rung_request_header_set(view, "Content-Length", "3");
}

/* A field of the view's own, changed behind the setters. */
static struct rung_field *own_field(struct rung_env *view)
{
	const struct rung_field *field = NULL;

	cr_assert(rung_request_header_set(view, "X-Own", "value") == 0);
	for (size_t i = 0; (field = rung_request_field(view, i)); i++)
		if (strcmp(field->name, "X-Own") == 0)
			break;
	cr_assert(field != NULL);
	return (struct rung_field *)(uintptr_t)field;
}

static void edited_request_name(struct rung_env *view)
{
	own_field(view)->name = "X Own";
}

static void edited_request_value(struct rung_env *view)
{
	own_field(view)->value = "val\re";
}

static void longer_request_value(struct rung_env *view)
{
	struct rung_field *field = own_field(view);

	field->value = "longer than it says";
}

struct bad_view {
	void (*edit)(struct rung_env *view);
	const char *body, *words;
};

static int edits_view(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct bad_view *bad = rung_data(self);
	struct rung_env *view = rung_rewrite(env, &(const struct rung_target){ 0 });

	bad->edit(view);
	rung_next(self, view, res);
	return 0;
}

Test(lint, a_view_is_not_edited_by_hand)
{
	static const struct bad_view cases[] = {
		{ no_hop, "", "env->uri is for redispatches" },
		{ no_uri, "", "env->uri is for redispatches" },
		{ negative_content_length, "", "content_length is negative" },
		{ length_without_body, "", "the Content-Length field and env->content_length differ" },
		{ other_content_length, "body", "the Content-Length field and env->content_length differ" },
		{ edited_request_name, "", "a request field has a name that is no token" },
		{ edited_request_value, "", "a request field has a control byte in its value" },
		{ longer_request_value, "", "a request field has a control byte in its value" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rung_client *client = test_client(rung_stack(
			rung_use(edits_view, .data = &cases[i]), rung_run(answer, .name = "inside")));

		test_log_clear();
		const struct rung_reply *reply =
			rung_client_send(client, "POST", "/", .body = *cases[i].body ? cases[i].body : NULL);
		cr_expect(reply->status == 500, "case %zu, %s", i, cases[i].words);
		cr_expect(strstr(test_log(), "inside: lint: inside: ") && strstr(test_log(), cases[i].words),
			"case %zu, %s: %s", i, cases[i].words, test_log());
		rung_client_destroy(client);
	}
}

static int hides_text(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_env *view = rung_rewrite(env, &(const struct rung_target){ 0 });

	*text_of(view, rung_data(self)) = NULL;
	rung_next(self, view, res);
	return 0;
}

Test(lint, no_string_of_a_view_is_null_but_its_uri)
{
	for (size_t i = 0; i + 1 < sizeof texts / sizeof *texts; i++) {
		struct rung_client *client = test_client(rung_stack(
			rung_use(hides_text, .data = &texts[i]), rung_run(answer, .name = "inside")));

		test_log_clear();
		cr_expect(rung_client_get(client, "/")->status == 500, "%s", texts[i].name);
		cr_expect(strstr(test_log(), "inside: lint: inside: a string of env is NULL") != NULL,
			"%s: %s", texts[i].name, test_log());
		rung_client_destroy(client);
	}
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
	if (strcmp(path, "/uri") == 0) {
		rung_header(res, "Content-Length", "99");
		return rung_reply_uri(res, 200, "/length");
	}
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

static ssize_t read_text(struct rung_source *source, void *buffer, size_t max)
{
	static const char text[4] = "text";

	(void)max;
	source->read = read_nothing;
	memcpy(buffer, text, sizeof text);
	return sizeof text;
}

static struct rung_source *text_source(const struct rung_env *env)
{
	struct rung_source *source = rung_alloc(env, sizeof *source);

	*source = (struct rung_source){ .read = read_text };
	return source;
}

/* Adds what outer layers add: a request field, response fields, a cookie. */
static int decorates(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_request_header_set(env, "X-Seen", "1");
	rung_next(self, env, res);
	rung_header_add(res, "Vary", "Accept");
	rung_header_add(res, "Vary", "Cookie");
	return rung_set_cookie(res, "seen", "1");
}

static int read_file(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_file(res, 200, "application/octet-stream", "/proc/self/exe");
}

static int pull_known(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_header(res, "Content-Length", "4");
	return rung_reply_pull(res, 200, "text/plain", text_source(env), 4);
}

/* It knows how much it will be, and only the field says so. */
static int pull_unknown(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_header(res, "Content-Length", "4");
	return rung_reply_pull(res, 200, "text/plain", text_source(env), -1);
}

static int part(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	rung_header(res, "Content-Range", "bytes 0-3/10");
	return rung_reply_text(res, 206, "text");
}

static int reset(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_bytes(res, 205, NULL, "", 0);
}

static int refused(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	rung_header_add(res, "WWW-Authenticate", "Basic realm=\"a\"");
	rung_header_add(res, "WWW-Authenticate", "Digest realm=\"a\"");
	return rung_reply_text(res, 401, "who are you?");
}

static int see_other(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_redirect(res, 303, "/here");
}

static int passes_405(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	rung_header(res, "Allow", "");
	res->pass = true;
	return rung_reply_empty(res, 405);
}

Test(lint, every_kind_of_answer_passes)
{
	static const struct {
		const char *method, *target;
		int status;
	} cases[] = { { "GET", "/file", 200 }, { "HEAD", "/file", 200 }, { "GET", "/known", 200 },
		{ "HEAD", "/known", 200 }, { "GET", "/unknown", 200 }, { "GET", "/part", 206 },
		{ "GET", "/reset", 205 }, { "GET", "/refused", 401 }, { "GET", "/other", 303 },
		{ "GET", "/passed", 405 }, { "GET", "/none?a=?%20", 404 }, { "POST", "/file", 405 },
		{ "OPTIONS", "/file", 204 }, { "GET", "/below/%20/\xc3\xa9", 404 },
		{ "GET", "/below", 404 } };
	struct rung_client *client = test_client(rung_stack(
		rung_use(decorates), rung_routes(rung_get("/file", read_file), rung_get("/known", pull_known),
					     rung_get("/unknown", pull_unknown), rung_get("/part", part),
					     rung_get("/reset", reset), rung_get("/refused", refused),
					     rung_get("/other", see_other), rung_get("/passed", passes_405),
					     rung_mount("/below", rung_routes(rung_get("/x", part))))));

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect(
			rung_client_send(client, cases[i].method, cases[i].target)->status == cases[i].status,
			"%s %s: %s", cases[i].method, cases[i].target, test_log());
	ASSERT_STR(test_log(), "");
	rung_client_destroy(client);
}

/* -- failures that are none of lint's ---------------------------------------------------------------------------- */

static int bad_field(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	rung_header(res, "X-Split", "a\r\nb");
	return rung_reply_text(res, 200, "text");
}

/* The error stuck, whatever the call returns; what it left half made is no breach. */
static int ignores_error(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	res->status = 401;
	rung_header(res, "WWW Authenticate", "Basic");
	return 0;
}

static int positive_result(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	rung_reply_text(res, 200, "text");
	return 200;
}

/* Half an answer, and then a failure: the half is no breach. */
static int gives_up(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_header(res, "Content-Length", "7");
	rung_reply_text(res, 401, "text");
	return rung_fail(env, -ETIMEDOUT, "too slow");
}

Test(lint, what_fails_by_itself_is_reported_as_it_says)
{
	static const struct {
		rung_call_fn call;
		int status;
		const char *words;
	} cases[] = {
		{ bad_field, 500, "response field \"X-Split\" has a control byte in its value" },
		{ ignores_error, 500, "response field \"WWW Authenticate\" has a name that is no token" },
		{ positive_result, 500, "call returned 200; return 0 or a negative errno" },
		{ gives_up, 504, "too slow" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rung_client *client = test_client(rung_run(cases[i].call, .name = "failing"));

		test_log_clear();
		ASSERT_INT(rung_client_get(client, "/")->status, cases[i].status);
		ASSERT_HAS(test_log(), cases[i].words);
		ASSERT_HAS(test_log(), " in failing");
		cr_expect_null(strstr(test_log(), "lint: "), "%s", test_log());
		rung_client_destroy(client);
	}
}

/* -- as a layer -------------------------------------------------------------------------------------------------- */

static struct rung_client *unprobed(struct rung_app *app)
{
	return test_client_with(app,
		&(const struct rung_setup){ .size = sizeof(struct rung_setup), .probes = test_no_probes });
}

Test(lint, as_a_layer_it_watches_the_one_below)
{
	for (size_t i = 0; i < sizeof breaches / sizeof *breaches; i++) {
		struct rung_client *client = unprobed(
			rung_stack(rung_lint(), rung_run(breaker, .name = "careless", .data = &breaches[i])));

		test_log_clear();
		cr_expect(rung_client_get(client, "/")->status == 500, "%s", breaches[i].words);
		if (!breaches[i].link_sees)
			cr_expect(strstr(test_log(), "rung: 500 in lint: lint: careless: ") != NULL &&
					  strstr(test_log(), breaches[i].words) != NULL,
				"breach %zu, %s: %s", i, breaches[i].words, test_log());
		rung_client_destroy(client);
	}
}

Test(lint, as_a_layer_it_watches_no_other)
{
	struct rung_client *client =
		unprobed(rung_stack(rung_run(breaker, .name = "careless", .data = &breaches[0])));

	/* The pass mark of a 200. */
	ASSERT_INT(rung_client_get(client, "/")->status, 200);
	rung_client_destroy(client);
	client = unprobed(rung_stack(rung_lint(), rung_run(answer)));
	ASSERT_STR(rung_client_get(client, "/")->body, "text");
	ASSERT_STR(test_log(), "");
	rung_client_destroy(client);
}

Test(lint, as_a_layer_it_sees_what_the_layers_outside_did)
{
	struct rung_client *client =
		unprobed(rung_stack(rung_use(hasty), rung_lint(), rung_run(answer, .name = "inside")));

	ASSERT_INT(rung_client_get(client, "/")->status, 500);
	ASSERT_HAS(test_log(),
		"rung: 500 in lint: lint: inside: it was called with a response that somebody wrote to");
	rung_client_destroy(client);
}

Test(lint, a_failure_below_the_layer_is_an_answer_like_any)
{
	struct rung_client *client = unprobed(rung_stack(rung_lint(), rung_run(gives_up, .name = "slow")));

	ASSERT_INT(rung_client_get(client, "/")->status, 504);
	ASSERT_HAS(test_log(), "rung: 504 in slow");
	cr_assert_null(strstr(test_log(), "lint: "));
	rung_client_destroy(client);
}

Test(lint, options_of_another_version_are_refused)
{
	const struct rung_lint_options none = { 0 };

	cr_assert_null(rung_lint_new(NULL));
	ASSERT_HAS(rung_error(), "lint: ");
	cr_assert_null(rung_lint_new(&none));
	ASSERT_HAS(rung_error(), "lint: ");
}
