/* test_reproxy_policy.c: who may steer reproxy: not the client; and what is refused when the stack is made or started. */
#include "support.h"

#include <rung/reproxy.h>

#include <errno.h>
#include <stdlib.h>

SUITE(policy);

static int give(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)env;
	return rung_reply_uri_raw(res, 200, rung_data(self));
}

static const char *const forged[] = { "X-Reproxied", "X_Reproxied", "x-reproxied", "X-Reproxy-Url",
	"X_Reproxy_Url", "X-Reproxy_URL", "X-Reproxy-File", "X-Reproxy-Service", "X-Reproxy-Expected-Size",
	"X-Reproxy-Cache-For", "X-Accel-Redirect", "X_Accel_Redirect", "X-Accel-Mapping", "X-Accel-Buffering",
	"X-Rewrite-Host", "X-Rewrite-URI", "X_Rewrite_URI", "X-Rewrite-Backend", "X-Sendfile",
	"X-Sendfile-Type", "X-LIGHTTPD-send-file", "X-Proxy-Capabilities", "X_PROXY_CAPABILITIES" };

/* Lists the request fields it sees, but for Host. */
static int list_fields(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const char *text = "";

	(void)self;
	for (size_t i = 0; rung_request_field(env, i); i++)
		if (strcmp(rung_request_field(env, i)->name, "Host") != 0)
			text = rung_printf(env, "%s%s;", text, rung_request_field(env, i)->name);
	return rung_reply_text(res, 200, text);
}

Test(policy, clients_cannot_send_control_headers)
{
	struct rung_client *client = test_client(rung_stack(rung_reproxy(), rung_run(list_fields)));

	for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
		const struct rung_field headers[] = { { .name = "X-Real", .value = "1" },
			{ .name = forged[i], .value = "/etc" }, { .name = forged[i], .value = "twice" },
			{ 0 } };

		ASSERT_STR(rung_client_send(client, "GET", "/", .headers = headers)->body, "X-Real;");
	}
	rung_client_destroy(client);
}

Test(policy, a_header_of_ones_own_is_scrubbed_in_every_spelling)
{
	const struct rung_field headers[] = { { .name = "x_FETCH-it", .value = "/" },
		{ .name = "X-Fetch-It", .value = "/" }, { .name = "X-Fetch-Itself", .value = "/" }, { 0 } };
	struct rung_client *client =
		test_client(rung_stack(rung_reproxy(.header = "X-Fetch-It"), rung_run(list_fields)));

	ASSERT_STR(rung_client_send(client, "GET", "/", .headers = headers)->body, "X-Fetch-Itself;");
	rung_client_destroy(client);
}

static int tell_hop(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const char *mark = rung_request_header(env, "X-Reproxied");

	(void)self;
	return rung_reply_textf(res, 200, "hop %u mark %s", env->hop, mark ? mark : "-");
}

Test(policy, the_mark_is_true_and_cannot_be_forged)
{
	const struct rung_field headers[] = { { .name = "X-Reproxied", .value = "forged" }, { 0 } };
	struct rung_app *named = rung_stack(rung_reproxy(), rung_run(tell_hop));
	struct rung_client *client = test_client(rung_stack(rung_reproxy(.names = rung_names({ "n", named })),
		rung_routes(rung_get("/a", give, .data = "http://n/"), rung_get("/b", tell_hop))));

	ASSERT_STR(rung_client_send(client, "GET", "/b", .headers = headers)->body, "hop 0 mark -");
	/* A reproxy layer inside the target scrubs too, but leaves the mark that the outer one set. */
	ASSERT_STR(rung_client_send(client, "GET", "/a", .headers = headers)->body, "hop 1 mark 1");
	rung_client_destroy(client);
}

static int leak(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	rung_header(res, "X-Accel-Redirect", "/secret");
	rung_header(res, "x_accel_redirect", "/secret");
	rung_header(res, "X-Rewrite-URI", "/secret");
	rung_header(res, "X-Sendfile", "/etc/passwd");
	rung_header(res, "X-Reproxied", "1");
	rung_header(res, "X-Reproxy-File", "/etc/passwd");
	rung_header(res, "X-Accel-Buffering", "no");
	rung_header(res, "X-Fine", "1");
	return rung_reply_text(res, 200, "x");
}

Test(policy, responses_that_were_not_emitted_carry_no_control_fields)
{
	static const char *const gone[] = { "X-Accel-Redirect", "x_accel_redirect", "X-Rewrite-URI",
		"X-Sendfile", "X-Reproxied", "X-Reproxy-File" };

	for (unsigned kind = RUNG_SERVER_SELF; kind <= RUNG_SERVER_H2O; kind++) {
		struct rung_client *client = test_client(rung_stack(
			rung_reproxy(.server = (enum rung_server_kind)kind,
				.names = rung_names({ "n", rung_run(leak) })),
			rung_routes(rung_get("/plain", leak), rung_get("/to", give, .data = "http://n/"))));
		const struct rung_reply *reply = rung_client_get(client, "/plain");

		for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
			cr_assert_null(rung_reply_header(reply, gone[i]), "%s stayed", gone[i]);
		ASSERT_STR(rung_reply_header(reply, "X-Fine"), "1");
		ASSERT_STR(rung_reply_header(reply, "X-Accel-Buffering"), "no");
		if (kind == RUNG_SERVER_SELF) {
			reply = rung_client_get(client, "/to");
			for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
				cr_assert_null(rung_reply_header(reply, gone[i]), "%s stayed", gone[i]);
		}
		rung_client_destroy(client);
	}
}

