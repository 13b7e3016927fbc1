/* test_error_pages.c: which errors get a page, in which form, what it tells, and that it never makes things worse. */
#include "support.h"

#include <rung/basic_auth.h>
#include <rung/error_pages.h>
#include <rung/reproxy.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

SUITE(error_pages);

/* -- what stands inside ------------------------------------------------------------------------------------------ */

/* Answers with the status that the query names, and nothing else. */
static int answer(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	int status = atoi(env->query);

	(void)self;
	/* What RFC 9110 demands beside them. */
	if (status == 401)
		rung_header(res, "WWW-Authenticate", "Basic");
	if (status == 405)
		rung_header(res, "Allow", "GET");
	return rung_reply_empty(res, status);
}

static struct rung_client *paged_with(struct rung_app *inside, bool development)
{
	const struct rung_setup setup = { .size = sizeof setup, .development = development };

	return test_client_with(rung_stack(rung_error_pages(), inside), &setup);
}

static struct rung_client *paged(rung_call_fn call)
{
	return paged_with(rung_run(call), false);
}

static const struct rung_reply *get(struct rung_client *client, const char *target, const char *accept)
{
	return rung_client_send(client, "GET", target,
		.headers = (const struct rung_field[]){ { accept ? "Accept" : NULL, accept }, { 0 } });
}

static unsigned count_fields(const struct rung_reply *reply, const char *name)
{
	const struct rung_field *field;
	unsigned count = 0;

	for (size_t i = 0; (field = rung_reply_field(reply, i)); i++)
		count += rung_names_equal(field->name, name);
	return count;
}

/* -- the forms --------------------------------------------------------------------------------------------------- */

Test(error_pages, plain_text_is_what_curl_gets)
{
	struct rung_client *client = paged(answer);
	const struct rung_reply *reply = get(client, "/?404", "*/*");

	ASSERT_INT(reply->status, 404);
	ASSERT_STR(reply->body, "404 Not Found\n");
	ASSERT_STR(rung_reply_header(reply, "Content-Type"), "text/plain; charset=utf-8");
	ASSERT_STR(rung_reply_header(reply, "Content-Length"), "14");
	ASSERT_STR(rung_reply_header(reply, "Vary"), "Accept");
	ASSERT_STR(rung_reply_header(reply, "Cache-Control"), "no-store");
	rung_client_destroy(client);
}

