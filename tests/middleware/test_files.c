/* test_files.c: the files below a folder: what is sent, and what is not. Each test has a tree of its own. */
#include "tree.h"

#include <rung/date.h>
#include <rung/files.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(files, .init = tree_make, .fini = tree_remove);

static struct rung_client *client_of_root(void)
{
	return test_client(rung_files(.root = tree_at("root")));
}

/* -- what is sent ------------------------------------------------------------------------------------------------ */

Test(files, a_file_is_sent_with_its_type_and_validators)
{
	struct rung_client *client = client_of_root();
	const struct rung_reply *reply = rung_client_get(client, "/a.txt");
	struct stat info;
	char date[RUNG_HTTP_DATE_SIZE];

	ASSERT_INT(reply->status, 200);
	ASSERT_STR(reply->body, "hello\n");
	ASSERT_STR(rung_reply_header(reply, "Content-Type"), "text/plain; charset=utf-8");
	ASSERT_STR(rung_reply_header(reply, "Content-Length"), "6");
	ASSERT_STR(rung_reply_header(reply, "X-Content-Type-Options"), "nosniff");
	cr_assert(stat(tree_at("root/a.txt"), &info) == 0);
	rung_http_date(info.st_mtim.tv_sec, date);
	ASSERT_STR(rung_reply_header(reply, "Last-Modified"), date);
	const char *etag = rung_reply_header(reply, "ETag");
	cr_assert(etag && etag[0] == '"' && etag[strlen(etag) - 1] == '"' && strlen(etag) > 8, "%s", etag);
	rung_client_destroy(client);
}

Test(files, names_are_decoded_once)
{
	struct rung_client *client = client_of_root();

	ASSERT_STR(rung_client_get(client, "/sub/b%20c.html")->body, "<p>");
	ASSERT_STR(rung_client_get(client, "/%73ub/%62%20c.html?query")->body, "<p>");
	ASSERT_STR(rung_client_get(client, "/sub/%c3%a9.css")->body, "p{}");
	ASSERT_STR(rung_client_get(client, "/sub/\xc3\xa9.css")->body, "p{}");
	ASSERT_INT(rung_client_get(client, "/sub/b%2520c.html")->status, 404);
	ASSERT_INT(rung_client_get(client, "/sub/b+c.html")->status, 404);
	rung_client_destroy(client);
}

Test(files, the_type_is_that_of_the_name)
{
	static const struct {
		const char *name, *type;
	} cases[] = { { "page.html", "text/html; charset=utf-8" }, { "PAGE.HTM", "text/html; charset=utf-8" },
		{ "image.svg", "image/svg+xml" }, { "image.Png", "image/png" },
		{ "data.json", "application/json" }, { "pack.tar.gz", "application/gzip" },
		{ "what.unknown", "application/octet-stream" }, { "README", "application/octet-stream" },
		{ "dot.", "application/octet-stream" }, { "v1.html.d/notes", "application/octet-stream" } };
	struct rung_client *client = client_of_root();

	cr_assert(mkdir(tree_at("root/v1.html.d"), 0755) == 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char target[64];

		snprintf(target, sizeof target, "root/%s", cases[i].name);
		tree_put(target, "<script>");
		const struct rung_reply *reply = rung_client_get(client, target + 4);
		ASSERT_INT(reply->status, 200);
		ASSERT_STR(rung_reply_header(reply, "Content-Type"), cases[i].type);
		ASSERT_STR(rung_reply_header(reply, "X-Content-Type-Options"), "nosniff");
	}
	rung_client_destroy(client);
}

/* Every field of an answer, a line each. */
static void write_fields(const struct rung_reply *reply, char *text, size_t room)
{
	const struct rung_field *field;

	*text = '\0';
	for (size_t i = 0; (field = rung_reply_field(reply, i)); i++) {
		size_t size = strlen(text);

		snprintf(text + size, room - size, "%s: %s\n", field->name, field->value);
	}
}

