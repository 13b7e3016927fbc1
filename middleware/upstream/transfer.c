/* transfer.c: one request to a backend as its asker sees it: taken, started, waited for, read, given back. */
#include "upstream_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- the pool ------------------------------------------------------------------------------------------------------ */

void rung_upstream_transfer_free(struct transfer *transfer)
{
	pthread_cond_destroy(&transfer->changed);
	pthread_mutex_destroy(&transfer->lock);
	free(transfer->head);
	free(transfer->line);
	free(transfer->ring.at);
	free(transfer);
}

static struct transfer *make(struct upstream *upstream)
{
	struct transfer *transfer = calloc(1, sizeof *transfer);

	if (!transfer)
		return NULL;
	/* Neither fails on Linux with default attributes. */
	pthread_mutex_init(&transfer->lock, NULL);
	pthread_cond_init(&transfer->changed, NULL);
	transfer->upstream = upstream;
	transfer->head = malloc(upstream->header_bytes);
	transfer->line = malloc(upstream->header_bytes);
	transfer->ring.at = malloc(UPSTREAM_RING);
	transfer->ring.room = UPSTREAM_RING;
	if (transfer->head && transfer->line && transfer->ring.at)
		return transfer;
	rung_upstream_transfer_free(transfer);
	return NULL;
}

/* As at the begin, but for what is kept for the next one. */
static void clean(struct transfer *transfer)
{
	transfer->env = NULL;
	transfer->url = transfer->host = NULL;
	transfer->origin = NULL;
	transfer->tried = 0;
	memset(transfer->parts, 0, sizeof transfer->parts);
	transfer->streams_input = transfer->is_chunked_input = false;
	transfer->is_started = transfer->has_news = transfer->is_connected = false;
	transfer->is_refused = transfer->wants_new = transfer->is_over = false;
	transfer->channel = NULL;
	transfer->sent = transfer->piece_at = transfer->piece_size = 0;
	transfer->has_taken = transfer->has_last = false;
	transfer->is_blocked = transfer->is_sent = transfer->sends_no_more = false;
	transfer->framing = UPSTREAM_IN_HEAD;
	transfer->has_answered = transfer->is_closing = transfer->is_keeping = transfer->is_old = false;
	transfer->left = 0;
	transfer->chunks = (struct chunks){ 0 };
	transfer->line_size = transfer->head_total = transfer->head_size = 0;
	transfer->field_count = 0;
	transfer->has_line = transfer->has_length = transfer->has_coding = false;
	transfer->is_waiting = transfer->has_head = transfer->is_ready = transfer->is_done = false;
	transfer->is_taken = transfer->is_starving = transfer->is_paused = transfer->is_hungry = false;
	transfer->input_ended = false;
	transfer->input_err = transfer->err = transfer->status = 0;
	transfer->why[0] = '\0';
	transfer->length = -1;
	transfer->ring.first = transfer->ring.size = 0;
	transfer->input = (struct rung_ring){ 0 };
	transfer->waker = NULL;
}

int rung_upstream_transfer_take(struct upstream *upstream, struct transfer **ret_transfer)
{
	pthread_mutex_lock(&upstream->lock);
	bool is_full = upstream->taken >= upstream->most_transfers;
	struct transfer *transfer = is_full ? NULL : upstream->free;
	if (transfer)
		upstream->free = transfer->next;
	upstream->taken += !is_full;
	pthread_mutex_unlock(&upstream->lock);
	if (is_full)
		return -EBUSY;
	if (!transfer)
		transfer = make(upstream);
	if (!transfer) {
		pthread_mutex_lock(&upstream->lock);
		upstream->taken--;
		pthread_mutex_unlock(&upstream->lock);
		return -ENOMEM;
	}
	clean(transfer);
	*ret_transfer = transfer;
	return 0;
}

