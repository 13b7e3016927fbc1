/* emulate_file.c: files that a server answers with itself: X-Accel-Redirect to a folder, X-Reproxy-File, X-Sendfile. */
#include "emulate.h"

#include <rung/conditional.h>
#include <rung/date.h>
#include <rung/mime.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_regular(const char *path, struct stat *ret_stat)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOTDIR || errno == ENAMETOOLONG ? -ENOENT : -errno;
	if (fstat(fd, ret_stat) < 0 || !S_ISREG(ret_stat->st_mode)) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

/* Servers compare If-Modified-Since with the very date they gave. */
static bool is_same_date(const struct rung_env *env, time_t modified)
{
	const char *since = rung_request_header(env, "If-Modified-Since");
	char date[RUNG_HTTP_DATE_SIZE];

	if (rung_request_header(env, "If-None-Match") || !since)
		return true;
	rung_http_date(modified, date);
	return strcmp(since, date) == 0;
}

static int judge(struct emulated *at, const char *etag, time_t modified)
{
	/* The method is what the server has made of it. */
	const struct rung_env *env =
		rung_rewrite(at->env, &(const struct rung_target){ .method = at->method });
	enum rung_precondition found = env ? rung_preconditions(env, etag, modified) : RUNG_GO_ON;

	at->no_memory = at->no_memory || !env;
	if (found == RUNG_PRECONDITION_FAILED)
		return 412;
	return found == RUNG_NOT_MODIFIED && is_same_date(at->env, modified) ? 304 : 0;
}

/* A server without a table of types of its own knows these. */
static const char *basic_type(const char *path)
{
	static const char *const known[] = { "html", "text/html", "gif", "image/gif", "jpg", "image/jpeg" };
	const char *dot = strrchr(path, '.');

	for (size_t i = 0; dot && !strchr(dot, '/') && i < sizeof known / sizeof *known; i += 2)
		if (strcasecmp(dot + 1, known[i]) == 0)
			return known[i + 1];
	return NULL;
}

/* Without the charset, which a server adds only where it is told one. */
static const char *type_of(const struct emulated *at, const struct rung_emulated_file *file)
{
	const char *type = *file->type ? basic_type(file->path) : rung_mime_type(file->path);

	if (!type)
		return *file->type ? file->type : "application/octet-stream";
	return rung_strndup(at->env, type, strcspn(type, ";"));
}

static void describe(
	struct emulated *at, const struct rung_emulated_file *file, const struct stat *stat, const char *etag)
{
	char date[RUNG_HTTP_DATE_SIZE];

	if (file->type && !rung_emulated_asked(at, "Content-Type"))
		rung_header(at->res, "Content-Type", type_of(at, file));
	if (file->conditional) {
		rung_http_date(stat->st_mtime, date);
		rung_header(at->res, "Last-Modified", date);
	}
	if (etag)
		rung_header(at->res, "ETag", etag);
}

/* Servers cut for HEAD, too. Several parts are not made: the whole is sent. */
static int range_of(
	struct emulated *at, const char *etag, const struct stat *stat, struct rung_range *ret_range)
{
	const struct rung_env *get = rung_rewrite(at->env, &(const struct rung_target){ .method = "GET" });
	struct rung_range_set set;
	enum rung_range_kind kind =
		get ? rung_ranges(get, etag, stat->st_mtime, stat->st_size, &set) : RUNG_RANGE_ALL;

	at->no_memory = at->no_memory || !get;
	if (kind == RUNG_RANGE_UNSATISFIABLE)
		return 416;
	if (kind == RUNG_RANGE_ALL || set.count > 1)
		return 200;
	*ret_range = set.ranges[0];
	return 206;
}

/* Whether what a client has a part of is still the same; either validator has to be the very one. */
static bool is_same_state(const struct rung_env *env, const char *etag, time_t modified)
{
	const char *known = rung_request_header(env, "If-Range");
	char date[RUNG_HTTP_DATE_SIZE];

	if (!known)
		return true;
	if (*known && known[strlen(known) - 1] == '"')
		return etag && strcmp(known, etag) == 0;
	rung_http_date(modified, date);
	return strcmp(known, date) == 0;
}

/* The body, or the part of it that was asked for. */
static int send(struct emulated *at, const struct rung_emulated_file *file, int fd, const struct stat *stat,
	const char *etag)
{
	struct rung_range range = { .length = stat->st_size };
	long long size = stat->st_size, from;

	if (!file->range)
		at->res->status = range_of(at, etag, stat, &range);
	else if (file->conditional && !is_same_state(at->env, etag, stat->st_mtime))
		at->res->status = 200;
	else
		at->res->status = file->range(at->env, size, &range);
	if (file->always_ranges || at->res->status == 200)
		rung_header_static(at->res, "Accept-Ranges", "bytes");
	if (at->res->status == 416) {
		close(fd);
		return rung_headerf(at->res, "Content-Range", "bytes */%lld", size);
	}
	from = range.offset;
	if (at->res->status == 206)
		rung_headerf(at->res, "Content-Range", "bytes %lld-%lld/%lld", from,
			from + (long long)range.length - 1, size);
	return rung_body_file(at->res, fd, range.offset, range.length, file->path);
}

int rung_emulated_file(struct emulated *at, const struct rung_emulated_file *file)
{
	struct stat stat;
	int fd = open_regular(file->path, &stat);
	const char *etag = NULL;

	if (fd < 0)
		return fd;
	if (file->expected && file->expected != stat.st_size) {
		close(fd);
		return -ENOENT;
	}
	at->is_file = true;
	if (file->etag)
		etag = file->etag(at->env, stat.st_size,
			stat.st_mtim.tv_sec * INT64_C(1000000000) + stat.st_mtim.tv_nsec);
	int status = file->conditional ? judge(at, etag, stat.st_mtime) : 0;
	describe(at, file, &stat, etag);
	if (!status)
		return send(at, file, fd, &stat, etag);
	close(fd);
	at->res->status = status;
	return 0;
}

/* -- X-Sendfile -------------------------------------------------------------------------------------------------- */

bool rung_emulated_may_ask(const struct emulated *at, const struct emulated_ask *ask)
{
	return ask->go != rung_emulated_sendfile || at->reproxy->sendfile;
}

/* The path below .sendfile, or NULL when it leads elsewhere. */
static const char *below(const struct emulated *at, const char *path)
{
	const char *folder = at->reproxy->sendfile;
	size_t size = strlen(folder);

	while (size > 1 && folder[size - 1] == '/')
		size--;
	if (strstr(path, ".."))
		return NULL;
	if (*path != '/')
		return rung_printf(at->env, "%s/%s", folder, path);
	return strncmp(path, folder, size) == 0 && path[size] == '/' ? path : NULL;
}

int rung_emulated_sendfile(struct emulated *at, const char *path)
{
	static const char *const of_a_body[] = { "Content-Length", "Content-Encoding", "Content-Range",
		"Transfer-Encoding", "X-Sendfile", "X-LIGHTTPD-send-file", NULL };
	struct rung_emulated_file file = { .path = below(at, path), .type = "", .conditional = true };

	at->held = at->asked;
	at->held_count = 0;
	for (size_t i = 0; i < at->asked_count; i++)
		if (!emulated_is_listed(of_a_body, &at->asked[i]))
			at->held[at->held_count++] = at->asked[i];
	at->asked_count = at->held_count;
	at->keeps_asker = true;
	int rc = file.path ? rung_emulated_file(at, &file) : -ENOENT;
	if (rc == -ENOENT || rc == -EACCES)
		return rung_emulated_status(at, 404, "there is no file %s", path);
	return rc;
}
