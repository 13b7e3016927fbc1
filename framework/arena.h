/*
 * arena.h: private: the memory of one request: taken by moving a pointer, given back all at once.
 *
 * Blocks come from a pool that one thread owns (an event loop, a client), or that a loop shares with workers, so that
 * in steady state no request calls malloc. A pool keeps a bounded number of blocks of each size; what is larger than its largest class, or more than
 * it may keep, goes back to malloc and free.
 */
#pragma once

#include <rung/api.h>

#include <pthread.h>
#include <string.h>

enum {
	RUNG_ARENA_CLASSES = 6,        /* blocks of 8, 16, 32, 64, 128 and 256 KiB */
	RUNG_ARENA_SMALLEST = 8192,    /* the first class, bytes with the block's own head */
	RUNG_ARENA_KEEP = 1024 * 1024, /* bytes of free blocks kept for each class */
};

struct rung_block {
	struct rung_block *next;
	size_t size; /* of the whole block, bytes */
};

struct rung_arena_pool {
	struct rung_block *free[RUNG_ARENA_CLASSES];
	size_t kept[RUNG_ARENA_CLASSES]; /* bytes */
	bool is_shared;
	pthread_mutex_t lock; /* when it is shared */
};

struct rung_arena {
	char *at, *end; /* what is left of the newest block */
	struct rung_block *blocks;
	struct rung_arena_pool *pool;
};

/* Makes a zeroed pool one that several threads use. Most requests fit into the block that their arena keeps, and never
 * come here. Returns 0 or a negative errno. */
int rung_arena_pool_share(struct rung_arena_pool *pool);

void rung_arena_pool_finish(struct rung_arena_pool *pool);

/* No memory is taken before the first allocation. */
void rung_arena_init(struct rung_arena *arena, struct rung_arena_pool *pool);

enum { RUNG_BLOCK_HEAD = (sizeof(struct rung_block) + 15) & ~(size_t)15 };

void rung_arena_reset_blocks(struct rung_arena *arena);

/* Empties it, to be used again; keeps one small block, since nearly every request needs just that, and gives the others
 * back to the pool. */
static inline void rung_arena_reset(struct rung_arena *arena)
{
	struct rung_block *block = arena->blocks;

	if (block && !block->next && block->size == RUNG_ARENA_SMALLEST)
		arena->at = (char *)block + RUNG_BLOCK_HEAD;
	else
		rung_arena_reset_blocks(arena);
}

/* Gives every block back to the pool. */
void rung_arena_finish(struct rung_arena *arena);

void *rung_arena_grow(struct rung_arena *arena, size_t size);

/* Aligned for any type, not zeroed. NULL: out of memory. */
static inline void *rung_arena_alloc(struct rung_arena *arena, size_t size)
{
	/* Nothing is a piece too: NULL would mean that memory is out. */
	size += size == 0;
	size_t rounded = (size + 15) & ~(size_t)15;
	if (__builtin_expect(rounded < size || rounded > (size_t)(arena->end - arena->at), 0))
		return rung_arena_grow(arena, size);
	void *memory = arena->at;
	arena->at += rounded;
	return memory;
}

/* Copies `size` bytes and adds a NUL. NULL: out of memory. */
static inline char *rung_arena_copy(struct rung_arena *arena, const char *text, size_t size)
{
	char *copy = size < SIZE_MAX ? rung_arena_alloc(arena, size + 1) : NULL;

	if (!copy)
		return NULL;
	if (size)
		memcpy(copy, text, size);
	copy[size] = '\0';
	return copy;
}
