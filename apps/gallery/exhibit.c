/* exhibit.c: an app of the gallery, read from its own file: what it promises and what there is to try. */
#include "gallery.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- its file ------------------------------------------------------------------------------------------------------ */

static char *read_all(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t room = 0;
	/* Up to a NUL, which no source has: all of it. */
	ssize_t size = file ? getdelim(&text, &room, '\0', file) : -1;

	if (file)
		fclose(file);
	if (size > 0)
		return text;
	free(text);
	return NULL;
}

/* What stands in a line such as "/ * KEY: text * /", cut in place and taken off *rest; NULL when there is no more. */
static char *next_line(char **rest, const char *key)
{
	char begin[16];

	snprintf(begin, sizeof begin, "/* %s: ", key);
	char *at = strstr(*rest, begin);
	char *end = at ? strstr(at, " */\n") : NULL;
	if (!end)
		return NULL;
	*end = '\0';
	*rest = end + 1;
	return at + strlen(begin);
}

/* "206 -r 0-9 /big.bin -- words" */
static int take_try(char *line, struct try *try)
{
	char *words = strstr(line, " -- ");
	char *rest;

	if (!words)
		return -EINVAL;
	*words = '\0';
	try->words = words + 4;
	try->status = (int)strtol(line, &rest, 10);
	char *path = strrchr(line, ' ');
	if (!path || path[1] != '/' || try->status < 200)
		return -EINVAL;
	*path = '\0';
	try->path = path + 1;
	try->options = rest < path ? rest + strspn(rest, " ") : "";
	return 0;
}

static int take_texts(struct exhibit *exhibit)
{
	char *rest = exhibit->texts, *line;

	exhibit->promise = next_line(&rest, "DESC");
	if (!exhibit->promise)
		return -EINVAL;
	while ((line = next_line(&rest, "TRY")))
		if (exhibit->try_count == MOST_TRIES ||
			take_try(line, &exhibit->tries[exhibit->try_count++]) < 0)
			return -EINVAL;
	return 0;
}

/* -- its stack ----------------------------------------------------------------------------------------------------- */

static char *print_stack(struct rung_app *app)
{
	ssize_t size = rung_stack_print(app, NULL, 0);
	char *text = size < 0 ? NULL : malloc((size_t)size + 1);

	if (text && rung_stack_print(app, text, (size_t)size + 1) == size)
		return text;
	free(text);
	return NULL;
}

int exhibit_read(struct exhibit *exhibit, const char *folder)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%s.c", folder, exhibit->name);
	exhibit->source = read_all(path);
	exhibit->texts = exhibit->source ? strdup(exhibit->source) : NULL;
	exhibit->ladder = print_stack(exhibit->app);
	if (!exhibit->texts || !exhibit->ladder) {
		fprintf(stderr,
			"gallery: cannot read %s; it shows the sources of its apps, so run it from the tree\n",
			path);
		return -ENOENT;
	}
	if (take_texts(exhibit) == 0)
		return 0;
	fprintf(stderr, "gallery: %s has no good DESC and TRY lines\n", path);
	return -EINVAL;
}

void exhibit_free(struct exhibit *exhibit)
{
	free(exhibit->source);
	free(exhibit->texts);
	free(exhibit->ladder);
}
