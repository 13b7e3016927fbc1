/*
 * gallery.c: every app of the gallery in one process, each below /NAME/, behind an index that is made from what their files
 * say. The apps know nothing of it: each was a program of its own, whose main is called by another name here.
 */
#include "gallery.h"

#include <rung/access_log.h>
#include <rung/error_pages.h>
#include <rung/files.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* GALLERY_APPS is the build's list: APP(hello) APP(hops) ... */
#define APP(name) int name##_main(int argc, char **argv);
GALLERY_APPS
#undef APP

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
} programs[] = {
#define APP(name) { #name, name##_main },
	GALLERY_APPS
#undef APP
};

enum { COUNT = sizeof programs / sizeof *programs };

static struct exhibit exhibits[COUNT];
static bool has_inspector;

/* -- the gallery's own pages --------------------------------------------------------------------------------------- */

static int reply_page(struct rung_response *res, const struct rung_writer *page)
{
	rung_header(res, "Content-Security-Policy",
		"default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'");
	rung_header(res, "Cache-Control", "no-cache");
	return rung_reply_written(res, 200, "text/html; charset=utf-8", page);
}

static int index_page(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_writer page = rung_writer(env);

	(void)self;
	write_index(&page, exhibits, COUNT, has_inspector);
	return reply_page(res, &page);
}

static int about_page(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_writer page = rung_writer(env);

	(void)self;
	for (size_t i = 0; i < COUNT; i++)
		if (strcmp(exhibits[i].name, rung_param(env, "name")) == 0) {
			write_about(&page, &exhibits[i]);
			return reply_page(res, &page);
		}
	return rung_reply_empty(res, 404);
}

static struct rung_app *own_pages(void)
{
	return rung_stack(rung_access_log(), rung_error_pages(),
		rung_routes(rung_get("/", index_page), rung_get("/about/:name", about_page),
			rung_files(.root = GALLERY_FILES, .cache_control = "no-cache")));
}

/* -- the apps ------------------------------------------------------------------------------------------------------ */

/* "/hello" is sent to "/hello/", where its relative links are right. */
static int add_slash(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	if (*env->path_info) {
		rung_next(self, env, res);
		return 0;
	}
	return rung_reply_redirect(res, 301, rung_printf(env, ".%s/", strrchr(env->script_name, '/')));
}

static struct rung_app *mount(const struct exhibit *exhibit)
{
	char place[64];

	snprintf(place, sizeof place, "/%s", exhibit->name);
	return rung_mount(place, rung_stack(rung_use(add_slash, .name = "add_slash"), exhibit->app));
}

/* A routing table of as many mounts as there are apps; behind them the gallery's own pages. */
static struct rung_app *make_stack(void)
{
	struct rung_app *parts[COUNT + 2];

	for (size_t i = 0; i < COUNT; i++)
		parts[i] = mount(&exhibits[i]);
	parts[COUNT] = own_pages();
	parts[COUNT + 1] = &rung_end_;
	return rung_routes_new(parts);
}

static int read_exhibits(void)
{
	for (size_t i = 0; i < COUNT; i++) {
		exhibits[i].name = programs[i].name;
		exhibits[i].app = rung_main_stack(programs[i].main, programs[i].name);
		if (!exhibits[i].app)
			fprintf(stderr, "gallery: %s: %s\n", programs[i].name, rung_error());
		if (!exhibits[i].app || exhibit_read(&exhibits[i], GALLERY_SOURCES) < 0)
			return -EINVAL;
	}
	return 0;
}

int main(int argc, char **argv)
{
	int status = 1;

	for (int i = 1; i < argc; i++)
		has_inspector |= strcmp(argv[i], "--inspect") == 0;
	if (read_exhibits() == 0)
		status = rung_main(argc, argv, make_stack());
	else
		for (size_t i = 0; i < COUNT; i++)
			rung_app_destroy(exhibits[i].app);
	for (size_t i = 0; i < COUNT; i++)
		exhibit_free(&exhibits[i]);
	return status;
}
