/*
 * listing.c: a folder as a page. Rack: Rack::Directory.
 *
 * Only what could be sent is shown: no dot files, no links that lead out, no devices. The page is whole in itself: its
 * policy allows no script and nothing from elsewhere, so that no name in it can do anything.
 */
#include "files_private.h"

#include <rung/writer.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Names that are looked at, shown or not. A folder of more is shown in part, and says so: all of it would hold up the loop. */
enum { MOST_ENTRIES = 5000 };

struct entry {
	const char *name;
	bool is_folder;
	int64_t size;
	time_t modified;
};

struct listing {
	struct entry *entries;
	size_t count, room;
	bool is_cut;
};

/* -- reading ----------------------------------------------------------------------------------------------------- */

static int add_entry(struct rung_env *env, struct listing *listing, const char *name, const struct stat *info)
{
	if (listing->count == listing->room) {
		size_t room = listing->room ? 2 * listing->room : 64;
		struct entry *entries = rung_alloc(env, room * sizeof *entries);

		if (!entries)
			return -ENOMEM;
		if (listing->count)
			memcpy(entries, listing->entries, listing->count * sizeof *entries);
		listing->entries = entries;
		listing->room = room;
	}
	const char *copy = rung_strndup(env, name, strlen(name));
	if (!copy)
		return -ENOMEM;
	listing->entries[listing->count++] =
		(struct entry){ copy, S_ISDIR(info->st_mode), info->st_size, info->st_mtim.tv_sec };
	return 0;
}

/* A link counts as what it leads to, when that is beneath the root. */
static int stat_entry(const struct files *files, struct rung_env *env, const char *path, int folder,
	const char *name, struct stat *ret_info)
{
	if (fstatat(folder, name, ret_info, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISLNK(ret_info->st_mode))
		return 0;
	const char *full = rung_printf(env, "%s%s%s", path, *path ? "/" : "", name);
	return full ? rung_files_stat(files, full, ret_info) : -ENOMEM;
}

static int read_entries(const struct files *files, struct rung_env *env, const char *path, DIR *folder,
	struct listing *listing)
{
	const struct dirent *found;
	int rc = 0, looked_at = 0;

	while (rc != -ENOMEM && (found = readdir(folder))) {
		const char *name = found->d_name;
		struct stat info;

		if (looked_at++ == MOST_ENTRIES) {
			listing->is_cut = true;
			return 0;
		}
		if (!rung_files_is_plain(name, strlen(name)))
			continue;
		rc = stat_entry(files, env, path, dirfd(folder), name, &info);
		if (rc == 0 && (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode)))
			rc = add_entry(env, listing, name, &info);
	}
	/* What vanished meanwhile, or may not be looked at, is not there. */
	return rc == -ENOMEM ? rc : 0;
}

/* -- order ------------------------------------------------------------------------------------------------------- */

/* Folders first, then names as a person counts: 2 before 10. */
static int by_name(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	return a->is_folder != b->is_folder ? b->is_folder - a->is_folder : strverscmp(a->name, b->name);
}

static int by_size(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->is_folder != b->is_folder || a->is_folder || a->size == b->size)
		return by_name(left, right);
	return a->size < b->size ? 1 : -1;
}

static int by_date(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	return a->modified == b->modified ? by_name(left, right) : a->modified < b->modified ? 1 : -1;
}

/* What a column's head links to; the first is the default. */
static const struct column {
	const char *query, *title, *class_, *order;
	int (*compare)(const void *left, const void *right);
} columns[] = {
	{ "by=name", "Name", "name", "ascending", by_name },
	{ "by=size", "Size", "size", "descending", by_size },
	{ "by=date", "Changed (UTC)", "date", "descending", by_date },
};

enum { COLUMNS = sizeof columns / sizeof *columns };

static const struct column *chosen_column(const struct rung_env *env)
{
	for (size_t i = 0; i < COLUMNS; i++)
		if (strcmp(env->query, columns[i].query) == 0)
			return &columns[i];
	return columns;
}

/* -- the page ---------------------------------------------------------------------------------------------------- */

static const char head[] =
	"<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<style>\n"
	":root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif }\n"
	"body { max-width: 56rem; margin: 0 auto; padding: 1.5rem 1rem }\n"
	"h1 { font-size: 1.25rem; font-weight: 600; overflow-wrap: anywhere }\n"
	"h1 a { display: inline-block; padding: .25rem 0 }\n"
	"table { width: 100%; border-collapse: collapse }\n"
	"th, td { padding: .35rem .5rem; text-align: left; vertical-align: baseline }\n"
	"th a { display: inline-block; padding: .2rem 0 }\n"
	"th { font-size: .85rem; border-bottom: 1px solid }\n"
	"tbody tr:nth-child(even) { background: rgb(128 128 128 / .1) }\n"
	"tbody tr:hover { background: rgb(128 128 128 / .2) }\n"
	"td.name { overflow-wrap: anywhere }\n"
	"td.name a { display: block; text-decoration: none }\n"
	"td.name a:hover { text-decoration: underline }\n"
	".folder a { font-weight: 600 }\n"
	".size { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }\n"
	".date { white-space: nowrap; font-variant-numeric: tabular-nums }\n"
	/* A telephone shows the date below the name. */
	"@media (max-width: 36rem) {\n"
	"tr { display: grid; grid-template-columns: minmax(0, 1fr) auto }\n"
	"th:not(.date) { border: 0 }\n"
	".date { grid-column: 1 / -1; padding-top: 0; font-size: .85rem }\n"
	"}\n"
	"</style>\n";

