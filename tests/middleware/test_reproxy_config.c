/* test_reproxy_config.c: the configuration of a server in front, printed for a very stack; and targets, which say where names are. */
#include "support.h"

#include <rung/reproxy.h>
#include <rung/reproxy_config.h>

#include <errno.h>

SUITE(config);

static const char *const servers[] = { "nginx", "nginx_hardened", "apache", "lighttpd", "perlbal", "h2o" };

enum { SERVERS = sizeof servers / sizeof *servers };

static int give(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)env;
	return rung_reply_uri_raw(res, 200, rung_data(self));
}

/* A stack that may name what private_files may. */
static struct rung_app *guard(void)
{
	return rung_stack(
		rung_reproxy(.names = rung_names({ "files.internal", rung_run(give) })), rung_run(give));
}

/* To be freed; NULL where it is refused. */
static char *print(struct rung_app *app, const struct rung_reproxy_config_options *options)
{
	ssize_t size = rung_reproxy_config_new(app, options, NULL, 0);
	char *text = size < 0 ? NULL : malloc((size_t)size + 1);

	if (text)
		ASSERT_INT(rung_reproxy_config_new(app, options, text, (size_t)size + 1), size);
	return text;
}

#define PRINT(app, ...)                                         \
	print(app, &(const struct rung_reproxy_config_options){ \
			   .size = sizeof(struct rung_reproxy_config_options), __VA_ARGS__ })

static char *read_shipped(const char *server)
{
	char path[512], *text = calloc(1, 65536);

	snprintf(path, sizeof path, "%s/%s.conf", CONFIGS_DIR, server);
	FILE *file = fopen(path, "r");
	cr_assert(file && text && fread(text, 1, 65535, file) > 0 && fclose(file) == 0);
	return text;
}

Test(config, what_is_printed_for_the_example_is_what_is_shipped)
{
	struct rung_app *app = guard();

	for (int i = 0; i < SERVERS; i++) {
		char *printed = PRINT(app, .server = servers[i], .program = "private_files");
		char *shipped = read_shipped(servers[i]);

		ASSERT_STR(printed, shipped);
		free(printed);
		free(shipped);
	}
	rung_app_destroy(app);
}

/* No value of the example is left, in whatever form a server writes it. */
Test(config, every_value_is_the_stacks_own)
{
	static const char *const examples[] = { "127.0.0.1:8080", "127\\.0\\.0\\.1:8080", "8080", "0.0.0.0",
		":80\n", "files.internal", "files\\.internal", "files_internal", "127.0.0.1:9000",
		"private_files" };
	static const char *const targets[] = { "pictures.internal:99=10.0.0.7:91",
		"more.internal=10.0.0.8:92", NULL };
	struct rung_app *app =
		rung_stack(rung_reproxy(.names = rung_names({ "pictures.internal:99", rung_run(give) })),
			rung_run(give));

	for (int i = 0; i < SERVERS; i++) {
		char *text = PRINT(app, .server = servers[i], .program = "album", .app = "10.1.2.3:4567",
			.listen = "10.1.2.4:5678", .targets = targets);

		for (size_t j = 0; j < sizeof examples / sizeof *examples; j++)
			cr_assert(!strstr(text, examples[j]), "%s: \"%s\" is left in %s", servers[i],
				examples[j], text);
		ASSERT_HAS(text, "10.1.2.3");
		ASSERT_HAS(text, "4567");
		ASSERT_HAS(text, "10.1.2.4");
		ASSERT_HAS(text, "5678");
		ASSERT_HAS(text, "album");
		if (strcmp(servers[i], "lighttpd") != 0) {
			ASSERT_HAS(text, "10.0.0.7:91");
			ASSERT_HAS(text, "10.0.0.8:92");
		}
		free(text);
	}
	rung_app_destroy(app);
}

