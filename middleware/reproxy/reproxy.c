/* reproxy.c: the layer: its options, its start, and the choice between emission and redispatch. See reproxy.h. */
#include "emulate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_HOPS = 10, MOST_HOPS = 50 };

const struct rung_key rung_reproxy_frame_key = { .name = "reproxy.frame" };

static const struct reproxy_rules *const rules_of[] = {
	[RUNG_SERVER_AUTO] = NULL,
	[RUNG_SERVER_SELF] = NULL,
	[RUNG_SERVER_HEADER] = &rung_reproxy_header_rules,
	[RUNG_SERVER_NGINX] = &rung_reproxy_nginx_rules,
	[RUNG_SERVER_APACHE] = &rung_reproxy_apache_rules,
	[RUNG_SERVER_LIGHTTPD] = &rung_reproxy_lighttpd_rules,
	[RUNG_SERVER_PERLBAL] = &rung_reproxy_perlbal_rules,
	[RUNG_SERVER_H2O] = &rung_reproxy_h2o_rules,
	[RUNG_EMULATE_NGINX] = &rung_reproxy_nginx_rules,
	[RUNG_EMULATE_NGINX_HARDENED] = &rung_reproxy_nginx_rules,
	[RUNG_EMULATE_APACHE] = &rung_reproxy_apache_rules,
	[RUNG_EMULATE_LIGHTTPD] = &rung_reproxy_lighttpd_rules,
	[RUNG_EMULATE_PERLBAL] = &rung_reproxy_perlbal_rules,
	[RUNG_EMULATE_H2O] = &rung_reproxy_h2o_rules,
	[RUNG_EMULATE_RACK] = &rung_reproxy_header_rules,
};

enum { SERVER_COUNT = sizeof rules_of / sizeof *rules_of };

static const struct emulation *const emulations[SERVER_COUNT] = {
	[RUNG_EMULATE_NGINX] = &rung_emulation_nginx,
	[RUNG_EMULATE_NGINX_HARDENED] = &rung_emulation_nginx_hardened,
	[RUNG_EMULATE_APACHE] = &rung_emulation_apache,
	[RUNG_EMULATE_LIGHTTPD] = &rung_emulation_lighttpd,
	[RUNG_EMULATE_PERLBAL] = &rung_emulation_perlbal,
	[RUNG_EMULATE_H2O] = &rung_emulation_h2o,
	[RUNG_EMULATE_RACK] = &rung_emulation_rack,
};

/* -- answering --------------------------------------------------------------------------------------------------- */

int rung_reproxy_emit(
	const struct reproxy *reproxy, struct rung_env *env, struct rung_response *res, const char *uri)
{
	struct destination to;
	int rc = rung_reproxy_understand(reproxy, env, uri, &to);

	if (rc < 0)
		return rc;
	rung_body_close(res);
	for (const char *const *name = rung_reproxy_entity_fields; *name; name++)
		rung_header_remove(res, *name);
	rung_reproxy_scrub_response(reproxy, res);
	rung_header_static(res, "X-Reproxied", "1");
	if (reproxy->rules->head_as_307 && strcmp(env->method, "HEAD") == 0)
		res->status = 307;
	const char *address =
		reproxy->rules->by_address ? rung_reproxy_real_authority(reproxy, &to.uri) : NULL;
	if (address) {
		/* With a path there is always a slash, and behind it query and end. */
		to.text = rung_printf(env, "%.*s://%s%s", (int)to.uri.scheme.size, to.uri.scheme.at, address,
			to.uri.path.at);
		if (!to.text)
			return rung_fail(env, -ENOMEM, "reproxy: no memory for a URI");
	}
	return reproxy->rules->emit(reproxy, res, &to.uri, to.text);
}

/* Tells what is inside which field to use, and which names there are. The frame is what this layer resolves by: its
 * own names and those outside it, but not those that a layer inside announces later. */
static int announce(
	const struct reproxy *reproxy, struct rung_env *env, const struct reproxy_frame **ret_frame)
{
	const struct reproxy_frame *outer = rung_env_get(env, &rung_reproxy_frame_key);

	rung_uri_header_set(env, reproxy->header);
	*ret_frame = outer;
	if (!reproxy->names)
		return 0;
	struct reproxy_frame *frame = rung_alloc(env, sizeof *frame);
	if (!frame)
		return -ENOMEM;
	*frame = (struct reproxy_frame){ reproxy->names, outer };
	*ret_frame = frame;
	return rung_env_set(env, &rung_reproxy_frame_key, frame);
}

