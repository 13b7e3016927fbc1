/* test_trace.c: the time of each link and each hop, as Server-Timing and as a line in the log. */
#include "support.h"

#include <rung/error_pages.h>
#include <rung/reproxy.h>
#include <rung/trace.h>

#include <errno.h>
#include <time.h>

SUITE(trace);

static void rest(long milliseconds)
{
	nanosleep(&(const struct timespec){ 0, milliseconds * 1000000 }, NULL);
}

static int slow_layer(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rest(20);
	rung_next(self, env, res);
	return 0;
}

static int slow_answer(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	rest(40);
	return rung_reply_text(res, 200, "slow");
}

static int elsewhere(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_uri(res, 200, "http://slow.internal/%s", "a b");
}

static int fails(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)res;
	return rung_fail(env, -EIO, "it broke");
}

static struct rung_app *stack(enum rung_trace_when when)
{
	return rung_stack(rung_trace(.when = when), rung_use(slow_layer, .name = "slow_layer"),
		rung_reproxy(.names = rung_names({ "slow.internal", rung_run(slow_answer, .name = "slow") })),
		rung_routes(rung_get("/direct", slow_answer), rung_get("/hop", elsewhere),
			rung_get("/fails", .app = rung_run(fails, .name = "failing"))));
}

/* A parameter of a metric, in milliseconds; -1 if there is none. */
static double metric(const char *field, const char *name, const char *parameter)
{
	char begin[64], end[64];

	snprintf(begin, sizeof begin, "%s;", name);
	snprintf(end, sizeof end, ";%s=", parameter);
	const char *at = strncmp(field, begin, strlen(begin)) == 0 ? field : NULL;
	for (const char *next = field; !at && (next = strstr(next, ", "));) {
		next += 2;
		at = strncmp(next, begin, strlen(begin)) == 0 ? next : NULL;
	}
	const char *stop = at ? at + strcspn(at, ",") : NULL;
	const char *value = at ? strstr(at, end) : NULL;
	return value && value < stop ? strtod(value + strlen(end), NULL) : -1;
}

Test(trace, times_are_inclusive_and_exclusive)
{
	struct rung_client *client = test_client(stack(RUNG_TRACE_ON));
	const char *field = rung_reply_header(rung_client_get(client, "/direct"), "Server-Timing");

	cr_assert_not_null(field);
	double total = metric(field, "total", "dur"), layer = metric(field, "slow_layer", "dur");
	double layer_self = metric(field, "slow_layer", "self"), routes = metric(field, "routes", "dur");
	double routes_self = metric(field, "routes", "self");
	/* Sleeps may take longer and never shorter; what is inside is part of what is around it. */
	cr_assert(layer >= 60 && total >= layer, "%s", field);
	cr_assert(layer_self >= 20 && routes >= 40, "%s", field);
	cr_assert(layer - layer_self >= 39.9, "%s", field);
	cr_assert(routes_self >= 0 && routes_self < routes, "%s", field);
	double route = metric(field, "GET__direct", "dur");
	cr_assert(route >= 40 && route <= routes, "%s", field);
	ASSERT_HAS(field, "GET__direct;desc=\"GET /direct\";dur=");
	rung_client_destroy(client);
}

Test(trace, a_hop_is_told_from_what_came_before_it)
{
	struct rung_client *client = test_client(stack(RUNG_TRACE_ON));
	const struct rung_reply *reply = rung_client_get(client, "/hop");
	const char *field = rung_reply_header(reply, "Server-Timing");

	ASSERT_STR(reply->body, "slow");
	cr_assert(metric(field, "slow", "dur") >= 40 && metric(field, "slow", "hop") == 1.0, "%s", field);
	cr_assert(metric(field, "routes", "hop") < 0 && metric(field, "routes", "dur") < 40, "%s", field);
	/* What only the log may see. */
	cr_assert_null(strstr(field, "slow.internal"));
	ASSERT_HAS(test_log(), "rung: trace: GET /hop 200 in ");
	ASSERT_HAS(test_log(), "[1 http://slow.internal/a%20b] slow ");
	rung_client_destroy(client);
}

Test(trace, a_failure_is_in_the_line)
{
	struct rung_client *client = test_client(stack(RUNG_TRACE_ON));

	ASSERT_INT(rung_client_get(client, "/fails")->status, 500);
	ASSERT_HAS(test_log(), "rung: trace: GET /fails 500 in ");
	ASSERT_HAS(test_log(), "failed (Input/output error)");
	rung_client_destroy(client);
}

Test(trace, each_part_may_be_left_out)
{
	struct rung_client *client = test_client(
		rung_stack(rung_trace(.when = RUNG_TRACE_ON, .no_field = true), rung_run(slow_answer)));

	cr_assert_null(rung_reply_header(rung_client_get(client, "/"), "Server-Timing"));
	ASSERT_HAS(test_log(), "rung: trace: GET / 200");
	rung_client_destroy(client);
	test_log_clear();
	client = test_client(
		rung_stack(rung_trace(.when = RUNG_TRACE_ON, .no_log = true), rung_run(slow_answer)));
	cr_assert_not_null(rung_reply_header(rung_client_get(client, "/"), "Server-Timing"));
	ASSERT_STR(test_log(), "");
	rung_client_destroy(client);
}

