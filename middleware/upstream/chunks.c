/*
 * chunks.c: the chunked coding of an answer's body (RFC 9112 section 7.1), a byte at a time but for what is data. What could be read in
 * another way by somebody else is refused: a size without a digit or with too many, a line that CR does not end, data of another length.
 */
#include "upstream_private.h"

#include <errno.h>
#include <string.h>

enum { MOST_DIGITS = 15 }; /* so that a size fits into 63 bits */

static int digit_of(char letter)
{
	if (letter >= '0' && letter <= '9')
		return letter - '0';
	letter = (char)(letter | 0x20);
	return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

static int take_size(struct chunks *chunks, char letter)
{
	int digit = digit_of(letter);

	if (digit >= 0) {
		chunks->left = chunks->left << 4 | (uint64_t)digit;
		return ++chunks->digits <= MOST_DIGITS ? 0 : -EBADMSG;
	}
	if (!chunks->digits)
		return -EBADMSG;
	chunks->passed = 0;
	if (letter == '\r')
		chunks->state = CHUNK_SIZE_END;
	else if (letter == ';' || letter == ' ' || letter == '\t')
		chunks->state = CHUNK_EXTENSION;
	else
		return -EBADMSG;
	return 0;
}

static int take_extension(struct chunks *chunks, char letter)
{
	if (letter == '\r')
		chunks->state = CHUNK_SIZE_END;
	else if (letter == '\n' || ++chunks->passed > UPSTREAM_EXTENSION)
		return -EBADMSG;
	return 0;
}

/* The last chunk has no data, and no line's end behind that. */
static int end_size(struct chunks *chunks, char letter)
{
	chunks->state = chunks->left ? CHUNK_DATA : CHUNK_TRAILER;
	chunks->digits = 0;
	chunks->passed = 0;
	return letter == '\n' ? 0 : -EBADMSG;
}

static int take_trailer(struct chunks *chunks, char letter, size_t most)
{
	if (++chunks->passed > most)
		return -EBADMSG;
	if (chunks->state == CHUNK_TRAILER_LINE)
		chunks->state = letter == '\n' ? CHUNK_TRAILER : CHUNK_TRAILER_LINE;
	else if (letter == '\r')
		chunks->state = CHUNK_LAST_LF;
	else if (letter == '\n')
		return -EBADMSG;
	else
		chunks->state = CHUNK_TRAILER_LINE;
	return 0;
}

static int expect(struct chunks *chunks, char letter, char wanted, enum chunk_state next)
{
	chunks->state = next;
	return letter == wanted ? 0 : -EBADMSG;
}

static int take_byte(struct chunks *chunks, char letter, size_t most_trailers)
{
	switch (chunks->state) {
	case CHUNK_SIZE:
		return take_size(chunks, letter);
	case CHUNK_EXTENSION:
		return take_extension(chunks, letter);
	case CHUNK_SIZE_END:
		return end_size(chunks, letter);
	case CHUNK_DATA_CR:
		return expect(chunks, letter, '\r', CHUNK_DATA_LF);
	case CHUNK_DATA_LF:
		return expect(chunks, letter, '\n', CHUNK_SIZE);
	case CHUNK_TRAILER:
	case CHUNK_TRAILER_LINE:
		return take_trailer(chunks, letter, most_trailers);
	case CHUNK_LAST_LF:
		return expect(chunks, letter, '\n', CHUNK_OVER);
	case CHUNK_DATA:
	case CHUNK_OVER:
		break;
	}
	return -EBADMSG;
}

int rung_upstream_chunks_take(struct chunks *chunks, char *bytes, size_t size, size_t most_trailers,
	size_t *ret_used, size_t *ret_kept)
{
	size_t at = 0, kept = 0;
	int rc = 0;

	while (rc == 0 && at < size && chunks->state != CHUNK_OVER) {
		if (chunks->state != CHUNK_DATA) {
			rc = take_byte(chunks, bytes[at++], most_trailers);
			continue;
		}
		size_t piece = size - at < chunks->left ? size - at : (size_t)chunks->left;
		memmove(bytes + kept, bytes + at, piece);
		kept += piece;
		at += piece;
		chunks->left -= piece;
		if (!chunks->left)
			chunks->state = CHUNK_DATA_CR;
	}
	*ret_used = at;
	*ret_kept = kept;
	return rc;
}
