/* test_files_folders.c: folders: their index, their listing, the way to their slash; and what answers for what is not there. */
#include "tree.h"

#include <rung/files.h>
#include <rung/reproxy.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static void make(void)
{
	tree_make();
	tree_put("root/index.html", "<h1>top");
	tree_put("root/sub/index.html", "<h1>sub");
	cr_assert(mkdir(tree_at("root/bare"), 0755) == 0 && mkdir(tree_at("root/a:b"), 0755) == 0 &&
		  mkdir(tree_at("root/s\xc3\xa9"), 0755) == 0);
	tree_put("root/bare/file", "file");
}

TestSuite(files_folders, .init = make, .fini = tree_remove);

/* -- the index and the slash ---------------------------------------------------------------------------------------- */

Test(files_folders, a_folder_is_answered_with_its_index)
{
	struct rung_client *client = test_client(rung_files(.root = tree_at("root"), .index = "index.html"));
	const struct rung_reply *reply = rung_client_get(client, "/");

	ASSERT_STR(reply->body, "<h1>top");
	ASSERT_STR(rung_reply_header(reply, "Content-Type"), "text/html; charset=utf-8");
	cr_assert_not_null(rung_reply_header(reply, "ETag"));
	ASSERT_STR(rung_client_get(client, "/sub/")->body, "<h1>sub");
	ASSERT_STR(rung_client_get(client, "/sub/index.html")->body, "<h1>sub");
	ASSERT_INT(rung_client_get(client, "/bare/")->status, 404);
	ASSERT_INT(rung_client_get(client, "/gone/")->status, 404);
	ASSERT_INT(rung_client_get(client, "/a.txt/")->status, 404);
	ASSERT_INT(rung_client_get(client, "/.git/")->status, 404);
	ASSERT_INT(rung_client_get(client, "//")->status, 404);
	ASSERT_INT(rung_client_get(client, "/sub//")->status, 404);
	ASSERT_INT(rung_client_get(client, "/%2e%2e/")->status, 404);
	rung_client_destroy(client);
}

Test(files_folders, an_index_that_leads_out_is_none)
{
	struct rung_client *client = test_client(rung_files(.root = tree_at("root"), .index = "index.html"));

	cr_assert(symlink("../../secret", tree_at("root/bare/index.html")) == 0);
	ASSERT_INT(rung_client_get(client, "/bare/")->status, 404);
	rung_client_destroy(client);
}

Test(files_folders, a_folder_without_a_slash_is_sent_to_the_one_with_it)
{
	static const struct {
		const char *target, *location;
	} cases[] = {
		{ "/sub", "./sub/" },
		{ "/bare", "./bare/" },
		{ "/sub?a=1&b", "./sub/?a=1&b" },
		{ "/%73ub", "./%73ub/" },
		{ "/a:b", "./a:b/" },
		/* Bytes that clients send, servers take, and no URI may have. */
		{ "/sub?\xff\xc3\xa9|{^\"<>", "./sub/?%FF%C3%A9%7C%7B%5E%22%3C%3E" },
		{ "/sub?100%&%zz&%4", "./sub/?100%25&%25zz&%254" },
		{ "/sub?a[]=1", "./sub/?a%5B%5D=1" },
		{ "/s\xc3\xa9", "./s%C3%A9/" },
	};
	struct rung_client *client = test_client(rung_files(.root = tree_at("root"), .index = "index.html"));

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct rung_reply *reply = rung_client_get(client, cases[i].target);

		ASSERT_INT(reply->status, 301);
		ASSERT_STR(rung_reply_header(reply, "Location"), cases[i].location);
	}
	rung_client_destroy(client);
	client = test_client(rung_routes(
		rung_mount("/static", rung_files(.root = tree_at("root"), .index = "index.html"))));
	ASSERT_STR(rung_reply_header(rung_client_get(client, "/static"), "Location"), "./static/");
	ASSERT_STR(rung_client_get(client, "/static/")->body, "<h1>top");
	ASSERT_STR(rung_reply_header(rung_client_get(client, "/static/sub"), "Location"), "./sub/");
	/* No path makes another host of it. */
	ASSERT_INT(rung_client_get(client, "/static//example.com/..")->status, 404);
	rung_client_destroy(client);
}

