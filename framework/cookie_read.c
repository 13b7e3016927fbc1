/* cookie_read.c: the Cookie field, RFC 6265 sections 4.2 and 5.4. What sets cookies is in cookie.c. */
#include "params_private.h"

#include <errno.h>
#include <string.h>

static struct rung_slice trim(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return (struct rung_slice){ at, (size_t)(end - at) };
}

/* Takes "name=value", which lies in `piece`. Returns 0, also when it is no cookie and is skipped; -E2BIG; -ENOMEM. */
static int take_cookie(struct rung_env *env, const struct rung_params_limits *limits, struct rung_slice piece,
	struct rung_pair_list *list)
{
	const char *end = piece.at + piece.size, *equals = memchr(piece.at, '=', piece.size);
	struct rung_slice name = equals ? trim(piece.at, equals) : (struct rung_slice){ 0 };

	if (name.size == 0)
		return 0;
	if (list->count == limits->cookies)
		return rung_fail_at(env, -E2BIG, NULL, 0, "there are more than %zu cookies", limits->cookies);
	struct rung_slice value = trim(equals + 1, end);
	struct rung_pair *pair = rung_pair_add(list, env);
	char *name_copy = rung_strndup(env, name.at, name.size);
	char *value_copy = rung_strndup(env, value.at, value.size);
	if (!pair || !name_copy || !value_copy)
		return -ENOMEM;
	*pair = (struct rung_pair){
		.name = name_copy, .name_size = name.size, .value = value_copy, .value_size = value.size
	};
	return 0;
}

static int take_field(struct rung_env *env, const struct rung_params_limits *limits,
	const struct rung_field *field, struct rung_pair_list *list)
{
	const char *at = field->value, *end = at + field->value_size;
	int rc = 0;

	while (at < end && rc == 0) {
		const char *stop = memchr(at, ';', (size_t)(end - at));

		stop = stop ? stop : end;
		rc = take_cookie(env, limits, (struct rung_slice){ at, (size_t)(stop - at) }, list);
		at = stop + 1;
	}
	return rc;
}

/* RFC 6265 allows one field; more of them, as HTTP/2 splits it, are read one behind the other. */
int rung_cookies_parse(
	struct rung_env *env, const struct rung_params_limits *limits, struct rung_params *ret_params)
{
	struct rung_pair_list list = { 0 };
	const struct rung_field *field;
	size_t bytes = 0;

	for (size_t i = 0; (field = rung_request_field(env, i)); i++) {
		if (!rung_name_is(field, "Cookie", 6))
			continue;
		bytes += field->value_size;
		if (bytes > limits->cookie_bytes)
			return rung_fail_at(env, -E2BIG, NULL, 0, "the cookies have more than %zu bytes",
				limits->cookie_bytes);
		int rc = take_field(env, limits, field, &list);
		if (rc < 0)
			return rc;
	}
	*ret_params = (struct rung_params){ list.count, list.pairs };
	return 0;
}
