/*
 * server_time.c: who takes too long. Once a second a loop walks along its connections and sees whether each has come on.
 *
 * libmicrohttpd's own timeouts cost a walk at every turn, tell nobody, and see a client that sends a byte now and then as
 * a busy one. Here a request pays with a counter or two: where a connection is shows in what its exchange tells anyway, and the
 * time is looked at by the walk alone. So a limit counts from the first walk that finds the connection there.
 *
 * What is cut has its socket shut; libmicrohttpd then finds it so and ends the request. While it does not look, because the
 * connection is suspended, the exchange's is_cut says so to whoever resumes it. A handler on a worker cannot be taken away.
 */
#include "server_private.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* -- where a connection is ----------------------------------------------------------------------------------------- */

enum phase {
	IN_HEAD,    /* of a request, or before the first one */
	IN_IDLE,    /* between requests */
	IN_BODY,    /* of a request */
	IN_HANDLER, /* on a worker */
	IN_ANSWER,
};

static enum phase phase_of(const struct connection *connection)
{
	const struct exchange *exchange = connection->exchange;

	if (!exchange)
		return connection->requests ? IN_IDLE : IN_HEAD;
	if (!exchange->is_begun)
		return IN_HEAD;
	if (exchange->is_refused)
		return IN_ANSWER;
	if (!exchange->is_run || (exchange->is_arriving && !exchange->is_unread))
		return IN_BODY;
	return exchange->job == RUNG_JOB_RUN ? IN_HANDLER : IN_ANSWER;
}

/* Never the same for two phases of a connection. */
static uint64_t step_of(const struct connection *connection, enum phase phase)
{
	return (uint64_t)connection->requests << 3 | (uint64_t)phase;
}

/* -- what the kernel knows ------------------------------------------------------------------------------------------- */

/* How far the client has taken an answer, in bytes since some beginning; and what it has not yet taken of what was sent. */
struct taken {
	uint64_t bytes;
	uint64_t pending;
};

/* False where this is no TCP, or the kernel is too old to tell. */
static bool ask_tcp(int fd, struct tcp_info *info)
{
	socklen_t size = sizeof *info;

	memset(info, 0, sizeof *info);
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &size) == 0 &&
	       size >= offsetof(struct tcp_info, tcpi_bytes_received) + sizeof info->tcpi_bytes_received;
}

/*
 * Over TCP: what was acknowledged, which the kernel of a client that does not read soon no longer does. Over a Unix socket, whose
 * answers all pass through our hands when they are large: what we gave of it less what lies in the queue.
 */
static struct taken look_at_answer(const struct connection *connection)
{
	struct tcp_info info;
	int queued = 0;

	if (ioctl(connection->fd, SIOCOUTQ, &queued) < 0 || queued <= 0)
		return (struct taken){ 0 };
	if (!connection->is_unix && ask_tcp(connection->fd, &info))
		return (struct taken){ info.tcpi_bytes_acked, (uint64_t)queued };
	/* The queue is counted with its overhead, so it may seem to hold more than was ever given to it. */
	return (struct taken){ (uint64_t)connection->exchange->sent + INT32_MAX - (uint64_t)queued,
		(uint64_t)queued };
}

/* Whether anything came of the first request; only TCP tells. */
static bool has_sent_something(const struct connection *connection)
{
	struct tcp_info info;

	return connection->exchange ||
	       (!connection->is_unix && ask_tcp(connection->fd, &info) && info.tcpi_bytes_received > 0);
}

/* -- cutting --------------------------------------------------------------------------------------------------------- */