Test(files_folders, an_index_or_fallback_that_can_be_no_file_is_refused)
{
	static const char *const bad[] = { "", "/", "/index.html", "a/", "../x", ".hidden", "a\\b", "a/../b",
		"a//b" };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		cr_expect_null(rung_files(.root = "root", .index = bad[i]), "%s", bad[i]);
		ASSERT_HAS(rung_error(), "files: .index \"");
		cr_expect_null(rung_files(.root = "root", .fallback = bad[i]), "%s", bad[i]);
		ASSERT_HAS(rung_error(), "files: .fallback \"");
	}
	cr_assert_null(rung_files(.root = "root", .index = "a/b"));
	struct rung_app *app = rung_files(.root = "root", .fallback = "a/b.html");
	cr_assert_not_null(app);
	rung_app_destroy(app);
}

/* -- the fallback ------------------------------------------------------------------------------------------------- */

static const struct rung_reply *ask(struct rung_client *client, const char *target, const char *accept)
{
	const struct rung_field fields[] = { { .name = "Accept", .value = accept }, { 0 } };

	return rung_client_send(client, "GET", target, .headers = accept ? fields : NULL);
}

Test(files_folders, a_person_who_goes_where_no_file_is_gets_the_fallback)
{
	static const char browser[] = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
	static const struct {
		const char *target, *accept;
		int status;
	} cases[] = {
		{ "/users/42", browser, 200 },
		{ "/users/42/", browser, 200 },
		{ "/users/a.b", browser, 200 },
		{ "/users/42", "text/html", 200 },
		{ "/bare/", browser, 200 },
		{ "/users/../42", browser, 200 },
		{ "/users/42", "*/*", 404 },
		{ "/users/42", NULL, 404 },
		{ "/gone.png", "image/avif,image/webp,*/*;q=0.8", 404 },
		{ "/api/users", "application/json", 404 },
		{ "/users/42", "text/html;q=0", 404 },
		{ "/users/%", browser, 400 },
	};
	struct rung_client *client = test_client(
		rung_files(.root = tree_at("root"), .index = "index.html", .fallback = "index.html"));

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct rung_reply *reply = ask(client, cases[i].target, cases[i].accept);

		cr_expect(reply->status == cases[i].status, "%s %s: %d", cases[i].target, cases[i].accept,
			reply->status);
		if (cases[i].status == 200)
			ASSERT_STR(reply->body, "<h1>top");
		if (cases[i].status != 400)
			ASSERT_STR(rung_reply_header(reply, "Vary"), "Accept");
	}
	static const struct rung_field lines[] = { { .name = "Accept", .value = "text/plain" },
		{ .name = "accept", .value = "text/html" }, { 0 } };
	ASSERT_INT(rung_client_send(client, "GET", "/users/42", .headers = lines)->status, 200);
	/* What is there is sent, whatever is asked for. */
	ASSERT_STR(ask(client, "/a.txt", browser)->body, "hello\n");
	ASSERT_INT(rung_client_send(client, "POST", "/users/42")->status, 405);
	rung_client_destroy(client);
}

Test(files_folders, a_fallback_that_is_gone_is_404)
{
	struct rung_client *client =
		test_client(rung_files(.root = tree_at("root"), .fallback = "gone.html"));

	ASSERT_INT(ask(client, "/users/42", "text/html")->status, 404);
	rung_client_destroy(client);
}

/* -- the listing -------------------------------------------------------------------------------------------------- */

static struct rung_client *lister(void)
{
	return test_client(rung_files(.root = tree_at("root"), .listing = true));
}

Test(files_folders, a_listing_shows_what_could_be_sent_and_nothing_else)
{
	struct rung_client *client = lister();

	cr_assert(symlink("../secret", tree_at("root/out")) == 0 &&
		  symlink("a.txt", tree_at("root/in")) == 0 &&
		  symlink("gone", tree_at("root/dangling")) == 0 && mkfifo(tree_at("root/fifo"), 0644) == 0);
	const struct rung_reply *reply = rung_client_get(client, "/");
	ASSERT_INT(reply->status, 200);
	ASSERT_STR(rung_reply_header(reply, "Content-Type"), "text/html; charset=utf-8");
	ASSERT_HAS(rung_reply_header(reply, "Content-Security-Policy"), "default-src 'none'");
	ASSERT_HAS(reply->body, "<a href=\"a.txt\">a.txt</a></td><td class=\"size\">6 B</td>");
	ASSERT_HAS(reply->body, "<a href=\"in\">in</a></td><td class=\"size\">6 B</td>");
	ASSERT_HAS(reply->body, "<tr class=\"folder\"><td class=\"name\"><a href=\"sub/\">sub/</a>");
	ASSERT_HAS(reply->body, "<time datetime=\"20");
	static const char *const hidden[] = { ".hidden", ".git", "back", "secret", "out", "dangling", "fifo",
		".." };
	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
		char link[64];

		snprintf(link, sizeof link, ">%s", hidden[i]);
		cr_expect_null(strstr(reply->body, link), "%s", hidden[i]);
	}
	rung_client_destroy(client);
}

