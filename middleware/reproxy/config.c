/*
 * config.c: prints the configuration of a server in front. See reproxy_config.h.
 *
 * A server's text is an example, and where it says one of the example's values the stack's is printed instead. A paragraph,
 * which is what stands between blank lines, that speaks of files.internal is printed once for each authority, its comments
 * only the first time.
 */
#include "config_private.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- servers ----------------------------------------------------------------------------------------------------- */

#define TEXT(name)                                        \
	extern const unsigned char rung_reproxy_##name[]; \
	extern const size_t rung_reproxy_##name##_size;
TEXT(apache_conf)
TEXT(h2o_conf)
TEXT(lighttpd_conf)
TEXT(nginx_conf)
TEXT(nginx_hardened_conf)
TEXT(perlbal_conf)

/* How a server writes addresses: %a is host:port, %h the host, %p the port, %u the path of a Unix socket. NULL: it cannot. */
struct way {
	const char *tcp, *local;
};

struct server {
	const char *name;
	const unsigned char *text;
	const size_t *size;
	struct way app, listen, target;
	bool any_header; /* reads the URI from whatever field the stack uses */
};

#define EMBEDDED(name) .text = rung_reproxy_##name, .size = &rung_reproxy_##name##_size

static const struct server servers[] = {
	{ .name = "nginx",
		EMBEDDED(nginx_conf),
		.app = { "server %a", "server unix:%u" },
		.listen = { "listen %a", "listen unix:%u" },
		.target = { "server %a", "server unix:%u" },
		.any_header = true },
	{
		.name = "nginx_hardened",
		EMBEDDED(nginx_hardened_conf),
		.app = { "server %a", "server unix:%u" },
		.listen = { "listen %a", "listen unix:%u" },
		.target = { "server %a", "server unix:%u" },
		.any_header = true,
	},
	{
		.name = "apache",
		EMBEDDED(apache_conf),
		.app = { "http://%a", "unix:%u|http://localhost" },
		.listen = { "%a", NULL },
		.target = { "http://%a", "unix:%u|http://localhost" },
	},
	{
		.name = "lighttpd",
		EMBEDDED(lighttpd_conf),
		.app = { "\"host\" => \"%h\", \"port\" => %p", "\"host\" => \"%u\"" },
		.listen = { "server.bind = \"%h\"\nserver.port = %p", NULL },
		.target = { "%a", "%u" },
		.any_header = true,
	},
	{
		.name = "perlbal",
		EMBEDDED(perlbal_conf),
		.app = { "%a", NULL },
		.listen = { "%a", NULL },
		.target = { "%a", NULL },
	},
	{
		.name = "h2o",
		EMBEDDED(h2o_conf),
		.app = { "http://%a", "http://[unix:%u]" },
		.listen = { "host: \"%h\", port: %p", "type: unix, port: \"%u\"" },
		.target = { "%a", NULL },
	},
};

enum { SERVER_COUNT = sizeof servers / sizeof *servers };

static const struct server *find_server(const char *name)
{
	for (int i = 0; i < SERVER_COUNT; i++)
		if (strcmp(servers[i].name, name) == 0)
			return &servers[i];
	rung_refuse(-EINVAL,
		"print-config: there is no server \"%.100s\"; use nginx, nginx_hardened, apache, lighttpd, perlbal or h2o",
		name);
	return NULL;
}

/* -- what replaces what ------------------------------------------------------------------------------------------ */

enum { MOST_WORDS = 20 };

struct word {
	char example[CONFIG_TEXT], own[2 * CONFIG_TEXT];
	bool is_names; /* makes its paragraph one of those that stand for each authority */
};

struct words {
	struct word list[MOST_WORDS];
	size_t count;
};

static struct word *add_word(struct words *words, const char *example)
{
	struct word *word = &words->list[words->count++];

	*word = (struct word){ 0 };
	snprintf(word->example, sizeof word->example, "%s", example);
	return word;
}

static void add_text(struct words *words, const char *example, const char *own)
{
	struct word *word = add_word(words, example);

	snprintf(word->own, sizeof word->own, "%s", own);
}

static void append(char *text, size_t room, const char *what, size_t size)
{
	size_t used = strlen(text);

	snprintf(text + used, room - used, "%.*s", (int)size, what);
}

/* Writes an address as the server does. Returns 0, or -EINVAL, refused. */
static int write_address(
	const struct server *server, const struct way *way, const char *address, char *text, size_t room)
{
	bool is_local = strncmp(address, "unix:", 5) == 0;
	const char *format = is_local ? way->local : way->tcp;
	struct rung_slice host = { address, 0 }, port = { NULL, 0 };

	if (!is_local && (rung_uri_parse_authority(address, strlen(address), &host, &port) < 0 || !port.size))
		return rung_refuse(-EINVAL,
			"print-config: \"%.200s\" is no address; write HOST:PORT or unix:PATH", address);
	if (!format)
		return rung_refuse(-EINVAL,
			"print-config: %s takes no Unix socket such as %.200s; give host and port",
			server->name, address);
	/* Alone an IPv6 address has no brackets. */
	struct rung_slice bare = host;
	if (*host.at == '[')
		bare = (struct rung_slice){ host.at + 1, host.size - 2 };
	*text = '\0';
	for (; *format; format++) {
		struct rung_slice part = { format, 1 };

		if (*format == '%') {
			format++;
			part = *format == 'a'   ? (struct rung_slice){ address, strlen(address) }
			       : *format == 'h' ? bare
			       : *format == 'p' ? port
						: (struct rung_slice){ address + 5, strlen(address) - 5 };
		}
		append(text, room, part.at, part.size);
	}
	return 0;
}

