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

/* One write a line, so that lines of several threads do not mix. */
static void to_standard_error(const char *line)
{
	char buffer[LINE_MAX_ + 1];
	size_t size = strnlen(line, LINE_MAX_);

	memcpy(buffer, line, size);
	buffer[size] = '\n';
	if (write(STDERR_FILENO, buffer, size + 1) < 0)
		return; /* there is nowhere else to tell it */
}

static RUNG_PRINTF(3, 0) void write_line(
	const struct rung_site *site, enum rung_log_level level, const char *format, va_list arguments)
{
	char text[LINE_MAX_], line[LINE_MAX_];

	if (vsnprintf(text, sizeof text, format, arguments) < 0)
		return;
	escape(text, line, sizeof line);
	if (site->log)
		site->log(site->log_data, level, line);
	else
		to_standard_error(line);
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
	rung_log(env, RUNG_LOG_ERROR, "rung: %d in %s%s: %s [%s %s%s]", status, failure->layer, place,
		*failure->message ? failure->message : strerror(-failure->err), env->method, env->script_name,
		env->path_info);
}
