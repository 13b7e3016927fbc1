/* support.h: what the tests share: a client that lints every link, a captured log, a server on a free port, and a check
 * for leaks at the end of each suite. */
#pragma once

#include <criterion/criterion.h>
#include <rung/rung.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Declares a suite whose leaks fail its last test. Put it at the top of a test file. */
#define SUITE(name) TestSuite(name, .fini = test_check_leaks)
void test_check_leaks(void);

/* The stack in a client that lints every link and whose log goes to test_log(). Fails the test when it is refused. */
struct rung_client *test_client(struct rung_app *app);

/* The same with a setup of one's own, whose log is replaced, and whose probes are lint unless it has some;
 * test_no_probes are none. */
struct rung_client *test_client_with(struct rung_app *app, const struct rung_setup *setup);
extern const struct rung_probe *const test_no_probes[];

/* Every line logged so far, each with a newline; and forgets them. */
const char *test_log(void);
void test_log_clear(void);

/* The stack on a free loopback port, linted and with its log captured. Zero options mean the server's defaults. */
struct rung_server *test_server(struct rung_app *app, struct rung_server_options options);

/* Sends bytes to the server over TCP and reads until it closes or, with a whole answer there, for a moment more.
 * Returns what came, to be freed; *ret_size may be NULL. */
char *test_exchange(struct rung_server *server, const char *bytes, size_t size, size_t *ret_size);
char *test_send(struct rung_server *server, const char *text);

/* A connected TCP socket to the server. */
int test_connect(struct rung_server *server);

/* Reads until the peer closes or nothing has come for `quiet_ms`. To be freed; NUL-terminated. */
char *test_read(int fd, int quiet_ms, size_t *ret_size);

/* Runs curl with some 17 arguments at most, ended by NULL. Returns its exit status. */
int test_curl(const char *const *arguments);

/* Shorthands over criterion's, with both values in the message. */
#define ASSERT_STR(got, expected)                                                                \
	do {                                                                                     \
		const char *got_ = (got), *expected_ = (expected);                               \
		cr_assert(got_ &&strcmp(got_, expected_) == 0, "%s is \"%s\", not \"%s\"", #got, \
			got_ ? got_ : "(NULL)", expected_);                                      \
	} while (0)
#define ASSERT_INT(got, expected)                                                            \
	do {                                                                                 \
		long long got_ = (long long)(got), expected_ = (long long)(expected);        \
		cr_assert(got_ == expected_, "%s is %lld, not %lld", #got, got_, expected_); \
	} while (0)
#define ASSERT_HAS(got, part)                                                               \
	do {                                                                                \
		const char *got_ = (got), *part_ = (part);                                  \
		cr_assert(got_ &&strstr(got_, part_), "%s is \"%s\", without \"%s\"", #got, \
			got_ ? got_ : "(NULL)", part_);                                     \
	} while (0)
