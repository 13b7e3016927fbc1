/*
 * inspect.c: remembers the last requests and shows them. See inspect.h.
 *
 * A request becomes JSON in its own memory when its answer was sent; what is kept is one block a request, in a ring. The
 * page asks for what is newer than what it has, so a poll that finds nothing new costs next to nothing.
 */
#include "assets.h"
#include "entry.h"
#include <rung/inspect.h>

#include <rung/headers.h>
#include <rung/response.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	DEFAULT_KEEP = 100,
	MOST_KEEP = 10000,
	MOST_ENTRY = 65536,    /* bytes of one request: what would be more is kept without its fields */
	MOST_ANSWER = 1 << 20, /* bytes of a list, or one entry more: who asks goes on where it ends */
};

#define PLACE "/_rung"

/* One remembered request: the inside of a JSON object. */
struct entry {
	unsigned long long id; /* counts up from 1; 0: none */
	size_t size;
	char text[];
};

struct inspect {
	struct rung_app app;
	struct trace_recorder recorder;
	unsigned keep;
	bool allow_public;
	pthread_mutex_t lock; /* of what follows */
	unsigned long long last;
	struct entry **ring; /* entry `id` is at id % keep */
};

/* A request under way. */
struct watched {
	struct inspect *inspect;
	struct trace_record *record;
	struct timespec when;
	const char *fields; /* of the answer, NULL before it is there */
};

/* -- remembering ---------------------------------------------------------------------------------------------------- */

static void keep(struct inspect *inspect, struct entry *entry)
{
	pthread_mutex_lock(&inspect->lock);
	entry->id = ++inspect->last;
	struct entry **place = &inspect->ring[entry->id % inspect->keep];
	struct entry *old = *place;
	*place = entry;
	pthread_mutex_unlock(&inspect->lock);
	free(old);
}

/* Without memory the request is not in the list; it has been answered all the same. */
static void remember(const struct rung_env *env, const struct rung_finish *finish, void *data)
{
	const struct watched *watched = data;
	struct rung_writer writer = rung_writer(env);

	rung_trace_write_entry(&writer, env, watched->record, finish, &watched->when, watched->fields, false);
	if (writer.size > MOST_ENTRY) {
		writer = rung_writer(env);
		rung_trace_write_entry(&writer, env, watched->record, finish, &watched->when, NULL, true);
	}
	struct entry *entry = writer.error ? NULL : malloc(sizeof *entry + writer.size);
	if (!entry)
		return;
	entry->size = writer.size;
	memcpy(entry->text, writer.text, writer.size);
	keep(watched->inspect, entry);
}

static void note_fields(struct rung_env *env, struct rung_response *res, void *data)
{
	struct watched *watched = data;
	struct rung_writer writer = rung_writer(env);

	rung_trace_write_fields(&writer, res);
	watched->fields = writer.error ? NULL : writer.text;
}

/* The hooks run in reverse order of their making, so ours, made first, see the end. */
static struct watched *watch(struct inspect *inspect, struct rung_env *env)
{
	struct watched *watched = rung_alloc(env, sizeof *watched);

	if (!watched)
		return NULL;
	*watched =
		(struct watched){ .inspect = inspect, .record = rung_trace_begin(&inspect->recorder, env) };
	clock_gettime(CLOCK_REALTIME, &watched->when);
	if (!watched->record || rung_on_finish(env, remember, watched) < 0 ||
		rung_on_response(env, note_fields, watched) < 0)
		return NULL;
	return watched;
}

/* -- the page ------------------------------------------------------------------------------------------------------- */

static int reply_asset(struct rung_response *res, const char *type, const unsigned char *bytes, size_t size)
{
	rung_header_static(res, "Content-Security-Policy",
		"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
		"frame-ancestors 'none'; base-uri 'none'; form-action 'none'");
	rung_header_static(res, "X-Content-Type-Options", "nosniff");
	rung_header_static(res, "Referrer-Policy", "no-referrer");
	rung_header_static(res, "Cache-Control", "no-store");
	rung_header_static(res, "Content-Type", type);
	res->status = 200;
	return rung_body_static(res, bytes, size);
}

/* The last entry of an answer that begins behind `since`. */
static unsigned long long end_of_answer(const struct inspect *inspect, unsigned long long since)
{
	size_t size = 0;

	while (since < inspect->last && size < MOST_ANSWER)
		size += inspect->ring[++since % inspect->keep]->size;
	return since;
}

/* What is newer than `since`, and still there, oldest first. */
static int reply_list(struct inspect *inspect, struct rung_env *env, struct rung_response *res)
{
	struct rung_writer writer = rung_writer(env);
	unsigned long long since = 0;

	if (strncmp(env->query, "since=", 6) == 0)
		since = strtoull(env->query + 6, NULL, 10);
	pthread_mutex_lock(&inspect->lock);
	/* From another life of this process: the page begins anew. */
	if (since > inspect->last)
		since = 0;
	if (inspect->last > inspect->keep && since < inspect->last - inspect->keep)
		since = inspect->last - inspect->keep;
	unsigned long long last = end_of_answer(inspect, since);
	rung_writef(&writer, "{\"last\":%llu,\"keep\":%u,\"requests\":[", last, inspect->keep);
	for (unsigned long long id = since + 1; id <= last; id++) {
		const struct entry *entry = inspect->ring[id % inspect->keep];

		rung_writef(&writer, "%s{\"id\":%llu,", id > since + 1 ? "," : "", id);
		rung_write_bytes(&writer, entry->text, entry->size);
		rung_write(&writer, "}");
	}
	pthread_mutex_unlock(&inspect->lock);
	rung_write(&writer, "]}\n");
	rung_header_static(res, "Cache-Control", "no-store");
	rung_header_static(res, "X-Content-Type-Options", "nosniff");
	return rung_reply_written(res, 200, "application/json", &writer);
}

