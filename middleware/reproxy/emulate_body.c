/*
 * emulate_body.c: what a server makes of the answer's body: measured, left without a length, or cut to the ranges that were asked for.
 */
#include "emulate_settling.h"

#include <rung/date.h>
#include <rung/range.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

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

int rung_emulated_begin_body(struct emulated *at, size_t most, const char **ret_bytes, size_t *ret_size)
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

static const char *value_of(const struct settling *settling, const char *name)
{
	const struct rung_field *field =
		rung_emulated_find(settling->rules, settling->to, settling->to_count, name);

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
	struct rung_field *length =
		rung_emulated_find(settling->rules, settling->to, settling->to_count, "Content-Length");
	bool is_part = size >= 0;
	const char *text =
		is_part ? rung_printf(settling->at->env, "bytes %lld-%lld/%lld", from, from + size - 1, all)
			: rung_printf(settling->at->env, "bytes */%lld", all);

	if (!text || (length && rung_emulated_put_length(settling->at, length, is_part ? size : 0) < 0))
		return -ENOMEM;
	insert(settling, &(const struct rung_field){ "Content-Range", text, 13, (uint32_t)strlen(text) });
	return 0;
}

int rung_emulated_measure_nothing(struct settling *settling)
{
	struct rung_response *res = settling->at->res;
	const char *connection = rung_header_get(res, "Connection"), *bytes;
	size_t size;

	if (rung_body_size(res) >= 0 || res->status == 204 || res->status == 304 ||
		(connection && rung_list_has(connection, "close")))
		return 0;
	int rc = rung_emulated_begin_body(settling->at, 1, &bytes, &size);
	if (rc <= 0)
		return rc;
	insert(settling, &(const struct rung_field){ "Content-Length", "0", 14, 1 });
	return 0;
}

int rung_emulated_drop_nothing(struct settling *settling)
{
	struct rung_field *length =
		rung_emulated_find(settling->rules, settling->to, settling->to_count, "Content-Length");

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
	struct rung_field *length =
		rung_emulated_find(settling->rules, settling->to, settling->to_count, "Content-Length");
	struct rung_field *type =
		rung_emulated_find(settling->rules, settling->to, settling->to_count, "Content-Type");
	const char *value = rung_printf(settling->at->env, "multipart/byteranges; boundary=%s", boundary);

	if (!value || (length && rung_emulated_put_length(settling->at, length, (int64_t)size) < 0))
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

int rung_emulated_cut(struct settling *settling)
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
	int rc = rung_emulated_begin_body(at, settling->rules->cuts + 1, &bytes, &size);
	if (rc <= 0 || (int64_t)size != all)
		return rc < 0 ? rc : 0;
	if (set.count > 1)
		return cut_several(settling, bytes, all, &set);
	rung_body_static(res, bytes + set.ranges[0].offset, (size_t)set.ranges[0].length);
	res->status = 206;
	return put_range(settling, set.ranges[0].offset, set.ranges[0].length, all);
}
