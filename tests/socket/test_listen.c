/* test_listen.c: where a server listens, and how it accepts: several addresses, Unix sockets, IPv6, the limit of
 * connections, and what happens when descriptors run out. */
#include "program.h"

#include <rung/reproxy.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static char folder[64], path[128];

static void make_folder(void)
{
	strcpy(folder, "/tmp/rung-listen-XXXXXX");
	cr_assert(mkdtemp(folder) != NULL);
	snprintf(path, sizeof path, "%s/app.sock", folder);
}

static void remove_folder(void)
{
	unlink(path);
	rmdir(folder);
	test_check_leaks();
}

TestSuite(listen, .init = make_folder, .fini = remove_folder);

#define LISTEN(...) .listen = FLAGS(__VA_ARGS__)
#define GET         "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
#define GET_CLOSE   "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

static int tell(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return rung_reply_textf(
		res, 200, "%s %s from %s.", env->scheme, env->path_info, rung_remote_address(env));
}

static struct rung_server *serve(struct rung_server_options options)
{
	return test_server(rung_run(tell), options);
}

static void refused(struct rung_server_options options, const char *message)
{
	options.size = sizeof options;
	options.app = rung_run(tell);
	cr_assert_null(rung_server_open(&options));
	ASSERT_HAS(rung_error(), message);
}

static const char *unix_text(void)
{
	static char text[160];

	snprintf(text, sizeof text, "unix:%s", path);
	return text;
}

/* Sends and reads up to the close or a moment of silence; closes. */
static void expect_from(int fd, const char *part)
{
	cr_assert(fd >= 0, "cannot connect: %s", strerror(errno));
	cr_assert(send(fd, GET_CLOSE, strlen(GET_CLOSE), MSG_NOSIGNAL) > 0);
	char *answer = test_read(fd, 3000, NULL);
	ASSERT_HAS(answer, part);
	free(answer);
	close(fd);
}

static int connect_six(unsigned port)
{
	const struct sockaddr_in6 address = { .sin6_family = AF_INET6,
		.sin6_port = htons((uint16_t)port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

static int connect_from(const char *source, unsigned port)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, source, &from.sin_addr);
	return fd >= 0 && bind(fd, (const struct sockaddr *)&from, sizeof from) == 0 &&
			       connect(fd, (const struct sockaddr *)&to, sizeof to) == 0
		       ? fd
		       : -1;
}

static unsigned port_of(const char *url)
{
	return (unsigned)strtoul(strrchr(url, ':') + 1, NULL, 10);
}

/* -- addresses -------------------------------------------------------------------------------------------------------- */

Test(listen, clients_are_named_by_their_addresses)
{
	static const char *const sources[] = { "127.0.0.1", "127.1.23.200", "127.99.100.101",
		"127.255.10.9" };
	struct rung_server *server = serve((struct rung_server_options){ LISTEN("127.0.0.1:0") });

	for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
		char part[32];

		snprintf(part, sizeof part, " from %s.", sources[i]);
		expect_from(connect_from(sources[i], rung_server_port(server)), part);
	}
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(listen, several_addresses_each_with_its_url)
{
	for (unsigned loops = 1; loops <= 3; loops += 2) {
		struct rung_server *server = serve((struct rung_server_options){
			.loops = loops, LISTEN("127.0.0.1:0", "127.0.0.2", "localhost:0", unix_text()) });
		const char *const *urls = rung_server_urls(server);

		ASSERT_HAS(urls[0], "http://127.0.0.1:");
		ASSERT_HAS(urls[1], "http://127.0.0.2:");
		ASSERT_HAS(urls[2], "http://127.0.0.1:");
		ASSERT_STR(urls[3], unix_text());
		cr_assert_null(urls[4]);
		ASSERT_STR(rung_server_url(server), urls[0]);
		ASSERT_INT(rung_server_port(server), port_of(urls[0]));
		for (int i = 0; i < 10; i++) {
			expect_from(connect_port(port_of(urls[0])), "http /x from 127.0.0.1.");
			expect_from(connect_port(port_of(urls[2])), "http /x from 127.0.0.1.");
			expect_from(connect_unix(path), "http /x from unix:.");
		}
		ASSERT_INT(rung_server_destroy(server), 0);
		cr_assert(access(path, F_OK) < 0, "the file is still there");
	}
}

Test(listen, ipv6_with_and_without_a_port)
{
	struct rung_server *server =
		rung_server_new(rung_run(tell), .loops = 2, LISTEN("[::1]:0", "::1", "127.0.0.1"));

	if (!server) {
		/* A machine without IPv6: then the refusal must say so. */
		ASSERT_HAS(rung_error(), "cannot listen on [::1]:0");
		return;
	}
	const char *const *urls = rung_server_urls(server);
	ASSERT_HAS(urls[0], "http://[::1]:");
	ASSERT_HAS(urls[1], "http://[::1]:");
	expect_from(connect_six(port_of(urls[0])), "from ::1.");
	expect_from(connect_six(port_of(urls[1])), "from ::1.");
	expect_from(connect_port(port_of(urls[2])), "from 127.0.0.1.");
	rung_server_destroy(server);
}

Test(listen, what_is_no_address_is_refused)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "example.org", "\"example.org\" is no numeric address" },
		{ "", "\"\" is no numeric address" },
		{ ":80", "\":80\" is no numeric address" },
		{ "127.0.0.1:", "there is no port \"\"" },
		{ "127.0.0.1:x", "there is no port \"x\"" },
		{ "127.0.0.1:-1", "there is no port \"-1\"" },
		{ "127.0.0.1:65536", "there is no port \"65536\"" },
		{ "127.0.0.1:000080", "there is no port \"000080\"" },
		{ "[::1", "is no numeric address" },
		{ "[::1]80", "is no numeric address" },
		{ "[::1]:", "there is no port \"\"" },
		{ "[]:80", "is no numeric address" },
		{ "::1:99999", "is no numeric address" },
		{ "1234567890123456789012345678901234567890123456789012345:80", "is no numeric address" },
		{ "unix:", "the path of a Unix socket has 1 to 107 bytes" },
		{ "unix:/tmp/12345678901234567890123456789012345678901234567890123456789012345678901234567890"
		  "12345678901234567890123",
			"has 108" },
		{ "unix:/nonexistent/x", "cannot listen on unix:/nonexistent/x: No such file" },
		{ "203.0.113.1:0", "cannot listen on 203.0.113.1:0: Cannot assign" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		refused((struct rung_server_options){ LISTEN("127.0.0.1:0", cases[i].text) },
			cases[i].message);
	refused((struct rung_server_options){ LISTEN(unix_text()), .unix_mode = 01000 }, "mode 01000");
	cr_assert(access(path, F_OK) < 0);
}

