/* app_record.h: private: what the framework keeps of an app, and how its parts reach it. */
#pragma once

#include <rung/app.h>

#include <stdatomic.h>

enum { RUNG_MAX_PROBES = 4 };

/* A class with this flag shows in a printed stack by the label its parent gives it, not by its name. */
enum { RUNG_UNNAMED = 1 << 8 };

struct rung_app_record {
	rung_call_fn call; /* what links call while no probe is installed */
	const char *name;  /* the class's, or one of the instance's own */
	char *own_name;    /* what name points at, if it is the instance's */
	atomic_uint refs;
	unsigned given;   /* references taken by a stack, routes, names ...; never more than refs */
	unsigned pending; /* of those, what the list that is being taken right now has */
	unsigned starts;  /* stacks that have started it and not stopped it */
	bool unchecked;   /* exempt from order rules */
	bool may_wait;    /* as if its class had RUNG_BLOCKS */
	const struct rung_probe *probes[RUNG_MAX_PROBES + 1]; /* NULL-ended */
	struct rung_app *
		*started; /* of the outermost app of a stack: all its apps in the order of their start */
	size_t started_count;
};

/* Gives an app a name of its own; copied. Returns 0 or -ENOMEM. */
int rung_app_rename(struct rung_app *app, const char *name);

/*
 * Takes the reference of each app of a list that is `stride` bytes from one to the next. One NULL, or one that is in a
 * place already, and the whole list is dropped: then -EINVAL, refused in the name of `who`.
 */
int rung_take_all(struct rung_app *const *apps, size_t stride, size_t count, const char *who);

/* True when the stack ends in an endpoint. */
bool rung_app_is_closed(const struct rung_app *app);

static inline bool rung_app_may_wait(const struct rung_app *app)
{
	return app->record_->may_wait || (app->class_->flags & RUNG_BLOCKS);
}

/* Of a stack that was started: the first app that may wait, or NULL. */
const struct rung_app *rung_blocker(const struct rung_app *app);

/* Probes stand between a link and the class's call while they are installed. */
int rung_probed_call(const struct rung_app *app, struct rung_env *env, struct rung_response *res);
