/* test_form.c: forms as curl sends them over a real socket: a file of some megabytes goes to disk byte by byte as it was. */
#include "tree.h"

#include <fcntl.h>
#include <unistd.h>

TestSuite(form, .init = tree_make, .fini = tree_remove, .timeout = 60);

/* Saves the file "doc" and tells of the form. */
static int take(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct rung_params *form, *query, *cookies;
	int rc = rung_form(env, &form);

	(void)self;
	if (rc < 0)
		return rc;
	cr_assert(rung_query(env, &query) == 0 && rung_cookies(env, &cookies) == 0);
	const struct rung_upload *file = rung_params_file(form, "doc");
	const char *title = rung_params_get(form, "title"), *a = rung_params_get(query, "a"),
		   *cookie = rung_params_get(cookies, "c");
	int folder = open(tree_at("root"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	rc = file ? rung_upload_save(file, folder, "saved", 0) : 0;
	close(folder);
	if (rc < 0)
		return rung_fail(env, rc, "save");
	return rung_reply_textf(res, 200, "%s|%s|%s|%s|%zu|%s", title ? title : "", a ? a : "",
		cookie ? cookie : "", file ? file->safe_name : "", file ? file->size : 0,
		file ? file->content_type : "");
}

static struct rung_server *serve(void)
{
	return test_server(rung_run(take, .name = "take"),
		(struct rung_server_options){ .limits = { .body = 8 * 1024 * 1024 } });
}

/* What curl got, as text. */
static const char *got(void)
{
	static char text[512];
	FILE *file = fopen(tree_at("got"), "r");

	cr_assert(file);
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	fclose(file);
	return text;
}

Test(form, a_file_of_three_megabytes_arrives_whole)
{
	struct rung_server *server = serve();
	char url[128], file[256];

	tree_pattern("large", 3 * 1000 * 1000 + 1);
	snprintf(url, sizeof url, "%s?a=x%%20y", rung_server_url(server));
	snprintf(file, sizeof file, "doc=@%s;filename=../a:b.bin", tree_at("large"));
	ASSERT_INT(test_curl((const char *const[]){ "-o", tree_at("got"), "-b", "c=1", "-F",
			   "title=one & two", "-F", file, url, NULL }),
		0);
	ASSERT_STR(got(), "one & two|x y|1|a_b.bin|3000001|application/octet-stream");
	FILE *saved = fopen(tree_at("root/saved"), "r");
	cr_assert(saved);
	for (size_t i = 0; i < 3000001; i++)
		cr_assert(getc(saved) == (unsigned char)tree_pattern_byte(i), "byte %zu", i);
	cr_assert(getc(saved) == EOF);
	fclose(saved);
	rung_server_destroy(server);
}

Test(form, in_chunks_and_urlencoded)
{
	struct rung_server *server = serve();

	ASSERT_INT(test_curl((const char *const[]){ "-o", tree_at("got"), "-H", "Transfer-Encoding: chunked",
			   "-F", "title=1", rung_server_url(server), NULL }),
		0);
	ASSERT_STR(got(), "1||||0|");
	ASSERT_INT(test_curl((const char *const[]){ "-o", tree_at("got"), "-d", "x=1", "--data-urlencode",
			   "title=a+b&c", rung_server_url(server), NULL }),
		0);
	ASSERT_STR(got(), "a+b&c||||0|");
	rung_server_destroy(server);
}

Test(form, what_is_wrong_with_one_is_told_by_its_status_and_the_log)
{
	static const struct {
		const char *type, *body, *status, *words;
	} cases[] = {
		{ "multipart/form-data", "--b--", "400",
			"400 in take: multipart form: its Content-Type has no" },
		{ "multipart/form-data; boundary=b", "--b\r\n\r\n", "400",
			"400 in take: multipart form: part 1" },
		{ "application/json", "{}", "415", "415 in take: the body is no form" },
	};
	struct rung_server *server = serve();

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char type[128];

		test_log_clear();
		snprintf(type, sizeof type, "Content-Type: %s", cases[i].type);
		ASSERT_INT(test_curl((const char *const[]){ "-i", "-o", tree_at("got"), "-H", type, "-d",
				   cases[i].body, rung_server_url(server), NULL }),
			0);
		cr_expect(strncmp(got(), "HTTP/1.1 ", 9) == 0 && strncmp(got() + 9, cases[i].status, 3) == 0,
			"%s", got());
		cr_expect(strstr(test_log(), cases[i].words), "%s", test_log());
	}
	rung_server_destroy(server);
}
