/* stack.c: linking apps into one value, and refusing what would not work. Rack: Rack::Builder. */
#include "app_record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int never_called(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)env;
	(void)res;
	return -ENOTSUP;
}

static const struct rung_app_class end_class = {
	.size = sizeof(struct rung_app), .name = "end", .call = never_called
};
struct rung_app rung_end_ = { .class_ = &end_class };

static struct rung_app *last_of(struct rung_app *app)
{
	while (app->next)
		app = app->next;
	return app;
}

static bool is_layer(const struct rung_app *app)
{
	return app->class_->flags & RUNG_LAYER;
}

/* Whether element `i` can stand where it stands. */
static int check_element(struct rung_app *const *apps, size_t i)
{
	bool is_last = apps[i + 1] == &rung_end_;
	struct rung_app *last = last_of(apps[i]);

	if (!is_layer(last) && !is_last)
		return rung_refuse(-EINVAL,
			"stack: %s answers every request, so what follows it is never reached; put it last, or choose "
			"between several with rung_routes()",
			rung_app_name(last));
	if (is_layer(last) && atomic_load(&last->record_->refs) > 1)
		return rung_refuse(-EINVAL,
			"stack: %s is a layer and has one place; make a second one instead of "
			"rung_ref()",
			rung_app_name(last));
	return 0;
}

/* -- order rules ------------------------------------------------------------------------------------------------- */

/* Reports the first hard rule of `app` that a layer outside it breaks. */
static int check_rules_of(const struct rung_app *head, const struct rung_app *app)
{
	const struct rung_order *rule = app->class_->order;

	for (; rule && rule->outside; rule++)
		for (const struct rung_app *outer = head; outer != app && !rule->advice; outer = outer->next)
			if (!outer->record_->unchecked && strcmp(outer->class_->name, rule->outside) == 0)
				return rung_refuse(-EINVAL,
					"stack: %s stands inside %s; put it outside, since %s (or exempt it with "
					"rung_unchecked())",
					rung_app_name(app), rule->outside, rule->why);
	return 0;
}

static int check_order(const struct rung_app *head)
{
	int rc = 0;

	for (const struct rung_app *app = head; app && rc == 0; app = app->next)
		if (!app->record_->unchecked)
			rc = check_rules_of(head, app);
	return rc;
}

struct rung_app *rung_unchecked(struct rung_app *app)
{
	if (app)
		app->record_->unchecked = true;
	return app;
}

/* -- linking ----------------------------------------------------------------------------------------------------- */

struct rung_app *rung_stack_new(struct rung_app *const *apps)
{
	size_t count = 0;
	int rc = 0;

	while (apps[count] != &rung_end_)
		count++;
	if (count == 0) {
		rung_refuse(-EINVAL, "stack: it is empty; give it at least one app");
		return NULL;
	}
	if (rung_take_all(apps, sizeof *apps, count, "stack") < 0)
		return NULL;
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = check_element(apps, i);
	if (rc < 0) {
		for (size_t i = 0; i < count; i++)
			rung_drop(apps[i]);
		return NULL;
	}
	for (size_t i = 1; i < count; i++)
		last_of(apps[i - 1])->next = apps[i];
	/* The outermost app's reference is the stack itself, for the caller to give on. */
	apps[0]->record_->given--;
	if (check_order(apps[0]) == 0)
		return apps[0];
	rung_app_destroy(apps[0]);
	return NULL;
}
