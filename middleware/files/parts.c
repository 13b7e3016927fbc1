/*
 * parts.c: several ranges of a file as one body, multipart/byteranges (RFC 9110 section 14.6).
 *
 * Each part is a head of its own in front of bytes of the file. All heads are written before the first byte is sent, so
 * the length of the whole is exact.
 */
#include "files_private.h"

#include <rung/body.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

struct part {
	const char *head;
	size_t head_size;
	struct rung_range range; /* of length 0: the end */
};

struct parts {
	struct rung_source source;
	int fd;
	size_t at;    /* the part that is being read */
	int64_t done; /* bytes of it, head included */
	size_t count;
	struct part parts[RUNG_MAX_RANGES + 1];
};

static ssize_t read_file(const struct parts *parts, const struct part *part, void *buffer, size_t max)
{
	int64_t at = parts->done - (int64_t)part->head_size, left = part->range.length - at;
	ssize_t n;

	do
		n = pread(
			parts->fd, buffer, left < (int64_t)max ? (size_t)left : max, part->range.offset + at);
	while (n < 0 && errno == EINTR);
	/* Shorter than it was when the length was promised. */
	return n > 0 ? n : n == 0 ? -EIO : -errno;
}

static ssize_t read_head(const struct parts *parts, const struct part *part, void *buffer, size_t max)
{
	size_t left = part->head_size - (size_t)parts->done;

	if (left > max)
		left = max;
	memcpy(buffer, part->head + parts->done, left);
	return (ssize_t)left;
}

static ssize_t parts_read(struct rung_source *source, void *buffer, size_t max)
{
	struct parts *parts = (struct parts *)source;

	while (parts->at < parts->count) {
		const struct part *part = &parts->parts[parts->at];

		if (parts->done == (int64_t)part->head_size + part->range.length) {
			parts->at++;
			parts->done = 0;
			continue;
		}
		ssize_t n = parts->done < (int64_t)part->head_size ? read_head(parts, part, buffer, max)
								   : read_file(parts, part, buffer, max);
		if (n > 0)
			parts->done += n;
		return n;
	}
	return 0;
}

static void parts_close(struct rung_source *source)
{
	close(((struct parts *)source)->fd);
}

enum { BOUNDARY_BYTES = 16 };

/* Nobody can have written into the file what nobody knows: by chance it stands there once in 2^128. */
static int make_boundary(char boundary[2 * BOUNDARY_BYTES + 1])
{
	unsigned char random[BOUNDARY_BYTES];

	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return -EIO;
	for (size_t i = 0; i < sizeof random; i++)
		snprintf(boundary + 2 * i, 3, "%02x", random[i]);
	return 0;
}

/* Writes the heads. Returns the length of all, or -ENOMEM. */
static int64_t make_parts(struct rung_env *env, struct parts *parts, const struct found *found,
	const char *type, const char *boundary)
{
	int64_t length = 0;

	for (size_t i = 0; i < parts->count; i++) {
		struct part *part = &parts->parts[i];
		const struct rung_range *range = &part->range;

		part->head = range->length
				     ? rung_printf(env,
					       "%s--%s\r\nContent-Type: %s\r\n"
					       "Content-Range: bytes %lld-%lld/%lld\r\n\r\n",
					       i ? "\r\n" : "", boundary, type, (long long)range->offset,
					       (long long)(range->offset + range->length - 1),
					       (long long)found->size)
				     : rung_printf(env, "\r\n--%s--\r\n", boundary);
		if (!part->head)
			return -ENOMEM;
		part->head_size = strlen(part->head);
		length += (int64_t)part->head_size + range->length;
	}
	return length;
}

int rung_files_send_parts(struct rung_env *env, struct rung_response *res, const struct found *found,
	const char *type, const struct rung_range_set *set)
{
	struct parts *parts = rung_alloc(env, sizeof *parts);
	char boundary[2 * BOUNDARY_BYTES + 1];
	int64_t length = -ENOMEM;

	if (parts) {
		*parts = (struct parts){ .source = { .read = parts_read, .close = parts_close },
			.fd = found->fd,
			.count = set->count + 1 };
		for (size_t i = 0; i < set->count; i++)
			parts->parts[i].range = set->ranges[i];
		length = make_boundary(boundary);
	}
	if (length == 0)
		length = make_parts(env, parts, found, type, boundary);
	if (length < 0) {
		close(found->fd);
		return (int)length;
	}
	rung_headerf(res, "Content-Type", "multipart/byteranges; boundary=%s", boundary);
	return rung_body_pull(res, &parts->source, length);
}
