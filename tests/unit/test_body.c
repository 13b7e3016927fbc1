/* test_body.c: every kind of body, and its closing exactly once. Filters are in test_filter.c. */
#include "counted.h"

#include <errno.h>

SUITE(body);

/* -- every kind -------------------------------------------------------------------------------------------------- */

static int give_kind(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	char buffer[] = "copied";
	static struct counted pull = COUNTED("pulled", .piece = 2);
	size_t size;

	(void)self;
	res->status = 200;
	cr_assert_null(rung_body_get_bytes(res, &size));
	switch (env->query[0]) {
	case 'c':
		ASSERT_INT(rung_body_bytes(res, buffer, 6), 0);
		buffer[0] = 'X';
		break;
	case 's':
		ASSERT_INT(rung_body_static(res, "static", 6), 0);
		break;
	case 't':
		ASSERT_INT(rung_body_take(res, strdup("taken"), 5, count_free), 0);
		break;
	case 'f':
		ASSERT_INT(rung_body_file(res, text_file("0123456789"), 2, 5, "/a/b"), 0);
		ASSERT_STR(rung_body_get_path(res), "/a/b");
		break;
	case 'p':
		ASSERT_INT(rung_body_pull(res, &pull.source, -1), 0);
		break;
	default:
		break;
	}
	if (res->kind == RUNG_BODY_BYTES) {
		cr_assert(rung_body_get_bytes(res, &size));
		ASSERT_INT(size, rung_body_size(res));
	} else {
		cr_assert_null(rung_body_get_bytes(res, &size));
	}
	cr_assert((rung_body_get_path(res) != NULL) == (res->kind == RUNG_BODY_FILE));
	cr_assert_null(rung_body_get_uri(res));
	return rung_headerf(res, "X-Kind", "%d %lld", res->kind, (long long)rung_body_size(res));
}

Test(body, each_kind_arrives_with_its_length)
{
	static const struct {
		const char *target, *body;
		enum rung_body_kind kind;
		const char *length;
	} cases[] = {
		{ "/?empty", "", RUNG_BODY_EMPTY, "0" },
		{ "/?copied", "copied", RUNG_BODY_BYTES, "6" },
		{ "/?static", "static", RUNG_BODY_BYTES, "6" },
		{ "/?taken", "taken", RUNG_BODY_BYTES, "5" },
		{ "/?file", "23456", RUNG_BODY_FILE, "5" },
		{ "/?pull", "pulled", RUNG_BODY_PULL, NULL },
	};
	struct rung_client *client = test_client(rung_run(give_kind));

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct rung_reply *reply = rung_client_get(client, cases[i].target);
		const char *length = rung_reply_header(reply, "Content-Length");
		char kind[32];

		snprintf(kind, sizeof kind, "%d %s", cases[i].kind, cases[i].length ? cases[i].length : "-1");
		cr_expect(reply->status == 200, "%s: %d %s", cases[i].target, reply->status, test_log());
		cr_expect_str_eq(reply->body, cases[i].body, "%s: <%s>", cases[i].target, reply->body);
		cr_expect_str_eq(rung_reply_header(reply, "X-Kind"), kind, "%s", cases[i].target);
		cr_expect(!length == !cases[i].length && (!length || strcmp(length, cases[i].length) == 0),
			"%s: Content-Length %s", cases[i].target, length ? length : "(none)");
	}
	ASSERT_INT(frees, 1);
	rung_client_destroy(client);
}

Test(body, a_length_that_an_app_wrote_gives_way_to_the_real_one)
{
	struct rung_client *client = test_client(rung_run(give_kind));

	/* HEAD has the length of what GET would send, and no body. */
	const struct rung_reply *reply = rung_client_send(client, "HEAD", "/?taken");
	ASSERT_STR(rung_reply_header(reply, "Content-Length"), "5");
	ASSERT_INT(reply->size, 0);
	ASSERT_INT(frees, 1);
	rung_client_destroy(client);
}

static int give_uri(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	char uri[] = "/elsewhere";

	(void)self;
	(void)env;
	ASSERT_INT(rung_body_uri(res, uri), 0);
	uri[1] = 'X';
	ASSERT_STR(rung_body_get_uri(res), "/elsewhere");
	ASSERT_INT(rung_body_size(res), 0);
	ASSERT_INT(res->kind, RUNG_BODY_URI);
	cr_assert_null(rung_body_get_path(res));
	res->status = 200;
	return 0;
}

