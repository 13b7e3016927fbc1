/* rig.c: see rig.h. */
#include "rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROXY .keeps_status = true, .is_conditional = true, .takes_chunks = true

const struct front nginx = { "nginx", "nginx", PROXY, .knows_names = true, .keeps_app_cookie = true,
	.keeps_target_cookie = true, .hops = 10, .too_many = 500, .down = 502 };
/* A target's answer is final there: the second hop is an empty answer. */
const struct front nginx_hardened = { "nginx_hardened", "nginx", PROXY, .knows_names = true,
	.is_discreet = true, .is_listed = true, .keeps_app_cookie = true, .keeps_target_cookie = true,
	.hops = 1, .too_many = 200, .down = 502 };
const struct front apache = { "apache", "apache", PROXY, .knows_names = true, .is_discreet = true,
	.is_listed = true, .keeps_app_cookie = true, .keeps_target_cookie = true, .hops = 10, .too_many = 502,
	.down = 502 };
const struct front h2o = { "h2o", "h2o", PROXY, .keeps_target_cookie = true, .hops = 10, .too_many = 502,
	.down = 502 };
const struct front perlbal = { "perlbal", "perlbal", .keeps_app_cookie = true, .hops = 1, .too_many = 200,
	.down = 503 };
const struct front lighttpd = { "lighttpd", "self", PROXY, .is_self = true, .knows_names = true,
	.keeps_app_cookie = true, .keeps_target_cookie = true, .hops = 10, .too_many = 502, .down = 502 };

/* -- targets that misbehave -------------------------------------------------------------------------------------- */

/* Asks for what stands in the query, as it is, a "+" meaning a blank: more than Rung lets an app say. */
static void ask_on(int fd, const char *query)
{
	char answer[1024], urls[512];

	snprintf(urls, sizeof urls, "%.*s", (int)strcspn(query, " "), query);
	for (char *at = urls; (at = strchr(at, '+'));)
		*at = ' ';
	int size = snprintf(answer, sizeof answer,
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/x-app\r\nX-Reproxy-Url: %s\r\nContent-Length: 0\r\n\r\n",
		urls);
	send(fd, answer, (size_t)size, MSG_NOSIGNAL);
}

static void misbehave(int fd, const char *request)
{
	static const char half[] =
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 100000\r\n\r\nhalf of it";
	static const struct linger at_once = { .l_onoff = 1 };

	if (strstr(request, "/asks?"))
		ask_on(fd, strstr(request, "/asks?") + 6);
	else if (strstr(request, "/dies"))
		send(fd, half, sizeof half - 1, MSG_NOSIGNAL);
	else if (strstr(request, "/resets"))
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	/* Else it says nothing and goes. */
	close(fd);
}

static void *be_bad(void *argument)
{
	const struct rig *rig = argument;
	char request[4096];
	int fd;

	while ((fd = accept(rig->bad_listener, NULL, NULL)) >= 0) {
		ssize_t size = read(fd, request, sizeof request - 1);

		request[size > 0 ? size : 0] = '\0';
		misbehave(fd, request);
	}
	return NULL;
}