Test(listen, more_addresses_than_there_may_be_are_refused)
{
	const char *texts[34];

	for (int i = 0; i < 33; i++)
		texts[i] = "127.0.0.1:0";
	texts[33] = NULL;
	refused((struct rung_server_options){ .listen = texts, .loops = 1 }, "on 32 addresses at most");
	texts[32] = NULL;
	struct rung_server *server = serve((struct rung_server_options){ .listen = texts });
	expect_from(connect_port(port_of(rung_server_urls(server)[31])), "200 OK");
	rung_server_destroy(server);
}

static int to_self(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	if (strcmp(env->path_info, "/x") != 0)
		return rung_reply_text(res, 200, "the other");
	return rung_reply_uri_raw(
		res, 200, rung_printf(env, "http://%s/y", rung_request_header(env, "X-To")));
}

/* A URI with the authority of any listener is the server itself. */
Test(listen, each_address_is_an_authority)
{
	struct rung_server *server = test_server(rung_stack(rung_reproxy(), rung_run(to_self)),
		(struct rung_server_options){ LISTEN("127.0.0.1:0", "127.0.0.3:0", unix_text()) });

	for (int i = 0; i < 4; i++) {
		const char *const *urls = rung_server_urls(server);
		char authority[64], request[256];

		if (i < 2)
			snprintf(authority, sizeof authority, "%.*s", (int)strcspn(urls[i] + 7, "/"),
				urls[i] + 7);
		else
			snprintf(authority, sizeof authority, i == 2 ? "localhost:%u" : "127.0.0.9:%u",
				port_of(urls[1]));
		snprintf(request, sizeof request,
			"GET /x HTTP/1.1\r\nHost: h\r\nX-To: %s\r\nConnection: close\r\n\r\n", authority);
		char *answer = test_send(server, request);
		ASSERT_HAS(answer, i < 3 ? "the other" : " 502 ");
		free(answer);
	}
	rung_server_destroy(server);
}

/* -- Unix sockets -------------------------------------------------------------------------------------------------------- */

static unsigned mode_of(const char *file)
{
	struct stat info;

	cr_assert(lstat(file, &info) == 0, "%s: %s", file, strerror(errno));
	return info.st_mode & 07777;
}

Test(listen, a_unix_socket_has_its_mode_whatever_the_umask)
{
	static const mode_t masks[] = { 0, 022, 0777 };

	for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
		mode_t before = umask(masks[i]);
		struct rung_server *server = serve((struct rung_server_options){ LISTEN(unix_text()) });

		ASSERT_INT(mode_of(path), 0660);
		rung_server_destroy(server);
		server = serve((struct rung_server_options){ LISTEN(unix_text()), .unix_mode = 0606 });
		ASSERT_INT(mode_of(path), 0606);
		rung_server_destroy(server);
		umask(before);
	}
}

