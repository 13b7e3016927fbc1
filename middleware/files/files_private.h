/* files_private.h: private: what the files of the files app share. */
#pragma once

#include <rung/files.h>

#include <rung/env.h>
#include <rung/range.h>
#include <rung/response.h>

#include <sys/stat.h>
#include <time.h>

struct files {
	struct rung_app app;
	char *root;
	int root_fd;                            /* since start, -1 before */
	char *index, *fallback, *cache_control; /* NULL: none */
	bool precompressed, listing, immutable;
};

/* A file that is there, open, and what tells this state of it from another. */
struct found {
	const char *path;   /* below the root, by which it was asked for; its siblings have more behind it */
	const char *coding; /* Content-Encoding, or NULL */
	const char *coding_suffix; /* of the sibling that is sent, or "" */
	int fd;
	int64_t size;
	const char *etag;
	time_t modified;
};

/* -- files.c ----------------------------------------------------------------------------------------------------- */

/* The value of a field that is a list, of all its lines together (RFC 9110 section 5.3); NULL if there is none. Returns 0 or
 * -ENOMEM. */
int rung_files_list_field(const struct rung_env *env, const char *name, const char **ret_value);

/* -- open.c ------------------------------------------------------------------------------------------------------ */

/* A path of a request, decoded. */
struct place {
	char *path;     /* below the root, "" for itself; no slash at its end */
	bool is_folder; /* there was one */
};

/* Returns 0; -ENOENT for what can be no file of ours; -EINVAL for escapes that are none; -ENOMEM. */
int rung_files_decode(struct rung_env *env, struct place *ret_place);

/* True for a name that may be asked for and shown: not empty, not hidden, no separator in it. */
bool rung_files_is_plain(const char *name, size_t size);

/* Opens what is beneath the root. Returns a descriptor of a regular file; -EISDIR for a folder; else a negative errno,
 * -ENOENT also for what is neither. */
int rung_files_open(const struct files *files, const char *path, struct stat *ret_info);

/* Opens a folder beneath the root for reading. Returns a descriptor or a negative errno. */
int rung_files_open_folder(const struct files *files, const char *path);

/* What is beneath the root, unopened. Returns 0 or a negative errno. */
int rung_files_stat(const struct files *files, const char *path, struct stat *ret_info);

/* -- send.c ------------------------------------------------------------------------------------------------------ */

/* Answers with an open file, whose descriptor it takes. */
int rung_files_send(const struct files *files, struct rung_env *env, struct rung_response *res,
	const char *path, int fd, const struct stat *info);

/* -- variant.c --------------------------------------------------------------------------------------------------- */

/* Opens, in place of a file, the sibling that the client likes best, if there is one it likes as much as the file. Returns 0;
 * a negative errno, and nothing changed, when this process cannot open files any more. */
int rung_files_choose_variant(
	const struct files *files, struct rung_env *env, struct found *found, struct stat *info);

/* True when a name tells of its content: see .immutable. */
bool rung_files_is_fingerprinted(const char *path);

/* -- parts.c ----------------------------------------------------------------------------------------------------- */

/* The body, and the Content-Type, of several ranges. Takes the descriptor, also on failure. Returns 0 or the error that stuck. */
int rung_files_send_parts(struct rung_env *env, struct rung_response *res, const struct found *found,
	const char *type, const struct rung_range_set *set);

/* -- listing.c --------------------------------------------------------------------------------------------------- */

/* Answers with a page that lists an open folder, whose descriptor it takes. */
int rung_files_list(
	const struct files *files, struct rung_env *env, struct rung_response *res, const char *path, int fd);
