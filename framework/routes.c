/* routes.c: routes, mounts and a fallback in one app. */
#include "route.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct routes {
	struct rung_app app;
	struct rung_tree *tree;
	bool has_routes;
	struct rung_app **parts; /* as given, for children; references are held here */
	size_t part_count;
	struct rung_mount_app **mounts; /* those with a host first, then the longest location */
	size_t mount_count;
	struct rung_app *fallback;
};

/* -- hosts ------------------------------------------------------------------------------------------------------- */

/* Compares a host name in lower case, and its port if it has one, with an authority of any case. */
static bool is_host(const char *host, unsigned port, const char *authority)
{
	size_t size = strlen(host);

	for (size_t i = 0; i < size; i++) {
		char c = authority[i];

		if ((c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c) != host[i])
			return false;
	}
	if (authority[size] == '\0')
		return port == 0 || port == 80;
	return authority[size] == ':' && (port == 0 || (unsigned)atoi(authority + size + 1) == port);
}

/* True when the request came to the address where this process listens, whatever names there are besides. */
static bool is_own_address(const struct rung_env *env)
{
	const char *const *own = env->request_->site->authorities;

	for (; own && *own; own++)
		if (rung_names_equal(*own, env->host))
			return true;
	return false;
}

static bool names_host(const struct routes *routes, const char *host)
{
	for (size_t i = 0; i < routes->mount_count && routes->mounts[i]->host; i++)
		if (is_host(routes->mounts[i]->host, routes->mounts[i]->port, host))
			return true;
	return false;
}

static bool applies(
	const struct routes *routes, const struct rung_mount_app *mount, const struct rung_env *env)
{
	if (mount->host)
		return is_host(mount->host, mount->port, env->host);
	/* Without a mount that names a host the question does not arise. */
	return !routes->mounts[0]->host || !names_host(routes, env->host) || is_own_address(env);
}

/* -- answering --------------------------------------------------------------------------------------------------- */

/* The mount that the request is for, and what it leaves of the path; NULL: none. */
static const struct rung_mount_app *find_mount(
	const struct routes *routes, const struct rung_env *env, const char **ret_rest)
{
	for (size_t i = 0; i < routes->mount_count; i++) {
		const struct rung_mount_app *mount = routes->mounts[i];
		const char *rest = rung_mount_match(mount, env->path_info);

		if (rest && applies(routes, mount, env)) {
			*ret_rest = rest;
			return mount;
		}
	}
	return NULL;
}

/* What no route took: other methods of the path, mounts, the fallback. */
static __attribute__((noinline)) int take_rest(const struct routes *routes, const struct rung_match *match,
	struct rung_env *env, struct rung_response *res, bool clean)
{
	const struct rung_mount_app *mount;
	const char *rest;

	if (rung_match_answer(match, env, res))
		return 0;
	if ((mount = find_mount(routes, env, &rest)) != NULL)
		rung_mount_run(mount, env, res, rest);
	else if (routes->fallback)
		rung_call(routes->fallback, env, res);
	else if (!clean)
		return rung_reply_empty(res, 400);
	else
		return rung_reply_not_found(res);
	return 0;
}

static int routes_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct routes *routes = (const struct routes *)self;
	const char *path = *env->path_info ? env->path_info : "/";
	struct rung_match match;
	bool clean = env->is_plain_path_ || rung_path_is_clean(path);

	rung_match_clear(&match);
	if (*path == '*')
		rung_tree_methods(routes->tree, &match);
	else if (routes->has_routes && clean)
		rung_tree_find(routes->tree, env->method, path, &match);
	if (!match.route)
		return take_rest(routes, &match, env, res, clean);
	rung_match_run(&match, env, res);
	return 0;
}

/* Finds what will answer, as routes_call() does. Where that is the table itself (404, 405), no body is wanted. */
static bool routes_admit(const struct rung_app *self, struct rung_env *env, struct rung_admission *admission)
{
	const struct routes *routes = (const struct routes *)self;
	const char *path = *env->path_info ? env->path_info : "/";
	struct rung_match match;

	rung_match_clear(&match);
	if (*path != '*' && routes->has_routes && rung_path_is_clean(path))
		rung_tree_find(routes->tree, env->method, path, &match);
	if (match.route)
		return rung_route_admit(match.route, env, admission);
	if (match.allow_count)
		return false;
	const char *rest;
	const struct rung_mount_app *mount = find_mount(routes, env, &rest);
	if (mount)
		return rung_mount_admit(mount, env, admission, rest);
	return routes->fallback && rung_admit(routes->fallback, env, admission);
}

/* -- making ------------------------------------------------------------------------------------------------------ */

