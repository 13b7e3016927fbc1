/*
 * destination.c: understanding the URI that an app gave. It comes from a program, but programs put data into URIs, so
 * nothing is believed: only http and https, only what RFC 3986 allows, no user and password.
 */
#include "reproxy_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { URI_MAX = 8192 };

static int refuse(struct rung_env *env, const char *uri, const char *why)
{
	return rung_fail(env, -EHOSTUNREACH, "reproxy: the URI \"%.500s\" %s", uri, why);
}

static bool is_web(const struct rung_slice *scheme)
{
	char text[6];

	if (scheme->size != 4 && scheme->size != 5)
		return false;
	for (size_t i = 0; i < scheme->size; i++)
		text[i] = (char)(scheme->at[i] | 0x20);
	return memcmp(text, "https", scheme->size) == 0;
}

/* Scheme and authority of this stack itself. */
static const char *own_origin(const struct reproxy *reproxy, struct rung_env *env)
{
	const char *const *authorities = reproxy->authorities;

	if (reproxy->base)
		return reproxy->base;
	return rung_printf(env, "http://%s", authorities && authorities[0] ? authorities[0] : "localhost");
}

/*
 * Writes the absolute form of a reference, relative to the current view at this stack's own address. A view whose path
 * or query is no valid URI, which a client may send, serves as base only for references that need neither.
 * Returns the length or a negative errno.
 */
static ssize_t resolve(const struct reproxy *reproxy, struct rung_env *env, const struct rung_uri *reference,
	char *buffer, size_t room)
{
	/* What has a scheme takes nothing from a base. */
	if (reference->scheme.at)
		return rung_uri_resolve(reference, reference, buffer, room);
	const char *origin = own_origin(reproxy, env);
	const char *text = origin ? rung_printf(env, "%s%s%s%s%s", origin, env->script_name, env->path_info,
					    *env->query ? "?" : "", env->query)
				  : NULL;
	struct rung_uri base;

	if (!text)
		return -ENOMEM;
	if (rung_uri_parse(text, strlen(text), &base) < 0) {
		bool needs_path = !reference->scheme.at && !reference->host.at &&
				  (reference->path.size == 0 || *reference->path.at != '/');

		if (needs_path || rung_uri_parse(origin, strlen(origin), &base) < 0)
			return -EINVAL;
	}
	return rung_uri_resolve(&base, reference, buffer, room);
}

/* Most URIs that programs give are finished: nothing to resolve, no dots to remove, nothing to leave out. */
static bool is_finished(const struct rung_uri *uri)
{
	return uri->scheme.at && uri->host.at && uri->path.size && !uri->fragment.at &&
	       !memmem(uri->path.at, uri->path.size, "/.", 2);
}

/* Writes the absolute form of a reference to memory of the request and splits it. Returns 0 or a negative errno. */
static int make_absolute(const struct reproxy *reproxy, struct rung_env *env,
	const struct rung_uri *reference, struct destination *found)
{
	char buffer[URI_MAX];
	ssize_t size = resolve(reproxy, env, reference, buffer, sizeof buffer);

	if (size < 0)
		return (int)size;
	/* A slash may join it. */
	char *text = rung_alloc(env, (size_t)size + 2);
	if (!text)
		return -ENOMEM;
	memcpy(text, buffer, (size_t)size + 1);
	found->text = text;
	int rc = rung_uri_parse(text, (size_t)size, &found->uri);
	/* nginx sends its own location's path for a URI without one. */
	if (rc < 0 || found->uri.path.size || found->uri.host.size == 0)
		return rc;
	char *path = text + (found->uri.path.at - text);
	memmove(path + 1, path, strlen(path) + 1);
	*path = '/';
	return rung_uri_parse(text, (size_t)size + 1, &found->uri);
}

int rung_reproxy_understand(const struct reproxy *reproxy, struct rung_env *env, const char *uri,
	struct destination *ret_destination)
{
	struct rung_uri reference;
	struct destination found;
	size_t size = strlen(uri);

	if (!*uri)
		return refuse(env, uri, "is empty");
	if (rung_uri_parse(uri, size, &reference) < 0)
		return refuse(env, uri,
			"is not valid; percent-encode what it is made of, as rung_reply_uri() does");
	if (reference.userinfo.at)
		return refuse(env, uri, "has a user or password; leave them out");
	found.is_relative = !reference.scheme.at && !reference.host.at;
	int rc = 0;
	if (size < URI_MAX && is_finished(&reference)) {
		found.text = uri;
		found.uri = reference;
	} else {
		reference.fragment = (struct rung_slice){ 0 };
		rc = make_absolute(reproxy, env, &reference, &found);
	}
	if (rc == -ENOMEM)
		return rung_fail(env, -ENOMEM, "reproxy: no memory for a URI");
	if (rc < 0)
		return refuse(env, uri, rc == -ENOSPC ? "is longer than 8191 bytes" : "cannot be resolved");
	if (!is_web(&found.uri.scheme))
		return refuse(env, uri, "is neither http nor https");
	if (found.uri.host.size == 0)
		return refuse(env, uri, "has no host");
	*ret_destination = found;
	return 0;
}

/* -- self -------------------------------------------------------------------------------------------------------- */

static bool same_host(const struct rung_slice *a, const struct rung_slice *b)
{
	if (a->size != b->size)
		return false;
	for (size_t i = 0; i < a->size; i++) {
		char left = a->at[i], right = b->at[i];

		left = left >= 'A' && left <= 'Z' ? (char)(left | 0x20) : left;
		right = right >= 'A' && right <= 'Z' ? (char)(right | 0x20) : right;
		if (left != right)
			return false;
	}
	return true;
}

bool rung_reproxy_same_authority(
	const struct rung_uri *uri, const struct rung_slice *host, const struct rung_slice *port)
{
	const struct rung_uri other = { .scheme = uri->scheme, .host = *host, .port = *port };

	return same_host(&uri->host, host) && rung_uri_port(uri) == rung_uri_port(&other);
}

static bool is_authority(const struct rung_uri *uri, const char *authority)
{
	struct rung_slice host, port;

	if (rung_uri_parse_authority(authority, strlen(authority), &host, &port) < 0)
		return false;
	return rung_reproxy_same_authority(uri, &host, &port);
}

bool rung_reproxy_is_listed(const struct reproxy *reproxy, const struct rung_uri *uri)
{
	const char *const *hosts =
		reproxy->hosts ? (const char *const *)reproxy->hosts : reproxy->authorities;

	for (; hosts && *hosts; hosts++)
		if (is_authority(uri, *hosts))
			return true;
	return false;
}

bool rung_reproxy_is_self(const struct reproxy *reproxy, const struct destination *destination)
{
	return destination->is_relative || reproxy->any_host_is_self ||
	       rung_reproxy_is_listed(reproxy, &destination->uri);
}
