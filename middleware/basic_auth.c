/*
 * basic_auth.c: the layer that asks for a user name and a password. Rack: Rack::Auth::Basic.
 *
 * RFC 7617 (the Basic scheme), RFC 9110 section 11 (challenges and credentials), RFC 4648 section 4 (base64). The
 * decoder is strict, one text for each value: what a proxy in front and this layer read can then not differ.
 */
#include <rung/basic_auth.h>

#include <rung/env.h>
#include <rung/response.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DECODED = 8190 }; /* bytes of user, colon and password; a multiple of three */

struct basic_auth {
	struct rung_app app;
	char *realm;
	char *challenge; /* the whole WWW-Authenticate value */
	bool (*check)(const void *data, const char *user, const char *password);
	void *data;
	void (*free_data)(void *);
	char *user, *password; /* NULL: check decides */
	size_t user_size, password_size;
	char *encoded; /* both as clients send them: who sends just that is right, and nothing need be decoded */
	size_t encoded_size;
};

const struct rung_key rung_remote_user_key = { .name = "basic_auth.remote_user" };

const char *rung_remote_user(const struct rung_env *env)
{
	return rung_env_get(env, &rung_remote_user_key);
}

/* -- comparing ------------------------------------------------------------------------------------------------ */

/* Walks over what was given and around and around the secret, so that the secret's size shows nowhere. `volatile`
 * keeps the compiler from leaving the loop once the answer is known. */
bool rung_equal_constant_time(const void *secret, size_t secret_size, const void *given, size_t given_size)
{
	static const unsigned char none[1];
	const unsigned char *a = secret_size ? secret : none, *b = given;
	volatile size_t difference = secret_size ^ given_size;
	size_t at = 0;

	for (size_t i = 0; i < given_size; i++) {
		difference |= (size_t)(a[at] ^ b[i]);
		at++;
		at &= (size_t)0 - (size_t)(at < secret_size); /* back to 0 at the end, without a branch */
	}
	return difference == 0;
}

/* -- decoding ------------------------------------------------------------------------------------------------- */

/* The value of a digit, plus one; 0 for all other bytes. */
static const unsigned char base64_digits[256] = {
	['A'] = 1,
	2,
	3,
	4,
	5,
	6,
	7,
	8,
	9,
	10,
	11,
	12,
	13,
	14,
	15,
	16,
	17,
	18,
	19,
	20,
	21,
	22,
	23,
	24,
	25,
	26,
	['a'] = 27,
	28,
	29,
	30,
	31,
	32,
	33,
	34,
	35,
	36,
	37,
	38,
	39,
	40,
	41,
	42,
	43,
	44,
	45,
	46,
	47,
	48,
	49,
	50,
	51,
	52,
	['0'] = 53,
	54,
	55,
	56,
	57,
	58,
	59,
	60,
	61,
	62,
	['+'] = 63,
	['/'] = 64,
};

/* The digits of one group of four; -1 for another byte. The padding counts as digits of value 0. */
static long base64_group(const char *text, size_t digits)
{
	unsigned long bits = 0;

	for (size_t i = 0; i < 4; i++) {
		unsigned digit = i < digits ? base64_digits[(unsigned char)text[i]] : 1;

		if (!digit)
			return -1;
		bits = bits << 6 | (digit - 1);
	}
	return (long)bits;
}

/* Decodes base64 with its padding, nothing before or after it, unused bits zero. Returns how many bytes; -EINVAL; or
 * -E2BIG when they are more than room. */
static ssize_t base64_decode(const char *text, size_t size, char *out, size_t room)
{
	size_t count = 0;

	if (size % 4)
		return -EINVAL;
	if (size / 4 * 3 > room)
		return -E2BIG;
	for (size_t at = 0; at < size; at += 4) {
		bool is_last = at + 4 == size;
		size_t digits = !is_last || text[at + 3] != '=' ? 4 : text[at + 2] != '=' ? 3 : 2;
		long bits = base64_group(text + at, digits);

		if (bits < 0 || (digits == 3 && bits & 0xff) || (digits == 2 && bits & 0xffff))
			return -EINVAL;
		for (size_t i = 0; i + 1 < digits; i++)
			out[count++] = (char)(bits >> (16 - 8 * i) & 0xff);
	}
	return (ssize_t)count;
}

