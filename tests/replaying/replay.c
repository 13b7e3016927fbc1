/*
 * replay.c: replays recordings of real servers through their emulation. Prints each difference, then a line for each server:
 * how many cases are the same, of those within reach, and how many are not. Exits 1 when anything differs, 2 when the
 * file cannot be used.
 */
#include "replaying.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct replay {
	const json_t *file;
	const char *only_server, *only_case;
	bool says_all; /* also what is out of reach, and the log */
	unsigned differing;
};

static void say(void *data, enum rung_log_level level, const char *line)
{
	const struct replay *replay = data;

	(void)level;
	if (replay->says_all)
		printf("    %s\n", line);
}

/* -- one case ----------------------------------------------------------------------------------------------------- */

/* A body that was sent in chunks was recorded as it stood on the wire. */
static size_t unchunk(char *body, size_t size)
{
	char *from = body, *end = body + size, *to = body;

	while (from < end) {
		char *line = strstr(from, "\r\n"); /* a NUL ends it */
		unsigned long count = strtoul(from, NULL, 16);

		if (!line || line + 2 > end || count == 0 || count > (size_t)(end - line - 2))
			break;
		memmove(to, line + 2, count);
		to += count;
		from = line + 2 + count + 2;
	}
	*to = '\0';
	return (size_t)(to - body);
}

static const struct rung_reply *ask(struct play *play, struct rung_client *client)
{
	const json_t *request = json_object_get(play->test, "request");
	struct rung_field *fields = form_fields(json_object_get(request, "headers"), false);
	size_t size;
	char *body = form_body(json_object_get(request, "body"), &size);

	for (struct rung_field *field = fields; field->name; field++)
		if (strcasecmp(field->name, "Transfer-Encoding") == 0)
			size = unchunk(body, size);
	bool has_body = !json_is_null(json_object_get(request, "body"));
	const struct rung_reply *reply = rung_client_send(client, .method = form_string(request, "method"),
		.target = play->request_path, .headers = fields, .body = has_body ? body : NULL,
		.body_size = size);
	free(body);
	form_free_fields(fields);
	return reply;
}

/* Returns the number of differences, or -1 when the stack cannot be made. */
static int replay_case(struct replay *replay, struct play *play)
{
	const char *const authorities[] = { "127.0.0.1:18080", NULL };
	struct rung_setup setup = {
		.size = sizeof setup, .authorities = authorities, .log = say, .log_data = replay
	};
	const json_t *request = json_object_get(play->test, "request");

	play->request_path = play_keep(play, form_text(json_object_get(request, "path"), false));
	struct rung_client *client =
		rung_client_new(rig_stack(play), .setup = &setup, .host = "front.test", .no_cookies = true);
	if (!client) {
		fprintf(stderr, "replay: %s\n", rung_error());
		return -1;
	}
	unsigned differences = compare(play, ask(play, client));
	rung_client_destroy(client);
	return (int)differences;
}

/* -- one server --------------------------------------------------------------------------------------------------- */

struct tally {
	unsigned same, reachable, unreachable;
};

static int replay_one(struct replay *replay, const struct rig *rig, const json_t *test, struct tally *tally)
{
	struct play play = { .rig = rig,
		.meta = json_object_get(replay->file, "meta"),
		.test = test,
		.expected = json_object_get(json_object_get(test, "expected"), rig->key) };

	if (!play.expected ||
		(replay->only_case && strcmp(form_string(test, "name"), replay->only_case) != 0))
		return 0;
	const char *why = compare_unreachable(&play);
	if (why) {
		tally->unreachable++;
		if (replay->says_all)
			printf("%s %s: out of reach: %s\n", rig->key, form_string(test, "name"), why);
		return 0;
	}
	int differences = replay_case(replay, &play);
	rig_forget(&play);
	tally->reachable++;
	tally->same += differences == 0;
	return differences < 0 ? -1 : 0;
}

