/*
 * mod_reproxy.c: a module for Apache 2.4: an app answers with X-Reproxy-Url, and Apache fetches what it names.
 *
 *     apxs -c -i mod_reproxy.c        (Debian: apt-get install apache2-dev)
 *     LoadModule reproxy_module modules/mod_reproxy.so        beside mod_proxy and mod_proxy_http
 *
 * The app's answer, whatever its status, is thrown away but for its cookies and the fields that PreserveHeaders names; the request,
 * without its body, then goes through mod_proxy once more, to the URL. So targets may be anything that mod_proxy reaches, with the
 * timeouts, pools and balancers that are configured for it, and the connection to the app is free while a target answers.
 *
 * Directives, for a server, a virtual host, a <Location> or a <Directory>:
 *
 *     AllowReproxy On|Off             act on X-Reproxy-Url of what answers here, and tell it so: X-Proxy-Capabilities: reproxy-file
 *     PreserveHeaders NAME...         fields of the app's answer that win over the target's
 *     ReproxyTarget PREFIX [WORKER]   only URLs that begin with one of these are fetched; WORKER is where they really are:
 *                                     http://10.0.0.7:9000, balancer://name, unix:/path|http://name. The target still sees the URL's
 *                                     host. Without any of these every http and https URL is fetched, wherever it leads
 *     ReproxyHideHeaders NAME...      fields of the request that targets do not get, such as Cookie and Authorization
 *     ReproxyMaxHops N                what a target answers with is fetched in turn, N times in all; once more is 502. Without
 *                                     it a target's answer is final, and its X-Reproxy-Url a field like any other
 *
 * A field may have several URLs with blanks between them: when a target cannot be connected to, the next one is tried. None left: 502.
 * For the log: %{reproxy-url}n is the URL that was fetched last.
 */
#include <httpd.h>

#include <apr_lib.h>
#include <apr_optional_hooks.h>
#include <apr_strings.h>
#include <apr_uri.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_proxy.h>
#include <util_filter.h>

extern module AP_MODULE_DECLARE_DATA reproxy_module;
APLOG_USE_MODULE(reproxy);

#define FIELD        "X-Reproxy-Url"
#define CAPABILITIES "X-Proxy-Capabilities"

enum { UNSET = -1, MOST_URLS = 16, MOST_HOPS = 50 };

/* -- configuration ----------------------------------------------------------------------------------------------- */

struct target {
	const char *scheme, *host, *path; /* path begins and ends with a slash */
	apr_port_t port;
	const char *worker; /* without a slash at its end; NULL: the URL itself */
};

struct config {
	int allow, max_hops;          /* UNSET: as outside */
	apr_array_header_t *preserve; /* of const char *; NULL: as outside */
	apr_array_header_t *hide;     /* of const char * */
	apr_array_header_t *targets;  /* of struct target */
};

/* Some AllowReproxy is On. Written while the configuration is read, by one thread. */
static int is_wanted;

static void *create_config(apr_pool_t *pool, char *place)
{
	struct config *config = apr_pcalloc(pool, sizeof *config);

	(void)place;
	config->allow = UNSET;
	config->max_hops = UNSET;
	return config;
}

static void *merge_config(apr_pool_t *pool, void *outer_config, void *inner_config)
{
	const struct config *outer = outer_config, *inner = inner_config;
	struct config *merged = apr_pmemdup(pool, outer, sizeof *outer);

	if (inner->allow != UNSET)
		merged->allow = inner->allow;
	if (inner->max_hops != UNSET)
		merged->max_hops = inner->max_hops;
	if (inner->preserve)
		merged->preserve = inner->preserve;
	if (inner->hide)
		merged->hide = inner->hide;
	if (inner->targets)
		merged->targets = inner->targets;
	return merged;
}

static const char *take_allow(cmd_parms *cmd, void *place, int on)
{
	struct config *config = place;

	(void)cmd;
	config->allow = on;
	is_wanted |= on;
	return NULL;
}

static int is_field_name(const char *name)
{
	if (!*name)
		return 0;
	for (; *name; name++)
		if (!apr_isalnum(*name) && !strchr("!#$%&'*+-.^_`|~", *name))
			return 0;
	return 1;
}

