/* test_tls.c: TLS: what is served over it, certificates and their change under load, what is refused. Keys and
 * certificates are made by openssl, the client is libcurl. */
#include "program.h"
#include "tree.h"

#include <rung/files.h>

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#define NEW_KEY "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "

/* Runs it in the tree's out/. */
static void run_shell(const char *commands)
{
	char line[2048];

	snprintf(line, sizeof line, "cd %s && exec 2>openssl.log && set -e && %s", tree_at("out"), commands);
	ASSERT_INT(system(line), 0);
}

/* A root, one between, and a server's; and another root that signed itself. */
static void make_all(void)
{
	tree_make();
	run_shell(
		"openssl req -x509 " NEW_KEY "-keyout root.key -out root.pem -days 2 -subj /CN=root && "
		"openssl req " NEW_KEY "-keyout mid.key -out mid.csr -subj /CN=mid && "
		"printf 'basicConstraints=critical,CA:true\n' >mid.ext && "
		"openssl x509 -req -in mid.csr -CA root.pem -CAkey root.key -set_serial 2 -days 2 -extfile mid.ext "
		"-out mid.pem && "
		"openssl req " NEW_KEY "-keyout leaf.key -out leaf.csr -subj /CN=leaf && "
		"printf 'subjectAltName=IP:127.0.0.1\n' >leaf.ext && "
		"openssl x509 -req -in leaf.csr -CA mid.pem -CAkey mid.key -set_serial 3 -days 2 -extfile leaf.ext "
		"-out leaf.pem && "
		"cat leaf.pem mid.pem >chain.pem && "
		"openssl req -x509 " NEW_KEY "-keyout other.key -out other.pem -days 2 -subj /CN=other "
		"-addext subjectAltName=IP:127.0.0.1 && "
		"cat other.pem other.key >both.pem");
}

TestSuite(tls, .init = make_all, .fini = tree_remove);

static const char *out(const char *name)
{
	char path[64];

	snprintf(path, sizeof path, "out/%s", name);
	return tree_at(path);
}

static int tell(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	size_t size;

	(void)self;
	rung_input_bytes(env, &size);
	return rung_reply_textf(
		res, 200, "%s %s from %s, %zu.", env->scheme, env->path_info, rung_remote_address(env), size);
}

static struct rung_server *serve_chain(struct rung_server_options options)
{
	options.tls.cert = out("chain.pem");
	options.tls.key = out("leaf.key");
	return test_server(rung_run(tell), options);
}

/* -- a client ------------------------------------------------------------------------------------------------------------ */

struct got {
	char *bytes;
	size_t size;
};

static size_t take(char *bytes, size_t one, size_t size, void *data)
{
	struct got *got = data;

	(void)one;
	got->bytes = realloc(got->bytes, got->size + size + 1);
	memcpy(got->bytes + got->size, bytes, size);
	got->size += size;
	got->bytes[got->size] = '\0';
	return size;
}

static CURL *new_client(const char *authority)
{
	CURL *curl = curl_easy_init();

	cr_assert(curl != NULL);
	curl_easy_setopt(curl, CURLOPT_CAINFO, out(authority));
	curl_easy_setopt(curl, CURLOPT_CAPATH, NULL); /* the system has many, and they take time to read */
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	return curl;
}

/* What it answers, to be freed; NULL, and *ret_code, when there is none. */
static char *fetch(CURL *curl, const char *base, const char *path, CURLcode *ret_code)
{
	struct got got = { 0 };
	char url[256];

	snprintf(url, sizeof url, "%s%s", base, path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &got);
	*ret_code = curl_easy_perform(curl);
	return got.bytes;
}

static void expect_on(CURL *curl, const char *base, const char *path, const char *part)
{
	CURLcode code;
	char *answer = fetch(curl, base, path, &code);

	cr_assert(code == CURLE_OK, "%s%s: %s", base, path, curl_easy_strerror(code));
	ASSERT_HAS(answer, part);
	free(answer);
}

