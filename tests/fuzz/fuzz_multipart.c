/*
 * fuzz_multipart.c: a first byte "n", and any bytes as a file's name: what is made of it is safe, and stays so. Else: a line as
 * Content-Type and any bytes behind it as a form: refused with a 4xx, or
 *
 *   - files lie in the body, in order, apart from each other, and where a slow search finds the parts to begin and end;
 *   - written anew, with another boundary, and read again it is the same form.
 */
#include <rung/rung.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 8192 };

static void insist(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* -- names --------------------------------------------------------------------------------------------------------- */

static void check_safe(const char *name)
{
	char again[RUNG_SAFE_NAME_SIZE];
	size_t size = strlen(name);

	insist(size > 0 && size < RUNG_SAFE_NAME_SIZE, "neither empty nor too long");
	insist(!strpbrk(name, "/\\:<>\"|?*"), "nothing in it that means something");
	insist(!strchr(".- ", name[0]) && !strchr(". ", name[size - 1]), "ends that mean nothing");
	insist(!strstr(name, ".."), "no way up");
	for (const char *at = name; *at; at++)
		insist((unsigned char)*at >= 0x20 && *at != 0x7f, "no controls");
	insist(strcasecmp(name, "con") != 0 && strcasecmp(name, "nul") != 0 &&
			strncasecmp(name, "com1.", 5) != 0,
		"no device");
	rung_safe_name(name, size, again);
	insist(strcmp(again, name) == 0, "made again it stays the same");
}

static void try_name(const char *bytes, size_t size)
{
	char name[RUNG_SAFE_NAME_SIZE];

	rung_safe_name(bytes, size, name);
	check_safe(name);
}

/* -- a slow search ------------------------------------------------------------------------------------------------- */

static const char *find(const char *at, const char *end, const char *what, size_t size)
{
	for (; (size_t)(end - at) >= size; at++) {
		size_t i = 0;

		while (i < size && at[i] == what[i])
			i++;
		if (i == size)
			return at;
	}
	return NULL;
}

static char delimiter[80];
static size_t delimiter_size;

/* The boundary of a type that was accepted: what stands behind the word, up to what no boundary holds. */
static void take_boundary(const char *type)
{
	const char *at = strcasestr(type, "boundary=");

	/* It may also stand in another parameter's quotes; then nothing is compared. */
	delimiter_size = 0;
	if (!at || strcasestr(at + 1, "boundary=") || strchr(type, '\\') ||
		(at[9] != '"' && strchr(type, '"')))
		return;
	at += strlen("boundary=");
	size_t size = *at == '"' ? strcspn(++at, "\"") : strcspn(at, "; \t");
	insist(size > 0 && size <= 70, "a good boundary");
	delimiter_size = (size_t)snprintf(delimiter, sizeof delimiter, "\r\n--%.*s", (int)size, at);
}

/* Walks the parts beside the pairs. */
static void search_slowly(const char *body, size_t size, const struct rung_params *params)
{
	const char *end = body + size, *at = body;

	if (size >= delimiter_size - 2 && memcmp(body, delimiter + 2, delimiter_size - 2) == 0)
		at += delimiter_size - 2;
	else {
		at = find(body, end, delimiter, delimiter_size);
		insist(at != NULL, "a first boundary");
		at += delimiter_size;
	}
	for (size_t i = 0; i < params->count; i++) {
		const struct rung_pair *pair = &params->pairs[i];
		const char *line = find(at, end, "\r\n", 2);
		insist(line != NULL, "a line's end behind the boundary");
		const char *stop = find(line, end, delimiter, delimiter_size);
		const char *blank = find(line, end, "\r\n\r\n", 4);
		insist(stop && blank && blank <= stop, "a head and an end");
		const char *bytes = blank + 4 < stop ? blank + 4 : stop;
		if (pair->file) {
			insist(pair->file->size == (size_t)(stop - bytes), "the size of a file");
			insist(pair->file->size == 0 || pair->file->bytes == bytes, "the place of a file");
		} else {
			insist(pair->value_size == (size_t)(stop - bytes) &&
					memcmp(pair->value, bytes, pair->value_size) == 0,
				"a value");
		}
		at = stop + delimiter_size;
	}
	insist(end - at >= 2 && at[0] == '-' && at[1] == '-', "the end");
}

/* -- written anew -------------------------------------------------------------------------------------------------- */

static char rewritten[16 * MOST];
static size_t rewritten_size;
static const struct rung_params *original;

static void put(const char *text)
{
	size_t size = strlen(text);

	memcpy(rewritten + rewritten_size, text, size);
	rewritten_size += size;
}

static void put_name(const char *name, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		const char plain[] = { name[i], '\0' };

		put(name[i] == '"'        ? "%22"
			: name[i] == '\r' ? "%0D"
			: name[i] == '\n' ? "%0A"
			: name[i] == '\\' ? "\\\\"
					  : plain);
	}
}

static void put_file(const struct rung_upload *file)
{
	size_t size = strlen(file->filename);
	ssize_t encoded;

	put("; filename*=UTF-8''");
	encoded = rung_uri_encode(RUNG_URI_QUERY, file->filename, size, rewritten + rewritten_size,
		sizeof rewritten - rewritten_size);
	insist(encoded >= 0, "room");
	rewritten_size += (size_t)encoded;
	put("\r\nContent-Type: ");
	put(file->content_type);
}

