/* life.c: starting and stopping every app of a stack, and what a stack is told when it starts. */
#include "app_record.h"
#include "request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* -- servers in front -------------------------------------------------------------------------------------------- */

static const char *const server_names[] = {
	[RUNG_SERVER_AUTO] = "auto",
	[RUNG_SERVER_SELF] = "self",
	[RUNG_SERVER_HEADER] = "header",
	[RUNG_SERVER_NGINX] = "nginx",
	[RUNG_SERVER_APACHE] = "apache",
	[RUNG_SERVER_LIGHTTPD] = "lighttpd",
	[RUNG_SERVER_PERLBAL] = "perlbal",
	[RUNG_SERVER_H2O] = "h2o",
	[RUNG_EMULATE_NGINX] = "emulate:nginx",
	[RUNG_EMULATE_NGINX_HARDENED] = "emulate:nginx_hardened",
	[RUNG_EMULATE_APACHE] = "emulate:apache",
	[RUNG_EMULATE_LIGHTTPD] = "emulate:lighttpd",
	[RUNG_EMULATE_PERLBAL] = "emulate:perlbal",
	[RUNG_EMULATE_H2O] = "emulate:h2o",
	[RUNG_EMULATE_RACK] = "emulate:rack",
};

enum { SERVER_COUNT = sizeof server_names / sizeof *server_names };

int rung_server_kind_parse(const char *name, enum rung_server_kind *ret_kind)
{
	for (unsigned kind = RUNG_SERVER_SELF; kind < SERVER_COUNT; kind++)
		if (strcmp(name, server_names[kind]) == 0) {
			*ret_kind = (enum rung_server_kind)kind;
			return 0;
		}
	return rung_refuse(-EINVAL,
		"reproxy: there is no server \"%s\"; "
		"use self, header, nginx, apache, lighttpd, perlbal or h2o, or emulate: and one of "
		"nginx, nginx_hardened, apache, lighttpd, perlbal, h2o, rack",
		name);
}

const char *rung_server_kind_name(enum rung_server_kind kind)
{
	return (unsigned)kind < SERVER_COUNT ? server_names[kind] : "unknown";
}

/* -- the walk ---------------------------------------------------------------------------------------------------- */

/* Apps in the order in which they start: an app, what it holds, what comes next. Each once. */
struct walk {
	struct rung_app **apps;
	size_t count, room;
};

static int walk_stack(struct rung_app *app, const char *label, void *data);

static bool walked(const struct walk *walk, const struct rung_app *app)
{
	for (size_t i = 0; i < walk->count; i++)
		if (walk->apps[i] == app)
			return true;
	return false;
}

static int note(struct walk *walk, struct rung_app *app)
{
	if (walk->count == walk->room) {
		size_t room = walk->room ? walk->room * 2 : 16;
		struct rung_app **apps = realloc(walk->apps, room * sizeof(struct rung_app *));

		if (!apps)
			return rung_refuse(-ENOMEM, "stack: out of memory");
		walk->apps = apps;
		walk->room = room;
	}
	walk->apps[walk->count++] = app;
	return 0;
}

static int walk_stack(struct rung_app *app, const char *label, void *data)
{
	int rc = 0;

	(void)label;
	for (; app && rc == 0 && !walked(data, app); app = app->next) {
		rc = note(data, app);
		if (rc == 0 && app->class_->children)
			rc = app->class_->children(app, walk_stack, data);
	}
	return rc;
}

/* -- start and stop ---------------------------------------------------------------------------------------------- */

/* Those of the setup, then those that apps bring, outermost first. */
struct probes {
	const struct rung_probe *list[RUNG_MAX_PROBES + 1]; /* NULL-ended */
	size_t count;
};

static int add_probe(struct probes *probes, const struct rung_probe *probe)
{
	if (probes->count == RUNG_MAX_PROBES)
		return rung_refuse(
			-E2BIG, "stack: more than %d probes look on; leave one out", RUNG_MAX_PROBES);
	probes->list[probes->count++] = probe;
	return 0;
}