static void expect(const char *authority, const char *base, const char *path, const char *part)
{
	CURL *curl = new_client(authority);

	expect_on(curl, base, path, part);
	curl_easy_cleanup(curl);
}

static CURLcode fails(const char *authority, const char *base)
{
	CURL *curl = new_client(authority);
	CURLcode code;

	free(fetch(curl, base, "", &code));
	curl_easy_cleanup(curl);
	return code;
}

/* -- serving -------------------------------------------------------------------------------------------------------------- */

Test(tls, a_chain_is_served_and_who_does_not_know_its_root_refuses)
{
	struct rung_server *server = serve_chain((struct rung_server_options){ .loops = 2 });
	const char *url = rung_server_url(server);

	ASSERT_HAS(url, "https://127.0.0.1:");
	for (int i = 0; i < 10; i++)
		expect("root.pem", url, "x", "https /x from 127.0.0.1, 0.");
	cr_assert(fails("other.pem", url) != CURLE_OK);
	expect("root.pem", url, "x", "https /x");
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(tls, one_file_may_hold_both)
{
	struct rung_server *server =
		test_server(rung_run(tell), (struct rung_server_options){ .tls.cert = out("both.pem") });

	expect("other.pem", rung_server_url(server), "x", "https /x");
	rung_server_destroy(server);
}

Test(tls, versions_1_2_and_1_3_and_nothing_older)
{
	static const struct {
		long version;
		bool is_fine;
	} cases[] = {
		{ CURL_SSLVERSION_TLSv1_3 | CURL_SSLVERSION_MAX_TLSv1_3, true },
		{ CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_TLSv1_2, true },
		{ CURL_SSLVERSION_TLSv1_1 | CURL_SSLVERSION_MAX_TLSv1_1, false },
		{ CURL_SSLVERSION_TLSv1_0 | CURL_SSLVERSION_MAX_TLSv1_0, false },
	};
	struct rung_server *server = serve_chain((struct rung_server_options){ 0 });

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		CURL *curl = new_client("root.pem");
		CURLcode code;

		curl_easy_setopt(curl, CURLOPT_SSLVERSION, cases[i].version);
		free(fetch(curl, rung_server_url(server), "", &code));
		cr_assert(
			(code == CURLE_OK) == cases[i].is_fine, "case %zu: %s", i, curl_easy_strerror(code));
		curl_easy_cleanup(curl);
	}
	rung_server_destroy(server);
}

Test(tls, bodies_go_in_and_connections_stay)
{
	struct rung_server *server = serve_chain((struct rung_server_options){ 0 });
	CURL *curl = new_client("root.pem");
	char *body = malloc(500000);

	memset(body, 'x', 500000);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	for (long size = 0; size <= 500000; size += 100000) {
		char part[64];
		long opened;

		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, size);
		snprintf(part, sizeof part, "https /up from 127.0.0.1, %ld.", size);
		expect_on(curl, rung_server_url(server), "up", part);
		curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &opened);
		ASSERT_INT(opened, size == 0);
	}
	curl_easy_cleanup(curl);
	free(body);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(tls, unix_sockets_and_what_says_http_are_plain)
{
	char path[128], text[160];

	snprintf(path, sizeof path, "%s", out("app.sock"));
	snprintf(text, sizeof text, "unix:%s", path);
	struct rung_server *server = serve_chain((struct rung_server_options){
		.listen = FLAGS("127.0.0.1", "http://127.0.0.1", "https://127.0.0.1:0", text) });
	const char *const *urls = rung_server_urls(server);
	CURL *curl = new_client("root.pem");

	ASSERT_HAS(urls[0], "https://127.0.0.1:");
	ASSERT_HAS(urls[1], "http://127.0.0.1:");
	ASSERT_HAS(urls[2], "https://127.0.0.1:");
	expect("root.pem", urls[0], "x", "https /x");
	expect("root.pem", urls[1], "x", "http /x");
	expect("root.pem", urls[2], "x", "https /x");
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, path);
	expect_on(curl, "http://localhost/", "x", "http /x from unix:, 0.");
	curl_easy_cleanup(curl);
	rung_server_destroy(server);
}

