/* public_headers.c: every public header, each twice, as C11 without extensions. That it compiles is the test. */
#include <rung/access_log.h>
#include <rung/basic_auth.h>
#include <rung/error_pages.h>
#include <rung/files.h>
#include <rung/lint.h>
#include <rung/reproxy.h>
#include <rung/reproxy_config.h>
#include <rung/rung.h>
#include <rung/upstream.h>

#include <rung/access_log.h>
#include <rung/basic_auth.h>
#include <rung/error_pages.h>
#include <rung/files.h>
#include <rung/lint.h>
#include <rung/reproxy.h>
#include <rung/reproxy_config.h>
#include <rung/rung.h>
#include <rung/upstream.h>

/* One of each kind of macro. */
static int answer(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	const struct rung_params *form = NULL;

	if (rung_form(env, &form) < 0)
		return -1;
	rung_set_cookie(res, "a", "1", .max_age = 60);
	return rung_reply_text(res, 200, "");
}

int main(void)
{
	struct rung_app *app = rung_stack(rung_access_log(), rung_error_pages(),
		rung_reproxy(.names = rung_names({ "files.internal", rung_files(.root = "/") },
				     { "b", rung_run(answer) })),
		rung_routes(rung_get("/", answer), rung_any("/x", answer, .body_limit = 1),
			rung_mount("/m", rung_run(answer))));
	struct rung_client *client = rung_client_new(app, .no_cookies = true);
	int status = rung_client_send(client, "GET", "/")->status;

	rung_client_destroy(client);
	return status == 200 ? 0 : 1;
}
