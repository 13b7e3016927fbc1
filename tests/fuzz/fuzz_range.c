/*
 * fuzz_range.c: a first byte for the size of a thing, then any bytes as Range, and behind a newline as If-Range. Parts
 * lie within the thing, are not empty, and do not touch.
 */
#include <rung/rung.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1024 };

static const int64_t sizes[] = { 0, 1, 10, 65536, 1000000007, INT64_MAX - 1, INT64_MAX };
static int64_t size_of_thing;

static void insist(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static void inspect(const struct rung_range_set *set)
{
	insist(set->count > 0 && set->count <= RUNG_MAX_RANGES, "at least one, at most so many");
	for (size_t i = 0; i < set->count; i++) {
		const struct rung_range *range = &set->ranges[i];

		insist(range->offset >= 0 && range->length > 0 &&
				range->offset <= size_of_thing - range->length,
			"a part lies within");
		for (size_t k = 0; k < i; k++)
			insist(set->ranges[k].offset + set->ranges[k].length < range->offset ||
					range->offset + range->length < set->ranges[k].offset,
				"no two touch");
	}
}

static int choose(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_range_set set = { .count = 77 };
	enum rung_range_kind kind = rung_ranges(env, "\"1\"", 784111777, size_of_thing, &set);

	(void)self;
	if (kind == RUNG_RANGE_PART)
		inspect(&set);
	else
		insist(set.count == 77, "untouched");
	return rung_reply_empty(res, 200);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rung_client *client;
	struct rung_field fields[] = { { .name = "Range" }, { .name = "If-Range" }, { 0 } };
	char text[MOST + 1];

	if (!client)
		client = rung_client_new(rung_run(choose));
	insist(client != NULL, "a client");
	if (size == 0 || size > MOST)
		return 0;
	size_of_thing = sizes[*data % (sizeof sizes / sizeof *sizes)];
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	char *newline = strchr(text, '\n');
	if (newline)
		*newline = '\0';
	fields[0].value = text;
	if (newline)
		fields[1].value = newline + 1;
	else
		fields[1].name = NULL;
	insist(rung_client_send(client, "GET", "/", .headers = fields)->status == 200, "200");
	return 0;
}
