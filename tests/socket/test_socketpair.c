/* test_socketpair.c: the real parser without a port: rung_server_add() on one end of a socketpair. */
#include "support.h"

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
