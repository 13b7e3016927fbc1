/* pages.c: the gallery's own pages. All links are relative, so that they are right wherever it is mounted. */
#include "gallery.h"

#include <errno.h>
#include <string.h>

static void write_head(struct rung_writer *page, const char *title, const char *up)
{
	rung_write(page, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
			 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
	rung_write_html(page, title);
	rung_writef(page,
		"</title>\n<link rel=\"icon\" href=\"%sgallery.svg\">\n"
		"<link rel=\"stylesheet\" href=\"%sgallery.css\">\n</head>\n<body>\n",
		up, up);
}

/* A browser can follow what takes no more than an address and, when it is asked for, a password. */
static bool is_link(const struct try *try)
{
	return !*try->options || strcmp(try->options, "-i") == 0 ||
	       (strncmp(try->options, "-u ", 3) == 0 && !strchr(try->options + 3, ' '));
}

static void write_user(struct rung_writer *page, const struct try *try)
{
	if (strncmp(try->options, "-u ", 3) != 0)
		return;
	rung_write(page, " data-user=\"");
	rung_write_html(page, try->options + 3);
	rung_write(page, "\"");
}

/* As one word of a shell's: quoted if anything in it means something there, as it may in the host that the client named. */
static void write_word(struct rung_writer *page, const char *word)
{
	bool is_plain = !word[strcspn(word, "?&;()[]*#'!$")];

	if (!is_plain)
		rung_write(page, "&#39;");
	for (; *word; word++) {
		size_t size = strcspn(word, "'");
		const char *part = rung_strndup(page->env, word, size);

		rung_write_html(page, part);
		word += size;
		if (!*word)
			break;
		rung_write(page, "&#39;\\&#39;&#39;");
	}
	if (!is_plain)
		rung_write(page, "&#39;");
}

static void write_curl(struct rung_writer *page, const struct exhibit *exhibit, const struct try *try)
{
	const struct rung_env *env = page->env;
	const char *address =
		rung_printf(env, "http://%s%s/%s%s", env->host, env->script_name, exhibit->name, try->path);

	rung_writef(page, "<code class=\"curl\" data-status=\"%d\">curl ", try->status);
	if (*try->options) {
		rung_write_html(page, try->options);
		rung_write(page, " ");
	}
	if (address)
		write_word(page, address);
	else
		page->error = -ENOMEM;
	rung_write(page, "</code>");
}

static void write_try(
	struct rung_writer *page, const struct exhibit *exhibit, const struct try *try, const char *up)
{
	rung_write(page, "<li>");
	if (is_link(try)) {
		rung_writef(page, "<a data-status=\"%d\"", try->status);
		write_user(page, try);
		rung_write(page, " href=\"");
		rung_write_html(page, rung_printf(page->env, "%s%s%s", up, exhibit->name, try->path));
		rung_write(page, "\">");
	}
	rung_write_html(page, try->path);
	if (is_link(try))
		rung_write(page, "</a>");
	rung_writef(page, " <span class=\"status s%d\">%d</span> ", try->status / 100, try->status);
	rung_write_html(page, try->words);
	write_curl(page, exhibit, try);
	rung_write(page, "</li>\n");
}

static void write_tries(struct rung_writer *page, const struct exhibit *exhibit, const char *up)
{
	rung_write(page, "<ul class=\"tries\">\n");
	for (size_t i = 0; i < exhibit->try_count; i++)
		write_try(page, exhibit, &exhibit->tries[i], up);
	rung_write(page, "</ul>\n");
}

static void write_open(struct rung_writer *page, const struct exhibit *exhibit, const char *up)
{
	rung_writef(page, "<a class=\"open\" href=\"%s%s/\">open</a>", up, exhibit->name);
}

static void write_ladder(struct rung_writer *page, const struct exhibit *exhibit)
{
	rung_write(page, "<pre class=\"ladder\" tabindex=\"0\">");
	rung_write_html(page, exhibit->ladder);
	rung_write(page, "</pre>\n");
}

static void write_source(struct rung_writer *page, const struct exhibit *exhibit)
{
	rung_write(page, "<pre class=\"source\" tabindex=\"0\"><code>");
	highlight(page, exhibit->source);
	rung_write(page, "</code></pre>\n");
}

static void write_card(struct rung_writer *page, const struct exhibit *exhibit)
{
	rung_writef(page,
		"<section id=\"%s\">\n<h2><a data-app=\"%s\" href=\"about/%s\">%s</a></h2>\n<p class=\"promise\">",
		exhibit->name, exhibit->name, exhibit->name, exhibit->name);
	rung_write_html(page, exhibit->promise);
	rung_write(page, " ");
	write_open(page, exhibit, "");
	rung_write(page, "</p>\n");
	write_tries(page, exhibit, "");
	rung_write(page, "<details><summary>Its stack</summary>\n");
	write_ladder(page, exhibit);
	rung_write(page, "</details>\n<details><summary>Its source</summary>\n");
	write_source(page, exhibit);
	rung_write(page, "</details>\n</section>\n");
}

void write_index(struct rung_writer *page, const struct exhibit *exhibits, size_t count, bool has_inspector)
{
	write_head(page, "Rung: the gallery", "");
	rung_write(page,
		"<header>\n<img src=\"gallery.svg\" alt=\"\" width=\"56\" height=\"56\">\n<div>\n"
		"<h1>Rung: the gallery</h1>\n"
		"<p>Small programs that work, each of them one file. An <em>app</em> answers, a <em>layer</em> "
		"wraps an app, a whole <em>stack</em> is one value. An app may also answer with a URI: then the "
		"web server in front fetches it, or this process does.</p>\n");
	if (has_inspector)
		rung_write(page,
			"<p><a href=\"_rung/\">Watch the requests</a> as ladders while you try things.</p>\n");
	rung_write(page, "</div>\n</header>\n<nav aria-label=\"Apps\"><ul>\n");
	for (size_t i = 0; i < count; i++)
		rung_writef(page, "<li><a href=\"#%s\">%s</a></li>\n", exhibits[i].name, exhibits[i].name);
	rung_write(page, "</ul></nav>\n<main>\n");
	for (size_t i = 0; i < count; i++)
		write_card(page, &exhibits[i]);
	rung_write(page, "</main>\n</body>\n</html>\n");
}

void write_about(struct rung_writer *page, const struct exhibit *exhibit)
{
	write_head(page, rung_printf(page->env, "%s: Rung's gallery", exhibit->name), "../");
	rung_writef(page,
		"<main class=\"about\">\n<p><a href=\"../\">the gallery</a></p>\n<h1>%s</h1>\n<p class=\"promise\">",
		exhibit->name);
	rung_write_html(page, exhibit->promise);
	rung_write(page, " ");
	write_open(page, exhibit, "../");
	rung_write(page, "</p>\n");
	write_tries(page, exhibit, "../");
	rung_write(page, "<h2>Its stack</h2>\n");
	write_ladder(page, exhibit);
	rung_writef(page, "<h2>Its source, apps/%s.c</h2>\n", exhibit->name);
	write_source(page, exhibit);
	rung_write(page, "</main>\n</body>\n</html>\n");
}
