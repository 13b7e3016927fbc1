/* DESC: A development server for apps in any language: what they ask of nginx and its kin is done as those would do it. */
/* TRY: 200 / -- the app is a small one that stands in for yours; this page is its own */
/* TRY: 200 /file -- X-Accel-Redirect to a folder that only the server may read */
/* TRY: 206 -r 0-15 /file -- and a part of it */
/* TRY: 200 /url -- X-Accel-Redirect to a location that fetches X-Reproxy-Url */
/* TRY: 404 /missing -- a file that is not there, by the server's own 404 */
/* TRY: 500 /again -- an app that asks for itself, until nginx has enough */
#include "front/story.h"
#include "page.h"
#include <rung/error_pages.h>
#include <rung/reproxy.h>
#include <rung/rung.h>
#include <rung/upstream.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST = 32, EXIT_USAGE = 2 };

/* As the location in the documentation of Rack::Reproxy does. */
#define FETCH "$upstream_http_x_reproxy_url"

/* Lives as long as the process, since the layers point at it. */
struct options {
	struct front front;
	struct internal internals[MOST + 1];
	const char *allowed[MOST + 1];
	size_t allowed_count;
	const char *sendfile; /* NULL: X-Sendfile is passed on */
	enum rung_server_kind server;
	bool help;
};

/* -- the demonstration: an app that asks the server in front, as those behind a real one do -------------------------- */

static int demo_page(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	return rung_reply_html(res, 200,
		PAGE("Front") "<p>No app was named, so a small one stands in: <code>apps/run front --backend http://127.0.0.1:3000</code> "
			      "is for yours. This one answers as an app behind nginx would:\n<ul>\n"
			      "<li><a href=\"file\">file</a>: X-Accel-Redirect: /files/letter.html\n"
			      "<li><a href=\"url\">url</a>: X-Accel-Redirect: /reproxy and X-Reproxy-Url: http://elsewhere.internal/a?b=c\n"
			      "<li><a data-status=\"404\" href=\"missing\">missing</a>: X-Accel-Redirect: /files/missing\n"
			      "<li><a data-status=\"500\" href=\"again\">again</a>: X-Accel-Redirect: /again\n</ul>\n"
			      "<p>The log has a line for each.\n");
}

static int demo_accel(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const char *to = rung_data(self);

	(void)env;
	if (strcmp(to, "/reproxy") == 0)
		rung_header(res, "X-Reproxy-Url", "http://elsewhere.internal/a?b=c");
	if (strcmp(to, "/files/letter.html") == 0)
		rung_header(res, "Content-Type", "text/html; charset=utf-8");
	rung_header(res, "X-Accel-Redirect", to);
	return rung_reply_empty(res, 200);
}

static int elsewhere(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return rung_reply_textf(res, 200, "Asked for %s?%s at %s.\n", env->path_info, env->query, env->host);
}

static struct rung_app *demo_app(void)
{
	return rung_routes(rung_get("/", demo_page),
		rung_get("/file", demo_accel, .data = "/files/letter.html"),
		rung_get("/url", demo_accel, .data = "/reproxy"),
		rung_get("/missing", demo_accel, .data = "/files/missing"),
		rung_get("/again", demo_accel, .data = "/again"));
}

/* -- flags ------------------------------------------------------------------------------------------------------- */

