/* field_params.c: parameters of field values. See field_params.h. */
#include "field_params.h"
#include "text.h"
#include <rung/headers.h>

#include <errno.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static const char *skip_blanks(const char *at, const char *end)
{
	while (at < end && is_blank(*at))
		at++;
	return at;
}

bool rung_slice_is(struct rung_slice slice, const char *word)
{
	return slice.size == strlen(word) && rung_same_letters(slice.at, word, slice.size);
}

struct rung_slice rung_field_word(struct rung_slice *rest)
{
	const char *end = rest->at + rest->size, *start = skip_blanks(rest->at, end), *at = start;

	while (at < end && *at != ';' && !is_blank(*at))
		at++;
	*rest = (struct rung_slice){ at, (size_t)(end - at) };
	return (struct rung_slice){ start, (size_t)(at - start) };
}

/* Finds the quote that ends what starts at `at`; NULL when there is none. */
static const char *find_quote(const char *at, const char *end)
{
	for (; at < end && *at != '"'; at++)
		if (*at == '\\' && end - at > 2 && (at[1] == '"' || at[1] == '\\'))
			at++;
	return at < end ? at : NULL;
}

/* Anything but blanks and quotes: unquoted boundaries have slashes and more in them. */
static const char *find_bare_end(const char *at, const char *end)
{
	while (at < end && *at != ';' && *at != '"' && !is_blank(*at))
		at++;
	return at;
}

static const char *take_value(const char *at, const char *end, struct rung_slice *ret_value)
{
	bool is_quoted = at < end && *at == '"';
	const char *start = is_quoted ? at + 1 : at;
	const char *stop = is_quoted ? find_quote(start, end) : find_bare_end(start, end);

	if (!stop || (!is_quoted && stop == start))
		return NULL;
	*ret_value = (struct rung_slice){ start, (size_t)(stop - start) };
	return is_quoted ? stop + 1 : stop;
}

int rung_field_param_next(struct rung_slice *rest, struct rung_field_param *ret_param)
{
	const char *end = rest->at + rest->size, *at = skip_blanks(rest->at, end), *start;

	if (at < end && *at != ';')
		return -EBADMSG;
	while (at < end && (*at == ';' || is_blank(*at)))
		at++;
	*rest = (struct rung_slice){ at, (size_t)(end - at) };
	if (at == end)
		return 0;
	for (start = at; at < end && *at != '=' && *at != ';'; at++)
		continue;
	if (at == end || *at != '=' || !rung_is_token(start, (size_t)(at - start)))
		return -EBADMSG;
	ret_param->name = (struct rung_slice){ start, (size_t)(at - start) };
	at = take_value(at + 1, end, &ret_param->value);
	if (!at)
		return -EBADMSG;
	*rest = (struct rung_slice){ at, (size_t)(end - at) };
	return 1;
}