static const char *add_name(cmd_parms *cmd, apr_array_header_t **names, const char *name)
{
	if (!is_field_name(name))
		return apr_psprintf(
			cmd->pool, "%s: \"%s\" is no name of a header field", cmd->cmd->name, name);
	if (!*names)
		*names = apr_array_make(cmd->pool, 4, sizeof(const char *));
	APR_ARRAY_PUSH(*names, const char *) = name;
	return NULL;
}

static const char *take_preserve(cmd_parms *cmd, void *place, const char *name)
{
	/* What describes one body must not describe another, and what is between two hops stays there. */
	static const char *const targets_own[] = { "Content-Length", "Transfer-Encoding", "Content-Encoding",
		"Content-Range", "Accept-Ranges", "Connection", "Keep-Alive", "Upgrade", "Trailer", "Date",
		NULL };
	struct config *config = place;

	if (strcasecmp(name, FIELD) == 0)
		return "PreserveHeaders: " FIELD " is what is acted on, and never reaches a client";
	if (strcasecmp(name, "Set-Cookie") == 0)
		return "PreserveHeaders: cookies of app and target both stay as it is; leave Set-Cookie out";
	for (const char *const *own = targets_own; *own; own++)
		if (strcasecmp(name, *own) == 0)
			return apr_psprintf(cmd->pool,
				"PreserveHeaders: %s belongs to the target's body or connection; leave it out",
				*own);
	return add_name(cmd, &config->preserve, name);
}

static const char *take_hide(cmd_parms *cmd, void *place, const char *name)
{
	struct config *config = place;

	return add_name(cmd, &config->hide, name);
}

static const char *take_max_hops(cmd_parms *cmd, void *place, const char *text)
{
	struct config *config = place;
	char *end;
	apr_int64_t number = apr_strtoi64(text, &end, 10);

	if (!*text || *end || number < 1 || number > MOST_HOPS)
		return apr_psprintf(
			cmd->pool, "ReproxyMaxHops: \"%s\" is no number from 1 to %d", text, (int)MOST_HOPS);
	config->max_hops = (int)number;
	return NULL;
}

static apr_port_t port_of(const apr_uri_t *uri)
{
	if (uri->port_str && *uri->port_str)
		return uri->port;
	return strcasecmp(uri->scheme, "https") == 0 ? 443 : 80;
}

/* Splits a URL. True for http and https ones with a host. */
static int parse_url(apr_pool_t *pool, const char *url, apr_uri_t *uri)
{
	for (const char *at = url; *at; at++)
		if (apr_iscntrl(*at))
			return 0;
	return apr_uri_parse(pool, url, uri) == APR_SUCCESS && uri->scheme && uri->hostname &&
	       *uri->hostname &&
	       (strcasecmp(uri->scheme, "http") == 0 || strcasecmp(uri->scheme, "https") == 0);
}

static int is_worker(const char *text)
{
	const char *bar = strchr(text, '|');

	if (strncmp(text, "unix:/", 6) == 0)
		return bar && (strncmp(bar, "|http://", 8) == 0 || strncmp(bar, "|https://", 9) == 0);
	return strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0 ||
	       strncmp(text, "balancer://", 11) == 0;
}

static const char *take_target(cmd_parms *cmd, void *place, const char *prefix, const char *worker)
{
	struct config *config = place;
	apr_uri_t uri;
	size_t size = worker ? strlen(worker) : 0;

	if (!parse_url(cmd->pool, prefix, &uri) || uri.user || uri.password || uri.query || uri.fragment)
		return apr_psprintf(cmd->pool,
			"ReproxyTarget: \"%s\" is no prefix of URLs; write one such as http://files.internal/",
			prefix);
	if (!uri.path || uri.path[strlen(uri.path) - 1] != '/')
		return apr_psprintf(
			cmd->pool, "ReproxyTarget: \"%s\" must end with a slash: \"%s/\"", prefix, prefix);
	if (worker && !is_worker(worker))
		return apr_psprintf(cmd->pool,
			"ReproxyTarget: \"%s\" is no worker; write http://host:port, balancer://name or "
			"unix:/path|http://name",
			worker);
	if (!config->targets)
		config->targets = apr_array_make(cmd->pool, 4, sizeof(struct target));
	APR_ARRAY_PUSH(config->targets, struct target) = (struct target){ .scheme = uri.scheme,
		.host = uri.hostname,
		.path = uri.path,
		.port = port_of(&uri),
		.worker = size && worker[size - 1] == '/' ? apr_pstrmemdup(cmd->pool, worker, size - 1)
							  : worker };
	return NULL;
}

