/*
 * params.c: queries and urlencoded forms, sets and what is found in them, and the memory of what was parsed already. Multipart
 * is in multipart.c, cookies in cookie_read.c.
 */
#include "field_params.h"
#include "params_private.h"

#include <errno.h>
#include <string.h>

/* -- sets -------------------------------------------------------------------------------------------------------- */

struct rung_pair *rung_pair_add(struct rung_pair_list *list, const struct rung_env *env)
{
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 16;
		struct rung_pair *pairs = rung_alloc(env, room * sizeof *pairs);

		if (!pairs)
			return NULL;
		if (list->count)
			memcpy(pairs, list->pairs, list->count * sizeof *pairs);
		list->pairs = pairs;
		list->room = room;
	}
	return &list->pairs[list->count++];
}

const struct rung_pair *rung_params_next(
	const struct rung_params *params, const struct rung_pair *after, const char *name)
{
	size_t size = strlen(name);

	for (size_t i = after ? (size_t)(after - params->pairs) + 1 : 0; i < params->count; i++) {
		const struct rung_pair *pair = &params->pairs[i];

		if (pair->name_size == size && memcmp(pair->name, name, size) == 0)
			return pair;
	}
	return NULL;
}

const char *rung_params_get(const struct rung_params *params, const char *name)
{
	const struct rung_pair *pair = NULL;

	while ((pair = rung_params_next(params, pair, name)))
		if (!pair->file)
			return pair->value;
	return NULL;
}

const struct rung_upload *rung_params_file(const struct rung_params *params, const char *name)
{
	const struct rung_pair *pair = NULL;

	while ((pair = rung_params_next(params, pair, name)))
		if (pair->file)
			return pair->file;
	return NULL;
}

/* -- limits ------------------------------------------------------------------------------------------------------ */

static const struct rung_params_limits defaults = {
	.size = sizeof defaults,
	.bytes = 4 * 1024 * 1024,
	.pairs = 4096,
	.preamble = 16 * 1024,
	.parts = 4096,
	.files = 128,
	.text = 16 * 1024 * 1024,
	.part_head = 64 * 1024,
	.disposition = 1536,
	.disposition_params = 16,
	.escapes = 8192,
	.cookies = 256,
	.cookie_bytes = 64 * 1024,
};

static void default_to(size_t *limit, size_t otherwise)
{
	if (*limit == 0)
		*limit = otherwise;
}

static int complete_limits(
	struct rung_env *env, const struct rung_params_limits *given, struct rung_params_limits *limits)
{
	int rc = rung_options_copy("limits of params", limits, given, sizeof *limits);

	if (rc < 0)
		return rung_fail_at(env, rc, NULL, 0, "%s", rung_error());
	limits->size = sizeof *limits;
	default_to(&limits->bytes, defaults.bytes);
	default_to(&limits->pairs, defaults.pairs);
	default_to(&limits->preamble, defaults.preamble);
	default_to(&limits->parts, defaults.parts);
	default_to(&limits->files, defaults.files);
	default_to(&limits->text, defaults.text);
	default_to(&limits->part_head, defaults.part_head);
	default_to(&limits->disposition, defaults.disposition);
	default_to(&limits->disposition_params, defaults.disposition_params);
	default_to(&limits->escapes, defaults.escapes);
	default_to(&limits->cookies, defaults.cookies);
	default_to(&limits->cookie_bytes, defaults.cookie_bytes);
	return 0;
}

/* -- what was parsed already ------------------------------------------------------------------------------------- */

/* What a set was made from: strings of the request, which do not change while it lasts, so their addresses tell. */
struct origin {
	const void *from, *to; /* a query; a body and its type; the first and the last Cookie field */
	size_t count;          /* bytes of it; or fields */
	char kind;
};

struct parsed {
	struct origin origin;
	struct rung_params_limits limits;
	struct rung_params params;
};

static const struct rung_key parsed_key = { .name = "params" };

