/* test_main.c: rung_main() as whole programs see it: flags, environment, the line when ready, signals, exit status. */
#include "program.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

SUITE(program);

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
/* -- serving ----------------------------------------------------------------------------------------------------- */

Test(program, serves_on_a_free_port_until_sigterm_or_sigint)
{
	static const int signals[] = { SIGTERM, SIGINT };

	for (int i = 0; i < 2; i++) {
		struct program hello = launch("hello", FLAGS("--port", "0"), NULL);
		unsigned port = ready_port(&hello);
		char *answer = ask(port, GET("/"));

		ASSERT_HAS(answer, "\r\n\r\nHello, World!\n");
		free(answer);
		kill(hello.pid, signals[i]);
		ASSERT_INT(exit_status(&hello), 0);
	}
}

Test(program, port_comes_from_the_environment_and_the_flag_wins)
{
	struct program hello = launch("hello", FLAGS("--quiet"), (const char *const[]){ "PORT", "0", NULL });

	cr_assert(ready_port(&hello) > 0);
	kill(hello.pid, SIGTERM);
	ASSERT_INT(exit_status(&hello), 0);
	hello = launch("hello", FLAGS("--port=0"), (const char *const[]){ "PORT", "1", NULL });
	cr_assert(ready_port(&hello) > 1);
	kill(hello.pid, SIGTERM);
	ASSERT_INT(exit_status(&hello), 0);
}

/* Lines of one turn of a loop leave together: whole, each once, and before the loop sleeps. */
Test(program, each_of_many_requests_is_a_line_of_the_log_while_it_serves)
{
	enum { COUNT = 200 };
	struct program app = launch("two_apps", FLAGS("--port", "0", "--loops", "1"), NULL);
	char requests[COUNT * 64] = "", line[1024], expected[64];
	unsigned port = ready_port(&app);

	for (int i = 0; i < COUNT; i++)
		snprintf(requests + strlen(requests), 64, "GET /no/%d HTTP/1.1\r\nHost: h\r\n%s\r\n", i,
			i == COUNT - 1 ? "Connection: close\r\n" : "");
	free(ask(port, requests));
	for (int i = 0; i < COUNT; i++) {
		read_text(app.err, line, sizeof line, true);
		snprintf(expected, sizeof expected, "\"GET /no/%d HTTP/1.1\" 404 ", i);
		ASSERT_HAS(line, expected);
	}
	kill(app.pid, SIGTERM);
	ASSERT_INT(exit_status(&app), 0);
}

