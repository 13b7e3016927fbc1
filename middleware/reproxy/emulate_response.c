/*
 * emulate_response.c: how what a server holds of the responses that asked, and the answer that came at last, become one list
 * of fields: which of them, in which order and spelling.
 */
#include "emulate.h"

#include <rung/date.h>
#include <rung/range.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

static bool is_same(const struct emulated_answer *rules, const char *a, const char *b)
{
	return rules->by_spelling ? strcmp(a, b) == 0 : (*a | 0x20) == (*b | 0x20) && rung_names_equal(a, b);
}

static struct rung_field *find(
	const struct emulated_answer *rules, struct rung_field *fields, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (is_same(rules, fields[i].name, name))
			return &fields[i];
	return NULL;
}

static struct rung_field *find_last(
	const struct emulated_answer *rules, struct rung_field *fields, size_t count, const char *name)
{
	while (count--)
		if (is_same(rules, fields[count].name, name))
			return &fields[count];
	return NULL;
}

static const struct emulated_kept *kept(const struct emulated_answer *rules, const struct rung_field *field)
{
	const struct emulated_kept *kept = rules->kept;

	while (kept && kept->name && !emulated_is(field, kept->name))
		kept++;
	return kept && kept->name ? kept : NULL;
}

/* -- holding ----------------------------------------------------------------------------------------------------- */

/* Where the charset parameter begins, or NULL. Only the first parameter that is one counts, as in nginx. */
static const char *find_charset(const char *type)
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
	const char *charset = find_charset(type);

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
	const struct emulated_kept *how = kept(&at->rules->answer, field);

	if (!how)
		return;
	struct rung_field *before = how->how == KEEP_BEFORE
					    ? NULL
					    : find(&at->rules->answer, at->held, at->held_count, field->name);
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

/* A Content-Length. */
static int put_number(struct emulated *at, struct rung_field *field, int64_t number)
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
	return put_number(at, &at->asked[at->asked_count++], at->asked_size);
}

