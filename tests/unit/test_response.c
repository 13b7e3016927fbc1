/* test_response.c: status and fields of an answer, their errors, merging; and what a link makes of an app that fails. */
#include "support.h"

#include <errno.h>

SUITE(response);

/* Every field as "name=value;", in order. */
static const char *dump(struct rung_env *env, const struct rung_response *res)
{
	const char *text = "";
	const struct rung_field *field;

	for (size_t i = 0; (field = rung_header_at(res, i)); i++) {
		ASSERT_INT(field->name_size, strlen(field->name));
		ASSERT_INT(field->value_size, strlen(field->value));
		text = rung_printf(env, "%s%s=%s;", text, field->name, field->value);
	}
	return text;
}

static const struct rung_setup unlinted = { .size = sizeof unlinted, .probes = test_no_probes };

/* Runs a function inside a request, where an env and a response are. */
static void run(rung_call_fn inside)
{
	struct rung_client *client = test_client_with(rung_run(inside), &unlinted);
	int status = rung_client_get(client, "/")->status;

	cr_assert(status == 200, "%d: %s", status, test_log());
	rung_client_destroy(client);
}

/* -- fields ------------------------------------------------------------------------------------------------------ */

static int set_and_get(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	char value[] = "one", name[] = "X-A";

	(void)self;
	ASSERT_INT(rung_header(res, name, value), 0);
	strcpy(value, "xxx");
	strcpy(name, "zzz");
	ASSERT_STR(rung_header_get(res, "x-a"), "one"); /* copied */
	ASSERT_INT(rung_header_add(res, "x-A", "two"), 0);
	ASSERT_INT(rung_header(res, "X-B", ""), 0);
	ASSERT_STR(dump(env, res), "X-A=one;x-A=two;X-B=;");
	/* In place of all of that name, at the place of the first, in the new spelling. */
	ASSERT_INT(rung_header(res, "X-a", "three"), 0);
	ASSERT_STR(dump(env, res), "X-a=three;X-B=;");
	ASSERT_INT(rung_header_default(res, "x-b", "kept out"), 0);
	ASSERT_INT(rung_header_default(res, "X-C", "default"), 0);
	ASSERT_INT(rung_header_static(res, "X-D", "static"), 0);
	ASSERT_INT(rung_headerf(res, "X-E", "%d %s", 7, "x"), 0);
	ASSERT_STR(dump(env, res), "X-a=three;X-B=;X-C=default;X-D=static;X-E=7 x;");
	rung_header_remove(res, "X-C");
	ASSERT_INT(rung_header(res, "X-D", NULL), 0);
	rung_header_remove(res, "X-None");
	ASSERT_STR(dump(env, res), "X-a=three;X-B=;X-E=7 x;");
	cr_assert_null(rung_header_get(res, "X-C"));
	cr_assert_null(rung_header_at(res, 3));
	rung_response_clear(res);
	ASSERT_STR(dump(env, res), "");
	res->status = 200;
	return 0;
}

Test(response, fields_are_set_added_and_removed_without_regard_to_case)
{
	run(set_and_get);
}

static bool begins_with(const struct rung_field *field, const void *data)
{
	return strncmp(field->name, data, strlen(data)) == 0;
}

static int many(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	char name[16], *long_value = rung_alloc(env, 5001);

	(void)self;
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "%c-%d", i % 2 ? 'A' : 'B', i);
		ASSERT_INT(rung_header(res, name, "v"), 0);
	}
	cr_assert_null(rung_header_at(res, 100));
	rung_header_filter(res, begins_with, "A-");
	cr_assert(rung_header_at(res, 49) && !rung_header_at(res, 50));
	for (size_t i = 0; i < 50; i++)
		ASSERT_INT(*rung_header_at(res, i)->name, 'B');
	memset(long_value, 'x', 5000);
	long_value[5000] = '\0';
	ASSERT_INT(rung_headerf(res, "Long", "%s", long_value), 0);
	ASSERT_INT(strlen(rung_header_get(res, "Long")), 5000);
	rung_response_clear(res);
	res->status = 200;
	return 0;
}

