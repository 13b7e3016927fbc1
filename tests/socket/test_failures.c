/*
 * test_failures.c: a whole server, libmicrohttpd's part of it too, whose calls fail: each allocation and each system call of
 * a request, one after the other, as well as those while it starts and stops. Each time the client has the right answer, a
 * 500 or 503, or a connection that closes, and knows which; nothing leaks; and the next request is served.
 *
 * The server is failures/server.c in a process of its own, with failures/fail.c preloaded. A warm server has served
 * everything before, and keeps what it has allocated; a cold one is new for each failure.
 */
#include "../failures/fail.h"
#include "backend.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	BODY = 100000,       /* more than is kept in memory */
	LARGE = 300000,      /* more than is sent in one buffer */
	MOST_FAILURES = 400, /* of one kind of call, in one request; more is an endless loop */
	FOR_EVER = 1000000000,
};

/* Sanitizers are slow, and the machine may be busy: only what hangs takes so long. */
static const int patience_ms = 20000;

/* -- what is asked ----------------------------------------------------------------------------------------------- */

/* So many fields that their list grows; if any is lost on the way, it is the one behind them. */
#define MANY \
	"A: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\nF: 1\r\nG: 1\r\nH: 1\r\nI: 1\r\nJ: 1\r\nK: 1\r\nL: 1\r\nM: 1\r\nN: 1\r\n"

static struct kind {
	const char *line;   /* method and target */
	const char *fields; /* besides Host */
	size_t body;
	bool chunked;
	const char *follows; /* a second request on the connection */
	const char *has;     /* in a right answer */
	bool is_forwarded;   /* to a backend, by a worker */
	/* the right answer, as the server without failures gave it; with the date blotted out */
	char *right;
	size_t right_size,
		second; /* where a second answer begins: the first was 100, or a request follows; 0: none does */
} kinds[] = {
	{ .line = "GET /", .has = "\r\nSet-Cookie: seen=1" },
	{ .line = "GET /guarded", .fields = MANY "Authorization: Basic dTpw\r\n", .has = "secret" },
	{ .line = "GET /guarded", .has = "HTTP/1.1 401 " },
	{ .line = "GET /nowhere", .fields = "Accept: text/html\r\n", .has = "HTTP/1.1 404 " },
	{ .line = "GET /d/small.txt", .has = "small file" },
	{ .line = "GET /d/large.bin", .has = "Content-Length: 300000\r\n" },
	{ .line = "GET /d/large.bin", .fields = "Range: bytes=0-9,20-29\r\n", .has = "HTTP/1.1 206 " },
	{ .line = "GET /list/", .has = "large.bin" },
	{ .line = "POST /echo", .body = 100, .has = "100 bytes" },
	{ .line = "POST /echo", .body = BODY, .has = "100000 bytes" },
	{ .line = "POST /echo", .body = BODY, .chunked = true, .has = "100000 bytes" },
	{ .line = "POST /second", .body = BODY, .has = "100000 bytes" },
	{ .line = "PUT /comes", .body = BODY, .has = "100000 bytes" },
	{ .line = "POST /echo", .fields = "Expect: 100-continue\r\n", .body = BODY, .has = "100000 bytes" },
	{ .line = "GET /stream", .has = "line 4999 of many" },
	{ .line = "GET /", .follows = "GET /d/small.txt", .has = "small file" },
	{ .line = "GET /up/", .has = "from behind", .is_forwarded = true },
	{ .line = "POST /up/", .body = BODY, .has = "from behind", .is_forwarded = true },
};

enum { KINDS = sizeof kinds / sizeof *kinds, FORWARDED = 2 };

static bool has_workers(void)
{
	return getenv("TEST_WORKERS") != NULL;
}

/* What is forwarded comes last. */
static int kind_count(void)
{
	return has_workers() ? KINDS : KINDS - FORWARDED;
}

static const char *name_of(const struct kind *kind)
{
	static char text[128];

	snprintf(text, sizeof text, "%s%s%s", kind->line, kind->body == BODY ? ", a large body" : "",
		kind->chunked ? " in chunks" : "");
	return text;
}

