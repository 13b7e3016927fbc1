/* cookie.c: Set-Cookie, RFC 6265 section 4.1 and the name prefixes of its successor. */
#include "request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* cookie-octet: no controls, blanks, quotes, commas, semicolons, backslashes, nothing beyond ASCII. */
static bool is_cookie_value(const char *text)
{
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte <= 0x20 || byte >= 0x7f || byte == '"' || byte == ',' || byte == ';' || byte == '\\')
			return false;
	}
	return true;
}

/* What an attribute may hold: anything that cannot end it. */
static bool is_attribute(const char *text)
{
	return rung_is_field_value(text, strlen(text)) && !strchr(text, ';');
}

static bool is_same_site(const char *text)
{
	return strcmp(text, "Lax") == 0 || strcmp(text, "Strict") == 0 || strcmp(text, "None") == 0;
}

/* Browsers look at name prefixes without case. */
static bool has_prefix(const char *name, const char *prefix)
{
	return *name == '_' && strncasecmp(name, prefix, strlen(prefix)) == 0;
}

static const char *what_is_wrong(const struct rung_cookie *cookie)
{
	if (!cookie->name || !rung_is_token(cookie->name, strlen(cookie->name)))
		return "the name is no token";
	if (!cookie->value || !is_cookie_value(cookie->value))
		return "the value has bytes that no cookie may hold; encode it";
	if (cookie->path && (*cookie->path != '/' || !is_attribute(cookie->path)))
		return "the path does not start with \"/\" or has a semicolon";
	if (cookie->domain && (!*cookie->domain || !is_attribute(cookie->domain)))
		return "the domain is empty or has a semicolon";
	if (cookie->same_site && !is_same_site(cookie->same_site))
		return "same_site is none of Lax, Strict, None";
	if (has_prefix(cookie->name, "__Host-") &&
		(cookie->domain || (cookie->path && strcmp(cookie->path, "/") != 0)))
		return "a __Host- cookie has no domain and the path \"/\"";
	return NULL;
}

/* Browsers drop such cookies unless they are Secure, so they always are. */
static bool must_be_secure(const struct rung_cookie *cookie)
{
	return cookie->secure || (cookie->same_site && strcmp(cookie->same_site, "None") == 0) ||
	       has_prefix(cookie->name, "__Secure-") || has_prefix(cookie->name, "__Host-");
}

static int refuse_cookie(struct rung_response *res, const char *name, const char *wrong)
{
	rung_fail_at(res->env_, -EINVAL, NULL, 0, "cookie \"%s\": %s", name ? name : "", wrong);
	return rung_response_stick(res, -EINVAL);
}

/* Puts pieces end to end; printf would take most of the time of a small app. NULL: out of memory. */
static char *join(const struct rung_env *env, const char *const *pieces, size_t count, size_t *ret_size)
{
	size_t sizes[16], size = 0;

	for (size_t i = 0; i < count; i++) {
		sizes[i] = strlen(pieces[i]);
		size += sizes[i];
	}
	char *text = rung_alloc(env, size + 1), *at = text;
	if (!text)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		memcpy(at, pieces[i], sizes[i]);
		at += sizes[i];
	}
	*at = '\0';
	*ret_size = size;
	return text;
}

static int add_cookie(struct rung_response *res, const struct rung_cookie *cookie)
{
	char age[64] = "";
	size_t size;

	if (cookie->max_age > 0)
		snprintf(age, sizeof age, "; Max-Age=%lld", (long long)cookie->max_age);
	else if (cookie->max_age < 0)
		snprintf(age, sizeof age, "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
	const char *const pieces[] = {
		cookie->name,
		"=",
		cookie->value,
		"; Path=",
		cookie->path ? cookie->path : "/",
		cookie->domain ? "; Domain=" : "",
		cookie->domain ? cookie->domain : "",
		age,
		must_be_secure(cookie) ? "; Secure" : "",
		cookie->script_readable ? "; SameSite=" : "; HttpOnly; SameSite=",
		cookie->same_site ? cookie->same_site : "Lax",
	};
	char *line = join(res->env_, pieces, sizeof pieces / sizeof *pieces, &size);
	if (!line)
		return rung_response_stick(res, -ENOMEM);
	int rc = rung_list_push(res->headers_, rung_arena_of(res->env_),
		(struct rung_field){ "Set-Cookie", line, 10, (uint32_t)size });
	return rc < 0 ? rung_response_stick(res, rc) : 0;
}

int rung_cookie_set(struct rung_response *res, const struct rung_cookie *given)
{
	struct rung_cookie cookie;

	if (res->error)
		return res->error;
	if (rung_options_copy("cookie", &cookie, given, sizeof cookie) < 0)
		return refuse_cookie(res, NULL, rung_error());
	const char *wrong = what_is_wrong(&cookie);
	return wrong ? refuse_cookie(res, cookie.name, wrong) : add_cookie(res, &cookie);
}
