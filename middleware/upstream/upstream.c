/* upstream.c: the app: its options, its start, and a request from end to end. See upstream.h. */
#include "../../framework/uri_private.h"
#include "upstream_private.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	USUAL_TRANSFERS = 256,
	USUAL_HEADER_BYTES = 8 * 1024,
	USUAL_CONNECT = 10,
	USUAL_IDLE = 60,
	USUAL_KEEP = 60,
	MOST_TRANSFERS = 65536,
	MOST_HEADER_BYTES = 1024 * 1024,
	MOST_SECONDS = 1000000,
};

/* -- answering ------------------------------------------------------------------------------------------------------- */

/* The authority of the URI that led here. A server that is emulated may let the target see another Host; a relative URI has
 * none of its own. NULL: out of memory. */
static const char *authority_of(const struct rung_env *env)
{
	const char *at = strncasecmp(env->uri, "http://", 7) == 0    ? env->uri + 7
			 : strncasecmp(env->uri, "https://", 8) == 0 ? env->uri + 8
								     : env->host;
	size_t size = strcspn(at, "/?#");
	const char *userinfo = memrchr(at, '@', size);

	if (!userinfo)
		return rung_strndup(env, at, size);
	return rung_strndup(env, userinfo + 1, size - (size_t)(userinfo + 1 - at));
}

/* What a URI names. */
static int choose_remote(struct upstream *upstream, struct rung_env *env, struct transfer *transfer)
{
	struct rung_slice host, port;
	bool is_https = strcmp(env->scheme, "https") == 0;
	const char *authority;

	/* Its Host is the client's word. */
	if (!env->uri)
		return rung_fail(env, -EHOSTUNREACH,
			"upstream: with .allow it answers URIs alone; give it to rung_reproxy() as .remote");
	authority = authority_of(env);
	if (!authority)
		return -ENOMEM;
	if (rung_uri_parse_authority(authority, strlen(authority), &host, &port) < 0)
		return rung_fail(env, -EHOSTUNREACH, "upstream: \"%.200s\" is no authority", authority);
	struct rung_uri uri = {
		.scheme = { is_https ? "https" : "http", is_https ? 5 : 4 }, .host = host, .port = port
	};
	if (!rung_upstream_allow_host(&upstream->allow, host.at, host.size, rung_uri_port(&uri)))
		return rung_fail(env, -EHOSTUNREACH, "upstream: %.200s is not listed in .allow", authority);
	transfer->url = rung_printf(env, "%s://%s/", uri.scheme.at, authority);
	transfer->host = rung_uri_port(&uri) == rung_uri_default_port(&uri)
				 ? rung_strndup(env, host.at, host.size)
				 : authority;
	return transfer->url && transfer->host ? 0 : -ENOMEM;
}

static int choose(struct upstream *upstream, struct rung_env *env, struct transfer *transfer)
{
	struct origins *origins = &upstream->origins;

	if (upstream->is_remote)
		return choose_remote(upstream, env, transfer);
	transfer->first_origin =
		origins->count > 1 ? atomic_fetch_add(&origins->next, 1) % origins->count : 0;
	transfer->origin = rung_upstream_origin_pick(origins, transfer->first_origin, &transfer->tried);
	return 0;
}

/* It is done, or will be as soon as the engine has told what it knows. */
static int explain(struct transfer *transfer, struct rung_env *env)
{
	const char *who = transfer->origin ? transfer->origin->text : transfer->url;

	return rung_fail(env, transfer->err, "upstream: %s: %s", who, transfer->why);
}

/* Sends it and waits until something can be said to the client. */
static int ask(struct transfer *transfer, struct rung_env *env)
{
	rung_upstream_transfer_start(transfer);
	int rc = transfer->streams_input ? rung_upstream_transfer_feed(transfer, env) : 0;
	if (rc < 0)
		return rc;
	rung_upstream_transfer_wait(transfer);
	pthread_mutex_lock(&transfer->lock);
	bool has_answer = transfer->has_head && (!transfer->err || transfer->ring.size);
	pthread_mutex_unlock(&transfer->lock);
	return has_answer ? 0 : explain(transfer, env);
}

static int upstream_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct upstream *upstream = (struct upstream *)(uintptr_t)self;
	struct transfer *transfer;
	int rc = rung_upstream_transfer_take(upstream, &transfer);

	if (rc == -EBUSY) {
		rung_log(env, RUNG_LOG_WARNING,
			"rung: upstream: %u transfers are under way; no more are taken (.transfers)",
			upstream->most_transfers);
		return rung_reply_empty(res, 503);
	}
	if (rc < 0)
		return rung_fail(env, rc, "upstream: out of memory");
	rc = choose(upstream, env, transfer);
	if (rc == 0)
		rc = rung_upstream_request_set(transfer, env);
	if (rc == 0)
		rc = ask(transfer, env);
	if (rc == 0)
		return rung_upstream_answer(transfer, env, res);
	rung_upstream_transfer_give(transfer);
	return rc;
}

static bool upstream_admit(
	const struct rung_app *self, struct rung_env *env, struct rung_admission *admission)
{
	const struct upstream *upstream = (const struct upstream *)self;

	(void)env;
	admission->stream_input = admission->stream_input || upstream->stream_input;
	if (upstream->body_limit)
		admission->body_limit = upstream->body_limit;
	return true;
}

/* -- life ------------------------------------------------------------------------------------------------------------ */

static pthread_once_t libcurl_once = PTHREAD_ONCE_INIT;
static CURLcode libcurl_state;

