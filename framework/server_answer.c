/*
 * server_answer.c: one request of libmicrohttpd's, from its target to the end of its answer.
 *
 * libmicrohttpd calls: rung_answer_target() with the raw request target; rung_answer() once with the head, then for
 * each piece of body, then once more when all is there; rung_answer_done() at the end, whatever the end was.
 */
#include "server_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* -- exchanges ---------------------------------------------------------------------------------------------------------- */

static struct exchange *take_exchange(struct loop *loop)
{
	struct exchange *exchange = loop->free;

	if (exchange) {
		loop->free = exchange->next;
		loop->free_count--;
	} else {
		exchange = malloc(sizeof *exchange);
		if (!exchange)
			return NULL;
		rung_request_init(&exchange->request, &loop->pool);
		exchange->loop = loop;
	}
	exchange->is_begun = exchange->is_run = exchange->is_head = false;
	exchange->is_waiting = exchange->is_broken = exchange->is_cut = false;
	exchange->input = NULL;
	exchange->input_size = exchange->input_room = 0;
	exchange->response = NULL;
	exchange->sent = 0;
	return exchange;
}

static void give_exchange(struct exchange *exchange)
{
	struct loop *loop = exchange->loop;

	rung_arena_reset(&exchange->request.arena);
	if (loop->free_count >= RUNG_KEPT_EXCHANGES) {
		rung_arena_finish(&exchange->request.arena);
		free(exchange);
		return;
	}
	exchange->next = loop->free;
	loop->free = exchange;
	loop->free_count++;
}

/* -- the target ---------------------------------------------------------------------------------------------------------- */

/*
 * The target is kept where it is, in the connection's buffer. A NUL behind "?" hides the query from libmicrohttpd,
 * which would parse it into its pool: work for nothing, and too many arguments lose the answer. rung_answer() puts
 * the byte back.
 */
void *rung_answer_target(void *cls, const char *target, struct MHD_Connection *mhd)
{
	struct exchange *exchange = take_exchange(cls);

	if (!exchange)
		return NULL;
	exchange->mhd = mhd;
	rung_target_scan((char *)(uintptr_t)target, &exchange->target);
	if (exchange->target.path_size < exchange->target.size) {
		char *query = exchange->target.at + exchange->target.path_size;

		exchange->cut = query[1];
		query[1] = '\0';
	}
	exchange->connection =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
	if (exchange->connection)
		exchange->connection->exchange = exchange;
	return exchange;
}

/* libmicrohttpd has written a NUL over the "?" by now. */
static void restore_target(struct exchange *exchange)
{
	if (exchange->target.path_size < exchange->target.size) {
		exchange->target.at[exchange->target.path_size] = '?';
		exchange->target.at[exchange->target.path_size + 1] = exchange->cut;
	}
}

/* -- refusals ------------------------------------------------------------------------------------------------------------- */

/* An answer to what the chain never sees. Queued at the first call, it also closes the connection, as it should:
 * what follows on it cannot be trusted, or is a body that nobody will read. */
