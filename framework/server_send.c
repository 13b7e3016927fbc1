/*
 * server_send.c: an app's response as libmicrohttpd's: its body, its head, and what goes out when it cannot.
 */
#include "server_private.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* -- bodies of answers ------------------------------------------------------------------------------------------- */

static struct MHD_Response *from_source(struct exchange *exchange)
{
	uint64_t size = exchange->length < 0 ? MHD_SIZE_UNKNOWN : (uint64_t)exchange->length;
	struct MHD_Response *response =
		MHD_create_response_from_callback(size, RUNG_STREAM_BLOCK, rung_body_next, exchange, NULL);

	/* libmicrohttpd ends the chunks of a body that HEAD does not have, and so spoils the connection; like this it
	 * closes it instead. */
	if (response && exchange->is_head && exchange->length < 0)
		MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
	return response;
}

/* The whole of a small file in memory, so that head and body leave in one send. */
static int load_file(struct exchange *exchange, struct rung_response *res)
{
	size_t size = (size_t)exchange->length, at = 0;
	char *bytes = rung_arena_alloc(&exchange->request.arena, size + 1);

	if (!bytes)
		return -ENOMEM;
	while (at < size) {
		ssize_t n = rung_body_read(res, (int64_t)at, bytes + at, size - at);

		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		at += (size_t)n;
	}
	return rung_body_static(res, bytes, size);
}

/* Before the head promises it. What happens to the file later is seen by rung_look_at_files(). */
static int check_file(const struct exchange *exchange, const struct rung_body *body)
{
	struct stat info;

	if (fstat(body->file.fd, &info) < 0)
		return -errno;
	if (!S_ISREG(info.st_mode))
		return -EINVAL;
	return info.st_size < body->file.offset + exchange->length ? -EIO : 0;
}

void rung_server_prepare(struct exchange *exchange)
{
	struct rung_response *res = exchange->response;

	/* A 304 tells of a body that is not sent, as a response to HEAD does. */
	exchange->is_head = rung_is_head(&exchange->request) || res->status == 304;
	exchange->length = rung_response_length(res, exchange->is_head);
	exchange->err = 0;
	if (res->kind != RUNG_BODY_FILE || exchange->is_head)
		return;
	exchange->err = exchange->length <= RUNG_IN_ONE_BUFFER ? load_file(exchange, res)
							       : check_file(exchange, res->body_);
}

static void remember_file(struct exchange *exchange, const struct rung_response *res)
{
	struct loop *loop = exchange->loop;

	exchange->file = res->body_->file.fd;
	exchange->file_end = res->body_->file.offset + exchange->length;
	exchange->next_file = loop->files;
	exchange->file_place = &loop->files;
	if (loop->files)
		loop->files->file_place = &exchange->next_file;
	loop->files = exchange;
}

void rung_forget_file(struct exchange *exchange)
{
	if (!exchange->file_place)
		return;
	*exchange->file_place = exchange->next_file;
	if (exchange->next_file)
		exchange->next_file->file_place = exchange->file_place;
	exchange->file_place = NULL;
}

void rung_look_at_files(struct loop *loop)
{
	for (struct exchange *exchange = loop->files; exchange; exchange = exchange->next_file) {
		const struct rung_env *env = &exchange->request.env;
		struct stat info;

		if (exchange->is_broken || fstat(exchange->file, &info) < 0 ||
			info.st_size >= exchange->file_end)
			continue;
		exchange->is_broken = true;
		rung_log(env, RUNG_LOG_ERROR,
			"rung: body of %s %s%s: the file was truncated while it was sent", env->method,
			env->script_name, env->path_info);
		shutdown(exchange->connection->fd, SHUT_RDWR);
	}
}

