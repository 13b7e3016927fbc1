/*
 * answer.c: what comes back: the head, line by line, and what the response is made of.
 *
 * Heads are judged strictly: a field that is none, a folded line, two lengths or none that is a number, a
 * coding other than chunked, or a length beside it, are how one answer is made to look like another, and are refused (RFC 9112 sections
 * 5.2 and 6.3).
 */
#include "../../framework/request.h"
#include "upstream_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* -- on the engine's thread -------------------------------------------------------------------------------------------- */

static int refuse(struct transfer *transfer, const char *why)
{
	pthread_mutex_lock(&transfer->lock);
	rung_upstream_transfer_fail(transfer, -EHOSTUNREACH, "%s", why);
	pthread_mutex_unlock(&transfer->lock);
	return -EHOSTUNREACH;
}

static bool is_digit(char letter)
{
	return letter >= '0' && letter <= '9';
}

/* "HTTP/1.1 200 OK"; the reason may be missing, and so may the blank before it. */
static int take_status(struct transfer *transfer, const char *line, size_t size)
{
	if (size < 12 || memcmp(line, "HTTP/1.", 7) != 0 || !is_digit(line[7]) || line[8] != ' ' ||
		!is_digit(line[9]) || !is_digit(line[10]) || !is_digit(line[11]) ||
		(size > 12 && line[12] != ' '))
		return refuse(transfer, "its answer does not begin as HTTP/1.1 does");
	transfer->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + line[11] - '0';
	transfer->has_line = true;
	transfer->has_length = transfer->has_coding = false;
	transfer->is_closing = transfer->is_keeping = false;
	transfer->is_old = line[7] == '0';
	transfer->length = -1;
	transfer->head_size = 0;
	transfer->field_count = 0;
	/* Nobody asked for another protocol. */
	if (transfer->status < 100 || transfer->status == 101)
		return refuse(transfer, "its answer has a status that cannot be");
	return 0;
}

static int take_length(struct transfer *transfer, const struct rung_field *field)
{
	int64_t length = 0;

	for (uint32_t i = 0; i < field->value_size; i++)
		if (!is_digit(field->value[i]) || __builtin_mul_overflow(length, 10, &length) ||
			__builtin_add_overflow(length, field->value[i] - '0', &length))
			return refuse(transfer, "its answer has a Content-Length that is none");
	if (!field->value_size || (transfer->has_length && length != transfer->length))
		return refuse(transfer, "its answer has a Content-Length that is none, or two");
	transfer->has_length = true;
	transfer->length = length;
	return 0;
}

static int take_coding(struct transfer *transfer, const struct rung_field *field)
{
	if (transfer->has_coding || !rung_names_equal(field->value, "chunked"))
		return refuse(transfer, "its answer has a Transfer-Encoding other than chunked");
	transfer->has_coding = true;
	return 0;
}

static int judge(struct transfer *transfer, const struct rung_field *field)
{
	if (field->name_size == 14 && rung_names_equal(field->name, "Content-Length"))
		return take_length(transfer, field);
	if (field->name_size == 17 && rung_names_equal(field->name, "Transfer-Encoding"))
		return take_coding(transfer, field);
	if (field->name_size == 10 && rung_names_equal(field->name, "Connection")) {
		transfer->is_closing = transfer->is_closing || rung_list_has(field->value, "close");
		transfer->is_keeping = transfer->is_keeping || rung_list_has(field->value, "keep-alive");
	}
	return 0;
}

static bool is_blank(char letter)
{
	return letter == ' ' || letter == '\t';
}

/* Keeps name and value, each with a NUL behind it. A line has a colon and an end besides, so there is room for them. */
static int take_field(struct transfer *transfer, const char *line, size_t size)
{
	const char *colon = memchr(line, ':', size);
	char *at = transfer->head + transfer->head_size;

	if (!colon || !rung_is_token(line, (size_t)(colon - line)))
		return refuse(transfer, "its answer has a field that is none");
	const char *value = colon + 1, *end = line + size;
	while (value < end && is_blank(*value))
		value++;
	while (value < end && is_blank(end[-1]))
		end--;
	if (!rung_is_field_value(value, (size_t)(end - value)))
		return refuse(transfer, "its answer has a field with a control byte");
	if (++transfer->field_count > UPSTREAM_FIELDS)
		return refuse(transfer, "its answer has too many fields");
	struct rung_field field = { at, at + (colon - line) + 1, (uint32_t)(colon - line),
		(uint32_t)(end - value) };
	memcpy(at, line, field.name_size);
	at[field.name_size] = '\0';
	at += field.name_size + 1;
	memcpy(at, value, field.value_size);
	at[field.value_size] = '\0';
	transfer->head_size += field.name_size + field.value_size + 2;
	return judge(transfer, &field);
}

