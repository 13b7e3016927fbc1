/* config_names.c: what a stack may name, collected from its reproxy layers. See reproxy_config.h. */
#include "config_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Where an authority is said to be of which nobody said where it is: to be edited. */
#define SOMEWHERE "127.0.0.1:9000"

static struct config_name *find_name(struct config *config, const char *authority, size_t size)
{
	for (size_t i = 0; i < config->name_count; i++)
		if (strlen(config->names[i].authority) == size &&
			strncasecmp(config->names[i].authority, authority, size) == 0)
			return &config->names[i];
	return NULL;
}

static int add_name(struct config *config, const char *authority, size_t size, const char *address)
{
	struct config_name *name = find_name(config, authority, size);

	if (name && !address)
		return 0;
	if (!name && config->name_count == CONFIG_MOST_NAMES)
		return rung_refuse(
			-EINVAL, "print-config: there are more than %d authorities", CONFIG_MOST_NAMES);
	if (!name)
		name = &config->names[config->name_count++];
	if (size >= sizeof name->authority || (address && strlen(address) >= sizeof name->address))
		return rung_refuse(-EINVAL, "print-config: \"%.100s\" is too long", authority);
	snprintf(name->authority, sizeof name->authority, "%.*s", (int)size, authority);
	snprintf(name->address, sizeof name->address, "%s", address ? address : SOMEWHERE);
	return 0;
}

/* -- the walk ---------------------------------------------------------------------------------------------------- */

struct walk {
	struct config *config;
	bool has_layer;
};

static int walk(struct rung_app *app, const char *label, void *data);

static int note_name(struct rung_app *app, const char *label, void *data)
{
	(void)app;
	return add_name(data, label, strlen(label), NULL);
}

/* "nginx_hardened" is nginx too. */
static bool is_for(const struct reproxy *layer, const char *server)
{
	const char *name = rung_server_kind_name(layer->asked);

	return layer->asked == RUNG_SERVER_AUTO || strncmp(server, name, strlen(name)) == 0;
}

static int note_layer(struct walk *at, const struct reproxy *layer)
{
	if (!at->has_layer) {
		at->config->location = layer->location;
		at->config->header = layer->header;
		at->config->base = layer->base;
		at->config->max_hops = layer->max_hops;
	}
	at->has_layer = true;
	return rung_names_visit(layer->names, note_name, at->config);
}

static int walk(struct rung_app *app, const char *label, void *data)
{
	struct walk *at = data;
	int rc = 0;

	(void)label;
	for (; app && rc == 0; app = app->next) {
		const struct reproxy *layer = rung_reproxy_of(app);

		if (layer && is_for(layer, at->config->server))
			rc = note_layer(at, layer);
		if (rc == 0 && app->class_->children)
			rc = app->class_->children(app, walk, at);
	}
	return rc;
}

int rung_reproxy_config_collect(
	struct rung_app *stack, const struct rung_reproxy_config_options *options, struct config *config)
{
	struct walk at = { .config = config };
	struct reproxy_target target;

	*config = (struct config){
		.server = options->server, .location = "/reproxy", .header = "X-Reproxy-Url", .max_hops = 10
	};
	int rc = walk(stack, "", &at);
	for (const char *const *text = options->targets; text && *text && rc == 0; text++) {
		rc = rung_reproxy_target_parse(*text, &target);
		if (rc == 0)
			rc = add_name(config, target.authority.at, target.authority.size, target.address);
	}
	return rc;
}
