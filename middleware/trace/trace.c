/*
 * trace.c: a request's record as a Server-Timing field and as a line in the log. Rack: Rack::Runtime.
 */
#include "record.h"
#include <rung/trace.h>

#include <rung/headers.h>
#include <rung/response.h>
#include <rung/writer.h>

#include <errno.h>
#include <string.h>

struct trace {
	struct rung_app app;
	struct trace_recorder recorder;
	enum rung_trace_when when;
	bool is_on; /* since start */
	bool has_field, has_log;
};

/* A record on its way to the log. */
struct traced {
	const struct trace *trace;
	struct trace_record *record;
};

static double milliseconds(int64_t nanoseconds)
{
	return (double)nanoseconds / 1e6;
}

/* -- the field ---------------------------------------------------------------------------------------------------- */

enum { MOST_METRICS = 32 }; /* of a field: a head has to fit into the connection's memory */

/* A metric's name is a token; an app's may have blanks and slashes, and is then described as well. */
static void write_name(struct rung_writer *writer, const char *name)
{
	for (const char *at = name; *at; at++)
		rung_write_bytes(writer, rung_is_token(at, 1) ? at : "_", 1);
	if (!rung_is_token(name, strlen(name)) && !strpbrk(name, "\"\\"))
		rung_writef(writer, ";desc=\"%s\"", name);
}

static const char *make_field(const struct rung_env *env, const struct trace_record *record)
{
	struct rung_writer writer = rung_writer(env);

	rung_writef(&writer, "total;dur=%.3f", milliseconds(record->end));
	for (int i = 0; i < record->count && i < MOST_METRICS; i++) {
		const struct trace_span *span = &record->spans[i];

		rung_write(&writer, ", ");
		write_name(&writer, span->name);
		rung_writef(&writer, ";dur=%.3f;self=%.3f", milliseconds(span->end - span->begin),
			milliseconds(span->end - span->begin - span->inner));
		if (span->hop)
			rung_writef(&writer, ";hop=%u", span->hop);
	}
	return writer.error ? NULL : writer.text;
}

/* -- the line ------------------------------------------------------------------------------------------------------ */

static void write_spans(struct rung_writer *writer, const struct trace_record *record)
{
	for (int i = 0; i < record->count; i++) {
		const struct trace_span *span = &record->spans[i];

		rung_write(writer, i ? ", " : ": ");
		if (span->uri)
			rung_writef(writer, "[%u %s] ", span->hop, span->uri);
		rung_writef(writer, "%s %.3f/%.3f", span->name, milliseconds(span->end - span->begin),
			milliseconds(span->end - span->begin - span->inner));
		if (span->error)
			rung_writef(writer, " failed (%s)", strerror(-span->error));
	}
	if (record->missed)
		rung_writef(writer, ", and %u links more", record->missed);
}

static void log_record(const struct rung_env *env, const struct rung_finish *finish, void *data)
{
	const struct traced *traced = data;
	struct rung_writer writer = rung_writer(env);

	write_spans(&writer, traced->record);
	/* Without memory there is at least how long it took. */
	rung_log(env, RUNG_LOG_INFO, "rung: trace: %s %s%s %d in %.3f ms, sent after %.3f ms%s", env->method,
		env->script_name, env->path_info, finish->status, milliseconds(traced->record->end),
		milliseconds(rung_trace_now(traced->record)),
		writer.error || !writer.text ? "" : writer.text);
}

/* -- the layer ---------------------------------------------------------------------------------------------------- */

static int watch_end(const struct trace *trace, struct rung_env *env, struct trace_record *record)
{
	struct traced *traced = rung_alloc(env, sizeof *traced);

	if (!traced)
		return -ENOMEM;
	*traced = (struct traced){ trace, record };
	return rung_on_finish(env, log_record, traced);
}

static int trace_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct trace *trace = (struct trace *)(uintptr_t)self;

	if (!trace->is_on) {
		rung_next(self, env, res);
		return 0;
	}
	struct trace_record *record = rung_trace_begin(&trace->recorder, env);
	if (!record || (trace->has_log && watch_end(trace, env, record) < 0))
		return -ENOMEM;
	rung_next(self, env, res);
	rung_trace_end(record, env, res);
	if (!trace->has_field)
		return 0;
	const char *field = make_field(env, record);
	return field ? rung_header_add(res, "Server-Timing", field) : -ENOMEM;
}

static bool is_wanted(const struct trace *trace, const struct rung_setup *setup)
{
	return trace->when == RUNG_TRACE_ON || (trace->when == RUNG_TRACE_AUTO && setup->development);
}

static const struct rung_probe *trace_probe(struct rung_app *app, const struct rung_setup *setup)
{
	struct trace *trace = (struct trace *)app;

	return is_wanted(trace, setup) ? &trace->recorder.probe : NULL;
}

static int trace_start(struct rung_app *app, const struct rung_setup *setup)
{
	struct trace *trace = (struct trace *)app;

	trace->is_on = is_wanted(trace, setup);
	return 0;
}

static const struct rung_app_class trace_class = {
	.size = sizeof(struct trace),
	.name = "trace",
	.flags = RUNG_LAYER,
	.call = trace_call,
	.start = trace_start,
	.probe = trace_probe,
};

struct rung_app *rung_trace_new(const struct rung_trace_options *given)
{
	struct rung_trace_options options;

	if (rung_options_copy("trace", &options, given, sizeof options) < 0)
		return NULL;
	if ((unsigned)options.when > RUNG_TRACE_OFF) {
		rung_refuse(
			-EINVAL, "trace: .when is %d; use RUNG_TRACE_AUTO, _ON or _OFF", (int)options.when);
		return NULL;
	}
	struct trace *trace = rung_app_new(&trace_class);
	if (!trace)
		return NULL;
	rung_trace_recorder_init(&trace->recorder);
	trace->when = options.when;
	trace->has_field = !options.no_field;
	trace->has_log = !options.no_log;
	return &trace->app;
}
