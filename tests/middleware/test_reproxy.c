/* test_reproxy.c: redispatch: what Rack::Reproxy::Rack does, and what it gets wrong. */
#include "support.h"

#include <rung/reproxy.h>

#include <errno.h>
#include <stdlib.h>

SUITE(reproxy);

/* -- apps that answer with URIs, and one that tells what it saw -------------------------------------------------- */

/* A route's .data is the URI it answers with. */
static int give(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)env;
	return rung_reply_uri_raw(res, 200, rung_data(self));
}

static int give_307(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)env;
	return rung_reply_uri_raw(res, 307, rung_data(self));
}

static int give_308(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)env;
	return rung_reply_uri_raw(res, 308, rung_data(self));
}

static int give_header(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_header(res, rung_uri_header(env), rung_data(self));
	return rung_reply_text(res, 200, "nobody sees this");
}

static const char *or_none(const char *text)
{
	return text ? text : "-";
}

static int tell(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	size_t size;
	const char *body = rung_input_bytes(env, &size);

	(void)self;
	return rung_reply_textf(res, 200,
		"%s %s host=%s script=%s path=%s query=%s hop=%u mark=%s body=%s type=%s length=%s",
		env->method, env->scheme, env->host, env->script_name, env->path_info, env->query, env->hop,
		or_none(rung_request_header(env, "X-Reproxied")), body,
		or_none(rung_request_header(env, "Content-Type")),
		or_none(rung_request_header(env, "Content-Length")));
}

static struct rung_app *teller(void)
{
	return rung_run(tell);
}

/* The usual stack: every route below gives its URI, the host target.internal tells. */
static struct rung_client *with_route(struct rung_app *route)
{
	return test_client(rung_stack(rung_reproxy(.names = rung_names({ "target.internal", teller() })),
		rung_routes(route, rung_any("/tell/*rest", tell))));
}

/* -- what the gem does ------------------------------------------------------------------------------------------- */

Test(reproxy, uri_body_is_redispatched_to_a_named_app)
{
	struct rung_client *client =
		with_route(rung_get("/a", give, .data = "http://target.internal/x/y?q=1"));
	const struct rung_reply *reply = rung_client_get(client, "/a");

	ASSERT_INT(reply->status, 200);
	ASSERT_STR(reply->body,
		"GET http host=target.internal script= path=/x/y query=q=1 hop=1 mark=1 body= type=- length=-");
	rung_client_destroy(client);
}

Test(reproxy, explicit_header_is_redispatched)
{
	struct rung_client *client =
		with_route(rung_get("/a", give_header, .data = "http://target.internal/h"));
	const struct rung_reply *reply = rung_client_get(client, "/a");

	ASSERT_HAS(reply->body, "path=/h query= hop=1");
	cr_assert_null(rung_reply_header(reply, "X-Reproxy-Url"));
	rung_client_destroy(client);
}

static int give_both(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	rung_header(res, "X-Reproxy-Url", "http://target.internal/from-header");
	return rung_reply_uri_raw(res, 200, "http://target.internal/from-body");
}

Test(reproxy, a_uri_body_comes_before_a_header)
{
	struct rung_client *client = with_route(rung_get("/a", give_both));

	ASSERT_HAS(rung_client_get(client, "/a")->body, "path=/from-body");
	rung_client_destroy(client);
}

static int lowercase(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	rung_header(res, "x-rEPROXY-url", "http://target.internal/lower");
	return rung_reply_empty(res, 200);
}

Test(reproxy, header_names_match_without_case)
{
	struct rung_client *client = with_route(rung_get("/a", lowercase));

	ASSERT_HAS(rung_client_get(client, "/a")->body, "path=/lower");
	rung_client_destroy(client);
}

static int tell_header_name(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return rung_reply_text(res, 200, or_none(rung_uri_header(env)));
}

