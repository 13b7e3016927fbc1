/* replay.c: runs a fuzz target over every file of the folders named, so that each corpus is a test. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	long size = -1;

	if (file && fseek(file, 0, SEEK_END) == 0)
		size = ftell(file);
	/* A block of the exact size, so that the sanitizer sees a read past the end. */
	uint8_t *data = size < 0 ? NULL : malloc(size ? (size_t)size : 1);
	if (!data || fseek(file, 0, SEEK_SET) != 0 || fread(data, 1, (size_t)size, file) != (size_t)size) {
		fprintf(stderr, "replay: cannot read %s\n", path);
		return -1;
	}
	fclose(file);
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
	return 0;
}

static int replay_folder(const char *folder)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, NULL, alphasort), files = 0, rc = 0;

	for (int i = 0; i < count; i++) {
		char path[4096];

		snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
		if (*entries[i]->d_name != '.') {
			rc |= replay_file(path);
			files++;
		}
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	if (files == 0)
		fprintf(stderr, "replay: %s holds no file\n", folder);
	return files ? rc : -1;
}

int main(int argc, char **argv)
{
	int rc = argc > 1 ? 0 : -1;

	for (int i = 1; i < argc; i++)
		rc |= replay_folder(argv[i]);
	return rc ? 1 : 0;
}
