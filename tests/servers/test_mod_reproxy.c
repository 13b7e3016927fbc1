/* test_mod_reproxy.c: what the module for Apache does beyond what all servers do. */
#include "rig.h"

#include <stdatomic.h>
#include <unistd.h>

TestSuite(mod_reproxy);

/* -- several URLs ------------------------------------------------------------------------------------------------ */

static struct answer ask_raw(const struct rig *rig, const char *urls)
{
	char path[512];

	snprintf(path, sizeof path, "/go/bad.internal/asks?%s", urls);
	return rig_get(rig, path, "");
}

Test(mod_reproxy, the_next_url_is_tried_when_one_cannot_be_reached)
{
	static const char *const good[] = { "http://dead.internal/x+http://target.internal/greet",
		"http://nobody.internal/x+http://dead.internal/x++http://target.internal/greet",
		"http://target.internal/greet+http://dead.internal/x", "HTTP://TARGET.internal:80/greet" };
	static const char *const bad[] = { "", "+", "http://dead.internal/x+http://dead.internal/y", "/greet",
		"//target.internal/greet", "ftp://target.internal/greet", "http://target.internal.evil/greet",
		"http://user@target.internal/greet", "http://target.internal:81/greet",
		"https://target.internal/greet", "http://[bad/",
		"http://target.internal@nobody.internal/greet" };
	struct rig rig;

	rig_start(&rig, &apache, "asker");
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct answer answer = ask_raw(&rig, good[i]);

		cr_assert(answer.status == 200, "%s gives %d: %s", good[i], answer.status, rig_log(&rig));
		ASSERT_HAS(answer.body, "Hello from ");
		ASSERT_STR(answer_field(&answer, "Content-Type"), "text/x-app");
		answer_is_clean(&answer);
		answer_free(&answer);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct answer answer = ask_raw(&rig, bad[i]);

		cr_assert(answer.status == 502, "%s gives %d", bad[i], answer.status);
		answer_is_clean(&answer);
		answer_free(&answer);
	}
	char *log = rig_log(&rig);
	ASSERT_HAS(log, "reproxy: http://dead.internal/x cannot be reached (503); the next one is tried");
	ASSERT_HAS(log, "reproxy: http://target.internal:81/greet is in no ReproxyTarget");
	ASSERT_HAS(log, "reproxy: none of \"ftp://target.internal/greet\" could be fetched");
	free(log);
	rig_stop(&rig);
}

/* A target that took the request may have done what it says: nobody else gets it. */
Test(mod_reproxy, a_target_that_has_the_request_is_the_last)
{
	static const char *const urls[] = { "http://bad.internal/silent+http://target.internal/greet",
		"http://target.internal/nothing+http://target.internal/greet" };
	struct rig rig;

	rig_start(&rig, &apache, "asker");
	struct answer answer = ask_raw(&rig, urls[0]);
	ASSERT_INT(answer.status, 502);
	answer_free(&answer);
	answer = ask_raw(&rig, urls[1]);
	ASSERT_INT(answer.status, 404);
	answer_free(&answer);
	rig_stop(&rig);
}

Test(mod_reproxy, a_target_may_ask_in_turn)
{
	struct rig rig;

	rig_start(&rig, &apache, "asker");
	struct answer answer = ask_raw(&rig, "http://bad.internal/asks?http://files.internal/readme.txt");
	ASSERT_INT(answer.status, 200);
	ASSERT_HAS(answer.body, "app");
	answer_is_clean(&answer);
	answer_free(&answer);
	rig_stop(&rig);
}

Test(mod_reproxy, the_app_hears_what_the_server_can_do)
{
	struct rig rig;

	rig_start(&rig, &apache, "asker");
	struct answer answer = rig_get(&rig, "/plain",
		"X-Reproxy-Url: http://target.internal/\r\n"
		"X-Proxy-Capabilities: everything\r\n");
	ASSERT_STR(answer.body, "app here, X-Reproxy-Url: none, X-Proxy-Capabilities: reproxy-file\n");
	answer_free(&answer);
	rig_stop(&rig);
}

/* -- many at once, most of them in trouble ------------------------------------------------------------------------- */

enum { CLIENTS = 50, EACH = 20 };

static const struct {
	const char *path;
	int status;
	bool is_whole;
} troubles[] = {
	{ "/go/target.internal/greet", 200, true },
	{ "/go/bad.internal/dies", 200, false },
	{ "/go/dead.internal/x", 502, true },
	{ "/go/bad.internal/silent", 502, true },
	{ "/go/target.internal/nothing", 404, true },
	{ "/go/bad.internal/asks?http://dead.internal/+http://target.internal/greet", 200, true },
	{ "/go/elsewhere.internal/", 502, true },
};

struct crowd {
	const struct rig *rig;
	atomic_int wrong, good;
	atomic_bool has_wrong;
	char first_wrong[1024];
};

