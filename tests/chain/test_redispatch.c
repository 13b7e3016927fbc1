/* test_redispatch.c: whole stacks in which one request runs several times: by reproxy through mounts and nested layers, and
 * by layers of one's own that open views. */
#include "support.h"

#include <rung/access_log.h>
#include <rung/basic_auth.h>
#include <rung/error_pages.h>
#include <rung/reproxy.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

SUITE(redispatch);

static int give(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)env;
	return rung_reply_uri_raw(res, 200, rung_data(self));
}

static int tell(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return rung_reply_textf(res, 200, "%s host=%s script=%s path=%s query=%s hop=%u", env->method,
		env->host, env->script_name, env->path_info, env->query, env->hop);
}

/* -- mounts and nested layers ------------------------------------------------------------------------------------ */

Test(redispatch, self_is_what_lies_inside_the_layer_wherever_that_is_mounted)
{
	struct rung_app *inner = rung_stack(rung_reproxy(),
		rung_routes(rung_get("/a", give, .data = "b?q=1"), rung_get("/b", tell),
			rung_get("/far", give, .data = "/app/v1/b"), rung_get("/out", give, .data = "/b"),
			rung_get("/near", give, .data = "/app/v1x/b")));
	struct rung_client *client = test_client(
		rung_routes(rung_mount("/app", rung_routes(rung_mount("/v1", inner))), rung_get("/b", tell)));

	ASSERT_STR(rung_client_get(client, "/app/v1/a")->body,
		"GET host=localhost script=/app/v1 path=/b query=q=1 hop=1");
	ASSERT_STR(rung_client_get(client, "/app/v1/far")->body,
		"GET host=localhost script=/app/v1 path=/b query= hop=1");
	ASSERT_INT(rung_client_get(client, "/app/v1/out")->status, 502);
	ASSERT_HAS(test_log(), "lies outside /app/v1");
	ASSERT_INT(rung_client_get(client, "/app/v1/near")->status, 502);
	rung_client_destroy(client);
}

Test(redispatch, an_outer_layer_reaches_over_its_mounts)
{
	struct rung_client *client = test_client(rung_stack(rung_reproxy(),
		rung_routes(rung_mount("/a", rung_routes(rung_get("/x", give, .data = "../b/y"))),
			rung_mount("/b", rung_routes(rung_get("/y", tell))))));

	ASSERT_STR(
		rung_client_get(client, "/a/x")->body, "GET host=localhost script=/b path=/y query= hop=1");
	rung_client_destroy(client);
}

Test(redispatch, an_inner_layer_answers_first_and_knows_the_names_outside)
{
	struct rung_app *inner = rung_stack(rung_reproxy(.names = rung_names({ "near", rung_run(tell) })),
		rung_routes(rung_get("/near", give, .data = "http://near/n"),
			rung_get("/far", give, .data = "http://far/f"),
			rung_get("/nowhere", give, .data = "http://nowhere/")));
	struct rung_client *client =
		test_client(rung_stack(rung_reproxy(.names = rung_names({ "far", rung_run(tell) })), inner));

	ASSERT_STR(rung_client_get(client, "/near")->body, "GET host=near script= path=/n query= hop=1");
	ASSERT_STR(rung_client_get(client, "/far")->body, "GET host=far script= path=/f query= hop=1");
	ASSERT_INT(rung_client_get(client, "/nowhere")->status, 502);
	rung_client_destroy(client);
}

Test(redispatch, names_of_an_inner_layer_stay_inside)
{
	struct rung_app *inner =
		rung_stack(rung_reproxy(.names = rung_names({ "near", rung_run(tell) })), rung_run(tell));
	struct rung_client *client = test_client(rung_stack(rung_reproxy(),
		rung_routes(rung_get("/x", give, .data = "http://near/"), rung_mount("/inner", inner))));

	ASSERT_INT(rung_client_get(client, "/inner/")->status, 200);
	ASSERT_INT(rung_client_get(client, "/x")->status, 502);
	rung_client_destroy(client);
}

/* -- with the other layers --------------------------------------------------------------------------------------- */

static bool is_ann(const void *data, const char *user, const char *password)
{
	(void)data;
	return strcmp(user, "ann") == 0 && strcmp(password, "x") == 0;
}

static int tell_user(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const char *user = rung_remote_user(env);

	(void)self;
	return rung_reply_textf(res, 200, "user=%s hop=%u", user ? user : "-", env->hop);
}

