/* test_mounts.c: which app is mounted where: Rack::URLMap's rules, by path and by host. */
#include "support.h"

#include <errno.h>

SUITE(mounts);

static int tell(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const char *name = rung_data(self);

	return rung_reply_textf(
		res, 200, "%s <%s> <%s>", name ? name : "app", env->script_name, env->path_info);
}

static struct rung_app *app(const char *name)
{
	return rung_run(tell, .data = name);
}

static void check(struct rung_client *client, const char *target, const char *body)
{
	const struct rung_reply *reply = rung_client_get(client, target);

	cr_expect_str_eq(
		reply->body, body, "%s: %d <%s>, not <%s>", target, reply->status, reply->body, body);
}

/* -- paths ------------------------------------------------------------------------------------------------------ */

Test(mounts, a_prefix_goes_from_the_path_to_the_script_name)
{
	struct rung_client *client = test_client(rung_routes(rung_mount("/a", app("a"))));

	check(client, "/a", "a </a> <>");
	check(client, "/a/", "a </a> </>");
	check(client, "/a/b/c?q", "a </a> </b/c>");
	check(client, "/a//b", "a </a> <//b>");
	check(client, "/ab", "");
	check(client, "/", "");
	check(client, "/b/a", "");
	check(client, "/A", "");
	ASSERT_INT(rung_client_get(client, "/ab")->status, 404);
	rung_client_destroy(client);
}

Test(mounts, the_longest_prefix_wins_whatever_the_order)
{
	struct rung_client *client = test_client(rung_routes(rung_mount("/", app("root")),
		rung_mount("/a", app("a")), rung_mount("/a/b/c", app("abc")), rung_mount("/a/b", app("ab"))));

	check(client, "/", "root <> </>");
	check(client, "/x/a", "root <> </x/a>");
	check(client, "/abc", "root <> </abc>");
	check(client, "/a/x", "a </a> </x>");
	check(client, "/a/bc", "a </a> </bc>");
	check(client, "/a/b", "ab </a/b> <>");
	check(client, "/a/b/cd", "ab </a/b> </cd>");
	check(client, "/a/b/c/d", "abc </a/b/c> </d>");
	rung_client_destroy(client);
}

Test(mounts, a_slash_at_the_end_of_a_place_says_nothing)
{
	struct rung_client *client =
		test_client(rung_routes(rung_mount("/a/", app("a")), rung_mount("http://h.test/", app("h"))));

	check(client, "/a", "a </a> <>");
	check(client, "http://h.test/x", "h <> </x>");
	rung_client_destroy(client);
}

Test(mounts, one_slash_of_a_prefix_matches_several_of_the_path)
{
	struct rung_client *client = test_client(rung_routes(rung_mount("/a/b", app("ab"))));

	check(client, "//a//b//c", "ab </a/b> <//c>");
	check(client, "/a/%62/c", "ab </a/b> </c>");
	check(client, "/a%2fb", "");
	rung_client_destroy(client);
}

Test(mounts, bad_escapes_are_400_unless_the_mounted_app_gets_to_judge_them)
{
	struct rung_client *client = test_client(rung_routes(rung_mount("/a", app("a"))));
	static const char *const targets[] = { "/%zz", "/%6", "/%", "/%00", "/%6z/x", "/b/%zz" };

	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
		cr_expect(rung_client_get(client, targets[i])->status == 400, "%s: %d", targets[i],
			rung_client_get(client, targets[i])->status);
	check(client, "/a/%zz", "a </a> </%zz>");
	check(client, "/%61/%zz", "a </a> </%zz>");
	rung_client_destroy(client);
}

Test(mounts, mounts_nest_and_routes_inside_see_the_rest)
{
	struct rung_client *client = test_client(
		rung_routes(rung_mount("/a", rung_routes(rung_get("/x", tell), rung_get("/", tell),
						     rung_mount("/b", rung_routes(rung_get("/:n", tell)))))));

	check(client, "/a/x", "app </a> </x>");
	check(client, "/a", "app </a> <>");
	check(client, "/a/", "app </a> </>");
	check(client, "/a/b/c", "app </a/b> </c>");
	ASSERT_INT(rung_client_get(client, "/x")->status, 404);
	rung_client_destroy(client);
}

Test(mounts, a_route_comes_before_a_mount)
{
	struct rung_client *client = test_client(rung_routes(rung_mount("/a", app("mount")),
		rung_get("/a/x", tell), rung_get("/a/y/:n", tell), app("left")));

	check(client, "/a/x", "app <> </a/x>");
	check(client, "/a/y/1", "app <> </a/y/1>");
	check(client, "/a/y", "mount </a> </y>");
	check(client, "/b", "left <> </b>");
	/* The path is there, the method is not: that is an answer too. */
	ASSERT_INT(rung_client_send(client, "POST", "/a/x")->status, 405);
	rung_client_destroy(client);
}

/* Asks what is inside, then says what itself still sees. */
static int look_again(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	rung_response_clear(res);
	return rung_reply_textf(res, 200, "<%s> <%s>", env->script_name, env->path_info);
}

Test(mounts, nothing_needs_restoring)
{
	struct rung_client *client =
		test_client(rung_stack(rung_use(look_again), rung_routes(rung_mount("/a", app("a")))));

	check(client, "/a/b", "<> </a/b>");
	rung_client_destroy(client);
}

