/*
 * main.h: a whole program around a stack: flags, signals, one line when ready.
 */
#pragma once

#include <rung/api.h>
#include <rung/app.h>

RUNG_BEGIN

/*
 * Serves the stack until SIGTERM or SIGINT, then finishes what is in flight (rung_server_drain()); a second one cuts it.
 *
 * Flags: --port N (0 picks a free one; default PORT in the environment, else 8080), --bind ADDR (default 127.0.0.1; may
 * come again), --unix PATH (may come again; alone unless a port or address is named), --unix-mode MODE, --tls-cert FILE,
 * --tls-key FILE, --takeover PATH, --loops N, --workers N, --spool DIR, --reproxy SERVER, --emulate SERVER, --inspect (see
 * inspect.h), --trace (see trace.h), --print-stack, --print-config SERVER (see reproxy_config.h), --config-listen ADDR,
 * --target NAME=ADDR (may come again), --quiet, --help, and --limit-... for each of struct rung_limits; server.h says what
 * they mean. Listening sockets that LISTEN_FDS tells of
 * (sd_listen_fds(3)) are taken. With TLS, SIGHUP reads certificate and key again. When ready it prints to standard output
 * "listening on http://127.0.0.1:PORT/", a line for each address, and with --inspect a line that says where.
 *
 * Returns the exit status: 0, also when something was cut; 1 when it could not serve (port in use, a stack that was
 * refused or did not start), or a handler did not return after a second signal; 2 for bad flags; each with one line on
 * standard error. Ownership: takes the stack, also when NULL is given, which is how a refused one arrives.
 */
RUNG_API int rung_main(int argc, char **argv, struct rung_app *app);

/*
 * The stack that a program's main would have served: runs it up to its rung_main() and hands over what was given
 * there. For galleries and tests, where the program's main was renamed (-Dmain=hello_main). Returns NULL when the stack
 * was refused or main never called rung_main(). Ownership: the caller's.
 */
RUNG_API struct rung_app *rung_main_stack(int (*main_function)(int argc, char **argv), const char *name);

RUNG_END
