/*
 * fuzz_urlencoded.c: any bytes as an urlencoded form and, up to a NUL, as a query. The pairs are those that a slow and simple
 * reader of the URL standard finds; encoded anew and read again they are the same; limits hold.
 */
#include <rung/rung.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 4096, MOST_PAIRS = 64, MOST_BYTES = 2048 };

static void insist(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* -- the slow reader: "application/x-www-form-urlencoded parsing" of the URL standard, step by step ----------------- */

struct simple {
	char name[MOST], value[MOST];
	size_t name_size, value_size;
};

static struct simple expected[MOST_PAIRS + 1];

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)((at - digits) % 16) : -1;
}

static size_t decode(const char *text, size_t size, char *out)
{
	size_t made = 0;

	for (size_t i = 0; i < size; i++) {
		if (text[i] == '%' && i + 2 < size && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
			out[made++] = (char)(digit(text[i + 1]) * 16 + digit(text[i + 2]));
			i += 2;
		} else {
			out[made++] = (char)(text[i] == '+' ? ' ' : text[i]);
		}
	}
	return made;
}

/* Returns how many there are, at most one more than there is room for what is looked at. */
static size_t read_slowly(const char *text, size_t size)
{
	size_t count = 0, from = 0;

	for (size_t i = 0; i <= size && count <= MOST_PAIRS; i++) {
		if (i < size && text[i] != '&')
			continue;
		if (i > from) {
			struct simple *pair = &expected[count++];
			size_t equals = from;

			while (equals < i && text[equals] != '=')
				equals++;
			pair->name_size = decode(text + from, equals - from, pair->name);
			pair->value_size =
				equals < i ? decode(text + equals + 1, i - equals - 1, pair->value) : 0;
		}
		from = i + 1;
	}
	return count;
}

/* -- the app ------------------------------------------------------------------------------------------------------- */

static const struct rung_params_limits limits = {
	.size = sizeof limits, .pairs = MOST_PAIRS, .bytes = MOST_BYTES
};

static void compare(const struct rung_params *params, size_t count)
{
	insist(params->count == count, "as many pairs");
	for (size_t i = 0; i < count; i++) {
		const struct rung_pair *pair = &params->pairs[i];

		insist(pair->name_size == expected[i].name_size &&
				memcmp(pair->name, expected[i].name, pair->name_size) == 0,
			"the same name");
		insist(pair->value_size == expected[i].value_size &&
				memcmp(pair->value, expected[i].value, pair->value_size) == 0,
			"the same value");
		insist(!pair->name[pair->name_size] && !pair->value[pair->value_size], "a NUL behind each");
		insist(!pair->file, "no file");
		if (strlen(pair->name) == pair->name_size)
			insist(rung_params_get(params, pair->name) != NULL, "found by its name");
	}
}

static void check(int rc, const struct rung_params *params, const char *text, size_t size)
{
	size_t count = read_slowly(text, size);

	if (size > MOST_BYTES || count > MOST_PAIRS)
		insist(rc == -E2BIG, "refused past a limit");
	else
		insist(rc == 0, "never malformed");
	if (rc == 0)
		compare(params, count);
}

static void write_escaped(struct rung_writer *text, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		rung_writef(text, "%%%02X", (unsigned char)bytes[i]);
}

/* Every byte as an escape: then nothing can be misread. */
static void read_again(struct rung_env *env, const struct rung_params *params)
{
	static const struct rung_params_limits wide = { .size = sizeof wide };
	struct rung_writer text = rung_writer(env);
	const struct rung_params *again;

	for (size_t i = 0; i < params->count; i++) {
		write_escaped(&text, params->pairs[i].name, params->pairs[i].name_size);
		rung_write(&text, "=");
		write_escaped(&text, params->pairs[i].value, params->pairs[i].value_size);
		rung_write(&text, "&");
	}
	struct rung_env *view =
		rung_rewrite(env, &(const struct rung_target){ .query = text.text ? text.text : "" });
	insist(view && rung_query_within(view, &wide, &again) == 0, "read again");
	compare(again, params->count);
}

static int look(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct rung_params *params = NULL;
	size_t size;
	const char *body = rung_input_bytes(env, &size);
	struct rung_env *view = rung_rewrite(env, &(const struct rung_target){ .query = body });

	(void)self;
	insist(view != NULL, "a view");
	int rc = rung_query_within(view, &limits, &params);
	check(rc, params, body, strlen(body));
	rc = rung_form_within(env, &limits, &params);
	check(rc, params, body, size);
	if (rc == 0)
		read_again(env, params);
	return rc < 0 ? rc : rung_reply_empty(res, 200);
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

	if (!client)
		client = rung_client_new(rung_run(look), .setup = &setup);
	insist(client != NULL, "a client");
	if (size == 0 || size > MOST)
		return 0;
	int status = rung_client_send(client, "POST", "/", .body = data, .body_size = size,
		.content_type = "application/x-www-form-urlencoded")
			     ->status;
	insist(status == 200 || status == 413, "200 or 413");
	return 0;
}
