/*
 * peer_ulfius.c: hello by ulfius, another framework on libmicrohttpd: on one epoll thread, since as shipped it makes a
 * thread for each connection.
 *
 * Usage: peer_ulfius PORT
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <ulfius.h>

static int hello(const struct _u_request *request, struct _u_response *response, void *data)
{
	(void)request;
	(void)data;
	ulfius_set_string_body_response(response, 200, "Hello, World!\n");
	u_map_put(response->map_header, "Content-Type", "text/plain");
	return U_CALLBACK_CONTINUE;
}

int main(int argc, char **argv)
{
	unsigned port = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct _u_instance instance;
	sigset_t signals;
	int signal_number;

	if (!port || port > 65535) {
		fprintf(stderr, "usage: peer_ulfius PORT\n");
		return 2;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (ulfius_init_instance(&instance, port, &address, NULL) != U_OK ||
		ulfius_add_endpoint_by_val(&instance, "GET", "/", NULL, 0, hello, NULL) != U_OK)
		return 1;

	/* ulfius makes its requests by the first of these, and frees them by the second. */
	struct MHD_OptionItem options[] = {
		{ MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)mhd_request_completed, NULL },
		{ MHD_OPTION_SOCK_ADDR, 0, &address },
		{ MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)ulfius_uri_logger, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};
	if (ulfius_start_framework_with_mhd_options(&instance, MHD_USE_EPOLL_INTERNAL_THREAD, options) !=
		U_OK) {
		fprintf(stderr, "peer_ulfius: cannot serve on port %u\n", port);
		return 1;
	}
	printf("listening on http://127.0.0.1:%u/\n", port);
	fflush(stdout);
	sigwait(&signals, &signal_number);
	ulfius_stop_framework(&instance);
	ulfius_clean_instance(&instance);
	return 0;
}
