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
#include <netinet/in.h>
#include <sys/socket.h>

/* -- exchanges --------------------------------------------------------------------------------------------------- */

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
		exchange->request.spool.fd = -1;
		exchange->loop = loop;
	}
	/* In the order in which they lie there, so that the compiler makes one store of them. */
	exchange->is_begun = exchange->is_run = exchange->is_head = exchange->is_suspended = false;
	exchange->is_waiting = exchange->is_polled = exchange->is_broken = exchange->is_cut = false;
	exchange->is_given_up = exchange->is_arriving = exchange->answers_large = exchange->is_unread = false;
	exchange->is_refused = exchange->has_wake = exchange->is_over = false;
	exchange->job = RUNG_JOB_NONE;
	exchange->block = NULL;
	exchange->block_at = exchange->block_size = 0;
	exchange->input_size = exchange->input_limit = 0;
	exchange->input_err = 0;
	exchange->stream = NULL;
	exchange->untold_place = NULL;
	exchange->response = NULL;
	exchange->file_place = NULL;
	exchange->sent = 0;
	return exchange;
}

static void give_exchange(struct exchange *exchange)
{
	struct loop *loop = exchange->loop;

	rung_input_release(exchange);
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

/* -- the target -------------------------------------------------------------------------------------------------- */

/*
 * The target is kept where it is, in the connection's buffer. A NUL behind "?" hides the query from libmicrohttpd,
 * which would parse it into its pool: work for nothing, and too many arguments lose the answer. rung_answer() puts
 * the byte back.
 */
void *rung_answer_target(void *cls, const char *target, struct MHD_Connection *mhd)
{
	struct connection *connection =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
	struct exchange *exchange = connection ? take_exchange(cls) : NULL;

	if (!exchange)
		return NULL;
	exchange->loop->news++;
	exchange->mhd = mhd;
	exchange->connection = connection;
	exchange->is_cut = connection->is_cut;
	rung_target_scan((char *)(uintptr_t)target, &exchange->target);
	if (exchange->target.path_size < exchange->target.size) {
		char *query = exchange->target.at + exchange->target.path_size;

		exchange->cut = query[1];
		query[1] = '\0';
	}
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

/* -- refusals ---------------------------------------------------------------------------------------------------- */

/* An answer to what the chain never sees. Queued at the first call, it also closes the connection, as it should:
 * what follows on it cannot be trusted, or is a body that nobody will read. */
static RUNG_COLD enum MHD_Result queue_refusal(struct MHD_Connection *mhd, const char *text)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(strlen(text), (char *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result queued = MHD_NO;

	if (!response)
		return MHD_NO;
	if (MHD_add_response_header(response, "Content-Type", "text/plain; charset=utf-8") == MHD_YES &&
		MHD_add_response_header(response, "Connection", "close") == MHD_YES)
		queued = MHD_queue_response(mhd, (unsigned)strtoul(text, NULL, 10), response);
	MHD_destroy_response(response);
	return queued;
}

static RUNG_COLD enum MHD_Result refuse(struct exchange *exchange, int status, const char *reason)
{
	const struct rung_env *env = &exchange->request.env;
	char text[128];

	exchange->is_refused = exchange->connection->lingers = true;
	snprintf(text, sizeof text, "%d %s\n", status, reason);
	rung_log(env, RUNG_LOG_INFO, "rung: refused %s: %d %s", rung_remote_address(env), status, reason);
	return queue_refusal(exchange->mhd, text);
}

/* -- the head and the body of the request ------------------------------------------------------------------------ */

/*
 * libmicrohttpd uses the memory of a head again as soon as the answer is sent; with workers finish hooks may still read it
 * then. So what the request is made of is copied before anything points at it.
 */
static int keep(struct exchange *exchange, const char **text, size_t size)
{
	const char *copy = rung_arena_copy(&exchange->request.arena, *text, size);

	if (!copy)
		return -ENOMEM;
	*text = copy;
	return 0;
}

static __attribute__((noinline)) int keep_field(
	struct exchange *exchange, const char **name, size_t name_size, const char **value, size_t value_size)
{
	return keep(exchange, name, name_size) < 0 || keep(exchange, value, value_size) < 0 ? -ENOMEM : 0;
}

static __attribute__((noinline)) int keep_line(
	struct exchange *exchange, const char **method, const char **version)
{
	const struct sockaddr *peer =
		MHD_get_connection_info(exchange->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
	const char *target = exchange->target.at;

	if (keep(exchange, method, strlen(*method)) < 0 || keep(exchange, version, strlen(*version)) < 0 ||
		keep(exchange, &target, exchange->target.size) < 0)
		return -ENOMEM;
	exchange->target.at = (char *)(uintptr_t)target;
	exchange->peer = (struct sockaddr_in6){ .sin6_family = AF_UNIX };
	if (peer && peer->sa_family == AF_INET)
		memcpy(&exchange->peer, peer, sizeof(struct sockaddr_in));
	else if (peer && peer->sa_family == AF_INET6)
		memcpy(&exchange->peer, peer, sizeof(struct sockaddr_in6));
	return 0;
}

/* MHD_NO ends the walk, and nothing else tells of it. */
static enum MHD_Result add_field(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_size,
	const char *value, size_t value_size)
{
	struct exchange *exchange = cls;

	(void)kind;
	if (!value)
		value = "";
	rung_guard_field(exchange, name, name_size, value, &value_size);
	if (exchange->loop->server->workers && keep_field(exchange, &name, name_size, &value, value_size) < 0)
		exchange->is_broken = true;
	else if (rung_request_add_field(&exchange->request, name, name_size, value, value_size) == 0)
		return MHD_YES;
	exchange->is_broken = true;
	return MHD_NO;
}

static const struct sockaddr *find_peer(struct rung_request *request)
{
	const struct exchange *exchange = (const struct exchange *)request;

	if (exchange->loop->server->workers)
		return (const struct sockaddr *)&exchange->peer;
	return MHD_get_connection_info(exchange->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
}

static void deliver_wake(struct rung_mail *mail, bool is_over)
{
	struct rung_request *request = rung_waker_delivered(mail);

	if (request && !is_over)
		rung_body_woken((struct exchange *)request);
}

static void post_wake(struct rung_request *request, struct rung_mail *mail)
{
	mail->deliver = deliver_wake;
	rung_loop_post(((struct exchange *)request)->loop, mail);
}

static RUNG_COLD void tell_of_delay(const struct rung_env *env, int64_t milliseconds)
{
	rung_log(env, RUNG_LOG_WARNING,
		"rung: %s %s%s held an event loop, and all its clients, for %lld ms; give the server workers (--workers N), "
		"or do not wait in a handler",
		env->method, env->script_name, env->path_info, (long long)milliseconds);
}

/*
 * The chain is run: here, or by a worker while the connection sleeps. It is put to sleep when libmicrohttpd asks again (go_on), at
 * once: asleep from here it would read before it asks, and a client that has closed its sending half would get no answer. Only where
 * a body is still to come there is no second call before it.
 */
static __attribute__((noinline)) enum MHD_Result run(struct exchange *exchange)
{
	struct rung_request *request = &exchange->request;

	/* Its end came in just behind the cut, and the client has been told. */
	if (exchange->is_cut)
		return MHD_NO;
	if (exchange->loop->server->workers) {
		if (!rung_work(exchange, RUNG_JOB_RUN))
			return refuse(exchange, 503, "this server is busy; try again in a moment");
		exchange->is_run = true;
		if (exchange->is_unread)
			rung_exchange_suspend(exchange);
		return MHD_YES;
	}
	int64_t begun = rung_clock();
	exchange->is_run = true;
	exchange->response = rung_request_run(request);
	rung_server_prepare(exchange);
	int64_t now = exchange->loop->now = rung_clock();
	if (now - begun > RUNG_LONG_MS)
		tell_of_delay(&request->env, now - begun);
	return rung_server_send(exchange);
}

/* After the check that it is a request at all, so that no 431 tells how to mend what is none. */
static struct rung_refusal check_size(const struct exchange *exchange, size_t size)
{
	const struct rung_limits *limits = &exchange->loop->server->limits;

	if (exchange->target.size > limits->target)
		return (struct rung_refusal){ 414, "the request target is longer than this server takes" };
	if (size > limits->header_bytes)
		return (struct rung_refusal){ 431, "the request's head is larger than this server takes" };
	if (exchange->request.headers.count > limits->header_count)
		return (struct rung_refusal){ 431, "the request has more fields than this server takes" };
	return (struct rung_refusal){ 0 };
}

/* Out of line, like run(): so that rung_answer(), called twice a request, saves no register that it does not need. */
static __attribute__((noinline)) enum MHD_Result begin(
	struct exchange *exchange, const char *method, const char *version)
{
	struct rung_request *request = &exchange->request;
	struct rung_server *server = exchange->loop->server;

	if (exchange->is_cut)
		return MHD_NO;
	exchange->is_begun = true;
	restore_target(exchange);
	rung_request_begin(request, &server->site);
	request->env.scheme = exchange->connection->is_tls ? "https" : "http";
	request->find_peer = find_peer;
	request->wake = post_wake;
	rung_guard_begin(exchange, method, version);
	MHD_get_connection_values_n(exchange->mhd, MHD_HEADER_KIND, add_field, exchange);
	size_t size =
		MHD_get_connection_info(exchange->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
	rung_guard_end(exchange, method, size);
	if (server->workers && keep_line(exchange, &method, &version) < 0)
		exchange->is_broken = true;
	if (exchange->is_broken)
		return refuse(exchange, 503, "out of memory");
	if (exchange->wrong)
		return refuse(exchange, 400, exchange->wrong);
	struct rung_refusal refusal = rung_request_line(request, method, &exchange->target, version);
	if (refusal.status)
		return refuse(exchange, refusal.status, refusal.reason);
	refusal = check_size(exchange, size);
	if (refusal.status)
		return refuse(exchange, refusal.status, refusal.reason);
	refusal = rung_input_admit(exchange);
	if (refusal.status)
		return refuse(exchange, refusal.status, refusal.reason);
	return exchange->is_unread || exchange->stream ? run(exchange) : MHD_YES;
}

/* The request is there, body and all. */
static __attribute__((noinline)) enum MHD_Result complete(struct exchange *exchange)
{
	if (exchange->input_size) {
		struct rung_refusal refusal = rung_input_complete(exchange);

		if (refusal.status)
			return refuse(exchange, refusal.status, refusal.reason);
	}
	return run(exchange);
}

/* A worker has it, or had it. */
static __attribute__((noinline)) enum MHD_Result go_on(struct exchange *exchange)
{
	if (exchange->stream)
		rung_stream_end(exchange->stream, 0);
	if (exchange->job == RUNG_JOB_NONE)
		return rung_server_send(exchange);
	rung_exchange_suspend(exchange);
	return MHD_YES;
}

/* -- libmicrohttpd's handler ------------------------------------------------------------------------------------- */

static __attribute__((noinline)) enum MHD_Result take_piece(
	struct exchange *exchange, const char *bytes, size_t *size)
{
	size_t given = *size;
	enum MHD_Result result = rung_input_take(exchange, bytes, size);

	/* It explains the turn: nobody need be asked whether something else does. */
	exchange->loop->news++;
	exchange->loop->is_busy = true;
	exchange->connection->received += given - *size;
	return result;
}

enum MHD_Result rung_answer(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
	const char *version, const char *upload, size_t *upload_size, void **context)
{
	struct exchange *exchange = *context;

	(void)cls;
	(void)url;
	if (!exchange)
		return queue_refusal(mhd, "503 out of memory\n");
	if (!exchange->is_begun)
		return begin(exchange, method, version);
	if (*upload_size)
		return take_piece(exchange, upload, upload_size);
	rung_input_arrived(exchange);
	return exchange->is_run ? go_on(exchange) : complete(exchange);
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

/* Hooks, and the close of a body, may wait as handlers may. Otherwise nothing is left that could. */
static bool has_work_left(const struct rung_request *request)
{
	return request->finish_hooks || request->values || request->responses ||
	       request->store.response.kind == RUNG_BODY_PULL ||
	       (request->store.response.kind == RUNG_BODY_BYTES && request->store.body.bytes.free_bytes);
}

/* libmicrohttpd is done with the request, and no worker has it. */
static void end_exchange(struct exchange *exchange, enum MHD_RequestTerminationCode why)
{
	struct rung_request *request = &exchange->request;

	if (exchange->is_begun)
		rung_request_drop_waker(request);
	if (exchange->is_run) {
		if (request->finish_hooks)
			exchange->how = how_it_ended(exchange, why);
		/* One that is cut when its loop has ended is finished here: no worker could give it back. */
		if (exchange->loop->server->workers && !exchange->loop->has_ended && has_work_left(request)) {
			rung_work(exchange, RUNG_JOB_FINISH);
			return;
		}
		rung_request_finish(request, &exchange->how);
	}
	give_exchange(exchange);
}

void rung_answer_job_done(struct exchange *exchange, enum job job)
{
	switch (job) {
	case RUNG_JOB_RUN:
		if (exchange->connection) {
			rung_exchange_resume(exchange);
		} else {
			exchange->status = exchange->response->status;
			end_exchange(exchange, MHD_REQUEST_TERMINATED_CLIENT_ABORT);
		}
		break;
	case RUNG_JOB_READ:
		rung_body_worked(exchange);
		break;
	case RUNG_JOB_FINISH:
		give_exchange(exchange);
		break;
	case RUNG_JOB_NONE:
		break;
	}
}

void rung_answer_done(
	void *cls, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode why)
{
	struct exchange *exchange = *context;

	(void)cls;
	(void)mhd;
	if (!exchange)
		return;
	exchange->loop->is_busy = true;
	*context = NULL;
	rung_forget_file(exchange);
	rung_input_arrived(exchange);
	exchange->connection->exchange = NULL;
	exchange->connection->requests++;
	if (exchange->loop->is_draining)
		rung_drain_idle(exchange->connection);
	if (exchange->connection->has_left)
		rung_loop_hung_up(exchange->connection);
	exchange->connection = NULL;
	/* With a worker while libmicrohttpd looks at its connection is one whose body goes by, or that is about to sleep. */
	if (exchange->job == RUNG_JOB_NONE)
		end_exchange(exchange, why);
	else if (exchange->stream)
		rung_stream_end(exchange->stream, -ECONNRESET);
}
