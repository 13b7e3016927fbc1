/* test_access_log.c: one line a request, with what really happened, that no client can forge. */
#include "support.h"

#include <rung/access_log.h>
#include <rung/basic_auth.h>

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

SUITE(access_log);

/* -- what stands inside, and a place for lines ------------------------------------------------------------------- */

static int hello(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)env;
	return rung_reply_text(res, 200, "hello");
}

static struct rung_client *logged(struct rung_app *endpoint)
{
	return test_client(rung_stack(rung_access_log(), endpoint));
}

struct lines {
	unsigned count, freed;
	char last[8192];
};

static void take(void *data, const char *line, size_t bytes)
{
	struct lines *lines = data;

	cr_assert(bytes < sizeof lines->last && strlen(line) == bytes, "%zu bytes, not %zu", strlen(line),
		bytes);
	lines->count++;
	memcpy(lines->last, line, bytes + 1);
}

static void count_free(void *data)
{
	((struct lines *)data)->freed++;
}

/* Replaces the time and the duration by "TIME" and "SECONDS" after checking that they look like that; one line. */
static const char *without_clock(const char *line)
{
	static char copy[3 * 8192];
	char begin[8192], rest[8192] = "", *bracket, *end;
	const char *seconds;
	int matched = 0;

	snprintf(begin, sizeof begin, "%s", line);
	begin[strcspn(begin, "\n")] = '\0';
	bracket = strchr(begin, '[');
	cr_assert(bracket, "no time in %s", line);
	sscanf(bracket, "[%*2[0-9]/%*3[A-Za-z]/%*4[0-9]:%*2[0-9]:%*2[0-9]:%*2[0-9] +0000]%n", &matched);
	cr_assert(matched == 28, "no time of that form in %s", line);
	snprintf(rest, sizeof rest, "%s", bracket + matched);
	*bracket = '\0';
	seconds = strrchr(rest, '"') + 2;
	strtod(seconds, &end);
	cr_assert(end > seconds + 7 && end[-7] == '.', "no duration in %s", line);
	snprintf(copy, sizeof copy, "%sTIME%.*sSECONDS%s", begin, (int)(seconds - rest), rest, end);
	return copy;
}

/* -- the line ---------------------------------------------------------------------------------------------------- */

Test(access_log, a_request_is_one_line_in_the_combined_format)
{
	const struct rung_field headers[] = { { "Referer", "http://from/here" },
		{ "User-Agent", "curl/8 (x)" }, { 0 } };
	struct rung_client *client = logged(rung_run(hello));

	ASSERT_INT(rung_client_send(client, "GET", "/a/b%20c?q=1&r", .headers = headers)->status, 200);
	ASSERT_STR(without_clock(test_log()),
		"- - - TIME \"GET /a/b%20c?q=1&r HTTP/1.1\" 200 5 \"http://from/here\" \"curl/8 (x)\" SECONDS");
	ASSERT_INT(strchr(test_log(), '\n') - test_log(), strlen(test_log()) - 1);
	rung_client_destroy(client);
}

Test(access_log, what_is_missing_is_a_dash)
{
	struct rung_client *client = logged(rung_run(hello));

	rung_client_send(client, "HEAD", "/");
	ASSERT_STR(without_clock(test_log()), "- - - TIME \"HEAD / HTTP/1.1\" 200 - \"-\" \"-\" SECONDS");
	rung_client_destroy(client);
}

Test(access_log, an_asterisk_is_a_target_too)
{
	struct rung_client *client = logged(rung_run(hello));

	rung_client_send(client, "OPTIONS", "*");
	ASSERT_STR(without_clock(test_log()), "- - - TIME \"OPTIONS * HTTP/1.1\" 200 5 \"-\" \"-\" SECONDS");
	rung_client_destroy(client);
}

Test(access_log, a_failure_is_logged_with_the_status_that_was_sent)
{
	struct rung_client *client = logged(rung_routes(rung_get("/", hello)));

	rung_client_get(client, "/none");
	ASSERT_HAS(test_log(), "\"GET /none HTTP/1.1\" 404 ");
	rung_client_destroy(client);
}

