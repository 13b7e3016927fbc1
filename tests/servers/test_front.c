/*
 * test_front.c: the real nginx, Apache, H2O, Perlbal and lighttpd in front of gallery apps, each with the configuration that the
 * app prints. What differs from server to server is in their struct front; what does not is the same check for all.
 */
#include "rig.h"

#include <curl/curl.h>
#include <stdatomic.h>
#include <unistd.h>

#define LOGIN "Authorization: Basic ZGVtbzpkZW1v\r\n"

TestSuite(nginx);
TestSuite(nginx_hardened);
TestSuite(apache);
TestSuite(h2o);
TestSuite(perlbal);
TestSuite(lighttpd);

/* A check for all; for those that fetch, which lighttpd 1.4 does not; and without Perlbal too, which hangs with it. */
#define FOR_SURVIVORS(name)                          \
	static void name(const struct front *front); \
	Test(nginx, name)                            \
	{                                            \
		name(&nginx);                        \
	}                                            \
	Test(nginx_hardened, name)                   \
	{                                            \
		name(&nginx_hardened);               \
	}                                            \
	Test(apache, name)                           \
	{                                            \
		name(&apache);                       \
	}                                            \
	Test(h2o, name)                              \
	{                                            \
		name(&h2o);                          \
	}                                            \
	static void name(const struct front *front)
#define FOR_FETCHING(name)                           \
	static void name(const struct front *front); \
	Test(perlbal, name)                          \
	{                                            \
		name(&perlbal);                      \
	}                                            \
	FOR_SURVIVORS(name)
#define FOR_ALL(name)                                \
	static void name(const struct front *front); \
	Test(lighttpd, name)                         \
	{                                            \
		name(&lighttpd);                     \
	}                                            \
	FOR_FETCHING(name)

/* A file of private_files. To be freed. */
static char *read_private(const char *name, size_t *ret_size)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%s", PRIVATE_FILES, name);
	FILE *file = fopen(path, "rb");
	cr_assert(file && fseek(file, 0, SEEK_END) == 0);
	size_t size = (size_t)ftell(file);
	char *bytes = malloc(size + 1);
	rewind(file);
	cr_assert(bytes && fread(bytes, 1, size, file) == size && fclose(file) == 0);
	*ret_size = size;
	return bytes;
}

static void expect_bytes(const struct answer *answer, const char *bytes, size_t size)
{
	cr_assert(answer->is_whole && answer->size == size && memcmp(answer->body, bytes, size) == 0,
		"%zu bytes, not the %zu that there are; %s", answer->size, size, answer->head);
}

/* -- private files ----------------------------------------------------------------------------------------------- */

FOR_ALL(private_files_take_a_login_and_come_whole)
{
	struct rig rig;
	size_t size;
	char *file = read_private("ladder.png", &size);

	rig_start(&rig, front, "private_files");
	struct answer answer = rig_get(&rig, "/d/ladder.png", "");
	ASSERT_INT(answer.status, 401);
	ASSERT_HAS(answer_field(&answer, "WWW-Authenticate"), "Basic realm=\"files\"");
	answer_is_clean(&answer);
	answer_free(&answer);
	answer = rig_get(&rig, "/d/ladder.png", LOGIN);
	ASSERT_INT(answer.status, 200);
	expect_bytes(&answer, file, size);
	answer_is_clean(&answer);
	answer_free(&answer);
	answer = rig_get(&rig, "/d/nothing", LOGIN);
	ASSERT_INT(answer.status, front->keeps_status ? 404 : 503);
	answer_is_clean(&answer);
	answer_free(&answer);
	rig_stop(&rig);
	free(file);
}

static void check_range(
	const struct rig *rig, const char *range, const char *content_range, const char *bytes, size_t size)
{
	char fields[256];

	snprintf(fields, sizeof fields, LOGIN "Range: bytes=%s\r\n", range);
	struct answer answer = rig_get(rig, "/d/big.bin", fields);
	ASSERT_INT(answer.status, 206);
	ASSERT_STR(answer_field(&answer, "Content-Range"), content_range);
	expect_bytes(&answer, bytes, size);
	answer_free(&answer);
}

