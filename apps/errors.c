/* DESC: Errors: every way to fail, and what the client and the log see of it. */
/* TRY: 200 / -- all of them, each with its line in the log */
/* TRY: 405 -X POST / -- the routes answer that by themselves */
/* TRY: 404 /try/missing -- an answer, not a failure: nobody logs it */
/* TRY: 500 /try/io -- rung_fail() with -EIO */
/* TRY: 503 /try/memory -- -ENOMEM: the same for every allocation that fails */
/* TRY: 504 /try/slow -- -ETIMEDOUT */
/* TRY: 502 /try/unreachable -- -EHOSTUNREACH */
/* TRY: 413 /try/large -- -E2BIG */
/* TRY: 502 /try/elsewhere -- a URI for which nobody stands */
/* TRY: 502 /try/loop -- a URI that leads to itself */
/* TRY: 500 /try/split -- a header value with a line's end in it: refused, so nothing is split */
/* TRY: 500 /try/nothing -- no answer was made */
/* TRY: 500 /try/positive -- a status that was returned instead of set */
/* TRY: 500 /try/status_99 -- a status that is none */
/* TRY: 500 /try/null_text -- a text that is NULL */
/* TRY: 500 -H 'Accept: application/json' /try/io -- for programs it is JSON */
#include "page.h"
#include <rung/access_log.h>
#include <rung/error_pages.h>
#include <rung/reproxy.h>
#include <rung/rung.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* -- ways to fail ---------------------------------------------------------------------------------------------- */

struct way {
	const char *name;
	int status; /* what the client gets; 0: a connection that is cut */
	const char *words;
	rung_call_fn call;
	int number;       /* a status or an errno */
	const char *text; /* a message or a URI */
};

#define WAY(name) \
	static int name(const struct rung_app *self, struct rung_env *env, struct rung_response *res)

WAY(reply)
{
	const struct way *way = rung_data(self);

	(void)env;
	return rung_reply_empty(res, way->number);
}

WAY(fail)
{
	const struct way *way = rung_data(self);

	(void)res;
	return rung_fail(env, way->number, "%s", way->text);
}

WAY(io)
{
	(void)self, (void)res;
	return rung_fail(env, -EIO, "the disk under %s is full of moths", env->path_info);
}

WAY(memory)
{
	(void)self, (void)env, (void)res;
	return -ENOMEM;
}

WAY(uri)
{
	const struct way *way = rung_data(self);

	(void)env;
	return rung_reply_uri_raw(res, 200, way->text);
}

/* No setter's result is checked: the error sticks in the response, and the link reports it. */
WAY(split)
{
	(void)self, (void)env;
	rung_header(res, "Location", "/here\r\nSet-Cookie: admin=1");
	return rung_reply_text(res, 200, "you will not see this");
}

WAY(nothing)
{
	(void)self, (void)env, (void)res;
	return 0;
}

WAY(positive)
{
	(void)self, (void)env;
	rung_reply_text(res, 200, "you will not see this");
	return 3;
}

WAY(null_text)
{
	(void)self;
	return rung_reply_text(res, 200, rung_param(env, "no such parameter"));
}

/* A body that breaks half-way: the status has been sent, so the connection is cut. */
struct half {
	struct rung_source source;
	bool is_read;
};

static ssize_t read_half(struct rung_source *source, void *buffer, size_t max)
{
	struct half *half = (struct half *)source;

	if (half->is_read)
		return -EIO;
	half->is_read = true;
	return snprintf(buffer, max, "half of");
}

WAY(half)
{
	struct half *half = rung_alloc(env, sizeof *half);

	(void)self;
	if (!half)
		return -ENOMEM;
	*half = (struct half){ .source = { .read = read_half } };
	return rung_reply_pull(res, 200, "text/plain", &half->source, 14);
}

