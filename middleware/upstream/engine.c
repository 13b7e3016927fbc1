/*
 * engine.c: the thread that carries all transfers of one upstream: libcurl's multi interface on an epoll set.
 *
 * Askers put transfers into its mail; only who finds the box empty writes to the descriptor that ends its wait. What has come of transfers
 * is told at the end of a turn, so that a short answer, which comes whole in one turn, is told once. A connection stays in the set when
 * its transfer is over, since the next one mostly wants the same of it: that spares two calls a request. Should it say something
 * meanwhile, most likely its end, it is taken out.
 */
#include "upstream_private.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { TURN_EVENTS = 64, FEW_EVENTS = 8 };

/* What is known of a socket that we made. */
enum {
	WANTS_IN = 1,
	WANTS_OUT = 2,
	IS_KNOWN = 4,
	IS_IDLE = 8, /* libcurl asks for nothing, but it is still in the set */
};

struct engine {
	struct upstream *upstream;
	CURLM *multi;
	pthread_t thread;
	int epoll_fd, wake_fd;
	_Atomic(struct transfer *) mail; /* newest first */
	atomic_bool is_ending;
	bool is_shaken; /* libcurl has run out of memory */
	int64_t timer;  /* precise_clock() when libcurl wants to be called; -1: it does not */
	int64_t next_walk;
	struct transfer *active, *news;
	uint8_t *sockets; /* by descriptor */
	size_t socket_room;
};

static int64_t clock_of(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t rung_upstream_clock(void)
{
	return clock_of(CLOCK_MONOTONIC_COARSE);
}

static int64_t precise_clock(void)
{
	return clock_of(CLOCK_MONOTONIC);
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

static void fail(struct transfer *transfer, int err, const char *why)
{
	pthread_mutex_lock(&transfer->lock);
	rung_upstream_transfer_fail(transfer, err, "%s", why);
	pthread_mutex_unlock(&transfer->lock);
}

/* It is over, with the error that it has or without one. */
static void end(struct engine *engine, struct transfer *transfer)
{
	if (transfer->is_running)
		curl_multi_remove_handle(engine->multi, transfer->easy);
	transfer->is_running = false;
	unlink_active(engine, transfer);
	transfer->is_over = true;
	rung_upstream_engine_note(transfer);
}

/*
 * Without memory libcurl may have lost sight of any transfer, which would then wait for nothing, and what it knows of a socket may be
 * broken for good. So all of them end, and it starts anew.
 */
static void shake(struct engine *engine)
{
	engine->is_shaken = true;
	while (engine->active) {
		fail(engine->active, -ENOMEM, "libcurl is out of memory");
		end(engine, engine->active);
	}
}

static void run(struct engine *engine, struct transfer *transfer)
{
	transfer->moved = rung_upstream_clock();
	transfer->is_connected = false;
	transfer->is_running =
		!engine->is_shaken && curl_multi_add_handle(engine->multi, transfer->easy) == CURLM_OK;
	if (transfer->is_running)
		return;
	fail(transfer, -ENOMEM, "libcurl is out of memory");
	shake(engine);
}

static bool aim_elsewhere(struct engine *engine, struct transfer *transfer)
{
	struct upstream *upstream = engine->upstream;

	if (upstream->is_remote || transfer->is_connected || transfer->body_at)
		return false;
	atomic_store_explicit(&transfer->origin->down_until, rung_upstream_clock() + UPSTREAM_DOWN_MS,
		memory_order_relaxed);
	struct origin *origin =
		rung_upstream_origin_pick(&upstream->origins, transfer->first_origin, &transfer->tried);
	if (!origin)
		return false;
	transfer->origin = origin;
	return rung_upstream_request_aim(transfer) == 0;
}

static int error_of(const struct transfer *transfer, CURLcode code)
{
	/* A line of a head that has no end is told as if memory were out. */
	if (code == CURLE_OUT_OF_MEMORY && !(transfer->is_connected && !transfer->has_head))
		return -ENOMEM;
	return code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EHOSTUNREACH;
}

static void explain(struct transfer *transfer, CURLcode code)
{
	const char *why = *transfer->error ? transfer->error : curl_easy_strerror(code);
	int err = error_of(transfer, code);

	pthread_mutex_lock(&transfer->lock);
	if (transfer->is_refused && !transfer->is_connected && !transfer->err)
		transfer->err = -EHOSTUNREACH; /* the reason is there */
	else
		rung_upstream_transfer_fail(transfer, err, "%s", why);
	pthread_mutex_unlock(&transfer->lock);
}

static void conclude(struct engine *engine, struct transfer *transfer, CURLcode code)
{
	curl_multi_remove_handle(engine->multi, transfer->easy);
	transfer->is_running = false;
	if (code != CURLE_OK && !transfer->err && aim_elsewhere(engine, transfer)) {
		run(engine, transfer);
		return;
	}
	if (code != CURLE_OK)
		explain(transfer, code);
	else if (!transfer->has_head)
		fail(transfer, -EHOSTUNREACH, "it ended without an answer");
	end(engine, transfer);
}

static void read_messages(struct engine *engine)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(engine->multi, &left))) {
		CURLcode code = message->data.result;
		char *transfer = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
		conclude(engine, (struct transfer *)(void *)transfer, code);
	}
}