Test(error_pages, html_is_what_a_browser_gets)
{
	struct rung_client *client = paged(answer);
	const struct rung_reply *reply =
		get(client, "/?404", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");

	ASSERT_INT(reply->status, 404);
	ASSERT_STR(rung_reply_header(reply, "Content-Type"), "text/html; charset=utf-8");
	ASSERT_INT(strncmp(reply->body, "<!doctype html>\n", 16), 0);
	ASSERT_HAS(reply->body, "<title>404 Not Found</title>");
	ASSERT_HAS(reply->body, "<p>There is nothing at this address.</p>");
	ASSERT_HAS(reply->body, "color-scheme: light dark");
	/* It needs nothing else from anywhere. */
	cr_assert(!strstr(reply->body, "http:") && !strstr(reply->body, "https:") &&
		  !strstr(reply->body, "src=") && !strstr(reply->body, "url(") &&
		  !strstr(reply->body, "<script"));
	cr_assert(reply->size < 2048, "%zu bytes", reply->size);
	rung_client_destroy(client);
}

Test(error_pages, json_is_a_problem_after_rfc_9457)
{
	struct rung_client *client = paged(answer);
	const struct rung_reply *reply = get(client, "/?503", "application/json");

	ASSERT_INT(reply->status, 503);
	ASSERT_STR(rung_reply_header(reply, "Content-Type"), "application/problem+json");
	ASSERT_STR(
		reply->body, "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503}\n");
	rung_client_destroy(client);
}

Test(error_pages, accept_chooses_the_form)
{
	static const struct {
		const char *accept, *form;
	} cases[] = {
		{ NULL, "text/plain" },
		{ "", "text/plain" },
		{ "*/*", "text/plain" },
		{ "text/*", "text/plain" },
		{ "text/plain", "text/plain" },
		{ "image/png", "text/plain" },
		{ "text/html;q=0", "text/plain" },
		{ "text/html;q=0, application/json;q=0, text/plain;q=0", "text/plain" },
		{ "nonsense", "text/plain" },
		{ ",,;;q", "text/plain" },
		{ "text/html", "text/html" },
		{ "TEXT/HTML", "text/html" },
		{ "text/html, */*", "text/html" },
		{ "*/*, text/html", "text/html" },
		{ "text/html;level=1, text/plain;q=0.5", "text/html" },
		{ "text/plain;q=0.5, text/html;q=0.6", "text/html" },
		{ "text/plain;q=0.7, text/html;q=0.6", "text/plain" },
		{ "text/html, text/plain", "text/html" },
		{ "text/plain, text/html", "text/plain" },
		{ "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "text/html" },
		{ "application/json", "application/problem+json" },
		{ "application/problem+json", "application/problem+json" },
		{ "application/*", "application/problem+json" },
		{ "application/json, text/plain, */*", "application/problem+json" },
		{ "application/json, text/javascript, */*; q=0.01", "application/problem+json" },
		{ "application/json, text/html", "application/problem+json" },
		{ "text/html, application/json", "text/html" },
		{ "text/html;q=0.9, application/json;q=0.91", "application/problem+json" },
		{ "text/html;q=0.9, application/problem+json", "application/problem+json" },
		{ "application/json;q=0, application/problem+json;q=0.1", "application/problem+json" },
		{ "application/json;q=0.001", "application/problem+json" },
	};
	struct rung_client *client = paged(answer);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct rung_reply *reply = get(client, "/?404", cases[i].accept);
		const char *type = rung_reply_header(reply, "Content-Type");

		cr_expect(type && strncmp(type, cases[i].form, strlen(cases[i].form)) == 0, "%s: %s, not %s",
			cases[i].accept, type, cases[i].form);
		cr_expect(reply->size > 0, "%s: no page", cases[i].accept);
	}
	rung_client_destroy(client);
}

/* -- statuses ---------------------------------------------------------------------------------------------------- */

Test(error_pages, every_error_has_a_page_and_nothing_else_does)
{
	struct rung_client *client = paged(answer);
	char target[16], begin[16];

	for (int status = 200; status <= 999; status++) {
		snprintf(target, sizeof target, "/?%d", status);
		snprintf(begin, sizeof begin, "%d ", status);
		const struct rung_reply *reply = get(client, target, NULL);

		cr_expect(reply->status == status, "%d became %d", status, reply->status);
		if (status < 400)
			cr_expect(reply->size == 0 && !rung_reply_header(reply, "Vary"), "%d has a page",
				status);
		else
			cr_expect(strncmp(reply->body, begin, 4) == 0 && reply->size >= strlen("410 Gone\n"),
				"%d: %s", status, reply->body);
	}
	rung_client_destroy(client);
}

Test(error_pages, reasons_are_those_registered)
{
	static const struct {
		const char *target, *body;
	} cases[] = {
		{ "/?400", "400 Bad Request\n" },
		{ "/?405", "405 Method Not Allowed\n" },
		{ "/?413", "413 Content Too Large\n" },
		{ "/?422", "422 Unprocessable Content\n" },
		{ "/?451", "451 Unavailable For Legal Reasons\n" },
		{ "/?500", "500 Internal Server Error\n" },
		{ "/?502", "502 Bad Gateway\n" },
		{ "/?511", "511 Network Authentication Required\n" },
		{ "/?499", "499 Client Error\n" },
		{ "/?599", "599 Server Error\n" },
		{ "/?600", "600 Error\n" },
	};
	struct rung_client *client = paged(answer);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		ASSERT_STR(get(client, cases[i].target, NULL)->body, cases[i].body);
	rung_client_destroy(client);
}

/* -- what is left alone ------------------------------------------------------------------------------------------ */

static ssize_t end_at_once(struct rung_source *source, void *buffer, size_t max)
{
	(void)source;
	(void)buffer;
	(void)max;
	return 0;
}

/* Each path is an error that has said all it wants to say. */
static int special(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	static struct rung_source source = { .read = end_at_once };
	const char *path = env->path_info + 1;

	(void)self;
	if (strcmp(path, "text") == 0)
		return rung_reply_text(res, 404, "mine");
	if (strcmp(path, "empty-text") == 0)
		return rung_reply_text(res, 404, "");
	if (strcmp(path, "bytes") == 0)
		return rung_reply_bytes(res, 500, NULL, "", 0);
	if (strcmp(path, "pull") == 0)
		return rung_reply_pull(res, 500, NULL, &source, -1);
	rung_reply_empty(res, 404);
	if (strcmp(path, "type") == 0)
		rung_header(res, "Content-Type", "application/json");
	else if (strcmp(path, "length") == 0)
		rung_header(res, "Content-Length", "0");
	else if (strcmp(path, "encoding") == 0)
		rung_header(res, "Content-Encoding", "gzip");
	else if (strcmp(path, "reproxied") == 0)
		rung_header(res, "X-Reproxied", "1");
	return 0;
}

Test(error_pages, a_response_that_says_what_its_body_is_stays_as_it_is)
{
	static const struct {
		const char *target, *body;
	} cases[] = { { "/text", "mine" }, { "/empty-text", "" }, { "/bytes", "" }, { "/pull", "" },
		{ "/type", "" }, { "/length", "" }, { "/encoding", "" }, { "/reproxied", "" } };
	struct rung_client *client = paged(special);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct rung_reply *reply = get(client, cases[i].target, "text/html");
		const char *type = rung_reply_header(reply, "Content-Type");

		cr_expect(strcmp(reply->body, cases[i].body) == 0, "%s: %s", cases[i].target, reply->body);
		cr_expect(!type || strncmp(type, "text/html", 9) != 0, "%s: %s", cases[i].target, type);
		cr_expect(!rung_reply_header(reply, "Vary"), "%s: Vary", cases[i].target);
		cr_expect(!rung_reply_header(reply, "Cache-Control"), "%s: Cache-Control", cases[i].target);
	}
	rung_client_destroy(client);
}