static ssize_t read_file(void *cls, uint64_t position, char *buffer, size_t max)
{
	struct exchange *exchange = cls;
	ssize_t n = rung_body_read(exchange->response, (int64_t)position, buffer, max);

	if (n > 0)
		return n;
	exchange->is_broken = true;
	rung_log_broken_body(&exchange->request.env, n, (int64_t)position);
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* Over TLS there is no sendfile(), and libmicrohttpd's own reading goes by 4 KiB. The descriptor stays the body's. */
static struct MHD_Response *from_file(struct exchange *exchange)
{
	return MHD_create_response_from_callback(
		(uint64_t)exchange->length, RUNG_STREAM_BLOCK, read_file, exchange, NULL);
}

/* libmicrohttpd takes the descriptor and closes it with the response. */
static struct MHD_Response *from_descriptor(struct exchange *exchange, struct rung_response *res)
{
	struct MHD_Response *response = MHD_create_response_from_fd_at_offset64(
		(uint64_t)exchange->length, res->body_->file.fd, (uint64_t)res->body_->file.offset);

	if (!response)
		return NULL;
	remember_file(exchange, res);
	res->kind = RUNG_BODY_EMPTY;
	return response;
}

static struct MHD_Response *from_bytes(const void *bytes, size_t size)
{
	return MHD_create_response_from_buffer(size, (void *)(uintptr_t)bytes, MHD_RESPMEM_PERSISTENT);
}

/* NULL: out of memory. */
static struct MHD_Response *make_response(struct exchange *exchange)
{
	struct rung_response *res = exchange->response;

	/* For HEAD only the length matters: nothing is read. */
	if (exchange->is_head && exchange->length != 0)
		return from_source(exchange);
	/* Over a Unix socket nothing else tells how much of it is on its way: see server_time.c. */
	if (exchange->connection->is_unix && exchange->length > RUNG_IN_ONE_BUFFER)
		return from_source(exchange);
	if (res->kind == RUNG_BODY_BYTES)
		return from_bytes(res->body_->bytes.at, res->body_->bytes.size);
	if (res->kind == RUNG_BODY_FILE && exchange->connection->is_tls)
		return from_file(exchange);
	if (res->kind == RUNG_BODY_FILE)
		return from_descriptor(exchange, res);
	if (res->kind == RUNG_BODY_PULL)
		return from_source(exchange);
	return from_bytes("", 0);
}

/* -- heads of answers -------------------------------------------------------------------------------------------- */

/* Fields that say how the message is framed: libmicrohttpd writes them from the body itself; and Date. */
static bool is_own_field(const struct rung_field *field)
{
	return rung_name_is(field, "Content-Length", 14) || rung_name_is(field, "Transfer-Encoding", 17) ||
	       rung_name_is(field, "Date", 4);
}

/* libmicrohttpd decides by itself whether a connection stays, and takes no field that says only so. */
static bool is_keep_alive(const struct rung_field *field)
{
	return rung_name_is(field, "Connection", 10) && rung_list_has(field->value, "keep-alive");
}

/* libmicrohttpd builds the head in what the request left of the connection's memory, and closes without an answer when
 * it does not fit. */
static bool head_fits(const struct exchange *exchange, size_t size)
{
	size_t limit = exchange->loop->server->limits.connection_memory;
	size_t request =
		MHD_get_connection_info(exchange->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;

	request += exchange->request.headers.count * (size_t)64;
	return size + request < limit;
}

enum {
	SURELY_FITS = 1024, /* bytes of head */
	FIELD_EXTRA = 4,    /* ": " and the line's end */
	STATUS_LINE = 256,  /* with the fields that libmicrohttpd adds */
};

static bool ends_connection(const struct exchange *exchange)
{
	/* The server is asked, since its loop may not have come to it yet. */
	return atomic_load_explicit(&exchange->loop->server->is_stopping, memory_order_relaxed) ||
	       exchange->is_unread ||
	       exchange->connection->requests + 1 >= exchange->loop->server->limits.keep_alive_requests;
}

/* Returns 0; -ENOMEM; -EMSGSIZE for a head that does not fit. libmicrohttpd takes no empty value; one blank means the
 * same. */
static int add_fields(
	struct exchange *exchange, struct MHD_Response *response, const struct rung_response *res)
{
	const struct rung_header_list *list = res->headers_;
	size_t size = STATUS_LINE;

	for (uint32_t i = 0; i < list->count; i++) {
		const struct rung_field *field = &list->fields[i];

		size += (size_t)field->name_size + field->value_size + FIELD_EXTRA;
		if (is_own_field(field))
			continue;
		if (MHD_add_response_header(response, field->name, field->value_size ? field->value : " ") ==
			MHD_YES)
			continue;
		if (!is_keep_alive(field))
			return -ENOMEM;
	}
	if (ends_connection(exchange) && MHD_add_response_header(response, "Connection", "close") != MHD_YES)
		return -ENOMEM;
	return size < SURELY_FITS || head_fits(exchange, size) ? 0 : -EMSGSIZE;
}

/* What is sent when the answer cannot be: nothing of it has gone out yet. */
static RUNG_COLD struct MHD_Response *fall_back(struct exchange *exchange)
{
	struct rung_env *env = &exchange->request.env;

	rung_forget_file(exchange);
	exchange->status = exchange->err == -ENOMEM ? 503 : 500;
	exchange->length = 0;
	rung_log(env, RUNG_LOG_ERROR, "rung: %d for %s %s%s: the answer could not be sent: %s",
		exchange->status, env->method, env->script_name, env->path_info,
		exchange->err == -EMSGSIZE ? "its head is larger than the connection's memory"
					   : strerror(-exchange->err));
	rung_response_clear(exchange->response);
	return from_bytes("", 0);
}

enum MHD_Result rung_server_send(struct exchange *exchange)
{
	struct rung_response *res = exchange->response;
	struct MHD_Response *response = NULL;

	exchange->status = res->status;
	if (exchange->err == 0) {
		response = make_response(exchange);
		exchange->err = response ? add_fields(exchange, response, res) : -ENOMEM;
	}
	if (exchange->err < 0) {
		if (response)
			MHD_destroy_response(response);
		response = fall_back(exchange);
	}
	if (!response)
		return MHD_NO;
	enum MHD_Result queued = MHD_queue_response(exchange->mhd, (unsigned)exchange->status, response);
	MHD_destroy_response(response);
	return queued;
}