static const char help[] =
	"front: the development server for apps in any language. It forwards to your app, and does what the app asks of the web\n"
	"server in front, X-Accel-Redirect, X-Reproxy-Url, X-Sendfile, X-Rewrite-URI and their kin, as that server would.\n"
	"\n"
	"  apps/run front --backend http://127.0.0.1:3000 --emulate nginx --internal /files/=/srv/files\n"
	"\n"
	"  --backend URL                where your app listens: http://HOST:PORT, https://HOST or unix:PATH; several with\n"
	"                               commas between them take turns. Without it a small app shows how it goes\n"
	"  --emulate SERVER             nginx (default), nginx_hardened, apache, lighttpd, perlbal, h2o or rack\n"
	"  --internal LOCATION=WHAT     a location of nginx that X-Accel-Redirect may name; may come again. LOCATION begins\n"
	"                               with / or @, or is \"= /exact\". WHAT is a folder (as nginx's alias), an URL (as its\n"
	"                               proxy_pass), or url: what X-Reproxy-Url names. Default: /reproxy=url\n"
	"  --sendfile DIR               the folder whose files X-Sendfile may name, as Apache's XSendFilePath; for apache and\n"
	"                               lighttpd. Default: none, and the client sees the field\n"
	"  --allow AUTHORITY            what URLs may name: files.example.com, *.example.com:8080, 10.0.0.0/8; may come again.\n"
	"                               Default: everything, also this machine and its network\n"
	"\n"
	"Each request gives a line on standard error: who asked, what the app answered, where that led, what came of it.\n"
	"And the flags of every app:\n\n";

/* What URLs may name where nothing is said: this is for development, and the servers that are emulated ask anything, too. */
static const char *const everything[] = { "*", "0.0.0.0/0", "[::]/0" };

static int add_internal(struct options *options, char *text)
{
	char *what = strchr(*text == '=' ? text + 1 : text, '=');
	struct internal *at = &options->internals[options->front.internal_count];
	struct stat status;

	if (options->front.internal_count == MOST)
		return rung_refuse(-EINVAL, "--internal: more than %d of them", MOST);
	if (!what || !what[1])
		return rung_refuse(
			-EINVAL, "--internal \"%s\": write LOCATION=WHAT, such as /files/=/srv/files", text);
	*what++ = '\0';
	*at = (struct internal){ .path = text };
	if (strcmp(what, "url") == 0)
		at->pass = FETCH;
	else if (strncmp(what, "http://", 7) == 0 || strncmp(what, "https://", 8) == 0)
		at->pass = what;
	else if (stat(what, &status) == 0 && S_ISDIR(status.st_mode))
		at->folder = what;
	else
		return rung_refuse(
			-EINVAL, "--internal %s: \"%s\" is no folder, no URL, and not \"url\"", text, what);
	options->front.internal_count++;
	return 0;
}

/* As the system writes it, since apps name files so. Kept to the end of the process. */
static int take_sendfile(struct options *options, const char *folder)
{
	static char path[PATH_MAX];
	struct stat status;

	if (!realpath(folder, path) || stat(path, &status) < 0 || !S_ISDIR(status.st_mode))
		return rung_refuse(-EINVAL, "--sendfile: \"%s\" is no folder", folder);
	options->sendfile = path;
	return 0;
}

/* Takes one of our flags. Returns 0 or -EINVAL. */
static int take(struct options *options, const char *name, char *value)
{
	if (strcmp(name, "--backend") == 0) {
		options->front.backend = value;
		return 0;
	}
	if (strcmp(name, "--internal") == 0)
		return add_internal(options, value);
	if (strcmp(name, "--sendfile") == 0)
		return take_sendfile(options, value);
	if (options->allowed_count == MOST)
		return rung_refuse(-EINVAL, "--allow: more than %d of them", MOST);
	options->allowed[options->allowed_count++] = value;
	return 0;
}

static bool is_ours(const char *name)
{
	return strcmp(name, "--backend") == 0 || strcmp(name, "--internal") == 0 ||
	       strcmp(name, "--sendfile") == 0 || strcmp(name, "--allow") == 0;
}

/* rung_main() takes the flag, too; here it is needed earlier. */
static int take_server(struct options *options, const char *name, const char *value)
{
	bool is_short = strcmp(name, "--emulate") == 0;
	char text[64];

	if (!value || (!is_short && strcmp(name, "--reproxy") != 0))
		return 0;
	snprintf(text, sizeof text, "%s%s", is_short ? "emulate:" : "", value);
	return rung_server_kind_parse(text, &options->server);
}

