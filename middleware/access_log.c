/*
 * access_log.c: one line a request, in the combined log format. Rack: Rack::CommonLogger.
 *
 * The line is made in a buffer on the stack and is pure ASCII without control bytes, so the escaping that rung_log()
 * does finds nothing to do. Each part has a room of its own: a long User-Agent takes nothing from the status.
 */
#include <rung/access_log.h>

#include <rung/basic_auth.h>
#include <rung/env.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Bytes of each part as it is written, escapes and "..." included. In all less than a line of rung_log(), 4090. */
enum {
	MOST_USER = 128,
	MOST_METHOD = 64,
	MOST_TARGET = 1536,
	MOST_PROTOCOL = 32,
	MOST_FIELD = 768,
	LINE_ROOM = 4000,
};

struct access_log {
	struct rung_app app;
	void (*write)(void *data, const char *line, size_t bytes);
	void *data;
	void (*free_data)(void *);
	bool is_silent;
};

/* What a request needs at its end. */
struct entry {
	const struct access_log *log;
	struct timespec begin;
};

/* -- text ----------------------------------------------------------------------------------------------------- */

/* The line so far. A part is cut at `limit`, three bytes of which are kept for "...". */
struct line {
	char text[LINE_ROOM];
	size_t size, limit;
	bool is_cut;
};

/* Adds text that is known to fit and to be harmless. */
static void put(struct line *line, const char *text)
{
	size_t size = strlen(text);

	if (size >= sizeof line->text - line->size)
		return;
	memcpy(line->text + line->size, text, size + 1);
	line->size += size;
}

static void begin_part(struct line *line, size_t room)
{
	line->limit = line->size + room - 3;
	line->is_cut = false;
}

static void end_part(struct line *line)
{
	if (line->is_cut)
		put(line, "...");
	else
		line->text[line->size] = '\0';
}

/* The byte stays as it is; a space may inside quotes. */
static bool stays(char c, bool blank)
{
	return (c > 0x20 || (blank && c == ' ')) && c < 0x7f && c != '"' && c != '\\';
}

/* Adds text of anybody's to a part. `blank` tells whether a space may stay. */
static void put_escaped(struct line *line, const char *text, bool blank)
{
	static const char hex[] = "0123456789abcdef";

	if (line->is_cut)
		return;
	/* In variables of its own: a byte that is written may be any of the line's, as far as the compiler knows. */
	char *at = line->text + line->size;
	const char *end = line->text + line->limit;
	for (; *text; text++) {
		if (stays(*text, blank) && at < end) {
			*at++ = *text;
			continue;
		}
		line->is_cut = at + 4 > end;
		if (line->is_cut)
			break;
		*at++ = '\\';
		*at++ = 'x';
		*at++ = hex[(unsigned char)*text >> 4];
		*at++ = hex[*text & 15];
	}
	line->size = (size_t)(at - line->text);
}

static void put_part(struct line *line, size_t room, const char *text, bool blank)
{
	begin_part(line, room);
	put_escaped(line, text && *text ? text : "-", blank);
	end_part(line);
}

/* A number in at least so many digits. */
static void put_number(struct line *line, long long number, unsigned digits)
{
	char text[24];
	size_t at = sizeof text;

	do {
		text[--at] = (char)('0' + number % 10);
		number /= 10;
		digits -= digits > 0;
	} while (number || digits);
	memcpy(line->text + line->size, text + at, sizeof text - at);
	line->size += sizeof text - at;
	line->text[line->size] = '\0';
}

/* -- time ----------------------------------------------------------------------------------------------------- */

/* "[10/Oct/2000:13:55:36 +0000]". Most lines of a thread fall into the second of the one before, so it is kept. The
 * names of months are our own: strftime() would ask the locale. */
static const char *now(void)
{
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
		"Oct", "Nov", "Dec" };
	static _Thread_local char text[64];
	static _Thread_local time_t second = -1;
	time_t current = time(NULL);
	struct tm tm;

	if (current == second || !gmtime_r(&current, &tm))
		return text;
	snprintf(text, sizeof text, "[%02d/%s/%04d:%02d:%02d:%02d +0000]", tm.tm_mday, months[tm.tm_mon],
		tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	second = current;
	return text;
}

/* Microseconds since `begin`. */
static long long elapsed(const struct timespec *begin)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	return (long long)(end.tv_sec - begin->tv_sec) * 1000000 + (end.tv_nsec - begin->tv_nsec) / 1000;
}