Test(config, names_become_groups)
{
	static const char *const targets[] = { "files.internal=unix:/run/files", NULL };
	struct rung_app *app = guard();
	char *text = PRINT(app, .server = "nginx_hardened", .app = "unix:/run/app", .targets = targets);

	ASSERT_HAS(text, "upstream rung_app {\n\t\tserver unix:/run/app;");
	ASSERT_HAS(text, "upstream to_files_internal {\n\t\tserver unix:/run/files;");
	ASSERT_HAS(text,
		"files\\.internal(:80)?)(?<reproxy_path>/.*)$\" http://to_files_internal$reproxy_path;");
	/* A URI without an authority is the stack's own, which is localhost where it has no port. */
	ASSERT_HAS(text,
		"(?<reproxy_host>localhost(:80)?)(?<reproxy_path>/.*)$\" http://rung_app$reproxy_path;");
	free(text);
	text = PRINT(app, .server = "apache", .app = "unix:/run/app", .targets = targets);
	ASSERT_HAS(text, "ProxyPass \"/\" \"unix:/run/app|http://localhost/\" ");
	ASSERT_HAS(text, "ReproxyTarget \"http://localhost/\" \"unix:/run/app|http://localhost\"\n");
	ASSERT_HAS(text, "ReproxyTarget \"http://files.internal/\" \"unix:/run/files|http://localhost\"\n");
	free(text);
	rung_app_destroy(app);
}

Test(config, a_stack_without_names_has_no_groups)
{
	struct rung_app *app = rung_run(give);

	for (int i = 0; i < SERVERS; i++) {
		char *text = PRINT(app, .server = servers[i]);

		cr_assert(
			!strstr(text, "files.internal") && !strstr(text, "9000"), "%s: %s", servers[i], text);
		free(text);
	}
	rung_app_destroy(app);
}

Test(config, options_of_the_layer_count)
{
	struct rung_app *app = rung_stack(rung_reproxy(.location = "/inner", .header = "X-Fetch",
						  .base = "http://10.0.0.9:80", .max_hops = 3),
		rung_run(give));
	char *text = PRINT(app, .server = "nginx");

	ASSERT_HAS(text, "location /inner {");
	ASSERT_HAS(text, "set $reproxy_url $upstream_http_x_fetch;");
	free(text);
	text = PRINT(app, .server = "nginx_hardened");
	ASSERT_HAS(text, "location = /inner {");
	ASSERT_HAS(text, "proxy_hide_header X-Fetch;");
	ASSERT_HAS(text, "<reproxy_host>10\\.0\\.0\\.9(:80)?)");
	free(text);
	cr_assert_null(PRINT(app, .server = "apache"));
	ASSERT_HAS(rung_error(), "apache acts on X-Reproxy-Url alone, not on X-Fetch");
	rung_app_destroy(app);
	app = rung_stack(rung_reproxy(.location = "@inner", .max_hops = 3), rung_run(give));
	text = PRINT(app, .server = "nginx_hardened");
	ASSERT_HAS(text, "location @inner {");
	free(text);
	text = PRINT(app, .server = "apache");
	ASSERT_HAS(text, "ReproxyMaxHops 3\n");
	free(text);
	text = PRINT(app, .server = "h2o");
	ASSERT_HAS(text, "max-delegations: 3\n");
	free(text);
	rung_app_destroy(app);
}

/* A layer that is for one server alone says nothing of another's. */
Test(config, layers_for_other_servers_do_not_count)
{
	struct rung_app *app = rung_stack(rung_reproxy(.server = RUNG_SERVER_PERLBAL,
						  .names = rung_names({ "a.internal", rung_run(give) })),
		rung_reproxy(.server = RUNG_SERVER_NGINX,
			.names = rung_names({ "b.internal", rung_run(give) })),
		rung_run(give));
	char *text = PRINT(app, .server = "nginx_hardened");

	cr_assert(!strstr(text, "a.internal"));
	ASSERT_HAS(text, "# Where b.internal is.");
	free(text);
	rung_app_destroy(app);
}

Test(config, what_cannot_be_is_refused_with_the_mend)
{
	static const struct {
		struct rung_reproxy_config_options options;
		const char *targets[2];
		const char *message;
	} cases[] = {
		{ { .server = "iis" }, { NULL }, "there is no server \"iis\"; use nginx" },
		{ { .server = NULL }, { NULL }, "there is no server \"\"" },
		{ { .server = "nginx", .app = "here" }, { NULL }, "\"here\" is no address" },
		{ { .server = "nginx", .listen = "80" }, { NULL }, "\"80\" is no address; write HOST:PORT" },
		{ { .server = "perlbal", .app = "unix:/a" }, { NULL },
			"perlbal takes no Unix socket such as unix:/a" },
		{ { .server = "apache", .listen = "unix:/a" }, { NULL }, "apache takes no Unix socket" },
		{ { .server = "nginx" }, { "files.internal" },
			"target \"files.internal\" is none; write AUTHORITY=" },
		{ { .server = "nginx" }, { "a=b;c" }, "target \"a=b;c\" is none" },
		{ { .server = "nginx" }, { "a=unix:/x y" }, "target \"a=unix:/x y\" is none" },
		{ { .server = "nginx" }, { "a=unix:/x\"; load_module y" }, "is none" },
		{ { .server = "h2o" }, { "a=unix:/x" }, "h2o takes no Unix socket" },
	};
	struct rung_app *app = guard();

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rung_reproxy_config_options options = cases[i].options;

		options.size = sizeof options;
		options.targets = cases[i].targets;
		ASSERT_INT(rung_reproxy_config_new(app, &options, NULL, 0), -EINVAL);
		ASSERT_HAS(rung_error(), cases[i].message);
	}
	rung_app_destroy(app);
}

