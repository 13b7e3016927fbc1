/*
 * params.h: what a client sends as names and values: the query, forms, cookies. Parsed when it is asked for, and once: who asks
 * again, in the same request, is given the same set.
 *
 *	const struct rung_params *form;
 *	int rc = rung_form(env, &form);
 *
 *	if (rc < 0)
 *		return rc;
 *	const char *title = rung_params_get(form, "title");
 *	const struct rung_upload *photo = rung_params_file(form, "photo");
 *
 * Returning what was returned is enough: the client gets 400 for -EBADMSG (malformed), 413 for -E2BIG (past a limit), 415 for
 * -EMEDIUMTYPE (no form), and the log says why. Nothing that a client sends becomes a 500.
 *
 * Names are plain names: "a[b]" means nothing but itself. (What a route's pattern took is rung_param(), in env.h.)
 *
 * Sources: the URL standard's application/x-www-form-urlencoded (WHATWG), RFC 7578 and RFC 2046 section 5.1 (multipart), RFC
 * 6265 section 4.2 (cookies). Rack: Rack::Request#GET, #POST, #cookies.
 */
#pragma once

#include <rung/api.h>
#include <rung/upload.h>

RUNG_BEGIN

struct rung_env;

/*
 * One name and its value. Both are NUL-terminated and live as long as the request; sizes are without the NUL. Their bytes are
 * the client's: they need be no UTF-8, and a NUL may be among them, which only the sizes show. rung_write_html() and its kin
 * (writer.h) make them fit for a page.
 */
struct rung_pair {
	const char *name;
	const char *value; /* "" for a file */
	size_t name_size;
	size_t value_size;
	const struct rung_upload *file; /* NULL: it is none */
};

/* A set, in the order sent. The same name may stand in it several times. */
struct rung_params {
	size_t count;
	const struct rung_pair *pairs;
};

/* Zero means the default. Past one of them: -E2BIG, unless it says otherwise. How large a body may be in all is the server's
 * limit. SIZE_MAX is none. */
struct rung_params_limits {
	size_t size;

	/* a query, or an urlencoded form */
	size_t bytes; /* as sent; default 4 MiB */
	size_t pairs; /* default 4096 */

	/* a multipart form */
	size_t preamble;    /* bytes in which the first boundary must be, else -EBADMSG; default 16 KiB */
	size_t parts;       /* files and values; default 4096 */
	size_t files;       /* of those; default 128 */
	size_t text;        /* bytes of all values that are no files; default 16 MiB */
	size_t part_head;   /* bytes of a part's header fields; default 64 KiB */
	size_t disposition; /* bytes of a part's Content-Disposition; default 1536 */
	size_t disposition_params; /* its parameters, and those of the form's Content-Type; default 16 */
	size_t escapes;            /* in names and filenames of all parts; default 8192 */

	/* cookies */
	size_t cookies;      /* default 256 */
	size_t cookie_bytes; /* of all Cookie fields; default 64 KiB */
};

/*
 * The query of this view, split at "&" alone, "+" and escapes decoded. As the URL standard has it, nothing is malformed: a "%"
 * without two hex digits stays as it is, a name without "=" has the value "", empty pieces are skipped.
 * Returns 0; -E2BIG past a limit; -ENOMEM. ret_params is untouched on failure.
 */
RUNG_API RUNG_MUST_USE int rung_query(struct rung_env *env, const struct rung_params **ret_params);

/*
 * The form in the request's body, by its Content-Type: application/x-www-form-urlencoded, read as a query is, or
 * multipart/form-data. Without a body it is an empty set, whatever the type.
 *
 * multipart: a part with a filename is a file, whose bytes lie in the body and are not copied; every other is a value, as sent,
 * without decoding. A file input that was left empty (no name, no bytes) is the value "". In names and filenames %22, %0D and
 * %0A are decoded, as browsers write them, and a backslash before a quote or another backslash is dropped, as others do;
 * "filename*" in UTF-8, which RFC 7578 forbids and some send, wins over "filename". Lines end in CRLF; folded ones are refused,
 * and so are base64 and other transfer encodings, and several files in one part (multipart/mixed): RFC 7578 sections 4.3, 4.7.
 *
 * Returns 0; -EBADMSG when it is malformed; -E2BIG past a limit; -EMEDIUMTYPE for a body of any other type, or of none;
 * -ENOMEM. ret_params is untouched on failure.
 */
RUNG_API RUNG_MUST_USE int rung_form(struct rung_env *env, const struct rung_params **ret_params);

/*
 * The cookies of the request, values as they stand: no escapes are decoded, quotes are part of the value. Since anyone on a
 * domain may set cookies for all of it, a piece that is no cookie (no "=", no name) is skipped, not refused. Names differ by
 * case. Of two with one name the first is the one whose path fits better (RFC 6265 section 5.4).
 * Returns 0; -E2BIG past a limit; -ENOMEM. ret_params is untouched on failure.
 */
RUNG_API RUNG_MUST_USE int rung_cookies(struct rung_env *env, const struct rung_params **ret_params);

/* The same with limits of one's own. Returns -EINVAL, too, when `limits` has no size, or a newer library's fields. */
RUNG_API RUNG_MUST_USE int rung_query_within(
	struct rung_env *env, const struct rung_params_limits *limits, const struct rung_params **ret_params);
RUNG_API RUNG_MUST_USE int rung_form_within(
	struct rung_env *env, const struct rung_params_limits *limits, const struct rung_params **ret_params);
RUNG_API RUNG_MUST_USE int rung_cookies_within(
	struct rung_env *env, const struct rung_params_limits *limits, const struct rung_params **ret_params);

/* The first value of that name that is no file, or NULL. */
RUNG_API const char *rung_params_get(const struct rung_params *params, const char *name);

/* The first file of that name, or NULL. */
RUNG_API const struct rung_upload *rung_params_file(const struct rung_params *params, const char *name);

/* The next pair of that name behind `after`, or the first for NULL; NULL when there is no more. */
RUNG_API const struct rung_pair *rung_params_next(
	const struct rung_params *params, const struct rung_pair *after, const char *name);

RUNG_END