/* The server's table of directives wants functions without their types. */
#define FLAG(name, take, help)       AP_INIT_FLAG(name, take, NULL, RSRC_CONF | ACCESS_CONF, help)
#define ITERATE(name, take, help)    AP_INIT_ITERATE(name, take, NULL, RSRC_CONF | ACCESS_CONF, help)
#define ONE(name, take, help)        AP_INIT_TAKE1(name, take, NULL, RSRC_CONF | ACCESS_CONF, help)
#define ONE_OR_TWO(name, take, help) AP_INIT_TAKE12(name, take, NULL, RSRC_CONF | ACCESS_CONF, help)

static const command_rec directives[] = {
	FLAG("AllowReproxy", take_allow, "On or Off: whether " FIELD " of what answers here is acted on"),
	ITERATE("PreserveHeaders", take_preserve, "fields of the app's answer that win over the target's"),
	ITERATE("ReproxyHideHeaders", take_hide, "fields of the request that targets do not get"),
	ONE("ReproxyMaxHops", take_max_hops, "how often in a row, when targets answer with " FIELD " too"),
	ONE_OR_TWO("ReproxyTarget", take_target, "a prefix of URLs that may be fetched, and where it is"),
	{ 0 }
};

/* -- a request ---------------------------------------------------------------------------------------------------- */

enum state {
	WAITING,    /* for the first of an answer */
	SWALLOWING, /* an answer that is replaced */
	PASSING,    /* the answer that the client gets */
};

/* A request with its hops. */
struct trip {
	const struct config *config;
	enum state state;
	int hop;                /* 0: the app answers */
	int is_sent;            /* a target has the request of this hop */
	const char *urls;       /* that the last answer asks for */
	apr_table_t *preserved; /* what the client gets of answers that were replaced */
};

static void preserve(request_rec *r, struct trip *trip)
{
	const apr_array_header_t *names = trip->config->preserve;

	for (int i = 0; names && i < names->nelts; i++) {
		const char *name = APR_ARRAY_IDX(names, i, const char *);
		const char *value = apr_table_getm(r->pool, r->headers_out, name);

		if (!value && strcasecmp(name, "Content-Type") == 0)
			value = r->content_type;
		/* Of a chain, the answer nearer to the client wins. */
		if (value && !apr_table_get(trip->preserved, name))
			apr_table_set(trip->preserved, name, value);
	}
}

static void restore(request_rec *r, const struct trip *trip)
{
	const apr_array_header_t *fields = apr_table_elts(trip->preserved);

	for (int i = 0; i < fields->nelts; i++) {
		const apr_table_entry_t *field = &APR_ARRAY_IDX(fields, i, apr_table_entry_t);

		if (strcasecmp(field->key, "Content-Type") == 0)
			ap_set_content_type(r, field->val);
		else
			apr_table_setn(r->headers_out, field->key, field->val);
	}
}

/* Takes the field out of an answer. NULL: it is not there. */
static const char *take_urls(request_rec *r)
{
	apr_table_t *const tables[] = { r->headers_out, r->err_headers_out };

	for (int i = 0; i < 2; i++) {
		const char *urls = apr_table_get(tables[i], FIELD);

		if (urls) {
			urls = apr_pstrdup(r->pool, urls);
			apr_table_unset(tables[i], FIELD);
			return urls;
		}
	}
	return NULL;
}

/* Decides what becomes of an answer whose head is there. */
static void judge(request_rec *r, struct trip *trip)
{
	if (trip->hop == 0 || trip->config->max_hops != UNSET)
		trip->urls = take_urls(r);
	trip->state = trip->urls ? SWALLOWING : PASSING;
	if (trip->urls)
		preserve(r, trip);
	else
		restore(r, trip);
}

static apr_status_t filter_answer(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
	struct trip *trip = filter->ctx;

	if (trip->state == WAITING)
		judge(filter->r, trip);
	if (trip->state == SWALLOWING) {
		apr_brigade_cleanup(brigade);
		return APR_SUCCESS;
	}
	ap_remove_output_filter(filter);
	return ap_pass_brigade(filter->next, brigade);
}

/* A target gets no body: the app has had it. */
static apr_status_t filter_body(ap_filter_t *filter, apr_bucket_brigade *brigade, ap_input_mode_t mode,
	apr_read_type_e block, apr_off_t bytes)
{
	(void)mode, (void)block, (void)bytes;
	APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(filter->c->bucket_alloc));
	return APR_SUCCESS;
}

