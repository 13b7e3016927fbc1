/* test_reproxy_emission.c: what each server in front is told. */
#include "support.h"

#include <rung/reproxy.h>

#include <stdlib.h>

SUITE(emission);

static int give(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)env;
	rung_header(res, "Content-Type", "text/x-app");
	rung_header(res, "Content-Length", "77");
	rung_header(res, "ETag", "\"e\"");
	rung_header(res, "X-App", "1");
	return rung_reply_uri_raw(res, 201, rung_data(self));
}

static int give_header(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_header(res, rung_uri_header(env), rung_data(self));
	return rung_reply_text(res, 200, "dropped");
}

static struct rung_client *emitting(enum rung_server_kind server, const char *uri)
{
	return test_client(rung_stack(
		rung_reproxy(.server = server), rung_routes(rung_get("/dir/a", give, .data = uri),
							rung_get("/dir/h", give_header, .data = uri))));
}

static const enum rung_server_kind url_servers[] = { RUNG_SERVER_HEADER, RUNG_SERVER_NGINX,
	RUNG_SERVER_APACHE, RUNG_SERVER_PERLBAL, RUNG_SERVER_H2O };

Test(emission, every_server_gets_status_mark_and_an_empty_body)
{
	for (unsigned kind = RUNG_SERVER_HEADER; kind <= RUNG_SERVER_H2O; kind++) {
		struct rung_client *client =
			emitting((enum rung_server_kind)kind, "http://files.internal:81/x?q=1");
		const struct rung_reply *reply = rung_client_get(client, "/dir/a");

		ASSERT_INT(reply->status, 201);
		ASSERT_INT(reply->size, 0);
		ASSERT_STR(rung_reply_header(reply, "X-Reproxied"), "1");
		ASSERT_STR(rung_reply_header(reply, "X-App"), "1");
		ASSERT_STR(rung_reply_header(reply, "Content-Type"), "text/x-app");
		cr_assert_null(rung_reply_header(reply, "ETag"));
		rung_client_destroy(client);
	}
}

Test(emission, url_servers_get_the_url)
{
	for (size_t i = 0; i < sizeof url_servers / sizeof *url_servers; i++) {
		struct rung_client *client = emitting(url_servers[i], "http://files.internal:81/x?q=1");
		const struct rung_reply *reply = rung_client_get(client, "/dir/a");

		ASSERT_STR(rung_reply_header(reply, "X-Reproxy-Url"), "http://files.internal:81/x?q=1");
		ASSERT_STR(rung_reply_header(reply, "Content-Length"), "0");
		if (url_servers[i] == RUNG_SERVER_NGINX)
			ASSERT_STR(rung_reply_header(reply, "X-Accel-Redirect"), "/reproxy");
		else
			cr_assert_null(rung_reply_header(reply, "X-Accel-Redirect"));
		reply = rung_client_get(client, "/dir/h");
		ASSERT_STR(rung_reply_header(reply, "X-Reproxy-Url"), "http://files.internal:81/x?q=1");
		ASSERT_INT(reply->size, 0);
		rung_client_destroy(client);
	}
}

Test(emission, lighttpd_gets_host_and_uri_and_no_length)
{
	struct rung_client *client = emitting(RUNG_SERVER_LIGHTTPD, "http://files.internal:81/x?q=1");
	const struct rung_reply *reply = rung_client_get(client, "/dir/a");

	ASSERT_STR(rung_reply_header(reply, "X-Rewrite-Host"), "files.internal:81");
	ASSERT_STR(rung_reply_header(reply, "X-Rewrite-URI"), "/x?q=1");
	cr_assert_null(rung_reply_header(reply, "X-Reproxy-Url"));
	cr_assert_null(rung_reply_header(reply, "Content-Length"));
	rung_client_destroy(client);
	client = emitting(RUNG_SERVER_LIGHTTPD, "http://files.internal");
	reply = rung_client_get(client, "/dir/a");
	ASSERT_STR(rung_reply_header(reply, "X-Rewrite-Host"), "files.internal");
	ASSERT_STR(rung_reply_header(reply, "X-Rewrite-URI"), "/");
	rung_client_destroy(client);
}

Test(emission, location_header_and_base_are_options)
{
	struct rung_client *client =
		test_client(rung_stack(rung_reproxy(.server = RUNG_SERVER_NGINX, .location = "/inside",
					       .header = "X-Fetch", .base = "https://me.example:444"),
			rung_routes(rung_get("/dir/a", give, .data = "b/c?d#e"),
				rung_get("/dir/h", give_header, .data = "//other/x"))));
	const struct rung_reply *reply = rung_client_get(client, "/dir/a");

	ASSERT_STR(rung_reply_header(reply, "X-Accel-Redirect"), "/inside");
	ASSERT_STR(rung_reply_header(reply, "X-Fetch"), "https://me.example:444/dir/b/c?d");
	cr_assert_null(rung_reply_header(reply, "X-Reproxy-Url"));
	reply = rung_client_get(client, "/dir/h");
	ASSERT_STR(rung_reply_header(reply, "X-Fetch"), "https://other/x");
	rung_client_destroy(client);
}

