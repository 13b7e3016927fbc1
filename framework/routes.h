/*
 * routes.h: which app answers which method and path.
 *
 * Routes and mounts stand together in one app. A route's pattern is a path of segments: literal, `:name` (one
 * non-empty segment) or, last, `*name` (the rest, may be empty). Matching is on the raw path, segment by segment,
 * each decoded once; at every segment a literal is preferred to `:name`, that to `*name`, and any route to a mount.
 * When the path matches but no method does: 405 with Allow. HEAD is served by a GET route (the body is dropped by
 * whoever sends it), OPTIONS answered from the table unless a route takes it.
 *
 * A mount gives everything below a prefix to another app (Rack::URLMap): "/x", or "http://host/x" for one host. Hosts
 * are tried before no host, then the longest prefix wins, on segment borders, where one slash of the prefix matches
 * several; script_name grows by the prefix, path_info keeps the rest. A mount without host does not apply to a
 * Host that another mount names, unless it is also where this process listens.
 *
 * An app that is neither, given last, takes what is left.
 *
 * What nobody takes is 404 with the pass mark. A bad escape or %00 in a segment that is looked at is 400.
 */
#pragma once

#include <rung/api.h>
#include <rung/app.h>

RUNG_BEGIN

struct rung_route_options {
	size_t size;
	const char *method;        /* a token; NULL: every method */
	const char *path;          /* positional in the macros */
	rung_call_fn call;         /* positional in the macros */
	struct rung_app *app;      /* instead of call: an endpoint or stack; its reference is taken */
	const void *data;          /* given back by rung_data(self) */
	void (*free_data)(void *); /* called with data when the route goes; NULL: data is not owned */
	int64_t body_limit; /* bytes of request body, also above the server's own limit; more: 413; 0: the server's;
			     * RUNG_UNLIMITED: whatever comes */
	/* The handler runs when the head is there and reads the body as it comes, by rung_input_read(). It waits for it, so a
	 * server of such a route has workers. */
	bool stream_input;
};

/* A route. By itself it is an endpoint that answers 404, 405 and OPTIONS as routes do. Returns NULL, with a message for
 * rung_error(), for a bad pattern, method, or neither or both of call and app. Strings are copied. */
RUNG_API RUNG_MUST_USE struct rung_app *rung_route_new(const struct rung_route_options *options);
#define rung_route(method_, ...)                           \
	rung_route_new(&(const struct rung_route_options){ \
		.size = sizeof(struct rung_route_options), .method = (method_), __VA_ARGS__ })
#define rung_get(...)    rung_route("GET", __VA_ARGS__)
#define rung_post(...)   rung_route("POST", __VA_ARGS__)
#define rung_put(...)    rung_route("PUT", __VA_ARGS__)
#define rung_patch(...)  rung_route("PATCH", __VA_ARGS__)
#define rung_delete(...) rung_route("DELETE", __VA_ARGS__)
#define rung_any(...)    rung_route(NULL, __VA_ARGS__)

/* A mount at "/x", "http://host/x" or "http://host" (any port unless one is given). A slash at the end is dropped;
 * "/" or a bare host takes every path. Returns NULL as above. Takes the app's reference, also on failure. */
RUNG_API RUNG_MUST_USE struct rung_app *rung_mount(const char *place, struct rung_app *app);

/* The app of routes, mounts and at most one other app, last. Returns NULL, with a message, when a part is NULL, two
 * routes have the same method and pattern, or two mounts the same place. */
RUNG_API RUNG_MUST_USE struct rung_app *rung_routes_new(struct rung_app *const *routes);
#define rung_routes(...) rung_routes_new((struct rung_app *const[]){ __VA_ARGS__, &rung_end_ })

RUNG_END
