/* test_app.c: apps and their life: references, start and stop, options, refusals, plain functions, probes. */
#include "support.h"

#include <errno.h>

SUITE(app);

/* -- an app that tells what happens to it ------------------------------------------------------------------------ */

static char events[512];

static void note(const char *what, const char *name)
{
	size_t size = strlen(events);

	snprintf(events + size, sizeof events - size, "%s%s ", what, name);
}

struct teller {
	struct rung_app app;
	const char *name;
	struct rung_app *held;
	int start_result;
};

static int teller_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct teller *teller = (const struct teller *)self;

	note("", teller->name);
	if (teller->held)
		rung_call(teller->held, env, res);
	else if (self->next)
		rung_next(self, env, res);
	else
		rung_reply_text(res, 200, teller->name);
	return 0;
}

static int teller_start(struct rung_app *app, const struct rung_setup *setup)
{
	struct teller *teller = (struct teller *)app;

	cr_assert_eq(setup->size, sizeof *setup);
	if (teller->start_result < 0)
		return teller->start_result;
	note("+", teller->name);
	return 0;
}

static void teller_stop(struct rung_app *app)
{
	note("-", ((struct teller *)app)->name);
}

static void teller_destroy(struct rung_app *app)
{
	struct teller *teller = (struct teller *)app;

	note("~", teller->name ? teller->name : "?");
	rung_drop(teller->held);
}

static int teller_children(struct rung_app *app, rung_visit_fn visit, void *data)
{
	struct teller *teller = (struct teller *)app;

	return teller->held ? visit(teller->held, "held", data) : 0;
}

static const struct rung_app_class layer_class = { .size = sizeof(struct teller),
	.name = "teller",
	.flags = RUNG_LAYER,
	.call = teller_call,
	.start = teller_start,
	.stop = teller_stop,
	.destroy = teller_destroy,
	.children = teller_children };
static const struct rung_app_class end_class = { .size = sizeof(struct teller),
	.name = "teller",
	.call = teller_call,
	.start = teller_start,
	.stop = teller_stop,
	.destroy = teller_destroy,
	.children = teller_children };

static struct rung_app *make(const struct rung_app_class *class_, const char *name)
{
	struct teller *teller = rung_app_new(class_);

	cr_assert(teller != NULL);
	teller->name = name;
	return &teller->app;
}

static struct rung_app *layer(const char *name)
{
	return make(&layer_class, name);
}

static struct rung_app *endpoint(const char *name)
{
	return make(&end_class, name);
}

static struct rung_app *holding(const char *name, struct rung_app *held)
{
	struct teller *teller = (struct teller *)endpoint(name);

	if (rung_take(held, "teller") == 0)
		teller->held = held;
	return &teller->app;
}

/* -- references -------------------------------------------------------------------------------------------------- */

Test(app, the_last_reference_destroys_the_app_with_what_is_inside)
{
	struct rung_app *app =
		rung_stack(layer("a"), layer("b"), holding("c", rung_stack(layer("d"), endpoint("e"))));

	rung_ref(app);
	rung_app_destroy(app);
	ASSERT_STR(events, "");
	rung_app_destroy(app);
	ASSERT_STR(events, "~a ~b ~c ~d ~e ");
	rung_app_destroy(NULL);
	cr_assert_null(rung_ref(NULL));
	rung_drop(NULL);
}

Test(app, a_new_one_is_zeroed_and_has_its_classs_name)
{
	struct teller *teller = rung_app_new(&end_class);

	cr_assert(!teller->name && !teller->held && !teller->app.next && teller->app.class_ == &end_class);
	ASSERT_STR(rung_app_name(&teller->app), "teller");
	rung_app_destroy(&teller->app);
	struct rung_app *named = rung_run(teller_call, .name = "mine");
	ASSERT_STR(rung_app_name(named), "mine");
	rung_app_destroy(named);
}

Test(app, what_is_taken_is_held_until_it_is_dropped)
{
	struct rung_app *app = endpoint("a");

	ASSERT_INT(rung_take(app, "who"), 0);
	ASSERT_INT(rung_take(app, "who"), -EINVAL);
	ASSERT_HAS(rung_error(), "who: teller is in a place already");
	ASSERT_INT(rung_take(rung_ref(app), "who"), 0);
	rung_drop(app);
	ASSERT_STR(events, "");
	rung_drop(app);
	ASSERT_STR(events, "~a ");
	ASSERT_INT(rung_take(NULL, "who"), -EINVAL);
	ASSERT_STR(rung_error(),
		"who: it was given NULL as an app; make sure that app's constructor did not fail");
	/* What is refused is gone. */
	ASSERT_INT(rung_take(layer("b"), "who"), -EINVAL);
	ASSERT_STR(rung_error(),
		"who: the stack of teller ends in a layer, so nothing answers; put an endpoint last");
	ASSERT_STR(events, "~a ~b ");
}

