/* test_reply.c: whole replies: status, Content-Type and body in one call. URIs are in test_reply_uri.c. */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

SUITE(reply);

/* -- fixed bodies ------------------------------------------------------------------------------------------------ */

static int reply_by_path(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const char *path = env->path_info;

	(void)self;
	if (strcmp(path, "/empty") == 0)
		return rung_reply_empty(res, 202);
	if (strcmp(path, "/text") == 0)
		return rung_reply_text(res, 201, "a <b>");
	if (strcmp(path, "/textf") == 0)
		return rung_reply_textf(res, 404, "%s %d%%", "no", 7);
	if (strcmp(path, "/html") == 0)
		return rung_reply_html(res, 200, "<p>");
	if (strcmp(path, "/json") == 0)
		return rung_reply_json(res, 422, "{}");
	if (strcmp(path, "/bytes") == 0)
		return rung_reply_bytes(res, 200, "image/x", "a\0b", 3);
	if (strcmp(path, "/untyped") == 0)
		return rung_reply_bytes(res, 200, NULL, "ab", 2);
	return rung_reply_bytes(res, 200, "x/y", NULL, 0);
}

Test(reply, each_gives_status_type_and_body)
{
	static const struct {
		const char *path;
		int status;
		const char *type, *body;
		size_t size;
	} cases[] = {
		{ "/empty", 202, NULL, "", 0 },
		{ "/text", 201, "text/plain; charset=utf-8", "a <b>", 5 },
		{ "/textf", 404, "text/plain; charset=utf-8", "no 7%", 5 },
		{ "/html", 200, "text/html; charset=utf-8", "<p>", 3 },
		{ "/json", 422, "application/json", "{}", 2 },
		{ "/bytes", 200, "image/x", "a\0b", 3 },
		{ "/untyped", 200, NULL, "ab", 2 },
		{ "/nothing", 200, "x/y", "", 0 },
	};
	struct rung_client *client = test_client(rung_run(reply_by_path));

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct rung_reply *reply = rung_client_get(client, cases[i].path);
		const char *type = rung_reply_header(reply, "Content-Type");

		cr_expect(reply->status == cases[i].status, "%s: %d", cases[i].path, reply->status);
		cr_expect(!type == !cases[i].type && (!type || strcmp(type, cases[i].type) == 0), "%s: %s",
			cases[i].path, type ? type : "(none)");
		cr_expect(
			reply->size == cases[i].size && memcmp(reply->body, cases[i].body, reply->size) == 0,
			"%s: <%s>", cases[i].path, reply->body);
		cr_expect(reply->outcome == RUNG_SENT, "%s", cases[i].path);
	}
	ASSERT_STR(test_log(), "");
	rung_client_destroy(client);
}

/* A buffer of the caller's may change after the call. */
static int reply_then_change(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	char text[] = "before", type[] = "a/b";

	(void)self;
	(void)env;
	rung_reply_bytes(res, 200, type, text, strlen(text));
	memcpy(text, "AFTER!", 6);
	memcpy(type, "X/Y", 3);
	return 0;
}

Test(reply, what_it_was_given_is_copied)
{
	struct rung_client *client = test_client(rung_run(reply_then_change));
	const struct rung_reply *reply = rung_client_get(client, "/");

	ASSERT_STR(reply->body, "before");
	ASSERT_STR(rung_reply_header(reply, "Content-Type"), "a/b");
	rung_client_destroy(client);
}

static int reply_long(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	static char filler[20000];
	int width = atoi(env->query);

	(void)self;
	memset(filler, 'x', sizeof filler - 1);
	return rung_reply_textf(res, 200, "<%.*s>", width, filler);
}

Test(reply, formatted_text_may_have_any_length)
{
	static const int widths[] = { 0, 508, 509, 510, 511, 9000, 19999 };
	struct rung_client *client = test_client(rung_run(reply_long));

	for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
		char target[32];
		size_t size = (size_t)widths[i] + 2;

		snprintf(target, sizeof target, "/?%d", widths[i]);
		const struct rung_reply *reply = rung_client_get(client, target);
		cr_expect(reply->size == size && strlen(reply->body) == size && reply->body[size - 1] == '>',
			"width %d: %zu bytes", widths[i], reply->size);
		ASSERT_STR(rung_reply_header(reply, "Content-Type"), "text/plain; charset=utf-8");
	}
	rung_client_destroy(client);
}

/* -- errors stick ------------------------------------------------------------------------------------------------ */

static int closes;

static void count_close(struct rung_source *source)
{
	(void)source;
	closes++;
}

static ssize_t read_nothing(struct rung_source *source, void *buffer, size_t max)
{
	(void)source;
	(void)buffer;
	(void)max;
	return 0;
}

