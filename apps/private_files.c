/* DESC: Private downloads: the app decides who may, the server sends the bytes. */
/* TRY: 200 / -- anyone may see what there is */
/* TRY: 401 /d/readme.txt -- and not everyone may have it */
/* TRY: 200 -u demo:demo /d/readme.txt -- a file, through reproxy: the app itself never opens it */
/* TRY: 200 -u demo:demo /d/letter.html -- another, as a page */
/* TRY: 206 -u demo:demo -r 0-15,32-47 /d/big.bin -- two parts of a large one */
/* TRY: 200 -u demo:demo -I /d/big.bin -- its head alone */
#include "page.h"
#include <rung/access_log.h>
#include <rung/basic_auth.h>
#include <rung/error_pages.h>
#include <rung/files.h>
#include <rung/reproxy.h>
#include <rung/rung.h>

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

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
	(void)self;
	rung_header(res, "Cache-Control", "private");
	return rung_reply_uri(res, 200, "http://files.internal/%s", rung_param(env, "name"));
}

int main(int argc, char **argv)
{
	return rung_main(argc, argv,
		rung_stack(rung_access_log(), rung_error_pages(),
			rung_reproxy(.names = rung_names(
					     { "files.internal", rung_files(.root = PRIVATE_FILES) })),
			rung_routes(rung_get("/", list),
				rung_get("/d/:name",
					.app = rung_stack(rung_basic_auth(.realm = "files", .user = "demo",
								  .password = "demo"),
						rung_run(download))))));
}
