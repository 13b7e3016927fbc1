/*
 * server_body.c: bodies of answers that are asked for bytes. Without workers the loop asks; with workers one of them reads
 * a block ahead of it. A body that says "not yet" puts its connection to sleep until it is woken.
 *
 * No wake is lost: wakes are mail, and the loop delivers it only after it has put the connection to sleep, or, while a
 * worker asks, keeps it in has_wake.
 */
#include "server_private.h"

#include <errno.h>
#include <string.h>

void rung_exchange_suspend(struct exchange *exchange)
{
	if (exchange->is_suspended)
		return;
	exchange->is_suspended = true;
	exchange->loop->suspended++;
	MHD_suspend_connection(exchange->mhd);
}

void rung_exchange_resume(struct exchange *exchange)
{
	if (!exchange->is_suspended)
		return;
	exchange->is_suspended = false;
	exchange->loop->suspended--;
	if (exchange->connection->has_left)
		rung_loop_hung_up(exchange->connection);
	MHD_resume_connection(exchange->mhd);
}

/* -- asking ------------------------------------------------------------------------------------------------------ */

static void ask_again(struct exchange *exchange)
{
	exchange->is_waiting = false;
	if (exchange->loop->server->workers)
		rung_work(exchange, RUNG_JOB_READ);
	else
		rung_exchange_resume(exchange);
}

/* The connection sleeps until there is more, or the client hangs up. */
static void wait_for_more(struct exchange *exchange)
{
	struct loop *loop = exchange->loop;

	rung_exchange_suspend(exchange);
	exchange->is_waiting = true;
	if (exchange->connection->has_left || loop->is_past_deadline) {
		rung_body_give_up(exchange);
	} else if (!exchange->request.waker) {
		exchange->is_polled = true;
		exchange->next = loop->polled;
		loop->polled = exchange;
	}
}

static ssize_t end(struct exchange *exchange, ssize_t ending)
{
	if (ending == 0 && exchange->length < 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (!exchange->is_broken) {
		exchange->is_broken = true;
		rung_log_broken_body(&exchange->request.env, ending, exchange->sent);
	}
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* What a worker has read. */
static ssize_t next_of_block(struct exchange *exchange, char *buffer, size_t max)
{
	size_t size = exchange->block_size - exchange->block_at;

	if (size == 0 && exchange->is_over)
		return end(exchange, exchange->ending);
	if (size == 0) {
		rung_exchange_suspend(exchange);
		rung_work(exchange, RUNG_JOB_READ);
		return 0;
	}
	if (size > max)
		size = max;
	memcpy(buffer, exchange->block + exchange->block_at, size);
	exchange->block_at += size;
	exchange->sent += (int64_t)size;
	return (ssize_t)size;
}

ssize_t rung_body_next(void *cls, uint64_t position, char *buffer, size_t max)
{
	struct exchange *exchange = cls;

	if (exchange->is_broken || exchange->is_cut || exchange->is_given_up)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (exchange->loop->server->workers)
		return next_of_block(exchange, buffer, max);
	ssize_t n = rung_body_read(exchange->response, (int64_t)position, buffer, max);
	if (n == -EAGAIN) {
		wait_for_more(exchange);
		return 0;
	}
	if (n <= 0)
		return end(exchange, n);
	exchange->sent += n;
	return n;
}

/* -- workers ----------------------------------------------------------------------------------------------------- */

void rung_body_work(struct exchange *exchange)
{
	ssize_t n = -ENOMEM;

	if (!exchange->block)
		exchange->block = rung_arena_alloc(&exchange->request.arena, RUNG_STREAM_BLOCK);
	if (exchange->block)
		n = rung_body_read(exchange->response, exchange->sent, exchange->block, RUNG_STREAM_BLOCK);
	exchange->block_at = 0;
	exchange->block_size = n > 0 ? (size_t)n : 0;
	exchange->ending = n > 0 ? 0 : n;
	exchange->is_over = n <= 0 && n != -EAGAIN;
}

void rung_body_worked(struct exchange *exchange)
{
	bool has_wake = exchange->has_wake;

	exchange->has_wake = false;
	if (exchange->ending != -EAGAIN || exchange->is_cut)
		rung_exchange_resume(exchange);
	else if (has_wake)
		rung_work(exchange, RUNG_JOB_READ);
	else
		wait_for_more(exchange);
}

/* -- waking ------------------------------------------------------------------------------------------------------ */

void rung_body_woken(struct exchange *exchange)
{
	if (exchange->job != RUNG_JOB_NONE)
		exchange->has_wake = true;
	else if (exchange->is_waiting && !exchange->is_polled)
		ask_again(exchange);
}

void rung_body_poll(struct loop *loop)
{
	struct exchange *exchange = loop->polled;

	loop->polled = NULL;
	while (exchange) {
		struct exchange *next = exchange->next;

		exchange->is_polled = false;
		if (exchange->is_waiting)
			ask_again(exchange);
		exchange = next;
	}
}

/* One that is polled is found so by the next poll; one that does not wait may be read by the client all the same. */
void rung_body_give_up(struct exchange *exchange)
{
	/* For a handler that waits. */
	atomic_store_explicit(&exchange->request.is_abandoned, true, memory_order_relaxed);
	if (!exchange->is_waiting)
		return;
	exchange->is_given_up = true;
	if (exchange->is_polled)
		return;
	exchange->is_waiting = false;
	rung_exchange_resume(exchange);
}
