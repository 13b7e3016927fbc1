/* support.c: see support.h. */
#include "support.h"

#include <rung/lint.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* -- leaks ------------------------------------------------------------------------------------------------------- */

#if defined(__SANITIZE_ADDRESS__)
#define HAS_LEAK_CHECK 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_LEAK_CHECK 1
#endif
#endif

#ifdef HAS_LEAK_CHECK
int __lsan_do_recoverable_leak_check(void);
#endif

/* Each test is a process of its own that leaves without the sanitizer's own check at exit. */
void test_check_leaks(void)
{
#ifdef HAS_LEAK_CHECK
	cr_assert(__lsan_do_recoverable_leak_check() == 0, "memory leaked; the report is above");
#endif
}

/* -- the log ----------------------------------------------------------------------------------------------------- */

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char log_text[64 * 1024];
static size_t log_size;

static void take_line(void *data, enum rung_log_level level, const char *line)
{
	size_t size = strlen(line);

	(void)data;
	(void)level;
	pthread_mutex_lock(&log_lock);
	if (log_size + size + 2 < sizeof log_text) {
		memcpy(log_text + log_size, line, size);
		log_size += size;
		log_text[log_size++] = '\n';
		log_text[log_size] = '\0';
	}
	pthread_mutex_unlock(&log_lock);
}

const char *test_log(void)
{
	return log_text;
}

void test_log_clear(void)
{
	pthread_mutex_lock(&log_lock);
	log_size = 0;
	log_text[0] = '\0';
	pthread_mutex_unlock(&log_lock);
}

/* -- callers ----------------------------------------------------------------------------------------------------- */

static const struct rung_probe *probes[2];
const struct rung_probe *const test_no_probes[] = { NULL };

static struct rung_setup test_setup(const struct rung_setup *given)
{
	struct rung_setup setup = { .size = sizeof setup };

	if (given)
		setup = *given;
	probes[0] = rung_lint_probe();
	setup.log = take_line;
	if (!setup.probes)
		setup.probes = probes;
	return setup;
}

struct rung_client *test_client_with(struct rung_app *app, const struct rung_setup *given)
{
	struct rung_setup setup = test_setup(given);
	struct rung_client *client = rung_client_new(app, .setup = &setup);

	cr_assert(client, "the stack was refused: %s", rung_error());
	return client;
}

struct rung_client *test_client(struct rung_app *app)
{
	return test_client_with(app, NULL);
}

struct rung_server *test_server(struct rung_app *app, struct rung_server_options options)
{
	struct rung_setup setup = test_setup(options.setup);

	options.size = sizeof options;
	options.app = app;
	options.setup = &setup;
	if (!options.loops)
		options.loops = 1;
	/* The same tests run with handlers on the loops and with handlers on workers. */
	if (!options.workers && getenv("TEST_WORKERS"))
		options.workers = (unsigned)atoi(getenv("TEST_WORKERS"));
	struct rung_server *server = rung_server_open(&options);
	cr_assert(server, "the server was refused: %s", rung_error());
	return server;
}

/* -- sockets ----------------------------------------------------------------------------------------------------- */

int test_connect(struct rung_server *server)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)rung_server_port(server)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0,
		"cannot connect: %s", strerror(errno));
	return fd;
}

char *test_read(int fd, int quiet_ms, size_t *ret_size)
{
	size_t size = 0, room = 4096;
	char *text = malloc(room);

	for (;;) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };

		if (poll(&ready, 1, quiet_ms) <= 0)
			break;
		if (size + 1 == room)
			text = realloc(text, room *= 2);
		cr_assert(text, "out of memory");
		ssize_t n = recv(fd, text + size, room - size - 1, 0);
		if (n <= 0)
			break;
		size += (size_t)n;
	}
	text[size] = '\0';
	if (ret_size)
		*ret_size = size;
	return text;
}

char *test_exchange(struct rung_server *server, const char *bytes, size_t size, size_t *ret_size)
{
	int fd = test_connect(server);

	for (size_t at = 0; at < size;) {
		ssize_t n = send(fd, bytes + at, size - at, MSG_NOSIGNAL);

		if (n <= 0)
			break; /* it may have been refused before it was all sent */
		at += (size_t)n;
	}
	char *text = test_read(fd, 300, ret_size);
	close(fd);
	return text;
}

char *test_send(struct rung_server *server, const char *text)
{
	return test_exchange(server, text, strlen(text), NULL);
}

extern char **environ;

int test_curl(const char *const *arguments)
{
	const char *argv[24] = { "curl", "-sS", "--noproxy", "*", "--max-time", "50" };
	size_t count = 6;
	pid_t pid;
	int status;

	for (; *arguments; count++) {
		cr_assert(count + 1 < sizeof argv / sizeof *argv, "too many arguments");
		argv[count] = *arguments++;
	}
	cr_assert(posix_spawnp(&pid, "curl", NULL, NULL, (char **)(uintptr_t)argv, environ) == 0);
	cr_assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}