static int reply_after_error(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	static struct rung_source source = { .read = read_nothing, .close = count_close };

	(void)self;
	(void)env;
	ASSERT_INT(rung_reply_file(res, 200, NULL, "/nonexistent/file"), -ENOENT);
	ASSERT_INT(rung_reply_empty(res, 200), -ENOENT);
	ASSERT_INT(rung_reply_text(res, 200, "x"), -ENOENT);
	ASSERT_INT(rung_reply_textf(res, 200, "x"), -ENOENT);
	ASSERT_INT(rung_reply_html(res, 200, "x"), -ENOENT);
	ASSERT_INT(rung_reply_json(res, 200, "x"), -ENOENT);
	ASSERT_INT(rung_reply_bytes(res, 200, "bad\ntype", "x", 1), -ENOENT);
	ASSERT_INT(rung_reply_file(res, 200, NULL, "/dev/null"), -ENOENT);
	ASSERT_INT(rung_reply_redirect(res, 200, "/"), -ENOENT);
	ASSERT_INT(rung_reply_uri(res, 200, "/x"), -ENOENT);
	ASSERT_INT(rung_reply_uri_raw(res, 200, "/x"), -ENOENT);
	ASSERT_INT(rung_reply_pull(res, 200, NULL, &source, -1), -ENOENT);
	ASSERT_INT(closes, 1); /* taken, also on failure */
	ASSERT_INT(res->kind, RUNG_BODY_EMPTY);
	return 0;
}

Test(reply, the_first_error_sticks_and_later_replies_do_nothing)
{
	struct rung_client *client = test_client(rung_run(reply_after_error));
	const struct rung_reply *reply = rung_client_get(client, "/");

	ASSERT_INT(reply->status, 500);
	ASSERT_INT(reply->size, 0);
	ASSERT_INT(closes, 1);
	ASSERT_HAS(test_log(), "/nonexistent/file");
	rung_client_destroy(client);
}

static int reply_null(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	static struct rung_source *const none = NULL;

	(void)self;
	switch (env->query[0]) {
	case 't':
		return rung_reply_text(res, 200, NULL);
	case 'h':
		return rung_reply_html(res, 200, NULL);
	case 'j':
		return rung_reply_json(res, 200, NULL);
	case 'b':
		return rung_reply_bytes(res, 200, "a/b", NULL, 4);
	case 'f':
		return rung_reply_file(res, 200, NULL, NULL);
	case 'r':
		return rung_reply_redirect(res, 302, NULL);
	default:
		return rung_reply_pull(res, 200, NULL, none, -1);
	}
}

/* What rung_printf() and rung_param() give when they have nothing comes here unchecked. */
Test(reply, a_null_is_an_error_and_no_crash)
{
	static const char *const targets[] = { "/?t", "/?h", "/?j", "/?b", "/?f", "/?r", "/?p" };
	struct rung_client *client = test_client(rung_run(reply_null));

	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
		test_log_clear();
		cr_expect(rung_client_get(client, targets[i])->status == 500, "%s", targets[i]);
		cr_expect(strstr(test_log(), "NULL"), "%s: <%s>", targets[i], test_log());
	}
	rung_client_destroy(client);
}

/* -- files ------------------------------------------------------------------------------------------------------- */

struct served {
	const char *path, *type;
	int result;
};

static int reply_file(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct served *served = rung_data(self);

	(void)env;
	int rc = rung_reply_file(res, 200, served->type, served->path);
	ASSERT_INT(rc, served->result);
	if (rc == 0)
		ASSERT_STR(rung_body_get_path(res), served->path);
	return rc;
}

/* A folder of its own for each test; the parts are removed one by one at its end. */
static char folder[64];

static const char *make_folder(void)
{
	snprintf(folder, sizeof folder, "/tmp/rung-reply-XXXXXX");
	cr_assert(mkdtemp(folder));
	return folder;
}

static const char *make_file(const char *name, const char *text)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
	return path;
}

static void check_file(const char *name, const char *text, const char *type, const char *expected)
{
	const struct served served = { make_file(name, text), type, 0 };
	struct rung_client *client = test_client(rung_run(reply_file, .data = &served));
	const struct rung_reply *reply = rung_client_get(client, "/");
	const char *got = rung_reply_header(reply, "Content-Type");

	cr_expect(reply->status == 200, "%s: %d", name, reply->status);
	cr_expect(got && strncmp(got, expected, strlen(expected)) == 0, "%s: %s", name, got ? got : "(none)");
	cr_expect_str_eq(reply->body, text, "%s", name);
	cr_expect(atoi(rung_reply_header(reply, "Content-Length")) == (int)strlen(text), "%s", name);
	rung_client_destroy(client);
	unlink(served.path);
}