/* -- remote ------------------------------------------------------------------------------------------------------ */

static int remote(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_header(res, "X-Reproxy-Url", "http://again/");
	return rung_reply_textf(res, 200, "remote %s%s cookie=%s auth=%s accept=%s", env->host,
		env->path_info, rung_request_header(env, "Cookie") ? "sent" : "-",
		rung_request_header(env, "Authorization") ? "sent" : "-", rung_request_header(env, "Accept"));
}

Test(policy, remote_gets_no_credentials_and_is_not_reproxied_again)
{
	const struct rung_field headers[] = { { .name = "Cookie", .value = "a=b" },
		{ .name = "Authorization", .value = "Basic x" }, { .name = "Accept", .value = "text/x" },
		{ 0 } };
	struct rung_client *client = test_client(rung_stack(rung_reproxy(.remote = rung_run(remote)),
		rung_routes(rung_get("/a", give, .data = "http://far.example/x"),
			rung_get("/b", give, .data = "/c"), rung_get("/c", tell_hop))));
	const struct rung_reply *reply = rung_client_send(client, "GET", "/a", .headers = headers);

	ASSERT_STR(reply->body, "remote far.example/x cookie=- auth=- accept=text/x");
	cr_assert_null(rung_reply_header(reply, "X-Reproxy-Url"));
	/* What is this stack's own is never fetched from elsewhere. */
	ASSERT_STR(rung_client_get(client, "/b")->body, "hop 1 mark 1");
	rung_client_destroy(client);
}

Test(policy, nothing_is_followed_that_policy_does_not_name)
{
	static const char *const uris[] = { "http://169.254.169.254/latest", "http://127.0.0.1:22/",
		"http://[::1]/", "https://example.org/", "http://localhost:1/", "//example.org/x" };

	for (size_t i = 0; i < sizeof uris / sizeof *uris; i++) {
		struct rung_client *client =
			test_client(rung_stack(rung_reproxy(.names = rung_names({ "n", rung_run(tell_hop) })),
				rung_routes(rung_get("/a", give, .data = uris[i]))));

		ASSERT_INT(rung_client_get(client, "/a")->status, 502);
		rung_client_destroy(client);
	}
}

/* -- which server ------------------------------------------------------------------------------------------------ */

Test(policy, names_of_servers)
{
	static const char *const names[] = { "self", "header", "nginx", "apache", "lighttpd", "perlbal",
		"h2o" };
	enum rung_server_kind kind;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		ASSERT_INT(rung_server_kind_parse(names[i], &kind), 0);
		ASSERT_INT(kind, RUNG_SERVER_SELF + i);
		ASSERT_STR(rung_server_kind_name(kind), names[i]);
	}
	kind = RUNG_SERVER_H2O;
	ASSERT_INT(rung_server_kind_parse("iis", &kind), -EINVAL);
	ASSERT_INT(kind, RUNG_SERVER_H2O);
	ASSERT_HAS(rung_error(), "no server \"iis\"; use self, header, nginx");
	ASSERT_INT(rung_server_kind_parse("auto", &kind), -EINVAL);
	ASSERT_INT(rung_server_kind_parse("", &kind), -EINVAL);
	rung_error();
}

static const char *emitted(enum rung_server_kind option, enum rung_server_kind setup_server)
{
	const struct rung_setup setup = { .size = sizeof setup, .server = setup_server };
	struct rung_client *client = test_client_with(
		rung_stack(rung_reproxy(.server = option, .names = rung_names({ "n", rung_run(tell_hop) })),
			rung_routes(rung_get("/a", give, .data = "http://n/"))),
		&setup);
	const struct rung_reply *reply = rung_client_get(client, "/a");
	const char *what = rung_reply_header(reply, "X-Accel-Redirect") ? "nginx"
			   : rung_reply_header(reply, "X-Rewrite-URI")  ? "lighttpd"
			   : rung_reply_header(reply, "X-Reproxy-Url")  ? "url"
									: "self";

	rung_client_destroy(client);
	return what;
}

