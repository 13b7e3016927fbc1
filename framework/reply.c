/* reply.c: whole replies: status, Content-Type and body in one call. */
#include "request.h"
#include <rung/mime.h>
#include <rung/pipe.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What rung_printf() and rung_param() give when they have nothing comes here unchecked. */
static RUNG_COLD int refuse_null(struct rung_response *res, const char *what)
{
	if (res->error)
		return res->error;
	rung_fail_at(res->env_, -EINVAL, NULL, 0, "the %s of a reply is NULL; check what made it", what);
	return rung_response_stick(res, -EINVAL);
}

int rung_reply_empty(struct rung_response *res, int status)
{
	rung_body_close(res);
	res->status = status;
	return res->error;
}

int rung_reply_bytes(
	struct rung_response *res, int status, const char *content_type, const void *bytes, size_t size)
{
	res->status = status;
	if (content_type)
		rung_header(res, "Content-Type", content_type);
	return rung_body_bytes(res, bytes, size);
}

/* What most apps end with. */
RUNG_INLINE_HINT int rung_reply_text(struct rung_response *res, int status, const char *text)
{
	if (!text)
		return refuse_null(res, "text");
	res->status = status;
	RUNG_PUT_LITERAL(res, "Content-Type", "text/plain; charset=utf-8");
	return rung_body_bytes(res, text, strlen(text));
}

int rung_reply_html(struct rung_response *res, int status, const char *html)
{
	if (!html)
		return refuse_null(res, "HTML");
	res->status = status;
	RUNG_PUT_LITERAL(res, "Content-Type", "text/html; charset=utf-8");
	return rung_body_bytes(res, html, strlen(html));
}

int rung_reply_json(struct rung_response *res, int status, const char *json)
{
	if (!json)
		return refuse_null(res, "JSON");
	res->status = status;
	RUNG_PUT_LITERAL(res, "Content-Type", "application/json");
	return rung_body_bytes(res, json, strlen(json));
}

int rung_reply_textf(struct rung_response *res, int status, const char *format, ...)
{
	char small[512];
	va_list arguments;

	va_start(arguments, format);
	int size = vsnprintf(small, sizeof small, format, arguments);
	va_end(arguments);
	if (size < 0)
		return rung_response_stick(res, -EINVAL);
	if ((size_t)size < sizeof small)
		return rung_reply_text(res, status, small);
	char *text = rung_alloc(res->env_, (size_t)size + 1);
	if (!text)
		return rung_response_stick(res, -ENOMEM);
	va_start(arguments, format);
	vsnprintf(text, (size_t)size + 1, format, arguments);
	va_end(arguments);
	res->status = status;
	RUNG_PUT_LITERAL(res, "Content-Type", "text/plain; charset=utf-8");
	return rung_body_static(res, text, (size_t)size);
}

int rung_reply_pipe(struct rung_response *res, int status, const char *content_type, struct rung_pipe *pipe)
{
	res->status = status;
	if (content_type)
		rung_header(res, "Content-Type", content_type);
	return rung_body_pipe(res, pipe);
}

int rung_reply_pull(struct rung_response *res, int status, const char *content_type,
	struct rung_source *source, int64_t size)
{
	res->status = status;
	if (content_type)
		rung_header(res, "Content-Type", content_type);
	return rung_body_pull(res, source, size);
}

/* O_NONBLOCK: a FIFO by that name must not hold the loop; it is refused below, since it is no regular file. */
int rung_reply_file(struct rung_response *res, int status, const char *content_type, const char *path)
{
	struct stat info;

	if (res->error)
		return res->error;
	if (!path)
		return refuse_null(res, "path");
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &info) < 0) {
		int err = -errno;

		if (fd >= 0)
			close(fd);
		rung_fail_at(res->env_, err, NULL, 0, "file \"%s\": %s", path, strerror(-err));
		return rung_response_stick(res, err);
	}
	if (!S_ISREG(info.st_mode)) {
		close(fd);
		rung_fail_at(res->env_, -EINVAL, NULL, 0, "file \"%s\" is no regular file", path);
		return rung_response_stick(res, -EINVAL);
	}
	if (!content_type)
		content_type = rung_mime_type(path);
	res->status = status;
	rung_header(res, "Content-Type", content_type ? content_type : "application/octet-stream");
	return rung_body_file(res, fd, 0, info.st_size, path);
}

int rung_reply_redirect(struct rung_response *res, int status, const char *location)
{
	struct rung_uri uri;
	bool known = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;

	if (res->error)
		return res->error;
	if (!location)
		return refuse_null(res, "location");
	if (!known || rung_uri_parse(location, strlen(location), &uri) < 0) {
		rung_fail_at(res->env_, -EINVAL, NULL, 0, "redirect %d to \"%s\": %s", status, location,
			known ? "no URI; percent-encode it" : "use 301, 302, 303, 307 or 308");
		return rung_response_stick(res, -EINVAL);
	}
	rung_reply_empty(res, status);
	return rung_header(res, "Location", location);
}

int rung_reply_uri_raw(struct rung_response *res, int status, const char *uri)
{
	res->status = status;
	return rung_body_uri(res, uri);
}
