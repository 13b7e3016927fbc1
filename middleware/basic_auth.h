/*
 * basic_auth.h: lets nobody pass who does not send a user name and a password that are right.
 *
 * A request without credentials, with wrong ones, or with a scheme other than Basic gets 401 and a challenge; one whose
 * credentials are malformed gets 400. Both come without a body, so that error_pages can give one. The password crosses
 * the network readable to all: use it behind TLS alone.
 *
 * Place: inside access_log and error_pages, outside everything that shall be guarded.
 * Rack: Rack::Auth::Basic. RFC 7617 (Basic), RFC 9110 section 11 (challenges).
 */
#pragma once

#include <rung/api.h>
#include <rung/app.h>
#include <rung/env.h>

RUNG_BEGIN

/* Zero means the default. Give either .check, or .user and .password. */
struct rung_basic_auth_options {
	size_t size;
	const char *realm; /* what the browser shows when it asks; default "restricted"; copied */

	/* Says whether these are right. Both strings are as the client sent them, UTF-8 if it did what it was asked to,
	 * without control bytes, and gone after the call. Called from all threads; it should compare secrets by
	 * rung_equal_constant_time(). */
	bool (*check)(const void *data, const char *user, const char *password);
	const void *data;          /* given to check */
	void (*free_data)(void *); /* called with data when the layer goes, or was refused; NULL: not owned */

	const char *user;     /* the one user there is; copied, compared in constant time */
	const char *password; /* wiped when the layer goes */
};

/* Returns NULL, with a message for rung_error(), when there is neither or both of .check and .user with .password, when
 * one of these two is missing, for text that no client can send, or when memory is out. */
RUNG_API RUNG_MUST_USE struct rung_app *rung_basic_auth_new(const struct rung_basic_auth_options *options);
#define rung_basic_auth(...)                                         \
	rung_basic_auth_new(&(const struct rung_basic_auth_options){ \
		.size = sizeof(struct rung_basic_auth_options), __VA_ARGS__ })

/* The name of the user whose credentials were right, NULL where no layer has checked any. Seen inside the layer, and
 * outside it by hooks of the same dispatch. Rack: REMOTE_USER. */
RUNG_API const char *rung_remote_user(const struct rung_env *env);

/* By which the name is kept: for layers that know users by another way, such as a token. The value is a string that
 * lives as long as the request. */
extern RUNG_API const struct rung_key rung_remote_user_key;

/*
 * True when both are the same bytes. The time it takes depends on given_size alone: not on what the secret is, how long
 * it is, or where the two differ. Rack: Rack::Utils.secure_compare.
 */
RUNG_API bool rung_equal_constant_time(
	const void *secret, size_t secret_size, const void *given, size_t given_size);

RUNG_END
