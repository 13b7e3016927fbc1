/* emulated.c: see emulated.h. */
#include "emulated.h"

struct text_source {
	struct rung_source source;
	const char *at;
};

static ssize_t read_text(struct rung_source *source, void *buffer, size_t max)
{
	struct text_source *text = (struct text_source *)source;
	size_t size = strlen(text->at) < max ? strlen(text->at) : max;

	memcpy(buffer, text->at, size);
	text->at += size;
	return (ssize_t)size;
}

static int say(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct says *says = rung_data(self);
	const char *body = says->body ? says->body : "";

	if (says->fails)
		return says->fails;
	res->status = says->status ? says->status : 200;
	for (const struct rung_field *field = says->fields; field && field->name; field++)
		rung_header_add(res, field->name, field->value);
	if (!says->is_chunked)
		return rung_body_static(res, body, strlen(body));
	struct text_source *text = rung_alloc(env, sizeof *text);
	*text = (struct text_source){ .source.read = read_text, .at = body };
	return rung_body_pull(res, &text->source, -1);
}

struct rung_app *emulated_app_saying(const struct says *says)
{
	return rung_run(say, .data = (void *)(uintptr_t)says);
}

static int tell(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	char buffer[256], *text;
	size_t size, body = 0;
	ssize_t n;
	const struct rung_field *field;
	FILE *stream = open_memstream(&text, &size);

	(void)self;
	fprintf(stream, "%s %s%s%s\n", env->method, env->path_info, *env->query ? "?" : "", env->query);
	for (size_t i = 0; (field = rung_request_field(env, i)); i++)
		if (strcmp(field->name, "Host") != 0)
			fprintf(stream, "%s: %s\n", field->name, field->value);
	while ((n = rung_input_read(env, buffer, sizeof buffer)) > 0)
		body += (size_t)n;
	fprintf(stream, "%s got %zu", env->host, body);
	fclose(stream);
	res->status = 200;
	int rc = rung_body_bytes(res, text, size);
	free(text);
	return rc;
}

struct rung_app *emulated_teller(void)
{
	return rung_run(tell);
}

struct rung_client *emulated_client(
	enum rung_server_kind server, struct rung_app *app, struct rung_app *target)
{
	return test_client(rung_stack(rung_reproxy(.server = server, .as_is = true,
					      .names = rung_names({ "target.internal", target })),
		app));
}

const char *emulated_text(const struct rung_reply *reply)
{
	static char text[4096];
	const struct rung_field *field;
	size_t at = (size_t)snprintf(text, sizeof text, "%d\n", reply->status);

	for (size_t i = 0; (field = rung_reply_field(reply, i)) && at < sizeof text; i++)
		at += (size_t)snprintf(text + at, sizeof text - at, "%s: %s\n", field->name, field->value);
	if (at < sizeof text)
		snprintf(text + at, sizeof text - at, "\n%s", reply->body);
	return text;
}
