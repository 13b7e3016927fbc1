/*
 * dial.c: how connections are made: by libcurl's multi interface, which finds the host, tries its addresses, secures the connection and
 * checks who is there, within a time.
 *
 * The socket of a plain connection is taken out of libcurl's hands then: it believes to have closed it. One with TLS stays with it, and
 * bytes go through curl_easy_send() and curl_easy_recv(). Each dial has a multi handle of its own: in one that has others libcurl closes,
 * for their sake, connections that it believes to be idle, and it cannot see that ours are not.
 */
#include "upstream_private.h"

#include <utlist.h>

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FREE_DIALS = 16 };

struct dial {
	struct engine *engine;
	struct channel *channel;
	CURL *easy;
	CURLM *multi;
	int64_t timer;   /* precise_clock() when libcurl wants to be called; -1: it does not */
	int taken;       /* the socket that is ours now; -1: none */
	bool is_dialing; /* in the engine's list */
	bool is_broken;  /* not to be used again: without memory libcurl may have lost sight of something */
	struct dial *next, *prev;
	char error[CURL_ERROR_SIZE];
};

static int64_t precise_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* -- what libcurl calls ------------------------------------------------------------------------------------------------- */

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
	struct dial *dial = data;
	struct upstream *upstream = dial->engine->upstream;

	(void)purpose;
	if (upstream->is_remote && !rung_upstream_allow_address(&upstream->allow, &address->addr)) {
		refuse_address(dial->channel->transfer, &address->addr);
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int close_socket(void *data, curl_socket_t fd)
{
	struct dial *dial = data;

	if (fd == dial->taken) {
		dial->taken = -1;
		return 0;
	}
	rung_upstream_engine_know(dial->engine, fd, NULL);
	return close(fd) == 0 ? 0 : -1;
}

/* libcurl has sockets of its own making, too, which it closes unseen: that takes them out of the set. */
static int take_wish(CURL *easy, curl_socket_t fd, int what, void *data, void *unused)
{
	struct dial *dial = data;
	struct epoll_event event = {
		.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u),
		.data.fd = fd,
	};
	int epoll_fd = dial->engine->epoll_fd;

	(void)easy, (void)unused;
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		rung_upstream_engine_know(dial->engine, fd, NULL);
		return 0;
	}
	if (rung_upstream_engine_know(dial->engine, fd, dial->channel) < 0)
		return -1;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0)
		return 0;
	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -1;
}

static int take_time(CURLM *multi, long milliseconds, void *data)
{
	struct dial *dial = data;

	(void)multi;
	dial->timer = milliseconds < 0 ? -1 : milliseconds == 0 ? 0 : precise_clock() + milliseconds;
	return 0;
}

/* -- making ---------------------------------------------------------------------------------------------------------------- */

static bool set_callbacks(struct dial *dial)
{
	CURL *easy = dial->easy;
	CURLM *multi = dial->multi;

	return !curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, take_wish) &&
	       !curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, dial) &&
	       !curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, take_time) &&
	       !curl_multi_setopt(multi, CURLMOPT_TIMERDATA, dial) &&
	       !curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, dial->error) &&
	       !curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) &&
	       !curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, dial) &&
	       !curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket) &&
	       !curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, dial);
}

static bool set_rest(struct dial *dial)
{
	const struct upstream *upstream = dial->engine->upstream;
	CURL *easy = dial->easy;

	return !curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L) &&
	       !curl_easy_setopt(easy, CURLOPT_SHARE, dial->engine->share) &&
	       !curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) &&
	       !curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") &&
	       !curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
	       /* What the environment says of proxies is meant for others. */
	       !curl_easy_setopt(easy, CURLOPT_PROXY, "") &&
	       !curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) &&
	       !curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, upstream->connect_ms) &&
	       /* A name that takes long to resolve must hold up nobody but who asked for it. */
	       !curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) &&
	       (!upstream->ca || (!curl_easy_setopt(easy, CURLOPT_CAINFO, upstream->ca) &&
					 !curl_easy_setopt(easy, CURLOPT_CAPATH, NULL)));
}

static void free_dial(struct dial *dial)
{
	if (dial->easy)
		curl_easy_cleanup(dial->easy);
	if (dial->multi)
		curl_multi_cleanup(dial->multi);
	free(dial);
}

static struct dial *make(struct engine *engine)
{
	struct dial *dial = calloc(1, sizeof *dial);

	if (!dial)
		return NULL;
	dial->engine = engine;
	dial->taken = -1;
	dial->easy = curl_easy_init();
	dial->multi = curl_multi_init();
	if (dial->easy && dial->multi && set_callbacks(dial) && set_rest(dial))
		return dial;
	free_dial(dial);
	return NULL;
}

static struct dial *take(struct engine *engine)
{
	struct dial *dial = engine->free_dials;

	if (!dial)
		return make(engine);
	LL_DELETE(engine->free_dials, dial);
	engine->free_count--;
	return dial;
}

int rung_upstream_dial_begin(struct channel *channel, const char *url, const char *local)
{
	struct engine *engine = channel->engine;
	struct dial *dial = take(engine);

	if (!dial)
		return -ENOMEM;
	dial->channel = channel;
	dial->timer = -1;
	dial->error[0] = '\0';
	if (curl_easy_setopt(dial->easy, CURLOPT_URL, url) ||
		curl_easy_setopt(dial->easy, CURLOPT_UNIX_SOCKET_PATH, local) ||
		curl_multi_add_handle(dial->multi, dial->easy)) {
		free_dial(dial);
		return -ENOMEM;
	}
	channel->dial = dial;
	dial->is_dialing = true;
	DL_APPEND(engine->dialing, dial);
	return 0;
}

