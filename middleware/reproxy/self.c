/*
 * self.c: redispatch: the request goes round again, in this process. A loop, so that the C stack stays flat and each
 * response is closed before the next app runs.
 */
#include "reproxy_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *rung_reproxy_take_uri(const struct reproxy *reproxy, struct rung_response *res)
{
	const char *uri = rung_body_get_uri(res);

	if (!uri)
		uri = rung_header_get(res, reproxy->header);
	if (uri)
		rung_header_remove(res, reproxy->header);
	return uri;
}

/* -- where it goes ----------------------------------------------------------------------------------------------- */

/* One request on its way through the hops. */
struct round {
	const struct reproxy *reproxy;
	const struct reproxy_frame *frame; /* the names that count */
	struct rung_env *env;              /* the view that asked last */
	struct rung_response *res;         /* the answer so far */
	struct rung_response *held;        /* the fields of the one before, to be merged onto it */
	bool is_over;                      /* what came is not to be reproxied again */
};

struct next {
	const struct rung_app *app; /* NULL: self */
	bool is_remote;
	const char *host;
	const char *script_name;
	const char *path_info;
};

static const struct rung_app *find_name(const struct reproxy_frame *frame, const struct rung_uri *uri)
{
	const char *scheme = uri->scheme.size == 5 ? "https" : "http";
	const struct rung_app *app = NULL;
	unsigned port = uri->port.size ? rung_uri_port(uri) : 0;

	for (; frame && !app; frame = frame->outer)
		app = rung_names_find(frame->names, scheme, uri->host.at, uri->host.size, port);
	return app;
}

/* The path below the layer's script name, cut at a segment border; NULL when it lies outside. */
static const char *below(const char *script_name, const char *path)
{
	size_t size = strlen(script_name);

	if (strncmp(path, script_name, size) != 0 || (path[size] && path[size] != '/'))
		return NULL;
	return path + size;
}

static int find_self(
	struct rung_env *env, const char *path, bool is_relative, const char *uri, struct next *next)
{
	next->script_name = env->script_name;
	next->path_info = below(env->script_name, path);
	if (!next->path_info)
		return rung_fail(env, -EHOSTUNREACH,
			"reproxy: the URI \"%.500s\" lies outside %s, where this stack is mounted", uri,
			env->script_name);
	if (is_relative)
		next->host = NULL;
	return 0;
}

static int find_next(
	const struct round *round, const char *uri, const struct destination *to, struct next *next)
{
	const struct reproxy *reproxy = round->reproxy;
	struct rung_env *env = round->env;
	const struct rung_uri *parts = &to->uri;
	size_t host = parts->host.size + (parts->port.size ? parts->port.size + 1 : 0);
	const char *path = rung_strndup(env, parts->path.at, parts->path.size);

	*next = (struct next){
		.host = rung_strndup(env, parts->host.at, host), .script_name = "", .path_info = path
	};
	if (!next->host || !path)
		return rung_fail(env, -ENOMEM, "reproxy: no memory for a redispatch");
	next->app = reproxy->everything;
	if (!next->app && !to->is_relative)
		next->app = find_name(round->frame, parts);
	if (next->app)
		return 0;
	if (rung_reproxy_is_self(reproxy, to))
		return find_self(env, path, to->is_relative, uri, next);
	next->app = reproxy->remote;
	next->is_remote = true;
	if (next->app)
		return 0;
	return rung_fail(env, -EHOSTUNREACH,
		"reproxy: nothing here stands for the URI \"%.500s\"; give its host an app in .names, or list it in .hosts",
		uri);
}

/* -- the view it goes with --------------------------------------------------------------------------------------- */

static bool is_credential(const struct rung_field *field, const void *data)
{
	(void)data;
	return rung_names_equal(field->name, "Cookie") || rung_names_equal(field->name, "Authorization") ||
	       rung_names_equal(field->name, "Proxy-Authorization");
}

