/* test_files_ranges.c: parts of files: one as it is, several as multipart/byteranges, each to the byte. */
#include "tree.h"

#include <rung/files.h>

#include <ctype.h>

TestSuite(files_ranges, .init = tree_make, .fini = tree_remove);

static struct rung_client *client_of_root(void)
{
	return test_client(rung_files(.root = tree_at("root")));
}

/* -- one --------------------------------------------------------------------------------------------------------- */

Test(files_ranges, a_part_is_sent_when_it_is_asked_for)
{
	static const struct {
		const char *range;
		int status;
		const char *body, *content_range;
	} cases[] = {
		{ "bytes=0-0", 206, "h", "bytes 0-0/6" },
		{ "bytes=1-3", 206, "ell", "bytes 1-3/6" },
		{ "bytes=3-", 206, "lo\n", "bytes 3-5/6" },
		{ "bytes=-2", 206, "o\n", "bytes 4-5/6" },
		{ "bytes=2-99", 206, "llo\n", "bytes 2-5/6" },
		{ "bytes=-99", 206, "hello\n", "bytes 0-5/6" },
		{ "bytes=6-", 416, "", "bytes */6" },
		{ "bytes=-0", 416, "", "bytes */6" },
		{ "lines=0-1", 200, "hello\n", NULL },
		{ "bytes=3-2", 200, "hello\n", NULL },
	};
	struct rung_client *client = client_of_root();

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct rung_field range[] = { { .name = "Range", .value = cases[i].range }, { 0 } };
		const struct rung_reply *reply = rung_client_send(client, "GET", "/a.txt", .headers = range);
		const char *content_range = rung_reply_header(reply, "Content-Range");

		cr_expect(reply->status == cases[i].status, "%s: %d", cases[i].range, reply->status);
		cr_expect_str_eq(reply->body, cases[i].body, "%s: <%s>", cases[i].range, reply->body);
		cr_expect((content_range == NULL) == (cases[i].content_range == NULL) &&
				  (!content_range || strcmp(content_range, cases[i].content_range) == 0),
			"%s: %s", cases[i].range, content_range ? content_range : "(none)");
		ASSERT_STR(rung_reply_header(reply, "Accept-Ranges"), "bytes");
		reply = rung_client_send(client, "HEAD", "/a.txt", .headers = range);
		ASSERT_INT(reply->status, 200);
		ASSERT_STR(rung_reply_header(reply, "Content-Length"), "6");
	}
	rung_client_destroy(client);
}

Test(files_ranges, a_download_is_resumed_where_it_ended_unless_the_file_is_another)
{
	struct rung_client *client = client_of_root();
	char etag[128];

	snprintf(etag, sizeof etag, "%s", rung_reply_header(rung_client_get(client, "/a.txt"), "ETag"));
	const struct rung_field rest[] = { { .name = "Range", .value = "bytes=2-" },
		{ .name = "If-Range", .value = etag }, { 0 } };
	ASSERT_STR(rung_client_send(client, "GET", "/a.txt", .headers = rest)->body, "llo\n");
	tree_put("root/a.txt", "another");
	const struct rung_reply *reply = rung_client_send(client, "GET", "/a.txt", .headers = rest);
	ASSERT_INT(reply->status, 200);
	ASSERT_STR(reply->body, "another");
	rung_client_destroy(client);
}

Test(files_ranges, a_part_of_a_large_file_goes_by_a_socket_too)
{
	static const char request[] =
		"GET /large HTTP/1.1\r\nHost: h\r\nRange: bytes=100-199999\r\nConnection: close\r\n\r\n";
	struct rung_server *server =
		test_server(rung_files(.root = tree_at("root")), (struct rung_server_options){ 0 });
	char *bytes = malloc(300000);
	size_t size;

	for (size_t i = 0; i < 300000; i++)
		bytes[i] = (char)(i * 7919 >> 3);
	tree_write("root/large", bytes, 300000);
	char *answer = test_exchange(server, request, sizeof request - 1, &size);
	ASSERT_HAS(answer, "HTTP/1.1 206 ");
	ASSERT_HAS(answer, "Content-Range: bytes 100-199999/300000\r\n");
	ASSERT_HAS(answer, "Content-Length: 199900\r\n");
	cr_assert(size > 199900 && memcmp(answer + size - 199900, bytes + 100, 199900) == 0);
	free(answer);
	free(bytes);
	rung_server_destroy(server);
}

