/*
 * message.c: what of HTTP/1.1 goes and comes over a channel: the request with its body, and the answer with its framing (RFC 9112
 * section 6.3). On the engine's thread.
 *
 * An answer may come before the request is sent. One that says no ends the sending; with any other it goes on, and the connection is not
 * kept when the answer is whole first.
 */
#include "upstream_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	READS = 16, /* of one channel in a turn */
};

/* -- sending ------------------------------------------------------------------------------------------------------------ */

/* Why a kept connection may have failed: it was closed before the backend saw the request. What may be done once alone, or cannot be
 * sent again, is not (RFC 9112 section 9.3.1), unless nothing of it left. */
static bool may_be_sent_again(const struct transfer *transfer)
{
	return transfer->channel->is_used && !transfer->has_answered && !transfer->has_taken &&
	       (transfer->is_repeatable || !transfer->sent);
}

/* What is left of the parts. Returns how many there are in the list. */
static int list_parts(const struct transfer *transfer, struct iovec *list)
{
	size_t skip = transfer->sent;
	int count = 0;

	for (size_t i = 0; i < sizeof transfer->parts / sizeof *transfer->parts; i++) {
		const struct iovec *part = &transfer->parts[i];

		if (skip < part->iov_len)
			list[count++] = (struct iovec){ (char *)part->iov_base + skip, part->iov_len - skip };
		skip = skip < part->iov_len ? 0 : skip - part->iov_len;
	}
	return count;
}

/* Puts the piece's chunk around it. */
static void wrap(struct transfer *transfer, size_t size)
{
	char front[UPSTREAM_FRONT + 1];
	int length = snprintf(front, sizeof front, "%zx\r\n", size);
	char *end = transfer->piece + UPSTREAM_FRONT + size;

	/* Without data it would be taken for the last one. */
	if (!size)
		length = 0;
	transfer->piece_at = UPSTREAM_FRONT - (size_t)length;
	memcpy(transfer->piece + transfer->piece_at, front, (size_t)length);
	if (size) {
		memcpy(end, "\r\n", 2);
		end += 2;
	}
	if (transfer->has_last) {
		memcpy(end, "0\r\n\r\n", 5);
		end += 5;
	}
	transfer->piece_size = (size_t)(end - transfer->piece);
}

/* Takes more of the body that goes by. Returns false when there is none now, or no more. */
static bool take_piece(struct transfer *transfer)
{
	if (transfer->has_last)
		return false;
	pthread_mutex_lock(&transfer->lock);
	size_t size = rung_ring_take(&transfer->input, transfer->piece + UPSTREAM_FRONT, UPSTREAM_PIECE);
	transfer->has_last = transfer->input_ended && !transfer->input.size;
	transfer->is_hungry = !size && !transfer->has_last;
	bool is_broken = transfer->input_err != 0;
	bool has_some = size > 0 || transfer->has_last;
	pthread_mutex_unlock(&transfer->lock);
	/* Whoever puts in may be waiting for room. */
	rung_upstream_engine_note(transfer);
	if (is_broken)
		transfer->sends_no_more = true; /* the asker knows, and gives it up */
	transfer->has_taken = transfer->has_taken || size > 0;
	transfer->piece_at = UPSTREAM_FRONT;
	transfer->piece_size = UPSTREAM_FRONT + size;
	if (transfer->is_chunked_input && has_some)
		wrap(transfer, size);
	return has_some && !is_broken;
}

/* Returns how many parts there are to send, 0: none, at the moment or at all. */
static int list_next(struct transfer *transfer, struct iovec *list, bool *ret_is_piece)
{
	int count = list_parts(transfer, list);

	*ret_is_piece = count == 0;
	if (count || !transfer->streams_input)
		return count;
	if (transfer->piece_at == transfer->piece_size && !take_piece(transfer))
		return 0;
	*list = (struct iovec){ transfer->piece + transfer->piece_at,
		transfer->piece_size - transfer->piece_at };
	return list->iov_len > 0;
}

static void count_sent(struct transfer *transfer, size_t size, bool is_piece)
{
	if (is_piece)
		transfer->piece_at += size;
	else
		transfer->sent += size;
	transfer->moved = rung_upstream_clock();
}

static void watch(struct transfer *transfer, bool in, bool out)
{
	unsigned wants = (in ? CHANNEL_IN : 0u) | (out ? CHANNEL_OUT : 0u);

	if (rung_upstream_channel_watch(transfer->channel, wants) < 0)
		rung_upstream_engine_fail(transfer, -ENOMEM, "its connection cannot be watched");
}

