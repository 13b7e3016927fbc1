/* made.c: pipelines of good requests, of every kind that the stack of fuzz_server.c knows, from any bytes. */
#include "server.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MOST_BODY = 13600, MOST_MADE = 24 };

struct maker {
	const uint8_t *plan, *plan_end;
	char *out;
	size_t size, room;
};

static unsigned next(struct maker *maker)
{
	return maker->plan < maker->plan_end ? *maker->plan++ : 0;
}

static void put(struct maker *maker, const void *bytes, size_t size)
{
	memcpy(maker->out + maker->size, bytes, size);
	maker->size += size;
}

static void __attribute__((format(printf, 2, 3))) putf(struct maker *maker, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	int size = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	put(maker, text, (size_t)size);
}

static void put_bytes(struct maker *maker, size_t size)
{
	static char bytes[MOST_BODY];

	if (!*bytes)
		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (char)(i * 31 % 251 + 1);
	put(maker, bytes, size);
}

static void put_chunks(struct maker *maker)
{
	static const char *const extensions[] = { "", "", ";a", ";a=b", ";a=\"b;c\"" };
	unsigned style = next(maker), size, left = 16;

	while (left-- && (size = next(maker)) > 0) {
		size = style & 8 ? size * 13 : size;
		putf(maker, style & 16 ? "%X%s\r\n" : "%04x%s\r\n", size, extensions[style % 5]);
		put_bytes(maker, size);
		putf(maker, "\r\n");
	}
	putf(maker, style & 32 ? "0\r\nTrailer: t\r\nX-Other: \r\n\r\n" : "0\r\n\r\n");
}

static void put_body(struct maker *maker, unsigned style)
{
	if (style & 4)
		putf(maker, "Expect: 100-continue\r\n");
	if (style & 2) {
		putf(maker, "Transfer-Encoding: %s\r\n\r\n", style & 1 ? "chunked" : "ChunkeD");
		put_chunks(maker);
	} else {
		size_t size = style & 1 ? (size_t)next(maker) * 53 : next(maker);

		putf(maker, "Content-Length: %zu\r\n\r\n", size);
		put_bytes(maker, size);
	}
}

static void put_fields(struct maker *maker, unsigned style)
{
	if (style & 1)
		putf(maker, "X-Filler: %0*d\r\n", (int)(next(maker) % 200), 1);
	if (style & 2)
		putf(maker, "Cookie: a=b; c=%u\r\ncookie:\r\n", next(maker));
	if (style & 4)
		putf(maker, "Authorization: Basic dTpw\r\n");
	if (style & 8)
		putf(maker, "Accept: text/html;q=0.%u, */*\r\n", next(maker) % 10);
}

static void make_request(struct maker *maker)
{
	static const struct {
		const char *method, *path;
		bool has_body;
	} lines[] = { { "GET", "/", false }, { "GET", "/p/name", false }, { "POST", "/echo", true },
		{ "POST", "/take", true }, { "POST", "/small", true }, { "GET", "/self", false },
		{ "GET", "/named", false }, { "HEAD", "/m/x", false }, { "GET", "/m/x", false },
		{ "GET", "/f/a.txt", false }, { "GET", "/f/large", false }, { "GET", "/stream", false },
		{ "GET", "/late", false }, { "GET", "/guarded", false }, { "POST", "/nowhere", true },
		{ "HEAD", "/f/large", false }, { "GET", "/echo", false }, { "POST", "/", true },
		{ "HEAD", "/p/name", false }, { "GET", "/", true }, { "HEAD", "/late", false },
		{ "POST", "/guarded", true } };
	unsigned which = next(maker) % (sizeof lines / sizeof *lines), style = next(maker);
	bool is_old = (style & 0xe0) == 0xe0, is_absolute = (style & 0xe0) == 0xc0;

	putf(maker, "%s %s%s%s HTTP/1.%c\r\nHost: localhost\r\n", lines[which].method,
		is_absolute ? "http://other.example" : "", lines[which].path,
		(style & 0xe0) == 0xa0 ? "?a=b&c=%20?" : "", is_old ? '0' : '1');
	if (is_old && (style & 1))
		putf(maker, "Connection: keep-alive\r\n");
	put_fields(maker, style >> 1 & 15);
	if (!lines[which].has_body)
		putf(maker, "\r\n");
	else
		put_body(maker, is_old ? style & 1 : next(maker) & 7);
}

size_t make_requests(const uint8_t *plan, size_t size, char *out, size_t room)
{
	struct maker maker = { plan, plan + size, out, 0, room };

	/* What the largest request needs is left. More of them only take time. */
	for (int i = 0; i < MOST_MADE && maker.plan < maker.plan_end && maker.size + 64 * 1024 < room; i++)
		make_request(&maker);
	return maker.size;
}
