/*
 * test_files_changes.c: the tree changes while it is sent, over real sockets. Whatever happens, what arrives is what was
 * promised, or less and a closed connection; never a byte more, never one of another file, never a wait without end.
 */
#include "tree.h"

#include <rung/files.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(files_changes, .init = tree_make, .fini = tree_remove, .timeout = 60);

enum { LARGE = 8 * 1024 * 1024 };

/* A request for a file too large for what sockets hold: the server waits for the reader in the middle of it. */
struct download {
	struct rung_server *server;
	int fd;
	char *bytes;
	size_t size;
};

static struct download begin(const char *request)
{
	struct download download = { .bytes = malloc(LARGE + 65536) };
	int small = 65536;

	tree_pattern("root/large", LARGE);
	download.server = test_server(rung_files(.root = tree_at("root")), (struct rung_server_options){ 0 });
	download.fd = test_connect(download.server);
	setsockopt(download.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	cr_assert(send(download.fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request));
	ssize_t n = recv(download.fd, download.bytes, 4096, 0);
	cr_assert(n > 0);
	download.size = (size_t)n;
	return download;
}

/* Reads until the server closes. */
static void finish(struct download *download)
{
	ssize_t n;

	while ((n = recv(download->fd, download->bytes + download->size, 65536, 0)) > 0) {
		download->size += (size_t)n;
		cr_assert(download->size <= LARGE + 4096, "more than was promised");
	}
	close(download->fd);
	rung_server_destroy(download->server);
}

/* Pages that the kernel holds for sending are the file's own: where it was cut, at `cut`, they may be zero already. */
static void check_bytes(const struct download *download, size_t offset, size_t cut, size_t least, size_t most)
{
	const char *body = memmem(download->bytes, download->size, "\r\n\r\n", 4);

	cr_assert_not_null(body);
	body += 4;
	size_t size = download->size - (size_t)(body - download->bytes);
	cr_assert(size >= least && size <= most, "%zu bytes of body", size);
	for (size_t i = 0; i < size; i++)
		cr_assert(body[i] == tree_pattern_byte(offset + i) || (offset + i >= cut && !body[i]),
			"byte %zu", i);
	free(download->bytes);
}

#define GET_LARGE(more) "GET /large HTTP/1.1\r\nHost: h\r\n" more "Connection: close\r\n\r\n"

Test(files_changes, a_file_removed_is_sent_to_its_end)
{
	struct download download = begin(GET_LARGE());

	cr_assert(unlink(tree_at("root/large")) == 0);
	finish(&download);
	check_bytes(&download, 0, LARGE, LARGE, LARGE);
}

Test(files_changes, a_file_replaced_is_sent_as_it_was)
{
	struct download download = begin(GET_LARGE());

	tree_put("root/other", "other");
	cr_assert(rename(tree_at("root/other"), tree_at("root/large")) == 0);
	finish(&download);
	check_bytes(&download, 0, LARGE, LARGE, LARGE);
}

Test(files_changes, a_file_that_grows_is_sent_as_it_was_promised)
{
	struct download download = begin(GET_LARGE());
	FILE *file = fopen(tree_at("root/large"), "a");

	cr_assert(file && fputs("more", file) >= 0 && fclose(file) == 0);
	finish(&download);
	check_bytes(&download, 0, LARGE, LARGE, LARGE);
}

Test(files_changes, a_file_truncated_costs_the_connection)
{
	struct download download = begin("GET /large HTTP/1.1\r\nHost: h\r\n\r\n");

	cr_assert(truncate(tree_at("root/large"), 1000) == 0);
	finish(&download);
	check_bytes(&download, 0, 1000, 1000, LARGE - 1);
}

Test(files_changes, a_range_of_a_file_truncated_costs_the_connection)
{
	struct download download = begin("GET /large HTTP/1.1\r\nHost: h\r\nRange: bytes=1000-\r\n\r\n");

	cr_assert(truncate(tree_at("root/large"), 500) == 0);
	finish(&download);
	check_bytes(&download, 1000, 500, 0, LARGE - 1001);
}

Test(files_changes, parts_of_a_file_truncated_cost_the_connection)
{
	struct download download =
		begin("GET /large HTTP/1.1\r\nHost: h\r\nRange: bytes=0-4000000,5000000-8000000\r\n\r\n");

	cr_assert(truncate(tree_at("root/large"), 1000) == 0);
	finish(&download);
	cr_assert(download.size < 7000000, "%zu", download.size);
	ASSERT_HAS(test_log(), "rung: body of GET /large: Input/output error after ");
	free(download.bytes);
}

Test(files_changes, a_file_truncated_and_grown_again_is_only_what_it_is)
{
	struct download download = begin(GET_LARGE());

	cr_assert(truncate(tree_at("root/large"), 0) == 0 && truncate(tree_at("root/large"), LARGE) == 0);
	finish(&download);
	cr_assert(download.size <= LARGE + 4096);
	free(download.bytes);
}

/* Small files are read whole before the head goes out: there is still a status for it. */
static int truncates(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	cr_assert(truncate(rung_data(self), 2) == 0);
	return 0;
}

Test(files_changes, a_small_file_truncated_at_the_last_moment_is_an_error)
{
	struct rung_app *app = rung_stack(
		rung_use(truncates, .data = tree_at("root/a.txt")), rung_files(.root = tree_at("root")));
	struct rung_server *server = test_server(app, (struct rung_server_options){ 0 });
	char *answer = test_send(server, "GET /a.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");

	ASSERT_HAS(answer, "HTTP/1.1 500 ");
	cr_assert_null(strstr(answer, "he"));
	ASSERT_HAS(test_log(), "the answer could not be sent");
	free(answer);
	rung_server_destroy(server);
}

/* The server goes on after each of them. */
Test(files_changes, the_tree_itself_may_be_replaced)
{
	struct rung_server *server =
		test_server(rung_files(.root = tree_at("root")), (struct rung_server_options){ 0 });
	static const char request[] = "GET /a.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

	cr_assert(rename(tree_at("root"), tree_at("old")) == 0);
	char *answer = test_send(server, request);
	ASSERT_HAS(answer, "\r\n\r\nhello\n");
	free(answer);
	cr_assert(unlink(tree_at("old/a.txt")) == 0);
	answer = test_send(server, request);
	ASSERT_HAS(answer, "HTTP/1.1 404 ");
	free(answer);
	rung_server_destroy(server);
}