static void compare_file(CURL *curl, const char *url, const char *range, size_t from, size_t size)
{
	struct got got = { 0 };

	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_RANGE, range);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &got);
	ASSERT_INT(curl_easy_perform(curl), CURLE_OK);
	ASSERT_INT(got.size, size);
	for (size_t i = 0; i < size; i++)
		cr_assert(got.bytes[i] == tree_pattern_byte(from + i), "byte %zu", i);
	free(got.bytes);
}

Test(tls, files_are_the_same_whole_and_in_parts)
{
	enum { SIZE = 5 * 1024 * 1024 + 7 };
	CURL *curl = new_client("root.pem");
	char url[128];

	tree_pattern("root/large", SIZE);
	size_t before = tree_descriptors();
	struct rung_server *server = test_server(rung_files(.root = tree_at("root")),
		(struct rung_server_options){ .tls = { out("chain.pem"), out("leaf.key") } });
	snprintf(url, sizeof url, "%slarge", rung_server_url(server));
	compare_file(curl, url, NULL, 0, SIZE);
	compare_file(curl, url, "1000000-3999999", 1000000, 3000000);
	compare_file(curl, url, "-100000", SIZE - 100000, 100000);
	compare_file(curl, url, "5-6", 5, 2);
	curl_easy_cleanup(curl);
	ASSERT_INT(rung_server_destroy(server), 0);
	ASSERT_INT(tree_descriptors(), before);
}

/* -- what is no TLS ------------------------------------------------------------------------------------------------------- */

Test(tls, plain_http_to_the_tls_port_ends_and_disturbs_nobody)
{
	static const char *const noises[] = { "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
		"\x16\x03\x01\xff\xff garbage", "\x80\x01" };
	struct rung_server *server = serve_chain((struct rung_server_options){ 0 });

	for (size_t i = 0; i < sizeof noises / sizeof *noises; i++) {
		int fd = test_connect(server);
		char some[256];
		ssize_t n;

		cr_assert(send(fd, noises[i], strlen(noises[i]), MSG_NOSIGNAL) > 0);
		shutdown(fd, SHUT_WR);
		while ((n = recv(fd, some, sizeof some, 0)) > 0)
			cr_assert(memcmp(some, "HTTP", 4) != 0);
		close(fd);
	}
	int idle = test_connect(server); /* never says a word */
	expect("root.pem", rung_server_url(server), "x", "https /x");
	ASSERT_INT(rung_server_destroy(server), 0);
	close(idle);
}

/* -- who takes too long ---------------------------------------------------------------------------------------------------- */

/* Waits until the server closes; fails the test when it does not. */
static void expect_closed(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	char some[4096];
	ssize_t n;

	do {
		cr_assert(poll(&ready, 1, 10000) == 1, "it is not closed");
		n = recv(fd, some, sizeof some, 0);
	} while (n > 0);
	close(fd);
}

Test(tls, who_takes_too_long_is_cut_as_in_plain_text)
{
	struct rung_server *server = serve_chain(
		(struct rung_server_options){ .limits = { .header_seconds = 1, .idle_seconds = 1 } });
	int silent = test_connect(server), half = test_connect(server);
	static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00"; /* a handshake that never goes on */
	CURL *idle = new_client("root.pem"), *slow = new_client("root.pem");
	curl_socket_t fd;
	size_t sent;

	cr_assert(send(half, hello, sizeof hello - 1, MSG_NOSIGNAL) > 0);
	/* A head that is never finished, inside TLS. */
	curl_easy_setopt(slow, CURLOPT_URL, rung_server_url(server));
	curl_easy_setopt(slow, CURLOPT_CONNECT_ONLY, 1L);
	cr_assert_eq(curl_easy_perform(slow), CURLE_OK);
	cr_assert_eq(curl_easy_send(slow, "GET / HTTP/1.1\r\nHo", 18, &sent), CURLE_OK);
	expect_on(idle, rung_server_url(server), "x", "https /x");
	curl_easy_getinfo(idle, CURLINFO_ACTIVESOCKET, &fd);
	expect_closed(silent);
	expect_closed(half);
	expect_closed(dup(fd));
	curl_easy_getinfo(slow, CURLINFO_ACTIVESOCKET, &fd);
	expect_closed(dup(fd));
	ASSERT_HAS(test_log(), "its head has not come for 1 s (header_seconds)");
	ASSERT_HAS(test_log(), "no request has come for 1 s (idle_seconds)");
	curl_easy_cleanup(idle);
	curl_easy_cleanup(slow);
	ASSERT_INT(rung_server_destroy(server), 0);
}

