/* program.c: see program.h. */
#include "program.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Not of the gallery. */
static bool is_ours(const char *app)
{
	return strcmp(app, "subject") == 0 || strcmp(app, "targets") == 0 || strcmp(app, "asker") == 0;
}

static void be_program(
	const char *app, const char *const *flags, const char *const *environment, int out, int err)
{
	char path[512];
	char *argv[32] = { path };

	snprintf(path, sizeof path, "%s/%s", is_ours(app) ? TESTS_DIR : APPS_DIR, app);
	for (int i = 0; flags && flags[i] && i < 30; i++)
		argv[i + 1] = (char *)(uintptr_t)flags[i];
	unsetenv("PORT");
	unsetenv("RUNG_REPROXY");
	for (; environment && environment[0]; environment += 2)
		setenv(environment[0], environment[1], 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
	dup2(out, 1);
	dup2(err, 2);
	execv(path, argv);
	_exit(127);
}

struct program launch(const char *app, const char *const *flags, const char *const *environment)
{
	struct program program = { 0 };
	int out[2], err[2];

	cr_assert(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
	program.pid = fork();
	cr_assert(program.pid >= 0);
	if (program.pid == 0)
		be_program(app, flags, environment, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	program.out = out[0];
	program.err = err[0];
	return program;
}

void read_text(int fd, char *text, size_t room, bool one_line)
{
	size_t at = 0;

	while (at + 1 < room && read(fd, text + at, 1) == 1)
		if (text[at++] == '\n' && one_line)
			break;
	text[at] = '\0';
}

int exit_status(struct program *program)
{
	int status;

	cr_assert(waitpid(program->pid, &status, 0) == program->pid);
	close(program->out);
	close(program->err);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void stop_program(struct program *program)
{
	kill(program->pid, SIGTERM);
	ASSERT_INT(exit_status(program), 0);
}

const char *ready_line(struct program *program)
{
	read_text(program->out, program->line, sizeof program->line, true);
	return program->line;
}

unsigned ready_port(struct program *program)
{
	unsigned port = 0;
	const char *line = ready_line(program);
	char err[1024] = "";

	if (!*line)
		read_text(program->err, err, sizeof err, false);
	cr_assert(sscanf(line, "listening on http://127.0.0.1:%u/\n", &port) == 1 ||
			  sscanf(line, "listening on https://127.0.0.1:%u/\n", &port) == 1,
		"it said \"%s\" and \"%s\"", line, err);
	return port;
}

int run_program(const char *app, const char *const *flags, char *out, char *err, size_t room)
{
	struct program program = launch(app, flags, NULL);

	read_text(program.out, out, room, false);
	read_text(program.err, err, room, false);
	return exit_status(&program);
}

static int connect_to(const void *address, socklen_t size)
{
	const struct sockaddr *any = address;
	int fd = socket(any->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, any, size) == 0)
		return fd;
	int err = errno;
	if (fd >= 0)
		close(fd);
	errno = err;
	return -1;
}

int connect_host(const char *host, unsigned port)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = inet_addr(host)
	};

	return connect_to(&address, sizeof address);
}

int connect_port(unsigned port)
{
	return connect_host("127.0.0.1", port);
}

int connect_unix(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	return connect_to(&address, sizeof address);
}

char *ask(unsigned port, const char *request)
{
	int fd = connect_port(port);

	cr_assert(fd >= 0, "connect: %s", strerror(errno));
	cr_assert(send(fd, request, strlen(request), MSG_NOSIGNAL) > 0);
	char *answer = test_read(fd, 2000, NULL);
	close(fd);
	return answer;
}
