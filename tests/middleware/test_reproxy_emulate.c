/* test_reproxy_emulate.c: what emulated Apache, Perlbal, H2O, lighttpd and Rack make of what an app asks. */
#include "emulated.h"
#include "tree.h"

#include <errno.h>

SUITE(reproxy_emulate);

#define URL(url)                           \
	{                                  \
		"X-Reproxy-Url", url, 0, 0 \
	}

/* -- Apache ------------------------------------------------------------------------------------------------------- */

Test(reproxy_emulate, apache_restores_four_fields_and_puts_cookies_last)
{
	struct rung_client *client = emulated_client(RUNG_EMULATE_APACHE,
		emulated_app_saying(SAYS(.status = 500,
			.fields = FIELDS({ "Set-Cookie", "a=1", 0, 0 }, { "Content-Type", "a/b", 0, 0 },
				{ "ETag", "\"a\"", 0, 0 }, { "X-App", "1", 0, 0 },
				{ "Content-Disposition", "a", 0, 0 }, { "Content-Disposition", "b", 0, 0 },
				URL("http://target.internal/t")))),
		emulated_app_saying(SAYS(.fields = FIELDS({ "Set-Cookie", "t=1", 0, 0 },
						 { "Vary", "A", 0, 0 }, { "content-type", "c/d", 0, 0 },
						 { "Vary", "B", 0, 0 }, { "Upgrade", "x", 0, 0 }),
			.body = "body")));

	EXPECT_ANSWER(client,
		"200\nVary: A,B\ncontent-type: a/b\nContent-Length: 4\nSet-Cookie: a=1\nSet-Cookie: t=1\n"
		"Content-Disposition: a,b\nETag: \"a\"\n\nbody");
	rung_client_destroy(client);
}

Test(reproxy_emulate, apache_keeps_the_method_and_sends_no_body)
{
	struct rung_client *client = emulated_client(RUNG_EMULATE_APACHE,
		emulated_app_saying(SAYS(.fields = FIELDS(URL("http://u:p@target.internal/t?q")))),
		emulated_teller());
	const struct rung_reply *reply = rung_client_send(client, "POST", "/", .body = "x=1",
		.headers = FIELDS(
			{ "X-A", "1", 0, 0 }, { "X-Forwarded-For", "9.9.9.9", 0, 0 }, { "x-a", "2", 0, 0 }));

	ASSERT_STR(reply->body,
		"POST /t?q\nX-A: 1, 2\nX-Forwarded-For: 9.9.9.9, 127.0.0.1\nX-Forwarded-Host: localhost\n"
		"X-Forwarded-Server: localhost\nContent-Length: 0\ntarget.internal got 0");
	rung_client_destroy(client);
}

Test(reproxy_emulate, apache_takes_the_next_url_when_nobody_is_there)
{
	static const struct {
		const char *urls;
		int status;
	} cases[] = { { "http://elsewhere/ http://target.internal/", 200 },
		{ "http://elsewhere/ ftp://x/ foo", 502 }, { "", 502 }, { "http://[bad/", 502 },
		{ "http://target.internal:99999/", 502 } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rung_client *client = emulated_client(RUNG_EMULATE_APACHE,
			emulated_app_saying(SAYS(.fields = FIELDS(URL(cases[i].urls)))), emulated_teller());

		cr_assert(rung_client_get(client, "/")->status == cases[i].status, "%s", cases[i].urls);
		rung_client_destroy(client);
	}
}

