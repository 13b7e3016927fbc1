/* tree.c: see tree.h. */
#include "tree.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

static char top[64];

const char *tree_at(const char *name)
{
	static char paths[4][512];
	static int turn;
	char *path = paths[turn++ % 4];

	snprintf(path, sizeof paths[0], "%s/%s", top, name);
	return path;
}

void tree_write(const char *name, const char *text, size_t size)
{
	FILE *file = fopen(tree_at(name), "w");

	cr_assert(file && fwrite(text, 1, size, file) == size && fclose(file) == 0, "%s", tree_at(name));
}

void tree_put(const char *name, const char *text)
{
	tree_write(name, text, strlen(text));
}

void tree_make(void)
{
	strcpy(top, "/tmp/rung-files-XXXXXX");
	cr_assert(mkdtemp(top) != NULL);
	cr_assert(mkdir(tree_at("root"), 0755) == 0 && mkdir(tree_at("root/sub"), 0755) == 0 &&
		  mkdir(tree_at("root/.git"), 0755) == 0 && mkdir(tree_at("out"), 0755) == 0);
	tree_put("root/a.txt", "hello\n");
	tree_put("root/empty", "");
	tree_put("root/sub/b c.html", "<p>");
	tree_put("root/sub/\xc3\xa9.css", "p{}");
	tree_put("root/.hidden", "hidden");
	tree_put("root/.git/config", "hidden");
	tree_put("root/back\\slash", "hidden");
	tree_put("secret", "secret");
	tree_put("out/secret", "secret");
}

static void remove_folder(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	char below[1024];

	while (folder && (entry = readdir(folder))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
		if (unlink(below) != 0)
			remove_folder(below);
	}
	if (folder)
		closedir(folder);
	rmdir(path);
}

void tree_remove(void)
{
	remove_folder(top);
	test_check_leaks();
}

char tree_pattern_byte(size_t index)
{
	return "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[index * 7 % 62];
}

void tree_pattern(const char *name, size_t size)
{
	FILE *file = fopen(tree_at(name), "w");

	cr_assert_not_null(file);
	for (size_t i = 0; i < size; i++)
		putc(tree_pattern_byte(i), file);
	cr_assert(fclose(file) == 0);
}

size_t tree_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	size_t count = 0;

	cr_assert_not_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}
