/*
 * tree.c: routes in a tree of path segments, searched with a step back: at each segment a literal is tried before
 * `:name`, and what matches deepest and most literally wins, whatever the order in which routes were written.
 */
#include "route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A route may stand in several trees, so its place in one is a thing of its own. */
struct place {
	struct place *next; /* same pattern, other method */
	const struct rung_route *route;
};

struct node {
	struct node *next;     /* the next literal beside this one */
	struct node *literals; /* below this one */
	struct node *param;
	struct place *here;  /* patterns that end here */
	struct place *rest;  /* patterns that go on with *name */
	const char *segment; /* inside the pattern of the route that made the node */
	size_t size;
};

struct rung_tree {
	struct node root;
};

struct rung_tree *rung_tree_new(void)
{
	return calloc(1, sizeof(struct rung_tree));
}

static void free_places(struct place *list)
{
	while (list) {
		struct place *next = list->next;

		free(list);
		list = next;
	}
}

static void free_below(struct node *node)
{
	free_places(node->here);
	free_places(node->rest);
	while (node->literals) {
		struct node *literal = node->literals;

		node->literals = literal->next;
		free_below(literal);
		free(literal);
	}
	if (node->param) {
		free_below(node->param);
		free(node->param);
	}
}

void rung_tree_destroy(struct rung_tree *tree)
{
	if (!tree)
		return;
	free_below(&tree->root);
	free(tree);
}

/* -- building ---------------------------------------------------------------------------------------------------- */

/* The node below for one pattern segment, made when it is not there. NULL: out of memory. */
static struct node *step_down(struct node *node, const char *segment, size_t size)
{
	struct node **place = &node->param;

	if (*segment != ':') {
		place = &node->literals;
		while (*place && ((*place)->size != size || memcmp((*place)->segment, segment, size) != 0))
			place = &(*place)->next;
	}
	if (!*place) {
		*place = calloc(1, sizeof **place);
		if (*place) {
			(*place)->segment = segment;
			(*place)->size = size;
		}
	}
	return *place;
}

static bool same_method(const struct rung_route *a, const struct rung_route *b)
{
	return a->method && b->method ? strcmp(a->method, b->method) == 0 : a->method == b->method;
}

static int append_route(struct place **list, const struct rung_route *route)
{
	for (; *list; list = &(*list)->next)
		if (same_method((*list)->route, route))
			return rung_refuse(-EINVAL,
				"routes: two are the same: %s %s and %s; drop one of them",
				route->method ? route->method : "any", (*list)->route->pattern,
				route->pattern);
	*list = calloc(1, sizeof **list);
	if (!*list)
		return rung_refuse(-ENOMEM, "routes: out of memory");
	(*list)->route = route;
	return 0;
}

int rung_tree_add(struct rung_tree *tree, const struct rung_route *route)
{
	struct node *node = &tree->root;
	const char *at = route->pattern;

	while (*at == '/') {
		size_t size = strcspn(++at, "/");

		if (*at == '*')
			return append_route(&node->rest, route);
		node = step_down(node, at, size);
		if (!node)
			return rung_refuse(-ENOMEM, "routes: out of memory");
		at += size;
	}
	return append_route(&node->here, route);
}

/* -- segments ---------------------------------------------------------------------------------------------------- */

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool rung_path_is_clean(const char *path)
{
	for (path = strchr(path, '%'); path; path = strchr(path + 1, '%')) {
		int high = hex_value(path[1]);

		if (high < 0 || hex_value(path[2]) < 0 || (high == 0 && path[2] == '0'))
			return false;
	}
	return true;
}

