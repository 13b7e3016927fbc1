/*
 * emulate.h: private: redispatch by the rules of a web server. What a server does is one const table in a file of its name;
 * emulate.c and its parts apply it, and know no server.
 *
 * A request goes: rules->app says what of it the app sees; of the app's answer the first of rules->asks that has a field
 * there goes on with it, and answers; what it asked with and shall survive is held. So again for as long as the answers ask
 * and may. At last rules->answer says how what is held and the answer make one list of fields.
 */
#pragma once

#include "reproxy_private.h"

#include <rung/range.h>

struct emulated;

/* -- requests ---------------------------------------------------------------------------------------------------- */

/* A field that the server puts into a request it passes on. */
struct emulated_added {
	const char *name;
	enum {
		VALUE_TEXT,        /* .text */
		VALUE_LENGTH,      /* of the body, where there is one */
		VALUE_LENGTH_OR_0, /* the same, and 0 with POST and PUT */
		VALUE_CLIENT,      /* the client's address */
		VALUE_HOST,        /* what the client's Host says */
		VALUE_SCHEME,
		VALUE_SERVER, /* the server's own name */
		VALUE_VIA,
		VALUE_LESS, /* the client's number, less .text, where there is one */
		VALUE_NONE, /* of the client's alone */
	} value;
	enum {
		PLACE_FIRST,  /* before the client's, whose own of that name goes */
		PLACE_FRONT,  /* before the client's, whose own value wins */
		PLACE_SET,    /* in place of the client's, else at the end */
		PLACE_MERGED, /* behind the client's in one line, else at the end */
		PLACE_LAST,   /* at the end, the client's own goes */
		PLACE_JOINED, /* at the end, behind the client's in one line */
	} place;
	const char *text;
};

struct emulated_request {
	const char *const *only;     /* of the client's fields, as they are spelled here; NULL: all */
	const char *const *left_out; /* of them */
	bool no_underscores;         /* fields with "_" in their names go, too */
	bool joins;                  /* fields of one name become one */
	bool no_empty;               /* fields without a value go */
	struct emulated_added added[6];
};

enum emulated_input {
	INPUT_AGAIN,     /* the body once more */
	INPUT_ZERO,      /* none, and Content-Length: 0 where there was one */
	INPUT_NONE,      /* none, and no field that tells of its length */
	INPUT_ANNOUNCED, /* Content-Length as it was, and no byte behind it */
};

/* -- responses --------------------------------------------------------------------------------------------------- */

/* A field of a response that asks, which survives. */
struct emulated_kept {
	const char *name;
	enum {
		KEEP_BEFORE, /* a line of its own, before the target's */
		KEEP_SET, /* in place of the target's, else at the end, as it is spelled here; lines become one */
		KEEP_TYPE,    /* the same, but behind all others, and not with 204 and 304 */
		KEEP_DEFAULT, /* where the target has none */
	} how;
};

struct emulated_answer {
	bool on_asker; /* the fields are the asker's, but for those in .taken; else the target's */
	const struct emulated_kept *kept; /* ends with a NULL name */
	const char *const *taken;         /* NULL: all */
	const char *const *taken_partial; /* with status 206 and 416 too */
	bool asker_status; /* where .on_asker: the asker's, unless the target's is 206 or 416; 204 becomes 200 */
	const char *const *hidden;
	const char *const *first;          /* names as they are written, in this order; the others follow */
	const char *const *first_of_files; /* the same for the server's own files; NULL: .first */
	const char *const *last;           /* names whose lines go to the end */
	bool by_spelling;                  /* names are the same only in the same letters */
	bool carries_charset;              /* that of an asker's Content-Type, to one that has none */
	bool joins;                        /* fields of one name become one, but for cookies */
	bool joins_vary;                   /* Vary alone, without blanks */
	bool groups;                       /* fields of one name stand together, spelled as the first */
	bool hides_connection;             /* fields that Connection names */
	bool measures;                     /* a short body of unknown length gets one */
	bool measures_nothing;             /* an empty one alone does, behind all others but a type */
	bool rewrites_dates;               /* as HTTP has them */
	bool no_zero_with_head;            /* Content-Length: 0 is not in an answer to HEAD */
	size_t cuts; /* whole bodies of up to so many bytes, when the client asked for a range; 0: never */
};

/* -- a server ---------------------------------------------------------------------------------------------------- */

/* Goes on as the field's value says: fills the response. Returns 0 or a negative errno for the link. */
typedef int (*emulated_go)(struct emulated *at, const char *value);

