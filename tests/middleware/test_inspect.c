/* test_inspect.c: what the inspector remembers, what it never does, and to whom it shows it. */
#include "support.h"

#include <rung/basic_auth.h>
#include <rung/inspect.h>
#include <rung/reproxy.h>

#include <errno.h>

SUITE(inspect);

static int answer(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	rung_set_cookie(res, "id", "s3cr3tcookie");
	rung_header(res, "X-Auth-Token", "s3cr3ttoken");
	rung_header(res, "Location", "http://h/x?token=s3cr3ttoken&page=2");
	return rung_reply_text(res, 201, "12345");
}

static int elsewhere(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_uri(res, 200, "http://own.internal/a?api_key=%s&x=%s", "s3cr3tkey", "y z");
}

static int fails(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)res;
	return rung_fail_at(env, -EIO, "/tree/apps/shop.c", 34, "the \"database\" is <gone>");
}

static int says_nothing(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env, (void)res;
	return 0;
}

static struct rung_app *stack(unsigned keep)
{
	return rung_stack(rung_inspect(.keep = keep),
		rung_reproxy(.names = rung_names({ "own.internal", rung_run(answer, .name = "own") })),
		rung_routes(rung_any("/made", answer), rung_get("/hop", elsewhere),
			rung_get("/fails", .app = rung_run(fails, .name = "shop")),
			rung_get("/nothing", .app = rung_run(says_nothing, .name = "mute"))));
}

static struct rung_client *unlinted(unsigned keep)
{
	const struct rung_setup setup = { .size = sizeof setup, .probes = test_no_probes };

	return test_client_with(stack(keep), &setup);
}

static const char *list(struct rung_client *client, const char *since)
{
	char target[64];

	snprintf(target, sizeof target, "/_rung/requests.json%s", since);
	const struct rung_reply *reply = rung_client_get(client, target);
	ASSERT_INT(reply->status, 200);
	ASSERT_STR(rung_reply_header(reply, "Content-Type"), "application/json");
	ASSERT_STR(rung_reply_header(reply, "Cache-Control"), "no-store");
	return reply->body;
}

/* -- what is remembered ------------------------------------------------------------------------------------------- */

Test(inspect, a_request_is_remembered_with_its_links)
{
	struct rung_client *client = unlinted(0);

	ASSERT_STR(list(client, ""), "{\"last\":0,\"keep\":100,\"requests\":[]}\n");
	rung_client_send(client, "POST", "/made?page=2", .body = "abc");
	const char *json = list(client, "");
	ASSERT_HAS(json, "{\"last\":1,\"keep\":100,\"requests\":[{\"id\":1,\"time\":");
	ASSERT_HAS(json, "\"method\":\"POST\",\"target\":\"/made?page=2\"");
	ASSERT_HAS(json, "\"status\":201,\"bytes\":5,\"outcome\":\"sent\"");
	ASSERT_HAS(json, "\"request\":[[\"Host\",\"localhost\"]");
	ASSERT_HAS(json, "[\"Content-Type\",\"text/plain; charset=utf-8\"]");
	ASSERT_HAS(json, "{\"name\":\"reproxy\",\"parent\":-1,\"hop\":0,\"begin\":");
	ASSERT_HAS(json, "{\"name\":\"routes\",\"parent\":0,\"hop\":0,");
	ASSERT_HAS(json, "\"status\":201,\"body\":\"bytes\",\"bytes\":5}");
	cr_assert_null(strstr(json, "\"error\""));
	rung_client_destroy(client);
}

Test(inspect, a_hop_is_remembered_with_its_uri)
{
	struct rung_client *client = unlinted(0);

	rung_client_get(client, "/hop");
	const char *json = list(client, "");
	ASSERT_HAS(json, "{\"name\":\"own\",\"parent\":0,\"hop\":1,");
	ASSERT_HAS(json, "\"uri\":\"http://own.internal/a?api_key=\xe2\x80\xa2");
	ASSERT_HAS(json, "\\u0026x=y%20z\"");
	ASSERT_HAS(json, "\"status\":200,\"body\":\"URI\",\"bytes\":0}");
	rung_client_destroy(client);
}

