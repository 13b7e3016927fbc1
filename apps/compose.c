/* DESC: Composition: fragments, mounts by path and by host, one app in two places, and a cascade. */
/* TRY: 200 / -- how this stack is put together */
/* TRY: 200 -i /shop/ -- a fragment of two layers around one app */
/* TRY: 200 -i /office/ -- the same fragment, made again, around another */
/* TRY: 200 /first/greet/Ada -- one app ... */
/* TRY: 200 /second/greet/Ada -- ... in two places */
/* TRY: 200 -H 'Host: admin.localhost' / -- a mount by host: another name, another app */
/* TRY: 200 /any/greet/Ada -- a cascade: the first app that knows the path */
/* TRY: 200 /any/add/2/40 -- it was not the first one */
/* TRY: 400 /any/add/2/x -- whoever does not pass has answered, also when it is a refusal */
/* TRY: 404 /any/nothing -- it was none of them */
#include "page.h"
#include <rung/access_log.h>
#include <rung/error_pages.h>
#include <rung/rung.h>

#include <stdlib.h>

/* -- a cascade: an app that holds apps ---------------------------------------------------------------------------- */

/* Asks one app after another, as long as they answer with the pass mark: "not mine". Rack: Rack::Cascade. */
struct cascade {
	struct rung_app app;
	struct rung_app *apps[2];
};

static int cascade_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct cascade *cascade = (const struct cascade *)self;

	rung_call(cascade->apps[0], env, res);
	if (!res->pass)
		return 0;
	/* A response that somebody wrote to is not passed on. */
	rung_response_clear(res);
	rung_call(cascade->apps[1], env, res);
	return 0;
}

/* So that starting, checking and printing reach them. */
static int cascade_children(struct rung_app *app, rung_visit_fn visit, void *data)
{
	struct cascade *cascade = (struct cascade *)app;
	int rc = visit(cascade->apps[0], "first", data);

	return rc ? rc : visit(cascade->apps[1], "then", data);
}

static void cascade_destroy(struct rung_app *app)
{
	struct cascade *cascade = (struct cascade *)app;

	rung_drop(cascade->apps[0]);
	rung_drop(cascade->apps[1]);
}

static const struct rung_app_class cascade_class = {
	.size = sizeof(struct cascade),
	.name = "cascade",
	.flags = RUNG_ENDPOINT,
	.call = cascade_call,
	.children = cascade_children,
	.destroy = cascade_destroy,
};

/* Takes both apps, also when it fails: then rung_take() has dropped the one it was given, and destroy drops the other. */
static struct rung_app *cascade_new(struct rung_app *first, struct rung_app *then)
{
	struct cascade *cascade = rung_app_new(&cascade_class);
	int first_rc = rung_take(first, "cascade"), then_rc = rung_take(then, "cascade");

	if (cascade) {
		cascade->apps[0] = first_rc < 0 ? NULL : first;
		cascade->apps[1] = then_rc < 0 ? NULL : then;
	} else {
		rung_drop(first_rc < 0 ? NULL : first);
		rung_drop(then_rc < 0 ? NULL : then);
	}
	if (cascade && first_rc == 0 && then_rc == 0)
		return &cascade->app;
	rung_app_destroy(cascade ? &cascade->app : NULL);
	return NULL;
}

/* -- layers and apps ---------------------------------------------------------------------------------------------- */

static int name_part(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	return rung_header(res, "X-Part", rung_data(self));
}

static int never_framed(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	return rung_header_default(res, "X-Frame-Options", "DENY");
}

/* A stack that ends in a layer is an open fragment: what comes after it in another stack is inside it. */
static struct rung_app *house_rules(const char *part)
{
	return rung_stack(rung_use(never_framed, .name = "never_framed"),
		rung_use(name_part, .name = "name_part", .data = part));
}

static int greet(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return rung_reply_textf(res, 200, "Hello %s, below %s.\n", rung_param(env, "name"),
		*env->script_name ? env->script_name : "/");
}

/* What a client sends may be any text: a sum of it is made only where it is two numbers that fit. */
static int add(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	char *a_end, *b_end;
	long a = strtol(rung_param(env, "a"), &a_end, 10), b = strtol(rung_param(env, "b"), &b_end, 10);
	long sum;

	(void)self;
	if (*a_end || *b_end || __builtin_add_overflow(a, b, &sum))
		return rung_reply_text(res, 400, "Two numbers, please, and not too large.\n");
	return rung_reply_textf(res, 200, "%ld\n", sum);
}

static int say(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)env;
	return rung_reply_text(res, 200, rung_data(self));
}

static int index_page(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_html(res, 200,
		PAGE("Composition") "<p>A stack is one value, so stacks are made of stacks:</p>\n<ul>\n"
				    "<li><a href=\"shop/\">shop</a> and <a href=\"office/\">office</a> have the same two layers "
				    "around them, by a function that makes a fragment.\n"
				    "<li><a href=\"first/greet/Ada\">first</a> and <a href=\"second/greet/Ada\">second</a> are "
				    "one app, mounted twice with rung_ref().\n"
				    "<li>Under the host admin.localhost there is another app at the same paths.\n"
				    "<li><a href=\"any/greet/Ada\">any/greet/Ada</a> and <a href=\"any/add/2/40\">any/add/2/40</a> "
				    "are found by a cascade, <a data-status=\"404\" href=\"any/nothing\">any/nothing</a> is not.\n"
				    "</ul>\n<p>--print-stack shows all of it.</p>\n");
}

static struct rung_app *everyones_pages(void)
{
	struct rung_app *greeter = rung_routes(rung_get("/greet/:name", greet));
	struct rung_app *adder = rung_routes(rung_get("/add/:a/:b", add));
	/* Whoever takes an app may drop it, so its references are made before anything takes one. C leaves open which of
	 * a list's elements is made first. */
	struct rung_app *first = rung_ref(greeter), *second = rung_ref(greeter);

	return rung_routes(rung_get("/", index_page),
		rung_mount("/shop", rung_stack(house_rules("shop"), rung_run(say, .data = "The shop.\n"))),
		rung_mount(
			"/office", rung_stack(house_rules("office"), rung_run(say, .data = "The office.\n"))),
		rung_mount("/first", first), rung_mount("/second", second),
		rung_mount("/any", cascade_new(greeter, adder)));
}

/* A host's app is asked first when it stands in a table of its own: within one, a route comes before any mount. */
int main(int argc, char **argv)
{
	return rung_main(argc, argv,
		rung_stack(rung_access_log(), rung_error_pages(),
			rung_routes(
				rung_mount("http://admin.localhost", rung_run(say, .data = "For admins.\n")),
				everyones_pages())));
}
