/*
 * program.cc: Rung from C++17, which has no compound literals: so options are filled by hand. Prints what one
 * request is answered, for tests/install/run.
 */
#include <rung/rung.h>

#include <iostream>

static int answer(const rung_app *self, rung_env *env, rung_response *res)
{
	return rung_reply_textf(
		res, 200, "%s asks %s\n", env->method, static_cast<const char *>(rung_data(self)));
}

int main()
{
	rung_use_options run = {};
	run.size = sizeof run;
	run.call = answer;
	run.data = "C++";

	rung_client_options options = {};
	options.size = sizeof options;
	options.app = rung_run_new(&run);

	rung_client *client = rung_client_open(&options);
	if (!client) {
		std::cerr << rung_error() << '\n';
		return 1;
	}
	const rung_reply *reply = rung_client_get(client, "/");
	int status = reply->status;
	std::cout << status << ' ' << reply->body;
	rung_client_destroy(client);
	return status == 200 ? 0 : 1;
}
