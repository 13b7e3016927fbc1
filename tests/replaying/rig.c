/*
 * rig.c: what the recordings were made with: for each server how it was set up, the app behind it with the middleware of
 * Rack::Reproxy that belongs to the server, and the target. None of it is the emulation's.
 */
#include "replaying.h"

#include <rung/date.h>
#include <rung/reproxy.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const emits_nginx[] = { "X-Reproxy-Url", "$url", "X-Reproxied", "1", "X-Accel-Redirect",
	"/reproxy", NULL };
static const char *const emits_url[] = { "X-Reproxy-Url", "$url", "X-Reproxied", "1", NULL };
static const char *const emits_rewrite[] = { "X-Reproxy-Url", "$url", "X-Reproxied", "1", "X-Rewrite-Host",
	"$host", "X-Rewrite-URI", "$uri", NULL };
static const char *const emits_alone[] = { "X-Reproxy-Url", "$url", NULL };

static const struct rig rigs[] = {
	{ .key = "nginx",
		.server = RUNG_EMULATE_NGINX,
		.names_app = true,
		.has_locations = true,
		.emits = emits_nginx },
	{ .key = "nginx_hardened",
		.server = RUNG_EMULATE_NGINX_HARDENED,
		.names_app = true,
		.has_locations = true,
		.emits = emits_nginx },
	{ .key = "apache24",
		.server = RUNG_EMULATE_APACHE,
		.names_app = true,
		.has_resolver = true,
		.emits = emits_url },
	{ .key = "perlbal",
		.server = RUNG_EMULATE_PERLBAL,
		.has_resolver = true,
		.undecoded = true,
		.emits = emits_url },
	{ .key = "h2o",
		.server = RUNG_EMULATE_H2O,
		.names_app = true,
		.has_resolver = true,
		.any_host = true,
		.emits = emits_url },
	{ .key = "lighttpd",
		.server = RUNG_EMULATE_LIGHTTPD,
		.by_host = true,
		.answers_chunked = true,
		.emits = emits_rewrite },
	{ .key = "rack", .server = RUNG_EMULATE_RACK, .is_in_process = true, .emits = emits_alone },
};

const struct rig *rig_find(const char *key)
{
	for (size_t i = 0; i < sizeof rigs / sizeof *rigs; i++)
		if (strcmp(rigs[i].key, key) == 0)
			return &rigs[i];
	return NULL;
}

void *play_keep(struct play *play, void *memory)
{
	char **kept = realloc(play->kept, (play->kept_count + 1) * sizeof *kept);

	if (!kept || !memory)
		abort();
	play->kept = kept;
	kept[play->kept_count++] = memory;
	return memory;
}

static char *copy(struct play *play, const char *text)
{
	return play_keep(play, strdup(text));
}

/* -- what it saw -------------------------------------------------------------------------------------------------- */

/* The name that a field has in a CGI environment. */
static char *cgi_name(struct play *play, const char *name)
{
	bool is_bare = strcasecmp(name, "Content-Length") == 0 || strcasecmp(name, "Content-Type") == 0;
	char *text = play_keep(play, malloc(strlen(name) + 6)), *to = text;

	if (!is_bare)
		to = stpcpy(text, "HTTP_");
	for (; *name; name++)
		*to++ = *name == '-' ? '_' : *name >= 'a' && *name <= 'z' ? (char)(*name - 32) : *name;
	*to = '\0';
	return text;
}

static bool is_dropped(const struct play *play, const char *name)
{
	const json_t *dropped = json_object_get(play->meta, "dropped_headers");

	for (size_t i = 0; i < json_array_size(dropped); i++)
		if (strcasecmp(json_string_value(json_array_get(dropped, i)), name) == 0)
			return true;
	return strcasecmp(name, "Host") == 0;
}

/* A CGI environment has what tells of the body first. */
static void see_fields(struct play *play, const struct rung_env *env, struct seen *seen)
{
	static const char *const bare[] = { "Content-Length", "Content-Type" };
	const struct rung_field *field;
	size_t count = 0;

	while (rung_request_field(env, count))
		count++;
	seen->fields = play_keep(play, calloc(count + 1, sizeof *seen->fields));
	count = 0;
	for (size_t i = 0; play->rig->is_in_process && i < 2; i++)
		if (rung_request_header(env, bare[i]))
			seen->fields[count++] = (struct rung_field){ .name = cgi_name(play, bare[i]),
				.value = copy(play, rung_request_header(env, bare[i])) };
	for (size_t i = 0; (field = rung_request_field(env, i)); i++) {
		bool is_bare = strcasecmp(field->name, bare[0]) == 0 || strcasecmp(field->name, bare[1]) == 0;

		if (is_dropped(play, field->name) || (play->rig->is_in_process && is_bare))
			continue;
		seen->fields[count++] = (struct rung_field){
			.name = play->rig->is_in_process ? cgi_name(play, field->name)
							 : copy(play, field->name),
			.value = copy(play, field->value),
		};
	}
}

