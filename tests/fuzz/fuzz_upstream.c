/*
 * fuzz_upstream.c: any bytes as the head of a backend's answer, in the lines that libcurl makes of them. What is taken is a head that can
 * be read in one way alone: a status, fields that are fields, one length or one coding; and it stays within its bounds.
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct upstream upstream = { .header_bytes = ROOM };
	/* With news already, so that no engine is told of it. */
	struct transfer transfer = {
		.upstream = &upstream, .lock = PTHREAD_MUTEX_INITIALIZER, .has_news = true, .length = -1
	};
	const char *at = (const char *)data, *end = at + size;
	int rc = 0;

	transfer.head = malloc(ROOM);
	insist(transfer.head != NULL, "memory");
	while (rc == 0 && at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t length = newline ? (size_t)(newline + 1 - at) : (size_t)(end - at);
		/* Of just its size, so that reading past it shows. */
		char *line = malloc(length);

		insist(line != NULL, "memory");
		memcpy(line, at, length);
		rc = rung_upstream_answer_line(&transfer, line, length);
		insist(rc == 0 || (transfer.err && *transfer.why), "a refusal says why");
		free(line);
		at += length;
	}
	if (transfer.has_head && !transfer.err) {
		insist(transfer.status >= 200 && transfer.status <= 999, "the status");
		check_fields(&transfer);
	}
	free(transfer.head);
	return 0;
}
