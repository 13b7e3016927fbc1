/*
 * fuzz_cookies.c: any lines as Cookie fields. The cookies are those that a slow and simple reader finds; written anew and read
 * again they are the same; limits hold.
 */
#include <rung/rung.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 4096, MOST_FIELDS = 8, MOST_COOKIES = 64, MOST_BYTES = 2048 };

static void insist(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* -- the slow reader ----------------------------------------------------------------------------------------------- */

static struct {
	char name[MOST], value[MOST];
} expected[MOST_COOKIES + 1];
static size_t expected_count, expected_bytes;

static void trim(char *text)
{
	while (*text == ' ' || *text == '\t')
		memmove(text, text + 1, strlen(text));
	for (size_t size = strlen(text); size && (text[size - 1] == ' ' || text[size - 1] == '\t');)
		text[--size] = '\0';
}

static void read_slowly(const char *field)
{
	char copy[MOST + 1], *rest = copy, *piece;

	expected_bytes += strlen(field);
	strcpy(copy, field);
	while ((piece = strsep(&rest, ";")) && expected_count <= MOST_COOKIES) {
		char *value = piece, *name = strsep(&value, "=");

		trim(name);
		if (!value || !*name)
			continue;
		trim(value);
		strcpy(expected[expected_count].name, name);
		strcpy(expected[expected_count++].value, value);
	}
}

/* -- the app ------------------------------------------------------------------------------------------------------- */

static void compare(const struct rung_params *params)
{
	insist(params->count == expected_count, "as many cookies");
	for (size_t i = 0; i < expected_count; i++) {
		const struct rung_pair *pair = &params->pairs[i];

		insist(strcmp(pair->name, expected[i].name) == 0, "the same name");
		insist(strcmp(pair->value, expected[i].value) == 0, "the same value");
		insist(strlen(pair->name) == pair->name_size && strlen(pair->value) == pair->value_size,
			"sizes");
		insist(!pair->file && pair->name_size, "a name and no file");
		insist(rung_params_get(params, pair->name) != NULL, "found by its name");
	}
}

static void read_again(struct rung_env *env, const struct rung_params *params)
{
	struct rung_writer text = rung_writer(env);
	const struct rung_params *again;

	for (size_t i = 0; i < params->count; i++)
		rung_writef(&text, "%s%s=%s", i ? "; " : "", params->pairs[i].name, params->pairs[i].value);
	if (!text.text || !rung_is_field_value(text.text, text.size))
		return;
	insist(rung_request_header_set(env, "Cookie", text.text) == 0, "set");
	insist(rung_cookies(env, &again) == 0, "read again");
	compare(again);
}

static int look(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	static const struct rung_params_limits limits = {
		.size = sizeof limits, .cookies = MOST_COOKIES, .cookie_bytes = MOST_BYTES
	};
	const struct rung_params *params = NULL;
	int rc = rung_cookies_within(env, &limits, &params);

	(void)self;
	insist(rc == (expected_count > MOST_COOKIES || expected_bytes > MOST_BYTES ? -E2BIG : 0),
		"refused past a limit alone");
	if (rc < 0)
		return rc;
	compare(params);
	read_again(env, params);
	return rung_reply_empty(res, 200);
}

static void drop_line(void *data, enum rung_log_level level, const char *line)
{
	(void)data, (void)line;
	insist(level == RUNG_LOG_INFO, "it is the client's doing");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct rung_setup setup = { .size = sizeof setup, .log = drop_line };
	static struct rung_client *client;
	struct rung_field fields[MOST_FIELDS + 1] = { { 0 } };
	char text[MOST + 1], *at = text, *line;

	if (!client)
		client = rung_client_new(rung_run(look), .setup = &setup, .no_cookies = true);
	insist(client != NULL, "a client");
	if (size > MOST || memchr(data, '\0', size))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	expected_count = expected_bytes = 0;
	for (size_t i = 0; i < MOST_FIELDS && (line = strsep(&at, "\n")); i++) {
		fields[i] = (struct rung_field){ .name = i % 2 ? "cookie" : "Cookie", .value = line };
		read_slowly(line);
	}
	int status = rung_client_send(client, "GET", "/", .headers = fields)->status;
	insist(status == 200 || status == 413, "200 or 413");
	return 0;
}