Test(body, a_uri_that_nobody_reproxies_is_500_and_a_line_in_the_log)
{
	struct rung_client *client = test_client(rung_run(give_uri));
	const struct rung_reply *reply = rung_client_get(client, "/");

	ASSERT_INT(reply->status, 500);
	ASSERT_INT(reply->size, 0);
	ASSERT_HAS(test_log(), "/elsewhere");
	ASSERT_HAS(test_log(), "rung_reproxy()");
	rung_client_destroy(client);
}

/* -- closed exactly once ----------------------------------------------------------------------------------------- */

static struct counted one = COUNTED("one", .piece = 1), two = COUNTED("two");
static int one_fd = -1;

/* Gives, by its letter, a body that has something to close. */
static void give(struct rung_response *res, char kind)
{
	if (kind == 'p')
		rung_body_pull(res, &one.source, -1);
	else if (kind == 't')
		rung_body_take(res, strdup("one"), 3, count_free);
	else
		rung_body_file(res, one_fd = text_file("one"), 0, 3, NULL);
}

static void check_closed_once(char kind, const char *when)
{
	if (kind == 'p')
		cr_assert(one.closes == 1, "%s: the source was closed %d times", when, one.closes);
	else if (kind == 't')
		cr_assert(frees == 1, "%s: the bytes were freed %d times", when, frees);
	else
		cr_assert(!is_open(one_fd), "%s: the descriptor is open", when);
	one = (struct counted)COUNTED("one", .piece = 1);
	frees = 0;
	one_fd = -1;
}

/* What happens to the body is in the query: its kind, then how it ends. */
static int lose_body(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	if (!*env->query)
		return rung_reply_text(res, 200, "none to lose");
	res->status = 200;
	give(res, env->query[0]);
	switch (env->query[1]) {
	case 'b': /* replaced by copied bytes */
		rung_body_bytes(res, "x", 1);
		break;
	case 's':
		rung_body_static(res, "x", 1);
		break;
	case 't':
		rung_body_take(res, calloc(1, 1), 1, free);
		break;
	case 'f':
		rung_body_file(res, text_file("x"), 0, 1, NULL);
		break;
	case 'p':
		rung_body_pull(res, &two.source, -1);
		break;
	case 'e':
		rung_reply_empty(res, 200);
		break;
	case 'c':
		rung_body_close(res);
		ASSERT_INT(res->kind, RUNG_BODY_EMPTY);
		rung_body_close(res);
		break;
	case 'x': /* fails */
		return -EIO;
	case 'h': /* a setter fails, and what is given later is closed too */
		rung_header(res, "bad name", "x");
		break;
	case 'n': /* a status that has no body */
		res->status = 204;
		break;
	case 'r':
		rung_response_clear(res);
		return rung_reply_text(res, 200, "x");
	case 'u': /* a response of its own that is never sent */
		rung_response_move(rung_response_new(env), res);
		return rung_reply_text(res, 200, "x");
	default: /* sent */
		break;
	}
	return 0;
}

Test(body, whatever_happens_it_is_closed_once)
{
	static const char ways[] = "-bstfpecxhnru";
	/* Lint would not let a 204 with a body come as far as to whoever takes the body away. */
	struct rung_client *client = test_client_with(rung_run(lose_body),
		&(const struct rung_setup){ .size = sizeof(struct rung_setup), .probes = test_no_probes });

	for (const char *kind = "ptf"; *kind; kind++)
		for (const char *way = ways; *way; way++) {
			char target[] = { '/', '?', *kind, *way, '\0' };

			two = (struct counted)COUNTED("two");
			const struct rung_reply *reply = rung_client_get(client, target);
			bool fails = *way == 'x' || *way == 'h';
			cr_assert(reply->status == (fails                ? 500
							   : *way == 'n' ? 204
									 : 200),
				"%s: %d", target, reply->status);
			check_closed_once(*kind, target);
			ASSERT_INT(two.closes, *way == 'p');
		}
	rung_client_destroy(client);
}