static int give_uri(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)env;
	return rung_reply_uri_raw(res, 404, rung_data(self));
}

Test(error_pages, a_uri_is_left_to_the_reproxy_layer_outside)
{
	struct rung_client *client = test_client(
		rung_stack(rung_reproxy(.names = rung_names({ "page.internal", rung_run(special) })),
			rung_error_pages(), rung_run(give_uri, .data = "http://page.internal/text")));

	ASSERT_STR(get(client, "/", "text/html")->body, "mine");
	rung_client_destroy(client);
}

Test(error_pages, what_was_emitted_for_the_server_in_front_is_left_alone)
{
	struct rung_client *client = test_client(rung_stack(rung_error_pages(),
		rung_reproxy(.server = RUNG_SERVER_NGINX), rung_run(give_uri, .data = "http://elsewhere/x")));
	const struct rung_reply *reply = get(client, "/", NULL);

	ASSERT_INT(reply->status, 404);
	ASSERT_STR(reply->body, "");
	ASSERT_STR(rung_reply_header(reply, "X-Reproxied"), "1");
	cr_assert(!rung_reply_header(reply, "Vary"));
	rung_client_destroy(client);
}

Test(error_pages, a_reproxy_that_failed_has_a_page)
{
	struct rung_client *client = test_client(rung_stack(rung_error_pages(),
		rung_reproxy(.server = RUNG_SERVER_SELF), rung_run(give_uri, .data = "http://nowhere/x")));

	ASSERT_STR(get(client, "/", NULL)->body, "502 Bad Gateway\n");
	rung_client_destroy(client);
}

/* -- fields ------------------------------------------------------------------------------------------------------ */

static int with_fields(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_reply_empty(res, 429);
	rung_header(res, "Retry-After", "7");
	rung_header_add(res, "Set-Cookie", "a=1");
	rung_header_add(res, "Set-Cookie", "b=2");
	rung_header_add(res, "Link", "<x>");
	rung_header_add(res, "Link", "<y>");
	if (*env->query)
		rung_header(res, "Vary", env->query);
	return rung_header(res, "Cache-Control", "max-age=7");
}