/* The backend takes no more. When it has closed the connection, all that it said before is there already. */
static void stop_sending(struct transfer *transfer, int err)
{
	if (may_be_sent_again(transfer)) {
		rung_upstream_engine_again(transfer);
		return;
	}
	transfer->sends_no_more = true;
	transfer->is_blocked = false;
	if (err == -EPIPE || err == -ECONNRESET)
		rung_upstream_message_receive(transfer);
	if (!transfer->is_over && !transfer->has_answered)
		rung_upstream_engine_fail(transfer, -EHOSTUNREACH,
			"the connection ended while the request was sent: %s", strerror(-err));
}

void rung_upstream_message_send(struct transfer *transfer)
{
	struct channel *channel = transfer->channel;
	struct iovec list[4];
	bool is_piece;
	ssize_t n = 0;
	int count;

	if (transfer->is_sent || transfer->sends_no_more)
		return;
	while ((count = list_next(transfer, list, &is_piece)) > 0) {
		n = rung_upstream_channel_write(channel, list, count);
		if (n < 0)
			break;
		count_sent(transfer, (size_t)n, is_piece);
	}
	if (n < 0 && n != -EAGAIN) {
		stop_sending(transfer, (int)n);
		return;
	}
	transfer->is_blocked = n == -EAGAIN;
	transfer->is_sent = !transfer->is_blocked && (!transfer->streams_input || transfer->has_last);
	watch(transfer, channel->wants & CHANNEL_IN, transfer->is_blocked);
}

/* -- receiving ----------------------------------------------------------------------------------------------------------- */

static int refuse(struct transfer *transfer, int err, const char *why)
{
	pthread_mutex_lock(&transfer->lock);
	rung_upstream_transfer_fail(transfer, err, "%s", why);
	pthread_mutex_unlock(&transfer->lock);
	return err;
}

/* The head is there: what comes behind it. */
static void begin_body(struct transfer *transfer)
{
	int status = transfer->status;

	if (transfer->is_head || status == 204 || status == 304)
		transfer->framing = UPSTREAM_WHOLE;
	else if (transfer->has_coding)
		transfer->framing = UPSTREAM_CHUNKS;
	else if (transfer->has_length)
		transfer->framing = transfer->length ? UPSTREAM_LENGTH : UPSTREAM_WHOLE;
	else
		transfer->framing = UPSTREAM_TO_END;
	transfer->left = transfer->length;
	if (status < 400 || transfer->is_sent)
		return;
	transfer->sends_no_more = true;
	transfer->is_blocked = false;
}

/* Takes bytes up to a line's end. Lines that came in pieces are put together. */
static int take_head(struct transfer *transfer, const char *bytes, size_t size, size_t *ret_used)
{
	const char *end = memchr(bytes, '\n', size);
	size_t length = end ? (size_t)(end + 1 - bytes) : size;
	const char *line = bytes;

	if (transfer->head_total + transfer->line_size + length > transfer->upstream->header_bytes)
		return refuse(transfer, -EHOSTUNREACH, "its answer has a head larger than .header_bytes");
	*ret_used = length;
	if (!end || transfer->line_size) {
		memcpy(transfer->line + transfer->line_size, bytes, length);
		transfer->line_size += length;
		line = transfer->line;
		length = transfer->line_size;
	}
	if (!end)
		return 0;
	transfer->line_size = 0;
	int rc = rung_upstream_answer_line(transfer, line, length);
	if (rc == 0 && transfer->has_head)
		begin_body(transfer);
	return rc;
}

static void put(struct transfer *transfer, const char *bytes, size_t size)
{
	if (!size)
		return;
	rung_upstream_engine_note(transfer);
	pthread_mutex_lock(&transfer->lock);
	rung_ring_put(&transfer->ring, bytes, size);
	pthread_mutex_unlock(&transfer->lock);
}

static int take_chunks(struct transfer *transfer, char *bytes, size_t size, size_t *ret_used)
{
	size_t kept;
	int rc = rung_upstream_chunks_take(
		&transfer->chunks, bytes, size, transfer->upstream->header_bytes, ret_used, &kept);

	put(transfer, bytes, kept);
	if (rc < 0)
		return refuse(transfer, -EHOSTUNREACH, "its answer's chunked coding is broken");
	if (transfer->chunks.state == CHUNK_OVER)
		transfer->framing = UPSTREAM_WHOLE;
	return 0;
}

static void take_plain(struct transfer *transfer, const char *bytes, size_t size, size_t *ret_used)
{
	if (transfer->framing == UPSTREAM_LENGTH) {
		if ((int64_t)size > transfer->left)
			size = (size_t)transfer->left;
		transfer->left -= (int64_t)size;
		if (!transfer->left)
			transfer->framing = UPSTREAM_WHOLE;
	}
	put(transfer, bytes, size);
	*ret_used = size;
}