/* One that only says that more will come is passed over. */
static int end_head(struct transfer *transfer)
{
	transfer->has_line = false;
	if (transfer->status < 200)
		return 0;
	if (transfer->has_coding && transfer->has_length)
		return refuse(transfer, "its answer has both a Content-Length and a Transfer-Encoding");
	pthread_mutex_lock(&transfer->lock);
	transfer->has_head = true;
	pthread_mutex_unlock(&transfer->lock);
	rung_upstream_engine_note(transfer);
	return 0;
}

int rung_upstream_answer_line(struct transfer *transfer, const char *line, size_t size)
{
	transfer->head_total += size;
	if (transfer->head_total > transfer->upstream->header_bytes)
		return refuse(transfer, "its answer has a head larger than .header_bytes");
	if (size && line[size - 1] == '\n')
		size--;
	if (size && line[size - 1] == '\r')
		size--;
	if (!transfer->has_line)
		return take_status(transfer, line, size);
	return size ? take_field(transfer, line, size) : end_head(transfer);
}

/* -- the body ------------------------------------------------------------------------------------------------------------ */

static struct transfer *transfer_of(struct rung_source *source)
{
	return (struct transfer *)(void *)((char *)source - offsetof(struct transfer, source));
}

static ssize_t read_body(struct rung_source *source, void *buffer, size_t max)
{
	struct transfer *transfer = transfer_of(source);
	ssize_t n = -EAGAIN;

	pthread_mutex_lock(&transfer->lock);
	if (transfer->ring.size)
		n = (ssize_t)rung_ring_take(&transfer->ring, buffer, max);
	else if (transfer->is_done)
		n = transfer->err;
	else
		transfer->is_starving = true;
	if (transfer->is_paused && !transfer->is_done && transfer->ring.size <= transfer->ring.room / 2) {
		transfer->is_paused = false;
		rung_upstream_engine_ask(transfer->upstream->engine, transfer, UPSTREAM_DRAIN);
	}
	pthread_mutex_unlock(&transfer->lock);
	return n;
}

static void close_body(struct rung_source *source)
{
	rung_upstream_transfer_give(transfer_of(source));
}

/* -- the response -------------------------------------------------------------------------------------------------------- */

static bool next_field(const char **at, const char *end, struct rung_field *ret_field)
{
	if (*at >= end)
		return false;
	ret_field->name = *at;
	ret_field->name_size = (uint32_t)strlen(*at);
	ret_field->value = *at + ret_field->name_size + 1;
	ret_field->value_size = (uint32_t)strlen(ret_field->value);
	*at = ret_field->value + ret_field->value_size + 1;
	return true;
}

static bool is_named_by_connection(const struct transfer *transfer, const char *name)
{
	const char *at = transfer->head, *end = at + transfer->head_size;
	struct rung_field field;

	while (next_field(&at, end, &field))
		if (field.name_size == 10 && rung_names_equal(field.name, "Connection") &&
			rung_list_has(field.value, name))
			return true;
	return false;
}

static void set_fields(const struct transfer *transfer, struct rung_response *res)
{
	const char *at = transfer->head, *end = at + transfer->head_size;
	struct rung_field field;
	bool has_length = false;

	while (next_field(&at, end, &field)) {
		bool is_length = field.name_size == 14 && rung_names_equal(field.name, "Content-Length");

		if (rung_upstream_is_hop_by_hop(&field) || (is_length && has_length) ||
			is_named_by_connection(transfer, field.name))
			continue;
		has_length = has_length || is_length;
		rung_header_add(res, field.name, field.value);
	}
}

/* The ring lies in one piece as long as nothing was taken out of it. */
static int give_whole(struct transfer *transfer, struct rung_response *res)
{
	int rc = transfer->ring.size ? rung_body_bytes(res, transfer->ring.at, transfer->ring.size)
				     : res->error;

	rung_upstream_transfer_give(transfer);
	return rc;
}

static int give_source(struct transfer *transfer, struct rung_env *env, struct rung_response *res)
{
	struct rung_waker *waker = rung_waker(env);

	if (!waker) {
		rung_upstream_transfer_give(transfer);
		return -ENOMEM;
	}
	pthread_mutex_lock(&transfer->lock);
	transfer->waker = waker;
	transfer->is_taken = true;
	transfer->source = (struct rung_source){ .read = read_body, .close = close_body };
	pthread_mutex_unlock(&transfer->lock);
	return rung_body_pull(res, &transfer->source, transfer->length);
}

int rung_upstream_answer(struct transfer *transfer, struct rung_env *env, struct rung_response *res)
{
	/* An answer without a body has none to wait for, but its end tells that the connection can be used again. One of unknown length stays
	 * so, since servers that are emulated make a difference. */
	pthread_mutex_lock(&transfer->lock);
	bool is_whole =
		transfer->is_done && !transfer->err && (transfer->length >= 0 || !transfer->ring.size);
	pthread_mutex_unlock(&transfer->lock);
	res->status = transfer->status;
	set_fields(transfer, res);
	return is_whole ? give_whole(transfer, res) : give_source(transfer, env, res);
}