Test(reproxy, the_app_is_told_which_header_to_use)
{
	struct rung_client *client = test_client(rung_stack(rung_reproxy(), rung_run(tell_header_name)));
	ASSERT_STR(rung_client_get(client, "/")->body, "X-Reproxy-Url");
	rung_client_destroy(client);

	client = test_client(rung_stack(rung_reproxy(.header = "X-Fetch"), rung_run(tell_header_name)));
	ASSERT_STR(rung_client_get(client, "/")->body, "X-Fetch");
	rung_client_destroy(client);

	client = test_client(rung_run(tell_header_name));
	ASSERT_STR(rung_client_get(client, "/")->body, "-");
	rung_client_destroy(client);
}

static int plain(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	rung_header(res, "ETag", "\"e\"");
	rung_header(res, "X-Mine", "1");
	return rung_reply_text(res, 203, "as it is");
}

Test(reproxy, other_responses_are_untouched)
{
	struct rung_client *client = with_route(rung_get("/a", plain));
	const struct rung_reply *reply = rung_client_get(client, "/a");

	ASSERT_INT(reply->status, 203);
	ASSERT_STR(reply->body, "as it is");
	ASSERT_STR(rung_reply_header(reply, "ETag"), "\"e\"");
	ASSERT_STR(rung_reply_header(reply, "X-Mine"), "1");
	cr_assert_null(rung_reply_header(reply, "X-Reproxied"));
	rung_client_destroy(client);
}

Test(reproxy, everything_goes_to_app_when_there_is_one)
{
	struct rung_client *client = test_client(rung_stack(rung_reproxy(.app = teller()),
		rung_routes(rung_get("/a", give, .data = "https://anywhere.example:8443/x?y"),
			rung_get("/b", give, .data = "/relative"))));

	ASSERT_HAS(rung_client_get(client, "/a")->body,
		"GET https host=anywhere.example:8443 script= path=/x query=y hop=1");
	ASSERT_HAS(rung_client_get(client, "/b")->body, "path=/relative");
	rung_client_destroy(client);
}

/* -- self -------------------------------------------------------------------------------------------------------- */

Test(reproxy, self_by_relative_uri)
{
	struct rung_client *client = with_route(rung_get("/dir/a", give, .data = "../tell/x?z=1#fragment"));
	const struct rung_reply *reply = rung_client_get(client, "/dir/a?old=1");

	ASSERT_HAS(reply->body, "host=localhost script= path=/tell/x query=z=1 hop=1 mark=1");
	rung_client_destroy(client);
}

Test(reproxy, self_by_listening_authority_and_by_hosts)
{
	static const char *const hosts[] = { "www.example.org", "other.example:8080", NULL };
	struct rung_client *client = with_route(rung_get("/a", give, .data = "http://LOCALHOST/tell/x"));

	ASSERT_HAS(rung_client_get(client, "/a")->body, "host=LOCALHOST script= path=/tell/x");
	rung_client_destroy(client);

	client = test_client(rung_stack(rung_reproxy(.hosts = hosts),
		rung_routes(rung_get("/a", give, .data = "http://www.example.org:80/tell/a"),
			rung_get("/b", give, .data = "http://other.example:8080/tell/b"),
			rung_get("/c", give, .data = "http://other.example/tell/c"),
			rung_get("/d", give, .data = "http://localhost/tell/d"),
			rung_get("/tell/*rest", tell))));
	ASSERT_HAS(rung_client_get(client, "/a")->body, "host=www.example.org:80 script= path=/tell/a");
	ASSERT_HAS(rung_client_get(client, "/b")->body, "host=other.example:8080 script= path=/tell/b");
	ASSERT_INT(rung_client_get(client, "/c")->status, 502);
	ASSERT_INT(rung_client_get(client, "/d")->status, 502);
	rung_client_destroy(client);
}

Test(reproxy, the_host_header_never_makes_a_uri_self)
{
	const struct rung_field headers[] = { { .name = "Host", .value = "evil.example" }, { 0 } };
	struct rung_client *client = with_route(rung_get("/a", give, .data = "http://evil.example/tell/x"));

	ASSERT_INT(rung_client_send(client, "GET", "/a", .headers = headers)->status, 502);
	ASSERT_HAS(test_log(), "nothing here stands for the URI \"http://evil.example/tell/x\"");
	rung_client_destroy(client);
}