/* -- targets ------------------------------------------------------------------------------------------------------- */

static const char *emitted(enum rung_server_kind server, const char *uri, const char *const *targets)
{
	static char url[256];
	const struct rung_setup setup = { .size = sizeof setup, .server = server, .targets = targets };
	struct rung_client *client = test_client_with(
		rung_stack(rung_reproxy(.names = rung_names({ "files.internal", rung_run(give) })),
			rung_run(give, .data = uri)),
		&setup);
	const struct rung_reply *reply = rung_client_get(client, "/");

	snprintf(url, sizeof url, "%s", rung_reply_header(reply, "X-Reproxy-Url"));
	rung_client_destroy(client);
	return url;
}

Test(config, servers_without_groups_are_told_the_address)
{
	static const char *const targets[] = { "files.internal=10.0.0.7:91", "b:9000=[::1]:92", NULL };
	static const enum rung_server_kind by_address[] = { RUNG_SERVER_HEADER, RUNG_SERVER_PERLBAL,
		RUNG_SERVER_H2O };
	static const enum rung_server_kind by_name[] = { RUNG_SERVER_NGINX, RUNG_SERVER_APACHE };

	for (int i = 0; i < 3; i++) {
		ASSERT_STR(emitted(by_address[i], "http://FILES.internal/a%20b?c=d", targets),
			"http://10.0.0.7:91/a%20b?c=d");
		ASSERT_STR(
			emitted(by_address[i], "http://files.internal:80", targets), "http://10.0.0.7:91/");
		ASSERT_STR(emitted(by_address[i], "http://b:9000/../x#y", targets), "http://[::1]:92/x");
		ASSERT_STR(emitted(by_address[i], "http://files.internal:81/", targets),
			"http://files.internal:81/");
		ASSERT_STR(emitted(by_address[i], "http://files.internal/", NULL), "http://files.internal/");
	}
	for (int i = 0; i < 2; i++)
		ASSERT_STR(
			emitted(by_name[i], "http://files.internal/a", targets), "http://files.internal/a");
}

Test(config, a_target_that_the_server_cannot_reach_is_refused_at_the_start)
{
	static const char *const sockets[] = { "files.internal=unix:/run/x", NULL }, *const none[] = { "x",
		NULL };
	const struct {
		enum rung_server_kind server;
		const char *const *targets;
		const char *message;
	} cases[] = {
		{ RUNG_SERVER_PERLBAL, sockets,
			"a URI for perlbal names no Unix socket; give it host and port" },
		{ RUNG_SERVER_SELF, none, "reproxy: target \"x\" is none; write AUTHORITY=HOST:PORT" },
	};

	for (int i = 0; i < 2; i++) {
		const struct rung_setup setup = {
			.size = sizeof setup, .server = cases[i].server, .targets = cases[i].targets
		};
		struct rung_app *app = guard();

		ASSERT_INT(rung_start(app, &setup), -EINVAL);
		ASSERT_HAS(rung_error(), cases[i].message);
		rung_app_destroy(app);
	}
}

/* H2O would send a body to whoever asks by HEAD, unless the status keeps the method. */
Test(config, h2o_is_told_to_keep_head)
{
	struct rung_client *client = test_client(rung_stack(
		rung_reproxy(.server = RUNG_SERVER_H2O), rung_run(give, .data = "http://files.internal/a")));

	ASSERT_INT(rung_client_send(client, "HEAD", "/")->status, 307);
	ASSERT_INT(rung_client_get(client, "/")->status, 200);
	rung_client_destroy(client);
}
