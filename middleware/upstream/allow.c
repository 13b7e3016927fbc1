/*
 * allow.c: what URIs may name, and which addresses may be connected to for them. What is no public address is found by IANA's registries
 * of special-purpose addresses (RFC 6890 and its kin); of IPv6 only global unicast, 2000::/3, is public, less what is carved out of it.
 */
#include "upstream_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { USUAL_PORTS = 0 };

struct network {
	uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
	unsigned bits;     /* of the 128 */
};

struct allow_entry {
	char *name;    /* NULL: an address */
	bool is_below; /* names below it: "*.example.com", "*" */
	struct network network;
	unsigned port; /* USUAL_PORTS: 80 and 443 */
	bool is_range; /* "10.0.0.0/8": all ports */
};

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

/* -- addresses --------------------------------------------------------------------------------------------------- */

static bool is_within(const uint8_t address[16], const struct network *network)
{
	unsigned whole = network->bits / 8, rest = network->bits % 8;

	if (memcmp(address, network->bytes, whole) != 0)
		return false;
	return !rest || !((address[whole] ^ network->bytes[whole]) >> (8 - rest));
}

static const struct network special_four[] = {
#define FOUR(a, b, c, d, bits)                                                      \
	{                                                                           \
		{ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d }, 96 + bits \
	}
	FOUR(0, 0, 0, 0, 8),       /* this network */
	FOUR(10, 0, 0, 0, 8),      /* private */
	FOUR(100, 64, 0, 0, 10),   /* shared, by carriers; also some clouds' metadata */
	FOUR(127, 0, 0, 0, 8),     /* loopback */
	FOUR(169, 254, 0, 0, 16),  /* link-local; clouds' metadata */
	FOUR(172, 16, 0, 0, 12),   /* private */
	FOUR(192, 0, 0, 0, 24),    /* IETF's protocols */
	FOUR(192, 0, 2, 0, 24),    /* documentation */
	FOUR(192, 88, 99, 0, 24),  /* relays of 6to4 */
	FOUR(192, 168, 0, 0, 16),  /* private */
	FOUR(198, 18, 0, 0, 15),   /* benchmarks */
	FOUR(198, 51, 100, 0, 24), /* documentation */
	FOUR(203, 0, 113, 0, 24),  /* documentation */
	FOUR(224, 0, 0, 0, 4),     /* multicast */
	FOUR(240, 0, 0, 0, 4),     /* reserved, and broadcast */
#undef FOUR
};

static const struct network global_six = { { 0x20 }, 3 };
static const struct network translated_six = { { 0, 0x64, 0xff, 0x9b }, 96 }; /* 64:ff9b::/96, RFC 6052 */
static const struct network special_six[] = {
	{ { 0x20, 0x01 }, 23 },             /* IETF's protocols, Teredo among them */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, /* documentation */
	{ { 0x20, 0x02 }, 16 },             /* 6to4: has an IPv4 address inside */
	{ { 0x3f, 0xff }, 20 },             /* documentation */
};

static bool is_public_four(const uint8_t address[16])
{
	for (size_t i = 0; i < sizeof special_four / sizeof *special_four; i++)
		if (is_within(address, &special_four[i]))
			return false;
	return true;
}

static bool is_public(const uint8_t address[16])
{
	uint8_t inner[16];

	if (memcmp(address, mapped, sizeof mapped) == 0)
		return is_public_four(address);
	if (is_within(address, &translated_six)) {
		memcpy(inner, mapped, sizeof mapped);
		memcpy(inner + 12, address + 12, 4);
		return is_public_four(inner);
	}
	for (size_t i = 0; i < sizeof special_six / sizeof *special_six; i++)
		if (is_within(address, &special_six[i]))
			return false;
	return is_within(address, &global_six);
}

/* Strict, as URIs have it: "127.1" and "0x7f.1" are names. */
static bool read_address(const char *text, size_t size, uint8_t ret_bytes[16])
{
	char copy[INET6_ADDRSTRLEN + 2];

	if (size >= sizeof copy)
		return false;
	memcpy(copy, text, size);
	copy[size] = '\0';
	memcpy(ret_bytes, mapped, sizeof mapped);
	return inet_pton(AF_INET, copy, ret_bytes + 12) == 1 || inet_pton(AF_INET6, copy, ret_bytes) == 1;
}

static bool read_host_address(const char *host, size_t size, uint8_t ret_bytes[16])
{
	if (size > 2 && host[0] == '[' && host[size - 1] == ']')
		return read_address(host + 1, size - 2, ret_bytes);
	return read_address(host, size, ret_bytes);
}

/* -- entries ----------------------------------------------------------------------------------------------------- */

static int refuse(const char *text, const char *why)
{
	return rung_refuse(-EINVAL, "upstream: .allow has \"%.200s\", which %s", text, why);
}

