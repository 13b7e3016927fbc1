/* test_apps.c: the gallery's apps, each asked in-process what a person would ask it with curl; errors and compose have files
 * of their own. */
#include "backend.h"

#include <stdlib.h>

SUITE(apps);

int behind_main(int argc, char **argv);
int files_site_main(int argc, char **argv);
int hello_main(int argc, char **argv);
int hops_main(int argc, char **argv);
int private_files_main(int argc, char **argv);
int self_main(int argc, char **argv);
int two_apps_main(int argc, char **argv);

/* demo:demo and demo:wrong */
static const struct rung_field right[] = { { .name = "Authorization", .value = "Basic ZGVtbzpkZW1v" },
	{ 0 } };
static const struct rung_field wrong[] = { { .name = "Authorization", .value = "Basic ZGVtbzp3cm9uZw==" },
	{ 0 } };

static struct rung_client *client_of(
	int (*main_function)(int, char **), const char *name, enum rung_server_kind server)
{
	const struct rung_setup setup = { .size = sizeof setup, .server = server, .quiet = true };

	return test_client_with(rung_main_stack(main_function, name), &setup);
}

Test(apps, hello)
{
	struct rung_client *client = client_of(hello_main, "hello", RUNG_SERVER_AUTO);
	const struct rung_reply *reply = rung_client_get(client, "/");

	ASSERT_INT(reply->status, 200);
	ASSERT_STR(reply->body, "Hello, World!\n");
	ASSERT_HAS(rung_reply_header(reply, "Content-Type"), "text/plain");
	ASSERT_INT(rung_client_get(client, "/other")->status, 404);
	ASSERT_INT(rung_client_send(client, "POST", "/")->status, 405);
	rung_client_destroy(client);
}

Test(apps, private_files_lists_and_guards)
{
	struct rung_client *client = client_of(private_files_main, "private_files", RUNG_SERVER_AUTO);
	const struct rung_reply *reply = rung_client_get(client, "/");

	ASSERT_INT(reply->status, 200);
	ASSERT_HAS(reply->body, "href=\"d/readme.txt\">readme.txt</a>");
	ASSERT_HAS(reply->body, "d/ladder.png");
	ASSERT_HAS(reply->body, "d/big.bin");
	reply = rung_client_get(client, "/d/readme.txt");
	ASSERT_INT(reply->status, 401);
	ASSERT_HAS(rung_reply_header(reply, "WWW-Authenticate"), "Basic realm=\"files\"");
	ASSERT_INT(rung_client_send(client, "GET", "/d/readme.txt", .headers = wrong)->status, 401);
	/* The files app answers to its name alone. */
	ASSERT_INT(rung_client_get(client, "/readme.txt")->status, 404);
	ASSERT_INT(rung_client_get(client, "http://files.internal/readme.txt")->status, 404);
	rung_client_destroy(client);
}

Test(apps, private_files_arrive_by_reproxy)
{
	struct rung_client *client = client_of(private_files_main, "private_files", RUNG_SERVER_AUTO);
	const struct rung_reply *reply = rung_client_send(client, "GET", "/d/readme.txt", .headers = right);

	ASSERT_INT(reply->status, 200);
	ASSERT_HAS(reply->body, "Nobody reads this file");
	ASSERT_HAS(rung_reply_header(reply, "Content-Type"), "text/plain");
	ASSERT_STR(rung_reply_header(reply, "Cache-Control"), "private");
	cr_assert_not_null(rung_reply_header(reply, "ETag"));
	reply = rung_client_send(client, "GET", "/d/ladder.png", .headers = right);
	ASSERT_INT(reply->status, 200);
	ASSERT_STR(rung_reply_header(reply, "Content-Type"), "image/png");
	cr_assert(reply->size > 1000 && memcmp(reply->body, "\x89PNG", 4) == 0);
	reply = rung_client_send(client, "GET", "/d/big.bin", .headers = right);
	ASSERT_INT(reply->size, 12 * 1024 * 1024);
	cr_assert(memcmp(reply->body + 16 * 1000, "000000000001000\n", 16) == 0);
	reply = rung_client_send(client, "HEAD", "/d/big.bin", .headers = right);
	ASSERT_INT(reply->size, 0);
	ASSERT_STR(rung_reply_header(reply, "Content-Length"), "12582912");
	reply = rung_client_send(client, "GET", "/d/none.txt", .headers = right);
	ASSERT_INT(reply->status, 404);
	ASSERT_HAS(rung_reply_header(reply, "Content-Type"), "text/plain");
	ASSERT_INT(rung_client_send(client, "GET", "/d/..", .headers = right)->status, 500);
	ASSERT_INT(rung_client_send(client, "GET", "/d/%2e%2e%2f%2e%2e%2fetc%2fpasswd", .headers = right)
			   ->status,
		404);
	rung_client_destroy(client);
}

