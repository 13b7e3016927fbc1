/*
 * events.h: server-sent events: a stream of small messages that a browser's EventSource reads, and reconnects to by itself.
 *
 *	struct rung_pipe *pipe = rung_pipe_new(.endless = true);
 *	rung_reply_events(res, pipe);
 *	...
 *	rung_event_send(pipe, .event = "tick", .data = "12:00:01", .id = "42");
 *
 * Source: WHATWG HTML, section "Server-sent events".
 */
#pragma once

#include <rung/api.h>
#include <rung/pipe.h>

RUNG_BEGIN

struct rung_env;

/* NULL and zero leave a field out. */
struct rung_event {
	size_t size;
	const char *data;  /* may have several lines; with none at all only id and retry take effect */
	const char *event; /* its type, one line; browsers take "message" when there is none */
	const char *id;    /* one line; a browser that reconnects sends the last one as Last-Event-ID */
	unsigned retry_ms; /* how long a browser waits before it reconnects */
};

/* The response for events: 200, text/event-stream, not to be cached, nor to be gathered by a proxy (X-Accel-Buffering). Returns as
 * rung_body_pipe() does. */
RUNG_API int rung_reply_events(struct rung_response *res, struct rung_pipe *pipe);

/* Writes one event: as rung_pipe_write(), and -EINVAL for more than a line where there may be one, -ENOMEM. */
RUNG_API int rung_event_write(struct rung_pipe *pipe, const struct rung_event *event);
#define rung_event_send(pipe, ...) \
	rung_event_write(pipe, &(const struct rung_event){ .size = sizeof(struct rung_event), __VA_ARGS__ })

/* The same, never waiting, as rung_pipe_offer(): for one writer of many streams. */
RUNG_API int rung_event_try(struct rung_pipe *pipe, const struct rung_event *event);
#define rung_event_offer(pipe, ...) \
	rung_event_try(pipe, &(const struct rung_event){ .size = sizeof(struct rung_event), __VA_ARGS__ })

/* A comment, which browsers pass over: sent now and then it keeps proxies from giving the connection up, and shows a writer
 * that the client has gone. One line, may be "". Returns as rung_event_try() does. */
RUNG_API int rung_event_comment(struct rung_pipe *pipe, const char *text);

/* What a browser that reconnects has seen last, or NULL. It is the client's word. */
RUNG_API const char *rung_last_event_id(const struct rung_env *env);

RUNG_END
