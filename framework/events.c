/* events.c: server-sent events as bytes. See events.h. */
#include "request.h"
#include <rung/events.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An event is put together here and handed over whole, so that those of several writers do not mix. */
struct text {
	char *at; /* NULL while it is only counted */
	size_t size;
};

static void add(struct text *text, const char *bytes, size_t size)
{
	if (text->at)
		memcpy(text->at + text->size, bytes, size);
	text->size += size;
}

static void add_line(struct text *text, const char *name, const char *value, size_t size)
{
	add(text, name, strlen(name));
	add(text, value, size);
	add(text, "\n", 1);
}

/* Lines end at LF, CR or CR LF, and each needs the field's name again. */
static void add_data(struct text *text, const char *data)
{
	for (;;) {
		size_t size = strcspn(data, "\r\n");

		add_line(text, "data: ", data, size);
		data += size;
		if (!*data)
			return;
		data += data[0] == '\r' && data[1] == '\n' ? 2 : 1;
	}
}

static void add_event(struct text *text, const struct rung_event *event)
{
	char retry[16];

	if (event->event)
		add_line(text, "event: ", event->event, strlen(event->event));
	if (event->id)
		add_line(text, "id: ", event->id, strlen(event->id));
	if (event->retry_ms) {
		int size = snprintf(retry, sizeof retry, "%u", event->retry_ms);
		add_line(text, "retry: ", retry, (size_t)size);
	}
	if (event->data)
		add_data(text, event->data);
	add(text, "\n", 1);
}

static bool is_one_line(const char *text)
{
	return !text || !text[strcspn(text, "\r\n")];
}

static int hand_over(struct rung_pipe *pipe, const struct rung_event *event,
	int (*write)(struct rung_pipe *pipe, const void *bytes, size_t size))
{
	struct text text = { 0 };
	char small[1024];

	if (!is_one_line(event->event) || !is_one_line(event->id))
		return -EINVAL;
	add_event(&text, event);
	char *large = text.size > sizeof small ? malloc(text.size) : NULL;
	if (text.size > sizeof small && !large)
		return -ENOMEM;
	text = (struct text){ .at = large ? large : small };
	add_event(&text, event);
	int rc = write(pipe, text.at, text.size);
	free(large);
	return rc;
}

int rung_event_write(struct rung_pipe *pipe, const struct rung_event *given)
{
	struct rung_event event;

	if (rung_options_copy("event", &event, given, sizeof event) < 0)
		return -EINVAL;
	return hand_over(pipe, &event, rung_pipe_write);
}

int rung_event_try(struct rung_pipe *pipe, const struct rung_event *given)
{
	struct rung_event event;

	if (rung_options_copy("event", &event, given, sizeof event) < 0)
		return -EINVAL;
	return hand_over(pipe, &event, rung_pipe_offer);
}

int rung_event_comment(struct rung_pipe *pipe, const char *text)
{
	char line[1024];

	if (!is_one_line(text) || strlen(text) > sizeof line - 8)
		return -EINVAL;
	return rung_pipe_offer(pipe, line, (size_t)snprintf(line, sizeof line, ": %s\n\n", text));
}

int rung_reply_events(struct rung_response *res, struct rung_pipe *pipe)
{
	rung_header_static(res, "Cache-Control", "no-cache");
	rung_header_static(res, "X-Accel-Buffering", "no");
	return rung_reply_pipe(res, 200, "text/event-stream", pipe);
}

const char *rung_last_event_id(const struct rung_env *env)
{
	return rung_request_header(env, "Last-Event-ID");
}
