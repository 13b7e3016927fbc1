/* variant.c: which of a file's forms is sent, and how long caches may keep it: both told by names alone. */
#include "files_private.h"

#include <rung/headers.h>

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* -- siblings ---------------------------------------------------------------------------------------------------- */

/* The smallest comes first: of codings that a client likes equally it is taken. */
static const struct coding {
	const char *name; /* RFC 9110 section 8.4.1, RFC 7932, RFC 8878 */
	const char *suffix;
} codings[] = {
	{ "br", ".br" },
	{ "zstd", ".zst" },
	{ "gzip", ".gz" },
};

enum { CODINGS = sizeof codings / sizeof *codings };

/* The best of those not tried yet that the client likes as much as the file itself, or CODINGS. */
static size_t next_best(const char *accept, unsigned least, bool tried[CODINGS])
{
	unsigned best_quality = 0;
	size_t best = CODINGS;

	for (size_t i = 0; i < CODINGS; i++) {
		unsigned quality = tried[i] ? 0 : rung_coding_quality(accept, codings[i].name);

		if (quality > best_quality && quality >= least) {
			best_quality = quality;
			best = i;
		}
	}
	return best;
}

static void take_variant(struct found *found, struct stat *info, const struct coding *coding, int fd,
	const struct stat *sibling)
{
	close(found->fd);
	found->fd = fd;
	found->coding = coding->name;
	found->coding_suffix = coding->suffix;
	*info = *sibling;
}

int rung_files_choose_variant(
	const struct files *files, struct rung_env *env, struct found *found, struct stat *info)
{
	const char *accept = NULL;
	int rc = rung_files_list_field(env, "Accept-Encoding", &accept);
	bool tried[CODINGS] = { false };
	/* Who does not say what he thinks of the file as it is likes better what he asks for. */
	unsigned least =
		accept && strcasestr(accept, "identity") ? rung_coding_quality(accept, "identity") : 0;
	size_t i;

	while (rc == 0 && accept && (i = next_best(accept, least, tried)) < CODINGS) {
		const char *path = rung_printf(env, "%s%s", found->path, codings[i].suffix);
		struct stat sibling;
		int fd = path ? rung_files_open(files, path, &sibling) : -ENOMEM;

		if (fd >= 0) {
			take_variant(found, info, &codings[i], fd, &sibling);
			return 0;
		}
		if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM)
			return fd;
		tried[i] = true;
	}
	return rc;
}

/* -- fingerprints ------------------------------------------------------------------------------------------------ */

enum { LEAST_FINGERPRINT = 8 };

static bool is_fingerprint(const char *at, size_t size)
{
	bool digit = false, lower = false, upper = false, hex = true;

	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)at[i];

		digit |= byte >= '0' && byte <= '9';
		lower |= byte >= 'a' && byte <= 'z';
		upper |= byte >= 'A' && byte <= 'Z';
		hex &= isxdigit(byte) != 0;
	}
	return size >= LEAST_FINGERPRINT && digit && ((lower && upper) || (hex && (lower || upper)));
}

/* A date is no fingerprint, being without letters; a word is none, being without digits. */
bool rung_files_is_fingerprinted(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *at = slash ? slash + 1 : path;

	/* The first part is what the thing is called; the last is its extension. */
	for (at += strcspn(at, ".-_"); *at; at += strcspn(at, ".-_")) {
		size_t size = strcspn(++at, ".-_");

		if (at[size] == '.' && is_fingerprint(at, size))
			return true;
	}
	return false;
}
