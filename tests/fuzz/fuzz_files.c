/*
 * fuzz_files.c: any bytes as the path of a request for the files below a folder, with no option and with all. Beside the folder lies a secret, in it a
 * hidden file and links that lead out: not a byte of these may ever be in an answer.
 */
#include <rung/files.h>
#include <rung/rung.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST = 2048 };

static char top[] = "/tmp/rung-fuzz-files-XXXXXX";
static const char *const made[] = { "root/a.txt", "root/sub/b c.html", "root/.hidden", "root/sub/.git",
	"secret" };
static const char *const links[] = { "root/out", "root/up", "root/sub/abs" };

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

static void remove_tree(void)
{
	for (size_t i = 0; i < sizeof made / sizeof *made; i++)
		unlink(below(made[i]));
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		unlink(below(links[i]));
	rmdir(below("root/sub"));
	rmdir(below("root"));
	rmdir(top);
}

static void make_tree(void)
{
	insist(mkdtemp(top) && mkdir(below("root"), 0755) == 0 && mkdir(below("root/sub"), 0755) == 0,
		"folders");
	for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
		FILE *file = fopen(below(made[i]), "w");

		insist(file && fputs(i < 2 ? "public" : "SECRET", file) >= 0 && fclose(file) == 0, "files");
	}
	char outside[256];
	snprintf(outside, sizeof outside, "%s", below("secret"));
	insist(symlink("../secret", below("root/out")) == 0 && symlink("..", below("root/up")) == 0 &&
			symlink(outside, below("root/sub/abs")) == 0,
		"links");
	atexit(remove_tree);
}

static void drop_line(void *data, enum rung_log_level level, const char *line)
{
	(void)data;
	(void)level;
	(void)line;
}

static struct rung_client *client, *generous; /* the second lists, falls back, takes siblings */

static void end(void)
{
	rung_client_destroy(client);
	rung_client_destroy(generous);
}

static void begin(void)
{
	const struct rung_setup setup = { .size = sizeof setup, .log = drop_line };

	make_tree();
	client = rung_client_new(rung_files(.root = below("root")), .setup = &setup);
	generous = rung_client_new(
		rung_files(.root = below("root"), .index = "a.txt", .fallback = "sub/b c.html",
			.precompressed = true, .listing = true, .immutable = true),
		.setup = &setup);
	insist(client && generous, "clients");
	atexit(end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char target[MOST + 2] = "/";

	if (!client)
		begin();
	if (size > MOST)
		return 0;
	memcpy(target + 1, data, size);
	target[size + 1] = '\0';
	const struct rung_reply *reply = rung_client_get(client, target);
	insist(reply->status == 200 || reply->status == 400 || reply->status == 404, "200, 400 or 404");
	insist(!memmem(reply->body, reply->size, "SECRET", 6), "nothing from outside, nothing hidden");
	insist((reply->status == 200) == (reply->size == 6), "a file, or nothing");
	static const struct rung_field fields[] = { { .name = "Accept", .value = "text/html" },
		{ .name = "Accept-Encoding", .value = "*" }, { 0 } };
	reply = rung_client_send(generous, "GET", target, .headers = fields);
	insist(reply->status == 200 || reply->status == 301 || reply->status == 400, "200, 301 or 400");
	insist(!memmem(reply->body, reply->size, "SECRET", 6), "nothing from outside, nothing hidden");
	insist(!memmem(reply->body, reply->size, ".hidden", 7) &&
			!memmem(reply->body, reply->size, ".git", 4),
		"no hidden name in a listing");
	const char *location = rung_reply_header(reply, "Location");
	insist(!location || strncmp(location, "./", 2) == 0,
		"a redirect leads no further than the next folder");
	return 0;
}
