/* counted.h: bodies that count what is done with them: read, ended, closed, freed. */
#pragma once

#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* A source that gives a text in pieces, ends as it was told, and fails the test when it is asked for more. */
struct counted {
	struct rung_source source;
	const char *text;
	size_t piece;   /* bytes a read at most; 0: all */
	ssize_t ending; /* 0, or the error with which it ends */
	int not_yet;    /* how often it says so before each piece */
	int waited;
	int reads, ends, closes;
	size_t at;
};

static inline ssize_t counted_read(struct rung_source *source, void *buffer, size_t max)
{
	struct counted *counted = (struct counted *)source;
	size_t size = strlen(counted->text) - counted->at;

	cr_assert(max > 0, "a source is asked for something");
	cr_assert(counted->closes == 0, "a source is not read after its close");
	cr_assert(counted->ends == 0, "a source is not read after its end");
	counted->reads++;
	if (counted->waited < counted->not_yet) {
		counted->waited++;
		return -EAGAIN;
	}
	counted->waited = 0;
	if (size == 0) {
		counted->ends++;
		return counted->ending;
	}
	if (size > max)
		size = max;
	if (counted->piece && size > counted->piece)
		size = counted->piece;
	memcpy(buffer, counted->text + counted->at, size);
	counted->at += size;
	return (ssize_t)size;
}

/* The first letter of each source's text, in the order in which they were closed. */
static char close_order[64];

static inline void counted_close(struct rung_source *source)
{
	struct counted *counted = (struct counted *)source;

	counted->closes++;
	if (strlen(close_order) + 1 < sizeof close_order)
		strncat(close_order, counted->text, 1);
}

#define COUNTED(...)                                                                    \
	{                                                                               \
		.source = { .read = counted_read, .close = counted_close }, __VA_ARGS__ \
	}

static int frees;

static inline void count_free(void *bytes)
{
	frees++;
	free(bytes);
}

/* A file of the text, already unlinked. */
static inline int text_file(const char *text)
{
	char path[] = "/tmp/rung-body-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	cr_assert(fd >= 0 && unlink(path) == 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

static inline bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}