bool rung_segment_means(const char *raw, size_t raw_size, const char *literal, size_t literal_size)
{
	size_t i = 0, j = 0;

	for (; i < raw_size && j < literal_size; i++, j++) {
		char c = raw[i];

		if (c == '%' && raw_size - i > 2) {
			int high = hex_value(raw[i + 1]), low = hex_value(raw[i + 2]);

			/* A mount is asked for bad escapes too; they mean nothing that is written in a place. */
			if (high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (c != literal[j])
			return false;
	}
	return i == raw_size && j == literal_size;
}

/* -- searching --------------------------------------------------------------------------------------------------- */

static void allow(struct rung_match *match, const char *method)
{
	for (unsigned i = 0; i < match->allow_count; i++)
		if (strcmp(match->allow[i], method) == 0)
			return;
	if (match->allow_count < sizeof match->allow / sizeof *match->allow)
		match->allow[match->allow_count++] = method;
}

static void allow_all(struct rung_match *match, const struct place *list)
{
	for (; list; list = list->next) {
		if (!list->route->method)
			continue;
		allow(match, list->route->method);
		if (list->route->method == rung_method_get)
			allow(match, rung_method_head);
	}
}

/* The route of a list that takes the method: its own, then GET for HEAD, then one for every method. */
static const struct rung_route *pick(const struct place *list, const char *method)
{
	const struct rung_route *get = NULL, *any = NULL;

	for (; list; list = list->next) {
		const char *takes = list->route->method;

		if (!takes)
			any = list->route;
		else if (takes == method || rung_same_text(takes, method))
			return list->route;
		else if (takes == rung_method_get && rung_same_text(method, rung_method_head))
			get = list->route;
	}
	return get ? get : any;
}

/* True when the list has a route for the method; else its methods are noted for Allow. */
static bool try_list(const struct place *list, const char *method, struct rung_match *match)
{
	if (!list)
		return false;
	match->route = pick(list, method);
	if (!match->route)
		allow_all(match, list);
	return match->route != NULL;
}

static bool try_rest(
	const struct node *node, const char *method, const char *segment, struct rung_match *match)
{
	if (!try_list(node->rest, method, match))
		return false;
	match->captures[match->capture_count++] = (struct rung_slice){ segment, strlen(segment) };
	return true;
}

/* The node below for a literal segment: one at most, since no two mean the same. */
static inline const struct node *find_literal(const struct node *node, const char *segment, size_t size)
{
	const struct node *literal = node->literals;

	while (literal && !rung_segment_is(segment, size, literal->segment, literal->size))
		literal = literal->next;
	return literal;
}

/* `at` is at a slash or at the end. Depth is bounded by the patterns, not by the path. */
static bool search(const struct node *node, const char *method, const char *at, struct rung_match *match)
{
	if (!*at)
		return try_list(node->here, method, match);
	const char *segment = at + 1;
	size_t size = rung_segment_size(segment);
	const struct node *literal = find_literal(node, segment, size);
	if (literal && search(literal, method, segment + size, match))
		return true;
	if (node->param && size) {
		unsigned captures = match->capture_count;

		match->captures[match->capture_count++] = (struct rung_slice){ segment, size };
		if (search(node->param, method, segment + size, match))
			return true;
		match->capture_count = captures;
	}
	return try_rest(node, method, segment, match);
}

void rung_tree_find(
	const struct rung_tree *tree, const char *method, const char *path, struct rung_match *match)
{
	const struct node *node = &tree->root;

	/* Down the literals as long as there is nothing to step back to. */
	while (*path && !node->param && !node->rest) {
		size_t size = rung_segment_size(path + 1);

		node = find_literal(node, path + 1, size);
		if (!node)
			return;
		path += size + 1;
	}
	if (*path)
		search(node, method, path, match);
	else
		try_list(node->here, method, match);
}

static void collect_methods(const struct node *node, struct rung_match *match)
{
	allow_all(match, node->here);
	allow_all(match, node->rest);
	for (const struct node *literal = node->literals; literal; literal = literal->next)
		collect_methods(literal, match);
	if (node->param)
		collect_methods(node->param, match);
}

void rung_tree_methods(const struct rung_tree *tree, struct rung_match *match)
{
	collect_methods(&tree->root, match);
}
