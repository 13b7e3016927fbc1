/* test_stack.c: linking apps into one value: fragments, refusals, order rules, and the printed ladder. */
#include "support.h"

#include <rung/access_log.h>
#include <rung/basic_auth.h>
#include <rung/error_pages.h>
#include <rung/reproxy.h>

#include <errno.h>

SUITE(stack);

/* -- parts ------------------------------------------------------------------------------------------------------- */

static int frees;

static void count_free(void *data)
{
	frees += data == &frees;
}

static int answer(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)env;
	return rung_reply_text(res, 200, "end");
}

/* Puts its name before what is inside said. */
static int mark(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	size_t size;

	rung_next(self, env, res);
	const char *inside = rung_body_get_bytes(res, &size);
	const char *text = rung_printf(env, "%s %.*s", rung_app_name(self), (int)size, inside);
	rung_response_clear(res);
	return rung_reply_text(res, 200, text);
}

static struct rung_app *layer(const char *name)
{
	return rung_use(mark, .name = name, .data = &frees, .free_data = count_free);
}

static struct rung_app *endpoint(void)
{
	return rung_run(answer, .data = &frees, .free_data = count_free);
}

static const char *ask(struct rung_app *app)
{
	static char text[256];
	struct rung_client *client = test_client(app);

	snprintf(text, sizeof text, "%s", rung_client_get(client, "/")->body);
	rung_client_destroy(client);
	return text;
}

/* -- linking ----------------------------------------------------------------------------------------------------- */

Test(stack, outermost_comes_first)
{
	ASSERT_STR(ask(rung_stack(layer("a"), layer("b"), endpoint())), "a b end");
	ASSERT_STR(ask(rung_stack(endpoint())), "end");
	ASSERT_STR(ask(endpoint()), "end");
	ASSERT_INT(frees, 5);
}

Test(stack, an_open_fragment_goes_on_in_the_next_element)
{
	ASSERT_STR(ask(rung_stack(rung_stack(layer("a"), layer("b")), layer("c"), endpoint())), "a b c end");
	ASSERT_STR(ask(rung_stack(rung_stack(rung_stack(layer("a")), layer("b")),
			   rung_stack(layer("c"), endpoint()))),
		"a b c end");
	struct rung_app *open = rung_stack(layer("a"), layer("b"));
	cr_assert(open != NULL);
	rung_app_destroy(open);
	ASSERT_INT(frees, 10);
}

Test(stack, a_whole_stack_may_stand_in_two_places)
{
	struct rung_app *inner = rung_stack(layer("in"), endpoint());
	struct rung_client *client =
		test_client(rung_routes(rung_mount("/a", rung_stack(layer("a"), rung_ref(inner))),
			rung_mount("/b", rung_stack(layer("b"), inner))));

	ASSERT_STR(rung_client_get(client, "/a")->body, "a in end");
	ASSERT_STR(rung_client_get(client, "/b")->body, "b in end");
	rung_client_destroy(client);
	ASSERT_INT(frees, 4);
}

Test(stack, what_cannot_be_linked_is_refused_with_the_mend_and_dropped)
{
	cr_assert_null(rung_stack(layer("a"), NULL, endpoint()));
	ASSERT_STR(rung_error(),
		"stack: it was given NULL as an app; make sure that app's constructor did not fail");
	ASSERT_INT(frees, 2);
	cr_assert_null(rung_stack(layer("a"), endpoint(), layer("b")));
	ASSERT_STR(rung_error(),
		"stack: run answers every request, so what follows it is never reached; put it last, or "
		"choose between several with rung_routes()");
	ASSERT_INT(frees, 5);
	cr_assert_null(rung_stack(endpoint(), endpoint()));
	ASSERT_HAS(rung_error(), "choose between several with rung_routes()");
	ASSERT_INT(frees, 7);
	struct rung_app *twice = layer("twice");
	cr_assert_null(rung_stack(twice, twice, endpoint()));
	ASSERT_STR(rung_error(),
		"stack: twice is in a place already; make a second one, or pass rung_ref() of an endpoint "
		"or a whole stack");
	ASSERT_INT(frees, 9);
	twice = layer("twice");
	cr_assert_null(rung_stack(rung_ref(twice), endpoint()));
	ASSERT_STR(rung_error(),
		"stack: twice is a layer and has one place; make a second one instead of rung_ref()");
	rung_app_destroy(twice);
	ASSERT_INT(frees, 11);
	cr_assert_null(rung_stack_new((struct rung_app *const[]){ &rung_end_ }));
	ASSERT_HAS(rung_error(), "stack: it is empty; give it at least one app");
}

Test(stack, a_part_that_another_part_holds_is_refused)
{
	struct rung_app *end = endpoint();
	struct rung_app *whole = rung_stack(layer("a"), end);

	cr_assert_null(rung_stack(layer("b"), whole, end));
	ASSERT_HAS(rung_error(), "stack: run is in a place already");
	ASSERT_INT(frees, 3);
	end = endpoint();
	whole = rung_routes(rung_mount("/x", end));
	cr_assert_null(rung_routes(rung_mount("/y", whole), end, NULL));
	ASSERT_INT(frees, 4);
}

Test(stack, the_first_message_is_kept)
{
	cr_assert_null(
		rung_stack(layer("a"), rung_stack(rung_use(NULL), rung_routes(rung_get("/", answer)))));
	ASSERT_STR(rung_error(), "use: the function is NULL; pass one");
	/* Read, it is no longer the reason of what fails later. */
	cr_assert_null(rung_stack(NULL, endpoint()));
	ASSERT_HAS(rung_error(), "stack: it was given NULL");
}

/* -- order ------------------------------------------------------------------------------------------------------- */