/* Kernels keep what a client does not take for minutes after a close, unless it is thrown away. */
static void drop_what_is_queued(int fd)
{
	const struct linger none = { .l_onoff = 1, .l_linger = 0 };
	int queued = 0;

	if (ioctl(fd, SIOCOUTQ, &queued) == 0 && queued > 0)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

/* Nothing of an answer has gone out while a head or a body comes in. */
static void tell_client(const struct connection *connection, enum phase phase)
{
	const char *text = phase == IN_HEAD ? "408 the request's head took too long\n"
					    : "408 the request's body took too long\n";

	if (phase == IN_BODY || (phase == IN_HEAD && has_sent_something(connection)))
		rung_write_past(connection->mhd, connection->fd, "408 Request Timeout", text);
}

static RUNG_COLD void cut(struct connection *connection, enum phase phase, const char *what, unsigned seconds,
	const char *limit)
{
	const struct sockaddr *address =
		MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
	struct exchange *exchange = connection->exchange;
	char text[INET6_ADDRSTRLEN];

	connection->is_cut = true;
	rung_site_log(&connection->loop->server->site, RUNG_LOG_INFO, "rung: cut %s: %s for %u s (%s)",
		rung_peer_text(address, text), what, seconds, limit);
	tell_client(connection, phase);
	if (phase == IN_ANSWER || phase == IN_IDLE)
		drop_what_is_queued(connection->fd);
	if (exchange) {
		exchange->is_cut = true;
		rung_input_cut(exchange, -ETIMEDOUT);
		rung_body_give_up(exchange);
	}
	shutdown(connection->fd, SHUT_RDWR);
}

/* -- the walk -------------------------------------------------------------------------------------------------------- */

/* How many bytes must move within so many seconds, at least one. */
static uint64_t quota(const struct rung_limits *limits, unsigned seconds)
{
	if (limits->least_rate == (unsigned)RUNG_UNLIMITED || seconds == (unsigned)RUNG_UNLIMITED)
		return 1;
	return (uint64_t)limits->least_rate * seconds;
}

static bool is_over(int64_t since, int64_t now, unsigned seconds)
{
	return seconds != (unsigned)RUNG_UNLIMITED && now - since > (int64_t)seconds * 1000;
}

/* A body has come on when it has grown by its quota; so a client that sends a byte every second does not. One that we do not
 * read from is not to blame. */
static bool has_body_come_on(struct connection *connection, const struct rung_limits *limits)
{
	struct patience *patience = &connection->patience;

	if (connection->received < patience->enough && !connection->exchange->is_suspended)
		return false;
	patience->enough = connection->received + quota(limits, limits->body_seconds);
	return true;
}

/*
 * An answer has come on when the client has taken all that was on its way when the time began, or the quota of it. What a Unix
 * socket holds is not counted in bytes, so there a queue that has become shorter will do.
 */
static bool has_answer_come_on(struct connection *connection, const struct rung_limits *limits)
{
	struct patience *patience = &connection->patience;
	struct taken taken = look_at_answer(connection);
	uint64_t least = quota(limits, limits->send_seconds);

	bool is_shorter = connection->is_unix && taken.pending < patience->pending;

	patience->pending = taken.pending;
	if (taken.pending && taken.bytes < patience->enough && !is_shorter)
		return false;
	patience->enough = taken.bytes + (taken.pending < least ? taken.pending : least);
	return true;
}

/* Where the connection was not at the last walk everything begins anew. */
static void begin_step(
	struct connection *connection, enum phase phase, const struct rung_limits *limits, int64_t now)
{
	struct patience *patience = &connection->patience;

	if (phase == IN_IDLE || !patience->is_known || patience->step >> 3 != connection->requests)
		patience->begun = now;
	patience->step = step_of(connection, phase);
	patience->since = now;
	patience->is_known = true;
	patience->enough = 0;
	if (phase == IN_BODY)
		has_body_come_on(connection, limits);
	else if (phase == IN_ANSWER)
		has_answer_come_on(connection, limits);
}

static void look_at_phase(
	struct connection *connection, enum phase phase, const struct rung_limits *limits, int64_t now)
{
	struct patience *patience = &connection->patience;

	switch (phase) {
	case IN_HEAD:
		if (is_over(patience->since, now, limits->header_seconds))
			cut(connection, phase, "its head has not come", limits->header_seconds,
				"header_seconds");
		break;
	case IN_IDLE:
		if (is_over(patience->since, now, limits->idle_seconds))
			cut(connection, phase, "no request has come", limits->idle_seconds, "idle_seconds");
		break;
	case IN_BODY:
		if (has_body_come_on(connection, limits))
			patience->since = now;
		else if (is_over(patience->since, now, limits->body_seconds))
			cut(connection, phase, "its body has hardly grown", limits->body_seconds,
				"body_seconds");
		break;
	case IN_ANSWER:
		if (has_answer_come_on(connection, limits))
			patience->since = now;
		else if (is_over(patience->since, now, limits->send_seconds))
			cut(connection, phase, "it has hardly taken any of the answer", limits->send_seconds,
				"send_seconds");
		break;
	case IN_HANDLER:
		break;
	}
}

static void look_at_connection(struct connection *connection, const struct rung_limits *limits, int64_t now)
{
	struct patience *patience = &connection->patience;
	enum phase phase = phase_of(connection);

	if (connection->is_cut)
		return;
	if (!patience->is_known || patience->step != step_of(connection, phase))
		begin_step(connection, phase, limits, now);
	else
		look_at_phase(connection, phase, limits, now);
	if (phase != IN_IDLE && !connection->is_cut && is_over(patience->begun, now, limits->total_seconds))
		cut(connection, phase, "its request has gone on", limits->total_seconds, "total_seconds");
}

/* Nothing in it ends a connection at once: libmicrohttpd does so when it finds the socket shut. */
void rung_look_at_times(struct loop *loop)
{
	const struct rung_limits *limits = &loop->server->limits;
	int64_t now = loop->now ? loop->now : rung_clock();
	int64_t late = now - loop->next_walk;

	loop->now = 0;
	if (late < 0)
		return;
	loop->next_walk = now + RUNG_WALK_MS;
	for (struct connection *connection = loop->connections; connection; connection = connection->next) {
		/* While a handler held the loop clients may have sent what nobody has read yet. */
		if (late > RUNG_WALK_MS)
			connection->patience.since += late;
		look_at_connection(connection, limits, now);
	}
}
