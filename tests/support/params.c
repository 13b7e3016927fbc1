/* params.c: see params.h. */
#include "params.h"

static void write_bytes(struct rung_writer *text, const void *bytes, size_t size)
{
	const unsigned char *at = bytes;

	for (size_t i = 0; i < size; i++)
		rung_writef(text, at[i] >= 0x20 && at[i] < 0x7f ? "%c" : "\\x%02x", at[i]);
}

static void write_pair(struct rung_writer *text, const struct rung_pair *pair)
{
	const struct rung_upload *file = pair->file;

	cr_assert(pair->name[pair->name_size] == '\0' && pair->value[pair->value_size] == '\0');
	write_bytes(text, pair->name, pair->name_size);
	rung_write(text, "=");
	write_bytes(text, pair->value, pair->value_size);
	if (file) {
		rung_write(text, "<");
		write_bytes(text, file->filename, strlen(file->filename));
		rung_writef(text, "|%s|%s|", file->safe_name, file->content_type);
		write_bytes(text, file->bytes, file->size);
		rung_write(text, ">");
	}
	rung_write(text, ";");
}

int params_tell(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	const struct asked *asked = rung_data(self);
	struct rung_params_limits limits = asked->limits;
	const struct rung_params untouched, *params = &untouched, *again = NULL;
	struct rung_writer text = rung_writer(env);

	limits.size = sizeof limits;
	int rc = asked->parse(env, &limits, &params);
	if (rc < 0) {
		cr_assert(params == &untouched);
		return rc;
	}
	rc = asked->parse(env, &limits, &again);
	if (rc < 0)
		return rc;
	cr_assert(again == params, "parsed once");
	for (size_t i = 0; i < params->count; i++)
		write_pair(&text, &params->pairs[i]);
	return rung_reply_written(res, 200, "text/plain", &text);
}

const struct rung_reply *params_ask(const struct asked *asked, const struct rung_client_request *request)
{
	static struct rung_client *client;

	rung_client_destroy(client);
	test_log_clear();
	client = test_client(rung_run(params_tell, .name = "tell", .data = asked));
	return rung_client_request(client, request);
}
