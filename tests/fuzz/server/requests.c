/* requests.c: requests as RFC 9112 has them, read strictly, and what the stack of fuzz_server.c answers to them. */
#include "server.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

bool text_is(struct text text, const char *other)
{
	return text.size == strlen(other) && memcmp(text.at, other, text.size) == 0;
}

bool text_is_nearly(struct text text, const char *other)
{
	return text.size == strlen(other) && strncasecmp(text.at, other, text.size) == 0;
}

/* FNV-1a. */
uint32_t sum(uint32_t before, const void *bytes, size_t size)
{
	const unsigned char *at = bytes;
	uint32_t value = before ? before : 2166136261u;

	for (size_t i = 0; i < size; i++)
		value = (value ^ at[i]) * 16777619u;
	return value;
}

uint32_t sum_seen(struct text method, struct text path, struct text query, struct text host)
{
	const struct text parts[] = { method, path, query, host };
	uint32_t value = 0;

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		value = sum(value, parts[i].at, parts[i].size);
		value = sum(value, " ", 1);
	}
	return value;
}

/* -- lines ------------------------------------------------------------------------------------------------------- */

struct reader {
	const char *at, *end;
	bool has_bare_lf; /* a line ended so */
	bool has_ended;   /* what was taken for the rest of a line was the end of the head */
};

/* The next line without its end. False when it has none. */
static bool next_line(struct reader *reader, struct text *ret_line)
{
	const char *lf = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));

	if (!lf)
		return false;
	size_t size = (size_t)(lf - reader->at);
	if (size && reader->at[size - 1] == '\r')
		size--;
	else
		reader->has_bare_lf = true;
	*ret_line = (struct text){ reader->at, size };
	reader->at = lf + 1;
	return true;
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool is_in(char c, const char *others)
{
	return c && strchr(others, c);
}

static bool is_made_of(struct text text, const char *others)
{
	for (size_t i = 0; i < text.size; i++)
		if (!is_alnum(text.at[i]) && !is_in(text.at[i], others))
			return false;
	return true;
}

static bool is_token(struct text text)
{
	return text.size && is_made_of(text, "!#$%&'*+-.^_`|~");
}

static bool has_control(struct text text)
{
	for (size_t i = 0; i < text.size; i++)
		if (((unsigned char)text.at[i] < 0x20 && text.at[i] != '\t') || text.at[i] == 0x7f)
			return true;
	return false;
}

static struct text trim(struct text text)
{
	while (text.size && is_in(*text.at, " \t")) {
		text.at++;
		text.size--;
	}
	while (text.size && is_in(text.at[text.size - 1], " \t"))
		text.size--;
	return text;
}

/* Up to the first such byte, which is left out; *text is what follows it. False when there is none. */
static bool split(struct text *text, char at, struct text *ret_first)
{
	const char *found = memchr(text->at, at, text->size);

	if (!found)
		return false;
	*ret_first = (struct text){ text->at, (size_t)(found - text->at) };
	*text = (struct text){ found + 1, text->size - ret_first->size - 1 };
	return true;
}

/* -- the head ---------------------------------------------------------------------------------------------------- */

static void worsen(struct request *request, enum verdict verdict)
{
	if (request->verdict < verdict)
		request->verdict = verdict;
}

/* What is no request target at all is left to fuzz_target.c; it may be refused. */
static void read_target(struct request *request, struct text target)
{
	if (text_is(request->method, "CONNECT") || !is_made_of(target, "-._~!$&'()*+,;=:@/?%"))
		worsen(request, ODD);
	size_t scheme = target.size > 7 && strncasecmp(target.at, "http://", 7) == 0    ? 7
			: target.size > 8 && strncasecmp(target.at, "https://", 8) == 0 ? 8
											: 0;
	if (scheme) {
		target = (struct text){ target.at + scheme, target.size - scheme };
		request->host = target;
		request->host.size = 0;
		while (target.size && !is_in(*target.at, "/?")) {
			target.at++;
			target.size--;
			request->host.size++;
		}
		if (!request->host.size || !is_made_of(request->host, ".-") || is_in(*request->host.at, ".-"))
			worsen(request, ODD);
	} else if (target.size == 0 || *target.at != '/') {
		worsen(request, ODD);
	}
	request->path = target;
	if (split(&target, '?', &request->path))
		request->query = target;
	if (request->path.size == 0)
		request->path = (struct text){ "/", 1 };
}

