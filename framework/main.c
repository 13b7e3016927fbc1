/* main.c: a whole program around a stack: flags, signals, one line when ready. */
#include <rung/main.h>
#include <rung/server.h>

/* Layers that flags put around a stack. */
#include <rung/inspect.h>
#include <rung/trace.h>

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { EXIT_OK = 0, EXIT_CANNOT_SERVE = 1, EXIT_USAGE = 2 };

struct flags {
	const char *bind;
	unsigned port;
	unsigned loops, workers;
	enum rung_server_kind reproxy;
	bool print_stack, quiet, help, inspect, trace;
};

/* Set while rung_main_stack() runs a main: what rung_main() was given goes here instead of being served. */
static _Thread_local struct rung_app **capture;

/* -- flags ------------------------------------------------------------------------------------------------------- */

static const char help[] =
	"usage: %s [flags]\n"
	"  --port N          listen on port N; 0 picks a free one (default: PORT in the environment, else 8080)\n"
	"  --bind ADDR       listen on this numeric address (default 127.0.0.1)\n"
	"  --loops N         event loops (default: one a core)\n"
	"  --workers N       threads for handlers that wait (default: none; handlers run on the loops)\n"
	"  --reproxy SERVER  who acts on a reproxy: self, header, nginx, apache, lighttpd, perlbal, h2o\n"
	"                    (default: RUNG_REPROXY in the environment, else self)\n"
	"  --inspect         show at /_rung/ what the last requests did (development)\n"
	"  --trace           time every layer: Server-Timing and a line in the log\n"
	"  --print-stack     print the stack and exit\n"
	"  --quiet           no access log\n"
	"  --help            this text\n";

static int parse_number(const char *what, const char *text, unsigned max, unsigned *ret_number)
{
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text < '0' || *text > '9' || number > max)
		return rung_refuse(-EINVAL, "%s \"%s\" is no number from 0 to %u", what, text, max);
	*ret_number = (unsigned)number;
	return 0;
}

static int parse_flag(int which, struct flags *flags)
{
	switch (which) {
	case 'p':
		return parse_number("--port", optarg, 65535, &flags->port);
	case 'b':
		flags->bind = optarg;
		return 0;
	case 'l':
		return parse_number("--loops", optarg, 1024, &flags->loops);
	case 'w':
		return parse_number("--workers", optarg, 4096, &flags->workers);
	case 'r':
		return rung_server_kind_parse(optarg, &flags->reproxy);
	case 's':
		flags->print_stack = true;
		return 0;
	case 'i':
		flags->inspect = true;
		return 0;
	case 't':
		flags->trace = true;
		return 0;
	case 'q':
		flags->quiet = true;
		return 0;
	case 'h':
		flags->help = true;
		return 0;
	default:
		return -EINVAL;
	}
}

static int parse_flags(int argc, char **argv, struct flags *flags)
{
	static const struct option options[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "bind", required_argument, NULL, 'b' },
		{ "loops", required_argument, NULL, 'l' },
		{ "workers", required_argument, NULL, 'w' },
		{ "reproxy", required_argument, NULL, 'r' },
		{ "inspect", no_argument, NULL, 'i' },
		{ "trace", no_argument, NULL, 't' },
		{ "print-stack", no_argument, NULL, 's' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *port = getenv("PORT");
	int rc = port && *port ? parse_number("PORT", port, 65535, &flags->port) : 0, which;

	optind = 0; /* also starts over where getopt was used before */
	opterr = 0;
	while (rc == 0 && (which = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (which == '?' || which == ':')
			return rung_refuse(-EINVAL, "%s: %s; see --help", argv[optind - 1],
				which == ':' ? "its value is missing" : "there is no such flag");
		rc = parse_flag(which, flags);
	}
	if (rc == 0 && optind < argc)
		return rung_refuse(-EINVAL, "%s: flags alone are understood; see --help", argv[optind]);
	return rc;
}

/* -- serving ----------------------------------------------------------------------------------------------------- */

/* Each connection is a descriptor; what the system allows us we take. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int serve(const char *program, struct rung_app *app, const struct flags *flags)
{
	const struct rung_setup setup = {
		.size = sizeof setup,
		.server = flags->reproxy,
		.quiet = flags->quiet,
	};
	sigset_t signals;
	int signal_number;

	/* Blocked before any thread starts, so that sigwait() below gets them and nothing is interrupted. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	raise_descriptors();
	struct rung_server *server = rung_server_new(app, .bind = flags->bind, .port = flags->port,
		.loops = flags->loops, .workers = flags->workers, .setup = &setup);
	if (!server) {
		fprintf(stderr, "%s: %s\n", program, rung_error());
		return EXIT_CANNOT_SERVE;
	}
	printf("listening on %s\n", rung_server_url(server));
	if (flags->inspect)
		printf("inspect at %s_rung/\n", rung_server_url(server));
	fflush(stdout);
	while (sigwait(&signals, &signal_number) != 0)
		continue;
	unsigned cut = rung_server_destroy(server);
	if (cut)
		fprintf(stderr, "%s: %u requests were cut at the deadline\n", program, cut);
	return EXIT_OK;
}

/* Puts around the stack what flags ask for. Takes the stack, also on failure, where it returns NULL. */
static struct rung_app *wrap(struct rung_app *app, const struct flags *flags)
{
	if (flags->trace)
		app = rung_stack(rung_trace(.when = RUNG_TRACE_ON), app);
	if (flags->inspect)
		app = rung_stack(rung_inspect(), app);
	return app;
}

static int print_stack(const char *program, struct rung_app *app)
{
	ssize_t size = rung_stack_print(app, NULL, 0);
	char *text = size < 0 ? NULL : malloc((size_t)size + 1);

	if (!text || rung_stack_print(app, text, (size_t)size + 1) < 0) {
		fprintf(stderr, "%s: out of memory\n", program);
		free(text);
		return EXIT_CANNOT_SERVE;
	}
	fputs(text, stdout);
	free(text);
	return EXIT_OK;
}

static const char *program_name(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;

	return slash ? slash + 1 : argc > 0 ? argv[0] : "rung";
}

int rung_main(int argc, char **argv, struct rung_app *app)
{
	const char *program = program_name(argc, argv);
	struct flags flags = { .port = 8080 };
	int status = EXIT_USAGE;

	if (capture) {
		*capture = app;
		return EXIT_OK;
	}
	/* Refused before the flags are looked at, since its message is the older one. */
	if (!app) {
		rung_refuse_part("the stack is NULL; make sure its constructor did not fail");
		fprintf(stderr, "%s: %s\n", program, rung_error());
		return EXIT_CANNOT_SERVE;
	}
	if (parse_flags(argc, argv, &flags) < 0) {
		fprintf(stderr, "%s: %s\n", program, rung_error());
	} else if (flags.help) {
		status = printf(help, program) < 0 ? EXIT_CANNOT_SERVE : EXIT_OK;
	} else if (!(app = wrap(app, &flags))) {
		fprintf(stderr, "%s: %s\n", program, rung_error());
		status = EXIT_CANNOT_SERVE;
	} else if (flags.print_stack) {
		status = print_stack(program, app);
	} else {
		return serve(program, app, &flags);
	}
	rung_app_destroy(app);
	return status;
}

struct rung_app *rung_main_stack(int (*main_function)(int argc, char **argv), const char *name)
{
	struct rung_app *app = NULL;
	char copy[256];
	char *argv[] = { copy, NULL };

	snprintf(copy, sizeof copy, "%s", name);
	capture = &app;
	main_function(1, argv);
	capture = NULL;
	return app;
}