Test(apps, private_files_are_not_sent_again_to_whom_has_them)
{
	struct rung_client *client = client_of(private_files_main, "private_files", RUNG_SERVER_AUTO);
	char etag[128];

	snprintf(etag, sizeof etag, "%s",
		rung_reply_header(
			rung_client_send(client, "GET", "/d/readme.txt", .headers = right), "ETag"));
	const struct rung_field conditional[] = { right[0], { .name = "If-None-Match", .value = etag },
		{ 0 } };
	const struct rung_reply *reply =
		rung_client_send(client, "GET", "/d/readme.txt", .headers = conditional);
	ASSERT_INT(reply->status, 304);
	ASSERT_INT(reply->size, 0);
	ASSERT_STR(rung_reply_header(reply, "ETag"), etag);
	ASSERT_STR(rung_reply_header(reply, "Cache-Control"), "private");
	rung_client_destroy(client);
}

Test(apps, private_files_says_to_nginx_where_the_file_is)
{
	struct rung_client *client = client_of(private_files_main, "private_files", RUNG_SERVER_NGINX);
	const struct rung_reply *reply = rung_client_send(client, "GET", "/d/a%20b", .headers = right);

	ASSERT_INT(reply->status, 200);
	ASSERT_INT(reply->size, 0);
	ASSERT_STR(rung_reply_header(reply, "X-Accel-Redirect"), "/reproxy");
	ASSERT_STR(rung_reply_header(reply, "X-Reproxy-Url"), "http://files.internal/a%20b");
	ASSERT_INT(rung_client_get(client, "/d/readme.txt")->status, 401);
	rung_client_destroy(client);
}

static void expect_elsewhere(const char *url, const char *name, int status, const char *target)
{
	setenv("FILES_URL", url, 1);
	struct rung_client *client = client_of(private_files_main, "private_files", RUNG_SERVER_SELF);
	const struct rung_reply *reply = rung_client_send(client, "GET", name, .headers = right);

	ASSERT_INT(reply->status, status);
	if (target) {
		ASSERT_STR(reply->body, target);
		ASSERT_STR(rung_reply_header(reply, "Cache-Control"), "private");
	}
	ASSERT_INT(rung_client_send(client, "GET", name, .headers = wrong)->status, 401);
	rung_client_destroy(client);
}

static void tell_target(struct backend *backend, int fd, unsigned number)
{
	char answer[512];

	(void)number;
	while (backend_take(backend, fd)) {
		char *seen = backend_seen(backend), *end = strstr(seen, " HTTP/1.1");
		cr_assert(end && !strcasestr(end, "authorization"));
		*end = '\0';
		snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%.300s",
			strlen(seen), seen);
		backend_say(fd, answer);
		free(seen);
	}
}

Test(apps, private_files_may_be_on_another_machine)
{
	struct backend *backend = backend_start(tell_target, NULL);
	char url[256];

	/* Its address is listed by being in the URL. */
	snprintf(url, sizeof url, "%s/private/", backend->url);
	expect_elsewhere(url, "/d/a%20b.txt", 200, "GET /private/a%20b.txt");
	expect_elsewhere(url, "/d/%2e%2e", 404, NULL);
	/* A name's is not. */
	snprintf(url, sizeof url, "http://localhost:%u", backend->port);
	expect_elsewhere(url, "/d/readme.txt", 502, NULL);
	setenv("FILES_ALLOW", "10.0.0.0/8,127.0.0.0/8", 1);
	expect_elsewhere(url, "/d/readme.txt", 200, "GET /readme.txt");
	unsetenv("FILES_URL");
	backend_stop(backend);
}

Test(apps, self_reaches_what_is_404_from_outside)
{
	struct rung_client *client = client_of(self_main, "self", RUNG_SERVER_AUTO);
	const struct rung_field forged[] = { { .name = "Authorization", .value = "Basic ZGVtbzpkZW1v" },
		{ .name = "X-Reproxied", .value = "1" }, { .name = "X_Reproxied", .value = "1" }, { 0 } };
	const struct rung_reply *reply = rung_client_send(client, "GET", "/report/2026", .headers = right);

	ASSERT_INT(reply->status, 200);
	ASSERT_STR(reply->body, "Report of 2026, fetched from /internal/report/2026.\n");
	ASSERT_INT(rung_client_get(client, "/report/2026")->status, 401);
	ASSERT_INT(rung_client_get(client, "/internal/report/2026")->status, 404);
	ASSERT_INT(rung_client_send(client, "GET", "/internal/report/2026", .headers = forged)->status, 404);
	ASSERT_INT(rung_client_get(client, "/")->status, 200);
	rung_client_destroy(client);
}