Test(files, head_tells_the_same_without_the_bytes)
{
	static const char *const targets[] = { "/a.txt", "/empty", "/sub/b%20c.html", "/nothing", "/%" };
	struct rung_client *client = client_of_root();

	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
		char by_get[1024], by_head[1024];
		const struct rung_reply *reply = rung_client_get(client, targets[i]);
		int status = reply->status;

		write_fields(reply, by_get, sizeof by_get);
		reply = rung_client_send(client, "HEAD", targets[i]);
		write_fields(reply, by_head, sizeof by_head);
		ASSERT_INT(reply->status, status);
		ASSERT_INT(reply->size, 0);
		ASSERT_STR(by_head, by_get);
	}
	ASSERT_STR(rung_reply_header(rung_client_send(client, "HEAD", "/a.txt"), "Content-Length"), "6");
	rung_client_destroy(client);
}

Test(files, every_size_arrives)
{
	static const char request[] = "GET /sized.bin HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
	static const size_t sizes[] = { 0, 1, 4096, 65535, 65536, 65537, 1000003 };
	struct rung_client *client = client_of_root();
	struct rung_server *server =
		test_server(rung_files(.root = tree_at("root")), (struct rung_server_options){ 0 });
	char *bytes = malloc(1000003);

	for (size_t i = 0; i < 1000003; i++)
		bytes[i] = (char)(i * 7919 >> 3);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t size;

		tree_write("root/sized.bin", bytes, sizes[i]);
		const struct rung_reply *reply = rung_client_get(client, "/sized.bin");
		ASSERT_INT(reply->size, sizes[i]);
		cr_assert(memcmp(reply->body, bytes, sizes[i]) == 0);
		char *answer = test_exchange(server, request, sizeof request - 1, &size);
		cr_assert_gt(size, sizes[i]);
		cr_assert(memcmp(answer + size - sizes[i], bytes, sizes[i]) == 0, "%zu bytes by a socket",
			sizes[i]);
		free(answer);
	}
	free(bytes);
	rung_server_destroy(server);
	rung_client_destroy(client);
}

Test(files, another_content_has_another_tag)
{
	struct rung_client *client = client_of_root();
	char first[128];

	snprintf(first, sizeof first, "%s", rung_reply_header(rung_client_get(client, "/a.txt"), "ETag"));
	ASSERT_STR(rung_reply_header(rung_client_get(client, "/a.txt"), "ETag"), first);
	tree_put("root/a.txt", "hellO\n");
	const struct timespec times[2] = { { 0, UTIME_OMIT }, { 1000000000, 5 } };
	cr_assert(utimensat(AT_FDCWD, tree_at("root/a.txt"), times, 0) == 0);
	const struct rung_reply *reply = rung_client_get(client, "/a.txt");
	cr_assert_str_neq(rung_reply_header(reply, "ETag"), first);
	ASSERT_STR(rung_reply_header(reply, "Last-Modified"), "Sun, 09 Sep 2001 01:46:40 GMT");
	/* The same size and time, but another file. */
	snprintf(first, sizeof first, "%s", rung_reply_header(reply, "ETag"));
	tree_put("root/new", "other\n");
	cr_assert(utimensat(AT_FDCWD, tree_at("root/new"), times, 0) == 0 &&
		  rename(tree_at("root/new"), tree_at("root/a.txt")) == 0);
	cr_assert_str_neq(rung_reply_header(rung_client_get(client, "/a.txt"), "ETag"), first);
	rung_client_destroy(client);
}

/* Writes a file in place with a time of change, and gives its tag. */
static void tag_of(struct rung_client *client, const char *text, struct timespec modified, char tag[128])
{
	const struct timespec times[2] = { { 0, UTIME_NOW }, modified };

	tree_put("root/a.txt", text);
	cr_assert(utimensat(AT_FDCWD, tree_at("root/a.txt"), times, 0) == 0);
	snprintf(tag, 128, "%s", rung_reply_header(rung_client_get(client, "/a.txt"), "ETag"));
}

Test(files, size_and_the_least_of_times_tell_a_change)
{
	struct rung_client *client = client_of_root();
	char first[128], other[128];

	tag_of(client, "one", (struct timespec){ 1000000000, 1 }, first);
	tag_of(client, "one", (struct timespec){ 1000000000, 1 }, other);
	ASSERT_STR(other, first);
	tag_of(client, "two", (struct timespec){ 1000000000, 2 }, other);
	cr_assert_str_neq(other, first, "a nanosecond later");
	tag_of(client, "two", (struct timespec){ 1000000001, 1 }, other);
	cr_assert_str_neq(other, first, "a second later");
	tag_of(client, "longer", (struct timespec){ 1000000000, 1 }, other);
	cr_assert_str_neq(other, first, "longer");
	rung_client_destroy(client);
}