Test(error_pages, fields_stay_and_cache_control_is_the_apps)
{
	struct rung_client *client = paged(with_fields);
	const struct rung_reply *reply = get(client, "/", NULL);

	ASSERT_STR(reply->body, "429 Too Many Requests\n");
	ASSERT_STR(rung_reply_header(reply, "Retry-After"), "7");
	ASSERT_STR(rung_reply_header(reply, "Cache-Control"), "max-age=7");
	ASSERT_INT(count_fields(reply, "Cache-Control"), 1);
	ASSERT_INT(count_fields(reply, "Set-Cookie"), 2);
	ASSERT_INT(count_fields(reply, "Link"), 2);
	ASSERT_INT(count_fields(reply, "Content-Type"), 1);
	rung_client_destroy(client);
}

Test(error_pages, vary_names_accept_once)
{
	static const struct {
		const char *target, *first;
		unsigned count;
	} cases[] = {
		{ "/", "Accept", 1 },
		{ "/?Cookie", "Cookie", 2 },
		{ "/?Accept-Encoding", "Accept-Encoding", 2 },
		{ "/?Accept", "Accept", 1 },
		{ "/?cookie,accept", "cookie,accept", 1 },
		{ "/?*", "*", 1 },
	};
	struct rung_client *client = paged(with_fields);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct rung_reply *reply = get(client, cases[i].target, NULL);

		ASSERT_STR(rung_reply_header(reply, "Vary"), cases[i].first);
		ASSERT_INT(count_fields(reply, "Vary"), cases[i].count);
	}
	rung_client_destroy(client);
}

Test(error_pages, a_challenge_keeps_its_field)
{
	struct rung_client *client = test_client(rung_stack(rung_error_pages(),
		rung_basic_auth(.realm = "r", .user = "u", .password = "p"), rung_run(answer)));
	const struct rung_reply *reply = get(client, "/", "text/html");

	ASSERT_INT(reply->status, 401);
	ASSERT_STR(rung_reply_header(reply, "WWW-Authenticate"), "Basic realm=\"r\", charset=\"UTF-8\"");
	ASSERT_HAS(reply->body, "401");
	rung_client_destroy(client);
}

Test(error_pages, a_method_that_is_not_allowed_keeps_allow)
{
	struct rung_client *client = paged_with(rung_routes(rung_post("/", answer)), false);
	const struct rung_reply *reply = get(client, "/", NULL);

	ASSERT_INT(reply->status, 405);
	ASSERT_HAS(rung_reply_header(reply, "Allow"), "POST");
	ASSERT_INT(strncmp(reply->body, "405 ", 4), 0);
	rung_client_destroy(client);
}

Test(error_pages, head_has_the_fields_of_get_and_no_body)
{
	static const char *const targets[] = { "/text", "/type", "/length", "/other" };
	struct rung_client *client = paged(special);
	char fields[1024];

	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
		const struct rung_reply *reply = get(client, targets[i], NULL);
		const struct rung_field *field;
		size_t at = 0, count;

		for (count = 0; (field = rung_reply_field(reply, count)); count++)
			at += (size_t)snprintf(
				fields + at, sizeof fields - at, "%s: %s\n", field->name, field->value);
		reply = rung_client_send(client, "HEAD", targets[i]);
		ASSERT_INT(reply->size, 0);
		at = 0;
		for (size_t j = 0; (field = rung_reply_field(reply, j)); j++) {
			char line[256];

			int size = snprintf(line, sizeof line, "%s: %s\n", field->name, field->value);
			cr_expect(strncmp(fields + at, line, (size_t)size) == 0, "HEAD %s has %s", targets[i],
				line);
			at += (size_t)size;
		}
		cr_expect(fields[at] == '\0', "HEAD %s lacks %s", targets[i], fields + at);
	}
	rung_client_destroy(client);
}

/* -- what it tells ----------------------------------------------------------------------------------------------- */