Test(files_folders, names_in_a_listing_are_escaped_and_lead_to_their_files)
{
	static const char *const names[] = { "<script>alert(1)</script>", "a&b", "quote\"'", "per%cent",
		"100%25", "que?ry", "ha#sh", "a b", "\xc3\xa9", "\xff\xfe", "javascript:alert(1)",
		"new\nline" };
	struct rung_client *client = lister();
	char name[128], page[65536];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		/* A name cannot hold the slash of an end tag. */
		snprintf(name, sizeof name, "root/bare/%s", names[i]);
		for (char *slash = name + 10; (slash = strchr(slash, '/'));)
			*slash = '|';
		tree_put(name, names[i]);
	}
	snprintf(page, sizeof page, "%s", rung_client_get(client, "/bare/")->body);
	cr_assert_null(strstr(page, "<script"));
	size_t links = 0;
	for (const char *at = page; (at = strstr(at, "<td class=\"name\"><a href=\""));) {
		at += 26;
		size_t size = strcspn(at, "\"");
		snprintf(name, sizeof name, "/bare/%.*s", (int)size, at);
		cr_assert(strspn(name,
				  "/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%") ==
				  strlen(name),
			"%s", name);
		ASSERT_INT(rung_client_get(client, name)->status, 200);
		links++;
	}
	ASSERT_INT(links, sizeof names / sizeof *names + 1);
	rung_client_destroy(client);
}

/* Where each of the names stands in the page, in order. */
static void check_order(const char *page, const char *const *names)
{
	const char *last = page;

	for (; *names; names++) {
		char link[64];

		snprintf(link, sizeof link, "\">%s</a>", *names);
		const char *at = strstr(page, link);
		cr_assert(at && at > last, "%s", *names);
		last = at;
	}
}

Test(files_folders, a_listing_is_sorted)
{
	struct rung_client *client = lister();
	struct timespec old[2] = { { 1000000000, 0 }, { 1000000000, 0 } };

	cr_assert(mkdir(tree_at("root/bare/zoo"), 0755) == 0);
	tree_put("root/bare/page10", "1");
	tree_put("root/bare/page9", "22");
	tree_put("root/bare/big", "4444");
	cr_assert(utimensat(AT_FDCWD, tree_at("root/bare/page10"), old, 0) == 0);
	old[1].tv_sec++;
	cr_assert(utimensat(AT_FDCWD, tree_at("root/bare/big"), old, 0) == 0);
	check_order(rung_client_get(client, "/bare/")->body,
		(const char *const[]){ "zoo/", "big", "file", "page9", "page10", NULL });
	check_order(rung_client_get(client, "/bare/?by=size")->body,
		(const char *const[]){ "zoo/", "big", "page9", "page10", NULL });
	check_order(rung_client_get(client, "/bare/?by=date")->body,
		(const char *const[]){ "page9", "big", "page10", NULL });
	check_order(rung_client_get(client, "/bare/?by=nothing")->body,
		(const char *const[]){ "zoo/", "big", "file", "page9", "page10", NULL });
	rung_client_destroy(client);
}

Test(files_folders, sizes_are_for_people)
{
	static const struct {
		off_t size;
		const char *text;
	} cases[] = { { 0, ">0 B<" }, { 1023, ">1023 B<" }, { 1024, ">1.0 KiB<" }, { 1536, ">1.5 KiB<" },
		{ 1048575, ">1.0 MiB<" }, { 1048576, ">1.0 MiB<" }, { 5368709120, ">5.0 GiB<" } };
	struct rung_client *client = lister();

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tree_put("root/bare/file", "");
		cr_assert(truncate(tree_at("root/bare/file"), cases[i].size) == 0);
		ASSERT_HAS(rung_client_get(client, "/bare/")->body, cases[i].text);
	}
	rung_client_destroy(client);
}