/* What is not HTTP/1.1 is not agreed on: a client that can do both speaks HTTP/1.1 here. */
Test(tls, a_client_that_offers_http_2_gets_http_1)
{
	struct rung_server *server = serve_chain((struct rung_server_options){ 0 });
	CURL *curl = new_client("root.pem");
	long version = 0;

	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
	expect_on(curl, rung_server_url(server), "x", "https /x");
	curl_easy_getinfo(curl, CURLINFO_HTTP_VERSION, &version);
	ASSERT_INT(version, CURL_HTTP_VERSION_1_1);
	curl_easy_cleanup(curl);
	ASSERT_INT(rung_server_destroy(server), 0);
}

/* -- files ---------------------------------------------------------------------------------------------------------------- */

static void refused(const char *cert, const char *key, const char *message)
{
	cr_assert_null(rung_server_new(rung_run(tell), .tls = { cert, key }));
	ASSERT_HAS(rung_error(), message);
}

Test(tls, bad_files_are_refused)
{
	tree_put("out/garbage", "no certificate\n");
	tree_put("out/empty", "");
	refused(out("none.pem"), NULL, "none.pem: No such file");
	refused(NULL, out("leaf.key"), "a key without a certificate");
	refused(out("chain.pem"), out("none.key"), "none.key: No such file");
	refused(out("chain.pem"), NULL, "is no private key in PEM form");
	refused(out("garbage"), out("leaf.key"), "is no certificate, or chain of certificates, in PEM form");
	refused(out("empty"), out("leaf.key"), "is no certificate, or chain of certificates, in PEM form");
	refused(out("chain.pem"), out("garbage"), "is no private key in PEM form");
	refused(out("chain.pem"), out("other.key"), "does not belong to the certificate in");
	refused(tree_at("out"), NULL, "cannot read");
	cr_assert_null(rung_server_new(rung_run(tell), .bind = "https://127.0.0.1"));
	ASSERT_HAS(rung_error(), "https takes a certificate");
	cr_assert_null(rung_server_new(rung_run(tell), .bind = "http://unix:/tmp/x"));
	ASSERT_HAS(rung_error(), "a Unix socket has no scheme");
}

/* -- other certificates ----------------------------------------------------------------------------------------------------- */

static atomic_bool is_over;
static atomic_uint answers;

/* On connections kept and on new ones, whatever the certificate: both roots are known. */
static void *ask_on_and_on(void *base)
{
	CURL *kept = new_client("roots.pem");

	for (int i = 0; !atomic_load(&is_over); i++) {
		expect_on(kept, base, "x", "https /x");
		if (i % 4 == 0)
			expect("roots.pem", base, "x", "https /x");
		atomic_fetch_add(&answers, 1);
	}
	curl_easy_cleanup(kept);
	return NULL;
}

static void use_certificate(const char *cert, const char *key)
{
	char commands[256];

	snprintf(commands, sizeof commands, "cp %s live.pem && cp %s live.key", cert, key);
	run_shell(commands);
}