Test(reply, a_file_is_sent_with_the_type_of_its_name)
{
	make_folder();
	check_file("a.html", "<p>", NULL, "text/html");
	check_file("a.unknown-to-all", "x", NULL, "application/octet-stream");
	check_file("plain", "x", NULL, "application/octet-stream");
	check_file("b.html", "x", "text/x-own", "text/x-own");
	check_file("empty.txt", "", NULL, "text/plain");
	rmdir(folder);
}

static void check_refused_file(const char *what, const char *path, int result)
{
	const struct served served = { path, NULL, result };
	struct rung_client *client = test_client(rung_run(reply_file, .data = &served));

	test_log_clear();
	cr_expect(rung_client_get(client, "/")->status == 500, "%s", what);
	cr_expect(strstr(test_log(), path), "%s: <%s>", what, test_log());
	rung_client_destroy(client);
}

Test(reply, what_is_no_regular_file_is_refused_without_waiting, .timeout = 10)
{
	char fifo[128];

	make_folder();
	snprintf(fifo, sizeof fifo, "%s/fifo", folder);
	cr_assert_eq(mkfifo(fifo, 0600), 0);
	check_refused_file("missing", "/nonexistent/file", -ENOENT);
	check_refused_file("folder", folder, -EINVAL);
	check_refused_file("fifo", fifo, -EINVAL);
	check_refused_file("device", "/dev/zero", -EINVAL);
	unlink(fifo);
	rmdir(folder);
}

/* -- redirects --------------------------------------------------------------------------------------------------- */

struct redirect {
	int status;
	const char *location;
	bool good;
};

static int redirect(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct redirect *to = rung_data(self);

	(void)env;
	rung_body_static(res, "old", 3);
	ASSERT_INT(rung_reply_redirect(res, to->status, to->location), to->good ? 0 : -EINVAL);
	return 0;
}

Test(reply, a_redirect_has_its_statuses_and_a_uri)
{
	static const struct redirect cases[] = {
		{ 301, "/a", true },
		{ 302, "http://example.org/a?b#c", true },
		{ 303, "b", true },
		{ 307, "?q=1", true },
		{ 308, "//example.org/", true },
		{ 300, "/", false },
		{ 200, "/", false },
		{ 304, "/", false },
		{ 305, "/", false },
		{ 0, "/", false },
		{ 302, "/a b", false },
		{ 302, "/a\r\nX: y", false },
		{ 302, "/%zz", false },
		{ 302, "/caf\xc3\xa9", false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rung_client *client = test_client(rung_run(redirect, .data = &cases[i]));
		const struct rung_reply *reply = rung_client_get(client, "/");
		const char *location = rung_reply_header(reply, "Location");

		cr_expect(reply->status == (cases[i].good ? cases[i].status : 500), "%d %s: %d",
			cases[i].status, cases[i].location, reply->status);
		cr_expect(cases[i].good ? location && strcmp(location, cases[i].location) == 0 : !location,
			"%d %s: %s", cases[i].status, cases[i].location, location ? location : "(none)");
		cr_expect(reply->size == 0, "%d %s", cases[i].status, cases[i].location);
		rung_client_destroy(client);
	}
}

/* -- sources ----------------------------------------------------------------------------------------------------- */

static ssize_t read_two(struct rung_source *source, void *buffer, size_t max)
{
	(void)source;
	memcpy(buffer, "ab", max < 2 ? max : 2);
	return (ssize_t)(max < 2 ? max : 2);
}

static int reply_pull(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	static struct rung_source bounded = { .read = read_two, .close = count_close };
	static struct rung_source empty = { .read = read_nothing, .close = count_close };

	(void)self;
	if (*env->query)
		return rung_reply_pull(res, 200, "a/b", &bounded, 5);
	return rung_reply_pull(res, 200, NULL, &empty, -1);
}

Test(reply, a_source_has_its_size_announced_when_it_is_known)
{
	struct rung_client *client = test_client(rung_run(reply_pull));
	const struct rung_reply *reply = rung_client_get(client, "/?sized");

	ASSERT_STR(reply->body, "ababa");
	ASSERT_STR(rung_reply_header(reply, "Content-Type"), "a/b");
	ASSERT_STR(rung_reply_header(reply, "Content-Length"), "5");
	reply = rung_client_get(client, "/");
	ASSERT_STR(reply->body, "");
	cr_assert_null(rung_reply_header(reply, "Content-Length"));
	cr_assert_null(rung_reply_header(reply, "Content-Type"));
	ASSERT_INT(closes, 2);
	rung_client_destroy(client);
}