static void start_libcurl(void)
{
	libcurl_state = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* It would ask itself until no worker is left. */
static int refuse_self(const struct upstream *upstream, const struct rung_setup *setup)
{
	for (unsigned i = 0; i < upstream->origins.count; i++) {
		const struct origin *origin = &upstream->origins.list[i];

		for (const char *const *own = setup->authorities; own && *own; own++)
			if (*origin->authority && strcasecmp(origin->authority, *own) == 0)
				return rung_refuse(-EINVAL,
					"upstream: .to \"%s\" is where this server itself listens; name the backend",
					origin->text);
	}
	return 0;
}

static int upstream_start(struct rung_app *app, const struct rung_setup *setup)
{
	struct upstream *upstream = (struct upstream *)app;
	int rc = refuse_self(upstream, setup);

	if (rc < 0)
		return rc;
	if (upstream->ca && access(upstream->ca, R_OK) < 0)
		return rung_refuse(
			-errno, "upstream: .ca \"%s\" cannot be read: %s", upstream->ca, strerror(errno));
	pthread_once(&libcurl_once, start_libcurl);
	if (libcurl_state)
		return rung_refuse(-ENOMEM, "upstream: libcurl: %s", curl_easy_strerror(libcurl_state));
	return rung_upstream_engine_start(upstream, &upstream->engine);
}

static void upstream_stop(struct rung_app *app)
{
	struct upstream *upstream = (struct upstream *)app;

	rung_upstream_engine_stop(upstream->engine);
	upstream->engine = NULL;
	while (upstream->free) {
		struct transfer *transfer = upstream->free;

		upstream->free = transfer->next;
		rung_upstream_transfer_free(transfer);
	}
}

static void upstream_destroy(struct rung_app *app)
{
	struct upstream *upstream = (struct upstream *)app;

	rung_upstream_origins_free(&upstream->origins);
	rung_upstream_allow_free(&upstream->allow);
	pthread_mutex_destroy(&upstream->lock);
	free(upstream->to);
	free(upstream->ca);
}

static void upstream_describe(const struct rung_app *app, char *buffer, size_t room)
{
	const struct upstream *upstream = (const struct upstream *)app;

	if (upstream->is_remote)
		snprintf(buffer, room, "allow=%u transfers=%u", upstream->allow.count,
			upstream->most_transfers);
	else
		snprintf(buffer, room, "to=\"%s\" transfers=%u", upstream->to, upstream->most_transfers);
}

static const struct rung_app_class upstream_class = {
	.size = sizeof(struct upstream),
	.name = "upstream",
	.flags = RUNG_ENDPOINT | RUNG_BLOCKS,
	.call = upstream_call,
	.start = upstream_start,
	.stop = upstream_stop,
	.destroy = upstream_destroy,
	.describe = upstream_describe,
	.admit = upstream_admit,
};

/* -- making ---------------------------------------------------------------------------------------------------------- */

static int check(const struct rung_upstream_options *options)
{
	if (!options->to == !options->allow)
		return rung_refuse(
			-EINVAL, "upstream: give it either .to, a backend, or .allow, what URIs may name");
	if (options->transfers > MOST_TRANSFERS || options->kept > MOST_TRANSFERS)
		return rung_refuse(
			-EINVAL, "upstream: .transfers and .kept may be %d at most", MOST_TRANSFERS);
	if (options->header_bytes &&
		(options->header_bytes < 256 || options->header_bytes > MOST_HEADER_BYTES))
		return rung_refuse(-EINVAL, "upstream: .header_bytes may be 256 to %d", MOST_HEADER_BYTES);
	if (options->connect_seconds > MOST_SECONDS || options->idle_seconds > MOST_SECONDS ||
		options->keep_seconds > MOST_SECONDS)
		return rung_refuse(-EINVAL, "upstream: its times may be %d seconds at most", MOST_SECONDS);
	if (options->body_limit < 0)
		return rung_refuse(-EINVAL, "upstream: .body_limit is negative; use bytes");
	return 0;
}

static unsigned or_usual(unsigned given, unsigned usual)
{
	return given ? given : usual;
}

static int copy_options(struct upstream *upstream, const struct rung_upstream_options *options)
{
	upstream->is_remote = options->allow != NULL;
	upstream->pass_host = options->pass_host;
	upstream->trust_forwarded = options->trust_forwarded;
	upstream->no_forwarded = options->no_forwarded;
	upstream->stream_input = options->stream_input;
	upstream->body_limit = options->body_limit;
	upstream->most_transfers = or_usual(options->transfers, USUAL_TRANSFERS);
	upstream->kept = or_usual(options->kept, upstream->most_transfers);
	upstream->header_bytes = options->header_bytes ? options->header_bytes : USUAL_HEADER_BYTES;
	upstream->connect_ms = or_usual(options->connect_seconds, USUAL_CONNECT) * 1000L;
	upstream->idle_ms = or_usual(options->idle_seconds, USUAL_IDLE) * 1000L;
	upstream->keep_seconds = or_usual(options->keep_seconds, USUAL_KEEP);
	if ((options->to && !(upstream->to = strdup(options->to))) ||
		(options->ca && !(upstream->ca = strdup(options->ca))))
		return rung_refuse(-ENOMEM, "upstream: out of memory");
	return options->to ? rung_upstream_origins_parse(options->to, &upstream->origins)
			   : rung_upstream_allow_parse(options->allow, &upstream->allow);
}

struct rung_app *rung_upstream_new(const struct rung_upstream_options *given)
{
	struct rung_upstream_options options;

	if (rung_options_copy("upstream", &options, given, sizeof options) < 0 || check(&options) < 0)
		return NULL;
	struct upstream *upstream = rung_app_new(&upstream_class);
	if (!upstream)
		return NULL;
	/* Does not fail on Linux with default attributes. */
	pthread_mutex_init(&upstream->lock, NULL);
	if (copy_options(upstream, &options) == 0)
		return &upstream->app;
	rung_app_destroy(&upstream->app);
	return NULL;
}