FOR_ALL(ranges_are_the_bytes_of_the_file)
{
	struct rig rig;
	size_t size;
	char *file = read_private("big.bin", &size), expected[80];

	rig_start(&rig, front, "private_files");
	snprintf(expected, sizeof expected, "bytes 100-65635/%zu", size);
	check_range(&rig, "100-65635", expected, file + 100, 65536);
	snprintf(expected, sizeof expected, "bytes %zu-%zu/%zu", size - 7, size - 1, size);
	check_range(&rig, "-7", expected, file + size - 7, 7);
	struct answer answer = rig_get(&rig, "/d/big.bin", LOGIN "Range: bytes=999999999999-\r\n");
	ASSERT_INT(answer.status, 416);
	answer_free(&answer);
	rig_stop(&rig);
	free(file);
}

FOR_ALL(a_client_that_has_the_file_does_not_get_it_again)
{
	struct rig rig;
	char fields[512];

	rig_start(&rig, front, "private_files");
	struct answer answer = rig_get(&rig, "/d/readme.txt", LOGIN);
	ASSERT_INT(answer.status, 200);
	if (front->is_conditional) {
		snprintf(fields, sizeof fields, LOGIN "If-None-Match: %s\r\n", answer_field(&answer, "ETag"));
		answer_free(&answer);
		answer = rig_get(&rig, "/d/readme.txt", fields);
		ASSERT_INT(answer.status, 304);
		ASSERT_INT(answer.size, 0);
		answer_is_clean(&answer);
	} else {
		/* Nobody tells it what the client has. */
		ASSERT_STR(answer_field(&answer, "ETag"), "");
	}
	answer_free(&answer);
	rig_stop(&rig);
}

FOR_ALL(head_has_the_length_and_no_body)
{
	struct rig rig;
	size_t size;
	char *file = read_private("ladder.png", &size), length[32];

	rig_start(&rig, front, "private_files");
	struct answer answer = rig_ask(&rig, "HEAD", "/d/ladder.png", LOGIN, NULL, 0);
	ASSERT_INT(answer.status, 200);
	ASSERT_INT(answer.size, 0);
	snprintf(length, sizeof length, "%zu", size);
	ASSERT_STR(answer_field(&answer, "Content-Length"), length);
	answer_is_clean(&answer);
	answer_free(&answer);
	rig_stop(&rig);
	free(file);
}

/* -- uploads ----------------------------------------------------------------------------------------------------- */

enum { UPLOADED = 3000000 };

#define BOUNDARY "Content-Type: multipart/form-data; boundary=b\r\n"

/* A form with a file of that many bytes. To be freed. */
static char *make_form(size_t *ret_size)
{
	static const char begin[] =
		"--b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.bin\"\r\n"
		"Content-Type: application/octet-stream\r\n\r\n",
			  end[] = "\r\n--b--\r\n";
	char *form = malloc(sizeof begin + UPLOADED + sizeof end), *at = form;

	cr_assert(form != NULL);
	at += sprintf(at, "%s", begin);
	for (unsigned i = 0; i < UPLOADED; i++)
		*at++ = (char)(i * 2654435761u >> 24);
	at += sprintf(at, "%s", end);
	*ret_size = (size_t)(at - form);
	return form;
}

/* What the app makes of a form does not depend on who carried it. */
FOR_ALL(an_upload_arrives_as_it_was_sent)
{
	struct rig rig;
	size_t size;
	char *form = make_form(&size);

	rig_start(&rig, front, "upload");
	struct rig direct = { .port = rig.app_port };
	struct answer expected = rig_ask(&direct, "POST", "/", BOUNDARY, form, size);
	ASSERT_INT(expected.status, 200);
	ASSERT_HAS(expected.body, "SHA-256");
	struct answer answer = rig_ask(&rig, "POST", "/", BOUNDARY, form, size);
	ASSERT_INT(answer.status, 200);
	expect_bytes(&answer, expected.body, expected.size);
	answer_free(&answer);
	answer_free(&expected);
	rig_stop(&rig);
	free(form);
}