Test(reproxy, any_host_is_self_when_asked)
{
	struct rung_client *client = test_client(rung_stack(rung_reproxy(.any_host_is_self = true),
		rung_routes(rung_get("/a", give, .data = "http://whatever.example:81/tell/x"),
			rung_get("/tell/*rest", tell))));

	ASSERT_HAS(rung_client_get(client, "/a")->body, "host=whatever.example:81 script= path=/tell/x");
	rung_client_destroy(client);
}

Test(reproxy, script_name_is_stripped_at_a_segment_border)
{
	struct rung_app *inner = rung_stack(rung_reproxy(),
		rung_routes(rung_get("/a", give, .data = "/bar/tell/x"),
			rung_get("/b", give, .data = "/barbaz/tell/x"),
			rung_get("/c", give, .data = "http://localhost/elsewhere"),
			rung_get("/d", give, .data = "tell/rel"), rung_get("/e", give, .data = "/bar"),
			rung_get("/", tell), rung_get("/tell/*rest", tell)));
	struct rung_client *client = test_client(rung_routes(rung_mount("/bar", inner)));

	ASSERT_HAS(rung_client_get(client, "/bar/a")->body, "script=/bar path=/tell/x");
	ASSERT_INT(rung_client_get(client, "/bar/b")->status, 502);
	ASSERT_HAS(test_log(), "lies outside /bar");
	ASSERT_INT(rung_client_get(client, "/bar/c")->status, 502);
	ASSERT_HAS(rung_client_get(client, "/bar/d")->body, "script=/bar path=/tell/rel");
	ASSERT_HAS(rung_client_get(client, "/bar/e")->body, "script=/bar path= query=");
	rung_client_destroy(client);
}

Test(reproxy, the_query_is_the_uris_and_never_null)
{
	struct rung_client *client = with_route(rung_get("/a", give, .data = "http://target.internal/x"));

	ASSERT_HAS(rung_client_get(client, "/a?original=1")->body, "path=/x query= hop");
	rung_client_destroy(client);
}

Test(reproxy, host_keeps_its_port_and_an_empty_path_is_a_slash)
{
	struct rung_client *client = test_client(
		rung_stack(rung_reproxy(.names = rung_names({ "target.internal:9000", teller() })),
			rung_routes(rung_get("/a", give, .data = "http://target.internal:9000"),
				rung_get("/b", give, .data = "http://target.internal:9000?q"))));

	ASSERT_HAS(rung_client_get(client, "/a")->body, "host=target.internal:9000 script= path=/ query= ");
	ASSERT_HAS(rung_client_get(client, "/b")->body, "path=/ query=q ");
	rung_client_destroy(client);
}

/* -- chains ------------------------------------------------------------------------------------------------------ */

static int count_down(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	int n = atoi(rung_param(env, "n"));

	(void)self;
	return n ? rung_reply_uri(res, 200, "/%d", n - 1) : rung_reply_textf(res, 200, "hop %u", env->hop);
}

Test(reproxy, chains_up_to_ten_hops_and_no_further)
{
	struct rung_client *client =
		test_client(rung_stack(rung_reproxy(), rung_routes(rung_get("/:n", count_down))));

	ASSERT_STR(rung_client_get(client, "/1")->body, "hop 1");
	ASSERT_STR(rung_client_get(client, "/10")->body, "hop 10");
	ASSERT_INT(rung_client_get(client, "/11")->status, 502);
	ASSERT_HAS(test_log(),
		"more than 10 hops: /10 -> /9 -> /8 -> /7 -> /6 -> /5 -> /4 -> /3 -> /2 -> /1 -> /0");
	rung_client_destroy(client);
}

