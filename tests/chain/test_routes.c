/* test_routes.c: which route answers which method and path, and what answers where none does. */
#include "support.h"

#include <errno.h>

SUITE(routes);

/* Says which route it is (its data) and every parameter named a, b, rest. */
static int tell(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	static const char *const names[] = { "a", "b", "rest" };
	const char *text = rung_data(self);

	for (size_t i = 0; i < 3; i++)
		if (rung_param(env, names[i]))
			text = rung_printf(env, "%s %s=<%s>", text, names[i], rung_param(env, names[i]));
	return rung_reply_text(res, 200, text);
}

static void check(
	struct rung_client *client, const char *method, const char *target, int status, const char *body)
{
	const struct rung_reply *reply = rung_client_send(client, method, target);

	cr_expect(reply->status == status, "%s %s: %d", method, target, reply->status);
	cr_expect_str_eq(reply->body, body, "%s %s: <%s>, not <%s>", method, target, reply->body, body);
}

/* -- paths ------------------------------------------------------------------------------------------------------ */

Test(routes, literals_are_preferred_to_parameters_and_these_to_the_rest)
{
	struct rung_client *client = test_client(rung_routes(rung_get("/*rest", tell, .data = "all"),
		rung_get("/:a", tell, .data = "one"), rung_get("/x", tell, .data = "x"),
		rung_get("/x/:b", tell, .data = "x-b"), rung_get("/:a/y", tell, .data = "a-y"),
		rung_get("/x/y", tell, .data = "x-y"), rung_get("/", tell, .data = "root")));

	check(client, "GET", "/", 200, "root");
	check(client, "GET", "/x", 200, "x");
	check(client, "GET", "/z", 200, "one a=<z>");
	check(client, "GET", "/x/y", 200, "x-y");
	check(client, "GET", "/x/z", 200, "x-b b=<z>");
	check(client, "GET", "/z/y", 200, "a-y a=<z>");
	check(client, "GET", "/z/z", 200, "all rest=<z/z>");
	check(client, "GET", "/x/", 200, "all rest=<x/>");
	check(client, "GET", "//", 200, "all rest=</>");
	rung_client_destroy(client);
}

Test(routes, a_wrong_turn_is_taken_back)
{
	struct rung_client *client = test_client(rung_routes(rung_get("/a/:b/c", tell, .data = "1"),
		rung_get("/:a/x/d", tell, .data = "2"), rung_get("/a/*rest", tell, .data = "3"),
		rung_post("/a/x/e", tell, .data = "4"), rung_get("/:a/x/e", tell, .data = "5")));

	check(client, "GET", "/a/x/c", 200, "1 b=<x>");
	check(client, "GET", "/a/x/d", 200, "3 rest=<x/d>");
	check(client, "GET", "/b/x/d", 200, "2 a=<b>");
	/* A path that is there under another method alone is no reason to stop. */
	check(client, "GET", "/a/x/e", 200, "3 rest=<x/e>");
	check(client, "POST", "/a/x/e", 200, "4");
	rung_client_destroy(client);
}

Test(routes, the_order_of_writing_does_not_count)
{
	for (int turned = 0; turned < 2; turned++) {
		struct rung_app *first = rung_get("/:a", tell, .data = "one");
		struct rung_app *second = rung_get("/x", tell, .data = "x");
		struct rung_client *client =
			test_client(turned ? rung_routes(second, first) : rung_routes(first, second));

		check(client, "GET", "/x", 200, "x");
		check(client, "GET", "/y", 200, "one a=<y>");
		rung_client_destroy(client);
	}
}

Test(routes, segments_are_decoded_once_and_slashes_in_them_are_data)
{
	struct rung_client *client = test_client(rung_routes(rung_get("/s/:a/t/:b", tell, .data = "two"),
		rung_get("/caf\xc3\xa9 1", tell, .data = "caf\xc3\xa9"),
		rung_get("/r/*rest", tell, .data = "rest")));

	check(client, "GET", "/s/x%2Fy/t/%2e%2e", 200, "two a=<x/y> b=<..>");
	check(client, "GET", "/s/a+b/t/%2B", 200, "two a=<a+b> b=<+>");
	check(client, "GET", "/%73/%2541/t/%20", 200, "two a=<%41> b=< >");
	check(client, "GET", "/caf%C3%A9%201", 200, "caf\xc3\xa9");
	check(client, "GET", "/r/a%2fb/c", 200, "rest rest=<a/b/c>");
	check(client, "GET", "/r/", 200, "rest rest=<>");
	check(client, "GET", "/r", 404, "");
	check(client, "GET", "/s%2Fx/t/y", 404, "");
	check(client, "GET", "/s//t/x", 404, ""); /* a parameter is never empty */
	check(client, "GET", "/S/x/t/y", 404, "");
	rung_client_destroy(client);
}

