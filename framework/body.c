/* body.c: the union of bodies, its close-once rule, and filters. */
#include "request.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void close_source(struct rung_source *source)
{
	while (source) {
		struct rung_source *inner = source->inner_;

		if (source->close)
			source->close(source);
		source = inner;
	}
}

void rung_body_close(struct rung_response *res)
{
	enum rung_body_kind kind = res->kind;
	struct rung_body body;

	if (kind == RUNG_BODY_EMPTY)
		return;
	/* Marked empty first, so that a close that looks at the response cannot close twice. */
	body = *res->body_;
	res->kind = RUNG_BODY_EMPTY;
	if (kind == RUNG_BODY_BYTES && body.bytes.free_bytes)
		body.bytes.free_bytes((void *)(uintptr_t)body.bytes.at);
	else if (kind == RUNG_BODY_FILE)
		close(body.file.fd);
	else if (kind == RUNG_BODY_PULL)
		close_source(body.pull.source);
}

static void put_bytes(struct rung_response *res, const void *bytes, size_t size, void (*free_bytes)(void *))
{
	rung_body_drop(res);
	res->body_->bytes.at = bytes;
	res->body_->bytes.size = size;
	res->body_->bytes.free_bytes = free_bytes;
	res->kind = RUNG_BODY_BYTES;
}

/* What rung_printf() gives when memory is out comes here unchecked. */
static RUNG_COLD int refuse_null(struct rung_response *res, const char *what)
{
	rung_fail_at(res->env_, -EINVAL, NULL, 0, "the %s of the body is NULL; check what made it", what);
	return rung_response_stick(res, -EINVAL);
}

/* Taken into its callers, so that the size of a literal is known where it is copied. */
RUNG_INLINE_HINT int rung_body_bytes(struct rung_response *res, const void *bytes, size_t size)
{
	if (res->error)
		return res->error;
	if (!bytes && size)
		return refuse_null(res, "bytes");
	char *copy = rung_arena_copy(rung_arena_of(res->env_), bytes, size);
	if (!copy)
		return rung_response_stick(res, -ENOMEM);
	put_bytes(res, copy, size, NULL);
	return 0;
}

int rung_body_static(struct rung_response *res, const void *bytes, size_t size)
{
	if (res->error)
		return res->error;
	if (!bytes && size)
		return refuse_null(res, "bytes");
	put_bytes(res, bytes, size, NULL);
	return 0;
}

int rung_body_take(struct rung_response *res, void *bytes, size_t size, void (*free_bytes)(void *))
{
	if (!res->error && !bytes && size)
		refuse_null(res, "bytes");
	if (res->error) {
		if (free_bytes)
			free_bytes(bytes);
		return res->error;
	}
	put_bytes(res, bytes, size, free_bytes);
	return 0;
}

int rung_body_file(struct rung_response *res, int fd, int64_t offset, int64_t length, const char *path)
{
	const char *copy = NULL;
	int rc = res->error;

	if (rc == 0 && (fd < 0 || offset < 0 || length < 0 || offset > INT64_MAX - length))
		rc = rung_response_stick(res, -EINVAL);
	if (rc == 0 && path && !(copy = rung_strndup(res->env_, path, strlen(path))))
		rc = rung_response_stick(res, -ENOMEM);
	if (rc < 0) {
		if (fd >= 0)
			close(fd);
		return rc;
	}
	rung_body_close(res);
	res->body_->file.fd = fd;
	res->body_->file.offset = offset;
	res->body_->file.length = length;
	res->body_->file.path = copy;
	res->kind = RUNG_BODY_FILE;
	return 0;
}

int rung_body_uri(struct rung_response *res, const char *uri)
{
	if (res->error)
		return res->error;
	if (!uri)
		uri = ""; /* judged, and refused, by the reproxy layer as any other bad URI */
	const char *copy = rung_strndup(res->env_, uri, strlen(uri));
	if (!copy)
		return rung_response_stick(res, -ENOMEM);
	rung_body_close(res);
	res->body_->uri = copy;
	res->kind = RUNG_BODY_URI;
	return 0;
}

int rung_body_pull(struct rung_response *res, struct rung_source *source, int64_t size)
{
	int rc = res->error;

	/* Its maker need not clear it. Written only if need be: one without state may be shared by threads. */
	if (source && source->inner_)
		source->inner_ = NULL;
	if (!source && rc == 0)
		rc = refuse_null(res, "source");
	if (rc == 0 && size < -1)
		rc = rung_response_stick(res, -EINVAL);
	if (rc < 0) {
		close_source(source);
		return rc;
	}
	rung_body_close(res);
	res->body_->pull.source = source;
	res->body_->pull.size = size;
	res->kind = RUNG_BODY_PULL;
	return 0;
}

int64_t rung_body_size(const struct rung_response *res)
{
	switch (res->kind) {
	case RUNG_BODY_BYTES:
		return (int64_t)res->body_->bytes.size;
	case RUNG_BODY_FILE:
		return res->body_->file.length;
	case RUNG_BODY_PULL:
		return res->body_->pull.size;
	case RUNG_BODY_EMPTY:
	case RUNG_BODY_URI:
		break;
	}
	return 0;
}

