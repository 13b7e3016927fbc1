/*
 * stamp.h: says in every response which process gave it: "X-Stamp: shop at 127.0.0.1:8080".
 *
 * A layer as a stranger would write it, by public headers alone and under a prefix of its own. That it builds
 * outside the tree, against the installed library, is what tests/install/run finds out.
 *
 * Place: anywhere; outermost it marks error pages too.
 */
#pragma once

#include <rung/api.h>
#include <rung/app.h>

RUNG_BEGIN

/* Zero means the default. Strings are copied. */
struct acme_stamp_options {
	size_t size;
	const char *name;   /* required: what this process is called */
	const char *header; /* the field that says so; default X-Stamp */
};

/* Returns NULL, with a message for rung_error(), without a name, for a name or header that no field can have,
 * or when memory is out. */
RUNG_MUST_USE struct rung_app *acme_stamp_new(const struct acme_stamp_options *options);
#define acme_stamp(...)                                    \
	acme_stamp_new(&(const struct acme_stamp_options){ \
		.size = sizeof(struct acme_stamp_options), __VA_ARGS__ })

RUNG_END