Test(routes, bad_escapes_are_400)
{
	static const char *const targets[] = { "/%", "/x/%4", "/%zz", "/x%00", "/%00", "/x/y%" };
	struct rung_client *client = test_client(rung_routes(rung_get("/*rest", tell, .data = "all")));

	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
		check(client, "GET", targets[i], 400, "");
	rung_client_destroy(client);
}

Test(routes, a_path_that_is_no_route_is_404_and_passes)
{
	struct rung_client *client = test_client(
		rung_routes(rung_get("/x", tell, .data = "x"), rung_get("/x/y/z", tell, .data = "deep")));

	check(client, "GET", "/", 404, "");
	check(client, "GET", "/x/", 404, "");
	check(client, "GET", "/x/y", 404, "");
	check(client, "GET", "/x/y/z/a", 404, "");
	check(client, "GET", "/xx", 404, "");
	check(client, "POST", "/nothing", 404, "");
	rung_client_destroy(client);
}

/* -- methods ----------------------------------------------------------------------------------------------------- */

static void check_allow(
	struct rung_client *client, const char *method, const char *target, int status, const char *allow)
{
	const struct rung_reply *reply = rung_client_send(client, method, target);

	cr_expect(reply->status == status, "%s %s: %d", method, target, reply->status);
	ASSERT_STR(rung_reply_header(reply, "Allow"), allow);
	ASSERT_INT(reply->size, 0);
}

Test(routes, methods_of_a_path)
{
	struct rung_client *client = test_client(rung_routes(rung_get("/x", tell, .data = "get"),
		rung_post("/x", tell, .data = "post"), rung_put("/x", tell, .data = "put"),
		rung_patch("/x", tell, .data = "patch"), rung_delete("/x", tell, .data = "delete"),
		rung_route("PURGE", "/x", tell, .data = "purge"), rung_post("/p", tell, .data = "p"),
		rung_any("/any", tell, .data = "any"), rung_get("/any", tell, .data = "any-get"),
		rung_get("/:a/q", tell, .data = "q"), rung_post("/p/q", tell, .data = "pq")));

	check(client, "GET", "/x", 200, "get");
	check(client, "POST", "/x", 200, "post");
	check(client, "PUT", "/x", 200, "put");
	check(client, "PATCH", "/x", 200, "patch");
	check(client, "DELETE", "/x", 200, "delete");
	check(client, "PURGE", "/x", 200, "purge");
	check(client, "GET", "/any", 200, "any-get");
	check(client, "BREW", "/any", 200, "any");
	check(client, "OPTIONS", "/any", 200, "any");
	check_allow(client, "BREW", "/x", 405, "GET, HEAD, POST, PUT, PATCH, DELETE, PURGE, OPTIONS");
	check_allow(client, "get", "/x", 405, "GET, HEAD, POST, PUT, PATCH, DELETE, PURGE, OPTIONS");
	check_allow(client, "GET", "/p", 405, "POST, OPTIONS");
	check_allow(client, "HEAD", "/p", 405, "POST, OPTIONS");
	check_allow(client, "OPTIONS", "/p", 204, "POST, OPTIONS");
	/* Both the literal and the parameter take this path. */
	check_allow(client, "PUT", "/p/q", 405, "POST, GET, HEAD, OPTIONS");
	check(client, "GET", "/p/q", 200, "q a=<p>");
	check_allow(client, "OPTIONS", "*", 204, "GET, HEAD, POST, PUT, PATCH, DELETE, PURGE, OPTIONS");
	rung_client_destroy(client);
}

static int tell_method(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_header(res, "X-Method", env->method);
	return rung_reply_text(res, 200, "body");
}

Test(routes, head_is_served_by_get_unless_it_has_a_route)
{
	struct rung_client *client = test_client(rung_routes(rung_get("/x", tell_method),
		rung_get("/y", tell_method), rung_route("HEAD", "/y", tell, .data = "own")));
	const struct rung_reply *reply = rung_client_send(client, "HEAD", "/x");

	ASSERT_INT(reply->status, 200);
	ASSERT_STR(rung_reply_header(reply, "X-Method"), "HEAD");
	ASSERT_STR(rung_reply_header(reply, "Content-Length"), "4");
	ASSERT_INT(reply->size, 0);
	ASSERT_STR(rung_reply_header(rung_client_send(client, "HEAD", "/y"), "Content-Length"), "3");
	rung_client_destroy(client);
}

