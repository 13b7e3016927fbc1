/* main_flags.c: the table of flags, and how it is read. See main_flags.h. */
#include "main_flags.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind {
	YES,      /* bool, no value */
	TEXT,     /* const char * */
	NUMBER,   /* unsigned, up to max */
	LIMIT,    /* unsigned, up to max, or "none" */
	SIZE,     /* size_t, in bytes, with K, M or G for more of them */
	LENGTH,   /* int64_t, as SIZE, or "none" */
	SERVER,   /* enum rung_server_kind */
	EMULATED, /* the same, "emulate:" left out */
	OCTAL,    /* unsigned, up to max */
	TCP,      /* an address to listen on; may come again */
	LOCAL,    /* the path of a Unix socket; may come again */
	TARGET,   /* "AUTHORITY=ADDRESS"; may come again */
};

struct flag {
	const char *name;
	const char *value; /* what the help calls it; NULL: it has none */
	enum kind kind;
	size_t at; /* in struct flags */
	unsigned max;
	const char *help; /* a line of it may end with "\n" and go on */
};

#define AT(member) offsetof(struct flags, member)

enum { MOST = 1000000000 };

static const struct flag table[] = {
	{ "port", "N", NUMBER, AT(server.port), 65535,
		"listen on port N; 0 picks a free one (default: PORT in the environment, else 8080)" },
	{ "bind", "ADDR", TCP, 0, 0,
		"listen on this numeric address (default 127.0.0.1); may come again, and with\n"
		"a port of its own: 0.0.0.0:80, [::1]:8080; http:// before it: without TLS" },
	{ "unix", "PATH", LOCAL, 0, 0,
		"listen on this Unix socket; may come again; without --port or --bind on it alone" },
	{ "unix-mode", "MODE", OCTAL, AT(server.unix_mode), 0777,
		"permissions of Unix sockets (default 0660)" },
	{ "tls-cert", "FILE", TEXT, AT(server.tls.cert), 0,
		"serve https with this certificate (PEM, its chain behind it); SIGHUP reads it again" },
	{ "tls-key", "FILE", TEXT, AT(server.tls.key), 0, "its private key (default: in the same file)" },
	{ "takeover", "PATH", TEXT, AT(server.takeover), 0,
		"take over, by this Unix socket, from the process started with the same flag,\n"
		"without losing a request; or be taken over from" },
	{ "loops", "N", NUMBER, AT(server.loops), 1024, "event loops (default: one a core)" },
	{ "workers", "N", NUMBER, AT(server.workers), 4096,
		"threads for handlers that wait (default: none; handlers run on the loops)" },
	{ "spool", "DIR", TEXT, AT(server.spool), 0,
		"the folder for large request bodies (default: TMPDIR in the environment, else /tmp)" },
	{ "reproxy", "SERVER", SERVER, AT(setup.server), 0,
		"who acts on a reproxy: self, header, nginx, apache, lighttpd, perlbal, h2o, or\n"
		"emulate:SERVER (default: RUNG_REPROXY in the environment, else self)" },
	{ "emulate", "SERVER", EMULATED, AT(setup.server), 0,
		"act on it as that server would: nginx, nginx_hardened, apache, lighttpd,\n"
		"perlbal, h2o, rack; short for --reproxy emulate:SERVER" },
	{ "target", "NAME=ADDR", TARGET, 0, 0,
		"where a host that the app names in URIs really is, host:port or unix:PATH; may come\n"
		"again; for --print-config, and for servers that know no names: perlbal, h2o, header" },
	{ "inspect", NULL, YES, AT(inspect), 0, "show at /_rung/ what the last requests did (development)" },
	{ "trace", NULL, YES, AT(trace), 0, "time every layer: Server-Timing and a line in the log" },
	{ "limit-body", "SIZE", LENGTH, AT(server.limits.body), 0,
		"of a request's body, where no route says otherwise (default 10M)" },
	{ "limit-body-memory", "SIZE", SIZE, AT(server.limits.body_memory), 0,
		"of it kept in memory, beyond which it goes to a file (default 64K)" },
	{ "limit-connection-memory", "SIZE", SIZE, AT(server.limits.connection_memory), 0,
		"of a connection, for heads and buffers (default 16K)" },
	{ "limit-header-bytes", "SIZE", SIZE, AT(server.limits.header_bytes), 0,
		"of a request's head (default 8K)" },
	{ "limit-header-count", "N", NUMBER, AT(server.limits.header_count), MOST,
		"fields of a request's head (default 100)" },
	{ "limit-target", "SIZE", SIZE, AT(server.limits.target), 0, "of a request target (default 8000)" },
	{ "limit-connections", "N", NUMBER, AT(server.limits.connections), MOST,
		"at a time (default: what descriptors allow, at most 16384)" },
	{ "limit-connections-per-ip", "N", LIMIT, AT(server.limits.connections_per_ip), MOST,
		"at a time, from one address (default: a quarter of all; on loopback none)" },
	{ "limit-keep-alive-requests", "N", LIMIT, AT(server.limits.keep_alive_requests), MOST,
		"requests of one connection (default 1000)" },
	{ "limit-header-seconds", "N", LIMIT, AT(server.limits.header_seconds), MOST,
		"for a request's head (default 20)" },
	{ "limit-idle-seconds", "N", LIMIT, AT(server.limits.idle_seconds), MOST,
		"between requests (default 75)" },
	{ "limit-body-seconds", "N", LIMIT, AT(server.limits.body_seconds), MOST,
		"in which a body must grow by the least rate (default 30)" },
	{ "limit-send-seconds", "N", LIMIT, AT(server.limits.send_seconds), MOST,
		"in which a client must take an answer at the least rate (default 30)" },
	{ "limit-total-seconds", "N", LIMIT, AT(server.limits.total_seconds), MOST,
		"for a request with its answer (default none)" },
	{ "limit-least-rate", "N", LIMIT, AT(server.limits.least_rate), MOST,
		"bytes a second of a body or an answer (default 500; none: any progress)" },
	{ "limit-hops", "N", NUMBER, AT(server.limits.hops), 50,
		"redispatches one inside the other (default 10)" },
	{ "limit-queue", "N", LIMIT, AT(server.limits.queue), MOST,
		"requests that wait for a worker (default 1024)" },
	{ "limit-drain-seconds", "N", LIMIT, AT(server.limits.drain_seconds), MOST,
		"of a stop, for what is in flight (default 10)" },
	{ "print-stack", NULL, YES, AT(print_stack), 0, "print the stack and exit" },
	{ "print-config", "SERVER", TEXT, AT(print_config), 0,
		"print the configuration of a server in front of this app and exit: nginx,\n"
		"nginx_hardened, apache, lighttpd, perlbal, h2o" },
	{ "config-listen", "ADDR", TEXT, AT(config_listen), 0,
		"where that server listens (default 0.0.0.0:80)" },
	{ "quiet", NULL, YES, AT(setup.quiet), 0, "no access log" },
	{ "help", NULL, YES, AT(help), 0, "this text" },
};

