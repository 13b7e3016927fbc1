/* story.c: what became of a request. See story.h. */
#include "story.h"

#include "../page.h"

#include <rung/body.h>
#include <rung/env.h>
#include <rung/response.h>
#include <rung/writer.h>

#include <errno.h>
#include <string.h>
#include <time.h>

enum { MOST_STEPS = 5 };

/* Of one request, in its memory. */
struct story {
	const struct front *front;
	struct timespec begin;
	struct rung_writer told;
	const char *location;    /* of nginx, that was asked for last; NULL: none */
	const char *wish;        /* what was asked for last, "X-Reproxy-Url: http://..."; NULL: nothing */
	const char *app_failure; /* why the app did not answer; NULL: it did */
	int last_status;         /* of app or target */
	unsigned steps;          /* that were told */
};

static const struct rung_key story_key = { .name = "front.story" };

/* -- what app and target say ------------------------------------------------------------------------------------- */

/* Fields by which an app asks a server for something. */
static const char *const wishes[] = { "X-Accel-Redirect", "X-Reproxy-Url", "X-Reproxy-File",
	"X-Reproxy-Service", "X-Sendfile", "X-Rewrite-URI", "X-Rewrite-Host", "X-Rewrite-Backend", NULL };

static void tell_wishes(struct story *story, const struct rung_env *env, const struct rung_response *res)
{
	story->location = NULL;
	for (const char *const *name = wishes; *name; name++) {
		const char *value = rung_header_get(res, *name);

		if (!value)
			continue;
		rung_writef(&story->told, ", %s: %.1000s", *name, value);
		story->wish = rung_printf(env, "%s: %.1000s", *name, value);
		if (name == wishes)
			story->location = rung_strndup(env, value, strlen(value));
	}
}

/* What goes round in circles is told by its beginning. */
static bool has_room(struct story *story)
{
	if (story->steps++ == MOST_STEPS)
		rung_write(&story->told, " -> ...");
	return story->steps <= MOST_STEPS;
}

/* The last failure, if this response is the framework's own for it. */
static const char *failure_of(const struct rung_env *env, const struct rung_response *res)
{
	const struct rung_failure *failure = rung_failure(env);

	return failure && failure->err && res->status >= 500 && res->kind == RUNG_BODY_EMPTY
		       ? failure->message
		       : NULL;
}

static int app_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct story *story = rung_env_get(env, &story_key);

	rung_next(self, env, res);
	if (!story)
		return 0;
	const char *why = failure_of(env, res);
	story->app_failure = why;
	story->last_status = res->status;
	story->wish = NULL;
	if (!has_room(story))
		return 0;
	rung_write(&story->told, story->told.size ? " -> app " : ": app ");
	if (env->hop)
		rung_writef(&story->told, "%s %s%s ", env->method, env->script_name, env->path_info);
	if (why)
		rung_writef(&story->told, "does not answer (%.300s)", why);
	else
		rung_writef(&story->told, "%d", res->status);
	tell_wishes(story, env, res);
	return 0;
}

static int target_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct story *story = rung_env_get(env, &story_key);

	rung_next(self, env, res);
	if (!story)
		return 0;
	const char *why = failure_of(env, res);
	story->last_status = res->status;
	if (!has_room(story))
		return 0;
	rung_writef(&story->told, " -> %s %s://%s%s%s%.1000s%s%.1000s", env->method, env->scheme, env->host,
		env->script_name, *env->path_info ? "" : "/", env->path_info, *env->query ? "?" : "",
		env->query);
	if (why)
		rung_writef(&story->told, " does not answer (%.300s)", why);
	else
		rung_writef(&story->told, " %d", res->status);
	tell_wishes(story, env, res);
	return 0;
}

/* -- the line ---------------------------------------------------------------------------------------------------- */

/* The internal location that stands for a path, as nginx chooses it: the exact one, else the longest beginning. */
static const struct internal *find_internal(const struct front *front, const char *path)
{
	const struct internal *best = NULL;

	for (size_t i = 0; i < front->internal_count; i++) {
		const struct internal *at = &front->internals[i];
		size_t size = strlen(at->path);

		if (*at->path == '=' && strcmp(at->path + 2, path) == 0)
			return at;
		if (*at->path != '=' && strncmp(at->path, path, size) == 0 &&
			(!best || size > strlen(best->path)))
			best = at;
	}
	return best;
}

/* A file that came from a folder passed no layer, so it is told by where the location leads. */
static void tell_file(struct story *story)
{
	if (!story->location || !story->front->has_locations)
		return;
	const struct internal *at = find_internal(story->front, story->location);
	if (at && at->folder)
		rung_writef(&story->told, " -> %s/%.1000s", at->folder, story->location + strlen(at->path));
	else if (!at && *story->location == '@')
		rung_write(&story->told, " (no --internal location)");
}

