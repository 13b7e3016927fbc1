/*
 * program.c: a stack with somebody else's layer in it. Prints the stack as --print-stack does, the answer to
 * one request, and why the layer is refused when it lacks what it needs. tests/install/run compares all of
 * it.
 */
#include "stamp.h"

#include <rung/rung.h>

#include <stdio.h>
#include <stdlib.h>

static int item(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	return rung_reply_textf(res, 200, "item %s\n", rung_param(env, "id"));
}

static int print_stack(struct rung_app *app)
{
	ssize_t size = rung_stack_print(app, NULL, 0);
	char *text = size < 0 ? NULL : malloc((size_t)size + 1);

	if (!text || rung_stack_print(app, text, (size_t)size + 1) < 0) {
		free(text);
		return -1;
	}
	fputs(text, stdout);
	free(text);
	return 0;
}

static int ask(struct rung_client *client, const char *target)
{
	const struct rung_reply *reply = rung_client_get(client, target);
	const char *stamp = rung_reply_header(reply, "X-Stamp");

	printf("%s: %d, X-Stamp: %s\n%s", target, reply->status, stamp ? stamp : "(none)", reply->body);
	return reply->status == 200 ? 0 : -1;
}

int main(void)
{
	struct rung_app *app =
		rung_stack(acme_stamp(.name = "shop"), rung_routes(rung_get("/item/:id", item)));

	if (!app || print_stack(app) < 0) {
		fprintf(stderr, "%s\n", rung_error());
		return 1;
	}
	struct rung_client *client = rung_client_new(app);
	if (!client) {
		fprintf(stderr, "%s\n", rung_error());
		return 1;
	}
	int rc = ask(client, "/item/7");
	rung_client_destroy(client);

	/* A layer that was refused makes the stack around it NULL, and its message is the one that stays. */
	app = rung_stack(acme_stamp(.header = "X-Shop"), rung_routes(rung_get("/item/:id", item)));
	printf("refused: %s\n", app ? "(it was not)" : rung_error());
	if (app)
		rc = -1;
	rung_app_destroy(app);
	return rc < 0 ? 1 : 0;
}