static int collect_probes(const struct walk *walk, const struct rung_setup *setup, struct probes *probes)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && setup->probes && setup->probes[i]; i++)
		rc = add_probe(probes, setup->probes[i]);
	for (size_t i = 0; rc == 0 && i < walk->count; i++) {
		struct rung_app *app = walk->apps[i];
		const struct rung_probe *probe = app->class_->probe ? app->class_->probe(app, setup) : NULL;

		if (probe)
			rc = add_probe(probes, probe);
	}
	return rc;
}

static void install_probes(struct rung_app *app, const struct probes *probes)
{
	memcpy(app->record_->probes, probes->list, sizeof probes->list);
	app->call_ = probes->count ? rung_probed_call : app->record_->call;
}

static int start_app(struct rung_app *app, const struct rung_setup *setup, const struct probes *probes)
{
	if (app->record_->starts == 0) {
		install_probes(app, probes);
		int rc = app->class_->start ? app->class_->start(app, setup) : 0;
		if (rc < 0)
			rung_refuse_part("%s: it did not start: %s", rung_app_name(app), strerror(-rc));
		if (rc < 0)
			return rc;
	}
	app->record_->starts++;
	return 0;
}

static void stop_apps(struct rung_app **apps, size_t count)
{
	while (count--) {
		struct rung_app *app = apps[count];

		if (--app->record_->starts > 0)
			continue;
		if (app->class_->stop)
			app->class_->stop(app);
		app->call_ = app->record_->call;
	}
}

static bool is_development(void)
{
	const char *environment = getenv("RUNG_ENV");

	return environment && strcmp(environment, "development") == 0;
}

/* The options a stack sees: RUNG_REPROXY and RUNG_ENV stand in for what the caller left open. */
static int complete_setup(const struct rung_setup *given, struct rung_setup *setup)
{
	static const struct rung_setup none = { .size = sizeof none };
	const char *server = getenv("RUNG_REPROXY");
	int rc = rung_options_copy("setup", setup, given ? given : &none, sizeof *setup);

	if (rc < 0)
		return rc;
	setup->development = setup->development || is_development();
	if (setup->server == RUNG_SERVER_AUTO && server && *server)
		rc = rung_server_kind_parse(server, &setup->server);
	return rc;
}

struct rung_site rung_site_of(struct rung_app *app, const struct rung_setup *setup)
{
	return (struct rung_site){
		.app = app,
		.log = setup->log,
		.log_data = setup->log_data,
		.development = setup->development || is_development(),
		.authorities = setup->authorities,
		.max_hops = setup->max_hops ? setup->max_hops : RUNG_MAX_HOPS,
	};
}

int rung_start(struct rung_app *app, const struct rung_setup *given)
{
	struct walk walk = { 0 };
	struct rung_setup setup;
	struct probes probes = { .count = 0 };
	size_t started = 0;

	if (!app) {
		rung_refuse_part("stack: it is NULL; make sure its constructor did not fail");
		return -EINVAL;
	}
	if (!rung_app_is_closed(app))
		return rung_refuse(-EINVAL,
			"stack: it ends in the layer %s, so nothing answers; put an endpoint last, "
			"such as rung_routes()",
			rung_app_name(app));
	if (app->record_->started)
		return rung_refuse(-EINVAL, "stack: it is started already; make a second one");
	int rc = complete_setup(given, &setup);
	if (rc == 0)
		rc = walk_stack(app, "", &walk);
	if (rc == 0)
		rc = collect_probes(&walk, &setup, &probes);
	while (rc == 0 && started < walk.count) {
		rc = start_app(walk.apps[started], &setup, &probes);
		started += rc == 0;
	}
	if (rc < 0) {
		stop_apps(walk.apps, started);
		free(walk.apps);
		return rc;
	}
	/* What was refused before and ignored was no part of this stack, nor will it be of the next. */
	(void)rung_error();
	app->record_->started = walk.apps;
	app->record_->started_count = walk.count;
	return 0;
}

void rung_stop(struct rung_app *app)
{
	if (!app || !app->record_->started)
		return;
	stop_apps(app->record_->started, app->record_->started_count);
	free(app->record_->started);
	app->record_->started = NULL;
	app->record_->started_count = 0;
}

const struct rung_app *rung_blocker(const struct rung_app *app)
{
	for (size_t i = 0; i < app->record_->started_count; i++)
		if (rung_app_may_wait(app->record_->started[i]))
			return app->record_->started[i];
	return NULL;
}