/* -- what is asked ----------------------------------------------------------------------------------------------------- */

/* Goes on with what was paused, in one direction or in both; libcurl is told the whole state. */
static void go_on(struct engine *engine, struct transfer *transfer, unsigned asks)
{
	int pauses = CURLPAUSE_CONT;

	pthread_mutex_lock(&transfer->lock);
	if (asks & UPSTREAM_DRAIN)
		transfer->is_paused = false;
	if (transfer->is_paused)
		pauses |= CURLPAUSE_RECV;
	if (transfer->is_hungry)
		pauses |= CURLPAUSE_SEND;
	pthread_mutex_unlock(&transfer->lock);
	transfer->moved = rung_upstream_clock();
	if (curl_easy_pause(transfer->easy, pauses) != CURLE_OK)
		shake(engine);
}

static void answer(struct engine *engine, struct transfer *transfer, unsigned asks)
{
	if (asks & UPSTREAM_START) {
		link_active(engine, transfer);
		run(engine, transfer);
	}
	if (transfer->is_over)
		return;
	if (asks & UPSTREAM_CANCEL) {
		fail(transfer, -ECANCELED, "it was cut off");
		end(engine, transfer);
	} else if (asks & (UPSTREAM_DRAIN | UPSTREAM_FEED)) {
		go_on(engine, transfer, asks);
	}
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

/* -- sockets and times -------------------------------------------------------------------------------------------------- */

int rung_upstream_engine_know(struct engine *engine, int fd)
{
	size_t room = engine->socket_room ? engine->socket_room : 64;

	while (room <= (size_t)fd)
		room *= 2;
	if (room > engine->socket_room) {
		uint8_t *sockets = realloc(engine->sockets, room);

		if (!sockets)
			return -ENOMEM;
		memset(sockets + engine->socket_room, 0, room - engine->socket_room);
		engine->sockets = sockets;
		engine->socket_room = room;
	}
	engine->sockets[fd] = IS_KNOWN;
	return 0;
}

/* Its closing takes it out of the set. */
void rung_upstream_engine_forget(struct engine *engine, int fd)
{
	if ((size_t)fd < engine->socket_room)
		engine->sockets[fd] = 0;
}

/* libcurl has sockets of its own making, too, which it closes unseen. */
static bool is_known(const struct engine *engine, int fd)
{
	return (size_t)fd < engine->socket_room && engine->sockets[fd] & IS_KNOWN;
}

static int set_events(struct engine *engine, int fd, unsigned wants)
{
	struct epoll_event event = {
		.events = (wants & WANTS_IN ? EPOLLIN : 0u) | (wants & WANTS_OUT ? EPOLLOUT : 0u),
		.data.fd = fd,
	};

	if (epoll_ctl(engine->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0)
		return 0;
	return epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static int take_wish(CURL *easy, curl_socket_t fd, int what, void *data, void *unused)
{
	struct engine *engine = data;
	unsigned wants = (what & CURL_POLL_IN ? WANTS_IN : 0u) | (what & CURL_POLL_OUT ? WANTS_OUT : 0u);

	(void)easy, (void)unused;
	if (what == CURL_POLL_REMOVE)
		wants = 0;
	if (!is_known(engine, fd)) {
		if (wants)
			return set_events(engine, fd, wants) == 0 ? 0 : -1;
		epoll_ctl(engine->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	uint8_t *state = &engine->sockets[fd];
	if (!wants) {
		*state |= IS_IDLE;
		return 0;
	}
	*state &= (uint8_t)~IS_IDLE;
	if ((*state & (WANTS_IN | WANTS_OUT)) == wants)
		return 0;
	*state = (uint8_t)(IS_KNOWN | wants);
	return set_events(engine, fd, wants) == 0 ? 0 : -1;
}

static int take_time(CURLM *multi, long milliseconds, void *data)
{
	struct engine *engine = data;

	(void)multi;
	engine->timer = milliseconds < 0 ? -1 : milliseconds == 0 ? 0 : precise_clock() + milliseconds;
	return 0;
}

static void act(struct engine *engine, int fd, int events)
{
	int running;

	if (curl_multi_socket_action(engine->multi, fd, events, &running) != CURLM_OK)
		shake(engine);
}

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
	if (is_known(engine, fd) && engine->sockets[fd] & IS_IDLE) {
		engine->sockets[fd] = IS_KNOWN;
		epoll_ctl(engine->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return;
	}
	act(engine, fd,
		(event->events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
			(event->events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
			(event->events & EPOLLERR ? CURL_CSELECT_ERR : 0));
}

/* -- what takes too long ------------------------------------------------------------------------------------------------ */

static void look_at(struct engine *engine, struct transfer *transfer, int64_t now)
{
	pthread_mutex_lock(&transfer->lock);
	bool is_clients = (transfer->is_paused && transfer->is_taken) || transfer->is_hungry;
	pthread_mutex_unlock(&transfer->lock);
	if (rung_is_abandoned(transfer->env)) {
		fail(transfer, -ECONNRESET, "the client has left");
		end(engine, transfer);
		return;
	}
	if (is_clients)
		transfer->moved = now;
	/* Until there is a connection libcurl counts. */
	if (!transfer->is_connected || now - transfer->moved <= engine->upstream->idle_ms)
		return;
	fail(transfer, -ETIMEDOUT, "it was silent for too long");
	end(engine, transfer);
}

static void walk(struct engine *engine)
{
	int64_t now = rung_upstream_clock();
	struct transfer *transfer = engine->active;

	if (now < engine->next_walk)
		return;
	engine->next_walk = now + UPSTREAM_WALK_MS;
	while (transfer) {
		struct transfer *next = transfer->after;

		look_at(engine, transfer, now);
		transfer = next;
	}
}

static int patience(const struct engine *engine)
{
	int64_t most = engine->active ? UPSTREAM_WALK_MS : -1;

	if (engine->timer < 0)
		return (int)most;
	int64_t left = engine->timer ? engine->timer - precise_clock() : 0;
	if (left < 0)
		left = 0;
	return (int)(most >= 0 && most < left ? most : left > 1000 ? 1000 : left);
}

/* -- the thread ------------------------------------------------------------------------------------------------------------ */

static void call_in_time(struct engine *engine)
{
	if (engine->timer < 0 || (engine->timer && engine->timer > precise_clock()))
		return;
	engine->timer = -1;
	act(engine, CURL_SOCKET_TIMEOUT, 0);
}

static CURLM *make_multi(struct engine *engine)
{
	CURLM *multi = curl_multi_init();

	if (multi && !curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, take_wish) &&
		!curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, engine) &&
		!curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, take_time) &&
		!curl_multi_setopt(multi, CURLMOPT_TIMERDATA, engine) &&
		!curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) &&
		!curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)engine->upstream->kept))
		return multi;
	curl_multi_cleanup(multi);
	return NULL;
}

/* When nothing is under way. Where there is no memory for it either, the next turn tries again, and what comes until then fails. */
static void start_anew(struct engine *engine)
{
	CURLM *multi = make_multi(engine);

	if (!multi)
		return;
	curl_multi_cleanup(engine->multi);
	engine->multi = multi;
	engine->timer = -1;
	engine->is_shaken = false;
}

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
		read_messages(engine);
		if (engine->is_shaken)
			start_anew(engine);
		if (atomic_load_explicit(&engine->mail, memory_order_relaxed))
			read_mail(engine);
		call_in_time(engine);
		read_messages(engine);
		if (engine->active)
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
	/* Closes the connections that are left, which asks for the engine. */
	if (engine->multi)
		curl_multi_cleanup(engine->multi);
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
	engine->multi = make_multi(engine);
	return engine->multi ? 0 : -ENOMEM;
}

int rung_upstream_engine_start(struct upstream *upstream, struct engine **ret_engine)
{
	struct engine *engine = calloc(1, sizeof *engine);

	if (!engine)
		return rung_refuse(-ENOMEM, "upstream: out of memory");
	engine->upstream = upstream;
	engine->timer = -1;
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