/* True when a client may send it: no control byte (RFC 7617 section 2), so no NUL either. */
static bool is_credential(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (byte < 0x20 || byte == 0x7f)
			return false;
	}
	return true;
}

/* -- answering ------------------------------------------------------------------------------------------------ */

static int challenge(const struct basic_auth *auth, struct rung_response *res)
{
	rung_reply_empty(res, 401);
	return rung_header_static(res, "WWW-Authenticate", auth->challenge);
}

static bool are_right(const struct basic_auth *auth, const char *user, const char *password)
{
	if (auth->check)
		return auth->check(auth->data, user, password);
	bool user_is = rung_equal_constant_time(auth->user, auth->user_size, user, strlen(user));
	bool password_is =
		rung_equal_constant_time(auth->password, auth->password_size, password, strlen(password));
	/* Both are always compared: the time tells nobody whether the name was right. */
	return user_is & password_is;
}

/* Judges "user:password" after decoding, in place. Returns 0 when they are right and the user is set; else the status
 * to answer with, or a negative errno. */
static int judge(const struct basic_auth *auth, struct rung_env *env, char *text, size_t size)
{
	char *colon = memchr(text, ':', size);

	if (!colon || !is_credential(text, size))
		return 400;
	*colon = '\0';
	text[size] = '\0';
	if (!are_right(auth, text, colon + 1))
		return 401;
	char *user = rung_strndup(env, text, (size_t)(colon - text));
	return user ? rung_env_set(env, &rung_remote_user_key, user) : -ENOMEM;
}

/* The same for the value of an Authorization field: scheme, blanks, base64. */
static int judge_field(const struct basic_auth *auth, struct rung_env *env, const char *value)
{
	char decoded[MOST_DECODED + 1];

	if (strncasecmp(value, "Basic", 5) != 0 || (value[5] && value[5] != ' ' && value[5] != '\t'))
		return 401;
	value += 5;
	while (*value == ' ')
		value++;
	size_t encoded = strlen(value);
	if (auth->encoded && rung_equal_constant_time(auth->encoded, auth->encoded_size, value, encoded))
		return rung_env_set(env, &rung_remote_user_key, auth->user);
	ssize_t size = base64_decode(value, encoded, decoded, MOST_DECODED);
	int rc = size < 0 ? 400 : judge(auth, env, decoded, (size_t)size);
	/* What was written, not the whole room: decoded text is shorter than encoded. */
	explicit_bzero(decoded, encoded < sizeof decoded ? encoded : sizeof decoded);
	return rc;
}

/* The one Authorization field, NULL when there is none. More than one is -EINVAL: whoever reads the other one would
 * see another user. */
static int find_field(const struct rung_env *env, const char **ret_value)
{
	const struct rung_field *field;
	const char *value = NULL;

	for (size_t i = 0; (field = rung_request_field(env, i)); i++) {
		if (field->name_size != strlen("Authorization") ||
			!rung_names_equal(field->name, "Authorization"))
			continue;
		if (value)
			return -EINVAL;
		value = field->value;
	}
	*ret_value = value;
	return 0;
}

static int basic_auth_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct basic_auth *auth = (const struct basic_auth *)self;
	const char *value;

	if (find_field(env, &value) < 0)
		return rung_reply_empty(res, 400);
	int rc = value ? judge_field(auth, env, value) : 401;
	if (rc < 0)
		return rc;
	if (rc == 401)
		return challenge(auth, res);
	if (rc > 0)
		return rung_reply_empty(res, rc);
	rung_next(self, env, res);
	return 0;
}

/* Without credentials at all the challenge is the answer: a body would be sent in vain. */
static bool basic_auth_admit(
	const struct rung_app *self, struct rung_env *env, struct rung_admission *admission)
{
	const char *value;

	(void)self, (void)admission;
	return find_field(env, &value) == 0 && value;
}

/* -- life ----------------------------------------------------------------------------------------------------- */

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

static void basic_auth_destroy(struct rung_app *app)
{
	struct basic_auth *auth = (struct basic_auth *)app;

	if (auth->free_data)
		auth->free_data(auth->data);
	wipe(auth->user);
	wipe(auth->password);
	wipe(auth->encoded);
	free(auth->realm);
	free(auth->challenge);
}

