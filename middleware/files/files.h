/*
 * files.h: the files below a folder, by GET and HEAD.
 *
 * The path of the request, decoded once, names a regular file beneath the root, or it is 404: no dot files, no "..", no
 * way out by symbolic links, no devices or FIFOs; 503 while another process has a lease on it. What is sent has
 * Content-Type by its name, ETag and Last-Modified, and "X-Content-Type-Options: nosniff". Preconditions are judged: 304
 * for what the client has, 412 for what is not what it thinks; ranges are sent, one as 206, several as
 * multipart/byteranges, so that a download can be resumed. Other methods are 405 with Allow; OPTIONS is answered.
 *
 * The tree may change while it is served. A file that is replaced by another of its name (rename) is sent to its end as
 * it was; one that is truncated while it is sent costs the connection, since the length has been promised (what was on its
 * way may arrive as zeros from the cut on, since the kernel sends the file's own pages). One that is written in place may
 * arrive half old, half new: deploy by renaming.
 *
 * Folders are 404 unless there is an index or a listing for them; then a folder without a slash at its end is redirected
 * (301) to the one with it.
 *
 * Place: an endpoint; often the app that a URI leads to. 404 has the pass mark, so a cascade may try the next app.
 * Rack: Rack::Files, Rack::Static, Rack::Directory. RFC 9110 sections 8.8 (validators), 9.3 (methods), 12.5.3 (codings), 13
 * (preconditions), 14 (ranges); RFC 8246 (immutable).
 */
#pragma once

#include <rung/api.h>
#include <rung/app.h>

RUNG_BEGIN

/* Zero means the default. Strings are copied. */
struct rung_files_options {
	size_t size;
	const char *root;  /* required: a folder; relative to the current one when the stack starts */
	const char *index; /* what a folder is answered with, "index.html"; default: nothing */

	/* A file below the root, "index.html", that answers, with 200, what is not there: for apps whose paths are made by a
	 * script in the page. Only where the client would rather have HTML than any other thing, as browsers do when a person
	 * goes somewhere; a missing script or image stays 404. Default: nothing */
	const char *fallback;

	/* Sends NAME.br, NAME.zst or NAME.gz in place of NAME to clients that take it, with Content-Encoding; all answers then
	 * have "Vary: Accept-Encoding". Of such a form one range is sent, and the whole to who asks for several. NAME itself must
	 * be there too. Make the siblings whenever NAME changes: dates are not compared, since deployments do not keep them. */
	bool precompressed;

	/* Lists folders that have no index, as a page: without dot files and what could not be sent; in part where there are more
	 * than 5000 names. */
	bool listing;

	/* Lets caches keep a file for a year without asking when its name holds a fingerprint, as bundlers write it: a part of 8
	 * or more hexadecimal digits, letters as well as numbers, or of 8 or more letters of both cases and numbers, before the
	 * extension and behind ".", "-" or "_": "app.3f9a1c02.js", "index-Bx2c4d5E.css". */
	bool immutable;

	/* Cache-Control of all other files, "no-cache" for one; default: none */
	const char *cache_control;
};

/* Returns NULL, with a message for rung_error(), without a root, or when an index or fallback could be no file of its.
 * A root that cannot be opened is refused at start. */
RUNG_API RUNG_MUST_USE struct rung_app *rung_files_new(const struct rung_files_options *options);
#define rung_files(...)                                    \
	rung_files_new(&(const struct rung_files_options){ \
		.size = sizeof(struct rung_files_options), __VA_ARGS__ })

RUNG_END
