/* test_takeover.c: listening sockets that come from outside: lent by whoever starts the server, and handed from one process
 * to the next while clients ask. */
#include "load.h"
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64], control[128], local[128], local_text[160];

static void make_folder(void)
{
	strcpy(folder, "/tmp/rung-takeover-XXXXXX");
	cr_assert(mkdtemp(folder) != NULL);
	snprintf(control, sizeof control, "%s/control", folder);
	snprintf(local, sizeof local, "%s/app.sock", folder);
	snprintf(local_text, sizeof local_text, "unix:%s", local);
}

/* Whatever names a socket had meanwhile, none may be left. */
static void remove_folder(void)
{
	cr_assert(rmdir(folder) == 0, "%s: %s", folder, strerror(errno));
	test_check_leaks();
}

TestSuite(takeover, .init = make_folder, .fini = remove_folder);

#define GET       "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
#define GET_CLOSE "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

static int one(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_text(res, 200, "one");
}

static int two(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_text(res, 200, "two");
}

static void expect_from(int fd, const char *part)
{
	cr_assert(fd >= 0, "cannot connect: %s", strerror(errno));
	cr_assert(send(fd, GET_CLOSE, strlen(GET_CLOSE), MSG_NOSIGNAL) > 0);
	char *answer = test_read(fd, 3000, NULL);
	ASSERT_HAS(answer, part);
	free(answer);
	close(fd);
}

static void refused(struct rung_server_options options, const char *message)
{
	options.size = sizeof options;
	options.app = rung_run(one);
	cr_assert_null(rung_server_open(&options));
	ASSERT_HAS(rung_error(), message);
}

/* -- lent ----------------------------------------------------------------------------------------------------------------- */

static int listen_tcp(unsigned *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	cr_assert(bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 100) == 0 &&
		  getsockname(fd, (struct sockaddr *)&address, &size) == 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static int listen_local(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, local);
	cr_assert(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 100) == 0);
	return fd;
}

/* The lender keeps his: what comes between two servers waits for the second. */
Test(takeover, lent_sockets_serve_and_outlive_the_server)
{
	unsigned port;
	int tcp = listen_tcp(&port), unix_fd = listen_local();

	for (unsigned loops = 1; loops <= 3; loops++) {
		const int fds[] = { fcntl(tcp, F_DUPFD_CLOEXEC, 0), fcntl(unix_fd, F_DUPFD_CLOEXEC, 0), -1 };
		int before = connect_port(port), before_local = connect_unix(local);
		struct rung_server *server = test_server(
			rung_run(one), (struct rung_server_options){ .loops = loops, .inherit = fds });

		ASSERT_INT(rung_server_port(server), port);
		ASSERT_STR(rung_server_urls(server)[1], local_text);
		cr_assert_null(rung_server_urls(server)[2]);
		expect_from(before, "one");
		expect_from(before_local, "one");
		expect_from(connect_port(port), "one");
		ASSERT_INT(rung_server_destroy(server), 0);
		cr_assert(access(local, F_OK) == 0, "it removed a file that is the lender's");
	}
	close(tcp);
	close(unix_fd);
	unlink(local);
}

Test(takeover, lent_sockets_stand_for_their_addresses)
{
	unsigned port;
	const int fds[] = { listen_tcp(&port), -1 };
	char text[32];

	snprintf(text, sizeof text, "127.0.0.1:%u", port);
	struct rung_server *server = test_server(rung_run(one),
		(struct rung_server_options){ .inherit = fds, .listen = FLAGS("127.0.0.2:0", text) });
	ASSERT_HAS(rung_server_urls(server)[0], "http://127.0.0.2:");
	ASSERT_HAS(rung_server_urls(server)[1], text);
	cr_assert_null(rung_server_urls(server)[2]);
	expect_from(connect_port(port), "one");
	rung_server_destroy(server);
	/* It was taken, so the port is free. */
	server = test_server(rung_run(one), (struct rung_server_options){ .port = port });
	rung_server_destroy(server);
}

