/*
 * load.c: sends exactly COUNT requests, one after the other, over one kept-alive connection, and reads each answer to
 * its last byte. So that two servers can be given the very same work, counted, where a load generator that runs for a
 * time gives each what it can take.
 *
 * Usage: load [-s STATUS] [-m METHOD] [-d BODY | -b BYTES] [-H FIELD]... [-t] [-w COUNT -c FILE] PORT TARGET COUNT
 *
 * With -b the body is so many bytes of nothing in particular. With -t the median of the times from the first byte sent to
 * the last one received is printed, in microseconds.
 *
 * With -w and -c, so many requests come before, and the calls that the counting allocator (alloc.c) noted in the file
 * during the rest are printed: on one connection, since a new one may well take memory.
 *
 * Exits 0 when every answer had the status (200 unless given), 1 when not, 2 for bad usage. Answers must have a
 * Content-Length.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 65536, PIECE = 256 * 1024 };

struct request {
	const char *method, *body;
	char fields[4096];
	size_t fields_size;
	long status;
	unsigned long warm_up, bytes;
	bool is_timed;
	const char *counter;
};

struct stream {
	int fd;
	size_t filled;
	char buffer[ROOM + 1]; /* always ended by a NUL, so that a head can be searched as a string */
};

static bool send_all(int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		bytes += sent;
		size -= (size_t)sent;
	}
	return true;
}

static bool receive_more(struct stream *stream, size_t max)
{
	size_t room = ROOM - stream->filled;
	ssize_t got = recv(stream->fd, stream->buffer + stream->filled, room < max ? room : max, 0);

	if (got <= 0)
		return false;
	stream->filled += (size_t)got;
	stream->buffer[stream->filled] = '\0';
	return true;
}

/* Reads a head. Returns the body's size in bytes, -1 when there is no answer, or one that is not as expected. */
static long long read_head(struct stream *stream, long status, size_t *ret_head_size)
{
	char *end, *length;

	stream->filled = 0;
	stream->buffer[0] = '\0';
	while (!(end = strstr(stream->buffer, "\r\n\r\n")))
		if (!receive_more(stream, ROOM))
			return -1;
	*ret_head_size = (size_t)(end - stream->buffer) + 4;
	length = strcasestr(stream->buffer, "\r\nContent-Length:");
	if (!length || length > end || strtol(stream->buffer + sizeof "HTTP/1.1", NULL, 10) != status)
		return -1;
	return strtoll(length + sizeof "\r\nContent-Length", NULL, 10);
}

static bool read_answer(struct stream *stream, long status)
{
	size_t head_size = 0;
	long long left = read_head(stream, status, &head_size);

	if (left < 0)
		return false;
	left -= (long long)(stream->filled - head_size);
	while (left > 0) {
		/* Not copied, so that a large one is not held up by who measures it. */
		ssize_t got = recv(stream->fd, NULL, left < PIECE ? (size_t)left : PIECE, MSG_TRUNC);

		if (got <= 0)
			return false;
		left -= got;
	}
	return left == 0;
}

static int open_stream(struct stream *stream, unsigned long port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int on = 1;

	stream->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (stream->fd < 0)
		return -1;
	setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return connect(stream->fd, (struct sockaddr *)&address, sizeof address);
}

static bool send_request(const struct stream *stream, const char *text, size_t size, unsigned long bytes)
{
	static const char piece[PIECE];

	if (!send_all(stream->fd, text, size))
		return false;
	for (unsigned long left = bytes, more; left; left -= more) {
		more = left < PIECE ? left : PIECE;
		if (!send_all(stream->fd, piece, more))
			return false;
	}
	return true;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

/* `times`, unless NULL, has room for as many. */
static bool repeat(struct stream *stream, const struct request *request, const char *text,
	unsigned long count, double *times)
{
	size_t size = strlen(text);

	for (unsigned long i = 0; i < count; i++) {
		double begun = times ? now() : 0;

		if (!send_request(stream, text, size, request->bytes) ||
			!read_answer(stream, request->status)) {
			fprintf(stderr, "load: request %lu of %lu: %.60s: not the answer expected: %.200s\n",
				i + 1, count, text, stream->buffer);
			return false;
		}
		if (times)
			times[i] = now() - begun;
	}
	return true;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static void print_median(double *times, unsigned long count)
{
	qsort(times, count, sizeof *times, compare);
	printf("%.1f\n", times[count / 2]);
}

/* The number that the file begins with; 0 without a file. */
static bool read_counter(const char *path, uint64_t *ret_calls)
{
	FILE *file = path ? fopen(path, "rb") : NULL;
	uint64_t calls = 0;
	bool is_read = !path || (file && fread(&calls, sizeof calls, 1, file) == 1);

	if (file)
		fclose(file);
	if (is_read)
		*ret_calls = calls;
	else
		perror(path);
	return is_read;
}

static int run(const struct request *request, unsigned long port, const char *target, unsigned long count)
{
	static struct stream stream;
	char text[ROOM], length[64] = "";
	uint64_t before, after;
	int size;

	if (request->body || request->bytes)
		snprintf(length, sizeof length, "Content-Length: %zu\r\n",
			request->body ? strlen(request->body) : request->bytes);
	size = snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%lu\r\n%s%s\r\n%s",
		request->method, target, port, request->fields, length, request->body ? request->body : "");
	if (size < 0 || (size_t)size >= sizeof text || open_stream(&stream, port) < 0) {
		perror("load: connect");
		return 1;
	}
	double *times = request->is_timed && count ? calloc(count, sizeof *times) : NULL;
	bool went_well = repeat(&stream, request, text, request->warm_up, NULL) &&
			 read_counter(request->counter, &before) &&
			 repeat(&stream, request, text, count, times) &&
			 read_counter(request->counter, &after);
	if (went_well && request->counter)
		printf("%llu\n", (unsigned long long)(after - before));
	if (went_well && times)
		print_median(times, count);
	free(times);
	close(stream.fd);
	return went_well ? 0 : 1;
}

/* Takes one option. Returns false when there is no such thing. */
static bool take_option(struct request *request, int option)
{
	int size;

	switch (option) {
	case 's':
		request->status = strtol(optarg, NULL, 10);
		return true;
	case 'm':
		request->method = optarg;
		return true;
	case 'w':
		request->warm_up = strtoul(optarg, NULL, 10);
		return true;
	case 'c':
		request->counter = optarg;
		return true;
	case 'b':
		request->bytes = strtoul(optarg, NULL, 10);
		return true;
	case 't':
		request->is_timed = true;
		return true;
	case 'd':
		request->body = optarg;
		return true;
	case 'H':
		size = snprintf(request->fields + request->fields_size,
			sizeof request->fields - request->fields_size, "%s\r\n", optarg);
		request->fields_size += (size_t)size;
		return request->fields_size < sizeof request->fields;
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	struct request request = { .method = "GET", .status = 200 };
	bool understood = true;

	for (int option; understood && (option = getopt(argc, argv, "s:m:d:b:tw:c:H:")) != -1;)
		understood = take_option(&request, option);
	if (!understood || argc - optind != 3) {
		fprintf(stderr, "usage: load [-s STATUS] [-m METHOD] [-d BODY | -b BYTES] [-H FIELD]... "
				"[-t] [-w COUNT -c FILE] PORT TARGET COUNT\n");
		return 2;
	}
	return run(&request, strtoul(argv[optind], NULL, 10), argv[optind + 1],
		strtoul(argv[optind + 2], NULL, 10));
}