static void read_request_line(struct request *request, struct text line)
{
	struct text target;

	if (!split(&line, ' ', &request->method) || !is_token(request->method) ||
		!split(&line, ' ', &target)) {
		worsen(request, BAD);
		return;
	}
	request->is_old = text_is(line, "HTTP/1.0");
	request->may_close = request->is_old;
	if ((!request->is_old && !text_is(line, "HTTP/1.1")) || has_control(target) || !target.size)
		worsen(request, BAD);
	else
		read_target(request, target);
}

struct framing {
	unsigned hosts, lengths, codings, expectations, fields;
	struct text host;
	bool has_odd_blank; /* behind a length or a coding: refused, since libmicrohttpd cannot read them so */
};

static void read_length(struct request *request, struct framing *framing, struct text value, bool has_blank)
{
	size_t size = 0;

	framing->lengths++;
	framing->has_odd_blank |= has_blank;
	/* Zeros in front are digits too. */
	for (; value.size > 1 && *value.at == '0'; value.size--)
		value.at++;
	if (!value.size)
		worsen(request, BAD);
	for (size_t i = 0; i < value.size; i++) {
		if (value.at[i] < '0' || value.at[i] > '9')
			worsen(request, BAD);
		/* More than that nobody sends. */
		size = i < 18 ? size * 10 + (size_t)(value.at[i] - '0') : SIZE_MAX;
	}
	request->body_size = size;
}

static void read_field(struct request *request, struct framing *framing, struct text line)
{
	struct text value = line, name;

	framing->fields++;
	if (!split(&value, ':', &name) || !is_token(name) || has_control(value)) {
		worsen(request, BAD);
		return;
	}
	bool has_blank = value.size && is_in(value.at[value.size - 1], " \t");
	value = trim(value);
	if (text_is_nearly(name, "Host")) {
		framing->hosts++;
		framing->host = value;
	} else if (text_is_nearly(name, "Content-Length")) {
		read_length(request, framing, value, has_blank);
	} else if (text_is_nearly(name, "Transfer-Encoding")) {
		framing->codings++;
		framing->has_odd_blank |= has_blank;
		if (!text_is_nearly(value, "chunked"))
			worsen(request, BAD);
	} else if (text_is_nearly(name, "Expect")) {
		framing->expectations++;
		request->may_close = true;
		if (!request->is_old && !text_is_nearly(value, "100-continue"))
			worsen(request, BAD);
	} else if (text_is_nearly(name, "Connection") || text_is_nearly(name, "Upgrade")) {
		request->may_close = true;
	} else if (text_is_nearly(name, "Authorization")) {
		/* The first one counts; two are for basic_auth's own tests. */
		request->has_asked |= request->authorization.at != NULL;
		request->authorization = value;
	} else if (text_is_nearly(name, "Range") || text_is_nearly(name, "Accept-Encoding") ||
		   strncasecmp(name.at, "If-", 3) == 0) {
		request->has_asked = true;
	}
}

static void check_framing(struct request *request, const struct framing *framing, size_t head_size)
{
	if (framing->hosts > 1 || framing->lengths > 1 || framing->codings > 1 || framing->expectations > 1 ||
		(framing->lengths && framing->codings) || (framing->codings && request->is_old) ||
		(!framing->hosts && !request->is_old))
		worsen(request, BAD);
	/* Stranger hosts are for fuzz_target.c; large heads may not fit into the connection's memory. */
	if (!is_made_of(framing->host, ".-") || (framing->host.size && is_in(*framing->host.at, ".-")) ||
		framing->has_odd_blank || framing->fields > 50 || head_size > 3000)
		worsen(request, ODD);
	if (!request->host.at)
		request->host = framing->host;
	request->is_chunked = framing->codings > 0;
}

/*
 * libmicrohttpd overwrites what ends lines, and a colon that it takes for the end of a head, with NULs. Four bytes of which each may become
 * one, or is one, and that end with a line's end, then look like the end of a good head, whatever they were. NULL: there are none.
 */
static const char *odd_end(const struct reader *reader, struct text line)
{
	const char *at = line.at, *line_end = line.at + line.size;

	while (at < line_end && *at != '\0' && *at != '\r')
		at++;
	if (reader->end - at < 4 || at[3] != '\n' || memcmp(at, "\r\n\r\n", 4) == 0 || *at == ':')
		return NULL;
	for (int i = 0; i < 3; i++)
		if (at[i] && !strchr("\r\n:", at[i]))
			return NULL;
	return at;
}