Test(reproxy_emulate, apache_cuts_a_range_that_the_target_ignores)
{
	struct rung_client *client = emulated_client(RUNG_EMULATE_APACHE,
		emulated_app_saying(SAYS(.fields = FIELDS(URL("http://target.internal/")))),
		emulated_app_saying(
			SAYS(.fields = FIELDS({ "Content-Type", "c/d", 0, 0 }), .body = "0123456789")));

	ASSERT_STR(emulated_text(rung_client_send(
			   client, "GET", "/", .headers = FIELDS({ "Range", "bytes=2-4", 0, 0 }))),
		"206\nContent-Type: c/d\nContent-Length: 3\nContent-Range: bytes 2-4/10\n\n234");
	ASSERT_INT(rung_client_send(client, "GET", "/", .headers = FIELDS({ "Range", "bytes=99-", 0, 0 }))
			   ->status,
		416);
	ASSERT_STR(rung_client_send(client, "DELETE", "/", .headers = FIELDS({ "Range", "bytes=-3", 0, 0 }))
			   ->body,
		"789");
	ASSERT_INT(rung_client_send(client, "GET", "/", .headers = FIELDS({ "Range", "bytes=-0", 0, 0 }))
			   ->status,
		200);
	ASSERT_INT(rung_client_send(client, "HEAD", "/", .headers = FIELDS({ "Range", "bytes=-3", 0, 0 }))
			   ->status,
		200);
	rung_client_destroy(client);
}

Test(reproxy_emulate, apache_counts_forwards)
{
	static const struct {
		const char *method, *left;
		int status;
	} cases[] = { { "GET", "0", 400 }, { "GET", "x", 400 }, { "GET", "3x", 400 }, { "GET", "1", 502 },
		{ "GET", "2", 200 }, { "OPTIONS", "0", 200 } };
	struct rung_client *client = emulated_client(RUNG_EMULATE_APACHE,
		emulated_app_saying(SAYS(.fields = FIELDS(URL("http://target.internal/")))),
		emulated_teller());

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct rung_reply *reply = rung_client_send(client, cases[i].method, "/",
			.headers = FIELDS({ "Max-Forwards", cases[i].left, 0, 0 }));

		cr_assert(reply->status == cases[i].status, "%s", cases[i].left);
		cr_assert(!rung_reply_header(reply, "Allow") == (strcmp(cases[i].method, "GET") == 0));
		if (strcmp(cases[i].left, "2") == 0)
			ASSERT_HAS(reply->body, "Max-Forwards: 0\n");
	}
	rung_client_destroy(client);
}

Test(reproxy_emulate, apache_rewrites_dates)
{
	static const char fixed[] = "Sun, 06 Nov 1994 08:49:37 GMT";
	static const struct {
		const char *date, *rewritten;
	} cases[] = { { "Sunday, 06-Nov-94 08:49:37 GMT", fixed }, { "Sun Nov  6 08:49:37 1994", fixed },
		{ "x 6 Nov 1994 08:49:37 +0000", fixed }, { "0", "0" },
		{ "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37" } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rung_client *client = emulated_client(RUNG_EMULATE_APACHE,
			emulated_app_saying(SAYS(.fields = FIELDS(URL("http://target.internal/")))),
			emulated_app_saying(SAYS(.fields = FIELDS({ "Expires", cases[i].date, 0, 0 }))));

		ASSERT_STR(rung_reply_header(rung_client_get(client, "/"), "Expires"), cases[i].rewritten);
		rung_client_destroy(client);
	}
}

Test(reproxy_emulate, apache_makes_parts_of_several_ranges)
{
	struct rung_client *client = emulated_client(RUNG_EMULATE_APACHE,
		emulated_app_saying(SAYS(.fields = FIELDS(URL("http://target.internal/")))),
		emulated_app_saying(
			SAYS(.fields = FIELDS({ "Content-Type", "c/d", 0, 0 }), .body = "0123456789")));
	const struct rung_reply *reply =
		rung_client_send(client, "GET", "/", .headers = FIELDS({ "Range", "bytes=0-1,-3", 0, 0 }));
	static const char type[] = "multipart/byteranges; boundary=";
	const char *got = rung_reply_header(reply, "Content-Type"), *boundary = got + sizeof type - 1;
	char expected[512];

	ASSERT_INT(reply->status, 206);
	cr_assert(strncmp(got, type, sizeof type - 1) == 0 && strlen(boundary) == 16);
	snprintf(expected, sizeof expected,
		"\r\n--%s\r\nContent-type: c/d\r\nContent-range: bytes 0-1/10\r\n\r\n01"
		"\r\n--%s\r\nContent-type: c/d\r\nContent-range: bytes 7-9/10\r\n\r\n789\r\n--%s--\r\n",
		boundary, boundary, boundary);
	ASSERT_STR(reply->body, expected);
	cr_assert(!rung_reply_header(reply, "Content-Range"));
	rung_client_destroy(client);
}

