/*
 * asker.c: an app that asks, by reproxy, for whatever its client wants to have asked for: http://HOST/PATH for /go/HOST/PATH.
 */
#include <rung/reproxy.h>
#include <rung/rung.h>

static int go(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_set_cookie(res, "app", "1");
	return rung_reply_uri_raw(res, 200,
		rung_printf(env, "http://%s/%s%s%s", rung_param(env, "host"), rung_param(env, "path"),
			*env->query ? "?" : "", env->query));
}

static int plain(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	const char *urls = rung_request_header(env, "X-Reproxy-Url");
	const char *can = rung_request_header(env, "X-Proxy-Capabilities");

	return rung_reply_textf(res, 200, "app here, X-Reproxy-Url: %s, X-Proxy-Capabilities: %s\n",
		urls ? urls : "none", can ? can : "none");
}

int main(int argc, char **argv)
{
	struct rung_app *nobody = rung_run(plain);
	struct rung_app *again = rung_ref(nobody);

	return rung_main(argc, argv,
		rung_routes(rung_get("/plain", plain),
			rung_stack(rung_reproxy(.names = rung_names({ "target.internal", nobody },
							{ "bad.internal", again })),
				rung_routes(rung_any("/go/:host/*path", go)))));
}