/* -- several ------------------------------------------------------------------------------------------------------ */

/* Reads a multipart/byteranges body as a client must: by its boundary alone. Each part's bytes are compared with the file of
 * tree_pattern(). Returns the ranges as "first-last/size|...". */
static const char *read_parts(const struct rung_reply *reply)
{
	static char seen[1024];
	const char *type = rung_reply_header(reply, "Content-Type");
	const char *at = reply->body;
	char line[128];

	*seen = '\0';
	cr_assert(type && strncmp(type, "multipart/byteranges; boundary=", 31) == 0, "%s", type);
	size_t size = (size_t)snprintf(line, sizeof line, "--%s\r\n", type + 31);
	cr_assert(strncmp(at, line, size) == 0, "the body begins with %s: %.80s", line, at);
	for (at += size;; at += size) {
		long long first, last, whole;
		const char *head_end = strstr(at, "\r\n\r\n");

		cr_assert_not_null(head_end);
		cr_assert(strncmp(at, "Content-Type: application/octet-stream\r\n", 40) == 0, "%.80s", at);
		cr_assert(sscanf(at + 40, "Content-Range: bytes %lld-%lld/%lld\r\n", &first, &last, &whole) ==
			  3);
		at = head_end + 4;
		for (long long i = first; i <= last; i++)
			cr_assert(*at++ == tree_pattern_byte((size_t)i), "byte %lld", i);
		snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%lld-%lld/%lld|", first, last,
			whole);
		size = (size_t)snprintf(line, sizeof line, "\r\n--%s\r\n", type + 31);
		if (strncmp(at, line, size) != 0)
			break;
	}
	size = (size_t)snprintf(line, sizeof line, "\r\n--%s--\r\n", type + 31);
	cr_assert(strncmp(at, line, size) == 0, "the body ends with %s: %.80s", line, at);
	cr_assert(at + size == reply->body + reply->size, "nothing follows");
	return seen;
}

Test(files_ranges, several_parts_are_a_multipart_body_of_exact_length)
{
	static const struct {
		const char *range, *parts;
	} cases[] = {
		{ "bytes=0-0,2-2", "0-0/1000|2-2/1000|" },
		{ "bytes=900-,0-99,-50,200-299", "900-999/1000|0-99/1000|200-299/1000|" },
		{ "bytes=1-1,5-6,2000-,9-9", "1-1/1000|5-6/1000|9-9/1000|" },
		{ "bytes=0-4,3-7,100-100", "0-7/1000|100-100/1000|" },
	};
	struct rung_client *client = client_of_root();
	char length[32];

	tree_pattern("root/data", 1000);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct rung_field range[] = { { .name = "Range", .value = cases[i].range }, { 0 } };
		const struct rung_reply *reply = rung_client_send(client, "GET", "/data", .headers = range);

		ASSERT_INT(reply->status, 206);
		ASSERT_STR(read_parts(reply), cases[i].parts);
		cr_assert_null(rung_reply_header(reply, "Content-Range"));
		snprintf(length, sizeof length, "%zu", reply->size);
		ASSERT_STR(rung_reply_header(reply, "Content-Length"), length);
		cr_assert_not_null(rung_reply_header(reply, "ETag"));
	}
	rung_client_destroy(client);
}