Test(reproxy_emulate, apache_measures_a_body_that_is_empty)
{
	struct rung_client *client = emulated_client(RUNG_EMULATE_APACHE,
		emulated_app_saying(
			SAYS(.fields = FIELDS({ "Content-Type", "a/b", 0, 0 }, { "Set-Cookie", "a=1", 0, 0 },
				     URL("http://target.internal/")))),
		emulated_app_saying(SAYS(.body = "", .is_chunked = true)));

	EXPECT_ANSWER(client, "200\nSet-Cookie: a=1\nContent-Length: 0\nContent-Type: a/b\n\n");
	ASSERT_STR(emulated_text(rung_client_send(client, "HEAD", "/")),
		"200\nSet-Cookie: a=1\nContent-Type: a/b\n\n");
	rung_client_destroy(client);
	client = emulated_client(RUNG_EMULATE_APACHE,
		emulated_app_saying(SAYS(.fields = FIELDS({ "Content-Length", "0", 0, 0 }))),
		emulated_teller());
	ASSERT_STR(emulated_text(rung_client_send(client, "HEAD", "/")), "200\n\n");
	rung_client_destroy(client);
	client = emulated_client(RUNG_EMULATE_APACHE,
		emulated_app_saying(SAYS(.fields = FIELDS({ "Connection", "close", 0, 0 }), .body = "",
			.is_chunked = true)),
		emulated_teller());
	EXPECT_ANSWER(client, "200\n\n");
	rung_client_destroy(client);
}

Test(reproxy_emulate, apache_follows_one_hop)
{
	struct rung_client *client = emulated_client(RUNG_EMULATE_APACHE,
		emulated_app_saying(SAYS(.fields = FIELDS(URL("http://target.internal/")))),
		emulated_app_saying(SAYS(.fields = FIELDS(URL("http://target.internal/")))));

	EXPECT_ANSWER(client, "200\nX-Reproxy-Url: http://target.internal/\nContent-Length: 0\n\n");
	rung_client_destroy(client);
}

Test(reproxy_emulate, apache_shows_the_app_its_capabilities_and_a_tidy_path)
{
	struct rung_client *client =
		emulated_client(RUNG_EMULATE_APACHE, emulated_teller(), emulated_teller());
	const struct rung_reply *reply = rung_client_send(client, "GET", "/a//b/./c/../%64%2Fe%20",
		.headers = FIELDS(
			{ "X-Proxy-Capabilities", "mine", 0, 0 }, { "X-Proxy-Capabilities", "too", 0, 0 }));

	ASSERT_STR(reply->body,
		"GET /a/b/d/e%20\nX-Proxy-Capabilities: mine, too, reproxy-file\nX-Forwarded-For: 127.0.0.1\n"
		"X-Forwarded-Host: localhost\nX-Forwarded-Server: localhost\nlocalhost got 0");
	rung_client_destroy(client);
}

/* -- X-Sendfile ---------------------------------------------------------------------------------------------------- */

static struct rung_client *sending(enum rung_server_kind server, const char *folder, const char *path)
{
	static struct rung_field fields[3];
	static struct says says;

	fields[0] = (struct rung_field){ .name = "X-Sendfile", .value = path };
	fields[1] = (struct rung_field){ .name = "X-App", .value = "1" };
	says = (struct says){ .fields = fields, .body = "of the app" };
	return test_client(rung_stack(rung_reproxy(.server = server, .as_is = true, .sendfile = folder),
		emulated_app_saying(&says)));
}

