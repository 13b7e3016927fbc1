/* test_files_variants.c: precompressed siblings by Accept-Encoding, and how long caches may keep what. */
#include "tree.h"

#include <rung/files.h>

#include <sys/stat.h>
#include <unistd.h>

static void make(void)
{
	tree_make();
	tree_put("root/app.js", "plain");
	tree_put("root/app.js.br", "BR");
	tree_put("root/app.js.gz", "GZIP");
	tree_put("root/app.js.zst", "ZSTD.");
	tree_put("root/only.css", "plain");
	tree_put("root/only.css.gz", "GZIP");
	tree_put("root/orphan.js.gz", "GZIP");
}

TestSuite(files_variants, .init = make, .fini = tree_remove);

static const struct rung_reply *ask(struct rung_client *client, const char *target, const char *accept)
{
	const struct rung_field fields[] = { { .name = "Accept-Encoding", .value = accept }, { 0 } };

	return rung_client_send(client, "GET", target, .headers = accept ? fields : NULL);
}

Test(files_variants, the_best_that_the_client_takes_is_sent)
{
	static const struct {
		const char *accept, *body;
	} cases[] = {
		{ NULL, "plain" },
		{ "", "plain" },
		{ "identity", "plain" },
		{ "deflate", "plain" },
		{ "gzip", "GZIP" },
		{ "x-gzip", "GZIP" },
		{ "GZIP", "GZIP" },
		{ "br", "BR" },
		{ "zstd", "ZSTD." },
		{ "gzip, deflate, br, zstd", "BR" },
		{ "gzip, zstd", "ZSTD." },
		{ "*", "BR" },
		{ "gzip;q=1.0, br;q=0.5", "GZIP" },
		{ "br;q=0, gzip", "GZIP" },
		{ "br;q=0, *;q=0.1", "ZSTD." },
		{ "gzip;q=0", "plain" },
		{ "gzip;q=0.5", "GZIP" },
		{ "identity, gzip;q=0.5", "plain" },
		{ "identity;q=0.5, gzip;q=0.5", "GZIP" },
		{ "identity;q=0, gzip;q=0.1", "GZIP" },
		{ "identity;q=0", "plain" },
		{ "br;q=2, gzip;q=x, zstd", "ZSTD." },
	};
	struct rung_client *client = test_client(rung_files(.root = tree_at("root"), .precompressed = true));

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct rung_reply *reply = ask(client, "/app.js", cases[i].accept);

		cr_expect_str_eq(reply->body, cases[i].body, "<%s>: %s", cases[i].accept, reply->body);
		ASSERT_STR(rung_reply_header(reply, "Vary"), "Accept-Encoding");
		ASSERT_HAS(rung_reply_header(reply, "Content-Type"), "javascript");
	}
	ASSERT_STR(rung_reply_header(ask(client, "/app.js", "br"), "Content-Encoding"), "br");
	ASSERT_STR(rung_reply_header(ask(client, "/app.js", "zstd"), "Content-Encoding"), "zstd");
	ASSERT_STR(rung_reply_header(ask(client, "/app.js", "x-gzip"), "Content-Encoding"), "gzip");
	cr_assert_null(rung_reply_header(ask(client, "/app.js", NULL), "Content-Encoding"));
	rung_client_destroy(client);
}

/* A list may come in several lines (RFC 9110 section 5.3). */
Test(files_variants, all_lines_of_accept_encoding_count)
{
	static const struct rung_field lines[] = { { .name = "Accept-Encoding", .value = "deflate" },
		{ .name = "X-Other", .value = "br" }, { .name = "accept-encoding", .value = "zstd;q=0.5" },
		{ .name = "Accept-Encoding", .value = "gzip" }, { 0 } };
	static const struct rung_field refused[] = { { .name = "Accept-Encoding", .value = "gzip;q=0.5" },
		{ .name = "Accept-Encoding", .value = "identity" }, { 0 } };
	struct rung_client *client = test_client(rung_files(.root = tree_at("root"), .precompressed = true));

	ASSERT_STR(rung_client_send(client, "GET", "/app.js", .headers = lines)->body, "GZIP");
	ASSERT_STR(rung_client_send(client, "GET", "/app.js", .headers = lines + 1)->body, "GZIP");
	ASSERT_STR(rung_client_send(client, "GET", "/app.js", .headers = refused)->body, "plain");
	rung_client_destroy(client);
}

