/* test_cookies.c: the Cookie field as it comes: RFC 6265, and what jars of browsers really hold. */
#include "params.h"

#include <errno.h>

SUITE(cookies);

static const struct asked all = { .parse = rung_cookies_within };

static const struct rung_reply *ask(const struct asked *asked, const char *value)
{
	const struct rung_field fields[] = { { .name = "cookie", .value = value }, { 0 } };

	return params_ask(asked, PARAMS_REQUEST("GET", "/", .headers = fields));
}

Test(cookies, each_is_told_as_it_stands)
{
	static const struct {
		const char *value, *result;
	} cases[] = {
		{ "SID=31d4d96e407aad42", "SID=31d4d96e407aad42;" },
		{ "SID=31d4d96e407aad42; lang=en-US", "SID=31d4d96e407aad42;lang=en-US;" },
		{ "", "" },
		{ "a=1;b=2", "a=1;b=2;" },
		{ "a=1 ;\tb=2 ; c = 3 ", "a=1;b=2;c=3;" },
		{ "a=1; a=2", "a=1;a=2;" },
		{ "a=1; A=2", "a=1;A=2;" },
		{ "a=", "a=;" },
		{ "a=b=c==", "a=b=c==;" },
		/* no decoding: what was set comes back */
		{ "a=%41+b", "a=%41+b;" },
		{ "a=\"x y\"", "a=\"x y\";" },
		{ "a=\"x;y\"", "a=\"x;" },
		{ "a=x,y", "a=x,y;" },
		{ "a=\xc3\xbc", "a=\\xc3\\xbc;" },
		{ "a[b]=1", "a[b]=1;" },
		/* what is none is skipped, and the others stay */
		{ "a", "" },
		{ "=1", "" },
		{ " = ; =", "" },
		{ ";;; ;", "" },
		{ "junk; =x; a=1; ;junk", "a=1;" },
		{ "$Version=1; a=1; $Path=/", "$Version=1;a=1;$Path=/;" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct rung_reply *reply = ask(&all, cases[i].value);

		cr_expect(reply->status == 200, "<%s>: %d", cases[i].value, reply->status);
		cr_expect_str_eq(reply->body, cases[i].result, "<%s> is <%s>", cases[i].value, reply->body);
	}
}

Test(cookies, none_or_several_fields)
{
	static const struct rung_field fields[] = { { .name = "Cookie", .value = "a=1" },
		{ .name = "X-Cookie", .value = "x=1" }, { .name = "COOKIE", .value = "b=2; c=3" }, { 0 } };

	ASSERT_STR(params_ask(&all, PARAMS_REQUEST("GET", "/"))->body, "");
	ASSERT_STR(params_ask(&all, PARAMS_REQUEST("GET", "/", .headers = fields))->body, "a=1;b=2;c=3;");
}

static int status_of(const struct asked *asked, const char *piece, size_t count)
{
	size_t size = strlen(piece);
	char *text = malloc(size * count + 1);

	cr_assert_not_null(text);
	for (size_t i = 0; i < count; i++)
		memcpy(text + i * size, piece, size);
	text[size * count] = '\0';
	int status = ask(asked, text)->status;
	free(text);
	return status;
}

Test(cookies, at_a_limit_is_good_and_one_past_it_is_413)
{
	static const struct asked two = { .parse = rung_cookies_within, .limits = { .cookies = 2 } };
	static const struct asked small = { .parse = rung_cookies_within, .limits = { .cookie_bytes = 9 } };
	static const struct rung_field fields[] = { { .name = "Cookie", .value = "a=123" },
		{ .name = "Cookie", .value = "a=123" }, { 0 } };

	ASSERT_INT(status_of(&all, "a=1;", 256), 200);
	ASSERT_INT(status_of(&all, "a=1;", 257), 413);
	ASSERT_HAS(test_log(), "rung: 413 in tell: there are more than 256 cookies [GET /]");
	ASSERT_INT(status_of(&all, "a=", 32 * 1024), 200);
	ASSERT_INT(status_of(&all, "x", 64 * 1024 + 1), 413);
	ASSERT_HAS(test_log(), "the cookies have more than 65536 bytes");
	ASSERT_INT(status_of(&two, "a=1;", 2), 200);
	ASSERT_INT(status_of(&two, "a=1;", 3), 413);
	/* What is skipped does not count. */
	ASSERT_INT(status_of(&two, "a;", 1000), 200);
	ASSERT_INT(status_of(&small, "a=1", 3), 200);
	ASSERT_INT(params_ask(&small, PARAMS_REQUEST("GET", "/", .headers = fields))->status, 413);
}

static int look_from_views(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct rung_params *outer, *inner, *again;
	struct rung_env *view = rung_rewrite(env, &(const struct rung_target){ .script_name = "/x" });

	(void)self;
	ASSERT_INT(rung_cookies(env, &outer), 0);
	ASSERT_STR(rung_params_get(outer, "a"), "1");
	ASSERT_INT(rung_cookies(view, &inner), 0);
	cr_assert(inner == outer);
	ASSERT_INT(rung_request_header_set(view, "Cookie", "a=2"), 0);
	ASSERT_INT(rung_cookies(view, &inner), 0);
	ASSERT_STR(rung_params_get(inner, "a"), "2");
	ASSERT_INT(rung_request_header_remove(view, "Cookie"), 0);
	ASSERT_INT(rung_cookies(view, &inner), 0);
	ASSERT_INT(inner->count, 0);
	ASSERT_INT(rung_cookies(env, &again), 0);
	cr_assert(again == outer);
	return rung_reply_empty(res, 204);
}

Test(cookies, each_view_has_those_of_its_own_fields)
{
	static const struct rung_field fields[] = { { .name = "Cookie", .value = "a=1" }, { 0 } };
	struct rung_client *client = test_client(rung_run(look_from_views));

	ASSERT_INT(rung_client_send(client, "GET", "/", .headers = fields)->status, 204);
	rung_client_destroy(client);
}

static int set_and_tell(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct rung_params *params;
	int rc = rung_cookies(env, &params);

	(void)self;
	if (rc < 0)
		return rc;
	const char *value = rung_params_get(params, "name");
	rung_set_cookie(res, "name", "a=b%20c");
	return rung_reply_text(res, 200, value ? value : "(none)");
}

Test(cookies, what_was_set_comes_back)
{
	struct rung_client *client = test_client(rung_run(set_and_tell));

	ASSERT_STR(rung_client_get(client, "/")->body, "(none)");
	ASSERT_STR(rung_client_get(client, "/")->body, "a=b%20c");
	rung_client_destroy(client);
}