static int routes_children(struct rung_app *app, rung_visit_fn visit, void *data)
{
	struct routes *routes = (struct routes *)app;
	int rc = 0;

	for (size_t i = 0; i < routes->part_count && rc == 0; i++) {
		struct rung_app *part = routes->parts[i];
		const struct rung_route *route = (const struct rung_route *)part;

		if (part->class_ == &rung_route_class) {
			char label[160];

			snprintf(label, sizeof label, "%s %s", route->method ? route->method : "any",
				route->pattern);
			rc = visit(part, label, data);
		} else if (part->class_ == &rung_mount_class) {
			rc = visit(part, ((const struct rung_mount_app *)part)->place, data);
		} else {
			rc = visit(part, "otherwise", data);
		}
	}
	return rc;
}

static void routes_destroy(struct rung_app *app)
{
	struct routes *routes = (struct routes *)app;

	for (size_t i = 0; i < routes->part_count; i++)
		rung_drop(routes->parts[i]);
	rung_tree_destroy(routes->tree);
	free(routes->parts);
	free(routes->mounts);
}

static const struct rung_app_class routes_class = {
	.size = sizeof(struct routes),
	.name = "routes",
	.flags = RUNG_ENDPOINT,
	.call = routes_call,
	.admit = routes_admit,
	.destroy = routes_destroy,
	.children = routes_children,
};

static int compare_mounts(const void *a, const void *b)
{
	const struct rung_mount_app *left = *(struct rung_mount_app *const *)a;
	const struct rung_mount_app *right = *(struct rung_mount_app *const *)b;
	size_t left_host = left->host ? strlen(left->host) + (left->port != 0) : 0;
	size_t right_host = right->host ? strlen(right->host) + (right->port != 0) : 0;
	size_t left_path = strlen(left->location), right_path = strlen(right->location);

	if (left_host != right_host)
		return left_host > right_host ? -1 : 1;
	return left_path == right_path ? 0 : left_path > right_path ? -1 : 1;
}

static bool same_place(const struct rung_mount_app *a, const struct rung_mount_app *b)
{
	bool same_host = a->host && b->host ? strcmp(a->host, b->host) == 0 : a->host == b->host;

	return same_host && a->port == b->port && strcmp(a->location, b->location) == 0;
}

static int add_mount(struct routes *routes, struct rung_mount_app *mount)
{
	for (size_t i = 0; i < routes->mount_count; i++)
		if (same_place(routes->mounts[i], mount))
			return rung_refuse(
				-EINVAL, "routes: two mounts at %s; drop one of them", mount->place);
	routes->mounts[routes->mount_count++] = mount;
	return 0;
}

static int add_part(struct routes *routes, struct rung_app *part, bool is_last)
{
	if (part->class_ == &rung_route_class) {
		routes->has_routes = true;
		return rung_tree_add(routes->tree, (struct rung_route *)part);
	}
	if (part->class_ == &rung_mount_class)
		return add_mount(routes, (struct rung_mount_app *)part);
	if (!rung_app_is_closed(part))
		return rung_refuse(-EINVAL, "routes: %s is a layer; wrap what it is for with rung_stack()",
			rung_app_name(part));
	if (!is_last)
		return rung_refuse(-EINVAL,
			"routes: %s takes every path, so what follows it is never reached; put it last, or give it a "
			"place with rung_mount()",
			rung_app_name(part));
	routes->fallback = part;
	return 0;
}

/* Takes over the references of the list. */
static struct routes *make(struct rung_app *const *list, size_t count)
{
	struct routes *routes = rung_app_new(&routes_class);

	if (!routes)
		return NULL;
	routes->tree = rung_tree_new();
	routes->parts = calloc(count, sizeof(struct rung_app *));
	routes->mounts = calloc(count, sizeof(struct rung_mount_app *));
	if (!routes->tree || !routes->parts || !routes->mounts) {
		rung_refuse(-ENOMEM, "routes: out of memory");
		rung_app_destroy(&routes->app);
		return NULL;
	}
	memcpy(routes->parts, list, count * sizeof(struct rung_app *));
	routes->part_count = count;
	return routes;
}

struct rung_app *rung_routes_new(struct rung_app *const *list)
{
	size_t count = 0;
	int rc = 0;

	while (list[count] != &rung_end_)
		count++;
	if (count == 0) {
		rung_refuse(-EINVAL, "routes: there is none; give at least one");
		return NULL;
	}
	if (rung_take_all(list, sizeof *list, count, "routes") < 0)
		return NULL;
	struct routes *routes = make(list, count);
	if (!routes) {
		for (size_t i = 0; i < count; i++)
			rung_drop(list[i]);
		return NULL;
	}
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = add_part(routes, list[i], i + 1 == count);
	if (rc < 0) {
		rung_app_destroy(&routes->app);
		return NULL;
	}
	qsort(routes->mounts, routes->mount_count, sizeof(struct rung_mount_app *), compare_mounts);
	return &routes->app;
}
