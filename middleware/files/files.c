/*
 * files.c: the files below a folder: what a path is answered with. See files.h.
 */
#include "files_private.h"

#include <rung/body.h>
#include <rung/headers.h>
#include <rung/writer.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- what is not there --------------------------------------------------------------------------------------------- */

static int reply_not_found(struct rung_response *res)
{
	res->pass = true;
	return rung_reply_empty(res, 404);
}

/* It is there, perhaps, but not now, or not for this disk. */
static bool is_failure(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOMEM || err == -EAGAIN || err == -EIO;
}

/* What opening failed of: mostly the file is not there for us; sometimes this process has no descriptor left, another one has the
 * file for itself, or the disk fails. */
static int reply_failed_open(
	const struct files *files, struct rung_env *env, struct rung_response *res, int err)
{
	if (is_failure(err))
		return rung_fail(
			env, err == -EIO ? err : -ENOMEM, "files: cannot open a file: %s", strerror(-err));
	if (err == -EACCES)
		rung_log(env, RUNG_LOG_WARNING, "rung: files: %s%s: %s", files->root, env->path_info,
			strerror(-err));
	return reply_not_found(res);
}

int rung_files_list_field(const struct rung_env *env, const char *name, const char **ret_value)
{
	struct rung_writer all = rung_writer(env);
	const struct rung_field *field;
	const char *first = NULL;

	for (size_t i = 0; (field = rung_request_field(env, i)); i++) {
		if (!rung_names_equal(field->name, name))
			continue;
		if (!first) {
			first = field->value;
			continue;
		}
		if (!all.size)
			rung_write(&all, first);
		rung_write(&all, ", ");
		rung_write(&all, field->value);
	}
	*ret_value = all.size ? all.text : first;
	return all.error;
}

/* A person goes somewhere: browsers then ask for HTML, and for anything else only if there is none. */
static bool prefers_html(const char *accept)
{
	return rung_accept_quality(accept, "text/html") >
	       rung_accept_quality(accept, "application/octet-stream");
}

/* In place of what is not there; what is there and cannot be had stays a matter for the log. */
static int reply_missing(const struct files *files, struct rung_env *env, struct rung_response *res, int err)
{
	const char *accept = NULL;
	struct stat info;

	if (!files->fallback || is_failure(err))
		return reply_failed_open(files, env, res, err);
	rung_header_add(res, "Vary", "Accept");
	if (rung_files_list_field(env, "Accept", &accept) < 0)
		return -ENOMEM;
	if (!prefers_html(accept))
		return reply_failed_open(files, env, res, err);
	int fd = rung_files_open(files, files->fallback, &info);
	if (fd < 0)
		return reply_failed_open(files, env, res, fd);
	return rung_files_send(files, env, res, files->fallback, fd, &info);
}

/* -- folders ----------------------------------------------------------------------------------------------------- */

