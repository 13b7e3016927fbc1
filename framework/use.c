/* use.c: plain functions as layers and endpoints. */
#include "app_record.h"
#include "use.h"

#include <errno.h>

static void use_destroy(struct rung_app *app)
{
	struct rung_use *use = (struct rung_use *)app;

	if (use->free_data)
		use->free_data(use->data);
}

static int use_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	return ((const struct rung_use *)self)->call(self, env, res);
}

static const struct rung_app_class use_class = {
	.size = sizeof(struct rung_use),
	.name = "use",
	.flags = RUNG_LAYER,
	.call = use_call,
	.destroy = use_destroy,
};

static const struct rung_app_class run_class = {
	.size = sizeof(struct rung_use),
	.name = "run",
	.flags = RUNG_ENDPOINT,
	.call = use_call,
	.destroy = use_destroy,
};

static struct rung_app *make(const struct rung_app_class *class_, const struct rung_use_options *given)
{
	struct rung_use_options options;

	if (rung_options_copy(class_->name, &options, given, sizeof options) < 0)
		return NULL;
	struct rung_use *use = NULL;
	if (!options.call)
		rung_refuse(-EINVAL, "%s: the function is NULL; pass one", class_->name);
	else
		use = rung_app_new(class_);
	if (use && options.name && rung_app_rename(&use->app, options.name) < 0) {
		rung_app_destroy(&use->app);
		use = NULL;
	}
	if (!use) {
		if (options.free_data)
			options.free_data((void *)(uintptr_t)options.data);
		return NULL;
	}
	use->call = options.call;
	use->app.call_ = use->app.record_->call = options.call; /* without a step between */
	use->data = (void *)(uintptr_t)options.data;
	use->free_data = options.free_data;
	return &use->app;
}

struct rung_app *rung_use_new(const struct rung_use_options *options)
{
	return make(&use_class, options);
}

struct rung_app *rung_run_new(const struct rung_use_options *options)
{
	return make(&run_class, options);
}

const void *rung_data(const struct rung_app *self)
{
	bool has_data = self->class_ == &use_class || self->class_ == &run_class;

	return has_data ? ((const struct rung_use *)self)->data : NULL;
}
