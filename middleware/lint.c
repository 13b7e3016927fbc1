/* lint.c: checks of the contract at a link. See lint.h. A check is a function that gives NULL or what is wrong. */
#include <rung/lint.h>

#include <rung/env.h>
#include <rung/response.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_field(const struct rung_field *field, const char *name)
{
	return rung_names_equal(field->name, name);
}

/* -- the request ------------------------------------------------------------------------------------------------- */

static const char *wrong_strings(const struct rung_env *env)
{
	if (!env->method || !env->scheme || !env->host || !env->script_name || !env->path_info ||
		!env->query || !env->protocol)
		return "a string of env is NULL; where there is nothing, it is \"\"";
	if (!rung_is_token(env->method, strlen(env->method)))
		return "the method is no token; rung_rewrite() it to one, such as GET";
	if (strcmp(env->scheme, "http") != 0 && strcmp(env->scheme, "https") != 0)
		return "the scheme is neither http nor https";
	if (!rung_is_field_value(env->host, strlen(env->host)) || strpbrk(env->host, "/@ \t"))
		return "the host is no authority; give host[:port]";
	return NULL;
}

static const char *wrong_paths(const struct rung_env *env)
{
	const char *script_name = env->script_name, *path_info = env->path_info;
	size_t size = strlen(script_name);

	if (size && (*script_name != '/' || script_name[size - 1] == '/'))
		return "script_name is neither \"\" nor \"/...\" without a slash at its end";
	if (*path_info && *path_info != '/' &&
		(strcmp(path_info, "*") != 0 || strcmp(env->method, "OPTIONS") != 0))
		return "path_info is neither \"\" nor \"/...\", nor the \"*\" of OPTIONS";
	if (!size && !*path_info)
		return "script_name and path_info are both empty; a path that is nothing is \"/\"";
	if (strpbrk(script_name, "?#") || strpbrk(path_info, "?#") || strchr(env->query, '#'))
		return "a delimiter is left in the path or the query; cut them where \"?\" and \"#\" stand";
	return NULL;
}

static const char *wrong_request_fields(const struct rung_env *env)
{
	const struct rung_field *field;

	for (size_t i = 0; (field = rung_request_field(env, i)); i++) {
		if (!rung_is_token(field->name, field->name_size) || field->name[field->name_size])
			return "a request field has a name that is no token";
		if (!rung_is_field_value(field->value, field->value_size) || field->value[field->value_size])
			return "a request field has a control byte in its value";
		if (is_field(field, "Content-Length") &&
			strtoll(field->value, NULL, 10) != env->content_length)
			return "the Content-Length field and env->content_length differ; remove the field with "
			       "the body";
	}
	return NULL;
}

static const char *wrong_request(const struct rung_env *env)
{
	const char *wrong = wrong_strings(env);

	if (!wrong)
		wrong = wrong_paths(env);
	/* -1: its length shows only at its end. */
	if (!wrong && env->content_length < 0 &&
		!(env->content_length == -1 && rung_request_header(env, "Transfer-Encoding")))
		wrong = "content_length is negative; where there is no body, it is 0";
	if (!wrong && (env->hop == 0) != (env->uri == NULL))
		wrong = "env->uri is for redispatches, and every one has it; give rung_view() a .uri";
	return wrong ? wrong : wrong_request_fields(env);
}

static const char *not_pristine(const struct rung_response *res)
{
	if (res->status || res->error || res->kind != RUNG_BODY_EMPTY || res->pass || rung_header_at(res, 0))
		return "it was called with a response that somebody wrote to; write after rung_next(), or call "
		       "rung_response_clear() first";
	return NULL;
}

/* -- the response ------------------------------------------------------------------------------------------------ */

static bool has_no_body(int status)
{
	return status == 204 || status == 205 || status == 304;
}

static const char *wrong_status(const struct rung_response *res)
{
	if (res->status < 200 || res->status > 999)
		return "the status is none of a final response; use 200 to 999";
	if (has_no_body(res->status) && res->kind != RUNG_BODY_EMPTY && res->kind != RUNG_BODY_URI &&
		rung_body_size(res) != 0)
		return "a 204, 205 or 304 has a body; close it with rung_body_close()";
	if (res->status == 401 && !rung_header_get(res, "WWW-Authenticate"))
		return "a 401 has no WWW-Authenticate; say how to authenticate, or use 403";
	if (res->status == 405 && !rung_header_get(res, "Allow"))
		return "a 405 has no Allow; list the methods there are";
	if (res->pass && res->status != 404 && res->status != 405)
		return "the pass mark stands beside another status than 404 or 405; call rung_response_clear() "
		       "before you answer otherwise";
	return NULL;
}

