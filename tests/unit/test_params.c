/* test_params.c: queries and urlencoded forms, what is found in them, limits, and what a failure becomes. */
#include "params.h"

#include <errno.h>

SUITE(params);

static const struct asked query = { .parse = rung_query_within };
static const struct asked form = { .parse = rung_form_within };

/* -- decoding ---------------------------------------------------------------------------------------------------- */

struct urlencoded_case {
	const char *text, *result;
};

static const struct urlencoded_case cases[] = {
	{ "", "" },
	{ "a=1", "a=1;" },
	{ "a=1&b=2", "a=1;b=2;" },
	{ "b=2&a=1&b=3", "b=2;a=1;b=3;" },
	/* empty pieces are no pairs */
	{ "&", "" },
	{ "&&a=1&&&b=2&", "a=1;b=2;" },
	/* without "=", and with several */
	{ "a", "a=;" },
	{ "a&b", "a=;b=;" },
	{ "=", "=;" },
	{ "=1", "=1;" },
	{ "a==1", "a==1;" },
	{ "a=b=c", "a=b=c;" },
	/* "&" alone separates */
	{ "a=1;b=2", "a=1;b=2;" },
	{ "a;b", "a;b=;" },
	/* blanks and escapes */
	{ "a+b=c+d", "a b=c d;" },
	{ "a%20b=%2B", "a b=+;" },
	{ "%61%3D%26=%3d%26%25", "a=&==&%;" },
	{ "a=%41%7a", "a=Az;" },
	/* what is no escape stays as it is */
	{ "a=%", "a=%;" },
	{ "a=%4", "a=%4;" },
	{ "a=%4&b=1", "a=%4;b=1;" },
	{ "a=%zz%4g%%41", "a=%zz%4g%A;" },
	{ "%=%", "%=%;" },
	{ "a=100%&b=%2", "a=100%;b=%2;" },
	/* decoded once */
	{ "a=%2541", "a=%41;" },
	/* bytes are the client's */
	{ "a=%00b", "a=\\x00b;" },
	{ "a%00=b", "a\\x00=b;" },
	{ "a=%ff%C3", "a=\\xff\\xc3;" },
	{ "a=%E2%82%AC", "a=\\xe2\\x82\\xac;" },
	{ "a=%0d%0a", "a=\\x0d\\x0a;" },
	/* nested names are plain names */
	{ "a[b]=1&a[]=2&a[b][c]=3", "a[b]=1;a[]=2;a[b][c]=3;" },
	/* the URL standard's own, and others that parsers stumble over */
	{ "a=b&c&=d&e=f=g&h=", "a=b;c=;=d;e=f=g;h=;" },
	{ "_charset_=utf-8", "_charset_=utf-8;" },
	{ "id=0&value=%", "id=0;value=%;" },
};

Test(params, a_query_is_decoded_as_the_url_standard_has_it)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char target[128];

		snprintf(target, sizeof target, "/?%s", cases[i].text);
		const struct rung_reply *reply = params_ask(&query, PARAMS_REQUEST("GET", target));
		cr_expect(reply->status == 200, "<%s>: %d", cases[i].text, reply->status);
		cr_expect_str_eq(reply->body, cases[i].result, "<%s> is <%s>, not <%s>", cases[i].text,
			reply->body, cases[i].result);
	}
}

Test(params, a_form_is_decoded_as_a_query_is)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct rung_reply *reply =
			params_ask(&form, PARAMS_REQUEST("POST", "/", .form = cases[i].text));

		cr_expect(reply->status == 200, "<%s>: %d", cases[i].text, reply->status);
		cr_expect_str_eq(reply->body, cases[i].result, "<%s> is <%s>, not <%s>", cases[i].text,
			reply->body, cases[i].result);
	}
}

Test(params, a_form_may_hold_bytes_that_no_target_may)
{
	static const char body[] = "a=\0\x01\xff&\n=b c#d";
	const struct rung_reply *reply = params_ask(
		&form, PARAMS_REQUEST("POST", "/", .content_type = "application/x-www-form-urlencoded",
			       .body = body, .body_size = sizeof body - 1));

	ASSERT_STR(reply->body, "a=\\x00\\x01\\xff;\\x0a=b c#d;");
}

/* -- which body is a form ---------------------------------------------------------------------------------------- */

Test(params, the_content_type_says_what_is_a_form)
{
	static const struct {
		const char *type;
		int status;
	} types[] = {
		{ "application/x-www-form-urlencoded", 200 },
		{ "Application/X-WWW-Form-URLencoded", 200 },
		{ "application/x-www-form-urlencoded; charset=UTF-8", 200 },
		{ "application/x-www-form-urlencoded;charset=\"utf-8\"", 200 },
		{ "  application/x-www-form-urlencoded ", 200 },
		{ "application/x-www-form-urlencodedx", 415 },
		{ "application/x-www-form-urlencoded,text/plain", 415 },
		{ "application/json", 415 },
		{ "text/plain", 415 },
		{ "multipart/mixed; boundary=a", 415 },
		{ "multipart/form-datax; boundary=a", 415 },
		{ "", 415 },
		{ ";", 415 },
		{ NULL, 415 },
	};

	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		const struct rung_reply *reply = params_ask(
			&form, PARAMS_REQUEST("POST", "/", .body = "a=1", .content_type = types[i].type));

		cr_expect(reply->status == types[i].status, "<%s>: %d", types[i].type, reply->status);
	}
	ASSERT_HAS(test_log(), "rung: 415 in tell: the body is no form");
}

