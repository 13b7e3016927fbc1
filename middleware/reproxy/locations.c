/* locations.c: where an nginx serves what an app names in X-Accel-Redirect. */
#include "emulate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct rung_locations {
	size_t count;
	struct rung_location list[];
};

static const char exact[] = "= ";

static bool is_exact(const struct rung_location *location)
{
	return strncmp(location->path, exact, sizeof exact - 1) == 0;
}

const struct rung_location *rung_emulated_location(const struct rung_locations *locations, const char *path)
{
	const struct rung_location *best = NULL;
	size_t best_size = 0;

	for (size_t i = 0; locations && i < locations->count; i++) {
		const struct rung_location *location = &locations->list[i];
		size_t size = strlen(location->path);

		if (is_exact(location) && strcmp(location->path + sizeof exact - 1, path) == 0)
			return location;
		if (*path == '@' ? strcmp(location->path, path) == 0
				 : !is_exact(location) && size >= best_size &&
					   strncmp(location->path, path, size) == 0) {
			best = location;
			best_size = size;
		}
	}
	return best;
}

int rung_emulated_locations_visit(struct rung_locations *locations, rung_visit_fn visit, void *data)
{
	int rc = 0;

	for (size_t i = 0; locations && i < locations->count && rc == 0; i++)
		if (locations->list[i].app)
			rc = visit(locations->list[i].app, locations->list[i].path, data);
	return rc;
}

/* -- making ------------------------------------------------------------------------------------------------------ */

static int check(const struct rung_location *location)
{
	const char *path = location->path ? location->path : "";
	int ways = !!location->app + !!location->folder + !!location->pass;

	if (*path != '/' && *path != '@' && strncmp(path, "= /", 3) != 0)
		return rung_refuse(-EINVAL,
			"locations: \"%.100s\" is no location; start it with \"/\", \"= /\" or \"@\"", path);
	if (ways != 1)
		return rung_refuse(-EINVAL,
			"locations: %s has %d ways to answer; give it one of .app, .folder and .pass", path,
			ways);
	if (*path == '@' && location->folder)
		return rung_refuse(
			-EINVAL, "locations: %s is a name, and names no file; give it .app or .pass", path);
	if (location->pass && *location->pass != '$' && strncmp(location->pass, "http://", 7) != 0 &&
		strncmp(location->pass, "https://", 8) != 0)
		return rung_refuse(-EINVAL,
			"locations: .pass of %s is no URL; write http://host:port/, or $ and a field's name",
			path);
	return 0;
}

static int copy(struct rung_location *to, const struct rung_location *from)
{
	*to = (struct rung_location){ .app = from->app };
	to->path = strdup(from->path);
	to->folder = from->folder ? strdup(from->folder) : NULL;
	to->pass = from->pass ? strdup(from->pass) : NULL;
	to->type = from->type ? strdup(from->type) : NULL;
	if (!to->path || (from->type && !to->type) || (from->folder && !to->folder) ||
		(from->pass && !to->pass))
		return rung_refuse(-ENOMEM, "locations: out of memory");
	return 0;
}

static void free_texts(struct rung_locations *locations)
{
	for (size_t i = 0; i < locations->count; i++) {
		free((void *)(uintptr_t)locations->list[i].path);
		free((void *)(uintptr_t)locations->list[i].folder);
		free((void *)(uintptr_t)locations->list[i].pass);
		free((void *)(uintptr_t)locations->list[i].type);
	}
	free(locations);
}

/* Takes the apps there are; those before one that is refused are dropped. */
static int take(const struct rung_location *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!list[i].app || rung_take(list[i].app, "locations") == 0)
			continue;
		for (size_t j = 0; j < count; j++)
			if (j < i)
				rung_drop(list[j].app);
			else if (j > i && list[j].app && rung_take(list[j].app, "locations") == 0)
				rung_drop(list[j].app);
		return -EINVAL;
	}
	return 0;
}

struct rung_locations *rung_locations_new(const struct rung_location *list, size_t count)
{
	int rc = 0;

	if (take(list, count) < 0)
		return NULL;
	/* An app that failed to be made is not one that was left out. */
	if (rung_is_refused())
		rc = -EINVAL;
	struct rung_locations *locations =
		rc == 0 ? calloc(1, sizeof *locations + count * sizeof *list) : NULL;
	if (rc == 0 && !locations)
		rc = rung_refuse(-ENOMEM, "locations: out of memory");
	for (size_t i = 0; i < count && rc == 0; i++) {
		rc = check(&list[i]);
		if (rc == 0)
			rc = copy(&locations->list[locations->count++], &list[i]);
	}
	if (rc == 0)
		return locations;
	if (locations)
		free_texts(locations);
	for (size_t i = 0; i < count; i++)
		rung_drop(list[i].app);
	return NULL;
}

void rung_locations_destroy(struct rung_locations *locations)
{
	if (!locations)
		return;
	for (size_t i = 0; i < locations->count; i++)
		rung_drop(locations->list[i].app);
	free_texts(locations);
}