/* A listening socket on a free loopback port. */
static int listen_somewhere(unsigned *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 100) == 0);
	cr_assert(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static unsigned free_port(void)
{
	unsigned port;

	close(listen_somewhere(&port));
	return port;
}

/* -- the server -------------------------------------------------------------------------------------------------- */

static void run_server(const struct rig *rig, const char *config)
{
	const char *name = rig->front->name, *folder = rig->folder;
	int out = open("out", O_CREAT | O_WRONLY | O_APPEND, 0644);

	dup2(out, 1);
	dup2(out, 2);
	if (strncmp(name, "nginx", 5) == 0)
		execlp("nginx", "nginx", "-p", folder, "-c", config, "-e", "error.log", "-g", "daemon off;",
			NULL);
	else if (strcmp(name, "apache") == 0)
		execlp("apache2", "apache2", "-d", folder, "-f", config, "-C",
			"Define MOD_REPROXY " MOD_REPROXY, "-DFOREGROUND", NULL);
	else if (strcmp(name, "h2o") == 0)
		execlp("h2o", "h2o", "-c", config, NULL);
	else if (strcmp(name, "perlbal") == 0) {
		char flag[160];

		snprintf(flag, sizeof flag, "--config=%s", config);
		execlp("perlbal", "perlbal", flag, NULL);
	} else {
		execlp("lighttpd", "lighttpd", "-D", "-f", config, NULL);
	}
	fprintf(stderr, "%s is missing: %s; tests/run installs it\n", name, strerror(errno));
	_exit(127);
}

static void wait_until_ready(struct rig *rig)
{
	for (int i = 0; i < 1000; i++) {
		int fd = connect_port(rig->port);

		if (fd >= 0) {
			close(fd);
			return;
		}
		if (waitpid(rig->pid, NULL, WNOHANG) == rig->pid) {
			char *log = rig_log(rig);

			cr_assert_fail("%s did not start: %s", rig->front->name, log);
		}
		usleep(10000);
	}
	cr_assert_fail("%s is not there after 10 s", rig->front->name);
}

/* The flags of a program. */
struct flags {
	char texts[8][96];
	const char *list[32];
	unsigned count;
};

static void add_flag(struct flags *flags, const char *name, const char *value)
{
	flags->list[flags->count++] = name;
	flags->list[flags->count++] = value;
}

static void add_target(struct flags *flags, int i, const char *name, unsigned port)
{
	snprintf(flags->texts[i], sizeof flags->texts[i], "%s=127.0.0.1:%u", name, port);
	add_flag(flags, "--target", flags->texts[i]);
}

static void name_all(const struct rig *rig, struct flags *flags)
{
	add_target(flags, 0, "files.internal", rig->target_port);
	add_target(flags, 1, "greeter.internal", rig->target_port);
	add_target(flags, 2, "calculator.internal:9000", rig->target_port);
	add_target(flags, 3, "target.internal", rig->target_port);
	add_target(flags, 4, "bad.internal", rig->bad_port);
	add_target(flags, 5, "dead.internal", rig->dead_port);
}

static void write_config(const struct rig *rig, const char *app, const char *path)
{
	char port[16], listen[32], err[1024];
	static char text[32768];
	struct flags flags = { .count = 0 };

	snprintf(port, sizeof port, "%u", rig->app_port);
	snprintf(listen, sizeof listen, "127.0.0.1:%u", rig->port);
	add_flag(&flags, "--print-config", rig->front->name);
	add_flag(&flags, "--port", port);
	add_flag(&flags, "--config-listen", listen);
	name_all(rig, &flags);
	struct program program = launch(app, flags.list, NULL);
	read_text(program.out, text, sizeof text, false);
	read_text(program.err, err, sizeof err, false);
	ASSERT_INT(exit_status(&program), 0);
	ASSERT_STR(err, "");
	FILE *file = fopen(path, "w");
	cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

void rig_start(struct rig *rig, const struct front *front, const char *app)
{
	struct flags flags = { .count = 0 };
	char config[128];

	*rig = (struct rig){ .front = front };
	strcpy(rig->folder, "/tmp/rung-front-XXXXXX");
	cr_assert(mkdtemp(rig->folder) != NULL && chmod(rig->folder, 0755) == 0);
	rig->bad_listener = listen_somewhere(&rig->bad_port);
	cr_assert(pthread_create(&rig->bad, NULL, be_bad, rig) == 0);
	rig->targets = launch("targets", FLAGS("--port=0", "--workers=4", "--quiet"), NULL);
	rig->target_port = ready_port(&rig->targets);
	rig->dead_port = free_port();
	add_flag(&flags, "--reproxy", front->reproxy);
	add_flag(&flags, "--port", "0");
	add_flag(&flags, "--quiet", NULL);
	flags.count--;
	if (!front->is_self)
		name_all(rig, &flags);
	rig->app = launch(app, flags.list, NULL);
	rig->app_port = ready_port(&rig->app);
	rig->port = free_port();
	snprintf(config, sizeof config, "%s/server.conf", rig->folder);
	write_config(rig, app, config);
	rig->pid = fork();
	cr_assert(rig->pid >= 0);
	if (rig->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (chdir(rig->folder) == 0)
			run_server(rig, config);
		_exit(127);
	}
	wait_until_ready(rig);
}

static void read_file(const char *folder, const char *name, char *text, size_t room)
{
	char path[160];
	size_t used = strlen(text);

	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "r");
	if (!file)
		return;
	text[used + fread(text + used, 1, room - used - 1, file)] = '\0';
	fclose(file);
}

char *rig_log(const struct rig *rig)
{
	enum { ROOM = 1 << 20 };
	char *text = calloc(1, ROOM);

	read_file(rig->folder, "out", text, ROOM);
	read_file(rig->folder, "error.log", text, ROOM);
	return text;
}

/* At SIGTERM Apache's event module shuts the sockets of connections that its threads may be closing, and now and then crashes over one
 * that is gone. Asked to end gracefully it does not. */
static int stop_signal(const char *name)
{
	return strcmp(name, "apache") == 0 ? SIGWINCH : SIGTERM;
}

void rig_stop(struct rig *rig)
{
	static const char *const crashes[] = { "egmentation", "exit signal", "exited on signal",
		"received fatal signal", "child process crashed", "child pid" };
	char *log, remove[128];
	int status = 0;

	cr_expect(waitpid(rig->pid, &status, WNOHANG) == 0, "%s has ended by itself", rig->front->name);
	kill(rig->pid, stop_signal(rig->front->name));
	waitpid(rig->pid, &status, 0);
	log = rig_log(rig);
	for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
		cr_expect(!strstr(log, crashes[i]), "%s crashed: %s", rig->front->name, log);
	free(log);
	stop_program(&rig->app);
	stop_program(&rig->targets);
	shutdown(rig->bad_listener, SHUT_RDWR);
	pthread_join(rig->bad, NULL);
	close(rig->bad_listener);
	snprintf(remove, sizeof remove, "rm -rf %s", rig->folder);
	cr_expect(system(remove) == 0);
}

/* -- asking ------------------------------------------------------------------------------------------------------ */

const char *answer_field(const struct answer *answer, const char *name)
{
	static _Thread_local char value[1024];
	const char *line = answer->head;
	size_t size = strlen(name);

	value[0] = '\0';
	while ((line = strstr(line, "\r\n")) && strncmp(line, "\r\n\r\n", 4) != 0) {
		line += 2;
		if (strncasecmp(line, name, size) == 0 && line[size] == ':') {
			line += size + 1 + strspn(line + size + 1, " ");
			snprintf(value, sizeof value, "%.*s", (int)strcspn(line, "\r"), line);
			return value;
		}
	}
	return value;
}

/* Takes the chunks out. False: they do not come to their end. */
static bool dechunk(struct answer *answer)
{
	char *from = answer->body, *to = answer->body, *end = answer->body + answer->size;

	while (from < end) {
		char *line;
		size_t size = strtoul(from, &line, 16);

		if (line == from || line + 2 > end || size > (size_t)(end - line))
			break;
		memmove(to, line + 2, size);
		to += size;
		from = line + 2 + size + 2;
		if (size == 0) {
			answer->size = (size_t)(to - answer->body);
			*to = '\0';
			return true;
		}
	}
	return false;
}

static struct answer take_apart(char *bytes, size_t size, bool is_head)
{
	struct answer answer = { .bytes = bytes, .head = bytes };
	char *end = strstr(bytes, "\r\n\r\n");

	if (!end || sscanf(bytes, "HTTP/1.%*c %d", &answer.status) != 1) {
		answer.body = answer.head = bytes + size;
		return answer;
	}
	answer.body = end + 4;
	answer.size = size - (size_t)(answer.body - bytes);
	end[2] = '\0'; /* the head ends with a line */
	bool has_body = !is_head && answer.status != 304;
	const char *length = answer_field(&answer, "Content-Length");
	answer.is_whole =
		!has_body ? answer.size == 0 : !*length || strtoull(length, NULL, 10) == answer.size;
	if (has_body && strcasecmp(answer_field(&answer, "Transfer-Encoding"), "chunked") == 0)
		answer.is_whole = dechunk(&answer);
	return answer;
}

struct answer rig_ask(const struct rig *rig, const char *method, const char *path, const char *fields,
	const char *body, size_t size)
{
	char head[4096], length[64] = "";
	size_t got = 0;
	int fd = connect_port(rig->port);

	cr_assert(fd >= 0, "connect: %s", strerror(errno));
	if (body && !strstr(fields, "Transfer-Encoding"))
		snprintf(length, sizeof length, "Content-Length: %zu\r\n", size);
	int head_size = snprintf(head, sizeof head,
		"%s %s HTTP/1.1\r\nHost: front.test\r\nConnection: close\r\n%s%s\r\n", method, path, fields,
		length);
	cr_assert(send(fd, head, (size_t)head_size, MSG_NOSIGNAL) == head_size);
	for (size_t sent = 0; body && sent < size;) {
		ssize_t n = send(fd, body + sent, size - sent, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	char *bytes = test_read(fd, 8000, &got);
	close(fd);
	return take_apart(bytes, got, strcmp(method, "HEAD") == 0);
}

struct answer rig_get(const struct rig *rig, const char *path, const char *fields)
{
	return rig_ask(rig, "GET", path, fields, NULL, 0);
}

void answer_free(struct answer *answer)
{
	free(answer->bytes);
}

void answer_is_clean(const struct answer *answer)
{
	static const char *const inner[] = { "X-Reproxy-Url", "X-Accel-Redirect", "X-Rewrite-Host",
		"X-Rewrite-URI", "X-Proxy-Capabilities" };

	for (size_t i = 0; i < sizeof inner / sizeof *inner; i++)
		cr_expect(!*answer_field(answer, inner[i]), "the client sees %s: %s", inner[i],
			answer_field(answer, inner[i]));
	cr_expect(!strstr(answer->head, ".internal"), "the client sees an inner name: %s", answer->head);
}