Test(params, no_body_is_an_empty_form_whatever_its_type)
{
	static const char *const types[] = { NULL, "application/json", "application/x-www-form-urlencoded",
		"multipart/form-data; boundary=a", "multipart/form-data" };

	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		const struct rung_reply *reply =
			params_ask(&form, PARAMS_REQUEST("GET", "/", .content_type = types[i]));

		ASSERT_INT(reply->status, 200);
		ASSERT_STR(reply->body, "");
	}
}

Test(params, two_content_types_are_malformed)
{
	static const struct rung_field fields[] = { { .name = "Content-Type",
							    .value = "application/x-www-form-urlencoded" },
		{ .name = "content-type", .value = "application/x-www-form-urlencoded" }, { 0 } };
	const struct rung_reply *reply =
		params_ask(&form, PARAMS_REQUEST("POST", "/", .headers = fields, .body = "a=1"));

	ASSERT_INT(reply->status, 400);
	ASSERT_HAS(test_log(), "rung: 400 in tell: there is more than one Content-Type [POST /]");
}

/* -- limits ------------------------------------------------------------------------------------------------------ */

static char *repeat(const char *piece, size_t count)
{
	size_t size = strlen(piece);
	char *text = malloc(size * count + 1);

	cr_assert_not_null(text);
	for (size_t i = 0; i < count; i++)
		memcpy(text + i * size, piece, size);
	text[size * count] = '\0';
	return text;
}

static int status_of_form(const struct asked *asked, const char *piece, size_t count)
{
	char *text = repeat(piece, count);
	int status = params_ask(asked, PARAMS_REQUEST("POST", "/", .form = text))->status;

	free(text);
	return status;
}

Test(params, at_a_limit_is_good_and_one_past_it_is_413)
{
	static const struct asked few = { .parse = rung_form_within, .limits = { .pairs = 3 } };
	static const struct asked small = { .parse = rung_form_within, .limits = { .bytes = 9 } };
	static const struct asked none = { .parse = rung_form_within,
		.limits = { .pairs = SIZE_MAX, .bytes = SIZE_MAX } };

	ASSERT_INT(status_of_form(&few, "a&", 3), 200);
	ASSERT_INT(status_of_form(&few, "a&", 4), 413);
	ASSERT_HAS(test_log(), "rung: 413 in tell: the form has 4 names; 3 is the limit [POST /]");
	/* Empty pieces are none. */
	ASSERT_INT(status_of_form(&few, "&", 100), 200);
	ASSERT_INT(status_of_form(&small, "a", 9), 200);
	ASSERT_INT(status_of_form(&small, "a", 10), 413);
	ASSERT_HAS(test_log(), "rung: 413 in tell: the form has 10 bytes; 9 is the limit [POST /]");
	ASSERT_INT(status_of_form(&form, "a&", 4096), 200);
	ASSERT_INT(status_of_form(&form, "a&", 4097), 413);
	ASSERT_INT(status_of_form(&form, "a", 4 * 1024 * 1024), 200);
	ASSERT_INT(status_of_form(&form, "a", 4 * 1024 * 1024 + 1), 413);
	ASSERT_INT(status_of_form(&none, "aaaaaaaaa&", 500 * 1000), 200);
}

Test(params, a_query_has_the_same_limits)
{
	static const struct asked few = { .parse = rung_query_within, .limits = { .pairs = 2, .bytes = 20 } };

	ASSERT_INT(params_ask(&few, PARAMS_REQUEST("GET", "/?a&b"))->status, 200);
	ASSERT_INT(params_ask(&few, PARAMS_REQUEST("GET", "/?a&b&c"))->status, 413);
	ASSERT_HAS(test_log(), "the query has 3 names; 2 is the limit");
	ASSERT_INT(params_ask(&few, PARAMS_REQUEST("GET", "/?01234567890123456789"))->status, 200);
	ASSERT_INT(params_ask(&few, PARAMS_REQUEST("GET", "/?012345678901234567890"))->status, 413);
	ASSERT_HAS(test_log(), "the query has 21 bytes; 20 is the limit");
}

static int bad_limits(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct rung_params_limits limits = { .pairs = 1 };
	const struct rung_params *params;

	(void)self;
	ASSERT_INT(rung_query_within(env, &limits, &params), -EINVAL);
	ASSERT_INT(rung_query_within(env, NULL, &params), -EINVAL);
	ASSERT_HAS(rung_failure(env)->message, "limits of params");
	return rung_reply_empty(res, 204);
}

