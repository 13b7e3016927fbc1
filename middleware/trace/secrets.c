/*
 * secrets.c: what must not be shown. A name that says "secret" too often costs a look at a value; one that says it too
 * seldom shows a password to whoever looks over the shoulder: so in doubt it is one.
 */
#include "secrets.h"

#include <rung/uri.h>
#include <rung/writer.h>

#include <ctype.h>
#include <string.h>
#include <strings.h>

const char rung_secret_dots[] = "\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2";

/* -- names --------------------------------------------------------------------------------------------------------- */

/* Wherever they stand in a name. */
static const char *const parts[] = { "authorization", "cookie", "token", "secret", "passw", "passphrase",
	"pwd", "apikey", "session", "sessid", "signature", "credential", "csrf", "xsrf" };

/* As a word of their own: "api-key", but not "keyboard"; "X-Auth", but not "author". */
static const char *const words[] = { "auth", "code", "jwt", "key", "otp", "pass", "pin", "sid", "sig" };

static bool contains(const char *name, size_t size, const char *part)
{
	size_t length = strlen(part);

	for (size_t i = 0; i + length <= size; i++)
		if (strncasecmp(name + i, part, length) == 0)
			return true;
	return false;
}

static bool has_word(const char *name, size_t size, const char *word)
{
	size_t length = strlen(word);

	for (size_t i = 0; i + length <= size; i++)
		if (strncasecmp(name + i, word, length) == 0 &&
			(i == 0 || !isalnum((unsigned char)name[i - 1])) &&
			(i + length == size || !isalnum((unsigned char)name[i + length])))
			return true;
	return false;
}

bool rung_secret_is_name(const char *name, size_t size)
{
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (contains(name, size, parts[i]))
			return true;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (has_word(name, size, words[i]))
			return true;
	return false;
}

/* -- URIs ---------------------------------------------------------------------------------------------------------- */

/* "%74oken" says token as well; what cannot be decoded may say anything. */
static bool is_secret_argument(const struct rung_env *env, const char *name, size_t size)
{
	if (!memchr(name, '%', size))
		return rung_secret_is_name(name, size);
	char *decoded = rung_alloc(env, size + 1);
	ssize_t length = decoded ? rung_uri_decode(name, size, decoded, size + 1) : -1;

	return length < 0 || rung_secret_is_name(decoded, (size_t)length);
}

/* A URI inside of an argument, "next=%2Flogin%3Ftoken%3Dabc", however often it was encoded ("%253D"), is hidden whole. */
static bool holds_secret(const char *value, size_t size)
{
	return memchr(value, '%', size) && contains(value, size, "3d") && rung_secret_is_name(value, size);
}

/* Where what is behind a delimiter is a secret: returns how much of it may stay, and in *ret_hidden how much follows that
 * may not; 0 when there is none. */
static size_t find_secret(const struct rung_env *env, const char *at, char delimiter, size_t *ret_hidden)
{
	*ret_hidden = 0;
	if (delimiter == '/') {
		/* User and password stand between "//" and the last "@" of the authority. */
		const char *sign = *at == '/' ? memrchr(at + 1, '@', strcspn(at + 1, "/?# \t\"<>")) : NULL;

		if (sign)
			*ret_hidden = (size_t)(sign - at - 1);
		return sign ? 1 : 0;
	}
	size_t name = strcspn(at, "=?&#;/");
	if (at[name] != '=')
		return 0;
	size_t value = strcspn(at + name + 1, "&# \t\"<>");
	if (is_secret_argument(env, at, name) || holds_secret(at + name + 1, value))
		*ret_hidden = value;
	return name + 1;
}

const char *rung_secret_mask(const struct rung_env *env, const char *text)
{
	struct rung_writer writer = rung_writer(env);
	const char *at = text;

	if (!strpbrk(text, "=@"))
		return text;
	while (*at) {
		size_t size = strcspn(at, "?&#;/"), hidden;
		char delimiter = at[size];

		size += delimiter != '\0';
		rung_write_bytes(&writer, at, size);
		at += size;
		size_t shown = delimiter ? find_secret(env, at, delimiter, &hidden) : 0;
		if (shown == 0 || hidden == 0)
			continue;
		rung_write_bytes(&writer, at, shown);
		rung_write(&writer, rung_secret_dots);
		at += shown + hidden;
	}
	return writer.error ? NULL : writer.text;
}