/*
 * A line of the head. Lines end at a NUL: so one in front of a bare LF passes for a CR, and so does, in a line of its own, a colon.
 */
static bool next_head_line(
	struct reader *reader, struct request *request, const struct framing *framing, struct text *ret_line)
{
	bool had_bare_lf = reader->has_bare_lf;

	if (reader->has_ended) {
		*ret_line = (struct text){ reader->at, 0 };
		return true;
	}
	if (!next_line(reader, ret_line))
		return false;
	const char *odd = request->method.at && ret_line->size ? odd_end(reader, *ret_line) : NULL;
	if (odd) {
		ret_line->size = (size_t)(odd - ret_line->at);
		reader->at = odd + 4;
		reader->has_bare_lf = had_bare_lf;
		reader->has_ended = true;
		worsen(request, ODD);
		return true;
	}
	bool is_bare = ret_line->size && ret_line->at[ret_line->size] == '\n';
	char last = is_bare ? ret_line->at[ret_line->size - 1] : 'x';
	if (last != '\0' && (last != ':' || ret_line->size > 1 || !framing->fields))
		return true;
	ret_line->size--;
	reader->has_bare_lf = had_bare_lf;
	worsen(request, ODD);
	return true;
}

/* Returns false when the bytes end in it. */
static bool read_head(struct reader *reader, struct request *request)
{
	struct framing framing = { 0 };
	const char *begin = reader->at;
	struct text line;

	if (!next_head_line(reader, request, &framing, &line))
		return false;
	read_request_line(request, line);
	for (;;) {
		if (!next_head_line(reader, request, &framing, &line))
			return false;
		if (line.size == 0)
			break;
		read_field(request, &framing, line);
	}
	if (reader->has_bare_lf)
		worsen(request, BAD);
	check_framing(request, &framing, (size_t)(reader->at - begin));
	return true;
}

/* -- the body ---------------------------------------------------------------------------------------------------- */

static int digit_of(char c)
{
	return c >= '0' && c <= '9'                     ? c - '0'
	       : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
							: -1;
}

/* Digits, then nothing, or a semicolon and what nobody reads. */
static bool read_chunk_size(struct request *request, struct text line, size_t *ret_size)
{
	size_t size = 0, i = 0;

	for (; i < line.size && digit_of(line.at[i]) >= 0; i++) {
		if (size > SIZE_MAX >> 8)
			return false;
		size = size << 4 | (size_t)digit_of(line.at[i]);
	}
	*ret_size = size;
	if (i == 0 || (i < line.size && line.at[i] != ';'))
		return false;
	if (i > 16 || has_control(line))
		worsen(request, ODD);
	return true;
}

/* Returns false when the bytes end in it. */
static bool read_trailers(struct reader *reader, struct request *request)
{
	struct text line, name;

	for (unsigned i = 0;; i++) {
		if (!next_line(reader, &line))
			return false;
		if (line.size == 0)
			return true;
		/* As in a head, see next_head_line(); what follows on the line is passed over. */
		if (*line.at == '\0' || (*line.at == ':' && i)) {
			worsen(request, ODD);
			return true;
		}
		/* Nobody is shown them. */
		if (!split(&line, ':', &name) || !is_token(name) || has_control(line))
			worsen(request, ODD);
	}
}

static bool read_chunks(struct reader *reader, struct request *request)
{
	struct text line;
	size_t size;

	for (;;) {
		if (!next_line(reader, &line))
			return false;
		if (!read_chunk_size(request, line, &size)) {
			worsen(request, BAD);
			return true;
		}
		if (size == 0)
			return read_trailers(reader, request);
		if (size > (size_t)(reader->end - reader->at))
			return false;
		request->body_sum = sum(request->body_sum, reader->at, size);
		request->body_size += size;
		reader->at += size;
		if (reader->at == reader->end || (*reader->at == '\r' && reader->at + 1 == reader->end))
			return false;
		if (!next_line(reader, &line) || line.size) {
			worsen(request, BAD);
			return true;
		}
	}
}

static bool read_body(struct reader *reader, struct request *request)
{
	if (request->is_chunked) {
		bool is_whole = read_chunks(reader, request);

		if (reader->has_bare_lf)
			worsen(request, ODD);
		return is_whole;
	}
	size_t left = (size_t)(reader->end - reader->at);
	if (left < request->body_size)
		return false;
	request->body_sum = sum(0, reader->at, request->body_size);
	reader->at += request->body_size;
	return true;
}