Test(inspect, an_error_is_remembered_with_layer_file_and_line)
{
	struct rung_client *client = unlinted(0);

	ASSERT_INT(rung_client_get(client, "/fails")->status, 500);
	const char *json = list(client, "");
	ASSERT_HAS(json, "{\"name\":\"shop\",");
	ASSERT_HAS(json, "\"status\":500,\"body\":\"empty\",\"bytes\":0,\"error\":\"the \\\"database\\\" is "
			 "\\u003cgone\\u003e\",\"file\":\"shop.c\",\"line\":34}");
	/* Found by the link after the app had returned. */
	ASSERT_INT(rung_client_get(client, "/nothing")->status, 500);
	ASSERT_HAS(list(client, "?since=1"), "\"error\":\"no response was made; set a status");
	rung_client_destroy(client);
}

Test(inspect, only_the_last_are_kept_and_only_the_new_are_told)
{
	struct rung_client *client = unlinted(3);
	char target[32];

	for (int i = 1; i <= 5; i++) {
		snprintf(target, sizeof target, "/made?n=%d", i);
		rung_client_get(client, target);
	}
	const char *json = list(client, "");
	ASSERT_HAS(json, "{\"last\":5,\"keep\":3,\"requests\":[{\"id\":3,");
	cr_assert(!strstr(json, "n=2") && strstr(json, "n=3") && strstr(json, "n=4") && strstr(json, "n=5"));
	json = list(client, "?since=4");
	cr_assert(!strstr(json, "n=4") && strstr(json, "n=5"));
	ASSERT_STR(list(client, "?since=5"), "{\"last\":5,\"keep\":3,\"requests\":[]}\n");
	/* From another life of the server, or no number: the page begins anew. */
	ASSERT_HAS(list(client, "?since=99"), "\"requests\":[{\"id\":3,");
	ASSERT_HAS(list(client, "?since=x"), "\"requests\":[{\"id\":3,");
	ASSERT_HAS(list(client, "?since=-1"), "\"requests\":[{\"id\":3,");
	rung_client_destroy(client);
}

Test(inspect, what_it_shows_itself_is_not_remembered)
{
	struct rung_client *client = unlinted(0);

	rung_client_get(client, "/_rung/");
	rung_client_get(client, "/_rung/gone");
	ASSERT_STR(list(client, ""), "{\"last\":0,\"keep\":100,\"requests\":[]}\n");
	rung_client_get(client, "/_rungs");
	ASSERT_HAS(list(client, ""), "\"target\":\"/_rungs\"");
	rung_client_destroy(client);
}

Test(inspect, hostile_bytes_stay_inside_their_strings)
{
	static const struct rung_field fields[] = { { .name = "X-Odd", .value = "</script>\"\\\xff\t" },
		{ 0 } };
	struct rung_client *client = unlinted(0);

	rung_client_send(client, "GET", "/made?<b>%22\xc3\xa9", .headers = fields);
	const char *json = list(client, "");
	ASSERT_HAS(json, "[\"X-Odd\",\"\\u003c/script\\u003e\\\"\\\\\xef\xbf\xbd\\u0009\"]");
	cr_assert_null(strchr(json, '<'));
	rung_client_destroy(client);
}

/* -- secrets ------------------------------------------------------------------------------------------------------ */

