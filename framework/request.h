/*
 * request.h: private: everything that belongs to one request, and the way it takes from the first byte to the finish
 * hooks. The server and the in-process client are its two callers:
 *
 *   begin → (fields, body) → run → (body is sent) → finish
 */
#pragma once

#include "arena.h"
#include "header_list.h"
#include "input.h"
#include <rung/app.h>
#include <rung/body.h>
#include <rung/env.h>
#include <rung/response.h>
#include <rung/uri.h>

#include <stdatomic.h>

struct rung_mail;
struct rung_waker;
struct sockaddr;

enum {
	RUNG_MAX_HOPS = 10,       /* redispatches one inside the other, unless a target says otherwise */
	RUNG_MAX_DISPATCHES = 50, /* of one request in all */
};

/* What requests of one stack share: read-only while serving, but for the word that it ends. */
struct rung_site {
	struct rung_app *app;
	rung_log_fn log;
	void *log_data;
	bool development;
	const char *const *authorities;
	const atomic_bool *is_stopping; /* NULL: never */
	unsigned max_hops;
};

struct rung_value {
	struct rung_value *next;        /* set before this one, in the same scope */
	struct rung_value *made_before; /* set before this one, in the whole request: for destruction */
	const struct rung_key *key;
	void *value;
};

/* A scope of values: the root's, or one that a dispatch opened. */
struct rung_scope {
	struct rung_value *values;
	const struct rung_scope *outer;
};

struct rung_param {
	const struct rung_param *next;
	const char *name;
	const char *value;
};

struct rung_body {
	union {
		struct {
			const char *at;
			size_t size;
			void (*free_bytes)(void *);
		} bytes;
		struct {
			int fd;
			int64_t offset, length;
			const char *path;
		} file;
		const char *uri;
		struct {
			struct rung_source *source;
			int64_t size;
		} pull;
	};
};

/* A response with its parts behind it, so that one allocation makes it. */
struct rung_response_store {
	struct rung_response response;
	struct rung_header_list headers;
	struct rung_body body;
	struct rung_response_store *next; /* made before this one, in the same request */
	struct rung_field first_fields[RUNG_FIRST_FIELDS];
};

struct rung_hook {
	struct rung_hook *next;
	struct rung_env *env;
	union {
		rung_finish_fn finish;
		rung_response_fn response;
	};
	void *data;
};

/* Long, so rung_request_begin() sets what must be set and leaves the rest as it was. */
struct rung_request {
	struct rung_arena arena;
	const struct rung_site *site;
	struct rung_env env; /* the root view */
	struct rung_scope scope;
	struct rung_header_list headers; /* the root's request fields */
	struct rung_field first_fields[RUNG_FIRST_FIELDS];
	struct rung_response_store store;      /* the root's response */
	struct rung_response_store *responses; /* others, newest first */
	struct rung_value *values;             /* newest first */
	struct rung_hook *finish_hooks;
	struct rung_hook *response_hooks;
	const char *input; /* the body, whole; with a NUL behind it */
	size_t input_size;
	struct rung_spool spool;               /* on its way there */
	struct rung_stream *stream;            /* or it goes by; NULL: it is whole */
	int64_t body_limit;                    /* the server's, bytes; 0: none */
	const struct rung_field *length_field; /* Content-Length as sent, or NULL */
	bool is_chunked;                       /* its body comes in chunks */
	const struct sockaddr *(*find_peer)(struct rung_request *request); /* NULL: nobody is there */
	/* Called under the waker's lock, by any thread: see to it that the mail is delivered. */
	void (*wake)(struct rung_request *request, struct rung_mail *mail);
	struct rung_waker *waker; /* NULL: nobody asked for one */
	atomic_bool is_abandoned; /* nobody waits for the answer any more */
	const char *uri_header;   /* what the innermost reproxy layer announced, or NULL */
	unsigned dispatches;
	bool logged; /* the failure below is in the log */
	struct rung_failure failure;
};

/* What a stack that starts with this setup shares; the setup's own strings must outlive it. */
struct rung_site rung_site_of(struct rung_app *app, const struct rung_setup *setup);

/* Once for memory that will hold one request after another: ties its parts together. */
void rung_request_init(struct rung_request *request, struct rung_arena_pool *pool);

/* Makes the request empty; rung_request_line() completes it. */
void rung_request_begin(struct rung_request *request, const struct rung_site *site);

/* Appends a field that points at strings which outlive the request. Returns 0 or -ENOMEM. */
static inline int rung_request_add_field(struct rung_request *request, const char *name, size_t name_size,
	const char *value, size_t value_size)
{
	return rung_list_push(&request->headers, &request->arena,
		(struct rung_field){ name, value, (uint32_t)name_size, (uint32_t)value_size });
}

/* A request that is refused before the chain sees it: the status, and the reason for the client. */
struct rung_refusal {
	int status; /* 0: it is not refused */
	const char *reason;
};

/* A request target as it came, looked over once. */
struct rung_raw_target {
	char *at;
	size_t size;
	size_t path_size; /* up to the first "?", or size */
	bool is_plain;    /* of the origin form, and no byte in it that no target may hold */
	bool has_escape;  /* there is a "%" */
};

void rung_target_scan(char *text, struct rung_raw_target *ret_target);

