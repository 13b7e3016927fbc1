/* make_private.c: makes the files of private_files that are too large or too dull to be kept: a picture of a ladder and
 * 12 MiB of known bytes. Usage: make_private PICTURE BIG. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = 128, ROW = SIDE * 3 + 1, BIG = 12 * 1024 * 1024 };

static uint32_t crc_of(const uint8_t *bytes, size_t size)
{
	uint32_t crc = 0xffffffffu;

	for (size_t i = 0; i < size; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static void put_number(uint8_t *at, uint32_t number)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(number >> (24 - 8 * i));
}

static int write_chunk(FILE *out, const char *type, const uint8_t *data, size_t size)
{
	static uint8_t chunk[8 + 2 * SIDE * ROW + 4];

	put_number(chunk, (uint32_t)size);
	memcpy(chunk + 4, type, 4);
	if (size)
		memcpy(chunk + 8, data, size);
	put_number(chunk + 8 + size, crc_of(chunk + 4, size + 4));
	return fwrite(chunk, 1, size + 12, out) == size + 12 ? 0 : -1;
}

/* Two rails, and a rung every sixteen rows. */
static void draw(uint8_t *row, int y)
{
	row[0] = 0; /* no filter */
	for (int x = 0; x < SIDE; x++) {
		int rail = (x > 30 && x < 40) || (x > 88 && x < 98);
		int rung = x > 30 && x < 98 && y % 16 < 5;
		uint8_t *pixel = row + 1 + 3 * x;

		pixel[0] = rail || rung ? 0x8b : 0xf4;
		pixel[1] = rail || rung ? 0x5a : 0xf1;
		pixel[2] = rail || rung ? 0x2b : 0xea;
	}
}

/* Stored deflate blocks, one a row, so that no library is needed. */
static size_t deflate_rows(uint8_t *out)
{
	uint32_t a = 1, b = 0;
	size_t at = 2;

	out[0] = 0x78;
	out[1] = 0x01;
	for (int y = 0; y < SIDE; y++) {
		uint8_t *block = out + at;

		block[0] = y == SIDE - 1;
		block[1] = ROW & 0xff;
		block[2] = ROW >> 8;
		block[3] = (uint8_t)~block[1];
		block[4] = (uint8_t)~block[2];
		draw(block + 5, y);
		for (int i = 0; i < ROW; i++) {
			a = (a + block[5 + i]) % 65521;
			b = (b + a) % 65521;
		}
		at += 5 + ROW;
	}
	put_number(out + at, b << 16 | a);
	return at + 4;
}

static int write_picture(FILE *out)
{
	static uint8_t data[SIDE * (ROW + 5) + 6];
	uint8_t head[13] = { 0 };

	put_number(head, SIDE);
	put_number(head + 4, SIDE);
	head[8] = 8; /* bits a channel */
	head[9] = 2; /* red, green, blue */
	size_t size = deflate_rows(data);
	if (fwrite("\x89PNG\r\n\x1a\n", 1, 8, out) != 8 || write_chunk(out, "IHDR", head, sizeof head) < 0 ||
		write_chunk(out, "IDAT", data, size) < 0)
		return -1;
	return write_chunk(out, "IEND", NULL, 0);
}

static int write_big(FILE *out)
{
	for (uint32_t i = 0; i < BIG / 16; i++)
		if (fprintf(out, "%015u\n", i) != 16)
			return -1;
	return 0;
}

int main(int argc, char **argv)
{
	FILE *picture = argc == 3 ? fopen(argv[1], "wb") : NULL;
	FILE *big = picture ? fopen(argv[2], "wb") : NULL;

	if (!big || write_picture(picture) < 0 || write_big(big) < 0 || fclose(picture) != 0 ||
		fclose(big) != 0) {
		fprintf(stderr, "make_private: usage: make_private PICTURE BIG, with room to write\n");
		return 1;
	}
	return 0;
}
