/* setup.h: what a stack is told when it starts: where it serves, which server stands in front, where logs go. */
#pragma once

#include <rung/api.h>

RUNG_BEGIN

struct rung_probe;
struct rung_setup;

/* Who acts on a reproxy: this process, or the web server in front. */
enum rung_server_kind {
	RUNG_SERVER_AUTO = 0, /* as --reproxy or RUNG_REPROXY says, else self */
	RUNG_SERVER_SELF,     /* dispatched again in this process */
	RUNG_SERVER_HEADER,   /* X-Reproxy-Url alone, for a server of one's own */
	RUNG_SERVER_NGINX,    /* X-Accel-Redirect to a location that fetches X-Reproxy-Url */
	RUNG_SERVER_APACHE,   /* X-Reproxy-Url, mod_reproxy */
	RUNG_SERVER_LIGHTTPD, /* X-Rewrite-Host and X-Rewrite-URI, lighttpd 1.5 */
	RUNG_SERVER_PERLBAL,  /* X-Reproxy-Url */
	RUNG_SERVER_H2O,      /* X-Reproxy-Url */

	/* As in this process, but by the rules of a server that stands in front in production: */
	RUNG_EMULATE_NGINX, /* nginx 1.22 with the location that Rack::Reproxy's documentation gives */
	RUNG_EMULATE_NGINX_HARDENED, /* the same with no body or credentials sent on, and one hop */
	RUNG_EMULATE_APACHE,         /* Apache 2.4 with mod_reproxy */
	RUNG_EMULATE_LIGHTTPD,       /* lighttpd 1.5 */
	RUNG_EMULATE_PERLBAL,        /* Perlbal 1.80 */
	RUNG_EMULATE_H2O,            /* H2O 2.2 */
	RUNG_EMULATE_RACK,           /* Rack::Reproxy::Rack */
};

/* Returns 0 and the kind that a name means (self, header, nginx, apache, lighttpd, perlbal, h2o; emulate:nginx,
 * emulate:nginx_hardened, emulate:apache, emulate:lighttpd, emulate:perlbal, emulate:h2o, emulate:rack); -EINVAL for any
 * other, with rung_error() listing those there are. */
RUNG_API RUNG_MUST_USE int rung_server_kind_parse(const char *name, enum rung_server_kind *ret_kind);

/* The name of a kind; "auto" for RUNG_SERVER_AUTO. */
RUNG_API const char *rung_server_kind_name(enum rung_server_kind kind);

enum rung_log_level {
	RUNG_LOG_ERROR,   /* a request failed, or something is broken */
	RUNG_LOG_WARNING, /* it works, but someone should look */
	RUNG_LOG_INFO,    /* worth knowing */
	RUNG_LOG_ACCESS,  /* one line a request */
};

/* Takes one line without its newline, hostile bytes already escaped. Called from all threads. */
typedef void (*rung_log_fn)(void *data, enum rung_log_level level, const char *line);

/* Zero means the default everywhere. */
struct rung_setup {
	size_t size;                    /* sizeof(struct rung_setup) */
	enum rung_server_kind server;   /* for every reproxy layer that leaves its own at RUNG_SERVER_AUTO */
	const char *const *authorities; /* where this process listens, "127.0.0.1:8080"; NULL-ended */
	bool is_public;                 /* listens on more than loopback */
	bool quiet;                     /* no access log */
	bool development;               /* error pages show details; default: RUNG_ENV=development */
	rung_log_fn log;                /* default: a line on standard error */
	void *log_data;
	const struct rung_probe *const *probes; /* NULL-ended, outermost first */
	const char *const *
		targets; /* "files.internal=10.0.0.7:80", NULL-ended: where a host is, for servers that know no names */
	unsigned
		max_hops; /* redispatches one inside the other where a layer does not say; default 10, at most 50 */
};

/* Writes a line to the log while a stack starts, escaped as rung_log() does. */
RUNG_API void rung_setup_log(
	const struct rung_setup *setup, enum rung_log_level level, const char *format, ...) RUNG_PRINTF(3, 4);

RUNG_END
