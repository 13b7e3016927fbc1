/*
 * emulate_request.c: what the app and the targets see of a request when a server stands in between: which fields it passes
 * on, which it adds, in which order.
 */
#include "emulate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One request as it is being made. */
struct making {
	const struct emulated *at;
	const struct emulated_request *rules;
	const struct rung_env *env;
	const char *host;
	enum emulated_input input;
	struct rung_field *fields;
	size_t count;
	unsigned done; /* bits of rules->added */
	const char *joined[sizeof((struct emulated_request *)0)->added / sizeof(struct emulated_added)];
};

static void push(struct making *making, const char *name, const char *value)
{
	if (value)
		making->fields[making->count++] = (struct rung_field){ .name = name,
			.value = value,
			.name_size = (uint32_t)strlen(name),
			.value_size = (uint32_t)strlen(value) };
}

/* -- values ------------------------------------------------------------------------------------------------------ */

/* NULL where there is nothing to say. */
static const char *length_of(const struct making *making)
{
	const struct rung_env *env = making->env;

	if (making->input == INPUT_NONE || !making->at->has_input || !making->at->came_with_input)
		return NULL;
	if (making->input == INPUT_ZERO)
		return "0";
	const char *given = rung_request_header(env, "Content-Length");
	return given ? given : rung_printf(env, "%lld", (long long)env->content_length);
}

static const char *length_or_0(const struct making *making)
{
	const char *length = length_of(making), *method = making->at->method;
	bool has_body = strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0;

	return length ? length : has_body ? "0" : NULL;
}

static const char *server_name(const struct making *making)
{
	const char *const *authorities = making->at->reproxy->authorities;
	const char *name = authorities && authorities[0] ? authorities[0] : "localhost";
	const char *end = *name == '[' ? strchr(name, ']') : NULL;

	return rung_strndup(making->env, name, end ? (size_t)(end + 1 - name) : strcspn(name, ":"));
}

/* Never below 0. */
static const char *less(const struct rung_env *env, const char *from, const char *what)
{
	long long all = strtoll(from, NULL, 10), some = strtoll(what, NULL, 10);

	return rung_printf(env, "%lld", all > some ? all - some : 0);
}

static const char *value_of(const struct making *making, const struct emulated_added *added)
{
	const char *address, *number;

	switch (added->value) {
	case VALUE_TEXT:
		return added->text;
	case VALUE_LENGTH:
		return length_of(making);
	case VALUE_LENGTH_OR_0:
		return length_or_0(making);
	case VALUE_CLIENT:
		address = rung_remote_address(making->env);
		return *address ? address : "127.0.0.1"; /* the in-process client has none */
	case VALUE_HOST:
		return added->text ? making->host : making->env->host;
	case VALUE_SCHEME:
		return making->env->scheme;
	case VALUE_SERVER:
		return server_name(making);
	case VALUE_VIA:
		return rung_printf(making->env, "1.1 %s", making->env->host);
	case VALUE_LESS:
		number = rung_request_header(making->env, added->name);
		return number ? less(making->env, number, added->text) : NULL;
	case VALUE_NONE:
		break;
	}
	return NULL;
}

static const char *join(const struct making *making, const struct emulated_added *added, const char *first)
{
	const char *second = value_of(making, added);

	if (!first || !second)
		return first ? first : second;
	return rung_printf(making->env, "%s, %s", first, second);
}

/* -- fields ------------------------------------------------------------------------------------------------------ */

static int index_of(const struct emulated_request *rules, const char *name)
{
	for (int i = 0; i < (int)(sizeof rules->added / sizeof *rules->added) && rules->added[i].name; i++)
		if (rung_names_equal(rules->added[i].name, name))
			return i;
	return -1;
}

/* All that the client says under that name, as one list. */
static const char *all_of(const struct making *making, const char *name)
{
	const char *all = NULL;
	const struct rung_field *field;

	for (size_t i = 0; (field = rung_request_field(making->env, i)); i++)
		if (rung_names_equal(field->name, name))
			all = all ? rung_printf(making->env, "%s, %s", all, field->value) : field->value;
	return all;
}

static void pass_on_added(struct making *making, const struct rung_field *field, int which)
{
	const struct emulated_added *added = &making->rules->added[which];
	const char *before = making->joined[which];

	if (added->place == PLACE_JOINED) {
		/* Cookies are joined as cookies are, anything else as a list is. */
		making->joined[which] =
			before ? rung_printf(making->env, "%s%s%s", before,
					 added->value == VALUE_NONE ? "; " : ", ", field->value)
			       : field->value;
		return;
	}
	if (added->place != PLACE_SET && added->place != PLACE_MERGED)
		return;
	if (making->done & 1U << which)
		return;
	making->done |= 1U << which;
	push(making, field->name,
		added->place == PLACE_SET ? value_of(making, added)
					  : join(making, added, all_of(making, field->name)));
}

/* The name as it is listed, or NULL. */
static const char *spelled(const char *const *names, const struct rung_field *field)
{
	while (*names && !emulated_is(field, *names))
		names++;
	return *names;
}