enum { COUNT = sizeof table / sizeof *table, USUAL_PORT = 8080, NO_PORT = 1 << 20 };

static int parse_number(const char *what, const char *text, unsigned max, unsigned *ret_number)
{
	char *end;

	errno = 0;
	unsigned long number = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text < '0' || *text > '9' || number > max)
		return rung_refuse(-EINVAL, "%s \"%s\" is no number from 0 to %u", what, text, max);
	*ret_number = (unsigned)number;
	return 0;
}

static int parse_octal(const char *what, const char *text, unsigned max, unsigned *ret_number)
{
	char *end;
	unsigned long number = strtoul(text, &end, 8);

	if (end == text || *end || *text < '0' || *text > '7' || number > max)
		return rung_refuse(-EINVAL, "%s \"%s\" is no octal number from 0 to 0%o", what, text, max);
	*ret_number = (unsigned)number;
	return 0;
}

static int add_address(const char *prefix, const char *text, struct flags *flags)
{
	char *address = flags->addresses[flags->address_count];

	if (flags->address_count == RUNG_MAX_ADDRESSES)
		return rung_refuse(-EINVAL, "there are more than %d addresses", RUNG_MAX_ADDRESSES);
	if (snprintf(address, RUNG_ADDRESS_ROOM, "%s%s", prefix, text) >= RUNG_ADDRESS_ROOM)
		return rung_refuse(-EINVAL, "\"%s\" is too long for an address", text);
	flags->listen[flags->address_count++] = address;
	return 0;
}

static int add_target(const char *text, struct flags *flags)
{
	if (flags->target_count == RUNG_MAX_TARGETS)
		return rung_refuse(-EINVAL, "--target: there are more than %d", RUNG_MAX_TARGETS);
	flags->targets[flags->target_count++] = text;
	flags->setup.targets = flags->targets;
	return 0;
}

/* "100", "16K", "2M", "1G". */
static int parse_size(const char *what, const char *text, int64_t max, int64_t *ret_size)
{
	static const char units[] = "KMG";
	char *end;

	errno = 0;
	long long size = strtoll(text, &end, 10);
	const char *unit = *end ? strchr(units, *end) : NULL;
	if (unit) {
		if (__builtin_mul_overflow(size, 1LL << 10 * (unit - units + 1), &size))
			errno = ERANGE;
		end++;
	}
	if (errno || *text < '0' || *text > '9' || *end || size > max)
		return rung_refuse(-EINVAL,
			"%s \"%s\" is no size from 0 to %lld; use one such as 100, 16K or 2M", what, text,
			(long long)max);
	*ret_size = size;
	return 0;
}

