/* DESC: Reproxy to oneself: a public path asks who you are, an internal one, 404 from outside, has the answer. */
/* TRY: 200 / -- what there is */
/* TRY: 401 /report/2026 -- the public path asks who you are */
/* TRY: 200 -u demo:demo /report/2026 -- then the internal one answers */
/* TRY: 404 /internal/report/2026 -- which nobody reaches from outside */
#include "page.h"
#include <rung/access_log.h>
#include <rung/basic_auth.h>
#include <rung/error_pages.h>
#include <rung/reproxy.h>
#include <rung/rung.h>

static int index_page(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_html(res, 200,
		PAGE("Reports") "<p><a data-status=\"401\" href=\"report/2026\">The report of 2026</a> (user demo, password demo). "
				"<a data-status=\"404\" href=\"internal/report/2026\">The same from behind</a>, which is 404 from outside.");
}

/* A relative URI is this stack again. */
static int report(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return rung_reply_uri(res, 200, "../internal/report/%s", rung_param(env, "year"));
}

/* Whether a request was redispatched is a fact of env; no header that a client sends can claim it. */
static int only_from_inside(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	if (env->hop == 0)
		return rung_reply_empty(res, 404);
	rung_next(self, env, res);
	return 0;
}

static int internal_report(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return rung_reply_textf(res, 200, "Report of %s, fetched from %s%s.\n", rung_param(env, "year"),
		env->script_name, env->path_info);
}

int main(int argc, char **argv)
{
	return rung_main(argc, argv,
		rung_stack(rung_access_log(), rung_error_pages(), rung_reproxy(),
			rung_routes(rung_get("/", index_page),
				rung_get("/report/:year",
					.app = rung_stack(rung_basic_auth(.realm = "reports", .user = "demo",
								  .password = "demo"),
						rung_run(report))),
				rung_mount("/internal",
					rung_stack(rung_use(only_from_inside),
						rung_routes(rung_get("/report/:year", internal_report)))))));
}