/* Each name on the way here is a link. As many steps up as there are names behind it: so they are right below any mount,
 * and behind any reproxy. */
static void write_trail(struct rung_writer *page, const char *path)
{
	size_t steps = 0;

	for (const char *at = path; *at; at++)
		steps += *at == '/';
	steps += *path != '\0';
	rung_write(page, "<a href=\"");
	for (size_t i = 0; i < steps; i++)
		rung_write(page, "../");
	rung_write(page, steps ? "\">top</a> /" : "./\">top</a> /");
	while (*path) {
		size_t size = strcspn(path, "/");
		const char *name = rung_strndup(page->env, path, size);

		rung_write(page, " <a href=\"");
		for (size_t i = 1; i < steps; i++)
			rung_write(page, "../");
		rung_write(page, steps > 1 ? "\">" : "./\">");
		rung_write_html(page, name);
		rung_write(page, "</a> /");
		path += size + (path[size] == '/');
		steps--;
	}
}

static void write_head(struct rung_writer *page, const char *path, const struct column *chosen)
{
	rung_write(page, head);
	rung_write(page, "<title>");
	rung_write_html(page, path);
	rung_write(page, "/</title>\n<h1>");
	write_trail(page, path);
	rung_write(page, "</h1>\n<table>\n<thead><tr>");
	for (const struct column *column = columns; column < columns + COLUMNS; column++)
		rung_writef(page, "<th class=\"%s\" aria-sort=\"%s\"><a href=\"?%s\">%s</a></th>",
			column->class_, column == chosen ? column->order : "none", column->query,
			column->title);
	rung_write(page, "</tr></thead>\n<tbody>\n");
}

static void write_size(struct rung_writer *page, int64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double size = (double)bytes;
	size_t unit = 0;

	if (bytes < 1024) {
		rung_writef(page, "%lld B", (long long)bytes);
		return;
	}
	for (size /= 1024; size >= 1023.95; size /= 1024)
		unit++;
	rung_writef(page, "<span title=\"%lld bytes\">%.1f %s</span>", (long long)bytes, size, units[unit]);
}

static void write_date(struct rung_writer *page, time_t modified)
{
	struct tm tm;
	char text[64];

	if (!gmtime_r(&modified, &tm) || strftime(text, sizeof text, "%Y-%m-%d %H:%M", &tm) == 0)
		return;
	rung_writef(page, "<time datetime=\"%.10sT%sZ\">%s</time>", text, text + 11, text);
}

static void write_entry(struct rung_writer *page, const struct entry *entry)
{
	rung_writef(page, "<tr%s><td class=\"name\"><a href=\"", entry->is_folder ? " class=\"folder\"" : "");
	rung_write_uri(page, entry->name);
	rung_write(page, entry->is_folder ? "/\">" : "\">");
	rung_write_html(page, entry->name);
	rung_write(page, entry->is_folder ? "/" : "");
	rung_write(page, "</a></td><td class=\"size\">");
	if (!entry->is_folder)
		write_size(page, entry->size);
	rung_write(page, "</td><td class=\"date\">");
	write_date(page, entry->modified);
	rung_write(page, "</td></tr>\n");
}

static int reply_page(
	struct rung_env *env, struct rung_response *res, const char *path, struct listing *listing)
{
	struct rung_writer page = rung_writer(env);
	const struct column *chosen = chosen_column(env);

	if (listing->count)
		qsort(listing->entries, listing->count, sizeof *listing->entries, chosen->compare);
	write_head(&page, path, chosen);
	for (size_t i = 0; i < listing->count; i++)
		write_entry(&page, &listing->entries[i]);
	rung_write(&page, "</tbody>\n</table>\n");
	if (listing->count == 0 && !listing->is_cut)
		rung_write(&page, "<p>There is nothing in this folder.</p>\n");
	if (listing->is_cut)
		rung_writef(&page, "<p>There is more: of this folder %d names are looked at.</p>\n",
			MOST_ENTRIES);
	rung_write(&page, "</html>\n");
	rung_header_static(res, "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
	rung_header_static(res, "X-Content-Type-Options", "nosniff");
	/* It is made anew each time, and nothing tells one state of it from the next. */
	rung_header_static(res, "Cache-Control", "no-cache");
	return rung_reply_written(res, 200, "text/html; charset=utf-8", &page);
}

int rung_files_list(
	const struct files *files, struct rung_env *env, struct rung_response *res, const char *path, int fd)
{
	struct listing listing = { .count = 0 };
	DIR *folder = fdopendir(fd);

	if (!folder) {
		close(fd);
		return rung_fail(env, -ENOMEM, "files: out of memory");
	}
	int rc = read_entries(files, env, path, folder, &listing);
	closedir(folder);
	return rc < 0 ? rc : reply_page(env, res, path, &listing);
}
