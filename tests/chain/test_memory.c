/*
 * test_memory.c: every allocation fails once, one after the other: while a stack is made, while it starts, and in requests
 * through it, in-process and by a socket. Each time there is an error return with a message, or a 503; nothing leaks; and
 * what comes afterwards works.
 *
 * The library's calls of malloc and its kin come here first (the linker's --wrap), so nothing of it is replaced.
 */
#include "support.h"

#include <rung/access_log.h>
#include <rung/basic_auth.h>
#include <rung/error_pages.h>
#include <rung/files.h>
#include <rung/inspect.h>
#include <rung/lint.h>
#include <rung/reproxy.h>
#include <rung/trace.h>

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

SUITE(memory);

/* -- the allocator ----------------------------------------------------------------------------------------------- */

static atomic_long until_failure;    /* the call that fails, counted down; below 1: none does */
static _Thread_local bool is_exempt; /* a thread whose calls are the test's own */

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

/* -- a stack with a bit of everything ---------------------------------------------------------------------------- */

static char folder[] = "/tmp/rung-memory-XXXXXX";

static void make_folder(void)
{
	char path[64];

	cr_assert(mkdtemp(folder) != NULL);
	snprintf(path, sizeof path, "%s/small.txt", folder);
	FILE *file = fopen(path, "w");
	cr_assert(file && fputs("small\n", file) >= 0 && fclose(file) == 0);
}

static void remove_folder(void)
{
	char path[64];

	snprintf(path, sizeof path, "%s/small.txt", folder);
	unlink(path);
	rmdir(folder);
}

static int download(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	rung_header(res, "Cache-Control", "private");
	rung_set_cookie(res, "seen", "1", .max_age = 60);
	return rung_reply_uri(res, 200, "http://files.internal/%s?a=b", rung_param(env, "name"));
}

static int echo(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	size_t size;
	const char *body = rung_input_bytes(env, &size);

	(void)self;
	for (int i = 0; i < 20; i++) {
		const char *name = rung_printf(env, "X-Field-%d", i);

		if (name)
			rung_header(res, name, "value");
	}
	return rung_reply_bytes(res, 200, "text/plain", body, size);
}

/* All that a client sends by name. A file's bytes are saved nowhere. */
static int read_params(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct rung_params *query, *form, *cookies;
	int rc = rung_query(env, &query);

	(void)self;
	if (rc == 0)
		rc = rung_form(env, &form);
	if (rc == 0)
		rc = rung_cookies(env, &cookies);
	if (rc < 0)
		return rc;
	return rung_reply_textf(res, 200, "%zu %zu %zu", query->count, form->count, cookies->count);
}

static bool check(const void *data, const char *user, const char *password)
{
	(void)data;
	return strcmp(user, "demo") == 0 && strcmp(password, "demo") == 0;
}

static int frees;

static void count_free(void *data)
{
	frees += data == &frees;
}

static struct rung_app *make_stack(void)
{
	static const char *const hosts[] = { "localhost", "other.test:81", NULL };

	return rung_stack(rung_inspect(.keep = 2), rung_trace(.when = RUNG_TRACE_ON), rung_access_log(),
		rung_error_pages(),
		rung_stack(rung_lint(),
			rung_reproxy(.names = rung_names({ "files.internal", rung_files(.root = folder) },
					     { "echo.internal:81", rung_run(echo, .name = "echo") }),
				.hosts = hosts, .base = "http://localhost", .location = "/fetch")),
		rung_routes(rung_get("/", echo), rung_post("/echo", echo), rung_post("/params", read_params),
			rung_get("/d/:name",
				.app = rung_stack(rung_basic_auth(.check = check),
					rung_run(download, .data = &frees, .free_data = count_free))),
			rung_route("PURGE", "/cache/*rest", echo),
			rung_mount("/app", rung_routes(rung_get("/self/:n", download), rung_run(echo))),
			rung_mount("/static",
				rung_files(.root = folder, .index = "index.html", .fallback = "small.txt",
					.precompressed = true, .listing = true, .immutable = true,
					.cache_control = "no-cache")),
			rung_mount("http://other.test/x", rung_run(echo))));
}

