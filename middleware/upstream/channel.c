/*
 * channel.c: connections to backends, kept from one request to the next. Those that nobody uses are in two lists: all of them, by how
 * long that is so, and those of each place, of which the one that was used last is taken first: it is the least likely to be closed.
 */
#include "upstream_private.h"

#define uthash_nonfatal_oom(place) ((place)->is_lost = true)
#define HASH_NONFATAL_OOM          1
#include <uthash.h>
#include <utlist.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Where connections lead to: a backend of .to, or the scheme and authority of a URI. */
struct place {
	struct channel *kept; /* the one that was used last first */
	unsigned channels;    /* of it, in use too */
	struct origin *origin;
	bool is_lost;
	UT_hash_handle hh;
	char key[];
};

/* -- places -------------------------------------------------------------------------------------------------------------- */

static struct place *find_place(struct engine *engine, const struct transfer *transfer)
{
	const char *key = transfer->origin ? transfer->origin->text : transfer->url;
	struct place *place;

	if (transfer->origin && transfer->origin->place)
		return transfer->origin->place;
	HASH_FIND_STR(engine->places, key, place);
	if (place)
		return place;
	place = calloc(1, sizeof *place + strlen(key) + 1);
	if (!place)
		return NULL;
	strcpy(place->key, key);
	HASH_ADD_KEYPTR(hh, engine->places, place->key, strlen(place->key), place);
	if (place->is_lost) {
		free(place);
		return NULL;
	}
	place->origin = transfer->origin;
	if (place->origin)
		place->origin->place = place;
	return place;
}

/* One of a URI lasts as long as there is a connection to it: there may be any number of them. */
static void leave_place(struct engine *engine, struct place *place)
{
	if (place->channels)
		return;
	if (place->origin)
		place->origin->place = NULL;
	HASH_DEL(engine->places, place);
	free(place);
}

/* -- begin and end --------------------------------------------------------------------------------------------------------- */

static void forget_kept(struct channel *channel)
{
	struct engine *engine = channel->engine;

	DL_DELETE(engine->kept, channel);
	DL_DELETE2(channel->place->kept, channel, prev_here, next_here);
	engine->kept_count--;
}

static void close_channel(struct channel *channel)
{
	struct engine *engine = channel->engine;

	if (channel->fd >= 0)
		rung_upstream_engine_know(engine, channel->fd, NULL);
	/* What libcurl has it closes itself. */
	if (channel->dial)
		rung_upstream_dial_end(channel);
	else if (channel->fd >= 0)
		close(channel->fd);
	channel->place->channels--;
	leave_place(engine, channel->place);
	free(channel);
}

void rung_upstream_channel_close(struct channel *channel)
{
	if (channel->transfer)
		channel->transfer->channel = NULL;
	else
		forget_kept(channel);
	close_channel(channel);
}

static struct channel *make(struct transfer *transfer, struct place *place)
{
	struct engine *engine = transfer->upstream->engine;
	struct channel *channel = calloc(1, sizeof *channel);

	if (!channel)
		return NULL;
	channel->engine = engine;
	channel->place = place;
	channel->transfer = transfer;
	channel->fd = -1;
	place->channels++;
	return channel;
}

static struct channel *take_kept(struct transfer *transfer, struct place *place)
{
	struct channel *channel;

	while (!transfer->wants_new && (channel = place->kept)) {
		/* What cannot be sent twice is not sent to where nobody may be. */
		if (!transfer->is_repeatable && !rung_upstream_channel_is_quiet(channel)) {
			bool is_last = place->channels == 1;

			rung_upstream_channel_close(channel);
			if (is_last)
				return NULL; /* so is the place */
			continue;
		}
		forget_kept(channel);
		channel->transfer = transfer;
		return channel;
	}
	return NULL;
}

