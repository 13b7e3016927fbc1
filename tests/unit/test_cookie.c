/* test_cookie.c: Set-Cookie: attributes, their defaults, and what is refused. */
#include "support.h"

#include <errno.h>
#include <stdlib.h>

SUITE(cookie);

static int set_one(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)env;
	rung_reply_text(res, 200, "ok");
	rung_cookie_set(res, rung_data(self));
	return 0;
}

#define COOKIE(...)                                             \
	{                                                       \
		.size = sizeof(struct rung_cookie), __VA_ARGS__ \
	}

struct cookie_case {
	const char *what;
	struct rung_cookie cookie;
	const char *expected; /* the line, or a part of the message when it is refused */
};

static void check_lines(const struct cookie_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct rung_client *client = test_client(rung_run(set_one, .data = &cases[i].cookie));
		const struct rung_reply *reply = rung_client_get(client, "/");
		const char *line = rung_reply_header(reply, "Set-Cookie");

		cr_expect(reply->status == 200, "%s: the status is %d", cases[i].what, reply->status);
		cr_expect(line && strcmp(line, cases[i].expected) == 0, "%s: <%s>, not <%s>", cases[i].what,
			line ? line : "(none)", cases[i].expected);
		rung_client_destroy(client);
	}
}

Test(cookie, attributes_stand_as_they_were_asked_for)
{
	static const struct cookie_case cases[] = {
		{ "defaults", COOKIE("a", "1"), "a=1; Path=/; HttpOnly; SameSite=Lax" },
		{ "empty value", COOKIE("a", ""), "a=; Path=/; HttpOnly; SameSite=Lax" },
		{ "every byte that is allowed at the edges", COOKIE("a!#$%&'*+-.^_`|~z", "!#+-:<[]~=/"),
			"a!#$%&'*+-.^_`|~z=!#+-:<[]~=/; Path=/; HttpOnly; SameSite=Lax" },
		{ "path", COOKIE("a", "1", .path = "/x y"), "a=1; Path=/x y; HttpOnly; SameSite=Lax" },
		{ "domain", COOKIE("a", "1", .domain = "example.org"),
			"a=1; Path=/; Domain=example.org; HttpOnly; SameSite=Lax" },
		{ "age", COOKIE("a", "1", .max_age = 3600),
			"a=1; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax" },
		{ "greatest age", COOKIE("a", "1", .max_age = INT64_MAX),
			"a=1; Path=/; Max-Age=9223372036854775807; HttpOnly; SameSite=Lax" },
		{ "deleted", COOKIE("a", "", .max_age = -1),
			"a=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax" },
		{ "deleted, least age", COOKIE("a", "", .max_age = INT64_MIN),
			"a=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax" },
		{ "secure", COOKIE("a", "1", .secure = true), "a=1; Path=/; Secure; HttpOnly; SameSite=Lax" },
		{ "for scripts", COOKIE("a", "1", .script_readable = true), "a=1; Path=/; SameSite=Lax" },
		{ "Strict", COOKIE("a", "1", .same_site = "Strict"),
			"a=1; Path=/; HttpOnly; SameSite=Strict" },
		{ "None is always secure", COOKIE("a", "1", .same_site = "None"),
			"a=1; Path=/; Secure; HttpOnly; SameSite=None" },
		{ "everything",
			COOKIE("a", "1", .path = "/p", .domain = "h", .max_age = 1, .secure = true,
				.script_readable = true, .same_site = "Strict"),
			"a=1; Path=/p; Domain=h; Max-Age=1; Secure; SameSite=Strict" },
	};

	check_lines(cases, sizeof cases / sizeof *cases);
}

