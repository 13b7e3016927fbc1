/*
 * test_download.c: files through reproxy as they are downloaded: all that the files app can do reaches the client, a
 * download goes on where it ended, and memory does not grow with the file.
 */
#include "tree.h"

#include <rung/files.h>
#include <rung/reproxy.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(download, .init = tree_make, .fini = tree_remove, .timeout = 60);

static int elsewhere(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_header(res, "X-Front", "yes");
	return rung_reply_uri(res, 200, "http://files.internal/%s", rung_param(env, "name"));
}

static struct rung_app *stack(void)
{
	return rung_stack(rung_reproxy(.names = rung_names({ "files.internal",
					       rung_files(.root = tree_at("root"), .precompressed = true) })),
		rung_routes(rung_get("/d/:name", elsewhere)));
}

/* -- what reaches the client ----------------------------------------------------------------------------------------- */

static const struct rung_reply *ask(
	struct rung_client *client, const char *method, const char *name, const char *value)
{
	const struct rung_field fields[] = { { .name = name, .value = value }, { 0 } };

	return rung_client_send(client, method, "/d/a.txt", .headers = fields);
}

Test(download, preconditions_ranges_and_head_pass_through)
{
	struct rung_client *client = test_client(stack());
	char etag[128], modified[64];
	const struct rung_reply *reply = ask(client, "GET", "X-None", "");

	ASSERT_STR(reply->body, "hello\n");
	ASSERT_STR(rung_reply_header(reply, "X-Front"), "yes");
	ASSERT_STR(rung_reply_header(reply, "Accept-Ranges"), "bytes");
	snprintf(etag, sizeof etag, "%s", rung_reply_header(reply, "ETag"));
	snprintf(modified, sizeof modified, "%s", rung_reply_header(reply, "Last-Modified"));
	reply = ask(client, "HEAD", "X-None", "");
	ASSERT_INT(reply->status, 200);
	ASSERT_INT(reply->size, 0);
	ASSERT_STR(rung_reply_header(reply, "Content-Length"), "6");
	ASSERT_INT(ask(client, "GET", "If-None-Match", etag)->status, 304);
	ASSERT_INT(ask(client, "HEAD", "If-None-Match", etag)->status, 304);
	ASSERT_INT(ask(client, "GET", "If-Modified-Since", modified)->status, 304);
	ASSERT_INT(ask(client, "GET", "If-Match", "\"other\"")->status, 412);
	ASSERT_INT(ask(client, "GET", "If-Match", etag)->status, 200);
	reply = ask(client, "GET", "Range", "bytes=1-2");
	ASSERT_INT(reply->status, 206);
	ASSERT_STR(reply->body, "el");
	ASSERT_STR(rung_reply_header(reply, "Content-Range"), "bytes 1-2/6");
	reply = ask(client, "GET", "Range", "bytes=0-0,2-2");
	ASSERT_INT(reply->status, 206);
	ASSERT_HAS(rung_reply_header(reply, "Content-Type"), "multipart/byteranges; boundary=");
	ASSERT_HAS(reply->body, "Content-Range: bytes 2-2/6\r\n\r\nl\r\n--");
	reply = ask(client, "GET", "Range", "bytes=6-");
	ASSERT_INT(reply->status, 416);
	ASSERT_STR(rung_reply_header(reply, "Content-Range"), "bytes */6");
	rung_client_destroy(client);
}

Test(download, precompressed_siblings_pass_through)
{
	struct rung_client *client = test_client(stack());

	tree_put("root/a.txt.gz", "GZIP");
	const struct rung_reply *reply = ask(client, "GET", "Accept-Encoding", "gzip");
	ASSERT_STR(reply->body, "GZIP");
	ASSERT_STR(rung_reply_header(reply, "Content-Encoding"), "gzip");
	ASSERT_STR(rung_reply_header(reply, "Vary"), "Accept-Encoding");
	rung_client_destroy(client);
}

/* -- resumed ---------------------------------------------------------------------------------------------------------- */

static void check_same(const char *name, const char *other)
{
	FILE *a = fopen(tree_at(name), "r"), *b = fopen(tree_at(other), "r");
	size_t at = 0;
	int byte;

	cr_assert(a && b);
	for (; (byte = getc(a)) != EOF; at++)
		cr_assert(getc(b) == byte, "byte %zu", at);
	cr_assert(getc(b) == EOF && at > 0);
	fclose(a);
	fclose(b);
}