Test(takeover, what_is_no_listening_socket_is_refused_and_closed)
{
	int pair[2], plain = open("/dev/null", O_RDONLY | O_CLOEXEC);
	unsigned port;
	int tcp = listen_tcp(&port);

	cr_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	refused((struct rung_server_options){ .inherit = (const int[]){ tcp, plain, pair[0], -1 } },
		"is no listening stream socket");
	ASSERT_INT(fcntl(tcp, F_GETFD), -1);
	ASSERT_INT(fcntl(plain, F_GETFD), -1);
	ASSERT_INT(fcntl(pair[0], F_GETFD), -1);
	refused((struct rung_server_options){ .inherit = (const int[]){ listen_tcp(&port), -1 },
			.loops = 5000 },
		"5000 loops");
	ASSERT_INT(connect_port(port), -1);
	refused((struct rung_server_options){ .inherit =
						      (const int[]){ socket(AF_INET, SOCK_STREAM, 0), -1 } },
		"is no listening stream socket");
	close(pair[1]);
}

/* As systemd starts a program: descriptors from 3 on, and variables that tell of them. */
static void launch_activated(int fd, int out, long pid_offset)
{
	char path[512], pid[16];
	char *argv[] = { path, NULL };

	snprintf(path, sizeof path, "%s/subject", TESTS_DIR);
	snprintf(pid, sizeof pid, "%ld", (long)getpid() + pid_offset);
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("PORT", "0", 1);
	dup2(out, 1);
	/* Last, since any of those may be it. */
	if (dup2(fd, 3) == 3)
		fcntl(3, F_SETFD, 0);
	execv(path, argv);
	_exit(127);
}

static struct program activate(int fd, long pid_offset)
{
	struct program program = { .err = -1 };
	int out[2];

	cr_assert(pipe2(out, O_CLOEXEC) == 0);
	program.pid = fork();
	cr_assert(program.pid >= 0);
	if (program.pid == 0)
		launch_activated(fd, out[1], pid_offset);
	close(out[1]);
	program.out = out[0];
	return program;
}

Test(takeover, programs_take_what_systemd_leaves_them)
{
	unsigned port;
	int tcp = listen_tcp(&port);
	struct program subject = activate(tcp, 0);

	ASSERT_INT(ready_port(&subject), port);
	expect_from(connect_port(port), "hello");
	stop_program(&subject);
	int between = connect_port(port);
	subject = activate(tcp, 0);
	ASSERT_INT(ready_port(&subject), port);
	expect_from(between, "hello");
	stop_program(&subject);
	/* For another process they are none of its business. */
	subject = activate(tcp, 1);
	cr_assert(ready_port(&subject) != port);
	stop_program(&subject);
	close(tcp);
}

