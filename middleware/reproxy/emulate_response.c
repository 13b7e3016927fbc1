/*
 * emulate_response.c: how what a server holds of the responses that asked, and the answer that came at last, become one list
 * of fields: which of them, in which order and spelling.
 */
#include "emulate_settling.h"

#include <rung/date.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MEASURED = 16384 }; /* bytes that a server holds before it sends the head */

static struct rung_field *find_last(
	const struct emulated_answer *rules, struct rung_field *fields, size_t count, const char *name)
{
	while (count--)
		if (rung_emulated_same(rules, fields[count].name, name))
			return &fields[count];
	return NULL;
}

static bool is_hidden(const struct settling *settling, const struct rung_field *field)
{
	return emulated_is_listed(settling->rules->hidden, field) ||
	       emulated_is_listed(settling->at->also_hidden, field) ||
	       (settling->connection && rung_list_has(settling->connection, field->name));
}

/* A date as Apache reads it: what stands before the first blank does not matter, nor does a zone. -1: it is none. */
static time_t read_date(const char *text)
{
	static const struct {
		const char *before;
		size_t size;
		const char *behind;
	} forms[] = { { "Sun, ", 20, " GMT" }, { "Sun, 0", 19, " GMT" }, { "Sunday, ", 18, " GMT" },
		{ "Sun ", 20, "" } };
	const char *blank = strchr(text, ' '), *rest = blank ? blank + 1 : "";
	char date[64];
	time_t when;

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		size_t size = forms[i].size;

		if (strlen(rest) < size || (*forms[i].behind && rest[size] != ' '))
			continue;
		snprintf(date, sizeof date, "%s%.*s%s", forms[i].before, (int)size, rest, forms[i].behind);
		if (rung_http_date_parse(date, &when) == 0)
			return when;
	}
	return -1;
}

static void rewrite_date(const struct emulated *at, struct rung_field *field)
{
	char text[RUNG_HTTP_DATE_SIZE];
	time_t when = read_date(field->value);

	if (when < 0)
		return;
	rung_http_date(when, text);
	if (strcmp(text, field->value) == 0)
		return;
	const char *value = rung_strndup(at->env, text, strlen(text));
	field->value = value ? value : field->value;
	field->value_size = (uint32_t)strlen(field->value);
}

static void put(struct settling *settling, const struct rung_field *field)
{
	static const char *const dates[] = { "Expires", "Last-Modified", NULL };

	if (is_hidden(settling, field))
		return;
	settling->to[settling->to_count] = *field;
	if (settling->rules->rewrites_dates && emulated_is_listed(dates, field))
		rewrite_date(settling->at, &settling->to[settling->to_count]);
	settling->to_count++;
}

/* One of the fields that come first: the target's, else what is held. */
static void put_first(struct settling *settling, const char *name)
{
	struct emulated *at = settling->at;
	struct rung_field *field = find_last(settling->rules, settling->from, settling->from_count, name);
	bool is_type = settling->rules->carries_charset && rung_names_equal(name, "Content-Type");

	if (!field)
		field = rung_emulated_find(settling->rules, at->held, at->held_count, name);
	if (!field)
		return;
	struct rung_field first = { name, field->value, (uint32_t)strlen(name), field->value_size };
	if (is_type && (!*field->value || (at->res->status == 304 && at->is_file)))
		return;
	if (is_type && at->charset && !rung_emulated_charset(field->value)) {
		const char *value = rung_printf(at->env, "%s; charset=%s", field->value, at->charset);

		first.value = value ? value : field->value;
		first.value_size = (uint32_t)strlen(first.value);
	}
	put(settling, &first);
}

static void put_held(struct settling *settling, bool is_last)
{
	const struct emulated_answer *rules = settling->rules;
	struct emulated *at = settling->at;

	for (size_t i = 0; i < at->held_count; i++) {
		const struct emulated_kept *how = rung_emulated_kept(rules, &at->held[i]);

		if (how && how->how == KEEP_BEFORE &&
			emulated_is_listed(rules->last, &at->held[i]) == is_last &&
			!emulated_is_listed(settling->first, &at->held[i]))
			put(settling, &at->held[i]);
	}
}

static bool is_set(const struct settling *settling, const struct emulated_kept *how)
{
	int status = settling->at->res->status;

	return how->how == KEEP_SET || (how->how == KEEP_TYPE && status != 304 && status != 204);
}

