/* entry.c: what the inspector keeps of a request. Secrets are left out here, so that nothing behind this file has them. */
#include "entry.h"
#include "secrets.h"

#include <rung/headers.h>
#include <rung/response.h>

#include <errno.h>
#include <string.h>

/* -- text --------------------------------------------------------------------------------------------------------- */

enum { MOST_TEXT = 2048 }; /* bytes that are kept of any one text */

/* A client chooses how long things are: what is too long ends in an ellipsis. */
static void write_text(struct rung_writer *writer, const char *text)
{
	size_t size = strnlen(text, MOST_TEXT + 1);

	if (size <= MOST_TEXT) {
		rung_write_json(writer, text);
		return;
	}
	/* Not within a sequence of UTF-8, unless there is nothing else. */
	size = MOST_TEXT;
	while (size > MOST_TEXT - 4 && ((unsigned char)text[size] & 0xc0) == 0x80)
		size--;
	const char *cut = rung_printf(writer->env, "%.*s\xe2\x80\xa6", (int)size, text);
	if (cut)
		rung_write_json(writer, cut);
	else
		writer->error = -ENOMEM;
}

static void write_masked(struct rung_writer *writer, const char *text)
{
	const char *masked = rung_secret_mask(writer->env, text);

	if (masked)
		write_text(writer, masked);
	else
		writer->error = -ENOMEM;
}

/* -- parts ---------------------------------------------------------------------------------------------------------- */

static void write_field(struct rung_writer *writer, const struct rung_field *field, bool is_first)
{
	rung_write(writer, is_first ? "[" : ",[");
	write_text(writer, field->name);
	rung_write(writer, ",");
	if (rung_secret_is_name(field->name, strlen(field->name)))
		rung_write_json(writer, rung_secret_dots);
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

void rung_trace_write_fields(struct rung_writer *writer, const struct rung_response *res)
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
	write_masked(writer, span->message && *span->message ? span->message : strerror(-span->error));
	if (!span->file)
		return;
	rung_write(writer, ",\"file\":");
	rung_write_json(writer, slash ? slash + 1 : span->file);
	rung_writef(writer, ",\"line\":%d", span->line);
}

static void write_span(struct rung_writer *writer, const struct trace_span *span, bool is_brief)
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
	if (span->uri && !is_brief) {
		rung_write(writer, ",\"uri\":");
		write_masked(writer, span->uri);
	}
	if (span->error && !is_brief)
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

void rung_trace_write_entry(struct rung_writer *writer, const struct rung_env *env,
	const struct trace_record *record, const struct rung_finish *finish, const struct timespec *when,
	const char *fields, bool is_brief)
{
	static const char *const outcomes[] = {
		[RUNG_SENT] = "sent", [RUNG_ABORTED] = "aborted", [RUNG_BROKEN] = "broken"
	};

	rung_writef(writer,
		"\"time\":%lld,\"method\":", (long long)when->tv_sec * 1000 + when->tv_nsec / 1000000);
	write_text(writer, env->method);
	rung_write(writer, ",\"target\":");
	write_target(writer, env);
	rung_write(writer, ",\"client\":");
	rung_write_json(writer, rung_remote_address(env));
	rung_writef(writer,
		",\"status\":%d,\"bytes\":%lld,\"outcome\":\"%s\",\"chain\":%.3f,\"sent\":%.3f,\"missed\":%u",
		finish->status, (long long)finish->bytes, outcomes[finish->outcome],
		(double)record->end / 1e3, (double)rung_trace_now(record) / 1e3, record->missed);
	if (is_brief) {
		rung_write(writer, ",\"is_cut\":true,\"request\":[],\"response\":[]");
	} else {
		rung_write(writer, ",\"request\":");
		write_request_fields(writer, env);
		rung_write(writer, ",\"response\":");
		rung_write(writer, fields ? fields : "[]");
	}
	rung_write(writer, ",\"spans\":[");
	for (int i = 0; i < record->count; i++) {
		rung_write(writer, i ? "," : "");
		write_span(writer, &record->spans[i], is_brief);
	}
	rung_write(writer, "]");
}
