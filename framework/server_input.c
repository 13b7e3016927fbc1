/*
 * server_input.c: the body of a request, from libmicrohttpd's pieces to what handlers read.
 *
 * When the head is there the chain is asked (rung_admit). Then the body is kept and the chain runs at its end; or it goes by, to a
 * handler that runs at once on a worker; or nobody wants it and the chain runs without it.
 */
#include "server_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char too_large[] = "the request body is larger than this server takes";

static bool has_body(const struct rung_request *request)
{
	return request->is_chunked || request->env.content_length > 0;
}

static bool is_old(const struct rung_request *request)
{
	return request->env.protocol[7] == '0';
}

/* A small one that is on its way already is read all the same: that costs little, and keeps the connection. */
static bool is_at_hand(const struct exchange *exchange)
{
	const struct rung_request *request = &exchange->request;

	return !request->is_chunked &&
	       request->env.content_length <= (int64_t)exchange->loop->server->limits.body_memory &&
	       !rung_list_find(&request->headers, "Expect", 6);
}

static int64_t announced_length(const struct rung_request *request)
{
	return request->length_field ? strtoll(request->length_field->value, NULL, 10) : 0;
}

/* On the loop, when the reader has made room. */
static void deliver_room(struct rung_mail *mail, bool is_over)
{
	struct exchange *exchange =
		(struct exchange *)((char *)mail - offsetof(struct exchange, stream_mail));

	rung_stream_told(exchange->stream);
	if (is_over || !exchange->connection)
		return;
	/* Its time begins now: it could send nothing before. */
	exchange->connection->patience.since = rung_clock();
	rung_exchange_resume(exchange);
}

/* Under the stream's lock. */
static void post_room(struct rung_stream *stream)
{
	struct exchange *exchange = stream->owner;

	exchange->stream_mail.deliver = deliver_room;
	rung_loop_post(exchange->loop, &exchange->stream_mail);
}

static struct rung_refusal open_stream(struct exchange *exchange)
{
	struct rung_request *request = &exchange->request;

	if (rung_stream_open(request, post_room) < 0)
		return (struct rung_refusal){ 503, "out of memory" };
	exchange->stream = request->stream;
	exchange->stream->owner = exchange;
	if (request->is_chunked)
		request->env.content_length = -1;
	return (struct rung_refusal){ 0 };
}

/* Apart from the way of requests without a body. */
static __attribute__((noinline)) struct rung_refusal admit_body(struct exchange *exchange)
{
	struct rung_request *request = &exchange->request;
	const struct rung_server *server = exchange->loop->server;
	struct rung_admission admission = { .body_limit = server->limits.body };

	bool is_wanted = rung_admit(server->app, &request->env, &admission);
	bool is_large = request->env.content_length > admission.body_limit;
	exchange->input_limit = admission.body_limit;
	exchange->is_arriving = true;
	request->spool = (struct rung_spool){
		.folder = server->spool, .most_held = server->limits.body_memory, .fd = -1
	};
	exchange->answers_large = admission.answers_large;
	exchange->is_unread =
		(!is_wanted || (is_large && admission.answers_large)) && (is_large || !is_at_hand(exchange));
	exchange->connection->lingers = exchange->is_unread;
	if (is_large && !exchange->is_unread)
		return (struct rung_refusal){ 413, too_large };
	if (admission.stream_input && server->workers && !exchange->is_unread)
		return open_stream(exchange);
	return (struct rung_refusal){ 0 };
}

struct rung_refusal rung_input_admit(struct exchange *exchange)
{
	struct rung_request *request = &exchange->request;

	request->body_limit = exchange->loop->server->limits.body;
	request->env.content_length = announced_length(request);
	/* Of a body that is not there nothing may be expected (RFC 9110 section 10.1.1). libmicrohttpd sends its "100 Continue" even so, and
	 * then, with another request behind this one, takes no answer: so it gets it now, and the connection ends. */
	if (!has_body(request)) {
		exchange->is_unread =
			!is_old(request) && rung_list_find(&request->headers, "Expect", 6) != NULL;
		return (struct rung_refusal){ 0 };
	}
	return admit_body(exchange);
}

void rung_input_arrived(struct exchange *exchange)
{
	exchange->is_arriving = false;
}

/* A connection that waits for its handler to read is woken, so that libmicrohttpd finds it shut. */
void rung_input_cut(struct exchange *exchange, int err)
{
	if (!exchange->stream || !exchange->is_arriving)
		return;
	rung_stream_end(exchange->stream, err);
	rung_exchange_resume(exchange);
}