/* Fields that say one thing, and so stand once. */
static bool is_single(const struct rung_field *field)
{
	static const char *const names[] = { "Content-Type", "Content-Length", "Content-Range", "ETag",
		"Last-Modified", "Location", "Retry-After" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (is_field(field, names[i]))
			return true;
	return false;
}

static bool stands_before(const struct rung_response *res, size_t index)
{
	const char *name = rung_header_at(res, index)->name;

	for (size_t i = 0; i < index; i++)
		if (is_field(rung_header_at(res, i), name))
			return true;
	return false;
}

static const char *wrong_fields(const struct rung_response *res)
{
	const struct rung_field *field;

	for (size_t i = 0; (field = rung_header_at(res, i)); i++) {
		if (!rung_is_token(field->name, field->name_size) ||
			!rung_is_field_value(field->value, field->value_size))
			return "a field was changed behind the setters; use rung_header()";
		if (is_field(field, "Status"))
			return "Status is no field; set res->status";
		if (is_field(field, "Transfer-Encoding"))
			return "Transfer-Encoding is the server's; leave it out";
		if (is_single(field) && stands_before(res, i))
			return "a field that may stand once stands twice; use rung_header() instead of rung_header_add()";
	}
	return NULL;
}

static const char *wrong_length(const struct rung_env *env, const struct rung_response *res)
{
	const char *given = rung_header_get(res, "Content-Length");
	int64_t size = rung_body_size(res);
	char *end;

	if (!given)
		return NULL;
	long long length = strtoll(given, &end, 10);
	if (*given < '0' || *given > '9' || *end || length < 0)
		return "Content-Length is no number; leave it out, the server counts";
	if (res->status == 204)
		return "a 204 has a Content-Length; remove it";
	if (res->kind == RUNG_BODY_URI || size < 0)
		return NULL;
	/* A response to HEAD, and a 304, tell of a body that is not sent; a 205 has none to tell of. */
	if (res->kind == RUNG_BODY_EMPTY && (strcmp(env->method, "HEAD") == 0 || res->status == 304))
		return NULL;
	return length == size ? NULL : "Content-Length and the body differ; leave it out, the server counts";
}

static const char *wrong_response(const struct rung_env *env, const struct rung_response *res)
{
	const char *wrong = wrong_status(res);

	if (!wrong)
		wrong = wrong_fields(res);
	return wrong ? wrong : wrong_length(env, res);
}

/* -- what an app may not change ---------------------------------------------------------------------------------- */

static const char *wrong_env(const struct rung_env *before, const struct rung_env *env)
{
	if (before->method != env->method || before->scheme != env->scheme || before->host != env->host ||
		before->script_name != env->script_name || before->path_info != env->path_info ||
		before->query != env->query || before->protocol != env->protocol || before->uri != env->uri ||
		before->content_length != env->content_length || before->hop != env->hop ||
		before->outer != env->outer)
		return "it changed env; open a view with rung_rewrite() instead";
	return NULL;
}

/* -- the probe --------------------------------------------------------------------------------------------------- */

/* What was seen on the way down. */
struct seen {
	struct rung_env env;
	const char *wrong;
};

/* Returns NULL when memory is out: then this link goes unchecked. */
static void *look_down(const struct rung_probe *probe, const struct rung_app *app, struct rung_env *env,
	struct rung_response *res)
{
	struct seen *seen = rung_alloc(env, sizeof *seen);

	(void)probe;
	(void)app;
	if (!seen)
		return NULL;
	seen->env = *env;
	seen->wrong = wrong_request(env);
	if (!seen->wrong)
		seen->wrong = not_pristine(res);
	return seen;
}

static int look_up(const struct rung_probe *probe, const struct rung_app *app, struct rung_env *env,
	struct rung_response *res, void *state, int result)
{
	const struct seen *seen = state;

	(void)probe;
	if (!seen)
		return result;
	const char *wrong = seen->wrong ? seen->wrong : wrong_env(&seen->env, env);
	/* What failed is no response yet; the link makes one. */
	if (!wrong && result == 0 && !res->error)
		wrong = wrong_response(env, res);
	if (!wrong)
		return result;
	return rung_fail_at(env, -EPROTO, NULL, 0, "lint: %s: %s", rung_app_name(app), wrong);
}

const struct rung_probe *rung_lint_probe(void)
{
	static const struct rung_probe probe = { .enter = look_down, .leave = look_up };

	return &probe;
}

/* -- the layer --------------------------------------------------------------------------------------------------- */

static int lint_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	void *seen = look_down(NULL, self->next, env, res);

	rung_next(self, env, res);
	return look_up(NULL, self->next, env, res, seen, 0);
}

static const struct rung_app_class lint_class = {
	.size = sizeof(struct rung_app),
	.name = "lint",
	.flags = RUNG_LAYER,
	.call = lint_call,
};

struct rung_app *rung_lint_new(const struct rung_lint_options *given)
{
	struct rung_lint_options options;

	if (rung_options_copy("lint", &options, given, sizeof options) < 0)
		return NULL;
	return rung_app_new(&lint_class);
}