static int fail(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)res;
	return rung_fail(env, -EIO, "the disk is gone");
}

Test(access_log, an_app_that_fails_is_a_500)
{
	struct rung_client *client = logged(rung_run(fail));

	rung_client_get(client, "/");
	ASSERT_HAS(test_log(), "\"GET / HTTP/1.1\" 500 - ");
	rung_client_destroy(client);
}

Test(access_log, the_path_is_that_of_the_view_where_the_layer_stands)
{
	struct rung_client *client = logged(rung_routes(rung_mount("/outer", rung_run(hello))));
	const char *line;

	rung_client_get(client, "/outer/in?x");
	ASSERT_HAS(test_log(), "\"GET /outer/in?x HTTP/1.1\" 200 5");
	rung_client_destroy(client);
	test_log_clear();
	/* Inside a mount script name and path info make the whole path again. */
	client = test_client(
		rung_routes(rung_mount("/outer", rung_stack(rung_access_log(), rung_run(hello)))));
	rung_client_get(client, "/outer/in?x");
	line = test_log();
	ASSERT_HAS(line, "\"GET /outer/in?x HTTP/1.1\" 200 5");
	rung_client_destroy(client);
}

static int rewrite(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_env *view = rung_rewrite(
		env, &(const struct rung_target){ .method = "PUT", .path_info = "/a b\"c", .query = "d" });

	if (!view)
		return -ENOMEM;
	rung_next(self, view, res);
	return 0;
}

Test(access_log, a_rewritten_path_is_seen_inside_and_not_outside)
{
	struct lines inside = { 0 };
	struct rung_client *client = test_client(rung_stack(rung_access_log(), rung_use(rewrite),
		rung_access_log(.write = take, .data = &inside), rung_run(hello)));

	rung_client_get(client, "/as-sent");
	ASSERT_HAS(test_log(), "\"GET /as-sent HTTP/1.1\" 200 5");
	/* Blanks and quotes that an app put there do not shift the fields behind. */
	ASSERT_HAS(inside.last, "\"PUT /a\\x20b\\x22c?d HTTP/1.1\" 200 5");
	rung_client_destroy(client);
}

/* -- the user ---------------------------------------------------------------------------------------------------- */

static bool anybody(const void *data, const char *user, const char *password)
{
	(void)data;
	(void)user;
	return strcmp(password, "p") == 0;
}

static void send_as(struct rung_client *client, const char *credentials)
{
	rung_client_send(client, "GET", "/",
		.headers = (const struct rung_field[]){ { "Authorization", credentials }, { 0 } });
}

Test(access_log, the_user_is_who_was_let_in)
{
	struct rung_client *client = test_client(
		rung_stack(rung_access_log(), rung_basic_auth(.check = anybody), rung_run(hello)));

	send_as(client, "Basic YW5uOnA="); /* ann:p */
	ASSERT_STR(without_clock(test_log()), "- - ann TIME \"GET / HTTP/1.1\" 200 5 \"-\" \"-\" SECONDS");
	test_log_clear();
	send_as(client, "Basic YW5uOng="); /* ann:x */
	ASSERT_STR(without_clock(test_log()), "- - - TIME \"GET / HTTP/1.1\" 401 - \"-\" \"-\" SECONDS");
	test_log_clear();
	send_as(client, "Basic OnA="); /* :p */
	ASSERT_STR(without_clock(test_log()), "- - - TIME \"GET / HTTP/1.1\" 200 5 \"-\" \"-\" SECONDS");
	rung_client_destroy(client);
}

Test(access_log, a_users_name_cannot_pass_for_the_fields_behind_it)
{
	struct rung_client *client = test_client(
		rung_stack(rung_access_log(), rung_basic_auth(.check = anybody), rung_run(hello)));

	send_as(client, "Basic eCBbIl06cA=="); /* x ["]:p */
	ASSERT_HAS(test_log(), "- - x\\x20[\\x22] [");
	rung_client_destroy(client);
}

