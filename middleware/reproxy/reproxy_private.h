/* reproxy_private.h: private: what the files of the reproxy layer share. */
#pragma once

#include <rung/body.h>
#include <rung/reproxy.h>
#include <rung/response.h>
#include <rung/uri.h>

#include <stdatomic.h>

struct emulation;
struct reproxy;

/* What one server in front wants. Each is in a file of its name. */
struct reproxy_rules {
	/* Adds the server's fields to a response whose body is empty by now and which has neither entity nor control
	 * fields. Returns 0 or the error that stuck in res. */
	int (*emit)(const struct reproxy *reproxy, struct rung_response *res, const struct rung_uri *uri,
		const char *text);
	/* To a HEAD the server would send what it fetches by GET, body and all, unless the status keeps the method. */
	bool head_as_307;
	bool by_address; /* the server has no groups with names: URIs say where targets really are */
};

extern const struct reproxy_rules rung_reproxy_header_rules;
extern const struct reproxy_rules rung_reproxy_nginx_rules;
extern const struct reproxy_rules rung_reproxy_apache_rules;
extern const struct reproxy_rules rung_reproxy_lighttpd_rules;
extern const struct reproxy_rules rung_reproxy_perlbal_rules;
extern const struct reproxy_rules rung_reproxy_h2o_rules;

struct reproxy {
	struct rung_app app;
	enum rung_server_kind asked;       /* .server */
	enum rung_server_kind server;      /* since start: what is done */
	const struct reproxy_rules *rules; /* since start: NULL for redispatch */
	struct rung_app *everything;       /* .app */
	struct rung_names *names;
	struct rung_app *remote;
	char **hosts;
	bool any_host_is_self;
	char *base;
	char *header;
	char *location;
	unsigned asked_hops; /* .max_hops; 0: as the setup says */
	unsigned max_hops;
	const char *const *authorities;    /* since start: where this process listens */
	const struct emulation *emulation; /* since start: NULL unless a server is emulated */
	struct rung_locations *locations;
	char *sendfile;
	bool as_is;
	atomic_uint *warned; /* bits of dangers that the log has been told of */
	char **targets;      /* since start: where other authorities really are */
};

/* The names of this layer and of those outside it, as a value of the request. */
struct reproxy_frame {
	const struct rung_names *names;
	const struct reproxy_frame *outer;
};
extern const struct rung_key rung_reproxy_frame_key;

/* -- reproxy.c ------------------------------------------------------------------------------------------------- */

/* Makes the response what a server in front is told of this URI. Returns 0 or a negative errno. */
int rung_reproxy_emit(
	const struct reproxy *reproxy, struct rung_env *env, struct rung_response *res, const char *uri);

/* -- emulate.c ------------------------------------------------------------------------------------------------- */

/* Answers the request as the emulated server would. Returns 0 or what the link shall make of it. */
int rung_reproxy_emulate(const struct reproxy *reproxy, const struct reproxy_frame *frame,
	struct rung_env *env, struct rung_response *res);

/* -- control.c ------------------------------------------------------------------------------------------------- */

/* Removes from the request what steers a server, in every spelling. Returns 0 or -ENOMEM. */
int rung_reproxy_scrub_request(const struct reproxy *reproxy, struct rung_env *env);

/* Removes from the response what steers a server. */
void rung_reproxy_scrub_response(const struct reproxy *reproxy, struct rung_response *res);

/* Fields that describe the body a response had; they must not describe another. NULL-ended. */
extern const char *const rung_reproxy_entity_fields[];

/* -- destination.c ----------------------------------------------------------------------------------------------- */

/* A URI that has been understood. */
struct destination {
	const char *text;    /* absolute, dot segments removed, without fragment, with a path; in the arena */
	struct rung_uri uri; /* parts of text */
	bool is_relative;    /* the app gave no authority */
};

/* Returns 0; -EHOSTUNREACH, recorded with its reason, for what is no http or https URI or is not safe; -ENOMEM. */
int rung_reproxy_understand(const struct reproxy *reproxy, struct rung_env *env, const char *uri,
	struct destination *ret_destination);

/* True when the URI's authority is that host and port; without a port it is the default one. */
bool rung_reproxy_same_authority(
	const struct rung_uri *uri, const struct rung_slice *host, const struct rung_slice *port);

/* True when the URI's authority is in .hosts. */
bool rung_reproxy_is_listed(const struct reproxy *reproxy, const struct rung_uri *uri);

/* True when the destination is this stack itself. */
bool rung_reproxy_is_self(const struct reproxy *reproxy, const struct destination *destination);

/* -- self.c ------------------------------------------------------------------------------------------------------ */

/* Dispatches the request again for as long as responses ask for it. Returns 0 or what the link shall make of it. */
int rung_reproxy_redispatch(const struct reproxy *reproxy, const struct reproxy_frame *frame,
	struct rung_env *env, struct rung_response *res, const char *uri);

/* The URI a response asks for, taken out of it, or NULL. In the arena. */
const char *rung_reproxy_take_uri(const struct reproxy *reproxy, struct rung_response *res);

/* -- target.c ---------------------------------------------------------------------------------------------------- */

/* "AUTHORITY=ADDRESS", split. */
struct reproxy_target {
	struct rung_slice authority, host, port;
	const char *address;
	bool is_local; /* a Unix socket, "unix:/path" */
};

/* Returns 0, or -EINVAL, refused. */
int rung_reproxy_target_parse(const char *text, struct reproxy_target *ret_target);

/* Refuses targets that are none, or that the server in front cannot be told of. */
int rung_reproxy_check_targets(const struct reproxy *reproxy, const char *const *targets);

/* Where the URI's authority really is, "10.0.0.7:80"; NULL when nobody said. */
const char *rung_reproxy_real_authority(const struct reproxy *reproxy, const struct rung_uri *uri);

/* -- reproxy.c --------------------------------------------------------------------------------------------------- */

/* The app as a reproxy layer, or NULL. */
const struct reproxy *rung_reproxy_of(const struct rung_app *app);
