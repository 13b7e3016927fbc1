/*
 * trace.h: where the time of a request goes, layer by layer and hop by hop.
 *
 * For each link inside it the layer knows how long it took in all (inclusive), how long without the links inside it
 * (exclusive), and to which redispatch it belongs. It tells by
 *
 * - a Server-Timing field, which browsers show beside the request:
 *   "total;dur=0.210, error_pages;dur=0.204;self=0.003, files;dur=0.090;self=0.090;hop=1"; milliseconds; dur is inclusive,
 *   self exclusive;
 * - a line in the log when the response was sent:
 *   "rung: trace: GET /d/a.txt 200 in 0.210 ms, sent after 0.4 ms: error_pages 0.204/0.003, ... [1 http://files.internal/a.txt]
 *   files 0.090/0.090".
 *
 * It is on in development and off elsewhere, unless it is told; off it is one call that passes on, and no link is watched.
 * Bodies that stream are timed up to where the chain returns, not while they are read.
 *
 * Place: outermost, or around what is to be timed. Rack: Rack::Runtime. W3C Server Timing.
 */
#pragma once

#include <rung/api.h>
#include <rung/app.h>

RUNG_BEGIN

enum rung_trace_when {
	RUNG_TRACE_AUTO = 0, /* in development: RUNG_ENV=development, or the setup's .development */
	RUNG_TRACE_ON,
	RUNG_TRACE_OFF,
};

/* Zero means the default. */
struct rung_trace_options {
	size_t size;
	enum rung_trace_when when;
	bool no_field; /* no Server-Timing */
	bool no_log;   /* no line in the log */
};

/* Returns NULL, with a message for rung_error(), for an unknown .when or when memory is out. */
RUNG_API RUNG_MUST_USE struct rung_app *rung_trace_new(const struct rung_trace_options *options);
#define rung_trace(...)                                    \
	rung_trace_new(&(const struct rung_trace_options){ \
		.size = sizeof(struct rung_trace_options), __VA_ARGS__ })

RUNG_END