static ap_filter_rec_t *answer_filter, *body_filter;

static int note_sent(request_rec *r, request_rec *to_target)
{
	struct trip *trip = ap_get_module_config(r->request_config, &reproxy_module);

	(void)to_target;
	if (trip)
		trip->is_sent = 1;
	return OK;
}

/* -- where it goes ------------------------------------------------------------------------------------------------ */

/* Where mod_proxy is to go. */
struct place {
	const char *url;  /* in its words */
	const char *host; /* what the target is told */
	int is_elsewhere; /* the host is not the URL's */
};

/* "/../" in any spelling could lead out of a prefix. */
static int has_dots(const char *path)
{
	for (const char *at = strchr(path, '/'); at; at = strchr(at + 1, '/')) {
		const char *dot = at + 1;
		int dots = 0;

		for (; *dot == '.' || strncasecmp(dot, "%2e", 3) == 0; dots++)
			dot += *dot == '.' ? 1 : 3;
		if (dots && (!*dot || *dot == '/' || *dot == '\\' || *dot == ';' || *dot == '%'))
			return 1;
	}
	return 0;
}

static int is_under(const apr_uri_t *uri, const char *path, const struct target *target)
{
	return strcasecmp(uri->scheme, target->scheme) == 0 && strcasecmp(uri->hostname, target->host) == 0 &&
	       port_of(uri) == target->port && strncmp(path, target->path, strlen(target->path)) == 0 &&
	       (!target->path[1] || !has_dots(path));
}

/* Host and port as a URL has them, without user and password. */
static const char *authority(apr_pool_t *pool, const apr_uri_t *uri)
{
	int is_v6 = strchr(uri->hostname, ':') != NULL, has_port = uri->port_str && *uri->port_str;

	return apr_psprintf(pool, "%s%s%s%s%s", is_v6 ? "[" : "", uri->hostname, is_v6 ? "]" : "",
		has_port ? ":" : "", has_port ? uri->port_str : "");
}

static int find_listed(
	apr_pool_t *pool, const apr_array_header_t *targets, const apr_uri_t *uri, struct place *ret_place)
{
	const char *path = uri->path && *uri->path ? uri->path : "/";

	if (uri->user || uri->password)
		return 0;
	for (int i = 0; i < targets->nelts; i++) {
		const struct target *target = &APR_ARRAY_IDX(targets, i, struct target);

		if (!is_under(uri, path, target))
			continue;
		const char *host = authority(pool, uri);
		const char *worker = target->worker ? target->worker
						    : apr_pstrcat(pool, target->scheme, "://", host, NULL);
		ret_place->url = apr_pstrcat(
			pool, worker, path, uri->query ? "?" : "", uri->query ? uri->query : "", NULL);
		ret_place->host = host;
		ret_place->is_elsewhere = target->worker != NULL;
		return 1;
	}
	return 0;
}

/* Returns NULL, or why the URL is not fetched. */
static const char *find_place(
	request_rec *r, const struct config *config, const char *url, struct place *ret_place)
{
	apr_uri_t uri;

	if (!parse_url(r->pool, url, &uri))
		return "is no http or https URL";
	*ret_place = (struct place){ 0 };
	if (config->targets)
		return find_listed(r->pool, config->targets, &uri, ret_place) ? NULL
									      : "is in no ReproxyTarget";
	/* As it is, except that mod_proxy knows schemes in lower case alone. */
	char *scheme = apr_pstrdup(r->pool, uri.scheme);
	ap_str_tolower(scheme);
	ret_place->url = apr_pstrcat(r->pool, scheme, url + strlen(scheme), NULL);
	ret_place->host = authority(r->pool, &uri);
	return NULL;
}

/* -- the way there ------------------------------------------------------------------------------------------------ */

