/* test_basic_auth.c: who passes, who is asked, who is refused, and what the layer keeps to itself. RFC 7617. */
#include "support.h"

#include <rung/access_log.h>
#include <rung/basic_auth.h>

#include <stdio.h>
#include <stdlib.h>

SUITE(basic_auth);

/* -- what stands inside and what is sent ------------------------------------------------------------------------- */

static unsigned reached;

static int tell_user(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const char *user = rung_remote_user(env);

	(void)self;
	reached++;
	return rung_reply_textf(res, 200, "user=%s", user ? user : "(NULL)");
}

static struct rung_client *guarded(struct rung_app *auth)
{
	reached = 0;
	return test_client(rung_stack(auth, rung_run(tell_user)));
}

/* The usual one: Aladdin and his password from RFC 7617. */
static struct rung_client *aladdins(void)
{
	return guarded(rung_basic_auth(.realm = "WallyWorld", .user = "Aladdin", .password = "open sesame"));
}

static const struct rung_reply *send_value(struct rung_client *client, const char *value)
{
	return rung_client_send(client, "GET", "/",
		.headers = (const struct rung_field[]){ { "Authorization", value }, { 0 } });
}

/* Writes "Basic " and the base64 of the bytes. */
static void encode(const char *bytes, size_t size, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	out += sprintf(out, "Basic ");
	for (size_t at = 0; at < size; at += 3) {
		unsigned char group[3] = { 0 };
		size_t count = size - at < 3 ? size - at : 3;

		memcpy(group, bytes + at, count);
		*out++ = digits[group[0] >> 2];
		*out++ = digits[(group[0] & 3) << 4 | group[1] >> 4];
		*out++ = count > 1 ? digits[(group[1] & 15) << 2 | group[2] >> 6] : '=';
		*out++ = count > 2 ? digits[group[2] & 63] : '=';
	}
	*out = '\0';
}

static const struct rung_reply *send_credentials(struct rung_client *client, const char *bytes, size_t size)
{
	char value[16 * 1024];

	encode(bytes, size, value);
	return send_value(client, value);
}

/* A check that notes what it was asked. */
struct asked {
	unsigned times, freed;
	bool answer;
	char user[8300], password[8300];
};

static bool note(const void *data, const char *user, const char *password)
{
	struct asked *asked = (struct asked *)(uintptr_t)data;

	asked->times++;
	snprintf(asked->user, sizeof asked->user, "%s", user);
	snprintf(asked->password, sizeof asked->password, "%s", password);
	return asked->answer;
}

static void count_free(void *data)
{
	((struct asked *)data)->freed++;
}

/* -- the one user ------------------------------------------------------------------------------------------------ */