Test(takeover, with_systemds_own_launcher)
{
	static const char launcher[] = "/usr/bin/systemd-socket-activate";
	char address[32];
	unsigned port;

	if (access(launcher, X_OK) < 0)
		cr_skip("there is no systemd-socket-activate here");
	close(listen_tcp(&port)); /* free a moment ago */
	snprintf(address, sizeof address, "127.0.0.1:%u", port);
	pid_t pid = fork();
	if (pid == 0) {
		execl(launcher, launcher, "-l", address, TESTS_DIR "/subject", "--quiet", (char *)NULL);
		_exit(127);
	}
	int fd = -1;
	for (int i = 0; i < 300 && (fd = connect_port(port)) < 0; i++)
		usleep(10000);
	expect_from(fd, "hello");
	int status;
	kill(pid, SIGTERM);
	cr_assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* -- handed over ---------------------------------------------------------------------------------------------------------- */

static void note(void *data)
{
	atomic_fetch_add((atomic_int *)data, 1);
}

static void wait_until(atomic_int *what, int least)
{
	for (int i = 0; i < 500 && atomic_load(what) < least; i++)
		usleep(10000);
	cr_assert(atomic_load(what) >= least, "it did not happen within 5 s");
}

Test(takeover, sockets_go_to_the_next_server_whatever_their_loops)
{
	static const unsigned loops[] = { 1, 3, 2, 2, 1 };
	struct rung_server *servers[5] = { NULL };
	static atomic_int handed[5];
	unsigned port = 0;
	struct stat info;

	for (int i = 0; i < 5; i++) {
		struct rung_server_options options = { .loops = loops[i],
			.listen = FLAGS("127.0.0.1:0", local_text),
			.takeover = control,
			.on_handed_over = note,
			.on_handed_over_data = &handed[i] };

		servers[i] = test_server(rung_run(i % 2 ? two : one), options);
		cr_assert(lstat(control, &info) == 0 && (info.st_mode & 0777) == 0600);
		if (i == 0)
			port = rung_server_port(servers[0]);
		ASSERT_INT(rung_server_port(servers[i]), port);
		if (i) {
			wait_until(&handed[i - 1], 1);
			ASSERT_INT(rung_server_destroy(servers[i - 1]), 0);
		}
		for (int j = 0; j < 10; j++) {
			expect_from(connect_port(port), i % 2 ? "two" : "one");
			expect_from(connect_unix(local), i % 2 ? "two" : "one");
		}
	}
	ASSERT_INT(rung_server_destroy(servers[4]), 0);
	ASSERT_INT(connect_port(port), -1);
}

/* What the next one does not want is closed by the old, and what only the next one wants is opened. */
Test(takeover, addresses_may_change)
{
	static atomic_int handed;
	struct rung_server *old = test_server(rung_run(one),
		(struct rung_server_options){ .listen = FLAGS("127.0.0.1:0", "127.0.0.2:0", local_text),
			.takeover = control,
			.on_handed_over = note,
			.on_handed_over_data = &handed });
	unsigned kept = rung_server_port(old);
	char text[32];
	unsigned dropped = (unsigned)strtoul(strrchr(rung_server_urls(old)[1], ':') + 1, NULL, 10);

	/* Its own address: the port may be another program's on 127.0.0.1. */
	expect_from(connect_host("127.0.0.2", dropped), "one");
	snprintf(text, sizeof text, "127.0.0.1:%u", kept);
	struct rung_server *next = test_server(rung_run(two),
		(struct rung_server_options){ .listen = FLAGS(text, "127.0.0.3:0"), .takeover = control });
	wait_until(&handed, 1);
	ASSERT_INT(rung_server_destroy(old), 0);
	expect_from(connect_port(kept), "two");
	cr_assert(access(local, F_OK) < 0, "the file of a socket that nobody serves is left");
	ASSERT_INT(connect_host("127.0.0.2", dropped), -1);
	ASSERT_INT(rung_server_destroy(next), 0);
}

static int refuse_to_start(struct rung_app *app, const struct rung_setup *setup)
{
	(void)app, (void)setup;
	return rung_refuse(-EIO, "broken: it does not start");
}

static const struct rung_app_class broken_class = {
	.name = "broken", .size = sizeof(struct rung_app), .call = one, .start = refuse_to_start
};

Test(takeover, a_next_one_that_does_not_start_changes_nothing)
{
	static atomic_int handed;
	struct rung_server *old = test_server(
		rung_run(one), (struct rung_server_options){ .listen = FLAGS("127.0.0.1:0", local_text),
				       .takeover = control,
				       .on_handed_over = note,
				       .on_handed_over_data = &handed });

	for (int i = 0; i < 3; i++) {
		cr_assert_null(rung_server_new(rung_app_new(&broken_class),
			.listen = FLAGS("127.0.0.1:0", local_text), .takeover = control));
		ASSERT_HAS(rung_error(), "broken: it does not start");
		expect_from(connect_port(rung_server_port(old)), "one");
		expect_from(connect_unix(local), "one");
	}
	ASSERT_INT(atomic_load(&handed), 0);
	/* A proper one still can. */
	struct rung_server *next = test_server(
		rung_run(two), (struct rung_server_options){
				       .listen = FLAGS("127.0.0.1:0", local_text), .takeover = control });
	wait_until(&handed, 1);
	rung_server_destroy(old);
	expect_from(connect_unix(local), "two");
	rung_server_destroy(next);
}

static int connect_control(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, control);
	cr_assert(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "%s", strerror(errno));
	return fd;
}

