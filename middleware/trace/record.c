/* record.c: the probe that turns links into spans. */
#include "record.h"

#include <rung/body.h>
#include <rung/response.h>

#include <errno.h>

int64_t rung_trace_now(const struct trace_record *record)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)(now.tv_sec - record->begun.tv_sec) * 1000000000 +
	       (now.tv_nsec - record->begun.tv_nsec);
}

/* Why a link failed is recorded by the link itself, after the probe has left: so it is looked up at the next event. */
static void explain(struct trace_record *record, const struct rung_env *env, const struct rung_response *res)
{
	const struct rung_failure *failure = rung_failure(env);

	if (record->failed == TRACE_NO_PARENT)
		return;
	struct trace_span *span = &record->spans[record->failed];
	record->failed = TRACE_NO_PARENT;
	span->status = res->status;
	if (!failure)
		return;
	span->error = failure->err;
	span->message = failure->message;
	span->file = failure->file;
	span->line = failure->line;
}

static void *enter(const struct rung_probe *probe, const struct rung_app *app, struct rung_env *env,
	struct rung_response *res)
{
	const struct trace_recorder *recorder = probe->data;
	struct trace_record *record = rung_env_get(env, &recorder->key);

	if (!record)
		return NULL;
	explain(record, env, res);
	if (record->count == TRACE_MAX_SPANS) {
		record->missed++;
		return NULL;
	}
	struct trace_span *span = &record->spans[record->count];
	unsigned outer_hop = record->current == TRACE_NO_PARENT ? 0 : record->spans[record->current].hop;
	*span = (struct trace_span){ .name = rung_app_name(app),
		.parent = record->current,
		.hop = env->hop,
		.uri = env->hop > outer_hop ? env->uri : NULL,
		.begin = rung_trace_now(record) };
	record->current = record->count++;
	return span;
}

static int leave(const struct rung_probe *probe, const struct rung_app *app, struct rung_env *env,
	struct rung_response *res, void *state, int result)
{
	const struct trace_recorder *recorder = probe->data;
	struct trace_record *record = state ? rung_env_get(env, &recorder->key) : NULL;
	struct trace_span *span = state;

	(void)app;
	if (!record)
		return result;
	explain(record, env, res);
	span->end = rung_trace_now(record);
	span->status = res->status;
	span->kind = res->kind;
	span->bytes = rung_body_size(res);
	record->current = span->parent;
	if (span->parent != TRACE_NO_PARENT)
		record->spans[span->parent].inner += span->end - span->begin;
	/* What the link will see as a failure. */
	if (result != 0 || res->error || (unsigned)(res->status - 200) > 799u) {
		span->error = result < 0 ? result : res->error ? res->error : -EPROTO;
		span->kind = RUNG_BODY_EMPTY;
		span->bytes = 0;
		record->failed = (int)(span - record->spans);
	}
	return result;
}

void rung_trace_recorder_init(struct trace_recorder *recorder)
{
	recorder->probe = (struct rung_probe){ .enter = enter, .leave = leave, .data = recorder };
	recorder->key = (struct rung_key){ .name = "trace.record" };
}

struct trace_record *rung_trace_begin(struct trace_recorder *recorder, struct rung_env *env)
{
	struct trace_record *record = rung_alloc(env, sizeof *record);

	if (!record)
		return NULL;
	record->end = 0;
	record->current = record->failed = TRACE_NO_PARENT;
	record->count = 0;
	record->missed = 0;
	clock_gettime(CLOCK_MONOTONIC, &record->begun);
	return rung_env_set(env, &recorder->key, record) < 0 ? NULL : record;
}

void rung_trace_end(struct trace_record *record, const struct rung_env *env, const struct rung_response *res)
{
	explain(record, env, res);
	record->end = rung_trace_now(record);
}