Test(mounts, a_mount_by_itself_is_an_endpoint)
{
	struct rung_client *client = test_client(rung_mount("/a", app("a")));

	check(client, "/a/b", "a </a> </b>");
	ASSERT_INT(rung_client_get(client, "/b")->status, 404);
	rung_client_destroy(client);
}

/* -- hosts ------------------------------------------------------------------------------------------------------- */

Test(mounts, hosts_come_before_paths)
{
	struct rung_client *client = test_client(rung_routes(rung_mount("/a/b", app("path")),
		rung_mount("http://one.test/a", app("one")), rung_mount("http://two.test", app("two"))));

	check(client, "http://one.test/a/b", "one </a> </b>");
	check(client, "http://ONE.test:8080/a", "one </a> <>");
	check(client, "http://two.test/a/b", "two <> </a/b>");
	check(client, "http://two.test", "two <> </>");
	check(client, "http://three.test/a/b", "path </a/b> <>");
	check(client, "/a/b", "path </a/b> <>");
	/* One that a mount names is not everybody's: what is not below its place is not found elsewhere. */
	check(client, "http://one.test/b", "");
	rung_client_destroy(client);
}

Test(mounts, a_host_with_a_port_is_that_port_alone)
{
	struct rung_client *client = test_client(rung_routes(rung_mount("http://h.test:8080/", app("8080")),
		rung_mount("http://h.test/", app("any")), rung_mount("http://i.test:80/", app("i"))));

	check(client, "http://h.test:8080/x", "8080 <> </x>");
	check(client, "http://h.test:8081/x", "any <> </x>");
	check(client, "http://h.test/x", "any <> </x>");
	check(client, "http://i.test/x", "i <> </x>");
	check(client, "http://i.test:81/x", "");
	rung_client_destroy(client);
}

Test(mounts, where_the_process_listens_everything_without_a_host_applies)
{
	struct rung_client *client = rung_client_new(
		rung_routes(rung_mount("http://own.test:81/x", app("named")), rung_mount("/y", app("path"))),
		.host = "own.test:81");

	check(client, "/x", "named </x> <>");
	check(client, "/y", "path </y> <>");
	rung_client_destroy(client);
}

Test(mounts, ipv6_is_a_host_too)
{
	struct rung_client *client = test_client(
		rung_routes(rung_mount("http://[::1]:81/a", app("six")), rung_mount("/a", app("path"))));

	check(client, "http://[::1]:81/a", "six </a> <>");
	check(client, "http://[::2]/a", "path </a> <>");
	rung_client_destroy(client);
}

/* -- refusals ---------------------------------------------------------------------------------------------------- */

static int pass_on(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	return 0;
}

Test(mounts, what_is_no_place_is_refused_with_the_mend)
{
	static const struct {
		const char *place, *message;
	} cases[] = {
		{ "a", "mount: \"a\" is no place; start it with \"/\" or http://host" },
		{ NULL, "mount: \"(NULL)\" is no place; start it with \"/\" or http://host" },
		{ "ftp://h/", "mount: \"ftp://h/\" is no place; start it with \"/\" or http://host" },
		{ "http://", "mount: \"http://\" has no valid host; write http://host/path" },
		{ "http:///a", "mount: \"http:///a\" has no valid host; write http://host/path" },
		{ "http://u@h/", "mount: \"http://u@h/\" has no valid host; write http://host/path" },
		{ "http://h:x/", "mount: \"http://h:x/\" has no valid host; write http://host/path" },
		{ "/a//b", "mount: \"/a//b\" has an empty segment; write one slash" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_expect_null(rung_mount(cases[i].place, app("x")), "%s", cases[i].message);
		ASSERT_STR(rung_error(), cases[i].message);
	}
	cr_assert_null(rung_mount("/a", NULL));
	ASSERT_HAS(rung_error(), "mount: it was given NULL as an app");
	cr_assert_null(rung_mount("/a", rung_use(pass_on)));
	ASSERT_HAS(rung_error(),
		"mount: the stack of use ends in a layer, so nothing answers; put an endpoint last");
}

Test(mounts, two_at_one_place_are_refused)
{
	cr_assert_null(rung_routes(rung_mount("/a", app("1")), rung_mount("/a/", app("2"))));
	ASSERT_STR(rung_error(), "routes: two mounts at /a/; drop one of them");
	cr_assert_null(rung_routes(rung_mount("http://H/a", app("1")), rung_mount("http://h/a", app("2"))));
	ASSERT_STR(rung_error(), "routes: two mounts at http://h/a; drop one of them");
	struct rung_app *two = rung_routes(rung_mount("http://h/a", app("1")),
		rung_mount("http://h:1/a", app("2")), rung_mount("/a", app("3")));
	cr_assert(two != NULL, "%s", rung_error());
	rung_app_destroy(two);
}

Test(mounts, one_app_may_stand_in_two_places)
{
	struct rung_app *shared = app("shared");
	struct rung_client *client =
		test_client(rung_routes(rung_mount("/a", rung_ref(shared)), rung_mount("/b", shared)));

	check(client, "/a/x", "shared </a> </x>");
	check(client, "/b/x", "shared </b> </x>");
	rung_client_destroy(client);
	shared = app("shared");
	cr_assert_null(rung_routes(rung_mount("/a", shared), rung_mount("/b", shared)));
	ASSERT_HAS(rung_error(), "is in a place already; make a second one, or pass rung_ref()");
}
