/* upload.c: safe names for files that came in a form, and their way to a folder. */
#include "text.h"
#include "utf8.h"
#include <rung/upload.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* -- names ------------------------------------------------------------------------------------------------------- */

enum {
	MOST = RUNG_SAFE_NAME_SIZE - 1,
	MOST_EXTENSION = 16, /* bytes; what is longer is cut like the rest of a name */
};

/* A name in the making. */
struct name {
	char *text;
	size_t size, room;
};

/* U+0080 to U+009F are controls too; the rest turn text around or are not seen, so that a name looks like another. */
static bool is_unseen(const char *at, size_t size)
{
	unsigned code = rung_utf8_code(at, size);

	return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x061c || code == 0xfeff ||
	       (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2060 && code <= 0x206f);
}

/* True when the byte may not stand where the name is now: dots, blanks and dashes in front, a dot behind a dot. */
static bool is_misplaced(const struct name *name, char c)
{
	if (name->size == 0)
		return c == '.' || c == ' ' || c == '-';
	return c == '.' && name->text[name->size - 1] == '.';
}

/* Adds what may stay of some text. */
static void add(struct name *name, const char *at, const char *end)
{
	while (at < end) {
		size_t size = rung_utf8_size(at, end), taken = size ? size : 1;
		const char *piece = size && !(size == 1 && *at && strchr("<>:\"|?*/\\", *at)) ? at : "_";

		at += taken;
		if (piece != at - taken)
			size = 1;
		else if (is_unseen(piece, size) || (size == 1 && is_misplaced(name, *piece)))
			continue;
		if (size > name->room - name->size)
			return;
		memcpy(name->text + name->size, piece, size);
		name->size += size;
	}
}

static void trim(struct name *name)
{
	while (name->size && (name->text[name->size - 1] == '.' || name->text[name->size - 1] == ' '))
		name->size--;
}

/* The dot of an extension that is kept however long the name is; `end` when there is none. */
static const char *find_extension(const char *start, const char *end)
{
	const char *dot = memrchr(start, '.', (size_t)(end - start));

	if (!dot || end - dot == 1 || end - dot - 1 > MOST_EXTENSION)
		return end;
	for (const char *at = dot + 1; at < end; at++)
		if (!((*at >= '0' && *at <= '9') || (rung_lower(*at) >= 'a' && rung_lower(*at) <= 'z')))
			return end;
	return dot;
}

/* Makes the name with `front` before it. */
static void make(const char *front, const char *start, const char *end, char *buffer)
{
	static const char fallback[] = "file";
	const char *dot = find_extension(start, end);
	struct name name = { .text = buffer, .room = MOST - (size_t)(end - dot) };

	add(&name, front, front + strlen(front));
	add(&name, start, dot);
	trim(&name);
	name.room = MOST;
	/* A name that begins with its only dot has no extension. */
	if (name.size)
		memcpy(buffer + name.size, dot, (size_t)(end - dot));
	if (name.size)
		name.size += (size_t)(end - dot);
	else
		add(&name, dot, end);
	if (!name.size)
		add(&name, fallback, fallback + strlen(fallback));
	buffer[name.size] = '\0';
}

/* 0 to 9, or a superscript one, two or three. */
static bool is_port_number(const char *at, size_t size)
{
	return (size == 1 && *at >= '0' && *at <= '9') ||
	       (size == 2 && at[0] == '\xc2' && strchr("\xb9\xb2\xb3", at[1]));
}

/* Windows takes these for devices, with any extension. */
static bool is_device(const char *name)
{
	static const char *const devices[] = { "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$" };
	size_t size = strcspn(name, ".");

	while (size && name[size - 1] == ' ')
		size--;
	for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
		if (size == strlen(devices[i]) && strncasecmp(name, devices[i], size) == 0)
			return true;
	return size > 3 && (strncasecmp(name, "COM", 3) == 0 || strncasecmp(name, "LPT", 3) == 0) &&
	       is_port_number(name + 3, size - 3);
}

void rung_safe_name(const char *name, size_t size, char buffer[RUNG_SAFE_NAME_SIZE])
{
	const char *start = name, *end = name + size;
	char once[RUNG_SAFE_NAME_SIZE];

	for (const char *at = name; at < end; at++)
		if (*at == '/' || *at == '\\')
			start = at + 1;
	make("", start, end, once);
	/* What the extension is, and what is to be trimmed before it, shows when nothing is left that is dropped. */
	end = once + strlen(once);
	make("", once, end, buffer);
	if (!is_device(buffer))
		return;
	/* Longer by one, it may be cut elsewhere. */
	make("_", buffer, buffer + strlen(buffer), once);
	make("", once, once + strlen(once), buffer);
}

/* -- saving ------------------------------------------------------------------------------------------------------ */

static int write_all(int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			bytes += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

int rung_upload_save(const struct rung_upload *upload, int folder, const char *name, mode_t mode)
{
	name = name ? name : upload->safe_name;
	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EINVAL;
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		mode ? mode : (mode_t)0600);
	if (fd < 0)
		return -errno;
	int rc = write_all(fd, upload->bytes, upload->size);
	/* Some file systems tell only here that the disk is full. */
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	if (rc < 0)
		unlinkat(folder, name, 0);
	return rc;
}