Test(cookie, prefixes_bring_what_browsers_demand_of_them)
{
	static const struct cookie_case cases[] = {
		{ "__Secure-", COOKIE("__Secure-a", "1", .domain = "h"),
			"__Secure-a=1; Path=/; Domain=h; Secure; HttpOnly; SameSite=Lax" },
		{ "__Host-", COOKIE("__Host-a", "1"), "__Host-a=1; Path=/; Secure; HttpOnly; SameSite=Lax" },
		{ "__Host- with its path", COOKIE("__Host-a", "1", .path = "/"),
			"__Host-a=1; Path=/; Secure; HttpOnly; SameSite=Lax" },
		{ "browsers look at prefixes without case", COOKIE("__secure-a", "1"),
			"__secure-a=1; Path=/; Secure; HttpOnly; SameSite=Lax" },
		{ "a prefix is one at the start alone", COOKIE("a__Host-", "1", .path = "/x"),
			"a__Host-=1; Path=/x; HttpOnly; SameSite=Lax" },
	};

	check_lines(cases, sizeof cases / sizeof *cases);
}

Test(cookie, what_could_not_be_read_back_is_refused)
{
	static const struct cookie_case cases[] = {
		{ "no name", COOKIE(NULL, "1"), "name" },
		{ "empty name", COOKIE("", "1"), "name" },
		{ "blank in the name", COOKIE("a b", "1"), "name" },
		{ "= in the name", COOKIE("a=b", "1"), "name" },
		{ "line break in the name", COOKIE("a\r\nX: y", "1"), "name" },
		{ "no value", COOKIE("a", NULL), "value" },
		{ "blank", COOKIE("a", "1 2"), "value" },
		{ "semicolon", COOKIE("a", "1;2"), "value" },
		{ "comma", COOKIE("a", "1,2"), "value" },
		{ "quote", COOKIE("a", "\"1\""), "value" },
		{ "backslash", COOKIE("a", "1\\2"), "value" },
		{ "line break", COOKIE("a", "1\r\nX: y"), "value" },
		{ "DEL", COOKIE("a", "1\x7f"), "value" },
		{ "beyond ASCII", COOKIE("a", "\xc3\xa9"), "value" },
		{ "relative path", COOKIE("a", "1", .path = "x"), "path" },
		{ "empty path", COOKIE("a", "1", .path = ""), "path" },
		{ "attribute in the path", COOKIE("a", "1", .path = "/; Domain=evil"), "path" },
		{ "line break in the path", COOKIE("a", "1", .path = "/\r\nX: y"), "path" },
		{ "empty domain", COOKIE("a", "1", .domain = ""), "domain" },
		{ "attribute in the domain", COOKIE("a", "1", .domain = "h; Secure"), "domain" },
		{ "line break in the domain", COOKIE("a", "1", .domain = "h\nX: y"), "domain" },
		{ "same_site of no kind", COOKIE("a", "1", .same_site = "lax"), "same_site" },
		{ "same_site empty", COOKIE("a", "1", .same_site = ""), "same_site" },
		{ "same_site with an attribute", COOKIE("a", "1", .same_site = "Lax; Domain=h"),
			"same_site" },
		{ "__Host- with a domain", COOKIE("__Host-a", "1", .domain = "h"), "__Host-" },
		{ "__Host- with another path", COOKIE("__Host-a", "1", .path = "/x"), "__Host-" },
		{ "__HOST- with a domain", COOKIE("__HOST-a", "1", .domain = "h"), "__Host-" },
		{ "no size", { .name = "a", .value = "1" }, "size" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rung_client *client = test_client(rung_run(set_one, .data = &cases[i].cookie));
		const struct rung_reply *reply = rung_client_get(client, "/");

		cr_expect(reply->status == 500, "%s: the status is %d", cases[i].what, reply->status);
		cr_expect_null(rung_reply_header(reply, "Set-Cookie"), "%s", cases[i].what);
		cr_expect(strstr(test_log(), "cookie") && strstr(test_log(), cases[i].expected),
			"%s: the log is <%s>", cases[i].what, test_log());
		test_log_clear();
		rung_client_destroy(client);
	}
}

Test(cookie, a_message_names_the_cookie)
{
	static const struct rung_cookie cookie = COOKIE("basket", "1;2");
	struct rung_client *client = test_client(rung_run(set_one, .data = &cookie));

	rung_client_get(client, "/");
	ASSERT_HAS(test_log(), "basket");
	rung_client_destroy(client);
}

/* -- growth of the struct ---------------------------------------------------------------------------------------- */

Test(cookie, an_older_and_shorter_struct_is_read_as_far_as_it_goes)
{
	/* The caller's struct ended before .path: what lies there is not ours. A block of that size shows a read
	 * beyond it to the sanitizer. */
	size_t size = offsetof(struct rung_cookie, path);
	struct rung_cookie *old = malloc(size);
	const struct rung_cookie whole = { .size = size, .name = "a", .value = "1", .path = "no path" };

	memcpy(old, &whole, size);
	struct rung_client *client = test_client(rung_run(set_one, .data = old));
	ASSERT_STR(rung_reply_header(rung_client_get(client, "/"), "Set-Cookie"),
		"a=1; Path=/; HttpOnly; SameSite=Lax");
	rung_client_destroy(client);
	free(old);
}

struct newer_cookie {
	struct rung_cookie cookie;
	long partitioned;
};

static int status_of_newer(long partitioned)
{
	const struct newer_cookie newer = { .cookie = { .size = sizeof newer, .name = "a", .value = "1" },
		.partitioned = partitioned };
	struct rung_client *client = test_client(rung_run(set_one, .data = &newer));
	int status = rung_client_get(client, "/")->status;

	rung_client_destroy(client);
	return status;
}

Test(cookie, a_newer_struct_is_taken_unless_it_asks_for_what_is_not_known)
{
	ASSERT_INT(status_of_newer(0), 200);
	ASSERT_INT(status_of_newer(1), 500);
	ASSERT_HAS(test_log(), "newer");
}

/* -- together with other fields and the jar ---------------------------------------------------------------------- */

static int set_several(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const char *cookies = rung_request_header(env, "Cookie");

	(void)self;
	if (strcmp(env->path_info, "/out") == 0)
		rung_set_cookie(res, "b", "", .max_age = -1);
	else if (strcmp(env->path_info, "/in") == 0) {
		ASSERT_INT(rung_set_cookie(res, "a", "1"), 0);
		ASSERT_INT(rung_set_cookie(res, "b", "2", .max_age = 60), 0);
	}
	return rung_reply_text(res, 200, cookies ? cookies : "(none)");
}

Test(cookie, several_stay_in_order_and_come_back)
{
	struct rung_client *client = test_client(rung_run(set_several));
	const struct rung_reply *reply = rung_client_get(client, "/in");

	ASSERT_STR(rung_reply_field(reply, 0)->value, "a=1; Path=/; HttpOnly; SameSite=Lax");
	ASSERT_STR(rung_reply_field(reply, 1)->value, "b=2; Path=/; Max-Age=60; HttpOnly; SameSite=Lax");
	ASSERT_STR(rung_client_cookie(client, "a"), "1");
	ASSERT_STR(rung_client_cookie(client, "b"), "2");
	rung_client_get(client, "/out");
	cr_assert_null(rung_client_cookie(client, "b"), "a cookie with a past date is gone");
	ASSERT_STR(rung_client_get(client, "/")->body, "a=1");
	rung_client_destroy(client);
}

static int set_after_error(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)env;
	rung_header(res, "bad name", "x");
	ASSERT_INT(rung_set_cookie(res, "a", "1"), -EINVAL);
	ASSERT_INT(rung_set_cookie(res, "a", "b c"), -EINVAL);
	cr_assert_null(rung_header_get(res, "Set-Cookie"));
	return 0;
}

Test(cookie, an_earlier_error_is_given_back)
{
	struct rung_client *client = test_client(rung_run(set_after_error));

	ASSERT_INT(rung_client_get(client, "/")->status, 500);
	ASSERT_HAS(test_log(), "bad name");
	rung_client_destroy(client);
}
