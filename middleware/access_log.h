/*
 * access_log.h: one line a request, in the combined log format with the time it took at the end:
 *
 *   127.0.0.1 - ann [10/Oct/2000:13:55:36 +0000] "GET /path?q HTTP/1.1" 200 2326 "http://from/" "curl/8" 0.000123
 *
 * Address, user (rung_remote_user()), when it ended, the request line, status, bytes of body that were sent ("-" for
 * none), Referer, User-Agent, and seconds from this layer's call until the end. The path is the one of the view in
 * which the layer stands. A client that left before the end adds " aborted", a body that failed half-way " broken".
 *
 * Nothing a client sends can forge a line or break its quotes: control bytes, quotes, backslashes and bytes from 0x7f
 * up are written as \xHH. Of what is too long the beginning is written, and "...".
 *
 * Place: outermost. Rack: Rack::CommonLogger.
 */
#pragma once

#include <rung/api.h>
#include <rung/app.h>

RUNG_BEGIN

/* Zero means the default. */
struct rung_access_log_options {
	size_t size;
	/* Takes one line with its newline, `bytes` in all, so that one write(2) suffices; a NUL follows. Called from all
	 * threads. Default: the log that the stack was started with, unless that is quiet. */
	void (*write)(void *data, const char *line, size_t bytes);
	void *data;                /* given to write */
	void (*free_data)(void *); /* called with data when the layer goes, or was refused; NULL: not owned */
};

/* Returns NULL, with a message for rung_error(), when memory is out. */
RUNG_API RUNG_MUST_USE struct rung_app *rung_access_log_new(const struct rung_access_log_options *options);
#define rung_access_log(...)                                         \
	rung_access_log_new(&(const struct rung_access_log_options){ \
		.size = sizeof(struct rung_access_log_options), __VA_ARGS__ })

RUNG_END