static int replay_server(struct replay *replay, const char *key)
{
	const json_t *cases = json_object_get(replay->file, "cases");
	const struct rig *rig = rig_find(key);
	struct tally tally = { 0 };
	int rc = 0;

	if (replay->only_server && strcmp(key, replay->only_server) != 0)
		return 0;
	if (!rig) {
		printf("%s: not emulated\n", key);
		return 0;
	}
	for (size_t i = 0; i < json_array_size(cases) && rc == 0; i++)
		rc = replay_one(replay, rig, json_array_get(cases, i), &tally);
	printf("%s %u/%u", key, tally.same, tally.reachable);
	if (tally.unreachable)
		printf(" (+%u unreachable)", tally.unreachable);
	printf("\n");
	replay->differing += tally.reachable - tally.same;
	return rc;
}

/* -- the whole ---------------------------------------------------------------------------------------------------- */

/* What the recordings have in the folder that /files/ serves. */
static const struct {
	const char *name, *text;
} files[] = {
	{ "hello.txt", "file from nginx\n" },
	{ "page.html", "<p>page</p>\n" },
	{ "a b.txt", "blank\n" },
	{ "empty.txt", "" },
	{ "ten.bin", "0123456789" },
};

enum { FILE_COUNT = sizeof files / sizeof *files };

static bool make_file(const char *path, const char *text)
{
	const struct timespec times[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return false;
	bool is_good = write(fd, text, strlen(text)) == (ssize_t)strlen(text) && futimens(fd, times) == 0;
	close(fd);
	return is_good;
}

static bool make_folder(void)
{
	char path[96];
	bool is_good = true;

	strcpy(form_folder, "/tmp/rung-replay-XXXXXX");
	if (!mkdtemp(form_folder))
		return false;
	for (int i = 0; i < FILE_COUNT; i++) {
		snprintf(path, sizeof path, "%s/%s", form_folder, files[i].name);
		is_good = is_good && make_file(path, files[i].text);
	}
	return is_good;
}

static void remove_folder(void)
{
	char path[96];

	for (int i = 0; i < FILE_COUNT; i++) {
		snprintf(path, sizeof path, "%s/%s", form_folder, files[i].name);
		unlink(path);
	}
	rmdir(form_folder);
}

static int replay_all(struct replay *replay)
{
	const json_t *servers = json_object_get(json_object_get(replay->file, "meta"), "servers");
	const char *key;
	json_t *value;
	int rc = 0;

	if (replay->only_server && !json_object_get(servers, replay->only_server)) {
		fprintf(stderr, "replay: there is no server \"%s\" in the file\n", replay->only_server);
		return 2;
	}
	if (!make_folder()) {
		fprintf(stderr, "replay: no folder to serve: %s\n", strerror(errno));
		return 2;
	}
	json_object_foreach((json_t *)(uintptr_t)servers, key, value) if (rc == 0) rc =
		replay_server(replay, key);
	remove_folder();
	return rc < 0 ? 2 : replay->differing ? 1 : 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: tests/replay FILE [--server KEY] [--case NAME] [--verbose]\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct replay replay = { 0 };
	const char *path = NULL;
	json_error_t error;

	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--server") == 0 && i + 1 < argc)
			replay.only_server = argv[++i];
		else if (strcmp(argv[i], "--case") == 0 && i + 1 < argc)
			replay.only_case = argv[++i];
		else if (strcmp(argv[i], "--verbose") == 0)
			replay.says_all = true;
		else if (*argv[i] == '-' || path)
			return usage();
		else
			path = argv[i];
	if (!path)
		return usage();
	json_t *file = json_load_file(path, JSON_ALLOW_NUL, &error);
	if (!file || !json_is_array(json_object_get(file, "cases"))) {
		fprintf(stderr, "replay: %s: %s\n", path, file ? "there are no cases in it" : error.text);
		json_decref(file);
		return 2;
	}
	replay.file = file;
	int status = replay_all(&replay);
	json_decref(file);
	return status;
}