Test(routes, options_may_have_a_route_of_its_own)
{
	struct rung_client *client = test_client(rung_routes(
		rung_get("/x", tell, .data = "x"), rung_route("OPTIONS", "/x", tell, .data = "own")));

	check(client, "OPTIONS", "/x", 200, "own");
	check_allow(client, "PUT", "/x", 405, "GET, HEAD, OPTIONS");
	rung_client_destroy(client);
}

/* -- what a route is made of ------------------------------------------------------------------------------------- */

static int pass_seen;

static int see_pass(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	pass_seen = res->pass;
	return 0;
}

Test(routes, what_is_not_found_is_marked_for_a_cascade)
{
	struct rung_client *client =
		test_client(rung_stack(rung_use(see_pass), rung_routes(rung_get("/x", tell, .data = "x"))));
	static const struct {
		const char *method, *target;
		bool pass;
	} cases[] = { { "GET", "/x", false }, { "GET", "/y", true }, { "PUT", "/x", true },
		{ "OPTIONS", "/x", false }, { "GET", "/%", false } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		rung_client_send(client, cases[i].method, cases[i].target);
		cr_expect(
			pass_seen == cases[i].pass, "%s %s: %d", cases[i].method, cases[i].target, pass_seen);
	}
	rung_client_destroy(client);
}

Test(routes, a_body_past_the_routes_limit_is_413)
{
	struct rung_client *client =
		test_client(rung_routes(rung_post("/small/:a", tell, .data = "small", .body_limit = 4),
			rung_post("/large", tell, .data = "large")));

	ASSERT_INT(rung_client_send(client, "POST", "/small/x", .body = "1234")->status, 200);
	ASSERT_INT(rung_client_send(client, "POST", "/small/x", .body = "12345")->status, 413);
	ASSERT_INT(rung_client_send(client, "POST", "/large", .body = "12345")->status, 200);
	rung_client_destroy(client);
}

static int add_field(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	return rung_header(res, "X-Layer", rung_param(env, "a"));
}

Test(routes, a_route_may_hold_a_stack_which_sees_the_parameters)
{
	struct rung_client *client = test_client(rung_routes(
		rung_get("/:a", .app = rung_stack(rung_use(add_field), rung_run(tell, .data = "inside")))));
	const struct rung_reply *reply = rung_client_get(client, "/v");

	ASSERT_STR(reply->body, "inside a=<v>");
	ASSERT_STR(rung_reply_header(reply, "X-Layer"), "v");
	rung_client_destroy(client);
}

Test(routes, the_nearest_parameter_of_two_with_one_name_counts)
{
	struct rung_client *client = test_client(rung_routes(
		rung_any("/:a/*rest", .app = rung_routes(rung_get("/:b/x", tell, .data = "same path"),
					      rung_get("/*rest", tell, .data = "again")))));

	check(client, "GET", "/v/x", 200, "same path a=<v> b=<v> rest=<x>");
	check(client, "GET", "/v/y", 200, "again a=<v> rest=<v/y>");
	rung_client_destroy(client);
}

Test(routes, a_route_by_itself_is_an_endpoint)
{
	struct rung_client *client = test_client(rung_get("/x/:a", tell, .data = "alone"));

	check(client, "GET", "/x/1", 200, "alone a=<1>");
	check(client, "GET", "/y", 404, "");
	check(client, "GET", "/%", 400, "");
	check_allow(client, "POST", "/x/1", 405, "GET, HEAD, OPTIONS");
	check_allow(client, "OPTIONS", "*", 204, "GET, HEAD, OPTIONS");
	rung_client_destroy(client);
}

Test(routes, an_app_at_the_end_takes_what_is_left)
{
	struct rung_client *client =
		test_client(rung_routes(rung_get("/x", tell, .data = "x"), rung_run(tell, .data = "left")));

	check(client, "GET", "/x", 200, "x");
	check(client, "GET", "/y", 200, "left");
	check(client, "GET", "/%", 200, "left");
	check_allow(client, "PUT", "/x", 405, "GET, HEAD, OPTIONS");
	rung_client_destroy(client);
}

/* -- refusals ---------------------------------------------------------------------------------------------------- */

static int frees;

static void count_free(void *data)
{
	frees += data == &frees;
}

static int pass_on(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	return 0;
}

#define OWNED .data = &frees, .free_data = count_free

