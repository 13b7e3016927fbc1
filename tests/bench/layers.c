/*
 * layers.c: hello through five layers, such as a program in production has them: what a stack costs.
 *
 * Wants "Authorization: Basic YW5uOnNlY3JldA==".
 */
#include <rung/access_log.h>
#include <rung/basic_auth.h>
#include <rung/error_pages.h>
#include <rung/rung.h>
#include <rung/trace.h>

static int hello(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)env;
	return rung_reply_text(res, 200, "Hello, World!\n");
}

int main(int argc, char **argv)
{
	return rung_main(argc, argv,
		rung_stack(rung_access_log(), rung_error_pages(), rung_trace(.when = RUNG_TRACE_OFF),
			rung_basic_auth(.realm = "bench", .user = "ann", .password = "secret"),
			rung_routes(rung_get("/", hello))));
}