static void basic_auth_describe(const struct rung_app *app, char *buffer, size_t room)
{
	snprintf(buffer, room, "realm=\"%s\"", ((const struct basic_auth *)app)->realm);
}

static const struct rung_app_class basic_auth_class = {
	.size = sizeof(struct basic_auth),
	.name = "basic_auth",
	.flags = RUNG_LAYER,
	.call = basic_auth_call,
	.admit = basic_auth_admit,
	.destroy = basic_auth_destroy,
	.describe = basic_auth_describe,
};

/* -- making --------------------------------------------------------------------------------------------------- */

static int check_options(const struct rung_basic_auth_options *options)
{
	const char *realm = options->realm ? options->realm : "";

	if (options->check && (options->user || options->password))
		return rung_refuse(-EINVAL,
			"basic_auth: it has .check and .user or .password too; give one or the other");
	if (!options->check && (!options->user || !options->password))
		return rung_refuse(-EINVAL,
			"basic_auth: nothing says who may pass; give .check, or both .user and .password");
	if (!is_credential(realm, strlen(realm)) || strpbrk(realm, "\"\\"))
		return rung_refuse(-EINVAL,
			"basic_auth: .realm has a quote, a backslash or a control byte; leave it out");
	if (!options->user)
		return 0;
	if (strchr(options->user, ':'))
		return rung_refuse(-EINVAL,
			"basic_auth: .user has a colon, which ends a user name; choose another name");
	if (!is_credential(options->user, strlen(options->user)) ||
		!is_credential(options->password, strlen(options->password)))
		return rung_refuse(-EINVAL,
			"basic_auth: .user or .password has a control byte, which no client may send; "
			"leave it out");
	return 0;
}

/* "user:password" in base64. */
static char *encode(const char *user, const char *password)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t user_size = strlen(user), size = user_size + 1 + strlen(password);
	char *out = malloc((size + 2) / 3 * 4 + 1), *at = out;

	for (size_t i = 0; out && i < size; i += 3) {
		unsigned long bits = 0;

		for (size_t j = i; j < i + 3; j++) {
			char byte = j >= size        ? '\0'
				    : j < user_size  ? user[j]
				    : j == user_size ? ':'
						     : password[j - user_size - 1];
			bits = bits << 8 | (unsigned char)byte;
		}
		for (int shift = 18; shift >= 0; shift -= 6)
			*at++ = digits[bits >> shift & 63];
	}
	if (!out)
		return NULL;
	for (size_t missing = (3 - size % 3) % 3; missing; missing--)
		at[-(ptrdiff_t)missing] = '=';
	*at = '\0';
	return out;
}

static int copy_options(struct basic_auth *auth, const struct rung_basic_auth_options *options)
{
	auth->check = options->check;
	auth->realm = strdup(options->realm ? options->realm : "restricted");
	if (!auth->realm)
		return -ENOMEM;
	if (asprintf(&auth->challenge, "Basic realm=\"%s\", charset=\"UTF-8\"", auth->realm) < 0) {
		auth->challenge = NULL;
		return -ENOMEM;
	}
	if (auth->check)
		return 0;
	auth->user = strdup(options->user);
	auth->password = strdup(options->password);
	auth->encoded = encode(options->user, options->password);
	if (!auth->user || !auth->password || !auth->encoded)
		return -ENOMEM;
	auth->encoded_size = strlen(auth->encoded);
	auth->user_size = strlen(auth->user);
	auth->password_size = strlen(auth->password);
	return 0;
}

struct rung_app *rung_basic_auth_new(const struct rung_basic_auth_options *given)
{
	struct rung_basic_auth_options options;

	if (rung_options_copy("basic_auth", &options, given, sizeof options) < 0)
		return NULL;
	struct basic_auth *auth = check_options(&options) == 0 ? rung_app_new(&basic_auth_class) : NULL;
	if (!auth) {
		if (options.free_data)
			options.free_data((void *)(uintptr_t)options.data);
		return NULL;
	}
	auth->data = (void *)(uintptr_t)options.data;
	auth->free_data = options.free_data;
	if (copy_options(auth, &options) == 0)
		return &auth->app;
	rung_refuse(-ENOMEM, "basic_auth: out of memory");
	rung_app_destroy(&auth->app);
	return NULL;
}
