/* test_app_compose.c: apps/compose.c: that what is put together in each of its ways answers as one stack. */
#include "support.h"

SUITE(app_compose);

int compose_main(int argc, char **argv);

static struct rung_client *compose(void)
{
	const struct rung_setup setup = { .size = sizeof setup, .quiet = true };

	return test_client_with(rung_main_stack(compose_main, "compose"), &setup);
}

static const struct rung_reply *get_of(struct rung_client *client, const char *host, const char *target)
{
	const struct rung_field fields[] = { { .name = "Host", .value = host }, { 0 } };

	return rung_client_send(client, "GET", target, .headers = fields);
}

Test(app_compose, a_fragment_stands_around_each_app_that_follows_it)
{
	static const char *const parts[] = { "shop", "office" };
	struct rung_client *client = compose();

	for (size_t i = 0; i < 2; i++) {
		char target[32], body[32];

		snprintf(target, sizeof target, "/%s/", parts[i]);
		snprintf(body, sizeof body, "The %s.\n", parts[i]);
		const struct rung_reply *reply = rung_client_get(client, target);
		ASSERT_INT(reply->status, 200);
		ASSERT_STR(reply->body, body);
		ASSERT_STR(rung_reply_header(reply, "X-Part"), parts[i]);
		ASSERT_STR(rung_reply_header(reply, "X-Frame-Options"), "DENY");
	}
	/* And around nothing else. */
	const struct rung_reply *reply = rung_client_get(client, "/first/greet/Ada");
	cr_assert_null(rung_reply_header(reply, "X-Part"));
	cr_assert_null(rung_reply_header(reply, "X-Frame-Options"));
	cr_assert_null(rung_reply_header(rung_client_get(client, "/"), "X-Part"));
	rung_client_destroy(client);
}

Test(app_compose, a_mount_by_host_answers_to_that_host_with_any_port)
{
	static const char *const admins[] = { "admin.localhost", "admin.localhost:8080",
		"ADMIN.localhost:1" };
	static const char *const others[] = { "localhost", "127.0.0.1:8080", "admin.localhost.example",
		"xadmin.localhost" };
	struct rung_client *client = compose();

	for (size_t i = 0; i < sizeof admins / sizeof *admins; i++) {
		ASSERT_STR(get_of(client, admins[i], "/")->body, "For admins.\n");
		/* It has the whole host: nothing of the other app shows through. */
		ASSERT_STR(get_of(client, admins[i], "/shop/")->body, "For admins.\n");
	}
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		ASSERT_STR(get_of(client, others[i], "/shop/")->body, "The shop.\n");
	ASSERT_STR(rung_client_get(client, "http://admin.localhost/any")->body, "For admins.\n");
	rung_client_destroy(client);
}

Test(app_compose, one_app_stands_in_two_places_and_knows_in_which)
{
	struct rung_client *client = compose();

	ASSERT_STR(rung_client_get(client, "/first/greet/Ada")->body, "Hello Ada, below /first.\n");
	ASSERT_STR(rung_client_get(client, "/second/greet/Ada")->body, "Hello Ada, below /second.\n");
	ASSERT_INT(rung_client_get(client, "/first/add/2/40")->status, 404);
	const struct rung_reply *reply = rung_client_send(client, "POST", "/second/greet/Ada");
	ASSERT_INT(reply->status, 405);
	ASSERT_HAS(rung_reply_header(reply, "Allow"), "GET");
	rung_client_destroy(client);
}

