/*
 * peer_h2o.c: hello by libh2o, with its own event loop, on one thread.
 *
 * Usage: peer_h2o [PORT], 0 picks a free one
 */
#define H2O_USE_LIBUV 0
#include <h2o.h>
#include <h2o/http1.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static h2o_accept_ctx_t accepting;
static volatile sig_atomic_t has_ended;

static int hello(h2o_handler_t *self, h2o_req_t *request)
{
	static const char greeting[] = "Hello, World!\n";

	(void)self;
	request->res.status = 200;
	request->res.reason = "OK";
	request->res.content_length = sizeof greeting - 1;
	h2o_add_header(&request->pool, &request->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
		H2O_STRLIT("text/plain"));
	h2o_send_inline(request, greeting, sizeof greeting - 1);
	return 0;
}

static void take(h2o_socket_t *listener, const char *error)
{
	h2o_socket_t *socket;

	while (!error && (socket = h2o_evloop_socket_accept(listener)))
		h2o_accept(&accepting, socket);
}

static void end(int signal_number)
{
	(void)signal_number;
	has_ended = 1;
}

static int listen_on(unsigned port, unsigned *ret_port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, SOMAXCONN) < 0 ||
		getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		return -1;
	*ret_port = ntohs(address.sin_port);
	return fd;
}

int main(int argc, char **argv)
{
	static h2o_globalconf_t config;
	static h2o_context_t context;
	unsigned port = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	int fd = listen_on(port, &port);

	if (fd < 0) {
		perror("peer_h2o");
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, end);
	signal(SIGINT, end);
	h2o_config_init(&config);
	h2o_hostconf_t *host =
		h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
	h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
	h2o_create_handler(path, sizeof(h2o_handler_t))->on_req = hello;
	h2o_context_init(&context, h2o_evloop_create(), &config);
	accepting.ctx = &context;
	accepting.hosts = config.hosts;
	h2o_socket_read_start(h2o_evloop_socket_create(context.loop, fd, H2O_SOCKET_FLAG_DONT_READ), take);
	printf("listening on http://127.0.0.1:%u/\n", port);
	fflush(stdout);
	while (!has_ended)
		h2o_evloop_run(context.loop, 1000);
	return 0;
}