Test(memory, a_stack_that_cannot_be_made_is_null_with_a_message_and_drops_its_parts)
{
	struct rung_app *app = NULL;
	long n = 0;

	while (!app) {
		frees = 0;
		atomic_store(&until_failure, ++n);
		app = make_stack();
		bool failed = atomic_load(&until_failure) == 0;
		atomic_store(&until_failure, 0);
		cr_assert(failed == (app == NULL), "allocation %ld of a stack", n);
		if (failed) {
			cr_expect(strstr(rung_error(), "memory"), "allocation %ld: <%s>", n, rung_error());
			cr_expect(frees == 1, "allocation %ld: data was freed %d times", n, frees);
		}
	}
	cr_assert_gt(n, 60, "only %ld allocations", n);
	rung_app_destroy(app);
	ASSERT_INT(frees, 1);
}

Test(memory, a_stack_that_cannot_start_is_dropped, .init = make_folder, .fini = remove_folder)
{
	struct rung_client *client = NULL;
	long n = 0;

	while (!client) {
		struct rung_app *app = make_stack();

		frees = 0;
		atomic_store(&until_failure, ++n);
		client = rung_client_new(app);
		bool failed = atomic_load(&until_failure) == 0;
		atomic_store(&until_failure, 0);
		cr_assert(failed == (client == NULL), "allocation %ld of a client", n);
		if (failed) {
			cr_expect(strstr(rung_error(), "memory"), "allocation %ld: <%s>", n, rung_error());
			ASSERT_INT(frees, 1);
		}
	}
	cr_assert_gt(n, 4);
	rung_client_destroy(client);
}

/* -- requests ---------------------------------------------------------------------------------------------------- */

static const struct rung_field fields[] = { { .name = "Authorization", .value = "Basic ZGVtbzpkZW1v" },
	{ .name = "Accept", .value = "text/html" }, { .name = "Range", .value = "bytes=0-0,2-2" },
	{ .name = "Accept-Encoding", .value = "gzip, br" }, { .name = "X-Reproxied", .value = "forged" },
	{ .name = "X-1" }, { .name = "X-2" }, { .name = "X-3" }, { .name = "X-4" }, { .name = "X-5" },
	{ .name = "X-6" }, { .name = "X-7" }, { .name = "X-8" }, { .name = "X-9" }, { .name = "X-10" },
	{ 0 } };

static const struct {
	const char *method, *target;
	int status;
} requests[] = {
	{ "GET", "/", 200 },
	{ "GET", "/d/small.txt", 206 },
	{ "HEAD", "/d/small.txt", 200 },
	{ "POST", "/echo", 200 },
	{ "GET", "/nowhere", 404 },
	{ "DELETE", "/", 405 },
	{ "PURGE", "/cache/a/b", 200 },
	{ "GET", "/app/other", 200 },
	{ "GET", "http://other.test/x/y", 200 },
	{ "GET", "/static", 301 },
	{ "GET", "/static/", 200 },
	{ "GET", "/static/small.txt", 206 },
	{ "GET", "/static/gone", 206 },
	{ "GET", "/_rung/requests.json", 200 },
};

/* Arenas keep their blocks, so a fresh client is needed for each failure to happen. A body of some size makes them grow. */
static int send_failing(const struct rung_client_request *request, long n, bool *ret_failed)
{
	struct rung_client *client = test_client(make_stack());

	atomic_store(&until_failure, n);
	int status = rung_client_request(client, request)->status;
	*ret_failed = atomic_load(&until_failure) == 0;
	atomic_store(&until_failure, 0);
	/* Memory is back, and so is the answer. */
	int again = rung_client_request(client, request)->status;
	cr_expect(*ret_failed || again == status, "%s: %d, then %d", request->target, status, again);
	cr_expect(again != 503, "%s after allocation %ld failed: %d", request->target, n, again);
	rung_client_destroy(client);
	return status;
}

Test(memory, a_request_without_memory_is_a_503_and_the_next_one_is_served, .init = make_folder,
	.fini = remove_folder)
{
	static char body[40000];
	long failures = 0;

	memset(body, 'x', sizeof body - 1);
	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		const struct rung_client_request request = { .size = sizeof request,
			.method = requests[i].method,
			.target = requests[i].target,
			.headers = fields,
			.body = strcmp(requests[i].method, "POST") == 0 ? body : NULL };
		bool failed = true;

		for (long n = 1; failed; n++) {
			int status = send_failing(&request, n, &failed);

			/* What fails only in making a page or a cookie of the jar leaves the answer as it was. */
			cr_expect(status == 503 || status == requests[i].status, "%s, allocation %ld: %d",
				requests[i].target, n, status);
			cr_expect(
				failed || status == requests[i].status, "%s: %d", requests[i].target, status);
			failures += failed;
		}
	}
	cr_assert_gt(failures, 30, "only %ld allocations failed", failures);
}

