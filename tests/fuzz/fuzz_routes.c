/*
 * fuzz_routes.c: lines of patterns, an empty line, lines of paths. Whatever is no pattern is refused with a message; what is
 * made of the others finds for each path the very route that a plain search by the rules finds: each pattern tried against the
 * decoded segments, at the first segment where two differ a literal before :name, that before *name.
 */
#include <rung/rung.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 4096, MOST_PATTERNS = 8, MOST_PATHS = 8, MOST_SEGMENTS = 64 };

static void insist(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* -- by the rules, without a tree -------------------------------------------------------------------------------- */

struct segments {
	char *at[MOST_SEGMENTS];
	size_t count;
};

/* Cuts at slashes; the first segment follows the first one. Returns false when there are too many. */
static bool cut(char *text, struct segments *segments)
{
	segments->count = 0;
	for (char *slash = text; slash; slash = strchr(slash + 1, '/')) {
		if (segments->count == MOST_SEGMENTS)
			return false;
		segments->at[segments->count++] = slash + 1;
	}
	for (size_t i = 0; i < segments->count; i++)
		segments->at[i][-1] = '\0';
	return true;
}

/* How a segment of a pattern takes one of a path: 3 literally, 2 as a parameter, 1 with all the rest, 0 not. */
static int taken(const char *pattern, const char *raw)
{
	char decoded[MOST + 1];

	if (*pattern == '*')
		return 1;
	if (*pattern == ':')
		return *raw ? 2 : 0;
	insist(rung_uri_decode(raw, strlen(raw), decoded, sizeof decoded) >= 0, "a clean path");
	return strcmp(pattern, decoded) == 0 ? 3 : 0;
}

/* Writes how each segment is taken; false when the path is not. */
static bool matches(
	const struct segments *pattern, const struct segments *path, char ranks[MOST_SEGMENTS + 1])
{
	size_t i = 0;

	for (; i < pattern->count; i++) {
		if (i == path->count)
			return false;
		int rank = taken(pattern->at[i], path->at[i]);
		if (rank == 0)
			return false;
		ranks[i] = (char)('0' + rank);
		if (rank == 1)
			break;
	}
	ranks[i] = '\0';
	return i < pattern->count || i == path->count;
}

/* Which pattern takes the path, or -1. */
static int find(char patterns[][MOST + 1], size_t count, const char *path)
{
	char best[MOST_SEGMENTS + 1] = "", ranks[MOST_SEGMENTS + 1], path_copy[MOST + 1], copy[MOST + 1];
	struct segments path_segments, segments;
	int found = -1;

	strcpy(path_copy, path);
	if (!cut(path_copy, &path_segments))
		return -2;
	for (size_t i = 0; i < count; i++) {
		strcpy(copy, patterns[i]);
		if (!cut(copy, &segments))
			return -2;
		if (matches(&segments, &path_segments, ranks) && (found < 0 || strcmp(ranks, best) > 0)) {
			found = (int)i;
			strcpy(best, ranks);
		}
	}
	return found;
}

/* -- by routes --------------------------------------------------------------------------------------------------- */

static int tell(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)env;
	return rung_reply_text(res, 200, rung_data(self));
}

static bool is_clean(const char *path)
{
	char decoded[MOST + 1];

	return rung_uri_decode(path, strlen(path), decoded, sizeof decoded) >= 0;
}

static void drop_line(void *data, enum rung_log_level level, const char *line)
{
	(void)data;
	(void)level;
	(void)line;
}

/* Takes the lines up to an empty one. Each that is a pattern, and is none of the others', becomes a route. */
static struct rung_app *make_routes(char **at, char patterns[][MOST + 1], size_t *ret_count)
{
	struct rung_app *app = NULL;
	size_t count = 0;

	for (char *line; (line = strsep(at, "\n")) && *line;) {
		if (count == MOST_PATTERNS)
			continue;
		strcpy(patterns[count], line);
		struct rung_app *route = rung_get(line, tell, .data = patterns[count]);
		if (!route) {
			insist(strncmp(rung_error(), "route: ", 7) == 0, "a message of why");
			continue;
		}
		/* Only tried: one that is refused would take all of rung_routes() with it. */
		rung_app_destroy(route);
		count++;
	}
	struct rung_app *list[MOST_PATTERNS + 1];
	for (size_t i = 0; i < count; i++)
		list[i] = rung_get(patterns[i], tell, .data = patterns[i]);
	list[count] = &rung_end_;
	app = count ? rung_routes_new(list) : NULL;
	if (count && !app)
		insist(strstr(rung_error(), "two are the same") != NULL,
			"refused only for two that are the same");
	*ret_count = count;
	return app;
}

static void try_path(struct rung_client *client, char patterns[][MOST + 1], size_t count, const char *path)
{
	const struct rung_reply *reply = rung_client_get(client, path);

	if (reply->status == 400)
		return;
	insist(is_clean(path), "a bad escape is 400");
	int found = find(patterns, count, path);
	if (found == -2)
		return;
	insist(reply->status == (found < 0 ? 404 : 200), "found, or not");
	if (found < 0)
		return;
	/* Patterns that differ in names alone are the same; any other must be the one. */
	char theirs[MOST + 1], ours[MOST + 1];
	strcpy(theirs, reply->body);
	strcpy(ours, patterns[found]);
	insist(strcmp(theirs, ours) == 0, "the route that the rules name");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char patterns[MOST_PATTERNS][MOST + 1];
	static const struct rung_setup setup = { .size = sizeof setup, .log = drop_line };
	char text[MOST + 1], *at = text;
	size_t count, paths = 0;

	if (size > MOST || memchr(data, '\0', size))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	struct rung_app *app = make_routes(&at, patterns, &count);
	struct rung_client *client = app ? rung_client_new(app, .setup = &setup) : NULL;
	for (char *line; client && paths < MOST_PATHS && (line = strsep(&at, "\n")); paths++)
		if (*line == '/' && !strpbrk(line, "?#"))
			try_path(client, patterns, count, line);
	rung_client_destroy(client);
	return 0;
}
