/* main.c: a whole program around a stack: signals, one line when ready. Its flags are in main_flags.c. */
#include "main_flags.h"
#include <rung/main.h>
#include <rung/server.h>

/* Layers that flags put around a stack, or ask. */
#include <rung/inspect.h>
#include <rung/reproxy_config.h>
#include <rung/trace.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_OK = 0, EXIT_CANNOT_SERVE = 1, EXIT_USAGE = 2 };
enum { MOMENTS_AFTER_CUT = 100 /* of 20 ms */, MOST_ACTIVATED = 32 };

/* Set while rung_main_stack() runs a main: what rung_main() was given goes here instead of being served. */
static _Thread_local struct rung_app **capture;

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

enum { FIRST_ACTIVATED = 3 };

/* How many descriptors were left for this process; see sd_listen_fds(3). Nobody whom we start shall take them for his. */
static int count_activated(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	int number = 0;

	if (pid && count && strtol(pid, NULL, 10) == (long)getpid())
		number = (int)strtol(count, NULL, 10);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return number;
}

/* fds is ended by -1 and has room. False when there are more. */
static bool read_activated(int *fds, int room)
{
	int count = count_activated();

	for (int i = 0; i < count && i < room - 1; i++) {
		fds[i] = FIRST_ACTIVATED + i;
		fcntl(fds[i], F_SETFD, FD_CLOEXEC);
	}
	fds[count < 0 ? 0 : count < room ? count : room - 1] = -1;
	return count < room;
}

/* Another process serves. Its signal is one that does nothing where nobody waits for it. */
struct handover {
	pthread_t main_thread;
	atomic_bool is_done;
};

static void note_handover(void *data)
{
	struct handover *handover = data;

	atomic_store(&handover->is_done, true);
	pthread_kill(handover->main_thread, SIGURG);
}

/* Blocked before any thread starts, so that sigwait() gets them and nothing is interrupted. */
static void block_signals(bool has_tls, sigset_t *ret_signals)
{
	sigemptyset(ret_signals);
	sigaddset(ret_signals, SIGTERM);
	sigaddset(ret_signals, SIGINT);
	sigaddset(ret_signals, SIGURG);
	/* Without a certificate it means what it always does: the terminal has gone. */
	if (has_tls)
		sigaddset(ret_signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static bool asks_for_end(int signal_number)
{
	return signal_number == SIGTERM || signal_number == SIGINT;
}

/* Until it is time to drain. */
static void wait_while_serving(
	struct rung_server *server, const sigset_t *signals, const struct handover *handover)
{
	int signal_number = 0;

	while (!asks_for_end(signal_number) && !atomic_load(&handover->is_done)) {
		if (sigwait(signals, &signal_number) != 0)
			signal_number = 0;
		if (signal_number == SIGHUP)
			rung_server_reload(server);
	}
}

/* That it is ready, too. A browser reaches no Unix socket. */
static void say_where(const struct rung_server *server, bool has_inspect)
{
	for (const char *const *url = rung_server_urls(server); *url; url++)
		printf("listening on %s\n", *url);
	for (const char *const *url = rung_server_urls(server); *url && has_inspect; url++)
		if (strncmp(*url, "unix:", 5) != 0) {
			printf("inspect at %s_rung/\n", *url);
			has_inspect = false;
		}
	fflush(stdout);
}

/* A second signal cuts what the first one, or a takeover's, lets finish. Whatever then does not let go is a handler that does
 * not return. */
static void wait_for_end(
	const char *program, struct rung_server *server, const sigset_t *signals, bool has_signal)
{
	const struct timespec moment = { .tv_nsec = 20 * 1000000 };
	int count = has_signal, left = -1; /* moments; -1: as many as the drain takes */

	while (!rung_server_has_ended(server)) {
		count += asks_for_end(sigtimedwait(signals, NULL, &moment));
		if (count == 2 && left < 0) {
			rung_server_cut(server);
			left = MOMENTS_AFTER_CUT;
		}
		if (left > 0 && --left == 0) {
			fprintf(stderr, "%s: a handler does not return; left without it\n", program);
			_exit(EXIT_CANNOT_SERVE);
		}
	}
}

static int serve(const char *program, struct rung_app *app, struct flags *flags)
{
	struct handover handover = { .main_thread = pthread_self() };
	int activated[MOST_ACTIVATED + 1];
	sigset_t signals;

	block_signals(flags->server.tls.cert, &signals);
	raise_descriptors();
	if (!read_activated(activated, MOST_ACTIVATED + 1)) {
		fprintf(stderr, "%s: LISTEN_FDS: more than %d descriptors\n", program, MOST_ACTIVATED);
		rung_app_destroy(app);
		return EXIT_CANNOT_SERVE;
	}
	flags->server.app = app;
	flags->server.setup = &flags->setup;
	flags->server.inherit = activated[0] >= 0 ? activated : NULL;
	flags->server.on_handed_over = note_handover;
	flags->server.on_handed_over_data = &handover;
	struct rung_server *server = rung_server_open(&flags->server);
	if (!server) {
		fprintf(stderr, "%s: %s\n", program, rung_error());
		return EXIT_CANNOT_SERVE;
	}
	say_where(server, flags->inspect);
	wait_while_serving(server, &signals, &handover);
	rung_server_drain(server);
	wait_for_end(program, server, &signals, !atomic_load(&handover.is_done));
	unsigned cut = rung_server_destroy(server);
	if (cut)
		fprintf(stderr, "%s: %u requests were cut\n", program, cut);
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

/* For the server that stands in front of what would be served. */
static int print_config(const char *program, struct rung_app *app, const struct flags *flags)
{
	char address[RUNG_ADDRESS_ROOM], *text = NULL;
	const struct rung_reproxy_config_options options = { .size = sizeof options,
		.server = flags->print_config,
		.program = program,
		.app = address,
		.listen = flags->config_listen,
		.targets = flags->setup.targets };
	ssize_t size = rung_server_plain_address(&flags->server, address, sizeof address);

	if (size == 0)
		size = rung_reproxy_config_new(app, &options, NULL, 0);
	if (size >= 0)
		text = malloc((size_t)size + 1);
	if (size >= 0 && (!text || rung_reproxy_config_new(app, &options, text, (size_t)size + 1) < 0))
		size = rung_refuse(-ENOMEM, "out of memory");
	if (size < 0)
		fprintf(stderr, "%s: %s\n", program, rung_error());
	else
		fputs(text, stdout);
	free(text);
	return size == -EINVAL ? EXIT_USAGE : size < 0 ? EXIT_CANNOT_SERVE : EXIT_OK;
}

static const char *program_name(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;

	return slash ? slash + 1 : argc > 0 ? argv[0] : "rung";
}

int rung_main(int argc, char **argv, struct rung_app *app)
{
	const char *program = program_name(argc, argv);
	struct flags flags;
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
	if (rung_flags_parse(argc, argv, &flags) < 0) {
		fprintf(stderr, "%s: %s\n", program, rung_error());
	} else if (flags.help) {
		status = rung_flags_help(program) < 0 ? EXIT_CANNOT_SERVE : EXIT_OK;
	} else if (!(app = wrap(app, &flags))) {
		fprintf(stderr, "%s: %s\n", program, rung_error());
		status = EXIT_CANNOT_SERVE;
	} else if (flags.print_stack) {
		status = print_stack(program, app);
	} else if (flags.print_config) {
		status = print_config(program, app, &flags);
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