Test(reproxy_emulate, x_sendfile_names_files_of_one_folder)
{
	static const enum rung_server_kind servers[] = { RUNG_EMULATE_APACHE, RUNG_EMULATE_LIGHTTPD };

	tree_make();
	tree_put("a.txt", "file");
	for (size_t i = 0; i < 2; i++) {
		struct rung_client *client = sending(servers[i], tree_at(""), tree_at("a.txt"));
		const struct rung_reply *reply = rung_client_get(client, "/");

		ASSERT_STR(reply->body, "file");
		ASSERT_STR(rung_reply_header(reply, "X-App"), "1");
		cr_assert(!rung_reply_header(reply, "X-Sendfile"));
		rung_client_destroy(client);
		client = sending(servers[i], tree_at(""), "/etc/hostname");
		ASSERT_INT(rung_client_get(client, "/")->status, 404);
		rung_client_destroy(client);
		client = sending(servers[i], tree_at(""), "../a.txt");
		ASSERT_INT(rung_client_get(client, "/")->status, 404);
		rung_client_destroy(client);
		client = sending(servers[i], NULL, tree_at("a.txt"));
		ASSERT_STR(rung_client_get(client, "/")->body, "of the app");
		ASSERT_HAS(test_log(), "the client sees X-Sendfile");
		rung_client_destroy(client);
	}
	tree_remove();
}

/* -- Perlbal -------------------------------------------------------------------------------------------------------- */

Test(reproxy_emulate, perlbal_answers_with_the_apps_fields_and_status)
{
	struct rung_client *client = emulated_client(RUNG_EMULATE_PERLBAL,
		emulated_app_saying(SAYS(.status = 404,
			.fields = FIELDS({ "Content-Type", "a/b", 0, 0 }, { "Set-Cookie", "a=1", 0, 0 },
				URL("http://target.internal/t"), { "X-App", "1", 0, 0 },
				{ "Set-Cookie", "b=2", 0, 0 }))),
		emulated_app_saying(
			SAYS(.fields = FIELDS({ "Content-Type", "c/d", 0, 0 }, { "Set-Cookie", "t=1", 0, 0 }),
				.body = "body")));

	EXPECT_ANSWER(client,
		"404\nContent-Type: a/b\nSet-Cookie: a=1\nSet-Cookie: b=2\nX-App: 1\nContent-Length: 4\n\nbody");
	rung_client_destroy(client);
}

Test(reproxy_emulate, perlbal_takes_the_length_of_a_part_first)
{
	struct rung_client *client = emulated_client(RUNG_EMULATE_PERLBAL,
		emulated_app_saying(SAYS(.status = 204, .fields = FIELDS(URL("http://target.internal/")))),
		emulated_app_saying(SAYS(.status = 206,
			.fields = FIELDS(
				{ "Content-Range", "bytes 0-3/9", 0, 0 }, { "Accept-Ranges", "bytes", 0, 0 }),
			.body = "part")));

	EXPECT_ANSWER(
		client, "206\nContent-Length: 4\nAccept-Ranges: bytes\nContent-Range: bytes 0-3/9\n\npart");
	rung_client_destroy(client);
}

Test(reproxy_emulate, perlbal_sends_range_and_host_alone)
{
	struct rung_client *client = emulated_client(RUNG_EMULATE_PERLBAL,
		emulated_app_saying(SAYS(.fields = FIELDS(URL("http://target.internal")))),
		emulated_teller());
	const struct rung_reply *reply = rung_client_send(client, "PUT", "/", .body = "x",
		.headers = FIELDS({ "Cookie", "c=1", 0, 0 }, { "range", "bytes=0-", 0, 0 }));

	ASSERT_STR(reply->body, "GET /\nRange: bytes=0-\nlocalhost got 0");
	rung_client_destroy(client);
}