Test(basic_auth, right_credentials_pass_and_name_the_user)
{
	struct rung_client *client = aladdins();
	const struct rung_reply *reply = send_value(client, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");

	ASSERT_INT(reply->status, 200);
	ASSERT_STR(reply->body, "user=Aladdin");
	cr_assert(!rung_reply_header(reply, "WWW-Authenticate"));
	rung_client_destroy(client);
}

Test(basic_auth, without_credentials_the_client_is_challenged)
{
	struct rung_client *client = aladdins();
	const struct rung_reply *reply = rung_client_get(client, "/");

	ASSERT_INT(reply->status, 401);
	ASSERT_STR(rung_reply_header(reply, "WWW-Authenticate"),
		"Basic realm=\"WallyWorld\", charset=\"UTF-8\"");
	ASSERT_INT(reply->size, 0);
	ASSERT_INT(reached, 0);
	rung_client_destroy(client);
}

Test(basic_auth, the_default_realm_is_restricted)
{
	struct rung_client *client = guarded(rung_basic_auth(.user = "u", .password = "p"));

	ASSERT_STR(rung_reply_header(rung_client_get(client, "/"), "WWW-Authenticate"),
		"Basic realm=\"restricted\", charset=\"UTF-8\"");
	rung_client_destroy(client);
}

Test(basic_auth, every_kind_of_field_gets_its_status)
{
	static const struct {
		const char *name, *value;
		int status;
	} cases[] = {
		{ "as the RFC has it", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", 200 },
		{ "scheme in capitals", "BASIC QWxhZGRpbjpvcGVuIHNlc2FtZQ==", 200 },
		{ "scheme in small letters", "basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", 200 },
		{ "several blanks", "Basic   QWxhZGRpbjpvcGVuIHNlc2FtZQ==", 200 },
		{ "empty field", "", 401 },
		{ "another scheme", "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", 401 },
		{ "a scheme that begins like it", "Basics QWxhZGRpbjpvcGVuIHNlc2FtZQ==", 401 },
		{ "the beginning of the scheme", "Basi", 401 },
		{ "wrong password (Aladdin:open sesamE)", "Basic QWxhZGRpbjpvcGVuIHNlc2FtRQ==", 401 },
		{ "shorter password (Aladdin:open sesam)", "Basic QWxhZGRpbjpvcGVuIHNlc2Ft", 401 },
		{ "longer password (Aladdin:open sesamee)", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZWU=", 401 },
		{ "wrong user (aladdin:open sesame)", "Basic YWxhZGRpbjpvcGVuIHNlc2FtZQ==", 401 },
		{ "swapped (open sesame:Aladdin)", "Basic b3BlbiBzZXNhbWU6QWxhZGRpbg==", 401 },
		{ "both empty (:)", "Basic Og==", 401 },
		{ "no credentials", "Basic", 400 },
		{ "no credentials but a blank", "Basic ", 400 },
		{ "a tab behind the scheme", "Basic\tQWxhZGRpbjpvcGVuIHNlc2FtZQ==", 400 },
		{ "no padding", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ", 400 },
		{ "half the padding", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=", 400 },
		{ "too much padding", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ====", 400 },
		{ "padding alone", "Basic ====", 400 },
		{ "padding inside", "Basic QWxh=GRpbjpvcGVuIHNlc2FtZQ==", 400 },
		{ "padding before the end", "Basic QWxhZA==bjpvcGVuIHNlc2FtZQ==", 400 },
		{ "a digit between the padding (Og=A)", "Basic Og=A", 400 },
		{ "unused bits set, one byte (Oh==)", "Basic Oh==", 400 },
		{ "unused bits set, two bytes (YTp=)", "Basic YTp=", 400 },
		{ "a byte that is no digit", "Basic QWxhZGRpbjpvcGVuIHNlc2Ft*Q==", 400 },
		{ "the URL-safe alphabet", "Basic Oi0t-_-_", 400 },
		{ "a blank inside", "Basic QWxhZGRp bjpvcGVuIHNlc2FtZQ==", 400 },
		{ "a blank at the end", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ== ", 400 },
		{ "another parameter behind", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==, x=y", 400 },
		{ "bytes beyond ASCII", "Basic \xc3\xa4\xc3\xb6", 400 },
		{ "no colon (Aladdin)", "Basic QWxhZGRpbg==", 400 },
		{ "a NUL in the user (Ala\\0ddin:open sesame)", "Basic QWxhAGRkaW46b3BlbiBzZXNhbWU=", 400 },
		{ "a NUL at the end (Aladdin:open sesame\\0)", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQA=", 400 },
		{ "a newline in the user (Aladdin\\n:x)", "Basic QWxhZGRpbgo6eA==", 400 },
		{ "DEL in the password (a:\\x7f)", "Basic YTp/", 400 },
	};
	struct rung_client *client = aladdins();

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		reached = 0;
		const struct rung_reply *reply = send_value(client, cases[i].value);

		cr_expect(reply->status == cases[i].status, "%s: %d, not %d", cases[i].name, reply->status,
			cases[i].status);
		cr_expect(reached == (cases[i].status == 200), "%s: reached what is inside", cases[i].name);
		cr_expect((rung_reply_header(reply, "WWW-Authenticate") != NULL) == (cases[i].status == 401),
			"%s: a challenge comes with 401 and no other", cases[i].name);
		cr_expect(cases[i].status == 200 || reply->size == 0, "%s: has a body", cases[i].name);
	}
	rung_client_destroy(client);
}

Test(basic_auth, more_than_one_field_is_refused)
{
	static const char right[] = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
	const struct rung_field same[] = { { "Authorization", right }, { "Authorization", right }, { 0 } };
	const struct rung_field other[] = { { "Authorization", right }, { "aUTHORIZATION", "Bearer x" },
		{ 0 } };
	const struct rung_field one[] = { { "Accept", "x/y" }, { "aUTHORIZATION", right }, { 0 } };
	struct rung_client *client = aladdins();

	ASSERT_INT(rung_client_send(client, "GET", "/", .headers = same)->status, 400);
	ASSERT_INT(rung_client_send(client, "GET", "/", .headers = other)->status, 400);
	ASSERT_INT(reached, 0);
	ASSERT_INT(rung_client_send(client, "GET", "/", .headers = one)->status, 200);
	rung_client_destroy(client);
}

Test(basic_auth, strings_given_are_copied)
{
	char realm[] = "one", user[] = "two", password[] = "three";
	struct rung_client *client =
		guarded(rung_basic_auth(.realm = realm, .user = user, .password = password));

	realm[0] = user[0] = password[0] = 'X';
	ASSERT_HAS(rung_reply_header(rung_client_get(client, "/"), "WWW-Authenticate"), "realm=\"one\"");
	ASSERT_INT(send_credentials(client, "two:three", 9)->status, 200);
	rung_client_destroy(client);
}

Test(basic_auth, an_empty_password_is_one_too)
{
	struct rung_client *client = guarded(rung_basic_auth(.user = "u", .password = ""));

	ASSERT_INT(send_credentials(client, "u:", 2)->status, 200);
	ASSERT_INT(send_credentials(client, "u:u", 3)->status, 401);
	rung_client_destroy(client);
}

/* -- a check of one's own ---------------------------------------------------------------------------------------- */

Test(basic_auth, check_decides_by_what_the_client_sent)
{
	static const struct {
		const char *name, *bytes, *user, *password;
	} cases[] = {
		{ "plain", "ann:secret", "ann", "secret" },
		{ "one byte more", "anna:secret", "anna", "secret" },
		{ "two bytes more", "ann:secret!!", "ann", "secret!!" },
		{ "colons in the password", "ann:a:b::", "ann", "a:b::" },
		{ "no user", ":secret", "", "secret" },
		{ "no password", "ann:", "ann", "" },
		{ "blanks", " ann : x ", " ann ", " x " },
		{ "UTF-8", "\xc3\xa4nn:\xe2\x82\xac", "\xc3\xa4nn", "\xe2\x82\xac" },
		{ "quotes", "\"ann\":\\", "\"ann\"", "\\" },
	};
	struct asked *asked = calloc(1, sizeof *asked);
	struct rung_client *client = guarded(rung_basic_auth(.check = note, .data = asked));

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char expected[64];

		asked->answer = true;
		const struct rung_reply *reply =
			send_credentials(client, cases[i].bytes, strlen(cases[i].bytes));
		snprintf(expected, sizeof expected, "user=%s", cases[i].user);
		cr_expect(reply->status == 200, "%s: %d", cases[i].name, reply->status);
		cr_expect(strcmp(reply->body, expected) == 0, "%s: %s", cases[i].name, reply->body);
		cr_expect(strcmp(asked->user, cases[i].user) == 0, "%s: user %s", cases[i].name, asked->user);
		cr_expect(strcmp(asked->password, cases[i].password) == 0, "%s: password %s", cases[i].name,
			asked->password);
		asked->answer = false;
		reply = send_credentials(client, cases[i].bytes, strlen(cases[i].bytes));
		cr_expect(reply->status == 401, "%s: refused, but %d", cases[i].name, reply->status);
	}
	ASSERT_INT(asked->times, 2 * sizeof cases / sizeof *cases);
	rung_client_destroy(client);
	ASSERT_INT(asked->freed, 0);
	free(asked);
}

Test(basic_auth, every_byte_is_decoded_or_refused)
{
	struct asked *asked = calloc(1, sizeof *asked);
	struct rung_client *client = guarded(rung_basic_auth(.check = note, .data = asked));

	asked->answer = true;
	for (unsigned byte = 0; byte < 256; byte++) {
		/* At each place of a group of three, so that each digit takes every value. */
		const char bytes[] = { 'u', ':', (char)byte, (char)byte, (char)byte, '\0' };
		bool may = byte >= 0x20 && byte != 0x7f;
		int status = send_credentials(client, bytes, 5)->status;

		cr_expect(status == (may ? 200 : 400), "byte %02x: %d", byte, status);
		cr_expect(
			!may || strcmp(asked->password, bytes + 2) == 0, "byte %02x: decoded wrongly", byte);
	}
	rung_client_destroy(client);
	free(asked);
}

Test(basic_auth, check_is_not_asked_about_what_is_malformed)
{
	struct asked *asked = calloc(1, sizeof *asked);
	struct rung_client *client = guarded(rung_basic_auth(.check = note, .data = asked));

	asked->answer = true;
	ASSERT_INT(rung_client_get(client, "/")->status, 401);
	ASSERT_INT(send_value(client, "Basic !")->status, 400);
	ASSERT_INT(send_credentials(client, "nocolon", 7)->status, 400);
	ASSERT_INT(asked->times, 0);
	rung_client_destroy(client);
	free(asked);
}

Test(basic_auth, what_is_decoded_has_a_limit)
{
	struct asked *asked = calloc(1, sizeof *asked);
	struct rung_client *client = guarded(rung_basic_auth(.check = note, .data = asked));
	char bytes[8194];

	asked->answer = true;
	memset(bytes, 'x', sizeof bytes);
	bytes[1] = ':';
	ASSERT_INT(send_credentials(client, bytes, 8190)->status, 200);
	ASSERT_INT(strlen(asked->password), 8188);
	ASSERT_INT(send_credentials(client, bytes, 8191)->status, 400);
	ASSERT_INT(send_credentials(client, bytes, 8194)->status, 400);
	ASSERT_INT(asked->times, 1);
	rung_client_destroy(client);
	free(asked);
}

Test(basic_auth, data_is_freed_once_when_the_layer_goes_or_is_refused)
{
	struct asked *asked = calloc(1, sizeof *asked);
	struct rung_client *client =
		guarded(rung_basic_auth(.check = note, .data = asked, .free_data = count_free));

	ASSERT_INT(asked->freed, 0);
	rung_client_destroy(client);
	ASSERT_INT(asked->freed, 1);
	cr_assert(!rung_basic_auth(.realm = "\"", .check = note, .data = asked, .free_data = count_free));
	ASSERT_INT(asked->freed, 2);
	free(asked);
}

/* -- the user's name --------------------------------------------------------------------------------------------- */

static const char *seen_before, *seen_after;

static int watch_user(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	static char copy[64];
	const char *user;

	seen_before = rung_remote_user(env);
	rung_next(self, env, res);
	user = rung_remote_user(env);
	snprintf(copy, sizeof copy, "%s", user ? user : "");
	seen_after = user ? copy : NULL;
	return 0;
}

Test(basic_auth, the_name_is_seen_outside_once_it_was_checked)
{
	struct rung_client *client = guarded(rung_stack(
		rung_use(watch_user), rung_basic_auth(.user = "Aladdin", .password = "open sesame")));

	ASSERT_INT(send_value(client, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")->status, 200);
	cr_assert(!seen_before);
	ASSERT_STR(seen_after, "Aladdin");
	/* A wrong password gives no name, nor does the request before. */
	ASSERT_INT(send_value(client, "Basic QWxhZGRpbjpvcGVuIHNlc2FtRQ==")->status, 401);
	cr_assert(!seen_after);
	rung_client_destroy(client);
}

static int set_user(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	int rc = rung_env_set(env, &rung_remote_user_key, (void *)(uintptr_t) "by token");

	if (rc < 0)
		return rc;
	rung_next(self, env, res);
	return 0;
}

Test(basic_auth, another_layer_may_name_the_user)
{
	struct rung_client *client = guarded(rung_use(set_user));

	ASSERT_STR(rung_client_get(client, "/")->body, "user=by token");
	rung_client_destroy(client);
}

/* -- what is refused when it is made ----------------------------------------------------------------------------- */

Test(basic_auth, what_cannot_work_is_refused_with_a_message)
{
	const struct {
		const char *name, *part;
		struct rung_basic_auth_options options;
	} cases[] = {
		{ "nothing", ".check", { 0 } },
		{ "a realm alone", ".check", { .realm = "x" } },
		{ "a user alone", ".password", { .user = "u" } },
		{ "a password alone", ".user", { .password = "p" } },
		{ "all of it", "one or the other", { .check = note, .user = "u", .password = "p" } },
		{ "check and user", "one or the other", { .check = note, .user = "u" } },
		{ "check and password", "one or the other", { .check = note, .password = "p" } },
		{ "a quote in the realm", ".realm", { .realm = "a\"b", .check = note } },
		{ "a backslash in the realm", ".realm", { .realm = "a\\", .check = note } },
		{ "a newline in the realm", ".realm", { .realm = "a\r\nX: y", .check = note } },
		{ "a tab in the realm", ".realm", { .realm = "a\tb", .check = note } },
		{ "DEL in the realm", ".realm", { .realm = "\x7f", .check = note } },
		{ "a colon in the user", "colon", { .user = "a:b", .password = "p" } },
		{ "a newline in the user", "control", { .user = "a\n", .password = "p" } },
		{ "a tab in the password", "control", { .user = "a", .password = "\t" } },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rung_basic_auth_options options = cases[i].options;

		options.size = sizeof options;
		cr_expect(!rung_basic_auth_new(&options), "%s: was not refused", cases[i].name);
		const char *error = rung_error();
		cr_expect(strncmp(error, "basic_auth: ", 12) == 0, "%s: %s", cases[i].name, error);
		cr_expect(strstr(error, cases[i].part), "%s: %s", cases[i].name, error);
		cr_expect(strstr(error, "; "), "%s: no mend: %s", cases[i].name, error);
	}
	cr_expect(!rung_basic_auth_new(NULL), "no options: was not refused");
}

Test(basic_auth, a_realm_may_be_utf_8_or_empty)
{
	struct rung_client *client = guarded(rung_basic_auth(.realm = "B\xc3\xbc"
								      "cher",
		.check = note));

	ASSERT_STR(rung_reply_header(rung_client_get(client, "/"), "WWW-Authenticate"),
		"Basic realm=\"B\xc3\xbc"
		"cher\", charset=\"UTF-8\"");
	rung_client_destroy(client);
	client = guarded(rung_basic_auth(.realm = "", .check = note));
	ASSERT_HAS(rung_reply_header(rung_client_get(client, "/"), "WWW-Authenticate"), "Basic realm=\"\",");
	rung_client_destroy(client);
}

/* -- the printed stack ------------------------------------------------------------------------------------------- */

Test(basic_auth, the_printed_stack_names_the_realm_and_gives_no_secret_away)
{
	char text[1024];
	struct rung_app *stack = rung_stack(rung_access_log(),
		rung_basic_auth(.realm = "files", .user = "ann", .password = "s3cret"), rung_run(tell_user));

	cr_assert(rung_stack_print(stack, text, sizeof text) > 0);
	ASSERT_HAS(text, "realm=\"files\"");
	cr_assert(!strstr(text, "s3cret"));
	cr_assert(!strstr(text, "advice"), "%s", text);
	rung_app_destroy(stack);
}

/* -- comparing --------------------------------------------------------------------------------------------------- */

static bool equal(const char *secret, size_t secret_size, const char *given, size_t given_size)
{
	return rung_equal_constant_time(secret, secret_size, given, given_size);
}

Test(basic_auth, equal_means_the_same_bytes)
{
	cr_expect(equal("", 0, "", 0), "both empty");
	cr_expect(equal(NULL, 0, NULL, 0), "both empty, nowhere");
	cr_expect(equal("a\0b", 3, "a\0b", 3), "a NUL counts as a byte");
	cr_expect(!equal("a\0b", 3, "a\0c", 3), "so does what is behind it");
	cr_expect(!equal("abc", 3, "", 0), "nothing given");
	cr_expect(!equal("", 0, "abc", 3), "nothing expected");
	cr_expect(!equal("", 0, "\0", 1), "nothing is no NUL");
	cr_expect(!equal("\0", 1, "", 0), "a NUL is not nothing");
	cr_expect(!equal("abc", 3, "ab", 2), "the beginning alone");
	cr_expect(!equal("ab", 2, "abc", 3), "one byte more");
	cr_expect(!equal("ab", 2, "abab", 4), "twice the secret");
	cr_expect(!equal("abab", 4, "ab", 2), "half the secret");
	cr_expect(!equal("a", 1, "aaaaaaaa", 8), "the secret again and again");
	cr_expect(!equal("abc", 3, "ABC", 3), "case counts");
}

Test(basic_auth, every_single_bit_counts)
{
	for (size_t size = 1; size <= 33; size++) {
		unsigned char secret[34], given[34];

		for (size_t i = 0; i < sizeof secret; i++)
			secret[i] = given[i] = (unsigned char)(i * 37 + size);
		cr_expect(rung_equal_constant_time(secret, size, given, size), "%zu bytes: equal", size);
		for (size_t bit = 0; bit < 8 * size; bit++) {
			given[bit / 8] ^= (unsigned char)(1u << bit % 8);
			cr_expect(!rung_equal_constant_time(secret, size, given, size),
				"%zu bytes: bit %zu does not count", size, bit);
			given[bit / 8] = secret[bit / 8];
		}
		for (size_t other = 0; other <= 34; other++)
			cr_expect(rung_equal_constant_time(secret, size, given, other) == (other == size),
				"%zu bytes against %zu", size, other);
	}
}

/* -- wiping ------------------------------------------------------------------------------------------------------ */

static const char horse[] = "h0rse-battery", encoded_horse[] = "dTpoMHJzZS1iYXR0ZXJ5";
static unsigned wiped, wiped_encoded;

/* True when the byte completes the needle, of which `same` bytes came before it. */
static bool completes(const char *needle, size_t *same, char byte)
{
	*same = byte == needle[*same] ? *same + 1 : byte == needle[0];
	if (needle[*same])
		return false;
	*same = 0;
	return true;
}

/* Stands in place of the C library's, to see whether the password is in what is wiped. */
void explicit_bzero(void *memory, size_t size)
{
	volatile char *at = memory;
	size_t same = 0, same_encoded = 0;

	for (size_t i = 0; i < size; i++) {
		wiped += completes(horse, &same, at[i]);
		wiped_encoded += completes(encoded_horse, &same_encoded, at[i]);
		at[i] = '\0';
	}
}

Test(basic_auth, passwords_are_wiped_after_the_check_and_with_the_layer)
{
	struct rung_client *client = guarded(rung_basic_auth(.user = "u", .password = horse));

	ASSERT_INT(wiped, 0);
	ASSERT_INT(send_credentials(client, "v:h0rse-battery", 15)->status, 401);
	ASSERT_INT(wiped, 1);
	ASSERT_INT(send_credentials(client, "v:h0rse-battery\n", 16)->status, 400);
	ASSERT_INT(wiped, 2);
	rung_client_destroy(client);
	ASSERT_INT(wiped, 3);
	ASSERT_INT(wiped_encoded, 1);
}

Test(basic_auth, the_right_credentials_are_not_even_decoded)
{
	static const char *const users[] = { "u", "us", "usr" }; /* base64 ends in each of its three ways */

	for (size_t i = 0; i < 3; i++) {
		struct rung_client *client = guarded(rung_basic_auth(.user = users[i], .password = horse));
		char text[32];
		int size = snprintf(text, sizeof text, "%s:%s", users[i], horse);

		wiped = 0;
		ASSERT_INT(send_credentials(client, text, (size_t)size)->status, 200);
		ASSERT_INT(wiped, 0);
		rung_client_destroy(client);
	}
}