/* -- life -------------------------------------------------------------------------------------------------------- */

Test(app, outer_starts_before_inner_and_stops_after_it)
{
	struct rung_app *shared = endpoint("s");
	struct rung_app *app =
		rung_stack(layer("a"), rung_routes(rung_mount("/x", rung_stack(layer("b"), rung_ref(shared))),
					       rung_mount("/y", holding("c", shared))));

	ASSERT_INT(rung_start(app, NULL), 0);
	ASSERT_STR(events, "+a +b +s +c ");
	ASSERT_INT(rung_start(app, NULL), -EINVAL);
	ASSERT_STR(rung_error(), "stack: it is started already; make a second one");
	rung_stop(app);
	ASSERT_STR(events, "+a +b +s +c -c -s -b -a ");
	rung_stop(app);
	events[0] = '\0';
	/* It may be started again. */
	ASSERT_INT(rung_start(app, NULL), 0);
	rung_stop(app);
	ASSERT_STR(events, "+a +b +s +c -c -s -b -a ");
	rung_app_destroy(app);
	rung_stop(NULL);
}

Test(app, one_app_in_two_stacks_starts_once)
{
	struct rung_app *shared = endpoint("s");
	struct rung_app *one = rung_stack(layer("a"), rung_ref(shared)),
			*two = rung_stack(layer("b"), shared);

	ASSERT_INT(rung_start(one, NULL), 0);
	ASSERT_INT(rung_start(two, NULL), 0);
	rung_stop(one);
	ASSERT_STR(events, "+a +s +b -a ");
	rung_stop(two);
	ASSERT_STR(events, "+a +s +b -a -s -b ");
	rung_app_destroy(one);
	rung_app_destroy(two);
}

Test(app, a_failed_start_stops_what_had_started)
{
	struct rung_app *bad = endpoint("c");
	struct rung_app *app = rung_stack(layer("a"), layer("b"), bad);

	((struct teller *)bad)->start_result = -EIO;
	ASSERT_INT(rung_start(app, NULL), -EIO);
	ASSERT_STR(events, "+a +b -b -a ");
	ASSERT_STR(rung_error(), "teller: it did not start: Input/output error");
	((struct teller *)bad)->start_result = 0;
	ASSERT_INT(rung_start(app, NULL), 0);
	rung_stop(app);
	rung_app_destroy(app);
}

Test(app, what_cannot_serve_is_not_started)
{
	struct rung_app *open = rung_stack(layer("a"), layer("b"));

	ASSERT_INT(rung_start(open, NULL), -EINVAL);
	ASSERT_STR(rung_error(),
		"stack: it ends in the layer teller, so nothing answers; put an endpoint last, such as rung_routes()");
	rung_app_destroy(open);
	ASSERT_INT(rung_start(NULL, NULL), -EINVAL);
	ASSERT_HAS(rung_error(), "stack: it is NULL");
	ASSERT_STR(events, "~a ~b ");
}

/* -- what a stack is told ---------------------------------------------------------------------------------------- */

static struct rung_setup told;

static int keep_setup(struct rung_app *app, const struct rung_setup *setup)
{
	(void)app;
	told = *setup;
	return 0;
}

static const struct rung_app_class keeper_class = {
	.size = sizeof(struct rung_app), .name = "keeper", .call = teller_call, .start = keep_setup
};

static void start_keeper(const struct rung_setup *setup)
{
	struct rung_app *app = rung_app_new(&keeper_class);

	memset(&told, 0xff, sizeof told);
	ASSERT_INT(rung_start(app, setup), 0);
	rung_stop(app);
	rung_app_destroy(app);
}

Test(app, the_environment_fills_in_what_the_setup_leaves_open)
{
	const struct rung_setup nginx = { .size = sizeof nginx, .server = RUNG_SERVER_NGINX };

	unsetenv("RUNG_REPROXY");
	unsetenv("RUNG_ENV");
	start_keeper(NULL);
	cr_assert(told.server == RUNG_SERVER_AUTO && !told.development && !told.is_public && !told.quiet);
	setenv("RUNG_REPROXY", "apache", 1);
	setenv("RUNG_ENV", "development", 1);
	start_keeper(NULL);
	cr_assert(told.server == RUNG_SERVER_APACHE && told.development);
	start_keeper(&nginx);
	cr_assert(told.server == RUNG_SERVER_NGINX);
	setenv("RUNG_REPROXY", "", 1);
	setenv("RUNG_ENV", "production", 1);
	start_keeper(NULL);
	cr_assert(told.server == RUNG_SERVER_AUTO && !told.development);
	setenv("RUNG_REPROXY", "iis", 1);
	struct rung_app *app = rung_app_new(&keeper_class);
	ASSERT_INT(rung_start(app, NULL), -EINVAL);
	ASSERT_STR(rung_error(),
		"reproxy: there is no server \"iis\"; use self, header, nginx, apache, lighttpd, perlbal or h2o, "
		"or emulate: and one of nginx, nginx_hardened, apache, lighttpd, perlbal, h2o, rack");
	rung_app_destroy(app);
}

