/* route.h: private: routes, mounts and the tree that finds them. */
#pragma once

#include "app_record.h"
#include "request.h"
#include <rung/routes.h>

enum { RUNG_MAX_PARAMS = 16 }; /* of one pattern */

struct rung_route {
	struct rung_app app; /* by itself: matches its own pattern */
	const char *method;  /* NULL: every one; rung_known_method()'s where there is one */
	char *own_method;    /* what method points at, if it is the route's */
	char *pattern;
	struct rung_app *inner; /* what answers: the route's .app, or one made of its .call */
	bool is_function;       /* inner was made of .call */
	int64_t body_limit;     /* bytes; 0: none of its own */
	bool stream_input;
	const char *params[RUNG_MAX_PARAMS]; /* names, pointing into param_names */
	char *param_names;
	unsigned param_count;
	struct rung_tree *tree; /* of this route alone, for when it stands by itself */
};

struct rung_mount_app {
	struct rung_app app;
	char *place;    /* as given, for messages */
	char *host;     /* lower case, without port; NULL: every host */
	unsigned port;  /* 0: every one */
	char *location; /* "" or "/x/y" */
	struct rung_app *inner;
};

extern const struct rung_app_class rung_route_class;
extern const struct rung_app_class rung_mount_class;

/* Answers for a mount: shows `inner` the request below the location. `rest` is what the location left of the path. */
void rung_mount_run(const struct rung_mount_app *mount, struct rung_env *env, struct rung_response *res,
	const char *rest);

/* The same, of admission. */
bool rung_mount_admit(const struct rung_mount_app *mount, struct rung_env *env,
	struct rung_admission *admission, const char *rest);

/* The route's word on a body, and what is inside it. */
bool rung_route_admit(const struct rung_route *route, struct rung_env *env, struct rung_admission *admission);

/* What the location leaves of the path ("" or "/..."), or NULL when the path is not below it. */
const char *rung_mount_match(const struct rung_mount_app *mount, const char *path);

/* -- the tree ------------------------------------------------------------------------------------------------ */

struct rung_tree;

struct rung_tree *rung_tree_new(void);
void rung_tree_destroy(struct rung_tree *tree);

/* Adds a route by its pattern; the tree borrows it. Returns 0; -EINVAL, refused, when it is there already; -ENOMEM. */
int rung_tree_add(struct rung_tree *tree, const struct rung_route *route);

/* What became of a search. Start with rung_match_clear(): the arrays need no clearing. */
struct rung_match {
	const struct rung_route *route; /* that answers, or NULL */
	struct rung_slice captures[RUNG_MAX_PARAMS];
	unsigned capture_count;
	unsigned allow_count; /* the path was found under other methods: these, each once */
	const char *allow[16];
};

static inline void rung_match_clear(struct rung_match *match)
{
	match->route = NULL;
	match->capture_count = match->allow_count = 0;
}

/* Finds the route for a method and a path that begins with "/" and has only good escapes. */
void rung_tree_find(
	const struct rung_tree *tree, const char *method, const char *path, struct rung_match *match);

/* Every method in the tree, for OPTIONS *. */
void rung_tree_methods(const struct rung_tree *tree, struct rung_match *match);

/* Calls the matched route with its params. */
void rung_match_run(const struct rung_match *match, struct rung_env *env, struct rung_response *res);

/* Calls the matched route with its params, or answers OPTIONS or 405; false when the path was not found at all. */
bool rung_match_answer(const struct rung_match *match, struct rung_env *env, struct rung_response *res);

/* False for a "%" without two hex digits and for %00. */
bool rung_path_is_clean(const char *path);

bool rung_segment_means(const char *raw, size_t raw_size, const char *literal, size_t literal_size);

/* True when a raw segment means the same bytes as a literal one once its escapes are decoded. */
static inline bool rung_segment_is(const char *raw, size_t raw_size, const char *literal, size_t literal_size)
{
	if (raw_size != literal_size)
		return raw_size > literal_size && rung_segment_means(raw, raw_size, literal, literal_size);
	/* The same bytes mean less if there is an escape among them: "%41" is "A". */
	return rung_same_bytes(raw, literal, raw_size) && (raw_size < 3 || !memchr(raw, '%', raw_size));
}

/* 404 and "not mine". */
int rung_reply_not_found(struct rung_response *res);