int rung_upstream_message_take(struct transfer *transfer, char *bytes, size_t size, size_t *ret_used)
{
	size_t at = 0, used = 0;
	int rc = 0;

	for (; rc == 0 && at < size && transfer->framing != UPSTREAM_WHOLE; at += used) {
		used = 0;
		if (transfer->framing == UPSTREAM_IN_HEAD)
			rc = take_head(transfer, bytes + at, size - at, &used);
		else if (transfer->framing == UPSTREAM_CHUNKS)
			rc = take_chunks(transfer, bytes + at, size - at, &used);
		else
			take_plain(transfer, bytes + at, size - at, &used);
	}
	*ret_used = at;
	return rc;
}

/* -- its end --------------------------------------------------------------------------------------------------------- */

/* With anything behind the answer, or a part of the request still to come, nobody else may use the connection. */
static void finish(struct transfer *transfer, bool is_clean)
{
	struct channel *channel = transfer->channel;
	bool may_stay = transfer->is_old ? transfer->is_keeping : !transfer->is_closing;

	/* Over TLS a read that was not filled may have left something. */
	if (is_clean && may_stay && transfer->is_sent &&
		(!channel->dial || rung_upstream_channel_is_quiet(channel)))
		rung_upstream_channel_keep(channel);
	else
		rung_upstream_channel_close(channel);
	rung_upstream_engine_end(transfer);
}

/* The connection has ended, by an error or without one. */
static void break_off(struct transfer *transfer, int err)
{
	const char *where = transfer->framing != UPSTREAM_IN_HEAD ? "amid its answer"
			    : transfer->has_answered              ? "amid the head of its answer"
			    : transfer->sends_no_more             ? "while the request was sent"
								  : "without an answer";

	if (!err && transfer->framing == UPSTREAM_TO_END)
		finish(transfer, false);
	else if (may_be_sent_again(transfer))
		rung_upstream_engine_again(transfer);
	else
		rung_upstream_engine_fail(transfer, -EHOSTUNREACH, "the connection ended %s%s%s", where,
			err ? ": " : "", err ? strerror(-err) : "");
}

/* How much may be read now. One byte more than there can be tells of what comes behind the answer. */
static size_t room_of(struct transfer *transfer)
{
	pthread_mutex_lock(&transfer->lock);
	size_t room = transfer->ring.room - transfer->ring.size;
	transfer->is_paused = room < UPSTREAM_LEAST;
	pthread_mutex_unlock(&transfer->lock);
	if (room < UPSTREAM_LEAST)
		return 0;
	if (transfer->framing == UPSTREAM_LENGTH && (int64_t)room > transfer->left)
		room = (size_t)transfer->left + 1;
	return room < UPSTREAM_READ ? room : UPSTREAM_READ;
}

/* Over TLS more may have been read than was asked for, and no event tells of it. */
static bool may_have_more(const struct channel *channel, size_t n, size_t asked)
{
	return channel->dial || n == asked;
}

/* Returns 1 when there may be more, 0 when there is none now, a negative number when the transfer has been seen to. */
static int receive_once(struct transfer *transfer, size_t room)
{
	struct channel *channel = transfer->channel;
	char *buffer = channel->engine->buffer;
	ssize_t n = rung_upstream_channel_read(channel, buffer, room);
	size_t used;

	if (n == -EAGAIN)
		return 0;
	if (n <= 0) {
		break_off(transfer, (int)n);
		return -1;
	}
	transfer->has_answered = true;
	transfer->moved = rung_upstream_clock();
	if (rung_upstream_message_take(transfer, buffer, (size_t)n, &used) < 0) {
		rung_upstream_engine_end(transfer);
		return -1;
	}
	if (transfer->framing == UPSTREAM_WHOLE) {
		finish(transfer, used == (size_t)n && (size_t)n < room);
		return -1;
	}
	return may_have_more(channel, (size_t)n, room);
}

void rung_upstream_message_receive(struct transfer *transfer)
{
	size_t room = room_of(transfer);
	int more = 1;

	for (int i = 0; i < READS && room; i++) {
		more = receive_once(transfer, room);
		if (more <= 0)
			break;
		room = room_of(transfer);
	}
	if (more < 0)
		return;
	/* What TLS holds back calls nobody, but that there is room to send does. */
	bool is_cut = more && room && transfer->channel->dial;
	watch(transfer, room > 0, transfer->is_blocked || is_cut);
}
