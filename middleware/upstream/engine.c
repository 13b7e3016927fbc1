/*
 * engine.c: the thread that carries all transfers of one upstream: an epoll set of their channels, and of what libcurl dials.
 *
 * Askers put transfers into its mail; only who finds the box empty writes to the descriptor that ends its wait. What has come of transfers
 * is told at the end of a turn, so that a short answer, which comes whole in one turn, is told once.
 */
#include "upstream_private.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { TURN_EVENTS = 64, FEW_EVENTS = 8 };

int64_t rung_upstream_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* -- mail ------------------------------------------------------------------------------------------------------------ */

static void wake(struct engine *engine)
{
	const uint64_t one = 1;
	ssize_t size;

	do
		size = write(engine->wake_fd, &one, sizeof one);
	while (size < 0 && errno == EINTR);
}

void rung_upstream_engine_ask(struct engine *engine, struct transfer *transfer, unsigned asks)
{
	/* One that is in the box already will be asked for both. */
	if (atomic_fetch_or(&transfer->asks, asks))
		return;
	struct transfer *before = atomic_load(&engine->mail);
	do
		transfer->next_mail = before;
	while (!atomic_compare_exchange_weak(&engine->mail, &before, transfer));
	if (!before)
		wake(engine);
}

void rung_upstream_engine_note(struct transfer *transfer)
{
	struct engine *engine = transfer->upstream->engine;

	if (transfer->has_news)
		return;
	transfer->has_news = true;
	transfer->next_news = engine->news;
	engine->news = transfer;
}

/* Says what there is to say, and returns whether the asker waits. The lock is held. */
static bool tell_one(struct transfer *transfer)
{
	transfer->is_done = transfer->is_over;
	transfer->is_ready = transfer->is_done || transfer->has_head;
	if (transfer->is_starving && (transfer->is_done || transfer->ring.size)) {
		transfer->is_starving = false;
		rung_wake(transfer->waker);
	}
	return transfer->is_waiting;
}

/*
 * The asker may give a transfer back as soon as it knows that it is done, so nothing of it is read afterwards, and none with mail of its
 * own in the box is done: what is asked under the lock, of one that is not done, is read first. What the asker waits at stays, and to be
 * woken for nothing does no harm.
 */
static void tell(struct engine *engine)
{
	struct transfer *transfer = engine->news;

	engine->news = NULL;
	while (transfer) {
		struct transfer *next = transfer->next_news;

		transfer->has_news = false;
		pthread_mutex_lock(&transfer->lock);
		bool is_early = transfer->is_over && atomic_load(&transfer->asks);
		bool is_waiting = !is_early && tell_one(transfer);
		if (is_early)
			rung_upstream_engine_note(transfer);
		pthread_mutex_unlock(&transfer->lock);
		/* Outside, or the asker would wake only to wait for the lock. */
		if (is_waiting)
			pthread_cond_signal(&transfer->changed);
		transfer = next;
	}
}

/* -- begin and end of a transfer --------------------------------------------------------------------------------- */

static void link_active(struct engine *engine, struct transfer *transfer)
{
	transfer->before = NULL;
	transfer->after = engine->active;
	if (engine->active)
		engine->active->before = transfer;
	engine->active = transfer;
}

static void unlink_active(struct engine *engine, struct transfer *transfer)
{
	if (transfer->before)
		transfer->before->after = transfer->after;
	else
		engine->active = transfer->after;
	if (transfer->after)
		transfer->after->before = transfer->before;
}

void rung_upstream_engine_end(struct transfer *transfer)
{
	struct engine *engine = transfer->upstream->engine;

	if (transfer->channel)
		rung_upstream_channel_close(transfer->channel);
	unlink_active(engine, transfer);
	transfer->is_over = true;
	rung_upstream_engine_note(transfer);
}

void rung_upstream_engine_fail(struct transfer *transfer, int err, const char *format, ...)
{
	char why[UPSTREAM_WHY];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, sizeof why, format, arguments);
	va_end(arguments);
	pthread_mutex_lock(&transfer->lock);
	rung_upstream_transfer_fail(transfer, err, "%s", why);
	pthread_mutex_unlock(&transfer->lock);
	rung_upstream_engine_end(transfer);
}

/* -- to a backend -------------------------------------------------------------------------------------------------------- */

static void begin_request(struct transfer *transfer)
{
	transfer->is_connected = true;
	transfer->moved = rung_upstream_clock();
	rung_upstream_message_send(transfer);
}

static void run(struct transfer *transfer)
{
	transfer->moved = rung_upstream_clock();
	transfer->is_connected = false;
	rung_upstream_request_aim(transfer);
	if (rung_upstream_channel_get(transfer) < 0)
		rung_upstream_engine_fail(transfer, -ENOMEM, "out of memory");
	else if (transfer->channel->fd >= 0)
		begin_request(transfer);
}

