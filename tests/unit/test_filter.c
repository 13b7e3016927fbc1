/* test_filter.c: filters around bodies: what they see, what they change of the head, and who closes what. */
#include "counted.h"

#include <ctype.h>

SUITE(filter);

/* -- a filter and a layer that puts it around -------------------------------------------------------------------- */

/* Writes everything in capitals, with a text in front. Made in the request's memory. */
struct shout {
	struct rung_source source;
	struct rung_source *inner;
	const char *front;
	size_t front_at;
};

static ssize_t shout_read(struct rung_source *source, void *buffer, size_t max)
{
	struct shout *shout = (struct shout *)source;
	char *text = buffer;

	if (shout->front[shout->front_at]) {
		*text = shout->front[shout->front_at++];
		return 1;
	}
	ssize_t n = shout->inner->read(shout->inner, buffer, max);
	for (ssize_t i = 0; i < n; i++)
		text[i] = (char)toupper(text[i]);
	return n;
}

static int shout_closes, shout_makes;

static void shout_close(struct rung_source *source)
{
	shout_closes++;
	strncat(close_order, ((struct shout *)source)->front, 1);
}

/* Data is the text in front. */
static int shout_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	struct shout *shout = rung_alloc(env, sizeof *shout);
	cr_assert(shout);
	*shout = (struct shout){ .source = { .read = shout_read, .close = shout_close },
		.front = rung_data(self) };
	shout_makes++;
	shout->inner = rung_filter(res, &shout->source);
	return 0;
}

static struct rung_app *shouting(const char *front)
{
	return rung_use(shout_call, "shout", front);
}

/* -- what is inside ---------------------------------------------------------------------------------------------- */

static struct counted pulled;
static int file = -1;

/* The query: the kind of body, then what else there is. */
static int inside(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const char *kind = env->query;

	(void)self;
	res->status = 200;
	if (strstr(kind, "bytes"))
		rung_body_bytes(res, "abcdef", 6);
	else if (strstr(kind, "taken"))
		rung_body_take(res, strdup("abcdef"), 6, count_free);
	else if (strstr(kind, "file"))
		rung_body_file(res, file = text_file("..abcdef.."), 2, 6, "/a");
	else if (strstr(kind, "short"))
		rung_body_file(res, file = text_file("..abc"), 2, 6, "/a");
	else if (strstr(kind, "pull"))
		rung_body_pull(res, &pulled.source, strstr(kind, "sized") ? 6 : -1);
	else if (strstr(kind, "uri"))
		rung_body_uri(res, "/elsewhere");
	if (strstr(kind, "strong"))
		rung_header(res, "ETag", "\"1\"");
	if (strstr(kind, "weak"))
		rung_header(res, "ETag", "W/\"1\"");
	if (strstr(kind, "length"))
		rung_header(res, "Content-Length", "6");
	return 0;
}

static void restart(void)
{
	pulled = (struct counted)COUNTED("abcdef", .piece = 4);
	frees = shout_closes = shout_makes = 0;
	close_order[0] = '\0';
}

/* -- bytes ------------------------------------------------------------------------------------------------------- */

Test(filter, every_kind_of_body_can_be_filtered)
{
	static const char *const kinds[] = { "bytes", "taken", "file", "pull", "pull,sized" };
	struct rung_client *client = test_client(rung_stack(shouting("<<"), rung_run(inside)));

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		char target[32];

		restart();
		snprintf(target, sizeof target, "/?%s", kinds[i]);
		const struct rung_reply *reply = rung_client_get(client, target);
		cr_expect(reply->outcome == RUNG_SENT, "%s", target);
		cr_expect_str_eq(reply->body, "<<ABCDEF", "%s: <%s>", target, reply->body);
		cr_expect_null(rung_reply_header(reply, "Content-Length"), "%s", target);
		cr_expect(shout_closes == 1, "%s: %d closes", target, shout_closes);
		cr_expect(pulled.closes == (kinds[i][0] == 'p'), "%s: %d", target, pulled.closes);
		cr_expect(frees == (kinds[i][0] == 't'), "%s: %d", target, frees);
		cr_expect(kinds[i][0] != 'f' || !is_open(file), "%s", target);
	}
	rung_client_destroy(client);
}

