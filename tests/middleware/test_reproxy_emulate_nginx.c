/* test_reproxy_emulate_nginx.c: what an emulated nginx makes of X-Accel-Redirect. */
#include "emulated.h"
#include "tree.h"

#include <rung/date.h>

#include <errno.h>
#include <sys/stat.h>

SUITE(reproxy_emulate_nginx);

#define ASKS                                                          \
	{ "X-Accel-Redirect", "/reproxy", 0, 0 },                     \
	{                                                             \
		"X-Reproxy-Url", "http://target.internal/t?q=1", 0, 0 \
	}

static struct rung_client *with_locations(const struct rung_field *fields, struct rung_locations *locations)
{
	static struct says says;

	says = (struct says){ .fields = fields };
	return test_client(
		rung_stack(rung_reproxy(.server = RUNG_EMULATE_NGINX, .as_is = true, .locations = locations,
				   .names = rung_names({ "target.internal", emulated_teller() })),
			emulated_app_saying(&says)));
}

/* -- the answer --------------------------------------------------------------------------------------------------- */

Test(reproxy_emulate_nginx, six_fields_survive_beside_the_targets)
{
	struct rung_client *client = emulated_client(RUNG_EMULATE_NGINX,
		emulated_app_saying(SAYS(.status = 404,
			.fields = FIELDS(ASKS, { "Set-Cookie", "a=1", 0, 0 }, { "X-App", "1", 0, 0 },
				{ "ETag", "\"a\"", 0, 0 }, { "Cache-Control", "private", 0, 0 },
				{ "Content-Type", "text/html; charset=utf-8", 0, 0 }),
			.body = "not seen")),
		emulated_app_saying(SAYS(.status = 201,
			.fields = FIELDS({ "x-target", "1", 0, 0 }, { "Cache-Control", "public", 0, 0 },
				{ "content-type", "text/plain", 0, 0 }, { "Server", "hidden", 0, 0 }),
			.body = "body")));

	EXPECT_ANSWER(client,
		"201\nContent-Type: text/plain; charset=utf-8\nContent-Length: 4\nSet-Cookie: a=1\n"
		"Cache-Control: private\nx-target: 1\nCache-Control: public\n\nbody");
	rung_client_destroy(client);
}

Test(reproxy_emulate_nginx, a_charset_of_the_targets_own_stays)
{
	struct rung_client *client = emulated_client(RUNG_EMULATE_NGINX,
		emulated_app_saying(SAYS(.fields = FIELDS(ASKS, { "Content-Type", "a/b; charset=x", 0, 0 }))),
		emulated_app_saying(SAYS(.fields = FIELDS({ "Content-Type", "c/d; charset=y", 0, 0 }))));

	ASSERT_STR(rung_reply_header(rung_client_get(client, "/"), "Content-Type"), "c/d; charset=y");
	rung_client_destroy(client);
	client = emulated_client(RUNG_EMULATE_NGINX,
		emulated_app_saying(SAYS(.fields = FIELDS(ASKS, { "Content-Type", "a/b; charset=x", 0, 0 }))),
		emulated_app_saying(SAYS(.fields = FIELDS({ "Content-Type", "", 0, 0 }))));
	EXPECT_ANSWER(client, "200\nContent-Length: 0\n\n");
	rung_client_destroy(client);
}

Test(reproxy_emulate_nginx, what_does_not_ask_passes_in_nginxs_order)
{
	struct rung_client *client = emulated_client(RUNG_EMULATE_NGINX,
		emulated_app_saying(
			SAYS(.fields = FIELDS({ "X-App", "1", 0, 0 }, { "X-Accel-Buffering", "no", 0, 0 },
				     { "Content-Type", "a/b", 0, 0 }),
				.body = "hi")),
		emulated_teller());

	EXPECT_ANSWER(client, "200\nContent-Type: a/b\nContent-Length: 2\nX-App: 1\n\nhi");
	rung_client_destroy(client);
}

/* -- the second request -------------------------------------------------------------------------------------------- */

