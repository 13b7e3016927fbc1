/*
 * control.c: fields that steer a web server: X-Reproxy-Url and its kin. Clients must not send them to an app, and an
 * app's must not leave except by emission. "_" counts as "-": CGI names cannot tell them apart.
 */
#include "reproxy_private.h"

#include <string.h>

/* One byte of a field name as it compares: lower case, "_" as "-". */
static char fold(char c)
{
	if (c == '_')
		return '-';
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool starts_with(const struct rung_field *field, const char *prefix, size_t size)
{
	if (field->name_size < size)
		return false;
	for (size_t i = 0; i < size; i++)
		if (fold(field->name[i]) != fold(prefix[i]))
			return false;
	return true;
}

static bool is_named(const struct rung_field *field, const char *name)
{
	size_t i = 0;

	while (name[i] && fold(field->name[i]) == fold(name[i]))
		i++;
	return !name[i] && i == field->name_size;
}

/* Families, by their common beginning. */
static bool is_of_family(const struct rung_field *field)
{
	static const char *const families[] = { "x-reproxy-", "x-reproxied", "x-accel-", "x-rewrite-",
		"x-sendfile", "x-lighttpd-send-", "x-proxy-capabilities" };

	/* Most fields end here: names that do not begin with "x-" and the first letter of a family. */
	if (field->name_size < 3 || fold(field->name[0]) != 'x' || fold(field->name[1]) != '-' ||
		!memchr("raslp", fold(field->name[2]), 5))
		return false;
	for (size_t i = 0; i < sizeof families / sizeof *families; i++)
		if (starts_with(field, families[i], strlen(families[i])))
			return true;
	return false;
}

static bool comes_from_client(const struct rung_field *field, const void *data)
{
	const struct reproxy *reproxy = data;

	return is_of_family(field) || is_named(field, reproxy->header);
}

/* In a redispatch the mark is ours, not the client's. */
static bool comes_from_client_but_mark(const struct rung_field *field, const void *data)
{
	return comes_from_client(field, data) && !is_named(field, "X-Reproxied");
}

int rung_reproxy_scrub_request(const struct reproxy *reproxy, struct rung_env *env)
{
	return rung_request_header_filter(
		env, env->hop ? comes_from_client_but_mark : comes_from_client, reproxy);
}

/* What an app may tell nginx about a response that is not reproxied, such as that a stream be not buffered. */
static bool is_advice(const struct rung_field *field)
{
	return is_named(field, "X-Accel-Buffering") || is_named(field, "X-Accel-Charset") ||
	       is_named(field, "X-Accel-Expires") || is_named(field, "X-Accel-Limit-Rate");
}

static bool must_not_leave(const struct rung_field *field, const void *data)
{
	return comes_from_client(field, data) && !is_advice(field);
}

void rung_reproxy_scrub_response(const struct reproxy *reproxy, struct rung_response *res)
{
	rung_header_filter(res, must_not_leave, reproxy);
}

const char *const rung_reproxy_entity_fields[] = { "Content-Length", "Content-Encoding", "Content-Range",
	"Content-MD5", "Content-Digest", "Repr-Digest", "Digest", "ETag", "Last-Modified", "Accept-Ranges",
	"Transfer-Encoding", "Trailer", "Location", NULL };