Test(files, a_link_inside_is_followed)
{
	struct rung_client *client = client_of_root();

	cr_assert(symlink("a.txt", tree_at("root/link")) == 0 &&
		  symlink("../a.txt", tree_at("root/sub/link")) == 0 &&
		  symlink("sub", tree_at("root/folder")) == 0);
	ASSERT_STR(rung_client_get(client, "/link")->body, "hello\n");
	ASSERT_STR(rung_client_get(client, "/sub/link")->body, "hello\n");
	ASSERT_STR(rung_client_get(client, "/folder/b%20c.html")->body, "<p>");
	rung_client_destroy(client);
}

Test(files, what_the_client_has_is_not_sent_again)
{
	struct rung_client *client = client_of_root();
	const struct rung_reply *reply = rung_client_get(client, "/a.txt");
	char etag[128], date[64];

	snprintf(etag, sizeof etag, "%s", rung_reply_header(reply, "ETag"));
	snprintf(date, sizeof date, "%s", rung_reply_header(reply, "Last-Modified"));
	const struct rung_field same[] = { { .name = "If-None-Match", .value = etag }, { 0 } };
	const struct rung_field since[] = { { .name = "If-Modified-Since", .value = date }, { 0 } };
	const struct rung_field other[] = { { .name = "If-Match", .value = "\"other\"" }, { 0 } };
	for (int i = 0; i < 2; i++) {
		reply = rung_client_send(client, i ? "HEAD" : "GET", "/a.txt", .headers = i ? same : since);
		ASSERT_INT(reply->status, 304);
		ASSERT_INT(reply->size, 0);
		ASSERT_STR(rung_reply_header(reply, "ETag"), etag);
		ASSERT_STR(rung_reply_header(reply, "Last-Modified"), date);
		cr_assert_null(rung_reply_header(reply, "Content-Type"));
		/* That of the 200, or none (RFC 9110 section 8.6). */
		ASSERT_STR(rung_reply_header(reply, "Content-Length"), "6");
	}
	ASSERT_INT(rung_client_send(client, "GET", "/a.txt", .headers = other)->status, 412);
	/* What is not there has no state to compare. */
	ASSERT_INT(rung_client_send(client, "GET", "/nothing", .headers = other)->status, 404);
	tree_put("root/a.txt", "changed");
	ASSERT_STR(rung_client_send(client, "GET", "/a.txt", .headers = same)->body, "changed");
	rung_client_destroy(client);
}

Test(files, no_date_lies_in_the_future)
{
	const struct timespec times[2] = { { 0, UTIME_OMIT }, { 4102444799, 0 } };
	struct rung_client *client = client_of_root();
	time_t modified = 0;

	cr_assert(utimensat(AT_FDCWD, tree_at("root/a.txt"), times, 0) == 0);
	const struct rung_reply *reply = rung_client_get(client, "/a.txt");
	ASSERT_INT(rung_http_date_parse(rung_reply_header(reply, "Last-Modified"), &modified), 0);
	cr_assert(modified <= time(NULL), "%s", rung_reply_header(reply, "Last-Modified"));
	rung_client_destroy(client);
}

/* Kernels stamp files by a finer clock than time() reads: at a second's begin the one is ahead of the other. */
Test(files, a_file_of_this_very_moment_has_its_own_date)
{
	struct rung_client *client = client_of_root();
	time_t end = time(NULL) + 2;
	struct stat info;
	char date[RUNG_HTTP_DATE_SIZE];

	while (time(NULL) < end) {
		cr_assert(unlink(tree_at("root/empty")) == 0);
		tree_put("root/empty", "");
		cr_assert(stat(tree_at("root/empty"), &info) == 0);
		rung_http_date(info.st_mtim.tv_sec, date);
		ASSERT_STR(rung_reply_header(rung_client_get(client, "/empty"), "Last-Modified"), date);
	}
	rung_client_destroy(client);
}

/* A write lease, as file servers take it: who opens the file waits for the holder to give it back, 45 seconds by default.
 * Returns the child that holds it, 0 where leases are not to be had. */
