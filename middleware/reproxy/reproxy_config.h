/*
 * reproxy_config.h: the configuration of the web server in front, for a very stack: what --print-config prints.
 *
 * Each server's text is the file beside its rules, nginx.conf and so on, which is a working configuration in front of the
 * gallery's private_files; its addresses and names are those of an example, and are replaced by those of the stack.
 */
#pragma once

#include <rung/api.h>
#include <rung/app.h>

RUNG_BEGIN

/* Zero means the default. */
struct rung_reproxy_config_options {
	size_t size;
	const char *
		server; /* nginx, nginx_hardened, apache, lighttpd, perlbal or h2o; positional in the macro */
	const char *program; /* in comments; default "app" */
	const char *app;     /* where the stack is served: "127.0.0.1:8080" (default), "unix:/run/app" */
	const char *listen;  /* where the server in front listens: default "0.0.0.0:80" */
	const char *const *
		targets; /* as in struct rung_setup; an authority that is not named here gets 127.0.0.1:9000, to be edited */
};

/*
 * Writes the configuration of a server in front of the stack, NUL-terminated. All names of its reproxy layers, save of those
 * that .server says are for another one, and all of .targets become groups of hosts where the server has such.
 * Returns the length it has whole (as snprintf does); -EINVAL, with a message for rung_error(), for a server that there is
 * none of, an address or target that is none or that the server cannot use; or -ENOMEM.
 */
RUNG_API ssize_t rung_reproxy_config_new(
	struct rung_app *stack, const struct rung_reproxy_config_options *options, char *buffer, size_t room);
#define rung_reproxy_config(stack, buffer, room, ...)                                      \
	rung_reproxy_config_new(stack,                                                     \
		&(const struct rung_reproxy_config_options){                               \
			.size = sizeof(struct rung_reproxy_config_options), __VA_ARGS__ }, \
		buffer, room)

RUNG_END
