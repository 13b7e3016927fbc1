/* test_range.c: ranges, case by case, after RFC 9110 section 14. */
#include "support.h"

SUITE(range);

struct asked {
	int64_t size;
	const char *etag;
	time_t modified;
};

static int tell(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct asked *asked = rung_data(self);
	struct rung_range range = { -1, -1 };

	switch (rung_range(env, asked->etag, asked->modified, asked->size, &range)) {
	case RUNG_RANGE_PART:
		return rung_reply_textf(
			res, 200, "%lld+%lld", (long long)range.offset, (long long)range.length);
	case RUNG_RANGE_UNSATISFIABLE:
		cr_assert(range.offset == -1 && range.length == -1, "untouched");
		return rung_reply_text(res, 200, "none");
	default:
		cr_assert(range.offset == -1 && range.length == -1, "untouched");
		return rung_reply_text(res, 200, "all");
	}
}

struct range_case {
	const char *range, *result;
};

static void check(const struct asked *asked, const struct range_case *cases, size_t count)
{
	struct rung_client *client = test_client(rung_run(tell, .data = asked));

	for (size_t i = 0; i < count; i++) {
		const struct rung_field fields[] = { { .name = "range", .value = cases[i].range }, { 0 } };
		const char *got = rung_client_send(client, "GET", "/", .headers = fields)->body;

		cr_expect_str_eq(got, cases[i].result, "<%s> of %lld is %s, not %s", cases[i].range,
			(long long)asked->size, got, cases[i].result);
	}
	rung_client_destroy(client);
}

Test(range, one_range_is_a_part)
{
	static const struct asked ten = { .size = 10, .modified = -1 };
	static const struct range_case cases[] = {
		{ "bytes=0-9", "0+10" },
		{ "bytes=0-0", "0+1" },
		{ "bytes=9-9", "9+1" },
		{ "bytes=3-5", "3+3" },
		{ "bytes=3-", "3+7" },
		{ "bytes=3-100", "3+7" },
		{ "bytes=-3", "7+3" },
		{ "bytes=-10", "0+10" },
		{ "bytes=-11", "0+10" },
		{ "BYTES=1-2", "1+2" },
		{ "bytes= 1-2", "1+2" },
		{ "bytes=1-2 ", "1+2" },
		{ "bytes=01-002", "1+2" },
		{ "bytes=0-99999999999999999999999999", "0+10" },
		{ "bytes=-99999999999999999999999999", "0+10" },
		{ "bytes=5-9223372036854775807", "5+5" },
		{ "bytes=10-", "none" },
		{ "bytes=10-20", "none" },
		{ "bytes=99999999999999999999999999-", "none" },
		{ "bytes=-0", "none" },
	};

	check(&ten, cases, sizeof cases / sizeof *cases);
}

Test(range, what_is_no_range_is_the_whole)
{
	static const struct asked ten = { .size = 10, .modified = -1 };
	static const struct range_case cases[] = { { "", "all" }, { "bytes", "all" }, { "bytes=", "all" },
		{ "bytes=-", "all" }, { "bytes=a-b", "all" }, { "bytes=1", "all" }, { "bytes=1-b", "all" },
		{ "bytes=5-3", "all" }, { "bytes=--3", "all" }, { "bytes=-3-", "all" },
		{ "bytes=+1-2", "all" }, { "bytes=1-2x", "all" }, { "bytes =1-2", "all" },
		{ "bytes:1-2", "all" }, { "items=1-2", "all" }, { "bytes=0x1-2", "all" },
		{ "bytes=1-2,", "all" }, { "bytes=1-2,4-5", "all" }, { "bytes=,1-2", "all" } };

	check(&ten, cases, sizeof cases / sizeof *cases);
}

Test(range, of_nothing_there_is_no_part)
{
	static const struct asked nothing = { .size = 0, .modified = -1 };
	static const struct range_case cases[] = { { "bytes=0-", "none" }, { "bytes=0-0", "none" },
		{ "bytes=-5", "all" }, { "bytes=-0", "none" } };

	check(&nothing, cases, sizeof cases / sizeof *cases);
}

Test(range, the_largest_of_things_has_parts)
{
	static const struct asked most = { .size = INT64_MAX, .modified = -1 };
	static const struct range_case cases[] = { { "bytes=9223372036854775800-", "9223372036854775800+7" },
		{ "bytes=0-9223372036854775806", "0+9223372036854775807" },
		{ "bytes=-1", "9223372036854775806+1" } };

	check(&most, cases, sizeof cases / sizeof *cases);
}

#define THEN "Sun, 06 Nov 1994 08:49:37 GMT"

Test(range, if_range_must_name_this_very_state)
{
	static const struct asked strong = { 10, "\"1\"", 784111777 }, weak = { 10, "W/\"1\"", 784111777 },
				  bare = { 10, NULL, -1 };
	static const struct {
		const struct asked *asked;
		const char *if_range, *result;
	} cases[] = { { &strong, "\"1\"", "2+8" }, { &strong, "\"2\"", "all" }, { &strong, "W/\"1\"", "all" },
		{ &strong, THEN, "2+8" }, { &strong, "Sunday, 06-Nov-94 08:49:37 GMT", "2+8" },
		{ &strong, "Sun, 06 Nov 1994 08:49:38 GMT", "all" },
		{ &strong, "Sun, 06 Nov 1994 08:49:36 GMT", "all" }, { &strong, "", "all" },
		{ &strong, "1", "all" }, { &strong, "\"1\", \"2\"", "all" }, { &weak, "W/\"1\"", "all" },
		{ &weak, "\"1\"", "all" }, { &bare, "\"1\"", "all" }, { &bare, THEN, "all" } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct rung_field fields[] = { { .name = "Range", .value = "bytes=2-" },
			{ .name = "If-Range", .value = cases[i].if_range }, { 0 } };
		struct rung_client *client = test_client(rung_run(tell, .data = cases[i].asked));
		const char *got = rung_client_send(client, "GET", "/", .headers = fields)->body;

		cr_expect_str_eq(got, cases[i].result, "<%s>: %s", cases[i].if_range, got);
		rung_client_destroy(client);
	}
}

Test(range, it_counts_once_and_for_get_alone)
{
	static const struct asked ten = { .size = 10, .modified = -1 };
	static const struct rung_field two[] = { { .name = "Range", .value = "bytes=1-2" },
		{ .name = "range", .value = "bytes=1-2" }, { 0 } };
	struct rung_client *client = test_client(rung_run(tell, .data = &ten));

	ASSERT_STR(rung_client_send(client, "POST", "/", .headers = two + 1)->body, "all");
	ASSERT_STR(rung_client_send(client, "GET", "/", .headers = two + 1)->body, "1+2");
	ASSERT_STR(rung_client_send(client, "GET", "/", .headers = two)->body, "all");
	rung_client_destroy(client);
}