Test(files_ranges, parts_that_come_to_one_are_no_multipart)
{
	static const char *const ranges[] = { "bytes=0-4,5-9", "bytes=0-9,2000-", "bytes=,0-9,",
		"bytes=0-9,0-9,3-4" };
	struct rung_client *client = client_of_root();

	tree_pattern("root/data", 1000);
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
		const struct rung_field range[] = { { .name = "Range", .value = ranges[i] }, { 0 } };
		const struct rung_reply *reply = rung_client_send(client, "GET", "/data", .headers = range);

		ASSERT_INT(reply->status, 206);
		ASSERT_INT(reply->size, 10);
		ASSERT_STR(rung_reply_header(reply, "Content-Range"), "bytes 0-9/1000");
		ASSERT_STR(rung_reply_header(reply, "Content-Type"), "application/octet-stream");
	}
	rung_client_destroy(client);
}

/* The attack is a small request for the same large bytes, many times over. */
Test(files_ranges, nobody_gets_more_than_the_file)
{
	struct rung_client *client = client_of_root();
	char many[2048] = "bytes=0-";

	tree_pattern("root/data", 100000);
	for (int i = 1; i < 30; i++)
		snprintf(many + strlen(many), sizeof many - strlen(many), ",%d-", i);
	const struct rung_field overlap[] = { { .name = "Range", .value = many }, { 0 } };
	const struct rung_reply *reply = rung_client_send(client, "GET", "/data", .headers = overlap);
	ASSERT_INT(reply->status, 206);
	ASSERT_INT(reply->size, 100000);
	for (int i = 0; i < 100; i++)
		snprintf(many + strlen(many), sizeof many - strlen(many), ",%d-%d", 1000 + 2 * i,
			1000 + 2 * i);
	reply = rung_client_send(client, "GET", "/data", .headers = overlap);
	ASSERT_INT(reply->status, 200);
	ASSERT_INT(reply->size, 100000);
	rung_client_destroy(client);
}

Test(files_ranges, boundaries_are_never_the_same)
{
	static const struct rung_field range[] = { { .name = "Range", .value = "bytes=0-0,2-2" }, { 0 } };
	struct rung_client *client = client_of_root();
	char first[128];

	snprintf(first, sizeof first, "%s",
		rung_reply_header(
			rung_client_send(client, "GET", "/a.txt", .headers = range), "Content-Type"));
	cr_assert_str_neq(rung_reply_header(rung_client_send(client, "GET", "/a.txt", .headers = range),
				  "Content-Type"),
		first);
	rung_client_destroy(client);
}

Test(files_ranges, parts_of_a_large_file_go_by_a_socket_and_the_connection_stays)
{
	static const char requests[] =
		"GET /large HTTP/1.1\r\nHost: h\r\nRange: bytes=5-300004,400000-499999\r\n\r\n"
		"GET /a.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
	struct rung_server *server =
		test_server(rung_files(.root = tree_at("root")), (struct rung_server_options){ 0 });
	size_t size, length = 0;

	tree_pattern("root/large", 500000);
	char *answer = test_exchange(server, requests, sizeof requests - 1, &size);
	const char *field = strstr(answer, "Content-Length: ");
	cr_assert(field && sscanf(field, "Content-Length: %zu", &length) == 1);
	const char *body = strstr(answer, "\r\n\r\n") + 4;
	cr_assert(length > 400000 && length < 400400, "%zu", length);
	const char *data = strstr(body, "\r\n\r\n") + 4;
	for (size_t i = 0; i < 300000; i++)
		cr_assert(data[i] == tree_pattern_byte(5 + i), "byte %zu", i);
	ASSERT_HAS(body + length, "HTTP/1.1 200 OK\r\n");
	ASSERT_STR(answer + size - 6, "hello\n");
	free(answer);
	rung_server_destroy(server);
}

Test(files_ranges, a_client_that_leaves_loses_no_descriptor)
{
	static const struct rung_field range[] = { { .name = "Range", .value = "bytes=0-0,2-2" }, { 0 } };
	struct rung_client *client = client_of_root();
	size_t before = tree_descriptors();
	const struct rung_client_request request = {
		.size = sizeof request, .method = "GET", .target = "/a.txt", .headers = range
	};

	rung_client_start(client, &request);
	ASSERT_INT(tree_descriptors(), before + 1);
	rung_client_abort(client);
	ASSERT_INT(tree_descriptors(), before);
	rung_client_destroy(client);
}