static int break_down(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)res;
	return rung_fail(env, -EIO, "%s", (const char *)rung_data(self));
}

static struct rung_client *broken(const char *message, bool development)
{
	return paged_with(rung_run(break_down, .name = "database", .data = message), development);
}

Test(error_pages, outside_development_a_failure_stays_secret)
{
	static const char *const accepts[] = { "*/*", "text/html", "application/json" };
	struct rung_client *client = broken("password of db is 1234", false);

	for (size_t i = 0; i < sizeof accepts / sizeof *accepts; i++) {
		const struct rung_reply *reply = get(client, "/", accepts[i]);

		ASSERT_INT(reply->status, 500);
		ASSERT_HAS(reply->body, "Internal Server Error");
		cr_expect(!strstr(reply->body, "1234"), "%s", reply->body);
		cr_expect(!strstr(reply->body, "database"), "%s", reply->body);
		cr_expect(!strstr(reply->body, ".c"), "%s", reply->body);
	}
	rung_client_destroy(client);
}

/* The page for a failure with that message, up to the line number, which is checked to be there. */
static void expect_page(const char *message, const char *accept, const char *begin, const char *end)
{
	struct rung_client *client = broken(message, true);
	const char *body = get(client, "/", accept)->body;
	const char *at = strstr(body, begin);

	cr_assert(at, "%s: %s without %s", accept, body, begin);
	at += strlen(begin);
	size_t digits = strspn(at, "0123456789");
	cr_assert(digits > 0, "%s: no line number in %s", accept, body);
	cr_assert(
		strncmp(at + digits, end, strlen(end)) == 0, "%s: %s does not end in %s", accept, body, end);
	rung_client_destroy(client);
}

Test(error_pages, in_development_it_tells_what_failed_and_where)
{
	expect_page("the disk is gone", "*/*",
		"500 Internal Server Error\n"
		"detail: the disk is gone\n"
		"layer: database\n"
		"where: test_error_pages.c:",
		"\n");
	expect_page("the disk is gone", "application/json",
		"{\"type\":\"about:blank\",\"title\":\"Internal Server Error\",\"status\":500,"
		"\"detail\":\"the disk is gone\",\"layer\":\"database\",\"where\":\"test_error_pages.c:",
		"\"}\n");
	expect_page("the disk is gone", "text/html",
		"<dl>\n"
		"<dt>detail</dt><dd>the disk is gone</dd>\n"
		"<dt>layer</dt><dd>database</dd>\n"
		"<dt>where</dt><dd>test_error_pages.c:",
		"</dd>\n</dl>\n</main>\n");
}

Test(error_pages, no_message_breaks_out_of_the_page)
{
	static const char hostile[] = "<script>alert('1')</script> & \"\\\" \n\t\x1b\x7f\xc3\xa4\xff%s";

	expect_page(hostile, "text/html",
		"<dd>&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;\\&quot; "
		"\\x0a\\x09\\x1b\\x7f\\xc3\\xa4\\xff%s</dd>\n"
		"<dt>layer</dt><dd>database</dd>\n<dt>where</dt><dd>test_error_pages.c:",
		"</dd>");
	expect_page(hostile, "application/json",
		"\"detail\":\"<script>alert('1')</script> & \\\"\\\\\\\" "
		"\\\\x0a\\\\x09\\\\x1b\\\\x7f\\\\xc3\\\\xa4\\\\xff%s\",\"layer\":\"database\",\"where\":\"test_error_pages.c:",
		"\"}");
	expect_page(hostile, "text/plain",
		"detail: <script>alert('1')</script> & \"\\\" \\x0a\\x09\\x1b\\x7f\\xc3\\xa4\\xff%s\n"
		"layer: database\nwhere: test_error_pages.c:",
		"\n");
}

static int give_up(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)env;
	(void)res;
	return -ETIMEDOUT;
}

Test(error_pages, a_failure_without_a_message_is_named_by_its_number)
{
	struct rung_client *client = paged_with(rung_run(give_up, .name = "slow"), true);

	ASSERT_STR(get(client, "/", NULL)->body,
		"504 Gateway Timeout\ndetail: Connection timed out\nlayer: slow\n");
	rung_client_destroy(client);
}

