/*
 * record.h: private: what a request did on its way: a span for each link, nested as the links were.
 *
 * One recorder belongs to one app that records. Its probe looks on at every link; a link of a request for which the app
 * has begun a record becomes a span of it. Records live in the request's memory.
 */
#pragma once

#include <rung/app.h>
#include <rung/env.h>

#include <time.h>

enum { TRACE_MAX_SPANS = 96, TRACE_NO_PARENT = -1 };

struct trace_span {
	const char *name;   /* of the app */
	int parent;         /* a span's index, or TRACE_NO_PARENT */
	unsigned hop;       /* redispatches between the client and this link */
	const char *uri;    /* where the first link of a redispatch was sent to, else NULL */
	int64_t begin, end; /* nanoseconds since the record began */
	int64_t inner;      /* nanoseconds of it that were spent in spans inside */
	int status;         /* of the response when the link was left; 0: none was made */
	enum rung_body_kind kind;
	int64_t bytes;              /* of body, -1: unknown */
	int error;                  /* a negative errno if the link failed, and then why, where: */
	const char *message, *file; /* NULL if unknown */
	int line;
};

struct trace_record {
	struct timespec begun; /* monotonic */
	int64_t end;           /* nanoseconds, once the chain is through */
	int current;           /* the span that is being called */
	int failed;            /* a span whose failure the link has yet to explain */
	int count;
	unsigned missed; /* links that found no room */
	struct trace_span spans[TRACE_MAX_SPANS];
};

struct trace_recorder {
	struct rung_probe probe;
	struct rung_key key; /* its address names the record of a request */
};

void rung_trace_recorder_init(struct trace_recorder *recorder);

/* Begins the record of a request. Returns NULL when memory is out. */
struct trace_record *rung_trace_begin(struct trace_recorder *recorder, struct rung_env *env);

/* The chain is through. */
void rung_trace_end(struct trace_record *record, const struct rung_env *env, const struct rung_response *res);

/* Nanoseconds since the record began. */
int64_t rung_trace_now(const struct trace_record *record);
