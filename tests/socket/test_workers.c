/* test_workers.c: handlers that wait, on workers: what waits holds nobody else up, the queue is bounded, and a request
 * outlives the connection's memory. */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

SUITE(workers);

/* -- a gate that handlers wait at ------------------------------------------------------------------------------------ */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool is_open;
static unsigned arrived;

static void wait_at_gate(void)
{
	pthread_mutex_lock(&lock);
	arrived++;
	pthread_cond_broadcast(&changed);
	while (!is_open)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void wait_for_arrivals(unsigned count)
{
	pthread_mutex_lock(&lock);
	while (arrived < count)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void open_gate(void)
{
	pthread_mutex_lock(&lock);
	is_open = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

/* -- the stack --------------------------------------------------------------------------------------------------------- */

static int hello(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_text(res, 200, "hello");
}

static int slow(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	wait_at_gate();
	return rung_reply_text(res, 200, "slept");
}

static ssize_t read_slowly(struct rung_source *source, void *buffer, size_t max)
{
	(void)source, (void)max;
	wait_at_gate();
	memcpy(buffer, "slow body", 9);
	return 9;
}

static void close_slowly(struct rung_source *source)
{
	free(source);
}

static int slow_body(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_source *source = calloc(1, sizeof *source);

	(void)self, (void)env;
	source->read = read_slowly;
	source->close = close_slowly;
	res->status = 200;
	return rung_body_pull(res, source, 9);
}

static char finished[4][64];
static atomic_uint finish_count;

static void finish_slowly(const struct rung_env *env, const struct rung_finish *finish, void *data)
{
	const char *mark = rung_request_header(env, "X-Mark");

	(void)finish, (void)data;
	wait_at_gate();
	snprintf(finished[atomic_fetch_add(&finish_count, 1) % 4], 64, "%s?%s %s %s", env->path_info,
		env->query, mark ? mark : "none", rung_remote_address(env));
}

static int slow_finish(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	if (rung_on_finish(env, finish_slowly, NULL) < 0)
		return -ENOMEM;
	return rung_reply_text(res, 200, "finishing");
}

static struct rung_app *stack(void)
{
	is_open = false;
	arrived = 0;
	return rung_routes(rung_get("/hello", hello), rung_get("/slow", slow), rung_get("/body", slow_body),
		rung_get("/finish/*rest", slow_finish));
}

static int ask(struct rung_server *server, const char *path)
{
	char request[128];
	int fd = test_connect(server);
	int size = snprintf(
		request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", path);

	cr_assert(send(fd, request, (size_t)size, MSG_NOSIGNAL) == size);
	return fd;
}

static void expect_answer(int fd, const char *part)
{
	char *answer = test_read(fd, 5000, NULL);

	ASSERT_HAS(answer, part);
	free(answer);
	close(fd);
}

static void expect_hello(struct rung_server *server)
{
	expect_answer(ask(server, "/hello"), "\r\n\r\nhello");
}

/* -- tests ----------------------------------------------------------------------------------------------------------- */

Test(workers, handlers_that_wait_hold_nobody_up)
{
	struct rung_server *server = test_server(stack(), (struct rung_server_options){ .workers = 4 });
	int sleepers[3];

	for (int i = 0; i < 3; i++)
		sleepers[i] = ask(server, "/slow");
	wait_for_arrivals(3);
	for (int i = 0; i < 20; i++)
		expect_hello(server);
	open_gate();
	for (int i = 0; i < 3; i++)
		expect_answer(sleepers[i], "slept");
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(workers, bodies_that_wait_hold_nobody_up)
{
	struct rung_server *server = test_server(stack(), (struct rung_server_options){ .workers = 2 });
	int sleeper = ask(server, "/body");

	wait_for_arrivals(1);
	for (int i = 0; i < 20; i++)
		expect_hello(server);
	open_gate();
	expect_answer(sleeper, "slow body");
	ASSERT_INT(rung_server_destroy(server), 0);
}

/* The second request comes over the same connection, whose memory libmicrohttpd has used again by then. */
Test(workers, finish_hooks_may_wait_and_still_read_the_request)
{
	struct rung_server *server = test_server(stack(), (struct rung_server_options){ .workers = 3 });
	int fd = test_connect(server);
	const char *requests[] = {
		"GET /finish/one?a=b HTTP/1.1\r\nHost: first.example\r\nX-Mark: first mark\r\n\r\n",
		"GET /hello?ccccccccccccccccc HTTP/1.1\r\nHost: second.example\r\nX-Other: dddddddddddddd\r\n\r\n",
	};

	cr_assert(send(fd, requests[0], strlen(requests[0]), MSG_NOSIGNAL) > 0);
	wait_for_arrivals(1);
	for (int i = 0; i < 5; i++) {
		cr_assert(send(fd, requests[1], strlen(requests[1]), MSG_NOSIGNAL) > 0);
		char *answer = test_read(fd, 50, NULL);
		ASSERT_HAS(answer, "hello");
		free(answer);
	}
	open_gate();
	close(fd);
	ASSERT_INT(rung_server_destroy(server), 0);
	ASSERT_INT(atomic_load(&finish_count), 1);
	ASSERT_STR(finished[0], "/finish/one?a=b first mark 127.0.0.1");
}

Test(workers, past_its_limit_the_queue_answers_503)
{
	struct rung_server_options options = { .workers = 1, .limits.queue = 2 };
	struct rung_server *server = test_server(stack(), options);
	int first = ask(server, "/slow"), queued[2];

	wait_for_arrivals(1);
	queued[0] = ask(server, "/hello");
	queued[1] = ask(server, "/hello");
	usleep(50 * 1000);
	expect_answer(ask(server, "/hello"), "HTTP/1.1 503 ");
	expect_answer(ask(server, "/hello"), "this server is busy");
	open_gate();
	expect_answer(first, "slept");
	expect_answer(queued[0], "hello");
	expect_answer(queued[1], "hello");
	expect_hello(server);
	ASSERT_HAS(test_log(), "rung: refused 127.0.0.1: 503 ");
	ASSERT_INT(rung_server_destroy(server), 0);
}

static void *open_later(void *milliseconds)
{
	usleep((useconds_t)(uintptr_t)milliseconds * 1000);
	open_gate();
	return NULL;
}

Test(workers, a_stop_finishes_what_they_do)
{
	struct rung_server *server = test_server(stack(), (struct rung_server_options){ .workers = 2 });
	int sleeper = ask(server, "/slow");
	pthread_t opener;

	wait_for_arrivals(1);
	cr_assert(pthread_create(&opener, NULL, open_later, (void *)100) == 0);
	ASSERT_INT(rung_server_destroy(server), 0);
	pthread_join(opener, NULL);
	expect_answer(sleeper, "slept");
}

Test(workers, the_deadline_cuts_and_waits_for_the_handler)
{
	struct rung_server_options options = { .workers = 2, .limits.drain_seconds = 1 };
	struct rung_server *server = test_server(stack(), options);
	int sleeper = ask(server, "/slow");
	pthread_t opener;

	wait_for_arrivals(1);
	cr_assert(pthread_create(&opener, NULL, open_later, (void *)1300) == 0);
	ASSERT_INT(rung_server_destroy(server), 1);
	pthread_join(opener, NULL);
	char *answer = test_read(sleeper, 1000, NULL);
	ASSERT_STR(answer, "");
	free(answer);
	close(sleeper);
}

static atomic_int aborted;

static void note_outcome(const struct rung_env *env, const struct rung_finish *finish, void *data)
{
	(void)env, (void)data;
	if (finish->outcome != RUNG_SENT)
		atomic_fetch_add(&aborted, 1);
}

static int slow_and_large(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	size_t size = 32 * 1024 * 1024;
	char *bytes = calloc(1, size);

	(void)self;
	wait_at_gate();
	if (rung_on_finish(env, note_outcome, NULL) < 0)
		return -ENOMEM;
	res->status = 200;
	return rung_body_take(res, bytes, size, free);
}

Test(workers, a_client_that_leaves_meanwhile_is_harmless)
{
	struct rung_server *server =
		test_server(rung_run(slow_and_large), (struct rung_server_options){ .workers = 2 });
	int fd = ask(server, "/");

	wait_for_arrivals(1);
	close(fd);
	usleep(20 * 1000);
	open_gate();
	for (int i = 0; i < 500 && !atomic_load(&aborted); i++)
		usleep(10 * 1000);
	ASSERT_INT(atomic_load(&aborted), 1);
	ASSERT_INT(rung_server_destroy(server), 0);
}

/* -- a loop that is held ------------------------------------------------------------------------------------------- */

static atomic_int holds, releases;

/* Asked on the loop, when a request with a body comes. */
static bool hold_loop(const struct rung_app *self, struct rung_env *env, struct rung_admission *admission)
{
	(void)self, (void)env, (void)admission;
	int number = atomic_fetch_add(&holds, 1) + 1;
	while (atomic_load(&releases) < number)
		usleep(1000);
	return true;
}

static int slow_and_noted(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	if (strcmp(env->method, "GET") != 0)
		return rung_reply_text(res, 200, "held");
	if (rung_on_finish(env, note_outcome, NULL) < 0)
		return -ENOMEM;
	wait_at_gate();
	return rung_reply_text(res, 200, "slept");
}

static const struct rung_app_class holding_class = {
	.size = sizeof(struct rung_app),
	.name = "holding",
	.flags = RUNG_ENDPOINT,
	.call = slow_and_noted,
	.admit = hold_loop,
};

static void wait_for_holds(int count)
{
	for (int i = 0; i < 1000 && atomic_load(&holds) < count; i++)
		usleep(5 * 1000);
	ASSERT_INT(atomic_load(&holds), count);
}

static int add_client(struct rung_server *server)
{
	int ends[2];

	cr_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	ASSERT_INT(rung_server_add(server, ends[1]), 0);
	return ends[0];
}

static void say(int fd, const char *text)
{
	cr_assert(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

/* Its connection ends in the one turn between the handler's start and the connection's sleep. */
Test(workers, a_client_may_leave_before_its_connection_sleeps)
{
	const char *post = "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx";
	struct rung_server *server = test_server(
		rung_app_new(&holding_class), (struct rung_server_options){ .workers = 2, .loops = 1 });
	/* The oldest is looked at in every turn, with or without an event; so that is another one. */
	int oldest = add_client(server), first = add_client(server);
	int leaver = add_client(server), second = add_client(server);

	say(first, post);
	wait_for_holds(1);
	say(leaver, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	say(second, post);
	atomic_store(&releases, 1);
	wait_for_holds(2);
	wait_for_arrivals(1);
	close(leaver);
	atomic_store(&releases, 2);
	expect_answer(second, "held");
	open_gate();
	expect_answer(first, "held");
	close(oldest);
	for (int i = 0; i < 500 && !atomic_load(&aborted); i++)
		usleep(10 * 1000);
	ASSERT_INT(atomic_load(&aborted), 1);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(workers, numbers_that_make_no_sense_are_refused)
{
	struct rung_server *server = rung_server_new(rung_run(hello), .workers = 100000);

	cr_assert_null(server);
	ASSERT_HAS(rung_error(), "server: 100000 workers; use at most 4096");
}

/* -- without workers --------------------------------------------------------------------------------------------------- */

static int nap(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	usleep(80 * 1000);
	return rung_reply_text(res, 200, "slept");
}

Test(workers, a_handler_that_holds_a_loop_is_named_in_the_log)
{
	unsetenv("TEST_WORKERS");
	struct rung_server *server = test_server(rung_run(nap), (struct rung_server_options){ 0 });

	expect_answer(ask(server, "/nap/here"), "slept");
	rung_server_destroy(server);
	ASSERT_HAS(test_log(), "rung: GET /nap/here held an event loop");
	ASSERT_HAS(test_log(), "--workers N");
}

struct waiting_app {
	struct rung_app app;
};

static const struct rung_app_class waiting_class = {
	.size = sizeof(struct waiting_app),
	.name = "database",
	.flags = RUNG_ENDPOINT | RUNG_BLOCKS,
	.call = nap,
};

Test(workers, a_class_that_says_it_waits_gets_them)
{
	unsetenv("TEST_WORKERS");
	struct rung_server *server =
		test_server(rung_app_new(&waiting_class), (struct rung_server_options){ 0 });

	expect_answer(ask(server, "/"), "slept");
	rung_server_destroy(server);
	ASSERT_HAS(test_log(), "rung: database may wait, so handlers run on 16 workers");
	cr_assert_null(strstr(test_log(), "held an event loop"));
}

/* -- how workers are scheduled ----------------------------------------------------------------------------------------- */

static int policy(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_text(res, 200, sched_getscheduler(0) == SCHED_BATCH ? "batch" : "other");
}

Test(workers, do_not_push_a_loop_aside)
{
	struct rung_server *server =
		test_server(rung_routes(rung_get("/", policy)), (struct rung_server_options){ .workers = 1 });

	expect_answer(ask(server, "/"), "\r\n\r\nbatch");
	ASSERT_INT(rung_server_destroy(server), 0);
}
