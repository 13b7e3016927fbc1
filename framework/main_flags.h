/* main_flags.h: private: what the command line and the environment tell a program. One table in main_flags.c has every flag. */
#pragma once

#include <rung/server.h>

enum { RUNG_MAX_ADDRESSES = 32, RUNG_ADDRESS_ROOM = 128, RUNG_MAX_TARGETS = 64 };

struct flags {
	struct rung_server_options server; /* its setup is left to whoever serves */
	struct rung_setup setup;
	const char *listen[RUNG_MAX_ADDRESSES + 1]; /* server.listen, when there are some; NULL-ended */
	char addresses[RUNG_MAX_ADDRESSES][RUNG_ADDRESS_ROOM];
	unsigned address_count;
	const char *targets[RUNG_MAX_TARGETS + 1]; /* setup.targets, when there are some; NULL-ended */
	unsigned target_count;
	const char *print_config, *config_listen;
	bool print_stack, help, inspect, trace;
};

/* Returns 0, or -EINVAL with a message for rung_error(). Strings point into argv, the environment and the flags
 * themselves, which thus stay where they are. */
int rung_flags_parse(int argc, char **argv, struct flags *flags);

/* The table as a text for people. Returns 0, or -1 where it could not be written. */
int rung_flags_help(const char *program);