/* -- pieces -------------------------------------------------------------------------------------------------------- */

/* The connection ends with it. */
static void answer_past(struct exchange *exchange)
{
	const struct rung_env *env = &exchange->request.env;

	if (!rung_write_past(exchange->mhd, exchange->connection->fd, "413 Content Too Large",
		    "413 the request body is larger than this server takes\n"))
		return;
	exchange->connection->lingers = true;
	rung_log(env, RUNG_LOG_INFO, "rung: refused %s: 413 %s", rung_remote_address(env), too_large);
}

/*
 * Past its limit a body is read on for a while and thrown away, since libmicrohttpd lets no answer be queued before its
 * end. Past that while the answer goes out by itself.
 */
static enum MHD_Result throw_away(struct exchange *exchange, size_t *size)
{
	*size = 0;
	if (exchange->input_size - exchange->input_limit <= RUNG_SWALLOW)
		return MHD_YES;
	answer_past(exchange);
	return MHD_NO;
}

static void forget_untold(struct exchange *exchange)
{
	if (!exchange->untold_place)
		return;
	*exchange->untold_place = exchange->next_untold;
	if (exchange->next_untold)
		exchange->next_untold->untold_place = exchange->untold_place;
	exchange->untold_place = NULL;
}

static void note_untold(struct exchange *exchange)
{
	struct loop *loop = exchange->loop;

	if (exchange->untold_place)
		return;
	exchange->next_untold = loop->untold;
	exchange->untold_place = &loop->untold;
	if (loop->untold)
		loop->untold->untold_place = &exchange->next_untold;
	loop->untold = exchange;
}

void rung_input_tell(struct loop *loop)
{
	while (loop->untold) {
		struct exchange *exchange = loop->untold;

		forget_untold(exchange);
		rung_stream_tell(exchange->stream);
	}
}

/* What the worker has no room for stays with libmicrohttpd until it has. */
static enum MHD_Result pass_on(struct exchange *exchange, const char *bytes, size_t *size)
{
	bool is_untold;
	size_t taken = rung_stream_put(exchange->stream, bytes, *size, &is_untold);

	if (is_untold)
		note_untold(exchange);
	exchange->input_size += (int64_t)taken;
	*size -= taken;
	if (*size)
		rung_exchange_suspend(exchange);
	return MHD_YES;
}

enum MHD_Result rung_input_take(struct exchange *exchange, const char *bytes, size_t *size)
{
	if (exchange->is_cut)
		return MHD_NO;
	bool is_past = exchange->input_size + (int64_t)*size > exchange->input_limit;
	bool is_answered = exchange->is_run && exchange->job == RUNG_JOB_NONE;

	if (exchange->stream && is_past)
		rung_stream_end(exchange->stream, -E2BIG);
	if (exchange->stream && !is_past && !is_answered)
		return pass_on(exchange, bytes, size);
	exchange->input_size += (int64_t)*size;
	if (is_past)
		return throw_away(exchange, size);
	if (!exchange->stream && !exchange->input_err)
		exchange->input_err = rung_spool_add(
			&exchange->request, bytes, *size, announced_length(&exchange->request));
	*size = 0;
	return MHD_YES;
}

struct rung_refusal rung_input_complete(struct exchange *exchange)
{
	struct rung_request *request = &exchange->request;
	bool is_large = exchange->input_size > exchange->input_limit;

	/* Some app will answer: to what it was told came, without the bytes. */
	if (is_large && exchange->answers_large) {
		request->env.content_length = exchange->input_size;
		return (struct rung_refusal){ 0 };
	}
	if (is_large)
		return (struct rung_refusal){ 413, too_large };
	if (!exchange->input_err)
		exchange->input_err = rung_spool_end(request);
	if (!exchange->input_err)
		return (struct rung_refusal){ 0 };
	rung_log(&request->env, RUNG_LOG_ERROR, "rung: the body of %s %s cannot be kept: %s",
		request->env.method, request->env.path_info, strerror(-exchange->input_err));
	return (struct rung_refusal){ 503,
		exchange->input_err == -ENOMEM ? "out of memory" : "the request body cannot be kept" };
}

void rung_input_release(struct exchange *exchange)
{
	if (exchange->request.spool.fd >= 0)
		rung_spool_release(&exchange->request.spool);
	forget_untold(exchange);
	if (exchange->stream)
		rung_stream_close(exchange->stream);
	exchange->stream = NULL;
}