/* All that an asker says stays, what it said before being overwritten. */
static void hold_all(struct emulated *at, const struct emulated_ask *ask)
{
	const struct emulated_answer *rules = &at->rules->answer;
	size_t before = at->held_count;

	for (size_t i = 0; i < at->asked_count; i++) {
		const struct rung_field *field = &at->asked[i];
		struct rung_field *same = rules->taken ? NULL : find(rules, at->held, before, field->name);

		if (is_same(rules, field->name, ask->field) || emulated_is_listed(ask->spent, field))
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
		struct rung_field *before = find(rules, fields, kept, field.name);

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

/* -- bodies ------------------------------------------------------------------------------------------------------ */

/* What was read of a body, and then the rest of it. */
struct begun {
	struct rung_source source;
	char *bytes;
	size_t size, at;
	int broken; /* a negative errno that comes behind them */
};

static ssize_t read_begun(struct rung_source *source, void *buffer, size_t max)
{
	struct begun *begun = (struct begun *)source;
	size_t left = begun->size - begun->at;

	if (left == 0 && begun->broken)
		return begun->broken;
	if (left == 0)
		return source->inner_->read(source->inner_, buffer, max);
	left = left < max ? left : max;
	memcpy(buffer, begun->bytes + begun->at, left);
	begun->at += left;
	return (ssize_t)left;
}

/* Reads a body as far as it comes at once, up to so many bytes. Returns 1 when it ended there, and is bytes now; 0 when there
 * is more; or a negative errno. Touches fields, so whoever needs them has them already. */
static int begin_body(struct emulated *at, size_t most, const char **ret_bytes, size_t *ret_size)
{
	struct begun *begun = rung_alloc(at->env, sizeof *begun);
	char *bytes = rung_alloc(at->env, most);
	ssize_t n = -1;

	if (!begun || !bytes)
		return -ENOMEM;
	*begun = (struct begun){ .source.read = read_begun, .bytes = bytes };
	struct rung_source *inner = rung_filter(at->res, &begun->source);
	if (!inner)
		return at->res->error;
	while (begun->size < most) {
		n = inner->read(inner, bytes + begun->size, most - begun->size);
		if (n <= 0)
			break;
		begun->size += (size_t)n;
	}
	if (n < 0 && n != -EAGAIN)
		begun->broken = (int)n; /* nobody reads on behind an error */
	if (n != 0)
		return 0;
	*ret_bytes = bytes;
	*ret_size = begun->size;
	rung_body_close(at->res);
	rung_body_static(at->res, bytes, *ret_size);
	return at->res->error ? at->res->error : 1;
}

/* -- settling ---------------------------------------------------------------------------------------------------- */

/* The answer's fields as they become. */
struct settling {
	struct emulated *at;
	const struct emulated_answer *rules;
	struct rung_field *from; /* the target's, the length among them */
	size_t from_count;
	struct rung_field *to;
	size_t to_count;
	const char *connection; /* the names of more that are hidden */
	const char *const *first;
	size_t type_at; /* of a Content-Type that was set behind all others; 0: of none */
};

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
		field = find(settling->rules, at->held, at->held_count, name);
	if (!field)
		return;
	struct rung_field first = { name, field->value, (uint32_t)strlen(name), field->value_size };
	if (is_type && (!*field->value || (at->res->status == 304 && at->is_file)))
		return;
	if (is_type && at->charset && !find_charset(field->value)) {
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
		const struct emulated_kept *how = kept(rules, &at->held[i]);

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
	struct rung_field *before = find(settling->rules, settling->to, settling->to_count, "Vary");
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
		struct rung_field *held = find(rules, at->held, at->held_count, field.name);
		const struct emulated_kept *how = held ? kept(rules, held) : NULL;

		if (emulated_is_listed(settling->first, &field) ||
			emulated_is_listed(rules->last, &field) != is_last)
			continue;
		if (how && is_set(settling, how)) {
			if (find(rules, settling->to, settling->to_count, field.name))
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
		struct rung_field *held = find(settling->rules, at->held, at->held_count, how->name);

		if (!held || !is_set(settling, how) ||
			find(settling->rules, settling->to, settling->to_count, how->name))
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
				!find(settling->rules, at->held, at->held_count, *names))
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
		struct rung_field *field = find(rules, settling->from, settling->from_count, held->name);

		if (rung_names_equal(held->name, "Content-Length") && rules->taken && !field)
			continue;
		if (!field || !is_taken(settling, field)) {
			put(settling, held);
			continue;
		}
		if (find(rules, settling->to, settling->to_count, held->name))
			continue;
		for (size_t j = 0; j < settling->from_count; j++)
			if (is_same(rules, settling->from[j].name, held->name)) {
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
			!find(rules, at->held, at->held_count, settling->from[i].name))
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
		find(settling->rules, settling->from, settling->from_count, "Content-Length"))
		return 0;
	return put_number(settling->at, &settling->from[settling->from_count++], rung_body_size(res));
}

static ssize_t read_nothing(struct rung_source *source, void *buffer, size_t max)
{
	(void)source;
	(void)buffer;
	(void)max;
	return 0;
}

int rung_emulated_unmeasured(struct emulated *at)
{
	/* Has neither state nor close, so all responses share it. */
	static struct rung_source nothing = { .read = read_nothing };

	return rung_body_pull(at->res, &nothing, -1);
}

/* -- ranges that the server cuts itself --------------------------------------------------------------------------- */

enum { MEASURED = 16384 };

static const char *value_of(const struct settling *settling, const char *name)
{
	const struct rung_field *field = find(settling->rules, settling->to, settling->to_count, name);

	return field ? field->value : NULL;
}

/* What the server finds out last stands at the end, but for a type. */
static void insert(struct settling *settling, const struct rung_field *field)
{
	size_t place = settling->type_at ? settling->type_at : settling->to_count;

	if (place < settling->to_count)
		settling->to[settling->to_count] = settling->to[place];
	settling->to[place] = *field;
	settling->to_count++;
}

static int put_range(struct settling *settling, long long from, long long size, long long all)
{
	struct rung_field *length = find(settling->rules, settling->to, settling->to_count, "Content-Length");
	bool is_part = size >= 0;
	const char *text =
		is_part ? rung_printf(settling->at->env, "bytes %lld-%lld/%lld", from, from + size - 1, all)
			: rung_printf(settling->at->env, "bytes */%lld", all);

	if (!text || (length && put_number(settling->at, length, is_part ? size : 0) < 0))
		return -ENOMEM;
	insert(settling, &(const struct rung_field){ "Content-Range", text, 13, (uint32_t)strlen(text) });
	return 0;
}

/* A body in chunks that ends at once has a length after all; one that ends with its connection is seen to end too late. */
static int measure_nothing(struct settling *settling)
{
	struct rung_response *res = settling->at->res;
	const char *connection = rung_header_get(res, "Connection"), *bytes;
	size_t size;

	if (rung_body_size(res) >= 0 || res->status == 204 || res->status == 304 ||
		(connection && rung_list_has(connection, "close")))
		return 0;
	int rc = begin_body(settling->at, 1, &bytes, &size);
	if (rc <= 0)
		return rc;
	insert(settling, &(const struct rung_field){ "Content-Length", "0", 14, 1 });
	return 0;
}

/* An answer to HEAD has no length that is 0: it may be that nobody made a body to measure. */
static int drop_nothing(struct settling *settling)
{
	struct rung_field *length = find(settling->rules, settling->to, settling->to_count, "Content-Length");

	if (strcmp(settling->at->env->method, "HEAD") != 0 || !length || strcmp(length->value, "0") != 0)
		return 0;
	settling->to_count--;
	memmove(length, length + 1, (size_t)(settling->to + settling->to_count - length) * sizeof *length);
	rung_body_close(settling->at->res);
	return rung_emulated_unmeasured(settling->at);
}

/* Apache reads no blanks in a Range, and no last 0 bytes. */
static bool asks_for_range(const struct rung_env *env)
{
	const char *range = rung_request_header(env, "Range");

	if (!range || strpbrk(range, " \t"))
		return false;
	for (const char *at = range; (at = strpbrk(at, "=,")); at++)
		if (at[1] == '-' && at[2] == '0') {
			size_t zeros = strspn(at + 2, "0");

			if (!at[2 + zeros] || at[2 + zeros] == ',')
				return false;
		}
	return true;
}

/* One part with its head, or the end, behind what there is. */
static char *put_part(char *to, const char *head, const char *bytes, size_t size)
{
	size_t head_size = strlen(head);

	memcpy(to, head, head_size);
	if (size)
		memcpy(to + head_size, bytes, size);
	return to + head_size + size;
}

/* Type and length of several parts. */
static int put_multipart(struct settling *settling, const char *boundary, size_t size)
{
	struct rung_field *length = find(settling->rules, settling->to, settling->to_count, "Content-Length");
	struct rung_field *type = find(settling->rules, settling->to, settling->to_count, "Content-Type");
	const char *value = rung_printf(settling->at->env, "multipart/byteranges; boundary=%s", boundary);

	if (!value || (length && put_number(settling->at, length, (int64_t)size) < 0))
		return -ENOMEM;
	if (!type)
		type = &settling->to[settling->to_count++];
	*type = (struct rung_field){ "Content-Type", value, 12, (uint32_t)strlen(value) };
	return 0;
}

/* Several ranges become parts, each with a head as Apache writes it. */
static int cut_several(
	struct settling *settling, const char *bytes, long long all, const struct rung_range_set *set)
{
	struct emulated *at = settling->at;
	const char *type = value_of(settling, "Content-Type"), *heads[RUNG_MAX_RANGES + 1];
	size_t size = 0;
	uint64_t random;

	if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
		return -EIO;
	const char *boundary = rung_printf(at->env, "%016llx", (unsigned long long)random);
	for (size_t i = 0; boundary && i <= set->count; i++) {
		const struct rung_range *range = &set->ranges[i];

		heads[i] = i == set->count
				   ? rung_printf(at->env, "\r\n--%s--\r\n", boundary)
				   : rung_printf(at->env,
					     "\r\n--%s\r\n%s%s%sContent-range: bytes %lld-%lld/%lld\r\n\r\n",
					     boundary, type ? "Content-type: " : "", type ? type : "",
					     type ? "\r\n" : "", (long long)range->offset,
					     (long long)(range->offset + range->length - 1), all);
		if (!heads[i])
			return -ENOMEM;
		size += strlen(heads[i]) + (i < set->count ? (size_t)range->length : 0);
	}
	char *text = boundary ? rung_alloc(at->env, size) : NULL, *to = text;
	if (!text)
		return -ENOMEM;
	for (size_t i = 0; i < set->count; i++)
		to = put_part(to, heads[i], bytes + set->ranges[i].offset, (size_t)set->ranges[i].length);
	put_part(to, heads[set->count], NULL, 0);
	rung_body_static(at->res, text, size);
	at->res->status = 206;
	return put_multipart(settling, boundary, size);
}

/* Whatever the method is; but the answer to HEAD has nothing to cut, and what is cut already stays so. */
static bool may_cut(const struct settling *settling)
{
	const struct emulated *at = settling->at;
	const char *type = value_of(settling, "Content-Type");
	int64_t all = rung_body_size(at->res);

	return at->res->status == 200 && all > 0 && all <= (int64_t)settling->rules->cuts &&
	       asks_for_range(at->env) && strcmp(at->env->method, "HEAD") != 0 &&
	       !value_of(settling, "Content-Range") &&
	       !(type && strncasecmp(type, "multipart/byteranges", 20) == 0);
}

static int cut(struct settling *settling)
{
	struct emulated *at = settling->at;
	struct rung_response *res = at->res;
	int64_t all = rung_body_size(res);
	const char *modified = value_of(settling, "Last-Modified"), *bytes;
	struct rung_range_set set;
	time_t when = -1;
	size_t size;

	if (!may_cut(settling))
		return 0;
	const struct rung_env *get = rung_rewrite(at->env, &(const struct rung_target){ .method = "GET" });
	if (!get)
		return -ENOMEM;
	if (modified && rung_http_date_parse(modified, &when) < 0)
		when = -1;
	enum rung_range_kind kind = rung_ranges(get, value_of(settling, "ETag"), when, all, &set);
	if (kind == RUNG_RANGE_ALL)
		return 0;
	if (kind == RUNG_RANGE_UNSATISFIABLE) {
		rung_body_close(res);
		res->status = 416;
		return put_range(settling, 0, -1, all);
	}
	int rc = begin_body(at, settling->rules->cuts + 1, &bytes, &size);
	if (rc <= 0 || (int64_t)size != all)
		return rc < 0 ? rc : 0;
	if (set.count > 1)
		return cut_several(settling, bytes, all, &set);
	rung_body_static(res, bytes + set.ranges[0].offset, (size_t)set.ranges[0].length);
	res->status = 206;
	return put_range(settling, set.ranges[0].offset, set.ranges[0].length, all);
}

int rung_emulated_settle(struct emulated *at)
{
	struct settling settling = { .at = at, .rules = &at->rules->answer };
	struct rung_response *res = at->res;
	const char *bytes;
	size_t size;
	int rc = read_target(&settling);

	if (rc == 0 && settling.rules->measures && rung_body_size(res) < 0)
		rc = begin_body(at, MEASURED, &bytes, &size);
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
		rc = cut(&settling);
	if (rc >= 0 && settling.rules->measures_nothing)
		rc = measure_nothing(&settling);
	if (rc >= 0 && settling.rules->no_zero_with_head)
		rc = drop_nothing(&settling);
	res->exact_ = true;
	return rc < 0 ? rc : rung_header_replace(res, settling.to, settling.to_count);
}