static size_t read_body(struct rung_env *env)
{
	char buffer[4096];
	size_t size = 0;
	ssize_t n;

	while ((n = rung_input_read(env, buffer, sizeof buffer)) > 0)
		size += (size_t)n;
	return size;
}

/* An empty query is one if there is a "?". */
static const char *query_of(const struct play *play, const struct rung_env *env)
{
	const char *uri = env->hop ? env->uri : play->request_path;
	bool has_mark = uri && *uri && uri[strlen(uri) - 1] == '?' && *env->path_info;

	if (*env->query || has_mark || (play->rig->is_in_process && env->hop == 0))
		return env->query;
	return NULL;
}

static void see(struct play *play, struct rung_env *env, struct side *side)
{
	struct seen *seen = &side->seen[side->hits < MOST_SEEN ? side->hits : MOST_SEEN - 1];
	const char *host = rung_request_header(env, "Host"), *query = query_of(play, env);
	char *target;

	side->hits++;
	if (asprintf(&target, "%s%s%s%s", env->script_name, env->path_info, query ? "?" : "",
		    query ? query : "") < 0)
		abort();
	*seen = (struct seen){ .method = copy(play, env->method),
		.target = play_keep(play, target),
		.path = copy(play, env->path_info),
		.query = query ? copy(play, query) : NULL,
		.script_name = copy(play, env->script_name) };
	if (side == &play->app && play->rig->names_app)
		host = "127.0.0.1:18070";
	seen->host = host ? copy(play, host) : NULL;
	see_fields(play, env, seen);
	seen->body_size = read_body(env);
}

/* -- answers ------------------------------------------------------------------------------------------------------ */

struct text_source {
	struct rung_source source;
	const char *at;
	size_t left;
};

static ssize_t read_text(struct rung_source *source, void *buffer, size_t max)
{
	struct text_source *text = (struct text_source *)source;
	size_t size = text->left < max ? text->left : max;

	memcpy(buffer, text->at, size);
	text->at += size;
	text->left -= size;
	return (ssize_t)size;
}

static int answer_chunked(struct play *play, struct rung_response *res, const char *body, size_t size)
{
	struct text_source *text = play_keep(play, calloc(1, sizeof *text));

	*text = (struct text_source){ .source.read = read_text, .at = body, .left = size };
	return rung_body_pull(res, &text->source, -1);
}

/* Chunks as they are on the wire, seven bytes each. */
static int answer_in_frames(struct play *play, struct rung_response *res, const char *body, size_t size)
{
	char *framed = play_keep(play, malloc(size * 2 + size + 64)), *to = framed;

	for (size_t at = 0; at < size; at += 7) {
		size_t step = size - at < 7 ? size - at : 7;

		to += sprintf(to, "%zx\r\n", step);
		to = mempcpy(to, body + at, step);
		to = stpcpy(to, "\r\n");
	}
	to = stpcpy(to, "0\r\n\r\n");
	return answer_chunked(play, res, framed, (size_t)(to - framed));
}

static const char *hostname_of(struct play *play, const struct rung_uri *uri)
{
	bool is_literal = uri->host.size > 1 && *uri->host.at == '[';
	char *text;

	if (asprintf(&text, "%.*s", (int)uri->host.size - 2 * is_literal, uri->host.at + is_literal) < 0)
		abort();
	return play_keep(play, text);
}

static const char *request_uri_of(struct play *play, const struct rung_uri *uri)
{
	char *text;

	if (asprintf(&text, "%.*s%s%.*s", uri->path.size ? (int)uri->path.size : 1,
		    uri->path.size ? uri->path.at : "/", uri->query.at ? "?" : "", (int)uri->query.size,
		    uri->query.at ? uri->query.at : "") < 0)
		abort();
	return play_keep(play, text);
}

/* As into a Hash of Ruby's: in place of the same letters. */
static void set_exactly(struct rung_response *res, const char *name, const char *value)
{
	const struct rung_field *field;

	for (size_t i = 0; (field = rung_header_at(res, i)); i++)
		if (strcmp(field->name, name) == 0) {
			rung_header(res, name, value);
			return;
		}
	rung_header_add(res, name, value);
}

