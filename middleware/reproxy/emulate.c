/*
 * emulate.c: the way of a request through a web server that is emulated: to the app, and on as its rules say. See
 * emulate.h.
 */
#include "emulate.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* -- telling ----------------------------------------------------------------------------------------------------- */

void rung_emulated_warn(const struct emulated *at, enum emulated_danger danger, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	if (atomic_fetch_or(at->reproxy->warned, 1U << danger) & 1U << danger)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	rung_log(at->env, RUNG_LOG_WARNING, "rung: reproxy emulates %s: %s", at->rules->name, text);
}

static bool is_new(const struct emulated *at, enum emulated_danger danger)
{
	return !(atomic_load_explicit(at->reproxy->warned, memory_order_relaxed) & 1U << danger);
}

/* The server's own page has a type of its own. */
static void forget_type(struct emulated *at)
{
	size_t kept = 0;

	for (size_t i = 0; i < at->held_count; i++)
		if (!at->rules->answer.on_asker && !rung_names_equal(at->held[i].name, "Content-Type"))
			at->held[kept++] = at->held[i];
	at->held_count = kept;
	at->charset = NULL;
}

int rung_emulated_status(struct emulated *at, int status, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	rung_response_clear(at->res);
	at->res->status = status;
	at->is_over = true;
	at->asked =
		NULL; /* it has nothing to do with what asked, but for lines that are in the answer already */
	forget_type(at);
	rung_log(at->env, RUNG_LOG_INFO, "rung: reproxy as %s: %d, %s", at->rules->name, status, text);
	return at->rules->page ? at->rules->page(at) : 0;
}

char *rung_emulated_copy(struct emulated *at, const char *text, size_t size)
{
	char *copy = rung_strndup(at->env, text, size);

	at->no_memory = at->no_memory || !copy;
	return copy;
}

const char *rung_emulated_asked(const struct emulated *at, const char *name)
{
	for (size_t i = 0; i < at->asked_count; i++)
		if (rung_names_equal(at->asked[i].name, name))
			return at->asked[i].value;
	return NULL;
}

/* -- fetching ---------------------------------------------------------------------------------------------------- */

static const struct rung_app *find_app(const struct emulated *at, const struct emulated_url *url)
{
	const struct rung_app *app = at->reproxy->everything;
	const struct reproxy_frame *frame = at->frame;

	for (; frame && !app; frame = frame->outer)
		app = rung_names_find(frame->names, url->scheme, url->host, strlen(url->host), url->port);
	return app;
}

static bool is_front(const struct emulated *at, const struct emulated_url *url)
{
	char port[16] = "";
	struct rung_uri here = { .scheme = { url->scheme, strlen(url->scheme) },
		.host = { url->host, strlen(url->host) } };

	if (url->port) {
		int size = snprintf(port, sizeof port, "%u", url->port);

		here.port = (struct rung_slice){ port, (size_t)size };
	}
	return rung_reproxy_is_listed(at->reproxy, &here) ||
	       (at->reproxy->any_host_is_self && !at->rules->delegates);
}

/* A target that did not answer at all, which an app shows by failing as a connection does. */
static enum emulated_fetched outcome(const struct emulated *at)
{
	const struct rung_failure *failure = rung_failure(at->env);

	if (!failure || failure->err == 0 || at->res->kind != RUNG_BODY_EMPTY || rung_header_at(at->res, 0))
		return FETCHED;
	switch (failure->err) {
	case -EHOSTUNREACH:
	case -ECONNREFUSED:
	case -ENETUNREACH:
		return FETCH_UNREACHABLE;
	case -ECONNRESET:
	case -EPIPE:
		return FETCH_NO_ANSWER;
	case -ETIMEDOUT:
		return FETCH_TIMEOUT;
	default:
		return FETCHED;
	}
}

static void warn_of_view(
	const struct emulated *at, const struct rung_env *view, const struct emulated_url *url)
{
	static const char *const credentials[] = { "Authorization", "Cookie", NULL };

	if (is_new(at, DANGER_CREDENTIALS))
		for (size_t i = 0; rung_request_field(view, i); i++)
			if (emulated_is_listed(credentials, rung_request_field(view, i)))
				rung_emulated_warn(at, DANGER_CREDENTIALS,
					"it sends the client's %s to %s; clear it for targets that are not yours",
					rung_request_field(view, i)->name, url->host);
	if (view->content_length && strcmp(view->method, "GET") == 0 && is_new(at, DANGER_BODY))
		rung_emulated_warn(at, DANGER_BODY,
			"it sends the body of a %s again, on a GET; set proxy_pass_request_body off and "
			"Content-Length \"\" in the location",
			at->env->method);
}