/* Loopback's names, with any port. A name that somebody else's DNS points here is none of them: so no page of his reads
 * ours through the visitor's browser. */
static bool is_local_host(const char *host)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };
	size_t size = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (size == strlen(names[i]) && strncasecmp(host, names[i], size) == 0)
			return true;
	return size > 10 && strncasecmp(host + size - 10, ".localhost", 10) == 0;
}

/* A proxy on this machine makes strangers look local. One that was told nothing, as nginx, says nothing of whom it asks for;
 * but it asks in HTTP/1.0, as no browser does. */
static bool came_by_proxy(const struct rung_env *env)
{
	static const char *const names[] = { "Forwarded", "X-Real-IP", "Via", "X-Client-IP",
		"CF-Connecting-IP", "True-Client-IP" };
	const struct rung_field *field;

	for (size_t i = 0; (field = rung_request_field(env, i)); i++) {
		if (strncasecmp(field->name, "X-Forwarded", 11) == 0)
			return true;
		for (size_t j = 0; j < sizeof names / sizeof *names; j++)
			if (rung_names_equal(field->name, names[j]))
				return true;
	}
	return strcmp(env->protocol, "HTTP/1.0") == 0;
}

static int reply_page(struct inspect *inspect, struct rung_env *env, struct rung_response *res)
{
	const char *path = env->path_info + strlen(PLACE);

	if (!inspect->allow_public && (!is_local_host(env->host) || came_by_proxy(env)))
		return rung_reply_text(res, 403,
			"The inspector answers on this machine alone: ask for http://localhost, without a proxy.\n");
	if (strcmp(env->method, "GET") != 0 && strcmp(env->method, "HEAD") != 0) {
		rung_header_static(res, "Allow", "GET, HEAD");
		return rung_reply_empty(res, 405);
	}
	if (!*path)
		return rung_reply_redirect(res, 301, "." PLACE "/");
	if (strcmp(path, "/") == 0)
		return reply_asset(res, "text/html; charset=utf-8", rung_trace_inspect_html,
			rung_trace_inspect_html_size);
	if (strcmp(path, "/inspect.css") == 0)
		return reply_asset(
			res, "text/css; charset=utf-8", rung_trace_inspect_css, rung_trace_inspect_css_size);
	if (strcmp(path, "/inspect.js") == 0)
		return reply_asset(res, "text/javascript; charset=utf-8", rung_trace_inspect_js,
			rung_trace_inspect_js_size);
	if (strcmp(path, "/requests.json") == 0)
		return reply_list(inspect, env, res);
	return rung_reply_empty(res, 404);
}

/* -- the layer ------------------------------------------------------------------------------------------------------ */

static bool is_ours(const char *path)
{
	size_t size = strlen(PLACE);

	return strncmp(path, PLACE, size) == 0 && (path[size] == '/' || !path[size]);
}

static int inspect_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct inspect *inspect = (struct inspect *)(uintptr_t)self;

	if (is_ours(env->path_info))
		return reply_page(inspect, env, res);
	struct watched *watched = watch(inspect, env);
	if (!watched)
		return -ENOMEM;
	rung_next(self, env, res);
	rung_trace_end(watched->record, env, res);
	return 0;
}

static const struct rung_probe *inspect_probe(struct rung_app *app, const struct rung_setup *setup)
{
	(void)setup;
	return &((struct inspect *)app)->recorder.probe;
}

static int inspect_start(struct rung_app *app, const struct rung_setup *setup)
{
	if (setup->is_public && !((struct inspect *)app)->allow_public)
		return rung_refuse(-EACCES,
			"inspect: this server listens on more than loopback, and the page shows what "
			"everybody asks; bind to 127.0.0.1, or guard it and set .allow_public");
	return 0;
}

static void inspect_destroy(struct rung_app *app)
{
	struct inspect *inspect = (struct inspect *)app;

	for (unsigned i = 0; inspect->ring && i < inspect->keep; i++)
		free(inspect->ring[i]);
	free(inspect->ring);
	pthread_mutex_destroy(&inspect->lock);
}

static const struct rung_app_class inspect_class = {
	.size = sizeof(struct inspect),
	.name = "inspect",
	.flags = RUNG_LAYER,
	.call = inspect_call,
	.start = inspect_start,
	.destroy = inspect_destroy,
	.probe = inspect_probe,
};

struct rung_app *rung_inspect_new(const struct rung_inspect_options *given)
{
	struct rung_inspect_options options;

	if (rung_options_copy("inspect", &options, given, sizeof options) < 0)
		return NULL;
	if (options.keep > MOST_KEEP) {
		rung_refuse(-EINVAL, "inspect: .keep is %u; at most %d can be kept", options.keep, MOST_KEEP);
		return NULL;
	}
	struct inspect *inspect = rung_app_new(&inspect_class);
	if (!inspect)
		return NULL;
	pthread_mutex_init(&inspect->lock, NULL);
	rung_trace_recorder_init(&inspect->recorder);
	inspect->allow_public = options.allow_public;
	inspect->keep = options.keep ? options.keep : DEFAULT_KEEP;
	inspect->ring = calloc(inspect->keep, sizeof(struct entry *));
	if (inspect->ring)
		return &inspect->app;
	rung_refuse(-ENOMEM, "inspect: out of memory");
	rung_app_destroy(&inspect->app);
	return NULL;
}