static int reproxy_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct reproxy *reproxy = (const struct reproxy *)self;
	const struct reproxy_frame *frame = NULL;
	int rc = reproxy->as_is ? 0 : rung_reproxy_scrub_request(reproxy, env);

	if (rc == 0)
		rc = announce(reproxy, env, &frame);
	if (rc < 0)
		return rc;
	if (reproxy->emulation)
		return rung_reproxy_emulate(reproxy, frame, env, res);
	rung_next(self, env, res);
	const char *uri = rung_reproxy_take_uri(reproxy, res);
	if (uri && reproxy->rules)
		return rung_reproxy_emit(reproxy, env, res, uri);
	if (uri)
		rc = rung_reproxy_redispatch(reproxy, frame, env, res, uri);
	rung_reproxy_scrub_response(reproxy, res);
	return rc;
}

/* -- lists of strings ------------------------------------------------------------------------------------------- */

static void free_list(char **list)
{
	for (char **at = list; at && *at; at++)
		free(*at);
	free(list);
}

/* NULL stays NULL. Returns 0 or -ENOMEM; what was copied then is in the copy, to be freed. */
static int copy_list(char ***copy, const char *const *list)
{
	size_t count = 0;

	if (!list)
		return 0;
	while (list[count])
		count++;
	*copy = calloc(count + 1, sizeof(char *));
	if (!*copy)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (!((*copy)[i] = strdup(list[i])))
			return -ENOMEM;
	return 0;
}

/* -- life -------------------------------------------------------------------------------------------------------- */

static int reproxy_start(struct rung_app *app, const struct rung_setup *setup)
{
	struct reproxy *reproxy = (struct reproxy *)app;

	reproxy->server = reproxy->asked != RUNG_SERVER_AUTO  ? reproxy->asked
			  : setup->server != RUNG_SERVER_AUTO ? setup->server
							      : RUNG_SERVER_SELF;
	reproxy->rules = rules_of[reproxy->server];
	reproxy->emulation = emulations[reproxy->server];
	if (reproxy->emulation && !reproxy->warned && !(reproxy->warned = calloc(1, sizeof *reproxy->warned)))
		return rung_refuse(-ENOMEM, "reproxy: out of memory");
	reproxy->authorities = setup->authorities;
	free_list(reproxy->targets);
	reproxy->targets = NULL;
	if (rung_reproxy_check_targets(reproxy, setup->targets) < 0)
		return -EINVAL;
	if (copy_list(&reproxy->targets, setup->targets) < 0)
		return rung_refuse(-ENOMEM, "reproxy: out of memory");
	if (!reproxy->asked_hops)
		reproxy->max_hops = setup->max_hops ? setup->max_hops : DEFAULT_HOPS;
	if (reproxy->rules && !reproxy->emulation && setup->is_public)
		rung_setup_log(setup, RUNG_LOG_WARNING,
			"rung: reproxy emits for %s on a public address: whoever connects past that server sees internal "
			"URIs; listen on loopback, or let only that server in",
			rung_server_kind_name(reproxy->server));
	return 0;
}

static int reproxy_children(struct rung_app *app, rung_visit_fn visit, void *data)
{
	struct reproxy *reproxy = (struct reproxy *)app;
	int rc = 0;

	if (reproxy->everything)
		rc = visit(reproxy->everything, ".app", data);
	if (rc == 0)
		rc = rung_names_visit(reproxy->names, visit, data);
	if (rc == 0)
		rc = rung_emulated_locations_visit(reproxy->locations, visit, data);
	if (rc == 0 && reproxy->remote)
		rc = visit(reproxy->remote, ".remote", data);
	return rc;
}

static void reproxy_destroy(struct rung_app *app)
{
	struct reproxy *reproxy = (struct reproxy *)app;

	rung_drop(reproxy->everything);
	rung_names_destroy(reproxy->names);
	rung_locations_destroy(reproxy->locations);
	rung_drop(reproxy->remote);
	free_list(reproxy->hosts);
	free_list(reproxy->targets);
	free(reproxy->base);
	free(reproxy->header);
	free(reproxy->location);
	free(reproxy->sendfile);
	free(reproxy->warned);
}

static void reproxy_describe(const struct rung_app *app, char *buffer, size_t room)
{
	const struct reproxy *reproxy = (const struct reproxy *)app;
	enum rung_server_kind server = reproxy->server ? reproxy->server : reproxy->asked;

	snprintf(buffer, room, "server=%s max_hops=%u", rung_server_kind_name(server), reproxy->max_hops);
}

static const struct rung_app_class reproxy_class = {
	.size = sizeof(struct reproxy),
	.name = "reproxy",
	.flags = RUNG_LAYER,
	.call = reproxy_call,
	.start = reproxy_start,
	.destroy = reproxy_destroy,
	.children = reproxy_children,
	.describe = reproxy_describe,
};

const struct reproxy *rung_reproxy_of(const struct rung_app *app)
{
	return app->class_ == &reproxy_class ? (const struct reproxy *)app : NULL;
}

/* -- making ------------------------------------------------------------------------------------------------------ */

