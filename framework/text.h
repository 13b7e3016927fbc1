/* text.h: private: comparisons of short texts, inline: on the way of every request a call costs more than the bytes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* For what rarely runs: kept apart, so that what always runs stays short and saves fewer registers. */
#define RUNG_COLD __attribute__((noinline, cold))

/*
 * On a public function whose header has the external declaration: link-time optimisation by gcc takes it into its
 * callers. clang decides by itself, and warns of static helpers in an inline function that others may link to.
 */
#if defined(__GNUC__) && !defined(__clang__)
#define RUNG_INLINE_HINT inline
#else
#define RUNG_INLINE_HINT
#endif

/* strcmp() == 0, for texts that mostly differ in their first byte. */
static inline bool rung_same_text(const char *a, const char *b)
{
	for (; *a == *b; a++, b++)
		if (!*a)
			return true;
	return false;
}

/* The same `size` bytes: for short texts, where a call costs more than the bytes. */
static inline bool rung_same_bytes(const char *a, const char *b, size_t size)
{
	uint64_t x, y;
	size_t i = 0;

	if (size < sizeof x) {
		while (i < size && a[i] == b[i])
			i++;
		return i == size;
	}
	/* The last eight first, then eight at a time up to them or into them. */
	memcpy(&x, a + size - sizeof x, sizeof x);
	memcpy(&y, b + size - sizeof y, sizeof y);
	while (x == y && i + sizeof x < size) {
		memcpy(&x, a + i, sizeof x);
		memcpy(&y, b + i, sizeof y);
		i += sizeof x;
	}
	return x == y;
}

static inline char rung_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* The same `size` bytes without regard to the case of ASCII letters. */
static inline bool rung_same_letters(const char *a, const char *b, size_t size)
{
	/* Mostly the spelling is the same too. */
	for (uint32_t x, y; size >= sizeof x; a += sizeof x, b += sizeof x, size -= sizeof x) {
		memcpy(&x, a, sizeof x);
		memcpy(&y, b, sizeof y);
		if (x != y)
			break;
	}
	for (size_t i = 0; i < size; i++)
		if (a[i] != b[i] && rung_lower(a[i]) != rung_lower(b[i]))
			return false;
	return true;
}

/* The length of a path segment: up to the next slash or the end. */
static inline size_t rung_segment_size(const char *at)
{
	size_t size = 0;

	while (at[size] && at[size] != '/')
		size++;
	return size;
}
