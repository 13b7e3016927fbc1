/* test_app_front.c: apps/front.c by its demonstration, in-process; tests/front/run has it in front of a real app. */
#include "support.h"

SUITE(app_front);

int front_main(int argc, char **argv);

static const struct rung_field browser[] = { { .name = "Accept", .value = "text/html,*/*;q=0.8" }, { 0 } };

static struct rung_client *front(void)
{
	const struct rung_setup setup = { .size = sizeof setup, .quiet = true };

	return test_client_with(rung_main_stack(front_main, "front"), &setup);
}

Test(app_front, a_small_app_stands_in)
{
	struct rung_client *client = front();
	const struct rung_reply *reply = rung_client_get(client, "/");

	ASSERT_INT(reply->status, 200);
	ASSERT_HAS(reply->body, "apps/run front --backend http://127.0.0.1:3000");
	rung_client_destroy(client);
}

Test(app_front, files_come_from_the_server_s_folder)
{
	const struct rung_field range[] = { { .name = "Range", .value = "bytes=0-3" }, { 0 } };
	struct rung_client *client = front();
	const struct rung_reply *reply = rung_client_get(client, "/file");

	ASSERT_INT(reply->status, 200);
	ASSERT_STR(rung_reply_header(reply, "Content-Type"), "text/html; charset=utf-8");
	cr_assert_not_null(rung_reply_header(reply, "ETag"));
	cr_assert_null(rung_reply_header(reply, "X-Accel-Redirect"));
	reply = rung_client_send(client, "GET", "/file", .headers = range);
	ASSERT_INT(reply->status, 206);
	ASSERT_INT(reply->size, 4);
	/* From outside the location is not there. */
	ASSERT_INT(rung_client_get(client, "/files/letter.html")->status, 404);
	rung_client_destroy(client);
}

Test(app_front, urls_are_fetched)
{
	struct rung_client *client = front();
	const struct rung_reply *reply = rung_client_get(client, "/url");

	ASSERT_INT(reply->status, 200);
	ASSERT_STR(reply->body, "Asked for /a?b=c at elsewhere.internal.\n");
	cr_assert_null(rung_reply_header(reply, "X-Reproxy-Url"));
	ASSERT_INT(rung_client_get(client, "/reproxy")->status, 404);
	rung_client_destroy(client);
}

Test(app_front, errors_of_the_server_are_explained)
{
	struct rung_client *client = front();
	const struct rung_reply *reply = rung_client_get(client, "/missing");

	ASSERT_INT(reply->status, 404);
	ASSERT_STR(rung_reply_header(reply, "Content-Type"), "text/plain; charset=utf-8");
	ASSERT_HAS(reply->body, "404: The app asked for X-Accel-Redirect: /files/missing,");
	reply = rung_client_send(client, "GET", "/missing", .headers = browser);
	ASSERT_INT(reply->status, 404);
	ASSERT_STR(rung_reply_header(reply, "Content-Type"), "text/html; charset=utf-8");
	ASSERT_HAS(reply->body, "<h1>The server's own answer</h1>");
	/* nginx ends what goes round in circles after ten times. */
	ASSERT_INT(rung_client_get(client, "/again")->status, 500);
	/* What the app says itself stays as it is. */
	ASSERT_INT(rung_client_get(client, "/nothing")->status, 404);
	rung_client_destroy(client);
}
