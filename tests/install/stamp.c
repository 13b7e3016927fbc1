/* stamp.c: the layer that says which process gave a response. See stamp.h. */
#include "stamp.h"

#include <rung/headers.h>
#include <rung/response.h>
#include <rung/setup.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stamp {
	struct rung_app app;
	char *name;
	char *header;
	char *value; /* name and address, known once the stack starts */
};

/* C11 has no strdup(). */
static char *copy_text(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = malloc(size);

	return copy ? memcpy(copy, text, size) : NULL;
}

/* The field is set on the way up: a response that somebody wrote to is not passed down. */
static int stamp_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct stamp *stamp = (const struct stamp *)self;

	rung_next(self, env, res);
	return rung_header(res, stamp->header, stamp->value);
}

/* The earliest moment at which the address is known, and the last one at which the app may be written. A
 * stack that was stopped may start again, elsewhere: so the value is made anew, the old one kept until that
 * has succeeded. */
static int stamp_start(struct rung_app *app, const struct rung_setup *setup)
{
	struct stamp *stamp = (struct stamp *)app;
	const char *address = setup->authorities && *setup->authorities ? *setup->authorities : "nowhere";
	size_t room = strlen(stamp->name) + strlen(" at ") + strlen(address) + 1;
	char *value = malloc(room);

	if (!value)
		return rung_refuse(-ENOMEM, "acme_stamp: out of memory");
	snprintf(value, room, "%s at %s", stamp->name, address);
	free(stamp->value);
	stamp->value = value;
	return 0;
}

static void stamp_destroy(struct rung_app *app)
{
	struct stamp *stamp = (struct stamp *)app;

	free(stamp->name);
	free(stamp->header);
	free(stamp->value);
}

static void stamp_describe(const struct rung_app *app, char *buffer, size_t room)
{
	snprintf(buffer, room, "name=\"%s\"", ((const struct stamp *)app)->name);
}

static const struct rung_app_class stamp_class = {
	.size = sizeof(struct stamp),
	.name = "acme_stamp",
	.flags = RUNG_LAYER,
	.call = stamp_call,
	.start = stamp_start,
	.destroy = stamp_destroy,
	.describe = stamp_describe,
};

static int check_options(const struct acme_stamp_options *options)
{
	if (!options->name || !*options->name)
		return rung_refuse(-EINVAL, "acme_stamp: nothing says what to stamp; give .name");
	if (!rung_is_field_value(options->name, strlen(options->name)))
		return rung_refuse(
			-EINVAL, "acme_stamp: .name has a byte that no field may have; leave it out");
	if (options->header && !rung_is_token(options->header, strlen(options->header)))
		return rung_refuse(-EINVAL, "acme_stamp: .header is no token; give one, such as X-Stamp");
	return 0;
}

struct rung_app *acme_stamp_new(const struct acme_stamp_options *given)
{
	struct acme_stamp_options options;

	if (rung_options_copy("acme_stamp", &options, given, sizeof options) < 0 ||
		check_options(&options) < 0)
		return NULL;
	struct stamp *stamp = rung_app_new(&stamp_class);
	if (!stamp)
		return NULL;
	stamp->name = copy_text(options.name);
	stamp->header = copy_text(options.header ? options.header : "X-Stamp");
	if (stamp->name && stamp->header)
		return &stamp->app;
	rung_refuse(-ENOMEM, "acme_stamp: out of memory");
	rung_app_destroy(&stamp->app);
	return NULL;
}