Test(app_compose, a_cascade_asks_until_one_does_not_pass)
{
	struct rung_client *client = compose();

	ASSERT_STR(rung_client_get(client, "/any/greet/Ada")->body, "Hello Ada, below /any.\n");
	ASSERT_STR(rung_client_get(client, "/any/add/2/40")->body, "42\n");
	ASSERT_STR(rung_client_get(client, "/any/add/-2/2")->body, "0\n");
	ASSERT_INT(rung_client_get(client, "/any/add/2/x")->status, 400);
	ASSERT_INT(rung_client_get(client, "/any/add/9223372036854775807/1")->status, 400);
	const struct rung_reply *reply = rung_client_get(client, "/any/nothing");
	ASSERT_INT(reply->status, 404);
	cr_assert(reply->size > 0, "an error page stands around the cascade too");
	/* The first one's 405 is cleared before the second is asked, with its Allow. */
	reply = rung_client_send(client, "POST", "/any/greet/Ada");
	ASSERT_INT(reply->status, 404);
	cr_assert_null(rung_reply_header(reply, "Allow"));
	/* The second one's stands. */
	reply = rung_client_send(client, "POST", "/any/add/2/40");
	ASSERT_INT(reply->status, 405);
	ASSERT_HAS(rung_reply_header(reply, "Allow"), "GET");
	ASSERT_STR(test_log(), "");
	rung_client_destroy(client);
}

/* What a class tells by its `children` is started, checked and printed like all else. */
Test(app_compose, the_ladder_shows_what_the_cascade_holds)
{
	struct rung_app *app = rung_main_stack(compose_main, "compose");
	char ladder[4096];

	cr_assert_not_null(app, "%s", rung_error());
	ssize_t size = rung_stack_print(app, ladder, sizeof ladder);
	cr_assert(size > 0 && (size_t)size < sizeof ladder);
	ASSERT_HAS(ladder, "http://admin.localhost -> run");
	ASSERT_HAS(ladder, "/any -> cascade\n");
	const char *cascade = strstr(ladder, "/any -> cascade\n");
	ASSERT_HAS(cascade, "GET /greet/:name");
	ASSERT_HAS(cascade, "GET /add/:a/:b");
	const char *fragment = strstr(ladder, "+-- never_framed");
	cr_assert_not_null(fragment);
	ASSERT_HAS(fragment + 1, "+-- never_framed");
	rung_app_destroy(app);
}

Test(app_compose, a_stack_starts_again_after_it_was_stopped)
{
	struct rung_app *app = rung_main_stack(compose_main, "compose");
	const struct rung_setup setup = { .size = sizeof setup, .quiet = true };

	for (int i = 0; i < 2; i++) {
		struct rung_client *client = test_client_with(rung_ref(app), &setup);

		ASSERT_STR(rung_client_get(client, "/any/add/2/40")->body, "42\n");
		rung_client_destroy(client);
	}
	rung_app_destroy(app);
}

/* -- below a prefix ------------------------------------------------------------------------------------------------ */

static int status_of_link(const char *tag, const char *end)
{
	static const char name[] = "data-status=\"";
	const char *at = strstr(tag, name);

	return at && at < end ? (int)strtol(at + strlen(name), NULL, 10) : 200;
}

Test(app_compose, below_a_prefix_every_link_of_its_page_answers_as_it_says)
{
	const struct rung_setup setup = { .size = sizeof setup, .quiet = true };
	struct rung_client *client = test_client_with(
		rung_routes(rung_mount("/x", rung_main_stack(compose_main, "compose"))), &setup);
	const struct rung_reply *reply = rung_client_get(client, "/x/");
	int links = 0;

	ASSERT_INT(reply->status, 200);
	char *page = strdup(reply->body);
	cr_assert_not_null(page);
	for (const char *at = page; (at = strstr(at, "<a ")); at++, links++) {
		const char *end = strchr(at, '>'), *href = strstr(at, "href=\"");
		char target[128];

		cr_assert(end && href && href < end);
		href += strlen("href=\"");
		cr_assert(*href != '/', "%.40s leaves the prefix", href);
		snprintf(target, sizeof target, "/x/%.*s", (int)strcspn(href, "\""), href);
		int status = rung_client_get(client, target)->status;
		cr_expect(status == status_of_link(at, end), "%s is %d", target, status);
	}
	cr_assert(links >= 6, "%d links", links);
	free(page);
	ASSERT_STR(rung_client_get(client, "/x/first/greet/Ada")->body, "Hello Ada, below /x/first.\n");
	ASSERT_STR(rung_client_get(client, "/x/any/greet/Ada")->body, "Hello Ada, below /x/any.\n");
	ASSERT_STR(get_of(client, "admin.localhost:8080", "/x/")->body, "For admins.\n");
	rung_client_destroy(client);
}