/* A byte that a URI has as it is. Clients send others too, and a server takes them; a Location may not have them. */
static bool is_uri_byte(const char *at)
{
	static const char others[] = "-._~:/?@!$&'()*+,;=";

	if (*at == '%')
		return isxdigit((unsigned char)at[1]) && isxdigit((unsigned char)at[2]);
	return (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') ||
	       strchr(others, *at);
}

static void write_as_uri(struct rung_writer *writer, const char *text)
{
	for (; *text; text++)
		if (is_uri_byte(text))
			rung_write_bytes(writer, text, 1);
		else
			rung_writef(writer, "%%%02X", (unsigned char)*text);
}

/* To the same with a slash. Relative, so that it is right below any mount and behind any server; with "./", so that no
 * colon in the name makes a scheme of it. */
static int redirect_to_folder(struct rung_env *env, struct rung_response *res)
{
	const char *path = *env->path_info ? env->path_info : env->script_name;
	const char *slash = strrchr(path, '/');
	struct rung_writer location = rung_writer(env);

	rung_write(&location, "./");
	write_as_uri(&location, slash ? slash + 1 : path);
	rung_write(&location, *env->query ? "/?" : "/");
	write_as_uri(&location, env->query);
	return location.error ? location.error : rung_reply_redirect(res, 301, location.text);
}

static int reply_listing(
	const struct files *files, struct rung_env *env, struct rung_response *res, const char *path)
{
	int folder = rung_files_open_folder(files, path);

	if (folder < 0)
		return reply_missing(files, env, res, folder);
	return rung_files_list(files, env, res, path, folder);
}

static int reply_folder(
	const struct files *files, struct rung_env *env, struct rung_response *res, const char *path)
{
	struct stat info;
	int fd = -ENOENT;

	if (files->index) {
		const char *index = rung_printf(env, "%s%s%s", path, *path ? "/" : "", files->index);

		fd = index ? rung_files_open(files, index, &info) : -ENOMEM;
		if (fd >= 0)
			return rung_files_send(files, env, res, index, fd, &info);
	}
	if (files->listing && !is_failure(fd))
		return reply_listing(files, env, res, path);
	return reply_missing(files, env, res, fd);
}

/* -- the call ---------------------------------------------------------------------------------------------------- */

static int reply(const struct files *files, struct rung_env *env, struct rung_response *res)
{
	struct place place;
	struct stat info;
	int rc = rung_files_decode(env, &place);

	if (rc == -EINVAL)
		return rung_reply_empty(res, 400);
	if (rc < 0)
		return reply_missing(files, env, res, rc);
	if (place.is_folder)
		return reply_folder(files, env, res, place.path);
	int fd = rung_files_open(files, place.path, &info);
	if (fd >= 0)
		return rung_files_send(files, env, res, place.path, fd, &info);
	if (fd == -EISDIR && (files->index || files->listing))
		return redirect_to_folder(env, res);
	return reply_missing(files, env, res, fd);
}

static int files_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct files *files = (const struct files *)self;

	if (strcmp(env->method, "GET") == 0 || strcmp(env->method, "HEAD") == 0)
		return reply(files, env, res);
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
	struct files *files = (struct files *)app;

	free(files->root);
	free(files->index);
	free(files->fallback);
	free(files->cache_control);
}

static void files_describe(const struct rung_app *app, char *buffer, size_t room)
{
	const struct files *files = (const struct files *)app;

	snprintf(buffer, room, "root=\"%s\"%s%s%s%s%s%s%s%s", files->root, files->index ? " index=" : "",
		files->index ? files->index : "", files->fallback ? " fallback=" : "",
		files->fallback ? files->fallback : "", files->precompressed ? " precompressed" : "",
		files->listing ? " listing" : "", files->immutable ? " immutable" : "",
		files->cache_control ? " cache_control" : "");
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

/* A name below the root: no slash before or behind it, no hidden part. */
static bool is_relative(const char *path)
{
	while (path) {
		size_t size = strcspn(path, "/");

		if (!rung_files_is_plain(path, size))
			return false;
		path = path[size] ? path + size + 1 : NULL;
	}
	return true;
}

static int check_options(const struct rung_files_options *options)
{
	if (!options->root || !*options->root)
		return rung_refuse(-EINVAL, "files: there is no .root; name a folder");
	if (options->index && (!is_relative(options->index) || strchr(options->index, '/')))
		return rung_refuse(-EINVAL,
			"files: .index \"%s\" is no name of a file; use one such as index.html",
			options->index);
	if (options->fallback && !is_relative(options->fallback))
		return rung_refuse(-EINVAL,
			"files: .fallback \"%s\" is no path below the root; use one such as index.html",
			options->fallback);
	if (options->cache_control &&
		!rung_is_field_value(options->cache_control, strlen(options->cache_control)))
		return rung_refuse(
			-EINVAL, "files: .cache_control has a control byte; it goes into a header as it is");
	return 0;
}

/* Returns false when memory is out; NULL stays NULL. */
static bool copy(char **ret_copy, const char *text)
{
	*ret_copy = text ? strdup(text) : NULL;
	return !text || *ret_copy;
}

struct rung_app *rung_files_new(const struct rung_files_options *given)
{
	struct rung_files_options options;

	if (rung_options_copy("files", &options, given, sizeof options) < 0 || check_options(&options) < 0)
		return NULL;
	struct files *files = rung_app_new(&files_class);
	if (!files)
		return NULL;
	files->root_fd = -1;
	files->precompressed = options.precompressed;
	files->listing = options.listing;
	files->immutable = options.immutable;
	if (copy(&files->root, options.root) && copy(&files->index, options.index) &&
		copy(&files->fallback, options.fallback) &&
		copy(&files->cache_control, options.cache_control))
		return &files->app;
	rung_refuse(-ENOMEM, "files: out of memory");
	rung_app_destroy(&files->app);
	return NULL;
}