/* What the gem's middleware makes of an answer that asks. It raises for URLs that Ruby's URI does not take, if it takes them
 * apart; the app's server then says 500. */
static int emit(struct play *play, struct rung_response *res, const char *url)
{
	bool takes_apart = play->rig->by_host;
	struct rung_uri uri = { 0 };

	if (takes_apart && (rung_uri_parse(url, strlen(url), &uri) < 0 ||
				   (uri.scheme.size != 4 && uri.scheme.size != 5) ||
				   strncasecmp(uri.scheme.at, "https", uri.scheme.size) != 0)) {
		rung_response_clear(res);
		rung_header(res, "Content-Type", "text/plain");
		res->status = 500;
		return rung_body_static(res, "middleware raised\n", 18);
	}
	for (const char *const *pair = play->rig->emits; *pair; pair += 2) {
		const char *value = pair[1];

		if (strcmp(value, "$url") == 0)
			value = url;
		else if (strcmp(value, "$host") == 0)
			value = hostname_of(play, &uri);
		else if (strcmp(value, "$uri") == 0)
			value = request_uri_of(play, &uri);
		if (takes_apart)
			set_exactly(res, pair[0], value);
		else
			rung_header_add(res, pair[0], value);
	}
	return play->rig->answers_chunked ? answer_chunked(play, res, "", 0) : 0;
}

static int answer(struct play *play, struct rung_response *res, const json_t *given)
{
	char *url = form_text(json_object_get(given, "reproxy_url"), false);
	struct rung_field *fields = form_fields(json_object_get(given, "headers"), false);
	const char *mode = form_string(given, "mode");
	size_t size;
	char *body = play_keep(play, form_body(json_object_get(given, "body"), &size));

	res->status = (int)form_number(given, "status", 200);
	for (struct rung_field *field = fields; field->name; field++)
		rung_header_add(res, field->name, field->value);
	form_free_fields(fields);
	if (url) {
		play_keep(play, url);
		url += strspn(url, " \t");
		for (size_t end = strlen(url); end && strchr(" \t", url[end - 1]);)
			url[--end] = '\0';
		emit(play, res, url);
		return res->error;
	}
	if (strcmp(mode, "no_length") == 0)
		rung_header(res, "Connection", "close");
	if (strcmp(mode, "chunked_force") == 0 && play->rig->undecoded)
		return answer_in_frames(play, res, body, size);
	return strncmp(mode, "chunked", 7) == 0 || strcmp(mode, "no_length") == 0
		       ? answer_chunked(play, res, body, size)
		       : rung_body_static(res, body, size);
}

/* The one range that a field asks for: false when it is none of that form. */
static bool read_range(const char *text, long long size, long long *ret_from, long long *ret_to)
{
	char *end;

	if (!text || strncmp(text, "bytes=", 6) != 0)
		return false;
	text += 6;
	size_t first = strspn(text, "0123456789");
	size_t second = text[first] == '-' ? strspn(text + first + 1, "0123456789") : 0;
	if (text[first] != '-' || text[first + 1 + second] || !(first + second))
		return false;
	long long from = strtoll(text, &end, 10), to = strtoll(text + first + 1, &end, 10);
	if (!first) {
		from = to < size ? size - to : 0;
		to = size - 1;
	}
	*ret_from = from;
	*ret_to = !second || to > size - 1 ? size - 1 : to;
	return true;
}

static bool is_unchanged(const struct rung_env *env, const char *etag, const char *date)
{
	const char *tags = rung_request_header(env, "If-None-Match"), *member;
	const char *since = rung_request_header(env, "If-Modified-Since");
	time_t then, now;
	size_t size;

	if (!tags)
		return since && date && rung_http_date_parse(since, &then) == 0 &&
		       rung_http_date_parse(date, &now) == 0 && now <= then;
	if (strcmp(tags, "*") == 0)
		return true;
	while (rung_list_next(&tags, &member, &size))
		if (etag && strlen(etag) == size && memcmp(etag, member, size) == 0)
			return true;
	return false;
}

