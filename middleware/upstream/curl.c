/* curl.c: what libcurl calls for a transfer, on the engine's thread, and how a handle is made. */
#include "upstream_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* -- the answer ------------------------------------------------------------------------------------------------------ */

static size_t take_line(char *line, size_t size, size_t count, void *data)
{
	struct transfer *transfer = data;
	size_t length = size * count;

	transfer->moved = rung_upstream_clock();
	return rung_upstream_answer_line(transfer, line, length) == 0 ? length : 0;
}

/* What there is no room for stays with libcurl, which reads no more until it is asked to. */
static size_t take_body(char *bytes, size_t size, size_t count, void *data)
{
	struct transfer *transfer = data;
	size_t length = size * count;

	transfer->moved = rung_upstream_clock();
	rung_upstream_engine_note(transfer);
	pthread_mutex_lock(&transfer->lock);
	bool fits = transfer->ring.room - transfer->ring.size >= length;
	transfer->is_paused = !fits;
	if (fits)
		rung_ring_put(&transfer->ring, bytes, length);
	pthread_mutex_unlock(&transfer->lock);
	return fits ? length : CURL_WRITEFUNC_PAUSE;
}

/* -- the request's body ---------------------------------------------------------------------------------------------- */

static size_t give_stream(struct transfer *transfer, char *buffer, size_t room)
{
	pthread_mutex_lock(&transfer->lock);
	size_t size = rung_ring_take(&transfer->input, buffer, room);
	if (transfer->input_err)
		size = CURL_READFUNC_ABORT;
	else if (!size && !transfer->input_ended) {
		transfer->is_hungry = true;
		size = CURL_READFUNC_PAUSE;
	}
	pthread_mutex_unlock(&transfer->lock);
	/* Whoever puts in may be waiting for room. */
	rung_upstream_engine_note(transfer);
	if (size <= room)
		transfer->body_at += (int64_t)size;
	return size;
}

static size_t give_body(char *buffer, size_t size, size_t count, void *data)
{
	struct transfer *transfer = data;
	size_t room = size * count;

	transfer->moved = rung_upstream_clock();
	if (transfer->streams_input)
		return give_stream(transfer, buffer, room);
	int64_t left = transfer->body_size - transfer->body_at;
	if ((int64_t)room > left)
		room = (size_t)left;
	memcpy(buffer, transfer->body + transfer->body_at, room);
	transfer->body_at += (int64_t)room;
	return room;
}

/*
 * A kept connection may turn out to be dead when the request is on its way; libcurl then sends it again, on a new one. A request that
 * may not be done twice must not be (RFC 9110 section 9.2.2), and what went by cannot be.
 */
static int rewind_body(void *data, curl_off_t offset, int origin)
{
	struct transfer *transfer = data;

	if (offset != 0 || origin != SEEK_SET || !transfer->is_repeatable || transfer->streams_input)
		return transfer->body_at == 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
	transfer->body_at = 0;
	return CURL_SEEKFUNC_OK;
}

/* -- connections ----------------------------------------------------------------------------------------------------- */

static void refuse_address(struct transfer *transfer, const struct sockaddr *address)
{
	char text[INET6_ADDRSTRLEN] = "an address of another kind";

	if (address->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, text,
			sizeof text);
	else if (address->sa_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, text,
			sizeof text);
	transfer->is_refused = true;
	pthread_mutex_lock(&transfer->lock);
	snprintf(transfer->why, sizeof transfer->why,
		"it leads to %s, which is not public; list it in .allow if it is meant", text);
	pthread_mutex_unlock(&transfer->lock);
}

/* This is the address that will be connected to, whatever the name was and whoever resolved it. */
static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct transfer *transfer = data;
	struct upstream *upstream = transfer->upstream;

	(void)purpose;
	transfer->is_connected = false;
	if (upstream->is_remote && !rung_upstream_allow_address(&upstream->allow, &address->addr)) {
		refuse_address(transfer, &address->addr);
		return CURL_SOCKET_BAD;
	}
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (fd >= 0 && rung_upstream_engine_know(upstream->engine, fd) < 0) {
		close(fd);
		return CURL_SOCKET_BAD;
	}
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int close_socket(void *data, curl_socket_t fd)
{
	rung_upstream_engine_forget(data, fd);
	return close(fd) == 0 ? 0 : -1;
}

/* A connection is had, old or new, and the request is about to go. */
static int begin_request(void *data, char *peer, char *local, int peer_port, int local_port)
{
	struct transfer *transfer = data;

	(void)peer, (void)local, (void)peer_port, (void)local_port;
	transfer->is_connected = true;
	transfer->moved = rung_upstream_clock();
	return CURL_PREREQFUNC_OK;
}

/* -- making ---------------------------------------------------------------------------------------------------------- */

static bool set_callbacks(struct transfer *transfer)
{
	CURL *easy = transfer->easy;

	return !curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer) &&
	       !curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error) &&
	       !curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_line) &&
	       !curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer) &&
	       !curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) &&
	       !curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) &&
	       !curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_body) &&
	       !curl_easy_setopt(easy, CURLOPT_READDATA, transfer) &&
	       !curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, rewind_body) &&
	       !curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer) &&
	       !curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) &&
	       !curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer) &&
	       !curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket) &&
	       /* A connection may outlive the transfer that made it. */
	       !curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, transfer->upstream->engine) &&
	       !curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, begin_request) &&
	       !curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
}

int rung_upstream_curl_open(struct transfer *transfer)
{
	const struct upstream *upstream = transfer->upstream;
	CURL *easy = transfer->easy = curl_easy_init();

	if (!easy || !set_callbacks(transfer))
		return -ENOMEM;
	if (curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) ||
		curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") ||
		curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) ||
		/* What the environment says of proxies is meant for others. */
		curl_easy_setopt(easy, CURLOPT_PROXY, "") ||
		curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) ||
		curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 32 * 1024L) ||
		curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, upstream->connect_ms) ||
		curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, upstream->keep_seconds) ||
		/* A name that takes long to resolve must hold up nobody but who asked for it. */
		curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) ||
		(upstream->ca && (curl_easy_setopt(easy, CURLOPT_CAINFO, upstream->ca) ||
					 curl_easy_setopt(easy, CURLOPT_CAPATH, NULL))))
		return -ENOMEM;
	return 0;
}