Test(error_pages, in_development_an_error_that_is_no_failure_has_no_details)
{
	struct rung_client *client = paged_with(rung_run(answer), true);

	ASSERT_STR(get(client, "/?404", NULL)->body, "404 Not Found\n");
	rung_client_destroy(client);
}

/* A message as long as can be, all of it escaped. */
Test(error_pages, a_long_message_fits)
{
	char *message = malloc(2048);

	memset(message, '"', 2047);
	message[2047] = '\0';
	struct rung_client *client = broken(message, true);
	const struct rung_reply *reply = get(client, "/", "text/html");

	cr_assert(reply->size > 2047 * 6, "%zu", reply->size);
	ASSERT_HAS(reply->body, "&quot;</dd>\n");
	rung_client_destroy(client);
	free(message);
}

/* -- out of memory ----------------------------------------------------------------------------------------------- */

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

/* A sanitizer has a malloc of its own that none can stand before. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !__has_feature(address_sanitizer) && \
	!__has_feature(thread_sanitizer) && !__has_feature(memory_sanitizer)

static bool malloc_fails;

void *__libc_malloc(size_t size);

void *malloc(size_t size)
{
	return malloc_fails ? NULL : __libc_malloc(size);
}

static size_t leave; /* bytes of the request's memory that error_pages shall find */
static size_t room;  /* of a fresh block, bytes; 0: not measured yet */

/* Answers 404 with fields, and takes all memory there is but for `leave` bytes. */
static int starve(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	size_t taken = 0;

	(void)self;
	rung_reply_empty(res, 404);
	for (unsigned i = 0; i < 7; i++)
		rung_header_add(res, "X-Field", "value");
	malloc_fails = true;
	while (rung_alloc(env, 16))
		;
	malloc_fails = false;
	cr_assert(rung_alloc(env, 16), "there is no fresh block");
	malloc_fails = true;
	while ((!room || taken + leave < room) && rung_alloc(env, 16))
		taken += 16;
	if (!room)
		room = taken;
	return 0;
}

static int refill(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	malloc_fails = false;
	return 0;
}

Test(error_pages, without_memory_the_response_stays_as_it_was)
{
	struct rung_client *client =
		test_client(rung_stack(rung_use(refill), rung_error_pages(), rung_run(starve)));
	unsigned bare = 0, whole = 0;

	for (leave = 0; leave < 4096; leave += 16) {
		const struct rung_reply *reply = rung_client_get(client, "/");

		cr_assert(reply->status == 404, "%zu bytes left: %d", leave, reply->status);
		cr_assert(count_fields(reply, "X-Field") == 7, "%zu bytes left: lost a field", leave);
		bool has_page = strcmp(reply->body, "404 Not Found\n") == 0;
		bool has_fields = rung_reply_header(reply, "Content-Type") &&
				  rung_reply_header(reply, "Vary") &&
				  rung_reply_header(reply, "Cache-Control");
		bool has_any = *reply->body || rung_reply_header(reply, "Content-Type") ||
			       rung_reply_header(reply, "Vary") || rung_reply_header(reply, "Cache-Control");
		cr_assert(has_page ? has_fields : !has_any, "%zu bytes left: half a page: %s", leave,
			reply->body);
		whole += has_page;
		bare += !has_page;
	}
	cr_assert(bare > 3 && whole > 3, "%u without a page, %u with", bare, whole);
	rung_client_destroy(client);
}

#endif

/* -- the printed stack ------------------------------------------------------------------------------------------- */

Test(error_pages, a_place_where_it_misses_errors_is_advised_against)
{
	char text[2048];
	struct rung_app *stack = rung_stack(
		rung_basic_auth(.user = "u", .password = "p"), rung_error_pages(), rung_run(answer));

	cr_assert(rung_stack_print(stack, text, sizeof text) > 0);
	ASSERT_HAS(text, "advice: error_pages is better outside basic_auth");
	rung_app_destroy(stack);
}
