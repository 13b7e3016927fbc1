/* test_drain.c: a server that ends loses nothing: what is in flight, what waits to be accepted, what comes meanwhile. */
#include "load.h"
#include "program.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

SUITE(drain);

#define GET       "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
#define GET_SLEEP "GET /sleep HTTP/1.1\r\nHost: h\r\n\r\n"

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Holds its loop, or a worker. */
static int hello_or_sleep(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	if (strcmp(env->path_info, "/sleep") == 0)
		usleep(300000);
	return rung_reply_text(res, 200, "hello");
}

static ssize_t never(struct rung_source *source, void *buffer, size_t max)
{
	(void)source, (void)buffer, (void)max;
	return -EAGAIN;
}

static int endless(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	static struct rung_source source = { .read = never };

	(void)self, (void)env;
	return rung_reply_pull(res, 200, "text/plain", &source, -1);
}

static void put(int fd, const char *text)
{
	cr_assert(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text), "%s", strerror(errno));
}

/* A whole answer that says so and is followed by the end. */
static void expect_last_answer(int fd)
{
	char *answer = test_read(fd, 3000, NULL);
	char byte;

	ASSERT_HAS(answer, "HTTP/1.1 200 OK\r\n");
	ASSERT_HAS(answer, "Connection: close\r\n");
	ASSERT_HAS(answer, "\r\n\r\nhello");
	ASSERT_INT(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
	free(answer);
	close(fd);
}

static void expect_answer(int fd)
{
	char *answer = test_read(fd, 100, NULL);

	ASSERT_HAS(answer, "HTTP/1.1 200 OK\r\n");
	free(answer);
}

static int used_connection(struct rung_server *server)
{
	int fd = test_connect(server);

	put(fd, GET);
	expect_answer(fd);
	return fd;
}

/* -- idle connections ------------------------------------------------------------------------------------------------- */

Test(drain, a_request_on_an_idle_connection_is_still_answered)
{
	struct rung_server *server = test_server(rung_run(hello_or_sleep), (struct rung_server_options){ 0 });
	int used = used_connection(server), fresh = test_connect(server);

	usleep(50000);
	rung_server_drain(server);
	usleep(100000);
	cr_assert(!rung_server_has_ended(server));
	put(used, GET);
	put(fresh, GET);
	expect_last_answer(used);
	expect_last_answer(fresh);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(drain, an_idle_connection_ends_after_a_moment_and_without_a_reset)
{
	struct rung_server *server = test_server(rung_run(hello_or_sleep), (struct rung_server_options){ 0 });
	int used = used_connection(server), fresh = test_connect(server);
	int64_t begun = now_ms();
	char byte;

	ASSERT_INT(rung_server_destroy(server), 0);
	int64_t took = now_ms() - begun;
	cr_assert(took >= 400 && took < 3000, "%lld ms", (long long)took);
	ASSERT_INT(recv(used, &byte, 1, MSG_DONTWAIT), 0);
	ASSERT_INT(recv(fresh, &byte, 1, MSG_DONTWAIT), 0);
	close(used);
	close(fresh);
}

Test(drain, half_a_head_is_waited_for)
{
	struct rung_server *server = test_server(rung_run(hello_or_sleep), (struct rung_server_options){ 0 });
	int slow = test_connect(server);

	put(slow, "GET / HTTP/1.1\r\n");
	usleep(20000);
	rung_server_drain(server);
	usleep(350000);
	put(slow, "Host: h\r\n");
	usleep(350000);
	put(slow, "\r\n");
	expect_last_answer(slow);
	ASSERT_INT(rung_server_destroy(server), 0);
}

/* -- connections that nobody has accepted yet ------------------------------------------------------------------------------ */

Test(drain, what_waits_in_the_kernel_is_answered)
{
	struct rung_server *server = test_server(rung_run(hello_or_sleep), (struct rung_server_options){ 0 });
	int busy = test_connect(server), waiting[5];

	put(busy, GET_SLEEP);
	usleep(50000);
	for (int i = 0; i < 5; i++) {
		waiting[i] = test_connect(server);
		put(waiting[i], GET);
	}
	rung_server_drain(server);
	expect_last_answer(busy);
	for (int i = 0; i < 5; i++)
		expect_last_answer(waiting[i]);
	ASSERT_INT(rung_server_destroy(server), 0);
}

/* More than there is room for: they come in one after the other. */
Test(drain, also_past_the_limit_of_connections)
{
	struct rung_server *server = test_server(
		rung_run(hello_or_sleep), (struct rung_server_options){ .limits.connections = 1 });
	int busy = test_connect(server), waiting[3];

	put(busy, GET_SLEEP);
	usleep(50000);
	for (int i = 0; i < 3; i++) {
		waiting[i] = test_connect(server);
		put(waiting[i], GET);
	}
	rung_server_drain(server);
	expect_last_answer(busy);
	for (int i = 0; i < 3; i++)
		expect_last_answer(waiting[i]);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(drain, nobody_new_comes_in)
{
	char folder[] = "/tmp/rung-drain-XXXXXX", path[64], text[80];

	cr_assert(mkdtemp(folder) != NULL);
	snprintf(path, sizeof path, "%s/s", folder);
	snprintf(text, sizeof text, "unix:%s", path);
	struct rung_server *server = test_server(
		rung_run(endless), (struct rung_server_options){ .listen = FLAGS("127.0.0.1:0", text) });
	int busy = test_connect(server);
	unsigned port = rung_server_port(server);

	put(busy, GET);
	usleep(50000);
	rung_server_drain(server);
	int fd = -1;
	for (int i = 0; i < 300 && (i == 0 || fd >= 0); i++) {
		usleep(10000);
		fd = connect_port(port);
		int err = errno;
		if (fd >= 0)
			close(fd);
		errno = err;
	}
	ASSERT_INT(fd, -1);
	ASSERT_INT(errno, ECONNREFUSED);
	cr_assert(!rung_server_has_ended(server));
	ASSERT_INT(connect_unix(path), -1);
	ASSERT_INT(errno, ENOENT);
	/* The port is free for who comes next. */
	struct rung_server *next =
		test_server(rung_run(hello_or_sleep), (struct rung_server_options){ .port = port });
	rung_server_destroy(next);
	rung_server_cut(server);
	ASSERT_INT(rung_server_destroy(server), 1);
	close(busy);
	rmdir(folder);
}

/* -- hurry ---------------------------------------------------------------------------------------------------------------- */

Test(drain, a_cut_ends_it_at_once)
{
	struct rung_server *server = test_server(rung_run(endless), (struct rung_server_options){ 0 });
	int busy = test_connect(server);

	put(busy, GET);
	usleep(50000);
	rung_server_drain(server);
	usleep(100000);
	cr_assert(!rung_server_has_ended(server));
	int64_t begun = now_ms();
	rung_server_cut(server);
	ASSERT_INT(rung_server_destroy(server), 1);
	cr_assert(now_ms() - begun < 1000, "%lld ms", (long long)(now_ms() - begun));
	close(busy);
}

static ssize_t plenty(struct rung_source *source, void *buffer, size_t max)
{
	(void)source;
	memset(buffer, 'x', max);
	return (ssize_t)max;
}

static atomic_uint finished;

static void note_finish(const struct rung_env *env, const struct rung_finish *finish, void *data)
{
	(void)env, (void)data;
	usleep(50000); /* hooks may wait, with workers */
	atomic_fetch_add(&finished, finish->outcome == RUNG_ABORTED);
}

static int flood(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	static struct rung_source source = { .read = plenty };

	(void)self;
	rung_on_finish(env, note_finish, NULL);
	return rung_reply_pull(res, 200, "text/plain", &source, -1);
}

/* Nothing of it waits for anything but the client. */
Test(drain, a_cut_also_finishes_who_does_not_read)
{
	struct rung_server *server = test_server(rung_run(flood), (struct rung_server_options){ 0 });
	int idle[3];

	for (int i = 0; i < 3; i++) {
		idle[i] = test_connect(server);
		put(idle[i], GET);
	}
	usleep(200000);
	rung_server_drain(server);
	usleep(100000);
	rung_server_cut(server);
	ASSERT_INT(rung_server_destroy(server), 3);
	ASSERT_INT(atomic_load(&finished), 3);
	for (int i = 0; i < 3; i++)
		close(idle[i]);
}

#define GET_SLOW "GET /slow?1000 HTTP/1.1\r\nHost: h\r\n\r\n"
#define GET_HANG "GET /hang HTTP/1.1\r\nHost: h\r\n\r\n"

static struct program launch_subject(const char *port)
{
	const char *workers = getenv("TEST_WORKERS");

	return launch("subject",
		FLAGS("--port", port, "--quiet", "--workers", workers && *workers ? workers : "0"), NULL);
}

/* Asks, signals twice, and says how long the end took. */
static int64_t stop_twice(
	struct program *subject, const char *request, int *ret_status, char *err, size_t room)
{
	int fd = connect_port(ready_port(subject));

	put(fd, request);
	usleep(100000);
	kill(subject->pid, SIGTERM);
	usleep(200000);
	int64_t begun = now_ms();
	kill(subject->pid, SIGINT);
	read_text(subject->err, err, room, false);
	*ret_status = exit_status(subject);
	close(fd);
	return now_ms() - begun;
}

Test(drain, a_second_signal_cuts_and_the_status_is_0)
{
	struct program subject = launch_subject("0");
	char err[8192];
	int status;
	int64_t took = stop_twice(&subject, GET_SLOW, &status, err, sizeof err);

	ASSERT_HAS(err, "subject: 1 requests were cut\n");
	cr_assert(status == 0, "status %d: %s", status, err);
	cr_assert(took < 1500, "%lld ms", (long long)took);
}

Test(drain, a_handler_that_never_returns_is_left_after_a_second_signal)
{
	struct program subject = launch_subject("0");
	char err[512];
	int status;
	int64_t took = stop_twice(&subject, GET_HANG, &status, err, sizeof err);

	ASSERT_INT(status, 1);
	ASSERT_HAS(err, "subject: a handler does not return; left without it\n");
	cr_assert(took < 6000, "%lld ms", (long long)took);
}

/* -- restarts -------------------------------------------------------------------------------------------------------------- */

Test(drain, fifty_restarts_under_load_cut_nothing, .timeout = 110)
{
	struct program subject = launch_subject("0");
	static struct load load;
	char port[16];

	snprintf(port, sizeof port, "%u", ready_port(&subject));
	load_start(&load, (unsigned)atoi(port), 4, 4);
	for (int i = 0; i < 50; i++) {
		usleep(20000 + (unsigned)i * 1000);
		kill(subject.pid, SIGTERM);
		char err[512];
		read_text(subject.err, err, sizeof err, false);
		ASSERT_INT(exit_status(&subject), 0);
		ASSERT_STR(err, "");
		subject = launch_subject(port);
		ready_port(&subject);
	}
	usleep(50000);
	load_expect_no_loss(&load, 200);
	stop_program(&subject);
}
