/*
 * compare.c: what came against what was recorded, and what of a recording no process can do by itself. The latter is told by
 * the recording alone, never by a case's name.
 */
#include "replaying.h"

#include <nettle/sha2.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* -- out of reach ------------------------------------------------------------------------------------------------- */

static const json_t *first_target(const struct play *play)
{
	const json_t *target = json_object_get(play->test, "target_response");

	return json_is_array(target) ? json_array_get(target, 0) : target;
}

/* Ways of the target's that are HTTP, whole or broken off. Any other is none. */
static bool is_http(const char *mode)
{
	static const char *const known[] = { "", "chunked", "chunked_force", "no_length", "die_mid",
		"die_chunk", "close_silently", "rst", "hang" };

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(mode, known[i]) == 0)
			return true;
	return false;
}

static bool asks_for_https(const struct play *play)
{
	const json_t *app = json_object_get(play->test, "app_response");

	if (json_is_array(app))
		app = json_array_get(app, 0);
	return strncasecmp(form_string(app, "reproxy_url"), "https://", 8) == 0;
}

const char *compare_unreachable(const struct play *play)
{
	const json_t *expected = play->expected;
	const char *mode = form_string(first_target(play), "mode");
	const char *version = form_string(expected, "version");
	bool has_answer = json_is_integer(json_object_get(expected, "status"));
	bool was_reached = form_number(expected, "target_hits", 0) > 0 ||
			   json_array_size(json_object_get(expected, "target_saw")) > 0;

	if (!is_http(mode) || strcmp(version, "HTTP/0.9") == 0)
		return "the target answered no HTTP";
	if (json_is_true(json_object_get(expected, "front_process_died")))
		return "the server crashed";
	if (json_object_get(expected, "extra_bytes"))
		return "an error page stands inside a body";
	if (json_is_false(json_object_get(expected, "complete")) || strncmp(mode, "die_", 4) == 0)
		return "a body was cut half-way";
	if (strcmp(mode, "hang") == 0 || strstr(form_string(expected, "client_error"), "time") ||
		(json_object_get(expected, "exception") && form_number(expected, "hops", 0) > MOST_SEEN))
		return "the target or the server hung";
	if (strcmp(mode, "close_silently") == 0 || (!has_answer && !json_object_get(expected, "exception")))
		return "a connection closed with no answer";
	if (asks_for_https(play) && !was_reached)
		return "an https URL, and a target that speaks plain HTTP";
	return NULL;
}

/* -- differences -------------------------------------------------------------------------------------------------- */

struct comparing {
	const struct play *play;
	unsigned differences;
};

static void differ(struct comparing *comparing, const char *what, const char *expected, const char *got)
{
	comparing->differences++;
	printf("%s %s: %s\n    recorded %s\n    replayed %s\n", comparing->play->rig->key,
		form_string(comparing->play->test, "name"), what, expected ? expected : "none",
		got ? got : "none");
}

static void compare_numbers(struct comparing *comparing, const char *what, long long expected, long long got)
{
	char a[24], b[24];

	snprintf(a, sizeof a, "%lld", expected);
	snprintf(b, sizeof b, "%lld", got);
	if (expected != got)
		differ(comparing, what, a, b);
}

static void compare_texts(struct comparing *comparing, const char *what, const json_t *given, const char *got)
{
	char *expected = form_text(given, true);

	if (given && ((!expected != !got) || (expected && strcmp(expected, got) != 0)))
		differ(comparing, what, expected, got);
	free(expected);
}

static char *fields_as_text(const struct rung_field *fields)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	if (!stream)
		abort();
	for (; fields->name; fields++)
		fprintf(stream, "\n        %s: %s", fields->name, fields->value);
	fclose(stream);
	return text;
}

static void compare_fields(struct comparing *comparing, const char *what, const struct rung_field *expected,
	const struct rung_field *got)
{
	const struct rung_field *a = expected, *b = got;

	while (a->name && b->name && strcmp(a->name, b->name) == 0 && strcmp(a->value, b->value) == 0) {
		a++;
		b++;
	}
	if (!a->name && !b->name)
		return;
	char *left = fields_as_text(expected), *right = fields_as_text(got);
	differ(comparing, what, left, right);
	free(left);
	free(right);
}

/* -- the answer --------------------------------------------------------------------------------------------------- */

static bool is_dropped(const struct play *play, const char *name)
{
	const json_t *dropped = json_object_get(play->meta, "dropped_headers");

	for (size_t i = 0; i < json_array_size(dropped); i++)
		if (strcasecmp(json_string_value(json_array_get(dropped, i)), name) == 0)
			return true;
	return false;
}

/* Removes what is not compared. Returns true when Transfer-Encoding, which is framing, was there. */
static bool drop(const struct play *play, struct rung_field *fields, bool takes_length)
{
	struct rung_field *to = fields;
	bool is_chunked = false;

	for (struct rung_field *field = fields; field->name; field++) {
		bool is_framing = strcasecmp(field->name, "Transfer-Encoding") == 0;
		bool is_length = takes_length && strcasecmp(field->name, "Content-Length") == 0;

		is_chunked = is_chunked || is_framing;
		if (is_framing || is_length || is_dropped(play, field->name)) {
			free((void *)(uintptr_t)field->name);
			free((void *)(uintptr_t)field->value);
		} else {
			*to++ = *field;
		}
	}
	*to = (struct rung_field){ 0 };
	return is_chunked;
}

