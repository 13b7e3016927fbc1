/* DESC: Private downloads: the app decides who may, the server sends the bytes. */
/* TRY: 200 / -- anyone may see what there is */
/* TRY: 401 /d/readme.txt -- and not everyone may have it */
/* TRY: 200 -u demo:demo /d/readme.txt -- a file, through reproxy: the app itself never opens it */
/* TRY: 200 -u demo:demo /d/letter.html -- another, as a page */
/* TRY: 206 -u demo:demo -r 0-15,32-47 /d/big.bin -- two parts of a large one */
/* TRY: 200 -u demo:demo -I /d/big.bin -- its head alone */
/*
 * The files may also be on another machine: FILES_URL in the environment, http://10.0.0.7:8080/private, says where. A name reaches
 * public addresses alone, unless FILES_ALLOW lists where it may lead to, as in 10.0.0.0/8,192.168.1.7.
 */
#include "page.h"
#include <rung/access_log.h>
#include <rung/basic_auth.h>
#include <rung/error_pages.h>
#include <rung/files.h>
#include <rung/reproxy.h>
#include <rung/rung.h>
#include <rung/upstream.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Anyone may see what there is. File names go into a page, but none of ours needs escaping. */
static int list(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct dirent **entries;
	int count = scandir(PRIVATE_FILES, &entries, NULL, alphasort);
	const char *page = PAGE("Private files") "<p>User demo, password demo.<ul>";

	(void)self;
	if (count < 0)
		return rung_fail(env, -EIO, "cannot read %s", PRIVATE_FILES);
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		if (page && *name != '.')
			page = rung_printf(
				env, "%s<li><a data-status=\"401\" href=\"d/%s\">%s</a>", page, name, name);
		free(entries[i]);
	}
	free(entries);
	return page ? rung_reply_html(res, 200, page) : -ENOMEM;
}

/* Whoever gets here has shown a password. The file itself is somebody else's work. */
static int download(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const char *elsewhere = rung_data(self), *name = rung_param(env, "name");
	char segment[1024];

	rung_header(res, "Cache-Control", "private");
	if (!elsewhere)
		return rung_reply_uri(res, 200, "http://files.internal/%s", name);
	if (*name == '.' ||
		rung_uri_encode(RUNG_URI_SEGMENT, name, strlen(name), segment, sizeof segment) < 0)
		return rung_reply_empty(res, 404);
	bool has_slash = elsewhere[strlen(elsewhere) - 1] == '/';
	const char *uri = rung_printf(env, "%s%s%s", elsewhere, has_slash ? "" : "/", segment);
	return uri ? rung_reply_uri_raw(res, 200, uri) : -ENOMEM;
}

/* Fetches from the authority of that URL. */
static struct rung_app *make_remote(const char *url)
{
	char list[1024], *next = list;
	const char *allow[32] = { NULL }, *given = getenv("FILES_ALLOW");
	struct rung_uri uri = { .host = { "", 0 } };
	size_t count = 0;

	if (rung_uri_parse(url, strlen(url), &uri) < 0 || !uri.host.size) {
		rung_refuse(-EINVAL,
			"private_files: FILES_URL \"%s\" is no URL; write http://HOST:PORT/FOLDER", url);
		return NULL;
	}
	snprintf(list, sizeof list, "%.*s%s%.*s,%s", (int)uri.host.size, uri.host.at,
		uri.port.size ? ":" : "", (int)uri.port.size, uri.port.size ? uri.port.at : "",
		given ? given : "");
	for (char *entry; count < 31 && (entry = strsep(&next, ","));)
		if (*entry)
			allow[count++] = entry;
	return rung_upstream(.allow = allow);
}

int main(int argc, char **argv)
{
	const char *elsewhere = getenv("FILES_URL");

	return rung_main(argc, argv,
		rung_stack(rung_access_log(), rung_error_pages(),
			rung_reproxy(.names = rung_names(
					     { "files.internal", rung_files(.root = PRIVATE_FILES) }),
				.remote = elsewhere ? make_remote(elsewhere) : NULL),
			rung_routes(rung_get("/", list),
				rung_get("/d/:name",
					.app = rung_stack(rung_basic_auth(.realm = "files", .user = "demo",
								  .password = "demo"),
						rung_run(download, .data = elsewhere))))));
}