Test(response, there_may_be_many_fields_and_long_ones)
{
	run(many);
}

struct bad_field {
	const char *name, *value;
};

static int set_bad(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct bad_field *bad = rung_data(self);

	res->status = 200;
	rung_header(res, "X-Before", "1");
	switch (*env->query) {
	case 's':
		ASSERT_INT(rung_header_static(res, bad->name, bad->value), -EINVAL);
		break;
	case 'a':
		ASSERT_INT(rung_header_add(res, bad->name, bad->value), -EINVAL);
		break;
	case 'd':
		ASSERT_INT(rung_header_default(res, bad->name, bad->value), -EINVAL);
		break;
	case 'f':
		ASSERT_INT(rung_headerf(res, bad->name, "%s", bad->value), -EINVAL);
		break;
	default:
		ASSERT_INT(rung_header(res, bad->name, bad->value), -EINVAL);
	}
	/* It sticks: later setters do nothing, and nothing can be heard of them. */
	ASSERT_INT(rung_header(res, "X-After", "1"), -EINVAL);
	ASSERT_INT(rung_header_static(res, "X-After", "1"), -EINVAL);
	ASSERT_INT(rung_header_add(res, "X-After", "1"), -EINVAL);
	ASSERT_INT(rung_headerf(res, "X-After", "1"), -EINVAL);
	ASSERT_INT(res->error, -EINVAL);
	ASSERT_STR(dump(env, res), "X-Before=1;");
	return 0;
}

Test(response, no_response_can_be_split)
{
	static const struct bad_field bad[] = { { "X A", "v" }, { "", "v" }, { "X:", "v" }, { "X\r\nY", "v" },
		{ "X\xc3\xa9", "v" }, { "X", "v\r\nSet-Cookie: a=b" }, { "X", "v\nw" }, { "X", "v\rw" },
		{ "X", "\x01" }, { "X", "v\x7f" } };
	static const char *const targets[] = { "/?h", "/?s", "/?a", "/?d", "/?f" };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		for (size_t j = 0; j < sizeof targets / sizeof *targets; j++) {
			struct rung_client *client = test_client(rung_run(set_bad, .data = &bad[i]));
			const struct rung_reply *reply = rung_client_get(client, targets[j]);

			cr_expect(reply->status == 500 && !rung_reply_header(reply, "X-Before"), "%s %s",
				bad[i].name, targets[j]);
			cr_expect(strstr(test_log(), "response field ") != NULL, "%s", test_log());
			test_log_clear();
			rung_client_destroy(client);
		}
}

/* -- more than one response -------------------------------------------------------------------------------------- */

static void fill(struct rung_response *res, int count)
{
	char name[16];

	res->status = 203;
	res->pass = true;
	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof name, "F-%d", i);
		rung_header(res, name, "v");
	}
	rung_body_bytes(res, "body", 4);
}

static int move_both_ways(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	static const int counts[] = { 0, 1, 12, 13, 40 };
	size_t size;

	(void)self;
	for (int i = 0; i < 5; i++)
		for (int j = 0; j < 5; j++) {
			struct rung_response *other = rung_response_new(env);

			ASSERT_INT(other->status, 0);
			rung_response_clear(res);
			fill(res, counts[j]);
			fill(other, counts[i]);
			rung_response_move(res, other);
			cr_assert(counts[i] == 0 || rung_header_at(res, (size_t)counts[i] - 1), "%d over %d",
				counts[i], counts[j]);
			cr_assert_null(
				rung_header_at(res, (size_t)counts[i]), "%d over %d", counts[i], counts[j]);
			cr_assert(res->status == 203 && res->pass && rung_body_get_bytes(res, &size) &&
				  size == 4);
			cr_assert(other->status == 0 && !other->pass && !rung_header_at(other, 0) &&
				  other->kind == RUNG_BODY_EMPTY);
			/* What was moved from is a response again. */
			fill(other, 20);
			cr_assert(rung_header_at(other, 19) != NULL);
		}
	rung_response_clear(res);
	res->status = 200;
	return 0;
}