Test(program, inspect_shows_what_was_asked_and_says_where)
{
	struct program hello = launch("hello", FLAGS("--port", "0", "--inspect"), NULL);
	unsigned port = ready_port(&hello);
	char line[256], expected[256];

	read_text(hello.out, line, sizeof line, true);
	snprintf(expected, sizeof expected, "inspect at http://127.0.0.1:%u/_rung/\n", port);
	ASSERT_STR(line, expected);
	free(ask(port, GET("/seen")));
	char *answer = ask(
		port, "GET /_rung/requests.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
	ASSERT_HAS(answer, "\"target\":\"/seen\"");
	free(answer);
	kill(hello.pid, SIGTERM);
	ASSERT_INT(exit_status(&hello), 0);
}

Test(program, inspect_is_refused_on_a_public_address)
{
	char out[1024], err[1024];

	ASSERT_INT(run_program("hello", FLAGS("--port", "0", "--inspect", "--bind", "0.0.0.0"), out, err,
			   sizeof out),
		1);
	ASSERT_STR(out, "");
	ASSERT_HAS(err, "hello: inspect: this server listens on more than loopback");
}

Test(program, trace_times_every_layer)
{
	struct program hello = launch("hello", FLAGS("--port", "0", "--trace"), NULL);
	unsigned port = ready_port(&hello);
	char *answer = ask(port, GET("/")), line[512];

	ASSERT_HAS(answer, "Server-Timing: total;dur=");
	ASSERT_HAS(answer, "routes;dur=");
	free(answer);
	read_text(hello.err, line, sizeof line, true);
	ASSERT_HAS(line, "rung: trace: GET / 200 in ");
	kill(hello.pid, SIGTERM);
	ASSERT_INT(exit_status(&hello), 0);
}

Test(program, flags_show_in_the_printed_stack)
{
	char out[1024], err[1024];

	ASSERT_INT(run_program("hello", FLAGS("--inspect", "--trace", "--print-stack"), out, err, sizeof out),
		0);
	ASSERT_HAS(out, "+-- inspect\n+-- trace\n+-- routes\n");
}

Test(program, the_configuration_of_a_server_in_front_is_printed)
{
	char out[16384], err[1024];

	ASSERT_INT(
		run_program("private_files",
			FLAGS("--print-config", "nginx_hardened", "--bind", "0.0.0.0:81", "--config-listen",
				"10.0.0.1:82", "--target", "files.internal=10.0.0.2:83"),
			out, err, sizeof out),
		0);
	ASSERT_STR(err, "");
	ASSERT_HAS(out, "# nginx in front of private_files");
	ASSERT_HAS(out, "server 127.0.0.1:81;");
	ASSERT_HAS(out, "listen 10.0.0.1:82;");
	ASSERT_HAS(out, "server 10.0.0.2:83;");
	ASSERT_INT(run_program("hello",
			   FLAGS("--print-config", "apache", "--tls-cert", "x", "--bind", "[::]:81", "--bind",
				   "http://[::]:82"),
			   out, err, sizeof out),
		0);
	ASSERT_HAS(out, "ProxyPass \"/\" \"http://[::1]:82/\"");
}

Test(program, a_port_in_use_is_one_line_and_status_1)
{
	struct program hello = launch("hello", FLAGS("--port", "0"), NULL);
	char port[16], out[1024], err[1024];

	snprintf(port, sizeof port, "%u", ready_port(&hello));
	ASSERT_INT(run_program("hello", FLAGS("--port", port), out, err, sizeof out), 1);
	ASSERT_STR(out, "");
	ASSERT_HAS(err, "hello: server: port ");
	ASSERT_HAS(err, "is in use");
	cr_assert(strchr(err, '\n') == err + strlen(err) - 1, "more than one line: %s", err);
	kill(hello.pid, SIGTERM);
	ASSERT_INT(exit_status(&hello), 0);
}

Test(program, bad_flags_are_one_line_and_status_2)
{
	static const struct {
		const char *flags[3];
		const char *message;
	} cases[] = {
		{ { "--bogus" }, "--bogus: there is no such flag; see --help" },
		{ { "--port" }, "--port: its value is missing" },
		{ { "--port", "x" }, "--port \"x\" is no number from 0 to 65535" },
		{ { "--port", "65536" }, "--port \"65536\" is no number" },
		{ { "--port", "-1" }, "--port \"-1\" is no number" },
		{ { "--port", "" }, "--port \"\" is no number" },
		{ { "--loops", "many" }, "--loops \"many\" is no number" },
		{ { "--reproxy", "iis" }, "there is no server \"iis\"; use self, header, nginx" },
		{ { "--emulate", "iis" }, "there is no server \"emulate:iis\"; use self, header, nginx" },
		{ { "--emulate", "a-name-that-is-longer-than-any-server-has" },
			"--emulate: there is no server" },
		{ { "--limit-hops", "51" }, "--limit-hops \"51\" is no number from 0 to 50" },
		{ { "--limit-queue", "None" }, "--limit-queue \"None\" is no number" },
		{ { "--limit-connections", "none" }, "--limit-connections \"none\" is no number" },
		{ { "--limit-body", "1T" }, "--limit-body \"1T\" is no size" },
		{ { "--limit-body", "9999999999G" }, "--limit-body \"9999999999G\" is no size" },
		{ { "--limit-body", "1KB" },
			"is no size from 0 to 9223372036854775807; use one such as 100, 16K or 2M" },
		{ { "--limit-target", "-1" }, "--limit-target \"-1\" is no size" },
		{ { "--limit-target", "none" }, "--limit-target \"none\" is no size" },
		{ { "--limit-target", "K" }, "--limit-target \"K\" is no size" },
		{ { "--print-config", "iis" }, "print-config: there is no server \"iis\"; use nginx" },
		{ { "--print-config=nginx", "--port=0" }, "server: port 0 is any port; give one" },
		{ { "--print-config=nginx", "--tls-cert=x" }, "server: every address is TLS; add one" },
		{ { "--print-config=nginx", "--target=x" }, "reproxy: target \"x\" is none" },
		{ { "word" }, "word: flags alone are understood" },
	};
	char out[1024], err[1024];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ASSERT_INT(run_program("hello", cases[i].flags, out, err, sizeof out), 2);
		ASSERT_STR(out, "");
		ASSERT_HAS(err, cases[i].message);
		cr_assert(strchr(err, '\n') == err + strlen(err) - 1, "more than one line: %s", err);
	}
}

