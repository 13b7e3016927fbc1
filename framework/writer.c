/* writer.c: text that grows by doubling in the request's memory, and the escapes of what is mostly written into it. */
#include "request.h"
#include "utf8.h"
#include <rung/writer.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_ROOM = 512 };

/* -- growing ----------------------------------------------------------------------------------------------------- */

static int stick(struct rung_writer *writer, int err)
{
	if (!writer->error)
		writer->error = err;
	return writer->error;
}

/* Room for `size` bytes more and a NUL. The old text stays in the arena: in all less than twice what it comes to. */
static int make_room(struct rung_writer *writer, size_t size)
{
	size_t room = writer->room ? writer->room : FIRST_ROOM;

	if (writer->error)
		return writer->error;
	if (size < writer->room - writer->size)
		return 0;
	while (room - writer->size <= size) {
		if (room > SIZE_MAX / 2)
			return stick(writer, -ENOMEM);
		room *= 2;
	}
	char *text = rung_alloc(writer->env, room);
	if (!text)
		return stick(writer, -ENOMEM);
	if (writer->size)
		memcpy(text, writer->text, writer->size);
	text[writer->size] = '\0';
	writer->text = text;
	writer->room = room;
	return 0;
}

int rung_write_bytes(struct rung_writer *writer, const void *bytes, size_t size)
{
	if (!bytes && size)
		return stick(writer, -EINVAL);
	if (make_room(writer, size) < 0)
		return writer->error;
	if (size)
		memcpy(writer->text + writer->size, bytes, size);
	writer->size += size;
	writer->text[writer->size] = '\0';
	return 0;
}

int rung_write(struct rung_writer *writer, const char *text)
{
	return text ? rung_write_bytes(writer, text, strlen(text)) : stick(writer, -EINVAL);
}

int rung_writef(struct rung_writer *writer, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	int size = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (size < 0)
		return stick(writer, -EINVAL);
	if (make_room(writer, (size_t)size) < 0)
		return writer->error;
	va_start(arguments, format);
	vsnprintf(writer->text + writer->size, (size_t)size + 1, format, arguments);
	va_end(arguments);
	writer->size += (size_t)size;
	return 0;
}

/* -- escapes ----------------------------------------------------------------------------------------------------- */

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* Writes what stands for one byte into `room`, or gives NULL when it may stay. */
typedef const char *(*escape_fn)(const char *at, size_t size, char room[8]);

static const char *html_escape(const char *at, size_t size, char room[8])
{
	unsigned char byte = (unsigned char)*at;

	(void)size, (void)room;
	switch (byte) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	case '\t':
	case '\n':
	case '\r':
		return NULL;
	default:
		return byte < 0x20 || byte == 0x7f ? replacement : NULL;
	}
}

/* "<", ">" and "&" too, so that no script element ends inside a string, and the line ends of older scripts. */
static const char *json_escape(const char *at, size_t size, char room[8])
{
	unsigned char byte = (unsigned char)*at;

	if (byte == '"' || byte == '\\') {
		snprintf(room, 8, "\\%c", byte);
		return room;
	}
	if (byte < 0x20 || byte == 0x7f || strchr("<>&", byte)) {
		snprintf(room, 8, "\\u%04x", byte);
		return room;
	}
	if (size == 3 && (memcmp(at, "\xe2\x80\xa8", 3) == 0 || memcmp(at, "\xe2\x80\xa9", 3) == 0))
		return at[2] == '\xa8' ? "\\u2028" : "\\u2029";
	return NULL;
}

static int write_escaped(struct rung_writer *writer, const char *text, escape_fn escape)
{
	const char *kept = text; /* what need not change is written in one piece */
	const char *end = text + strlen(text);
	char room[8];

	while (text < end) {
		size_t size = rung_utf8_size(text, end);
		const char *instead = size ? escape(text, size, room) : replacement;

		if (instead) {
			rung_write_bytes(writer, kept, (size_t)(text - kept));
			rung_write(writer, instead);
		}
		text += size ? size : 1;
		if (instead)
			kept = text;
	}
	return rung_write_bytes(writer, kept, (size_t)(text - kept));
}

int rung_write_html(struct rung_writer *writer, const char *text)
{
	return text ? write_escaped(writer, text, html_escape) : stick(writer, -EINVAL);
}

int rung_write_json(struct rung_writer *writer, const char *text)
{
	if (!text)
		return rung_write(writer, "null");
	rung_write(writer, "\"");
	write_escaped(writer, text, json_escape);
	return rung_write(writer, "\"");
}

int rung_write_uri(struct rung_writer *writer, const char *text)
{
	if (!text)
		return stick(writer, -EINVAL);
	size_t size = strlen(text), encoded = rung_uri_encoded_size(RUNG_URI_QUERY, text, size);
	if (make_room(writer, encoded) < 0)
		return writer->error;
	rung_uri_encode(RUNG_URI_QUERY, text, size, writer->text + writer->size, encoded + 1);
	writer->size += encoded;
	return 0;
}

/* -- the reply --------------------------------------------------------------------------------------------------- */

int rung_reply_written(
	struct rung_response *res, int status, const char *content_type, const struct rung_writer *writer)
{
	res->status = status;
	if (writer->error)
		return rung_response_stick(res, writer->error);
	if (content_type)
		rung_header(res, "Content-Type", content_type);
	return rung_body_static(res, writer->text ? writer->text : "", writer->size);
}