static int take_size(const struct flag *flag, const char *name, const char *value, void *at)
{
	int64_t size = 0;

	if (flag->kind == LENGTH && strcmp(value, "none") == 0) {
		*(int64_t *)at = RUNG_UNLIMITED;
		return 0;
	}
	int rc = parse_size(name, value, flag->kind == LENGTH ? INT64_MAX : UINT32_MAX, &size);
	if (rc < 0)
		return rc;
	if (flag->kind == LENGTH)
		*(int64_t *)at = size;
	else
		*(size_t *)at = (size_t)size;
	return 0;
}

static int take_emulated(const char *name, enum rung_server_kind *ret_kind)
{
	char text[32];

	if (snprintf(text, sizeof text, "emulate:%s", name) >= (int)sizeof text)
		return rung_refuse(-EINVAL, "--emulate: there is no server \"%.100s\"; see --help", name);
	return rung_server_kind_parse(text, ret_kind);
}

static int take(const struct flag *flag, const char *value, struct flags *flags)
{
	void *at = (char *)flags + flag->at;
	char name[40];

	snprintf(name, sizeof name, "--%s", flag->name);
	switch (flag->kind) {
	case YES:
		*(bool *)at = true;
		return 0;
	case TEXT:
		*(const char **)at = value;
		return 0;
	case LIMIT:
		if (strcmp(value, "none") == 0) {
			*(unsigned *)at = (unsigned)RUNG_UNLIMITED;
			return 0;
		}
		return parse_number(name, value, flag->max, at);
	case NUMBER:
		return parse_number(name, value, flag->max, at);
	case SIZE:
	case LENGTH:
		return take_size(flag, name, value, at);
	case SERVER:
		return rung_server_kind_parse(value, at);
	case EMULATED:
		return take_emulated(value, at);
	case OCTAL:
		return parse_octal(name, value, flag->max, at);
	case TCP:
		return add_address("", value, flags);
	case LOCAL:
		return add_address("unix:", value, flags);
	case TARGET:
		return add_target(value, flags);
	}
	return -EINVAL;
}

static int read_environment(struct flags *flags)
{
	const char *port = getenv("PORT");

	return port && *port ? parse_number("PORT", port, 65535, &flags->server.port) : 0;
}

/* A port that was asked for is listened on, even beside Unix sockets alone. */
static void settle_addresses(struct flags *flags)
{
	bool has_tcp = false;

	for (unsigned i = 0; i < flags->address_count; i++)
		has_tcp = has_tcp || strncmp(flags->listen[i], "unix:", 5) != 0;
	if (flags->address_count)
		flags->server.listen = flags->listen;
	if (flags->server.port == NO_PORT)
		flags->server.port = USUAL_PORT;
	else if (flags->address_count && !has_tcp)
		flags->server.bind = "127.0.0.1";
}

int rung_flags_parse(int argc, char **argv, struct flags *flags)
{
	struct option options[COUNT + 1] = { 0 };
	int which;

	*flags = (struct flags){ .server.size = sizeof flags->server, .setup.size = sizeof flags->setup };
	flags->server.port = NO_PORT;
	for (int i = 0; i < COUNT; i++)
		options[i] = (struct option){ table[i].name, table[i].value ? required_argument : no_argument,
			NULL, i };
	int rc = read_environment(flags);
	optind = 0; /* also starts over where getopt was used before */
	opterr = 0;
	while (rc == 0 && (which = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (which == '?' || which == ':')
			return rung_refuse(-EINVAL, "%s: %s; see --help", argv[optind - 1],
				which == ':' ? "its value is missing" : "there is no such flag");
		rc = take(&table[which], optarg, flags);
	}
	if (rc == 0 && optind < argc)
		return rung_refuse(-EINVAL, "%s: flags alone are understood; see --help", argv[optind]);
	settle_addresses(flags);
	return rc;
}

int rung_flags_help(const char *program)
{
	bool is_good = printf("usage: %s [flags]\n", program) > 0;

	for (int i = 0; i < COUNT && is_good; i++) {
		char left[64];
		const char *line = table[i].help;

		snprintf(left, sizeof left, "--%s%s%s", table[i].name, table[i].value ? " " : "",
			table[i].value ? table[i].value : "");
		while (*line && is_good) {
			int size = (int)strcspn(line, "\n");

			is_good = printf("  %-29s %.*s\n", left, size, line) > 0;
			line += size + (line[size] == '\n');
			left[0] = '\0';
		}
	}
	return is_good ? 0 : -1;
}