/* Leaves nothing of an answer but its cookies, which mod_proxy puts before those of the next. */
static void forget_answer(request_rec *r)
{
	apr_table_t *cookies = apr_table_make(r->pool, 4);
	const apr_array_header_t *fields = apr_table_elts(r->headers_out);

	for (int i = 0; i < fields->nelts; i++) {
		const apr_table_entry_t *field = &APR_ARRAY_IDX(fields, i, apr_table_entry_t);

		if (strcasecmp(field->key, "Set-Cookie") == 0)
			apr_table_addn(cookies, field->key, field->val);
	}
	r->headers_out = cookies;
	apr_table_clear(r->err_headers_out);
	ap_set_content_type(r, NULL);
	r->content_encoding = NULL;
	r->content_languages = NULL;
	r->status = HTTP_OK;
	r->status_line = NULL;
	r->clength = 0;
	r->mtime = 0;
	r->chunked = 0;
	r->sent_bodyct = 0;
	r->eos_sent = 0;
	/* They would tell the client where things are inside. */
	apr_table_unset(r->notes, "error-notes");
	apr_table_unset(r->notes, "verbose-error-to");
}

/* The target sees the URL's host, wherever mod_proxy goes and whatever host the client asked for. */
static void tell_host(request_rec *r, const struct place *place)
{
	module *proxy = ap_find_linked_module("mod_proxy.c");
	const proxy_dir_conf *shared = ap_get_module_config(r->per_dir_config, proxy);
	proxy_dir_conf *own = apr_pmemdup(r->pool, shared, sizeof *shared);
	const char *asked = apr_table_get(r->headers_in, "Host");

	if (!place->is_elsewhere && !own->preserve_host)
		return; /* as mod_proxy does it by itself */
	if (own->add_forwarded_headers) {
		apr_table_mergen(r->headers_in, "X-Forwarded-For", r->useragent_ip);
		if (asked)
			apr_table_mergen(r->headers_in, "X-Forwarded-Host", asked);
		apr_table_mergen(r->headers_in, "X-Forwarded-Server", r->server->server_hostname);
	}
	own->add_forwarded_headers = 0;
	own->preserve_host = 1;
	apr_table_setn(r->headers_in, "Host", place->host);
	r->per_dir_config =
		ap_merge_per_dir_configs(r->pool, r->per_dir_config, ap_create_per_dir_config(r->pool));
	ap_set_module_config(r->per_dir_config, proxy, own);
}

static void dress_request(request_rec *r, const struct trip *trip, const struct place *place)
{
	const apr_array_header_t *hide = trip->config->hide;

	r->headers_in = apr_table_copy(r->pool, r->headers_in);
	apr_table_unset(r->headers_in, CAPABILITIES);
	apr_table_unset(r->headers_in, "Expect");
	for (int i = 0; hide && i < hide->nelts; i++)
		apr_table_unset(r->headers_in, APR_ARRAY_IDX(hide, i, const char *));
	r->expecting_100 = 0;
	r->filename = apr_pstrcat(r->pool, "proxy:", place->url, NULL);
	r->handler = "proxy-server";
	r->proxyreq = PROXYREQ_REVERSE;
	tell_host(r, place);
}

/* Runs mod_proxy's handler as if the request were for that place. */
static int fetch(request_rec *r, struct trip *trip, const struct place *place)
{
	apr_table_t *headers_in = r->headers_in;
	ap_conf_vector_t *per_dir_config = r->per_dir_config;
	const char *handler = r->handler;
	char *filename = r->filename;
	int proxyreq = r->proxyreq;

	forget_answer(r);
	dress_request(r, trip, place);
	trip->state = WAITING;
	trip->urls = NULL;
	trip->is_sent = 0;
	ap_filter_t *no_body = ap_add_input_filter_handle(body_filter, NULL, r, r->connection);
	int rc = ap_run_handler(r);
	ap_remove_input_filter(no_body);
	r->headers_in = headers_in;
	r->per_dir_config = per_dir_config;
	r->handler = handler;
	r->filename = filename;
	r->proxyreq = proxyreq;
	return rc;
}

/* The next URL of a list, or NULL. */
static const char *next_url(request_rec *r, const char **at)
{
	while (**at == ' ' || **at == '\t')
		(*at)++;
	return **at ? ap_getword_white(r->pool, at) : NULL;
}

static int give_up(request_rec *r, struct trip *trip)
{
	forget_answer(r);
	apr_table_clear(r->headers_out);
	trip->state = PASSING;
	return HTTP_BAD_GATEWAY;
}

