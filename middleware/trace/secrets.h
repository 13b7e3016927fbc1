/* secrets.h: private: what must not be shown, by its name or by where it stands. */
#pragma once

#include <rung/env.h>

/* What stands for a secret. */
extern const char rung_secret_dots[];

/* Whether the value of a field, or of an argument of a query, of that name is one. */
bool rung_secret_is_name(const char *name, size_t size);

/*
 * Text with dots for the secrets of URIs in it: arguments whose names say so, in query or fragment, and what stands before
 * the host. Returns NULL when memory is out; the text itself when there is nothing to hide.
 */
const char *rung_secret_mask(const struct rung_env *env, const char *text);
