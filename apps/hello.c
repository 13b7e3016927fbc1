/* DESC: Hello, World: the smallest stack there is. */
/* TRY: 200 / -- a greeting */
/* TRY: 404 /elsewhere -- nothing is there */
/* TRY: 405 -X POST / -- nobody takes that method */
#include <rung/rung.h>

static int hello(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_text(res, 200, "Hello, World!\n");
}

int main(int argc, char **argv)
{
	return rung_main(argc, argv, rung_routes(rung_get("/", hello)));
}