Test(reproxy, the_limit_is_an_option)
{
	struct rung_client *client = test_client(
		rung_stack(rung_reproxy(.max_hops = 2), rung_routes(rung_get("/:n", count_down))));

	ASSERT_INT(rung_client_get(client, "/2")->status, 200);
	ASSERT_INT(rung_client_get(client, "/3")->status, 502);
	rung_client_destroy(client);

	client = test_client(
		rung_stack(rung_reproxy(.max_hops = 20), rung_routes(rung_get("/:n", count_down))));
	ASSERT_STR(rung_client_get(client, "/20")->body, "hop 20");
	ASSERT_INT(rung_client_get(client, "/21")->status, 502);
	rung_client_destroy(client);
}

Test(reproxy, an_endless_loop_ends)
{
	struct rung_client *client = with_route(rung_get("/a", give, .data = "/a"));

	ASSERT_INT(rung_client_get(client, "/a")->status, 502);
	rung_client_destroy(client);
}

Test(reproxy, chains_across_named_apps_and_inherited_names)
{
	/* b answers with a URI of its own reproxy's; that layer knows only "c", and inherits "target" from outside. */
	struct rung_app *b = rung_stack(
		rung_reproxy(.names = rung_names({ "c",
				     rung_routes(rung_get("/", give, .data = "http://target/end?from=c")) })),
		rung_routes(rung_get("/", give, .data = "http://c/")));
	struct rung_client *client =
		test_client(rung_stack(rung_reproxy(.names = rung_names({ "b", b }, { "target", teller() })),
			rung_routes(rung_get("/a", give, .data = "http://b/"),
				rung_get("/x", give, .data = "http://c/"))));

	ASSERT_HAS(rung_client_get(client, "/a")->body, "host=target script= path=/end query=from=c hop=3");
	/* What an inner layer knows is not known outside it. */
	ASSERT_INT(rung_client_get(client, "/x")->status, 502);
	rung_client_destroy(client);
}

/* -- method and body --------------------------------------------------------------------------------------------- */

Test(reproxy, a_post_becomes_a_get_without_body)
{
	const struct rung_field headers[] = { { .name = "Content-Type", .value = "text/x-form" }, { 0 } };
	struct rung_client *client = with_route(rung_post("/a", give, .data = "http://target.internal/x"));
	const struct rung_reply *reply =
		rung_client_send(client, "POST", "/a", .headers = headers, .body = "data");

	ASSERT_HAS(reply->body, "GET http");
	ASSERT_HAS(reply->body, "body= type=- length=-");
	rung_client_destroy(client);
}

Test(reproxy, status_307_and_308_keep_method_and_body)
{
	const struct rung_field headers[] = { { .name = "Content-Type", .value = "text/x-form" }, { 0 } };
	struct rung_client *client =
		test_client(rung_stack(rung_reproxy(.names = rung_names({ "t", teller() })),
			rung_routes(rung_post("/307", give_307, .data = "http://t/x"),
				rung_put("/308", give_308, .data = "http://t/y"))));
	const struct rung_reply *reply =
		rung_client_send(client, "POST", "/307", .headers = headers, .body = "data");

	ASSERT_INT(reply->status, 200);
	ASSERT_HAS(reply->body,
		"POST http host=t script= path=/x query= hop=1 mark=1 body=data type=text/x-form length=4");
	reply = rung_client_send(client, "PUT", "/308", .headers = headers, .body = "data");
	ASSERT_HAS(reply->body, "PUT http host=t script= path=/y query= hop=1 mark=1 body=data");
	rung_client_destroy(client);
}

/* Reads the whole body before it gives a URI with status 307: the next app reads it again. */
static int consume(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	char buffer[64];

	while (rung_input_read(env, buffer, sizeof buffer) > 0)
		continue;
	return give_307(self, env, res);
}

static int echo(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	char buffer[64];
	ssize_t size = rung_input_read(env, buffer, sizeof buffer);

	(void)self;
	return rung_reply_bytes(res, 200, "text/plain", buffer, (size_t)size);
}

Test(reproxy, a_kept_body_is_read_from_its_start_again)
{
	struct rung_client *client = test_client(rung_stack(
		rung_reproxy(), rung_routes(rung_post("/a", consume, .data = "/b"), rung_post("/b", echo))));

	ASSERT_STR(rung_client_send(client, "POST", "/a", .body = "again")->body, "again");
	rung_client_destroy(client);
}

