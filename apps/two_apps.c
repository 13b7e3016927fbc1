/* DESC: Two apps behind one: a front answers with URIs of two others, by name; their headers are merged. */
/* TRY: 200 / -- what there is */
/* TRY: 200 -i /hello/Ada -- look at the fields: those of front and target, merged */
/* TRY: 200 -i /add/2/40 -- both set a cookie, and both stay */
/* TRY: 200 /greeter/greet?name=you -- the target asked directly */
#include "page.h"
#include <rung/access_log.h>
#include <rung/error_pages.h>
#include <rung/reproxy.h>
#include <rung/rung.h>

#include <stdio.h>

static int index_page(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_html(res, 200,
		PAGE("Two apps") "<ul>"
				 "<li><a href=\"hello/Ada\">hello/Ada</a> comes from http://greeter.internal/greet?name=Ada"
				 "<li><a href=\"add/2/40\">add/2/40</a> comes from http://calculator.internal:9000/sum?a=2&amp;b=40"
				 "</ul><p>Look at the headers: X-Front is this app's, X-Target and X-Both are the other's, and of the "
				 "sum both set a cookie.");
}

/* What the front says beside the URI stays, unless the target says otherwise. */
static int hello(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_header(res, "X-Front", "front");
	rung_header(res, "X-Both", "front");
	return rung_reply_uri(res, 200, "http://greeter.internal/greet?name=%s", rung_param(env, "name"));
}

/* Cookies of both stay. */
static int add(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_set_cookie(res, "front", "1");
	return rung_reply_uri(res, 200, "http://calculator.internal:9000/sum?a=%s&b=%s", rung_param(env, "a"),
		rung_param(env, "b"));
}

static int greet(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_header(res, "X-Target", "greeter");
	rung_header(res, "X-Both", "target");
	return rung_reply_textf(res, 200, "Hello from %s, asked for %s\n", env->host, env->query);
}

static int sum(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	int a, b;

	(void)self;
	rung_header(res, "X-Target", "calculator");
	rung_set_cookie(res, "target", "1");
	if (sscanf(env->query, "a=%9d&b=%9d", &a, &b) != 2)
		return rung_reply_text(res, 400, "Two numbers, please.\n");
	return rung_reply_textf(res, 200, "%d + %d = %d\n", a, b, a + b);
}

int main(int argc, char **argv)
{
	struct rung_app *greeter = rung_routes(rung_get("/greet", greet));
	/* Before anything takes the first: whoever takes an app may drop it, and C leaves open what is made first below. */
	struct rung_app *mounted = rung_ref(greeter);

	return rung_main(argc, argv,
		rung_stack(rung_access_log(), rung_error_pages(),
			rung_reproxy(.names = rung_names({ "greeter.internal", greeter },
					     { "calculator.internal:9000",
						     rung_routes(rung_get("/sum", sum)) })),
			rung_routes(rung_get("/", index_page), rung_get("/hello/:name", hello),
				rung_get("/add/:a/:b", add), rung_mount("/greeter", mounted))));
}