static RUNG_COLD enum MHD_Result refuse(struct MHD_Connection *mhd, int status, const char *reason)
{
	char text[128];
	int size = snprintf(text, sizeof text, "%d %s\n", status, reason);
	struct MHD_Response *response =
		MHD_create_response_from_buffer((size_t)size, text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result queued = MHD_NO;

	if (!response)
		return MHD_NO;
	if (MHD_add_response_header(response, "Content-Type", "text/plain; charset=utf-8") == MHD_YES &&
		MHD_add_response_header(response, "Connection", "close") == MHD_YES)
		queued = MHD_queue_response(mhd, (unsigned)status, response);
	MHD_destroy_response(response);
	return queued;
}

/* -- the head and the body of the request -------------------------------------------------------------------------------------- */

/* MHD_NO ends the walk, and nothing else tells of it. */
static enum MHD_Result add_field(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_size,
	const char *value, size_t value_size)
{
	struct exchange *exchange = cls;

	(void)kind;
	if (!value)
		value = "";
	if (rung_request_add_field(&exchange->request, name, name_size, value, value_size) == 0)
		return MHD_YES;
	exchange->is_broken = true;
	return MHD_NO;
}

static const struct sockaddr *find_peer(struct rung_request *request)
{
	const struct exchange *exchange = (const struct exchange *)request;

	return MHD_get_connection_info(exchange->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
}

static int64_t announced_length(const struct exchange *exchange)
{
	const struct rung_field *field = exchange->request.length_field;

	return field ? strtoll(field->value, NULL, 10) : 0;
}

/* Out of line, like run(): so that rung_answer(), called twice a request, saves no register that it does not need. */
static __attribute__((noinline)) enum MHD_Result begin(
	struct exchange *exchange, struct MHD_Connection *mhd, const char *method, const char *version)
{
	struct rung_request *request = &exchange->request;
	struct rung_server *server = exchange->loop->server;

	exchange->is_begun = true;
	restore_target(exchange);
	rung_request_begin(request, &server->site);
	request->find_peer = find_peer;
	MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, add_field, exchange);
	if (exchange->is_broken)
		return refuse(mhd, 503, "out of memory");
	struct rung_refusal refusal = rung_request_line(request, method, &exchange->target, version);
	if (refusal.status)
		return refuse(mhd, refusal.status, refusal.reason);
	if (announced_length(exchange) > server->limits.body)
		return refuse(mhd, 413, "the request body is larger than this server takes");
	return MHD_YES;
}

/* Where the length was told, one piece of exactly that size; where it was not (chunked), doubled as it grows. */
static int make_room(struct exchange *exchange, size_t more)
{
	size_t need = exchange->input_size + more + 1;
	size_t announced = (size_t)announced_length(exchange) + 1;
	size_t room = exchange->input_room * 2;

	if (need <= exchange->input_room)
		return 0;
	if (room < need)
		room = need;
	if (room < announced)
		room = announced;
	char *input = rung_arena_alloc(&exchange->request.arena, room);
	if (!input)
		return -ENOMEM;
	if (exchange->input_size)
		memcpy(input, exchange->input, exchange->input_size);
	exchange->input = input;
	exchange->input_room = room;
	return 0;
}

/*
 * Past the limit the rest is read and thrown away, since libmicrohttpd lets no answer be queued before the end of a
 * body; but not without end: past eight times the limit the connection is closed.
 */
static __attribute__((noinline)) enum MHD_Result take_input(
	struct exchange *exchange, const char *bytes, size_t *size)
{
	size_t limit = (size_t)exchange->loop->server->limits.body;

	if (exchange->input_size + *size > limit || make_room(exchange, *size) < 0) {
		exchange->input_size += *size;
		*size = 0;
		exchange->is_broken = true;
		return exchange->input_size / 8 > limit ? MHD_NO : MHD_YES;
	}
	memcpy(exchange->input + exchange->input_size, bytes, *size);
	exchange->input_size += *size;
	*size = 0;
	return MHD_YES;
}

static RUNG_COLD enum MHD_Result refuse_input(struct exchange *exchange, struct MHD_Connection *mhd)
{
	exchange->is_broken = false;
	if (exchange->input_size > (size_t)exchange->loop->server->limits.body)
		return refuse(mhd, 413, "the request body is larger than this server takes");
	return refuse(mhd, 503, "out of memory");
}

/* -- bodies of answers ------------------------------------------------------------------------------------------------------------ */

/* A body that is not there yet: the connection sleeps, and its loop asks again. */
static ssize_t wait_for_body(struct exchange *exchange)
{
	struct loop *loop = exchange->loop;

	MHD_suspend_connection(exchange->mhd);
	exchange->is_waiting = true;
	exchange->next = loop->waiting;
	loop->waiting = exchange;
	return 0;
}

void rung_answer_resume(struct exchange *exchange)
{
	exchange->is_waiting = false;
	MHD_resume_connection(exchange->mhd);
}

static ssize_t read_body(void *cls, uint64_t position, char *buffer, size_t max)
{
	struct exchange *exchange = cls;

	if (exchange->is_broken || exchange->is_cut)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	ssize_t n = rung_body_read(exchange->response, (int64_t)position, buffer, max);
	if (n > 0) {
		exchange->sent += n;
		return n;
	}
	if (n == -EAGAIN)
		return wait_for_body(exchange);
	if (n == 0 && exchange->length < 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	exchange->is_broken = true;
	rung_log(&exchange->request.env, RUNG_LOG_ERROR, "rung: body of %s %s%s: %s after %lld bytes",
		exchange->request.env.method, exchange->request.env.script_name,
		exchange->request.env.path_info,
		n == 0 ? "it ended before its announced length" : strerror((int)-n),
		(long long)exchange->sent);
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

static struct MHD_Response *from_source(struct exchange *exchange)
{
	uint64_t size = exchange->length < 0 ? MHD_SIZE_UNKNOWN : (uint64_t)exchange->length;
	struct MHD_Response *response =
		MHD_create_response_from_callback(size, RUNG_STREAM_BLOCK, read_body, exchange, NULL);

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

/* libmicrohttpd takes the descriptor and closes it with the response. */
static struct MHD_Response *from_descriptor(struct exchange *exchange, struct rung_response *res)
{
	struct MHD_Response *response = MHD_create_response_from_fd_at_offset64(
		(uint64_t)exchange->length, res->body_->file.fd, (uint64_t)res->body_->file.offset);

	if (response)
		res->kind = RUNG_BODY_EMPTY;
	return response;
}

static struct MHD_Response *from_bytes(const void *bytes, size_t size)
{
	return MHD_create_response_from_buffer(size, (void *)(uintptr_t)bytes, MHD_RESPMEM_PERSISTENT);
}

/* Returns NULL with *ret_err set when there can be none. */
static struct MHD_Response *make_response(struct exchange *exchange, struct rung_response *res, int *ret_err)
{
	*ret_err = -ENOMEM;
	if (res->kind == RUNG_BODY_BYTES && !exchange->is_head) {
		exchange->length = (int64_t)res->body_->bytes.size;
		return from_bytes(res->body_->bytes.at, res->body_->bytes.size);
	}
	exchange->length = rung_response_length(res, exchange->is_head);
	/* For HEAD only the length matters: nothing is read. */
	if (exchange->is_head && exchange->length != 0)
		return from_source(exchange);
	if (res->kind == RUNG_BODY_FILE && exchange->length > RUNG_IN_ONE_BUFFER)
		return from_descriptor(exchange, res);
	if (res->kind == RUNG_BODY_FILE) {
		*ret_err = load_file(exchange, res);
		if (*ret_err < 0)
			return NULL;
	}
	if (res->kind == RUNG_BODY_BYTES)
		return from_bytes(res->body_->bytes.at, res->body_->bytes.size);
	if (res->kind == RUNG_BODY_PULL)
		return from_source(exchange);
	return from_bytes("", 0);
}

/* -- heads of answers ---------------------------------------------------------------------------------------------------------------- */

/* Fields that say how the message is framed: libmicrohttpd writes them from the body itself; and Date. */
static bool is_own_field(const struct rung_field *field)
{
	return rung_name_is(field, "Content-Length", 14) || rung_name_is(field, "Transfer-Encoding", 17) ||
	       rung_name_is(field, "Date", 4);
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
		if (MHD_add_response_header(response, field->name, field->value_size ? field->value : " ") !=
			MHD_YES)
			return -ENOMEM;
	}
	if (exchange->loop->is_draining &&
		MHD_add_response_header(response, "Connection", "close") != MHD_YES)
		return -ENOMEM;
	return size < SURELY_FITS || head_fits(exchange, size) ? 0 : -EMSGSIZE;
}

/* What is sent when the answer cannot be: nothing of it has gone out yet. */
static struct MHD_Response *fall_back(struct exchange *exchange, struct rung_response *res, int err)
{
	struct rung_env *env = &exchange->request.env;

	exchange->status = err == -ENOMEM ? 503 : 500;
	exchange->length = 0;
	rung_log(env, RUNG_LOG_ERROR, "rung: %d for %s %s%s: the answer could not be sent: %s",
		exchange->status, env->method, env->script_name, env->path_info,
		err == -EMSGSIZE ? "its head is larger than the connection's memory" : strerror(-err));
	rung_response_clear(res);
	return from_bytes("", 0);
}

static enum MHD_Result send_response(
	struct exchange *exchange, struct MHD_Connection *mhd, struct rung_response *res)
{
	int err = 0;

	exchange->status = res->status;
	struct MHD_Response *response = make_response(exchange, res, &err);
	if (response)
		err = add_fields(exchange, response, res);
	if (response && err < 0) {
		MHD_destroy_response(response);
		response = NULL;
	}
	if (!response)
		response = fall_back(exchange, res, err);
	if (!response)
		return MHD_NO;
	enum MHD_Result queued = MHD_queue_response(mhd, (unsigned)exchange->status, response);
	MHD_destroy_response(response);
	return queued;
}

static __attribute__((noinline)) enum MHD_Result run(struct exchange *exchange, struct MHD_Connection *mhd)
{
	struct rung_request *request = &exchange->request;

	if (exchange->input) {
		exchange->input[exchange->input_size] = '\0';
		rung_request_input(request, exchange->input, exchange->input_size);
	}
	exchange->is_run = true;
	exchange->is_head = rung_is_head(request);
	exchange->response = rung_request_run(request);
	return send_response(exchange, mhd, exchange->response);
}

/* -- libmicrohttpd's handler --------------------------------------------------------------------------------------------------------- */

enum MHD_Result rung_answer(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
	const char *version, const char *upload, size_t *upload_size, void **context)
{
	struct exchange *exchange = *context;

	(void)cls;
	(void)url;
	if (!exchange)
		return refuse(mhd, 503, "out of memory");
	if (!exchange->is_begun)
		return begin(exchange, mhd, method, version);
	if (*upload_size)
		return take_input(exchange, upload, upload_size);
	if (exchange->is_broken)
		return refuse_input(exchange, mhd);
	return run(exchange, mhd);
}

static struct rung_finish how_it_ended(const struct exchange *exchange, enum MHD_RequestTerminationCode why)
{
	struct rung_finish finish = { .status = exchange->status, .bytes = -1, .outcome = RUNG_ABORTED };

	if (exchange->is_broken && !exchange->is_cut)
		finish.outcome = RUNG_BROKEN;
	else if (why == MHD_REQUEST_TERMINATED_COMPLETED_OK)
		finish.outcome = RUNG_SENT;
	if (finish.outcome == RUNG_SENT)
		finish.bytes = exchange->is_head       ? 0
			       : exchange->length >= 0 ? exchange->length
						       : exchange->sent;
	else if (exchange->response->kind == RUNG_BODY_PULL)
		finish.bytes = exchange->sent;
	return finish;
}

void rung_answer_done(
	void *cls, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode why)
{
	struct exchange *exchange = *context;

	(void)cls;
	(void)mhd;
	if (!exchange)
		return;
	*context = NULL;
	if (exchange->is_run) {
		struct rung_finish finish;

		if (exchange->request.finish_hooks)
			finish = how_it_ended(exchange, why);
		rung_request_finish(&exchange->request, &finish);
	}
	if (exchange->connection) {
		exchange->connection->exchange = NULL;
		if (exchange->loop->is_draining)
			shutdown(exchange->connection->fd, SHUT_RD);
	}
	give_exchange(exchange);
}
