/* DESC: Behind a server: what each server in front would be told, beside what redispatch gives without one. */
/* TRY: 200 / -- a few responses to look at */
/* TRY: 200 /show/file -- a file: what nginx, Apache and the others are told, and what redispatch gives */
/* TRY: 200 /show/relative -- a URI without an authority gets one where a server must fetch it */
/* TRY: 200 /show/unknown -- an authority that nobody here stands for */
/* TRY: 404 /show/nothing -- there is no such response */
#include "page.h"
#include <rung/access_log.h>
#include <rung/error_pages.h>
#include <rung/reproxy.h>
#include <rung/rung.h>

#include <errno.h>
#include <stdio.h>

/* -- the responses that are looked at ----------------------------------------------------------------------------- */

static int file(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	rung_header(res, "Content-Type", "application/pdf");
	rung_header(res, "Cache-Control", "private");
	return rung_reply_uri(res, 200, "http://files.internal/%s", "annual report.pdf");
}

/* The other way to say it: a field, and a body that nobody will see. */
static int field(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_header(res, rung_uri_header(env), "http://files.internal/by-field");
	rung_set_cookie(res, "seen", "1");
	return rung_reply_text(res, 200, "replaced");
}

static int relative(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_uri(res, 200, "answer?to=%s", "life & all");
}

static int status(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_uri(res, 203, "http://files.internal/%s", "other-status");
}

static int unknown(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_uri(res, 200, "http://elsewhere.example/secret");
}

static int plain(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_text(res, 200, "no URI: nobody has anything to do");
}

/* What the URIs lead to. */
static int target(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return rung_reply_textf(res, 200, "This is %s%s%s at %s, after %u hop.", env->path_info,
		*env->query ? "?" : "", env->query, env->host, env->hop);
}

static const struct sample {
	const char *name, *words;
	rung_call_fn call;
} samples[] = {
	{ "file", "a URI as the body, with fields that stay and fields that the target replaces", file },
	{ "field", "a URI in the field that reproxy announced, with a cookie", field },
	{ "relative", "a URI without an authority: this very stack", relative },
	{ "status", "another status than 200", status },
	{ "unknown", "an authority that nobody stands for", unknown },
	{ "plain", "no URI at all", plain },
};

enum { SAMPLES = sizeof samples / sizeof *samples };

/* -- an app that holds one stack a server ------------------------------------------------------------------------- */

static const enum rung_server_kind servers[] = { RUNG_SERVER_SELF, RUNG_SERVER_NGINX, RUNG_SERVER_APACHE,
	RUNG_SERVER_LIGHTTPD, RUNG_SERVER_PERLBAL, RUNG_SERVER_H2O, RUNG_SERVER_HEADER };

enum { SERVERS = sizeof servers / sizeof *servers };

struct behind {
	struct rung_app app;
	struct rung_app *stacks[SERVERS];
};

static void write_response(struct rung_writer *page, const struct rung_response *res)
{
	const struct rung_field *at;
	size_t size = 0;
	const char *body = rung_body_get_bytes(res, &size);

	rung_writef(page, "<pre>%d\n", res->status);
	for (size_t i = 0; (at = rung_header_at(res, i)); i++) {
		rung_write_html(page, at->name);
		rung_write(page, ": ");
		rung_write_html(page, at->value);
		rung_write(page, "\n");
	}
	rung_write(page, "\n");
	if (size)
		rung_write_html(page, rung_strndup(page->env, body, size));
	else
		rung_write(page, "(no body)");
	rung_write(page, "</pre>\n");
}

/* Asks each stack for the same, in views and responses of their own: none of them is what is sent. */
static int behind_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct behind *behind = (const struct behind *)self;
	struct rung_writer page = rung_writer(env);

	rung_write(&page, PAGE("Behind each server"));
	rung_write(&page,
		"<p><a href=\"../\">other responses</a>. In front of this stack stands:</p>\n<div class=\"side\">\n");
	for (size_t i = 0; i < SERVERS; i++) {
		struct rung_env *view = rung_rewrite(env, &(const struct rung_target){ 0 });
		struct rung_response *shown = rung_response_new(env);

		if (!view || !shown)
			return -ENOMEM;
		rung_call(behind->stacks[i], view, shown);
		if (shown->status == 404)
			return rung_reply_empty(res, 404);
		rung_writef(&page, "<section>\n<h2>%s</h2>\n",
			servers[i] == RUNG_SERVER_SELF ? "no server: redispatched here"
						       : rung_server_kind_name(servers[i]));
		write_response(&page, shown);
		rung_write(&page, "</section>\n");
		rung_response_clear(shown);
	}
	rung_write(&page, "</div>\n");
	return rung_reply_written(res, 200, "text/html; charset=utf-8", &page);
}

static int behind_children(struct rung_app *app, rung_visit_fn visit, void *data)
{
	struct behind *behind = (struct behind *)app;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < SERVERS; i++)
		rc = visit(behind->stacks[i], rung_server_kind_name(servers[i]), data);
	return rc;
}

static void behind_destroy(struct rung_app *app)
{
	struct behind *behind = (struct behind *)app;

	for (size_t i = 0; i < SERVERS; i++)
		rung_drop(behind->stacks[i]);
}

static const struct rung_app_class behind_class = {
	.size = sizeof(struct behind),
	.name = "behind",
	.flags = RUNG_ENDPOINT,
	.call = behind_call,
	.children = behind_children,
	.destroy = behind_destroy,
};

static struct rung_app *sample_routes(void)
{
	struct rung_app *parts[SAMPLES + 2];
	char path[32];

	for (size_t i = 0; i < SAMPLES; i++) {
		snprintf(path, sizeof path, "/%s", samples[i].name);
		parts[i] = rung_get(path, samples[i].call);
	}
	parts[SAMPLES] = rung_get("/answer", target);
	parts[SAMPLES + 1] = &rung_end_;
	return rung_routes_new(parts);
}

static struct rung_app *behind_new(void)
{
	struct behind *behind = rung_app_new(&behind_class);

	for (size_t i = 0; behind && i < SERVERS; i++) {
		behind->stacks[i] = rung_stack(
			rung_reproxy(.server = servers[i], .names = rung_names({ "files.internal",
								   rung_run(target, .name = "target") })),
			sample_routes());
		if (rung_take(behind->stacks[i], "behind") < 0) {
			behind->stacks[i] = NULL;
			rung_app_destroy(&behind->app);
			return NULL;
		}
	}
	return behind ? &behind->app : NULL;
}

/* -- the pages around it ------------------------------------------------------------------------------------------ */

static int index_page(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_writer page = rung_writer(env);

	(void)self;
	rung_write(&page,
		PAGE("Behind a server") "<p>The same response, as each server in front would get it, and as "
					"it is without one. An app answers with:</p>\n<ul>\n");
	for (size_t i = 0; i < SAMPLES; i++)
		rung_writef(&page, "<li><a href=\"show/%s\">%s</a>: %s</li>\n", samples[i].name,
			samples[i].name, samples[i].words);
	rung_write(&page, "</ul>\n");
	return rung_reply_written(res, 200, "text/html; charset=utf-8", &page);
}

int main(int argc, char **argv)
{
	return rung_main(argc, argv,
		rung_stack(rung_access_log(), rung_error_pages(),
			rung_routes(rung_get("/", index_page), rung_mount("/show", behind_new()))));
}