FOR_ALL(an_upload_in_chunks_arrives_or_is_refused)
{
	static const char body[] = "9\r\nnote=abcd\r\n4\r\nefgh\r\n0\r\n\r\n";
	struct rig rig;

	rig_start(&rig, front, "upload");
	struct answer answer = rig_ask(&rig, "POST", "/",
		"Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n", body,
		sizeof body - 1);
	ASSERT_INT(answer.status, front->takes_chunks ? 200 : 400);
	if (front->takes_chunks)
		ASSERT_HAS(answer.body, "<pre>abcdefgh</pre>");
	answer_free(&answer);
	rig_stop(&rig);
}

/* -- two apps, and hops ------------------------------------------------------------------------------------------ */

FOR_ALL(two_apps_meet)
{
	struct rig rig;
	int cookies = 0;

	rig_start(&rig, front, "two_apps");
	struct answer answer = rig_get(&rig, "/hello/Ada%20L", "");
	ASSERT_INT(answer.status, 200);
	ASSERT_HAS(answer.body, "Hello from ");
	ASSERT_HAS(answer.body, ", asked for name=Ada%20L\n");
	if (front->knows_names)
		ASSERT_HAS(answer.body, "Hello from greeter.internal,");
	else
		answer_is_clean(&answer);
	ASSERT_STR(answer_field(&answer, "X-Target"), front->keeps_target_cookie ? "greeter" : "");
	answer_free(&answer);
	answer = rig_get(&rig, "/add/2/40", "");
	ASSERT_INT(answer.status, 200);
	if (front->is_self)
		ASSERT_STR(answer.body, "2 + 40 = 42\n");
	else
		ASSERT_HAS(answer.body, ", asked for a=2&b=40\n");
	if (front->knows_names && !front->is_self)
		ASSERT_HAS(answer.body, "The sum for calculator.internal:9000,");
	for (const char *at = answer.head; (at = strcasestr(at, "\r\nSet-Cookie: ")); at++)
		cookies++;
	ASSERT_INT(cookies, front->keeps_app_cookie + front->keeps_target_cookie);
	answer_is_clean(&answer);
	answer_free(&answer);
	rig_stop(&rig);
}

static int ask_hops(const struct rig *rig, int count, bool *ret_is_end)
{
	char path[16];

	snprintf(path, sizeof path, "/%d", count);
	struct answer answer = rig_get(rig, path, "");
	int status = answer.status;
	/* Each hop through a server is a request of its own for the app. */
	*ret_is_end = strstr(answer.body, "hops\n") != NULL;
	answer_is_clean(&answer);
	answer_free(&answer);
	return status;
}

FOR_ALL(hops_pass_up_to_a_limit)
{
	struct rig rig;
	bool is_end;

	rig_start(&rig, front, "hops");
	ASSERT_INT(ask_hops(&rig, 0, &is_end), 200);
	cr_assert(is_end);
	ASSERT_INT(ask_hops(&rig, front->hops, &is_end), 200);
	cr_assert(is_end, "%d hops do not come to the end", front->hops);
	ASSERT_INT(ask_hops(&rig, front->hops + 1, &is_end), front->too_many);
	cr_assert(!is_end, "%d hops do come to the end", front->hops + 1);
	rig_stop(&rig);
}

/* -- targets that are no good -------------------------------------------------------------------------------------- */

static void expect_service(const struct rig *rig)
{
	struct answer answer = rig_get(rig, "/go/target.internal/greet?", "");

	ASSERT_INT(answer.status, 200);
	ASSERT_HAS(answer.body, "Hello from ");
	answer_free(&answer);
}

static void expect_failure(const struct rig *rig, const char *path, int status)
{
	struct answer answer = rig_get(rig, path, "");

	cr_assert(answer.status == status, "%s gives %d, not %d", path, answer.status, status);
	answer_is_clean(&answer);
	answer_free(&answer);
}

FOR_FETCHING(a_target_that_is_down_is_an_error_and_no_more)
{
	struct rig rig;

	rig_start(&rig, front, "asker");
	for (int i = 0; i < 5; i++)
		expect_failure(&rig, "/go/dead.internal/x", front->down);
	expect_service(&rig);
	rig_stop(&rig);
}

FOR_FETCHING(a_slow_target_is_waited_for)
{
	struct rig rig;

	rig_start(&rig, front, "asker");
	struct answer answer = rig_get(&rig, "/go/target.internal/slow", "");
	ASSERT_INT(answer.status, 200);
	ASSERT_STR(answer.body, "at last\n");
	answer_free(&answer);
	rig_stop(&rig);
}