void rung_upstream_engine_again(struct transfer *transfer)
{
	rung_upstream_channel_close(transfer->channel);
	transfer->wants_new = true;
	transfer->sent = 0;
	transfer->is_sent = transfer->is_blocked = transfer->sends_no_more = false;
	run(transfer);
}

static bool choose_another(struct transfer *transfer)
{
	struct upstream *upstream = transfer->upstream;

	if (upstream->is_remote)
		return false;
	atomic_store_explicit(&transfer->origin->down_until, rung_upstream_clock() + UPSTREAM_DOWN_MS,
		memory_order_relaxed);
	struct origin *origin =
		rung_upstream_origin_pick(&upstream->origins, transfer->first_origin, &transfer->tried);
	if (origin)
		transfer->origin = origin;
	return origin != NULL;
}

void rung_upstream_engine_reached(struct channel *channel)
{
	struct transfer *transfer = channel->transfer;

	if (rung_upstream_channel_watch(channel, CHANNEL_IN) < 0)
		rung_upstream_engine_fail(transfer, -ENOMEM, "its connection cannot be watched");
	else
		begin_request(transfer);
}

void rung_upstream_engine_missed(struct channel *channel, int err, const char *why)
{
	struct transfer *transfer = channel->transfer;

	rung_upstream_channel_close(channel);
	if (err != -ENOMEM && choose_another(transfer)) {
		run(transfer);
		return;
	}
	/* Of an address that is refused the reason is there. */
	pthread_mutex_lock(&transfer->lock);
	if (transfer->is_refused && !transfer->err)
		transfer->err = -EHOSTUNREACH;
	pthread_mutex_unlock(&transfer->lock);
	rung_upstream_engine_fail(transfer, err, "%s", why);
}

/* -- what is asked ----------------------------------------------------------------------------------------------------- */

static void drain(struct transfer *transfer)
{
	pthread_mutex_lock(&transfer->lock);
	transfer->is_paused = false;
	pthread_mutex_unlock(&transfer->lock);
	transfer->moved = rung_upstream_clock();
	rung_upstream_message_receive(transfer);
}

static void answer(struct engine *engine, struct transfer *transfer, unsigned asks)
{
	if (asks & UPSTREAM_START) {
		link_active(engine, transfer);
		run(transfer);
	}
	if (!transfer->is_over && asks & UPSTREAM_CANCEL)
		rung_upstream_engine_fail(transfer, -ECANCELED, "it was cut off");
	if (!transfer->is_over && asks & UPSTREAM_FEED && transfer->is_connected)
		rung_upstream_message_send(transfer);
	if (!transfer->is_over && asks & UPSTREAM_DRAIN)
		drain(transfer);
}

static void read_mail(struct engine *engine)
{
	struct transfer *mail = atomic_exchange(&engine->mail, NULL), *in_order = NULL;

	while (mail) {
		struct transfer *next = mail->next_mail;

		mail->next_mail = in_order;
		in_order = mail;
		mail = next;
	}
	while (in_order) {
		struct transfer *transfer = in_order;

		in_order = transfer->next_mail;
		answer(engine, transfer, atomic_exchange(&transfer->asks, 0));
	}
}

/* -- events -------------------------------------------------------------------------------------------------------------- */

int rung_upstream_engine_know(struct engine *engine, int fd, struct channel *channel)
{
	size_t room = engine->socket_room ? engine->socket_room : 64;

	if ((size_t)fd >= engine->socket_room && !channel)
		return 0;
	while (room <= (size_t)fd)
		room *= 2;
	if (room > engine->socket_room) {
		struct channel **sockets = realloc(engine->sockets, room * sizeof *sockets);

		if (!sockets)
			return -ENOMEM;
		memset(sockets + engine->socket_room, 0, (room - engine->socket_room) * sizeof *sockets);
		engine->sockets = sockets;
		engine->socket_room = room;
	}
	engine->sockets[fd] = channel;
	return 0;
}

/* One that nobody uses mostly tells of its end. */
static void look_at_kept(struct channel *channel)
{
	if (!rung_upstream_channel_is_quiet(channel))
		rung_upstream_channel_close(channel);
}

static void take_channel_event(struct channel *channel, unsigned events)
{
	struct transfer *transfer = channel->transfer;

	if (!transfer) {
		look_at_kept(channel);
		return;
	}
	if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
		rung_upstream_message_send(transfer);
	/* It may have ended by that, or wait for another one. Over TLS there may be something to read that no event tells of. */
	if (!transfer->is_over && transfer->is_connected &&
		(events & ~(unsigned)EPOLLOUT || transfer->channel->dial))
		rung_upstream_message_receive(transfer);
}

/* What was known of a descriptor when the set was asked may have changed in this turn, and its number be another one's: no harm is done
 * when nothing is there to be read. */
