/*
 * replaying.h: what the parts of the replay program share. It reads recordings made from real web servers (a JSON file with
 * "meta" and "cases"), sends each case's request through a stack that emulates the server, and compares what comes of it with
 * what came then.
 */
#pragma once

#include <rung/rung.h>

#include <jansson.h>

/* What stands for {files}: the folder that /files/ serves. */
extern char form_folder[64];

/* -- form.c: the file ---------------------------------------------------------------------------------------------- */

/* Text of the file's with the addresses of this replay in place of the recording's. Written for servers it is UTF-8; what they
 * said then was recorded byte by byte (`is_bytes`). To be freed. NULL gives NULL. */
char *form_text(const json_t *value, bool is_bytes);

/* A body: null, a text, or { "repeat": text, "len": n }. To be freed; a NUL follows. */
char *form_body(const json_t *value, size_t *ret_size);

/* Fields: [[name, value], ...], ended by { 0 }. To be freed with form_free_fields(). */
struct rung_field *form_fields(const json_t *list, bool is_bytes);
void form_free_fields(struct rung_field *fields);

const char *form_string(const json_t *object, const char *key); /* "" if there is none */
json_int_t form_number(const json_t *object, const char *key, json_int_t otherwise);

/* -- rig.c: what the recordings were made with ------------------------------------------------------------------------ */

struct rig {
	const char *key; /* in the file */
	enum rung_server_kind server;
	bool names_app;       /* passes on with the app's own address as Host */
	bool has_resolver;    /* "localhost" is reached */
	bool by_host;         /* picks the backend by host alone */
	bool is_in_process;   /* the app plays the target, too; what it sees are CGI names */
	bool any_host;        /* its configuration takes every host on the scheme's own port */
	bool answers_chunked; /* the app's answers that ask come in chunks */
	bool undecoded;       /* chunks that come to it all the same go on as they are */
	bool has_locations;
	const char *const
		*emits; /* what the app's middleware adds to what asks; $url, $host and $uri are filled in */
};

const struct rig *rig_find(const char *key);

/* What an app or a target saw. */
struct seen {
	char *method, *target, *path, *query, *host, *script_name;
	struct rung_field *fields; /* ended by { 0 } */
	size_t body_size;
};

enum { MOST_SEEN = 64 };

struct side {
	struct seen seen[MOST_SEEN];
	unsigned hits;
};

/* One case with one server. */
struct play {
	const struct rig *rig;
	const json_t *meta, *test, *expected;
	char *request_path;
	struct side app, target;
	char **kept; /* memory of what was answered with */
	size_t kept_count;
};

/* Adds memory that lives as long as the play. Returns it. */
void *play_keep(struct play *play, void *memory);

/* The stack with the emulation in front of the app, and targets beside it. NULL when it cannot be made. */
struct rung_app *rig_stack(struct play *play);

void rig_forget(struct play *play);

/* -- compare.c ------------------------------------------------------------------------------------------------------ */

/* One of the reasons for which a case is out of reach in one process, or NULL. Read off the recording alone. */
const char *compare_unreachable(const struct play *play);

/* Prints each difference. Returns how many there are. */
unsigned compare(const struct play *play, const struct rung_reply *reply);