Test(inspect, secrets_are_dots_from_the_beginning)
{
	static const struct rung_field fields[] = {
		{ .name = "Authorization", .value = "Basic s3cr3t" },
		{ .name = "proxy-authorization", .value = "Basic s3cr3t" },
		{ .name = "Cookie", .value = "id=s3cr3tcookie; b=s3cr3t" },
		{ .name = "X-Api-Key", .value = "s3cr3t" },
		{ .name = "X-CSRF-Token", .value = "s3cr3t" },
		{ .name = "Referer", .value = "http://h/x?a=1&access_token=s3cr3t#f" },
		{ 0 },
	};
	static const char *const targets[] = { "/made?password=s3cr3t", "/made?a=1&Token=s3cr3t&b=2",
		"/made?x_signature=s3cr3t&page=7", "/made?a=?secret=s3cr3t", "/hop?session_id=s3cr3t",
		"/made?token=a,s3cr3t;s3cr3t=='s3cr3t" };
	struct rung_client *client = unlinted(0);

	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
		rung_client_send(client, "GET", targets[i], .headers = fields);
	const char *json = list(client, "");
	cr_assert_null(strstr(json, "s3cr3t"), "%s", strstr(json, "s3cr3t"));
	ASSERT_HAS(json, "[\"Authorization\",\"\xe2\x80\xa2");
	ASSERT_HAS(json, "[\"Cookie\",\"\xe2\x80\xa2");
	ASSERT_HAS(json, "[\"Set-Cookie\",\"\xe2\x80\xa2");
	/* What is no secret stays, beside those that are. */
	ASSERT_HAS(json, "\\u0026page=7\"");
	ASSERT_HAS(json, "\\u0026page=2\"");
	ASSERT_HAS(json, "\\u0026b=2\"");
	rung_client_destroy(client);
}

static int fails_with_uri(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)res;
	return rung_fail(env, -EIO, "cannot reach http://me:s3cr3t@db.internal/x?token=s3cr3t: gone");
}

static int unreachable(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_uri(res, 200, "http://nobody.internal/?api_key=%s", "s3cr3t");
}

static int to_user(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	rung_header(res, "Location", "https://app.example/cb#access_token=s3cr3t&expires=60");
	return rung_reply_empty(res, 302);
}

/* Wherever a URI stands, and however its parts are written. */
Test(inspect, secrets_in_uris_are_dots_too)
{
	static const struct rung_field fields[] = {
		{ .name = "Referer", .value = "http://me:s3cr3t@h/x?page=7" },
		{ .name = "X-Original-URL", .value = "//s3cr3t@h:80/x;jsessionid=s3cr3t" },
		{ .name = "X-Auth", .value = "s3cr3t" },
		{ .name = "X-Signing-Key", .value = "s3cr3t" },
		{ 0 },
	};
	static const char *const targets[] = { "/made?%74oken=s3cr3t", "/made?user%5Bpass%77ord%5D=s3cr3t",
		"/made?a%zz=s3cr3t", "/made?a=1;token=s3cr3t", "/made?next=%2Fx%3Ftoken%3Ds3cr3t",
		"/made?next=%252Fx%253Ftoken%253ds3cr3t",
		"/made?key=s3cr3t&code=s3cr3t&auth=s3cr3t&PHPSESSID=s3cr3t", "/fails", "/unreachable",
		"/user" };
	const struct rung_setup setup = { .size = sizeof setup, .probes = test_no_probes };
	struct rung_client *client = test_client_with(
		rung_stack(rung_inspect(), rung_reproxy(),
			rung_routes(rung_get("/made", answer), rung_get("/fails", fails_with_uri),
				rung_get("/unreachable", unreachable), rung_get("/user", to_user))),
		&setup);

	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
		rung_client_send(client, "GET", targets[i], .headers = fields);
	rung_client_get(client, "/made?author=Ada&keyboard=qwerty&next=%2Fx%3Fpage%3D2&a//b@c");
	const char *json = list(client, "");
	cr_assert_null(strstr(json, "s3cr3t"), "%.80s", strstr(json, "s3cr3t"));
	ASSERT_HAS(json, "cannot reach http://\xe2\x80\xa2");
	ASSERT_HAS(json, "@db.internal/x?token=\xe2\x80\xa2");
	ASSERT_HAS(json, "@h/x?page=7\"");
	ASSERT_HAS(json, "\"/made?author=Ada\\u0026keyboard=qwerty\\u0026next=%2Fx%3Fpage%3D2");
	rung_client_destroy(client);
}

/* -- memory ------------------------------------------------------------------------------------------------------- */