Test(body, head_and_a_client_that_leaves_close_it_too)
{
	struct rung_client *client = test_client(rung_run(lose_body));
	char buffer[1];

	for (const char *kind = "ptf"; *kind; kind++) {
		char target[] = { '/', '?', *kind, '-', '\0' };
		const struct rung_client_request request = { .size = sizeof request, .target = target };

		rung_client_send(client, "HEAD", target);
		check_closed_once(*kind, "HEAD");
		rung_client_start(client, &request);
		rung_client_abort(client);
		check_closed_once(*kind, "left before the body");
		rung_client_start(client, &request);
		ASSERT_INT(rung_client_read(client, buffer, 1), 1);
		rung_client_abort(client);
		rung_client_abort(client);
		check_closed_once(*kind, "left in the body");
		rung_client_start(client, &request);
		rung_client_get(client, "/");
		check_closed_once(*kind, "the next request");
	}
	rung_client_start(client, &(const struct rung_client_request){
					  .size = sizeof(struct rung_client_request), .target = "/?p-" });
	rung_client_destroy(client);
	check_closed_once('p', "the client is destroyed");
}

/* -- refused bodies ---------------------------------------------------------------------------------------------- */

static int give_refused(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	int rc = 0;

	(void)self;
	res->status = 200;
	switch (env->query[0]) {
	case 'd':
		rc = rung_body_file(res, -1, 0, 1, NULL);
		break;
	case 'o':
		rc = rung_body_file(res, one_fd = text_file("x"), -1, 1, NULL);
		break;
	case 'l':
		rc = rung_body_file(res, one_fd = text_file("x"), 0, -1, NULL);
		break;
	case 'w':
		rc = rung_body_file(res, one_fd = text_file("x"), INT64_MAX, 1, NULL);
		break;
	case 's':
		rc = rung_body_pull(res, &one.source, -2);
		break;
	case 'n':
		rc = rung_body_static(res, NULL, 1);
		break;
	case 'b':
		rc = rung_body_bytes(res, NULL, 1);
		break;
	default:
		rc = rung_body_take(res, NULL, 1, free);
		break;
	}
	ASSERT_INT(rc, -EINVAL);
	ASSERT_INT(res->error, -EINVAL);
	ASSERT_INT(res->kind, RUNG_BODY_EMPTY);
	return 0;
}

Test(body, a_body_that_cannot_be_is_refused_and_closed)
{
	struct rung_client *client = test_client(rung_run(give_refused));

	for (const char *which = "dolwsnbt"; *which; which++) {
		char target[] = { '/', '?', *which, '\0' };

		cr_expect(rung_client_get(client, target)->status == 500, "%s", target);
		if (strchr("olw", *which))
			check_closed_once('f', target);
		else if (*which == 's')
			check_closed_once('p', target);
	}
	rung_client_destroy(client);
}

static int give_after_error(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)env;
	rung_header(res, "bad name", "x");
	ASSERT_INT(rung_body_bytes(res, "x", 1), -EINVAL);
	ASSERT_INT(rung_body_static(res, "x", 1), -EINVAL);
	ASSERT_INT(rung_body_uri(res, "/x"), -EINVAL);
	ASSERT_INT(rung_body_take(res, malloc(1), 1, count_free), -EINVAL);
	ASSERT_INT(rung_body_file(res, one_fd = text_file("x"), 0, 1, NULL), -EINVAL);
	ASSERT_INT(rung_body_pull(res, &one.source, -1), -EINVAL);
	cr_assert_null(rung_filter(res, &two.source));
	ASSERT_INT(res->kind, RUNG_BODY_EMPTY);
	ASSERT_INT(frees, 1);
	ASSERT_INT(one.closes, 1);
	ASSERT_INT(two.closes, 1);
	cr_assert_not(is_open(one_fd));
	return 0;
}

Test(body, after_an_error_what_is_given_is_closed_at_once)
{
	struct rung_client *client = test_client(rung_run(give_after_error));

	ASSERT_INT(rung_client_get(client, "/")->status, 500);
	ASSERT_INT(frees + one.closes + two.closes, 3);
	rung_client_destroy(client);
}

/* -- half-way ---------------------------------------------------------------------------------------------------- */

static struct rung_finish ended;
static int finishes;

static void note_finish(const struct rung_env *env, const struct rung_finish *finish, void *data)
{
	(void)env;
	(void)data;
	ended = *finish;
	finishes++;
}

/* Data is the counted source; the query its announced size, or none. */
static int give_counted(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct counted *counted = (struct counted *)(uintptr_t)rung_data(self);

	rung_on_finish(env, note_finish, NULL);
	return rung_reply_pull(res, 200, NULL, &counted->source, *env->query ? atoi(env->query) : -1);
}

