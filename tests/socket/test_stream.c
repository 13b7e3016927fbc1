/* test_stream.c: bodies that say "not yet", over real connections: woken from other threads, left by their clients, ended by a
 * stop, and a thousand at once. */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

SUITE(stream);

#define GET "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

static int ask(struct rung_server *server)
{
	int fd = test_connect(server);

	cr_assert(send(fd, GET, strlen(GET), MSG_NOSIGNAL) == (ssize_t)strlen(GET));
	return fd;
}

/* Reads until `part` has come. */
static void expect_part(int fd, const char *part)
{
	char text[4096] = "";
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

static void wait_for(atomic_int *value, int wanted)
{
	for (int i = 0; i < 2000 && atomic_load(value) < wanted; i++)
		usleep(5 * 1000);
	ASSERT_INT(atomic_load(value), wanted);
}

/* -- pipes ----------------------------------------------------------------------------------------------------------- */

enum { MOST_PIPES = 1100 };
static struct rung_pipe *pipes[MOST_PIPES];
static atomic_int pipe_count, ended;
static bool is_endless = true;

static void note_end(const struct rung_env *env, const struct rung_finish *finish, void *data)
{
	(void)env, (void)finish, (void)data;
	atomic_fetch_add(&ended, 1);
}

static int give_pipe(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_pipe *pipe = rung_pipe_new(.endless = is_endless, .room = 16 * 1024);

	(void)self;
	if (rung_on_finish(env, note_end, NULL) < 0 || rung_reply_events(res, pipe) < 0)
		return -ENOMEM;
	pipes[atomic_fetch_add(&pipe_count, 1)] = pipe;
	return 0;
}

static void close_pipes(void)
{
	for (int i = 0; i < atomic_load(&pipe_count); i++)
		rung_pipe_close(pipes[i]);
	atomic_store(&pipe_count, 0);
}

Test(stream, events_arrive_as_they_are_written)
{
	struct rung_server *server = test_server(rung_run(give_pipe), (struct rung_server_options){ 0 });
	int fd = ask(server);
	char data[32];

	expect_part(fd, "\r\n\r\n");
	wait_for(&pipe_count, 1);
	for (int i = 0; i < 50; i++) {
		snprintf(data, sizeof data, "number %d", i);
		ASSERT_INT(rung_event_send(pipes[0], .data = data), 0);
		strcat(data, "\n\n");
		expect_part(fd, data);
	}
	close_pipes();
	expect_part(fd, "0\r\n\r\n");
	/* The connection is as good as before. */
	cr_assert(send(fd, GET, strlen(GET), MSG_NOSIGNAL) > 0);
	expect_part(fd, "HTTP/1.1 200");
	wait_for(&pipe_count, 1);
	close_pipes();
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(stream, a_writer_learns_that_its_client_has_left_without_writing)
{
	struct rung_server *server = test_server(rung_run(give_pipe), (struct rung_server_options){ 0 });
	int fd = ask(server);

	expect_part(fd, "\r\n\r\n");
	wait_for(&pipe_count, 1);
	cr_assert_not(rung_pipe_is_gone(pipes[0]));
	close(fd);
	wait_for(&ended, 1);
	cr_assert(rung_pipe_is_gone(pipes[0]));
	ASSERT_INT(rung_event_send(pipes[0], .data = "x"), -EPIPE);
	close_pipes();
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(stream, a_slow_client_fills_the_pipe_and_nothing_else)
{
	struct rung_server *server = test_server(rung_run(give_pipe), (struct rung_server_options){ 0 });
	int fd = ask(server), rc;
	char bytes[4096];
	size_t written = 0;

	wait_for(&pipe_count, 1);
	memset(bytes, 'x', sizeof bytes);
	for (int full = 0; full < 100; full = rc == 0 ? 0 : full + 1) {
		rc = rung_pipe_offer(pipes[0], bytes, sizeof bytes);
		cr_assert(rc == 0 || rc == -EAGAIN, "%d", rc);
		written += rc == 0 ? sizeof bytes : 0;
		if (rc < 0)
			usleep(2000);
		cr_assert(written < 64 * 1024 * 1024, "the pipe is never full");
	}
	/* The client takes some again: there is room again. */
	for (size_t got = 0; got < written / 2;) {
		ssize_t n = recv(fd, bytes, sizeof bytes, 0);
		cr_assert(n > 0);
		got += (size_t)n;
	}
	for (int i = 0; i < 500 && (rc = rung_pipe_offer(pipes[0], "more", 4)) == -EAGAIN; i++)
		usleep(2000);
	ASSERT_INT(rc, 0);
	close(fd);
	wait_for(&ended, 1);
	close_pipes();
	ASSERT_INT(rung_server_destroy(server), 0);
}

static void *stop(void *server)
{
	return (void *)(uintptr_t)rung_server_destroy(server);
}

Test(stream, a_stop_ends_what_has_no_end)
{
	struct rung_server *server = test_server(rung_run(give_pipe), (struct rung_server_options){ 0 });
	int fd = ask(server);

	wait_for(&pipe_count, 1);
	ASSERT_INT(rung_event_send(pipes[0], .data = "last words"), 0);
	ASSERT_INT(rung_server_destroy(server), 0);
	char *answer = test_read(fd, 1000, NULL);
	ASSERT_HAS(answer, "data: last words\n\n");
	cr_assert(strcmp(answer + strlen(answer) - 5, "0\r\n\r\n") == 0, "it was cut: %s", answer);
	free(answer);
	ASSERT_INT(rung_event_send(pipes[0], .data = "x"), -EPIPE);
	close_pipes();
	close(fd);
}

Test(stream, a_stop_lets_others_end_by_themselves)
{
	is_endless = false;
	struct rung_server *server = test_server(rung_run(give_pipe), (struct rung_server_options){ 0 });
	int fd = ask(server);
	pthread_t stopper;
	void *cut;

	wait_for(&pipe_count, 1);
	cr_assert(pthread_create(&stopper, NULL, stop, server) == 0);
	for (int i = 0; i < 10; i++) {
		usleep(10 * 1000);
		ASSERT_INT(rung_pipe_write(pipes[0], "line\n", 5), 0);
	}
	ASSERT_INT(rung_pipe_write(pipes[0], "the end\n", 8), 0);
	close_pipes();
	pthread_join(stopper, &cut);
	ASSERT_INT((uintptr_t)cut, 0);
	char *answer = test_read(fd, 1000, NULL);
	ASSERT_HAS(answer, "the end\n\r\n0\r\n\r\n");
	free(answer);
	close(fd);
}

Test(stream, the_deadline_cuts_what_does_not_end)
{
	is_endless = false;
	struct rung_server_options options = { .limits.drain_seconds = 1 };
	struct rung_server *server = test_server(rung_run(give_pipe), options);
	int fd = ask(server);

	wait_for(&pipe_count, 1);
	ASSERT_INT(rung_server_destroy(server), 1);
	ASSERT_INT(rung_pipe_write(pipes[0], "x", 1), -EPIPE);
	close_pipes();
	close(fd);
}

static size_t memory_in_use(void)
{
	size_t pages = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	cr_assert(file && fscanf(file, "%zu %zu", &pages, &resident) == 2);
	fclose(file);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

Test(stream, a_thousand_at_once)
{
	enum { STREAMS = 1000 };
	static int fds[STREAMS];
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max < 8192 ? limit.rlim_max : 8192;
	setrlimit(RLIMIT_NOFILE, &limit);
	cr_assert(limit.rlim_cur > 2 * STREAMS + 200, "this test needs 2,200 descriptors, there are %llu",
		(unsigned long long)limit.rlim_cur);
	struct rung_server *server =
		test_server(rung_run(give_pipe), (struct rung_server_options){ .loops = 2 });
	size_t before = memory_in_use();

	for (int i = 0; i < STREAMS; i++)
		fds[i] = ask(server);
	wait_for(&pipe_count, STREAMS);
	for (int event = 0; event < 3; event++) {
		char data[32];

		snprintf(data, sizeof data, "event %d", event);
		for (int i = 0; i < STREAMS; i++)
			ASSERT_INT(rung_event_offer(pipes[i], .data = data), 0);
		strcat(data, "\n\n");
		for (int i = 0; i < STREAMS; i++)
			expect_part(fds[i], data);
	}
	/* The connection's memory, the request's, the pipe, and libmicrohttpd's block for the stream: 16 + 8 + 16 + 32 KiB, of which
	 * not every page is touched; and the client's ends, which are in this process too. Sanitizers add their own. */
	size_t each = (memory_in_use() - before) / STREAMS;
	cr_assert(each < 400 * 1024, "%zu bytes for a stream", each);
	fprintf(stderr, "# %zu bytes of memory for a stream\n", each);
	for (int i = 0; i < STREAMS; i++)
		close(fds[i]);
	wait_for(&ended, STREAMS);
	close_pipes();
	ASSERT_INT(rung_server_destroy(server), 0);
}

/* -- sources and wakers ------------------------------------------------------------------------------------------------- */

struct bell {
	struct rung_source source;
	struct rung_waker *waker;
	atomic_int rung;  /* how often the bell was rung */
	atomic_int asked; /* how often it was asked */
	int told;         /* of the ringing, to the client */
	bool rings_itself;
};

static struct bell bell;

static ssize_t read_bell(struct rung_source *source, void *buffer, size_t max)
{
	struct bell *it = (struct bell *)source;

	(void)max;
	atomic_fetch_add(&it->asked, 1);
	/* The worst moment: between the look and the answer. */
	if (it->rings_itself && it->told == atomic_load(&it->rung) && it->told < 100) {
		atomic_fetch_add(&it->rung, 1);
		rung_wake(it->waker);
		return -EAGAIN;
	}
	if (it->told == atomic_load(&it->rung))
		return it->told >= 100 ? 0 : -EAGAIN;
	it->told++;
	memcpy(buffer, "ding ", 5);
	return 5;
}

static int give_bell(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	bell.source.read = read_bell;
	bell.waker = rung_waker(env);
	return rung_reply_pull(res, 200, "text/plain", &bell.source, -1);
}

Test(stream, a_wake_between_the_asking_and_the_sleep_is_not_lost)
{
	bell.rings_itself = true;
	struct rung_server *server = test_server(rung_run(give_bell), (struct rung_server_options){ 0 });
	int fd = ask(server);

	expect_part(fd, "\r\n0\r\n\r\n");
	rung_waker_destroy(bell.waker);
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
	ASSERT_INT(bell.told, 100);
}

static void *ring(void *unused)
{
	(void)unused;
	for (int i = 0; i < 100; i++) {
		atomic_fetch_add(&bell.rung, 1);
		rung_wake(bell.waker);
		if (i % 10 == 0)
			usleep(1000);
	}
	return NULL;
}

Test(stream, a_source_is_asked_when_it_is_woken_and_not_otherwise)
{
	struct rung_server *server = test_server(rung_run(give_bell), (struct rung_server_options){ 0 });
	int fd = ask(server);
	pthread_t ringer;

	expect_part(fd, "\r\n\r\n");
	usleep(100 * 1000);
	/* Once, perhaps twice, in a tenth of a second: nobody polls it. */
	cr_assert(atomic_load(&bell.asked) <= 2, "it was asked %d times", atomic_load(&bell.asked));
	cr_assert(pthread_create(&ringer, NULL, ring, NULL) == 0);
	expect_part(fd, "\r\n0\r\n\r\n");
	pthread_join(ringer, NULL);
	rung_waker_destroy(bell.waker);
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
}

static void end_bell(const struct rung_env *env, const struct rung_finish *finish, void *data)
{
	(void)env, (void)data;
	atomic_fetch_add(&ended, finish->outcome == RUNG_ABORTED ? 1 : 100);
}

static int give_bell_and_note(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	return rung_on_finish(env, end_bell, NULL) < 0 ? -ENOMEM : give_bell(self, env, res);
}

Test(stream, wakes_after_the_client_left_do_no_harm)
{
	struct rung_server *server =
		test_server(rung_run(give_bell_and_note), (struct rung_server_options){ 0 });
	int fd = ask(server);
	pthread_t ringer;

	expect_part(fd, "\r\n\r\n");
	close(fd);
	wait_for(&ended, 1);
	cr_assert(pthread_create(&ringer, NULL, ring, NULL) == 0);
	pthread_join(ringer, NULL);
	ASSERT_INT(rung_server_destroy(server), 0);
	rung_wake(bell.waker);
	rung_waker_destroy(bell.waker);
	rung_waker_destroy(NULL);
}

/* -- filters --------------------------------------------------------------------------------------------------------- */

struct shout {
	struct rung_source source;
	struct rung_source *inner;
};

static ssize_t read_shout(struct rung_source *source, void *buffer, size_t max)
{
	struct rung_source *inner = ((struct shout *)source)->inner;
	ssize_t n = inner->read(inner, buffer, max);

	for (ssize_t i = 0; i < n; i++)
		if (((char *)buffer)[i] >= 'a' && ((char *)buffer)[i] <= 'z')
			((char *)buffer)[i] = (char)(((char *)buffer)[i] - 0x20);
	return n;
}

static int shout(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct shout *filter = rung_alloc(env, sizeof *filter);

	if (!filter)
		return -ENOMEM;
	*filter = (struct shout){ .source.read = read_shout };
	rung_next(self, env, res);
	filter->inner = rung_filter(res, &filter->source);
	return 0;
}

Test(stream, filters_pass_not_yet_and_wakes_on)
{
	struct rung_server *server = test_server(
		rung_stack(rung_use(shout), rung_run(give_pipe)), (struct rung_server_options){ 0 });
	int fd = ask(server);

	expect_part(fd, "\r\n\r\n");
	wait_for(&pipe_count, 1);
	for (int i = 0; i < 5; i++) {
		ASSERT_INT(rung_event_send(pipes[0], .data = "quiet"), 0);
		expect_part(fd, "DATA: QUIET\n\n");
	}
	close_pipes();
	expect_part(fd, "0\r\n\r\n");
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
}