Test(response, everything_moves_whatever_there_was)
{
	run(move_both_ways);
}

static int merge(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	static const char *const skip[] = { "etag", "Content-Length", NULL };
	struct rung_response *first = rung_response_new(env);

	(void)self;
	rung_header(first, "X-First", "1");
	rung_header(first, "x-both", "first");
	rung_header(first, "ETag", "\"first\"");
	rung_header(first, "content-length", "5");
	rung_header_add(first, "Set-Cookie", "a=first");
	rung_header_add(first, "Link", "<1>");
	rung_header_add(first, "Link", "<2>");
	rung_header(res, "X-Both", "second");
	rung_header_add(res, "Set-Cookie", "b=second");
	rung_header_merge(res, first, skip);
	ASSERT_STR(dump(env, res),
		"X-First=1;Set-Cookie=a=first;Link=<1>;Link=<2>;X-Both=second;Set-Cookie=b=second;");
	/* From nothing, and onto nothing. */
	struct rung_response *none = rung_response_new(env);
	rung_header_merge(res, none, NULL);
	rung_header_merge(none, first, NULL);
	ASSERT_STR(dump(env, none), dump(env, first));
	rung_response_clear(res);
	res->status = 200;
	return 0;
}

Test(response, merging_keeps_what_is_there_and_the_cookies_of_both)
{
	run(merge);
}

/* -- links ------------------------------------------------------------------------------------------------------- */

struct outcome {
	const char *what;
	int result, status_set, status;
	const char *log; /* NULL: nothing is logged */
};

static int come_out(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct outcome *outcome = rung_data(self);

	(void)env;
	rung_header(res, "X-Lost", "1");
	rung_body_bytes(res, "lost", 4);
	res->status = outcome->status_set;
	return outcome->result;
}

Test(response, a_link_makes_a_response_of_every_failure)
{
	static const struct outcome outcomes[] = {
		{ "no memory", -ENOMEM, 200, 503, "rung: 503 in app: Cannot allocate memory [GET /x]\n" },
		{ "too slow", -ETIMEDOUT, 200, 504, "rung: 504 in app: Connection timed out [GET /x]\n" },
		{ "loop", -ELOOP, 0, 502, "rung: 502 in app: Too many levels of symbolic links [GET /x]\n" },
		{ "no way", -EHOSTUNREACH, 200, 502, "rung: 502 in app: No route to host [GET /x]\n" },
		{ "too big", -E2BIG, 200, 413, "rung: 413 in app: Argument list too long [GET /x]\n" },
		{ "malformed", -EBADMSG, 200, 400, "rung: 400 in app: Bad message [GET /x]\n" },
		{ "of another type", -EMEDIUMTYPE, 200, 415,
			"rung: 415 in app: Wrong medium type [GET /x]\n" },
		{ "any", -EIO, 404, 500, "rung: 500 in app: Input/output error [GET /x]\n" },
		{ "unknown", -99999, 200, 500, "rung: 500 in app: Unknown error 99999 [GET /x]\n" },
		{ "least", INT32_MIN + 1, 200, 500, NULL },
		{ "client left", -EPIPE, 200, 500, "" },
		{ "client reset", -ECONNRESET, 200, 500, "" },
		{ "canceled", -ECANCELED, 200, 500, "" },
		{ "positive", 404, 404, 500,
			"rung: 500 in app: call returned 404; return 0 or a negative errno, and put the status into res [GET /x]\n" },
		{ "no status", 0, 0, 500,
			"rung: 500 in app: no response was made; set a status or use rung_reply_... [GET /x]\n" },
		{ "small status", 0, 99, 500, "rung: 500 in app: status 99; use 200 to 999 [GET /x]\n" },
		{ "large status", 0, 1000, 500, "rung: 500 in app: status 1000; use 200 to 999 [GET /x]\n" },
		{ "negative status", 0, -1, 500, "rung: 500 in app: status -1; use 200 to 999 [GET /x]\n" },
		{ "least that is good", 0, 200, 200, "" },
		{ "most that is good", 0, 999, 999, "" },
	};

	for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
		struct rung_client *client =
			test_client_with(rung_run(come_out, .name = "app", .data = &outcomes[i]), &unlinted);

		test_log_clear();
		const struct rung_reply *reply = rung_client_get(client, "/x");
		cr_expect(reply->status == outcomes[i].status, "%s: %d", outcomes[i].what, reply->status);
		bool failed = outcomes[i].result || outcomes[i].status_set != outcomes[i].status;
		cr_expect((rung_reply_header(reply, "X-Lost") == NULL) == failed, "%s", outcomes[i].what);
		cr_expect((reply->size == 0) == failed, "%s", outcomes[i].what);
		if (outcomes[i].log)
			cr_expect_str_eq(test_log(), outcomes[i].log, "%s: %s", outcomes[i].what, test_log());
		rung_client_destroy(client);
	}
}

