/*
 * files.h: the files below a folder, by GET and HEAD.
 *
 * The path of the request, decoded once, names a regular file beneath the root, or it is 404: no dot files, no "..",
 * no way out by symbolic links, no devices, FIFOs or folders. What is sent has Content-Type by its name, ETag and
 * Last-Modified, and "X-Content-Type-Options: nosniff". Preconditions are judged: 304 for what the client has, 412 for
 * what is not what it thinks; and one range of bytes, 206 or 416, so that a download can be resumed. Other methods are
 * 405 with Allow; OPTIONS is answered.
 *
 * Place: an endpoint; often the app that a URI leads to. 404 has the pass mark, so a cascade may try the next app.
 * Rack: Rack::Files. RFC 9110 sections 8.8 (validators), 9.3 (methods), 13 (preconditions)
 * and 14 (ranges).
 */
#pragma once

#include <rung/api.h>
#include <rung/app.h>

RUNG_BEGIN

struct rung_files_options {
	size_t size;
	const char *root; /* required: a folder; relative to the current one when the stack starts. Copied */
};

/* Returns NULL, with a message for rung_error(), without a root. A root that cannot be opened is refused at start. */
RUNG_API RUNG_MUST_USE struct rung_app *rung_files_new(const struct rung_files_options *options);
#define rung_files(...)                                    \
	rung_files_new(&(const struct rung_files_options){ \
		.size = sizeof(struct rung_files_options), __VA_ARGS__ })

RUNG_END
