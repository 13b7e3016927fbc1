/*
 * reproxy.h: an app answers with a URI; the web server in front fetches it, or this process does.
 *
 * The URI is the response's body (rung_reply_uri) or stands in the field that rung_uri_header(env) names; the body
 * comes first if there are both. What happens to it is the same stack's business in every environment:
 *
 * - emission: the response keeps its status, gets an empty body, "X-Reproxied: 1" and the fields that the server in
 *   front understands;
 * - redispatch (RUNG_SERVER_SELF): the request is dispatched again, here, to the app that stands for the URI. Its
 *   status and body are the answer, its fields win over the first response's. Again and again, up to .max_hops;
 * - emulation (RUNG_EMULATE_...): redispatched here as well, but by the rules of that server, quirks and errors included:
 *   the answer is what production will give. README.md has what each does, and what is out of reach.
 *
 * Place: outside what answers with URIs; inside error_pages and access_log, which then see one response.
 * Rack: Rack::Reproxy (the gem rack-reproxy).
 */
#pragma once

#include <rung/api.h>
#include <rung/app.h>
#include <rung/env.h>
#include <rung/names.h>

RUNG_BEGIN

struct rung_locations;

/* A location of an emulated nginx, for X-Accel-Redirect; one of .app, .folder and .pass answers in it. All are internal: from
 * outside they are 404. */
struct rung_location {
	const char *path; /* "/files/" and all below, "= /one" alone, or "@name" */
	struct rung_app
		*app; /* sees the path behind the prefix, with a slash before it; of others the whole one */
	const char *folder; /* serves its files, as alias does: ETag, ranges and 304 are nginx's */
	const char *type;   /* Content-Type of those files, as default_type does alone; default: by name */
	const char *pass;   /* proxy_pass: "http://files.internal/base/", or "$upstream_http_x_reproxy_url" */
};

/* Makes a list. Returns NULL, with a message for rung_error(), for a path or URL that is none, or a failed part. Ownership: takes a
 * reference of each app, also on failure. The strings are copied. */
RUNG_API RUNG_MUST_USE struct rung_locations *rung_locations_new(
	const struct rung_location *list, size_t count);
#define rung_locations(...)                                               \
	rung_locations_new((const struct rung_location[]){ __VA_ARGS__ }, \
		sizeof((const struct rung_location[]){ __VA_ARGS__ }) / sizeof(struct rung_location))

/* Drops the list and its references. NULL does nothing. */
RUNG_API void rung_locations_destroy(struct rung_locations *locations);

/* Zero means the default. Strings and lists are copied; apps, names and locations are taken, also on failure. */
struct rung_reproxy_options {
	size_t size;
	enum rung_server_kind
		server; /* default: --reproxy, else RUNG_REPROXY, else self; never overridden when given */

	/* Where a URI goes when it is redispatched; the first that applies, and 502 when none does: */
	struct rung_app *app; /* everything goes here (Rack::Reproxy's app:) */
	struct rung_names
		*names; /* authorities of apps of this process; those of reproxy layers outside count too */
	const char *const
		*hosts; /* authorities that are this stack itself, NULL-ended; default: the listening ones */
	bool any_host_is_self; /* every other authority too, as with Rack::Reproxy; for tests of old apps */
	struct rung_app
		*remote; /* fetches what is elsewhere, under its own rules; gets no Cookie or Authorization */

	const char *
		base; /* scheme and authority that relative URIs get when they are emitted, "http://10.0.0.7:80";
			       * default: the first listening address */
	const char *header;   /* the field that may hold a URI; default X-Reproxy-Url */
	const char *location; /* nginx: what X-Accel-Redirect says; default /reproxy */
	unsigned
		max_hops; /* default: the setup's, 10; at most 50; one more is 502; emulated servers have their own */

	/* Under emulation: */
	struct rung_locations *locations; /* of nginx, beside .location, which fetches X-Reproxy-Url */
	const char *
		sendfile; /* Apache and lighttpd: the folder whose files X-Sendfile may name, as XSendFilePath does;
			       * default: none, and they pass the field on */
	bool as_is; /* what is inside writes the server's own fields: X-Reproxy-Url alone is not turned into them, and
		     * fields of clients that steer reach it if the server lets them; for backends of other languages */
};

/* Returns NULL, with a message for rung_error(), for an unknown .server, a bad .base, .header, .location or .hosts,
 * .max_hops above 50, or a failed part. */
RUNG_API RUNG_MUST_USE struct rung_app *rung_reproxy_new(const struct rung_reproxy_options *options);
#define rung_reproxy(...)                                      \
	rung_reproxy_new(&(const struct rung_reproxy_options){ \
		.size = sizeof(struct rung_reproxy_options), __VA_ARGS__ })

RUNG_END