static void take_event(struct engine *engine, const struct epoll_event *event)
{
	int fd = event->data.fd;
	uint64_t count;

	if (fd == engine->wake_fd) {
		/* What is in the box is taken after this. */
		ssize_t size = read(fd, &count, sizeof count);
		(void)size;
		return;
	}
	struct channel *channel = (size_t)fd < engine->socket_room ? engine->sockets[fd] : NULL;
	if (!channel)
		return;
	if (channel->fd < 0)
		rung_upstream_dial_event(channel->dial, fd, event->events);
	else
		take_channel_event(channel, event->events);
}

/* -- what takes too long ------------------------------------------------------------------------------------------------ */

static void look_at(struct engine *engine, struct transfer *transfer, int64_t now)
{
	pthread_mutex_lock(&transfer->lock);
	bool is_clients = (transfer->is_paused && transfer->is_taken) || transfer->is_hungry;
	pthread_mutex_unlock(&transfer->lock);
	if (rung_is_abandoned(transfer->env)) {
		rung_upstream_engine_fail(transfer, -ECONNRESET, "the client has left");
		return;
	}
	if (is_clients)
		transfer->moved = now;
	/* Until there is a connection libcurl counts. */
	if (!transfer->is_connected || now - transfer->moved <= engine->upstream->idle_ms)
		return;
	rung_upstream_engine_fail(transfer, -ETIMEDOUT, "it was silent for too long");
}

static void walk(struct engine *engine)
{
	int64_t now = rung_upstream_clock();
	struct transfer *transfer = engine->active;

	if (now < engine->next_walk)
		return;
	engine->next_walk = now + UPSTREAM_WALK_MS;
	rung_upstream_channels_age(engine, now);
	while (transfer) {
		struct transfer *next = transfer->after;

		look_at(engine, transfer, now);
		transfer = next;
	}
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < 0 ? b : b < 0 || a < b ? a : b;
}

static int patience(const struct engine *engine)
{
	int64_t left = engine->active ? UPSTREAM_WALK_MS : -1;

	left = sooner(left, rung_upstream_dials_patience(engine));
	/* Those that are kept are seen to by the walk. */
	if (left < 0 && engine->kept)
		left = rung_upstream_channels_patience(engine) + UPSTREAM_WALK_MS;
	return (int)(left > INT_MAX ? INT_MAX : left);
}

/* -- the thread ------------------------------------------------------------------------------------------------------------ */

/* Where several transfers are under way, threads that share this core may be about to ask for more: a turn does more for many at once. With
 * a core of its own nobody is let before. */
static int wait_for_events(struct engine *engine, struct epoll_event *events)
{
	int count = epoll_wait(engine->epoll_fd, events, TURN_EVENTS, patience(engine));

	if (count < 1 || count >= FEW_EVENTS || !engine->active || !engine->active->after)
		return count;
	sched_yield();
	return epoll_wait(engine->epoll_fd, events, TURN_EVENTS, 0);
}

static void *turn(void *argument)
{
	struct engine *engine = argument;
	struct epoll_event events[TURN_EVENTS];

	while (!atomic_load_explicit(&engine->is_ending, memory_order_acquire)) {
		int count = wait_for_events(engine, events);

		for (int i = 0; i < count; i++)
			take_event(engine, &events[i]);
		if (atomic_load_explicit(&engine->mail, memory_order_relaxed))
			read_mail(engine);
		if (engine->dialing)
			rung_upstream_dials_in_time(engine);
		if (engine->active || engine->kept)
			walk(engine);
		if (engine->news)
			tell(engine);
	}
	return NULL;
}

static int start_thread(struct engine *engine)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&engine->thread, NULL, turn, engine);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -rc;
}

static void free_engine(struct engine *engine)
{
	rung_upstream_channels_close(engine);
	rung_upstream_dials_close(engine);
	if (engine->epoll_fd >= 0)
		close(engine->epoll_fd);
	if (engine->wake_fd >= 0)
		close(engine->wake_fd);
	free(engine->sockets);
	free(engine);
}

static int open_engine(struct engine *engine)
{
	struct epoll_event event = { .events = EPOLLIN };

	engine->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	engine->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	event.data.fd = engine->wake_fd;
	if (engine->epoll_fd < 0 || engine->wake_fd < 0 ||
		epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, engine->wake_fd, &event) < 0)
		return -errno;
	return rung_upstream_dials_open(engine);
}

int rung_upstream_engine_start(struct upstream *upstream, struct engine **ret_engine)
{
	struct engine *engine = calloc(1, sizeof *engine);

	if (!engine)
		return rung_refuse(-ENOMEM, "upstream: out of memory");
	engine->upstream = upstream;
	int rc = open_engine(engine);
	if (rc == 0)
		rc = start_thread(engine);
	if (rc < 0) {
		free_engine(engine);
		return rung_refuse(rc, "upstream: its thread cannot be started: %s", strerror(-rc));
	}
	*ret_engine = engine;
	return 0;
}

void rung_upstream_engine_stop(struct engine *engine)
{
	atomic_store(&engine->is_ending, true);
	wake(engine);
	pthread_join(engine->thread, NULL);
	free_engine(engine);
}
