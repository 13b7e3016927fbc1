/* missing.c: upstream, where the library is built without libcurl. */
#include <rung/upstream.h>

#include <errno.h>

struct rung_app *rung_upstream_new(const struct rung_upstream_options *options)
{
	(void)options;
	rung_refuse(-ENOTSUP,
		"upstream: librung was built without libcurl; install libcurl4-gnutls-dev and build it again");
	return NULL;
}
