/* reply_uri.c: URIs by format, every %s encoded where it stands, so that data can be a name but never a path. */
#include "request.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { URI_MAX = 8192 };

struct writer {
	char *text;
	size_t at;
	const char *wrong; /* what is wrong with the format or a value, for the message */
};

static void put(struct writer *out, const char *text, size_t size)
{
	if (out->at + size >= URI_MAX) {
		out->wrong = "the URI is longer than 8191 bytes";
		return;
	}
	memcpy(out->text + out->at, text, size);
	out->at += size;
	out->text[out->at] = '\0';
}

/* Where in the URI the text so far ends. Data may stand in the path or behind it, never before. */
static bool in_path(const char *text)
{
	const char *authority = strstr(text, "://");
	const char *path = authority ? strchr(authority + 3, '/') : strchr(text, '/');

	/* "//host" is an authority too, "/x" and "a/x" are paths. */
	if (!authority && strncmp(text, "//", 2) == 0)
		path = strchr(text + 2, '/');
	return path != NULL;
}

static void put_string(struct writer *out, const char *value)
{
	bool query = strchr(out->text, '?') != NULL;

	if (!value)
		out->wrong = "a %s is NULL";
	else if (!query && !in_path(out->text))
		out->wrong =
			"a %s stands before the path, where data would choose the host; write the host out";
	else if (!query && (strcmp(value, ".") == 0 || strcmp(value, "..") == 0))
		out->wrong = "a %s is \".\" or \"..\", which would name another path";
	if (out->wrong)
		return;
	ssize_t size = rung_uri_encode(query ? RUNG_URI_QUERY : RUNG_URI_SEGMENT, value, strlen(value),
		out->text + out->at, URI_MAX - out->at);
	if (size < 0)
		out->wrong = "the URI is longer than 8191 bytes";
	else
		out->at += (size_t)size;
}

static void put_number(struct writer *out, bool negative, unsigned long long value)
{
	char text[32];
	int size = snprintf(text, sizeof text, "%s%llu", negative ? "-" : "", value);

	put(out, text, (size_t)size);
}

static void put_signed(struct writer *out, long long value)
{
	put_number(out, value < 0, value < 0 ? 0ULL - (unsigned long long)value : (unsigned long long)value);
}

/* One conversion, `at` behind its "%". Returns where the format goes on. */
static const char *convert(struct writer *out, const char *at, va_list *arguments)
{
	static const char *const known[] = { "%", "s", "d", "u", "zu", "ld", "lu", "lld", "llu" };
	size_t which = 0, count = sizeof known / sizeof *known;

	while (which < count && strncmp(at, known[which], strlen(known[which])) != 0)
		which++;
	switch (which) {
	case 0:
		put(out, "%", 1);
		break;
	case 1:
		put_string(out, va_arg(*arguments, const char *));
		break;
	case 2:
		put_signed(out, va_arg(*arguments, int));
		break;
	case 3:
		put_number(out, false, va_arg(*arguments, unsigned));
		break;
	case 4:
		put_number(out, false, va_arg(*arguments, size_t));
		break;
	case 5:
		put_signed(out, va_arg(*arguments, long));
		break;
	case 6:
		put_number(out, false, va_arg(*arguments, unsigned long));
		break;
	case 7:
		put_signed(out, va_arg(*arguments, long long));
		break;
	case 8:
		put_number(out, false, va_arg(*arguments, unsigned long long));
		break;
	default:
		out->wrong = "the format has a conversion other than %s %d %u %zu %ld %lu %lld %llu %%";
		return at;
	}
	return at + strlen(known[which]);
}

int rung_reply_uri(struct rung_response *res, int status, const char *format, ...)
{
	char text[URI_MAX];
	struct writer out = { .text = text };
	va_list arguments;

	if (res->error)
		return res->error;
	text[0] = '\0';
	va_start(arguments, format);
	for (const char *at = format; *at && !out.wrong;) {
		size_t plain = strcspn(at, "%");

		put(&out, at, plain);
		at += plain;
		if (*at)
			at = convert(&out, at + 1, &arguments);
	}
	va_end(arguments);
	/* An empty segment in front would make a host of the next one. */
	if (!out.wrong && strncmp(text, "//", 2) == 0 && strncmp(format, "//", 2) != 0)
		out.wrong = "an empty %s in front makes \"//\", behind which a host stands";
	if (out.wrong) {
		rung_fail_at(res->env_, -EINVAL, NULL, 0, "rung_reply_uri(\"%s\"): %s", format, out.wrong);
		return rung_response_stick(res, -EINVAL);
	}
	return rung_reply_uri_raw(res, status, text);
}
