/* names.h: which app stands for which authority, so that http://files.internal/x reaches an app of this process. */
#pragma once

#include <rung/api.h>
#include <rung/app.h>

RUNG_BEGIN

struct rung_names;

/* authority: a host, with ":port" if only that port is meant: "files.internal", "127.0.0.1:9000", "[::1]:80". A name
 * without a port stands for the default ports of http and https. Case does not count. */
struct rung_name {
	const char *authority;
	struct rung_app *app;
};

/*
 * Makes a table. Returns NULL, with a message for rung_error(), when the list is empty, an authority is bad or
 * stands twice, or an app is NULL or open; whoever is then given the NULL refuses it in turn.
 * Ownership: takes a reference of each app, also on failure. The authorities are copied.
 */
RUNG_API RUNG_MUST_USE struct rung_names *rung_names_new(const struct rung_name *names, size_t count);
#define rung_names(...)                                           \
	rung_names_new((const struct rung_name[]){ __VA_ARGS__ }, \
		sizeof((const struct rung_name[]){ __VA_ARGS__ }) / sizeof(struct rung_name))

/* Drops the table and its reference of each app. NULL does nothing. */
RUNG_API void rung_names_destroy(struct rung_names *names);

/*
 * The app for a host and port (0: none was written) under a scheme, or NULL. `host` need not be in lower case.
 * A default port that is written out, such as http://h:80/, is the same as none.
 */
RUNG_API struct rung_app *rung_names_find(const struct rung_names *names, const char *scheme,
	const char *host, size_t host_size, unsigned port);

/* Tells `visit` each app with its authority as label, for a class's `children`. NULL names are no names. */
RUNG_API int rung_names_visit(const struct rung_names *names, rung_visit_fn visit, void *data);

RUNG_END
