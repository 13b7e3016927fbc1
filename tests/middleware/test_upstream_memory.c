/*
 * test_upstream_memory.c: every allocation fails once, one after the other, ours (the linker's --wrap) and libcurl's (its own hooks):
 * while the app is made and starts, and in requests. Each time there is a refusal with a message, an error as a status, or a body that
 * says that it is not whole; nothing leaks; and what comes afterwards works.
 */
#include "backend.h"

#include <rung/upstream.h>

#include <curl/curl.h>
#include <errno.h>
#include <unistd.h>

/* -- the allocator ----------------------------------------------------------------------------------------------- */

static atomic_long until_failure; /* the call that fails, counted down; below 1: none does */
static _Thread_local bool is_exempt;

static bool fails(void)
{
	return !is_exempt && atomic_load(&until_failure) > 0 && atomic_fetch_sub(&until_failure, 1) == 1;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);

static void *no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? no_memory() : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? no_memory() : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	return fails() ? no_memory() : __real_realloc(memory, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? no_memory() : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t size)
{
	return fails() ? no_memory() : __real_strndup(text, size);
}

/* Before anybody else starts libcurl. */
static void hook_libcurl(void)
{
	cr_assert(curl_global_init_mem(CURL_GLOBAL_DEFAULT, __wrap_malloc, free, __wrap_realloc,
			  __wrap_strdup, __wrap_calloc) == CURLE_OK);
}

TestSuite(upstream_memory, .init = hook_libcurl, .fini = test_check_leaks);

/* -- what is asked ------------------------------------------------------------------------------------------------- */

enum { LARGE = 200 * 1000, MOST_FAILURES = 3000 };

static bool answer_one(struct backend *backend, int fd, const char *more)
{
	static const char body[LARGE];
	char head[256];
	bool is_large = strstr(backend->seen, "/large");

	snprintf(head, sizeof head,
		"HTTP/1.1 200 OK\r\nX-A: b\r\nSet-Cookie: c=d\r\n%sContent-Length: %d\r\n\r\n", more,
		is_large ? LARGE : 10);
	bool has_body = strncmp(backend->seen, "HEAD", 4) != 0;
	return backend_say(fd, head) && (!has_body || backend_say_bytes(fd, body, is_large ? LARGE : 10));
}

static void answer(struct backend *backend, int fd, unsigned number)
{
	(void)number;
	is_exempt = true;
	while (backend_take(backend, fd) && answer_one(backend, fd, ""))
		;
}

static void answer_once(struct backend *backend, int fd, unsigned number)
{
	(void)number;
	is_exempt = true;
	if (backend_take(backend, fd))
		answer_one(backend, fd, "Connection: close\r\n");
}

static const struct rung_field fields[] = { { .name = "X-One", .value = "1" },
	{ .name = "Connection", .value = "X-Two" }, { .name = "X-Two", .value = "2" },
	{ .name = "Forwarded", .value = "for=1.2.3.4" }, { .name = NULL } };

static const struct rung_client_request requests[] = {
	{ .size = sizeof *requests, .target = "/small?q", .headers = fields },
	{ .size = sizeof *requests, .target = "/large" },
	{ .size = sizeof *requests, .method = "POST", .target = "/small", .body = "body" },
	{ .size = sizeof *requests, .method = "PROPFIND", .target = "/small" },
	{ .size = sizeof *requests, .method = "HEAD", .target = "/large" },
};

enum { REQUESTS = sizeof requests / sizeof *requests };

static bool is_right(const struct rung_reply *reply, const struct rung_client_request *request)
{
	size_t size = strstr(request->target, "large") ? LARGE : 10;

	return reply->status == 200 && reply->outcome == RUNG_SENT &&
	       reply->size == (request->method && strcmp(request->method, "HEAD") == 0 ? 0 : size);
}

/* 502 where libcurl says of its trouble no more than that it could not connect. */
static void expect_error(
	const struct rung_reply *reply, const struct rung_client_request *request, long which)
{
	bool is_error = reply->status == 503 || reply->status == 502 ||
			(reply->status == 200 && reply->outcome != RUNG_SENT);

	cr_assert(is_error, "failure %ld of %s: status %d, outcome %d", which, request->target, reply->status,
		reply->outcome);
}

/* There are at least so many of them. */
static void fail_each(const char *to, const struct rung_client_request *request, long least)
{
	struct rung_client *client = test_client(rung_upstream(.to = to, .trust_forwarded = true));
	bool has_fired = true;
	long which = 0;

	cr_assert(is_right(rung_client_request(client, request), request));
	while (has_fired) {
		cr_assert(++which < MOST_FAILURES);
		atomic_store(&until_failure, which);
		test_log_clear();
		const struct rung_reply *reply = rung_client_request(client, request);
		has_fired = atomic_exchange(&until_failure, 0) <= 0;
		if (!is_right(reply, request))
			expect_error(reply, request, which);
		reply = rung_client_request(client, request);
		cr_assert(is_right(reply, request),
			"after failure %ld of %s: status %d, outcome %d, %zu bytes; %s", which,
			request->target, reply->status, reply->outcome, reply->size,
			test_log() + (strlen(test_log()) > 300 ? strlen(test_log()) - 300 : 0));
	}
	cr_assert(which > least, "%ld", which);
	rung_client_destroy(client);
}

Test(upstream_memory, requests_over_a_kept_connection)
{
	struct backend *backend = backend_start(answer, NULL);

	for (int i = 0; i < REQUESTS; i++)
		fail_each(backend->url, &requests[i], 1);
	backend_stop(backend);
}

Test(upstream_memory, requests_over_new_connections)
{
	struct backend *backend = backend_start(answer_once, NULL);

	for (int i = 0; i < REQUESTS; i++)
		fail_each(backend->url, &requests[i], 20);
	backend_stop(backend);
}

/* The app is made, started, and asked once. */
static bool live_once(const char *to, const struct rung_client_request *request, long which)
{
	struct rung_app *app = rung_upstream(.to = to);
	struct rung_client *client = app ? rung_client_new(app, .no_cookies = true) : NULL;

	if (!client) {
		cr_assert(*rung_error(), "failure %ld has no message", which);
		return false;
	}
	const struct rung_reply *reply = rung_client_request(client, request);
	bool is_good = is_right(reply, request);
	if (!is_good)
		expect_error(reply, request, which);
	rung_client_destroy(client);
	return is_good;
}

Test(upstream_memory, from_the_begin_to_the_end)
{
	struct backend *backend = backend_start(answer, NULL);
	bool has_fired = true;
	long which = 0;

	while (has_fired) {
		cr_assert(++which < MOST_FAILURES);
		atomic_store(&until_failure, which);
		bool is_good = live_once(backend->url, &requests[0], which);
		has_fired = atomic_exchange(&until_failure, 0) <= 0;
		cr_assert(is_good || has_fired);
	}
	cr_assert(which > 20, "%ld", which);
	backend_stop(backend);
}

Test(upstream_memory, lists_of_what_may_be_named)
{
	const char *const allow[] = { "files.example", "10.0.0.0/8", "*.example", "127.0.0.1:1", NULL };
	bool has_fired = true;

	for (long which = 1; has_fired; which++) {
		atomic_store(&until_failure, which);
		struct rung_app *app = rung_upstream(.allow = allow, .ca = "/some/where");
		has_fired = atomic_exchange(&until_failure, 0) <= 0;
		cr_assert(!app == has_fired, "failure %ld", which);
		cr_assert(app || *rung_error());
		rung_app_destroy(app);
	}
}