static int add_address(struct words *words, const struct server *server, const struct way *way,
	const char *example, const char *own, bool is_names)
{
	struct word *word = add_word(words, "");

	word->is_names = is_names;
	int rc = write_address(server, way, example, word->example, sizeof word->example);
	return rc < 0 ? rc : write_address(server, way, own, word->own, sizeof word->own);
}

/* "files.internal" in a regular expression, where its default port may stand too. */
static void write_pattern(const char *authority, char *text, size_t room)
{
	struct rung_slice host = { 0 }, port = { 0 };
	bool has_port = rung_uri_parse_authority(authority, strlen(authority), &host, &port) == 0 &&
			port.size && !(port.size == 2 && memcmp(port.at, "80", 2) == 0);

	*text = '\0';
	for (const char *at = authority; *at && (has_port || at < host.at + host.size); at++) {
		if (!isalnum((unsigned char)*at) && *at != ':' && *at != '-')
			append(text, room, "\\", 1);
		append(text, room, at, 1);
	}
	if (!has_port)
		append(text, room, "(:80)?", 6);
}

/* The authority that URIs get which the stack gives without one. */
static const char *own_authority(const struct config *config, const char *app)
{
	return config->base                    ? strstr(config->base, "://") + 3
	       : strncmp(app, "unix:", 5) == 0 ? "localhost"
					       : app;
}

static void add_self(struct words *words, const char *authority)
{
	struct word *word = add_word(words, "ReproxyTarget \"http://127.0.0.1:8080/\"");

	snprintf(word->own, sizeof word->own, "ReproxyTarget \"http://%s/\"", authority);
	word = add_word(words, "127\\.0\\.0\\.1:8080");
	write_pattern(authority, word->own, sizeof word->own);
}

/* What holds for all paragraphs. */
static int add_common(struct words *words, const struct server *server, const struct config *config,
	const struct rung_reproxy_config_options *options)
{
	char variable[CONFIG_TEXT], number[32];

	add_self(words, own_authority(config, options->app));
	int rc = add_address(words, server, &server->app, "127.0.0.1:8080", options->app, false);
	if (rc == 0)
		rc = add_address(words, server, &server->listen, "0.0.0.0:80", options->listen, false);
	if (rc < 0)
		return rc;
	snprintf(variable, sizeof variable, "%.300s", config->header);
	for (char *at = variable; *at; at++)
		*at = *at == '-' ? '_' : (char)tolower((unsigned char)*at);
	add_text(words, "http_x_reproxy_url;", "http_");
	append(words->list[words->count - 1].own, CONFIG_TEXT, variable, sizeof variable);
	append(words->list[words->count - 1].own, CONFIG_TEXT, ";", 1);
	add_text(words, "X-Reproxy-Url", config->header);
	add_text(words, "private_files", options->program);
	/* A location of that name alone is none that begins with it, and @ is a way of its own. */
	add_text(words, "location = /reproxy {", *config->location == '@' ? "location " : "location = ");
	append(words->list[words->count - 1].own, CONFIG_TEXT, config->location, CONFIG_TEXT);
	append(words->list[words->count - 1].own, CONFIG_TEXT, " {", 2);
	add_text(words, "location /reproxy {", "location ");
	append(words->list[words->count - 1].own, CONFIG_TEXT, config->location, CONFIG_TEXT);
	append(words->list[words->count - 1].own, CONFIG_TEXT, " {", 2);
	snprintf(number, sizeof number, "ReproxyMaxHops %u", config->max_hops);
	add_text(words, "ReproxyMaxHops 10", number);
	snprintf(number, sizeof number, "max-delegations: %u", config->max_hops);
	add_text(words, "max-delegations: 10", number);
	return 0;
}

/* What holds for one authority's paragraph. */
static int add_name(struct words *words, const struct server *server, const struct config_name *name)
{
	struct word *word = add_word(words, "files\\.internal(:80)?");

	word->is_names = true;
	write_pattern(name->authority, word->own, sizeof word->own);
	word = add_word(words, "to_files_internal");
	word->is_names = true;
	snprintf(word->own, sizeof word->own, "to_%s", name->authority);
	for (char *at = word->own; *at; at++)
		*at = isalnum((unsigned char)*at) ? (char)tolower((unsigned char)*at) : '_';
	word = add_word(words, "files.internal");
	word->is_names = true;
	snprintf(word->own, sizeof word->own, "%s", name->authority);
	return add_address(words, server, &server->target, "127.0.0.1:9000", name->address, true);
}

/* -- printing ---------------------------------------------------------------------------------------------------- */

