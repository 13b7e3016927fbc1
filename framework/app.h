/*
 * app.h: apps, layers and stacks.
 *
 * An app is anything with `call`. A layer (Rack: middleware) is an app with a `next`. A stack is apps linked by
 * rung_stack(), outermost first, and is itself one value: the pointer to its outermost app. An app's class says what
 * it can do; it is static const and shared by all its instances.
 *
 * Life: made → linked → started → serving → stopped → destroyed. After its start an app is shared by all threads and
 * must not change; what must change lives behind a pointer made in `start`, with its own lock or atomics.
 *
 * Ownership: what a constructor gives is one reference. Whatever takes an app (a stack, routes, a mount, names) takes
 * that reference, also when it fails. To give the same app to a second taker, pass rung_ref(app), made in a statement
 * before the first one takes it: C leaves open which argument is made first, and a taker that fails drops. A constructor that
 * fails gives NULL, drops what it was given, and leaves a message for rung_error(); a NULL among the parts of a
 * bigger thing makes that fail too and keeps the first message.
 *
 * Rack: the SPEC's application object, Rack::Builder.
 */
#pragma once

#include <rung/api.h>
#include <rung/response.h>
#include <rung/setup.h>

RUNG_BEGIN

/* In place of a limit: none. Refused where it makes no sense: for memory, connections and hops. */
#define RUNG_UNLIMITED (-1)

struct rung_app;
struct rung_env;
struct rung_probe;

/*
 * Answers a request. `res` is pristine on entry: an endpoint fills it; a layer calls rung_next() and then looks at
 * it or changes it, or fills it itself and does not call on. A layer that wrote to res does not call next.
 * Returns 0, or a negative errno: then the link that called closes what was there and makes the error response.
 */
typedef int (*rung_call_fn)(const struct rung_app *self, struct rung_env *env, struct rung_response *res);

/* Told each child by a class's `children`. `label` says how it is reached, such as "/admin" or "files.internal";
 * "" when there is nothing to say, NULL to leave the child out of the printed stack. A result other than 0 ends the visit
 * and is passed on. */
typedef int (*rung_visit_fn)(struct rung_app *child, const char *label, void *data);

enum rung_app_flags {
	RUNG_LAYER = 1 << 0,    /* needs a next */
	RUNG_ENDPOINT = 1 << 1, /* has none; without either flag a class is an endpoint */
	RUNG_BUFFERS = 1 << 2,  /* holds a whole body: declared, so that it shows in the printed stack */
	RUNG_BLOCKS =
		1 << 3, /* its call may wait: shown in the printed stack, and a server of it has workers */
};

/* A pair of layers whose order matters: this class stands outside the class named. Held within one stack only. */
struct rung_order {
	const char *outside; /* the other class's name; NULL ends the list */
	const char *why;     /* what goes wrong the other way round: the end of the message */
	bool advice;         /* printed with the stack instead of refused */
};

/* What is settled about a request's body before it is read. */
struct rung_admission {
	int64_t body_limit; /* bytes; at first the server's */
	bool answers_large; /* some app answers 413 to what is larger, so that layers outside it see that too */
	bool stream_input; /* the body is read as it comes, by a handler on a worker */
};

struct rung_app_class {
	size_t size;      /* of the whole struct that embeds struct rung_app, in bytes */
	const char *name; /* in messages, the printed stack and order rules */
	unsigned flags;   /* enum rung_app_flags */
	rung_call_fn call;
	/* Flags are parsed, addresses known, nothing serves yet: the last moment at which the app may be written.
	 * Outer apps start before inner ones. Returns 0 or a negative errno, best after rung_refuse(). A failed start
	 * must leave the app as it was: its stop is not called. NULL: nothing to do. */
	int (*start)(struct rung_app *app, const struct rung_setup *setup);
	/* After the last request, in reverse order: joins threads, closes what start opened. NULL: nothing to do. */
	void (*stop)(struct rung_app *app);
	/* Frees the app's own fields and drops, by rung_drop(), what it took by rung_take(); never next. Sees half-built
	 * apps too (zeroed). NULL: nothing to do. */
	void (*destroy)(struct rung_app *app);
	/* Tells `visit` every app it holds besides next: so that starting, checking and printing reach them. NULL: it
	 * holds none. */
	int (*children)(struct rung_app *app, rung_visit_fn visit, void *data);
	/* One line of detail for the printed stack, such as `realm="files"`, into buffer (NUL-terminated). */
	void (*describe)(const struct rung_app *app, char *buffer, size_t room);
	const struct rung_order *order; /* ended by { 0 }; NULL: no rule */
	/*
	 * Asked, outer apps before inner ones, when the head of a request with a body is there and nothing of the body has been read.
	 * May change what `admission` says. True: the body is wanted. False: this app answers without it, whatever it is; then
	 * the stack is called at once with an empty one, and the connection ends with the answer. An app that holds
	 * others asks the one that would answer, by rung_admit(). NULL: as if true; next is asked then too.
	 */
	bool (*admit)(const struct rung_app *self, struct rung_env *env, struct rung_admission *admission);
	/* A probe that the app brings: it looks on at every link of the stack that starts, beside those of the setup. Asked
	 * before anything starts. NULL, or a result of NULL: none. */
	const struct rung_probe *(*probe)(struct rung_app *app, const struct rung_setup *setup);
};