const char *rung_body_get_uri(const struct rung_response *res)
{
	return res->kind == RUNG_BODY_URI ? res->body_->uri : NULL;
}

const void *rung_body_get_bytes(const struct rung_response *res, size_t *ret_size)
{
	if (res->kind != RUNG_BODY_BYTES)
		return NULL;
	*ret_size = res->body_->bytes.size;
	return res->body_->bytes.at;
}

const char *rung_body_get_path(const struct rung_response *res)
{
	return res->kind == RUNG_BODY_FILE ? res->body_->file.path : NULL;
}

/* -- reading a body, whatever its kind --------------------------------------------------------------------------- */

static ssize_t read_bytes(const struct rung_body *body, int64_t at, void *buffer, size_t max)
{
	size_t left = body->bytes.size - (size_t)at;

	if (left > max)
		left = max;
	if (left)
		memcpy(buffer, body->bytes.at + at, left);
	return (ssize_t)left;
}

/* A file that is shorter than it was promised to be is an error: the length has been sent. */
static ssize_t read_file(const struct rung_body *body, int64_t at, void *buffer, size_t max)
{
	int64_t left = body->file.length - at;
	ssize_t n;

	if (left <= 0)
		return 0;
	do
		n = pread(body->file.fd, buffer, left < (int64_t)max ? (size_t)left : max,
			body->file.offset + at);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return -EIO;
	return n < 0 ? -errno : n;
}

/* One that claims more than there was room for has written who knows where; what there is must not go out. Less than any errno is
 * no error that has a name. */
static ssize_t read_source(struct rung_source *source, void *buffer, size_t max)
{
	ssize_t n = source->read(source, buffer, max);

	if (n > 0)
		return (size_t)n > max ? -EOVERFLOW : n;
	return n < -INT32_MAX ? -EPROTO : n;
}

ssize_t rung_body_read(struct rung_response *res, int64_t at, void *buffer, size_t max)
{
	switch (res->kind) {
	case RUNG_BODY_BYTES:
		return read_bytes(res->body_, at, buffer, max);
	case RUNG_BODY_FILE:
		return read_file(res->body_, at, buffer, max);
	case RUNG_BODY_PULL:
		return read_source(res->body_->pull.source, buffer, max);
	case RUNG_BODY_EMPTY:
	case RUNG_BODY_URI:
		break;
	}
	return 0;
}

/* -- filters ----------------------------------------------------------------------------------------------------- */

/* What was there, as a source: it keeps its own copy of the body, since the response's becomes the filter. */
struct held {
	struct rung_source source;
	struct rung_response response;
	struct rung_body body;
	int64_t at;
	bool is_over;
	ssize_t ending; /* what it ended with: a body is not asked again, whatever the filter does */
};

static ssize_t held_read(struct rung_source *source, void *buffer, size_t max)
{
	struct held *held = (struct held *)source;

	if (held->is_over)
		return held->ending;
	ssize_t n = rung_body_read(&held->response, held->at, buffer, max);
	if (n > 0) {
		held->at += n;
	} else if (n != -EAGAIN) {
		held->is_over = true;
		held->ending = n;
	}
	return n;
}

static void held_close(struct rung_source *source)
{
	rung_body_close(&((struct held *)source)->response);
}

/* The bytes change, so what was said of them exactly no longer holds (RFC 9110 sections 8.6 and 8.8.1). */
static void weaken(struct rung_response *res)
{
	const char *etag = rung_header_get(res, "ETag");

	rung_header_remove(res, "Content-Length");
	if (etag && strncmp(etag, "W/", 2) != 0)
		rung_headerf(res, "ETag", "W/%s", etag);
}

bool rung_asks_for_reproxy(const struct rung_response *res)
{
	const char *announced = rung_uri_header(res->env_);

	return res->kind == RUNG_BODY_URI || rung_list_find(res->headers_, "X-Reproxy-Url", 13) ||
	       (announced && rung_list_find(res->headers_, announced, strlen(announced)));
}

struct rung_source *rung_filter(struct rung_response *res, struct rung_source *outer)
{
	if (res->error || res->kind == RUNG_BODY_EMPTY || rung_asks_for_reproxy(res)) {
		if (outer->close)
			outer->close(outer);
		return NULL;
	}
	struct held *held = rung_alloc(res->env_, sizeof *held);
	if (!held) {
		if (outer->close)
			outer->close(outer);
		rung_response_stick(res, -ENOMEM);
		return NULL;
	}
	*held = (struct held){ .source = { .read = held_read, .close = held_close }, .response = *res };
	held->body = *res->body_;
	held->response.body_ = &held->body;
	outer->inner_ = &held->source;
	res->body_->pull.source = outer;
	res->body_->pull.size = -1;
	res->kind = RUNG_BODY_PULL;
	weaken(res);
	return &held->source;
}
