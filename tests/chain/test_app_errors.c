/* test_app_errors.c: apps/errors.c: each way to fail, what its client gets, what the log sees, and that the page that
 * lists them tells the truth. */
#include "support.h"

SUITE(app_errors);

int errors_main(int argc, char **argv);

/* Two of the ways break what lint watches over: that one app may do so, on purpose, is what they show. */
static struct rung_client *client_without_lint(void)
{
	const struct rung_setup setup = { .size = sizeof setup, .probes = test_no_probes };

	return test_client_with(rung_main_stack(errors_main, "errors"), &setup);
}

static int count(const char *text, const char *part)
{
	int found = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		found++;
	return found;
}

static const struct {
	const char *name;
	int status;
	const char *line; /* where its log line begins; NULL: it has none */
	const char *why;  /* and what it says */
} ways[] = {
	{ "missing", 404, NULL, NULL },
	{ "io", 500, "rung: 500 in GET /try/io (errors.c:", "the disk under /try/io" },
	{ "memory", 503, "rung: 503 in GET /try/memory", "Cannot allocate memory" },
	{ "slow", 504, "rung: 504 in GET /try/slow (errors.c:", "the database" },
	{ "malformed", 400, "rung: 400 in GET /try/malformed (errors.c:", "this is no form" },
	{ "large", 413, "rung: 413 in GET /try/large (errors.c:", "more than this app takes" },
	{ "unreachable", 502, "rung: 502 in GET /try/unreachable (errors.c:", "the bank is closed" },
	{ "status_99", 500, "rung: 500 in GET /try/status_99", "status 99" },
	{ "elsewhere", 502, "rung: 502 in reproxy (", "\"http://nobody.example/\"" },
	{ "loop", 502, "rung: 502 in reproxy (", "more than 10 hops: loop -> loop" },
	{ "split", 500, "rung: 500 in GET /try/split", "\"Location\" has a control byte" },
	{ "nothing", 500, "rung: 500 in GET /try/nothing", "no response was made" },
	{ "positive", 500, "rung: 500 in GET /try/positive", "call returned 3" },
	{ "early", 500, "rung: 500 in GET /try/early", "status 103" },
	{ "null_text", 500, "rung: 500 in GET /try/null_text", "NULL" },
};

enum { WAYS = sizeof ways / sizeof *ways };

/* -- one by one -------------------------------------------------------------------------------------------------- */

Test(app_errors, each_way_has_its_status_its_page_and_its_line)
{
	struct rung_client *client = client_without_lint();

	for (size_t i = 0; i < WAYS; i++) {
		char path[64], access[96];

		test_log_clear();
		snprintf(path, sizeof path, "/try/%s", ways[i].name);
		const struct rung_reply *reply = rung_client_get(client, path);
		cr_expect(reply->status == ways[i].status, "%s is %d", path, reply->status);
		cr_expect(reply->size > 0, "%s has no page", path);
		/* Why it failed is for the log: a client may be anyone. */
		cr_expect(
			!ways[i].why || !strstr(reply->body, ways[i].why), "%s tells: %s", path, reply->body);
		if (ways[i].line) {
			ASSERT_HAS(test_log(), ways[i].line);
			ASSERT_HAS(test_log(), ways[i].why);
		}
		cr_expect(count(test_log(), "rung: ") == (ways[i].line != NULL), "%s", test_log());
		snprintf(access, sizeof access, "\"GET %s HTTP/1.1\" %d ", path, ways[i].status);
		ASSERT_HAS(test_log(), access);
	}
	rung_client_destroy(client);
}

Test(app_errors, lint_finds_nothing_that_changes_a_status)
{
	struct rung_client *client = test_client(rung_main_stack(errors_main, "errors"));

	for (size_t i = 0; i < WAYS; i++) {
		char path[64];

		snprintf(path, sizeof path, "/try/%s", ways[i].name);
		int status = rung_client_get(client, path)->status;
		cr_expect(status == ways[i].status, "%s is %d under lint:\n%s", path, status, test_log());
	}
	ASSERT_INT(rung_client_get(client, "/")->status, 200);
	rung_client_destroy(client);
}

Test(app_errors, a_status_is_no_failure)
{
	struct rung_client *client = test_client(rung_main_stack(errors_main, "errors"));
	const struct rung_reply *reply = rung_client_send(client, "DELETE", "/try/missing");

	ASSERT_INT(reply->status, 405);
	ASSERT_HAS(rung_reply_header(reply, "Allow"), "GET");
	ASSERT_INT(rung_client_get(client, "/nowhere")->status, 404);
	ASSERT_INT(rung_client_get(client, "/try/unheard_of")->status, 404);
	reply = rung_client_get(client, "/try/post_only");
	ASSERT_INT(reply->status, 405);
	ASSERT_HAS(rung_reply_header(reply, "Allow"), "POST");
	ASSERT_INT(rung_client_send(client, "POST", "/try/post_only")->status, 204);
	ASSERT_INT(rung_client_send(client, "POST", "/")->status, 405);
	ASSERT_INT(count(test_log(), "rung: "), 0);
	ASSERT_INT(rung_client_send(client, "HEAD", "/")->status, 200);
	rung_client_destroy(client);
}

Test(app_errors, nothing_of_a_failed_response_goes_out)
{
	struct rung_client *client = client_without_lint();
	const struct rung_reply *reply = rung_client_get(client, "/try/split");

	cr_assert_null(rung_reply_header(reply, "Location"));
	cr_assert_null(rung_reply_header(reply, "Set-Cookie"));
	for (size_t i = 0; i < WAYS; i++) {
		char path[64];

		snprintf(path, sizeof path, "/try/%s", ways[i].name);
		cr_expect_null(strstr(rung_client_get(client, path)->body, "you will not see this"));
	}
	rung_client_destroy(client);
}

