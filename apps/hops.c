/* DESC: Hops: a number that counts itself down by reproxy, until the limit. */
/* TRY: 200 /0 -- no hop */
/* TRY: 200 /3 -- three, each with its URI */
/* TRY: 200 /10 -- as many as are allowed */
/* TRY: 502 /11 -- one too many */
#include "page.h"
#include <rung/access_log.h>
#include <rung/error_pages.h>
#include <rung/reproxy.h>
#include <rung/rung.h>

#include <stdlib.h>

static int index_page(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_html(res, 200,
		PAGE("Hops") "<p><a href=\"0\">none</a>, <a href=\"1\">one</a>, "
			     "<a href=\"10\">ten</a>, <a data-status=\"502\" href=\"11\">one too many</a>");
}

/* A view knows the URI that led to it, and the view it came from. */
static const char *trail(const struct rung_env *env)
{
	const char *text = "", *last = NULL;

	for (; env && text; env = env->outer)
		if (env->uri && env->uri != last)
			text = rung_printf(env, "%s\n%s", last = env->uri, text);
	return text;
}

static int count_down(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const char *number = rung_param(env, "n");
	char *end;
	long n = strtol(number, &end, 10);

	(void)self;
	if (*end || n < 0 || n > 1000)
		return rung_reply_text(res, 404, "A number from 0 to 1000, please.\n");
	if (n > 0)
		return rung_reply_uri(res, 200, "%ld", n - 1);
	return rung_reply_textf(res, 200, "%u hops\n%s", env->hop, trail(env));
}

int main(int argc, char **argv)
{
	return rung_main(argc, argv,
		rung_stack(rung_access_log(), rung_error_pages(), rung_reproxy(),
			rung_routes(rung_get("/", index_page), rung_get("/:n", count_down))));
}
