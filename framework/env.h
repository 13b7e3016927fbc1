/*
 * env.h: the request, as an app sees it.
 *
 * Fields are read, functions change. Every string is NUL-terminated, never NULL unless it says so, and lives until
 * the request's finish hooks have run. Paths and query are raw: as the client wrote them, still percent-encoded.
 *
 * A request is seen through views. The client's own is the root; rung_rewrite() shows the same request otherwise
 * (a mount, another method), rung_view() opens a redispatch. Views live as long as the request, so a body that
 * streams may keep the one it was made under. Nothing needs restoring: the outer view never changed.
 *
 * Rack: the SPEC's environment.
 */
#pragma once

#include <rung/api.h>
#include <rung/headers.h>
#include <rung/setup.h>

RUNG_BEGIN

struct rung_app;
struct rung_response;

struct rung_env {
	const char *method; /* a token, case as sent: "GET" */
	const char *scheme; /* "http" or "https" */
	const char *host;   /* authority of the request, with its port if it has one; "" if none was sent */
	const char *script_name; /* the part of the path that led here: "" or "/a/b", no slash at the end */
	const char *path_info;   /* the rest: "" or "/..."; "*" for OPTIONS * */
	const char *query;       /* without "?", "" if none */
	const char *protocol;    /* "HTTP/1.1" */
	const char *uri;         /* the URI this view was dispatched for; NULL in the client's own */
	int64_t content_length; /* bytes of request body; 0 if none; -1: not known, one in chunks that is read as it comes */
	unsigned hop;                 /* redispatches between the client and this view; 0: from the client */
	const struct rung_env *outer; /* the view this one was opened from, NULL for the root */

	/* private */
	struct rung_request *request_;
	struct rung_scope *scope_;
	struct rung_header_list *headers_;
	const struct rung_param *params_;
	size_t input_at_;
	bool owns_headers_;
	bool is_plain_path_; /* path_info is known to have no "%" */
	bool is_dispatch_;
};

/* -- reading ----------------------------------------------------------------------------------------------- */

/* The first field of that name, without regard to case, or NULL. */
RUNG_API const char *rung_request_header(const struct rung_env *env, const char *name);

/* Field number `index` in the order sent, or NULL past the last. */
RUNG_API const struct rung_field *rung_request_field(const struct rung_env *env, size_t index);

/* What a route's pattern took for `:name` or `*name`, percent-decoded once; NULL if there is none. Seen in the view
 * of the route and inward up to the next redispatch. Note that a decoded "%2F" is "/" and that `*name` holds slashes
 * of both kinds: where that matters, read path_info. */
RUNG_API const char *rung_param(const struct rung_env *env, const char *name);

/* The client's address without port, "127.0.0.1", "::1", "unix:" for a Unix socket, "" if there is none. */
RUNG_API const char *rung_remote_address(const struct rung_env *env);

/* True from start to end for a stack that was started with development on. */
RUNG_API bool rung_is_development(const struct rung_env *env);

/* True once the server is stopping: what has no end of its own, a stream or a long calculation, should come to one. Threads:
 * any, while the request lasts. */
RUNG_API bool rung_is_stopping(const struct rung_env *env);

/* True once nobody waits for the answer any more: the client has left, or closed its sending half, or the server cut it. A
 * handler that waits for something may then give up, with -ECONNRESET. Threads: any, while the request lasts. */
RUNG_API bool rung_is_abandoned(const struct rung_env *env);

/* The response field by which an app may give a URI instead of a body; NULL when no reproxy layer stands outside.
 * Rack: rack.reproxy.header. */
RUNG_API const char *rung_uri_header(const struct rung_env *env);

/* For reproxy layers: announces that field to what is inside. The name must outlive the request. */
RUNG_API void rung_uri_header_set(struct rung_env *env, const char *name);

/* -- the request's body (Rack: rack.input) ----------------------------------------------------------------- */

/*
 * Reads on from where this view stands. Returns the bytes read, 0 at the end. Each redispatch starts anew.
 *
 * On a route with .stream_input the bytes come as the client sends them, and this waits for them: -ECONNRESET when it left
 * half-way, -ETIMEDOUT when it was too slow, -E2BIG when the body went past its limit. They go by once: a view that would
 * begin again, after another one has read, gets -ESPIPE.
 */
RUNG_API ssize_t rung_input_read(struct rung_env *env, void *buffer, size_t max);

/* Back to the first byte, for this view. */
RUNG_API void rung_input_rewind(struct rung_env *env);

/*
 * The whole body, whatever has been read of it; a NUL follows the last byte. Large ones are a file that is mapped into
 * memory, so this is not the way to copy them. Never NULL, but on a route with .stream_input, where this waits for the whole of it:
 * then NULL, with the failure recorded, when the body breaks off, was read in part before, or cannot be kept.
 */
RUNG_API const void *rung_input_bytes(const struct rung_env *env, size_t *ret_size);

/* -- the request's memory ---------------------------------------------------------------------------------- */

/* Memory that lives as long as the request, aligned for any type, not zeroed. Returns NULL when memory is out. */
RUNG_API RUNG_MUST_USE void *rung_alloc(const struct rung_env *env, size_t size);

/* A string that lives as long as the request. Returns NULL when memory is out. */
RUNG_API char *rung_printf(const struct rung_env *env, const char *format, ...) RUNG_PRINTF(2, 3);
RUNG_API char *rung_strndup(const struct rung_env *env, const char *text, size_t size);