/* -- levels of what is logged ------------------------------------------------------------------------------------ */

static void note_level(void *data, enum rung_log_level level, const char *line)
{
	(void)line;
	*(enum rung_log_level *)data = level;
}

static int return_number(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)res;
	return rung_fail(env, *(const int *)rung_data(self), "why");
}

Test(response, what_is_the_clients_doing_is_no_error_in_the_log)
{
	static const struct {
		int err;
		enum rung_log_level level;
	} cases[] = {
		{ -EBADMSG, RUNG_LOG_INFO },
		{ -E2BIG, RUNG_LOG_INFO },
		{ -EMEDIUMTYPE, RUNG_LOG_INFO },
		{ -EIO, RUNG_LOG_ERROR },
		{ -ENOMEM, RUNG_LOG_ERROR },
		{ -ELOOP, RUNG_LOG_ERROR },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		enum rung_log_level level = RUNG_LOG_ACCESS;
		const struct rung_setup setup = {
			.size = sizeof setup, .log = note_level, .log_data = &level
		};
		struct rung_client *client =
			rung_client_new(rung_run(return_number, .data = &cases[i].err), .setup = &setup);

		cr_assert_not_null(client);
		rung_client_get(client, "/");
		cr_expect(level == cases[i].level, "%s: %d", strerror(-cases[i].err), level);
		rung_client_destroy(client);
	}
}

static int fail_with_reason(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)res;
	return rung_fail(env, -EIO, "disk %d: %s", 3, "on\nfire");
}

static int pass_on(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	return rung_header(res, "X-Layer", "stands on errors too");
}

Test(response, a_reason_is_logged_once_with_its_place)
{
	struct rung_client *client = test_client(
		rung_stack(rung_use(pass_on), rung_use(pass_on), rung_run(fail_with_reason, .name = "app")));
	const struct rung_reply *reply = rung_client_get(client, "/");

	ASSERT_INT(reply->status, 500);
	ASSERT_STR(rung_reply_header(reply, "X-Layer"), "stands on errors too");
	ASSERT_HAS(test_log(), "rung: 500 in app (test_response.c:");
	ASSERT_HAS(test_log(), "): disk 3: on\\x0afire [GET /]\n");
	cr_assert_eq(strchr(test_log(), '\n'), strrchr(test_log(), '\n'), "one line: %s", test_log());
	rung_client_destroy(client);
}

/* Fails for a reason of its own after something inside has failed for another. */
static int fails_later(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	return -ENOSPC;
}

Test(response, an_earlier_reason_is_not_taken_for_a_later_failure)
{
	struct rung_client *client = test_client(rung_stack(
		rung_use(fails_later, .name = "outer"), rung_run(fail_with_reason, .name = "inner")));

	ASSERT_INT(rung_client_get(client, "/")->status, 500);
	ASSERT_HAS(test_log(), "rung: 500 in inner (test_response.c:");
	ASSERT_HAS(test_log(), "rung: 500 in outer: No space left on device [GET /]\n");
	rung_client_destroy(client);
}