int rung_upstream_channel_get(struct transfer *transfer)
{
	struct engine *engine = transfer->upstream->engine;
	struct place *place = find_place(engine, transfer);
	const struct origin *origin = transfer->origin;

	if (!place)
		return -ENOMEM;
	transfer->channel = take_kept(transfer, place);
	if (transfer->channel)
		return 0;
	place = find_place(engine, transfer);
	struct channel *channel = place ? make(transfer, place) : NULL;
	if (!channel) {
		if (place)
			leave_place(engine, place);
		return -ENOMEM;
	}
	transfer->channel = channel;
	int rc = rung_upstream_dial_begin(
		channel, origin ? origin->url : transfer->url, origin ? origin->local : NULL);
	if (rc < 0)
		rung_upstream_channel_close(channel);
	return rc;
}

void rung_upstream_channel_keep(struct channel *channel)
{
	struct engine *engine = channel->engine;

	channel->transfer->channel = NULL;
	channel->transfer = NULL;
	channel->is_used = true;
	channel->since = rung_upstream_clock();
	DL_PREPEND(engine->kept, channel);
	DL_PREPEND2(channel->place->kept, channel, prev_here, next_here);
	engine->kept_count++;
	/* That it is read from tells that it was closed. */
	if (rung_upstream_channel_watch(channel, CHANNEL_IN) < 0)
		rung_upstream_channel_close(channel);
	else if (engine->kept_count > engine->upstream->kept)
		rung_upstream_channel_close(engine->kept->prev);
}

/* -- those that nobody uses ------------------------------------------------------------------------------------------------ */

/* The first one's `prev` is the last one, which was used the longest time ago. */
void rung_upstream_channels_age(struct engine *engine, int64_t now)
{
	while (engine->kept && now - engine->kept->prev->since >= engine->upstream->keep_seconds * 1000)
		rung_upstream_channel_close(engine->kept->prev);
}

int64_t rung_upstream_channels_patience(const struct engine *engine)
{
	if (!engine->kept)
		return -1;
	int64_t left =
		engine->kept->prev->since + engine->upstream->keep_seconds * 1000 - rung_upstream_clock();
	return left > 0 ? left : 0;
}

void rung_upstream_channels_close(struct engine *engine)
{
	while (engine->kept)
		rung_upstream_channel_close(engine->kept);
}

/* -- bytes ------------------------------------------------------------------------------------------------------------------ */

ssize_t rung_upstream_channel_read(struct channel *channel, void *buffer, size_t max)
{
	ssize_t n;

	if (channel->dial)
		return rung_upstream_dial_read(channel->dial, buffer, max);
	do
		n = recv(channel->fd, buffer, max, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* In one piece, so that a head does not go in several records. It is told the same bytes again when it could not take them. */
static ssize_t write_secure(struct channel *channel, const struct iovec *parts, int count)
{
	char *buffer = channel->engine->buffer;
	size_t size = 0;

	for (int i = 0; i < count && size < UPSTREAM_READ; i++) {
		size_t piece =
			parts[i].iov_len < UPSTREAM_READ - size ? parts[i].iov_len : UPSTREAM_READ - size;

		memcpy(buffer + size, parts[i].iov_base, piece);
		size += piece;
	}
	return rung_upstream_dial_write(channel->dial, buffer, size);
}

ssize_t rung_upstream_channel_write(struct channel *channel, const struct iovec *parts, int count)
{
	struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)count };
	ssize_t n;

	if (channel->dial)
		return write_secure(channel, parts, count);
	do
		n = sendmsg(channel->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Over TLS there may be what is no data, such as a ticket; reading takes that in. */
bool rung_upstream_channel_is_quiet(struct channel *channel)
{
	char byte;

	if (channel->dial)
		return rung_upstream_dial_read(channel->dial, &byte, 1) == -EAGAIN;
	return recv(channel->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* One that nothing is wanted of is taken out, or its end would be told in each turn. */
int rung_upstream_channel_watch(struct channel *channel, unsigned wants)
{
	struct epoll_event event = {
		.events = (wants & CHANNEL_IN ? EPOLLIN : 0u) | (wants & CHANNEL_OUT ? EPOLLOUT : 0u),
		.data.fd = channel->fd,
	};

	if (wants == channel->wants)
		return 0;
	int op = !channel->wants ? EPOLL_CTL_ADD : !wants ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
	if (epoll_ctl(channel->engine->epoll_fd, op, channel->fd, &event) < 0)
		return -errno;
	channel->wants = wants;
	return 0;
}