Test(apps, two_apps_by_name_with_queries_and_merged_headers)
{
	struct rung_client *client = client_of(two_apps_main, "two_apps", RUNG_SERVER_AUTO);
	const struct rung_reply *reply = rung_client_get(client, "/hello/Ada%20L%26x");

	ASSERT_STR(reply->body, "Hello from greeter.internal, asked for name=Ada%20L%26x\n");
	ASSERT_STR(rung_reply_header(reply, "X-Front"), "front");
	ASSERT_STR(rung_reply_header(reply, "X-Target"), "greeter");
	ASSERT_STR(rung_reply_header(reply, "X-Both"), "target");
	reply = rung_client_get(client, "/add/2/40");
	ASSERT_STR(reply->body, "2 + 40 = 42\n");
	ASSERT_STR(rung_reply_header(reply, "X-Target"), "calculator");
	ASSERT_STR(rung_client_cookie(client, "front"), "1");
	ASSERT_STR(rung_client_cookie(client, "target"), "1");
	ASSERT_INT(rung_client_get(client, "/add/2/x")->status, 400);
	ASSERT_HAS(rung_client_get(client, "/greeter/greet?name=direct")->body,
		"Hello from localhost, asked for name=direct");
	rung_client_destroy(client);
}

Test(apps, hops_up_to_the_limit)
{
	struct rung_client *client = client_of(hops_main, "hops", RUNG_SERVER_AUTO);

	ASSERT_STR(rung_client_get(client, "/0")->body, "0 hops\n");
	ASSERT_STR(rung_client_get(client, "/3")->body, "3 hops\n2\n1\n0\n");
	ASSERT_INT(rung_client_get(client, "/10")->status, 200);
	ASSERT_INT(rung_client_get(client, "/11")->status, 502);
	ASSERT_HAS(test_log(), "more than 10 hops: 10 -> 9 -> 8");
	ASSERT_INT(rung_client_get(client, "/x")->status, 404);
	rung_client_destroy(client);
}

Test(apps, behind_shows_what_each_server_is_told_beside_what_redispatch_gives)
{
	struct rung_client *client = client_of(behind_main, "behind", RUNG_SERVER_NGINX);
	const struct rung_reply *reply = rung_client_get(client, "/show/file");

	ASSERT_INT(reply->status, 200);
	ASSERT_HAS(reply->body, "This is /annual%20report.pdf at files.internal, after 1 hop.");
	ASSERT_HAS(reply->body, "<h2>nginx</h2>\n<pre>200\nContent-Type: application/pdf\n");
	ASSERT_HAS(reply->body,
		"X-Accel-Redirect: /reproxy\nX-Reproxy-Url: http://files.internal/annual%20report.pdf");
	ASSERT_HAS(reply->body, "X-Rewrite-Host: files.internal\nX-Rewrite-URI: /annual%20report.pdf");
	cr_assert_null(rung_reply_header(reply, "X-Accel-Redirect"), "the page itself is nobody's");
	reply = rung_client_get(client, "/show/unknown");
	ASSERT_HAS(reply->body, "<h2>no server: redispatched here</h2>\n<pre>502\n");
	ASSERT_INT(rung_client_get(client, "/show/nothing")->status, 404);
	ASSERT_HAS(rung_client_get(client, "/")->body, "<a href=\"show/relative\">relative</a>");
	rung_client_destroy(client);
}

Test(apps, files_site_sends_files_as_a_server_should)
{
	static const struct rung_field brotli[] = { { .name = "Accept-Encoding", .value = "gzip, br" },
		{ 0 } };
	struct rung_client *client = client_of(files_site_main, "files_site", RUNG_SERVER_AUTO);
	const struct rung_reply *reply = rung_client_get(client, "/");
	char asset[128] = "/";

	ASSERT_INT(reply->status, 200);
	ASSERT_STR(rung_reply_header(reply, "Cache-Control"), "no-cache");
	const char *link = strstr(reply->body, "assets/site.");
	cr_assert_not_null(link);
	strncat(asset, link, strcspn(link, "\""));
	reply = rung_client_send(client, "GET", asset, .headers = brotli);
	ASSERT_INT(reply->status, 200);
	ASSERT_STR(rung_reply_header(reply, "Content-Encoding"), "br");
	ASSERT_STR(rung_reply_header(reply, "Vary"), "Accept-Encoding");
	ASSERT_HAS(rung_reply_header(reply, "Cache-Control"), "immutable");
	ASSERT_STR(rung_reply_header(rung_client_get(client, "/catalogue"), "Location"), "./catalogue/");
	ASSERT_HAS(rung_client_get(client, "/downloads/")->body, ">50% &amp; more.txt</a>");
	ASSERT_HAS(rung_client_get(client, "/downloads/50%25%20%26%20more.txt")->body, "Names are escaped");
	ASSERT_INT(rung_client_get(client, "/downloads/.hidden")->status, 404);
	rung_client_destroy(client);
}