/* -- on and off -------------------------------------------------------------------------------------------------- */

static bool is_on(enum rung_trace_when when, bool development)
{
	const struct rung_setup setup = {
		.size = sizeof setup, .development = development, .probes = test_no_probes
	};
	struct rung_client *client = test_client_with(stack(when), &setup);
	bool has_field = rung_reply_header(rung_client_get(client, "/hop"), "Server-Timing") != NULL;

	cr_assert((strstr(test_log(), "rung: trace: ") != NULL) == has_field);
	test_log_clear();
	rung_client_destroy(client);
	return has_field;
}

Test(trace, it_is_on_in_development_unless_it_is_told)
{
	unsetenv("RUNG_ENV");
	cr_assert(!is_on(RUNG_TRACE_AUTO, false) && is_on(RUNG_TRACE_AUTO, true));
	cr_assert(is_on(RUNG_TRACE_ON, false) && !is_on(RUNG_TRACE_OFF, true));
	setenv("RUNG_ENV", "development", 1);
	cr_assert(is_on(RUNG_TRACE_AUTO, false));
	unsetenv("RUNG_ENV");
}

/* Off, it brings no probe: a link calls its app straight, as if the layer were not there. */
Test(trace, off_it_leaves_links_as_they_are)
{
	const struct rung_setup setup = { .size = sizeof setup, .probes = test_no_probes };
	struct rung_app *inside = rung_run(slow_answer), *app = NULL;
	rung_call_fn bare = inside->call_;

	app = rung_stack(rung_trace(.when = RUNG_TRACE_OFF), inside);
	ASSERT_INT(rung_start(app, &setup), 0);
	cr_assert(inside->call_ == bare);
	rung_stop(app);
	rung_app_destroy(app);
	inside = rung_run(slow_answer);
	app = rung_stack(rung_trace(.when = RUNG_TRACE_ON), inside);
	ASSERT_INT(rung_start(app, &setup), 0);
	cr_assert(inside->call_ != bare);
	rung_stop(app);
	cr_assert(inside->call_ == bare);
	rung_app_destroy(app);
}

Test(trace, what_is_outside_it_is_not_timed)
{
	struct rung_client *client =
		test_client(rung_routes(rung_mount("/a", rung_stack(rung_trace(.when = RUNG_TRACE_ON),
								 rung_run(slow_answer, .name = "in"))),
			rung_mount("/b", rung_run(slow_answer, .name = "out"))));
	const char *field = rung_reply_header(rung_client_get(client, "/a"), "Server-Timing");

	cr_assert(metric(field, "in", "dur") >= 40 && metric(field, "routes", "dur") < 0, "%s", field);
	cr_assert_null(rung_reply_header(rung_client_get(client, "/b"), "Server-Timing"));
	rung_client_destroy(client);
}

/* -- limits ------------------------------------------------------------------------------------------------------- */

static int count_down(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	long n = strtol(rung_param(env, "n"), NULL, 10);

	(void)self;
	return n ? rung_reply_uri(res, 200, "%ld", n - 1) : rung_reply_text(res, 200, "done");
}

static int pass_on(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	return 0;
}

static struct rung_app *deep(unsigned layers, struct rung_app *app)
{
	while (layers--)
		app = rung_stack(rung_use(pass_on, .name = "layer"), app);
	return app;
}

/* A record has an end, and so has the field: a head has to fit. */
Test(trace, a_long_way_is_cut)
{
	struct rung_client *client = test_client(rung_stack(
		rung_trace(.when = RUNG_TRACE_ON), deep(100, rung_routes(rung_get("/:n", count_down)))));
	const struct rung_reply *reply = rung_client_get(client, "/0");
	const char *field = rung_reply_header(reply, "Server-Timing");
	size_t metrics = 1;

	ASSERT_STR(reply->body, "done");
	for (const char *at = field; (at = strchr(at, ',')); at++)
		metrics++;
	ASSERT_INT(metrics, 33);
	ASSERT_HAS(test_log(), ", and 6 links more");
	rung_client_destroy(client);
}

Test(trace, many_hops_are_each_timed)
{
	struct rung_client *client = test_client(rung_stack(rung_trace(.when = RUNG_TRACE_ON),
		rung_reproxy(.max_hops = 5), rung_routes(rung_get("/:n", count_down))));

	ASSERT_STR(rung_client_get(client, "/3")->body, "done");
	ASSERT_HAS(test_log(), "[3 0]");
	ASSERT_STR(rung_client_get(client, "/0")->body, "done");
	rung_client_destroy(client);
}

Test(trace, an_unknown_when_is_refused)
{
	cr_assert_null(rung_trace(.when = (enum rung_trace_when)7));
	ASSERT_HAS(rung_error(), "trace: .when is 7; use RUNG_TRACE_AUTO");
}
