/* entry.c: what the inspector keeps of a request. Secrets are left out here, so that nothing behind this file has them. */
#include "entry.h"

#include <rung/headers.h>
#include <rung/response.h>

#include <errno.h>
#include <string.h>
#include <strings.h>

/* -- secrets ------------------------------------------------------------------------------------------------------ */

static const char dots[] = "\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2";

static bool contains(const char *name, size_t size, const char *part)
{
	size_t length = strlen(part);

	for (size_t i = 0; i + length <= size; i++)
		if (strncasecmp(name + i, part, length) == 0)
			return true;
	return false;
}

/* Names of fields and of query arguments alike. "Proxy-Authenticate" and its kin only say how to ask. */
static bool is_secret(const char *name, size_t size)
{
	static const char *const parts[] = { "authorization", "cookie", "token", "secret", "passw", "pwd",
		"api-key", "api_key", "apikey", "session", "signature", "credential" };

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (contains(name, size, parts[i]))
			return true;
	return false;
}

/* Copies text, with dots for the values of secret query arguments wherever a URI in it has some. */
static const char *mask(const struct rung_env *env, const char *text)
{
	struct rung_writer writer = rung_writer(env);
	const char *at = text;

	if (!strpbrk(text, "?&"))
		return text;
	while (*at) {
		size_t size = strcspn(at, "?&");

		rung_write_bytes(&writer, at, size);
		at += size;
		if (!*at)
			break;
		rung_write_bytes(&writer, at++, 1);
		size_t name = strcspn(at, "=?&");
		if (at[name] != '=' || !is_secret(at, name))
			continue;
		rung_write_bytes(&writer, at, name + 1);
		rung_write(&writer, dots);
		at += name + 1 + strcspn(at + name + 1, "&# \t\"<>");
	}
	return writer.error ? NULL : writer.text;
}

static void write_masked(struct rung_writer *writer, const char *text)
{
	const char *masked = mask(writer->env, text);

	if (masked)
		rung_write_json(writer, masked);
	else
		writer->error = -ENOMEM;
}

/* -- parts ---------------------------------------------------------------------------------------------------------- */

static void write_field(struct rung_writer *writer, const struct rung_field *field, bool is_first)
{
	rung_write(writer, is_first ? "[" : ",[");
	rung_write_json(writer, field->name);
	rung_write(writer, ",");
	if (is_secret(field->name, strlen(field->name)))
		rung_write_json(writer, dots);
	else
		write_masked(writer, field->value);
	rung_write(writer, "]");
}

static void write_request_fields(struct rung_writer *writer, const struct rung_env *env)
{
	const struct rung_field *field;

	rung_write(writer, "[");
	for (size_t i = 0; (field = rung_request_field(env, i)); i++)
		write_field(writer, field, i == 0);
	rung_write(writer, "]");
}

void trace_write_fields(struct rung_writer *writer, const struct rung_response *res)
{
	const struct rung_field *field;

	rung_write(writer, "[");
	for (size_t i = 0; (field = rung_header_at(res, i)); i++)
		write_field(writer, field, i == 0);
	rung_write(writer, "]");
}

static void write_error(struct rung_writer *writer, const struct trace_span *span)
{
	const char *slash = span->file ? strrchr(span->file, '/') : NULL;

	rung_write(writer, ",\"error\":");
	rung_write_json(writer, span->message && *span->message ? span->message : strerror(-span->error));
	if (!span->file)
		return;
	rung_write(writer, ",\"file\":");
	rung_write_json(writer, slash ? slash + 1 : span->file);
	rung_writef(writer, ",\"line\":%d", span->line);
}

static void write_span(struct rung_writer *writer, const struct trace_span *span)
{
	static const char *const kinds[] = { [RUNG_BODY_EMPTY] = "empty",
		[RUNG_BODY_BYTES] = "bytes",
		[RUNG_BODY_FILE] = "file",
		[RUNG_BODY_URI] = "URI",
		[RUNG_BODY_PULL] = "stream" };

	rung_write(writer, "{\"name\":");
	rung_write_json(writer, span->name);
	rung_writef(writer, ",\"parent\":%d,\"hop\":%u,\"begin\":%.3f,\"end\":%.3f,\"inner\":%.3f",
		span->parent, span->hop, (double)span->begin / 1e3, (double)span->end / 1e3,
		(double)span->inner / 1e3);
	rung_writef(writer, ",\"status\":%d,\"body\":\"%s\",\"bytes\":%lld", span->status, kinds[span->kind],
		(long long)span->bytes);
	if (span->uri) {
		rung_write(writer, ",\"uri\":");
		write_masked(writer, span->uri);
	}
	if (span->error)
		write_error(writer, span);
	rung_write(writer, "}");
}

/* -- the whole ------------------------------------------------------------------------------------------------------ */

static void write_target(struct rung_writer *writer, const struct rung_env *env)
{
	const char *target = rung_printf(
		env, "%s%s%s%s", env->script_name, env->path_info, *env->query ? "?" : "", env->query);

	if (target)
		write_masked(writer, target);
	else
		writer->error = -ENOMEM;
}

void trace_write_entry(struct rung_writer *writer, const struct rung_env *env,
	const struct trace_record *record, const struct rung_finish *finish, const struct timespec *when,
	const char *fields)
{
	static const char *const outcomes[] = {
		[RUNG_SENT] = "sent", [RUNG_ABORTED] = "aborted", [RUNG_BROKEN] = "broken"
	};

	rung_writef(writer,
		"\"time\":%lld,\"method\":", (long long)when->tv_sec * 1000 + when->tv_nsec / 1000000);
	rung_write_json(writer, env->method);
	rung_write(writer, ",\"target\":");
	write_target(writer, env);
	rung_write(writer, ",\"client\":");
	rung_write_json(writer, rung_remote_address(env));
	rung_writef(writer,
		",\"status\":%d,\"bytes\":%lld,\"outcome\":\"%s\",\"chain\":%.3f,\"sent\":%.3f,\"missed\":%u",
		finish->status, (long long)finish->bytes, outcomes[finish->outcome],
		(double)record->end / 1e3, (double)trace_now(record) / 1e3, record->missed);
	rung_write(writer, ",\"request\":");
	write_request_fields(writer, env);
	rung_write(writer, ",\"response\":");
	rung_write(writer, fields ? fields : "[]");
	rung_write(writer, ",\"spans\":[");
	for (int i = 0; i < record->count; i++) {
		rung_write(writer, i ? "," : "");
		write_span(writer, &record->spans[i]);
	}
	rung_write(writer, "]");
}