/* The list of URIs that led to this view, oldest first, for the log. */
static const char *trail(const struct rung_env *env, const char *last)
{
	const char *text = last;

	for (; env; env = env->outer) {
		if (!env->uri || (env->outer && env->outer->uri == env->uri))
			continue;
		const char *longer = rung_printf(env, "%.100s -> %.1500s", env->uri, text);
		text = longer ? longer : text;
	}
	return text;
}

/* 307 and 308 keep method and body (RFC 9110 section 15.4.8 and H2O's rule); any other status makes it a GET, whose
 * body the first app has consumed. HEAD stays. */
static struct rung_env *open_view(const struct reproxy *reproxy, struct rung_env *env, const char *uri,
	const struct destination *to, const struct next *next, int status)
{
	bool keep = status == 307 || status == 308;
	const char *query = rung_strndup(env, to->uri.query.at, to->uri.query.size);
	struct rung_target target = {
		.method = keep || strcmp(env->method, "HEAD") == 0 ? NULL : "GET",
		.host = next->host,
		.scheme = to->is_relative            ? NULL
			  : to->uri.scheme.size == 5 ? "https"
						     : "http",
		.script_name = next->script_name,
		.path_info = next->path_info,
		.query = query,
		.uri = uri,
		.drop_body = !keep,
		.max_hops = reproxy->max_hops,
	};

	if (!query)
		return NULL;
	struct rung_env *view = rung_view(env, &target);
	if (!view || (next->is_remote && rung_request_header_filter(view, is_credential, NULL) < 0) ||
		rung_request_header_set(view, "X-Reproxied", "1") < 0)
		return NULL;
	return view;
}

static int no_view(const struct reproxy *reproxy, struct rung_env *env, const char *uri)
{
	const struct rung_failure *failure = rung_failure(env);

	if (!failure || failure->err != -ELOOP)
		return rung_fail(env, -ENOMEM, "reproxy: no memory for a redispatch");
	if (env->hop < reproxy->max_hops)
		return -ELOOP; /* the request's own count ran out, and the message says so */
	return rung_fail(env, -ELOOP, "reproxy: more than %u hops: %s", reproxy->max_hops, trail(env, uri));
}

/* -- the loop ---------------------------------------------------------------------------------------------------- */

/* What described the thing that did not come, beside its entity fields. */
static const char *const fields_of_success[] = { "Content-Length", "Content-Encoding", "Content-Range",
	"Content-MD5", "Content-Digest", "Repr-Digest", "Digest", "ETag", "Last-Modified", "Accept-Ranges",
	"Transfer-Encoding", "Trailer", "Location", "Content-Type", "Content-Disposition", "Content-Language",
	"Cache-Control", "Expires", NULL };

static int hop(struct round *round, const char *uri)
{
	struct destination to = { 0 };
	struct next next = { 0 };
	int status = round->res->status;

	rung_response_move(round->held, round->res);
	rung_body_close(round->held);
	int rc = rung_reproxy_understand(round->reproxy, round->env, uri, &to);
	if (rc == 0)
		rc = find_next(round, uri, &to, &next);
	if (rc < 0)
		return rc;
	struct rung_env *view = open_view(round->reproxy, round->env, uri, &to, &next, status);
	if (!view)
		return no_view(round->reproxy, round->env, uri);
	if (next.app)
		rung_call(next.app, view, round->res);
	else
		rung_next(&round->reproxy->app, view, round->res);
	rung_header_merge(round->res, round->held,
		round->res->status >= 400 ? fields_of_success : rung_reproxy_entity_fields);
	round->env = view;
	round->is_over = next.is_remote;
	return 0;
}

int rung_reproxy_redispatch(const struct reproxy *reproxy, const struct reproxy_frame *frame,
	struct rung_env *env, struct rung_response *res, const char *uri)
{
	struct round round = { reproxy, frame, env, res, rung_response_new(env), false };
	int rc = 0;

	if (!round.held)
		return -ENOMEM;
	while (uri && rc == 0 && !round.is_over) {
		rc = hop(&round, uri);
		if (rc == 0)
			uri = rung_reproxy_take_uri(reproxy, res);
	}
	return rc;
}