Test(params, limits_without_a_size_are_refused)
{
	struct rung_client *client = test_client(rung_run(bad_limits));

	ASSERT_INT(rung_client_get(client, "/")->status, 204);
	rung_client_destroy(client);
}

/* -- looking up -------------------------------------------------------------------------------------------------- */

static int look_up(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct rung_params *params;
	const struct rung_pair *pair;

	(void)self;
	ASSERT_INT(rung_query(env, &params), 0);
	ASSERT_INT(params->count, 6);
	ASSERT_STR(rung_params_get(params, "a"), "1");
	ASSERT_STR(rung_params_get(params, "b"), "");
	ASSERT_STR(rung_params_get(params, ""), "4");
	cr_assert_null(rung_params_get(params, "A"));
	cr_assert_null(rung_params_get(params, "ab"));
	cr_assert_null(rung_params_file(params, "a"));
	/* A name is found whole alone: "c" with a NUL behind it is another. */
	ASSERT_STR(rung_params_get(params, "c"), "6");
	pair = rung_params_next(params, NULL, "a");
	ASSERT_STR(pair->value, "1");
	pair = rung_params_next(params, pair, "a");
	ASSERT_STR(pair->value, "3");
	cr_assert_null(rung_params_next(params, pair, "a"));
	cr_assert_null(rung_params_next(params, NULL, "x"));
	return rung_reply_empty(res, 204);
}

Test(params, pairs_are_found_by_name_in_order)
{
	struct rung_client *client = test_client(rung_run(look_up));

	ASSERT_INT(rung_client_get(client, "/?a=1&b&a=3&=4&c%00=5&c=6")->status, 204);
	rung_client_destroy(client);
}

/* -- views ------------------------------------------------------------------------------------------------------- */

static int look_from_views(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct rung_params *params, *again, *inner;
	const struct rung_params_limits limits = { .size = sizeof limits, .pairs = 7 };
	struct rung_env *mount = rung_rewrite(env, &(const struct rung_target){ .script_name = "/x" });
	struct rung_env *view = rung_view(
		env, &(const struct rung_target){ .query = "a=2", .path_info = "/", .drop_body = true });

	(void)self;
	ASSERT_INT(rung_query(mount, &params), 0);
	ASSERT_STR(rung_params_get(params, "a"), "1");
	ASSERT_INT(rung_query(env, &again), 0);
	cr_assert(again == params, "the same query is parsed once, in whatever view");
	ASSERT_INT(rung_query(view, &inner), 0);
	ASSERT_STR(rung_params_get(inner, "a"), "2");
	ASSERT_INT(rung_query(view, &again), 0);
	cr_assert(again == inner);
	ASSERT_INT(rung_query(env, &again), 0);
	cr_assert(again == params, "the outer view's never changed");
	ASSERT_INT(rung_query_within(env, &limits, &again), 0);
	cr_assert(again != params, "other limits, another set");
	ASSERT_INT(rung_form(env, &params), 0);
	ASSERT_STR(rung_params_get(params, "f"), "3");
	ASSERT_INT(rung_form(view, &inner), 0);
	ASSERT_INT(inner->count, 0);
	/* Whoever changes the type changes what it is read as. */
	ASSERT_INT(rung_request_header_set(mount, "Content-Type", "text/plain"), 0);
	ASSERT_INT(rung_form(mount, &inner), -EMEDIUMTYPE);
	ASSERT_INT(rung_form(env, &again), 0);
	cr_assert(again == params);
	return rung_reply_empty(res, 204);
}

Test(params, each_view_has_those_of_its_own_query_and_body)
{
	struct rung_client *client = test_client(rung_run(look_from_views));

	ASSERT_INT(rung_client_send(client, "POST", "/?a=1", .form = "f=3")->status, 204);
	rung_client_destroy(client);
}

/* -- the client's form ------------------------------------------------------------------------------------------- */

static int tell_type(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const char *type = rung_request_header(env, "Content-Type");
	size_t size;

	(void)self;
	return rung_reply_textf(res, 200, "%s|%s|%s", type ? type : "(none)",
		rung_request_header(env, "Content-Length"), (const char *)rung_input_bytes(env, &size));
}

Test(params, the_client_sends_forms)
{
	static const struct rung_field typed[] = { { .name = "content-type", .value = "text/x" }, { 0 } };
	struct rung_client *client = test_client(rung_run(tell_type));

	ASSERT_STR(rung_client_send(client, "POST", "/", .form = "a=1")->body,
		"application/x-www-form-urlencoded|3|a=1");
	ASSERT_STR(rung_client_send(client, "POST", "/", .form = "a=1", .content_type = "text/y")->body,
		"text/y|3|a=1");
	ASSERT_STR(
		rung_client_send(client, "POST", "/", .form = "a=1", .headers = typed)->body, "text/x|3|a=1");
	ASSERT_STR(rung_client_send(client, "POST", "/", .body = "a=1", .content_type = "text/y")->body,
		"text/y|3|a=1");
	ASSERT_STR(rung_client_send(client, "POST", "/", .body = "a=1")->body, "(none)|3|a=1");
	rung_client_destroy(client);
}
