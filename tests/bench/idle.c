/*
 * idle.c: opens COUNT connections, has a request answered on each, says so, and keeps them idle until its standard input
 * ends. What the server's memory has grown by then is what they cost.
 *
 * Usage: idle PORT COUNT
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_one(unsigned long port)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	char answer[1024];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
		send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != sizeof request - 1 ||
		recv(fd, answer, sizeof answer, 0) < 12 || memcmp(answer, "HTTP/1.1 200", 12) != 0)
		return -1;
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	struct rlimit limit;

	if (!count) {
		fprintf(stderr, "usage: idle PORT COUNT\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (unsigned long i = 0; i < count; i++)
		if (open_one(strtoul(argv[1], NULL, 10)) < 0) {
			fprintf(stderr, "idle: connection %lu of %lu was not served\n", i + 1, count);
			return 1;
		}
	printf("ready\n");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