/* -- hostile bytes ----------------------------------------------------------------------------------------------- */

Test(access_log, no_byte_of_a_field_breaks_the_line_or_its_quotes)
{
	struct lines lines = { 0 };
	struct rung_client *client =
		test_client(rung_stack(rung_access_log(.write = take, .data = &lines), rung_run(hello)));

	for (unsigned byte = 1; byte < 256; byte++) {
		const char agent[] = { 'a', (char)byte, 'b', '\0' };
		bool stays = byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
		char expected[32];

		if (stays)
			snprintf(expected, sizeof expected, " \"%s\" ", agent);
		else
			snprintf(expected, sizeof expected, " \"a\\x%02xb\" ", byte);
		rung_client_send(client, "GET", "/",
			.headers = (const struct rung_field[]){ { "User-Agent", agent }, { 0 } });
		cr_expect(strstr(lines.last, expected), "byte %02x: %s", byte, lines.last);
		rung_client_send(client, "GET", "/",
			.headers = (const struct rung_field[]){ { "Referer", agent }, { 0 } });
		cr_expect(strstr(lines.last, expected), "byte %02x: %s", byte, lines.last);
	}
	rung_client_destroy(client);
}

Test(access_log, escapes_are_not_escaped_again_on_their_way_to_the_log)
{
	const struct rung_field headers[] = { { "User-Agent", "\"\\\x1b[31m\xc3\xa4\n\\x0a%s" }, { 0 } };
	struct rung_client *client = logged(rung_run(hello));

	rung_client_send(client, "GET", "/\xff\\\"", .headers = headers);
	ASSERT_HAS(test_log(), "\"GET /\\xff\\x5c\\x22 HTTP/1.1\"");
	ASSERT_HAS(test_log(), " \"\\x22\\x5c\\x1b[31m\\xc3\\xa4\\x0a\\x5cx0a%s\" ");
	rung_client_destroy(client);
}

/* -- lengths ----------------------------------------------------------------------------------------------------- */

static char *long_text(char first, char rest, size_t size)
{
	char *text = malloc(size + 1);

	cr_assert(text);
	memset(text, rest, size);
	text[0] = first;
	text[size] = '\0';
	return text;
}

Test(access_log, what_is_too_long_is_cut_and_the_rest_of_the_line_stays)
{
	char *target = long_text('/', 'x', 20000), *agent = long_text('A', '\\', 20000),
	     *referer = long_text('R', 'r', 20000), *method = long_text('M', 'M', 3000);
	const struct rung_field headers[] = { { "User-Agent", agent }, { "Referer", referer }, { 0 } };
	struct rung_client *client = logged(rung_run(hello));

	ASSERT_INT(rung_client_send(client, method, target, .headers = headers)->status, 200);
	const char *line = test_log();
	cr_assert(strlen(line) < 4000, "%zu bytes", strlen(line));
	ASSERT_HAS(line, "MMM... /xxx");
	ASSERT_HAS(line, "xxx... HTTP/1.1\" 200 5 \"Rrrr");
	ASSERT_HAS(line, "rrr...\" \"A\\x5c\\x5c");
	/* An escape is written whole or not at all. */
	ASSERT_HAS(line, "\\x5c...\" ");
	ASSERT_HAS(without_clock(line), "\" SECONDS");
	rung_client_destroy(client);
	free(target);
	free(agent);
	free(referer);
	free(method);
}

Test(access_log, the_query_counts_for_the_targets_length)
{
	char *target = long_text('/', 'x', 3000);
	struct rung_client *client = logged(rung_run(hello));

	target[1000] = '?';
	target[1200] = '\0';
	rung_client_get(client, target);
	ASSERT_HAS(test_log(), target);
	test_log_clear();
	target[1200] = 'x';
	rung_client_get(client, target);
	ASSERT_HAS(test_log(), "x?x");
	ASSERT_HAS(test_log(), "xxx... HTTP/1.1\" 200");
	rung_client_destroy(client);
	free(target);
}