Test(listen, a_socket_file_left_behind_is_replaced_and_a_live_one_refused)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int left = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	cr_assert(bind(left, (struct sockaddr *)&address, sizeof address) == 0);
	close(left);
	struct rung_server *server = serve((struct rung_server_options){ LISTEN(unix_text()) });
	expect_from(connect_unix(path), "200 OK");
	refused((struct rung_server_options){ LISTEN(unix_text()) }, "somebody serves on /tmp/rung-listen");
	expect_from(connect_unix(path), "200 OK");
	rung_server_destroy(server);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	refused((struct rung_server_options){ LISTEN(unix_text()) }, "is there and is no socket");
	cr_assert(access(path, F_OK) == 0, "it removed a file that is none of its");
}

Test(listen, a_file_that_somebody_else_put_there_stays)
{
	struct rung_server *server = serve((struct rung_server_options){ LISTEN(unix_text()) });

	cr_assert(unlink(path) == 0);
	struct rung_server *other = serve((struct rung_server_options){ LISTEN(unix_text()) });
	rung_server_destroy(server);
	expect_from(connect_unix(path), "200 OK");
	rung_server_destroy(other);
	cr_assert(access(path, F_OK) < 0);
}

Test(listen, loops_share_a_unix_socket)
{
	struct rung_server *server = serve((struct rung_server_options){ .loops = 3, LISTEN(unix_text()) });
	int clients[30];

	for (int i = 0; i < 30; i++) {
		clients[i] = connect_unix(path);
		cr_assert(send(clients[i], GET, strlen(GET), MSG_NOSIGNAL) > 0);
	}
	for (int i = 0; i < 30; i++) {
		char some[16];

		cr_assert(recv(clients[i], some, sizeof some, 0) > 0);
		close(clients[i]);
	}
	ASSERT_INT(rung_server_destroy(server), 0);
}

/* -- accepting -------------------------------------------------------------------------------------------------------- */

static bool answers(int fd, int ms)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	char text[16] = "";

	return poll(&ready, 1, ms) == 1 && recv(fd, text, 12, 0) == 12 && strcmp(text, "HTTP/1.1 200") == 0;
}

static void ask_on(int fd)
{
	cr_assert(fd >= 0 && send(fd, GET, strlen(GET), MSG_NOSIGNAL) > 0);
}

Test(listen, past_the_limit_connections_wait_until_one_closes)
{
	struct rung_server_options options = { .limits.connections = 2, LISTEN("127.0.0.1:0", unix_text()) };
	struct rung_server *server = serve(options);
	int clients[4];

	for (int i = 0; i < 4; i++) {
		clients[i] = i % 2 ? connect_unix(path) : connect_port(rung_server_port(server));
		ask_on(clients[i]);
		cr_assert(answers(clients[i], i < 2 ? 3000 : 200) == (i < 2), "client %d", i);
	}
	close(clients[0]);
	close(clients[1]);
	cr_assert(answers(clients[2], 3000) && answers(clients[3], 3000));
	close(clients[2]);
	close(clients[3]);
	rung_server_destroy(server);
}

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

enum { FEW = 200 };

/* Takes all that are left. */
static int eat_descriptors(int *eaten)
{
	int count = 0;

	while (count < FEW && (eaten[count] = fcntl(0, F_DUPFD_CLOEXEC, 0)) >= 0)
		count++;
	ASSERT_INT(errno, EMFILE);
	return count;
}