/* Embedded first in the struct of every app. Read class_ and next; leave the rest to the framework. */
struct rung_app {
	const struct rung_app_class *class_;
	struct rung_app *next;
	rung_call_fn call_; /* what a link calls: the class's, or a probe's while one is installed */
	struct rung_app_record *record_; /* references, flags, probes */
};

/* Makes an app of the class, zeroed beyond struct rung_app, with one reference. Returns NULL when memory is out. */
RUNG_API RUNG_MUST_USE void *rung_app_new(const struct rung_app_class *class_);

/* The name of an app for messages: its class's, or its own where it was given one (.name of rung_run(), a route's). */
RUNG_API const char *rung_app_name(const struct rung_app *app);

/* One reference more, for a second place: an endpoint or a whole stack, never an open layer. NULL stays NULL. */
RUNG_API struct rung_app *rung_ref(struct rung_app *app);

/* Drops one reference; the last one destroys the app, its next and its children. NULL does nothing. */
RUNG_API void rung_app_destroy(struct rung_app *app);

/*
 * For constructors that hold other apps: takes the reference that the caller was given.
 * Returns 0; -EINVAL, refused in the name of `who`, when it is NULL, ends in a layer, or is in a place already. On
 * failure there is nothing to hold or to drop any more.
 */
RUNG_API RUNG_MUST_USE int rung_take(struct rung_app *app, const char *who);

/* Gives back what rung_take() took. NULL does nothing. */
RUNG_API void rung_drop(struct rung_app *app);

/*
 * Records why something is refused, for rung_error(), in the form "layer: what is wrong; the mend".
 * Returns err, which is a negative errno, so that `return rung_refuse(-EINVAL, ...)` reads well.
 * Threads: the message belongs to the calling thread.
 */
RUNG_API int rung_refuse(int err, const char *format, ...) RUNG_PRINTF(2, 3);

/* For a constructor that was given NULL as a part: keeps the message of what failed, or else records this one. */
RUNG_API void rung_refuse_part(const char *format, ...) RUNG_PRINTF(1, 2);

/*
 * Copies an options struct whose first member is its size: an older caller's shorter one leaves the rest zero, a newer
 * caller's longer one is refused unless what this library does not know is zero.
 * Returns 0; -EINVAL, refused in the name of `who`, also for NULL or size 0.
 */
RUNG_API RUNG_MUST_USE int rung_options_copy(
	const char *who, void *ret_options, const void *options, size_t size);

/* True from a refusal until its message is read or a stack starts. So a constructor with optional parts can tell one that was
 * left out from one that is NULL because it failed. */
RUNG_API bool rung_is_refused(void);

/* The message of the last refusal on this thread, "" if there was none. Valid until the next one. */
RUNG_API const char *rung_error(void);

/* -- links ------------------------------------------------------------------------------------------------- */

/* What a link does when the app failed; out of line, so that what always happens stays short. */
RUNG_API void rung_contain_(
	const struct rung_app *app, struct rung_env *env, struct rung_response *res, int result);

/*
 * Calls an app, such as a mount's: `env` is usually a rung_view() or rung_rewrite() of the caller's. Afterwards there is
 * always a response: when the app failed (a negative errno, or a setter's error that stuck in res), its body is closed,
 * its headers are gone, the failure is recorded and logged, and the status tells of it: -ENOMEM 503, -ETIMEDOUT 504,
 * -ELOOP and -EHOSTUNREACH 502, others 500; and, logged as no more than information, what is the client's doing: -EBADMSG
 * 400, -E2BIG 413, -EMEDIUMTYPE 415.
 */
