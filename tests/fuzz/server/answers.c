/* answers.c: what a server sends, read as RFC 9112 has it; every other form is a finding. */
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char joined[LARGE_FILE * 2];

struct fields {
	bool has_length, is_chunked, is_closing, stays, is_seen;
	size_t length;
	unsigned seen, is_head;
};

static void read_field(struct fields *fields, const char *line, size_t size)
{
	const char *colon = memchr(line, ':', size);

	insist(colon && colon > line, "a field has a name");
	struct text name = { line, (size_t)(colon - line) };
	struct text value = { colon + 1, size - name.size - 1 };
	for (size_t i = 0; i < name.size; i++)
		insist(name.at[i] > ' ' && (unsigned char)name.at[i] < 0x7f,
			"a name is made of visible bytes");
	for (size_t i = 0; i < value.size; i++)
		insist((unsigned char)value.at[i] >= 0x20 || value.at[i] == '\t',
			"no control byte in a field");
	if (value.size && *value.at == ' ')
		value = (struct text){ value.at + 1, value.size - 1 };
	if (text_is_nearly(name, "Content-Length")) {
		insist(!fields->has_length && value.size && value.size < 10, "one length");
		insist(strspn(value.at, "0123456789") == value.size, "a length is a number");
		fields->has_length = true;
		fields->length = strtoul(value.at, NULL, 10);
	} else if (text_is_nearly(name, "Transfer-Encoding")) {
		insist(!fields->is_chunked && text_is_nearly(value, "chunked"), "one coding");
		fields->is_chunked = true;
	} else if (text_is_nearly(name, "Connection")) {
		fields->is_closing |= text_is_nearly(value, "close");
		fields->stays |= text_is_nearly(value, "keep-alive");
	} else if (text_is(name, "X-Seen")) {
		insist(!fields->is_seen && sscanf(value.at, "%8x %1u", &fields->seen, &fields->is_head) == 2,
			"one mark");
		fields->is_seen = true;
	}
}

/* Returns where the head ends, or NULL. */
static const char *read_head(const char *at, size_t size, struct answer *answer, struct fields *fields)
{
	const char *end = memmem(at, size, "\r\n\r\n", 4);

	if (!end)
		return NULL;
	bool is_old = memcmp(at, "HTTP/1.0 ", 9) == 0;
	insist(end - at > 13 && (is_old || memcmp(at, "HTTP/1.1 ", 9) == 0),
		"an answer begins with a status line");
	answer->status = atoi(at + 9);
	insist(answer->status >= 100 && answer->status <= 599 && at[12] == ' ', "a status has three digits");
	for (const char *line = at; line < end;) {
		const char *line_end = memmem(line, (size_t)(end + 2 - line), "\r\n", 2);

		insist(!memchr(line, '\n', (size_t)(line_end - line)), "lines end with CR LF");
		if (line > at)
			read_field(fields, line, (size_t)(line_end - line));
		line = line_end + 2;
	}
	answer->is_seen = fields->is_seen;
	answer->seen = fields->seen;
	answer->is_head = fields->is_head;
	answer->is_closing = fields->is_closing || (is_old && !fields->stays);
	return end + 4;
}

/* Returns where the chunks end, or NULL. */
static const char *join_chunks(const char *at, const char *end, struct answer *answer)
{
	answer->body = (struct text){ joined, 0 };
	for (;;) {
		const char *line = memmem(at, (size_t)(end - at), "\r\n", 2);
		char *digits_end;

		if (!line)
			return NULL;
		size_t size = strtoul(at, &digits_end, 16);
		insist(digits_end == line && line - at <= 8 && *at != '-' && *at != '+',
			"a chunk has a size");
		at = line + 2;
		if ((size_t)(end - at) < size + 2)
			return NULL;
		insist(memcmp(at + size, "\r\n", 2) == 0, "a chunk has an end");
		insist(answer->body.size + size <= sizeof joined, "no more than expected");
		memcpy(joined + answer->body.size, at, size);
		answer->body.size += size;
		at += size + 2;
		if (size == 0)
			return at;
	}
}

/* A refusal does not say whether it is one of HEAD, which has no body: nothing follows it. */
static const char *read_body(
	const char *at, const char *end, bool is_over, const struct fields *fields, struct answer *answer)
{
	int status = answer->status;

	answer->body = (struct text){ at, 0 };
	insist(!(fields->has_length && fields->is_chunked), "a length or chunks");
	if (answer->is_head || status == 204 || status == 304)
		return at;
	if (!answer->is_seen && at == end && fields->length)
		return is_over ? at : NULL;
	if (fields->is_chunked)
		return join_chunks(at, end, answer);
	if (fields->has_length) {
		answer->body.size = fields->length;
		return (size_t)(end - at) < fields->length ? NULL : at + fields->length;
	}
	insist(answer->is_closing, "a body without length ends with the connection");
	answer->body.size = (size_t)(end - at);
	return is_over ? end : NULL;
}

size_t read_answer(const char *at, size_t size, bool is_over, struct answer *ret_answer)
{
	const char *begin = at, *end = at + size;
	struct answer answer = { 0 };
	struct fields fields = { 0 };

	do {
		answer = (struct answer){ 0 };
		fields = (struct fields){ 0 };
		at = read_head(at, (size_t)(end - at), &answer, &fields);
	} while (at && answer.status == 100);
	if (!at) {
		insist(!is_over || size == 0 || memcmp(begin, "HTTP/1.1 100 ", size < 13 ? size : 13) == 0,
			"heads are whole");
		return 0;
	}
	const char *behind = read_body(at, end, is_over, &fields, &answer);
	if (!behind && !is_over)
		return 0;
	answer.is_cut = !behind;
	*ret_answer = answer;
	return (size_t)((behind ? behind : end) - begin);
}