/* To be freed. */
static char *request_of(const struct kind *kind, size_t *ret_size)
{
	size_t room = kind->body + 1000;
	char *text = malloc(room);
	int size = snprintf(
		text, room, "%s HTTP/1.1\r\nHost: h\r\n%s", kind->line, kind->fields ? kind->fields : "");

	if (!kind->follows)
		size += snprintf(text + size, room - size, "Connection: close\r\n");
	if (kind->chunked)
		size += snprintf(
			text + size, room - size, "Transfer-Encoding: chunked\r\n\r\n%zx", kind->body);
	else if (kind->body)
		size += snprintf(text + size, room - size, "Content-Length: %zu\r\n", kind->body);
	size += snprintf(text + size, room - size, "\r\n");
	for (size_t i = 0; i < kind->body; i++)
		text[size++] = (char)('a' + i % 23);
	if (kind->chunked)
		size += snprintf(text + size, room - size, "\r\n0\r\n\r\n");
	if (kind->follows)
		size += snprintf(text + size, room - size,
			"%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", kind->follows);
	*ret_size = size;
	return text;
}

/* -- the server -------------------------------------------------------------------------------------------------- */

static char folder[] = "/tmp/rung-failures-XXXXXX";
static struct backend *backend;
static bool is_asked = true; /* false: libcurl is left out, whose start alone takes hundreds of allocations */

static struct server {
	pid_t pid;
	unsigned port;
	int descriptors; /* while nothing happens */
	struct failing *failing;
} server;

static const char *in_folder(const char *name)
{
	static char path[2][128];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
	return path[turn];
}

static void write_file(const char *name, size_t size)
{
	FILE *file = fopen(in_folder(name), "w");

	cr_assert(file && fputs("small file\n", file) >= 0);
	for (size_t i = 11; i < size; i++)
		putc('a' + (int)(i % 23), file);
	cr_assert(fclose(file) == 0);
}