/* A value that looks like a file input in which nobody chose one comes as a value; so does it go. */
static void rewrite(const struct rung_params *params)
{
	rewritten_size = 0;
	for (size_t i = 0; i < params->count; i++) {
		const struct rung_pair *pair = &params->pairs[i];
		const void *bytes = pair->file ? pair->file->bytes : pair->value;
		size_t size = pair->file ? pair->file->size : pair->value_size;

		put("--zzzRUNGzzz\r\nContent-Disposition: form-data; name=\"");
		put_name(pair->name, pair->name_size);
		put("\"");
		if (pair->file)
			put_file(pair->file);
		put("\r\n\r\n");
		memcpy(rewritten + rewritten_size, bytes, size);
		rewritten_size += size;
		put("\r\n");
	}
	put("--zzzRUNGzzz--");
}

static void compare(const struct rung_params *params)
{
	insist(params->count == original->count, "as many parts");
	for (size_t i = 0; i < params->count; i++) {
		const struct rung_pair *a = &params->pairs[i], *b = &original->pairs[i];

		insist(a->name_size == b->name_size && memcmp(a->name, b->name, a->name_size) == 0, "a name");
		insist(a->value_size == b->value_size && memcmp(a->value, b->value, a->value_size) == 0,
			"a value again");
		insist(!a->file == !b->file, "a file again");
		if (a->file)
			insist(strcmp(a->file->filename, b->file->filename) == 0 &&
					strcmp(a->file->safe_name, b->file->safe_name) == 0 &&
					strcmp(a->file->content_type, b->file->content_type) == 0 &&
					a->file->size == b->file->size &&
					memcmp(a->file->bytes, b->file->bytes, a->file->size) == 0,
				"the same file");
	}
}

static int look_again(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	static const struct rung_params_limits wide = { .size = sizeof wide, .disposition = SIZE_MAX };
	const struct rung_params *params;

	(void)self;
	insist(rung_form_within(env, &wide, &params) == 0, "read again");
	compare(params);
	return rung_reply_empty(res, 200);
}

static void try_again(const struct rung_params *params)
{
	static struct rung_client *client;

	if (!client)
		client = rung_client_new(rung_run(look_again));
	insist(client != NULL, "a second client");
	original = params;
	rewrite(params);
	if (params->count)
		insist(rung_client_send(client, "POST", "/", .body = rewritten, .body_size = rewritten_size,
			       .content_type = "multipart/form-data; boundary=zzzRUNGzzz")
					->status == 200,
			"200 again");
}

/* -- the app ------------------------------------------------------------------------------------------------------- */

static void check_files(const char *body, size_t size, const struct rung_params *params)
{
	const char *last = body;

	for (size_t i = 0; i < params->count; i++) {
		const struct rung_upload *file = params->pairs[i].file;

		insist(!params->pairs[i].name[params->pairs[i].name_size] &&
				!params->pairs[i].value[params->pairs[i].value_size],
			"a NUL behind each");
		if (!file)
			continue;
		const char *bytes = file->bytes;
		insist(bytes >= last && bytes + file->size <= body + size, "in the body, in order");
		last = bytes + file->size;
		check_safe(file->safe_name);
	}
}

static int look(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	static const struct rung_params_limits limits = { .size = sizeof limits,
		.preamble = 1024,
		.parts = 40,
		.files = 20,
		.text = 1500,
		.part_head = 1000,
		.disposition = 300,
		.escapes = 30 };
	const char *type = rung_request_header(env, "Content-Type");
	const struct rung_params *params;
	size_t size;
	const char *body = rung_input_bytes(env, &size);

	(void)self;
	int rc = rung_form_within(env, &limits, &params);
	if (rc < 0)
		return rc;
	if (strncasecmp(type + strspn(type, " \t"), "multipart", 9) == 0) {
		insist(params->count <= 40, "no more than the limit");
		take_boundary(type);
		check_files(body, size, params);
		if (delimiter_size)
			search_slowly(body, size, params);
		if (!memmem(body, size, "zzzRUNGzzz", 10))
			try_again(params);
	}
	return rung_reply_empty(res, 200);
}

static void drop_line(void *data, enum rung_log_level level, const char *line)
{
	(void)data, (void)line;
	insist(level == RUNG_LOG_INFO, "it is the client's doing");
}

static void try_form(char *text, size_t size)
{
	static const struct rung_setup setup = { .size = sizeof setup, .log = drop_line };
	static struct rung_client *client;
	char *body = memchr(text, '\n', size);

	if (!client)
		client = rung_client_new(rung_run(look), .setup = &setup);
	insist(client != NULL, "a client");
	if (!body || body + 1 == text + size || memchr(text, '\0', (size_t)(body - text)))
		return;
	*body++ = '\0';
	int status = rung_client_send(client, "POST", "/", .content_type = text, .body = body,
		.body_size = size - (size_t)(body - text))
			     ->status;
	insist(status == 200 || status == 400 || status == 413 || status == 415, "no 5xx");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[MOST + 1];

	if (size == 0 || size > MOST)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (*text == 'n')
		try_name(text + 1, size - 1);
	else
		try_form(text, size);
	return 0;
}
