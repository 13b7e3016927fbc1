/* test_socketpair.c: the real parser without a port: rung_server_add() on one end of a socketpair. */
#include "support.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

SUITE(socketpair);

static int tell(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return rung_reply_textf(
		res, 200, "%s %s from %s", env->method, env->path_info, rung_remote_address(env));
}

static int open_pair(struct rung_server *server)
{
	int pair[2];

	cr_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	ASSERT_INT(rung_server_add(server, pair[1]), 0);
	return pair[0];
}

static char *talk(int fd, const char *text)
{
	cr_assert(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
	return test_read(fd, 200, NULL);
}

Test(socketpair, a_request_goes_through_the_real_parser)
{
	struct rung_server *server = test_server(rung_run(tell), (struct rung_server_options){ .loops = 2 });
	int one = open_pair(server), two = open_pair(server);
	char *answer = talk(one, "GET /one HTTP/1.1\r\nHost: h\r\n\r\n");

	ASSERT_HAS(answer, "GET /one from unix:");
	free(answer);
	answer = talk(two, "GET /two HTTP/1.1\r\nHost: h\r\n\r\n");
	ASSERT_HAS(answer, "GET /two from unix:");
	free(answer);
	answer = talk(one, "GET /again HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	ASSERT_HAS(answer, "GET /again from unix:");
	free(answer);
	close(one);
	close(two);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(socketpair, bytes_may_come_one_by_one)
{
	struct rung_server *server = test_server(rung_run(tell), (struct rung_server_options){ 0 });
	int fd = open_pair(server);
	const char *request = "GET /slow?x HTTP/1.1\r\nHost: h\r\n\r\n";

	for (const char *at = request; *at; at++)
		cr_assert(send(fd, at, 1, MSG_NOSIGNAL) == 1);
	char *answer = test_read(fd, 200, NULL);
	ASSERT_HAS(answer, "GET /slow from unix:");
	free(answer);
	close(fd);
	rung_server_destroy(server);
}

Test(socketpair, a_client_that_leaves_in_the_middle_leaves_nothing_behind)
{
	static const char *const halves[] = { "", "G", "GET / HT", "GET / HTTP/1.1\r\nHost: h\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe" };
	struct rung_server *server = test_server(rung_run(tell), (struct rung_server_options){ 0 });

	for (size_t i = 0; i < sizeof halves / sizeof *halves; i++) {
		int fd = open_pair(server);

		cr_assert(send(fd, halves[i], strlen(halves[i]), MSG_NOSIGNAL) == (ssize_t)strlen(halves[i]));
		close(fd);
	}
	int fd = open_pair(server);
	char *answer = talk(fd, "GET /fine HTTP/1.1\r\nHost: h\r\n\r\n");
	ASSERT_HAS(answer, "GET /fine");
	free(answer);
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
}

/* -- leaving ------------------------------------------------------------------------------------------------------- */

static atomic_bool is_held, may_go_on;

static int hold(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	if (strcmp(env->path_info, "/hold") != 0)
		return tell(self, env, res);
	atomic_store(&is_held, true);
	while (!atomic_load(&may_go_on))
		usleep(1000);
	return rung_reply_text(res, 200, "held");
}

/* While the loop is held, `text` comes to a connection that it knows, and with it the end of what the client sends. */
static void send_with_end(struct rung_server *server, const char *text, const char *expected)
{
	int holder = open_pair(server), fd = open_pair(server);
	const char *request = "GET /first HTTP/1.1\r\nHost: h\r\n\r\n";
	char *answer = talk(fd, request);

	ASSERT_HAS(answer, "GET /first");
	free(answer);
	atomic_store(&is_held, false);
	atomic_store(&may_go_on, false);
	request = "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n";
	cr_assert(send(holder, request, strlen(request), MSG_NOSIGNAL) > 0);
	while (!atomic_load(&is_held))
		usleep(1000);
	cr_assert(!*text || send(fd, text, strlen(text), MSG_NOSIGNAL) > 0);
	cr_assert(shutdown(fd, SHUT_WR) == 0);
	atomic_store(&may_go_on, true);
	/* To the end of the connection. */
	struct pollfd ready = { .fd = fd, .events = POLLRDHUP };
	cr_assert(poll(&ready, 1, 5000) == 1 && ready.revents & POLLRDHUP, "%s: the connection stays", text);
	answer = test_read(fd, 1000, NULL);
	ASSERT_HAS(answer, expected);
	free(answer);
	close(fd);
	close(holder);
}

Test(socketpair, an_end_that_comes_with_the_last_bytes_is_seen)
{
	struct rung_server *server = test_server(rung_run(hold), (struct rung_server_options){ .loops = 1 });

	for (int i = 0; i < 3; i++) {
		send_with_end(server, "", "");
		send_with_end(server, "GE", "");
		send_with_end(server, "GET / HTTP/1.1\r\n", "");
		send_with_end(server, "GET / HTTP/1.1\r\nHost: h\r\n", "");
		send_with_end(server, "GET /last HTTP/1.1\r\nHost: h\r\n\r\n", "GET /last");
		send_with_end(server, "GET /last HTTP/1.1\r\nHost: h\r\n\r\nGET", "GET /last");
		send_with_end(server, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na", "");
		send_with_end(server, "POST /last HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
			"POST /last");
	}
	ASSERT_INT(rung_server_destroy(server), 0);
}
