/*
 * open.c: from the path of a request to an open file beneath the root.
 *
 * What keeps requests inside the folder is the kernel: openat2() with RESOLVE_BENEATH, which no link and no race can
 * leave. The checks of the path's text come first only because they also hide what is inside but not to be shown.
 */
#include "files_private.h"

#include <rung/uri.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* -- the path ---------------------------------------------------------------------------------------------------- */

/* Not hidden takes "." and ".." with it. Separators are those that were smuggled in as %2F or %5C. */
bool rung_files_is_plain(const char *name, size_t size)
{
	return size > 0 && *name != '.' && !memchr(name, '/', size) && !memchr(name, '\\', size);
}

/* Decodes segment by segment into `out`, which has room for all of path_info. The last may be empty: a folder. */
static int decode_segments(const char *path_info, char *out, bool *ret_is_folder)
{
	*ret_is_folder = false;
	while (*path_info == '/') {
		size_t size = strcspn(++path_info, "/");
		ssize_t decoded = rung_uri_decode(path_info, size, out, size + 1);

		if (decoded < 0)
			return -EINVAL;
		path_info += size;
		if (decoded == 0 && !*path_info) {
			*ret_is_folder = true;
			return 0;
		}
		if (!rung_files_is_plain(out, (size_t)decoded))
			return -ENOENT;
		out += decoded;
		*out++ = *path_info; /* the slash, or the end */
	}
	return *path_info ? -ENOENT : 0;
}

int rung_files_decode(struct rung_env *env, struct place *ret_place)
{
	char *path = rung_alloc(env, strlen(env->path_info) + 1);

	if (!path)
		return -ENOMEM;
	*path = '\0';
	int rc = decode_segments(env->path_info, path, &ret_place->is_folder);
	if (rc < 0)
		return rc;
	size_t size = strlen(path);
	if (size && path[size - 1] == '/')
		path[size - 1] = '\0';
	ret_place->path = path;
	return 0;
}

/* -- opening ----------------------------------------------------------------------------------------------------- */

/* For kernels before 5.6: one segment after the other, following no link at all. */
static int open_by_segments(int root, const char *path, int flags)
{
	char segment[NAME_MAX + 1];
	int folder = dup(root);

	while (folder >= 0) {
		const char *slash = strchr(path, '/');
		size_t size = slash ? (size_t)(slash - path) : strlen(path);
		int fd = -1, err = ENAMETOOLONG;

		if (size < sizeof segment) {
			memcpy(segment, path, size);
			segment[size] = '\0';
			fd = openat(folder, segment,
				(slash ? O_PATH | O_DIRECTORY : flags) | O_NOFOLLOW | O_CLOEXEC);
			err = errno;
		}
		close(folder);
		errno = err;
		if (!slash)
			return fd;
		folder = fd;
		path = slash + 1;
	}
	return -1;
}

/* The kernel says EAGAIN when somebody renamed folders meanwhile, which is over at once; and when another process has a lease
 * on the file, which may take it a minute to give back: nobody waits here for that. */
enum { MOST_TRIES = 32 };

static int open_beneath(const struct files *files, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned)flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int tries = 0;
	long fd;

	if (!*path)
		path = ".";
	do
		fd = syscall(SYS_openat2, files->root_fd, path, &how, sizeof how);
	while (fd < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < MOST_TRIES)));
	if (fd < 0 && errno == ENOSYS)
		fd = open_by_segments(files->root_fd, path, flags);
	return fd < 0 ? -errno : (int)fd;
}

/* O_NONBLOCK, since opening a FIFO must not wait; it is refused afterwards for being none of ours. */
int rung_files_open(const struct files *files, const char *path, struct stat *ret_info)
{
	struct stat info;
	int fd = open_beneath(files, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return fd;
	int rc = fstat(fd, &info) < 0    ? -errno
		 : S_ISREG(info.st_mode) ? fd
		 : S_ISDIR(info.st_mode) ? -EISDIR
					 : -ENOENT;
	if (rc < 0)
		close(fd);
	else
		*ret_info = info;
	return rc;
}

int rung_files_open_folder(const struct files *files, const char *path)
{
	return open_beneath(files, path, O_RDONLY | O_DIRECTORY);
}

int rung_files_stat(const struct files *files, const char *path, struct stat *ret_info)
{
	int fd = open_beneath(files, path, O_PATH);

	if (fd < 0)
		return fd;
	int rc = fstat(fd, ret_info) < 0 ? -errno : 0;
	close(fd);
	return rc;
}
