/* test_writer.c: text that grows, and what each way of writing escapes. */
#include "support.h"

#include <errno.h>

SUITE(writer);

/* What each case of a table is written with. */
struct escape {
	int (*write)(struct rung_writer *writer, const char *text);
	const char *text, *expected;
};

static const struct escape escapes[] = {
	{ rung_write, "a<b>\"&\n", "a<b>\"&\n" },
	{ rung_write, "", "" },
	{ rung_write_html, "plain text, as it is", "plain text, as it is" },
	{ rung_write_html, "<a href=\"x\" title='y'>&amp;",
		"&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;amp;" },
	{ rung_write_html, "tab\tline\nend\r", "tab\tline\nend\r" },
	{ rung_write_html, "\x01\x1b\x7f", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	{ rung_write_html, "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
	/* No UTF-8: a lone continuation, a cut sequence, overlong, a surrogate, beyond the last, 0xff. */
	{ rung_write_html, "\x80|", "\xef\xbf\xbd|" },
	{ rung_write_html, "\xe2\x82|", "\xef\xbf\xbd\xef\xbf\xbd|" },
	{ rung_write_html, "\xc0\xaf|", "\xef\xbf\xbd\xef\xbf\xbd|" },
	{ rung_write_html, "\xe0\x80\xaf|", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|" },
	{ rung_write_html, "\xed\xa0\x80|", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|" },
	{ rung_write_html, "\xf4\x90\x80\x80|", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|" },
	{ rung_write_html, "\xff|", "\xef\xbf\xbd|" },
	{ rung_write_html, "\xc3", "\xef\xbf\xbd" },
	{ rung_write_json, "plain", "\"plain\"" },
	{ rung_write_json, "", "\"\"" },
	{ rung_write_json, NULL, "null" },
	{ rung_write_json, "a\"b\\c/", "\"a\\\"b\\\\c/\"" },
	{ rung_write_json, "\b\f\n\r\t\x01\x1f\x7f",
		"\"\\u0008\\u000c\\u000a\\u000d\\u0009\\u0001\\u001f\\u007f\"" },
	{ rung_write_json, "</script><!--&", "\"\\u003c/script\\u003e\\u003c!--\\u0026\"" },
	{ rung_write_json, "\xc3\xa9\xff", "\"\xc3\xa9\xef\xbf\xbd\"" },
	/* U+2028 ends a line in older scripts. */
	{ rung_write_json, "\xe2\x80\xa8\xe2\x80\xa9", "\"\\u2028\\u2029\"" },
	{ rung_write_uri, "a b/c?d&e=f%", "a%20b%2Fc%3Fd%26e%3Df%25" },
	{ rung_write_uri, "caf\xc3\xa9-_.~", "caf%C3%A9-_.~" },
};

static int escapes_app(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct escape *escape = rung_data(self);
	struct rung_writer writer = rung_writer(env);

	cr_assert(escape->write(&writer, escape->text) == 0);
	return rung_reply_written(res, 200, "text/plain", &writer);
}

Test(writer, each_way_escapes_what_it_must)
{
	for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
		struct rung_client *client = test_client(rung_run(escapes_app, .data = &escapes[i]));

		cr_expect_str_eq(rung_client_get(client, "/")->body, escapes[i].expected, "case %zu", i);
		rung_client_destroy(client);
	}
}

static int grows(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_writer writer = rung_writer(env);

	(void)self;
	for (int i = 0; i < 100000; i++)
		rung_writef(&writer, "%05d\n", i);
	rung_write_bytes(&writer, "a\0b", 3);
	ASSERT_INT(writer.size, 600003);
	return rung_reply_written(res, 201, "text/plain; charset=utf-8", &writer);
}

Test(writer, it_grows_and_becomes_the_body)
{
	struct rung_client *client = test_client(rung_run(grows));
	const struct rung_reply *reply = rung_client_get(client, "/");

	ASSERT_INT(reply->status, 201);
	ASSERT_STR(rung_reply_header(reply, "Content-Type"), "text/plain; charset=utf-8");
	ASSERT_INT(reply->size, 600003);
	cr_assert(memcmp(reply->body, "00000\n00001\n", 12) == 0);
	cr_assert(memcmp(reply->body + 599994, "99999\na\0b", 9) == 0);
	rung_client_destroy(client);
}

static int writes_null(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct rung_writer writer = rung_writer(env);

	(void)self;
	rung_write(&writer, "begin ");
	ASSERT_INT(rung_write_html(&writer, NULL), -EINVAL);
	ASSERT_INT(rung_write(&writer, "end"), -EINVAL);
	ASSERT_STR(writer.text, "begin ");
	ASSERT_INT(rung_reply_written(res, 200, NULL, &writer), -EINVAL);
	return 0;
}

Test(writer, errors_stick_and_are_reported)
{
	struct rung_client *client = test_client(rung_run(writes_null));

	ASSERT_INT(rung_client_get(client, "/")->status, 500);
	rung_client_destroy(client);
}

static int writes_nothing(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct rung_writer writer = rung_writer(env);

	(void)self;
	return rung_reply_written(res, 200, NULL, &writer);
}

Test(writer, nothing_written_is_an_empty_body)
{
	struct rung_client *client = test_client(rung_run(writes_nothing));
	const struct rung_reply *reply = rung_client_get(client, "/");

	ASSERT_INT(reply->status, 200);
	ASSERT_INT(reply->size, 0);
	rung_client_destroy(client);
}
