/* test_conditional.c: preconditions, case by case, after RFC 9110 section 13. */
#include "support.h"

SUITE(conditional);

/* The thing asked for changed last on Sun, 06 Nov 1994 08:49:37 GMT. */
enum { MODIFIED = 784111777 };
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define THEN   "Sun, 06 Nov 1994 08:49:37 GMT"
#define AFTER  "Sun, 06 Nov 1994 08:49:38 GMT"

struct thing {
	const char *etag;
	time_t modified;
};

static int judge(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	static const int statuses[] = {
		[RUNG_GO_ON] = 200, [RUNG_NOT_MODIFIED] = 304, [RUNG_PRECONDITION_FAILED] = 412
	};
	const struct thing *thing = rung_data(self);

	return rung_reply_empty(res, statuses[rung_preconditions(env, thing->etag, thing->modified)]);
}

struct condition {
	const char *method;
	struct rung_field fields[4];
	int status;
};

static void check(const struct thing *thing, const struct condition *cases, size_t count)
{
	struct rung_client *client = test_client(rung_run(judge, .data = thing));

	for (size_t i = 0; i < count; i++) {
		int status =
			rung_client_send(client, cases[i].method, "/", .headers = cases[i].fields)->status;

		cr_expect(status == cases[i].status, "case %zu: %s %s: %s: %d, not %d", i, cases[i].method,
			cases[i].fields[0].name, cases[i].fields[0].value, status, cases[i].status);
	}
	rung_client_destroy(client);
}

#define CHECK(thing, ...)                                                 \
	do {                                                              \
		static const struct condition cases_[] = { __VA_ARGS__ }; \
		check(thing, cases_, sizeof cases_ / sizeof *cases_);     \
	} while (0)

static const struct thing strong = { "\"1\"", MODIFIED }, weak = { "W/\"1\"", MODIFIED },
			  dated = { NULL, MODIFIED }, tagged = { "\"1\"", -1 }, bare = { NULL, -1 };

Test(conditional, without_preconditions_it_goes_on)
{
	CHECK(&strong, { "GET", { { 0 } }, 200 }, { "PUT", { { 0 } }, 200 });
}

Test(conditional, if_none_match_compares_weakly)
{
	CHECK(&strong, { "GET", { { "If-None-Match", "\"1\"" } }, 304 },
		{ "HEAD", { { "If-None-Match", "\"1\"" } }, 304 },
		{ "GET", { { "If-None-Match", "W/\"1\"" } }, 304 },
		{ "GET", { { "If-None-Match", "\"2\"" } }, 200 },
		{ "GET", { { "If-None-Match", "*" } }, 304 }, { "PUT", { { "If-None-Match", "*" } }, 412 },
		{ "PUT", { { "If-None-Match", "\"1\"" } }, 412 },
		{ "PUT", { { "If-None-Match", "\"2\"" } }, 200 },
		{ "GET", { { "if-none-match", "\"0\", \"1\"" } }, 304 },
		{ "GET", { { "If-None-Match", "\"0\",W/\"1\" , \"2\"" } }, 304 },
		{ "GET", { { "If-None-Match", " , \"1\"" } }, 304 },
		{ "GET", { { "If-None-Match", "\"0\"" }, { "If-None-Match", "\"1\"" } }, 304 },
		{ "GET", { { "If-None-Match", "" } }, 200 });
	CHECK(&weak, { "GET", { { "If-None-Match", "\"1\"" } }, 304 },
		{ "GET", { { "If-None-Match", "W/\"1\"" } }, 304 },
		{ "GET", { { "If-None-Match", "W/\"2\"" } }, 200 });
	CHECK(&dated, { "GET", { { "If-None-Match", "\"1\"" } }, 200 },
		{ "GET", { { "If-None-Match", "*" } }, 304 });
}