/* Looks through all of the request, since a view of the same query, inward or outward, is given the same set. */
static struct parsed *find_parsed(
	const struct rung_env *env, const struct origin *origin, const struct rung_params_limits *limits)
{
	for (const struct rung_value *value = env->request_->values; value; value = value->made_before) {
		struct parsed *parsed = value->key == &parsed_key ? value->value : NULL;

		if (parsed && parsed->origin.kind == origin->kind && parsed->origin.from == origin->from &&
			parsed->origin.to == origin->to && parsed->origin.count == origin->count &&
			memcmp(&parsed->limits, limits, sizeof *limits) == 0)
			return parsed;
	}
	return NULL;
}

/* Parses what `origin` names. */
typedef int (*parse_fn)(struct rung_env *env, const struct origin *origin,
	const struct rung_params_limits *limits, struct rung_params *ret_params);

static int parse_once(struct rung_env *env, const struct origin *origin,
	const struct rung_params_limits *given, parse_fn parse, const struct rung_params **ret_params)
{
	struct rung_params_limits limits;
	int rc = complete_limits(env, given, &limits);
	struct parsed *parsed = rc < 0 ? NULL : find_parsed(env, origin, &limits);

	if (rc == 0 && !parsed) {
		struct rung_params params = { 0 };

		rc = parse(env, origin, &limits, &params);
		parsed = rc < 0 ? NULL : rung_alloc(env, sizeof *parsed);
		if (rc < 0)
			return rc;
		if (!parsed)
			return -ENOMEM;
		*parsed = (struct parsed){ *origin, limits, params };
		rc = rung_env_set(env, &parsed_key, parsed);
	}
	if (rc == 0)
		*ret_params = &parsed->params;
	return rc;
}

/* -- urlencoded -------------------------------------------------------------------------------------------------- */

/* Steps from one piece between "&" to the next, over empty ones. */
static bool next_piece(const char **at, const char *end, struct rung_slice *ret_piece)
{
	while (*at < end && **at == '&')
		++*at;
	if (*at == end)
		return false;
	const char *stop = memchr(*at, '&', (size_t)(end - *at));
	*ret_piece = (struct rung_slice){ *at, (size_t)((stop ? stop : end) - *at) };
	*at += ret_piece->size;
	return true;
}

static size_t count_pieces(const char *text, size_t size)
{
	const char *at = text;
	struct rung_slice piece;
	size_t count = 0;

	while (next_piece(&at, text + size, &piece))
		count++;
	return count;
}

/* Decodes both sides into the memory at *out, which moves on. */
static struct rung_pair take_piece(struct rung_slice piece, char **out)
{
	const char *equals = memchr(piece.at, '=', piece.size);
	size_t name_size = equals ? (size_t)(equals - piece.at) : piece.size;
	struct rung_pair pair = { .name = *out };

	pair.name_size = rung_uri_decode_form(piece.at, name_size, *out);
	*out += pair.name_size + 1;
	pair.value = *out;
	pair.value_size =
		rung_uri_decode_form(equals ? equals + 1 : "", equals ? piece.size - name_size - 1 : 0, *out);
	*out += pair.value_size + 1;
	return pair;
}

static int parse_urlencoded(struct rung_env *env, const char *what, struct rung_slice text,
	const struct rung_params_limits *limits, struct rung_params *ret_params)
{
	const char *at = text.at;
	struct rung_slice piece;

	if (text.size > limits->bytes)
		return rung_fail_at(env, -E2BIG, NULL, 0, "the %s has %zu bytes; %zu is the limit", what,
			text.size, limits->bytes);
	size_t count = count_pieces(text.at, text.size);
	if (count > limits->pairs)
		return rung_fail_at(env, -E2BIG, NULL, 0, "the %s has %zu names; %zu is the limit", what,
			count, limits->pairs);
	struct rung_pair *pairs = rung_alloc(env, count * sizeof *pairs), *pair = pairs;
	/* Decoded text is never longer; each pair takes two NULs besides. */
	char *out = rung_alloc(env, text.size + 2 * count);
	if (!pairs || !out)
		return -ENOMEM;
	while (next_piece(&at, text.at + text.size, &piece))
		*pair++ = take_piece(piece, &out);
	*ret_params = (struct rung_params){ count, pairs };
	return 0;
}