/* Members of a later Vary go to the first one. Returns true when this one did. */
static bool join_vary(struct settling *settling, const struct rung_field *field)
{
	struct rung_field *before =
		rung_emulated_find(settling->rules, settling->to, settling->to_count, "Vary");
	const char *at = field->value, *member;
	size_t size;

	if (!settling->rules->joins_vary || !before || !rung_names_equal(field->name, "Vary"))
		return false;
	while (rung_list_next(&at, &member, &size)) {
		const char *name = rung_strndup(settling->at->env, member, size);
		const char *value = name && !rung_list_has(before->value, name)
					    ? rung_printf(settling->at->env, "%s,%s", before->value, name)
					    : NULL;

		if (value) {
			before->value = value;
			before->value_size = (uint32_t)strlen(value);
		}
	}
	return true;
}

static void put_targets(struct settling *settling, bool is_last)
{
	const struct emulated_answer *rules = settling->rules;
	struct emulated *at = settling->at;

	for (size_t i = 0; i < settling->from_count; i++) {
		struct rung_field field = settling->from[i];
		struct rung_field *held = rung_emulated_find(rules, at->held, at->held_count, field.name);
		const struct emulated_kept *how = held ? rung_emulated_kept(rules, held) : NULL;

		if (emulated_is_listed(settling->first, &field) ||
			emulated_is_listed(rules->last, &field) != is_last)
			continue;
		if (how && is_set(settling, how)) {
			if (rung_emulated_find(rules, settling->to, settling->to_count, field.name))
				continue;
			field.value = held->value;
			field.value_size = held->value_size;
		}
		if (!join_vary(settling, &field))
			put(settling, &field);
	}
}

/* What is set, and stood nowhere yet. */
static void put_set(struct settling *settling)
{
	const struct emulated_kept *how = settling->rules->kept;
	struct emulated *at = settling->at;

	for (; how && how->name; how++) {
		struct rung_field *held =
			rung_emulated_find(settling->rules, at->held, at->held_count, how->name);

		if (!held || !is_set(settling, how) ||
			rung_emulated_find(settling->rules, settling->to, settling->to_count, how->name))
			continue;
		if (how->how == KEEP_TYPE)
			settling->type_at = settling->to_count;
		put(settling, &(const struct rung_field){ how->name, held->value, (uint32_t)strlen(how->name),
				      held->value_size });
	}
}

static void forget(struct emulated *at, const char *name)
{
	size_t kept = 0;

	for (size_t i = 0; i < at->held_count; i++)
		if (!rung_names_equal(at->held[i].name, name))
			at->held[kept++] = at->held[i];
	at->held_count = kept;
}

static void settle_on_target(struct settling *settling)
{
	const struct emulated_answer *rules = settling->rules;
	bool is_file = settling->at->is_file && rules->first_of_files;
	const char *const *name = is_file ? rules->first_of_files : rules->first;

	settling->first = name;
	if (is_file && settling->at->res->status == 304)
		forget(settling->at, "Accept-Ranges");

	for (; name && *name; name++)
		put_first(settling, *name);
	put_held(settling, false);
	put_targets(settling, false);
	put_held(settling, true);
	put_targets(settling, true);
	put_set(settling);
}

static bool is_taken(const struct settling *settling, const struct rung_field *field)
{
	int status = settling->at->res->status;

	return !settling->rules->taken || settling->at->keeps_asker ||
	       emulated_is_listed(settling->rules->taken, field) ||
	       ((settling->at->is_file || status == 206 || status == 416) &&
		       emulated_is_listed(settling->rules->taken_partial, field));
}

/* Of a target, what is taken and the asker has not, in the order of the names. */
static void put_taken(struct settling *settling, const char *const *names)
{
	struct emulated *at = settling->at;

	for (; names && *names; names++)
		for (size_t i = 0; i < settling->from_count; i++)
			if (emulated_is(&settling->from[i], *names) &&
				is_taken(settling, &settling->from[i]) &&
				!rung_emulated_find(settling->rules, at->held, at->held_count, *names))
				put(settling, &settling->from[i]);
}

/* The asker's fields; those of the target that are taken stand in their place, or behind them. Where all are taken, a name
 * that stands several times is replaced as a whole. */
