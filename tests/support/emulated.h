/* emulated.h: what tests of emulated servers share: an app and a target that answer as they are told, and a target that
 * tells what it saw. */
#pragma once

#include "support.h"

#include <rung/reproxy.h>

struct says {
	int status; /* 0: 200 */
	const struct rung_field *fields;
	const char *body;
	bool is_chunked; /* its length is not known */
	int fails;       /* a negative errno instead */
};

#define SAYS(...) (&(const struct says){ __VA_ARGS__ })
#define FIELDS(...)                 \
	(const struct rung_field[]) \
	{                           \
		__VA_ARGS__,        \
		{                   \
			0           \
		}                   \
	}

/* An app that says it; what is given must outlive it. */
struct rung_app *emulated_app_saying(const struct says *says);

/* An app that tells the request: "METHOD path?query", a line a field but Host, and how much of a body it got. */
struct rung_app *emulated_teller(void);

/* The server in front of `app`, with `target` for target.internal. */
struct rung_client *emulated_client(
	enum rung_server_kind server, struct rung_app *app, struct rung_app *target);

/* Status and fields of an answer, a line each, and behind an empty line the body. Valid until the next call. */
const char *emulated_text(const struct rung_reply *reply);

/* Asks for "/" and expects that text. */
#define EXPECT_ANSWER(client, expected) ASSERT_STR(emulated_text(rung_client_get(client, "/")), expected)