Test(conditional, if_match_compares_strongly)
{
	CHECK(&strong, { "GET", { { "If-Match", "\"1\"" } }, 200 },
		{ "PUT", { { "If-Match", "\"1\"" } }, 200 }, { "GET", { { "If-Match", "W/\"1\"" } }, 412 },
		{ "GET", { { "If-Match", "\"2\"" } }, 412 },
		{ "PUT", { { "If-Match", "\"2\", \"1\"" } }, 200 }, { "PUT", { { "If-Match", "*" } }, 200 },
		{ "PUT", { { "If-Match", "\"2\"" }, { "If-Match", "\"1\"" } }, 200 },
		{ "PUT", { { "If-Match", "" } }, 412 });
	CHECK(&weak, { "GET", { { "If-Match", "W/\"1\"" } }, 412 }, { "GET", { { "If-Match", "*" } }, 200 });
	CHECK(&bare, { "PUT", { { "If-Match", "\"1\"" } }, 412 }, { "PUT", { { "If-Match", "*" } }, 200 });
}

Test(conditional, what_is_no_tag_matches_nothing)
{
	CHECK(&strong, { "GET", { { "If-None-Match", "1" } }, 200 },
		{ "GET", { { "If-None-Match", "\"1" } }, 200 },
		{ "GET", { { "If-None-Match", "w/\"1\"" } }, 200 },
		{ "GET", { { "If-None-Match", "W/ \"1\"" } }, 200 },
		{ "GET", { { "If-None-Match", "\"1 \"" } }, 200 },
		{ "GET", { { "If-None-Match", "x, \"1\"" } }, 200 },
		{ "GET", { { "If-None-Match", "*, \"1\"" } }, 200 },
		{ "GET", { { "If-None-Match", "\"1\"x" } }, 304 }, { "PUT", { { "If-Match", "1" } }, 412 });
	/* A backslash escapes nothing in a tag. */
	static const struct thing slashed = { "\"a\\\"", MODIFIED };
	CHECK(&slashed, { "GET", { { "If-None-Match", "\"a\\\", \"b\"" } }, 304 });
}

Test(conditional, dates_count_where_there_is_no_tag)
{
	CHECK(&strong, { "GET", { { "If-Modified-Since", THEN } }, 304 },
		{ "GET", { { "If-Modified-Since", AFTER } }, 304 },
		{ "GET", { { "If-Modified-Since", BEFORE } }, 200 },
		{ "HEAD", { { "If-Modified-Since", THEN } }, 304 },
		{ "PUT", { { "If-Modified-Since", THEN } }, 200 },
		{ "GET", { { "If-Modified-Since", "now" } }, 200 },
		{ "GET", { { "If-Modified-Since", "Sunday, 06-Nov-94 08:49:37 GMT" } }, 304 },
		{ "GET", { { "If-Unmodified-Since", THEN } }, 200 },
		{ "GET", { { "If-Unmodified-Since", AFTER } }, 200 },
		{ "GET", { { "If-Unmodified-Since", BEFORE } }, 412 },
		{ "PUT", { { "If-Unmodified-Since", BEFORE } }, 412 },
		{ "PUT", { { "If-Unmodified-Since", "now" } }, 200 });
	CHECK(&tagged, { "GET", { { "If-Modified-Since", AFTER } }, 200 },
		{ "GET", { { "If-Unmodified-Since", BEFORE } }, 200 });
}

Test(conditional, tags_go_before_dates)
{
	CHECK(&strong, { "GET", { { "If-None-Match", "\"2\"" }, { "If-Modified-Since", AFTER } }, 200 },
		{ "GET", { { "If-None-Match", "\"1\"" }, { "If-Modified-Since", BEFORE } }, 304 },
		{ "GET", { { "If-Match", "\"1\"" }, { "If-Unmodified-Since", BEFORE } }, 200 },
		{ "GET", { { "If-Match", "\"2\"" }, { "If-Unmodified-Since", AFTER } }, 412 },
		{ "GET", { { "If-Match", "\"1\"" }, { "If-None-Match", "\"1\"" } }, 304 },
		{ "GET", { { "If-Match", "\"2\"" }, { "If-None-Match", "\"1\"" } }, 412 },
		{ "GET", { { "If-Unmodified-Since", AFTER }, { "If-Modified-Since", AFTER } }, 304 },
		{ "PUT", { { "If-Match", "\"1\"" }, { "If-None-Match", "\"1\"" } }, 412 });
}