/* A target that knows of validators and one range. */
static int as_origin(struct rung_env *env, struct rung_response *res)
{
	const char *etag = rung_header_get(res, "ETag"), *date = rung_header_get(res, "Last-Modified");
	const char *if_range = rung_request_header(env, "If-Range");
	bool is_read = strcmp(env->method, "GET") == 0 || strcmp(env->method, "HEAD") == 0;
	bool is_same =
		!if_range || (etag && strcmp(if_range, etag) == 0) || (date && strcmp(if_range, date) == 0);
	long long from, to;
	size_t size;
	const char *body = rung_body_get_bytes(res, &size);

	if (is_unchanged(env, etag, date)) {
		rung_body_close(res);
		res->status = 304;
		return 0;
	}
	if (!is_read || !is_same ||
		!read_range(rung_request_header(env, "Range"), (long long)size, &from, &to))
		return 0;
	if (from >= (long long)size || from > to) {
		rung_body_close(res);
		res->status = 416;
		return rung_headerf(res, "Content-Range", "bytes */%zu", size);
	}
	res->status = 206;
	rung_headerf(res, "Content-Range", "bytes %lld-%lld/%zu", from, to, size);
	return rung_body_static(res, body + from, (size_t)(to - from + 1));
}

/* Of a list one after the other, the last one for ever. */
static const json_t *nth(const json_t *given, unsigned n)
{
	if (!json_is_array(given))
		return given;
	size_t count = json_array_size(given);
	return json_array_get(given, n < count ? n : count - 1);
}

static int target_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct play *play = (struct play *)(uintptr_t)rung_data(self);
	const json_t *given = nth(json_object_get(play->test, "target_response"), play->target.hits);
	const char *mode = form_string(given, "mode");

	see(play, env, &play->target);
	if (strcmp(mode, "rst") == 0 || strcmp(mode, "close_silently") == 0)
		return -ECONNRESET;
	if (strcmp(mode, "hang") == 0)
		return -ETIMEDOUT;
	int rc = answer(play, res, given);
	if (rc == 0 && strcmp(form_string(given, "behavior"), "origin") == 0)
		rc = as_origin(env, res);
	return rc;
}

/* In process the app that was asked first plays the target, too: whoever is reproxied to it, unless it answers by a list. */
static int app_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct play *play = (struct play *)(uintptr_t)rung_data(self);
	const json_t *given = json_object_get(play->test, "app_response");
	bool is_same = strncmp(play->request_path, env->path_info, strlen(env->path_info)) == 0;

	if (play->rig->is_in_process && rung_request_header(env, "X-Reproxied") &&
		!(json_is_array(given) && is_same))
		return target_call(self, env, res);
	given = nth(given, play->app.hits);
	see(play, env, &play->app);
	return answer(play, res, given);
}

/* -- the stack ---------------------------------------------------------------------------------------------------- */

/* Cuts the script name off, as a mount does. */
static int mount_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct play *play = (struct play *)(uintptr_t)rung_data(self);
	const char *script_name = form_string(json_object_get(play->test, "request"), "script_name");
	size_t size = strlen(script_name);
	struct rung_target target = { .script_name = script_name, .path_info = env->path_info + size };

	if (!play->rig->is_in_process || !size || strncmp(env->path_info, script_name, size) != 0) {
		rung_next(self, env, res);
		return 0;
	}
	struct rung_env *view = rung_rewrite(env, &target);
	if (!view)
		return -ENOMEM;
	rung_next(self, view, res);
	return 0;
}

static struct rung_names *names_of(struct play *play)
{
	const struct rig *rig = play->rig;
	struct rung_app *target = rung_run(target_call, .data = play);

	if (rig->by_host)
		return rung_names({ "127.0.0.1", target }, { "localhost", rung_ref(target) });
	if (rig->has_resolver)
		return rung_names({ "127.0.0.1:18090", target }, { "[::1]:18090", rung_ref(target) },
			{ "localhost:18090", rung_ref(target) });
	return rung_names({ "127.0.0.1:18090", target }, { "[::1]:18090", rung_ref(target) });
}

struct rung_app *rig_stack(struct play *play)
{
	const struct rig *rig = play->rig;
	struct rung_names *names = rig->is_in_process ? NULL : names_of(play);
	struct rung_locations *locations =
		rig->has_locations ? rung_locations({ .path = "/files/",
							    .folder = form_folder,
							    .type = "application/x-default" },
					     { .path = "/fixed/", .pass = "http://127.0.0.1:18090/base/" },
					     { .path = "@named", .pass = "http://127.0.0.1:18090" })
				   : NULL;

	return rung_stack(rung_use(mount_call, .data = play),
		rung_reproxy(.server = rig->server, .names = names, .locations = locations, .as_is = true,
			.any_host_is_self = rig->any_host,
			.hosts = (const char *const[]){ "127.0.0.1:18080", NULL }),
		rung_run(app_call, .data = play));
}

void rig_forget(struct play *play)
{
	for (size_t i = 0; i < play->kept_count; i++)
		free(play->kept[i]);
	free(play->kept);
}
