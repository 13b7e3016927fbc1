/*
 * fuzz_conditional.c: any bytes as fields of preconditions, one a line: the first letter says which. Whatever they are, the
 * answer is one of three; a date that is read is written the same way again; and what was judged once is judged so again.
 */
#include <rung/rung.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 2048, MOST_FIELDS = 16 };

static void insist(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static int judge(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	static const int statuses[] = {
		[RUNG_GO_ON] = 200, [RUNG_NOT_MODIFIED] = 304, [RUNG_PRECONDITION_FAILED] = 412
	};
	enum rung_precondition once = rung_preconditions(env, "\"1\"", 784111777);

	(void)self;
	insist((unsigned)once <= RUNG_PRECONDITION_FAILED, "one of three");
	insist(once == rung_preconditions(env, "\"1\"", 784111777), "the same again");
	insist(once != RUNG_NOT_MODIFIED || strcmp(env->method, "GET") == 0, "304 is for who reads");
	rung_preconditions(env, NULL, -1);
	rung_preconditions(env, "no tag", 0);
	return rung_reply_empty(res, statuses[once]);
}

static void try_date(const char *text)
{
	char again[RUNG_HTTP_DATE_SIZE];
	time_t when, same;

	if (rung_http_date_parse(text, &when) < 0)
		return;
	rung_http_date(when, again);
	insist(rung_http_date_parse(again, &same) == 0, "what is written is a date");
	insist(same == when, "the same date");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "If-Match", "If-None-Match", "If-Modified-Since",
		"If-Unmodified-Since" };
	static struct rung_client *client;
	struct rung_field fields[MOST_FIELDS + 1] = { { 0 } };
	char text[MOST + 1], *at = text;
	size_t count = 0;

	if (!client)
		client = rung_client_new(rung_run(judge));
	insist(client != NULL, "a client");
	if (size > MOST || memchr(data, '\0', size))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	for (char *line; count < MOST_FIELDS && (line = strsep(&at, "\n"));)
		if (*line) {
			fields[count].name = names[*line & 3];
			fields[count++].value = line + 1;
			try_date(line + 1);
		}
	const char *method = size % 2 ? "GET" : "PUT";
	int status = rung_client_send(client, method, "/", .headers = fields)->status;
	insist(status == 200 || status == 304 || status == 412, "200, 304 or 412");
	return 0;
}