Test(reproxy_emulate, perlbal_tries_on_until_one_is_good)
{
	static const struct {
		const char *urls, *expected;
		int target, status;
	} cases[] = {
		{ "http://elsewhere/ https://x/ http://target.internal/", NULL, 200, 200 },
		{ "http://target.internal/", "4", 200, 200 },
		{ "http://target.internal/", "5", 200, 503 },
		{ "http://target.internal/", "0", 200, 200 },
		{ "http://target.internal/", NULL, 301, 503 },
		{ "http://target.internal/", NULL, 416, 416 },
		{ "HTTP://target.internal/ foo", NULL, 200, 503 },
		{ "http://elsewhere/", NULL, 200, 503 },
		{ "http://target.internal:0/", NULL, 200, 200 },
		{ "http://target.internal:65616/", NULL, 200, 200 },
		{ "http://target.internal:00/", NULL, 200, 503 },
		{ "http://target.internal:65536/", NULL, 200, 503 },
		{ "http://target.internal:2888888888888888888888888888888888/", NULL, 200, 503 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *expected = cases[i].expected ? cases[i].expected : "";
		struct rung_client *client = emulated_client(RUNG_EMULATE_PERLBAL,
			emulated_app_saying(
				SAYS(.fields = FIELDS({ "X-REPROXY-EXPECTED-SIZE", expected, 0, 0 },
					     URL(cases[i].urls)))),
			emulated_app_saying(SAYS(.status = cases[i].target, .body = "body")));

		cr_assert(rung_client_get(client, "/")->status == cases[i].status, "%zu", i);
		rung_client_destroy(client);
	}
}

Test(reproxy_emulate, perlbal_has_a_page_of_its_own)
{
	struct rung_client *client = emulated_client(RUNG_EMULATE_PERLBAL,
		emulated_app_saying(SAYS(.fields = FIELDS({ "X-App", "1", 0, 0 }, URL("http://elsewhere/")))),
		emulated_teller());

	EXPECT_ANSWER(client,
		"503\nContent-Type: text/html\nContent-Length: 35\n\n<h1>503 - Service Unavailable</h1>\n");
	rung_client_destroy(client);
}

Test(reproxy_emulate, perlbal_prefers_a_file)
{
	tree_make();
	tree_put("ten", "0123456789");
	struct rung_client *client = emulated_client(RUNG_EMULATE_PERLBAL,
		emulated_app_saying(SAYS(.status = 204, .fields = FIELDS(URL("http://target.internal/"),
								{ "X-REPROXY-FILE", tree_at("ten"), 0, 0 }))),
		emulated_teller());

	EXPECT_ANSWER(client,
		"200\nX-Reproxy-Url: http://target.internal/\nAccept-Ranges: bytes\nContent-Length: 10\n\n0123456789");
	const struct rung_reply *reply =
		rung_client_send(client, "GET", "/", .headers = FIELDS({ "Range", "bytes=2-4", 0, 0 }));
	ASSERT_INT(reply->status, 206);
	ASSERT_STR(reply->body, "234");
	reply = rung_client_send(client, "GET", "/", .headers = FIELDS({ "Range", "bytes=20-", 0, 0 }));
	ASSERT_STR(emulated_text(reply), "416\nContent-Range: bytes */10\n\n");
	rung_client_destroy(client);
	client = emulated_client(RUNG_EMULATE_PERLBAL,
		emulated_app_saying(SAYS(.fields = FIELDS({ "X-REPROXY-FILE", tree_at("none"), 0, 0 }))),
		emulated_teller());
	ASSERT_INT(rung_client_get(client, "/")->status, 404);
	rung_client_destroy(client);
	tree_remove();
}

Test(reproxy_emulate, perlbal_hands_over_to_services)
{
	struct rung_client *client = emulated_client(RUNG_EMULATE_PERLBAL,
		emulated_app_saying(SAYS(.fields = FIELDS({ "X-Reproxy-Service", "target.internal", 0, 0 }))),
		emulated_teller());

	ASSERT_HAS(rung_client_get(client, "/x?y")->body, "GET /x?y\n");
	rung_client_destroy(client);
	client = emulated_client(RUNG_EMULATE_PERLBAL,
		emulated_app_saying(SAYS(.fields = FIELDS({ "X-Reproxy-Service", "none", 0, 0 }))),
		emulated_teller());
	ASSERT_INT(rung_client_get(client, "/")->status, 404);
	rung_client_destroy(client);
}

/* -- H2O ------------------------------------------------------------------------------------------------------------- */

Test(reproxy_emulate, h2o_drops_the_apps_answer)
{
	struct rung_client *client = emulated_client(RUNG_EMULATE_H2O,
		emulated_app_saying(SAYS(.status = 500,
			.fields = FIELDS({ "Set-Cookie", "a=1", 0, 0 }, { "Content-Type", "a/b", 0, 0 },
				URL("//target.internal/t")))),
		emulated_app_saying(
			SAYS(.fields = FIELDS({ "x-target", "1", 0, 0 }, { "Content-Type", "c/d", 0, 0 }),
				.body = "body")));

	EXPECT_ANSWER(client, "200\nContent-Length: 4\nx-target: 1\nContent-Type: c/d\n\nbody");
	rung_client_destroy(client);
}

Test(reproxy_emulate, h2o_keeps_method_and_body_for_307_and_308_alone)
{
	static const struct {
		int status;
		const char *body;
	} cases[] = {
		{ 200, "GET /t\nContent-Type: a/b\ncookie: c=1; d=2\nx-forwarded-proto: http\nx-forwarded-for: 127.0.0.1\n"
		       "via: 1.1 localhost\ntarget.internal got 0" },
		{ 307, "POST /t\ncontent-length: 1\nContent-Type: a/b\ncookie: c=1; d=2\nx-forwarded-proto: http\n"
		       "x-forwarded-for: 127.0.0.1\nvia: 1.1 localhost\ntarget.internal got 1" },
	};

	for (size_t i = 0; i < 2; i++) {
		struct rung_client *client = emulated_client(RUNG_EMULATE_H2O,
			emulated_app_saying(SAYS(.status = cases[i].status,
				.fields = FIELDS(URL("http://target.internal/t")))),
			emulated_teller());
		const struct rung_reply *reply =
			rung_client_send(client, "POST", "/", .body = "x", .content_type = "a/b",
				.headers = FIELDS({ "Cookie", "c=1", 0, 0 }, { "Cookie", "d=2", 0, 0 }));

		ASSERT_STR(reply->body, cases[i].body);
		rung_client_destroy(client);
	}
}

Test(reproxy_emulate, h2o_follows_redirects_of_targets_and_five_in_all)
{
	struct rung_client *client = emulated_client(RUNG_EMULATE_H2O,
		emulated_app_saying(SAYS(.fields = FIELDS(URL("http://target.internal/t")))),
		emulated_app_saying(SAYS(.status = 302,
			.fields = FIELDS({ "Location", "http://target.internal/t", 0, 0 }))));

	ASSERT_INT(rung_client_get(client, "/")->status, 502);
	ASSERT_HAS(test_log(), "too many internal delegations");
	rung_client_destroy(client);
	client = emulated_client(RUNG_EMULATE_H2O,
		emulated_app_saying(SAYS(.status = 302, .fields = FIELDS({ "Location", "/l", 0, 0 }))),
		emulated_teller());
	ASSERT_INT(rung_client_get(client, "/")->status, 302); /* the app's own are the client's */
	rung_client_destroy(client);
}

Test(reproxy_emulate, h2o_warns_of_urls_on_which_it_hangs)
{
	struct rung_client *client = emulated_client(RUNG_EMULATE_H2O,
		emulated_app_saying(SAYS(.fields = FIELDS(URL("http://target.internal?q")))),
		emulated_teller());

	ASSERT_INT(rung_client_get(client, "/")->status, 502);
	ASSERT_HAS(test_log(), "H2O 2.2 hangs");
	rung_client_destroy(client);
}

/* -- lighttpd ------------------------------------------------------------------------------------------------------- */

#define REWRITES                                       \
	{ "X-Rewrite-Host", "target.internal", 0, 0 }, \
	{                                              \
		"X-Rewrite-URI", "/t?q", 0, 0          \
	}

Test(reproxy_emulate, lighttpd_starts_again_on_a_chunked_response)
{
	struct rung_client *client = emulated_client(RUNG_EMULATE_LIGHTTPD,
		emulated_app_saying(
			SAYS(.fields = FIELDS(REWRITES, { "Set-Cookie", "a=1", 0, 0 }), .is_chunked = true)),
		emulated_teller());
	const struct rung_reply *reply =
		rung_client_send(client, "PUT", "/", .body = "abc", .headers = FIELDS({ "X", "1", 0, 0 }));

	ASSERT_STR(reply->body,
		"PUT /t?q\nX-Forwarded-For: 127.0.0.1\nX-Host: target.internal\nX-Forwarded-Proto: http\nX: 1\n"
		"Content-Length: 3\ntarget.internal got 0");
	cr_assert(!rung_reply_header(reply, "Set-Cookie"));
	rung_client_destroy(client);
}

Test(reproxy_emulate, lighttpd_hangs_on_any_other)
{
	struct rung_client *client = emulated_client(RUNG_EMULATE_LIGHTTPD,
		emulated_app_saying(SAYS(.fields = FIELDS(REWRITES))), emulated_teller());

	ASSERT_INT(rung_client_get(client, "/")->status, 504);
	ASSERT_HAS(test_log(), "with a Content-Length beside X-Rewrite-URI lighttpd 1.5 hangs");
	ASSERT_INT(rung_client_send(client, "HEAD", "/")->status, 403);
	ASSERT_INT(rung_client_send(client, "PATCH", "/")->status, 501);
	ASSERT_INT(rung_client_send(client, "POST", "/")->status, 411);
	rung_client_destroy(client);
}

Test(reproxy_emulate, lighttpd_measures_short_bodies_and_groups_fields)
{
	struct rung_client *client = emulated_client(RUNG_EMULATE_LIGHTTPD,
		emulated_app_saying(SAYS(.fields = FIELDS({ "X-A", "1", 0, 0 }, { "ETag", "\"a\"", 0, 0 },
						 { "x-a", "2", 0, 0 }),
			.body = "body", .is_chunked = true)),
		emulated_teller());

	EXPECT_ANSWER(client, "200\nX-A: 1\nX-A: 2\nETag: \"a\"\nContent-Length: 4\n\nbody");
	rung_client_destroy(client);
}

static int give(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)env;
	return rung_reply_uri(res, 200, "http://target.internal/d");
}

