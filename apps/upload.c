/* DESC: Upload: a form with files; what came of each: name, type, size, SHA-256; and limits that say what they are. */
/* TRY: 200 / -- the form */
/* TRY: 200 -F note=hello -F files=@/etc/os-release / -- a file and a note, as a browser sends them */
/* TRY: 200 -F 'files=@/etc/os-release;filename=../../.bash:rc' / -- a name that wants somewhere else, and what is made of it */
/* TRY: 200 -d note=hello / -- the same form without files, urlencoded */
/* TRY: 413 -F a=@/etc/os-release -F b=@/etc/os-release -F c=@/etc/os-release -F d=@/etc/os-release / -- one file too many */
/* TRY: 400 -H 'Content-Type: multipart/form-data' -d x / -- a form that cannot be read: no boundary */
/* TRY: 415 -H 'Content-Type: text/csv' -d a,b / -- no form at all */
#include "page.h"
#include <rung/access_log.h>
#include <rung/error_pages.h>
#include <rung/rung.h>

#include <errno.h>
#include <nettle/sha2.h>
#include <string.h>

enum { MOST_MEGABYTES = 8, MOST_BYTES = MOST_MEGABYTES * 1024 * 1024, MOST_FILES = 3, MOST_NOTE = 16 * 1024 };

static const struct rung_params_limits limits = {
	.size = sizeof limits, .files = MOST_FILES, .text = MOST_NOTE, .parts = 16
};

static int write_limits(struct rung_writer *page)
{
	return rung_writef(page, "Up to %d files, %d MiB in all, and a note of %d KiB.", MOST_FILES,
		MOST_MEGABYTES, MOST_NOTE / 1024);
}

/* -- the form ------------------------------------------------------------------------------------------------------ */

static int form_page(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_writer page = rung_writer(env);

	(void)self;
	rung_write(&page, PAGE("Upload") "<p>Files go to the server, which tells what came and forgets it. ");
	write_limits(&page);
	rung_write(&page, "</p>\n<form method=\"post\" enctype=\"multipart/form-data\">\n"
			  "<p><label for=\"files\">Files</label>\n"
			  "<input type=\"file\" id=\"files\" name=\"files\" multiple></p>\n"
			  "<p><label for=\"note\">A note</label>\n"
			  "<textarea id=\"note\" name=\"note\" rows=\"3\" cols=\"40\"></textarea></p>\n"
			  "<p><button>Upload</button></p>\n</form>\n");
	return rung_reply_written(res, 200, "text/html; charset=utf-8", &page);
}

/* -- what came ------------------------------------------------------------------------------------------------------ */

static void write_sum(struct rung_writer *page, const struct rung_upload *file)
{
	struct sha256_ctx sum;
	uint8_t digest[SHA256_DIGEST_SIZE];

	sha256_init(&sum);
	sha256_update(&sum, file->size, file->bytes);
	sha256_digest(&sum, sizeof digest, digest);
	for (size_t i = 0; i < sizeof digest; i++)
		rung_writef(page, "%02x", digest[i]);
}

/* Whatever a client sent goes into a page escaped. */
static void write_row(struct rung_writer *page, const char *title, const char *text)
{
	rung_writef(page, "<tr><th scope=\"row\">%s</th><td>", title);
	rung_write_html(page, text);
	rung_write(page, "</td></tr>\n");
}

static void write_file(struct rung_writer *page, const struct rung_upload *file)
{
	rung_write(page, "<h2>");
	rung_write_html(page, file->safe_name);
	rung_write(page, "</h2>\n<table>\n");
	if (strcmp(file->filename, file->safe_name) != 0)
		write_row(page, "sent as", file->filename);
	write_row(page, "type", file->content_type);
	write_row(page, "size", rung_printf(page->env, "%zu bytes", file->size));
	rung_write(page, "<tr><th scope=\"row\">SHA-256</th><td><code>");
	write_sum(page, file);
	rung_write(page, "</code></td></tr>\n</table>\n");
}

static int take(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_writer page = rung_writer(env);
	const struct rung_params *form;
	size_t files = 0;

	(void)self;
	int rc = rung_form_within(env, &limits, &form);
	if (rc < 0)
		return rc;
	const char *note = rung_params_get(form, "note");
	rung_write(&page, PAGE("What came"));
	for (size_t i = 0; i < form->count; i++) {
		if (!form->pairs[i].file)
			continue;
		write_file(&page, form->pairs[i].file);
		files++;
	}
	if (!files)
		rung_write(&page, "<p>No file was chosen.</p>\n");
	if (note && *note) {
		rung_write(&page, "<h2>The note</h2>\n<pre>");
		rung_write_html(&page, note);
		rung_write(&page, "</pre>\n");
	}
	rung_write(&page, "<p><a class=\"go\" href=\"./\">Another one</a></p>\n");
	return rung_reply_written(res, 200, "text/html; charset=utf-8", &page);
}

/* -- what went wrong ------------------------------------------------------------------------------------------------ */

static const char *title_of(int status)
{
	return status == 413   ? PAGE("Too much")
	       : status == 400 ? PAGE("A broken form")
	       : status == 415 ? PAGE("Not a form")
			       : NULL;
}

/* A message about anything else is for the log alone. */
static const char *reason_of(const struct rung_env *env)
{
	const struct rung_failure *failure = rung_failure(env);
	bool is_clients = failure && (failure->err == -EBADMSG || failure->err == -E2BIG ||
					     failure->err == -EMEDIUMTYPE);

	return is_clients ? failure->message : "";
}

/* Gives what was refused a page that says why, and what would not have been. For programs error_pages has a line. */
static int explain(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_writer page = rung_writer(env);
	const char *accept = rung_request_header(env, "Accept");

	rung_next(self, env, res);
	if (res->kind != RUNG_BODY_EMPTY || !title_of(res->status) || !accept || !strstr(accept, "text/html"))
		return 0;
	rung_write(&page, title_of(res->status));
	rung_write(&page, "<p>This was not taken: ");
	rung_write_html(&page, reason_of(env));
	rung_write(&page, ".</p>\n<p>");
	write_limits(&page);
	rung_write(&page, "</p>\n<p><a class=\"go\" href=\"./\">Try again</a></p>\n");
	return rung_reply_written(res, res->status, "text/html; charset=utf-8", &page);
}

int main(int argc, char **argv)
{
	return rung_main(argc, argv,
		rung_stack(rung_access_log(), rung_error_pages(), rung_use(explain, .name = "explain"),
			rung_routes(
				rung_get("/", form_page), rung_post("/", take, .body_limit = MOST_BYTES))));
}
