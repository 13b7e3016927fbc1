/*
 * fuzz_upstream.c: any bytes as a backend's answer, its head and its body, at once and in pieces: it must not matter how they come. What
 * is taken is a head that can be read in one way alone: a status, fields that are fields, one length or one coding; it stays within its
 * bounds; and the body is as long as it was said to be. The first byte says how large the pieces are, and whether a HEAD was asked.
 */
#include "../../middleware/upstream/upstream_private.h"

#include <rung/rung.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 512 };

static void insist(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* Each name and value ends with a NUL, and nothing lies behind the last one. */
static void check_fields(const struct transfer *transfer)
{
	const char *at = transfer->head, *end = at + transfer->head_size;
	unsigned count = 0, lengths = 0, codings = 0;

	insist(transfer->head_size <= ROOM, "the head fits");
	while (at < end) {
		const char *name = at, *value = name + strlen(name) + 1;

		insist(value < end, "a value behind a name");
		at = value + strlen(value) + 1;
		insist(rung_is_token(name, strlen(name)), "a name is a token");
		insist(rung_is_field_value(value, strlen(value)), "a value has no control byte");
		insist(!*value || (*value != ' ' && *value != '\t'), "no blank in front");
		lengths += rung_names_equal(name, "Content-Length");
		codings += rung_names_equal(name, "Transfer-Encoding");
		if (rung_names_equal(name, "Content-Length"))
			insist(strtoll(value, NULL, 10) == transfer->length && transfer->length >= 0,
				"the one length");
		if (rung_names_equal(name, "Transfer-Encoding"))
			insist(rung_names_equal(value, "chunked"), "the one coding");
		count++;
	}
	insist(at == end && count == transfer->field_count && count <= UPSTREAM_FIELDS,
		"as many as were counted");
	insist(codings <= 1 && !(codings && lengths), "a length or a coding");
}

static void make(struct transfer *transfer, struct upstream *upstream, bool is_head)
{
	/* With news already, so that no engine is told of it. */
	*transfer = (struct transfer){
		.upstream = upstream,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.has_news = true,
		.length = -1,
		.is_head = is_head,
		.head = malloc(ROOM),
		.line = malloc(ROOM),
		.ring = { .at = malloc(UPSTREAM_RING), .room = UPSTREAM_RING },
	};
	insist(transfer->head && transfer->line && transfer->ring.at, "memory");
}

static void unmake(struct transfer *transfer)
{
	free(transfer->head);
	free(transfer->line);
	free(transfer->ring.at);
}

/* Returns how many bytes were looked at. */
static size_t feed(struct transfer *transfer, const uint8_t *data, size_t size, size_t piece, int *ret_rc)
{
	size_t at = 0, used = 0;
	int rc = 0;

	while (rc == 0 && at < size && transfer->framing != UPSTREAM_WHOLE) {
		size_t length = size - at < piece ? size - at : piece;
		/* Of just its size, so that reading past it shows. */
		char *bytes = malloc(length);

		insist(bytes != NULL, "memory");
		memcpy(bytes, data + at, length);
		rc = rung_upstream_message_take(transfer, bytes, length, &used);
		insist(rc == 0 || (transfer->err && *transfer->why), "a refusal says why");
		insist(used <= length, "no more than there is");
		insist(rc || used == length || transfer->framing == UPSTREAM_WHOLE,
			"all, but behind the end");
		free(bytes);
		at += used;
	}
	*ret_rc = rc;
	return at;
}

static void check_answer(const struct transfer *transfer)
{
	if (!transfer->has_head || (transfer->err && !transfer->ring.size))
		return;
	insist(transfer->status >= 200 && transfer->status <= 999, "the status");
	check_fields(transfer);
	if (transfer->is_head || transfer->status == 204 || transfer->status == 304)
		insist(transfer->framing == UPSTREAM_WHOLE && !transfer->ring.size, "no body");
	else if (transfer->has_length)
		insist((int64_t)transfer->ring.size +
					(transfer->framing == UPSTREAM_WHOLE ? 0 : transfer->left) ==
				transfer->length,
			"a body of the length");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct upstream upstream = { .header_bytes = ROOM };
	struct transfer whole, pieces;
	int rc, rc_pieces;

	if (size < 2 || size > UPSTREAM_READ)
		return 0;
	make(&whole, &upstream, data[0] & 1);
	make(&pieces, &upstream, data[0] & 1);
	size_t used = feed(&whole, data + 1, size - 1, size, &rc);
	size_t used_pieces = feed(&pieces, data + 1, size - 1, (data[0] >> 1) + 1, &rc_pieces);
	check_answer(&whole);
	insist(rc == rc_pieces, "the same outcome in pieces");
	insist(rc || used == used_pieces, "the same end in pieces");
	insist(whole.has_head == pieces.has_head && whole.framing == pieces.framing,
		"the same state in pieces");
	insist(whole.ring.size == pieces.ring.size &&
			memcmp(whole.ring.at, pieces.ring.at, whole.ring.size) == 0,
		"the same body in pieces");
	unmake(&whole);
	unmake(&pieces);
	return 0;
}