Test(reproxy_emulate, uris_of_apps_reach_the_target_under_every_server)
{
	for (int server = RUNG_EMULATE_NGINX; server <= RUNG_EMULATE_H2O; server++) {
		struct rung_client *client = test_client(
			rung_stack(rung_reproxy(.server = (enum rung_server_kind)server,
					   .names = rung_names({ "target.internal", emulated_teller() })),
				rung_run(give)));

		ASSERT_HAS(rung_client_get(client, "/")->body, "GET /d\n");
		rung_client_destroy(client);
	}
}

/* -- Rack ----------------------------------------------------------------------------------------------------------- */

/* Plays both: asks until it sees the mark, then tells. */
static int ask_self(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	char buffer[16];
	ssize_t n = rung_input_read(env, buffer, sizeof buffer);

	if (rung_request_header(env, "X-Reproxied")) {
		rung_header(res, "content-type", "t/lower");
		return rung_reply_textf(res, 201,
			"%s script=%s path=%s query=%s host=%s read=%zd length=%lld", env->method,
			env->script_name, env->path_info, env->query, env->host, n,
			(long long)env->content_length);
	}
	rung_header(res, "Content-Type", "a/b");
	rung_header(res, "ETag", "\"a\"");
	rung_header(res, "X-Reproxy-Url", rung_data(self));
	res->status = 404;
	return 0;
}

static struct rung_client *rack(const char *url)
{
	return test_client(rung_stack(rung_reproxy(.server = RUNG_EMULATE_RACK, .as_is = true),
		rung_run(ask_self, .data = (void *)(uintptr_t)url)));
}

Test(reproxy_emulate, rack_calls_itself_with_another_environment)
{
	struct rung_client *client = rack("http://h:99/p/q?r=1");
	const struct rung_reply *reply = rung_client_send(client, "POST", "/x", .body = "abc");

	ASSERT_INT(reply->status, 201);
	ASSERT_STR(reply->body, "POST script= path=/p/q query=r=1 host=h read=0 length=3");
	ASSERT_STR(rung_reply_header(reply, "ETag"), "\"a\"");
	rung_client_destroy(client);
}

Test(reproxy_emulate, rack_raises_for_what_is_no_uri)
{
	static const char *const urls[] = { "http://h/a b", "http://[bad/", "http://h/%zz", "mailto:a@b" };

	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		struct rung_client *client = rack(urls[i]);

		cr_assert(rung_client_get(client, "/")->status == 500, "%s", urls[i]);
		rung_client_destroy(client);
	}
}
