/* main_flags.c: the table of flags, and how it is read. See main_flags.h. */
#include "main_flags.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind {
	YES,    /* bool, no value */
	TEXT,   /* const char * */
	NUMBER, /* unsigned, up to max */
	SERVER, /* enum rung_server_kind */
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

static const struct flag table[] = {
	{ "port", "N", NUMBER, AT(server.port), 65535,
		"listen on port N; 0 picks a free one (default: PORT in the environment, else 8080)" },
	{ "bind", "ADDR", TEXT, AT(server.bind), 0, "listen on this numeric address (default 127.0.0.1)" },
	{ "loops", "N", NUMBER, AT(server.loops), 1024, "event loops (default: one a core)" },
	{ "workers", "N", NUMBER, AT(server.workers), 4096,
		"threads for handlers that wait (default: none; handlers run on the loops)" },
	{ "spool", "DIR", TEXT, AT(server.spool), 0,
		"the folder for large request bodies (default: TMPDIR in the environment, else /tmp)" },
	{ "reproxy", "SERVER", SERVER, AT(setup.server), 0,
		"who acts on a reproxy: self, header, nginx, apache, lighttpd, perlbal, h2o\n"
		"(default: RUNG_REPROXY in the environment, else self)" },
	{ "inspect", NULL, YES, AT(inspect), 0, "show at /_rung/ what the last requests did (development)" },
	{ "trace", NULL, YES, AT(trace), 0, "time every layer: Server-Timing and a line in the log" },
	{ "print-stack", NULL, YES, AT(print_stack), 0, "print the stack and exit" },
	{ "quiet", NULL, YES, AT(setup.quiet), 0, "no access log" },
	{ "help", NULL, YES, AT(help), 0, "this text" },
};

enum { COUNT = sizeof table / sizeof *table };

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

static int take(const struct flag *flag, const char *value, struct flags *flags)
{
	void *at = (char *)flags + flag->at;
	char name[32];

	switch (flag->kind) {
	case YES:
		*(bool *)at = true;
		return 0;
	case TEXT:
		*(const char **)at = value;
		return 0;
	case NUMBER:
		snprintf(name, sizeof name, "--%s", flag->name);
		return parse_number(name, value, flag->max, at);
	case SERVER:
		return rung_server_kind_parse(value, at);
	}
	return -EINVAL;
}

static int read_environment(struct flags *flags)
{
	const char *port = getenv("PORT");

	return port && *port ? parse_number("PORT", port, 65535, &flags->server.port) : 0;
}

int rung_flags_parse(int argc, char **argv, struct flags *flags)
{
	struct option options[COUNT + 1] = { 0 };
	int which;

	*flags = (struct flags){ .server.size = sizeof flags->server, .setup.size = sizeof flags->setup };
	flags->server.port = 8080;
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

			is_good = printf("  %-19s %.*s\n", left, size, line) > 0;
			line += size + (line[size] == '\n');
			left[0] = '\0';
		}
	}
	return is_good ? 0 : -1;
}