/* Takes our flags out of argv, and leaves those of rung_main(). Returns the new argc or -EINVAL. */
static int parse(struct options *options, int argc, char **argv)
{
	int kept = argc ? 1 : 0;

	for (int i = 1; i < argc; i++) {
		char *value = strchr(argv[i], '=');
		bool is_joined = value && strncmp(argv[i], "--", 2) == 0;

		if (is_joined)
			*value++ = '\0';
		if (is_ours(argv[i])) {
			if (!is_joined && ++i == argc)
				return rung_refuse(
					-EINVAL, "%s: its value is missing; see --help", argv[argc - 1]);
			if (take(options, argv[is_joined ? i : i - 1], is_joined ? value : argv[i]) < 0)
				return -EINVAL;
			continue;
		}
		if (take_server(options, argv[i], is_joined ? value : argv[i + 1]) < 0)
			return -EINVAL;
		options->help = options->help || strcmp(argv[i], "--help") == 0;
		if (is_joined)
			value[-1] = '=';
		argv[kept++] = argv[i];
	}
	if (kept < argc)
		argv[kept] = NULL;
	return kept;
}

/* What is not said. A backend with the demonstration's folder would show files that nobody asked for. */
static int settle(struct options *options)
{
	struct front *front = &options->front;

	front->internals = options->internals;
	if (!front->internal_count && !front->backend)
		options->internals[front->internal_count++] =
			(struct internal){ .path = "/files/", .folder = PRIVATE_FILES };
	bool has_url = false;
	for (size_t i = 0; i < front->internal_count; i++)
		has_url = has_url || strcmp(options->internals[i].path, "/reproxy") == 0;
	if (!has_url)
		options->internals[front->internal_count++] =
			(struct internal){ .path = "/reproxy", .pass = FETCH };
	if (!options->allowed_count)
		for (size_t i = 0; i < sizeof everything / sizeof *everything; i++)
			options->allowed[options->allowed_count++] = everything[i];
	if (!options->server && take_server(options, "--reproxy", getenv("RUNG_REPROXY")) < 0)
		return -EINVAL;
	if (!options->server)
		options->server = RUNG_EMULATE_NGINX;
	front->has_locations =
		options->server == RUNG_EMULATE_NGINX || options->server == RUNG_EMULATE_NGINX_HARDENED;
	return 0;
}

/* As they do where nothing is configured; the others put the backend's authority there. */
static bool passes_host(enum rung_server_kind server)
{
	return server == RUNG_EMULATE_PERLBAL || server == RUNG_EMULATE_LIGHTTPD ||
	       server == RUNG_EMULATE_RACK;
}

/* -- the stack --------------------------------------------------------------------------------------------------- */

static struct rung_app *make_stack(const struct options *options)
{
	const struct front *front = &options->front;
	struct rung_location locations[MOST + 1] = { 0 };

	for (size_t i = 0; i < front->internal_count; i++)
		locations[i] = (struct rung_location){ .path = front->internals[i].path,
			.folder = front->internals[i].folder,
			.pass = front->internals[i].pass };
	return rung_stack(rung_error_pages(), story_whole(front),
		rung_reproxy(.server = options->server, .as_is = true, .sendfile = options->sendfile,
			.locations = rung_locations_new(locations, front->internal_count),
			.names = front->backend
					 ? NULL
					 : rung_names({ "elsewhere.internal",
						   rung_stack(story_of_target(front), rung_run(elsewhere)) }),
			.remote = front->backend ? rung_stack(story_of_target(front),
							   rung_upstream(.allow = options->allowed,
								   .pass_host = true, .trust_forwarded = true,
								   .no_forwarded = true))
						 : NULL),
		story_of_app(front),
		front->backend
			? rung_upstream(.to = front->backend, .pass_host = passes_host(options->server),
				  .trust_forwarded = true, .no_forwarded = true)
			: demo_app());
}

int main(int argc, char **argv)
{
	static struct options options;

	options = (struct options){ 0 };
	argc = parse(&options, argc, argv);
	if (argc < 0 || settle(&options) < 0) {
		fprintf(stderr, "front: %s\n", rung_error());
		return EXIT_USAGE;
	}
	if (options.help)
		fputs(help, stdout);
	return rung_main(argc, argv, make_stack(&options));
}