/* What the client gets must not look like the whole. */
FOR_FETCHING(a_target_that_dies_in_its_body_leaves_a_cut_answer)
{
	struct rig rig;

	rig_start(&rig, front, "asker");
	for (int i = 0; i < 5; i++) {
		struct answer answer = rig_get(&rig, "/go/bad.internal/dies", "");

		cr_assert(answer.status == front->down || (answer.status == 200 && !answer.is_whole),
			"it looks whole: %s\n%s", answer.head, answer.body);
		answer_free(&answer);
	}
	expect_service(&rig);
	rig_stop(&rig);
}

FOR_SURVIVORS(a_target_that_says_nothing_is_an_error)
{
	struct rig rig;

	rig_start(&rig, front, "asker");
	for (int i = 0; i < 5; i++) {
		expect_failure(&rig, "/go/bad.internal/silent", 502);
		expect_failure(&rig, "/go/bad.internal/resets", 502);
	}
	expect_service(&rig);
	rig_stop(&rig);
}

/* -- who may say what -------------------------------------------------------------------------------------------- */

/* Nobody steers a server but the app. */
FOR_ALL(spoofed_fields_do_nothing)
{
	static const char fields[] =
		"X-Reproxy-Url: http://files.internal/readme.txt\r\n"
		"X_Reproxy_Url: http://files.internal/readme.txt\r\n"
		"X-Reproxied: 1\r\nX-Accel-Redirect: /reproxy\r\nX_Accel_Redirect: /reproxy\r\n"
		"X-Accel-Mapping: /=/reproxy/\r\nX-Sendfile-Type: X-Accel-Redirect\r\n"
		"X-Rewrite-Host: files.internal\r\nX-Rewrite-URI: /readme.txt\r\n"
		"X-Reproxy-File: /etc/passwd\r\nX-Proxy-Capabilities: reproxy-file\r\n";
	static const char *const paths[] = { "/", "/d/readme.txt", "/reproxy", "/reproxy/readme.txt" };
	static const int statuses[] = { 200, 401, 404, 404 };
	struct rig rig;

	rig_start(&rig, front, "private_files");
	for (int i = 0; i < 4; i++) {
		struct answer plain = rig_get(&rig, paths[i], ""), answer = rig_get(&rig, paths[i], fields);

		ASSERT_INT(plain.status, statuses[i]);
		ASSERT_INT(answer.status, statuses[i]);
		expect_bytes(&answer, plain.body, plain.size);
		answer_is_clean(&answer);
		answer_free(&answer);
		answer_free(&plain);
	}
	rig_stop(&rig);
}

FOR_FETCHING(a_target_gets_what_is_its_business)
{
	static const char body[] = "the body is the app's";
	struct rig rig;

	rig_start(&rig, front, "asker");
	struct answer answer = rig_ask(&rig, "POST", "/go/target.internal/seen?a=1",
		LOGIN "Cookie: secret=1\r\nContent-Type: text/plain\r\nX-Mine: 1\r\n", body, sizeof body - 1);
	ASSERT_INT(answer.status, 200);
	ASSERT_HAS(answer.body, " /seen");
	if (front->knows_names)
		ASSERT_HAS(answer.body, " for target.internal\n");
	if (front->is_discreet) {
		ASSERT_HAS(answer.body, "\n0 bytes\n");
		ASSERT_HAS(answer.body, "\nX-Mine: 1\n");
		cr_assert(!strcasestr(answer.body, "secret") && !strcasestr(answer.body, "Authorization"),
			"it sees %s", answer.body);
	}
	cr_assert(!strstr(answer.body, "X-Proxy-Capabilities"), "it sees %s", answer.body);
	answer_free(&answer);
	rig_stop(&rig);
}

FOR_FETCHING(what_is_not_listed_is_not_fetched_where_there_is_a_list)
{
	struct rig rig;
	char path[64];

	rig_start(&rig, front, "asker");
	snprintf(path, sizeof path, "/go/127.0.0.1:%u/readme.txt", rig.target_port);
	struct answer answer = rig_get(&rig, path, "");
	ASSERT_INT(answer.status, front->is_listed ? 502 : 200);
	answer_free(&answer);
	if (front->is_listed)
		expect_failure(&rig, "/go/localhost/", 502);
	rig_stop(&rig);
}