/* Every link of the trail is followed as a browser would: as many "../" as it has, from where it stands. */
Test(files_folders, the_trail_leads_to_each_folder_on_the_way)
{
	struct rung_client *client = test_client(
		rung_routes(rung_mount("/m", rung_files(.root = tree_at("root"), .listing = true))));

	cr_assert(mkdir(tree_at("root/bare/x&y"), 0755) == 0 && mkdir(tree_at("root/bare/x&y/z"), 0755) == 0);
	const struct rung_reply *reply = rung_client_get(client, "/m/bare/x%26y/z/");
	ASSERT_HAS(reply->body, "<h1><a href=\"../../../\">top</a> / <a href=\"../../\">bare</a> / "
				"<a href=\"../\">x&amp;y</a> / <a href=\"./\">z</a> /</h1>");
	ASSERT_HAS(reply->body, "<title>bare/x&amp;y/z/</title>");
	ASSERT_HAS(reply->body, "There is nothing in this folder.");
	ASSERT_HAS(rung_client_get(client, "/m/")->body, "<h1><a href=\"./\">top</a> /</h1>");
	ASSERT_STR(rung_reply_header(rung_client_get(client, "/m/bare"), "Location"), "./bare/");
	rung_client_destroy(client);
}

Test(files_folders, an_index_comes_before_a_listing)
{
	struct rung_client *client =
		test_client(rung_files(.root = tree_at("root"), .listing = true, .index = "index.html"));

	ASSERT_STR(rung_client_get(client, "/sub/")->body, "<h1>sub");
	ASSERT_HAS(rung_client_get(client, "/bare/")->body, ">file</a>");
	ASSERT_INT(rung_client_get(client, "/gone/")->status, 404);
	ASSERT_INT(rung_client_get(client, "/a.txt/")->status, 404);
	const struct rung_reply *reply = rung_client_send(client, "HEAD", "/bare/");
	ASSERT_INT(reply->status, 200);
	ASSERT_INT(reply->size, 0);
	rung_client_destroy(client);
}

Test(files_folders, a_large_folder_is_listed_in_part_and_says_so)
{
	struct rung_client *client = lister();
	char name[64];

	for (int i = 0; i < 5001; i++) {
		snprintf(name, sizeof name, "root/bare/%d", i);
		tree_put(name, "");
	}
	ASSERT_HAS(rung_client_get(client, "/bare/")->body,
		"There is more: of this folder 5000 names are looked at.");
	rung_client_destroy(client);
}

Test(files_folders, names_that_are_not_shown_are_counted_too)
{
	struct rung_client *client = lister();
	char name[64];

	cr_assert(mkdir(tree_at("root/dots"), 0755) == 0);
	for (int i = 0; i < 5001; i++) {
		snprintf(name, sizeof name, "root/dots/.%d", i);
		tree_put(name, "");
	}
	const char *page = rung_client_get(client, "/dots/")->body;
	ASSERT_HAS(page, "There is more: of this folder 5000 names are looked at.");
	cr_assert_null(strstr(page, "There is nothing in this folder."));
	rung_client_destroy(client);
}

Test(files_folders, listings_lose_no_descriptor)
{
	struct rung_client *client = lister();
	size_t before = tree_descriptors();

	for (int i = 0; i < 50; i++) {
		rung_client_get(client, "/");
		rung_client_get(client, "/sub");
		rung_client_get(client, "/gone/");
	}
	ASSERT_INT(tree_descriptors(), before);
	rung_client_destroy(client);
}

/* -- through reproxy ----------------------------------------------------------------------------------------------- */

static int elsewhere(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const char *rest = rung_param(env, "rest");

	(void)self;
	return rung_reply_uri_raw(res, 200, rung_printf(env, "http://files.internal/%s", rest));
}

/* A browser resolves what it gets against the address it asked for. */
Test(files_folders, links_and_redirects_are_right_behind_a_reproxy)
{
	struct rung_client *client = test_client(
		rung_stack(rung_reproxy(.names = rung_names({ "files.internal",
						rung_files(.root = tree_at("root"), .listing = true) })),
			rung_routes(rung_get("/pub/*rest", elsewhere))));

	ASSERT_STR(rung_reply_header(rung_client_get(client, "/pub/bare"), "Location"), "./bare/");
	ASSERT_HAS(rung_client_get(client, "/pub/bare/")->body, "<a href=\"../\">top</a>");
	ASSERT_HAS(rung_client_get(client, "/pub/bare/")->body, "<a href=\"file\">file</a>");
	rung_client_destroy(client);
}