Test(routes, what_is_no_route_is_refused_with_the_mend)
{
	struct {
		struct rung_app *app;
		const char *message;
	} cases[] = {
		{ rung_get(NULL, tell), "route: it has no path; give one, such as \"/\"" },
		{ NULL, NULL },
	};

	ASSERT_STR(rung_error(), cases[0].message);
	cr_assert_null(cases[0].app);
	cr_assert_null(rung_get("x", tell, OWNED));
	ASSERT_STR(rung_error(), "route: \"x\" is no pattern; start it with \"/\"");
	cr_assert_null(rung_get("", tell, OWNED));
	ASSERT_STR(rung_error(), "route: \"\" is no pattern; start it with \"/\"");
	cr_assert_null(rung_get("/:/x", tell, OWNED));
	ASSERT_STR(rung_error(), "route: \"/:/x\" has a parameter without a name; write :name or *name");
	cr_assert_null(rung_get("/x/*", tell, OWNED));
	ASSERT_STR(rung_error(), "route: \"/x/*\" has a parameter without a name; write :name or *name");
	cr_assert_null(rung_get("/*all/x", tell, OWNED));
	ASSERT_STR(rung_error(), "route: \"/*all/x\" goes on behind *name; put *name last");
	cr_assert_null(rung_get("/:a/:a/:a/:a/:a/:a/:a/:a/:a/:a/:a/:a/:a/:a/:a/:a/:a", tell, OWNED));
	ASSERT_HAS(rung_error(), "has more than 16 parameters; use *name");
	cr_assert_null(rung_route("G T", "/", tell, OWNED));
	ASSERT_STR(rung_error(), "route: \"G T\" is no method; use a token such as GET");
	cr_assert_null(rung_get("/", NULL, OWNED));
	ASSERT_STR(rung_error(), "route: / has neither a function nor an app; give it one of them");
	cr_assert_null(rung_get("/", tell, .app = rung_run(tell)));
	ASSERT_STR(rung_error(), "route: / has both a function and an app; give it one of them");
	cr_assert_null(rung_get("/", .app = rung_run(tell), OWNED));
	ASSERT_STR(rung_error(), "route: / has .data beside .app; .data belongs to a function");
	cr_assert_null(rung_get("/", tell, .body_limit = -2, OWNED));
	ASSERT_STR(rung_error(), "route: / has a negative .body_limit");
	cr_assert_null(rung_get("/", .app = rung_use(pass_on)));
	ASSERT_HAS(rung_error(), "route: the stack of use ends in a layer");
	ASSERT_INT(frees, 10);
}

Test(routes, what_are_no_routes_is_refused_with_the_mend)
{
	cr_assert_null(
		rung_routes(rung_get("/", tell, OWNED), rung_get("x", tell), rung_get("/y", tell, OWNED)));
	ASSERT_STR(rung_error(), "route: \"x\" is no pattern; start it with \"/\"");
	ASSERT_INT(frees, 2);
	cr_assert_null(rung_routes(rung_get("/:a", tell, OWNED), rung_get("/:b", tell)));
	ASSERT_STR(rung_error(), "routes: two are the same: GET /:a and /:b; drop one of them");
	cr_assert_null(rung_routes(rung_any("/x", tell), rung_any("/x", tell)));
	ASSERT_STR(rung_error(), "routes: two are the same: any /x and /x; drop one of them");
	cr_assert_null(rung_routes(rung_run(tell), rung_get("/", tell)));
	ASSERT_HAS(rung_error(),
		"routes: run takes every path, so what follows it is never reached; put it last");
	cr_assert_null(rung_routes(rung_use(pass_on)));
	ASSERT_STR(rung_error(), "routes: use is a layer; wrap what it is for with rung_stack()");
	cr_assert_null(rung_routes_new((struct rung_app *const[]){ &rung_end_ }));
	ASSERT_HAS(rung_error(), "routes: ");
	struct rung_app *route = rung_get("/", tell);
	cr_assert_null(rung_routes(route, route));
	ASSERT_HAS(rung_error(), "is in a place already");
}

Test(routes, the_same_route_may_stand_in_two_places)
{
	struct rung_app *route = rung_get("/x", tell, .data = "x");
	struct rung_client *client = test_client(rung_routes(
		rung_ref(route), rung_mount("/m", rung_routes(route, rung_run(tell, .data = "rest")))));

	check(client, "GET", "/x", 200, "x");
	check(client, "GET", "/m/x", 200, "x");
	check(client, "GET", "/m/y", 200, "rest");
	rung_client_destroy(client);
}

Test(routes, data_is_freed_once)
{
	rung_app_destroy(rung_routes(rung_get("/x", tell, OWNED), rung_get("/y", tell, OWNED)));
	ASSERT_INT(frees, 2);
}