/* -- values: what layers tell each other (Rack: env["my.key"]) ----------------------------------------------- */

/* Identifies a value by its own address; `destroy`, if any, runs once at finish, in reverse order of the sets. */
struct rung_key {
	const char *name; /* for messages */
	void (*destroy)(void *value);
};

/*
 * Sets a value in the current scope: seen by everything inside it, and outside it only up to the dispatch that
 * opened the scope. Setting again hides the earlier value; both are destroyed at finish.
 * Returns 0 or -ENOMEM. Ownership: the request's from this call on, also on failure, where it is destroyed at once.
 */
RUNG_API int rung_env_set(struct rung_env *env, const struct rung_key *key, void *value);

/* The value in the current scope, else the nearest one outward, else NULL. */
RUNG_API void *rung_env_get(const struct rung_env *env, const struct rung_key *key);

/* -- views ------------------------------------------------------------------------------------------------- */

/* What differs in a view; NULL leaves a field as it is. Strings must live as long as the request. */
struct rung_target {
	const char *method;
	const char *scheme;
	const char *host;
	const char *script_name;
	const char *path_info;
	const char *query;
	const char *uri; /* rung_view() alone: what env->uri shall be */
	bool drop_body;  /* rung_view() alone: no request body and no header fields that describe one */
	bool spent_body; /* rung_view() alone: the body has been read to its end, and its fields stay */
	const struct rung_field *
		fields; /* request fields in place of all there were, Host and those of the body among them; pointed at */
	size_t field_count;
	unsigned
		max_hops; /* rung_view() alone: how deep env->hop may get; 0: the setup's, 10; never above 50 */
};

/*
 * The same request seen otherwise: for mounts, method override, rewriting. Shares the values' scope and the place
 * reached in the body. Returns NULL when memory is out.
 */
RUNG_API struct rung_env *rung_rewrite(struct rung_env *env, const struct rung_target *target);

/*
 * Opens a redispatch: a new scope for values, the body from its start, a Host field that says what `host` says.
 * Returns NULL, with the failure recorded so that `return -ELOOP` suffices, when the hops go past max_hops or the
 * request has had 50 dispatches in all; also when memory is out.
 */
RUNG_API struct rung_env *rung_view(struct rung_env *env, const struct rung_target *target);

/* Sets (in place of all of that name) or removes a request field, in this view and those opened from it later. Returns 0,
 * -EINVAL for a bad name or value, -ENOMEM. The strings are copied. */
RUNG_API int rung_request_header_set(struct rung_env *env, const char *name, const char *value);
RUNG_API int rung_request_header_remove(struct rung_env *env, const char *name);

/* Removes every field for which `match` says true. Returns 0 or -ENOMEM. */
RUNG_API int rung_request_header_filter(struct rung_env *env,
	bool (*match)(const struct rung_field *field, const void *data), const void *data);

/* -- failures ---------------------------------------------------------------------------------------------- */

struct rung_failure {
	int err;             /* negative errno; 0: nothing has failed */
	const char *message; /* "" if none was given */
	const char *layer;   /* class of the app that failed */
	const char *file;    /* where, NULL if unknown */
	int line;
};

/*
 * Records what went wrong for the log and for error pages. Returns err, so that it ends a call:
 * `return rung_fail(env, -EIO, "database: %s", why);`
 */
RUNG_API int rung_fail_at(struct rung_env *env, int err, const char *file, int line, const char *format, ...)
	RUNG_PRINTF(5, 6);
#define rung_fail(env, err, ...) rung_fail_at(env, err, __FILE__, __LINE__, __VA_ARGS__)

/* The last failure of the request, or NULL. */
RUNG_API const struct rung_failure *rung_failure(const struct rung_env *env);

/* Writes one line to the log; control bytes and bytes from 0x7f up are escaped as \xHH, so no request forges one. */
RUNG_API void rung_log(const struct rung_env *env, enum rung_log_level level, const char *format, ...)
	RUNG_PRINTF(3, 4);

/* The same for a text that is finished. */
RUNG_API void rung_log_text(const struct rung_env *env, enum rung_log_level level, const char *text);

/* -- hooks ------------------------------------------------------------------------------------------------- */

/* How a request ended. */
enum rung_outcome {
	RUNG_SENT,    /* the last byte went to the kernel (or to the in-process client) */
	RUNG_ABORTED, /* the client left, or the server was stopped, before that */
	RUNG_BROKEN,  /* the body failed half-way */
};

struct rung_finish {
	int status;
	int64_t bytes; /* of body sent; -1 when the client left and nobody counted */
	enum rung_outcome outcome;
};

typedef void (*rung_finish_fn)(const struct rung_env *env, const struct rung_finish *finish, void *data);
typedef void (*rung_response_fn)(struct rung_env *env, struct rung_response *res, void *data);

/* Runs after the response was sent or given up, in reverse order, always, once. Returns 0 or -ENOMEM. */
RUNG_API int rung_on_finish(struct rung_env *env, rung_finish_fn run, void *data);

/* Runs on the final response just before it is sent, in reverse order: the last chance to change headers.
 * Returns 0 or -ENOMEM. */
RUNG_API int rung_on_response(struct rung_env *env, rung_response_fn run, void *data);

RUNG_END