/*
 * Takes the request line and checks it together with the Host field (RFC 9112 section 3.2), so fields come first. The
 * target is cut into its parts in place; it must outlive the request, as must method and protocol, which is of the form
 * "HTTP/1.x".
 */
struct rung_refusal rung_request_line(struct rung_request *request, const char *method,
	const struct rung_raw_target *target, const char *protocol);

/* Methods that everybody knows are these strings, so that one comparison of pointers mostly tells them. */
extern const char rung_method_get[], rung_method_head[];

/* The one string of a method that everybody knows, or NULL. */
const char *rung_known_method(const char *method);

/* As most are. */
static inline bool rung_is_get(const char *method)
{
	return method[0] == 'G' && method[1] == 'E' && method[2] == 'T' && !method[3];
}

static inline bool rung_is_head(const struct rung_request *request)
{
	return request->env.method == rung_method_head;
}

/* The body, whole, with a NUL behind it; pointed at. */
void rung_request_input(struct rung_request *request, const char *bytes, size_t size);

/*
 * Runs the chain and the response hooks. Afterwards the root response can be sent: its status is real, its body is
 * not a URI, and it has none where the status forbids one.
 */
struct rung_response *rung_request_run(struct rung_request *request);

/* Closes what is open, runs the finish hooks, destroys values. The memory stays until rung_arena_reset(). */
void rung_request_finish(struct rung_request *request, const struct rung_finish *finish);

/*
 * How many bytes of body the head announces, -1 when that is not known. For HEAD, and an empty body, the app's own
 * Content-Length counts; else the body does.
 */
int64_t rung_response_length(const struct rung_response *res, bool is_head);

/* A body that broke after so many bytes, as a line in the log. `err` is 0 when it ended before its announced length. */
void rung_log_broken_body(const struct rung_env *env, ssize_t err, int64_t sent);

/* A line in the log where there is no request to name. */
void rung_site_log(const struct rung_site *site, enum rung_log_level level, const char *format, ...)
	RUNG_PRINTF(3, 4);

/*
 * For event loops, on their thread: access lines for standard error are held back from now on, until rung_log_flush(), which
 * every turn ends with. rung_log_held is how many bytes there are.
 */
void rung_log_hold(void);
void rung_log_flush(void);
extern _Thread_local size_t rung_log_held;

/* The failure as a line in the log, once. */
void rung_log_failure(struct rung_env *env, int status);

/* What an app returned, as something that has a negative: those who name errors take it. */
static inline int rung_nameable(int result)
{
	return result < -INT32_MAX ? -INT32_MAX : result;
}

/* Ties the parts of a response together, once for memory that is used again. */
static inline void rung_response_init(struct rung_response_store *store, struct rung_env *env)
{
	store->response.env_ = env;
	store->response.headers_ = &store->headers;
	store->response.body_ = &store->body;
}

/* Makes it pristine, whatever was there. */
static inline void rung_response_prepare(struct rung_response_store *store)
{
	struct rung_response *res = &store->response;

	res->status = res->error = 0;
	res->kind = RUNG_BODY_EMPTY;
	res->pass = false;
	res->exact_ = false;
	store->headers = (struct rung_header_list){ store->first_fields, 0, RUNG_FIRST_FIELDS };
}

/* Closes, and spares the call where there is nothing to do for it, as is mostly so. */
static inline void rung_body_drop(struct rung_response *res)
{
	if (res->kind == RUNG_BODY_BYTES && !res->body_->bytes.free_bytes)
		res->kind = RUNG_BODY_EMPTY;
	else if (res->kind != RUNG_BODY_EMPTY)
		rung_body_close(res);
}

static inline struct rung_arena *rung_arena_of(const struct rung_env *env)
{
	return &env->request_->arena;
}

/* Sets a field of two literals, which need neither copy nor check; sizes without the NUL. */
int rung_put_literal_beside(
	struct rung_response *res, const char *name, size_t name_size, const char *value, size_t value_size);

/* Mostly it is the first field. */
static inline int rung_put_literal(
	struct rung_response *res, const char *name, size_t name_size, const char *value, size_t value_size)
{
	struct rung_header_list *list = res->headers_;

	if (res->error || list->count || !list->room)
		return rung_put_literal_beside(res, name, name_size, value, value_size);
	list->fields[0] = (struct rung_field){ name, value, (uint32_t)name_size, (uint32_t)value_size };
	list->count = 1;
	return 0;
}

#define RUNG_PUT_LITERAL(res, name, value) \
	rung_put_literal(res, name, sizeof(name) - 1, value, sizeof(value) - 1)

/* Records the first error of a setter; returns it. */
int rung_response_stick(struct rung_response *res, int err);

/* True on a thread that others wait for: an event loop, or one that runs a handler. A pipe then never waits for room. */
extern _Thread_local bool rung_must_not_wait;

/* Reads from a body as the server and the client do. FILE bodies are read by offset. Same returns as
 * rung_source.read. */
ssize_t rung_body_read(struct rung_response *res, int64_t at, void *buffer, size_t max);

/* True for a response that asks for a reproxy by body or field: layers leave it alone. */
bool rung_asks_for_reproxy(const struct rung_response *res);

/* A scope-sharing copy of a view with other parameters, for the router. NULL: out of memory. */
struct rung_env *rung_env_copy(struct rung_env *env);