static void compare_headers(struct comparing *comparing, const struct rung_reply *reply)
{
	const struct play *play = comparing->play;
	struct rung_field *expected = form_fields(json_object_get(play->expected, "headers"), true);
	struct rung_field *got;
	const struct rung_field *field;
	size_t count = 0, kept = 0;
	bool is_chunked = drop(play, expected, play->rig->is_in_process) ||
			  strcmp(form_string(play->expected, "framing"), "close") == 0;

	while (rung_reply_field(reply, count))
		count++;
	got = calloc(count + 1, sizeof *got);
	if (!got)
		abort();
	for (size_t i = 0; i < count; i++) {
		field = rung_reply_field(reply, i);
		/* The in-process client writes a length wherever it knows one; a triplet has those of the app alone. */
		if (is_dropped(play, field->name) ||
			(play->rig->is_in_process && strcasecmp(field->name, "Content-Length") == 0))
			continue;
		got[kept++] = *field;
	}
	compare_fields(comparing, "header lines", expected, got);
	if (is_chunked && rung_reply_header(reply, "Content-Length"))
		differ(comparing, "framing", "of unknown length", "Content-Length");
	free(got);
	form_free_fields(expected);
}

static void compare_body(struct comparing *comparing, const struct rung_reply *reply)
{
	const json_t *expected = comparing->play->expected;
	const char *sum = form_string(expected, "body_sha256");
	char got[2 * SHA256_DIGEST_SIZE + 1];
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx context;

	compare_numbers(
		comparing, "body length", form_number(expected, "body_len", 0), (long long)reply->size);
	if (!*sum)
		return;
	sha256_init(&context);
	sha256_update(&context, reply->size, (const uint8_t *)reply->body);
	sha256_digest(&context, sizeof digest, digest);
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(got + 2 * i, 3, "%02x", digest[i]);
	if (strcmp(sum, got) != 0)
		differ(comparing, "body, by its SHA-256", sum, got);
}

static bool says(const struct play *play, const char *whose, json_int_t status)
{
	const json_t *given = json_object_get(play->test, whose);

	if (!json_is_array(given))
		return form_number(given, "status", 0) == status;
	for (size_t i = 0; i < json_array_size(given); i++)
		if (form_number(json_array_get(given, i), "status", 0) == status)
			return true;
	return false;
}

/* Of a server's own error page only the status counts. One to a HEAD has no body to tell it by: then an error it is that
 * nobody but the server can have answered. */
static bool is_own_page(const struct play *play)
{
	const char *from = form_string(play->expected, "body_from");
	json_int_t status = form_number(play->expected, "status", 0);
	bool is_head = strcmp(form_string(json_object_get(play->test, "request"), "method"), "HEAD") == 0;

	if (status < 300)
		return false;
	return strcmp(from, "server") == 0 ||
	       (strcmp(from, "empty") == 0 && is_head && !says(play, "app_response", status) &&
		       !says(play, "target_response", status));
}

/* -- what app and target saw -------------------------------------------------------------------------------------- */

static void compare_seen(struct comparing *comparing, const char *whose, size_t n, const json_t *expected,
	const struct seen *seen)
{
	struct rung_field *fields = form_fields(json_object_get(expected, "headers"), true);
	char what[64];

	drop(comparing->play, fields, false);
#define SAY(part) (snprintf(what, sizeof what, "%s %zu saw %s", whose, n + 1, part), what)
	compare_texts(comparing, SAY("method"), json_object_get(expected, "method"), seen->method);
	compare_texts(comparing, SAY("target"), json_object_get(expected, "target"), seen->target);
	compare_texts(comparing, SAY("Host"), json_object_get(expected, "host"), seen->host);
	if (comparing->play->rig->is_in_process) {
		compare_texts(comparing, SAY("path"), json_object_get(expected, "path"), seen->path);
		compare_texts(comparing, SAY("query"), json_object_get(expected, "query"), seen->query);
		compare_texts(comparing, SAY("script name"), json_object_get(expected, "script_name"),
			seen->script_name);
	}
	compare_fields(comparing, SAY("header lines"), fields, seen->fields);
	compare_numbers(comparing, SAY("body length"), form_number(expected, "body_len", 0),
		(long long)seen->body_size);
#undef SAY
	form_free_fields(fields);
}

/* The file has the first few of what was seen, and how many there were. */
static void compare_side(struct comparing *comparing, const char *whose, const char *saw, const char *hits,
	const struct side *side)
{
	const json_t *list = json_object_get(comparing->play->expected, saw);
	json_int_t count = form_number(comparing->play->expected, hits, (json_int_t)json_array_size(list));

	if (!list)
		return;
	compare_numbers(comparing, hits, count, side->hits);
	for (size_t i = 0; i < json_array_size(list) && i < side->hits && i < MOST_SEEN; i++)
		compare_seen(comparing, whose, i, json_array_get(list, i), &side->seen[i]);
}

unsigned compare(const struct play *play, const struct rung_reply *reply)
{
	struct comparing comparing = { play, 0 };
	bool raises = json_object_get(play->expected, "exception") != NULL;

	compare_numbers(
		&comparing, "status", raises ? 500 : form_number(play->expected, "status", 0), reply->status);
	if (!raises && !is_own_page(play)) {
		compare_headers(&comparing, reply);
		compare_body(&comparing, reply);
		if (reply->outcome != RUNG_SENT)
			differ(&comparing, "the body", "whole", "broken");
	}
	compare_side(&comparing, "app", "app_saw", "app_hits", &play->app);
	compare_side(&comparing, "target", "target_saw", play->rig->is_in_process ? "hops" : "target_hits",
		&play->target);
	return comparing.differences;
}
