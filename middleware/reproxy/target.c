/* target.c: where an authority really is: "files.internal=10.0.0.7:80", for servers in front that know no names. */
#include "reproxy_private.h"

#include <errno.h>
#include <string.h>

int rung_reproxy_target_parse(const char *text, struct reproxy_target *ret_target)
{
	const char *equals = strchr(text, '=');
	struct reproxy_target target = { 0 };
	struct rung_slice host, port;

	if (equals) {
		target.authority = (struct rung_slice){ text, (size_t)(equals - text) };
		target.address = equals + 1;
	}
	bool is_good = equals &&
		       rung_uri_parse_authority(text, target.authority.size, &target.host, &target.port) == 0;
	target.is_local = is_good && strncmp(target.address, "unix:/", 6) == 0;
	if (is_good && !target.is_local)
		is_good = rung_uri_parse_authority(target.address, strlen(target.address), &host, &port) == 0;
	for (const char *at = target.address; is_good && *at; at++)
		is_good = *at > ' ' && *at <= '~' && !strchr("\"'\\;{}|<>#", *at);
	if (!is_good)
		return rung_refuse(-EINVAL,
			"reproxy: target \"%.200s\" is none; write AUTHORITY=HOST:PORT or AUTHORITY=unix:/PATH",
			text);
	*ret_target = target;
	return 0;
}

const char *rung_reproxy_real_authority(const struct reproxy *reproxy, const struct rung_uri *uri)
{
	struct reproxy_target target;

	for (char *const *text = reproxy->targets; text && *text; text++)
		if (rung_reproxy_target_parse(*text, &target) == 0 &&
			rung_reproxy_same_authority(uri, &target.host, &target.port))
			return target.address;
	return NULL;
}

int rung_reproxy_check_targets(const struct reproxy *reproxy, const char *const *targets)
{
	for (; targets && *targets; targets++) {
		struct reproxy_target target;

		if (rung_reproxy_target_parse(*targets, &target) < 0)
			return -EINVAL;
		if (target.is_local && reproxy->rules && reproxy->rules->by_address)
			return rung_refuse(-EINVAL,
				"reproxy: target \"%.200s\": a URI for %s names no Unix socket; give it host and port",
				*targets, rung_server_kind_name(reproxy->server));
	}
	return 0;
}