Test(policy, auto_is_the_setups_then_the_environments_then_self)
{
	unsetenv("RUNG_REPROXY");
	ASSERT_STR(emitted(RUNG_SERVER_AUTO, RUNG_SERVER_AUTO), "self");
	ASSERT_STR(emitted(RUNG_SERVER_AUTO, RUNG_SERVER_NGINX), "nginx");
	ASSERT_STR(emitted(RUNG_SERVER_LIGHTTPD, RUNG_SERVER_NGINX), "lighttpd");
	ASSERT_STR(emitted(RUNG_SERVER_SELF, RUNG_SERVER_NGINX), "self");
	setenv("RUNG_REPROXY", "lighttpd", 1);
	ASSERT_STR(emitted(RUNG_SERVER_AUTO, RUNG_SERVER_AUTO), "lighttpd");
	ASSERT_STR(emitted(RUNG_SERVER_AUTO, RUNG_SERVER_NGINX), "nginx");
	ASSERT_STR(emitted(RUNG_SERVER_SELF, RUNG_SERVER_AUTO), "self");
	setenv("RUNG_REPROXY", "", 1);
	ASSERT_STR(emitted(RUNG_SERVER_AUTO, RUNG_SERVER_AUTO), "self");
}

Test(policy, an_unknown_server_in_the_environment_is_refused)
{
	setenv("RUNG_REPROXY", "iis", 1);
	cr_assert_null(rung_client_new(rung_stack(rung_reproxy(), rung_run(tell_hop))));
	ASSERT_HAS(rung_error(), "no server \"iis\"");
}

Test(policy, emission_on_a_public_address_is_warned_of)
{
	const struct rung_setup setup = {
		.size = sizeof setup, .server = RUNG_SERVER_NGINX, .is_public = true
	};
	struct rung_client *client = test_client_with(rung_stack(rung_reproxy(), rung_run(tell_hop)), &setup);

	ASSERT_HAS(test_log(), "reproxy emits for nginx on a public address");
	rung_client_destroy(client);
	test_log_clear();
	client = test_client_with(
		rung_stack(rung_reproxy(.server = RUNG_SERVER_SELF), rung_run(tell_hop)), &setup);
	ASSERT_STR(test_log(), "");
	rung_client_destroy(client);
	client = test_client(rung_stack(rung_reproxy(.server = RUNG_SERVER_NGINX), rung_run(tell_hop)));
	ASSERT_STR(test_log(), "");
	rung_client_destroy(client);
}

/* -- refused when made ------------------------------------------------------------------------------------------- */

#define REFUSED(expression, message)               \
	do {                                       \
		cr_assert_null((expression));      \
		ASSERT_HAS(rung_error(), message); \
	} while (0)

Test(policy, bad_options_are_refused_with_the_mend)
{
	static const char *const hosts[] = { "fine", "not fine", NULL };

	REFUSED(rung_reproxy(.server = (enum rung_server_kind)99), "reproxy: .server 99 is none");
	REFUSED(rung_reproxy(.max_hops = 51), "reproxy: .max_hops 51; at most 50");
	REFUSED(rung_reproxy(.header = "X Fetch"), "reproxy: .header \"X Fetch\" is no field name");
	REFUSED(rung_reproxy(.header = ""), "is no field name");
	REFUSED(rung_reproxy(.base = "example.org"), "write http://host:port");
	REFUSED(rung_reproxy(.base = "http://h/path"), "write http://host:port");
	REFUSED(rung_reproxy(.base = "http://user@h"), "write http://host:port");
	REFUSED(rung_reproxy(.base = "http://h\r\nX: y"), "write http://host:port");
	REFUSED(rung_reproxy(.location = "reproxy"), "start it with / or @");
	REFUSED(rung_reproxy(.location = "/re proxy"), "encode it");
	REFUSED(rung_reproxy(.location = "/x\r\nX-Evil: 1"), "encode it");
	REFUSED(rung_reproxy(.hosts = hosts), "\"not fine\" in .hosts");
}

Test(policy, refused_options_drop_what_they_were_given)
{
	REFUSED(rung_reproxy(.max_hops = 51, .app = rung_run(tell_hop), .remote = rung_run(tell_hop),
			.names = rung_names({ "n", rung_run(tell_hop) })),
		"max_hops");
}

Test(policy, a_part_that_failed_is_not_a_part_left_out)
{
	REFUSED(rung_reproxy(.names = rung_names({ "no good", rung_run(tell_hop) })),
		"names: \"no good\" is no authority");
	REFUSED(rung_stack(rung_reproxy(.remote = rung_get("bad", tell_hop)), rung_run(tell_hop)),
		"route: \"bad\"");
	REFUSED(rung_reproxy(.app = rung_use(tell_hop)), "ends in a layer");
	/* And once the message was read, the next one is made as if nothing had been. */
	struct rung_app *fine = rung_reproxy();
	cr_assert_not_null(fine);
	rung_app_destroy(fine);
}

Test(policy, the_ladder_shows_names)
{
	char text[512];
	struct rung_app *app =
		rung_stack(rung_reproxy(.names = rung_names({ "Files.Internal:81", rung_run(tell_hop) })),
			rung_routes(rung_get("/a", tell_hop)));

	cr_assert(rung_stack_print(app, text, sizeof text) > 0);
	ASSERT_HAS(text, "+-- reproxy  server=auto max_hops=10");
	ASSERT_HAS(text, "files.internal:81 -> run");
	ASSERT_HAS(text, "GET /a");
	rung_app_destroy(app);
}
