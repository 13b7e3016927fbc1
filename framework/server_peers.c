/* server_peers.c: how many connections each address has, over all loops. Asked when one begins or ends, never for a request. */
#include "server_private.h"

#define HASH_NONFATAL_OOM         1
#define uthash_nonfatal_oom(peer) ((peer)->is_lost = true)
#include <uthash.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct peer {
	struct in6_addr address;
	unsigned count;
	bool is_lost; /* the table had no memory for it */
	UT_hash_handle hh;
};

struct rung_peers {
	pthread_mutex_t lock;
	struct peer *table;
	unsigned limit;
};

struct rung_peers *rung_peers_new(unsigned limit)
{
	struct rung_peers *peers = calloc(1, sizeof *peers);

	if (!peers || pthread_mutex_init(&peers->lock, NULL) != 0) {
		free(peers);
		rung_refuse(-ENOMEM, "server: out of memory");
		return NULL;
	}
	peers->limit = limit;
	return peers;
}

void rung_peers_destroy(struct rung_peers *peers)
{
	struct peer *peer, *next;

	if (!peers)
		return;
	HASH_ITER (hh, peers->table, peer, next) {
		HASH_DELETE(hh, peers->table, peer);
		free(peer);
	}
	pthread_mutex_destroy(&peers->lock);
	free(peers);
}

/* IPv4 in its IPv6 form. Of IPv6 the first half: whoever has one address of a /64 has them all. False for other families. */
static bool make_key(const struct sockaddr *address, struct in6_addr *key)
{
	memset(key, 0, sizeof *key);
	if (address && address->sa_family == AF_INET) {
		key->s6_addr[10] = key->s6_addr[11] = 0xff;
		memcpy(&key->s6_addr[12], &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
		return true;
	}
	if (!address || address->sa_family != AF_INET6)
		return false;
	const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
	memcpy(key, six, IN6_IS_ADDR_V4MAPPED(six) ? sizeof *key : sizeof *key / 2);
	return true;
}

/* NULL: out of memory. */
static struct peer *add(struct rung_peers *peers, const struct in6_addr *key)
{
	struct peer *peer = calloc(1, sizeof *peer);

	if (!peer)
		return NULL;
	peer->address = *key;
	HASH_ADD(hh, peers->table, address, sizeof peer->address, peer);
	if (!peer->is_lost)
		return peer;
	free(peer);
	return NULL;
}

int rung_peer_enter(struct rung_peers *peers, const struct sockaddr *address, struct peer **ret_peer)
{
	struct in6_addr key;
	struct peer *peer;
	int rc = 0;

	*ret_peer = NULL;
	if (!make_key(address, &key))
		return 0;
	pthread_mutex_lock(&peers->lock);
	HASH_FIND(hh, peers->table, &key, sizeof key, peer);
	if (!peer)
		peer = add(peers, &key);
	if (!peer)
		rc = -ENOMEM;
	else if (peer->count >= peers->limit)
		rc = -EUSERS;
	else
		peer->count++;
	pthread_mutex_unlock(&peers->lock);
	if (rc == 0)
		*ret_peer = peer;
	return rc;
}

void rung_peer_leave(struct rung_peers *peers, struct peer *peer)
{
	if (!peer)
		return;
	pthread_mutex_lock(&peers->lock);
	if (--peer->count == 0) {
		HASH_DELETE(hh, peers->table, peer);
		free(peer);
	}
	pthread_mutex_unlock(&peers->lock);
}

const char *rung_peer_text(const struct sockaddr *address, char text[INET6_ADDRSTRLEN])
{
	const void *bytes = NULL;

	if (address && address->sa_family == AF_INET)
		bytes = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
	else if (address && address->sa_family == AF_INET6)
		bytes = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
	if (!bytes || !inet_ntop(address->sa_family, bytes, text, INET6_ADDRSTRLEN))
		strcpy(text, "unix:");
	return text;
}