/* So large that each of them outgrows blocks of memory. */
Test(memory, queries_forms_and_cookies_without_memory_are_a_503, .init = make_folder, .fini = remove_folder)
{
	static char query[30000] = "/params?", form[60000], multipart[200000], cookies[30000], large[20000];
	static const char part[] =
		"--b\r\nContent-Disposition: form-data; name=a; filename=b\r\nContent-Type: c/d\r\n\r\n1\r\n"
		"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n"
		"--b\r\nContent-Disposition: form-data; name=a; filename*=UTF-8''x\r\n\r\n1\r\n";
	const struct rung_field jar[] = { { .name = "Cookie", .value = cookies }, { 0 } };
	size_t at = 0;
	long failures = 0;

	memset(large, 'x', sizeof large - 1);
	for (int i = 0; i < 2000; i++) {
		strcat(query, "a=b&");
		strcat(form, "a=b&");
	}
	for (int i = 0; i < 200; i++)
		strcat(cookies, "a=b;");
	sprintf(cookies + strlen(cookies), "c=%s", large);
	for (int i = 0; i < 60; i++)
		at += (size_t)sprintf(multipart + at, "%s", part);
	sprintf(multipart + at, "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n%s\r\n--b--", large);
	for (int i = 0; i < 2; i++) {
		const struct rung_client_request request = { .size = sizeof request,
			.method = "POST",
			.target = query,
			.headers = jar,
			.form = i ? multipart : form,
			.content_type = i ? "multipart/form-data; boundary=b" : NULL };
		bool failed = true;

		for (long n = 1; failed; n++) {
			int status = send_failing(&request, n, &failed);

			cr_expect(status == 503 || status == 200, "%d, allocation %ld: %d", i, n, status);
			cr_expect(failed || status == 200, "%d: %d", i, status);
			failures += failed;
		}
	}
	cr_assert_gt(failures, 10, "only %ld allocations failed", failures);
}

/* The same over a socket: an answer, a 503, or at the worst a closed connection, and the server lives on. */
Test(memory, a_server_without_memory_lives_on, .init = make_folder, .fini = remove_folder)
{
	/* So many fields that their list grows; if any were lost on the way, it would be the one that counts. */
	static const char request[] =
		"GET /d/small.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
		"A: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\nF: 1\r\nG: 1\r\nH: 1\r\nI: 1\r\nJ: 1\r\nK: 1\r\n"
		"Authorization: Basic ZGVtbzpkZW1v\r\n\r\n";
	long n = 0;
	bool failed;

	do {
		struct rung_server *server =
			test_server(make_stack(), (struct rung_server_options){ .loops = 1 });

		is_exempt = true;
		atomic_store(&until_failure, ++n);
		char *answer = test_send(server, request);
		failed = atomic_exchange(&until_failure, 0) == 0;
		cr_expect(!*answer || strstr(answer, " 200 ") || strstr(answer, " 503 "),
			"allocation %ld: <%s>", n, answer);
		free(answer);
		answer = test_send(server, request);
		cr_expect(strstr(answer, " 200 ") && strstr(answer, "small"), "after allocation %ld: <%s>", n,
			answer);
		free(answer);
		is_exempt = false;
		rung_server_destroy(server);
	} while (failed);
	cr_assert_gt(n, 2, "only %ld allocations", n);
}

Test(memory, a_server_that_cannot_be_made_is_null_with_a_message, .init = make_folder, .fini = remove_folder)
{
	struct rung_server *server = NULL;

	for (long n = 1; !server; n++) {
		struct rung_app *app = make_stack();

		atomic_store(&until_failure, n);
		server = rung_server_new(app, .loops = 2);
		bool failed = atomic_load(&until_failure) == 0;
		atomic_store(&until_failure, 0);
		cr_assert(failed == (server == NULL), "allocation %ld of a server", n);
		if (failed)
			cr_expect(strstr(rung_error(), "memory"), "allocation %ld: <%s>", n, rung_error());
	}
	ASSERT_INT(rung_server_destroy(server), 0);
}
