/*
 * inspect.h: a page that shows what the last requests did: each as a ladder, layers as rungs, redispatches as loops with
 * their URIs, time as width, with status, bytes, and errors with layer, file and line. It follows live.
 *
 * The page is at /_rung/ of the server itself and takes nothing from elsewhere; what is below that path never reaches the
 * stack. A request is remembered when its answer was sent: its fields and the answer's, no bodies. Secrets are never kept:
 * the values of Authorization, Cookie, Set-Cookie and of fields and arguments of URIs whose names say token, secret,
 * password, key, code, session or signature, and what stands before a URI's host, are dots from the beginning. A secret
 * that is part of a path or of an app's own message under no such name is shown.
 *
 * Who sees the page sees what everybody asks, so it is for development: it is refused on a server that listens on more
 * than loopback, and answers 403 to requests for another host than loopback's names or that came by a proxy: which show
 * by a field such as X-Forwarded-For or Via, or by HTTP/1.0. A proxy that hides itself from it must not lead to it.
 * rung_main() puts it around a stack with --inspect.
 *
 * Place: outermost. Costs a few microseconds a request and some kilobytes, at most 64, for each that it keeps; left out it costs
 * nothing. Threads: apps may run on many; the list has a lock.
 */
#pragma once

#include <rung/api.h>
#include <rung/app.h>

RUNG_BEGIN

/* Zero means the default. */
struct rung_inspect_options {
	size_t size;
	unsigned keep; /* requests; default 100, at most 10000 */
	bool allow_public; /* serves the page on any address, to any host, behind any proxy: guard it by other means */
};

/* Returns NULL, with a message for rung_error(), for a .keep above the most or when memory is out. */
RUNG_API RUNG_MUST_USE struct rung_app *rung_inspect_new(const struct rung_inspect_options *options);
#define rung_inspect(...)                                      \
	rung_inspect_new(&(const struct rung_inspect_options){ \
		.size = sizeof(struct rung_inspect_options), __VA_ARGS__ })

RUNG_END