Test(app, servers_have_names)
{
	static const char *const names[] = { "auto", "self", "header", "nginx", "apache", "lighttpd",
		"perlbal", "h2o" };
	enum rung_server_kind kind = RUNG_SERVER_AUTO;

	for (unsigned i = 1; i < sizeof names / sizeof *names; i++) {
		ASSERT_INT(rung_server_kind_parse(names[i], &kind), 0);
		ASSERT_INT(kind, i);
		ASSERT_STR(rung_server_kind_name(kind), names[i]);
	}
	ASSERT_STR(rung_server_kind_name(RUNG_SERVER_AUTO), "auto");
	ASSERT_STR(rung_server_kind_name((enum rung_server_kind)99), "unknown");
	ASSERT_INT(rung_server_kind_parse("auto", &kind), -EINVAL);
	ASSERT_INT(rung_server_kind_parse("NGINX", &kind), -EINVAL);
	ASSERT_INT(kind, RUNG_SERVER_H2O);
}

/* -- options ----------------------------------------------------------------------------------------------------- */

struct options {
	size_t size;
	int first;
	const char *second;
};

Test(app, options_of_another_version_are_read_as_far_as_they_go)
{
	struct {
		struct options options;
		long third;
	} newer = { { sizeof newer, 1, "two" }, 0 };
	struct options copy, given = { sizeof given, 1, "two" };

	ASSERT_INT(rung_options_copy("who", &copy, &given, sizeof copy), 0);
	cr_assert(copy.size == sizeof copy && copy.first == 1 && strcmp(copy.second, "two") == 0);
	given.size = offsetof(struct options, second);
	ASSERT_INT(rung_options_copy("who", &copy, &given, sizeof copy), 0);
	cr_assert(copy.size == sizeof copy && copy.first == 1 && !copy.second);
	ASSERT_INT(rung_options_copy("who", &copy, &newer, sizeof copy), 0);
	cr_assert(copy.size == sizeof copy && copy.first == 1);
	newer.third = 1;
	ASSERT_INT(rung_options_copy("who", &copy, &newer, sizeof copy), -EINVAL);
	ASSERT_STR(rung_error(), "who: options of a newer version than this library knows; upgrade librung");
	given.size = 0;
	ASSERT_INT(rung_options_copy("who", &copy, &given, sizeof copy), -EINVAL);
	ASSERT_HAS(rung_error(), "who: ");
	ASSERT_INT(rung_options_copy("who", &copy, NULL, sizeof copy), -EINVAL);
	ASSERT_HAS(rung_error(), "size");
}

/* -- refusals ---------------------------------------------------------------------------------------------------- */

Test(app, a_message_stays_the_reason_until_it_is_read)
{
	ASSERT_STR(rung_error(), "");
	cr_assert_not(rung_is_refused());
	ASSERT_INT(rung_refuse(-EIO, "first: %d", 1), -EIO);
	cr_assert(rung_is_refused());
	rung_refuse_part("part");
	ASSERT_STR(rung_error(), "first: 1");
	cr_assert_not(rung_is_refused());
	ASSERT_STR(rung_error(), "first: 1");
	rung_refuse_part("part of %s", "it");
	ASSERT_STR(rung_error(), "part of it");
	ASSERT_INT(rung_refuse(-EIO, "second"), -EIO);
	ASSERT_INT(rung_refuse(-ENOMEM, "third"), -ENOMEM);
	ASSERT_STR(rung_error(), "third");
}

Test(app, a_refusal_that_nobody_read_is_no_reason_once_a_stack_has_started)
{
	struct rung_app *app = endpoint("a");

	rung_refuse(-EIO, "an optional thing");
	ASSERT_INT(rung_start(app, NULL), 0);
	cr_assert_not(rung_is_refused());
	rung_stop(app);
	rung_app_destroy(app);
}

/* -- plain functions --------------------------------------------------------------------------------------------- */

static int frees;

static void count_free(void *data)
{
	frees += data == &frees;
}

static int tell_data(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)env;
	return rung_reply_text(res, 200, rung_data(self));
}

Test(app, a_function_has_its_data)
{
	struct rung_client *client = test_client(rung_run(tell_data, .data = "mine"));

	ASSERT_STR(rung_client_get(client, "/")->body, "mine");
	rung_client_destroy(client);
	struct rung_app *app = endpoint("a");
	cr_assert_null(rung_data(app));
	rung_app_destroy(app);
}