static int tell_in_header(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_header(res, "X-Method", env->method);
	return rung_reply_text(res, 200, "twelve bytes");
}

Test(reproxy, head_stays_head)
{
	struct rung_client *client = test_client(rung_stack(rung_reproxy(),
		rung_routes(rung_get("/a", give, .data = "/b"), rung_get("/b", tell_in_header))));
	const struct rung_reply *reply = rung_client_send(client, "HEAD", "/a");

	ASSERT_INT(reply->status, 200);
	ASSERT_INT(reply->size, 0);
	ASSERT_STR(rung_reply_header(reply, "X-Method"), "HEAD");
	ASSERT_STR(rung_reply_header(reply, "Content-Length"), "12");
	rung_client_destroy(client);
}

static int tell_range(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return rung_reply_textf(res, 200, "range=%s cookie=%s", or_none(rung_request_header(env, "Range")),
		or_none(rung_request_header(env, "Cookie")));
}

Test(reproxy, range_and_cookies_go_on_to_named_apps)
{
	const struct rung_field headers[] = { { .name = "Range", .value = "bytes=0-1" },
		{ .name = "Cookie", .value = "a=b" }, { 0 } };
	struct rung_client *client =
		test_client(rung_stack(rung_reproxy(.names = rung_names({ "t", rung_run(tell_range) })),
			rung_routes(rung_get("/a", give, .data = "http://t/"))));

	ASSERT_STR(rung_client_send(client, "GET", "/a", .headers = headers)->body,
		"range=bytes=0-1 cookie=a=b");
	rung_client_destroy(client);
}

/* -- status and headers ------------------------------------------------------------------------------------------ */

static int first(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	rung_header(res, "Content-Type", "text/x-first");
	rung_header(res, "Content-Length", "999");
	rung_header(res, "Content-Encoding", "gzip");
	rung_header(res, "ETag", "\"first\"");
	rung_header(res, "Last-Modified", "Thu, 01 Jan 1970 00:00:00 GMT");
	rung_header(res, "Content-Range", "bytes 0-1/2");
	rung_header(res, "X-First", "1");
	rung_header(res, "X-Both", "first");
	rung_header_add(res, "Set-Cookie", "a=1");
	rung_header_add(res, "Set-Cookie", "b=1");
	rung_header(res, "Content-Disposition", "attachment");
	return rung_reply_uri_raw(res, 201, "http://target/x");
}

static int second(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	rung_header(res, "x-both", "second");
	rung_header_add(res, "Set-Cookie", "c=1");
	rung_header(res, "X-Second", "1");
	return rung_reply_bytes(res, 202, "text/x-second", "second", 6);
}

static int second_without_type(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_bytes(res, 200, NULL, "second", 6);
}

static struct rung_client *first_and(rung_call_fn target)
{
	return test_client(rung_stack(
		rung_reproxy(.names = rung_names({ "target", rung_run(target) })), rung_run(first)));
}

Test(reproxy, target_wins_and_cookies_add_up)
{
	struct rung_client *client = first_and(second);
	const struct rung_reply *reply = rung_client_get(client, "/");
	char cookies[64] = "";

	ASSERT_INT(reply->status, 202);
	ASSERT_STR(reply->body, "second");
	ASSERT_STR(rung_reply_header(reply, "Content-Type"), "text/x-second");
	ASSERT_STR(rung_reply_header(reply, "X-First"), "1");
	ASSERT_STR(rung_reply_header(reply, "X-Second"), "1");
	ASSERT_STR(rung_reply_header(reply, "X-Both"), "second");
	ASSERT_STR(rung_reply_header(reply, "Content-Disposition"), "attachment");
	for (size_t i = 0; rung_reply_field(reply, i); i++)
		if (strcmp(rung_reply_field(reply, i)->name, "Set-Cookie") == 0)
			strcat(strcat(cookies, rung_reply_field(reply, i)->value), ";");
	ASSERT_STR(cookies, "a=1;b=1;c=1;");
	rung_client_destroy(client);
}