Test(body, a_source_may_end_early_or_fail_or_say_not_yet)
{
	static struct counted sources[] = {
		COUNTED("abc", .piece = 1),
		COUNTED("abc", .piece = 1, .not_yet = 3),
		COUNTED("abc"),
		COUNTED("abcdef"),
		COUNTED("abc"),
		COUNTED("abc", .ending = -EIO),
		COUNTED("", .ending = -ETIMEDOUT),
		COUNTED("", .not_yet = 1),
		COUNTED("abc", .ending = -EIO),
	};
	static const struct {
		const char *what, *target, *body;
		enum rung_outcome outcome;
		int ends;
	} cases[] = {
		{ "pieces", "/", "abc", RUNG_SENT, 1 },
		{ "not yet", "/", "abc", RUNG_SENT, 1 },
		{ "known size", "/?3", "abc", RUNG_SENT, 0 }, /* no need to ask for the end */
		{ "more than was said", "/?3", "abc", RUNG_SENT, 0 },
		{ "less than was said", "/?4", "abc", RUNG_BROKEN, 1 },
		{ "an error", "/", "abc", RUNG_BROKEN, 1 },
		{ "an error at once", "/", "", RUNG_BROKEN, 1 },
		{ "nothing", "/", "", RUNG_SENT, 1 },
		{ "an error before the size", "/?9", "abc", RUNG_BROKEN, 1 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rung_client *client = test_client(rung_run(give_counted, .data = &sources[i]));
		const struct rung_reply *reply = rung_client_get(client, cases[i].target);

		cr_expect(reply->status == 200, "%s", cases[i].what);
		cr_expect_str_eq(reply->body, cases[i].body, "%s: <%s>", cases[i].what, reply->body);
		cr_expect(reply->outcome == cases[i].outcome, "%s: %d", cases[i].what, reply->outcome);
		cr_expect(ended.outcome == cases[i].outcome, "%s: %d", cases[i].what, ended.outcome);
		cr_expect(ended.bytes == (int64_t)strlen(cases[i].body), "%s", cases[i].what);
		cr_expect(sources[i].ends == cases[i].ends && sources[i].closes == 1,
			"%s: %d ends, %d closes", cases[i].what, sources[i].ends, sources[i].closes);
		rung_client_destroy(client);
	}
	ASSERT_INT(finishes, sizeof cases / sizeof *cases);
}

Test(body, a_client_that_steps_hears_not_yet_and_the_error)
{
	static struct counted source = COUNTED("ab", .not_yet = 1, .ending = -ETIMEDOUT);
	struct rung_client *client = test_client(rung_run(give_counted, .data = &source));
	char buffer[8];

	rung_client_start(
		client, &(const struct rung_client_request){ .size = sizeof(struct rung_client_request) });
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), -EAGAIN);
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), 2);
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), -EAGAIN);
	ASSERT_INT(finishes, 0);
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), -ETIMEDOUT);
	ASSERT_INT(finishes, 1);
	ASSERT_INT(ended.outcome, RUNG_BROKEN);
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), 0);
	ASSERT_INT(finishes, 1);
	rung_client_destroy(client);
}

static int give_short_file(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_on_finish(env, note_finish, NULL);
	res->status = 200;
	return rung_body_file(res, one_fd = text_file("abc"), 1, 5, NULL);
}

Test(body, a_file_that_is_shorter_than_it_was_is_broken)
{
	struct rung_client *client = test_client(rung_run(give_short_file));
	const struct rung_reply *reply = rung_client_get(client, "/");

	ASSERT_INT(reply->outcome, RUNG_BROKEN);
	ASSERT_STR(rung_reply_header(reply, "Content-Length"), "5");
	ASSERT_STR(reply->body, "bc");
	ASSERT_INT(ended.bytes, 2);
	cr_assert_not(is_open(one_fd));
	rung_client_destroy(client);
}

/* Claims to have written more than there was room for. */
static ssize_t boast(struct rung_source *source, void *buffer, size_t max)
{
	(void)source;
	memset(buffer, 'x', max);
	return (ssize_t)max + 1;
}

static int give_boaster(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	static struct rung_source boaster = { .read = boast };

	(void)self;
	(void)env;
	return rung_reply_pull(res, 200, NULL, &boaster, -1);
}

Test(body, a_source_that_claims_more_than_it_was_asked_for_is_broken)
{
	struct rung_client *client = test_client(rung_run(give_boaster));
	const struct rung_reply *reply = rung_client_get(client, "/");

	ASSERT_INT(reply->outcome, RUNG_BROKEN);
	ASSERT_INT(reply->size, 0);
	rung_client_destroy(client);
}