static int check_base(const char *base)
{
	struct rung_uri uri;
	bool ok = rung_uri_parse(base, strlen(base), &uri) == 0 && uri.scheme.at && uri.host.size &&
		  !uri.userinfo.at && uri.path.size == 0 && !uri.query.at && !uri.fragment.at;

	if (ok && (strncmp(base, "http://", 7) == 0 || strncmp(base, "https://", 8) == 0))
		return 0;
	return rung_refuse(
		-EINVAL, "reproxy: .base \"%s\" is not scheme and authority; write http://host:port", base);
}

static int check_hosts(const char *const *hosts)
{
	struct rung_slice host, port;

	for (; hosts && *hosts; hosts++)
		if (rung_uri_parse_authority(*hosts, strlen(*hosts), &host, &port) < 0)
			return rung_refuse(-EINVAL,
				"reproxy: \"%s\" in .hosts is no authority; write host or host:port", *hosts);
	return 0;
}

static int check_location(const char *location)
{
	if (*location != '/' && *location != '@')
		return rung_refuse(-EINVAL,
			"reproxy: .location \"%s\" is no location of nginx; start it with / or @", location);
	for (const char *at = location; *at; at++)
		if (*at <= ' ' || *at > '~')
			return rung_refuse(
				-EINVAL, "reproxy: .location has a blank or a byte beyond ASCII; encode it");
	return 0;
}

static int check(const struct rung_reproxy_options *options)
{
	if ((unsigned)options->server >= SERVER_COUNT)
		return rung_refuse(-EINVAL, "reproxy: .server %d is none; use one of RUNG_SERVER_...",
			(int)options->server);
	if (options->max_hops > MOST_HOPS)
		return rung_refuse(
			-EINVAL, "reproxy: .max_hops %u; at most %d", options->max_hops, MOST_HOPS);
	if (options->header && !rung_is_token(options->header, strlen(options->header)))
		return rung_refuse(-EINVAL,
			"reproxy: .header \"%s\" is no field name; use one such as X-Reproxy-Url",
			options->header);
	if (options->base && check_base(options->base) < 0)
		return -EINVAL;
	if (options->location && check_location(options->location) < 0)
		return -EINVAL;
	if (options->sendfile && *options->sendfile != '/')
		return rung_refuse(-EINVAL,
			"reproxy: .sendfile \"%s\" is no path from the root; start it with /",
			options->sendfile);
	return check_hosts(options->hosts);
}

static int copy_options(struct reproxy *reproxy, const struct rung_reproxy_options *options)
{
	reproxy->asked = options->server;
	reproxy->any_host_is_self = options->any_host_is_self;
	reproxy->asked_hops = options->max_hops;
	reproxy->max_hops = options->max_hops ? options->max_hops : DEFAULT_HOPS;
	reproxy->base = options->base ? strdup(options->base) : NULL;
	reproxy->header = strdup(options->header ? options->header : "X-Reproxy-Url");
	reproxy->location = strdup(options->location ? options->location : "/reproxy");
	reproxy->sendfile = options->sendfile ? strdup(options->sendfile) : NULL;
	if ((options->base && !reproxy->base) || (options->sendfile && !reproxy->sendfile) ||
		!reproxy->header || !reproxy->location || copy_list(&reproxy->hosts, options->hosts) < 0)
		return rung_refuse(-ENOMEM, "reproxy: out of memory");
	return 0;
}

/* Takes the apps; what could not be taken is NULL afterwards. */
static int take_parts(struct rung_reproxy_options *options)
{
	int rc = 0;

	if (options->app && rung_take(options->app, "reproxy") < 0) {
		options->app = NULL;
		rc = -EINVAL;
	}
	if (options->remote && rung_take(options->remote, "reproxy") < 0) {
		options->remote = NULL;
		rc = -EINVAL;
	}
	return rc;
}

struct rung_app *rung_reproxy_new(const struct rung_reproxy_options *given)
{
	struct rung_reproxy_options options;

	if (rung_options_copy("reproxy", &options, given, sizeof options) < 0)
		return NULL;
	int rc = take_parts(&options);
	/* A part that is NULL because it was refused is not a part that was left out. */
	if (rung_is_refused())
		rc = -EINVAL;
	if (rc == 0)
		rc = check(&options);
	struct reproxy *reproxy = rc == 0 ? rung_app_new(&reproxy_class) : NULL;
	if (!reproxy) {
		rung_drop(options.app);
		rung_drop(options.remote);
		rung_names_destroy(options.names);
		rung_locations_destroy(options.locations);
		return NULL;
	}
	reproxy->everything = options.app;
	reproxy->remote = options.remote;
	reproxy->names = options.names;
	reproxy->locations = options.locations;
	reproxy->as_is = options.as_is;
	if (copy_options(reproxy, &options) == 0)
		return &reproxy->app;
	rung_app_destroy(&reproxy->app);
	return NULL;
}
