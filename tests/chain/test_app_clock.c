/* test_app_clock.c: the gallery's clock: what a watcher gets, in-process and, several at once, over sockets. */
#include "support.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

SUITE(app_clock);

int clock_main(int argc, char **argv);

/* Reads the stream until `part` has come; at most some seconds of it. */
static void read_until(struct rung_client *client, char *text, size_t room, const char *part)
{
	size_t size = 0;

	text[0] = '\0';
	while (!strstr(text, part)) {
		ssize_t n = rung_client_read(client, text + size, room - size - 1);

		if (n == -EAGAIN) {
			cr_assert(rung_client_wait(client, 5000) == 0, "nothing came behind %s", text);
			continue;
		}
		cr_assert(n > 0, "the stream ended: %s", text);
		size += (size_t)n;
		text[size] = '\0';
	}
}

Test(app_clock, a_watcher_gets_ticks)
{
	const struct rung_setup setup = { .size = sizeof setup, .quiet = true };
	struct rung_client *client = test_client_with(rung_main_stack(clock_main, "clock"), &setup);
	const struct rung_reply *reply = rung_client_start(
		client, &(const struct rung_client_request){
				.size = sizeof(struct rung_client_request), .target = "/events" });
	char text[4096];

	ASSERT_INT(reply->status, 200);
	ASSERT_STR(rung_reply_header(reply, "Content-Type"), "text/event-stream");
	ASSERT_STR(rung_reply_header(reply, "Cache-Control"), "no-cache");
	read_until(client, text, sizeof text, " 1\n\n");
	ASSERT_HAS(text, "retry: 2000\n");
	cr_assert_null(strstr(text, "missed"));
	ASSERT_HAS(text, "event: tick\nid: ");
	rung_client_abort(client);
	ASSERT_HAS(rung_client_get(client, "/")->body, "new EventSource('events')");
	rung_client_destroy(client);
}

Test(app_clock, who_was_away_is_told)
{
	const struct rung_setup setup = { .size = sizeof setup, .quiet = true };
	struct rung_client *client = test_client_with(rung_main_stack(clock_main, "clock"), &setup);
	const struct rung_field away[] = { { .name = "Last-Event-ID", .value = "1700000000" }, { 0 } };
	char text[4096];

	rung_client_start(client,
		&(const struct rung_client_request){
			.size = sizeof(struct rung_client_request), .target = "/events", .headers = away });
	read_until(client, text, sizeof text, "event: tick");
	ASSERT_HAS(text, "event: missed\nretry: 2000\ndata: ");
	rung_client_destroy(client);
}

static void expect_part(int fd, const char *part)
{
	char text[8192] = "";
	size_t size = 0;

	while (!strstr(text, part)) {
		struct timeval patience = { .tv_sec = 10 };

		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
		ssize_t n = recv(fd, text + size, sizeof text - 1 - size, 0);
		cr_assert(n > 0, "waiting for %s, %s came", part, text);
		size += (size_t)n;
		text[size] = '\0';
	}
}

Test(app_clock, several_watch_and_one_leaves)
{
	struct rung_server *server =
		test_server(rung_main_stack(clock_main, "clock"), (struct rung_server_options){ 0 });
	int fds[3];

	for (int i = 0; i < 3; i++) {
		fds[i] = test_connect(server);
		cr_assert(send(fds[i], "GET /events HTTP/1.1\r\nHost: h\r\n\r\n", 34, MSG_NOSIGNAL) == 34);
	}
	for (int i = 0; i < 3; i++)
		expect_part(fds[i], " 3\n\n");
	close(fds[0]);
	expect_part(fds[1], " 2\n\n");
	/* The server stops and says so: nothing is cut. */
	ASSERT_INT(rung_server_destroy(server), 0);
	expect_part(fds[2], "\r\n0\r\n\r\n");
	close(fds[1]);
	close(fds[2]);
}
