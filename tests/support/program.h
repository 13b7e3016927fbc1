/* program.h: whole programs under test: launched, asked, ended. */
#pragma once

#include "support.h"

#include <sys/types.h>

struct program {
	pid_t pid;
	int out, err;
	char line[256]; /* the last one read by ready_port() or ready_line() */
};

#define FLAGS(...)                \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}

/* Starts an app of the gallery, or of the tests' own: "subject", "targets", "asker". Flags NULL-ended or NULL; environment as name, value, ...,
 * NULL, or NULL. */
struct program launch(const char *app, const char *const *flags, const char *const *environment);

/* Reads until the end, the newline if `one_line`, or room is out; NUL-terminated. */
void read_text(int fd, char *text, size_t room, bool one_line);

/* Reads a line that says it is ready: its port, or all of it. */
unsigned ready_port(struct program *program);
const char *ready_line(struct program *program);

/* Waits for the end. The exit status, or minus the signal. */
int exit_status(struct program *program);

/* Sends SIGTERM and expects status 0. */
void stop_program(struct program *program);

/* Runs one that ends by itself. */
int run_program(const char *app, const char *const *flags, char *out, char *err, size_t room);

/* A connection to a loopback port or a Unix socket; -1 when there is none to be had. */
int connect_port(unsigned port);
int connect_host(const char *host, unsigned port); /* an IPv4 address */
int connect_unix(const char *path);

/* Sends a request to that port; what comes until the close, or 2 s of silence. To be freed. */
char *ask(unsigned port, const char *request);