/* -- how it ended ------------------------------------------------------------------------------------------------ */

struct trickle {
	struct rung_source source;
	int left; /* reads before it fails */
};

static ssize_t trickle_read(struct rung_source *source, void *buffer, size_t max)
{
	struct trickle *trickle = (struct trickle *)source;

	(void)max;
	if (trickle->left-- == 0)
		return -EIO;
	memcpy(buffer, "12345678", 8);
	return 8;
}

static int stream(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct trickle *trickle = rung_alloc(env, sizeof *trickle);

	(void)self;
	if (!trickle)
		return -ENOMEM;
	*trickle = (struct trickle){ .source = { .read = trickle_read }, .left = 3 };
	return rung_reply_pull(res, 200, "text/plain", &trickle->source, -1);
}

Test(access_log, the_line_comes_at_the_end_and_not_before)
{
	struct rung_client *client = logged(rung_run(hello));
	char buffer[64];

	rung_client_start(client, &(const struct rung_client_request){
					  .size = sizeof(struct rung_client_request), .target = "/" });
	ASSERT_STR(test_log(), "");
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), 5);
	ASSERT_STR(test_log(), "");
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), 0);
	ASSERT_HAS(test_log(), " 200 5 ");
	rung_client_destroy(client);
}

Test(access_log, a_client_that_left_is_marked_aborted)
{
	struct rung_client *client = logged(rung_run(stream));
	char buffer[64];

	rung_client_start(client, &(const struct rung_client_request){
					  .size = sizeof(struct rung_client_request), .target = "/s" });
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), 8);
	rung_client_abort(client);
	ASSERT_STR(without_clock(test_log()),
		"- - - TIME \"GET /s HTTP/1.1\" 200 8 \"-\" \"-\" SECONDS aborted");
	/* Once. */
	rung_client_destroy(client);
	ASSERT_INT(strchr(test_log(), '\n') - test_log(), strlen(test_log()) - 1);
}

Test(access_log, a_body_that_failed_is_marked_broken)
{
	struct rung_client *client = logged(rung_run(stream));

	ASSERT_INT(rung_client_get(client, "/s")->outcome, RUNG_BROKEN);
	ASSERT_HAS(test_log(), "\"GET /s HTTP/1.1\" 200 24 ");
	ASSERT_HAS(test_log(), " broken\n");
	rung_client_destroy(client);
}

/* -- the clocks -------------------------------------------------------------------------------------------------- */

Test(access_log, the_time_is_now_in_utc_and_in_english)
{
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
		"Oct", "Nov", "Dec" };
	struct lines lines = { 0 };
	char expected[64];
	time_t before, after;

	setlocale(LC_ALL, "de_DE.UTF-8");
	setenv("TZ", "Asia/Tokyo", 1);
	tzset();
	struct rung_client *client =
		test_client(rung_stack(rung_access_log(.write = take, .data = &lines), rung_run(hello)));
	do {
		before = time(NULL);
		rung_client_get(client, "/");
		after = time(NULL);
	} while (before != after);
	struct tm tm;
	gmtime_r(&before, &tm);
	snprintf(expected, sizeof expected, " [%02d/%s/%d:%02d:%02d:%02d +0000] ", tm.tm_mday,
		months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	ASSERT_HAS(lines.last, expected);
	rung_client_destroy(client);
}

Test(access_log, the_second_that_is_kept_is_not_kept_too_long)
{
	struct lines lines = { 0 };
	struct rung_client *client =
		test_client(rung_stack(rung_access_log(.write = take, .data = &lines), rung_run(hello)));
	char first[64];

	rung_client_get(client, "/");
	snprintf(first, sizeof first, "%.28s", strchr(lines.last, '['));
	nanosleep(&(const struct timespec){ 1, 1000000 }, NULL);
	rung_client_get(client, "/");
	cr_assert(strncmp(first, strchr(lines.last, '['), 28) != 0, "%s", lines.last);
	rung_client_destroy(client);
}

