/*
 * files.c: the files below a folder. See files.h.
 *
 * What keeps requests inside the folder is the kernel: openat2() with RESOLVE_BENEATH, which no link and no race can
 * leave. The checks of the path's text come first only because they also hide what is inside but not to be shown.
 */
#include <rung/files.h>

#include <rung/body.h>
#include <rung/conditional.h>
#include <rung/date.h>
#include <rung/env.h>
#include <rung/mime.h>
#include <rung/range.h>
#include <rung/response.h>
#include <rung/uri.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct files {
	struct rung_app app;
	char *root;
	int root_fd; /* since start, -1 before */
};

/* -- the path ---------------------------------------------------------------------------------------------------- */

/* A decoded segment that may be looked for: not empty, not hidden (which takes "." and ".." with it), no separator that
 * was smuggled in as %2F or %5C. */
static bool is_plain_segment(const char *segment, size_t size)
{
	return size > 0 && *segment != '.' && !memchr(segment, '/', size) && !memchr(segment, '\\', size);
}

/*
 * Writes the path below the root to `path`, which has room for all of path_info. Returns 0; -ENOENT for what can be no
 * file of ours; -EINVAL for escapes that are none.
 */
static int decode_path(const char *path_info, char *path)
{
	char *out = path;

	if (*path_info != '/')
		return -ENOENT;
	while (*path_info == '/') {
		size_t size = strcspn(++path_info, "/");
		ssize_t decoded = rung_uri_decode(path_info, size, out, size + 1);

		if (decoded < 0)
			return -EINVAL;
		if (!is_plain_segment(out, (size_t)decoded))
			return -ENOENT;
		out += decoded;
		path_info += size;
		*out++ = *path_info; /* the slash, or the end */
	}
	return 0;
}

/* -- opening ----------------------------------------------------------------------------------------------------- */

/* For kernels before 5.6: one segment after the other, following no link at all. */
static int open_by_segments(int root, char *path)
{
	int folder = dup(root);

	while (folder >= 0) {
		char *slash = strchr(path, '/');
		int flags = slash ? O_PATH | O_DIRECTORY : O_RDONLY | O_NONBLOCK | O_NOCTTY;

		if (slash)
			*slash = '\0';
		int fd = openat(folder, path, flags | O_NOFOLLOW | O_CLOEXEC);
		int err = errno;
		close(folder);
		errno = err;
		if (!slash)
			return fd;
		*slash = '/';
		folder = fd;
		path = slash + 1;
	}
	return -1;
}

/* O_NONBLOCK, since opening a FIFO must not wait; it is refused afterwards for being none of ours. */
static int open_beneath(int root, char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	do
		fd = syscall(SYS_openat2, root, path, &how, sizeof how);
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return fd < 0 && errno == ENOSYS ? open_by_segments(root, path) : (int)fd;
}

/* Returns a descriptor of a regular file, or a negative errno. */
static int open_file(int root, char *path, struct stat *ret_info)
{
	int fd = open_beneath(root, path);

	if (fd < 0)
		return -errno;
	if (fstat(fd, ret_info) == 0 && S_ISREG(ret_info->st_mode))
		return fd;
	close(fd);
	return -ENOENT;
}

/* -- answering --------------------------------------------------------------------------------------------------- */

static int reply_not_found(struct rung_response *res)
{
	res->pass = true;
	return rung_reply_empty(res, 404);
}

/* What opening failed of: mostly the file is not there for us; sometimes this process has no descriptor left. */
static int reply_failed_open(
	const struct files *files, struct rung_env *env, struct rung_response *res, int err)
{
	if (err == -EMFILE || err == -ENFILE || err == -ENOMEM)
		return rung_fail(env, -ENOMEM, "files: cannot open a file: %s", strerror(-err));
	if (err == -EACCES || err == -EIO)
		rung_log(env, RUNG_LOG_WARNING, "rung: files: %s%s: %s", files->root, env->path_info,
			strerror(-err));
	return reply_not_found(res);
}

/* A file that is there, open, and what tells this state of it from another. */
struct found {
	const char *path; /* below the root */
	int fd;
	int64_t size;
	const char *etag;
	time_t modified;
};

/* Same bytes, same tag: size and time of change to the nanosecond; the inode tells a file that took another's place. A date
 * in the future is no date that may be sent (RFC 9110 section 8.8.2.1). */
static int make_validators(struct rung_env *env, const struct stat *info, struct found *found)
{
	time_t now = time(NULL);

	found->size = info->st_size;
	found->modified = info->st_mtim.tv_sec < now ? info->st_mtim.tv_sec : now;
	found->etag = rung_printf(env, "\"%llx-%llx-%llx%08lx\"", (unsigned long long)info->st_ino,
		(unsigned long long)info->st_size, (unsigned long long)info->st_mtim.tv_sec,
		(unsigned long)info->st_mtim.tv_nsec);
	return found->etag ? 0 : -ENOMEM;
}

