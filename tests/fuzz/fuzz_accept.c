/*
 * fuzz_accept.c: any bytes as Accept-Encoding, behind the first newline as Accept. Files have forms in other codings beside them: which one is
 * sent must follow from the weights; and the weights must be those that a plain reading of the value gives, where it is plain: without
 * quotes.
 */
#include <rung/error_pages.h>
#include <rung/files.h>
#include <rung/rung.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST = 2048 };

static void insist(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* -- a plain reading ------------------------------------------------------------------------------------------------ */

static char *trim(char *text)
{
	char *end = text + strlen(text);

	text += strspn(text, " \t");
	while (end > text && strchr(" \t", end[-1]))
		*--end = '\0';
	return text;
}

/* RFC 9110 section 12.4.2, by printing every weight there is. -1: it is none. */
static int weight_of(const char *text)
{
	char made[8];

	for (int weight = 0; weight <= 1000; weight++)
		for (int digits = 0; digits <= 3; digits++) {
			static const int units[] = { 1000, 100, 10, 1 };

			if (weight % units[digits])
				continue;
			snprintf(made, sizeof made, "%d.%03d", weight / 1000, weight % 1000);
			made[2 + digits] = '\0';
			if (strcmp(text, made) == 0 ||
				(digits == 0 && strncmp(text, made, 1) == 0 && !text[1]))
				return weight;
		}
	return -1;
}

struct member {
	char name[MOST + 1];
	int weight;       /* -1: bad */
	bool is_narrowed; /* a parameter stands in front of the weight */
};

/* Takes a member apart, which it overwrites. */
static void read_member(char *text, struct member *member)
{
	char *name = strsep(&text, ";");

	member->weight = 1000;
	member->is_narrowed = false;
	strcpy(member->name, name);
	member->name[strcspn(member->name, " \t")] = '\0';
	for (char *part; (part = strsep(&text, ";"));) {
		part += strspn(part, " \t");
		if (strncasecmp(part, "q=", 2) == 0) {
			/* No blank stands before the number (RFC 9110 section 12.4.2). */
			member->weight = strchr(" \t", part[2]) && part[2] ? -1 : weight_of(trim(part + 2));
			break;
		}
		member->is_narrowed |= strchr(part, '=') != NULL;
	}
}

/* How a member is about a type: 0 not, else the closer the more. */
static int closeness(const struct member *member, const char *type)
{
	const char *slash = strchr(member->name, '/');
	size_t major = slash ? (size_t)(slash + 1 - member->name) : 0;

	if (strcmp(member->name, "*/*") == 0)
		return 1;
	if (slash && strcmp(slash, "/*") == 0)
		return strncasecmp(member->name, type, major) == 0 ? 2 : 0;
	if (strcasecmp(member->name, type) != 0)
		return 0;
	return member->is_narrowed ? 3 : 4;
}

static unsigned plain_accept(const char *value, const char *type)
{
	char copy[MOST + 1], *at = copy;
	int best = 0, weight = 0;
	bool says_something = false;
	struct member member;

	strcpy(copy, value);
	for (char *part; (part = strsep(&at, ","));) {
		part = trim(part);
		if (!*part)
			continue;
		read_member(part, &member);
		const char *slash = strchr(member.name, '/');
		if (member.weight < 0 || !slash || slash == member.name || !slash[1])
			continue;
		says_something = true;
		int close = closeness(&member, type);
		if (close && close >= best) {
			best = close;
			weight = member.weight;
		}
	}
	return says_something ? (unsigned)weight : 1000;
}

static unsigned plain_coding(const char *value, const char *coding)
{
	char copy[MOST + 1], *at = copy;
	int own = -1, any = -1;
	struct member member;

	strcpy(copy, value);
	for (char *part; (part = strsep(&at, ","));) {
		part = trim(part);
		if (!*part)
			continue;
		read_member(part, &member);
		bool is_old_name = strcasecmp(member.name, "x-gzip") == 0 && strcmp(coding, "gzip") == 0;
		if (member.weight < 0)
			continue;
		if (strcmp(member.name, "*") == 0)
			any = member.weight;
		else if (is_old_name || strcasecmp(member.name, coding) == 0)
			own = member.weight;
	}
	return (unsigned)(own >= 0 ? own : any >= 0 ? any : strcmp(coding, "identity") == 0 ? 1000 : 0);
}

static void compare_weights(const char *codings, const char *types)
{
	static const char *const tried_codings[] = { "br", "zstd", "gzip", "identity" };
	static const char *const tried_types[] = { "text/html", "text/plain", "application/problem+json" };

	for (size_t i = 0; i < sizeof tried_codings / sizeof *tried_codings; i++)
		insist(strchr(codings, '"') || rung_coding_quality(codings, tried_codings[i]) ==
						       plain_coding(codings, tried_codings[i]),
			"the weight of a coding");
	for (size_t i = 0; i < sizeof tried_types / sizeof *tried_types; i++)
		insist(strchr(types, '"') || rung_accept_quality(types, tried_types[i]) ==
						     plain_accept(types, tried_types[i]),
			"the weight of a type");
}

/* -- what is sent --------------------------------------------------------------------------------------------------- */

static char folder[] = "/tmp/rung-fuzz-accept-XXXXXX";
static const char *const made[] = { "all", "all.br", "all.zst", "all.gz", "some", "some.gz" };
static struct rung_client *client;

static const char *below(const char *name)
{
	static char path[64];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void end(void)
{
	rung_client_destroy(client);
	for (size_t i = 0; i < sizeof made / sizeof *made; i++)
		unlink(below(made[i]));
	rmdir(folder);
}

static void begin(void)
{
	insist(mkdtemp(folder) != NULL, "a folder");
	for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
		FILE *file = fopen(below(made[i]), "w");

		insist(file && fputs(made[i], file) >= 0 && fclose(file) == 0, "a file");
	}
	client = rung_client_new(
		rung_stack(rung_error_pages(), rung_files(.root = folder, .precompressed = true)));
	insist(client != NULL, "a client");
	atexit(end);
}

/* The form that was sent is liked, and none that is there is liked better; each is its own file. */
static void try_file(const char *path, size_t siblings, const struct rung_field *fields, const char *value)
{
	static const char *const codings[] = { "gzip", "br", "zstd" };
	static const char *const suffixes[] = { ".gz", ".br", ".zst" };
	const struct rung_reply *reply = rung_client_send(client, "GET", path, .headers = fields);
	const char *coding = rung_reply_header(reply, "Content-Encoding");
	unsigned taken = coding ? rung_coding_quality(value, coding) : 0;
	char expected[32];

	insist(reply->status == 200, "a file is sent in some form");
	snprintf(expected, sizeof expected, "%s", path + 1);
	for (size_t i = 0; i < siblings; i++) {
		unsigned liked = rung_coding_quality(value, codings[i]);

		if (coding && strcmp(coding, codings[i]) == 0)
			strcat(expected, suffixes[i]);
		insist(!coding || liked <= taken, "the form that is liked best");
		insist(coding || !liked || liked < rung_coding_quality(value, "identity"),
			"the file itself only where that is liked better");
	}
	insist(!coding || taken > 0, "no form that is not wanted");
	insist(strcmp(reply->body, expected) == 0, "the file of that form");
	insist(rung_reply_header(reply, "Vary") != NULL, "caches are told");
}

/* A page for programs is given to those, too, who know it by its old name alone. */
static unsigned page_quality(const char *types, const char *given)
{
	unsigned liked = rung_accept_quality(types, given), old = 0;

	if (strcmp(given, "application/problem+json") == 0)
		old = rung_accept_quality(types, "application/json");
	return liked > old ? liked : old;
}

static void try_page(const struct rung_field *fields, const char *types)
{
	static const char *const given[] = { "text/plain", "text/html", "application/problem+json" };
	const struct rung_reply *reply = rung_client_send(client, "GET", "/nothing", .headers = fields);
	const char *type = rung_reply_header(reply, "Content-Type");
	unsigned taken = 0, best = 0;

	insist(reply->status == 404 && type, "a page of some type");
	for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
		unsigned liked = page_quality(types, given[i]);

		best = liked > best ? liked : best;
		if (strncmp(type, given[i], strlen(given[i])) == 0)
			taken = liked;
	}
	insist(taken == best, "the type that is liked best");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char codings[MOST + 1];

	if (!client)
		begin();
	if (size > MOST || memchr(data, '\0', size))
		return 0;
	memcpy(codings, data, size);
	codings[size] = '\0';
	char *newline = strchr(codings, '\n');
	const char *types = newline ? newline + 1 : "*/*";
	if (newline)
		*newline = '\0';
	if (!rung_is_field_value(codings, strlen(codings)) || !rung_is_field_value(types, strlen(types)))
		return 0;
	compare_weights(codings, types);
	const struct rung_field fields[] = { { .name = "Accept-Encoding", .value = codings },
		{ .name = "Accept", .value = types }, { 0 } };
	try_file("/all", 3, fields, codings);
	try_file("/some", 1, fields, codings);
	try_page(fields, types);
	return 0;
}