Test(redispatch, what_a_layer_outside_found_out_is_known_to_the_target)
{
	static const struct rung_field ann[] = { { .name = "Authorization", .value = "Basic YW5uOng=" },
		{ 0 } };
	struct rung_client *client = test_client(rung_stack(rung_basic_auth(.check = is_ann),
		rung_reproxy(.names = rung_names({ "target", rung_run(tell_user) })),
		rung_run(give, .data = "http://target/")));

	ASSERT_STR(rung_client_send(client, "GET", "/", .headers = ann)->body, "user=ann hop=1");
	rung_client_destroy(client);
	/* One inside wrote to the scope in which the first app ran, and the target's opens below that. */
	client = test_client(rung_stack(rung_reproxy(.names = rung_names({ "target", rung_run(tell_user) })),
		rung_basic_auth(.check = is_ann), rung_run(give, .data = "http://target/")));
	ASSERT_STR(rung_client_send(client, "GET", "/", .headers = ann)->body, "user=ann hop=1");
	rung_client_destroy(client);
}

Test(redispatch, the_log_has_one_line_and_the_error_one_page)
{
	struct rung_client *client = test_client(rung_stack(rung_access_log(), rung_error_pages(),
		rung_reproxy(.names = rung_names({ "target", rung_routes(rung_get("/there", tell)) })),
		rung_routes(rung_get("/lost", give, .data = "http://target/not-there"),
			rung_get("/found", give, .data = "http://target/there"))));

	ASSERT_INT(rung_client_get(client, "/found")->status, 200);
	ASSERT_HAS(test_log(), "\"GET /found HTTP/1.1\" 200 ");
	cr_assert_null(strstr(test_log(), "there"), "%s", test_log());
	const struct rung_reply *reply = rung_client_get(client, "/lost");
	ASSERT_INT(reply->status, 404);
	ASSERT_STR(reply->body, "404 Not Found\n");
	ASSERT_HAS(test_log(), "\"GET /lost HTTP/1.1\" 404 14 ");
	rung_client_destroy(client);
}

/* -- bodies of targets ------------------------------------------------------------------------------------------- */

struct counted {
	struct rung_source source;
	int left, closes;
};

static ssize_t count_down(struct rung_source *source, void *buffer, size_t max)
{
	struct counted *counted = (struct counted *)source;

	if (counted->left == 0)
		return 0;
	counted->left--;
	memset(buffer, 'x', max);
	return (ssize_t)max;
}

static void count_close(struct rung_source *source)
{
	((struct counted *)source)->closes++;
}

static struct counted counted;

static int stream(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)env;
	counted = (struct counted){ .source = { count_down, count_close, NULL }, .left = 3 };
	return rung_reply_pull(res, 200, "text/plain", &counted.source, -1);
}

Test(redispatch, a_stream_comes_through_and_is_closed_once)
{
	struct rung_client *client =
		test_client(rung_stack(rung_reproxy(.names = rung_names({ "s", rung_run(stream) })),
			rung_run(give, .data = "http://s/")));
	const struct rung_client_request request = { .size = sizeof request, .target = "/" };
	char buffer[16];

	cr_assert_gt(rung_client_get(client, "/")->size, 1000);
	ASSERT_INT(counted.closes, 1);
	rung_client_start(client, &request);
	ASSERT_INT(rung_client_read(client, buffer, sizeof buffer), 16);
	ASSERT_INT(counted.closes, 0);
	rung_client_abort(client);
	ASSERT_INT(counted.closes, 1);
	ASSERT_INT(rung_client_send(client, "HEAD", "/")->size, 0);
	ASSERT_INT(counted.closes, 1);
	rung_client_destroy(client);
}

static int send_self(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)env;
	return rung_reply_file(res, 200, NULL, "/proc/self/exe");
}

Test(redispatch, a_file_of_the_target_is_sent_as_a_file)
{
	struct rung_client *client =
		test_client(rung_stack(rung_reproxy(.names = rung_names({ "f", rung_run(send_self) })),
			rung_run(give, .data = "http://f/")));
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	off_t size = lseek(fd, 0, SEEK_END);

	close(fd);
	cr_assert_gt(size, 0);
	ASSERT_INT(rung_client_get(client, "/")->size, size);
	rung_client_destroy(client);
}

/* -- views of one's own ------------------------------------------------------------------------------------------ */