Test(download, curl_goes_on_where_it_ended)
{
	struct rung_server *server = test_server(stack(), (struct rung_server_options){ 0 });
	char url[128], etag[160];

	tree_pattern("root/large", 3000000);
	snprintf(url, sizeof url, "%sd/large", rung_server_url(server));
	cr_assert(test_curl((const char *const[]){ "-o", tree_at("got"), url, NULL }) == 0);
	check_same("root/large", "got");
	cr_assert(truncate(tree_at("got"), 1234567) == 0);
	cr_assert(test_curl((const char *const[]){ "-C", "-", "-o", tree_at("got"), url, NULL }) == 0);
	check_same("root/large", "got");
	/* Complete already: 416, which curl takes for what it is. */
	cr_assert(test_curl((const char *const[]){ "-C", "-", "-o", tree_at("got"), url, NULL }) == 0);
	check_same("root/large", "got");
	/* It became another file meanwhile: with If-Range the whole comes, where curl -C would have mixed the two. */
	char *answer = test_send(server, "HEAD /d/large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	const char *field = strstr(answer, "ETag: ");
	cr_assert_not_null(field);
	snprintf(etag, sizeof etag, "If-Range: %.*s", (int)strcspn(field + 6, "\r"), field + 6);
	free(answer);
	tree_put("root/large", "another file\n");
	cr_assert(test_curl((const char *const[]){
			  "-r", "5-", "-H", etag, "-o", tree_at("got"), url, NULL }) == 0);
	check_same("root/large", "got");
	rung_server_destroy(server);
}

/* -- large ------------------------------------------------------------------------------------------------------------ */

enum { MEBIBYTE = 1024 * 1024, SIZE = 100 * MEBIBYTE };

/* How much more may be held while it is sent, in KiB. Sanitizers keep what was freed, and shadows of all of it. */
#if defined(__SANITIZE_ADDRESS__)
enum { MORE = 24 * 1024 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { MORE = 24 * 1024 };
#else
enum { MORE = 2 * 1024 };
#endif
#else
enum { MORE = 2 * 1024 };
#endif

/* What this process itself holds, in KiB: without the pages of files, which are the kernel's. */
static long anonymous_memory(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];
	long size = -1;

	cr_assert_not_null(status);
	while (fgets(line, sizeof line, status))
		if (sscanf(line, "RssAnon: %ld", &size) == 1)
			break;
	fclose(status);
	cr_assert(size >= 0);
	return size;
}

/* A sparse file with a byte of its own at the begin of each mebibyte. */
static void make_large(void)
{
	int fd = open(tree_at("root/large"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	cr_assert(fd >= 0 && ftruncate(fd, SIZE) == 0);
	for (int i = 0; i < SIZE / MEBIBYTE; i++) {
		const char byte = (char)(i + 1);

		cr_assert(pwrite(fd, &byte, 1, (off_t)i * MEBIBYTE) == 1);
	}
	close(fd);
}

/* Reads a whole answer, comparing its body as it comes. Returns the most memory that was held meanwhile. */
static long download(struct rung_server *server, const char *request)
{
	static char bytes[256 * 1024];
	int fd = test_connect(server);
	long most = 0;
	int64_t at = -1;
	ssize_t n;

	cr_assert(send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request));
	while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0) {
		const char *from = bytes;

		if (at < 0) {
			cr_assert_not_null(from = memmem(bytes, (size_t)n, "\r\n\r\n", 4));
			from += 4;
			at = 0;
		}
		for (; from < bytes + n; from++, at++)
			cr_assert(*from == (at % MEBIBYTE ? 0 : (char)(at / MEBIBYTE + 1)), "byte %lld",
				(long long)at);
		long now = anonymous_memory();
		most = now > most ? now : most;
	}
	close(fd);
	ASSERT_INT(at, SIZE);
	return most;
}

Test(download, a_hundred_mebibytes_through_reproxy_take_no_memory)
{
	static const char request[] = "GET /d/large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
	struct rung_server *server = test_server(stack(), (struct rung_server_options){ .loops = 1 });

	make_large();
	free(test_send(server, "HEAD /d/large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
	long before = anonymous_memory();
	long most = download(server, request);
	cr_assert(most - before < MORE, "%ld KiB before, %ld KiB while it was sent", before, most);
	rung_server_destroy(server);
}
