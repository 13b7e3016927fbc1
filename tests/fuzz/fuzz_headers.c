/*
 * fuzz_headers.c: any bytes as fields of a request and a response. The first byte chooses what the rest is tried as:
 *
 *   l  a list value: members lie inside it, in order, without blanks around them, and joined again they are the same list
 *   a  an Accept value: a weight from 0 to 1000
 *   n  a name and a value behind the first newline, set in a response: refused, or kept byte for byte
 *   r  lines "name:value" sent in-process: refused with a 4xx, or seen by the app as they were
 */
#include <rung/rung.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 16384, MOST_FIELDS = 200 };

static void insist(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* -- values ---------------------------------------------------------------------------------------------------- */

static void try_list(const char *value)
{
	static char joined[2 * MOST];
	const char *cursor = value, *member, *last = value;
	size_t size, members = 0, again = 0, at = 0;

	while (rung_list_next(&cursor, &member, &size)) {
		insist(member >= last && member + size <= value + strlen(value),
			"members lie in order inside");
		insist(size > 0 && !strchr(" \t", *member) && !strchr(" \t", member[size - 1]),
			"no blanks around");
		memcpy(joined + at, member, size);
		at += size;
		joined[at++] = ',';
		last = member + size;
		members++;
	}
	joined[at] = '\0';
	for (cursor = joined; rung_list_next(&cursor, &member, &size);)
		again++;
	/* A quote that nothing closes takes the comma in. */
	insist(again == members, "the same members when joined");
}

static void try_accept(const char *value)
{
	static const char *const types[] = { "text/html", "text/plain", "application/problem+json", "*/*",
		"x" };

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		insist(rung_accept_quality(value, types[i]) <= 1000, "a weight");
	insist(rung_coding_quality(value, "gzip") <= 1000 && rung_coding_quality(value, "identity") <= 1000,
		"a weight of a coding");
}

/* -- a response's fields ----------------------------------------------------------------------------------------- */

static const char *given_name, *given_value;
static size_t given_name_size, given_value_size;

static int set_field(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)env;
	int rc = rung_header(res, given_name, given_value);
	bool is_good = rung_is_token(given_name, given_name_size) &&
		       rung_is_field_value(given_value, given_value_size);

	insist((rc == 0) == is_good, "set if, and only if, it is a field");
	if (rc < 0)
		return rc;
	insist(strcmp(rung_header_get(res, given_name), given_value) == 0, "kept byte for byte");
	insist(rung_header_add(res, given_name, given_value) == 0 && rung_header_at(res, 1), "added");
	insist(rung_header(res, given_name, "x") == 0 && !rung_header_at(res, 1), "set in place of all");
	rung_header_remove(res, given_name);
	insist(!rung_header_at(res, 0), "removed");
	res->status = 200;
	return 0;
}

static void drop_line(void *data, enum rung_log_level level, const char *line)
{
	(void)data;
	(void)level;
	for (; *line; line++)
		insist(*line >= 0x20 && *line < 0x7f, "nothing in the log but printable ASCII");
}

static struct rung_client *client_of(struct rung_app *app)
{
	const struct rung_setup setup = { .size = sizeof setup, .log = drop_line };
	struct rung_client *client = rung_client_new(app, .setup = &setup);

	insist(client != NULL, "a client");
	return client;
}

static void try_field(char *text, size_t size)
{
	struct rung_client *client = client_of(rung_run(set_field));
	char *newline = memchr(text, '\n', size);

	if (newline)
		*newline = '\0';
	given_name = text;
	given_value = newline ? newline + 1 : "";
	given_name_size = strlen(given_name);
	given_value_size = strlen(given_value);
	int status = rung_client_get(client, "/")->status;
	insist(status == 200 || status == 500, "200 or 500");
	rung_client_destroy(client);
}

/* -- a request's fields ------------------------------------------------------------------------------------------ */

static struct rung_field sent[MOST_FIELDS + 1];

static int compare_fields(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	for (size_t i = 0; sent[i].name; i++) {
		const struct rung_field *field = rung_request_field(env, i);

		insist(field && strcmp(field->name, sent[i].name) == 0 &&
				strcmp(field->value, sent[i].value) == 0,
			"seen as sent");
		insist(strlen(field->name) == field->name_size && strlen(field->value) == field->value_size,
			"sizes are those of the strings");
		insist(rung_request_header(env, field->name) != NULL, "found by its name");
	}
	insist(rung_request_header(env, "Host") != NULL, "there is a Host");
	return rung_reply_text(res, 200, "");
}

static void try_request(char *text)
{
	struct rung_client *client = client_of(rung_run(compare_fields));
	size_t count = 0;

	for (char *line = strtok(text, "\n"); line && count < MOST_FIELDS; line = strtok(NULL, "\n")) {
		char *colon = strchr(line, ':');

		if (colon)
			*colon = '\0';
		sent[count].name = line;
		sent[count++].value = colon ? colon + 1 : "";
	}
	sent[count] = (struct rung_field){ 0 };
	int status = rung_client_send(client, "GET", "/", .headers = sent)->status;
	insist(status == 200 || status == 400, "200 or 400");
	rung_client_destroy(client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[MOST + 1];

	if (size == 0 || size > MOST)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (*data == 'l')
		try_list(text);
	else if (*data == 'a')
		try_accept(text);
	else if (*data == 'n')
		try_field(text, size - 1);
	else if (*data == 'r')
		try_request(text);
	return 0;
}