static void set_validators(struct rung_response *res, const struct found *found)
{
	char date[RUNG_HTTP_DATE_SIZE];

	rung_header_static(res, "ETag", found->etag);
	rung_http_date(found->modified, date);
	rung_header(res, "Last-Modified", date);
	rung_header_static(res, "Accept-Ranges", "bytes");
}

/* Chooses the part to send and says so. Returns the status. */
static int choose_range(struct rung_env *env, struct rung_response *res, const struct found *found,
	struct rung_range *ret_range)
{
	*ret_range = (struct rung_range){ 0, found->size };
	switch (rung_range(env, found->etag, found->modified, found->size, ret_range)) {
	case RUNG_RANGE_PART:
		rung_headerf(res, "Content-Range", "bytes %lld-%lld/%lld", (long long)ret_range->offset,
			(long long)(ret_range->offset + ret_range->length - 1), (long long)found->size);
		return 206;
	case RUNG_RANGE_UNSATISFIABLE:
		rung_headerf(res, "Content-Range", "bytes */%lld", (long long)found->size);
		return 416;
	case RUNG_RANGE_ALL:
		break;
	}
	return 200;
}

static int send_file(
	const struct files *files, struct rung_env *env, struct rung_response *res, const struct found *found)
{
	const char *full_path = rung_printf(env, "%s/%s", files->root, found->path);
	const char *type = rung_mime_type(found->path);
	struct rung_range range;
	int status = choose_range(env, res, found, &range);

	if (status == 416) {
		close(found->fd);
		return rung_reply_empty(res, status);
	}
	res->status = status;
	rung_header_static(res, "Content-Type", type ? type : "application/octet-stream");
	rung_header_static(res, "X-Content-Type-Options", "nosniff");
	return rung_body_file(res, found->fd, range.offset, range.length, full_path);
}

/* The descriptor goes to the response, or is closed. */
static int answer(
	const struct files *files, struct rung_env *env, struct rung_response *res, const struct found *found)
{
	enum rung_precondition judged = rung_preconditions(env, found->etag, found->modified);

	set_validators(res, found);
	if (judged == RUNG_GO_ON)
		return send_file(files, env, res, found);
	close(found->fd);
	return rung_reply_empty(res, judged == RUNG_NOT_MODIFIED ? 304 : 412);
}

static int reply_file(const struct files *files, struct rung_env *env, struct rung_response *res)
{
	char *path = rung_alloc(env, strlen(env->path_info) + 1);
	struct found found = { .path = path };
	struct stat info;

	if (!path)
		return -ENOMEM;
	int rc = decode_path(env->path_info, path);
	if (rc < 0)
		return rc == -EINVAL ? rung_reply_empty(res, 400) : reply_not_found(res);
	found.fd = open_file(files->root_fd, path, &info);
	if (found.fd < 0)
		return reply_failed_open(files, env, res, found.fd);
	if (make_validators(env, &info, &found) == 0)
		return answer(files, env, res, &found);
	close(found.fd);
	return -ENOMEM;
}

static int files_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct files *files = (const struct files *)self;

	if (strcmp(env->method, "GET") == 0 || strcmp(env->method, "HEAD") == 0)
		return reply_file(files, env, res);
	rung_reply_empty(res, strcmp(env->method, "OPTIONS") == 0 ? 204 : 405);
	return rung_header_static(res, "Allow", "GET, HEAD, OPTIONS");
}

/* -- life -------------------------------------------------------------------------------------------------------- */

static int files_start(struct rung_app *app, const struct rung_setup *setup)
{
	struct files *files = (struct files *)app;

	(void)setup;
	files->root_fd = open(files->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (files->root_fd < 0)
		return rung_refuse(-errno, "files: root \"%s\": %s; make the folder, or name another",
			files->root, strerror(errno));
	return 0;
}

static void files_stop(struct rung_app *app)
{
	struct files *files = (struct files *)app;

	close(files->root_fd);
	files->root_fd = -1;
}

static void files_destroy(struct rung_app *app)
{
	free(((struct files *)app)->root);
}

static void files_describe(const struct rung_app *app, char *buffer, size_t room)
{
	snprintf(buffer, room, "root=\"%s\"", ((const struct files *)app)->root);
}

static const struct rung_app_class files_class = {
	.size = sizeof(struct files),
	.name = "files",
	.flags = RUNG_ENDPOINT,
	.call = files_call,
	.start = files_start,
	.stop = files_stop,
	.destroy = files_destroy,
	.describe = files_describe,
};

struct rung_app *rung_files_new(const struct rung_files_options *given)
{
	struct rung_files_options options;

	if (rung_options_copy("files", &options, given, sizeof options) < 0)
		return NULL;
	if (!options.root || !*options.root) {
		rung_refuse(-EINVAL, "files: there is no .root; name a folder");
		return NULL;
	}
	struct files *files = rung_app_new(&files_class);
	if (!files)
		return NULL;
	files->root_fd = -1;
	files->root = strdup(options.root);
	if (files->root)
		return &files->app;
	rung_refuse(-ENOMEM, "files: out of memory");
	rung_app_destroy(&files->app);
	return NULL;
}
