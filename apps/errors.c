/* DESC: Errors: every way to fail, and what the client and the log see of it. */
/* TRY: 200 / -- all of them, each with its line in the log */
/* TRY: 404 /try/missing -- an answer, not a failure: nobody logs it */
/* TRY: 405 -X DELETE /try/missing -- the routes answer that by themselves */
/* TRY: 500 /try/io -- rung_fail() with -EIO */
/* TRY: 503 /try/memory -- -ENOMEM: the same for every allocation that fails */
/* TRY: 504 /try/slow -- -ETIMEDOUT */
/* TRY: 502 /try/elsewhere -- a URI for which nobody stands */
/* TRY: 502 /try/loop -- a URI that leads to itself */
/* TRY: 413 /try/large -- -E2BIG */
/* TRY: 500 /try/split -- a header value with a line's end in it: refused, so nothing is split */
/* TRY: 500 /try/nothing -- no answer was made */
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

#define WAY(name) \
	static int name(const struct rung_app *self, struct rung_env *env, struct rung_response *res)

WAY(missing)
{
	(void)self, (void)env;
	return rung_reply_empty(res, 404);
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

WAY(slow)
{
	(void)self, (void)res;
	return rung_fail(env, -ETIMEDOUT, "the database took its time");
}

WAY(large)
{
	(void)self, (void)res;
	return rung_fail(env, -E2BIG, "more than this app takes");
}

WAY(elsewhere)
{
	(void)self, (void)env;
	return rung_reply_uri(res, 200, "http://nobody.example/");
}

/* Relative to what led here: itself, again and again. */
WAY(loop)
{
	(void)self, (void)env;
	return rung_reply_uri(res, 200, "loop");
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
	(void)self;
	rung_reply_text(res, 200, "you will not see this");
	return (int)strlen(env->method);
}

WAY(early)
{
	(void)self, (void)env;
	return rung_reply_text(res, 103, "you will not see this");
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

	(void)max;
	if (half->is_read)
		return -EIO;
	half->is_read = true;
	memcpy(buffer, "half of", 7);
	return 7;
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

static const struct way {
	const char *name;
	int status;
	const char *words;
	rung_call_fn call;
} ways[] = {
	{ "missing", 404, "rung_reply_empty(res, 404): an answer like any other", missing },
	{ "io", 500, "return rung_fail(env, -EIO, ...)", io },
	{ "memory", 503, "return -ENOMEM", memory },
	{ "slow", 504, "return rung_fail(env, -ETIMEDOUT, ...)", slow },
	{ "large", 413, "return rung_fail(env, -E2BIG, ...)", large },
	{ "elsewhere", 502, "a URI whose host nobody stands for", elsewhere },
	{ "loop", 502, "a URI that leads to itself", loop },
	{ "split", 500, "a header value with a line's end in it", split },
	{ "nothing", 500, "return 0, and no answer", nothing },
	{ "positive", 500, "return 3", positive },
	{ "early", 500, "status 103 as if it were the answer", early },
	{ "null_text", 500, "a text that is NULL", null_text },
	{ "half", 0, "a body that fails when the head has been sent: the connection is cut", half },
};

enum { WAYS = sizeof ways / sizeof *ways };

/* -- the page ---------------------------------------------------------------------------------------------------- */

/* What the link wrote into the log, as the failure itself tells it. */
static void write_failure(struct rung_writer *page, int status)
{
	const struct rung_failure *failure = rung_failure(page->env);

	if (status < 500 && status != 413)
		rung_write(page, "nothing");
	else if (failure)
		rung_write_html(
			page, rung_printf(page->env, "rung: %d in %s%s%s: %s", status, failure->layer,
				      failure->file ? " at " : "",
				      failure->file ? rung_printf(page->env, "%s:%d",
							      strrchr(failure->file, '/')
								      ? strrchr(failure->file, '/') + 1
								      : failure->file,
							      failure->line)
						    : "",
				      *failure->message ? failure->message : strerror(-failure->err)));
}

/* Fails as the request would, in a view and a response of its own, and tells what came of it. */
static int write_way(
	struct rung_writer *page, struct rung_env *env, const struct rung_app *app, const struct way *way)
{
	struct rung_env *view = rung_rewrite(
		env, &(const struct rung_target){ .path_info = rung_printf(env, "/try/%s", way->name) });
	struct rung_response *res = rung_response_new(env);

	if (!view || !res)
		return -ENOMEM;
	rung_writef(page, "<section>\n<h2><a data-status=\"%d\" href=\"try/%s\">%s</a></h2>\n<p>",
		way->status, way->name, way->name);
	rung_write_html(page, way->words);
	rung_write(page, "</p>\n<pre>");
	if (way->status) {
		rung_call(app, view, res);
		rung_writef(page, "client: %d\nlog: ", res->status);
		write_failure(page, res->status);
		rung_response_clear(res);
	} else {
		rung_write(page,
			"client: half of the body, and the end\nlog: rung: body of GET ...: Input/output error");
	}
	return rung_write(page, "</pre>\n</section>\n");
}

/* A layer, so that it has the routes inside it to ask. */
WAY(index_page)
{
	struct rung_writer page = rung_writer(env);
	int rc = 0;

	if (strcmp(env->path_info, "/") != 0 || strcmp(env->method, "GET") != 0) {
		rung_next(self, env, res);
		return 0;
	}
	rung_write(&page,
		PAGE("Every way to fail") "<p>An app fails by what it returns, or by an error that stuck in its "
					  "response. The link that called it makes the answer: no app "
					  "outside needs an error path.</p>\n<div class=\"side\">\n");
	for (size_t i = 0; i < WAYS && rc == 0; i++)
		rc = write_way(&page, env, self->next, &ways[i]);
	rung_write(&page, "</div>\n");
	return rc < 0 ? rc : rung_reply_written(res, 200, "text/html; charset=utf-8", &page);
}

static struct rung_app *way_routes(void)
{
	struct rung_app *parts[WAYS + 1];
	char path[32];

	for (size_t i = 0; i < WAYS; i++) {
		snprintf(path, sizeof path, "/try/%s", ways[i].name);
		parts[i] = rung_get(path, ways[i].call);
	}
	parts[WAYS] = &rung_end_;
	return rung_routes_new(parts);
}

int main(int argc, char **argv)
{
	return rung_main(argc, argv,
		rung_stack(rung_access_log(), rung_error_pages(), rung_use(index_page, .name = "index_page"),
			rung_reproxy(), way_routes()));
}
