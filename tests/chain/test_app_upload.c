/* test_app_upload.c: apps/upload.c: what comes is told by its sum, what is refused is explained, below a prefix too. */
#include "support.h"

SUITE(app_upload);

int upload_main(int argc, char **argv);

#define TYPE "multipart/form-data; boundary=b"
#define FILE_PART(filename, bytes)                                                             \
	"--b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"" filename "\"\r\n" \
	"Content-Type: text/plain\r\n\r\n" bytes "\r\n"
#define NOTE_PART(bytes) "--b\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\n" bytes "\r\n"
#define END              "--b--\r\n"

static const struct rung_field browser[] = { { .name = "Accept", .value = "text/html,*/*;q=0.8" }, { 0 } };

static struct rung_client *upload(void)
{
	const struct rung_setup setup = { .size = sizeof setup, .quiet = true };

	return test_client_with(rung_main_stack(upload_main, "upload"), &setup);
}

static const struct rung_reply *post(struct rung_client *client, const char *type, const char *body)
{
	return rung_client_send(client, "POST", "/", .headers = browser, .content_type = type, .body = body);
}

/* A form with one file of so many bytes "x", to be freed. */
static char *large_form(size_t size)
{
	static const char front[] =
		"--b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"big.bin\"\r\n\r\n";
	char *form = malloc(sizeof front + size + 16);

	cr_assert_not_null(form);
	memcpy(form, front, sizeof front - 1);
	memset(form + sizeof front - 1, 'x', size);
	strcpy(form + sizeof front - 1 + size, "\r\n--b--");
	return form;
}

Test(app_upload, the_form_says_what_is_taken)
{
	struct rung_client *client = upload();
	const struct rung_reply *reply = rung_client_get(client, "/");

	ASSERT_INT(reply->status, 200);
	ASSERT_HAS(reply->body, "<form method=\"post\" enctype=\"multipart/form-data\">");
	ASSERT_HAS(reply->body, "Up to 3 files, 8 MiB in all, and a note of 16 KiB.");
	rung_client_destroy(client);
}

Test(app_upload, files_are_told_by_name_type_size_and_sum)
{
	struct rung_client *client = upload();
	const struct rung_reply *reply = post(client, TYPE,
		FILE_PART("a.txt", "hello\n") FILE_PART("../<b>.txt", "") NOTE_PART("<i> & so") END);

	ASSERT_INT(reply->status, 200);
	ASSERT_HAS(reply->body, "<h2>a.txt</h2>");
	ASSERT_HAS(reply->body, "<td>text/plain</td>");
	ASSERT_HAS(reply->body, "<td>6 bytes</td>");
	ASSERT_HAS(reply->body, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
	ASSERT_HAS(reply->body, "<h2>_b_.txt</h2>");
	ASSERT_HAS(reply->body, "<td>../&lt;b&gt;.txt</td>");
	/* Of nothing. */
	ASSERT_HAS(reply->body, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	ASSERT_HAS(reply->body, "<pre>&lt;i&gt; &amp; so</pre>");
	cr_assert(!strstr(reply->body, "<i>") && !strstr(reply->body, "<b>"));
	rung_client_destroy(client);
}

Test(app_upload, megabytes_too)
{
	struct rung_client *client = upload();
	char *form = large_form(3000000);
	const struct rung_reply *reply = post(client, TYPE, form);

	ASSERT_INT(reply->status, 200);
	ASSERT_HAS(reply->body, "<td>3000000 bytes</td>");
	ASSERT_HAS(reply->body, "e55b8bdf621ddaa8f462c74745db9680d3bb7536a9cf854f8d6668b34a287890");
	free(form);
	rung_client_destroy(client);
}

Test(app_upload, no_file_is_no_error)
{
	struct rung_client *client = upload();

	ASSERT_HAS(rung_client_send(client, "POST", "/", .form = "note=a+b")->body, "<pre>a b</pre>");
	const struct rung_reply *reply = post(client, TYPE, FILE_PART("", "") NOTE_PART("") END);
	ASSERT_INT(reply->status, 200);
	ASSERT_HAS(reply->body, "No file was chosen.");
	cr_assert(!strstr(reply->body, "The note"));
	ASSERT_STR(test_log(), "");
	rung_client_destroy(client);
}

Test(app_upload, what_is_refused_is_explained)
{
	static const char file[] = FILE_PART("a", "1");
	char *large = large_form(8 * 1024 * 1024), four[1024];
	const struct {
		const char *type, *body;
		int status;
		const char *title, *why;
	} cases[] = {
		{ TYPE, large, 413, "<h1>Too much</h1>", "bytes; 8388608 is the limit" },
		{ TYPE, four, 413, "<h1>Too much</h1>", "part 4: more than 3 files" },
		{ TYPE, "--b\r\n", 400, "<h1>A broken form</h1>", "part 1 has no end" },
		{ "multipart/form-data", "x", 400, "<h1>A broken form</h1>", "has no boundary" },
		{ "text/csv", "a,b", 415, "<h1>Not a form</h1>", "Content-Type is &quot;text/csv&quot;" },
	};
	struct rung_client *client = upload();

	snprintf(four, sizeof four, "%s%s%s%s" END, file, file, file, file);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct rung_reply *reply = post(client, cases[i].type, cases[i].body);

		ASSERT_INT(reply->status, cases[i].status);
		ASSERT_HAS(reply->body, cases[i].title);
		ASSERT_HAS(reply->body, cases[i].why);
		ASSERT_HAS(reply->body, "Up to 3 files, 8 MiB in all");
	}
	/* A program gets a line, by error_pages. */
	const struct rung_reply *reply =
		rung_client_send(client, "POST", "/", .content_type = "text/csv", .body = "a,b");
	ASSERT_STR(reply->body, "415 Unsupported Media Type\n");
	/* What is not about a form is left to it too. */
	ASSERT_INT(rung_client_send(client, "GET", "/x", .headers = browser)->status, 404);
	free(large);
	rung_client_destroy(client);
}

Test(app_upload, at_the_limit_it_is_taken)
{
	struct rung_client *client = upload();
	char *form = large_form(0);
	size_t around = strlen(form);

	free(form);
	form = large_form(8 * 1024 * 1024 - around);
	ASSERT_INT(post(client, TYPE, form)->status, 200);
	free(form);
	form = large_form(8 * 1024 * 1024 - around + 1);
	ASSERT_INT(post(client, TYPE, form)->status, 413);
	free(form);
	rung_client_destroy(client);
}

Test(app_upload, below_a_prefix_its_links_and_its_form_stay_there)
{
	const struct rung_setup setup = { .size = sizeof setup, .quiet = true };
	struct rung_client *client = test_client_with(
		rung_routes(rung_mount("/x", rung_main_stack(upload_main, "upload"))), &setup);
	const struct rung_reply *reply = rung_client_get(client, "/x/");

	/* A form without an action goes to its own page. */
	ASSERT_INT(reply->status, 200);
	cr_assert(!strstr(reply->body, "action="));
	reply = rung_client_send(client, "POST", "/x/", .headers = browser, .form = "note=1");
	ASSERT_INT(reply->status, 200);
	ASSERT_HAS(reply->body, "href=\"./\"");
	reply = rung_client_send(
		client, "POST", "/x/", .headers = browser, .body = "1", .content_type = "a/b");
	ASSERT_INT(reply->status, 415);
	ASSERT_HAS(reply->body, "href=\"./\"");
	rung_client_destroy(client);
}
