/*
 * fuzz_emulate.c: any bytes as what an app says to the server in front of it, for each server that is emulated: URLs, locations,
 * paths of files, ranges. The first byte chooses the server; the first line is the request's path, the others are the app's fields
 * ("Name: value"), those behind an empty line the client's. Beside the folder that may be served lies a secret: not a byte of it may
 * be in an answer, unless Perlbal was told to send that file, which it does.
 */
#include <rung/reproxy.h>
#include <rung/rung.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST = 4096, SERVERS = RUNG_EMULATE_RACK - RUNG_EMULATE_NGINX + 1, MOST_FIELDS = 32 };

static char top[] = "/tmp/rung-fuzz-emulate-XXXXXX";
static struct rung_client *clients[SERVERS];
static struct rung_field fields[MOST_FIELDS + 1];

static void insist(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static const char *below(const char *name)
{
	static char path[256];

	snprintf(path, sizeof path, "%s/%s", top, name);
	return path;
}

static void make_file(const char *name, const char *text)
{
	FILE *file = fopen(below(name), "w");

	insist(file && fputs(text, file) >= 0 && fclose(file) == 0, "files");
}

static void stop(void)
{
	for (int i = 0; i < SERVERS; i++)
		rung_client_destroy(clients[i]);
	unlink(below("root/a.txt"));
	unlink(below("secret"));
	rmdir(below("root"));
	rmdir(top);
}

/* Says what the input says once, then answers plainly. */
static int say(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	res->status = 200;
	for (struct rung_field *field = fields; field->name && env->hop < 3; field++)
		rung_header_add(res, field->name, field->value);
	return rung_body_static(res, "of an app\n", 10);
}

static int plain(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)env;
	res->status = 200;
	return rung_body_static(res, "0123456789", 10);
}

static void ignore(void *data, enum rung_log_level level, const char *line)
{
	(void)data;
	(void)level;
	(void)line;
}

static void start(void)
{
	const struct rung_setup setup = { .size = sizeof setup, .log = ignore };
	char root[256];

	insist(mkdtemp(top) && mkdir(below("root"), 0755) == 0, "folders");
	make_file("root/a.txt", "public");
	make_file("secret", "SECRET");
	snprintf(root, sizeof root, "%s", below("root"));
	for (int i = 0; i < SERVERS; i++) {
		struct rung_app *target = rung_run(plain);

		clients[i] = rung_client_new(
			rung_stack(rung_reproxy(.server = (enum rung_server_kind)(RUNG_EMULATE_NGINX + i),
					   .as_is = true, .sendfile = root,
					   .hosts = (const char *const[]){ "front", NULL },
					   .names = rung_names(
						   { "t", target }, { "[::1]:80", rung_ref(target) }),
					   .locations = rung_locations({ "/files/", .folder = root },
						   { "/app/", .app = rung_ref(target) },
						   { "/fixed/", .pass = "http://t/base/" },
						   { "= /one", .pass = "http://t" },
						   { "@named", .pass = "http://t" })),
				rung_run(say)),
			.setup = &setup, .no_cookies = true);
		insist(clients[i], "a client");
	}
	atexit(stop);
}

/* Splits lines up to an empty one into fields. Returns what follows. */
static char *split(char *text, struct rung_field *list)
{
	size_t count = 0;

	while (text && *text && *text != '\n') {
		char *end = strchr(text, '\n'), *colon = strstr(text, ": ");

		if (end)
			*end = '\0';
		if (colon && (!end || colon < end) && count < MOST_FIELDS) {
			*colon = '\0';
			list[count++] = (struct rung_field){ .name = text, .value = colon + 2 };
		}
		text = end ? end + 1 : NULL;
	}
	list[count] = (struct rung_field){ 0 };
	return text && *text ? text + 1 : NULL;
}

static bool names_the_secret(void)
{
	for (struct rung_field *field = fields; field->name; field++)
		if (strstr(field->value, "secret"))
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const methods[] = { "GET", "HEAD", "POST", "PUT" };
	static char text[MOST + 1];
	struct rung_field asked[MOST_FIELDS + 1];

	if (!clients[0])
		start();
	/* Who says the secret may hear it again: libFuzzer reads it out of the comparison below. */
	if (size < 2 || size > MOST || memmem(data, size, "SECRET", 6))
		return 0;
	int server = data[0] % SERVERS;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	char *rest = strchr(text, '\n');
	if (rest)
		*rest++ = '\0';
	rest = split(rest, fields);
	split(rest, asked);
	const struct rung_reply *reply = rung_client_send(clients[server], methods[data[0] / SERVERS % 4],
		text, .headers = asked, .body = data[0] & 0x80 ? "body" : NULL);
	insist(reply->status >= 200 && reply->status <= 999, "a status");
	bool may_be_sent = RUNG_EMULATE_NGINX + server == RUNG_EMULATE_PERLBAL && names_the_secret();
	insist(may_be_sent || !memmem(reply->body, reply->size, "SECRET", 6), "a secret stays one");
	return 0;
}