Test(filter, filters_stand_one_in_another_and_are_closed_from_outside_in)
{
	struct rung_client *client =
		test_client(rung_stack(shouting("1"), shouting("2"), shouting("3"), rung_run(inside)));

	restart();
	ASSERT_STR(rung_client_get(client, "/?pull")->body, "123ABCDEF");
	ASSERT_STR(close_order, "123a");
	ASSERT_INT(shout_closes, 3);
	ASSERT_INT(pulled.closes, 1);
	rung_client_destroy(client);
}

Test(filter, not_yet_and_errors_come_through)
{
	struct rung_client *client = test_client(rung_stack(shouting("1"), rung_run(inside)));
	char buffer[16];

	restart();
	pulled.not_yet = 1;
	pulled.ending = -ETIMEDOUT;
	rung_client_start(client, &(const struct rung_client_request){
					  .size = sizeof(struct rung_client_request), .target = "/?pull" });
	ASSERT_INT(rung_client_read(client, buffer, 1), 1);
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), -EAGAIN);
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), 4);
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), -EAGAIN);
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), 2);
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), -EAGAIN);
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), -ETIMEDOUT);
	ASSERT_STR(close_order, "1a");
	restart();
	ASSERT_INT(rung_client_get(client, "/?short")->outcome, RUNG_BROKEN);
	cr_assert_not(is_open(file));
	rung_client_destroy(client);
}

/* A filter that asks once more after the end, as one that flushes at every read does. */
static ssize_t greedy_read(struct rung_source *source, void *buffer, size_t max)
{
	struct shout *greedy = (struct shout *)source;
	ssize_t n = greedy->inner->read(greedy->inner, buffer, max);

	return n > 0 ? n : greedy->inner->read(greedy->inner, buffer, max);
}

static int greedy_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	static struct shout greedy;

	rung_next(self, env, res);
	greedy = (struct shout){ .source = { .read = greedy_read } };
	greedy.inner = rung_filter(res, &greedy.source);
	return 0;
}

Test(filter, a_source_is_not_asked_after_its_end_even_by_a_filter_that_does_ask)
{
	struct rung_client *client = test_client(rung_stack(rung_use(greedy_call), rung_run(inside)));

	restart();
	ASSERT_STR(rung_client_get(client, "/?pull")->body, "abcdef");
	ASSERT_INT(pulled.ends, 1);
	restart();
	pulled.ending = -EIO;
	ASSERT_INT(rung_client_get(client, "/?pull")->outcome, RUNG_BROKEN);
	ASSERT_INT(pulled.ends, 1);
	rung_client_destroy(client);
}

/* -- closing ----------------------------------------------------------------------------------------------------- */

static int discard(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	if (strcmp(env->path_info, "/fail") == 0)
		return -EIO;
	if (strcmp(env->path_info, "/stick") == 0)
		return rung_header(res, "", "");
	if (strcmp(env->path_info, "/clear") == 0)
		rung_response_clear(res);
	if (strcmp(env->path_info, "/move") == 0) {
		struct rung_response *other = rung_response_new(env);

		rung_response_move(other, res);
		rung_response_move(res, other);
		return 0;
	}
	return rung_reply_text(res, 200, "instead");
}

Test(filter, a_filtered_body_that_is_not_sent_is_closed_once)
{
	static const char *const paths[] = { "/fail", "/stick", "/clear", "/replace" };
	struct rung_client *client =
		test_client(rung_stack(rung_use(discard), shouting("1"), shouting("2"), rung_run(inside)));

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		char target[32];

		restart();
		snprintf(target, sizeof target, "%s?pull", paths[i]);
		rung_client_get(client, target);
		cr_expect_str_eq(close_order, "12a", "%s: %s", target, close_order);
		cr_expect(pulled.reads == 0, "%s", target);
	}
	restart();
	ASSERT_STR(rung_client_get(client, "/move?pull")->body, "12ABCDEF");
	ASSERT_STR(close_order, "12a");
	rung_client_destroy(client);
}

Test(filter, a_client_that_leaves_closes_all_of_them_once)
{
	struct rung_client *client = test_client(rung_stack(shouting("1"), shouting("2"), rung_run(inside)));
	char buffer[3];

	restart();
	rung_client_start(client, &(const struct rung_client_request){
					  .size = sizeof(struct rung_client_request), .target = "/?pull" });
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), 1);
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), 1);
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), 3);
	rung_client_abort(client);
	ASSERT_STR(close_order, "12a");
	restart();
	rung_client_send(client, "HEAD", "/?pull");
	ASSERT_STR(close_order, "12a");
	rung_client_destroy(client);
}