static pid_t hold_lease(const char *path)
{
	int ready[2];
	char byte = 0;

	cr_assert(pipe(ready) == 0);
	pid_t child = fork();
	cr_assert(child >= 0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int fd = open(path, O_RDWR);

		signal(SIGIO, SIG_IGN);
		byte = fd >= 0 && fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
		if (write(ready[1], &byte, 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	cr_assert(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	close(ready[1]);
	if (byte)
		return child;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return 0;
}

Test(files, a_file_that_another_process_has_a_lease_on_holds_nobody_up, .timeout = 20)
{
	struct rung_client *client = client_of_root();
	pid_t holder = hold_lease(tree_at("root/a.txt"));

	if (holder)
		ASSERT_INT(rung_client_get(client, "/a.txt")->status, 503);
	if (holder) {
		kill(holder, SIGKILL);
		waitpid(holder, NULL, 0);
	}
	ASSERT_INT(rung_client_get(client, "/a.txt")->status, 200);
	rung_client_destroy(client);
}

/* -- what is not ------------------------------------------------------------------------------------------------- */

static void check_refused(struct rung_client *client, const char *target, int status)
{
	const struct rung_reply *reply = rung_client_get(client, target);

	cr_expect(reply->status == status, "%s is %d", target, reply->status);
	cr_expect(reply->size == 0, "%s has a body: %s", target, reply->body);
}

Test(files, what_is_no_file_or_hidden_is_404)
{
	static const char *const targets[] = { "/", "/sub", "/sub/", "/a.txt/", "/nothing", "/sub/nothing",
		"/.hidden", "/%2ehidden", "/.git/config", "/%2Egit/config", "//a.txt", "/sub//b%20c.html",
		"/./a.txt", "/sub/./b%20c.html", "/sub/../a.txt", "/../secret", "/../root/a.txt",
		"/%2e%2e/secret", "/.%2E/secret", "/..%2fsecret", "/..%2Fsecret", "/sub%2fb%20c.html",
		"/..%5csecret", "/back%5cslash", "/back\\slash", "/sub/../../secret", "/%252e%252e/secret",
		"/%c0%ae%c0%ae/secret", "/a.txt/../a.txt", "/%2E%2e/secret", "/%2e./secret",
		"/sub/%2e%2e/%2E%2E/secret", "/sub%5c..%5c..%5csecret", "/..%5Csecret", "/..;/secret",
		"/%2e/a.txt", "/...", "/%2f/secret", "/a.txt%2f", "/.%2f", "/.%2fsecret", "/.%2fa.txt",
		"/%2e%2f..%2fsecret", "/sub/.", "/sub/..", "/a.txt//", "///", "/.", "/..", "/%2e%2e",
		"/a.txt%20", "/A.TXT" };
	struct rung_client *client = client_of_root();

	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
		check_refused(client, targets[i], 404);
	rung_client_destroy(client);
}

Test(files, escapes_that_are_none_are_400)
{
	static const char *const targets[] = { "/%", "/a%2", "/a%zz", "/a.txt%00", "/%00/a.txt",
		"/a.txt%00.html", "/..%00/secret", "/%2", "/a.txt%", "/%g0", "/%0g", "/%-1", "/sub/%u002e" };
	struct rung_client *client = client_of_root();

	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
		check_refused(client, targets[i], 400);
	rung_client_destroy(client);
}

Test(files, links_that_lead_out_lead_nowhere)
{
	struct rung_client *client = client_of_root();

	cr_assert(symlink("../secret", tree_at("root/out")) == 0 &&
		  symlink(tree_at("secret"), tree_at("root/abs")) == 0 &&
		  symlink("..", tree_at("root/up")) == 0 &&
		  symlink(tree_at("out"), tree_at("root/folder")) == 0 &&
		  symlink("/", tree_at("root/slash")) == 0 && symlink("loop", tree_at("root/loop")) == 0 &&
		  symlink("/proc/self/root", tree_at("root/magic")) == 0);
	check_refused(client, "/out", 404);
	check_refused(client, "/abs", 404);
	check_refused(client, "/up/secret", 404);
	check_refused(client, "/up/root/a.txt", 404);
	check_refused(client, "/folder/secret", 404);
	check_refused(client, "/slash/etc/passwd", 404);
	check_refused(client, "/loop", 404);
	check_refused(client, "/magic/etc/passwd", 404);
	rung_client_destroy(client);
}

/* What the kernel judges is the way, not where it ends. */
Test(files, links_that_lead_out_and_back_lead_nowhere)
{
	struct rung_client *client = client_of_root();

	cr_assert(symlink("../root/a.txt", tree_at("root/back")) == 0 &&
		  symlink(tree_at("root/a.txt"), tree_at("root/abs")) == 0 &&
		  symlink(tree_at("root/sub"), tree_at("root/folder")) == 0 &&
		  symlink("gone", tree_at("root/dangling")) == 0 &&
		  symlink("back", tree_at("root/chain")) == 0 &&
		  symlink("/a.txt", tree_at("root/rooted")) == 0 &&
		  symlink("sub", tree_at("root/inside")) == 0);
	check_refused(client, "/back", 404);
	check_refused(client, "/abs", 404);
	check_refused(client, "/folder/b%20c.html", 404);
	check_refused(client, "/dangling", 404);
	check_refused(client, "/chain", 404);
	check_refused(client, "/rooted", 404);
	check_refused(client, "/inside", 404);
	check_refused(client, "/inside/", 404);
	rung_client_destroy(client);
}

Test(files, what_is_no_regular_file_is_not_opened_for_long, .timeout = 20)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct rung_client *client = client_of_root();

	cr_assert(mkfifo(tree_at("root/fifo"), 0644) == 0);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", tree_at("root/socket"));
	cr_assert(bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
	cr_assert(symlink("fifo", tree_at("root/pipe")) == 0);
	check_refused(client, "/fifo", 404);
	check_refused(client, "/pipe", 404);
	check_refused(client, "/socket", 404);
	close(fd);
	rung_client_destroy(client);
	/* Devices, without the rights to make one. */
	client = test_client(rung_files(.root = "/dev"));
	check_refused(client, "/null", 404);
	check_refused(client, "/tty", 404);
	rung_client_destroy(client);
}

Test(files, devices_are_not_sent, .timeout = 20)
{
	static const char *const names[] = { "/null", "/zero", "/random", "/tty", "/full", "/shm", "/fd",
		"/fd/0", "/stdin", "/ptmx" };
	struct rung_client *client = test_client(rung_files(.root = "/dev", .precompressed = true));

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		check_refused(client, names[i], 404);
	rung_client_destroy(client);
}

Test(files, a_name_longer_than_any_file_has_is_404)
{
	struct rung_client *client = client_of_root();
	char target[6000] = "/";

	memset(target + 1, 'a', 300);
	check_refused(client, target, 404);
	for (size_t i = 1; i + 2 < sizeof target; i += 2)
		memcpy(target + i, "a/", 2);
	target[sizeof target - 2] = 'a';
	check_refused(client, target, 404);
	rung_client_destroy(client);
}

Test(files, the_longest_name_there_can_be_is_found)
{
	struct rung_client *client = client_of_root();
	char name[300] = "root/", target[900] = "/";

	memset(name + 5, 'a', 255);
	tree_put(name, "long");
	for (size_t i = 0; i < 255; i++)
		memcpy(target + 1 + 3 * i, "%61", 3);
	ASSERT_STR(rung_client_get(client, name + 4)->body, "long");
	ASSERT_STR(rung_client_get(client, target)->body, "long");
	memcpy(target + 1 + 3 * 255, "a", 2);
	check_refused(client, target, 404);
	rung_client_destroy(client);
}

/* As somebody else where we are root, to whom every file is open. */
Test(files, what_may_not_be_read_is_404_and_logged)
{
	struct rung_client *client = client_of_root();
	uid_t user = geteuid();

	tree_put("root/locked.txt", "locked");
	cr_assert(mkdir(tree_at("root/closed"), 0755) == 0);
	tree_put("root/closed/a.txt", "locked");
	cr_assert(chmod(tree_at("root/locked.txt"), 0) == 0 && chmod(tree_at("root/closed"), 0) == 0);
	cr_assert(user != 0 || seteuid(65534) == 0);
	check_refused(client, "/locked.txt", 404);
	ASSERT_HAS(test_log(), "/root/locked.txt: Permission denied");
	check_refused(client, "/closed/a.txt", 404);
	ASSERT_HAS(test_log(), "/root/closed/a.txt: Permission denied");
	ASSERT_STR(rung_client_get(client, "/a.txt")->body, "hello\n");
	cr_assert(seteuid(user) == 0 && chmod(tree_at("root/closed"), 0755) == 0);
	rung_client_destroy(client);
}

/* That the file is not there would be a lie that caches keep. */
Test(files, without_descriptors_it_is_503)
{
	struct rung_client *client = client_of_root();
	struct rlimit before, now;
	int next = dup(0);

	cr_assert(next >= 0 && close(next) == 0 && getrlimit(RLIMIT_NOFILE, &before) == 0);
	now = before;
	now.rlim_cur = (rlim_t)next;
	cr_assert(setrlimit(RLIMIT_NOFILE, &now) == 0);
	const struct rung_reply *reply = rung_client_get(client, "/a.txt");
	cr_assert(setrlimit(RLIMIT_NOFILE, &before) == 0);
	ASSERT_INT(reply->status, 503);
	ASSERT_HAS(test_log(), "files: cannot open a file: Too many open files");
	ASSERT_INT(rung_client_get(client, "/a.txt")->status, 200);
	rung_client_destroy(client);
}

Test(files, other_methods_are_405)
{
	struct rung_client *client = client_of_root();
	static const char *const methods[] = { "POST", "PUT", "DELETE", "get", "TRACE" };

	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		const struct rung_reply *reply = rung_client_send(client, methods[i], "/a.txt");

		ASSERT_INT(reply->status, 405);
		ASSERT_STR(rung_reply_header(reply, "Allow"), "GET, HEAD, OPTIONS");
	}
	const struct rung_reply *reply = rung_client_send(client, "OPTIONS", "/a.txt");
	ASSERT_INT(reply->status, 204);
	ASSERT_STR(rung_reply_header(reply, "Allow"), "GET, HEAD, OPTIONS");
	ASSERT_INT(rung_client_send(client, "OPTIONS", "*")->status, 204);
	ASSERT_STR(rung_client_get(client, "/a.txt")->body, "hello\n");
	rung_client_destroy(client);
}

/* -- in a stack -------------------------------------------------------------------------------------------------- */

/* Says whether what is inside passed. */
static int tell_pass(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	rung_header(res, "X-Pass", res->pass ? "yes" : "no");
	return 0;
}

Test(files, what_is_not_there_is_left_to_the_next_app)
{
	struct rung_client *client =
		test_client(rung_stack(rung_use(tell_pass), rung_files(.root = tree_at("root"))));

	static const char *const left[] = { "/nothing", "/", "/sub", "/.hidden", "/../secret", "/out" };

	cr_assert(symlink("../secret", tree_at("root/out")) == 0);
	for (size_t i = 0; i < sizeof left / sizeof *left; i++)
		cr_expect_str_eq(
			rung_reply_header(rung_client_get(client, left[i]), "X-Pass"), "yes", "%s", left[i]);
	ASSERT_STR(rung_reply_header(rung_client_send(client, "POST", "/a.txt"), "X-Pass"), "no");
	ASSERT_STR(rung_reply_header(rung_client_get(client, "/a.txt"), "X-Pass"), "no");
	ASSERT_STR(rung_reply_header(rung_client_get(client, "/%"), "X-Pass"), "no");
	rung_client_destroy(client);
}

Test(files, below_a_mount_the_rest_of_the_path_counts)
{
	struct rung_client *client =
		test_client(rung_routes(rung_mount("/static", rung_files(.root = tree_at("root")))));

	ASSERT_STR(rung_client_get(client, "/static/a.txt")->body, "hello\n");
	ASSERT_STR(rung_client_get(client, "/static/sub/b%20c.html")->body, "<p>");
	ASSERT_STR(rung_reply_header(rung_client_send(client, "POST", "/static/a.txt"), "Allow"),
		"GET, HEAD, OPTIONS");
	check_refused(client, "/static", 404);
	check_refused(client, "/static/", 404);
	check_refused(client, "/static//a.txt", 404);
	check_refused(client, "/static/%2e%2e/secret", 404);
	check_refused(client, "/static/static/a.txt", 404);
	check_refused(client, "/static/../secret", 404);
	check_refused(client, "/a.txt", 404);
	rung_client_destroy(client);
}

Test(files, a_root_may_be_relative_and_is_held_open)
{
	int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	cr_assert(chdir(tree_at("")) == 0);
	struct rung_client *client = test_client(rung_files(.root = "root"));
	cr_assert(fchdir(before) == 0);
	close(before);
	ASSERT_STR(rung_client_get(client, "/a.txt")->body, "hello\n");
	cr_assert(rename(tree_at("root"), tree_at("moved")) == 0);
	ASSERT_STR(rung_client_get(client, "/a.txt")->body, "hello\n");
	rung_client_destroy(client);
}

Test(files, the_root_itself_may_be_a_link)
{
	cr_assert(symlink("root", tree_at("current")) == 0);
	struct rung_client *client = test_client(rung_files(.root = tree_at("current")));

	ASSERT_STR(rung_client_get(client, "/a.txt")->body, "hello\n");
	check_refused(client, "/../secret", 404);
	rung_client_destroy(client);
}

Test(files, no_descriptor_is_lost)
{
	static const char *const targets[] = { "/a.txt", "/empty", "/nothing", "/sub", "/%", "/.hidden",
		"/fifo" };
	static const struct rung_field headers[][2] = {
		{ { 0 } }, { { .name = "If-None-Match", .value = "*" } }, /* 304 */
		{ { .name = "If-Match", .value = "\"x\"" } },             /* 412 */
		{ { .name = "Range", .value = "bytes=1-2" } },            /* 206 */
		{ { .name = "Range", .value = "bytes=9-" } },             /* 416 */
	};
	static const char *const methods[] = { "GET", "HEAD", "POST" };
	unsigned seen[600] = { 0 };
	size_t before = tree_descriptors();
	struct rung_client *client = client_of_root();

	cr_assert(mkfifo(tree_at("root/fifo"), 0644) == 0);
	/* Seven, five and three share no divisor, so each meets each. */
	for (size_t i = 0; i < 1050; i++)
		seen[rung_client_send(client, methods[i % 3], targets[i % 7], .headers = headers[i % 5])
				->status]++;
	cr_assert(seen[200] && seen[206] && seen[304] && seen[400] && seen[404] && seen[405] && seen[412] &&
		  seen[416]);
	const struct rung_client_request request = { .size = sizeof request, .target = "/a.txt" };
	rung_client_start(client, &request);
	rung_client_abort(client);
	rung_client_destroy(client);
	ASSERT_INT(tree_descriptors(), before);
}

/* -- refusals ---------------------------------------------------------------------------------------------------- */

Test(files, without_a_folder_it_is_refused)
{
	cr_assert_null(rung_files());
	ASSERT_STR(rung_error(), "files: there is no .root; name a folder");
	cr_assert_null(rung_files(.root = ""));
	ASSERT_STR(rung_error(), "files: there is no .root; name a folder");
	cr_assert_null(rung_client_new(rung_files(.root = tree_at("nowhere"))));
	ASSERT_HAS(rung_error(), "/nowhere\": No such file or directory; make the folder, or name another");
	cr_assert_null(rung_client_new(rung_files(.root = tree_at("secret"))));
	ASSERT_HAS(rung_error(), "Not a directory");
}

Test(files, it_can_be_started_again)
{
	struct rung_app *app = rung_files(.root = tree_at("root"));
	size_t before = tree_descriptors();

	for (int i = 0; i < 3; i++) {
		struct rung_client *client = test_client(rung_ref(app));

		ASSERT_STR(rung_client_get(client, "/a.txt")->body, "hello\n");
		rung_client_destroy(client);
		ASSERT_INT(tree_descriptors(), before);
	}
	/* The folder is looked for at each start. */
	cr_assert(rename(tree_at("root"), tree_at("moved")) == 0);
	cr_assert_null(rung_client_new(rung_ref(app)));
	ASSERT_HAS(rung_error(), "/root\": No such file or directory");
	cr_assert(rename(tree_at("out"), tree_at("root")) == 0);
	struct rung_client *client = test_client(app);
	ASSERT_STR(rung_client_get(client, "/secret")->body, "secret");
	rung_client_destroy(client);
	ASSERT_INT(tree_descriptors(), before);
}

Test(files, the_printed_stack_tells_the_root)
{
	struct rung_app *app = rung_files(.root = "public");
	char text[256];

	cr_assert_gt(rung_stack_print(app, text, sizeof text), 0);
	ASSERT_HAS(text, "files");
	ASSERT_HAS(text, "root=\"public\"");
	rung_app_destroy(app);
}
