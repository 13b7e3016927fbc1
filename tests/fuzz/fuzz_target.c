/*
 * fuzz_target.c: any bytes as "METHOD TARGET", and behind a newline a Host. What is taken has its parts inside the text and
 * nothing in them that no target may hold; and the whole request line reaches an app in-process as it was, or is refused.
 */
#include <rung/rung.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 4096 };

static char text[MOST + 1];
static const char *method, *target, *host;

static void insist(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static void insist_clean(struct rung_slice part, size_t size)
{
	/* The "/" of an absolute form without path lies elsewhere. */
	bool is_root = part.size == 1 && *part.at == '/';

	insist(!part.at || is_root || (part.at >= target && part.at + part.size <= target + size),
		"a part lies inside");
	for (size_t i = 0; i < part.size; i++)
		insist((unsigned char)part.at[i] > ' ' && part.at[i] != 0x7f && part.at[i] != '#',
			"a clean part");
}

/* It stands in front of the path, and is as strict as in any URI. */
static void insist_authority(const struct rung_request_target *parts)
{
	const char *end = parts->authority.at + parts->authority.size;
	struct rung_uri uri;

	insist(rung_uri_parse(target, (size_t)(end - target), &uri) == 0, "scheme and authority are a URI");
	insist(uri.host.size > 0, "with a host");
	insist(uri.scheme.at == parts->scheme.at && uri.path.size == 0, "the authority is all of it");
}

static void check_target(void)
{
	struct rung_request_target parts;
	size_t size = strlen(target);

	if (rung_target_parse(method, target, size, &parts) < 0)
		return;
	insist_clean(parts.path, size);
	insist_clean(parts.query, size);
	insist_clean(parts.authority, size);
	insist_clean(parts.scheme, size);
	if (parts.form == RUNG_TARGET_ABSOLUTE)
		insist_authority(&parts);
	insist((parts.form == RUNG_TARGET_AUTHORITY) == (strcmp(method, "CONNECT") == 0),
		"CONNECT has its own");
	if (parts.form == RUNG_TARGET_ORIGIN || parts.form == RUNG_TARGET_ABSOLUTE)
		insist(parts.path.size > 0, "a path");
	if (parts.form == RUNG_TARGET_ORIGIN)
		insist(*parts.path.at == '/' &&
				parts.path.size + (parts.query.at ? parts.query.size + 1 : 0) == size,
			"path and query are all of it");
}

static int compare(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	insist(strcmp(env->method, method) == 0, "the method as sent");
	insist(*env->path_info == '/' || strcmp(env->path_info, "*") == 0 || *env->path_info == '\0' ||
			*env->path_info == '?',
		"a path");
	insist(!strchr(env->path_info, '?') && !strchr(env->path_info, '#') && !strchr(env->query, '#'),
		"cut apart");
	if (*target == '/') {
		size_t path = strlen(env->path_info);

		insist(strncmp(target, env->path_info, path) == 0, "the path as sent");
		insist(strcmp(target[path] ? target + path + 1 : "", env->query) == 0, "the query as sent");
		insist(strcmp(env->host, host) == 0, "the host as sent");
	}
	return rung_reply_text(res, 200, "");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rung_client *client;
	struct rung_field fields[] = { { .name = "Host" }, { 0 } };

	if (!client)
		client = rung_client_new(rung_run(compare));
	insist(client != NULL, "a client");
	if (size > MOST)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	char *blank = strchr(text, ' ');
	char *newline = strchr(text, '\n');
	if (!blank || (newline && newline < blank))
		return 0;
	*blank = '\0';
	if (newline)
		*newline = '\0';
	method = text;
	target = blank + 1;
	host = fields[0].value = newline ? newline + 1 : "localhost";
	check_target();
	int status = rung_client_send(client, method, target, .headers = fields)->status;
	insist(status == 200 || status == 400 || status == 501, "200, 400 or 501");
	return 0;
}