struct emulated_ask {
	const char *field;
	emulated_go go;
	const char *const *spent; /* what else of the asker goes, where .answer.on_asker */
};

struct emulation {
	const char *name;
	struct emulated_request app, target;
	int (*admit)(
		struct emulated *at); /* the status with which it refuses what the app never sees; 0: none */
	const char *(*app_path)(
		const struct rung_env *env); /* the path as the app gets it; NULL: as it came */
	const struct emulated_ask *asks;     /* by precedence; ends with a NULL field */
	bool (*may_ask)(const struct emulated *at, const struct emulated_ask *ask); /* NULL: always */
	bool targets_ask;                                                           /* chains */
	bool delegates;            /* within itself: .any_host_is_self is about that */
	bool case_counts;          /* in names of .asks */
	enum emulated_input input; /* of the targets */
	struct emulated_answer answer;
	int (*page)(struct emulated *at);    /* of a status of its own; NULL: an empty one */
	int unreachable, no_answer, timeout; /* statuses */
};

extern const struct emulation rung_emulation_nginx, rung_emulation_nginx_hardened, rung_emulation_apache,
	rung_emulation_lighttpd, rung_emulation_perlbal, rung_emulation_h2o, rung_emulation_rack;

/* -- one request ------------------------------------------------------------------------------------------------- */

struct emulated {
	const struct reproxy *reproxy;
	const struct reproxy_frame *frame;
	const struct emulation *rules;
	struct rung_env *env;  /* as the client sent it */
	struct rung_env *view; /* of the last hop */
	struct rung_response *res;
	const char *method;             /* of the next hop */
	const char *path;               /* the server's own idea of where the request is */
	const char *query;              /* belongs to it; NULL: none */
	const char *host;               /* lighttpd's; NULL: the client's */
	bool is_redirected;             /* path and query are not what the client sent any more */
	unsigned hops;                  /* as the server counts them */
	bool is_over;                   /* whatever the response says, it is the last */
	const char *const *also_hidden; /* of this one */
	bool no_memory;                 /* somewhere on the way; then it is a failure, whatever came of it */
	bool is_file;                   /* the server's own */
	bool keeps_asker;               /* as .on_asker, of this one */
	bool from_target;               /* the response came from one */
	bool came_with_input;           /* the client's request has a body, if it is an empty one */
	bool has_input;                 /* it has it still */
	struct rung_field *asked;       /* the fields of the response that asks */
	size_t asked_count;
	int asked_status;
	int64_t asked_size;      /* of its body; -1: not known */
	struct rung_field *held; /* what survives of responses that asked */
	size_t held_count;
	const char *charset; /* see carries_charset */
};

enum { EMULATED_NO_PORT = 65536 }; /* port 0 was written, where nobody listens */

/* A place to fetch from, as the server understood it. */
struct emulated_url {
	const char *scheme;      /* "http" or "https" */
	const char *host;        /* in brackets where it is an IPv6 address */
	unsigned port;           /* 0: none is written */
	const char *host_field;  /* NULL: none */
	const char *script_name; /* NULL: "" */
	const char *path;
	const char *query; /* NULL: none */
	const char *uri;   /* for the log */
	enum emulated_input input;
	const struct emulated_request *request; /* NULL: rules->target */
};

enum emulated_fetched {
	FETCHED,
	FETCH_UNREACHABLE, /* nobody is there */
	FETCH_NO_ANSWER,   /* it hung up before a response */
	FETCH_TIMEOUT,
};

/* emulate.c */

/* Fetches. Returns one of emulated_fetched, or a negative errno for the link. */
int rung_emulated_fetch(struct emulated *at, const struct emulated_url *url);

/* The request once more through what is inside of the layer, under another path. */
int rung_emulated_inside(struct emulated *at, const char *path, const char *query);

/* The same as the place says it all. */
int rung_emulated_inside_at(struct emulated *at, const struct emulated_url *url);

/* The same through an app. */
int rung_emulated_call(struct emulated *at, const struct rung_app *app, const struct emulated_url *url);

/* Answers with an app of this process, which sees that path. */
int rung_emulated_app(struct emulated *at, const struct rung_app *app, const char *path, const char *query);

/* Answers with a status of the server's own, and records why. Returns 0 or a negative errno. */
int rung_emulated_status(struct emulated *at, int status, const char *format, ...) RUNG_PRINTF(3, 4);