/* The clients have their descriptors before; what is missing is the server's. */
static void starve(struct rung_server *server, int served)
{
	const struct rlimit few = { FEW, FEW };
	int clients[5], eaten[FEW];

	for (int i = 0; i < 5; i++)
		clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(setrlimit(RLIMIT_NOFILE, &few) == 0);
	int count = eat_descriptors(eaten);
	double before = cpu_seconds();
	for (int i = 0; i < 5; i++) {
		const struct sockaddr_in address = { .sin_family = AF_INET,
			.sin_port = htons((uint16_t)rung_server_port(server)),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

		cr_assert(connect(clients[i], (const struct sockaddr *)&address, sizeof address) == 0);
		ask_on(clients[i]);
	}
	cr_assert(!answers(clients[0], 1000), "there is a descriptor left");
	cr_assert(cpu_seconds() - before < 0.2, "it spins: %g s of a second", cpu_seconds() - before);
	ASSERT_HAS(test_log(), "cannot accept connections: Too many open files");
	cr_assert_null(
		strstr(strstr(test_log(), "cannot accept") + 1, "cannot accept"), "told more than once");
	if (served >= 0) {
		/* Who is there is served all the while; when it goes, one of those who wait comes in at once. */
		ask_on(served);
		cr_assert(answers(served, 3000));
		close(served);
	}
	while (count)
		close(eaten[--count]);
	for (int i = 0; i < 5; i++) {
		cr_assert(answers(clients[i], 3000), "client %d is still not served", i);
		close(clients[i]);
	}
}

Test(listen, out_of_descriptors_it_waits_and_goes_on_when_they_return)
{
	struct rung_server *server = serve((struct rung_server_options){ 0 });

	starve(server, -1);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(listen, out_of_descriptors_the_others_are_served)
{
	struct rung_server *server = serve((struct rung_server_options){ .loops = 2 });
	int served = test_connect(server);

	ask_on(served);
	cr_assert(answers(served, 3000));
	free(test_read(served, 50, NULL));
	starve(server, served);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(listen, a_descriptor_that_comes_free_is_used_at_once)
{
	struct rung_server *server = serve((struct rung_server_options){ 0 });
	const struct rlimit few = { FEW, FEW };
	int first = test_connect(server), eaten[FEW];
	int waiting = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)rung_server_port(server)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	ask_on(first);
	cr_assert(answers(first, 3000));
	cr_assert(setrlimit(RLIMIT_NOFILE, &few) == 0);
	int count = eat_descriptors(eaten);
	cr_assert(connect(waiting, (const struct sockaddr *)&address, sizeof address) == 0);
	ask_on(waiting);
	cr_assert(!answers(waiting, 200));
	/* Its end here and its end there are two; we take ours again. */
	cr_assert(shutdown(first, SHUT_WR) == 0);
	cr_assert(answers(waiting, 3000));
	while (count)
		close(eaten[--count]);
	close(first);
	close(waiting);
	rung_server_destroy(server);
}

/* Connections that are gone before they are accepted, and many at a time. */
Test(listen, a_crowd_is_served)
{
	struct rung_server *server = serve((struct rung_server_options){ .loops = 2 });
	int clients[300];

	for (int i = 0; i < 300; i++) {
		const struct linger now = { 1, 0 };

		clients[i] = test_connect(server);
		if (i % 3 == 0) {
			setsockopt(clients[i], SOL_SOCKET, SO_LINGER, &now, sizeof now);
			close(clients[i]);
		} else {
			ask_on(clients[i]);
		}
	}
	for (int i = 0; i < 300; i++) {
		if (i % 3 == 0)
			continue;
		cr_assert(answers(clients[i], 3000), "client %d", i);
		close(clients[i]);
	}
	ASSERT_INT(rung_server_destroy(server), 0);
}

/* -- programs --------------------------------------------------------------------------------------------------------- */

Test(listen, flags_name_several_addresses)
{
	struct program subject = launch("subject",
		FLAGS("--port", "0", "--bind", "127.0.0.1", "--bind", "127.0.0.1:0", "--unix", path,
			"--unix-mode", "600"),
		NULL);
	unsigned one = ready_port(&subject), two = ready_port(&subject);
	char expected[256];

	snprintf(expected, sizeof expected, "listening on %s\n", unix_text());
	ASSERT_STR(ready_line(&subject), expected);
	ASSERT_INT(mode_of(path), 0600);
	expect_from(connect_port(one), "404 Not Found");
	expect_from(connect_port(two), "404 Not Found");
	expect_from(connect_unix(path), "404 Not Found");
	stop_program(&subject);
	cr_assert(access(path, F_OK) < 0);
}

Test(listen, a_unix_socket_alone_unless_a_port_is_named)
{
	struct program subject = launch("subject", FLAGS("--unix", path), NULL);

	ASSERT_HAS(ready_line(&subject), "listening on unix:");
	expect_from(connect_unix(path), "404 Not Found");
	stop_program(&subject);
	subject = launch("subject", FLAGS("--unix", path, "--port", "0"), NULL);
	cr_assert(ready_port(&subject) > 0);
	ASSERT_HAS(ready_line(&subject), "listening on unix:");
	stop_program(&subject);
}

Test(listen, bad_flags_are_refused)
{
	char out[256], err[512];

	ASSERT_INT(
		run_program("subject", FLAGS("--unix", path, "--unix-mode", "8"), out, err, sizeof out), 2);
	ASSERT_HAS(err, "--unix-mode \"8\" is no octal number from 0 to 0777");
	ASSERT_INT(run_program("subject", FLAGS("--bind", "127.0.0.1:99999"), out, err, sizeof out), 1);
	ASSERT_HAS(err, "there is no port \"99999\"");
}
