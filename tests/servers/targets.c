/*
 * targets.c: what apps name in URIs, for servers in front to fetch: the files of private_files, what two_apps names, one that
 * takes its time, and one that tells what it was sent.
 */
#include <rung/files.h>
#include <rung/rung.h>

#include <stdio.h>
#include <unistd.h>

static int greet(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_header(res, "X-Target", "greeter");
	rung_header(res, "X-Both", "target");
	return rung_reply_textf(res, 200, "Hello from %s, asked for %s\n", env->host, env->query);
}

static int sum(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_set_cookie(res, "target", "1");
	return rung_reply_textf(res, 200, "The sum for %s, asked for %s\n", env->host, env->query);
}

static int slow(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	usleep(700 * 1000);
	return rung_reply_text(res, 200, "at last\n");
}

static int seen(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_writer page = rung_writer(env);
	const struct rung_field *field;
	size_t size = 0;

	(void)self;
	rung_writef(&page, "%s %s%s%s for %s\n", env->method, env->path_info, *env->query ? "?" : "",
		env->query, env->host);
	for (size_t i = 0; (field = rung_request_field(env, i)); i++)
		rung_writef(&page, "%s: %s\n", field->name, field->value);
	rung_input_bytes(env, &size);
	rung_writef(&page, "%zu bytes\n", size);
	return rung_reply_written(res, 200, "text/plain", &page);
}

int main(int argc, char **argv)
{
	return rung_main(argc, argv,
		rung_routes(rung_get("/greet", greet), rung_get("/sum", sum), rung_get("/slow", slow),
			rung_any("/seen", seen), rung_files(.root = PRIVATE_FILES)));
}
