/*
 * server_guard.c: what is no request is refused before the chain sees it. What could be read in two ways is refused too:
 * with another server in front that reads it the other way, one client could smuggle a request into another's connection.
 *
 * libmicrohttpd forgives more than RFC 9112 does: it ends lines at a bare LF and strings at a NUL, joins folded lines,
 * skips doubled blanks, and says nothing of it. But it leaves the head where it was read and only writes NULs over the
 * delimiters, so what it skipped shows in the distances between its pieces. That is its private layout: looked at
 * only in the version where it is known.
 */
#include "server_private.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

bool rung_guard_knows_layout(void)
{
	return strcmp(MHD_get_version(), "0.9.75") == 0;
}

enum {
	LINE_END = 2, /* CR LF */
	VERSION = 8,  /* "HTTP/1.1" */
};

static const char hidden[] = "the head has a NUL, a bare LF, a folded line or a blank too many";

void rung_guard_begin(struct exchange *exchange, const char *method, const char *version)
{
	const struct rung_raw_target *target = &exchange->target;

	const char *method_end = rung_is_get(method) ? method + 3 : method + strlen(method);

	exchange->wrong = NULL;
	exchange->next_field = version + VERSION + LINE_END;
	if (exchange->loop->server->knows_layout &&
		(target->at != method_end + 1 || version != target->at + target->size + 1))
		exchange->wrong = hidden;
}

void rung_guard_field(
	struct exchange *exchange, const char *name, size_t name_size, const char *value, size_t *value_size)
{
	size_t size = *value_size;

	/* A folded line is glued to the name, a blank before the colon belongs to it. */
	if (!rung_is_token(name, name_size))
		exchange->wrong = "a field name is no token";
	else if (!rung_is_field_value(value, size))
		exchange->wrong = "a field value has a control character";
	else if (name != exchange->next_field && exchange->loop->server->knows_layout)
		exchange->wrong = hidden;
	exchange->next_field = value + size + LINE_END;
	/* Blanks behind a value are no part of it (RFC 9112 section 5); the buffer is ours to write while the request lasts. But
	 * libmicrohttpd has read the coding with them, as one that it does not know: as a body that ends with the connection. */
	if (size && (value[size - 1] == ' ' || value[size - 1] == '\t')) {
		if (name_size == 17 && rung_same_letters(name, "Transfer-Encoding", 17))
			exchange->wrong = "a blank behind the Transfer-Encoding";
		while (size && (value[size - 1] == ' ' || value[size - 1] == '\t'))
			size--;
		((char *)(uintptr_t)value)[size] = '\0';
		*value_size = size;
	}
}

void rung_guard_end(struct exchange *exchange, const char *method, size_t size)
{
	static const char ends[2 * LINE_END] = { 0 };
	const char *end = method + size;

	if (exchange->wrong || !exchange->loop->server->knows_layout)
		return;
	/* What is as long as two ends of lines may still have a byte that is none. */
	if (exchange->next_field != end - LINE_END || memcmp(end - sizeof ends, ends, sizeof ends) != 0)
		exchange->wrong = hidden;
}

/* -- what libmicrohttpd refuses by itself ---------------------------------------------------------------------------- */

/* As its parser judges, which takes digits alone; a Transfer-Encoding goes first. */
static bool has_bad_length(struct MHD_Connection *mhd)
{
	const char *length = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Content-Length");

	return length && !MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Transfer-Encoding") &&
	       (!*length || length[strspn(length, "0123456789")] || strlen(length) > 18);
}

bool rung_write_past(struct MHD_Connection *mhd, int fd, const char *status, const char *text)
{
	char answer[512];
	int size = snprintf(answer, sizeof answer,
		"HTTP/1.1 %s\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		status, strlen(text), text);

	return !MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION) &&
	       (size_t)size < sizeof answer &&
	       send(fd, answer, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT) == size;
}

/*
 * For a Content-Length that is no number libmicrohttpd sends two heads, one as the body of the other. It speaks of it
 * first, without saying of whom: a head that is read and not yet begun, with such a field, is the one, or will be
 * refused for it all the same. Our answer is written past libmicrohttpd, whose own then finds the socket shut.
 */
static void answer_bad_lengths(struct loop *loop, bool is_large)
{
	static const char malformed[] = "400 the Content-Length is no number\n",
			  large[] = "413 the request body is larger than this server takes\n";
	const char *text = is_large ? large : malformed;
	const char *status = is_large ? "413 Content Too Large" : "400 Bad Request";

	for (struct connection *connection = loop->connections; connection; connection = connection->next) {
		const struct exchange *exchange = connection->exchange;

		if (!exchange || exchange->is_begun || !has_bad_length(exchange->mhd))
			continue;
		rung_site_log(&loop->server->site, RUNG_LOG_INFO, "rung: refused a request: %.*s",
			(int)strcspn(text, "\n"), text);
		loop->has_told = true;
		/* Where it cannot be written libmicrohttpd's answer has to do; over TLS the end. */
		if (rung_write_past(exchange->mhd, connection->fd, status, text) || connection->is_tls)
			shutdown(connection->fd, SHUT_RDWR);
	}
}

/* Its messages are translated where a program has set a locale; what then is not recognised here costs a log line. */
void rung_guard_listen(void *cls, const char *format, va_list arguments)
{
	struct loop *loop = cls;
	char text[256];

	if (strstr(format, "Content-Length"))
		answer_bad_lengths(loop, strstr(format, "Too large") != NULL);
	if (!strstr(format, "HTTP response code"))
		return;
	bool has_told = loop->has_told;
	loop->has_told = false;
	if (has_told || vsnprintf(text, sizeof text, format, arguments) < 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	rung_site_log(&loop->server->site, RUNG_LOG_INFO, "rung: libmicrohttpd refused a request: %s", text);
}
