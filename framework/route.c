/* route.c: one route: its pattern, its parameters, and what it answers when it is found. */
#include "route.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- answering --------------------------------------------------------------------------------------------------- */

int rung_reply_not_found(struct rung_response *res)
{
	res->pass = true;
	return rung_reply_empty(res, 404);
}

/* Allow lists what the path takes; HEAD goes with GET, OPTIONS always works (RFC 9110 sections 9.3.7 and 15.5.6). */
static int reply_allow(const struct rung_match *match, struct rung_env *env, struct rung_response *res)
{
	bool is_options = strcmp(env->method, "OPTIONS") == 0;
	char text[512] = "";
	size_t at = 0;

	for (unsigned i = 0; i < match->allow_count && at < sizeof text - 64; i++)
		if (strcmp(match->allow[i], "OPTIONS") != 0)
			at += (size_t)snprintf(text + at, sizeof text - at, "%.40s, ", match->allow[i]);
	snprintf(text + at, sizeof text - at, "OPTIONS");
	res->pass = !is_options;
	rung_reply_empty(res, is_options ? 204 : 405);
	return rung_header(res, "Allow", text);
}

/* Decodes what the pattern captured, innermost list last, so that the nearest name of two is found first. */
static int set_params(struct rung_env *env, const struct rung_match *match)
{
	for (unsigned i = 0; i < match->capture_count; i++) {
		const struct rung_slice *raw = &match->captures[i];
		struct rung_param *param = rung_alloc(env, sizeof *param + raw->size + 1);

		if (!param)
			return -ENOMEM;
		char *value = (char *)(param + 1);
		ssize_t size = rung_uri_decode(raw->at, raw->size, value, raw->size + 1);
		if (size < 0)
			return (int)size;
		*param = (struct rung_param){ env->params_, match->route->params[i], value };
		env->params_ = param;
	}
	return 0;
}

static __attribute__((noinline)) void run_with_params(
	const struct rung_match *match, struct rung_env *env, struct rung_response *res)
{
	struct rung_env *view = rung_env_copy(env);

	if (!view || set_params(view, match) < 0)
		rung_response_stick(res, -ENOMEM);
	else
		rung_call(match->route->inner, view, res);
}

/* The server's limit where the route has none. A body that went past it while it came was not kept, but counted. */
static bool is_too_large(const struct rung_route *route, const struct rung_env *env)
{
	int64_t limit = route->body_limit ? route->body_limit : env->request_->body_limit;

	return limit && env->content_length > limit;
}

/* The link makes a 413 of it, and the log a line. */
static RUNG_COLD void refuse_body(
	const struct rung_route *route, struct rung_env *env, struct rung_response *res)
{
	long long limit = (long long)(route->body_limit ? route->body_limit : env->request_->body_limit);

	rung_fail_at(env, -E2BIG, NULL, 0, "a body of %lld bytes; %lld is the limit",
		(long long)env->content_length, limit);
	rung_response_stick(res, -E2BIG);
}

bool rung_route_admit(const struct rung_route *route, struct rung_env *env, struct rung_admission *admission)
{
	if (route->body_limit)
		admission->body_limit = route->body_limit;
	admission->answers_large = true;
	admission->stream_input = admission->stream_input || route->stream_input;
	return !is_too_large(route, env) && rung_admit(route->inner, env, admission);
}

void rung_match_run(const struct rung_match *match, struct rung_env *env, struct rung_response *res)
{
	const struct rung_route *route = match->route;

	if (__builtin_expect(env->content_length > 0, 0) && is_too_large(route, env))
		refuse_body(route, env, res);
	else if (match->capture_count)
		run_with_params(match, env, res);
	else
		rung_call(route->inner, env, res);
}

bool rung_match_answer(const struct rung_match *match, struct rung_env *env, struct rung_response *res)
{
	if (match->route)
		rung_match_run(match, env, res);
	else if (match->allow_count)
		reply_allow(match, env, res);
	return match->route || match->allow_count;
}

/* -- a route by itself ------------------------------------------------------------------------------------------- */

static int route_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct rung_route *route = (const struct rung_route *)self;
	const char *path = *env->path_info ? env->path_info : "/";
	struct rung_match match;

	rung_match_clear(&match);
	if (strcmp(path, "*") == 0)
		rung_tree_methods(route->tree, &match);
	else if (!rung_path_is_clean(path))
		return rung_reply_empty(res, 400);
	else
		rung_tree_find(route->tree, env->method, path, &match);
	if (!rung_match_answer(&match, env, res))
		return rung_reply_not_found(res);
	return 0;
}

/* What it does not take it answers without the body. */
static bool route_admit(const struct rung_app *self, struct rung_env *env, struct rung_admission *admission)
{
	const struct rung_route *route = (const struct rung_route *)self;
	struct rung_match match;

	rung_match_clear(&match);
	if (*env->path_info == '/' && rung_path_is_clean(env->path_info))
		rung_tree_find(route->tree, env->method, env->path_info, &match);
	return match.route && rung_route_admit(route, env, admission);
}