/* -- the head ---------------------------------------------------------------------------------------------------- */

Test(filter, a_strong_etag_becomes_weak_and_a_length_goes)
{
	struct rung_client *client = test_client(rung_stack(shouting("1"), rung_run(inside)));

	restart();
	const struct rung_reply *reply = rung_client_get(client, "/?bytes,strong,length");
	ASSERT_STR(rung_reply_header(reply, "ETag"), "W/\"1\"");
	cr_assert_null(rung_reply_header(reply, "Content-Length"));
	reply = rung_client_get(client, "/?bytes,weak");
	ASSERT_STR(rung_reply_header(reply, "ETag"), "W/\"1\"");
	reply = rung_client_get(client, "/?bytes");
	cr_assert_null(rung_reply_header(reply, "ETag"));
	rung_client_destroy(client);
}

/* Stands right outside the filter and says what is left for it. */
static int witness(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	const char *etag = rung_header_get(res, "ETag"), *length = rung_header_get(res, "Content-Length");
	char *seen = rung_printf(env, "kind=%d error=%d etag=%s length=%s closes=%d", res->kind, res->error,
		etag ? etag : "-", length ? length : "-", shout_closes);
	rung_response_clear(res);
	return rung_reply_text(res, 200, seen);
}

static int announce(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_uri_header_set(env, "X-Elsewhere");
	rung_next(self, env, res);
	return 0;
}

static int ask_by_field(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_reply_text(res, 200, "abc");
	rung_header(res, "ETag", "\"1\"");
	return rung_header(res, env->query, "/elsewhere");
}

Test(filter, what_has_nothing_to_filter_is_left_alone)
{
	struct rung_client *client =
		test_client(rung_stack(rung_use(witness), shouting("1"), rung_run(inside)));

	restart();
	ASSERT_STR(rung_client_get(client, "/?empty,strong")->body,
		"kind=0 error=0 etag=\"1\" length=- closes=1");
	restart();
	ASSERT_STR(rung_client_get(client, "/?uri,strong,length")->body,
		"kind=3 error=0 etag=\"1\" length=6 closes=1");
	restart();
	ASSERT_STR(rung_client_get(client, "/?bytes,strong,length")->body,
		"kind=4 error=0 etag=W/\"1\" length=- closes=0");
	rung_client_destroy(client);
}

Test(filter, a_response_that_asks_for_a_reproxy_by_a_field_is_left_alone)
{
	struct rung_client *client = test_client(
		rung_stack(rung_use(announce), rung_use(witness), shouting("1"), rung_run(ask_by_field)));

	restart();
	ASSERT_STR(rung_client_get(client, "/?X-Reproxy-Url")->body,
		"kind=1 error=0 etag=\"1\" length=- closes=1");
	restart();
	ASSERT_STR(rung_client_get(client, "/?x-elsewhere")->body,
		"kind=1 error=0 etag=\"1\" length=- closes=1");
	restart();
	ASSERT_STR(
		rung_client_get(client, "/?X-Other")->body, "kind=4 error=0 etag=W/\"1\" length=- closes=0");
	rung_client_destroy(client);
}

/* -- sources whose maker did not clear them ---------------------------------------------------------------------- */

static void free_source(struct rung_source *source)
{
	free(source);
}

static ssize_t read_end(struct rung_source *source, void *buffer, size_t max)
{
	(void)source;
	(void)buffer;
	(void)max;
	return 0;
}

static int give_unclean(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_source *source = malloc(sizeof *source);

	(void)self;
	memset(source, 0xa5, sizeof *source);
	source->read = read_end;
	source->close = free_source;
	if (*env->query)
		rung_header(res, "bad name", "x");
	return rung_reply_pull(res, 200, NULL, source, -1);
}

Test(filter, the_private_part_of_a_source_needs_no_clearing_by_its_maker)
{
	struct rung_client *client = test_client(rung_run(give_unclean));

	ASSERT_INT(rung_client_get(client, "/")->status, 200);
	ASSERT_INT(rung_client_get(client, "/?refused")->status, 500);
	rung_client_destroy(client);
}