/* -- the three --------------------------------------------------------------------------------------------------- */

static int parse_query(struct rung_env *env, const struct origin *origin,
	const struct rung_params_limits *limits, struct rung_params *ret_params)
{
	const struct rung_slice text = { origin->from, origin->count };

	return parse_urlencoded(env, "query", text, limits, ret_params);
}

int rung_query_within(
	struct rung_env *env, const struct rung_params_limits *limits, const struct rung_params **ret_params)
{
	const struct origin origin = { .from = env->query, .count = strlen(env->query), .kind = 'q' };

	return parse_once(env, &origin, limits, parse_query, ret_params);
}

static int parse_form(struct rung_env *env, const struct origin *origin,
	const struct rung_params_limits *limits, struct rung_params *ret_params)
{
	const struct rung_slice body = { origin->from, origin->count };
	const char *content_type = origin->to;
	struct rung_slice rest = { content_type ? content_type : "",
		content_type ? strlen(content_type) : 0 };
	struct rung_slice media_type = rung_field_word(&rest);

	if (body.size == 0)
		return 0;
	if (rung_slice_is(media_type, "application/x-www-form-urlencoded"))
		return parse_urlencoded(env, "form", body, limits, ret_params);
	if (rung_slice_is(media_type, "multipart/form-data"))
		return rung_multipart_parse(env, limits, content_type, ret_params);
	return rung_fail_at(env, -EMEDIUMTYPE, NULL, 0,
		"the body is no form: its Content-Type is \"%.100s\", neither application/x-www-form-urlencoded nor "
		"multipart/form-data",
		content_type ? content_type : "");
}

/* The first and the last field of that name. Returns how many there are. */
static size_t find_fields(const struct rung_env *env, const char *name, struct origin *origin)
{
	const struct rung_header_list *list = env->headers_;
	size_t size = strlen(name), count = 0;

	for (uint32_t i = 0; i < list->count; i++) {
		if (!rung_name_is(&list->fields[i], name, size))
			continue;
		if (count++ == 0)
			origin->from = list->fields[i].value;
		origin->to = list->fields[i].value;
	}
	return count;
}

int rung_form_within(
	struct rung_env *env, const struct rung_params_limits *limits, const struct rung_params **ret_params)
{
	struct origin origin = { .kind = 'f' };

	if (find_fields(env, "Content-Type", &origin) > 1)
		return rung_fail_at(env, -EBADMSG, NULL, 0, "there is more than one Content-Type");
	origin.from = rung_input_bytes(env, &origin.count);
	/* One that was read as it came, and broke off or is gone. */
	if (!origin.from)
		return rung_failure(env)->err;
	return parse_once(env, &origin, limits, parse_form, ret_params);
}

static int parse_cookies(struct rung_env *env, const struct origin *origin,
	const struct rung_params_limits *limits, struct rung_params *ret_params)
{
	(void)origin;
	return rung_cookies_parse(env, limits, ret_params);
}

/* A view's fields are changed by setting all of a name or removing some: then their first, last or number is another. */
int rung_cookies_within(
	struct rung_env *env, const struct rung_params_limits *limits, const struct rung_params **ret_params)
{
	struct origin origin = { .kind = 'c' };

	origin.count = find_fields(env, "Cookie", &origin);
	return parse_once(env, &origin, limits, parse_cookies, ret_params);
}

int rung_query(struct rung_env *env, const struct rung_params **ret_params)
{
	return rung_query_within(env, &defaults, ret_params);
}

int rung_form(struct rung_env *env, const struct rung_params **ret_params)
{
	return rung_form_within(env, &defaults, ret_params);
}

int rung_cookies(struct rung_env *env, const struct rung_params **ret_params)
{
	return rung_cookies_within(env, &defaults, ret_params);
}
