/*
 * error_pages.h: gives an error without a body a page: plain text, HTML or JSON (application/problem+json), whichever
 * the client's Accept prefers. Of equals the one that Accept names first, plain text when it names none of them.
 *
 * A page is made for a status from 400 up whose body is EMPTY and which has no Content-Type, Content-Length or
 * Content-Encoding: those describe a body, as an app does that answers HEAD by itself, and Content-Length: 0 asks for
 * none. What asks for a reproxy is left alone. Status and fields stay as they are; a page adds Content-Type, "Vary:
 * Accept", and "Cache-Control: no-store" where there is no Cache-Control.
 *
 * In development the page tells of the request's last failure: message, layer, file and line. Elsewhere it never does.
 *
 * It never makes things worse: when memory is out the response stays as it was.
 *
 * Place: outside everything whose errors shall have a page, inside access_log.
 * Rack: Rack::ShowStatus and Rack::ShowExceptions. RFC 9110 section 15 (status), RFC 9457 (problem details).
 */
#pragma once

#include <rung/api.h>
#include <rung/app.h>

RUNG_BEGIN

/* There is nothing to choose yet; the size lets a later version have options. */
struct rung_error_pages_options {
	size_t size;
};

/* Returns NULL, with a message for rung_error(), when memory is out. */
RUNG_API RUNG_MUST_USE struct rung_app *rung_error_pages_new(const struct rung_error_pages_options *options);
#define rung_error_pages(...)                                          \
	rung_error_pages_new(&(const struct rung_error_pages_options){ \
		.size = sizeof(struct rung_error_pages_options), __VA_ARGS__ })

RUNG_END
