/* form.c: reading recordings. Names in braces stand for addresses of the recording; here they are others, which nobody listens
 * on. */
#include "replaying.h"

#include <stdlib.h>
#include <string.h>

char form_folder[64];

static const struct {
	const char *name, *text;
} places[] = {
	{ "{files}", form_folder },
	{ "{target}", "127.0.0.1:18090" },
	{ "{target6}", "[::1]:18090" },
	{ "{tport}", "18090" },
	{ "{dead}", "127.0.0.1:18099" },
	{ "{front}", "127.0.0.1:18080" },
	{ "{app}", "127.0.0.1:18070" },
};

static char *resize(char *memory, size_t size)
{
	char *more = realloc(memory, size);

	if (!more)
		abort();
	return more;
}

static char *fill_in(char *text)
{
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		size_t old = strlen(places[i].name), new = strlen(places[i].text);
		char *at;

		while ((at = strstr(text, places[i].name))) {
			size_t before = (size_t)(at - text), rest = strlen(at + old);

			text = resize(text, before + new + rest + old + 1);
			memmove(text + before + new, text + before + old, rest + 1);
			memcpy(text + before, places[i].text, new);
		}
	}
	return text;
}

/* Code points up to U+00FF stand for bytes. */
static void to_bytes(char *text)
{
	unsigned char *to = (unsigned char *)text;

	for (const unsigned char *at = to; *at;)
		if ((*at & 0xfe) == 0xc2 && (at[1] & 0xc0) == 0x80) {
			*to++ = (unsigned char)((at[0] & 3) << 6 | (at[1] & 0x3f));
			at += 2;
		} else {
			*to++ = *at++;
		}
	*to = '\0';
}

char *form_text(const json_t *value, bool is_bytes)
{
	if (!json_is_string(value))
		return NULL;
	char *text = strdup(json_string_value(value));
	if (!text)
		abort();
	if (is_bytes)
		to_bytes(text);
	return fill_in(text);
}

char *form_body(const json_t *value, size_t *ret_size)
{
	const char *repeat = form_string(value, "repeat");
	size_t size =
		json_is_object(value) ? (size_t)form_number(value, "len", 0) : json_string_length(value);
	const char *from = json_is_object(value) ? repeat : json_string_value(value);
	size_t step = json_is_object(value) ? strlen(repeat) : size;
	char *body = resize(NULL, size + 1);

	for (size_t i = 0; i < size; i++)
		body[i] = step ? from[i % step] : '\0';
	body[size] = '\0';
	*ret_size = size;
	return body;
}

/* On a wire, blanks around a value are no part of it. */
static char *trim(char *text)
{
	size_t size = text ? strlen(text) : 0;

	while (size && strchr(" \t", text[size - 1]))
		text[--size] = '\0';
	if (text)
		memmove(text, text + strspn(text, " \t"), size - strspn(text, " \t") + 1);
	return text;
}

struct rung_field *form_fields(const json_t *list, bool is_bytes)
{
	size_t count = json_array_size(list);
	struct rung_field *fields = calloc(count + 1, sizeof *fields);

	if (!fields)
		abort();
	for (size_t i = 0; i < count; i++) {
		const json_t *pair = json_array_get(list, i);

		fields[i].name = form_text(json_array_get(pair, 0), is_bytes);
		fields[i].value = trim(form_text(json_array_get(pair, 1), is_bytes));
	}
	return fields;
}

void form_free_fields(struct rung_field *fields)
{
	for (struct rung_field *field = fields; field && field->name; field++) {
		free((void *)(uintptr_t)field->name);
		free((void *)(uintptr_t)field->value);
	}
	free(fields);
}

const char *form_string(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

json_int_t form_number(const json_t *object, const char *key, json_int_t otherwise)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) ? json_integer_value(value) : otherwise;
}