Test(files_variants, what_has_no_such_sibling_is_sent_as_the_next_best)
{
	struct rung_client *client = test_client(rung_files(.root = tree_at("root"), .precompressed = true));

	ASSERT_STR(ask(client, "/only.css", "br, zstd, gzip;q=0.1")->body, "GZIP");
	ASSERT_STR(ask(client, "/only.css", "br, zstd")->body, "plain");
	ASSERT_STR(ask(client, "/a.txt", "br, gzip")->body, "hello\n");
	/* Only for the file that it is a form of. */
	ASSERT_INT(ask(client, "/orphan.js", "gzip")->status, 404);
	/* Asked for by its own name it is a file as any other. */
	const struct rung_reply *reply = ask(client, "/app.js.gz", "gzip");
	ASSERT_STR(reply->body, "GZIP");
	ASSERT_STR(rung_reply_header(reply, "Content-Type"), "application/gzip");
	cr_assert_null(rung_reply_header(reply, "Content-Encoding"));
	rung_client_destroy(client);
}

Test(files_variants, a_sibling_that_is_no_file_of_ours_is_none)
{
	struct rung_client *client = test_client(rung_files(.root = tree_at("root"), .precompressed = true));

	cr_assert(symlink("../secret", tree_at("root/a.txt.br")) == 0 &&
		  mkdir(tree_at("root/a.txt.gz"), 0755) == 0);
	ASSERT_STR(ask(client, "/a.txt", "br, gzip")->body, "hello\n");
	rung_client_destroy(client);
}

Test(files_variants, without_the_option_siblings_are_files_as_any_other)
{
	struct rung_client *client = test_client(rung_files(.root = tree_at("root")));
	const struct rung_reply *reply = ask(client, "/app.js", "br, gzip");

	ASSERT_STR(reply->body, "plain");
	cr_assert_null(rung_reply_header(reply, "Vary"));
	cr_assert_null(rung_reply_header(reply, "Content-Encoding"));
	rung_client_destroy(client);
}

/* Each form has a tag of its own: a cache that mixed them up would append one to the other (RFC 9110 section 8.8.3.3). */
Test(files_variants, each_form_has_its_own_tag_ranges_and_304)
{
	struct rung_client *client = test_client(rung_files(.root = tree_at("root"), .precompressed = true));
	char plain[128], gzip[128];

	snprintf(plain, sizeof plain, "%s", rung_reply_header(ask(client, "/app.js", NULL), "ETag"));
	snprintf(gzip, sizeof gzip, "%s", rung_reply_header(ask(client, "/app.js", "gzip"), "ETag"));
	cr_assert_str_neq(plain, gzip);
	const struct rung_field mine[] = { { .name = "Accept-Encoding", .value = "gzip" },
		{ .name = "If-None-Match", .value = gzip }, { 0 } };
	const struct rung_reply *reply = rung_client_send(client, "GET", "/app.js", .headers = mine);
	ASSERT_INT(reply->status, 304);
	ASSERT_STR(rung_reply_header(reply, "Vary"), "Accept-Encoding");
	ASSERT_INT(rung_client_send(client, "GET", "/app.js", .headers = mine + 1)->status, 200);
	const struct rung_field rest[] = { { .name = "Accept-Encoding", .value = "gzip" },
		{ .name = "Range", .value = "bytes=1-2" }, { .name = "If-Range", .value = gzip }, { 0 } };
	reply = rung_client_send(client, "GET", "/app.js", .headers = rest);
	ASSERT_INT(reply->status, 206);
	ASSERT_STR(reply->body, "ZI");
	ASSERT_STR(rung_reply_header(reply, "Content-Range"), "bytes 1-2/4");
	ASSERT_STR(rung_reply_header(reply, "Content-Encoding"), "gzip");
	reply = rung_client_send(client, "HEAD", "/app.js", .headers = mine);
	ASSERT_INT(reply->status, 304);
	rung_client_destroy(client);
}

/* What is coded is the file, not the parts with their heads: a client would decode all of it, and fail. */
Test(files_variants, several_parts_of_a_coded_form_are_the_whole)
{
	static const struct rung_field parts[] = { { .name = "Accept-Encoding", .value = "gzip" },
		{ .name = "Range", .value = "bytes=0-0,2-2" }, { 0 } };
	struct rung_client *client = test_client(rung_files(.root = tree_at("root"), .precompressed = true));
	const struct rung_reply *reply = rung_client_send(client, "GET", "/app.js", .headers = parts);

	ASSERT_INT(reply->status, 200);
	ASSERT_STR(reply->body, "GZIP");
	ASSERT_STR(rung_reply_header(reply, "Content-Encoding"), "gzip");
	cr_assert_null(rung_reply_header(reply, "Content-Range"));
	reply = rung_client_send(client, "GET", "/app.js", .headers = parts + 1);
	ASSERT_INT(reply->status, 206);
	ASSERT_HAS(rung_reply_header(reply, "Content-Type"), "multipart/byteranges");
	rung_client_destroy(client);
}

/* -- caching ----------------------------------------------------------------------------------------------------- */

#define FOREVER "public, max-age=31536000, immutable"