/* Somebody takes the sockets and says nothing: it ends all the same, and he may have served. */
Test(takeover, silence_nonsense_and_an_end_meanwhile)
{
	struct rung_server *server =
		test_server(rung_run(one), (struct rung_server_options){ .takeover = control });
	char text[256];

	for (int i = 0; i < 3; i++) {
		int fd = connect_control();

		cr_assert(recv(fd, text, sizeof text, 0) > 0);
		if (i)
			cr_assert(send(fd, text, i == 1 ? 3 : 24, MSG_NOSIGNAL) > 0);
		close(fd);
		expect_from(connect_port(rung_server_port(server)), "one");
	}
	int silent = connect_control();
	cr_assert(recv(silent, text, sizeof text, 0) > 0);
	expect_from(connect_port(rung_server_port(server)), "one");
	ASSERT_INT(rung_server_destroy(server), 0);
	close(silent);
	cr_assert(access(control, F_OK) < 0);
}

Test(takeover, bad_paths_are_refused)
{
	char path[200], wrong[160];
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memset(path, 'x', 120);
	path[120] = '\0';
	refused((struct rung_server_options){ .takeover = path },
		"the path to take over by has 1 to 91 bytes");
	refused((struct rung_server_options){ .takeover = "" }, "the path to take over by has 1 to 91 bytes");
	refused((struct rung_server_options){ .takeover = "/nonexistent/x" }, "No such file or directory");
	close(open(control, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	refused((struct rung_server_options){ .takeover = control }, "it is there and is no socket");
	cr_assert(unlink(control) == 0);
	snprintf(wrong, sizeof wrong, "%s/wrong", folder);
	strcpy(address.sun_path, wrong);
	cr_assert(bind(other, (struct sockaddr *)&address, sizeof address) == 0 && listen(other, 1) == 0);
	refused((struct rung_server_options){ .takeover = wrong }, "what answers there is no such server");
	close(other);
	/* One that is left behind is nobody's. */
	struct rung_server *server =
		test_server(rung_run(one), (struct rung_server_options){ .takeover = wrong });
	rung_server_destroy(server);
}

/* -- programs under load ---------------------------------------------------------------------------------------------------- */

static struct program launch_next(unsigned port, const char *loops)
{
	const char *workers = getenv("TEST_WORKERS");
	char text[16];

	snprintf(text, sizeof text, "%u", port);
	return launch("subject",
		FLAGS("--port", text, "--quiet", "--takeover", control, "--loops", loops, "--workers",
			workers && *workers ? workers : "0"),
		NULL);
}

Test(takeover, under_load_no_request_is_lost, .timeout = 110)
{
	static const char *const loops[] = { "2", "2", "1", "3" };
	static struct load load;
	struct program old = launch_next(0, "2");
	unsigned port = ready_port(&old);

	load_start(&load, port, 8, 8);
	for (int i = 0; i < 12; i++) {
		char err[512];

		usleep(100000);
		struct program next = launch_next(port, loops[i % 4]);
		ASSERT_INT(ready_port(&next), port);
		read_text(old.err, err, sizeof err, false);
		ASSERT_STR(err, "rung: another process has taken over\n");
		ASSERT_INT(exit_status(&old), 0);
		old = next;
	}
	usleep(100000);
	unsigned refused_times = atomic_load(&load.no_server);
	load_expect_no_loss(&load, 200);
	ASSERT_INT(refused_times, 0);
	stop_program(&old);
}

/* One that dies leaves the old one serving, if it was not ready yet; if it was, the old one ends as it should. */
Test(takeover, one_that_is_killed_on_the_way_changes_nothing, .timeout = 110)
{
	struct program old = launch_next(0, "2");
	unsigned port = ready_port(&old), survived = 0;
	char command[160];

	for (unsigned i = 0; i < 30; i++) {
		struct program next = launch_next(port, "2");

		usleep(i * 400);
		kill(next.pid, SIGKILL);
		ASSERT_INT(exit_status(&next), -SIGKILL);
		usleep(50000);
		int fd = connect_port(port);
		if (fd >= 0) {
			survived++;
			expect_from(fd, "hello");
			continue;
		}
		ASSERT_INT(exit_status(&old), 0);
		old = launch_next(port, "2");
		ready_port(&old);
	}
	cr_assert(survived > 0);
	stop_program(&old);
	/* What the killed ones had not named as they wanted yet. */
	snprintf(command, sizeof command, "rm -f %s.*", control);
	ASSERT_INT(system(command), 0);
}
