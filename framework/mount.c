/* mount.c: an app below a prefix, for every host or for one. Rack: Rack::URLMap. */
#include "route.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One "/" of the location matches one or more of the path, as Rack::URLMap has it. */
const char *rung_mount_match(const struct rung_mount_app *mount, const char *path)
{
	const char *location = mount->location;

	while (*location) {
		size_t size = strcspn(++location, "/");

		if (*path != '/')
			return NULL;
		path += strspn(path, "/");
		size_t raw = strcspn(path, "/");
		if (!rung_segment_is(path, raw, location, size))
			return NULL;
		location += size;
		path += raw;
	}
	return path;
}

/* What the inner app sees. NULL: out of memory. */
static struct rung_env *make_view(const struct rung_mount_app *mount, struct rung_env *env, const char *rest)
{
	if (!*mount->location)
		return env;
	struct rung_env *view = rung_env_copy(env);
	const char *script = view ? rung_printf(env, "%s%s", env->script_name, mount->location) : NULL;
	if (!script)
		return NULL;
	view->script_name = script;
	view->path_info = rest;
	return view;
}

void rung_mount_run(
	const struct rung_mount_app *mount, struct rung_env *env, struct rung_response *res, const char *rest)
{
	struct rung_env *view = make_view(mount, env, rest);

	if (view)
		rung_call(mount->inner, view, res);
	else
		rung_response_stick(res, -ENOMEM);
}

/* Without memory for the view the answer will be 503, and needs no body. */
bool rung_mount_admit(const struct rung_mount_app *mount, struct rung_env *env,
	struct rung_admission *admission, const char *rest)
{
	struct rung_env *view = make_view(mount, env, rest);

	return view && rung_admit(mount->inner, view, admission);
}

static bool mount_admit(const struct rung_app *self, struct rung_env *env, struct rung_admission *admission)
{
	const struct rung_mount_app *mount = (const struct rung_mount_app *)self;
	const char *rest = rung_mount_match(mount, env->path_info);

	return rest && rung_mount_admit(mount, env, admission, rest);
}

/* A mount that stands by itself, outside rung_routes(), knows nothing of other hosts and looks at the path alone. */
static int mount_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct rung_mount_app *mount = (const struct rung_mount_app *)self;
	const char *rest = rung_mount_match(mount, env->path_info);

	if (!rest)
		return rung_reply_not_found(res);
	rung_mount_run(mount, env, res, rest);
	return 0;
}

static int mount_children(struct rung_app *app, rung_visit_fn visit, void *data)
{
	return visit(((struct rung_mount_app *)app)->inner, "", data);
}

static void mount_destroy(struct rung_app *app)
{
	struct rung_mount_app *mount = (struct rung_mount_app *)app;

	rung_drop(mount->inner);
	free(mount->place);
	free(mount->host);
	free(mount->location);
}

const struct rung_app_class rung_mount_class = {
	.size = sizeof(struct rung_mount_app),
	.name = "mount",
	.flags = RUNG_ENDPOINT | RUNG_UNNAMED,
	.call = mount_call,
	.admit = mount_admit,
	.destroy = mount_destroy,
	.children = mount_children,
};

/* -- making ------------------------------------------------------------------------------------------------------ */

static int set_host(struct rung_mount_app *mount, const char *authority, size_t size)
{
	struct rung_slice host, port;

	if (rung_uri_parse_authority(authority, size, &host, &port) < 0)
		return rung_refuse(
			-EINVAL, "mount: \"%s\" has no valid host; write http://host/path", mount->place);
	mount->host = strndup(host.at, host.size);
	if (!mount->host)
		return rung_refuse(-ENOMEM, "mount: out of memory");
	for (char *at = mount->host; *at; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at | 0x20);
	mount->port = port.size ? (unsigned)atoi(port.at) : 0;
	return 0;
}

static int set_place(struct rung_mount_app *mount)
{
	const char *at = mount->place;
	int rc = 0;

	if (strncmp(at, "http://", 7) == 0 || strncmp(at, "https://", 8) == 0) {
		at = strstr(at, "://") + 3;
		size_t size = strcspn(at, "/");

		rc = set_host(mount, at, size);
		at += size;
	}
	if (rc < 0)
		return rc;
	if (*at && *at != '/')
		return rung_refuse(-EINVAL, "mount: \"%s\" is no place; start it with \"/\" or http://host",
			mount->place);
	size_t size = strlen(at);
	while (size && at[size - 1] == '/')
		size--;
	mount->location = strndup(at, size);
	if (!mount->location)
		return rung_refuse(-ENOMEM, "mount: out of memory");
	if (strstr(mount->location, "//"))
		return rung_refuse(
			-EINVAL, "mount: \"%s\" has an empty segment; write one slash", mount->place);
	return 0;
}

struct rung_app *rung_mount(const char *place, struct rung_app *app)
{
	if (rung_take(app, "mount") < 0)
		return NULL;
	struct rung_mount_app *mount = rung_app_new(&rung_mount_class);
	if (!mount) {
		rung_drop(app);
		return NULL;
	}
	mount->inner = app;
	mount->place = strdup(place ? place : "(NULL)");
	if (mount->place && set_place(mount) == 0)
		return &mount->app;
	if (!mount->place)
		rung_refuse(-ENOMEM, "mount: out of memory");
	rung_app_destroy(&mount->app);
	return NULL;
}
