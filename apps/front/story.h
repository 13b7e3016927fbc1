/*
 * story.h: private: what became of a request, told in one line:
 *
 *	127.0.0.1 GET /d/a.txt: app 200, X-Accel-Redirect: /files/a.txt -> /srv/files/a.txt => 200, 512 bytes, 3 ms
 *
 * Three layers look on: one around everything, one around the app, one around what fetches from elsewhere. And a page, where the
 * app or a target gave none, that says how to mend it.
 */
#pragma once

#include <rung/app.h>

/* A place of --internal: a location of nginx and what is there. */
struct internal {
	const char *path;   /* "/files/", "= /exact", "@name" */
	const char *folder; /* NULL: not a folder */
	const char *pass;   /* NULL: a folder */
};

/* What the layers tell of. Strings and lists outlive the stack. */
struct front {
	const char *backend; /* NULL: the demonstration */
	const struct internal *internals;
	size_t internal_count;
	bool has_locations; /* the server that is emulated knows them */
};

struct rung_app *story_whole(const struct front *front);
struct rung_app *story_of_app(const struct front *front);
struct rung_app *story_of_target(const struct front *front);
