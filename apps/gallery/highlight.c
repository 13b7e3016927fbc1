/* highlight.c: C with its words marked, for people: what kind of token each is can be told from its first byte. */
#include "gallery.h"

#include <ctype.h>
#include <string.h>

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static bool is_keyword(const char *at, size_t size)
{
	static const char *const words[] = { "bool", "break", "case", "char", "const", "continue", "default",
		"do", "double", "else", "enum", "extern", "for", "goto", "if", "inline", "int", "int64_t",
		"long", "return", "short", "size_t", "sizeof", "ssize_t", "static", "struct", "switch",
		"typedef", "union", "unsigned", "void", "while", "NULL", "true", "false" };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strlen(words[i]) == size && memcmp(words[i], at, size) == 0)
			return true;
	return false;
}

/* The length of a string or character with its quotes; an escaped quote does not end it, a line's end does. */
static size_t quoted(const char *at)
{
	size_t size = 1;

	while (at[size] && at[size] != *at && at[size] != '\n')
		size += at[size] == '\\' && at[size + 1] ? 2 : 1;
	return size + (at[size] == *at);
}

static size_t comment(const char *at)
{
	const char *end = at[1] == '/' ? strchr(at, '\n') : strstr(at + 2, "*/");

	return !end ? strlen(at) : (size_t)(end - at) + (at[1] == '*' ? 2 : 0);
}

/* A directive up to its line's end, or to a comment on it. */
static size_t directive(const char *at)
{
	size_t size = 0;

	while (at[size] && at[size] != '\n' && strncmp(at + size, "/*", 2) != 0)
		size += at[size] == '\\' && at[size + 1] ? 2 : 1;
	return size;
}

/* The length of the token and its class, NULL for plain text. */
static size_t token(const char *at, bool begins_line, const char **ret_class)
{
	size_t size = 0;

	*ret_class = NULL;
	if (*at == '/' && (at[1] == '*' || at[1] == '/'))
		return *ret_class = "c", comment(at);
	if (*at == '#' && begins_line)
		return *ret_class = "p", directive(at);
	if (*at == '"' || *at == '\'')
		return *ret_class = "s", quoted(at);
	while (is_word(at[size]))
		size++;
	if (size == 0)
		return 1;
	if (isdigit((unsigned char)*at))
		*ret_class = "n";
	else if (is_keyword(at, size))
		*ret_class = "k";
	else if (strncmp(at, "rung_", 5) == 0 || strncmp(at, "RUNG_", 5) == 0)
		*ret_class = "r";
	return size;
}

void highlight(struct rung_writer *page, const char *source)
{
	bool begins_line = true;

	while (*source) {
		const char *class_;
		size_t size = token(source, begins_line, &class_);
		const char *text = rung_strndup(page->env, source, size);

		if (class_)
			rung_writef(page, "<span class=\"%s\">", class_);
		rung_write_html(page, text);
		if (class_)
			rung_write(page, "</span>");
		begins_line = source[size - 1] == '\n' || (begins_line && isspace((unsigned char)*source));
		source += size;
	}
}
