/*
 * server.h: the parts of fuzz_server.c: requests.c reads bytes as RFC 9112 has them and tells what the stack must answer,
 * answers.c reads what the server sent, made.c makes pipelines of good requests.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	BODY_LIMIT = 12000, /* of the server */
	SMALL_LIMIT = 64,   /* of /small */
	LARGE_FILE = 66000, /* bytes of /f/large: past what leaves in one send */
	STREAM_PIECES = 5,  /* of /stream and /late, each STREAM_PIECE */
};
#define STREAM_PIECE "0123456789abcdef"

struct text {
	const char *at;
	size_t size;
};

bool text_is(struct text text, const char *other);             /* byte for byte */
bool text_is_nearly(struct text text, const char *other);      /* without regard to case */
uint32_t sum(uint32_t before, const void *bytes, size_t size); /* a checksum; begins with 0 */

/* Stops the fuzzer: `what` is what should hold. */
void insist(bool holds, const char *what);

/* -- requests.c -------------------------------------------------------------------------------------------------- */

enum verdict {
	GOOD,       /* the stack must see it, just so */
	ODD,        /* refused, or seen just so */
	BAD,        /* no answer but a refusal */
	UNFINISHED, /* the bytes end in it */
};

struct request {
	enum verdict verdict;
	bool has_head;  /* it is the body that is bad, or not whole; a handler that wants none may answer */
	bool may_close; /* the client asks for it, or gives reason */
	bool is_old;    /* HTTP/1.0 */
	bool has_asked; /* for a part, a form or a condition: what is answered to that is not predicted */
	struct text method, path, query, host, authorization;
	bool is_chunked;
	size_t body_size;
	uint32_t body_sum;
	uint32_t seen; /* a checksum of method, path, query, host: what X-Seen shall say */
};

/* Reads one request. Returns how many bytes it has, 0 when nothing is left but line ends. */
size_t read_request(const char *at, size_t size, struct request *ret_request);

/* Of what an app sees. */
uint32_t sum_seen(struct text method, struct text path, struct text query, struct text host);

/* What must be answered: the status, 0 where that is not predicted; the body, at NULL likewise. */
struct expected {
	int status;
	struct text body;
	bool may_be_cut; /* when the client has closed its sending half */
};
struct expected expect(const struct request *request);

/* -- answers.c --------------------------------------------------------------------------------------------------- */

struct answer {
	int status;
	bool is_seen;    /* it comes from the stack: has X-Seen */
	bool is_head;    /* to HEAD */
	bool is_closing; /* Connection: close, or HTTP/1.0 without keep-alive */
	bool is_cut;     /* the bytes ended in its body, which shows */
	uint32_t seen;
	struct text body; /* without chunks; gone with the next answer */
};

/* Reads one answer, and insists on its form. Returns how many bytes it has, 0 when it is not whole yet; with is_over nothing will
 * follow, and an answer whose end that is, or that is cut, is returned. Interim ones are passed over. */
size_t read_answer(const char *at, size_t size, bool is_over, struct answer *ret_answer);

/* -- made.c -------------------------------------------------------------------------------------------------------- */

/* Turns any bytes into good requests. Returns their size. */
size_t make_requests(const uint8_t *plan, size_t size, char *out, size_t room);