Test(tls, a_reload_is_for_new_connections_and_disturbs_no_old_one)
{
	pthread_t threads[4];
	long opened;

	run_shell("cat root.pem other.pem >roots.pem");
	use_certificate("chain.pem", "leaf.key");
	struct rung_server *server = test_server(rung_run(tell),
		(struct rung_server_options){ .loops = 2, .tls = { out("live.pem"), out("live.key") } });
	char url[64];
	snprintf(url, sizeof url, "%s", rung_server_url(server));
	CURL *old = new_client("root.pem");
	expect_on(old, url, "x", "https /x");
	for (int i = 0; i < 4; i++)
		cr_assert(pthread_create(&threads[i], NULL, ask_on_and_on, url) == 0);
	for (int i = 0; i < 20; i++) {
		bool is_other = i % 2 == 0;

		use_certificate(is_other ? "other.pem" : "chain.pem", is_other ? "other.key" : "leaf.key");
		ASSERT_INT(rung_server_reload(server), 0);
		expect(is_other ? "other.pem" : "root.pem", url, "x", "https /x");
		cr_assert(fails(is_other ? "root.pem" : "other.pem", url) != CURLE_OK);
		expect_on(old, url, "x", "https /x");
		curl_easy_getinfo(old, CURLINFO_NUM_CONNECTS, &opened);
		ASSERT_INT(opened, 0);
	}
	atomic_store(&is_over, true);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	cr_assert(atomic_load(&answers) > 20);
	curl_easy_cleanup(old);
	ASSERT_INT(rung_server_destroy(server), 0);
}

Test(tls, a_bad_pair_is_refused_and_the_old_one_stays)
{
	use_certificate("chain.pem", "leaf.key");
	struct rung_server *server = test_server(
		rung_run(tell), (struct rung_server_options){ .tls = { out("live.pem"), out("live.key") } });

	use_certificate("chain.pem", "other.key");
	cr_assert(rung_server_reload(server) < 0);
	ASSERT_HAS(test_log(), "rung: the certificate stays as it is: server: the key in ");
	expect("root.pem", rung_server_url(server), "x", "https /x");
	tree_put("out/live.pem", "half a cert");
	cr_assert(rung_server_reload(server) < 0);
	expect("root.pem", rung_server_url(server), "x", "https /x");
	cr_assert(unlink(out("live.pem")) == 0);
	cr_assert(rung_server_reload(server) < 0);
	expect("root.pem", rung_server_url(server), "x", "https /x");
	rung_server_destroy(server);
	server = test_server(rung_run(tell), (struct rung_server_options){ 0 });
	ASSERT_INT(rung_server_reload(server), -ENOTSUP);
	rung_server_destroy(server);
}

/* -- ending ----------------------------------------------------------------------------------------------------------------- */

static int slow(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self, (void)env;
	usleep(200000);
	return rung_reply_text(res, 200, "slow");
}

static void *fetch_slow(void *base)
{
	expect("root.pem", base, "", "slow");
	return NULL;
}

Test(tls, a_drain_lets_answers_end)
{
	struct rung_server *server = test_server(
		rung_run(slow), (struct rung_server_options){ .tls = { out("chain.pem"), out("leaf.key") } });
	char url[64];
	pthread_t thread;

	snprintf(url, sizeof url, "%s", rung_server_url(server));
	cr_assert(pthread_create(&thread, NULL, fetch_slow, url) == 0);
	usleep(100000);
	ASSERT_INT(rung_server_destroy(server), 0);
	pthread_join(thread, NULL);
}

Test(tls, programs_read_it_again_at_sighup)
{
	use_certificate("chain.pem", "leaf.key");
	struct program subject = launch("subject",
		FLAGS("--port", "0", "--tls-cert", out("live.pem"), "--tls-key", out("live.key")), NULL);
	char url[64], line[256];

	snprintf(url, sizeof url, "https://127.0.0.1:%u/", ready_port(&subject));
	expect("root.pem", url, "scheme", "https from 127.0.0.1");
	use_certificate("other.pem", "other.key");
	kill(subject.pid, SIGHUP);
	read_text(subject.err, line, sizeof line, true);
	ASSERT_HAS(line, "the certificate was read again");
	expect("other.pem", url, "scheme", "https from 127.0.0.1");
	stop_program(&subject);
}
