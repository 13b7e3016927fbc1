/*
 * fuzz_inspect.c: any bytes as the query of a request, and, behind a newline, as a field: with a secret at the end of each,
 * under a name that says so. What the inspector keeps is JSON, and the secret is not in it.
 */
#include <rung/inspect.h>
#include <rung/rung.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1024 };

static void insist(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static int answer(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_text(res, 200, "answer");
}

/* Strings, and outside them nothing but what JSON's structure is made of; brackets pair. */
static void check_json(const char *at)
{
	int depth = 0;

	for (; *at; at++) {
		if (*at == '"') {
			for (at++; *at != '"'; at += *at == '\\' ? 2 : 1)
				insist((unsigned char)*at >= 0x20 && *at != '<',
					"no raw control byte, no tag");
			continue;
		}
		insist(strchr("{}[],:.-0123456789truefalsnu\n", *at) != NULL, "JSON outside of strings");
		depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
		insist(depth >= 0, "brackets pair");
	}
	insist(depth == 0, "brackets pair");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rung_client *client;
	char query[MOST + 1], target[MOST + 64], value[MOST + 64];

	if (!client)
		client = rung_client_new(rung_stack(rung_inspect(.keep = 1), rung_run(answer)));
	insist(client != NULL, "a client");
	/* The secret by itself, under no name, is none. */
	if (size > MOST || memmem(data, size, "S3CR3T", 6))
		return 0;
	memcpy(query, data, size);
	query[size] = '\0';
	char *newline = strchr(query, '\n');
	if (newline)
		*newline = '\0';
	snprintf(target, sizeof target, "/?%s&access_token=S3CR3T", query);
	snprintf(value, sizeof value, "http://h/?%s&password=S3CR3T", newline ? newline + 1 : "");
	const struct rung_field fields[] = { { .name = "Referer", .value = value },
		{ .name = "Authorization", .value = "Basic S3CR3T" }, { 0 } };
	if (rung_client_send(client, "GET", target, .headers = fields)->status != 200)
		return 0; /* a target or a field that no server takes */
	const char *json = rung_client_get(client, "/_rung/requests.json")->body;
	insist(strstr(json, "S3CR3T") == NULL, "the secret is dots");
	check_json(json);
	return 0;
}