/* An empty line in front is to be passed over (section 2.2). libmicrohttpd does so with more of them, with a bare LF, and with a line that
 * begins with a NUL, which it takes for the end. */
static void pass_over_lines(struct reader *reader, struct request *request)
{
	struct reader ahead = *reader;
	struct text line;
	unsigned count = 0;

	while (next_line(&ahead, &line) && (line.size == 0 || *line.at == '\0')) {
		if (count++ || line.size || ahead.has_bare_lf)
			worsen(request, ODD);
		reader->at = ahead.at;
	}
}

size_t read_request(const char *at, size_t size, struct request *ret_request)
{
	struct reader reader = { .at = at, .end = at + size };
	struct request request = { .verdict = GOOD, .body_sum = sum(0, "", 0) };

	pass_over_lines(&reader, &request);
	if (reader.at == reader.end)
		return 0;
	if (!read_head(&reader, &request)) {
		worsen(&request, UNFINISHED);
	} else if (request.verdict != BAD) {
		request.seen = sum_seen(request.method, request.path, request.query, request.host);
		request.has_head = true;
		if (!read_body(&reader, &request))
			worsen(&request, UNFINISHED);
	}
	*ret_request = request;
	return (size_t)(reader.at - at);
}

/* -- what is answered -------------------------------------------------------------------------------------------- */

static struct expected give(int status, const char *body)
{
	return (struct expected){ status, { body, body ? strlen(body) : 0 }, false };
}

static struct expected expect_read(const struct request *request)
{
	static char told[48];

	snprintf(told, sizeof told, "%zu %08x", request->body_size, (unsigned)request->body_sum);
	return give(200, told);
}

static struct expected expect_stream(bool may_be_cut)
{
	static char whole[STREAM_PIECES * sizeof STREAM_PIECE];

	if (!*whole)
		for (int i = 0; i < STREAM_PIECES; i++)
			strcat(whole, STREAM_PIECE);
	struct expected expected = give(200, whole);
	expected.may_be_cut = may_be_cut;
	return expected;
}

static struct expected expect_guarded(const struct request *request)
{
	if (request->has_asked)
		return give(0, NULL);
	if (text_is(request->authorization, "Basic dTpw"))
		return give(200, "root");
	/* Malformed ones get 400. */
	return request->authorization.at ? give(0, NULL) : give(401, NULL);
}

static struct expected expect_reader(const struct request *request)
{
	static const struct {
		const char *path, *body;
	} plain[] = { { "/", "root" }, { "/self", "own" }, { "/named", "named /inside" },
		{ "/m/x", "mounted /m /x" } };
	static char name[64];

	if (request->body_size > BODY_LIMIT)
		return give(0, NULL); /* 413, or what needs no body */
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (text_is(request->path, plain[i].path))
			return give(200, plain[i].body);
	if (text_is(request->path, "/stream") || text_is(request->path, "/late"))
		return expect_stream(text_is(request->path, "/late"));
	if (text_is(request->path, "/guarded"))
		return expect_guarded(request);
	if (text_is(request->path, "/f/a.txt"))
		return request->has_asked ? give(0, NULL) : give(200, "hello\n");
	if (text_is(request->path, "/f/large"))
		return give(request->has_asked ? 0 : 200, NULL);
	struct text rest = { request->path.at + 3, request->path.size - 3 };
	if (request->path.size > 3 && request->path.size < sizeof name &&
		memcmp(request->path.at, "/p/", 3) == 0 && is_made_of(rest, "_")) {
		snprintf(name, sizeof name, "%.*s", (int)rest.size, rest.at);
		return give(200, name);
	}
	return give(0, NULL);
}

struct expected expect(const struct request *request)
{
	if (text_is(request->method, "GET") || text_is(request->method, "HEAD"))
		return expect_reader(request);
	if (!text_is(request->method, "POST"))
		return give(0, NULL);
	bool is_small = text_is(request->path, "/small");
	if (!is_small && !text_is(request->path, "/echo") && !text_is(request->path, "/take"))
		return give(0, NULL);
	size_t limit = is_small ? SMALL_LIMIT : BODY_LIMIT;
	return request->body_size > limit ? give(413, NULL) : expect_read(request);
}