Test(emission, relative_uris_become_absolute_at_the_listening_address)
{
	static const struct {
		const char *uri, *emitted;
	} cases[] = {
		{ "x", "http://localhost/dir/x" },
		{ "/x", "http://localhost/x" },
		{ "../x?y", "http://localhost/x?y" },
		{ "?y", "http://localhost/dir/a?y" },
		{ "//h/p", "http://h/p" },
		{ "http://h", "http://h/" },
		{ "http://h/a/../b", "http://h/b" },
		{ "HTTP://h/a%20b", "HTTP://h/a%20b" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rung_client *client = emitting(RUNG_SERVER_HEADER, cases[i].uri);

		ASSERT_STR(rung_reply_header(rung_client_get(client, "/dir/a"), "X-Reproxy-Url"),
			cases[i].emitted);
		rung_client_destroy(client);
	}
}

/* What may never reach a header, and never crashes: 502 and a line in the log, in emission and redispatch alike. */
Test(emission, bad_uris_are_502_everywhere)
{
	static const char *const uris[] = { "", " ", "http://h/a b", "http://h/a\r\nX-Evil: 1",
		"http://h/a\nb", "http://h/\xc3\xa9", "http://user@h/", "http://user:pw@h/", "http://",
		"http:///x", "ftp://h/x", "file:///etc/passwd", "javascript:alert(1)", "http://[bad/",
		"http://h:99999/", "http://h:x/", "http://h/%zz", "http://h/\x7f", "http://h/\x01",
		"http://h/\"<>", "//user@h/x", "http:relative", "gopher://h/", "http://h/a|b" };

	for (unsigned kind = RUNG_SERVER_SELF; kind <= RUNG_SERVER_H2O; kind++)
		for (size_t i = 0; i < sizeof uris / sizeof *uris; i++) {
			struct rung_client *client = test_client(rung_stack(
				rung_reproxy(.server = (enum rung_server_kind)kind, .any_host_is_self = true),
				rung_routes(rung_get("/a", give, .data = uris[i]))));

			test_log_clear();
			const struct rung_reply *reply = rung_client_get(client, "/a");
			cr_assert(reply->status == 502, "%s for \"%s\": %d",
				rung_server_kind_name((enum rung_server_kind)kind), uris[i], reply->status);
			cr_assert_null(rung_reply_header(reply, "X-Reproxy-Url"));
			cr_assert_null(rung_reply_header(reply, "X-Rewrite-URI"));
			cr_assert_null(rung_reply_header(reply, "X-Reproxied"));
			ASSERT_HAS(test_log(), "rung: 502 in reproxy");
			rung_client_destroy(client);
		}
}

static int give_null(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_uri_raw(res, 200, NULL);
}

Test(emission, a_null_uri_is_a_502_too)
{
	struct rung_client *client = test_client(rung_stack(rung_reproxy(), rung_run(give_null)));

	ASSERT_INT(rung_client_get(client, "/")->status, 502);
	rung_client_destroy(client);
}

Test(emission, a_long_uri_is_refused_not_cut)
{
	char *uri = malloc(9001);

	memset(uri, 'a', 9000);
	uri[9000] = '\0';
	memcpy(uri, "http://h/", 9);
	struct rung_client *client = emitting(RUNG_SERVER_NGINX, uri);
	ASSERT_INT(rung_client_get(client, "/dir/a")->status, 502);
	ASSERT_HAS(test_log(), "longer than 8191 bytes");
	rung_client_destroy(client);
	free(uri);
}

Test(emission, other_responses_pass_and_lose_control_fields_only)
{
	struct rung_client *client = emitting(RUNG_SERVER_NGINX, "/x");

	ASSERT_INT(rung_client_get(client, "/missing")->status, 404);
	cr_assert_null(rung_reply_header(rung_client_get(client, "/missing"), "X-Accel-Redirect"));
	rung_client_destroy(client);
}

Test(emission, head_says_the_same)
{
	struct rung_client *client = emitting(RUNG_SERVER_NGINX, "http://h/x");
	const struct rung_reply *reply = rung_client_send(client, "HEAD", "/dir/a");

	ASSERT_INT(reply->status, 201);
	ASSERT_STR(rung_reply_header(reply, "X-Reproxy-Url"), "http://h/x");
	ASSERT_STR(rung_reply_header(reply, "Content-Length"), "0");
	rung_client_destroy(client);
}