Test(reproxy_emulate_nginx, a_post_is_a_get_with_its_body)
{
	struct rung_client *client = emulated_client(
		RUNG_EMULATE_NGINX, emulated_app_saying(SAYS(.fields = FIELDS(ASKS))), emulated_teller());
	const struct rung_reply *reply = rung_client_send(client, "POST", "/", .body = "x=1",
		.content_type = "a/b",
		.headers =
			FIELDS({ "Cookie", "c=1", 0, 0 }, { "X_Dropped", "1", 0, 0 }, { "TE", "x", 0, 0 }));

	ASSERT_STR(reply->body,
		"GET /t?q=1\nContent-Length: 3\nCookie: c=1\nContent-Type: a/b\ntarget.internal got 3");
	ASSERT_HAS(test_log(), "emulates nginx: it sends the client's Cookie to target.internal");
	ASSERT_HAS(
		test_log(), "it sends the body of a POST again, on a GET; set proxy_pass_request_body off");
	test_log_clear();
	rung_client_send(client, "POST", "/", .body = "x=1", .headers = FIELDS({ "Cookie", "c=1", 0, 0 }));
	ASSERT_STR(test_log(), ""); /* once is enough */
	rung_client_destroy(client);
}

Test(reproxy_emulate_nginx, hardened_sends_neither_body_nor_credentials)
{
	struct rung_client *client = emulated_client(RUNG_EMULATE_NGINX_HARDENED,
		emulated_app_saying(SAYS(.fields = FIELDS(ASKS))), emulated_teller());
	const struct rung_reply *reply =
		rung_client_send(client, "POST", "/", .body = "x=1", .content_type = "a/b",
			.headers = FIELDS({ "Cookie", "c=1", 0, 0 }, { "Authorization", "x", 0, 0 },
				{ "Range", "bytes=0-1", 0, 0 }));

	ASSERT_STR(reply->body, "GET /t?q=1\nX-Reproxied: 1\nRange: bytes=0-1\ntarget.internal got 0");
	rung_client_destroy(client);
}

Test(reproxy_emulate_nginx, urls_that_it_cannot_read_are_500_and_strangers_502)
{
	static const struct {
		const char *url;
		int status;
	} cases[] = { { "", 500 }, { "/t", 500 }, { "ftp://target.internal/", 500 }, { "http://", 500 },
		{ "http://u:p@target.internal/", 500 }, { "http://target.internal:0/", 500 },
		{ "http://target.internal:99999/", 500 }, { "http://[::1/", 500 }, { "http://:80/", 500 },
		{ "http://elsewhere/", 502 }, { "HTTP://Target.Internal/t", 200 } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rung_client *client = emulated_client(RUNG_EMULATE_NGINX,
			emulated_app_saying(SAYS(.fields = FIELDS({ "X-Accel-Redirect", "/reproxy", 0, 0 },
							 { "X-Reproxy-Url", cases[i].url, 0, 0 }))),
			emulated_teller());

		cr_assert(rung_client_get(client, "/")->status == cases[i].status, "%s", cases[i].url);
		rung_client_destroy(client);
	}
}

Test(reproxy_emulate_nginx, targets_that_fail_are_502_and_504)
{
	static const struct {
		int fails, status;
	} cases[] = { { -ECONNREFUSED, 502 }, { -ECONNRESET, 502 }, { -ETIMEDOUT, 504 }, { -EIO, 500 } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rung_client *client =
			emulated_client(RUNG_EMULATE_NGINX, emulated_app_saying(SAYS(.fields = FIELDS(ASKS))),
				emulated_app_saying(SAYS(.fails = cases[i].fails)));

		ASSERT_INT(rung_client_get(client, "/")->status, cases[i].status);
		rung_client_destroy(client);
	}
}

/* -- chains -------------------------------------------------------------------------------------------------------- */

Test(reproxy_emulate_nginx, the_eleventh_redirect_is_500)
{
	struct rung_client *client =
		emulated_client(RUNG_EMULATE_NGINX, emulated_app_saying(SAYS(.fields = FIELDS(ASKS))),
			emulated_app_saying(SAYS(.fields = FIELDS(ASKS))));

	ASSERT_INT(rung_client_get(client, "/")->status, 500);
	ASSERT_HAS(test_log(), "a target's own X-Accel-Redirect is obeyed");
	rung_client_destroy(client);
}

