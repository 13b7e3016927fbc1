/* test_names.c: which app stands for which authority. */
#include "support.h"

SUITE(names);

static int answer(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)env;
	return rung_reply_text(res, 200, rung_data(self));
}

static int pass_on(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	return 0;
}

static int frees;

static void count_free(void *data)
{
	frees += data == &frees;
}

static struct rung_app *owned(void)
{
	return rung_run(answer, .data = &frees, .free_data = count_free);
}

static struct rung_app *find(
	const struct rung_names *names, const char *scheme, const char *host, unsigned port)
{
	return rung_names_find(names, scheme, host, strlen(host), port);
}

Test(names, an_authority_is_found_whatever_its_case_and_default_port)
{
	struct rung_app *plain = rung_run(answer), *ported = rung_run(answer), *six = rung_run(answer);
	struct rung_names *names = rung_names(
		{ "Files.Internal", plain }, { "files.internal:9000", ported }, { "[::1]:80", six });

	cr_assert(names != NULL, "%s", rung_error());
	cr_expect_eq(find(names, "http", "files.internal", 0), plain);
	cr_expect_eq(find(names, "http", "FILES.INTERNAL", 0), plain);
	cr_expect_eq(find(names, "http", "files.internal", 80), plain);
	cr_expect_eq(find(names, "https", "files.internal", 0), plain);
	cr_expect_eq(find(names, "https", "files.internal", 443), plain);
	cr_expect_eq(find(names, "http", "files.internal", 9000), ported);
	cr_expect_eq(find(names, "https", "files.internal", 9000), ported);
	cr_expect_eq(find(names, "http", "[::1]", 0), six);
	cr_expect_eq(find(names, "http", "[::1]", 80), six);
	cr_expect_null(find(names, "http", "files.internal", 443));
	cr_expect_null(find(names, "https", "files.internal", 80));
	cr_expect_null(find(names, "http", "files.internal", 9001));
	cr_expect_null(find(names, "https", "[::1]", 0));
	cr_expect_null(find(names, "http", "files", 0));
	cr_expect_null(find(names, "http", "files.internal.", 0));
	cr_expect_null(find(names, "http", "", 0));
	cr_expect_null(find(NULL, "http", "files.internal", 0));
	cr_expect_eq(rung_names_find(names, "http", "files.internalX", 14, 0), plain,
		"no byte beyond the size counts");
	rung_names_destroy(names);
}

Test(names, a_host_longer_than_hosts_are_is_never_found)
{
	char host[5000];
	struct rung_names *names = rung_names({ "h", rung_run(answer) });

	memset(host, 'a', sizeof host);
	cr_assert_null(rung_names_find(names, "http", host, sizeof host, 0));
	cr_assert_null(rung_names_find(names, "http", host, sizeof host, 65535));
	host[sizeof host - 1] = '\0';
	rung_names_destroy(names);
	cr_assert_null(rung_names({ host, rung_run(answer) }));
	ASSERT_HAS(rung_error(), "is longer than a host name can be; shorten it");
}

static int collect(struct rung_app *app, const char *label, void *data)
{
	char *text = data;

	(void)app;
	strcat(strcat(text, label), " ");
	return strcmp(label, "stop:1") == 0 ? 7 : 0;
}

Test(names, every_app_is_shown_with_its_authority_until_the_visit_ends)
{
	char text[64] = "";
	struct rung_names *names = rung_names({ "A", rung_run(answer) }, { "b:81", rung_run(answer) });

	ASSERT_INT(rung_names_visit(names, collect, text), 0);
	ASSERT_STR(text, "a b:81 ");
	rung_names_destroy(names);
	names = rung_names(
		{ "a", rung_run(answer) }, { "stop:1", rung_run(answer) }, { "c", rung_run(answer) });
	text[0] = '\0';
	ASSERT_INT(rung_names_visit(names, collect, text), 7);
	ASSERT_STR(text, "a stop:1 ");
	rung_names_destroy(names);
	ASSERT_INT(rung_names_visit(NULL, collect, text), 0);
}

Test(names, what_is_no_table_is_refused_with_the_mend_and_drops_every_app)
{
	cr_assert_null(rung_names({ "a b", owned() }));
	ASSERT_STR(rung_error(), "names: \"a b\" is no authority; write a host, or host:port");
	cr_assert_null(rung_names({ "", owned() }));
	ASSERT_STR(rung_error(), "names: \"\" is no authority; write a host, or host:port");
	cr_assert_null(rung_names({ NULL, owned() }));
	ASSERT_STR(rung_error(), "names: \"(NULL)\" is no authority; write a host, or host:port");
	cr_assert_null(rung_names({ "http://a/", owned() }));
	ASSERT_HAS(rung_error(), "is no authority");
	cr_assert_null(rung_names({ "a", owned() }, { "A", owned() }));
	ASSERT_STR(rung_error(), "names: \"A\" stands twice; drop one of them");
	cr_assert_null(rung_names({ "a:80", owned() }, { "b", NULL }));
	ASSERT_HAS(rung_error(), "names: it was given NULL as an app");
	cr_assert_null(rung_names({ "a", rung_stack(rung_use(pass_on)) }, { "b", owned() }));
	ASSERT_HAS(rung_error(), "ends in a layer, so nothing answers; put an endpoint last");
	cr_assert_null(rung_names_new(NULL, 0));
	ASSERT_STR(rung_error(), "names: the table is empty; give it { authority, app } pairs");
	ASSERT_INT(frees, 8);
	rung_names_destroy(NULL);
}

Test(names, one_app_may_have_two_names)
{
	struct rung_app *app = owned();
	struct rung_names *names = rung_names({ "a", rung_ref(app) }, { "b", app });

	cr_assert_eq(find(names, "http", "a", 0), find(names, "http", "b", 0));
	rung_names_destroy(names);
	ASSERT_INT(frees, 1);
	app = owned();
	cr_assert_null(rung_names({ "a", app }, { "b", app }));
	ASSERT_HAS(rung_error(), "is in a place already");
	ASSERT_INT(frees, 2);
}
