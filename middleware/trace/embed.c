/*
 * embed.c: a program of the build: writes files as C arrays, so that the library carries them in itself: the inspector's page,
 * the configurations of web servers.
 *
 *	embed OUTPUT PREFIX FILE...
 *
 * Of rung_trace and page/inspect.css comes `const unsigned char rung_trace_inspect_css[]` and `const size_t rung_trace_inspect_css_size`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *path)
{
	perror(path);
	exit(1);
}

static void write_name(FILE *out, const char *prefix, const char *path)
{
	const char *slash = strrchr(path, '/');

	fprintf(out, "%s_", prefix);
	for (const char *at = slash ? slash + 1 : path; *at; at++)
		putc(*at == '.' || *at == '-' ? '_' : *at, out);
}

static void embed(FILE *out, const char *prefix, const char *path)
{
	FILE *in = fopen(path, "rb");
	size_t size = 0;
	int byte;

	if (!in)
		fail(path);
	fputs("#include <stddef.h>\nextern const size_t ", out);
	write_name(out, prefix, path);
	fputs("_size;\nextern const unsigned char ", out);
	write_name(out, prefix, path);
	fputs("[];\nconst unsigned char ", out);
	write_name(out, prefix, path);
	fputs("[] = {", out);
	for (; (byte = getc(in)) != EOF; size++)
		fprintf(out, "%s%d,", size % 24 ? "" : "\n", byte);
	fprintf(out, "\n};\nconst size_t ");
	write_name(out, prefix, path);
	fprintf(out, "_size = %zu;\n", size);
	if (ferror(in) || fclose(in) != 0)
		fail(path);
}

int main(int argc, char **argv)
{
	FILE *out = argc > 2 ? fopen(argv[1], "w") : NULL;

	if (!out)
		fail(argc > 2 ? argv[1] : "usage: embed OUTPUT PREFIX FILE...");
	fputs("/* Made by embed.c; declared where it is used. */\n", out);
	for (int i = 3; i < argc; i++)
		embed(out, argv[2], argv[i]);
	if (fclose(out) != 0)
		fail(argv[1]);
	return 0;
}