/* The request has gone round as often as one may here; the server itself might go on for ever. */
static int no_view(const struct emulated *at)
{
	const struct rung_failure *failure = rung_failure(at->env);

	if (!failure || failure->err != -ELOOP)
		return rung_fail(at->env, -ENOMEM, "reproxy: no memory for a redispatch");
	rung_emulated_warn(at, DANGER_LOOP,
		"this request goes round without end, and here it is ended; a path through the server itself is a "
		"new request to it, so count hops in the app, or refuse URIs that lead back");
	return -ELOOP;
}

int rung_emulated_fetch(struct emulated *at, const struct emulated_url *url)
{
	const struct rung_app *app = find_app(at, url);
	bool is_self = !app && is_front(at, url);

	if (!app && !is_self)
		app = at->reproxy->remote;
	if (!app && !is_self)
		return FETCH_UNREACHABLE;
	const struct rung_failure *failure = rung_failure(at->env);
	if (failure && failure->err)
		rung_fail(at->env, 0, "%s", ""); /* what comes is told from what was */
	struct rung_env *view = rung_emulated_target_view(at, url);
	if (!view)
		return no_view(at);
	warn_of_view(at, view, url);
	at->view = view;
	at->from_target = true;
	if (app) {
		rung_call(app, view, at->res);
		return (int)outcome(at);
	}
	int rc = rung_reproxy_emulate(at->reproxy, at->frame, view, at->res);
	return rc < 0 ? rc : FETCHED;
}

int rung_emulated_judge(struct emulated *at, int fetched, const struct emulated_url *url)
{
	const struct emulation *rules = at->rules;

	if (fetched <= FETCHED)
		return fetched;
	if (fetched == FETCH_UNREACHABLE)
		return rung_emulated_status(at, rules->unreachable,
			"nothing here stands for %s; give its host an app in .names", url->uri);
	return rung_emulated_status(at, fetched == FETCH_TIMEOUT ? rules->timeout : rules->no_answer,
		"%s gave no answer", url->uri);
}

/* -- within the server ------------------------------------------------------------------------------------------- */

int rung_emulated_inside_at(struct emulated *at, const struct emulated_url *url)
{
	struct rung_env *view = rung_emulated_target_view(at, url);

	if (!view)
		return no_view(at);
	at->view = view;
	at->from_target = false;
	rung_next(&at->reproxy->app, view, at->res);
	return 0;
}

int rung_emulated_inside(struct emulated *at, const char *path, const char *query)
{
	const char *script_name = at->env->script_name;
	size_t size = strlen(script_name);
	bool is_below = size && strncmp(path, script_name, size) == 0 && (path[size] == '/' || !path[size]);

	return rung_emulated_inside_at(at, &(const struct emulated_url){ .scheme = at->env->scheme,
						   .host = "",
						   .host_field = at->env->host,
						   .script_name = is_below ? script_name : "",
						   .path = is_below ? path + size : path,
						   .query = query,
						   .uri = path,
						   .input = INPUT_AGAIN,
						   .request = &at->rules->app });
}

int rung_emulated_call(struct emulated *at, const struct rung_app *app, const struct emulated_url *url)
{
	struct rung_env *view = rung_emulated_target_view(at, url);

	if (!view)
		return no_view(at);
	at->view = view;
	rung_call(app, view, at->res);
	return 0;
}

int rung_emulated_app(struct emulated *at, const struct rung_app *app, const char *path, const char *query)
{
	static const struct emulated_request all = { 0 };

	return rung_emulated_call(at, app,
		&(const struct emulated_url){ .scheme = at->env->scheme,
			.host = "",
			.host_field = at->env->host,
			.path = path,
			.query = query,
			.uri = path,
			.input = INPUT_AGAIN,
			.request = &all });
}

/* -- the loop ---------------------------------------------------------------------------------------------------- */

static const char *exactly(const struct rung_response *res, const char *name)
{
	const struct rung_field *field;

	for (size_t i = 0; (field = rung_header_at(res, i)); i++)
		if (strcmp(field->name, name) == 0)
			return field->value;
	return NULL;
}

