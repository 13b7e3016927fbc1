/* test_range.c: ranges, case by case, after RFC 9110 section 14. */
#include "support.h"

#include <rung/date.h>

SUITE(range);

struct asked {
	int64_t size;
	const char *etag;
	time_t modified;
};

/* Each range as "offset+length". */
static int tell(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct asked *asked = rung_data(self);
	struct rung_range_set set = { .count = 77 };
	struct rung_writer text = rung_writer(env);
	enum rung_range_kind kind = rung_ranges(env, asked->etag, asked->modified, asked->size, &set);

	if (kind != RUNG_RANGE_PART) {
		ASSERT_INT(set.count, 77);
		return rung_reply_text(res, 200, kind == RUNG_RANGE_ALL ? "all" : "none");
	}
	for (size_t i = 0; i < set.count; i++)
		rung_writef(&text, "%s%lld+%lld", i ? " " : "", (long long)set.ranges[i].offset,
			(long long)set.ranges[i].length);
	return rung_reply_written(res, 200, "text/plain", &text);
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
		{ "bytes=1-2;4-5", "all" }, { "bytes=,", "all" }, { "bytes=1-2,x", "all" },
		{ "bytes=1-2,5-3", "all" }, { "bytes=1-2 4-5", "all" }, { "bytes=1-2,bytes=4-5", "all" },
		{ "bytes=20-30,-", "all" } };

	check(&ten, cases, sizeof cases / sizeof *cases);
}

Test(range, several_ranges_are_parts_in_the_order_asked_for)
{
	static const struct asked ten = { .size = 10, .modified = -1 };
	static const struct range_case cases[] = {
		{ "bytes=1-2,4-5", "1+2 4+2" },
		{ "bytes=6-7 , 0-1,\t-1", "6+2 0+2 9+1" },
		/* Empty members are none (section 5.6.1.2). */
		{ "bytes=1-2,", "1+2" },
		{ "bytes=,1-2", "1+2" },
		{ "bytes=1-1, , 3-3,,", "1+1 3+1" },
		/* What lies outside is left out. */
		{ "bytes=20-30,1-2", "1+2" },
		{ "bytes=1-2,10-,-0", "1+2" },
		{ "bytes=20-30,40-", "none" },
		/* What overlaps or touches becomes one, where the first of it stood. */
		{ "bytes=0-4,3-7", "0+8" },
		{ "bytes=0-4,5-7", "0+8" },
		{ "bytes=3-7,0-4", "0+8" },
		{ "bytes=0-0,9-9,2-3,1-1", "0+4 9+1" },
		{ "bytes=8-8,0-1,4-5,2-3", "8+1 0+6" },
		{ "bytes=0-,0-,0-,0-", "0+10" },
		{ "bytes=-1,-2,-3,0-0", "7+3 0+1" },
		{ "bytes=0-0,2-2,4-4,6-6,8-8,-9", "0+10" },
	};

	check(&ten, cases, sizeof cases / sizeof *cases);
}

Test(range, too_many_ranges_are_the_whole)
{
	static const struct asked many = { .size = 1000, .modified = -1 };
	char most[512] = "bytes=0-0", more[sizeof most + 8];
	char parts[512] = "0+1";

	for (int i = 1; i < RUNG_MAX_RANGES; i++) {
		snprintf(most + strlen(most), sizeof most - strlen(most), ",%d-%d", 2 * i, 2 * i);
		snprintf(parts + strlen(parts), sizeof parts - strlen(parts), " %d+1", 2 * i);
	}
	snprintf(more, sizeof more, "%s,900-", most);
	const struct range_case cases[] = { { most, parts }, { more, "all" } };

	check(&many, cases, 2);
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
		{ "bytes=-1", "9223372036854775806+1" },
		{ "bytes=0-,-1,9223372036854775806-", "0+9223372036854775807" } };

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

/* Within one second a thing may change twice, and keep its date (RFC 9110 sections 8.8.2.2 and 13.1.5). */
Test(range, a_date_that_is_not_over_names_no_state)
{
	char date[RUNG_HTTP_DATE_SIZE];
	/* The clock may go on while this runs, so not now, but soon. */
	const struct asked fresh = { 10, NULL, time(NULL) + 100 }, settled = { 10, NULL, time(NULL) - 100 };

	for (int i = 0; i < 2; i++) {
		const struct asked *asked = i ? &settled : &fresh;
		struct rung_client *client = test_client(rung_run(tell, .data = asked));

		rung_http_date(asked->modified, date);
		const struct rung_field fields[] = { { .name = "Range", .value = "bytes=2-" },
			{ .name = "If-Range", .value = date }, { 0 } };
		ASSERT_STR(rung_client_send(client, "GET", "/", .headers = fields)->body, i ? "2+8" : "all");
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
