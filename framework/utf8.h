/* utf8.h: private: sequences of UTF-8, RFC 3629 section 4. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The length of the sequence at `text`, 0 if there is none. Looks at no byte from `end` on. */
static inline size_t rung_utf8_size(const char *text, const char *end)
{
	const unsigned char *at = (const unsigned char *)text;
	unsigned char least = 0x80, most = 0xbf;
	size_t size = at[0] < 0x80   ? 1
		      : at[0] < 0xc2 ? 0
		      : at[0] < 0xe0 ? 2
		      : at[0] < 0xf0 ? 3
		      : at[0] < 0xf5 ? 4
				     : 0;

	if (size > (size_t)(end - text))
		return 0;
	if (at[0] == 0xe0)
		least = 0xa0; /* shorter forms exist */
	else if (at[0] == 0xed)
		most = 0x9f; /* surrogates */
	else if (at[0] == 0xf0)
		least = 0x90;
	else if (at[0] == 0xf4)
		most = 0x8f; /* beyond U+10FFFF */
	for (size_t i = 1; i < size; i++, least = 0x80, most = 0xbf)
		if (at[i] < least || at[i] > most)
			return 0;
	return size;
}

/* The character of a sequence that is one. */
static inline unsigned rung_utf8_code(const char *text, size_t size)
{
	const unsigned char *at = (const unsigned char *)text;
	unsigned code = size == 1 ? at[0] : at[0] & (0x7fu >> size);

	for (size_t i = 1; i < size; i++)
		code = code << 6 | (at[i] & 0x3fu);
	return code;
}