Test(app, data_is_freed_once_also_when_the_app_is_refused)
{
	rung_app_destroy(rung_use(teller_call, .data = &frees, .free_data = count_free));
	ASSERT_INT(frees, 1);
	cr_assert_null(rung_run(NULL, .data = &frees, .free_data = count_free));
	ASSERT_STR(rung_error(), "run: the function is NULL; pass one");
	ASSERT_INT(frees, 2);
	cr_assert_null(rung_use(NULL));
	ASSERT_STR(rung_error(), "use: the function is NULL; pass one");
}

/* -- probes ------------------------------------------------------------------------------------------------------ */

static void *probe_enter(const struct rung_probe *probe, const struct rung_app *app, struct rung_env *env,
	struct rung_response *res)
{
	(void)env;
	(void)res;
	note(probe->data, rung_app_name(app));
	return probe->data;
}

static int probe_leave(const struct rung_probe *probe, const struct rung_app *app, struct rung_env *env,
	struct rung_response *res, void *state, int result)
{
	(void)app;
	(void)env;
	(void)res;
	cr_assert_eq(state, probe->data);
	note(probe->data, "/");
	return strcmp(probe->data, "!") == 0 ? -ETIMEDOUT : result;
}

static int serve_once(struct rung_app *app, const struct rung_probe *const *probes)
{
	const struct rung_setup setup = { .size = sizeof setup, .probes = probes };
	struct rung_client *client = test_client_with(app, &setup);

	events[0] = '\0';
	int status = rung_client_get(client, "/")->status;
	rung_client_destroy(client);
	return status;
}

Test(app, probes_look_on_at_every_link)
{
	static char first[] = "1", second[] = "2", bang[] = "!";
	static const struct rung_probe one = { probe_enter, probe_leave, first };
	static const struct rung_probe two = { probe_enter, probe_leave, second };
	static const struct rung_probe late = { probe_enter, probe_leave, bang };
	static const struct rung_probe *const both[] = { &one, &two, NULL }, *const last[] = { &late, NULL };
	struct rung_app *app = rung_stack(layer("out"), rung_run(tell_data, .name = "in", .data = "x"));

	ASSERT_INT(serve_once(rung_ref(app), both), 200);
	ASSERT_HAS(events, "1teller 2teller out 1in 2in 2/ 1/ 2/ 1/ ");
	ASSERT_INT(serve_once(rung_ref(app), last), 504);
	ASSERT_HAS(events, "!teller out !in !/ !/ ");
	/* Where none is installed, none is called. */
	ASSERT_INT(serve_once(rung_ref(app), test_no_probes), 200);
	cr_assert(strncmp(events, "out ", 4) == 0 && !strchr(events, '!'), "%s", events);
	rung_app_destroy(app);
}

/* A layer that brings a probe. */
static const struct rung_probe *bring(struct rung_app *app, const struct rung_setup *setup)
{
	static char own[] = "own";
	static const struct rung_probe probe = { probe_enter, probe_leave, own };

	(void)app;
	return setup->quiet ? NULL : &probe;
}

static int pass_on(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	return 0;
}

static const struct rung_app_class watcher_class = { .size = sizeof(struct rung_app),
	.name = "watcher",
	.flags = RUNG_LAYER,
	.call = pass_on,
	.probe = bring };

Test(app, a_class_may_bring_a_probe)
{
	static char first[] = "1";
	static const struct rung_probe one = { probe_enter, probe_leave, first };
	static const struct rung_probe *const given[] = { &one, NULL };
	struct rung_app *app =
		rung_stack(rung_app_new(&watcher_class), rung_run(tell_data, .name = "in", .data = "x"));
	const struct rung_setup quiet = { .size = sizeof quiet, .quiet = true, .probes = test_no_probes };

	ASSERT_INT(serve_once(rung_ref(app), given), 200);
	ASSERT_HAS(events, "1watcher ownwatcher 1in ownin own/ 1/ own/ 1/ ");
	/* It is asked at each start. */
	struct rung_client *client = test_client_with(app, &quiet);
	events[0] = '\0';
	ASSERT_INT(rung_client_get(client, "/")->status, 200);
	cr_assert_null(strstr(events, "own"), "%s", events);
	rung_client_destroy(client);
}

Test(app, more_probes_than_there_is_room_for_are_refused)
{
	struct rung_app *app = rung_run(tell_data, .data = "x");

	for (int i = 0; i < 5; i++)
		app = rung_stack(rung_app_new(&watcher_class), app);
	ASSERT_INT(rung_start(app, NULL), -E2BIG);
	ASSERT_STR(rung_error(), "stack: more than 4 probes look on; leave one out");
	rung_app_destroy(app);
}