static int pass_on(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	return 0;
}

static const struct rung_order outer_order[] = { { .outside = "inner", .why = "the answer would be wrong" },
	{ .outside = "soft", .why = "it would be slower", .advice = true }, { 0 } };
static const struct rung_app_class outer_class = { .size = sizeof(struct rung_app),
	.name = "outer",
	.flags = RUNG_LAYER,
	.call = pass_on,
	.order = outer_order };
static const struct rung_app_class inner_class = {
	.size = sizeof(struct rung_app), .name = "inner", .flags = RUNG_LAYER, .call = pass_on
};
static const struct rung_app_class soft_class = { .size = sizeof(struct rung_app),
	.name = "soft",
	.flags = RUNG_LAYER | RUNG_BUFFERS | RUNG_BLOCKS,
	.call = pass_on };

static struct rung_app *of(const struct rung_app_class *class_)
{
	return rung_app_new(class_);
}

Test(stack, a_wrong_order_is_refused_with_its_reason)
{
	cr_assert_null(rung_stack(of(&inner_class), layer("x"), of(&outer_class), endpoint()));
	ASSERT_STR(rung_error(),
		"stack: outer stands inside inner; put it outside, since the answer would be wrong (or "
		"exempt it with rung_unchecked())");
	/* Also where fragments bring the pair together. */
	cr_assert_null(rung_stack(rung_stack(of(&inner_class)), rung_stack(of(&outer_class), endpoint())));
	ASSERT_HAS(rung_error(), "outer stands inside inner");
	ASSERT_INT(frees, 3);
	struct rung_app *right = rung_stack(of(&outer_class), of(&inner_class), endpoint());
	cr_assert(right != NULL, "%s", rung_error());
	rung_app_destroy(right);
}

Test(stack, an_app_may_be_exempt)
{
	struct rung_app *app = rung_stack(of(&inner_class), rung_unchecked(of(&outer_class)), endpoint());

	cr_assert(app != NULL, "%s", rung_error());
	rung_app_destroy(app);
	app = rung_stack(rung_unchecked(of(&inner_class)), of(&outer_class), endpoint());
	cr_assert(app != NULL, "%s", rung_error());
	rung_app_destroy(app);
	cr_assert_null(rung_unchecked(NULL));
}

Test(stack, rules_end_at_a_mount)
{
	struct rung_app *app = rung_stack(
		of(&inner_class), rung_routes(rung_mount("/a", rung_stack(of(&outer_class), endpoint()))));

	cr_assert(app != NULL, "%s", rung_error());
	rung_app_destroy(app);
}

/* -- printing ---------------------------------------------------------------------------------------------------- */

static void check_printed(struct rung_app *app, const char *expected)
{
	char text[2048];
	ssize_t size = rung_stack_print(app, text, sizeof text);

	cr_assert(app != NULL, "%s", rung_error());
	ASSERT_STR(text, expected);
	ASSERT_INT(size, strlen(expected));
	for (size_t room = 0; room <= (size_t)size; room++) {
		memset(text, '!', sizeof text);
		ASSERT_INT(rung_stack_print(app, text, room), size);
		cr_assert(text[room] == '!' && (room == 0 || strlen(text) == room - 1), "room of %zu", room);
	}
	rung_app_destroy(app);
}

Test(stack, it_prints_as_a_ladder)
{
	check_printed(rung_stack(rung_access_log(), rung_error_pages(),
			      rung_reproxy(.names = rung_names(
						   { "files.internal", rung_run(answer, .name = "files") },
						   { "more.internal:81",
							   rung_stack(layer("a"), rung_run(answer)) }),
				      .max_hops = 3),
			      rung_routes(rung_get("/", answer), rung_any("/any", answer),
				      rung_get("/d/:name",
					      .app = rung_stack(rung_basic_auth(.user = "u", .password = "p"),
						      rung_run(answer, .name = "download"))),
				      rung_mount("/app", rung_routes(rung_post("/x", answer))),
				      rung_mount("http://h/y", rung_stack(layer("b"), rung_run(answer))),
				      rung_run(answer, .name = "left"))),
		"+-- access_log\n"
		"+-- error_pages\n"
		"+-- reproxy  server=auto max_hops=3\n"
		"|   +-- files.internal -> files\n"
		"|   +-- more.internal:81\n"
		"|   |   +-- a\n"
		"|   |   +-- run\n"
		"+-- routes\n"
		"|   +-- GET /\n"
		"|   +-- any /any\n"
		"|   +-- GET /d/:name\n"
		"|   |   +-- basic_auth  realm=\"restricted\"\n"
		"|   |   +-- download\n"
		"|   +-- /app -> routes\n"
		"|   |   +-- POST /x\n"
		"|   +-- http://h/y\n"
		"|   |   +-- b\n"
		"|   |   +-- run\n"
		"|   +-- otherwise -> left\n");
}

Test(stack, advice_is_printed_and_not_enforced)
{
	check_printed(rung_stack(of(&soft_class), of(&outer_class), rung_run(answer)),
		"+-- soft  (holds whole bodies)  (may wait)\n"
		"+-- outer\n"
		"+-- run\n"
		"advice: outer is better outside soft: it would be slower\n");
	check_printed(rung_stack(rung_reproxy(), rung_error_pages(), rung_run(answer)),
		"+-- reproxy  server=auto max_hops=10\n"
		"+-- error_pages\n"
		"+-- run\n"
		"advice: error_pages is better outside reproxy: its failures would have no page\n");
	check_printed(rung_stack(of(&soft_class), rung_unchecked(of(&outer_class)), rung_run(answer)),
		"+-- soft  (holds whole bodies)  (may wait)\n"
		"+-- outer\n"
		"+-- run\n");
}
