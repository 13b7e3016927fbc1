/* test_upstream_remote.c: what URIs may name: as the .remote of reproxy, with what is listed, and what no name may reach. */
#include "backend.h"

#include <rung/reproxy.h>
#include <rung/upstream.h>

#include <errno.h>
#include <unistd.h>

SUITE(upstream_remote);

#define OK "HTTP/1.1 200 OK\r\nX-File: yes\r\nContent-Length: 6\r\n\r\nhello\n"

static char uri[2048];

static int give_uri(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	rung_header(res, "X-App", "app");
	return rung_reply_uri_raw(res, 200, uri);
}

static struct rung_client *client_for(const char *const *allow)
{
	return test_client(
		rung_stack(rung_reproxy(.server = RUNG_SERVER_SELF, .remote = rung_upstream(.allow = allow)),
			rung_run(give_uri)));
}

RUNG_PRINTF(2, 3) static int status_of(struct rung_client *client, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(uri, sizeof uri, format, arguments);
	va_end(arguments);
	return rung_client_get(client, "/")->status;
}

#define ALLOW(...)                \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}

Test(upstream_remote, files_of_another_machine)
{
	struct backend *backend = backend_start(backend_answer, OK);
	struct rung_client *client = client_for(ALLOW(backend->authority));
	const struct rung_field secrets[] = { { .name = "Cookie", .value = "session=1" },
		{ .name = "Authorization", .value = "Basic eDp5" }, { .name = "Range", .value = "bytes=0-9" },
		{ .name = NULL } };

	snprintf(uri, sizeof uri, "%s/a%%20b?c=d", backend->url);
	const struct rung_reply *reply = rung_client_send(client, .target = "/x", .headers = secrets);
	ASSERT_INT(reply->status, 200);
	ASSERT_STR(reply->body, "hello\n");
	ASSERT_STR(rung_reply_header(reply, "X-File"), "yes");
	ASSERT_STR(rung_reply_header(reply, "X-App"), "app");
	char *seen = backend_seen(backend);
	ASSERT_HAS(seen, "GET /a%20b?c=d HTTP/1.1\r\nHost: 127.0.0.1:");
	ASSERT_HAS(seen, "\r\nRange: bytes=0-9\r\n");
	ASSERT_HAS(seen, "\r\nX-Forwarded-Host: localhost\r\n");
	cr_assert(!strcasestr(seen, "cookie") && !strcasestr(seen, "authorization"));
	free(seen);
	rung_client_destroy(client);
	backend_stop(backend);
}

static int view_of_another_host(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_env *view = rung_view(
		env, &(const struct rung_target){ .host = "other.example", .path_info = "/t", .uri = uri });

	if (!view)
		return -ENOMEM;
	rung_next(self, view, res);
	return 0;
}

/* As with servers that send the client's Host to targets. */
Test(upstream_remote, it_connects_to_the_uri_s_authority_whatever_the_host)
{
	struct backend *backend = backend_start(backend_answer, OK);
	struct rung_client *client = test_client(rung_stack(rung_use(view_of_another_host),
		rung_upstream(.allow = ALLOW(backend->authority), .pass_host = true)));

	snprintf(uri, sizeof uri, "HTTP://user:pw@%s/ignored?x#y", backend->authority);
	ASSERT_INT(rung_client_get(client, "/")->status, 200);
	char *seen = backend_seen(backend);
	ASSERT_HAS(seen, "GET /t HTTP/1.1\r\nHost: other.example\r\n");
	free(seen);
	/* And it is that authority which must be listed. */
	snprintf(uri, sizeof uri, "http://127.0.0.1:1/");
	ASSERT_INT(rung_client_get(client, "/")->status, 502);
	snprintf(uri, sizeof uri, "http://");
	ASSERT_INT(rung_client_get(client, "/")->status, 502);
	/* A relative one has the view's. */
	snprintf(uri, sizeof uri, "/t");
	ASSERT_INT(rung_client_get(client, "/")->status, 502);
	rung_client_destroy(client);
	backend_stop(backend);
}

Test(upstream_remote, what_comes_back_is_not_reproxied_again)
{
	struct backend *backend = backend_start(backend_answer,
		"HTTP/1.1 200 OK\r\nX-Reproxy-Url: http://other/\r\nX-Accel-Redirect: /x\r\n"
		"Content-Length: 4\r\n\r\nfile");
	struct rung_client *client = client_for(ALLOW(backend->authority));

	ASSERT_INT(status_of(client, "%s/", backend->url), 200);
	const struct rung_reply *reply = rung_client_get(client, "/");
	ASSERT_STR(reply->body, "file");
	cr_assert(
		!rung_reply_header(reply, "X-Reproxy-Url") && !rung_reply_header(reply, "X-Accel-Redirect"));
	rung_client_destroy(client);
	backend_stop(backend);
}

Test(upstream_remote, what_is_not_listed_is_502)
{
	struct backend *backend = backend_start(backend_answer, OK);
	struct rung_client *client =
		client_for(ALLOW("files.example", "*.cdn.example", "127.0.0.2", "10.0.0.0/8"));

	ASSERT_INT(status_of(client, "%s/", backend->url), 502);
	ASSERT_HAS(test_log(), "is not listed in .allow");
	ASSERT_INT(status_of(client, "http://files.example:8080/"), 502);
	ASSERT_INT(status_of(client, "http://cdn.example/"), 502);
	ASSERT_INT(status_of(client, "http://evilcdn.example/"), 502);
	ASSERT_INT(status_of(client, "http://files.example.evil/"), 502);
	ASSERT_INT(status_of(client, "http://11.0.0.1/"), 502);
	ASSERT_INT(atomic_load(&backend->connections), 0);
	rung_client_destroy(client);
	backend_stop(backend);
}