static int wait_a_little(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	nanosleep(&(const struct timespec){ .tv_nsec = 30 * 1000 * 1000 }, NULL);
	return hello(self, env, res);
}

Test(access_log, the_duration_is_from_the_call_to_the_end)
{
	struct lines lines = { 0 };
	struct rung_client *client = test_client(
		rung_stack(rung_access_log(.write = take, .data = &lines), rung_run(wait_a_little)));

	rung_client_get(client, "/");
	double seconds = strtod(strrchr(lines.last, '"') + 2, NULL);
	cr_assert(seconds >= 0.03 && seconds < 30, "%f", seconds);
	rung_client_destroy(client);
}

/* -- where lines go ---------------------------------------------------------------------------------------------- */

Test(access_log, write_gets_each_line_whole_and_the_log_none)
{
	struct lines lines = { 0 };
	struct rung_client *client = test_client(rung_stack(
		rung_access_log(.write = take, .data = &lines, .free_data = count_free), rung_run(hello)));

	rung_client_get(client, "/1");
	ASSERT_INT(lines.count, 1);
	ASSERT_INT(lines.last[strlen(lines.last) - 1], '\n');
	rung_client_get(client, "/2");
	ASSERT_INT(lines.count, 2);
	ASSERT_STR(test_log(), "");
	ASSERT_INT(lines.freed, 0);
	rung_client_destroy(client);
	ASSERT_INT(lines.freed, 1);
}

Test(access_log, quiet_silences_the_log_but_not_write)
{
	const struct rung_setup quiet = { .size = sizeof quiet, .quiet = true };
	struct lines lines = { 0 };
	struct rung_client *client = test_client_with(rung_stack(rung_access_log(), rung_run(hello)), &quiet);

	ASSERT_INT(rung_client_get(client, "/")->status, 200);
	ASSERT_STR(test_log(), "");
	rung_client_destroy(client);
	client = test_client_with(
		rung_stack(rung_access_log(.write = take, .data = &lines), rung_run(hello)), &quiet);
	rung_client_get(client, "/");
	ASSERT_INT(lines.count, 1);
	rung_client_destroy(client);
}

static enum rung_log_level level_seen;

static void note_level(void *data, enum rung_log_level level, const char *line)
{
	(void)data;
	(void)line;
	level_seen = level;
}

Test(access_log, lines_carry_the_level_access)
{
	const struct rung_setup setup = { .size = sizeof setup, .log = note_level };
	struct rung_client *client =
		rung_client_new(rung_stack(rung_access_log(), rung_run(hello)), .setup = &setup);

	cr_assert(client, "%s", rung_error());
	rung_client_get(client, "/");
	ASSERT_INT(level_seen, RUNG_LOG_ACCESS);
	rung_client_destroy(client);
}

/* -- over a socket, and in the printed stack --------------------------------------------------------------------- */

Test(access_log, over_a_socket_the_address_is_the_clients)
{
	struct rung_server *server = test_server(
		rung_stack(rung_access_log(), rung_run(hello)), (struct rung_server_options){ 0 });
	char *answer = test_send(server, "GET /s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

	ASSERT_HAS(answer, "200 OK");
	free(answer);
	rung_server_destroy(server);
	ASSERT_STR(without_clock(test_log()),
		"127.0.0.1 - - TIME \"GET /s HTTP/1.1\" 200 5 \"-\" \"-\" SECONDS");
}

Test(access_log, a_place_where_it_misses_requests_is_advised_against)
{
	char text[2048];
	struct rung_app *stack =
		rung_stack(rung_basic_auth(.user = "u", .password = "p"), rung_access_log(), rung_run(hello));

	cr_assert(rung_stack_print(stack, text, sizeof text) > 0);
	ASSERT_HAS(text, "advice: access_log is better outside basic_auth");
	rung_app_destroy(stack);
}