static inline void rung_call(const struct rung_app *app, struct rung_env *env, struct rung_response *res)
{
	int result = app->call_(app, env, res);

	if (RUNG_UNLIKELY((result | res->error) != 0 || (unsigned)(res->status - 200) > 799u))
		rung_contain_(app, env, res, result);
}

/* The same for what is inside a layer. */
static inline void rung_next(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_call(self->next, env, res);
}

/* Asks an app, and what is inside it, about the body of a request: for a class's `admit`. */
RUNG_API bool rung_admit(const struct rung_app *app, struct rung_env *env, struct rung_admission *admission);

/* -- stacks ------------------------------------------------------------------------------------------------ */

extern RUNG_API struct rung_app
	rung_end_; /* ends lists, so that a NULL inside one is an error and not an end */

/*
 * Links apps, outermost first, and gives the outermost. An element may itself be a stack: one that ends in a layer
 * is an open fragment and goes on in the next element; one that ends in an endpoint must come last. A stack without
 * an endpoint is itself an open fragment.
 * Returns NULL, with a message for rung_error(), when a part is NULL, an endpoint is not last, a layer is linked
 * already, an app is given twice without rung_ref(), or an order rule is broken.
 * Ownership: takes a reference of each element, also on failure.
 */
RUNG_API RUNG_MUST_USE struct rung_app *rung_stack_new(struct rung_app *const *apps);
#define rung_stack(...) rung_stack_new((struct rung_app *const[]){ __VA_ARGS__, &rung_end_ })

/* Exempts one app from all order rules, its own and others' about it. Returns it; NULL stays NULL. */
RUNG_API struct rung_app *rung_unchecked(struct rung_app *app);

/*
 * Writes the stack as a ladder, a line a rung, children indented below, advice on order at the end; NUL-terminated.
 * Returns the length it has whole (as snprintf does), or -ENOMEM.
 */
RUNG_API ssize_t rung_stack_print(struct rung_app *app, char *buffer, size_t room);

/* -- plain functions as apps ------------------------------------------------------------------------------- */

struct rung_use_options {
	size_t size;
	rung_call_fn call;         /* positional in the macros */
	const char *name;          /* in messages and the printed stack; default "use" or "run" */
	const void *data;          /* given back by rung_data(self) */
	void (*free_data)(void *); /* called with data when the app goes; NULL: data is not owned */
};

/* A layer of a function: it calls rung_next(self, env, res) itself. Rack: `use` with a lambda. */
RUNG_API RUNG_MUST_USE struct rung_app *rung_use_new(const struct rung_use_options *options);
#define rung_use(...) \
	rung_use_new(&(const struct rung_use_options){ .size = sizeof(struct rung_use_options), __VA_ARGS__ })

/* An endpoint of a function, for every method and path. Rack: `run`. */
RUNG_API RUNG_MUST_USE struct rung_app *rung_run_new(const struct rung_use_options *options);
#define rung_run(...) \
	rung_run_new(&(const struct rung_use_options){ .size = sizeof(struct rung_use_options), __VA_ARGS__ })

/* The .data of a route, rung_use() or rung_run() app; NULL for any other. */
RUNG_API const void *rung_data(const struct rung_app *self);

/* -- life -------------------------------------------------------------------------------------------------- */

/*
 * Starts every app of the stack, each once, outer before inner. On failure those that had started are stopped again.
 * Returns 0; -EINVAL when the stack is NULL, open (no endpoint), or was started before; else what a start gave;
 * rung_error() has the message.
 * Ownership: setup is only read during the call. Threads: one at a time, before anything serves.
 */
RUNG_API int rung_start(struct rung_app *app, const struct rung_setup *setup);

/* Stops every started app of the stack in reverse order. After it the stack may be started again. */
RUNG_API void rung_stop(struct rung_app *app);

/* -- probes ------------------------------------------------------------------------------------------------ */

/*
 * Looks on at every link of a stack: lint in tests, timing. Installed by rung_start(), from the setup or from an app's
 * class; costs nothing where none is installed. `enter` gives a state that `leave` gets back; `leave` may change the
 * result, which is 0 or a negative errno as the app gave it. Probes are called from all threads.
 */
struct rung_probe {
	void *(*enter)(const struct rung_probe *probe, const struct rung_app *app, struct rung_env *env,
		struct rung_response *res);
	int (*leave)(const struct rung_probe *probe, const struct rung_app *app, struct rung_env *env,
		struct rung_response *res, void *state, int result);
	void *data;
};

RUNG_END
