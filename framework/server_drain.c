/*
 * server_drain.c: how a server ends without losing what clients have asked.
 *
 * - Listeners take what the kernel has in their queue. New handshakes are dropped meanwhile, those under way may end; then
 *   they are closed. A client that comes in between tries again, by its kernel, after a second, and is refused, or finds the
 *   server that was started instead.
 * - Answers in flight are finished; from now on they say "Connection: close".
 * - Idle connections are kept a moment: a request that comes in it is still answered, so that a client which asks one
 *   thing after another learns that it must connect again and loses nothing. Then they are closed. Between our closing
 *   and its arrival at the client a request may be under way, which nobody answers: HTTP/1.1 knows no way around that
 *   (RFC 9112 section 9.6), and leaves it to the client to ask again (RFC 9110 section 9.2.2).
 * - What is left at the deadline is cut.
 */
#include "server_private.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

enum {
	TURN_MS = 10,       /* how often a loop that drains looks at what is left */
	NEAR_QUEUE_MS = 10, /* how long listeners wait for handshakes to end: for clients on this machine */
	FAR_QUEUE_MS = 250, /* and for others: a round trip */
	IDLE_MS = 500,      /* how long an idle connection is kept: a round trip and some thought */
};

/* -- listeners -------------------------------------------------------------------------------------------------------- */

/* Drops what begins a handshake: a segment with SYN. The filter sees it from the TCP header on; byte 13 has the flags. */
static void close_door(const struct listener *listener, int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x02, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	const struct sock_fprog program = { sizeof code / sizeof *code, code };

	/* Where it cannot be had, a handshake may end at the very moment of closing; that is all. */
	if (listener->address.any.sa_family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

static void begin_to_close_listeners(struct loop *loop)
{
	struct rung_server *server = loop->server;
	bool is_shared = atomic_load(&server->is_shared);

	/* What others hold too they take from now on. */
	rung_accept_leave(loop, is_shared);
	for (unsigned i = 0; i < loop->acceptor_count; i++)
		close_door(loop->acceptors[i].listener, loop->acceptors[i].socket->fd);
	rung_accept_rest(loop);
	loop->listeners_end = rung_clock() + (server->is_public ? FAR_QUEUE_MS : NEAR_QUEUE_MS);
}

/* With no room left for those who wait, there may be some soon. */
static void close_listeners(struct loop *loop, int64_t now)
{
	if (now < loop->listeners_end || !loop->acceptor_count)
		return;
	if (rung_accept_rest(loop) || loop->is_past_deadline)
		rung_accept_end(loop);
}

/* -- connections ------------------------------------------------------------------------------------------------------ */

void rung_drain_idle(struct connection *connection)
{
	connection->idle_end = rung_clock() + IDLE_MS;
}

/* How long ago the client sent something, as far as the kernel knows: half a head shows nowhere else. */
static int64_t quiet_for(const struct connection *connection)
{
	struct tcp_info info;
	socklen_t size = sizeof info;

	if (getsockopt(connection->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return IDLE_MS;
	return info.tcpi_last_data_recv;
}

/* libmicrohttpd sees the end of the input and closes; but first what is there to read. */
static void close_idle(struct loop *loop, int64_t now)
{
	for (struct connection *connection = loop->connections; connection; connection = connection->next) {
		if (connection->exchange || connection->is_ended)
			continue;
		if (!connection->idle_end)
			connection->idle_end = now + IDLE_MS;
		if (now < connection->idle_end)
			continue;
		int64_t quiet = quiet_for(connection);
		if (quiet < IDLE_MS) {
			connection->idle_end = now + IDLE_MS - quiet;
			continue;
		}
		connection->is_ended = true;
		shutdown(connection->fd, SHUT_RD);
	}
}

static void cut_what_is_left(struct loop *loop)
{
	loop->is_past_deadline = true;
	for (struct connection *connection = loop->connections; connection; connection = connection->next) {
		if (connection->exchange) {
			connection->exchange->is_cut = true;
			loop->cut++;
			rung_input_cut(connection->exchange, -ECONNRESET);
			rung_body_give_up(connection->exchange);
		}
		shutdown(connection->fd, SHUT_RDWR);
	}
}

/* -- a loop's end ----------------------------------------------------------------------------------------------------- */

/* Bodies that wait are asked once more: one without an end of its own may see that it is time. */
static void begin(struct loop *loop)
{
	loop->is_draining = true;
	begin_to_close_listeners(loop);
	for (struct connection *connection = loop->connections; connection; connection = connection->next)
		if (connection->exchange)
			rung_body_woken(connection->exchange);
}

/* Nothing may be with a worker, or asleep: libmicrohttpd could not be stopped then. A handler that never comes back holds
 * the stop, since its thread and its request cannot be taken from it. */
static bool may_end(const struct loop *loop)
{
	return loop->away == 0 && loop->suspended == 0 && loop->acceptor_count == 0 &&
	       ((loop->connection_count == 0 && !loop->lingering) || loop->is_past_deadline);
}

bool rung_drain_turn(struct loop *loop)
{
	int64_t now = rung_clock();

	if (!loop->is_draining)
		begin(loop);
	if (!loop->is_past_deadline && now >= atomic_load(&loop->server->deadline))
		cut_what_is_left(loop);
	close_listeners(loop, now);
	close_idle(loop, now);
	return may_end(loop);
}

int32_t rung_drain_patience(void)
{
	return TURN_MS;
}

/* -- a server's ------------------------------------------------------------------------------------------------------- */

static void stop_at(struct rung_server *server, int64_t deadline)
{
	atomic_store(&server->deadline, deadline);
	if (!atomic_exchange(&server->is_stopping, true))
		rung_server_unlink(server);
	for (unsigned i = 0; i < server->loop_count; i++)
		if (server->loops[i].is_running)
			rung_loop_wake(&server->loops[i]);
}

void rung_server_drain(struct rung_server *server)
{
	if (!atomic_load(&server->is_stopping))
		stop_at(server, rung_clock() + (int64_t)server->limits.drain_seconds * 1000);
}

void rung_server_cut(struct rung_server *server)
{
	stop_at(server, 0);
}

bool rung_server_has_ended(const struct rung_server *server)
{
	return atomic_load(&server->running_loops) == 0;
}