/* Every way to write this machine as a name, with every name allowed. */
Test(upstream_remote, names_do_not_reach_what_is_not_public)
{
	static const char *const hosts[] = { "localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.1",
		"127.000.000.001", "0x7f.1", "0x7f000001", "2130706433", "017700000001", "0177.0.0.1",
		"0.0.0.0", "0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
		"[64:ff9b::7f00:1]", "[2002:7f00:1::]", "ip6-localhost", "127.255.255.254" };
	struct backend *backend = backend_start(backend_answer, OK);
	char any[32];

	snprintf(any, sizeof any, "*:%u", backend->port);
	struct rung_client *client = client_for(ALLOW(any));
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		int status = status_of(client, "http://%s:%u/", hosts[i], backend->port);
		cr_assert(status == 502, "%d by %s", status, hosts[i]);
	}
	ASSERT_HAS(test_log(), "it leads to 127.0.0.1, which is not public");
	ASSERT_INT(atomic_load(&backend->connections), 0);
	rung_client_destroy(client);
	backend_stop(backend);
}

/* These are refused before a packet leaves, so that nobody need be there. */
Test(upstream_remote, special_addresses_are_refused)
{
	static const char *const hosts[] = { "10.1.2.3", "100.64.0.1", "100.100.100.200", "169.254.169.254",
		"172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.168.1.1", "198.18.0.1",
		"198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
		"[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[::ffff:10.0.0.1]",
		"[::ffff:169.254.169.254]", "[2001:db8::1]", "[2001::1]", "[100::1]", "[64:ff9b::a9fe:a9fe]",
		"[64:ff9b:1::1]", "[2002:a00:1::1]", "[fec0::1]", "[5f00::1]", "[3fff::1]" };
	struct rung_client *client = client_for(ALLOW("*"));

	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		test_log_clear();
		int status = status_of(client, "http://%s/", hosts[i]);
		cr_assert(status == 502, "%d by %s", status, hosts[i]);
		cr_assert(strstr(test_log(), "is not public"), "%s: %s", hosts[i], test_log());
	}
	rung_client_destroy(client);
}

Test(upstream_remote, what_is_listed_by_its_address_is_reached)
{
	struct backend *backend = backend_start(backend_answer, OK);
	char literal[64], other[64];

	snprintf(literal, sizeof literal, "localhost:%u", backend->port);
	/* The name is listed, and where it leads to is not. */
	struct rung_client *client = client_for(ALLOW(literal));
	ASSERT_INT(status_of(client, "http://localhost:%u/", backend->port), 502);
	rung_client_destroy(client);
	client = client_for(ALLOW(literal, "127.0.0.0/8"));
	ASSERT_INT(status_of(client, "http://localhost:%u/", backend->port), 200);
	ASSERT_INT(status_of(client, "http://127.0.0.1:%u/", backend->port), 200);
	rung_client_destroy(client);
	client = client_for(ALLOW(literal, "127.0.0.1"));
	/* The usual ports alone. */
	ASSERT_INT(status_of(client, "http://localhost:%u/", backend->port), 502);
	rung_client_destroy(client);
	snprintf(other, sizeof other, "[::ffff:127.0.0.1]:%u", backend->port);
	client = client_for(ALLOW(literal, other));
	ASSERT_INT(status_of(client, "http://localhost:%u/", backend->port), 200);
	rung_client_destroy(client);
	backend_stop(backend);
}

/* A redirect to where it may not go is the client's to follow. */
Test(upstream_remote, redirects_lead_nowhere)
{
	struct backend *backend =
		backend_start(backend_answer, "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\n"
					      "Content-Length: 0\r\n\r\n");
	struct rung_client *client = client_for(ALLOW(backend->authority));

	ASSERT_INT(status_of(client, "%s/", backend->url), 302);
	ASSERT_INT(atomic_load(&backend->requests), 1);
	rung_client_destroy(client);
	backend_stop(backend);
}

Test(upstream_remote, a_client_cannot_ask_by_itself)
{
	struct backend *backend = backend_start(backend_answer, OK);
	struct rung_client *client = test_client(rung_upstream(.allow = ALLOW(backend->authority)));
	const struct rung_field host[] = { { .name = "Host", .value = backend->authority },
		{ .name = NULL } };

	ASSERT_INT(rung_client_send(client, .target = "/", .headers = host)->status, 502);
	snprintf(uri, sizeof uri, "%s/", backend->url);
	ASSERT_INT(rung_client_send(client, .target = uri)->status, 502);
	ASSERT_INT(atomic_load(&backend->connections), 0);
	rung_client_destroy(client);
	backend_stop(backend);
}

static void expect_refusal(const char *entry)
{
	cr_assert(!rung_upstream(.allow = ALLOW(entry)), "%s was taken", entry);
	ASSERT_HAS(rung_error(), ".allow");
}

Test(upstream_remote, bad_entries_are_refused)
{
	static const char *const bad[] = { "", "http://files.example", "a/b", "10.0.0.0/33", "10.0.0.0/",
		"10.0.0.0/x", "10.0.0/8", "fd00::/129", "files.example:x", "files.example:99999",
		"*example.com", "a.*.b", "**", "user@host", "fd00::1" };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		expect_refusal(bad[i]);
}