/* The engine reads the request's memory until it knows the transfer no more; so that is waited for. */
static void cut_off(struct transfer *transfer)
{
	if (!transfer->is_started)
		return;
	pthread_mutex_lock(&transfer->lock);
	transfer->is_waiting = true;
	if (!transfer->is_done)
		rung_upstream_engine_ask(transfer->upstream->engine, transfer, UPSTREAM_CANCEL);
	while (!transfer->is_done)
		pthread_cond_wait(&transfer->changed, &transfer->lock);
	transfer->is_waiting = false;
	pthread_mutex_unlock(&transfer->lock);
}

void rung_upstream_transfer_give(struct transfer *transfer)
{
	struct upstream *upstream = transfer->upstream;

	cut_off(transfer);
	rung_waker_destroy(transfer->waker);
	transfer->waker = NULL;
	pthread_mutex_lock(&upstream->lock);
	transfer->next = upstream->free;
	upstream->free = transfer;
	upstream->taken--;
	pthread_mutex_unlock(&upstream->lock);
}

/* -- under way ----------------------------------------------------------------------------------------------------- */

void rung_upstream_transfer_fail(struct transfer *transfer, int err, const char *format, ...)
{
	va_list arguments;

	if (transfer->err)
		return;
	transfer->err = err;
	va_start(arguments, format);
	vsnprintf(transfer->why, sizeof transfer->why, format, arguments);
	va_end(arguments);
}

void rung_upstream_transfer_start(struct transfer *transfer)
{
	transfer->is_started = true;
	rung_upstream_engine_ask(transfer->upstream->engine, transfer, UPSTREAM_START);
}

void rung_upstream_transfer_wait(struct transfer *transfer)
{
	pthread_mutex_lock(&transfer->lock);
	transfer->is_waiting = true;
	while (!transfer->is_ready)
		pthread_cond_wait(&transfer->changed, &transfer->lock);
	transfer->is_waiting = false;
	pthread_mutex_unlock(&transfer->lock);
}

/* -- the request's body, where it goes by -------------------------------------------------------------------------- */

/* An answer that says no, or the end of everything, makes the rest useless. The lock is held. */
static bool is_of_no_use(const struct transfer *transfer)
{
	return transfer->is_done || transfer->err || (transfer->is_ready && transfer->status >= 400);
}

/* Returns false when no more is wanted. */
static bool put(struct transfer *transfer, const char *bytes, size_t size)
{
	pthread_mutex_lock(&transfer->lock);
	while (size && !is_of_no_use(transfer)) {
		size_t taken = rung_ring_put(&transfer->input, bytes, size);

		bytes += taken;
		size -= taken;
		if (transfer->is_hungry) {
			transfer->is_hungry = false;
			rung_upstream_engine_ask(transfer->upstream->engine, transfer, UPSTREAM_FEED);
		} else if (size) {
			transfer->is_waiting = true;
			pthread_cond_wait(&transfer->changed, &transfer->lock);
			transfer->is_waiting = false;
		}
	}
	bool is_wanted = !is_of_no_use(transfer);
	pthread_mutex_unlock(&transfer->lock);
	return is_wanted;
}

static void end(struct transfer *transfer, int err)
{
	pthread_mutex_lock(&transfer->lock);
	transfer->input_ended = true;
	transfer->input_err = err;
	if (transfer->is_hungry && !transfer->is_done)
		rung_upstream_engine_ask(transfer->upstream->engine, transfer, UPSTREAM_FEED);
	transfer->is_hungry = false;
	pthread_mutex_unlock(&transfer->lock);
}

int rung_upstream_transfer_feed(struct transfer *transfer, struct rung_env *env)
{
	char *piece = rung_alloc(env, UPSTREAM_PIECE);
	ssize_t n;

	if (!piece)
		return -ENOMEM;
	do
		n = rung_input_read(env, piece, UPSTREAM_PIECE);
	while (n > 0 && put(transfer, piece, (size_t)n));
	if (n <= 0)
		end(transfer, (int)n);
	return n < 0 ? (int)n : 0;
}