static bool goes_on(const struct making *making, const struct rung_field *field)
{
	const struct emulated_request *rules = making->rules;

	if (rules->only)
		return spelled(rules->only, field) != NULL;
	if (rules->no_empty && field->value_size == 0)
		return false;
	if (rules->no_underscores && memchr(field->name, '_', field->name_size))
		return false;
	return !emulated_is_listed(rules->left_out, field);
}

/* Puts a field behind one of its name that has gone on already, in one line. */
static bool was_joined(struct making *making, const struct rung_field *field)
{
	for (size_t i = 0; i < making->count; i++) {
		struct rung_field *before = &making->fields[i];

		if (!rung_names_equal(before->name, field->name))
			continue;
		const char *value = rung_printf(making->env, "%s, %s", before->value, field->value);
		before->value = value ? value : before->value;
		before->value_size = (uint32_t)strlen(before->value);
		return true;
	}
	return false;
}

static void pass_on(struct making *making, const struct rung_field *field)
{
	int which = index_of(making->rules, field->name);

	if (rung_names_equal(field->name, "Host") || rung_names_equal(field->name, "Transfer-Encoding"))
		return;
	if (which < 0 && making->rules->joins && goes_on(making, field) && was_joined(making, field))
		return;
	if (which >= 0)
		pass_on_added(making, field, which);
	else if (!goes_on(making, field))
		return;
	else if (making->rules->only)
		push(making, spelled(making->rules->only, field), field->value);
	else if (rung_names_equal(field->name, "Content-Length"))
		push(making, field->name, length_of(making));
	else
		making->fields[making->count++] = *field;
}

static void add(struct making *making, bool is_first)
{
	const struct emulated_request *rules = making->rules;

	for (int i = 0; i < (int)(sizeof rules->added / sizeof *rules->added) && rules->added[i].name; i++) {
		const struct emulated_added *added = &rules->added[i];

		bool goes_first = added->place == PLACE_FIRST || added->place == PLACE_FRONT;

		if (goes_first != is_first || making->done & 1U << i)
			continue;
		const char *own =
			added->place == PLACE_FRONT ? rung_request_header(making->env, added->name) : NULL;
		push(making, added->name,
			own && *own                    ? own
			: added->place == PLACE_JOINED ? join(making, added, making->joined[i])
						       : value_of(making, added));
	}
}

/* A request in chunks has a length once it is whole, which then stands at the end. */
static bool make(struct making *making)
{
	const struct rung_env *env = making->env;
	size_t count = 0;

	while (rung_request_field(env, count))
		count++;
	making->fields = rung_alloc(env, (count + 10) * sizeof *making->fields);
	if (!making->fields)
		return false;
	if (making->host)
		push(making, "Host", making->host);
	add(making, true);
	for (size_t i = 0; i < count; i++)
		pass_on(making, rung_request_field(env, i));
	add(making, false);
	return true;
}

/* -- views ------------------------------------------------------------------------------------------------------- */

/* Most requests have no field that the server would touch: then the list may stay as it is. */
static bool is_plain(const struct making *making)
{
	const struct emulated_request *rules = making->rules;
	const struct rung_field *field;

	if (rules->only || making->at->came_with_input)
		return false;
	for (int i = 0; i < (int)(sizeof rules->added / sizeof *rules->added) && rules->added[i].name; i++)
		if (rules->added[i].value != VALUE_LENGTH)
			return false;
	for (size_t i = 0; (field = rung_request_field(making->env, i)); i++)
		if (!goes_on(making, field))
			return false;
	return true;
}

struct rung_env *rung_emulated_app_view(struct emulated *at)
{
	const struct emulation *rules = at->rules;
	struct making making = { .at = at,
		.rules = &rules->app,
		.env = at->env,
		.host = at->env->host,
		.input = at->has_input ? INPUT_AGAIN : INPUT_NONE };
	struct rung_target target = { .path_info = rules->app_path ? rules->app_path(at->env) : NULL };

	if (is_plain(&making) && !target.path_info)
		return at->env;
	if (!make(&making))
		return NULL;
	target.fields = making.fields;
	target.field_count = making.count;
	return rung_rewrite(at->env, &target);
}

struct rung_env *rung_emulated_target_view(struct emulated *at, const struct emulated_url *url)
{
	struct making making = { .at = at,
		.rules = url->request ? url->request : &at->rules->target,
		.env = at->env,
		.host = url->host_field,
		.input = url->input };
	struct rung_target target = {
		.method = at->method,
		.scheme = url->scheme,
		.host = url->host_field ? url->host_field : "",
		.script_name = url->script_name ? url->script_name : "",
		.path_info = url->path,
		.query = url->query ? url->query : "",
		.uri = url->uri,
		.drop_body = at->env->content_length &&
			     (url->input == INPUT_ZERO || url->input == INPUT_NONE || !at->has_input),
		.spent_body = url->input == INPUT_ANNOUNCED,
		.max_hops = 50,
	};

	if (!is_plain(&making)) {
		if (!make(&making))
			return NULL;
		target.fields = making.fields;
		target.field_count = making.count;
	}
	return rung_view(at->view, &target);
}