Test(app_errors, a_body_that_breaks_cuts_the_connection)
{
	struct rung_client *client = client_without_lint();
	const struct rung_reply *reply = rung_client_get(client, "/try/half");

	ASSERT_INT(reply->status, 200);
	ASSERT_INT(reply->outcome, RUNG_BROKEN);
	ASSERT_STR(reply->body, "half of");
	ASSERT_HAS(test_log(), "\"GET /try/half HTTP/1.1\" 200 7 ");
	ASSERT_HAS(test_log(), " broken\n");
	ASSERT_HAS(test_log(), "rung: body of GET /try/half: Input/output error after 7 bytes\n");
	/* The next request knows nothing of it. */
	ASSERT_INT(rung_client_get(client, "/")->status, 200);
	rung_client_destroy(client);
}

Test(app_errors, whoever_stands_in_front_the_uris_are_tried_here)
{
	const struct rung_setup setup = { .size = sizeof setup, .server = RUNG_SERVER_NGINX };
	struct rung_client *client = test_client_with(rung_main_stack(errors_main, "errors"), &setup);

	ASSERT_INT(rung_client_get(client, "/try/elsewhere")->status, 502);
	ASSERT_INT(rung_client_get(client, "/try/loop")->status, 502);
	rung_client_destroy(client);
}

/* -- its page ------------------------------------------------------------------------------------------------------ */

Test(app_errors, programs_get_json_and_developers_the_reason)
{
	static const struct rung_field json[] = { { .name = "Accept", .value = "application/json" }, { 0 } };
	const struct rung_setup setup = { .size = sizeof setup, .development = true };
	struct rung_client *client = client_without_lint();
	const struct rung_reply *reply = rung_client_send(client, "GET", "/try/io", .headers = json);

	ASSERT_INT(reply->status, 500);
	ASSERT_HAS(rung_reply_header(reply, "Content-Type"), "json");
	ASSERT_HAS(reply->body, "\"status\":500");
	rung_client_destroy(client);
	client = test_client_with(rung_main_stack(errors_main, "errors"), &setup);
	ASSERT_HAS(rung_client_get(client, "/try/io")->body, "the disk under /try/io");
	rung_client_destroy(client);
}

/* Takes the next link off *rest: what it says its status will be, and where it goes. */
static bool next_link(char **rest, int *ret_status, char **ret_href)
{
	static const char begin[] = "<a data-status=\"", middle[] = "\" href=\"";
	char *at = strstr(*rest, begin);

	if (!at)
		return false;
	*ret_status = (int)strtol(at + strlen(begin), &at, 10);
	cr_assert(strncmp(at, middle, strlen(middle)) == 0, "an odd link: %.60s", at);
	*ret_href = at + strlen(middle);
	at = *ret_href + strcspn(*ret_href, "\"");
	*at = '\0';
	*rest = at + 1;
	return true;
}

/* The line that the page shows is, as it stands, one that the request itself leaves in the log. */
static void check_line(const char *shown)
{
	static const struct {
		const char *name;
		char byte;
	} entities[] = { { "&quot;", '"' }, { "&gt;", '>' }, { "&#39;", '\'' } };
	char line[512];
	size_t size = 0;

	while (*shown != '<' && size + 1 < sizeof line) {
		line[size++] = *shown++;
		for (size_t i = 0; line[size - 1] == '&' && i < sizeof entities / sizeof *entities; i++)
			if (strncmp(shown - 1, entities[i].name, strlen(entities[i].name)) == 0) {
				line[size - 1] = entities[i].byte;
				shown += strlen(entities[i].name) - 1;
			}
	}
	line[size] = '\0';
	ASSERT_HAS(test_log(), line);
}

Test(app_errors, below_a_prefix_its_page_tells_what_each_link_then_does)
{
	const struct rung_setup setup = { .size = sizeof setup, .quiet = true, .probes = test_no_probes };
	struct rung_client *client = test_client_with(
		rung_routes(rung_mount("/x", rung_main_stack(errors_main, "errors"))), &setup);
	const struct rung_reply *reply = rung_client_get(client, "/x/");
	int status, links = 0;
	char *href;

	ASSERT_INT(reply->status, 200);
	ASSERT_INT(reply->outcome, RUNG_SENT);
	ASSERT_HAS(rung_reply_header(reply, "Content-Type"), "text/html");
	/* It ran every way but the one that has to be read to fail. */
	ASSERT_INT(count(test_log(), "rung: "), WAYS - 1);
	cr_assert_null(strstr(test_log(), "body of"));
	char *page = strdup(reply->body), *rest = page;
	cr_assert_not_null(page);
	for (; next_link(&rest, &status, &href); links++) {
		char target[64];

		cr_assert(*href != '/', "%s leaves the prefix", href);
		snprintf(target, sizeof target, "/x/%s", href);
		test_log_clear();
		reply = rung_client_get(client, target);
		if (status == 0) {
			ASSERT_INT(reply->outcome, RUNG_BROKEN);
			continue;
		}
		cr_expect(reply->status == status, "%s is %d, not %d", target, reply->status, status);
		const char *client_line = strstr(rest, "client: "), *log_line = strstr(rest, "log: ");
		cr_assert(client_line && log_line);
		ASSERT_INT(strtol(client_line + strlen("client: "), NULL, 10), status);
		if (strncmp(log_line, "log: nothing", strlen("log: nothing")) == 0)
			ASSERT_STR(test_log(), "");
		else
			check_line(log_line + strlen("log: "));
	}
	cr_assert(links > WAYS, "%d links", links);
	free(page);
	rung_client_destroy(client);
}
