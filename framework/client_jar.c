/*
 * client_jar.c: the in-process client's cookies. One host, so Domain does not matter; Secure cookies are sent too,
 * since nothing leaves the process.
 */
#include "client_jar.h"

#include <rung/headers.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

struct cookie {
	struct cookie *next;
	char *name, *value, *path;
	time_t expires; /* 0: with the jar */
};

struct rung_jar {
	struct cookie *first;
};

struct rung_jar *rung_jar_new(void)
{
	return calloc(1, sizeof(struct rung_jar));
}

static void free_cookie(struct cookie *cookie)
{
	if (!cookie)
		return;
	free(cookie->name);
	free(cookie->value);
	free(cookie->path);
	free(cookie);
}

void rung_jar_forget(struct rung_jar *jar)
{
	while (jar->first) {
		struct cookie *cookie = jar->first;

		jar->first = cookie->next;
		free_cookie(cookie);
	}
}

void rung_jar_destroy(struct rung_jar *jar)
{
	if (!jar)
		return;
	rung_jar_forget(jar);
	free(jar);
}

bool rung_jar_is_empty(const struct rung_jar *jar)
{
	return !jar->first;
}

/* -- taking ------------------------------------------------------------------------------------------------------ */

/* RFC 6265 section 5.1.4: the directory of the request's path. */
static char *default_path(const char *path)
{
	const char *slash = strrchr(path, '/');

	return *path == '/' && slash != path ? strndup(path, (size_t)(slash - path)) : strdup("/");
}

static bool attribute_is(const char *at, size_t size, const char *name, const char **ret_value)
{
	size_t length = strlen(name);

	if (size < length + 1 || strncasecmp(at, name, length) != 0 || at[length] != '=')
		return false;
	*ret_value = at + length + 1;
	return true;
}

/* Never 0, which means no date, for a date: 1970 is the past as well as any other. */
static time_t parse_date(const char *text)
{
	struct tm parts = { 0 };

	/* What this library and most others write; a date of another form leaves a session cookie. */
	if (!strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &parts))
		return 0;
	time_t date = timegm(&parts);
	return date > 0 ? date : 1;
}

/* Seconds; 400 days, as the successor of RFC 6265 has it. */
enum { LONGEST_AGE = 400 * 24 * 60 * 60 };

static void take_attributes(struct cookie *cookie, const char *at)
{
	bool has_max_age = false;

	while (at && *at) {
		at += strspn(at, "; ");
		size_t size = strcspn(at, ";");
		const char *value;

		if (attribute_is(at, size, "Max-Age", &value)) {
			long long age = strtoll(value, NULL, 10);

			cookie->expires = age <= 0 ? 1 : time(NULL) + (age < LONGEST_AGE ? age : LONGEST_AGE);
			has_max_age = true;
		} else if (attribute_is(at, size, "Expires", &value) && !has_max_age) {
			cookie->expires = parse_date(value);
		} else if (attribute_is(at, size, "Path", &value) && *value == '/') {
			char *path = strndup(value, size - 5);

			if (path) {
				free(cookie->path);
				cookie->path = path;
			}
		}
		at += size;
	}
}

static struct cookie *parse_cookie(const char *text, const char *path)
{
	size_t size = strcspn(text, ";");
	const char *equals = memchr(text, '=', size);
	struct cookie *cookie;

	if (!equals || equals == text || !rung_is_token(text, (size_t)(equals - text)))
		return NULL;
	cookie = calloc(1, sizeof *cookie);
	if (!cookie)
		return NULL;
	cookie->name = strndup(text, (size_t)(equals - text));
	cookie->value = strndup(equals + 1, size - (size_t)(equals + 1 - text));
	cookie->path = default_path(path);
	if (cookie->name && cookie->value && cookie->path) {
		take_attributes(cookie, text + size);
		return cookie;
	}
	free_cookie(cookie);
	return NULL;
}

void rung_jar_note(struct rung_jar *jar, const char *set_cookie, const char *path)
{
	struct cookie *cookie = parse_cookie(set_cookie, path);
	struct cookie **place = &jar->first;

	if (!cookie)
		return;
	while (*place &&
		(strcmp((*place)->name, cookie->name) != 0 || strcmp((*place)->path, cookie->path) != 0))
		place = &(*place)->next;
	if (*place) {
		struct cookie *old = *place;

		*place = old->next;
		free_cookie(old);
	}
	if (cookie->expires && cookie->expires <= time(NULL)) {
		free_cookie(cookie);
		return;
	}
	cookie->next = *place;
	*place = cookie;
}

/* -- giving ------------------------------------------------------------------------------------------------------ */

/* RFC 6265 section 5.1.4: the same path, or one below it. */
static bool goes_to(const struct cookie *cookie, const char *path, size_t size)
{
	size_t length = strlen(cookie->path);

	if (cookie->expires && cookie->expires <= time(NULL))
		return false;
	if (length > size || strncmp(cookie->path, path, length) != 0)
		return false;
	return length == size || cookie->path[length - 1] == '/' || path[length] == '/';
}

static const char *path_of(const char *target)
{
	const char *authority = target && *target != '/' ? strstr(target, "://") : NULL;
	const char *path = authority ? strchr(authority + 3, '/') : target;

	return path && *path == '/' ? path : "/";
}

int rung_jar_header(
	const struct rung_jar *jar, struct rung_arena *arena, const char *target, char **ret_value)
{
	const char *path = path_of(target);
	size_t path_size = strcspn(path, "?"), size = 0;
	char *value, *at;

	for (const struct cookie *cookie = jar->first; cookie; cookie = cookie->next)
		if (goes_to(cookie, path, path_size))
			size += strlen(cookie->name) + strlen(cookie->value) + 3;
	*ret_value = NULL;
	if (size == 0)
		return 0;
	value = at = rung_arena_alloc(arena, size + 1);
	if (!value)
		return -ENOMEM;
	for (const struct cookie *cookie = jar->first; cookie; cookie = cookie->next) {
		if (!goes_to(cookie, path, path_size))
			continue;
		if (at != value)
			at = stpcpy(at, "; ");
		at = stpcpy(stpcpy(stpcpy(at, cookie->name), "="), cookie->value);
	}
	*ret_value = value;
	return 0;
}

const char *rung_jar_find(const struct rung_jar *jar, const char *name)
{
	for (const struct cookie *cookie = jar->first; cookie; cookie = cookie->next)
		if (strcmp(cookie->name, name) == 0 && goes_to(cookie, "/", 1))
			return cookie->value;
	return NULL;
}
