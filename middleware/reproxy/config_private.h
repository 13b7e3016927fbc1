/* config_private.h: private: what a printed configuration is made of. */
#pragma once

#include "reproxy_private.h"

#include <rung/reproxy_config.h>

enum { CONFIG_TEXT = 320, CONFIG_MOST_NAMES = 64 };

/* An authority that the stack may name, and where it is. */
struct config_name {
	char authority[CONFIG_TEXT];
	char address[CONFIG_TEXT]; /* "10.0.0.7:80" or "unix:/path" */
};

/* What is told of a stack. */
struct config {
	const char *server;
	struct config_name names[CONFIG_MOST_NAMES];
	size_t name_count;
	const char *location, *header, *base; /* of its outermost reproxy layer, or the defaults */
	unsigned max_hops;
};

/* Collects the names of the stack and of the options. Returns 0, or -EINVAL, refused. */
int rung_reproxy_config_collect(
	struct rung_app *stack, const struct rung_reproxy_config_options *options, struct config *config);
