/* DESC: A clock by server-sent events: one thread ticks, any number of watchers see it, through the whole stack. */
/* TRY: 200 / -- the clock; open it twice and see the watchers counted */
/* TRY: 200 -N --max-time 3 /events -- what a browser's EventSource reads */
/* TRY: 200 -N --max-time 2 -H 'Last-Event-ID: 1700000000' /events -- one that was away is told how long */
#include "page.h"
#include <rung/access_log.h>
#include <rung/error_pages.h>
#include <rung/reproxy.h>
#include <rung/rung.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* -- those who watch ----------------------------------------------------------------------------------------------- */

struct watcher {
	struct watcher *next;
	struct rung_pipe *pipe;
};

/* What changes while it serves is behind a pointer, with a lock of its own: apps are shared by all threads. */
struct bell {
	pthread_mutex_t lock;
	pthread_cond_t stopping;
	pthread_t thread;
	struct watcher *watchers;
	unsigned count;
	bool is_over;
};

struct ticks {
	struct rung_app app;
	struct bell *bell;
};

/* One event for all. Who has gone is forgotten; who is so slow that its pipe is full misses this one. */
static void tell_all(struct bell *bell, time_t now)
{
	struct watcher **place = &bell->watchers;
	char id[24], data[64];
	struct tm parts;

	gmtime_r(&now, &parts);
	size_t size = strftime(data, sizeof data, "%H:%M:%S", &parts);
	snprintf(data + size, sizeof data - size, " %u", bell->count);
	snprintf(id, sizeof id, "%lld", (long long)now);
	while (*place) {
		struct watcher *watcher = *place;
		int rc = rung_event_offer(watcher->pipe, .event = "tick", .data = data, .id = id);

		if (rc == 0 || rc == -EAGAIN) {
			place = &watcher->next;
			continue;
		}
		*place = watcher->next;
		bell->count--;
		rung_pipe_close(watcher->pipe);
		free(watcher);
	}
}

/* Ticks at the full second. */
static void *tick(void *argument)
{
	struct bell *bell = argument;
	struct timespec next;

	clock_gettime(CLOCK_REALTIME, &next);
	pthread_mutex_lock(&bell->lock);
	while (!bell->is_over) {
		tell_all(bell, next.tv_sec);
		clock_gettime(CLOCK_REALTIME, &next);
		next.tv_sec++;
		next.tv_nsec = 0;
		while (!bell->is_over &&
			pthread_cond_timedwait(&bell->stopping, &bell->lock, &next) != ETIMEDOUT)
			continue;
	}
	pthread_mutex_unlock(&bell->lock);
	return NULL;
}

/* -- the app ------------------------------------------------------------------------------------------------------- */

/* What a watcher gets at once: how soon to come back when the line breaks, and how long it was away. */
static int greet(const struct rung_env *env, struct rung_pipe *pipe)
{
	const char *last = rung_last_event_id(env);
	long long away = last ? (long long)time(NULL) - atoll(last) : 0;
	char data[64];

	if (away <= 1)
		return rung_event_offer(pipe, .retry_ms = 2000);
	snprintf(data, sizeof data, "%lld", away);
	return rung_event_offer(pipe, .event = "missed", .data = data, .retry_ms = 2000);
}

static int watch(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct bell *bell = ((const struct ticks *)self)->bell;
	struct watcher *watcher = malloc(sizeof *watcher);
	struct rung_pipe *pipe = watcher ? rung_pipe_new(.room = 4096, .endless = true) : NULL;

	if (!pipe || greet(env, pipe) < 0 || rung_reply_events(res, pipe) < 0) {
		rung_pipe_close(pipe);
		free(watcher);
		return -ENOMEM;
	}
	watcher->pipe = pipe;
	pthread_mutex_lock(&bell->lock);
	watcher->next = bell->watchers;
	bell->watchers = watcher;
	bell->count++;
	pthread_mutex_unlock(&bell->lock);
	return 0;
}

static int start(struct rung_app *app, const struct rung_setup *setup)
{
	struct bell *bell = calloc(1, sizeof *bell);

	(void)setup;
	if (!bell)
		return rung_refuse(-ENOMEM, "ticks: out of memory");
	pthread_mutex_init(&bell->lock, NULL);
	pthread_cond_init(&bell->stopping, NULL);
	int rc = pthread_create(&bell->thread, NULL, tick, bell);
	if (rc != 0) {
		free(bell);
		return rung_refuse(-rc, "ticks: cannot start a thread");
	}
	((struct ticks *)app)->bell = bell;
	return 0;
}

static void stop(struct rung_app *app)
{
	struct bell *bell = ((struct ticks *)app)->bell;

	pthread_mutex_lock(&bell->lock);
	bell->is_over = true;
	pthread_cond_signal(&bell->stopping);
	pthread_mutex_unlock(&bell->lock);
	pthread_join(bell->thread, NULL);
	while (bell->watchers) {
		struct watcher *watcher = bell->watchers;

		bell->watchers = watcher->next;
		rung_pipe_close(watcher->pipe);
		free(watcher);
	}
	pthread_cond_destroy(&bell->stopping);
	pthread_mutex_destroy(&bell->lock);
	free(bell);
}

static const struct rung_app_class ticks_class = {
	.size = sizeof(struct ticks),
	.name = "ticks",
	.flags = RUNG_ENDPOINT,
	.call = watch,
	.start = start,
	.stop = stop,
};

/* -- the page ------------------------------------------------------------------------------------------------------ */

static int page(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_html(res, 200,
		PAGE("Clock") "<p id=\"time\" style=\"font: 300 min(18vw, 6rem)/1.2 ui-monospace, monospace; margin: 0\">"
			      "--:--:--</p>\n"
			      "<p><span id=\"state\">waiting for the first tick</span>\n"
			      "<p>The time is UTC, as the server has it, sent once a second to everyone who watches. Stop the server "
			      "and start it again: this page comes back by itself, and is told how long it was away.\n"
			      "<noscript><p>Without script: <code>curl -N</code> the <a href=\"events\">events</a>.</noscript>\n"
			      "<script>\n"
			      "const time = document.getElementById('time'), state = document.getElementById('state');\n"
			      "const source = new EventSource('events');\n"
			      "source.addEventListener('tick', function (event) {\n"
			      "\tconst parts = event.data.split(' ');\n"
			      "\ttime.textContent = parts[0];\n"
			      "\tstate.textContent = parts[1] === '1' ? 'one watcher' : parts[1] + ' watchers';\n"
			      "});\n"
			      "source.addEventListener('missed', function (event) {\n"
			      "\tstate.textContent = 'back after ' + event.data + ' seconds';\n"
			      "});\n"
			      "source.onerror = function () { state.textContent = 'the line is broken; trying again'; };\n"
			      "</script>\n");
}

/* The stream passes every layer of the stack, and a redispatch too. */
static int events(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_uri(res, 200, "http://ticks.internal/");
}

int main(int argc, char **argv)
{
	return rung_main(argc, argv,
		rung_stack(rung_access_log(), rung_error_pages(),
			rung_reproxy(.names = rung_names({ "ticks.internal", rung_app_new(&ticks_class) })),
			rung_routes(rung_get("/", page), rung_get("/events", events))));
}