static const struct word *word_at(const struct words *words, const char *at, const char *end, bool is_names)
{
	for (size_t i = 0; i < words->count; i++) {
		const struct word *word = &words->list[i];
		size_t size = strlen(word->example);

		if (size && (size_t)(end - at) >= size && memcmp(at, word->example, size) == 0 &&
			(word->is_names || !is_names))
			return word;
	}
	return NULL;
}

static bool speaks_of_names(const struct words *words, const char *at, const char *end)
{
	for (; at < end; at++)
		if (word_at(words, at, end, true))
			return true;
	return false;
}

static void print_text(FILE *out, const struct words *words, const char *at, const char *end)
{
	while (at < end) {
		const struct word *word = word_at(words, at, end, false);

		if (word)
			fputs(word->own, out);
		else
			fputc(*at, out);
		at += word ? strlen(word->example) : 1;
	}
}

/* Behind its newline, or the end. */
static const char *line_end(const char *at, const char *end)
{
	const char *newline = memchr(at, '\n', (size_t)(end - at));

	return newline ? newline + 1 : end;
}

static const char *paragraph_end(const char *at, const char *end)
{
	while (at < end) {
		bool is_blank = *at == '\n';

		at = line_end(at, end);
		if (is_blank)
			break;
	}
	return at;
}

/* What a comment says of all authorities is said once. */
static const char *skip_comments(const struct words *words, const char *at, const char *end)
{
	while (at < end) {
		const char *next = line_end(at, end), *first = at;

		while (*first == ' ' || *first == '\t')
			first++;
		if (*first != '#' || speaks_of_names(words, at, next))
			break;
		at = next;
	}
	return at;
}

struct print {
	FILE *out;
	const struct server *server;
	struct config *config;
	struct words words;
};

static int print_paragraph(struct print *print, const char *at, const char *end)
{
	size_t common = print->words.count;
	bool is_first = true;
	int rc = 0;

	/* The example's own name tells which paragraphs are about names. */
	static const struct config_name example = { "files.internal", "127.0.0.1:9000" };
	rc = add_name(&print->words, print->server, &example);
	bool has_names = speaks_of_names(&print->words, at, end);
	print->words.count = common;
	if (rc < 0 || !has_names) {
		print_text(print->out, &print->words, at, end);
		return rc;
	}
	for (size_t i = 0; i < print->config->name_count && rc == 0; i++) {
		rc = add_name(&print->words, print->server, &print->config->names[i]);
		if (rc == 0)
			print_text(print->out, &print->words,
				is_first ? at : skip_comments(&print->words, at, end), end);
		print->words.count = common;
		is_first = false;
	}
	return rc;
}

static int print_all(struct print *print)
{
	const char *at = (const char *)print->server->text, *end = at + *print->server->size;
	int rc = 0;

	while (at < end && rc == 0) {
		const char *next = paragraph_end(at, end);

		rc = print_paragraph(print, at, next);
		at = next;
	}
	return rc;
}

/* Refuses what the server cannot do for this stack. */
static int check(const struct server *server, const struct config *config)
{
	if (!server->any_header && strcasecmp(config->header, "X-Reproxy-Url") != 0)
		return rung_refuse(-EINVAL,
			"print-config: %s acts on X-Reproxy-Url alone, not on %s; leave reproxy's .header out",
			server->name, config->header);
	return 0;
}

static int print_config(FILE *out, struct rung_app *stack, const struct rung_reproxy_config_options *options)
{
	const struct server *server = find_server(options->server ? options->server : "");
	struct print *print = server ? calloc(1, sizeof *print + sizeof *print->config) : NULL;

	if (!server)
		return -EINVAL;
	if (!print)
		return rung_refuse(-ENOMEM, "print-config: out of memory");
	print->out = out;
	print->server = server;
	print->config = (struct config *)(print + 1);
	int rc = rung_reproxy_config_collect(stack, options, print->config);
	if (rc == 0)
		rc = check(server, print->config);
	if (rc == 0)
		rc = add_common(&print->words, server, print->config, options);
	if (rc == 0)
		rc = print_all(print);
	free(print);
	return rc;
}

ssize_t rung_reproxy_config_new(
	struct rung_app *stack, const struct rung_reproxy_config_options *given, char *buffer, size_t room)
{
	struct rung_reproxy_config_options options;
	char *text = NULL;
	size_t size = 0;
	FILE *out;

	if (rung_options_copy("print-config", &options, given, sizeof options) < 0)
		return -EINVAL;
	options.program = options.program ? options.program : "app";
	options.app = options.app ? options.app : "127.0.0.1:8080";
	options.listen = options.listen ? options.listen : "0.0.0.0:80";
	out = open_memstream(&text, &size);
	if (!out)
		return rung_refuse(-ENOMEM, "print-config: out of memory");
	int rc = print_config(out, stack, &options);
	if (fclose(out) != 0 && rc == 0)
		rc = -ENOMEM;
	if (rc == 0 && room)
		snprintf(buffer, room, "%s", text);
	free(text);
	return rc < 0 ? rc : (ssize_t)size;
}