static int read_range(const char *text, const char *slash, struct allow_entry *entry)
{
	char *end;
	unsigned long bits = strtoul(slash + 1, &end, 10);
	uint8_t *bytes = entry->network.bytes;

	if (!read_host_address(text, (size_t)(slash - text), bytes) || *end || end == slash + 1 ||
		slash[1] < '0' || slash[1] > '9')
		return refuse(text, "is no network; write one such as 10.0.0.0/8");
	bool is_four =
		memcmp(bytes, mapped, sizeof mapped) == 0 && !memchr(text, ':', (size_t)(slash - text));
	if (bits > (is_four ? 32 : 128))
		return refuse(text, "has more bits than an address");
	entry->network.bits = (unsigned)bits + (is_four ? 96 : 0);
	entry->is_range = true;
	return 0;
}

static int read_name(const char *text, struct allow_entry *entry)
{
	struct rung_slice host, port;

	if (rung_uri_parse_authority(text, strlen(text), &host, &port) < 0)
		return refuse(
			text, "is no authority; write HOST, HOST:PORT, *.DOMAIN, an address or a network");
	entry->port = port.size ? (unsigned)atoi(port.at) : USUAL_PORTS;
	if (read_host_address(host.at, host.size, entry->network.bytes)) {
		entry->network.bits = 128;
		return 0;
	}
	entry->is_below = *host.at == '*';
	if (entry->is_below) {
		size_t prefix = host.size > 1 && host.at[1] == '.' ? 2 : 1;

		host.at += prefix;
		host.size -= prefix;
	}
	if (memchr(host.at, '*', host.size) || (entry->is_below && host.size && host.at[-1] != '.'))
		return refuse(text, "has a star in a place of its own; write *.DOMAIN or *");
	entry->name = strndup(host.at, host.size);
	return entry->name ? 0 : rung_refuse(-ENOMEM, "upstream: out of memory");
}

int rung_upstream_allow_parse(const char *const *texts, struct allow *ret_allow)
{
	unsigned count = 0;
	int rc = 0;

	while (texts[count])
		count++;
	if (!count)
		return rung_refuse(
			-EINVAL, "upstream: .allow is empty; list the authorities that may be asked");
	ret_allow->list = calloc(count, sizeof *ret_allow->list);
	if (!ret_allow->list)
		return rung_refuse(-ENOMEM, "upstream: out of memory");
	for (unsigned i = 0; i < count && rc == 0; i++) {
		struct allow_entry *entry = &ret_allow->list[ret_allow->count++];
		const char *slash = strchr(texts[i], '/');

		rc = slash ? read_range(texts[i], slash, entry) : read_name(texts[i], entry);
	}
	return rc;
}

void rung_upstream_allow_free(struct allow *allow)
{
	for (unsigned i = 0; i < allow->count; i++)
		free(allow->list[i].name);
	free(allow->list);
}

/* -- judging ------------------------------------------------------------------------------------------------------- */

static bool has_port(const struct allow_entry *entry, unsigned port)
{
	return entry->is_range ||
	       (entry->port == USUAL_PORTS ? port == 80 || port == 443 : port == entry->port);
}

static bool is_named(const struct allow_entry *entry, const char *host, size_t size)
{
	size_t length = strlen(entry->name);

	if (!entry->is_below)
		return size == length && strncasecmp(host, entry->name, size) == 0;
	if (!length)
		return true;
	return size > length + 1 && host[size - length - 1] == '.' &&
	       strncasecmp(host + size - length, entry->name, length) == 0;
}

bool rung_upstream_allow_host(const struct allow *allow, const char *host, size_t size, unsigned port)
{
	uint8_t address[16];
	bool is_address = read_host_address(host, size, address);

	for (unsigned i = 0; i < allow->count; i++) {
		const struct allow_entry *entry = &allow->list[i];

		if (!has_port(entry, port))
			continue;
		if (entry->name ? is_named(entry, host, size)
				: is_address && is_within(address, &entry->network))
			return true;
	}
	return false;
}

bool rung_upstream_allow_address(const struct allow *allow, const struct sockaddr *address)
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)address;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)address;
	uint8_t bytes[16];
	unsigned port;

	memcpy(bytes, mapped, sizeof mapped);
	if (address->sa_family == AF_INET) {
		memcpy(bytes + 12, &four->sin_addr, 4);
		port = ntohs(four->sin_port);
	} else if (address->sa_family == AF_INET6) {
		memcpy(bytes, &six->sin6_addr, 16);
		port = ntohs(six->sin6_port);
	} else {
		return false;
	}
	if (is_public(bytes))
		return true;
	for (unsigned i = 0; i < allow->count; i++)
		if (!allow->list[i].name && has_port(&allow->list[i], port) &&
			is_within(bytes, &allow->list[i].network))
			return true;
	return false;
}
