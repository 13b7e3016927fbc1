/* ring.h: private: bytes in a bounded ring; whoever uses it has a lock. */
#pragma once

#include <stddef.h>
#include <string.h>

struct rung_ring {
	char *at;
	size_t room, first, size; /* bytes it may hold, where the oldest is, bytes in it */
};

/* Puts in as much as there is room for; returns how much. */
static inline size_t rung_ring_put(struct rung_ring *ring, const char *bytes, size_t size)
{
	size_t left = ring->room - ring->size;
	size_t at = (ring->first + ring->size) % ring->room;

	if (size > left)
		size = left;
	size_t piece = ring->room - at < size ? ring->room - at : size;
	memcpy(ring->at + at, bytes, piece);
	memcpy(ring->at, bytes + piece, size - piece);
	ring->size += size;
	return size;
}

/* Takes out at most `max` bytes; returns how many. */
static inline size_t rung_ring_take(struct rung_ring *ring, char *buffer, size_t max)
{
	size_t size = ring->size < max ? ring->size : max;
	size_t piece = ring->room - ring->first < size ? ring->room - ring->first : size;

	memcpy(buffer, ring->at + ring->first, piece);
	memcpy(buffer + piece, ring->at, size - piece);
	ring->first = (ring->first + size) % ring->room;
	ring->size -= size;
	return size;
}