static void *be_client(void *argument)
{
	struct crowd *crowd = argument;

	for (unsigned turn = 0; turn < EACH; turn++) {
		unsigned which =
			(turn + (unsigned)pthread_self() / 4096) % (sizeof troubles / sizeof *troubles);
		struct answer answer = rig_get(crowd->rig, troubles[which].path, "");
		bool is_good = answer.status == troubles[which].status &&
			       answer.is_whole == troubles[which].is_whole;

		atomic_fetch_add(is_good ? &crowd->good : &crowd->wrong, 1);
		if (!is_good && !atomic_exchange(&crowd->has_wrong, true))
			snprintf(crowd->first_wrong, sizeof crowd->first_wrong,
				"%s gave %d, %zu bytes, %s\n%s", troubles[which].path, answer.status,
				answer.size, answer.is_whole ? "whole" : "cut", answer.head);
		answer_free(&answer);
	}
	return NULL;
}

/* rig_stop() looks for crashes. */
Test(mod_reproxy, trouble_by_the_hundred_crashes_nothing)
{
	struct rig rig;
	struct crowd crowd = { .rig = &rig };
	pthread_t clients[CLIENTS];

	rig_start(&rig, &apache, "asker");
	for (int i = 0; i < CLIENTS; i++)
		cr_assert(pthread_create(&clients[i], NULL, be_client, &crowd) == 0);
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(clients[i], NULL);
	struct answer answer = rig_get(&rig, "/go/target.internal/greet", "");
	ASSERT_INT(answer.status, 200);
	answer_free(&answer);
	rig_stop(&rig);
	cr_assert(crowd.wrong == 0, "%d were wrong; %s", crowd.wrong, crowd.first_wrong);
	ASSERT_INT(crowd.good, CLIENTS * EACH);
}

/* -- configuration ----------------------------------------------------------------------------------------------- */

/* What Apache says of a configuration with these lines. */
static void check_config(const char *lines, char *text, size_t room)
{
	char path[] = "/tmp/rung-conf-XXXXXX", command[512];
	int fd = mkstemp(path);
	FILE *file = fdopen(fd, "w"), *out;

	cr_assert(file != NULL);
	fprintf(file,
		"Define MODULES /usr/lib/apache2/modules\n"
		"LoadModule mpm_event_module ${MODULES}/mod_mpm_event.so\n"
		"LoadModule reproxy_module " MOD_REPROXY
		"\nServerName h\nDefaultRuntimeDir /tmp\nErrorLog /dev/stderr\n"
		"%s\n",
		lines);
	fclose(file);
	snprintf(command, sizeof command, "apache2 -t -d /tmp -f %s 2>&1", path);
	out = popen(command, "r");
	cr_assert(out != NULL);
	text[fread(text, 1, room - 1, out)] = '\0';
	pclose(out);
	unlink(path);
}

#define PROXY                                               \
	"LoadModule proxy_module ${MODULES}/mod_proxy.so\n" \
	"LoadModule proxy_http_module ${MODULES}/mod_proxy_http.so\n"

Test(mod_reproxy, a_bad_configuration_is_refused_with_the_mend)
{
	static const struct {
		const char *lines, *message;
	} cases[] = {
		{ "AllowReproxy On", "AllowReproxy On takes mod_proxy and mod_proxy_http; load both" },
		{ "PreserveHeaders Content-Length",
			"Content-Length belongs to the target's body or connection; leave it out" },
		{ "PreserveHeaders set-cookie", "cookies of app and target both stay as it is" },
		{ "PreserveHeaders \"a b\"", "\"a b\" is no name of a header field" },
		{ "ReproxyHideHeaders a:b", "\"a:b\" is no name of a header field" },
		{ "ReproxyMaxHops 0", "\"0\" is no number from 1 to 50" },
		{ "ReproxyMaxHops 10x", "\"10x\" is no number from 1 to 50" },
		{ "ReproxyTarget files.internal",
			"is no prefix of URLs; write one such as http://files.internal/" },
		{ "ReproxyTarget http://files.internal", "must end with a slash" },
		{ "ReproxyTarget http://u@files.internal/", "is no prefix of URLs" },
		{ "ReproxyTarget ftp://files.internal/", "is no prefix of URLs" },
		{ "ReproxyTarget http://files.internal/ 127.0.0.1:80",
			"is no worker; write http://host:port" },
	};
	char text[2048];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		check_config(cases[i].lines, text, sizeof text);
		ASSERT_HAS(text, cases[i].message);
	}
	check_config(PROXY
		"AllowReproxy On\nReproxyTarget http://files.internal/\n"
		"ReproxyTarget http://a:81/b/ balancer://b/\nReproxyMaxHops 50\nPreserveHeaders ETag X-Y",
		text, sizeof text);
	ASSERT_HAS(text, "Syntax OK");
}
