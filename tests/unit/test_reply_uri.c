/* test_reply_uri.c: replies that are a URI to be reproxied, made by a format that encodes its data. */
#include "support.h"

#include <errno.h>
#include <stdlib.h>

SUITE(reply_uri);

/* Shows what URI an app gave, and lets no body reach the client. */
static int show_uri(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	const char *uri = rung_body_get_uri(res);
	return uri ? rung_body_bytes(res, uri, strlen(uri)) : 0;
}

static const char *hostile = "../..//%2e\r\n?a=b&c#d e+\xc3\xa9";

#define CASES(X)                                                                                             \
	X("plain", "/a/b", "/a/b")                                                                           \
	X("segment", "/d/one", "/d/%s", "one")                                                               \
	X("hostile segment", "/d/..%2F..%2F%2F%252e%0D%0A%3Fa=b&c%23d%20e+%C3%A9", "/d/%s", hostile)         \
	X("hostile query", "/d?x=..%2F..%2F%2F%252e%0D%0A%3Fa%3Db%26c%23d%20e%2B%C3%A9", "/d?x=%s", hostile) \
	X("segment and query", "/a%20b?c=a%20b", "/%s?c=%s", "a b", "a b")                                   \
	X("dots in a query are data", "/?x=..&y=.", "/?x=%s&y=%s", "..", ".")                                \
	X("dots in a name", "/...", "/%s", "...")                                                            \
	X("host and path", "http://files.internal/x", "http://files.internal/%s", "x")                       \
	X("host and query", "http://files.internal?x", "http://files.internal?%s", "x")                      \
	X("no scheme", "//files.internal/x", "//files.internal/%s", "x")                                     \
	X("relative", "a/x", "a/%s", "x")                                                                    \
	X("relative query", "?x", "?%s", "x")                                                                \
	X("integers", "/-1/2/3/-4/5/-6/7", "/%d/%u/%zu/%ld/%lu/%lld/%llu", -1, 2U, (size_t)3, -4L, 5UL,      \
		-6LL, 7ULL)                                                                                  \
	X("extremes", "/-2147483648/-9223372036854775808/18446744073709551615", "/%d/%lld/%llu", INT32_MIN,  \
		(long long)INT64_MIN, (unsigned long long)UINT64_MAX)                                        \
	X("port", "http://h:8080/x", "http://h:%d/%s", 8080, "x")                                            \
	X("percent", "/100%25", "/100%%25")                                                                  \
	X("empty segment in the middle", "/d//x", "/d/%s/x", "")                                             \
	X("empty at the end", "/d/", "/d/%s", "")

static int reply_with_uri(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	int which = atoi(env->query), at = 0;

	(void)self;
#define X(what, expected, ...) \
	if (at++ == which)     \
		return rung_reply_uri(res, 203, __VA_ARGS__);
	CASES(X)
#undef X
	return -ENOSYS;
}

Test(reply_uri, a_uri_by_format_has_its_data_encoded_where_it_stands)
{
	static const struct {
		const char *what, *expected;
	} cases[] = {
#define X(what, expected, ...) { what, expected },
		CASES(X)
#undef X
	};
	struct rung_client *client = test_client(rung_stack(rung_use(show_uri), rung_run(reply_with_uri)));

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char target[32];

		snprintf(target, sizeof target, "/?%zu", i);
		const struct rung_reply *reply = rung_client_get(client, target);
		cr_expect(reply->status == 203, "%s: %d %s", cases[i].what, reply->status, test_log());
		cr_expect_str_eq(reply->body, cases[i].expected, "%s: <%s>", cases[i].what, reply->body);
	}
	rung_client_destroy(client);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

struct refusal {
	const char *what, *format, *first, *second;
};

static int reply_with_bad_uri(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct refusal *refusal = rung_data(self);

	(void)env;
	ASSERT_INT(rung_reply_uri(res, 200, refusal->format, refusal->first, refusal->second), -EINVAL);
	ASSERT_INT(res->kind, RUNG_BODY_EMPTY);
	return 0;
}

#pragma GCC diagnostic pop

Test(reply_uri, a_uri_by_format_lets_data_choose_no_host_and_no_other_path)
{
	static char longer[9000];
	static const struct refusal cases[] = {
		{ "NULL", "/d/%s", NULL, NULL },
		{ "NULL in a query", "/d?%s", NULL, NULL },
		{ "dot", "/d/%s", ".", NULL },
		{ "dots", "/d/%s", "..", NULL },
		{ "dots in the middle", "/d/%s/x", "..", NULL },
		{ "data first", "%s", "x", NULL },
		{ "data for the host", "http://%s/", "x", NULL },
		{ "data in the host", "http://a%s/", ".evil", NULL },
		{ "data for the scheme", "%s://h/", "x", NULL },
		{ "data behind //", "//%s/", "x", NULL },
		{ "data in a host without scheme", "//a%s/", "x", NULL },
		{ "data for the port", "http://h:%s/", "80", NULL },
		{ "two that make //", "/%s/%s", "", "evil.com" },
		{ "empty before a literal", "/%s/evil/x", "", NULL },
		{ "other conversion", "/%x", "x", NULL },
		{ "width", "/%5s", "x", NULL },
		{ "precision", "/%.2s", "x", NULL },
		{ "position", "/%1$s", "x", NULL },
		{ "percent at the end", "/%", "x", NULL },
		{ "too long", "/%s", longer, NULL },
	};

	memset(longer, 'x', sizeof longer - 1);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rung_client *client = test_client(rung_run(reply_with_bad_uri, .data = &cases[i]));

		test_log_clear();
		cr_expect(rung_client_get(client, "/")->status == 500, "%s", cases[i].what);
		cr_expect(strstr(test_log(), "rung_reply_uri"), "%s: <%s>", cases[i].what, test_log());
		rung_client_destroy(client);
	}
}

static int reply_raw(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return rung_reply_uri_raw(res, 203, env->query);
}

Test(reply_uri, a_finished_uri_is_taken_as_it_is)
{
	struct rung_client *client = test_client(rung_stack(rung_use(show_uri), rung_run(reply_raw)));
	const struct rung_reply *reply = rung_client_get(client, "/?../%2e/a%s");

	ASSERT_INT(reply->status, 203);
	ASSERT_STR(reply->body, "../%2e/a%s");
	rung_client_destroy(client);
}
