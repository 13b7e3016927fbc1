/*
 * response.h: the answer: status, header fields, body, and the helpers that fill all three at once.
 *
 * A pristine response has status 0, no field and an EMPTY body. Setters never crash and need no check: the first
 * error sticks in res->error, later calls do nothing, and the link that called the app turns it into an error
 * response. Names must be tokens, values free of control bytes: so no response can be split.
 *
 * Rack: the SPEC's status, headers and body; Rack::Response.
 */
#pragma once

#include <rung/api.h>
#include <rung/body.h>
#include <rung/headers.h>

RUNG_BEGIN

struct rung_env;

struct rung_response {
	int status;               /* 200 to 999; 0 while pristine */
	int error;                /* the first error of a setter, a negative errno; read */
	enum rung_body_kind kind; /* of the body; read */
	bool pass;                /* "not mine": a cascade asks the next app. Set beside a 404 or 405 */

	/* private */
	bool exact_; /* what a server said that is emulated: fields stay where the status forbids a body, and 205 may have one */
	struct rung_env *env_;
	struct rung_header_list *headers_;
	struct rung_body *body_;
};

/* A second, pristine response of the same request. Closed with the request at the latest. NULL: out of memory. */
RUNG_API struct rung_response *rung_response_new(struct rung_env *env);

/* Closes the body and makes the response pristine again. */
RUNG_API void rung_response_clear(struct rung_response *res);

/* Moves everything; `from` is pristine afterwards, what `to` had is closed. Both belong to one request. */
RUNG_API void rung_response_move(struct rung_response *to, struct rung_response *from);

/* -- header fields ----------------------------------------------------------------------------------------- */

/* Sets a field in place of all of that name. Name and value are copied. NULL as value removes. Returns 0,
 * -EINVAL (no token, a control byte in the value) or -ENOMEM; the error sticks. */
RUNG_API int rung_header(struct rung_response *res, const char *name, const char *value);

/* Appends one more field of that name: Set-Cookie, Link, Vary. */
RUNG_API int rung_header_add(struct rung_response *res, const char *name, const char *value);

/* Sets it only if there is none of that name. */
RUNG_API int rung_header_default(struct rung_response *res, const char *name, const char *value);

/* Like rung_header(), but points at the strings, which must outlive the request: literals and rung_alloc() memory. */
RUNG_API int rung_header_static(struct rung_response *res, const char *name, const char *value);

/* Like rung_header(), the value made by a format. */
RUNG_API int rung_headerf(struct rung_response *res, const char *name, const char *format, ...)
	RUNG_PRINTF(3, 4);

/* Removes all of that name. */
RUNG_API void rung_header_remove(struct rung_response *res, const char *name);

/* Removes every field for which `match` says true. */
RUNG_API void rung_header_filter(struct rung_response *res,
	bool (*match)(const struct rung_field *field, const void *data), const void *data);

/* Puts these fields in place of all there are, in this order. The strings are pointed at and must outlive the request, as those
 * that rung_header_at() gives do. Returns 0 or the error that sticks: -EINVAL, -ENOMEM. */
RUNG_API int rung_header_replace(struct rung_response *res, const struct rung_field *fields, size_t count);

/* The first value of that name, or NULL. */
RUNG_API const char *rung_header_get(const struct rung_response *res, const char *name);

/* Field number `index` in order, or NULL past the last. */
RUNG_API const struct rung_field *rung_header_at(const struct rung_response *res, size_t index);

/*
 * Adds to `onto` the fields of `from` that it does not have; Set-Cookie fields of both stay, those of `from` first.
 * `skip` names fields that never cross, NULL-ended, or NULL. Both responses belong to one request.
 */
RUNG_API void rung_header_merge(
	struct rung_response *onto, const struct rung_response *from, const char *const *skip);

/* -- whole replies: status, Content-Type, body. All return 0 or the error that stuck; -EINVAL for a NULL text ---- */

RUNG_API int rung_reply_empty(struct rung_response *res, int status);
RUNG_API int rung_reply_text(struct rung_response *res, int status, const char *text); /* text/plain, UTF-8 */
RUNG_API int rung_reply_textf(struct rung_response *res, int status, const char *format, ...)
	RUNG_PRINTF(3, 4);
RUNG_API int rung_reply_html(struct rung_response *res, int status, const char *html); /* text/html, UTF-8 */
RUNG_API int rung_reply_json(struct rung_response *res, int status, const char *json); /* application/json */
RUNG_API int rung_reply_bytes(
	struct rung_response *res, int status, const char *content_type, const void *bytes, size_t size);

/* A PULL body of unknown (-1) or stated size. Takes the source, also on failure. */
RUNG_API int rung_reply_pull(struct rung_response *res, int status, const char *content_type,
	struct rung_source *source, int64_t size);

/*
 * A regular file by a path of the program's own (never a client's: that is what the files app is for), with the
 * Content-Type of its name when content_type is NULL. Returns also what open gave, -ENOENT for one.
 */
RUNG_API int rung_reply_file(
	struct rung_response *res, int status, const char *content_type, const char *path);

/* Location and an empty body. `status` is 301, 302, 303, 307 or 308; location a URI reference. Else -EINVAL. */
RUNG_API int rung_reply_redirect(struct rung_response *res, int status, const char *location);

/*
 * A URI to be reproxied. The format knows %s %d %u %zu %ld %lu %lld %llu and %%. Each %s is percent-encoded as one
 * path segment or, behind a "?", as one query name or value; it may stand nowhere before the path, so that data can
 * not choose a host. NULL, "." and ".." are -EINVAL, as is any other conversion.
 */
RUNG_API int rung_reply_uri(struct rung_response *res, int status, const char *format, ...) RUNG_PRINTF(3, 4);

/* The same for a URI that is finished: taken as it is. */
RUNG_API int rung_reply_uri_raw(struct rung_response *res, int status, const char *uri);

/* -- cookies ----------------------------------------------------------------------------------------------- */

/* RFC 6265. Zero means the default: a session cookie for path "/", HttpOnly, SameSite=Lax. */
struct rung_cookie {
	size_t size;
	const char *name;  /* a token; positional in the macro */
	const char *value; /* cookie octets (RFC 6265 section 4.1.1): no blanks, quotes, commas, semicolons */
	const char *path;  /* default "/" */
	const char *domain; /* default: the host alone */
	int64_t max_age;    /* seconds; 0: until the browser closes; negative: delete now */
	bool secure;        /* over TLS alone; always with same_site "None" and a __Secure- or __Host- name */
	bool script_readable;  /* leaves HttpOnly out */
	const char *same_site; /* "Lax", "Strict" or "None" */
};

/* Adds a Set-Cookie field. Returns 0 or the error that stuck: -EINVAL for a bad name, value or attribute. */
RUNG_API int rung_cookie_set(struct rung_response *res, const struct rung_cookie *cookie);
#define rung_set_cookie(res, ...) \
	rung_cookie_set(res, &(const struct rung_cookie){ .size = sizeof(struct rung_cookie), __VA_ARGS__ })

RUNG_END
