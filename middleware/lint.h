/*
 * lint.h: looks on at a link and fails what breaks the contract, with a message that names the app, what is wrong and
 * how to mend it.
 *
 * On the way down: the request is whole (method, paths, fields, length) and the response pristine. On the way up: what
 * was promised of a response holds: a status from 200 to 999, no field that is the server's or stands twice,
 * Content-Length and the body agree, no body where the status has none, what RFC 9110 demands beside a 401 or 405; and
 * env is as it was. A breach becomes a failure of that app: 500, -EPROTO, a line in the log.
 *
 * As a probe it watches every link of a stack: for tests. As a layer, only the one below it: for a stack in development.
 *
 * Place: around any app. Rack: Rack::Lint. RFC 9110 sections 8.6, 15.3.5, 15.3.6, 15.4.5, 15.5.2, 15.5.6.
 */
#pragma once

#include <rung/api.h>
#include <rung/app.h>

RUNG_BEGIN

/* For the .probes of a struct rung_setup. The same one each time; nobody frees it. */
RUNG_API const struct rung_probe *rung_lint_probe(void);

/* There is nothing to choose yet; the size lets a later version have options. */
struct rung_lint_options {
	size_t size;
};

/* Returns NULL, with a message for rung_error(), when memory is out. */
RUNG_API RUNG_MUST_USE struct rung_app *rung_lint_new(const struct rung_lint_options *options);
#define rung_lint(...) \
	rung_lint_new( \
		&(const struct rung_lint_options){ .size = sizeof(struct rung_lint_options), __VA_ARGS__ })

RUNG_END