Test(reproxy_emulate_nginx, hardened_obeys_no_target)
{
	struct rung_client *client = emulated_client(RUNG_EMULATE_NGINX_HARDENED,
		emulated_app_saying(SAYS(.fields = FIELDS(ASKS, { "Content-Type", "a/b", 0, 0 }))),
		emulated_app_saying(SAYS(.fields = FIELDS(ASKS, { "X-Hop", "1", 0, 0 }))));

	EXPECT_ANSWER(client, "200\nContent-Type: a/b\nContent-Length: 0\nX-Hop: 1\n\n");
	rung_client_destroy(client);
}

Test(reproxy_emulate_nginx, a_url_of_the_front_is_a_new_request)
{
	struct rung_client *client =
		test_client(rung_stack(rung_reproxy(.server = RUNG_EMULATE_NGINX, .as_is = true,
					       .hosts = (const char *const[]){ "front", NULL }),
			emulated_app_saying(SAYS(.fields = FIELDS({ "X-Accel-Redirect", "/reproxy", 0, 0 },
							 { "X-Reproxy-Url", "http://front/", 0, 0 })))));

	ASSERT_INT(rung_client_get(client, "/")->status, 502);
	ASSERT_HAS(test_log(), "goes round without end");
	rung_client_destroy(client);
}

/* -- locations ------------------------------------------------------------------------------------------------------ */

Test(reproxy_emulate_nginx, locations_are_internal)
{
	struct rung_client *client = with_locations(FIELDS({ "X-App", "1", 0, 0 }),
		rung_locations({ "/in/", .pass = "http://target.internal/b/" },
			{ "= /one", .app = emulated_teller() }));

	ASSERT_INT(rung_client_get(client, "/in/x")->status, 404);
	ASSERT_INT(rung_client_get(client, "/%69n/x")->status, 404);
	ASSERT_INT(rung_client_get(client, "/one")->status, 404);
	ASSERT_INT(rung_client_get(client, "/reproxyfoo")->status, 404);
	ASSERT_INT(rung_client_get(client, "/onemore")->status, 200);
	rung_client_destroy(client);
}

Test(reproxy_emulate_nginx, a_fixed_location_decodes_and_escapes)
{
	static const struct {
		const char *value, *body;
	} cases[] = {
		{ "/in/a%20b%2Fc%3Fd", "GET /b/a%20b/c%3Fd\ntarget.internal got 0" },
		{ "/in/a b?x=%20y", "GET /b/a%20b?x=%20y\ntarget.internal got 0" },
		{ "/in/a?", "GET /b/a\ntarget.internal got 0" },
		{ "/in/%zz%4", "GET /b/zz\ntarget.internal got 0" },
		{ "/in/{|}", "GET /b/%7B%7C%7D\ntarget.internal got 0" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rung_client *client =
			with_locations(FIELDS({ "X-Accel-Redirect", cases[i].value, 0, 0 }),
				rung_locations({ "/in/", .pass = "http://target.internal/b/" }));

		ASSERT_STR(rung_client_get(client, "/?orig=1")->body, cases[i].body);
		rung_client_destroy(client);
	}
}

Test(reproxy_emulate_nginx, a_target_redirects_into_the_location)
{
	static const struct rung_field fields[] = { { "X-Accel-Redirect", "/in/x", 0, 0 }, { 0 } };
	struct rung_client *client = test_client(rung_stack(
		rung_reproxy(.server = RUNG_EMULATE_NGINX, .as_is = true,
			.locations = rung_locations({ "/in/", .pass = "http://target.internal/b/" }),
			.names = rung_names({ "target.internal",
				emulated_app_saying(SAYS(.status = 302,
					.fields = FIELDS(
						{ "Location", "http://target.internal/b/y?z", 0, 0 }))) })),
		emulated_app_saying(SAYS(.fields = fields))));

	ASSERT_STR(rung_reply_header(rung_client_get(client, "/"), "Location"), "http://localhost/in/y?z");
	rung_client_destroy(client);
}

Test(reproxy_emulate_nginx, a_path_without_its_slash_is_sent_back)
{
	struct rung_client *client = with_locations(FIELDS({ "X-Accel-Redirect", "/in?q", 0, 0 }),
		rung_locations({ "/in/", .pass = "http://target.internal/b/" }));
	const struct rung_reply *reply = rung_client_get(client, "/");

	ASSERT_INT(reply->status, 301);
	ASSERT_STR(rung_reply_header(reply, "Location"), "http://localhost/in/?q");
	rung_client_destroy(client);
}

Test(reproxy_emulate_nginx, paths_that_climb_or_are_none_are_404)
{
	static const char *const values[] = { "", "?x", "/in/../x", "/in/%2e%2e/x", "/..", "..", "in/x",
		"http://target.internal/", "/in/%00" };

	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		struct rung_client *client = with_locations(FIELDS({ "X-Accel-Redirect", values[i], 0, 0 }),
			rung_locations({ "/in/", .pass = "http://target.internal/b/" }));

		cr_assert(rung_client_get(client, "/")->status == 404, "%s", values[i]);
		rung_client_destroy(client);
	}
}

