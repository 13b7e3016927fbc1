/*
 * raw.c: the yardstick: libmicrohttpd with nothing on it. One epoll thread, default options, a response made and
 * destroyed for each request. What the library costs is what it needs beyond this.
 *
 * Usage: raw PORT [CONNECTION_MEMORY_BYTES [FILE]]
 *
 * With a file it answers by it to GET, to POST by a greeting once the body has come, of which it keeps nothing, and to PUT by the
 * same when the body is in a file without a name in TMPDIR.
 *
 * Port 0 picks a free one. The connection memory is left at libmicrohttpd's default unless it is given: counted
 * instructions are only comparable when both servers zero the same pool for each request.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char greeting[] = "Hello, World!\n";

static enum MHD_Result answer(void *cls, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *upload_data, size_t *upload_data_size,
	void **con_cls)
{
	struct MHD_Response *response;
	enum MHD_Result result;

	(void)cls;
	(void)url;
	(void)method;
	(void)version;
	(void)upload_data;
	(void)upload_data_size;
	/* The first call has only the head. An answer there would close the connection. */
	if (!*con_cls) {
		*con_cls = connection;
		return MHD_YES;
	}
	*con_cls = NULL;
	response = MHD_create_response_from_buffer(
		sizeof greeting - 1, (void *)(uintptr_t)greeting, MHD_RESPMEM_PERSISTENT);
	if (!response)
		return MHD_NO;
	result = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
	if (result == MHD_YES)
		result = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return result;
}

static struct MHD_Response *open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat info;

	if (fd < 0 || fstat(fd, &info) < 0)
		return NULL;
	return MHD_create_response_from_fd((size_t)info.st_size, fd);
}

static bool write_all(int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t written = write(fd, bytes, size);

		if (written <= 0)
			return false;
		bytes += written;
		size -= (size_t)written;
	}
	return true;
}

/* What keeps a body must at least do. The descriptor, plus one, is the context. */
static enum MHD_Result keep(
	struct MHD_Connection *connection, const char *bytes, size_t *size, void **context)
{
	const char *folder = getenv("TMPDIR");
	int fd = (int)(intptr_t)*context - 1;

	if (fd < 0) {
		fd = open(folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		*context = (void *)(intptr_t)(fd + 1);
		return fd < 0 ? MHD_NO : MHD_YES;
	}
	if (*size) {
		bool is_kept = write_all(fd, bytes, *size);

		*size = 0;
		return is_kept ? MHD_YES : MHD_NO;
	}
	close(fd);
	*context = connection; /* the body has come */
	return answer(NULL, connection, NULL, NULL, NULL, NULL, NULL, context);
}

static enum MHD_Result carry(void *path, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *upload_data, size_t *upload_data_size,
	void **con_cls)
{
	struct MHD_Response *response;
	enum MHD_Result result;

	if (strcmp(method, "PUT") == 0)
		return keep(connection, upload_data, upload_data_size, con_cls);
	if (*upload_data_size) {
		*upload_data_size = 0;
		return MHD_YES;
	}
	if (!*con_cls || strcmp(method, "GET") != 0)
		return answer(NULL, connection, url, method, version, upload_data, upload_data_size, con_cls);
	*con_cls = NULL;
	response = open_file(path);
	if (!response)
		return MHD_NO;
	result = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return result;
}

static struct MHD_Daemon *serve(unsigned long port, unsigned long connection_memory, char *file)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct MHD_OptionItem options[] = {
		{ MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)connection_memory, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};

	return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, (uint16_t)port, NULL, NULL,
		file ? carry : answer, file, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
		MHD_OPTION_ARRAY, connection_memory ? options : options + 1, MHD_OPTION_END);
}

int main(int argc, char **argv)
{
	unsigned long port = argc > 1 ? strtoul(argv[1], NULL, 10) : 65536;
	unsigned long connection_memory = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	sigset_t signals;
	int signal_number;

	if (port > 65535) {
		fprintf(stderr, "usage: raw PORT [CONNECTION_MEMORY_BYTES [FILE]]\n");
		return 2;
	}
	/* Blocked before the thread is made, so that it inherits this and the end comes here. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);

	struct MHD_Daemon *daemon = serve(port, connection_memory, argc > 3 ? argv[3] : NULL);
	if (!daemon) {
		fprintf(stderr, "raw: cannot serve on port %lu\n", port);
		return 1;
	}
	printf("listening on http://127.0.0.1:%u/\n",
		(unsigned)MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	fflush(stdout);
	sigwait(&signals, &signal_number);
	MHD_stop_daemon(daemon);
	return 0;
}