/* -- many at once -------------------------------------------------------------------------------------------------- */

enum { CLIENTS = 50, EACH = 20 };

struct load {
	const char *file;
	size_t size;
	unsigned port;
	atomic_int wrong, good;
};

struct client {
	struct load *load;
	pthread_t thread;
	unsigned number;
	char *got;
	size_t size;
};

static size_t keep(char *bytes, size_t one, size_t size, void *data)
{
	struct client *client = data;

	(void)one;
	if (client->size + size > client->load->size)
		return 0;
	memcpy(client->got + client->size, bytes, size);
	client->size += size;
	return size;
}

/* A slice of the file, another one each time, or all of it. */
static bool ask_slice(struct client *client, CURL *curl, unsigned turn)
{
	const struct load *load = client->load;
	size_t from = (client->number * 7919u + turn * 104729u) % (load->size - 70000),
	       size = 1 + turn * 3491u;
	char range[64];
	long status = 0;

	if (turn % 10 == 9) {
		from = 0;
		size = load->size;
	}
	snprintf(range, sizeof range, "%zu-%zu", from, from + size - 1);
	curl_easy_setopt(curl, CURLOPT_RANGE, size == load->size ? NULL : range);
	client->size = 0;
	if (curl_easy_perform(curl) != CURLE_OK ||
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK)
		return false;
	return status == (size == load->size ? 200 : 206) && client->size == size &&
	       memcmp(client->got, load->file + from, size) == 0;
}

static void *be_client(void *argument)
{
	struct client *client = argument;
	CURL *curl = curl_easy_init();
	char url[64];

	snprintf(url, sizeof url, "http://127.0.0.1:%u/d/big.bin", client->load->port);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_USERPWD, "demo:demo");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, client);
	client->got = malloc(client->load->size);
	for (unsigned turn = 0; client->got && turn < EACH; turn++)
		atomic_fetch_add(
			ask_slice(client, curl, turn) ? &client->load->good : &client->load->wrong, 1);
	free(client->got);
	curl_easy_cleanup(curl);
	return NULL;
}

FOR_ALL(a_thousand_requests_at_fifty_connections_without_a_wrong_byte)
{
	struct rig rig;
	struct load load = { 0 };
	struct client clients[CLIENTS];
	char *file = read_private("big.bin", &load.size);

	curl_global_init(CURL_GLOBAL_DEFAULT);
	rig_start(&rig, front, "private_files");
	load.file = file;
	load.port = rig.port;
	for (unsigned i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){ .load = &load, .number = i };
		cr_assert(pthread_create(&clients[i].thread, NULL, be_client, &clients[i]) == 0);
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		pthread_join(clients[i].thread, NULL);
	rig_stop(&rig);
	ASSERT_INT(load.wrong, 0);
	ASSERT_INT(load.good, CLIENTS * EACH);
	free(file);
}

/* -- lighttpd 1.4 -------------------------------------------------------------------------------------------------- */

static const struct front lighttpd_that_leaks = { "lighttpd", "lighttpd", .knows_names = true };

/* An app told to speak to lighttpd 1.5 gives nothing behind 1.4, and shows nothing either. */
Test(lighttpd, what_is_meant_for_another_version_does_not_leak)
{
	struct rig rig;

	rig_start(&rig, &lighttpd_that_leaks, "private_files");
	struct answer answer = rig_get(&rig, "/d/readme.txt", LOGIN);
	ASSERT_INT(answer.status, 200);
	ASSERT_INT(answer.size, 0);
	answer_is_clean(&answer);
	answer_free(&answer);
	/* It does say it to lighttpd. */
	struct rig direct = { .port = rig.app_port };
	answer = rig_get(&direct, "/d/readme.txt", LOGIN);
	ASSERT_STR(answer_field(&answer, "X-Rewrite-Host"), "files.internal");
	ASSERT_STR(answer_field(&answer, "X-Rewrite-URI"), "/readme.txt");
	ASSERT_STR(answer_field(&answer, "Transfer-Encoding"), "chunked");
	answer_free(&answer);
	rig_stop(&rig);
}