/* Turns what a fetch gave into the server's status. Returns 0 or a negative errno. */
int rung_emulated_judge(struct emulated *at, int fetched, const struct emulated_url *url);

/* A copy in the request's memory; NULL, and noted, when there is none. */
char *rung_emulated_copy(struct emulated *at, const char *text, size_t size);

/* A field of the response that asks, or NULL. */
const char *rung_emulated_asked(const struct emulated *at, const char *name);

enum emulated_danger {
	DANGER_CREDENTIALS,
	DANGER_BODY,
	DANGER_LOOP,
	DANGER_SPOOF,
	DANGER_LEAK,
	DANGER_HANG,
	DANGER_CHAIN,
};

/* Says in the log, once a start, what the server does that should not be, and the mend. */
void rung_emulated_warn(const struct emulated *at, enum emulated_danger danger, const char *format, ...)
	RUNG_PRINTF(3, 4);

/* emulate_request.c */

/* The view in which the app sees the request; NULL: out of memory. */
struct rung_env *rung_emulated_app_view(struct emulated *at);

/* The view in which a target sees it. */
struct rung_env *rung_emulated_target_view(struct emulated *at, const struct emulated_url *url);

/* Nearly all names differ in their first letter. */
static inline bool emulated_is(const struct rung_field *field, const char *name)
{
	return (field->name[0] | 0x20) == (name[0] | 0x20) && rung_names_equal(name, field->name);
}

static inline bool emulated_is_listed(const char *const *names, const struct rung_field *field)
{
	for (; names && *names; names++)
		if (emulated_is(field, *names))
			return true;
	return false;
}

/* emulate_held.c */

/* Holds what survives of the response that asks, and empties it. */
int rung_emulated_hold(struct emulated *at, const struct emulated_ask *ask);

/* Joins the response's fields where the rules say so. Returns 0 or a negative errno. */
int rung_emulated_join(struct emulated *at);

/* emulate_body.c */

/* Makes the body an empty one that ends with the connection. */
int rung_emulated_unmeasured(struct emulated *at);

/* emulate_response.c */

/* Makes the answer of what is held and what came. */
int rung_emulated_settle(struct emulated *at);

/* emulate_file.c */

struct rung_emulated_file {
	const char *path;
	const char *
		type; /* NULL: no Content-Type; "": by its name; else where that tells none of the few that all know */
	int64_t expected; /* its size; 0: any */
	const char *(*etag)(const struct rung_env *env, int64_t size, int64_t mtime_ns); /* NULL: none */
	/* What of it was asked for, as a status: 200, 206 with *ret_range, 416; NULL: as RFC 9110 has it. If-Range comes first
	 * where .conditional. */
	int (*range)(const struct rung_env *env, int64_t size, struct rung_range *ret_range);
	bool always_ranges; /* says Accept-Ranges with a part of it, too */
	bool conditional;   /* has Last-Modified, and preconditions count */
};

/* Answers with a regular file. Returns 0, -ENOENT where there is none, or another negative errno. */
int rung_emulated_file(struct emulated *at, const struct rung_emulated_file *file);

/* X-Sendfile: the file that the asker names, with the asker's fields but those that told of its body; 404 where there is
 * none. */
int rung_emulated_sendfile(struct emulated *at, const char *path);

/* For .may_ask: X-Sendfile does where .sendfile says so, all else always. */
bool rung_emulated_may_ask(const struct emulated *at, const struct emulated_ask *ask);

/* emulate_urls.c */

/* The rest of a text, without leading "http://" or "https://", which are told by *ret_scheme; NULL: it has neither. */
const char *rung_emulated_scheme(const char *url, bool any_case, const char **ret_scheme);

/* One of several URLs. Returns how much of the text it takes, or 0 for one that does not count. */
typedef bool (*emulated_parse)(struct emulated *at, const char *url, struct emulated_url *ret_url);

/* Tries URLs that blanks stand between, one after the other, until one answers as `is_good` likes (NULL: anyhow). Returns 0,
 * with *ret_fetched what the last one gave or -1 where none counted; or a negative errno. */
int rung_emulated_try(struct emulated *at, const char *urls, emulated_parse parse,
	bool (*is_good)(const struct emulated *at), int *ret_fetched);

/* locations.c */

/* The location for a path, nginx's way: the exact one, else the longest prefix; for "@name" that name. */
const struct rung_location *rung_emulated_location(const struct rung_locations *locations, const char *path);
int rung_emulated_locations_visit(struct rung_locations *locations, rung_visit_fn visit, void *data);
