/*
 * fuzz_uri.c: any bytes as a URI, or two of them with a newline between as a base and a reference. What is taken must come
 * out again as it went in, its parts must lie inside it, and what is made of it must be a URI too.
 */
#include <rung/uri.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 4096, ROOM = 3 * MOST };

static void insist(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static void insist_inside(struct rung_slice part, const char *text, size_t size)
{
	insist(!part.at || (part.at >= text && part.at + part.size <= text + size), "a part lies inside");
}

static void check_parts(const struct rung_uri *uri, const char *text, size_t size)
{
	const struct rung_slice parts[] = { uri->scheme, uri->userinfo, uri->host, uri->port, uri->path,
		uri->query, uri->fragment };

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		insist_inside(parts[i], text, size);
	insist(uri->path.at != NULL, "there is a path");
	insist(rung_uri_port(uri) <= 65535, "a port");
}

static void check_format(const struct rung_uri *uri, const char *text, size_t size)
{
	char again[ROOM];
	ssize_t length = rung_uri_format(uri, again, sizeof again);

	insist(length == (ssize_t)size && memcmp(again, text, size) == 0, "written as it was read");
	for (size_t room = 0; room <= size && size < 64; room++)
		insist(rung_uri_format(uri, again, room) == -ENOSPC, "too little room is told");
}

/* Whatever scheme a reference comes to have by its base, its normal form leads to the same port. */
static void check_port(struct rung_uri uri, struct rung_uri normal)
{
	static const struct rung_slice schemes[] = { { "http", 4 }, { "https", 5 }, { "x", 1 } };

	insist(rung_uri_port(&uri) == rung_uri_port(&normal), "the port stays");
	/* Behind a scheme that is unknown a port of 0 is written or none is, which is not the same. */
	if (uri.port.size && rung_uri_port(&uri) == 0)
		insist(normal.port.size == 1 && *normal.port.at == '0', "the port 0 stays");
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes && !uri.scheme.at; i++) {
		struct rung_uri one = uri, other = normal;

		one.scheme = other.scheme = schemes[i];
		insist(rung_uri_port(&one) == rung_uri_port(&other), "the port stays at any base");
	}
}

/* Dots before no authority may bring a "/." in, so the text may grow by two bytes. */
static void check_normal(const struct rung_uri *uri)
{
	char once[ROOM], twice[ROOM];
	struct rung_uri parts;
	ssize_t size = rung_uri_normalize(uri, once, sizeof once);

	insist(size >= 0, "there is room for a normal form");
	insist(rung_uri_parse(once, (size_t)size, &parts) == 0, "a normal form is a URI");
	ssize_t again = rung_uri_normalize(&parts, twice, sizeof twice);
	insist(again == size && memcmp(once, twice, (size_t)size) == 0, "a normal form is its own");
	check_port(*uri, parts);
}

static void check_resolved(const struct rung_uri *base, const struct rung_uri *reference)
{
	char text[ROOM], again[ROOM];
	struct rung_uri parts;
	ssize_t size = rung_uri_resolve(base, reference, text, sizeof text);

	insist((size == -EINVAL) == (base->scheme.at == NULL), "a base has a scheme");
	if (size < 0)
		return;
	insist(rung_uri_parse(text, (size_t)size, &parts) == 0, "what is resolved is a URI");
	insist(parts.scheme.at != NULL, "with a scheme");
	/* An empty path takes the base's as it stands, dots and all (RFC 3986 section 5.2.2). */
	if (reference->path.size == 0 && !reference->host.at && !reference->scheme.at)
		return;
	ssize_t same = rung_uri_resolve(base, &parts, again, sizeof again);
	insist(same == size && memcmp(text, again, (size_t)size) == 0, "and resolves to itself");
}

static void check_escapes(const char *text, size_t size)
{
	char encoded[ROOM + 1], decoded[ROOM];

	for (enum rung_uri_part part = RUNG_URI_SEGMENT; part <= RUNG_URI_QUERY; part++) {
		ssize_t length = rung_uri_encode(part, text, size, encoded, sizeof encoded);

		insist(length >= 0 && (size_t)length == rung_uri_encoded_size(part, text, size),
			"its size was told");
		ssize_t back = rung_uri_decode(encoded, (size_t)length, decoded, sizeof decoded);
		if (memchr(text, '\0', size))
			insist(back == -EILSEQ, "no NUL is decoded");
		else
			insist(back == (ssize_t)size && memcmp(decoded, text, size) == 0,
				"decoded as it was");
	}
	ssize_t length = rung_uri_decode(text, size, decoded, size + 1);
	insist(length <= (ssize_t)size && length != -ENOSPC, "decoding never grows");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct rung_uri base, reference;
	struct rung_slice host, port;

	if (size > MOST)
		return 0;
	const char *newline = size ? memchr(text, '\n', size) : NULL;
	size_t first = newline ? (size_t)(newline - text) : size;
	if (size)
		check_escapes(text, size);
	if (rung_uri_parse_authority(text, first, &host, &port) == 0) {
		insist_inside(host, text, first);
		insist_inside(port, text, first);
		insist(host.size > 0, "an authority has a host");
	}
	if (rung_uri_parse(text, first, &base) < 0)
		return 0;
	check_parts(&base, text, first);
	check_format(&base, text, first);
	check_normal(&base);
	if (newline && rung_uri_parse(newline + 1, size - first - 1, &reference) == 0)
		check_resolved(&base, &reference);
	return 0;
}