Test(files_variants, names_with_a_fingerprint_may_be_kept_for_good)
{
	static const struct {
		const char *name;
		bool is_immutable;
	} cases[] = {
		{ "app.3f9a1c02.js", true },
		{ "app-3f9a1c02.js", true },
		{ "app_3F9A1C02.js", true },
		{ "main.3f9a1c02.chunk.js", true },
		{ "index-Bx2c4d5E.css", true },
		{ "font.0123456789abcdef0123456789abcdef.woff2", true },
		{ "app.3f9a1c02.js.map", true },
		{ "app.js", false },
		{ "app.3f9a1c0.js", false },      /* too short */
		{ "report-20261123.pdf", false }, /* a date */
		{ "photo-deadbeef.jpg", false },  /* a word */
		{ "3f9a1c02.js", false },         /* the name itself */
		{ "app.3f9a1c02", false },        /* its extension */
		{ "app-3f9a1z02.js", false },     /* one case, and no hexadecimal */
		{ "jquery-3.7.1.min.js", false },
		{ "IMG_20261123_101530.jpg", false },
	};
	struct rung_client *client = test_client(
		rung_files(.root = tree_at("root"), .immutable = true, .cache_control = "no-cache"));

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char name[128];

		snprintf(name, sizeof name, "root/%s", cases[i].name);
		tree_put(name, "text");
		const struct rung_reply *reply = rung_client_get(client, name + 4);
		ASSERT_INT(reply->status, 200);
		cr_expect_str_eq(rung_reply_header(reply, "Cache-Control"),
			cases[i].is_immutable ? FOREVER : "no-cache", "%s", cases[i].name);
	}
	/* What has the fingerprint in its folder's name is not fingerprinted. */
	cr_assert(mkdir(tree_at("root/a.3f9a1c02.d"), 0755) == 0);
	tree_put("root/a.3f9a1c02.d/app.js", "text");
	ASSERT_STR(rung_reply_header(rung_client_get(client, "/a.3f9a1c02.d/app.js"), "Cache-Control"),
		"no-cache");
	cr_assert_null(rung_reply_header(rung_client_get(client, "/gone.3f9a1c02.js"), "Cache-Control"));
	rung_client_destroy(client);
}

Test(files_variants, what_a_304_says_of_caching_is_what_a_200_says)
{
	struct rung_client *client = test_client(rung_files(.root = tree_at("root"), .immutable = true));
	static const struct rung_field any[] = { { .name = "If-None-Match", .value = "*" }, { 0 } };

	tree_put("root/app.3f9a1c02.js", "text");
	const struct rung_reply *reply = rung_client_send(client, "GET", "/app.3f9a1c02.js", .headers = any);
	ASSERT_INT(reply->status, 304);
	ASSERT_STR(rung_reply_header(reply, "Cache-Control"), FOREVER);
	cr_assert_null(rung_reply_header(rung_client_get(client, "/a.txt"), "Cache-Control"));
	rung_client_destroy(client);
	client = test_client(rung_files(.root = tree_at("root")));
	cr_assert_null(rung_reply_header(rung_client_get(client, "/app.3f9a1c02.js"), "Cache-Control"));
	rung_client_destroy(client);
}

/* A cache may keep what says how long, whatever its status; and would go on to say no for a year. */
Test(files_variants, a_refusal_may_not_be_kept)
{
	static const struct rung_field other[] = { { .name = "If-Match", .value = "\"other\"" }, { 0 } };
	static const struct rung_field behind[] = { { .name = "Range", .value = "bytes=99-" }, { 0 } };
	static const struct rung_field part[] = { { .name = "Range", .value = "bytes=1-" }, { 0 } };
	struct rung_client *client = test_client(
		rung_files(.root = tree_at("root"), .immutable = true, .cache_control = "max-age=60"));

	tree_put("root/app.3f9a1c02.js", "text");
	for (int i = 0; i < 2; i++) {
		const char *target = i ? "/app.3f9a1c02.js" : "/app.js";
		const struct rung_reply *reply = rung_client_send(client, "GET", target, .headers = other);

		ASSERT_INT(reply->status, 412);
		cr_assert_null(rung_reply_header(reply, "Cache-Control"));
		reply = rung_client_send(client, "GET", target, .headers = behind);
		ASSERT_INT(reply->status, 416);
		cr_assert_null(rung_reply_header(reply, "Cache-Control"));
		reply = rung_client_send(client, "GET", target, .headers = part);
		ASSERT_INT(reply->status, 206);
		ASSERT_STR(rung_reply_header(reply, "Cache-Control"), i ? FOREVER : "max-age=60");
	}
	rung_client_destroy(client);
}

Test(files_variants, a_cache_control_that_would_split_a_header_is_refused)
{
	cr_assert_null(rung_files(.root = "root", .cache_control = "a\r\nSet-Cookie: b"));
	ASSERT_HAS(rung_error(), "files: .cache_control has a control byte");
}
