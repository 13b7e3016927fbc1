/* send.c: an open file as an answer: validators, preconditions, ranges, how long caches may keep it. */
#include "files_private.h"

#include <rung/body.h>
#include <rung/conditional.h>
#include <rung/date.h>
#include <rung/mime.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Same bytes, same tag: size and time of change to the nanosecond; the inode tells a file that took another's place. A date
 * in the future is no date that may be sent (RFC 9110 section 8.8.2.1). */
static int make_validators(struct rung_env *env, const struct stat *info, struct found *found)
{
	struct timespec now;

	/* Not time(): it lags behind the clock by which files are stamped. */
	clock_gettime(CLOCK_REALTIME, &now);
	found->size = info->st_size;
	found->modified = info->st_mtim.tv_sec < now.tv_sec ? info->st_mtim.tv_sec : now.tv_sec;
	found->etag = rung_printf(env, "\"%llx-%llx-%llx%08lx\"", (unsigned long long)info->st_ino,
		(unsigned long long)info->st_size, (unsigned long long)info->st_mtim.tv_sec,
		(unsigned long)info->st_mtim.tv_nsec);
	return found->etag ? 0 : -ENOMEM;
}

/* What a 304 has as well as a 200 (RFC 9110 section 15.4.5). */
static void set_fields(const struct files *files, struct rung_response *res, const struct found *found)
{
	char date[RUNG_HTTP_DATE_SIZE];

	rung_header_static(res, "ETag", found->etag);
	rung_http_date(found->modified, date);
	rung_header(res, "Last-Modified", date);
	rung_header_static(res, "Accept-Ranges", "bytes");
	if (files->precompressed)
		rung_header_add(res, "Vary", "Accept-Encoding");
}

/* Not for refusals: a cache may keep whatever says how long, also a 412 or 416 (RFC 9111 section 3). */
static void set_caching(const struct files *files, struct rung_response *res, const struct found *found)
{
	if (files->immutable && rung_files_is_fingerprinted(found->path))
		rung_header_static(res, "Cache-Control", "public, max-age=31536000, immutable");
	else if (files->cache_control)
		rung_header_static(res, "Cache-Control", files->cache_control);
}

/* Chooses what to send and says so. Returns the status. Several parts of a coded form are no answer: Content-Encoding would
 * speak of the multipart body, which is not coded, and a client that decodes it fails. It gets the whole instead, which
 * a server may always send. */
static int choose_ranges(struct rung_env *env, struct rung_response *res, const struct found *found,
	struct rung_range_set *ret_set)
{
	const struct rung_range_set whole = { .count = 1, .ranges[0] = { 0, found->size } };

	*ret_set = whole;
	switch (rung_ranges(env, found->etag, found->modified, found->size, ret_set)) {
	case RUNG_RANGE_PART:
		if (ret_set->count > 1 && found->coding) {
			*ret_set = whole;
			return 200;
		}
		if (ret_set->count == 1)
			rung_headerf(res, "Content-Range", "bytes %lld-%lld/%lld",
				(long long)ret_set->ranges[0].offset,
				(long long)(ret_set->ranges[0].offset + ret_set->ranges[0].length - 1),
				(long long)found->size);
		return 206;
	case RUNG_RANGE_UNSATISFIABLE:
		rung_headerf(res, "Content-Range", "bytes */%lld", (long long)found->size);
		return 416;
	case RUNG_RANGE_ALL:
		break;
	}
	return 200;
}

static int send_bytes(
	const struct files *files, struct rung_env *env, struct rung_response *res, const struct found *found)
{
	const char *full_path = rung_printf(env, "%s/%s%s", files->root, found->path, found->coding_suffix);
	const char *type = rung_mime_type(found->path);
	struct rung_range_set set;
	int status = choose_ranges(env, res, found, &set);

	if (status == 416) {
		close(found->fd);
		return rung_reply_empty(res, status);
	}
	res->status = status;
	set_caching(files, res, found);
	if (!type)
		type = "application/octet-stream";
	if (found->coding)
		rung_header_static(res, "Content-Encoding", found->coding);
	rung_header_static(res, "X-Content-Type-Options", "nosniff");
	if (set.count > 1)
		return rung_files_send_parts(env, res, found, type, &set);
	rung_header_static(res, "Content-Type", type);
	return rung_body_file(res, found->fd, set.ranges[0].offset, set.ranges[0].length, full_path);
}

int rung_files_send(const struct files *files, struct rung_env *env, struct rung_response *res,
	const char *path, int fd, const struct stat *opened)
{
	struct found found = { .path = path, .fd = fd, .coding_suffix = "" };
	struct stat info = *opened;
	int rc = files->precompressed ? rung_files_choose_variant(files, env, &found, &info) : 0;

	if (rc < 0 || make_validators(env, &info, &found) < 0) {
		close(found.fd);
		return rung_fail(
			env, -ENOMEM, "files: cannot open a file: %s", strerror(rc < 0 ? -rc : ENOMEM));
	}
	enum rung_precondition judged = rung_preconditions(env, found.etag, found.modified);
	set_fields(files, res, &found);
	if (judged == RUNG_GO_ON)
		return send_bytes(files, env, res, &found);
	close(found.fd);
	if (judged != RUNG_NOT_MODIFIED)
		return rung_reply_empty(res, 412);
	set_caching(files, res, &found);
	/* libmicrohttpd would write 0, and it has to be that of the 200 (RFC 9110 section 8.6). */
	rung_headerf(res, "Content-Length", "%lld", (long long)found.size);
	return rung_reply_empty(res, 304);
}
