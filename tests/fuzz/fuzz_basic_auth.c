/*
 * fuzz_basic_auth.c: any bytes as the value of an Authorization field. What passes must be the one text that encodes the
 * user and the password that were checked, and nothing may be checked that no client can send.
 */
#include <rung/basic_auth.h>
#include <rung/rung.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MOST = 8192 };

/* What the check was asked. */
static struct {
	bool asked;
	char user[MOST], password[MOST];
} seen;

static void insist(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static void insist_text(const char *text)
{
	insist(strlen(text) < MOST, "text within the limit");
	for (; *text; text++)
		insist((unsigned char)*text >= 0x20 && *text != 0x7f, "no control byte");
}

/* Lets in whoever's password is longer than his name. */
static bool check(const void *data, const char *user, const char *password)
{
	(void)data;
	insist(!seen.asked, "asked once");
	insist_text(user);
	insist_text(password);
	insist(!strchr(user, ':'), "no colon in the user");
	seen.asked = true;
	strcpy(seen.user, user);
	strcpy(seen.password, password);
	return strlen(password) > strlen(user);
}

static int tell_user(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const char *user = rung_remote_user(env);

	(void)self;
	insist(user != NULL, "a user inside");
	return rung_reply_text(res, 200, user);
}

static void encode(const char *text, size_t size, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *at = (const unsigned char *)text;

	for (; size >= 3; size -= 3, at += 3) {
		*out++ = digits[at[0] >> 2];
		*out++ = digits[(at[0] & 3) << 4 | at[1] >> 4];
		*out++ = digits[(at[1] & 15) << 2 | at[2] >> 6];
		*out++ = digits[at[2] & 63];
	}
	if (size) {
		unsigned second = size == 2 ? at[1] : 0;

		*out++ = digits[at[0] >> 2];
		*out++ = digits[(at[0] & 3) << 4 | second >> 4];
		*out++ = size == 2 ? digits[(second & 15) << 2] : '=';
		*out++ = '=';
	}
	*out = '\0';
}

/* What was checked, encoded again, is what was sent: each text has one meaning and each meaning one text. */
static void insist_canonical(const char *value)
{
	char plain[2 * MOST + 2], coded[3 * MOST + 8];
	int size = snprintf(plain, sizeof plain, "%s:%s", seen.user, seen.password);

	encode(plain, (size_t)size, coded);
	insist(strncasecmp(value, "Basic ", 6) == 0, "the scheme is Basic");
	value += 5 + strspn(value + 5, " ");
	insist(strcmp(value, coded) == 0, "the encoding is the canonical one");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rung_client *client;
	char *value = malloc(size + 1);

	if (!client)
		client = rung_client_new(rung_stack(rung_basic_auth(.check = check), rung_run(tell_user)));
	insist(client && value, "memory");
	memcpy(value, data, size);
	value[size] = '\0';
	seen.asked = false;
	const struct rung_reply *reply = rung_client_send(client, "GET", "/",
		.headers = (const struct rung_field[]){ { "Authorization", value }, { 0 } });
	bool right = seen.asked && strlen(seen.password) > strlen(seen.user);
	insist(reply->status == 200 || reply->status == 400 || reply->status == 401, "a status it may give");
	insist((reply->status == 200) == right, "who is right gets in");
	insist((reply->status == 401) == (rung_reply_header(reply, "WWW-Authenticate") != NULL),
		"a challenge");
	insist(reply->status != 400 || !seen.asked, "what is malformed is not checked");
	insist(reply->status != 200 || strcmp(reply->body, seen.user) == 0, "the user is the one checked");
	if (seen.asked)
		insist_canonical(value);
	free(value);
	return 0;
}