/* Error documents: an error is replaced by what /errors/STATUS gives, under the first status. */
static int error_document(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	int status = res->status;
	if (status < 400)
		return 0;
	const char *path = rung_printf(env, "/errors/%d", status);
	struct rung_env *view = path ? rung_view(env, &(struct rung_target){ .method = "GET",
							      .path_info = path,
							      .query = "",
							      .uri = path,
							      .drop_body = true })
				     : NULL;
	if (!view)
		return -ELOOP;
	rung_response_clear(res);
	rung_next(self, view, res);
	res->status = status;
	return 0;
}

static int fail(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)res;
	return rung_fail(env, -EIO, "the disk is gone");
}

Test(redispatch, error_documents_are_a_view)
{
	struct rung_client *client = test_client(rung_stack(rung_use(error_document),
		rung_routes(rung_get("/errors/:status", tell), rung_any("/fail", fail))));
	const struct rung_reply *reply = rung_client_get(client, "/nowhere?x");

	ASSERT_INT(reply->status, 404);
	ASSERT_STR(reply->body, "GET host=localhost script= path=/errors/404 query= hop=1");
	reply = rung_client_send(client, "POST", "/fail", .body = "lost");
	ASSERT_INT(reply->status, 500);
	ASSERT_STR(reply->body, "GET host=localhost script= path=/errors/500 query= hop=1");
	ASSERT_HAS(test_log(), "the disk is gone");
	rung_client_destroy(client);
}

/* Cascade: asks each app until one does not pass. Rack: Rack::Cascade. */
struct cascade {
	struct rung_app app;
	struct rung_app *parts[2];
};

static int cascade_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct cascade *cascade = (const struct cascade *)self;

	rung_call(cascade->parts[0], env, res);
	if (!res->pass)
		return 0;
	rung_response_clear(res);
	rung_call(cascade->parts[1], env, res);
	return 0;
}

static int cascade_children(struct rung_app *app, rung_visit_fn visit, void *data)
{
	struct cascade *cascade = (struct cascade *)app;
	int rc = visit(cascade->parts[0], "first", data);

	return rc ? rc : visit(cascade->parts[1], "second", data);
}

static void cascade_destroy(struct rung_app *app)
{
	struct cascade *cascade = (struct cascade *)app;

	rung_drop(cascade->parts[0]);
	rung_drop(cascade->parts[1]);
}

static const struct rung_app_class cascade_class = { .size = sizeof(struct cascade),
	.name = "cascade",
	.flags = RUNG_ENDPOINT,
	.call = cascade_call,
	.children = cascade_children,
	.destroy = cascade_destroy };

static int not_mine_or_gone(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	/* A 404 of its own means it: only the mark makes a cascade go on. */
	return strcmp(env->path_info, "/gone") == 0 ? rung_reply_text(res, 404, "gone")
						    : fail(self, env, res);
}

Test(redispatch, a_cascade_goes_by_the_mark_and_not_by_the_status)
{
	struct cascade *cascade = rung_app_new(&cascade_class);

	ASSERT_INT(rung_take(cascade->parts[0] = rung_routes(
				     rung_get("/first", tell), rung_get("/gone", not_mine_or_gone)),
			   "cascade"),
		0);
	ASSERT_INT(
		rung_take(cascade->parts[1] = rung_routes(rung_get("/second", tell), rung_get("/gone", tell)),
			"cascade"),
		0);
	struct rung_client *client = test_client(&cascade->app);
	ASSERT_INT(rung_client_get(client, "/first")->status, 200);
	ASSERT_INT(rung_client_get(client, "/second")->status, 200);
	ASSERT_INT(rung_client_get(client, "/third")->status, 404);
	ASSERT_STR(rung_client_get(client, "/gone")->body, "gone");
	rung_client_destroy(client);
}

/* Each call opens as many views as the query says. */
static int branch(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	int count = atoi(env->query);

	if (env->hop)
		return rung_reply_text(res, 200, "leaf");
	for (int i = 0; i < count; i++) {
		struct rung_env *view = rung_view(env, &(struct rung_target){ .uri = "/leaf" });

		if (!view)
			return -ELOOP;
		rung_response_clear(res);
		rung_call(self, view, res);
	}
	return 0;
}

Test(redispatch, one_request_has_fifty_dispatches_in_all)
{
	struct rung_client *client = test_client(rung_run(branch));

	ASSERT_STR(rung_client_get(client, "/?50")->body, "leaf");
	ASSERT_INT(rung_client_get(client, "/?51")->status, 502);
	ASSERT_HAS(test_log(), "more than 50 dispatches");
	ASSERT_STR(rung_client_get(client, "/?50")->body, "leaf");
	rung_client_destroy(client);
}