Test(reproxy_emulate_nginx, a_named_location_keeps_all)
{
	struct rung_client *client = with_locations(FIELDS({ "X-Accel-Redirect", "@there", 0, 0 }),
		rung_locations({ "@there", .pass = "http://target.internal" }));
	const struct rung_reply *reply = rung_client_send(client, "PUT", "/a%2Fb?q", .body = "x");

	ASSERT_STR(reply->body, "PUT /a%2Fb?q\nContent-Length: 1\ntarget.internal got 1");
	rung_client_destroy(client);
	client = with_locations(FIELDS({ "X-Accel-Redirect", "@nowhere", 0, 0 }), NULL);
	ASSERT_INT(rung_client_get(client, "/")->status, 500);
	rung_client_destroy(client);
}

Test(reproxy_emulate_nginx, the_longest_prefix_wins_and_apps_see_what_is_behind_it)
{
	struct rung_client *client = with_locations(FIELDS({ "X-Accel-Redirect", "/in/deep/x%20y?q", 0, 0 }),
		rung_locations({ "/in/", .pass = "http://target.internal/b/" },
			{ "/in/deep/", .app = emulated_teller() }));

	ASSERT_STR(rung_client_get(client, "/")->body, "GET /x%20y?q\nlocalhost got 0");
	rung_client_destroy(client);
}

Test(reproxy_emulate_nginx, a_folder_is_served_as_nginx_does)
{
	struct stat stat_;
	char expected[512], etag[64], date[RUNG_HTTP_DATE_SIZE];

	tree_make();
	tree_put("a.html", "0123456789");
	cr_assert(stat(tree_at("a.html"), &stat_) == 0);
	snprintf(etag, sizeof etag, "\"%llx-a\"", (unsigned long long)stat_.st_mtime);
	struct rung_client *client = with_locations(
		FIELDS({ "X-Accel-Redirect", "/in/a.html", 0, 0 }, { "Set-Cookie", "a=1", 0, 0 }),
		rung_locations({ "/in/", .folder = tree_at("") }));
	const struct rung_reply *reply = rung_client_get(client, "/");
	snprintf(expected, sizeof expected,
		"200\nContent-Type: text/html\nContent-Length: 10\nLast-Modified: %s\nSet-Cookie: a=1\nETag: %s\n"
		"Accept-Ranges: bytes\n\n0123456789",
		rung_reply_header(reply, "Last-Modified"), etag);
	ASSERT_STR(emulated_text(reply), expected);
	reply = rung_client_send(client, "GET", "/", .headers = FIELDS({ "Range", "bytes=2-4", 0, 0 }));
	ASSERT_INT(reply->status, 206);
	ASSERT_STR(reply->body, "234");
	cr_assert(!rung_reply_header(reply, "Accept-Ranges"));
	static const struct {
		const char *range;
		int status;
		const char *part;
	} cases[] = { { "bytes=z", 416, NULL }, { "bytes= 2 - 4 ", 206, "234" }, { "bytes=-3", 206, "789" },
		{ "bytes=-99", 206, "0123456789" }, { "bytes=99-,8-", 206, "89" }, { "bytes=4-2", 416, NULL },
		{ "bytes=0-1,", 416, NULL }, { "items=z", 200, NULL }, { "bytes=10-", 416, NULL },
		{ "bytes=9-", 206, "9" }, { "bytes=-", 416, NULL }, { "bytes=1-2,4-5", 200, NULL } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		reply = rung_client_send(
			client, "GET", "/", .headers = FIELDS({ "Range", cases[i].range, 0, 0 }));
		cr_assert(reply->status == cases[i].status, "%s: %d", cases[i].range, reply->status);
		if (cases[i].part)
			ASSERT_STR(reply->body, cases[i].part);
	}
	reply = rung_client_send(client, "GET", "/",
		.headers = FIELDS({ "Range", "bytes=z", 0, 0 }, { "If-Range", "\"other\"", 0, 0 }));
	ASSERT_INT(reply->status, 200);
	reply = rung_client_send(client, "GET", "/", .headers = FIELDS({ "If-None-Match", etag, 0, 0 }));
	ASSERT_INT(reply->status, 304);
	cr_assert(!rung_reply_header(reply, "Content-Type"));
	/* It is a GET by then. */
	rung_http_date(stat_.st_mtime, date);
	reply = rung_client_send(
		client, "DELETE", "/", .headers = FIELDS({ "If-Modified-Since", date, 0, 0 }));
	ASSERT_INT(reply->status, 304);
	rung_client_destroy(client);
	client = with_locations(FIELDS({ "X-Accel-Redirect", "/in/none", 0, 0 }),
		rung_locations({ "/in/", .folder = tree_at("") }));
	ASSERT_INT(rung_client_get(client, "/")->status, 404);
	rung_client_destroy(client);
	tree_remove();
}