static int many_hops(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	if (env->hop == 9)
		return rung_reply_text(res, 200, "there");
	return rung_reply_uri(res, 200, "/hops/%s", rung_param(env, "long"));
}

/* A client chooses how long its URIs and fields are, but not how much is kept of them. */
Test(inspect, what_is_kept_of_a_request_has_a_limit)
{
	char longer[8000], target[8100];
	const struct rung_setup setup = { .size = sizeof setup, .probes = test_no_probes };
	struct rung_client *client = test_client_with(
		rung_stack(rung_inspect(), rung_reproxy(),
			rung_routes(rung_get("/hops/:long", many_hops), rung_any("/made", answer))),
		&setup);

	memset(longer, '&', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	snprintf(target, sizeof target, "/hops/%s", longer);
	const struct rung_field fields[] = { { .name = "X-Long", .value = longer }, { 0 } };
	ASSERT_INT(rung_client_send(client, "GET", target, .headers = fields)->status, 200);
	const char *json = list(client, "");
	cr_assert(strlen(json) < 65536 + 256, "%zu", strlen(json));
	ASSERT_HAS(json, "\"status\":200,");
	ASSERT_HAS(json, "\"is_cut\":true");
	ASSERT_HAS(json, "{\"name\":\"reproxy\",\"parent\":-1,");
	/* One long field alone is shown in part. */
	ASSERT_INT(rung_client_send(client, "GET", "/made", .headers = fields)->status, 201);
	json = list(client, "?since=1");
	cr_assert(strlen(json) < 20000, "%zu", strlen(json));
	ASSERT_HAS(json, "\\u0026\\u0026\xe2\x80\xa6\"]");
	ASSERT_HAS(json, "[\"Set-Cookie\",");
	rung_client_destroy(client);
}

/* Who follows gets all of it, in answers that have a size. */
Test(inspect, a_long_list_comes_in_pieces)
{
	char longer[1900];
	struct rung_client *client = unlinted(500);
	unsigned long long since = 0, seen = 0;
	unsigned answers = 0;

	memset(longer, '<', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	const struct rung_field fields[] = { { .name = "X-Long", .value = longer }, { 0 } };
	for (int i = 0; i < 300; i++)
		rung_client_send(client, "GET", "/made", .headers = fields);
	while (since < 300) {
		char query[64];
		unsigned long long before = since;

		snprintf(query, sizeof query, "?since=%llu", since);
		const char *json = list(client, query);
		cr_assert(strlen(json) < 1200000, "%zu", strlen(json));
		for (const char *at = json; (at = strstr(at, "{\"id\":")); at++)
			seen++;
		cr_assert(sscanf(json, "{\"last\":%llu", &since) == 1 && since > before);
		answers++;
	}
	ASSERT_INT(seen, 300);
	cr_assert(answers > 1);
	rung_client_destroy(client);
}

/* -- the page ----------------------------------------------------------------------------------------------------- */

Test(inspect, the_page_is_whole_in_itself)
{
	struct rung_client *client = test_client(stack(0));
	static const struct {
		const char *target, *type, *part;
	} cases[] = { { "/_rung/", "text/html; charset=utf-8", "<script src=\"inspect.js\">" },
		{ "/_rung/inspect.css", "text/css; charset=utf-8", "prefers-color-scheme" },
		{ "/_rung/inspect.js", "text/javascript; charset=utf-8", "requests.json" } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct rung_reply *reply = rung_client_get(client, cases[i].target);

		ASSERT_INT(reply->status, 200);
		ASSERT_STR(rung_reply_header(reply, "Content-Type"), cases[i].type);
		ASSERT_HAS(reply->body, cases[i].part);
		ASSERT_HAS(rung_reply_header(reply, "Content-Security-Policy"), "default-src 'none'");
		cr_assert(!strstr(reply->body, "https://") && !strstr(reply->body, "src=\"http"));
	}
	ASSERT_INT(rung_client_get(client, "/_rung")->status, 301);
	ASSERT_STR(rung_reply_header(rung_client_get(client, "/_rung"), "Location"), "./_rung/");
	ASSERT_INT(rung_client_get(client, "/_rung/gone")->status, 404);
	ASSERT_INT(rung_client_send(client, "POST", "/_rung/")->status, 405);
	ASSERT_INT(rung_client_send(client, "HEAD", "/_rung/")->status, 200);
	rung_client_destroy(client);
}

static int status_for(struct rung_client *client, const char *host, const char *field)
{
	const struct rung_field fields[] = { { .name = "Host", .value = host },
		{ .name = field, .value = "203.0.113.7" }, { 0 } };

	return rung_client_send(client, "GET", "/_rung/requests.json", .headers = fields)->status;
}

/* A page of somebody else's whose name is pointed at this machine would read it through the visitor's browser. */
Test(inspect, it_answers_to_names_of_this_machine_and_no_proxy)
{
	static const char *const good[] = { "localhost", "localhost:8080", "LOCALHOST", "127.0.0.1:1",
		"[::1]:8080", "a.localhost:80" };
	static const char *const bad[] = { "example.com", "localhost.example.com", "127.0.0.1.example.com",
		"xlocalhost", "[::2]", "10.0.0.1", "" };
	static const char *const proxies[] = { "Forwarded", "X-Forwarded-For", "X-Real-IP", "Via",
		"x-forwarded-host", "CF-Connecting-IP" };
	struct rung_client *client = test_client(stack(0));

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		cr_expect(status_for(client, good[i], NULL) == 200, "%s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_expect(status_for(client, bad[i], NULL) == 403, "%s", bad[i]);
	for (size_t i = 0; i < sizeof proxies / sizeof *proxies; i++)
		cr_expect(status_for(client, "localhost", proxies[i]) == 403, "%s", proxies[i]);
	rung_client_destroy(client);
	/* As nginx asks when nobody told it how: without a word of who asked, but in the old version. */
	struct rung_server *server = test_server(stack(0), (struct rung_server_options){ 0 });
	char *reply = test_send(
		server, "GET /_rung/ HTTP/1.0\r\nHost: 127.0.0.1:8080\r\nConnection: close\r\n\r\n");
	ASSERT_HAS(reply, " 403 ");
	free(reply);
	reply = test_send(
		server, "GET /_rung/ HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nConnection: close\r\n\r\n");
	ASSERT_HAS(reply, " 200 ");
	free(reply);
	rung_server_destroy(server);
	client = test_client(rung_stack(rung_inspect(.allow_public = true), rung_run(answer)));
	ASSERT_INT(status_for(client, "example.com", "Via"), 200);
	rung_client_destroy(client);
}

Test(inspect, on_a_public_address_it_does_not_start)
{
	const struct rung_setup setup = { .size = sizeof setup, .is_public = true };
	struct rung_app *app = stack(0);

	ASSERT_INT(rung_start(app, &setup), -EACCES);
	ASSERT_HAS(rung_error(), "inspect: this server listens on more than loopback");
	rung_app_destroy(app);
	cr_assert_null(rung_server_new(stack(0), .bind = "0.0.0.0"));
	ASSERT_HAS(rung_error(), "inspect: this server listens on more than loopback");
	app = rung_stack(rung_inspect(.allow_public = true), rung_run(answer));
	ASSERT_INT(rung_start(app, &setup), 0);
	rung_stop(app);
	rung_app_destroy(app);
}

Test(inspect, too_many_to_keep_are_refused)
{
	cr_assert_null(rung_inspect(.keep = 10001));
	ASSERT_HAS(rung_error(), "inspect: .keep is 10001; at most 10000");
}

Test(inspect, a_client_that_leaves_is_remembered_as_such)
{
	struct rung_client *client = unlinted(0);
	const struct rung_client_request request = {
		.size = sizeof request, .method = "GET", .target = "/made"
	};

	rung_client_start(client, &request);
	rung_client_abort(client);
	ASSERT_HAS(list(client, ""), "\"outcome\":\"aborted\"");
	rung_client_destroy(client);
}