static void settle_on_asker(struct settling *settling)
{
	const struct emulated_answer *rules = settling->rules;
	struct emulated *at = settling->at;

	for (size_t i = 0; i < at->held_count; i++) {
		const struct rung_field *held = &at->held[i];
		struct rung_field *field =
			rung_emulated_find(rules, settling->from, settling->from_count, held->name);

		if (rung_names_equal(held->name, "Content-Length") && rules->taken && !field)
			continue;
		if (!field || !is_taken(settling, field)) {
			put(settling, held);
			continue;
		}
		if (rung_emulated_find(rules, settling->to, settling->to_count, held->name))
			continue;
		for (size_t j = 0; j < settling->from_count; j++)
			if (rung_emulated_same(rules, settling->from[j].name, held->name)) {
				struct rung_field one = settling->from[j];

				one.name = held->name;
				one.name_size = held->name_size;
				put(settling, &one);
			}
	}
	if (rules->taken && !at->is_file && !at->keeps_asker) {
		put_taken(settling, rules->taken);
		put_taken(settling, rules->taken_partial);
		return;
	}
	for (size_t i = 0; i < settling->from_count; i++)
		if (is_taken(settling, &settling->from[i]) &&
			!rung_emulated_find(rules, at->held, at->held_count, settling->from[i].name))
			put(settling, &settling->from[i]);
}

/* Moves each field behind the last one of its name. */
static void group(struct settling *settling)
{
	struct rung_field *to = settling->to;

	for (size_t i = 1; i < settling->to_count; i++) {
		size_t last = i;

		while (last && !rung_names_equal(to[last - 1].name, to[i].name))
			last--;
		if (!last || last == i)
			continue;
		struct rung_field field = to[i];
		field.name = to[last - 1].name;
		memmove(&to[last + 1], &to[last], (i - last) * sizeof *to);
		to[last] = field;
	}
}

/* The target's fields, before anything touches them. */
static int read_target(struct settling *settling)
{
	struct rung_response *res = settling->at->res;
	size_t count = 0;

	while (rung_header_at(res, count))
		count++;
	settling->from = rung_alloc(
		settling->at->env, (2 * count + settling->at->held_count + 8) * sizeof *settling->from);
	if (!settling->from)
		return -ENOMEM;
	settling->to = settling->from + count + 1;
	for (size_t i = 0; i < count; i++)
		settling->from[i] = *rung_header_at(res, i);
	settling->from_count = count;
	return 0;
}

/* A length that is known and not written stands at the end, where a program that is a server of its own would write it. */
static int add_length(struct settling *settling)
{
	const struct rung_response *res = settling->at->res;
	bool has_none = res->status == 304 || res->status == 204 || settling->rules->by_spelling;

	if (has_none || rung_body_size(res) < 0 ||
		rung_emulated_find(settling->rules, settling->from, settling->from_count, "Content-Length"))
		return 0;
	return rung_emulated_put_length(
		settling->at, &settling->from[settling->from_count++], rung_body_size(res));
}

int rung_emulated_settle(struct emulated *at)
{
	struct settling settling = { .at = at, .rules = &at->rules->answer };
	struct rung_response *res = at->res;
	const char *bytes;
	size_t size;
	int rc = read_target(&settling);

	if (rc == 0 && settling.rules->measures && rung_body_size(res) < 0)
		rc = rung_emulated_begin_body(at, MEASURED, &bytes, &size);
	if (rc >= 0)
		rc = add_length(&settling);
	if (rc < 0)
		return rc;
	if (settling.rules->hides_connection)
		settling.connection = rung_header_get(res, "Connection");
	if (at->asked && (settling.rules->on_asker || at->keeps_asker))
		settle_on_asker(&settling);
	else
		settle_on_target(&settling);
	if (settling.rules->asker_status && at->asked && res->status != 206 && res->status != 416)
		res->status = at->asked_status == 204 ? 200 : at->asked_status;
	if (settling.rules->groups)
		group(&settling);
	if (settling.rules->cuts)
		rc = rung_emulated_cut(&settling);
	if (rc >= 0 && settling.rules->measures_nothing)
		rc = rung_emulated_measure_nothing(&settling);
	if (rc >= 0 && settling.rules->no_zero_with_head)
		rc = rung_emulated_drop_nothing(&settling);
	res->exact_ = true;
	return rc < 0 ? rc : rung_header_replace(res, settling.to, settling.to_count);
}
