/*
 * reproxied.c: an app that answers with a URI, and what that URI names: for this process to redispatch, or for a server in
 * front to fetch. Either way the greeting comes; /direct gives it without a reproxy.
 */
#include <rung/reproxy.h>
#include <rung/rung.h>

static int hello(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)env;
	return rung_reply_text(res, 200, "Hello, World!\n");
}

static int name_hello(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)env;
	return rung_reply_uri(res, 200, "http://target.internal/");
}

int main(int argc, char **argv)
{
	struct rung_app *target = rung_routes(rung_get("/", hello));
	struct rung_app *mounted = rung_ref(target);

	return rung_main(argc, argv,
		rung_stack(rung_reproxy(.names = rung_names({ "target.internal", target })),
			rung_routes(rung_get("/", name_hello), rung_mount("/direct", mounted))));
}