static int route_children(struct rung_app *app, rung_visit_fn visit, void *data)
{
	struct rung_route *route = (struct rung_route *)app;

	/* A function of one's own is not shown again: its name is the route's. */
	return visit(route->inner, route->is_function ? NULL : "", data);
}

static void route_destroy(struct rung_app *app)
{
	struct rung_route *route = (struct rung_route *)app;

	rung_drop(route->inner);
	rung_tree_destroy(route->tree);
	free(route->own_method);
	free(route->pattern);
	free(route->param_names);
}

const struct rung_app_class rung_route_class = {
	.size = sizeof(struct rung_route),
	.name = "route",
	.flags = RUNG_ENDPOINT | RUNG_UNNAMED,
	.call = route_call,
	.admit = route_admit,
	.destroy = route_destroy,
	.children = route_children,
};

/* -- making ------------------------------------------------------------------------------------------------------ */

/* Whether the pattern is one; fills the names of its parameters. */
static int parse_pattern(struct rung_route *route)
{
	char *at = route->param_names;

	if (*at != '/')
		return rung_refuse(
			-EINVAL, "route: \"%s\" is no pattern; start it with \"/\"", route->pattern);
	while (*at == '/') {
		char *segment = ++at;
		bool is_param = *segment == ':' || *segment == '*';

		at += strcspn(at, "/");
		if (!is_param)
			continue;
		if (at == segment + 1)
			return rung_refuse(-EINVAL,
				"route: \"%s\" has a parameter without a name; write :name or *name",
				route->pattern);
		if (*segment == '*' && *at)
			return rung_refuse(-EINVAL, "route: \"%s\" goes on behind *name; put *name last",
				route->pattern);
		if (route->param_count == RUNG_MAX_PARAMS)
			return rung_refuse(-EINVAL, "route: \"%s\" has more than %d parameters; use *name",
				route->pattern, RUNG_MAX_PARAMS);
		route->params[route->param_count++] = segment + 1;
	}
	/* Only now may the names be cut off: the loop above looks for slashes. */
	for (char *end = at; end > route->param_names; end--)
		if (end[-1] == '/')
			end[-1] = '\0';
	return 0;
}

static int set_inner(struct rung_route *route, const struct rung_route_options *options)
{
	char name[160];

	if (options->app) {
		route->inner = options->app;
		return 0;
	}
	snprintf(name, sizeof name, "%s %s", options->method ? options->method : "any", options->path);
	route->inner =
		rung_run(options->call, .name = name, .data = options->data, .free_data = options->free_data);
	route->is_function = true;
	return route->inner ? rung_take(route->inner, "route") : -ENOMEM;
}

static int fill_route(struct rung_route *route, const struct rung_route_options *options)
{
	if (options->method) {
		route->method = rung_known_method(options->method);
		if (!route->method)
			route->method = route->own_method = strdup(options->method);
	}
	route->pattern = strdup(options->path);
	route->param_names = strdup(options->path);
	route->body_limit = options->body_limit == RUNG_UNLIMITED ? INT64_MAX : options->body_limit;
	route->stream_input = route->app.record_->may_wait = options->stream_input;
	route->tree = rung_tree_new();
	if ((options->method && !route->method) || !route->pattern || !route->param_names || !route->tree)
		return rung_refuse(-ENOMEM, "route: out of memory");
	int rc = parse_pattern(route);
	return rc < 0 ? rc : rung_tree_add(route->tree, route);
}

static int check_options(const struct rung_route_options *options)
{
	if (!options->path)
		return rung_refuse(-EINVAL, "route: it has no path; give one, such as \"/\"");
	if (options->method && !rung_is_token(options->method, strlen(options->method)))
		return rung_refuse(
			-EINVAL, "route: \"%s\" is no method; use a token such as GET", options->method);
	if (!options->call && !options->app) {
		rung_refuse_part(
			"route: %s has neither a function nor an app; give it one of them", options->path);
		return -EINVAL;
	}
	if (options->call && options->app)
		return rung_refuse(-EINVAL, "route: %s has both a function and an app; give it one of them",
			options->path);
	if (options->app && (options->data || options->free_data))
		return rung_refuse(-EINVAL, "route: %s has .data beside .app; .data belongs to a function",
			options->path);
	return options->body_limit < 0 && options->body_limit != RUNG_UNLIMITED
		       ? rung_refuse(-EINVAL, "route: %s has a negative .body_limit", options->path)
		       : 0;
}

struct rung_app *rung_route_new(const struct rung_route_options *given)
{
	struct rung_route_options options;

	if (rung_options_copy("route", &options, given, sizeof options) < 0)
		return NULL;
	if (options.app && rung_take(options.app, "route") < 0)
		return NULL;
	struct rung_route *route = check_options(&options) == 0 ? rung_app_new(&rung_route_class) : NULL;
	if (!route) {
		rung_drop(options.app);
		if (options.free_data)
			options.free_data((void *)(uintptr_t)options.data);
		return NULL;
	}
	/* From here on the route owns what it was given. */
	if (set_inner(route, &options) == 0 && fill_route(route, &options) == 0)
		return &route->app;
	rung_app_destroy(&route->app);
	return NULL;
}
