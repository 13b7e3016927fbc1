/* arena.c: the request's memory. See arena.h. */
#include "arena.h"

#include <stdlib.h>
#include <string.h>

static size_t class_size(unsigned class_index)
{
	return (size_t)RUNG_ARENA_SMALLEST << class_index;
}

/* The smallest class that holds `size` bytes, or RUNG_ARENA_CLASSES when none does. */
static unsigned class_for(size_t size)
{
	unsigned i = 0;

	while (i < RUNG_ARENA_CLASSES && class_size(i) < size)
		i++;
	return i;
}

int rung_arena_pool_share(struct rung_arena_pool *pool)
{
	int rc = pthread_mutex_init(&pool->lock, NULL);

	pool->is_shared = rc == 0;
	return -rc;
}

static void lock_pool(struct rung_arena_pool *pool)
{
	if (pool->is_shared)
		pthread_mutex_lock(&pool->lock);
}

static void unlock_pool(struct rung_arena_pool *pool)
{
	if (pool->is_shared)
		pthread_mutex_unlock(&pool->lock);
}

static struct rung_block *find_block(struct rung_arena_pool *pool, unsigned i)
{
	lock_pool(pool);
	struct rung_block *block = pool->free[i];
	if (block) {
		pool->free[i] = block->next;
		pool->kept[i] -= block->size;
	}
	unlock_pool(pool);
	return block;
}

static struct rung_block *take_block(struct rung_arena_pool *pool, size_t size)
{
	unsigned i = class_for(size);
	struct rung_block *block = i < RUNG_ARENA_CLASSES ? find_block(pool, i) : NULL;

	if (block)
		return block;
	if (i < RUNG_ARENA_CLASSES)
		size = class_size(i);
	block = malloc(size);
	if (block)
		block->size = size;
	return block;
}

static void give_block(struct rung_arena_pool *pool, struct rung_block *block)
{
	unsigned i = class_for(block->size);

	if (i == RUNG_ARENA_CLASSES) {
		free(block);
		return;
	}
	lock_pool(pool);
	bool is_full = pool->kept[i] + block->size > RUNG_ARENA_KEEP;
	if (!is_full) {
		block->next = pool->free[i];
		pool->free[i] = block;
		pool->kept[i] += block->size;
	}
	unlock_pool(pool);
	if (is_full)
		free(block);
}

void rung_arena_pool_finish(struct rung_arena_pool *pool)
{
	for (unsigned i = 0; i < RUNG_ARENA_CLASSES; i++) {
		while (pool->free[i]) {
			struct rung_block *block = pool->free[i];

			pool->free[i] = block->next;
			free(block);
		}
		pool->kept[i] = 0;
	}
	if (pool->is_shared)
		pthread_mutex_destroy(&pool->lock);
	pool->is_shared = false;
}

void rung_arena_init(struct rung_arena *arena, struct rung_arena_pool *pool)
{
	*arena = (struct rung_arena){ .pool = pool };
}

void rung_arena_reset_blocks(struct rung_arena *arena)
{
	struct rung_block *kept = NULL;

	while (arena->blocks) {
		struct rung_block *block = arena->blocks;

		arena->blocks = block->next;
		if (!kept && block->size == RUNG_ARENA_SMALLEST)
			kept = block;
		else
			give_block(arena->pool, block);
	}
	arena->at = arena->end = NULL;
	if (!kept)
		return;
	kept->next = NULL;
	arena->blocks = kept;
	arena->at = (char *)kept + RUNG_BLOCK_HEAD;
	arena->end = (char *)kept + kept->size;
}

void rung_arena_finish(struct rung_arena *arena)
{
	while (arena->blocks) {
		struct rung_block *block = arena->blocks;

		arena->blocks = block->next;
		give_block(arena->pool, block);
	}
	arena->at = arena->end = NULL;
}

/* A large piece gets a block of its own behind the newest one, so that the room left in that is not lost. */
void *rung_arena_grow(struct rung_arena *arena, size_t size)
{
	const size_t head = RUNG_BLOCK_HEAD;
	size_t rounded = (size + 15) & ~(size_t)15;

	if (rounded < size || rounded > SIZE_MAX - head)
		return NULL;
	struct rung_block *block = take_block(arena->pool, head + rounded);
	if (!block)
		return NULL;
	char *memory = (char *)block + head;
	size_t left = block->size - head - rounded;
	if (arena->blocks && left < (size_t)(arena->end - arena->at)) {
		block->next = arena->blocks->next;
		arena->blocks->next = block;
		return memory;
	}
	block->next = arena->blocks;
	arena->blocks = block;
	arena->at = memory + rounded;
	arena->end = (char *)block + block->size;
	return memory;
}
