/* origin.c: the backends of .to: how they are written, and whose turn it is. */
#include "../../framework/uri_private.h"
#include "upstream_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static int refuse(const char *text, size_t size, const char *why)
{
	return rung_refuse(-EINVAL, "upstream: .to \"%.*s\" %s", (int)(size < 200 ? size : 200), text, why);
}

static int read_local(struct origin *origin, const char *text, size_t size)
{
	const size_t prefix = strlen("unix:");

	if (size == prefix || size - prefix >= sizeof((struct sockaddr_un *)NULL)->sun_path)
		return refuse(text, size,
			"has no path of a Unix socket, or one that is too long; write unix:/run/app.sock");
	origin->local = strndup(text + prefix, size - prefix);
	origin->url = strdup("http://localhost/");
	origin->authority = strdup("");
	origin->host = strdup("localhost");
	return 0;
}

/* What Host says: without the scheme's own port (RFC 9110 section 7.2). NULL: out of memory. */
static char *host_of(const struct rung_uri *uri)
{
	unsigned port = rung_uri_port(uri);
	char *host;
	int rc = port == rung_uri_default_port(uri)
			 ? asprintf(&host, "%.*s", (int)uri->host.size, uri->host.at)
			 : asprintf(&host, "%.*s:%u", (int)uri->host.size, uri->host.at, port);

	return rc < 0 ? NULL : host;
}

static bool is_web(const struct rung_slice *scheme)
{
	return (scheme->size == 4 && strncasecmp(scheme->at, "http", 4) == 0) ||
	       (scheme->size == 5 && strncasecmp(scheme->at, "https", 5) == 0);
}

/* What comes behind it begins with a slash, so that at its end goes. */
static int take_path(struct origins *origins, const struct rung_slice *path, const char *text, size_t size)
{
	size_t length = path->size && path->at[path->size - 1] == '/' ? path->size - 1 : path->size;

	if (origins->count > 1)
		return (origins->path != NULL) == (path->size > 0) &&
				       (!origins->path ||
					       (strlen(origins->path) == length &&
						       memcmp(origins->path, path->at, length) == 0))
			       ? 0
			       : refuse(text, size,
					 "has another path than the one before; give all of them the same");
	if (!path->size)
		return 0;
	origins->path = strndup(path->at, length);
	return origins->path ? 0 : -ENOMEM;
}

static int read_web(struct origins *origins, struct origin *origin, const char *text, size_t size)
{
	struct rung_uri uri;

	if (rung_uri_parse(text, size, &uri) < 0 || !uri.scheme.at || !is_web(&uri.scheme) || !uri.host.size)
		return refuse(text, size, "is no backend; write http://HOST:PORT, https://HOST or unix:PATH");
	if (uri.userinfo.at || uri.query.at || uri.fragment.at)
		return refuse(text, size, "has a user, a query or a fragment; leave it out");
	const char *authority = uri.host.at;
	size_t length = uri.host.size + (uri.port.size ? uri.port.size + 1 : 0);
	if (asprintf(&origin->url, "%.*s://%.*s/", (int)uri.scheme.size, uri.scheme.at, (int)length,
		    authority) < 0)
		origin->url = NULL;
	if (asprintf(&origin->authority, "%.*s:%u", (int)uri.host.size, authority, rung_uri_port(&uri)) < 0)
		origin->authority = NULL;
	origin->host = host_of(&uri);
	return take_path(origins, &uri.path, text, size);
}

static int read_one(struct origins *origins, struct origin *origin, const char *text, size_t size)
{
	const struct rung_slice none = { .at = "" };
	bool is_local = size >= 5 && strncmp(text, "unix:", 5) == 0;
	int rc = is_local ? read_local(origin, text, size) : read_web(origins, origin, text, size);

	if (rc == 0 && is_local)
		rc = take_path(origins, &none, text, size);
	origin->text = strndup(text, size);
	if (rc == 0 && (!origin->text || !origin->url || !origin->authority || !origin->host ||
			       (is_local && !origin->local)))
		rc = -ENOMEM;
	return rc == -ENOMEM ? rung_refuse(-ENOMEM, "upstream: out of memory") : rc;
}

int rung_upstream_origins_parse(const char *text, struct origins *ret_origins)
{
	struct origins *origins = ret_origins;
	const char *cursor = text;
	int rc = 0;

	origins->list = calloc(UPSTREAM_ORIGINS, sizeof *origins->list);
	if (!origins->list)
		return rung_refuse(-ENOMEM, "upstream: out of memory");
	for (size_t size; rc == 0 && *cursor; cursor += size) {
		cursor += strspn(cursor, ", \t");
		size = strcspn(cursor, ", \t");
		if (!size)
			break;
		if (origins->count == UPSTREAM_ORIGINS)
			return rung_refuse(
				-EINVAL, "upstream: .to has more than %d backends", UPSTREAM_ORIGINS);
		rc = read_one(origins, &origins->list[origins->count++], cursor, size);
	}
	if (rc == 0 && !origins->count)
		return refuse(text, strlen(text), "is empty; name a backend");
	return rc;
}

void rung_upstream_origins_free(struct origins *origins)
{
	for (unsigned i = 0; i < origins->count; i++) {
		free(origins->list[i].url);
		free(origins->list[i].text);
		free(origins->list[i].local);
		free(origins->list[i].authority);
		free(origins->list[i].host);
	}
	free(origins->list);
	free(origins->path);
}

struct origin *rung_upstream_origin_pick(struct origins *origins, unsigned first, uint32_t *tried)
{
	int64_t now = origins->count > 1 ? rung_upstream_clock() : 0;
	struct origin *second_best = NULL;
	unsigned second_index = 0;

	for (unsigned i = 0; i < origins->count; i++) {
		unsigned index = (first + i) % origins->count;
		struct origin *origin = &origins->list[index];

		if (*tried & 1u << index)
			continue;
		if (atomic_load_explicit(&origin->down_until, memory_order_relaxed) <= now) {
			*tried |= 1u << index;
			return origin;
		}
		if (!second_best) {
			second_best = origin;
			second_index = index;
		}
	}
	if (second_best)
		*tried |= 1u << second_index;
	return second_best;
}