/* -- apps of this process ------------------------------------------------------------------------------------------- */

static int give(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)env;
	return rung_reply_uri(res, 200, "http://target.internal/d/%s", "a b");
}

static int give_field(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_header(res, rung_uri_header(env), "http://target.internal/f");
	return rung_reply_empty(res, 200);
}

Test(reproxy_emulate_nginx, uris_of_apps_are_emitted_first)
{
	static const struct {
		int (*call)(const struct rung_app *self, struct rung_env *env, struct rung_response *res);
		const char *body;
	} cases[] = { { give, "GET /d/a%20b\ntarget.internal got 0" },
		{ give_field, "GET /f\ntarget.internal got 0" } };

	for (size_t i = 0; i < 2; i++) {
		struct rung_client *client = test_client(
			rung_stack(rung_reproxy(.server = RUNG_EMULATE_NGINX,
					   .names = rung_names({ "target.internal", emulated_teller() })),
				rung_run(cases[i].call)));

		ASSERT_STR(rung_client_get(client, "/")->body, cases[i].body);
		rung_client_destroy(client);
	}
}

Test(reproxy_emulate_nginx, as_is_leaves_a_url_alone_and_tells_that_it_leaks)
{
	struct rung_client *client = emulated_client(RUNG_EMULATE_NGINX,
		emulated_app_saying(
			SAYS(.fields = FIELDS({ "X-Reproxy-Url", "http://target.internal/", 0, 0 }))),
		emulated_teller());

	EXPECT_ANSWER(client, "200\nContent-Length: 0\nX-Reproxy-Url: http://target.internal/\n\n");
	ASSERT_HAS(test_log(), "the client sees X-Reproxy-Url");
	rung_client_destroy(client);
}

/* -- making ---------------------------------------------------------------------------------------------------------- */

static void expect_refusal(struct rung_locations *locations, const char *why)
{
	cr_assert(!locations);
	ASSERT_HAS(rung_error(), why);
}

Test(reproxy_emulate_nginx, bad_locations_are_refused)
{
	struct rung_app *twice = emulated_teller();

	expect_refusal(rung_locations({ "x", .folder = "/" }), "\"x\" is no location; start it with");
	expect_refusal(rung_locations({ .folder = "/" }), "is no location");
	expect_refusal(
		rung_locations({ "/x" }), "has 0 ways to answer; give it one of .app, .folder and .pass");
	expect_refusal(rung_locations({ "/x", .folder = "/", .pass = "http://h" }), "has 2 ways");
	expect_refusal(rung_locations({ "@x", .folder = "/" }), "@x is a name, and names no file");
	expect_refusal(rung_locations({ "/x", .pass = "h" }), ".pass of /x is no URL");
	expect_refusal(
		rung_locations({ "/x", .app = twice }, { "/y", .app = twice }), "is in a place already");
	expect_refusal(rung_locations({ "/x", .app = rung_stack(rung_use(give)) }), "ends in a layer");
	cr_assert(!rung_reproxy(.sendfile = "relative"));
	ASSERT_HAS(rung_error(), ".sendfile \"relative\" is no path from the root");
}