/* One hop: the URLs in turn, until one of them leads somewhere. */
static int hop(request_rec *r, struct trip *trip)
{
	const char *urls = trip->urls, *at = urls, *url;

	for (int i = 0; i < MOST_URLS && (url = next_url(r, &at)); i++) {
		struct place place;
		const char *why = find_place(r, trip->config, url, &place);

		if (why) {
			ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "reproxy: %s %s", url, why);
			continue;
		}
		apr_table_setn(r->notes, "reproxy-url", url);
		int rc = fetch(r, trip, &place);
		if (trip->is_sent || trip->state != WAITING || r->connection->aborted) {
			ap_log_rerror(
				APLOG_MARK, APLOG_DEBUG, 0, r, "reproxy: hop %d went to %s", trip->hop, url);
			return rc;
		}
		ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, "reproxy: %s cannot be reached (%d); %s", url,
			rc,
			next_url(r, &(const char *){ at }) ? "the next one is tried"
							   : "no other one is left");
	}
	ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "reproxy: none of \"%s\" could be fetched", urls);
	return give_up(r, trip);
}

static int follow(request_rec *r, struct trip *trip, int rc)
{
	int most = trip->config->max_hops == UNSET ? 1 : trip->config->max_hops;

	while (trip->urls && !r->connection->aborted) {
		if (++trip->hop > most) {
			ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
				"reproxy: more than ReproxyMaxHops %d, the next were \"%s\"", most,
				trip->urls);
			return give_up(r, trip);
		}
		rc = hop(r, trip);
	}
	/* A target that took the request and then failed. The page about it is the server's own. */
	if (trip->state == WAITING && ap_is_HTTP_SERVER_ERROR(rc))
		give_up(r, trip);
	return rc;
}

/* -- hooks -------------------------------------------------------------------------------------------------------- */

/* Stands around all other handlers: runs the one that answers, and goes on from what it answered. */
static int handle(request_rec *r)
{
	const struct config *config = ap_get_module_config(r->per_dir_config, &reproxy_module);

	if (config->allow != 1 || r->main || r->proxyreq == PROXYREQ_PROXY ||
		ap_get_module_config(r->request_config, &reproxy_module))
		return DECLINED;
	struct trip *trip = apr_pcalloc(r->pool, sizeof *trip);
	trip->config = config;
	trip->preserved = apr_table_make(r->pool, 4);
	ap_set_module_config(r->request_config, &reproxy_module, trip);
	apr_table_mergen(r->headers_in, CAPABILITIES, "reproxy-file");
	ap_filter_t *filter = ap_add_output_filter_handle(answer_filter, trip, r, r->connection);
	int rc = ap_run_handler(r);
	/* What passed no brigade may ask too: an error that mod_proxy was told to make a page for. */
	if (trip->state == WAITING && rc != DECLINED)
		judge(r, trip);
	apr_table_unset(r->headers_in, CAPABILITIES);
	if (trip->urls)
		rc = follow(r, trip, rc);
	ap_remove_output_filter(filter);
	ap_set_module_config(r->request_config, &reproxy_module, NULL);
	return rc;
}

static int check(apr_pool_t *pool, apr_pool_t *log, apr_pool_t *temporary, server_rec *server)
{
	(void)pool, (void)log, (void)temporary;
	if (!is_wanted)
		return OK;
	if (!ap_find_linked_module("mod_proxy.c") || !ap_find_linked_module("mod_proxy_http.c")) {
		ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, server,
			"AllowReproxy On takes mod_proxy and mod_proxy_http; load both");
		return HTTP_INTERNAL_SERVER_ERROR;
	}
	return OK;
}

static void register_hooks(apr_pool_t *pool)
{
	(void)pool;
	/* Nearer to the handler than any filter that changes bodies: those work on what the client gets. */
	answer_filter = ap_register_output_filter("REPROXY", filter_answer, NULL, AP_FTYPE_RESOURCE - 1);
	body_filter = ap_register_input_filter("REPROXY_NO_BODY", filter_body, NULL, AP_FTYPE_RESOURCE - 1);
	ap_hook_check_config(check, NULL, NULL, APR_HOOK_MIDDLE);
	ap_hook_handler(handle, NULL, NULL, APR_HOOK_REALLY_FIRST);
	APR_OPTIONAL_HOOK(proxy, create_req, note_sent, NULL, NULL, APR_HOOK_MIDDLE);
}

module AP_MODULE_DECLARE_DATA reproxy_module = { STANDARD20_MODULE_STUFF, create_config, merge_config, NULL,
	NULL, directives, register_hooks, AP_MODULE_FLAG_NONE };
