/*
 * emulate_held.c: what a server holds of the responses that asked, until the answer comes.
 */
#include "emulate_settling.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

bool rung_emulated_same(const struct emulated_answer *rules, const char *a, const char *b)
{
	return rules->by_spelling ? strcmp(a, b) == 0 : (*a | 0x20) == (*b | 0x20) && rung_names_equal(a, b);
}

struct rung_field *rung_emulated_find(
	const struct emulated_answer *rules, struct rung_field *fields, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (rung_emulated_same(rules, fields[i].name, name))
			return &fields[i];
	return NULL;
}

const struct emulated_kept *rung_emulated_kept(
	const struct emulated_answer *rules, const struct rung_field *field)
{
	const struct emulated_kept *kept = rules->kept;

	while (kept && kept->name && !emulated_is(field, kept->name))
		kept++;
	return kept && kept->name ? kept : NULL;
}

int rung_emulated_put_length(struct emulated *at, struct rung_field *field, int64_t number)
{
	char digits[24], *text = digits + sizeof digits - 1;

	*text = '\0';
	do
		*--text = (char)('0' + number % 10);
	while (number /= 10);
	size_t size = (size_t)(digits + sizeof digits - 1 - text);
	text = rung_strndup(at->env, text, size);
	if (!text)
		return -ENOMEM;
	*field = (struct rung_field){ "Content-Length", text, 14, (uint32_t)size };
	return 0;
}

/* -- holding ----------------------------------------------------------------------------------------------------- */

const char *rung_emulated_charset(const char *type)
{
	for (const char *at = type; (at = strchr(at, ';'));) {
		do
			at++;
		while (*at == ' ');
		if (strncasecmp(at, "charset=", 8) == 0)
			return at + 8;
	}
	return NULL;
}

static void note_charset(struct emulated *at, const char *type)
{
	const char *charset = rung_emulated_charset(type);

	if (!charset)
		return;
	charset += *charset == '"';
	size_t size = strlen(charset);
	if (size && charset[size - 1] == '"')
		size--;
	at->charset = size ? rung_strndup(at->env, charset, size) : NULL;
}

/* Puts a value behind another, in one line. */
static void append(struct emulated *at, struct rung_field *before, const char *value)
{
	const char *both = rung_printf(at->env, "%s,%s", before->value, value);

	at->no_memory = at->no_memory || !both;
	before->value = both ? both : before->value;
	before->value_size = (uint32_t)strlen(before->value);
}

static void hold_one(struct emulated *at, const struct rung_field *field)
{
	const struct emulated_kept *how = rung_emulated_kept(&at->rules->answer, field);

	if (!how)
		return;
	struct rung_field *before = how->how == KEEP_BEFORE ? NULL
							    : rung_emulated_find(&at->rules->answer, at->held,
								      at->held_count, field->name);
	if (before && how->how == KEEP_SET)
		append(at, before, field->value);
	else if (before)
		*before = *field;
	else
		at->held[at->held_count++] = *field;
	if (at->rules->answer.carries_charset && rung_names_equal(field->name, "Content-Type"))
		note_charset(at, field->value);
}

static int grow_held(struct emulated *at, size_t more)
{
	struct rung_field *held = rung_alloc(at->env, (at->held_count + more + 1) * sizeof *held);

	if (!held)
		return -ENOMEM;
	if (at->held_count)
		memcpy(held, at->held, at->held_count * sizeof *held);
	at->held = held;
	return 0;
}

/* The response's own fields, copied, since they go with it. A body has its length beside it, as on a wire. */
static int note_asked(struct emulated *at)
{
	size_t count = 0;

	while (rung_header_at(at->res, count))
		count++;
	at->asked = rung_alloc(at->env, (count + 1) * sizeof *at->asked);
	if (!at->asked)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		at->asked[i] = *rung_header_at(at->res, i);
	at->asked_count = count;
	at->asked_status = at->res->status;
	at->asked_size = rung_body_size(at->res);
	if (!at->rules->answer.on_asker || at->rules->answer.by_spelling || at->asked_size < 0 ||
		at->asked_status == 204 || at->asked_status == 304 ||
		rung_header_get(at->res, "Content-Length"))
		return 0;
	return rung_emulated_put_length(at, &at->asked[at->asked_count++], at->asked_size);
}

/* All that an asker says stays, what it said before being overwritten. */
static void hold_all(struct emulated *at, const struct emulated_ask *ask)
{
	const struct emulated_answer *rules = &at->rules->answer;
	size_t before = at->held_count;

	for (size_t i = 0; i < at->asked_count; i++) {
		const struct rung_field *field = &at->asked[i];
		struct rung_field *same =
			rules->taken ? NULL : rung_emulated_find(rules, at->held, before, field->name);

		if (rung_emulated_same(rules, field->name, ask->field) ||
			emulated_is_listed(ask->spent, field))
			continue;
		if (same)
			*same = *field;
		else
			at->held[at->held_count++] = *field;
	}
}

int rung_emulated_hold(struct emulated *at, const struct emulated_ask *ask)
{
	if (note_asked(at) < 0 || grow_held(at, at->asked_count) < 0)
		return -ENOMEM;
	if (at->rules->answer.on_asker)
		hold_all(at, ask);
	else
		for (size_t i = 0; i < at->asked_count; i++)
			hold_one(at, &at->asked[i]);
	rung_response_clear(at->res);
	return 0;
}

/* -- joining ----------------------------------------------------------------------------------------------------- */

int rung_emulated_join(struct emulated *at)
{
	const struct emulated_answer *rules = &at->rules->answer;
	size_t count = 0, kept = 0;

	while (rung_header_at(at->res, count))
		count++;
	struct rung_field *fields = count ? rung_alloc(at->env, count * sizeof *fields) : NULL;
	if (!count || !fields)
		return count ? -ENOMEM : 0;
	for (size_t i = 0; i < count; i++) {
		struct rung_field field = *rung_header_at(at->res, i);
		struct rung_field *before = rung_emulated_find(rules, fields, kept, field.name);

		if (!before || rung_names_equal(field.name, "Set-Cookie")) {
			fields[kept++] = field;
			continue;
		}
		before->value = rung_printf(at->env, "%s, %s", before->value, field.value);
		if (!before->value)
			return -ENOMEM;
		before->value_size = (uint32_t)strlen(before->value);
	}
	return kept == count ? 0 : rung_header_replace(at->res, fields, kept);
}
