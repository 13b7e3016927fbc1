/* client_jar.h: private: the cookies of the in-process client (RFC 6265 section 5), for one host. */
#pragma once

#include "arena.h"

struct rung_jar;

struct rung_jar *rung_jar_new(void);
void rung_jar_destroy(struct rung_jar *jar);

bool rung_jar_is_empty(const struct rung_jar *jar);

/* Takes a Set-Cookie value that came for a request's path. What is no cookie, or finds no memory, is passed over. */
void rung_jar_note(struct rung_jar *jar, const char *set_cookie, const char *path);

/* The Cookie value for a request target, in the arena; NULL when no cookie matches. Returns 0 or -ENOMEM. */
int rung_jar_header(
	const struct rung_jar *jar, struct rung_arena *arena, const char *target, char **ret_value);

/* The value of a cookie that goes to "/", or NULL. */
const char *rung_jar_find(const struct rung_jar *jar, const char *name);

void rung_jar_forget(struct rung_jar *jar);
