/* log.c: lines for the log. Every byte that could end a line or move a terminal's cursor is escaped here. */
#include "request.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_ = 4096 };

/* Writes `text` with \xHH for control bytes and bytes from 0x7f up. Returns the bytes written, without the NUL. */
static size_t escape(const char *text, char *out, size_t room)
{
	static const char hex[] = "0123456789abcdef";
	size_t at = 0;

	for (; *text && at + 5 < room; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte >= 0x20 && byte < 0x7f) {
			out[at++] = (char)byte;
			continue;
		}
		out[at++] = '\\';
		out[at++] = 'x';
		out[at++] = hex[byte >> 4];
		out[at++] = hex[byte & 15];
	}
	out[at] = '\0';
	return at;
}

/* -- standard error ---------------------------------------------------------------------------------------------- */

enum { HELD_ROOM = 4096 }; /* PIPE_BUF: what is written in one piece also where several write to one pipe */

/* Access lines of an event loop, which would be a system call each: they wait for the end of the loop's turn. */
static _Thread_local struct {
	bool is_on;
	char bytes[HELD_ROOM];
} held;
_Thread_local size_t rung_log_held;

void rung_log_hold(void)
{
	held.is_on = true;
}

static void write_out(const char *bytes, size_t size)
{
	if (write(STDERR_FILENO, bytes, size) < 0)
		return; /* there is nowhere else to tell it */
}

void rung_log_flush(void)
{
	if (rung_log_held)
		write_out(held.bytes, rung_log_held);
	rung_log_held = 0;
}

/* One write for whole lines, so that those of several threads do not mix; in the order in which they came. */
static void to_standard_error(enum rung_log_level level, const char *line, size_t size)
{
	char buffer[LINE_MAX_ + 1];

	if (level == RUNG_LOG_ACCESS && held.is_on && size + 1 < HELD_ROOM) {
		if (rung_log_held + size + 1 > HELD_ROOM)
			rung_log_flush();
		memcpy(held.bytes + rung_log_held, line, size);
		held.bytes[rung_log_held + size] = '\n';
		rung_log_held += size + 1;
		return;
	}
	rung_log_flush();
	memcpy(buffer, line, size);
	buffer[size] = '\n';
	write_out(buffer, size + 1);
}

/* -- lines --------------------------------------------------------------------------------------------------------- */

/* Takes a line of at most LINE_MAX_ bytes in which nothing needs escaping. */
static void deliver(const struct rung_site *site, enum rung_log_level level, const char *line, size_t size)
{
	if (site->log)
		site->log(site->log_data, level, line);
	else
		to_standard_error(level, line, size);
}

/* Sets the high bit of each byte that is below 0x20, or 0x7f or above. A carry, which 0xff alone makes, may set one too many. */
static uint64_t find_wrong(uint64_t bytes)
{
	const uint64_t ones = UINT64_MAX / 255;

	return (bytes | (bytes + ones) | (((bytes | ones * 128) - ones * 0x20) ^ ones * 128)) & ones * 128;
}

static bool is_clean(const char *text, size_t size)
{
	uint64_t wrong = 0, bytes;

	for (; size >= sizeof bytes; size -= sizeof bytes, text += sizeof bytes) {
		memcpy(&bytes, text, sizeof bytes);
		wrong |= find_wrong(bytes);
	}
	for (; size; size--, text++)
		wrong |= (unsigned char)(*text - 0x20) > 0x7e - 0x20;
	return !wrong;
}

static void write_text(const struct rung_site *site, enum rung_log_level level, const char *text, size_t size)
{
	char line[LINE_MAX_];

	if (size < LINE_MAX_ - 5 && is_clean(text, size))
		deliver(site, level, text, size);
	else
		deliver(site, level, line, escape(text, line, sizeof line));
}

static RUNG_PRINTF(3, 0) void write_line(
	const struct rung_site *site, enum rung_log_level level, const char *format, va_list arguments)
{
	char text[LINE_MAX_];

	if (vsnprintf(text, sizeof text, format, arguments) >= 0)
		write_text(site, level, text, strlen(text));
}

void rung_log_text(const struct rung_env *env, enum rung_log_level level, const char *text)
{
	write_text(env->request_->site, level, text, strlen(text));
}

void rung_setup_log(const struct rung_setup *setup, enum rung_log_level level, const char *format, ...)
{
	const struct rung_site site = { .log = setup->log, .log_data = setup->log_data };
	va_list arguments;

	va_start(arguments, format);
	write_line(&site, level, format, arguments);
	va_end(arguments);
}

void rung_log(const struct rung_env *env, enum rung_log_level level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_line(env->request_->site, level, format, arguments);
	va_end(arguments);
}

void rung_site_log(const struct rung_site *site, enum rung_log_level level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_line(site, level, format, arguments);
	va_end(arguments);
}

void rung_log_broken_body(const struct rung_env *env, ssize_t err, int64_t sent)
{
	rung_log(env, RUNG_LOG_ERROR, "rung: body of %s %s%s: %s after %lld bytes", env->method,
		env->script_name, env->path_info,
		err ? strerror((int)-err) : "it ended before its announced length", (long long)sent);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

void rung_log_failure(struct rung_env *env, int status)
{
	struct rung_request *request = env->request_;
	const struct rung_failure *failure = &request->failure;
	char place[128] = "";

	if (request->logged)
		return;
	request->logged = true;
	if (failure->file)
		snprintf(place, sizeof place, " (%s:%d)", base_name(failure->file), failure->line);
	/* What is the client's doing is nothing to be woken for. */
	rung_log(env, status < 500 ? RUNG_LOG_INFO : RUNG_LOG_ERROR, "rung: %d in %s%s: %s [%s %s%s]", status,
		failure->layer, place, *failure->message ? failure->message : strerror(-failure->err),
		env->method, env->script_name, env->path_info);
}