Test(reproxy, entity_headers_of_the_first_do_not_cross)
{
	struct rung_client *client = first_and(second_without_type);
	const struct rung_reply *reply = rung_client_get(client, "/");

	ASSERT_STR(rung_reply_header(reply, "Content-Type"), "text/x-first");
	ASSERT_STR(rung_reply_header(reply, "Content-Length"), "6");
	cr_assert_null(rung_reply_header(reply, "Content-Encoding"));
	cr_assert_null(rung_reply_header(reply, "ETag"));
	cr_assert_null(rung_reply_header(reply, "Last-Modified"));
	cr_assert_null(rung_reply_header(reply, "Content-Range"));
	rung_client_destroy(client);
}

static int missing(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_empty(res, 404);
}

Test(reproxy, what_described_a_success_does_not_describe_a_failure)
{
	struct rung_client *client = first_and(missing);
	const struct rung_reply *reply = rung_client_get(client, "/");

	ASSERT_INT(reply->status, 404);
	cr_assert_null(rung_reply_header(reply, "Content-Type"));
	cr_assert_null(rung_reply_header(reply, "Content-Disposition"));
	ASSERT_STR(rung_reply_header(reply, "Set-Cookie"), "a=1");
	rung_client_destroy(client);
}

/* -- bodies are closed ------------------------------------------------------------------------------------------- */

static int freed;

static void count_free(void *bytes)
{
	free(bytes);
	freed++;
}

static int give_with_body(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_header(res, "X-Reproxy-Url", rung_data(self));
	res->status = 200;
	(void)env;
	return rung_body_take(res, strdup("replaced"), 8, count_free);
}

static int tell_freed(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_textf(res, 200, "freed before: %d", freed);
}

Test(reproxy, a_replaced_body_is_closed_once_before_the_target_runs)
{
	struct rung_client *client =
		test_client(rung_stack(rung_reproxy(.names = rung_names({ "t", rung_run(tell_freed) })),
			rung_routes(rung_get("/ok", give_with_body, .data = "http://t/"),
				rung_get("/bad", give_with_body, .data = "http://nobody/"))));

	freed = 0;
	ASSERT_STR(rung_client_get(client, "/ok")->body, "freed before: 1");
	ASSERT_INT(freed, 1);
	ASSERT_INT(rung_client_get(client, "/bad")->status, 502);
	ASSERT_INT(freed, 2);
	rung_client_destroy(client);
}

/* -- layers outside and inside ----------------------------------------------------------------------------------- */

static int outer_runs, inner_runs;

static int outer_layer(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	outer_runs++;
	rung_next(self, env, res);
	return 0;
}

static int inner_layer(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	inner_runs++;
	rung_next(self, env, res);
	return 0;
}

Test(reproxy, what_is_outside_runs_once_what_is_inside_once_a_hop)
{
	struct rung_client *client = test_client(rung_stack(rung_use(outer_layer), rung_reproxy(),
		rung_use(inner_layer), rung_routes(rung_get("/:n", count_down))));

	outer_runs = inner_runs = 0;
	ASSERT_INT(rung_client_get(client, "/3")->status, 200);
	ASSERT_INT(outer_runs, 1);
	ASSERT_INT(inner_runs, 4);
	rung_client_destroy(client);
}

Test(reproxy, without_the_layer_a_uri_is_a_500_and_a_line_in_the_log)
{
	struct rung_client *client =
		test_client(rung_routes(rung_get("/a", give, .data = "http://target.internal/")));

	ASSERT_INT(rung_client_get(client, "/a")->status, 500);
	ASSERT_HAS(test_log(), "the URI http://target.internal/ was given and no reproxy layer took it");
	rung_client_destroy(client);
}

static int fail(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)res;
	return rung_fail(env, -EIO, "the disk is gone");
}

Test(reproxy, a_target_that_fails_is_a_500_of_its_own)
{
	struct rung_client *client = first_and(fail);

	ASSERT_INT(rung_client_get(client, "/")->status, 500);
	ASSERT_HAS(test_log(), "the disk is gone");
	rung_client_destroy(client);
}