static void stop_dialing(struct dial *dial)
{
	if (dial->is_dialing)
		DL_DELETE(dial->engine->dialing, dial);
	dial->is_dialing = false;
}

void rung_upstream_dial_end(struct channel *channel)
{
	struct dial *dial = channel->dial;
	struct engine *engine = dial->engine;

	channel->dial = NULL;
	stop_dialing(dial);
	/* Closes what it still takes for its own. */
	if (curl_multi_remove_handle(dial->multi, dial->easy) != CURLM_OK)
		dial->is_broken = true;
	dial->channel = NULL;
	if (dial->is_broken || engine->free_count >= FREE_DIALS) {
		free_dial(dial);
		return;
	}
	LL_PREPEND(engine->free_dials, dial);
	engine->free_count++;
}

/* -- on its way -------------------------------------------------------------------------------------------------------------- */

static void give_up(struct dial *dial, CURLcode code)
{
	struct channel *channel = dial->channel;
	int err = code == CURLE_OUT_OF_MEMORY        ? -ENOMEM
		  : code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT
						     : -EHOSTUNREACH;
	char why[CURL_ERROR_SIZE];

	dial->is_broken = true;
	snprintf(why, sizeof why, "%s", *dial->error ? dial->error : curl_easy_strerror(code));
	rung_upstream_engine_missed(channel, err, why);
}

/* The connection is there. */
static void hand_over(struct dial *dial)
{
	struct channel *channel = dial->channel;
	curl_socket_t fd = CURL_SOCKET_BAD;
	const char *scheme = NULL;

	curl_easy_getinfo(dial->easy, CURLINFO_ACTIVESOCKET, &fd);
	curl_easy_getinfo(dial->easy, CURLINFO_SCHEME, &scheme);
	if (fd == CURL_SOCKET_BAD || !scheme) {
		give_up(dial, CURLE_COULDNT_CONNECT);
		return;
	}
	channel->fd = fd;
	stop_dialing(dial);
	if (strcasecmp(scheme, "https") != 0) {
		dial->taken = fd;
		rung_upstream_dial_end(channel);
	}
	if (rung_upstream_engine_know(channel->engine, fd, channel) < 0)
		rung_upstream_engine_missed(channel, -ENOMEM, "out of memory");
	else
		rung_upstream_engine_reached(channel);
}

static void act(struct dial *dial, int fd, int events)
{
	int running, left;

	if (curl_multi_socket_action(dial->multi, fd, events, &running) != CURLM_OK) {
		give_up(dial, CURLE_OUT_OF_MEMORY);
		return;
	}
	const CURLMsg *message = curl_multi_info_read(dial->multi, &left);
	if (!message || message->msg != CURLMSG_DONE)
		return;
	if (message->data.result == CURLE_OK)
		hand_over(dial);
	else
		give_up(dial, message->data.result);
}

void rung_upstream_dial_event(struct dial *dial, int fd, unsigned events)
{
	act(dial, fd,
		(events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
			(events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
			(events & EPOLLERR ? CURL_CSELECT_ERR : 0));
}

static bool is_due(const struct dial *dial)
{
	return dial->timer >= 0 && (!dial->timer || dial->timer <= precise_clock());
}

/* What comes of one may end others, so it begins again; each call takes a timer away. */
void rung_upstream_dials_in_time(struct engine *engine)
{
	struct dial *dial = engine->dialing;

	while (dial) {
		bool was_due = is_due(dial);

		if (was_due) {
			dial->timer = -1;
			act(dial, CURL_SOCKET_TIMEOUT, 0);
		}
		dial = was_due ? engine->dialing : dial->next;
	}
}

int64_t rung_upstream_dials_patience(const struct engine *engine)
{
	int64_t first = -1;
	const struct dial *dial;

	DL_FOREACH(engine->dialing, dial)
	if (dial->timer >= 0 && (first < 0 || dial->timer < first))
		first = dial->timer;
	if (first <= 0)
		return first;
	int64_t left = first - precise_clock();
	return left > 0 ? left : 0;
}

/* -- bytes, over TLS ----------------------------------------------------------------------------------------------------- */

static ssize_t result_of(CURLcode code, size_t n)
{
	return code == CURLE_OK ? (ssize_t)n : code == CURLE_AGAIN ? -EAGAIN : -ECONNRESET;
}

ssize_t rung_upstream_dial_read(struct dial *dial, void *buffer, size_t max)
{
	size_t n = 0;
	CURLcode code = curl_easy_recv(dial->easy, buffer, max, &n);

	return result_of(code, n);
}

ssize_t rung_upstream_dial_write(struct dial *dial, const void *bytes, size_t size)
{
	size_t n = 0;
	CURLcode code = curl_easy_send(dial->easy, bytes, size, &n);

	/* Nothing was taken of it, and that there is room will be told. */
	return result_of(code, n) ? result_of(code, n) : -EAGAIN;
}

/* -- all of them ------------------------------------------------------------------------------------------------------------ */

int rung_upstream_dials_open(struct engine *engine)
{
	CURLSH *share = engine->share = curl_share_init();

	return share && !curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) &&
			       !curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION)
		       ? 0
		       : -ENOMEM;
}

void rung_upstream_dials_close(struct engine *engine)
{
	while (engine->free_dials) {
		struct dial *dial = engine->free_dials;

		LL_DELETE(engine->free_dials, dial);
		free_dial(dial);
	}
	if (engine->share)
		curl_share_cleanup(engine->share);
}