/* Not beneath what is served: that is folder/www. */
static void make_folder(void)
{
	cr_assert(mkdtemp(folder) && mkdir(in_folder("www"), 0700) == 0);
	write_file("www/small.txt", 11);
	write_file("www/large.bin", LARGE);
	int fd = open(in_folder("failing"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cr_assert(fd >= 0 && ftruncate(fd, sizeof *server.failing) == 0);
	server.failing = mmap(NULL, sizeof *server.failing, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	cr_assert(server.failing != MAP_FAILED);
	close(fd);
	backend = backend_start(backend_answer, "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nfrom behind\n");
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
	(void)info, (void)type, (void)walk;
	return remove(path);
}

static void remove_folder(void)
{
	backend_stop(backend);
	for (int i = 0; i < KINDS; i++)
		free(kinds[i].right); /* NULL where it was not asked */
	munmap(server.failing, sizeof *server.failing);
	nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* What it has said on standard error, or the end of it. */
static const char *server_log(void)
{
	static char text[4096];
	int fd = open(in_folder("log"), O_RDONLY | O_CLOEXEC);
	off_t size = lseek(fd, 0, SEEK_END), room = sizeof text - 1;
	ssize_t n = fd < 0 ? 0 : pread(fd, text, (size_t)room, size > room ? size - room : 0);

	text[n < 0 ? 0 : n] = '\0';
	if (fd >= 0)
		close(fd);
	return text;
}

static void be_server(int out)
{
	const char *workers = getenv("TEST_WORKERS"), *options = getenv("ASAN_OPTIONS");
	char with[512];
	int err = open(in_folder("log"), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	/* The sanitizer wants to be first; that our functions lead on to its own it cannot know. */
	snprintf(with, sizeof with, "%s%sverify_asan_link_order=0", options ? options : "",
		options ? ":" : "");
	setenv("ASAN_OPTIONS", with, 1);
	setenv("LD_PRELOAD", FAILURES_DIR "/fail.so", 1);
	setenv("RUNG_FAILURES", in_folder("failing"), 1);
	setenv("RUNG_FAILURES_FOLDER", in_folder("www"), 1);
	if (is_asked)
		setenv("RUNG_FAILURES_BACKEND", backend->url, 1);
	setenv("TMPDIR", folder, 1);
	unsetenv("RUNG_REPROXY");
	dup2(out, 1);
	dup2(err, 2);
	execl(FAILURES_DIR "/failing_server", "failing_server", "--port", "0", "--loops", "1",
		workers ? "--workers" : NULL, workers, NULL);
	_exit(127);
}

static void arm(enum failing_call call, long first, long times, int err)
{
	struct failing *failing = server.failing;

	atomic_store(&failing->call, FAIL_NOTHING);
	atomic_store(&failing->first, first);
	atomic_store(&failing->times, times);
	atomic_store(&failing->err, err);
	atomic_store(&failing->seen, 0);
	atomic_store(&failing->fired, 0);
	atomic_store(&failing->call, call);
}

/* Returns whether anything failed. */
static bool disarm(void)
{
	atomic_store(&server.failing->call, FAIL_NOTHING);
	return atomic_load(&server.failing->fired) > 0;
}

/* Reads a line; false when there is none. */
static bool read_line(int fd, char *line, size_t room)
{
	size_t at = 0;

	while (at + 1 < room && read(fd, line + at, 1) == 1)
		if (line[at++] == '\n') {
			line[at] = '\0';
			return true;
		}
	return false;
}

static int count_descriptors(void)
{
	char path[64], target[8];
	int count = 0;

	for (int fd = 0; fd < 64; fd++) {
		snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)server.pid, fd);
		count += readlink(path, target, sizeof target) > 0;
	}
	return count;
}

/* False when it did not get as far as serving; it is then about to end. */
static bool launch(void)
{
	char line[256];
	int out[2];

	cr_assert(pipe2(out, O_CLOEXEC) == 0);
	server.pid = fork();
	cr_assert(server.pid >= 0);
	if (server.pid == 0)
		be_server(out[1]);
	close(out[1]);
	bool is_ready = read_line(out[0], line, sizeof line) &&
			sscanf(line, "listening on http://127.0.0.1:%u/\n", &server.port) == 1;
	close(out[0]);
	/* What upstream keeps from its first request on: a connection, and the two by which libcurl wakes itself. */
	if (is_ready)
		server.descriptors = count_descriptors() + (has_workers() ? 3 : 0);
	return is_ready;
}

static void sleep_ms(int milliseconds)
{
	usleep((unsigned)milliseconds * 1000);
}

/* Returns the exit status, minus the signal that ended it, or -1000 when it does not end and had to be killed. */
static int wait_for_end(void)
{
	int status;

	for (int waited = 0; waitpid(server.pid, &status, WNOHANG) == 0; waited++) {
		if (waited > patience_ms) {
			kill(server.pid, SIGKILL);
			waitpid(server.pid, &status, 0);
			server.pid = 0;
			return -1000;
		}
		sleep_ms(1);
	}
	server.pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* -- answers ----------------------------------------------------------------------------------------------------- */

static int connect_to_server(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)server.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	close(fd);
	return -1;
}

static void blot_out(char *at, size_t size)
{
	for (; size && *at; size--)
		*at++ = '?';
}

/* Dates differ, and what stands between the parts of several ranges, and nothing else of two right answers. */
static void blot_differences_out(char *text)
{
	enum { BOUNDARY = 32, DATE = 29 };
	char boundary[BOUNDARY + 1] = "", *at = strstr(text, "boundary=");

	for (char *date = text; (date = strstr(date, "\r\nDate: ")); date += 8)
		blot_out(date + 8, DATE);
	if (!at)
		return;
	memcpy(boundary, at + 9, strnlen(at + 9, BOUNDARY));
	for (; (at = strstr(at, boundary)); at += BOUNDARY)
		blot_out(at, strlen(boundary));
}

/* Chunks as they come differ too; what is in them does not, nor does their end. */
static size_t join_chunks(char *text, size_t size)
{
	static const char field[] = "\r\nTransfer-Encoding: chunked\r\n", last[] = "(the last chunk)";
	char *end = text + size, *in = strstr(text, field) ? strstr(text, "\r\n\r\n") : NULL, *out, *rest;

	if (!in)
		return size;
	in = out = in + 4;
	while (in < end) {
		size_t left = strtoul(in, &rest, 16);

		if (rest == in || !(in = strstr(rest, "\r\n")))
			break;
		in += 2;
		if (left == 0) {
			memcpy(out, last, sizeof last - 1); /* there is room behind the text */
			out += sizeof last - 1;
			break;
		}
		if (left > (size_t)(end - in))
			left = (size_t)(end - in);
		memmove(out, in, left);
		out += left;
		in += left;
		in += end - in >= 2 ? 2 : 0;
	}
	*out = '\0';
	return (size_t)(out - text);
}

struct answer {
	char *text;
	size_t size;
	bool hangs; /* the connection was not closed */
};

static bool add_piece(int fd, struct answer *answer, size_t *room)
{
	if (*room - answer->size < 65536)
		answer->text = realloc(answer->text, *room *= 2);
	ssize_t n = recv(fd, answer->text + answer->size, *room - answer->size - 1, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return true;
	answer->size += n > 0 ? (size_t)n : 0;
	return n > 0;
}

/* Sends, and reads meanwhile, until the server closes. */
static struct answer ask(const struct kind *kind)
{
	size_t size, at = 0, room = 131072;
	char *request = request_of(kind, &size);
	struct answer answer = { .text = malloc(room) };
	struct pollfd ready = { .fd = connect_to_server(), .events = POLLIN | POLLOUT };
	bool goes_on = ready.fd >= 0;

	while (goes_on) {
		answer.hangs = poll(&ready, 1, patience_ms) == 0;
		if (answer.hangs)
			break;
		if (ready.revents & POLLOUT) {
			ssize_t n = send(ready.fd, request + at, size - at, MSG_NOSIGNAL | MSG_DONTWAIT);

			at += n > 0 ? (size_t)n : 0;
			if (at == size || (n < 0 && errno != EAGAIN))
				ready.events = POLLIN;
		}
		if (ready.revents & ~POLLOUT)
			goes_on = add_piece(ready.fd, &answer, &room);
	}
	close(ready.fd);
	free(request);
	answer.text[answer.size] = '\0';
	blot_differences_out(answer.text);
	answer.size = join_chunks(answer.text, answer.size);
	return answer;
}

/* The size of the 500 or 503 that stands here, or of a backend's 502, whole; 0: none does. */
static size_t refusal_at(const struct kind *kind, const char *text)
{
	const char *end = strstr(text, "\r\n\r\n"), *length = strstr(text, "\r\nContent-Length: ");

	if (strncmp(text, "HTTP/1.1 500 ", 13) != 0 && strncmp(text, "HTTP/1.1 503 ", 13) != 0 &&
		!(kind->is_forwarded && strncmp(text, "HTTP/1.1 502 ", 13) == 0))
		return 0;
	if (!end || !length || length > end)
		return 0;
	size_t size = (size_t)(end + 4 - text) + strtoul(length + 18, NULL, 10);
	return size <= strlen(text) ? size : 0;
}

static bool begins_with(const char *text, size_t size, const char *with, size_t with_size)
{
	return with_size <= size && memcmp(text, with, with_size) == 0;
}

/* NULL: it is as it may be. The beginning of a right answer shows by its framing that it is not whole. */
static const char *judge(const struct kind *kind, const struct answer *answer)
{
	const char *text = answer->text, *right = kind->right;
	size_t size = answer->size, right_size = kind->right_size;

	if (answer->hangs)
		return "the connection hangs";
	if (kind->second) {
		size_t refusal = refusal_at(kind, text);
		bool is_right = begins_with(text, size, right, kind->second);

		if (!refusal && !is_right)
			return begins_with(right, kind->second, text, size) ? NULL
									    : "the first answer is wrong";
		size -= refusal ? refusal : kind->second;
		text += refusal ? refusal : kind->second;
		right_size -= kind->second;
		right += kind->second;
	}
	if (begins_with(right, right_size, text, size) || (size && refusal_at(kind, text) == size))
		return NULL;
	return "the answer is wrong";
}

static const char *judge_next(const struct kind *kind)
{
	struct answer answer = ask(kind);
	bool is_right = answer.size == kind->right_size && memcmp(answer.text, kind->right, answer.size) == 0;

	free(answer.text);
	return is_right       ? NULL
	       : answer.hangs ? "the next request hangs"
			      : "the next request is not answered as it should";
}

/* Learns the right answers from a server that has no failures, so it is warm then. */
static void learn(void)
{
	for (int i = 0; i < kind_count(); i++) {
		struct kind *kind = &kinds[i];
		struct answer answer = ask(kind);

		cr_assert(!answer.hangs && strstr(answer.text, kind->has), "%s: <%.500s>; log: %s",
			name_of(kind), answer.text, server_log());
		free(kind->right);
		kind->right = answer.text;
		kind->right_size = answer.size;
		const char *second = strstr(answer.text + 1, "HTTP/1.1 ");
		cr_assert(!kind->follows || second);
		kind->second = second ? (size_t)(second - answer.text) : 0;
	}
}

/* -- ends -------------------------------------------------------------------------------------------------------- */

/* NULL: it has no descriptor and no file that it had not before. What it closes late is waited for. */
static const char *judge_idle(void)
{
	for (int waited = 0; count_descriptors() > server.descriptors; waited++) {
		if (waited > 2000)
			return "a descriptor is left open";
		sleep_ms(1);
	}
	return NULL;
}

static bool has_mappings(void)
{
	char line[1024];
	bool has_one = false;

	snprintf(line, sizeof line, "/proc/%d/maps", (int)server.pid);
	FILE *maps = fopen(line, "r");
	while (maps && fgets(line, sizeof line, maps))
		has_one = has_one || (strstr(line, folder) && strstr(line, "(deleted)"));
	if (maps)
		fclose(maps);
	return has_one;
}

/* A worker may finish a request when its client has the answer. */
static const char *judge_mappings(void)
{
	for (int waited = 0; has_mappings(); waited++) {
		if (waited > 2000)
			return "the file of a body is left mapped";
		sleep_ms(1);
	}
	return NULL;
}

static const char *stop(void)
{
	static char text[64];

	kill(server.pid, SIGTERM);
	int status = wait_for_end();
	if (status == 0)
		return strstr(server_log(), "were cut") ? "the stop had to cut requests" : NULL;
	snprintf(text, sizeof text, status == -1000 ? "it did not stop" : "it ended with %d", status);
	return text;
}

/* Whatever state it is in. */
static void be_rid_of_it(void)
{
	if (server.pid > 0) {
		kill(server.pid, SIGKILL);
		wait_for_end();
	}
}

static void complain(const char *what, enum failing_call call, int err, const char *complaint)
{
	static const char *const calls[] = { "nothing", "memory", "accept", "open", "stat", "read", "write",
		"send", "recv", "sendfile", "mmap", "epoll", "eventfd", "thread", "socket" };
	struct failing *failing = server.failing;

	cr_expect_fail("%s, %s %ld (%s) with %s at %s: %s; log: %s", what, calls[call],
		atomic_load(&failing->first), atomic_load(&failing->fired) ? "failed" : "did not fail",
		strerrorname_np(err), failing->where, complaint, server_log());
}

/* -- start and stop ------------------------------------------------------------------------------------------------ */

static bool is_one_line(const char *text)
{
	const char *end = strchr(text, '\n');

	return end && end > text && !end[1];
}

/* A server that could not start says so in one line and ends with 1; one that could is as any other. */
static const char *judge_start(bool is_ready)
{
	if (is_ready) {
		const char *complaint = judge_next(&kinds[0]);

		return complaint ? complaint : stop();
	}
	int status = wait_for_end();
	if (status != 1)
		return status == -1000 ? "it neither serves nor ends" : "it ends with another status than 1";
	return is_one_line(server_log()) ? NULL : "it does not end with one line";
}

static long fail_each_at_start(enum failing_call call, int err)
{
	bool fired = true;
	long n = 0;

	while (fired && n < MOST_FAILURES) {
		arm(FAIL_NOTHING, ++n, 1, err);
		atomic_store(&server.failing->at_begin, call);
		bool is_ready = launch();
		fired = disarm();
		atomic_store(&server.failing->at_begin, FAIL_NOTHING);
		const char *complaint = judge_start(is_ready);
		if (complaint)
			complain("start", call, err, complaint);
		be_rid_of_it();
	}
	cr_expect(!fired, "there is no end of it");
	return n - 1;
}

static long fail_each_at_stop(enum failing_call call, int err)
{
	bool fired = true;
	long n = 0;

	while (fired && n < MOST_FAILURES) {
		cr_assert(launch(), "it did not start: %s", server_log());
		const char *complaint = judge_next(&kinds[0]);
		arm(call, ++n, 1, err);
		if (!complaint)
			complaint = stop();
		fired = disarm();
		if (complaint)
			complain("stop", call, err, complaint);
		be_rid_of_it();
	}
	cr_expect(!fired, "there is no end of it");
	return n - 1;
}

/* -- requests ---------------------------------------------------------------------------------------------------- */

/* One failure: the request that meets it, the next one, and what is left behind. */
static const char *fail_once(
	const struct kind *kind, enum failing_call call, long first, long times, int err, bool *ret_fired)
{
	arm(call, first, times, err);
	struct answer answer = ask(kind);
	*ret_fired = disarm();
	const char *complaint = judge(kind, &answer);
	/* What is done by halves is no failure. */
	if (!complaint && err == 0 && answer.size != kind->right_size)
		complaint = "the answer is not whole";
	if (complaint)
		fprintf(stderr, "<%.400s>\n", answer.text);
	free(answer.text);
	if (!complaint)
		complaint = judge_next(kind);
	return complaint ? complaint : judge_idle();
}

/* The calls of a kind of request fail one after the other, until it has no more of them. Returns how many failed. */
static long fail_each(const struct kind *kind, enum failing_call call, long times, int err, bool is_cold)
{
	bool fired = true;
	long n = 0;

	while (fired) {
		if (server.pid <= 0)
			cr_assert(launch(), "it did not start: %s", server_log());
		const char *complaint = fail_once(kind, call, ++n, times, err, &fired);
		if (!complaint && is_cold)
			complaint = stop();
		if (complaint) {
			complain(name_of(kind), call, err, complaint);
			be_rid_of_it();
		}
		if (n > MOST_FAILURES)
			complain(name_of(kind), call, err, "there is no end of it");
		if (n > MOST_FAILURES)
			break;
	}
	return n - 1;
}

static void begin(void)
{
	cr_assert(launch(), "it did not start: %s", server_log());
	learn();
	/* Now all is there that stays. */
	server.descriptors = count_descriptors();
}

static void end(void)
{
	if (server.pid <= 0)
		return;
	const char *complaint = judge_mappings();
	if (!complaint)
		complaint = stop();
	cr_expect(!complaint, "at the end: %s; log: %s", complaint, server_log());
	be_rid_of_it();
}

/* What fails with what; what the kernel says most, and what somebody treats in another way. */
static const struct {
	enum failing_call call;
	int err;
} failures[] = {
	{ FAIL_ACCEPT, ECONNABORTED },
	{ FAIL_OPEN, ENOMEM },
	{ FAIL_OPEN, EMFILE },
	{ FAIL_OPEN, EIO },
	{ FAIL_STAT, ENOMEM },
	{ FAIL_READ, EIO },
	{ FAIL_READ, EINTR },
	{ FAIL_READ, 0 },
	{ FAIL_WRITE, ENOSPC },
	{ FAIL_WRITE, EINTR },
	{ FAIL_WRITE, 0 },
	{ FAIL_SEND, ECONNRESET },
	{ FAIL_SEND, ENOMEM },
	{ FAIL_RECV, ECONNRESET },
	{ FAIL_RECV, ENOMEM },
	{ FAIL_SENDFILE, EIO },
	{ FAIL_SENDFILE, EINVAL },
	{ FAIL_MMAP, ENOMEM },
	{ FAIL_EPOLL, ENOMEM },
	{ FAIL_EPOLL, ENOSPC },
	{ FAIL_THREAD, EAGAIN },
	{ FAIL_SOCKET, EMFILE },
};

enum { FAILURES = sizeof failures / sizeof *failures };

SUITE(failures);

#define FAILURE_TEST(name) Test(failures, name, .init = make_folder, .fini = remove_folder, .timeout = 300)

FAILURE_TEST(every_allocation_of_a_warm_server_fails)
{
	long count = 0;

	begin();
	for (int i = 0; i < kind_count(); i++)
		count += fail_each(&kinds[i], FAIL_MEMORY, 1, ENOMEM, false);
	cr_expect_gt(count, 30, "only %ld allocations failed", count);
	end();
}

FAILURE_TEST(every_allocation_of_a_cold_server_fails)
{
	long count = 0;

	begin();
	end();
	for (int i = 0; i < kind_count(); i++)
		count += fail_each(&kinds[i], FAIL_MEMORY, 1, ENOMEM, true);
	cr_expect_gt(count, 60, "only %ld allocations failed", count);
	end();
}

FAILURE_TEST(memory_stays_out_until_the_request_is_over)
{
	begin();
	for (int i = 0; i < kind_count(); i++)
		fail_each(&kinds[i], FAIL_MEMORY, FOR_EVER, ENOMEM, false);
	end();
}

/* Each of them is met, or the test has lost it. Of a cold server, which is a process each, the first error of a call will do. */
static void fail_every_system_call(bool is_cold)
{
	long counts[FAIL_CALLS] = { 0 };

	for (int i = 0; i < kind_count(); i++)
		for (int j = 0; j < FAILURES; j++)
			if (!is_cold || j == 0 || failures[j].call != failures[j - 1].call)
				counts[failures[j].call] +=
					fail_each(&kinds[i], failures[j].call, 1, failures[j].err, is_cold);
	/* Nobody but upstream opens one for a request, and only for the first. */
	for (int j = 0; j < FAILURES; j++)
		if (failures[j].call != FAIL_SOCKET || (is_cold && has_workers()))
			cr_expect_gt(counts[failures[j].call], 0, "call %d was never made", failures[j].call);
}

FAILURE_TEST(every_system_call_of_a_warm_server_fails)
{
	begin();
	fail_every_system_call(false);
	end();
}

/* But for accept, without which there is no request, and what says "again". */
FAILURE_TEST(system_calls_fail_until_the_request_is_over)
{
	begin();
	for (int i = 0; i < kind_count(); i++)
		for (int j = 0; j < FAILURES; j++)
			if (failures[j].call != FAIL_ACCEPT && failures[j].err && failures[j].err != EINTR)
				fail_each(&kinds[i], failures[j].call, FOR_EVER, failures[j].err, false);
	end();
}

FAILURE_TEST(every_system_call_of_a_cold_server_fails)
{
	begin();
	end();
	fail_every_system_call(true);
}

FAILURE_TEST(every_allocation_of_a_start_fails)
{
	begin();
	end();
	is_asked = false;
	long count = fail_each_at_start(FAIL_MEMORY, ENOMEM);
	cr_expect_gt(count, 60, "only %ld allocations failed", count);
	fail_each_at_stop(FAIL_MEMORY, ENOMEM);
}

FAILURE_TEST(every_system_call_of_a_start_fails)
{
	static const enum failing_call met[] = { FAIL_SOCKET, FAIL_EPOLL, FAIL_EVENTFD, FAIL_THREAD,
		FAIL_OPEN };

	begin();
	end();
	for (size_t i = 0; i < sizeof met / sizeof *met; i++)
		cr_expect_gt(fail_each_at_start(met[i], met[i] == FAIL_THREAD ? EAGAIN : ENOMEM), 0,
			"call %d was never made", met[i]);
	for (int call = FAIL_MEMORY; call < FAIL_CALLS; call++)
		fail_each_at_stop(call, EIO);
}