Test(program, limits_by_flags)
{
	struct program app = launch("hops",
		FLAGS("--port", "0", "--limit-target", "20", "--limit-header-bytes=1K",
			"--limit-header-count", "3", "--limit-keep-alive-requests", "none", "--limit-body",
			"none", "--limit-idle-seconds=none", "--limit-hops", "2", "--limit-least-rate",
			"none"),
		NULL);
	unsigned port = ready_port(&app);
	char *answer = ask(port, GET("/01234567890123456789"));

	ASSERT_HAS(answer, "HTTP/1.1 414 ");
	free(answer);
	answer = ask(port, "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\nConnection: close\r\n\r\n");
	ASSERT_HAS(answer, "HTTP/1.1 200 ");
	free(answer);
	answer = ask(port, "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\nB: c\r\nConnection: close\r\n\r\n");
	ASSERT_HAS(answer, "HTTP/1.1 431 ");
	free(answer);
	answer = ask(port, GET("/2"));
	ASSERT_HAS(answer, "HTTP/1.1 200 ");
	free(answer);
	answer = ask(port, GET("/3"));
	ASSERT_HAS(answer, "HTTP/1.1 502 ");
	free(answer);
	/* It is not too long; but nobody wants it. */
	answer = ask(port, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000000\r\n\r\n");
	ASSERT_HAS(answer, "HTTP/1.1 405 ");
	free(answer);
	kill(app.pid, SIGTERM);
	ASSERT_INT(exit_status(&app), 0);
}

Test(program, an_unknown_server_in_the_environment_is_status_1)
{
	struct program app = launch(
		"two_apps", FLAGS("--port", "0"), (const char *const[]){ "RUNG_REPROXY", "iis", NULL });
	char err[1024];

	read_text(app.err, err, sizeof err, false);
	ASSERT_HAS(err, "there is no server \"iis\"");
	ASSERT_INT(exit_status(&app), 1);
}

Test(program, a_bad_address_is_status_1)
{
	char out[1024], err[1024];

	ASSERT_INT(run_program("hello", FLAGS("--bind", "nowhere"), out, err, sizeof out), 1);
	ASSERT_HAS(err, "\"nowhere\" is no numeric address");
}

Test(program, help_and_print_stack)
{
	static char out[16384], err[16384];

	ASSERT_INT(run_program("hello", FLAGS("--help"), out, err, sizeof out), 0);
	ASSERT_HAS(out, "--port N");
	ASSERT_HAS(out, "--print-stack");
	ASSERT_STR(err, "");
	ASSERT_INT(run_program("private_files", FLAGS("--print-stack"), out, err, sizeof err), 0);
	ASSERT_HAS(out, "+-- access_log");
	ASSERT_HAS(out, "+-- reproxy");
	ASSERT_HAS(out, "files.internal -> files");
	ASSERT_HAS(out, "GET /d/:name");
	ASSERT_HAS(out, "+-- basic_auth");
}

Test(program, reproxy_by_flag_and_by_environment)
{
	struct program app = launch("two_apps", FLAGS("--port", "0", "--quiet", "--reproxy", "nginx"), NULL);
	char *answer = ask(ready_port(&app), GET("/hello/Ada"));

	ASSERT_HAS(answer, "X-Accel-Redirect: /reproxy\r\n");
	ASSERT_HAS(answer, "X-Reproxy-Url: http://greeter.internal/greet?name=Ada\r\n");
	free(answer);
	kill(app.pid, SIGTERM);
	ASSERT_INT(exit_status(&app), 0);
	app = launch("two_apps", FLAGS("--port", "0", "--quiet"),
		(const char *const[]){ "RUNG_REPROXY", "lighttpd", NULL });
	answer = ask(ready_port(&app), GET("/hello/Ada"));
	ASSERT_HAS(answer, "X-Rewrite-Host: greeter.internal\r\n");
	free(answer);
	kill(app.pid, SIGTERM);
	ASSERT_INT(exit_status(&app), 0);
	app = launch("two_apps", FLAGS("--port", "0", "--quiet"), NULL);
	answer = ask(ready_port(&app), GET("/hello/Ada"));
	ASSERT_HAS(answer, "Hello from greeter.internal, asked for name=Ada\n");
	free(answer);
	kill(app.pid, SIGTERM);
	ASSERT_INT(exit_status(&app), 0);
}

Test(program, a_private_file_really_arrives)
{
	struct program app = launch("private_files", FLAGS("--port", "0", "--loops", "1"), NULL);
	unsigned port = ready_port(&app);
	char log[1024];
	size_t size;
	int fd = connect_port(port);
	const char *request = "GET /d/big.bin HTTP/1.1\r\nHost: h\r\nAuthorization: Basic ZGVtbzpkZW1v\r\n"
			      "Connection: close\r\n\r\n";

	cr_assert(fd >= 0 && send(fd, request, strlen(request), 0) > 0);
	char *answer = test_read(fd, 3000, &size);
	const char *body = strstr(answer, "\r\n\r\n");
	cr_assert_not_null(body);
	ASSERT_INT(size - (size_t)(body + 4 - answer), 12 * 1024 * 1024);
	cr_assert(memcmp(answer + size - 16, "000000000786431\n", 16) == 0);
	free(answer);
	close(fd);
	/* The log has the line before the program ends. */
	read_text(app.err, log, sizeof log, true);
	ASSERT_HAS(log, "127.0.0.1 - demo [");
	ASSERT_HAS(log, "\"GET /d/big.bin HTTP/1.1\" 200 12582912");
	kill(app.pid, SIGTERM);
	ASSERT_INT(exit_status(&app), 0);
}