static const struct way ways[] = {
	{ "missing", 404, "rung_reply_empty(res, 404): an answer like any other", reply, 404 },
	{ "post_only", 405, "rung_post() and nothing else: the routes answer, with Allow", reply, 204 },
	{ "io", 500, "return rung_fail(env, -EIO, ...)", io },
	{ "memory", 503, "return -ENOMEM", memory },
	{ "slow", 504, "the same, -ETIMEDOUT", fail, -ETIMEDOUT, "the database took its time" },
	{ "unreachable", 502, "the same, -EHOSTUNREACH", fail, -EHOSTUNREACH, "the bank is closed" },
	{ "malformed", 400, "the same, -EBADMSG: the client's doing, so it is no error in the log", fail,
		-EBADMSG, "this is no form" },
	{ "large", 413, "the same, -E2BIG", fail, -E2BIG, "more than this app takes" },
	{ "elsewhere", 502, "a URI whose host nobody stands for", uri, .text = "http://nobody.example/" },
	{ "loop", 502, "a relative URI that leads to itself", uri, .text = "loop" },
	{ "split", 500, "a header value with a line's end in it", split },
	{ "nothing", 500, "return 0, and no answer", nothing },
	{ "positive", 500, "return 3", positive },
	{ "status_99", 500, "a status that HTTP does not have", reply, 99 },
	{ "early", 500, "status 103 as if it were the answer", reply, 103 },
	{ "null_text", 500, "a text that is NULL", null_text },
	{ "half", 0, "a body that fails when the head has been sent", half },
};

enum { WAYS = sizeof ways / sizeof *ways };

/* -- the page ---------------------------------------------------------------------------------------------------- */

/* The line that the link has just written into the log. */
static void write_line(struct rung_writer *page, const struct rung_env *view, int status)
{
	const struct rung_failure *failure = rung_failure(view);
	const char *slash = failure && failure->file ? strrchr(failure->file, '/') : NULL;

	/* The routes' own answers come first, so until then the request has no failure. */
	if (!failure) {
		rung_write(page, "nothing");
		return;
	}
	rung_write_html(page, rung_printf(view, "rung: %d in %s", status, failure->layer));
	if (failure->file)
		rung_writef(page, " (%s:%d)", slash ? slash + 1 : failure->file, failure->line);
	rung_write_html(page, rung_printf(view, ": %s [%s %s%s]",
				      *failure->message ? failure->message : strerror(-failure->err),
				      view->method, view->script_name, view->path_info));
}

/* Fails as the request would, in a view and a response of its own. */
static void run_way(
	struct rung_writer *page, struct rung_env *env, const struct rung_app *app, const struct way *way)
{
	const char *path = rung_printf(env, "/try/%s", way->name);
	struct rung_env *view =
		path ? rung_rewrite(env, &(const struct rung_target){ .method = "GET", .path_info = path })
		     : NULL;
	struct rung_response *res = rung_response_new(env);

	if (!view || !res) {
		page->error = -ENOMEM;
		return;
	}
	rung_call(app, view, res);
	rung_writef(page, "client: %d\nlog: ", res->status);
	write_line(page, view, res->status);
	rung_response_clear(res);
}

static int index_page(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_writer page = rung_writer(env);

	rung_write(&page,
		PAGE("Every way to fail") "<p>An app fails by what it returns, or by an error that stuck in its response. The link "
					  "that called it makes the answer: no app outside needs an error path. This page has just tried "
					  "each, so the lines are in the log.</p>\n<div class=\"side\">\n");
	for (const struct way *way = ways; way < ways + WAYS; way++) {
		rung_writef(&page, "<section>\n<h2><a data-status=\"%d\" href=\"try/%s\">%s</a></h2>\n<p>",
			way->status, way->name, way->name);
		rung_write_html(&page, way->words);
		rung_write(&page, "</p>\n<pre>");
		if (way->status)
			run_way(&page, env, rung_data(self), way);
		else
			rung_write(&page, "client: half of it, and the connection is cut\n"
					  "log: not tried here, since nobody reads the body");
		rung_write(&page, "</pre>\n</section>\n");
	}
	rung_write(&page, "</div>\n");
	return rung_reply_written(res, 200, "text/html; charset=utf-8", &page);
}

static struct rung_app *way_routes(void)
{
	struct rung_app *parts[WAYS + 1];
	char path[32];

	for (size_t i = 0; i < WAYS; i++) {
		snprintf(path, sizeof path, "/try/%s", ways[i].name);
		parts[i] = rung_route(
			ways[i].status == 405 ? "POST" : "GET", path, ways[i].call, .data = &ways[i]);
	}
	parts[WAYS] = &rung_end_;
	return rung_routes_new(parts);
}

/* Whatever server stands in front, the URIs here are tried here. */
int main(int argc, char **argv)
{
	struct rung_app *tries = rung_stack(rung_reproxy(.server = RUNG_SERVER_SELF), way_routes());

	return rung_main(argc, argv,
		rung_stack(rung_access_log(), rung_error_pages(),
			rung_routes(rung_get("/", index_page, .data = tries), tries)));
}