/* -- the line ------------------------------------------------------------------------------------------------- */

static void put_request_line(struct line *line, const struct rung_env *env)
{
	put(line, " \"");
	put_part(line, MOST_METHOD, env->method, false);
	put(line, " ");
	begin_part(line, MOST_TARGET);
	put_escaped(line, env->script_name, false);
	put_escaped(line, env->path_info, false);
	put_escaped(line, *env->query ? "?" : "", false);
	put_escaped(line, env->query, false);
	end_part(line);
	put(line, " ");
	put_part(line, MOST_PROTOCOL, env->protocol, false);
	put(line, "\"");
}

static void put_result(struct line *line, const struct rung_finish *finish)
{
	put(line, " ");
	put_number(line, finish->status, 1);
	put(line, " ");
	if (finish->bytes > 0)
		put_number(line, finish->bytes, 1);
	else
		put(line, "-");
}

static void put_field(struct line *line, const struct rung_env *env, const char *name)
{
	put(line, " \"");
	put_part(line, MOST_FIELD, rung_request_header(env, name), true);
	put(line, "\"");
}

static void put_duration(struct line *line, long long microseconds)
{
	put(line, " ");
	put_number(line, microseconds / 1000000, 1);
	put(line, ".");
	put_number(line, microseconds % 1000000, 6);
}

static void write_entry(const struct rung_env *env, const struct rung_finish *finish, void *data)
{
	static const char *const outcomes[] = {
		[RUNG_SENT] = "", [RUNG_ABORTED] = " aborted", [RUNG_BROKEN] = " broken"
	};
	const struct entry *entry = data;
	const struct access_log *log = entry->log;
	const char *address = rung_remote_address(env);
	struct line line;

	line.size = 0; /* the rest is written before it is read */
	put(&line, *address ? address : "-");
	put(&line, " - ");
	put_part(&line, MOST_USER, rung_remote_user(env), false);
	put(&line, " ");
	put(&line, now());
	put_request_line(&line, env);
	put_result(&line, finish);
	put_field(&line, env, "Referer");
	put_field(&line, env, "User-Agent");
	put_duration(&line, elapsed(&entry->begin));
	put(&line, outcomes[finish->outcome]);
	if (!log->write) {
		rung_log_text(env, RUNG_LOG_ACCESS, line.text);
		return;
	}
	put(&line, "\n");
	log->write(log->data, line.text, line.size);
}

/* -- the layer ------------------------------------------------------------------------------------------------ */

/* A request that could not be logged is not answered either: what is not in the log did not happen. */
static int watch(const struct access_log *log, struct rung_env *env)
{
	struct entry *entry = rung_alloc(env, sizeof *entry);

	if (!entry)
		return -ENOMEM;
	entry->log = log;
	clock_gettime(CLOCK_MONOTONIC, &entry->begin);
	return rung_on_finish(env, write_entry, entry);
}

static int access_log_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct access_log *log = (const struct access_log *)self;
	int rc = log->is_silent ? 0 : watch(log, env);

	if (rc < 0)
		return rc;
	rung_next(self, env, res);
	return 0;
}

static int access_log_start(struct rung_app *app, const struct rung_setup *setup)
{
	struct access_log *log = (struct access_log *)app;

	log->is_silent = setup->quiet && !log->write;
	return 0;
}

static void access_log_destroy(struct rung_app *app)
{
	struct access_log *log = (struct access_log *)app;

	if (log->free_data)
		log->free_data(log->data);
}

static const struct rung_order access_log_order[] = {
	{ .outside = "basic_auth", .why = "requests that it refuses would not be logged", .advice = true },
	{ .outside = "reproxy", .why = "a request would be logged once a redispatch", .advice = true },
	{ 0 },
};

static const struct rung_app_class access_log_class = {
	.size = sizeof(struct access_log),
	.name = "access_log",
	.flags = RUNG_LAYER,
	.call = access_log_call,
	.start = access_log_start,
	.destroy = access_log_destroy,
	.order = access_log_order,
};

struct rung_app *rung_access_log_new(const struct rung_access_log_options *given)
{
	struct rung_access_log_options options;

	if (rung_options_copy("access_log", &options, given, sizeof options) < 0)
		return NULL;
	struct access_log *log = rung_app_new(&access_log_class);
	if (!log) {
		if (options.free_data)
			options.free_data(options.data);
		return NULL;
	}
	log->write = options.write;
	log->data = options.data;
	log->free_data = options.free_data;
	return &log->app;
}