static const struct emulated_ask *find_ask(const struct emulated *at, const char **ret_value)
{
	const struct emulated_ask *ask = at->rules->asks;
	const struct rung_response *res = at->res;

	if (at->is_over || at->is_file || (at->asked && !at->rules->targets_ask))
		return NULL;
	for (; ask->field; ask++) {
		*ret_value =
			at->rules->case_counts ? exactly(res, ask->field) : rung_header_get(res, ask->field);
		if (*ret_value && (!at->rules->may_ask || at->rules->may_ask(at, ask)))
			return ask;
	}
	return NULL;
}

/* An app of this process may answer with a URI; the server sees what it would be told of it. */
static int emit(struct emulated *at)
{
	const char *uri = rung_body_get_uri(at->res);

	if (!uri && (at->asked || at->reproxy->as_is))
		return 0;
	if (!uri) {
		const char *value;

		uri = rung_header_get(at->res, at->reproxy->header);
		if (!uri || find_ask(at, &value))
			return 0;
	}
	uri = rung_strndup(at->env, uri, strlen(uri));
	if (!uri)
		return -ENOMEM;
	rung_header_remove(at->res, at->reproxy->header);
	return rung_reproxy_emit(at->reproxy, at->view, at->res, uri);
}

static void warn_of_leak(const struct emulated *at)
{
	static const char *const steering[] = { "X-Reproxy-Url", "X-Accel-Redirect", "X-Rewrite-URI",
		"X-Rewrite-Host", "X-Sendfile", "X-Reproxy-File", NULL };

	if (!is_new(at, DANGER_LEAK))
		return;
	for (size_t i = 0; rung_header_at(at->res, i); i++)
		if ((*rung_header_at(at->res, i)->name | 0x20) == 'x' &&
			emulated_is_listed(steering, rung_header_at(at->res, i)))
			rung_emulated_warn(at, DANGER_LEAK,
				"the client sees %s; have the server hide it, or keep the target from sending it",
				rung_header_at(at->res, i)->name);
}

static int follow(struct emulated *at)
{
	int rc = at->rules->answer.joins ? rung_emulated_join(at) : 0;

	if (rc == 0)
		rc = emit(at);

	while (rc == 0) {
		const char *value;
		const struct emulated_ask *ask = find_ask(at, &value);

		if (!ask)
			break;
		rc = rung_emulated_hold(at, ask);
		if (rc == 0)
			rc = ask->go(at, value);
		if (rc == 0)
			rc = emit(at);
	}
	return rc;
}

static void warn_of_spoof(const struct emulated *at, const struct rung_env *view)
{
	static const char *const steering[] = { "X-Reproxy-Url", "X_Reproxy_Url", "X-Accel-Redirect",
		"X-Reproxied", "X-Rewrite-URI", "X-Rewrite-Host", "X-Sendfile-Type", "X-Accel-Mapping",
		NULL };

	if (!at->reproxy->as_is || !is_new(at, DANGER_SPOOF))
		return;
	for (size_t i = 0; rung_request_field(view, i); i++)
		if (emulated_is_listed(steering, rung_request_field(view, i)))
			rung_emulated_warn(at, DANGER_SPOOF,
				"it passes %s of a client on to the app; have it cleared, and never believe it",
				rung_request_field(view, i)->name);
}

static bool has_input(const struct rung_env *env)
{
	return env->content_length || rung_request_header(env, "Content-Length") ||
	       rung_request_header(env, "Transfer-Encoding");
}

int rung_reproxy_emulate(const struct reproxy *reproxy, const struct reproxy_frame *frame,
	struct rung_env *env, struct rung_response *res)
{
	struct emulated at = { .reproxy = reproxy,
		.frame = frame,
		.rules = reproxy->emulation,
		.env = env,
		.view = env,
		.res = res,
		.method = env->method,
		.path = *env->script_name ? rung_printf(env, "%s%s", env->script_name, env->path_info)
					  : env->path_info,
		.query = *env->query ? env->query : NULL,
		.came_with_input = has_input(env) };
	at.has_input = at.came_with_input;
	if (!at.path)
		return -ENOMEM;
	int status = at.rules->admit ? at.rules->admit(&at) : 0;
	if (status)
		return rung_emulated_status(
			&at, status, "the server answers itself, and the app never sees it");
	struct rung_env *view = rung_emulated_app_view(&at);
	if (!view)
		return -ENOMEM;
	warn_of_spoof(&at, view);
	rung_next(&reproxy->app, view, res);
	int rc = follow(&at);
	if (rc == 0)
		rc = at.no_memory ? -ENOMEM : rung_emulated_settle(&at);
	if (rc == 0)
		warn_of_leak(&at);
	return rc;
}