static void tell_end(const struct rung_env *env, const struct rung_finish *finish, void *data)
{
	static const char *const outcomes[] = {
		[RUNG_SENT] = "", [RUNG_ABORTED] = ", the client left", [RUNG_BROKEN] = ", broken off"
	};
	struct story *story = data;
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	double ms = (double)(end.tv_sec - story->begin.tv_sec) * 1e3 +
		    (double)(end.tv_nsec - story->begin.tv_nsec) / 1e6;
	rung_log(env, RUNG_LOG_ACCESS, "%s %s %s%s%.1000s%s%.1000s%s => %d, %lld bytes, %.1f ms%s",
		rung_remote_address(env), env->method, env->script_name,
		*env->script_name || *env->path_info ? "" : "/", env->path_info, *env->query ? "?" : "",
		env->query, story->told.size ? story->told.text : "", finish->status,
		(long long)(finish->bytes > 0 ? finish->bytes : 0), ms, outcomes[finish->outcome]);
}

/* -- the page ---------------------------------------------------------------------------------------------------- */

/* An error that is the server's own: nobody gave a body to it, nor this very status. */
static bool is_own(const struct story *story, const struct rung_response *res, const char *why)
{
	return res->kind == RUNG_BODY_EMPTY && res->status >= 400 &&
	       (why || res->status != story->last_status);
}

static const char *first_words(struct rung_env *env, const struct story *story)
{
	if (story->app_failure)
		return rung_printf(
			env, "front forwards to %s, and that did not answer.", story->front->backend);
	if (story->wish)
		return rung_printf(env,
			"The app asked for %s, and the server that is emulated would answer so, too:",
			story->wish);
	return "The server that is emulated answers so itself; the app was not asked.";
}

static const char *last_words(const struct story *story, int status)
{
	if (story->app_failure && status == 504)
		return "It runs, but takes too long, or waits for something itself.";
	if (story->app_failure)
		return "Start it there and reload this page, or say where it is: apps/run front --backend http://127.0.0.1:PORT";
	return "The log of front tells what became of the request.";
}

static int reply_page(
	struct rung_env *env, struct rung_response *res, const struct story *story, const char *why)
{
	const char *accept = rung_request_header(env, "Accept");
	bool is_html = accept &&
		       rung_accept_quality(accept, "text/html") > rung_accept_quality(accept, "text/plain");
	const char *first = first_words(env, story), *last = last_words(story, res->status);
	struct rung_writer page = rung_writer(env);

	if (!first)
		return -ENOMEM;
	if (is_html) {
		rung_write(&page, story->app_failure ? PAGE("The app does not answer")
						     : PAGE("The server's own answer"));
		rung_write(&page, "<p>");
		rung_write_html(&page, first);
		rung_writef(&page, "\n<pre>%d%s", res->status, why ? ": " : "");
		rung_write_html(&page, why ? why : "");
		rung_write(&page, "</pre>\n<p>");
		rung_write_html(&page, last);
		rung_write(&page, "\n");
	} else {
		rung_writef(&page, "%d: %s\n\n%s%s%s%s\n", res->status, first, why ? "  " : "",
			why ? why : "", why ? "\n\n" : "", last);
	}
	rung_header_remove(res, "Content-Length");
	rung_header_static(res, "Cache-Control", "no-store");
	return rung_reply_written(
		res, res->status, is_html ? "text/html; charset=utf-8" : "text/plain; charset=utf-8", &page);
}

/* -- the layers -------------------------------------------------------------------------------------------------- */

static int whole_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct story *story = rung_alloc(env, sizeof *story);

	if (!story)
		return -ENOMEM;
	*story = (struct story){ .front = rung_data(self), .told = rung_writer(env) };
	clock_gettime(CLOCK_MONOTONIC, &story->begin);
	if (rung_env_set(env, &story_key, story) < 0 || rung_on_finish(env, tell_end, story) < 0)
		return -ENOMEM;
	rung_next(self, env, res);
	tell_file(story);
	const char *why = failure_of(env, res);
	return is_own(story, res, why) ? reply_page(env, res, story, why) : 0;
}

struct rung_app *story_whole(const struct front *front)
{
	return rung_use(whole_call, .name = "story", .data = front);
}

struct rung_app *story_of_app(const struct front *front)
{
	return rung_use(app_call, .name = "story of the app", .data = front);
}

struct rung_app *story_of_target(const struct front *front)
{
	return rung_use(target_call, .name = "story of a target", .data = front);
}
