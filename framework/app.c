/* app.c: making apps, their references and their end; refusals. Links are in link.c, stacks in stack.c. */
#include "app_record.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- refusals --------------------------------------------------------------------------------------------------- */

static _Thread_local char refusal[1024];
static _Thread_local bool refusal_is_fresh; /* nobody has read it: the parts around the refused one keep it */

static RUNG_PRINTF(1, 0) void keep_refusal(const char *format, va_list arguments)
{
	if (vsnprintf(refusal, sizeof refusal, format, arguments) < 0)
		refusal[0] = '\0';
	refusal_is_fresh = true;
}

int rung_refuse(int err, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	keep_refusal(format, arguments);
	va_end(arguments);
	return err;
}

void rung_refuse_part(const char *format, ...)
{
	va_list arguments;

	if (refusal_is_fresh)
		return;
	va_start(arguments, format);
	keep_refusal(format, arguments);
	va_end(arguments);
}

bool rung_is_refused(void)
{
	return refusal_is_fresh;
}

const char *rung_error(void)
{
	refusal_is_fresh = false;
	return refusal;
}

int rung_options_copy(const char *who, void *ret_options, const void *options, size_t size)
{
	size_t given = 0;

	if (options)
		memcpy(&given, options, sizeof given);
	if (given < sizeof given)
		return rung_refuse(-EINVAL, "%s: its options have no size; use the macro, or set .size", who);
	for (size_t i = size; i < given; i++)
		if (((const unsigned char *)options)[i])
			return rung_refuse(-EINVAL,
				"%s: options of a newer version than this library knows; upgrade librung",
				who);
	memset(ret_options, 0, size);
	memcpy(ret_options, options, given < size ? given : size);
	memcpy(ret_options, &size, sizeof size);
	return 0;
}

/* -- life of one app --------------------------------------------------------------------------------------------- */

void *rung_app_new(const struct rung_app_class *class_)
{
	struct rung_app *app = calloc(1, class_->size);
	struct rung_app_record *record = calloc(1, sizeof *record);

	if (!app || !record) {
		free(app);
		free(record);
		rung_refuse(-ENOMEM, "%s: out of memory", class_->name);
		return NULL;
	}
	record->call = class_->call;
	record->name = class_->name;
	atomic_init(&record->refs, 1);
	app->class_ = class_;
	app->call_ = class_->call;
	app->record_ = record;
	return app;
}

struct rung_app *rung_ref(struct rung_app *app)
{
	if (app)
		atomic_fetch_add(&app->record_->refs, 1);
	return app;
}

/* A loop over next, so that a long stack does not take a deep C stack. */
void rung_app_destroy(struct rung_app *app)
{
	while (app && app != &rung_end_ && atomic_fetch_sub(&app->record_->refs, 1) == 1) {
		struct rung_app *next = app->next;

		if (app->class_->destroy)
			app->class_->destroy(app);
		free(app->record_->own_name);
		free(app->record_->started);
		free(app->record_);
		free(app);
		app = next;
		if (app)
			app->record_->given--;
	}
}

const char *rung_app_name(const struct rung_app *app)
{
	return app->record_->name;
}

int rung_app_rename(struct rung_app *app, const char *name)
{
	char *copy = strdup(name);

	if (!copy)
		return rung_refuse(-ENOMEM, "%s: out of memory", name);
	free(app->record_->own_name);
	app->record_->name = app->record_->own_name = copy;
	return 0;
}

/* -- taking ------------------------------------------------------------------------------------------------------ */

static int take_one(struct rung_app *app, const char *who)
{
	if (!app) {
		rung_refuse_part(
			"%s: it was given NULL as an app; make sure that app's constructor did not fail",
			who);
		return -EINVAL;
	}
	if (app->record_->given >= atomic_load(&app->record_->refs))
		return rung_refuse(-EINVAL,
			"%s: %s is in a place already; make a second one, or pass rung_ref() of an "
			"endpoint or a whole stack",
			who, app->record_->name);
	app->record_->given++;
	return 0;
}

void rung_drop(struct rung_app *app)
{
	if (!app)
		return;
	app->record_->given--;
	rung_app_destroy(app);
}

int rung_take(struct rung_app *app, const char *who)
{
	int rc = take_one(app, who);

	if (rc == 0 && !rung_app_is_closed(app)) {
		rc = rung_refuse(-EINVAL,
			"%s: the stack of %s ends in a layer, so nothing answers; put an endpoint last", who,
			app->record_->name);
		rung_drop(app);
	}
	return rc;
}

static struct rung_app *element(struct rung_app *const *apps, size_t stride, size_t i)
{
	return *(struct rung_app *const *)(const void *)((const char *)apps + i * stride);
}

/* Gives back what was taken of a list. One of its apps may stand twice in it, or be what another one holds: so all are kept
 * alive until the last was looked at. */
static void give_back(struct rung_app *const *apps, size_t stride, size_t count)
{
	for (size_t i = 0; i < count; i++)
		rung_ref(element(apps, stride, i));
	for (size_t i = 0; i < count; i++) {
		struct rung_app *app = element(apps, stride, i);

		for (; app && app->record_->pending; app->record_->pending--)
			rung_drop(app);
	}
	for (size_t i = 0; i < count; i++)
		rung_app_destroy(element(apps, stride, i));
}

/* `pending` counts what was taken of each, for the case that a later one of the list cannot be. */
int rung_take_all(struct rung_app *const *apps, size_t stride, size_t count, const char *who)
{
	int rc = 0;

	for (size_t i = 0; i < count; i++) {
		struct rung_app *app = element(apps, stride, i);
		int taken = take_one(app, who);

		if (taken == 0)
			app->record_->pending++;
		else if (rc == 0)
			rc = taken;
	}
	if (rc < 0)
		give_back(apps, stride, count);
	else
		for (size_t i = 0; i < count; i++)
			element(apps, stride, i)->record_->pending = 0;
	return rc;
}

bool rung_app_is_closed(const struct rung_app *app)
{
	while (app->next)
		app = app->next;
	return !(app->class_->flags & RUNG_LAYER);
}
