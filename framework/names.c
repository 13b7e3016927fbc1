/* names.c: which app stands for which authority. Authorities compare as RFC 3986 section 6.2 normalises them. */
#include "app_record.h"
#include <rung/names.h>
#include <rung/uri.h>

#define HASH_NONFATAL_OOM          1
#define uthash_nonfatal_oom(entry) ((entry)->lost = true)
#include <uthash.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 280 }; /* a host name has 255 bytes at most, a port five digits */

struct entry {
	char key[KEY_MAX]; /* host in lower case, ":port" only if it was given */
	struct rung_app *app;
	bool lost; /* the table had no memory for it */
	UT_hash_handle hh;
};

struct rung_names {
	struct entry *table;
};

/* Returns the key's length, 0 when the host is too long to be in any table. */
static size_t make_key(char key[KEY_MAX], const char *host, size_t size, unsigned port)
{
	if (size == 0 || size > KEY_MAX - 8)
		return 0;
	for (size_t i = 0; i < size; i++)
		key[i] = host[i] >= 'A' && host[i] <= 'Z' ? (char)(host[i] | 0x20) : host[i];
	key[size] = '\0';
	if (port)
		size += (size_t)snprintf(key + size, KEY_MAX - size, ":%u", port);
	return size;
}

static struct rung_app *find_key(const struct rung_names *names, const char *host, size_t size, unsigned port)
{
	char key[KEY_MAX];
	struct entry *entry = NULL;
	size_t length = make_key(key, host, size, port);

	if (length)
		HASH_FIND(hh, names->table, key, length, entry);
	return entry ? entry->app : NULL;
}

struct rung_app *rung_names_find(
	const struct rung_names *names, const char *scheme, const char *host, size_t host_size, unsigned port)
{
	unsigned usual = strcmp(scheme, "https") == 0 ? 443 : 80;
	struct rung_app *app = NULL;

	if (!names)
		return NULL;
	if (port == 0 || port == usual)
		app = find_key(names, host, host_size, 0);
	return app ? app : find_key(names, host, host_size, port ? port : usual);
}

/* -- making ------------------------------------------------------------------------------------------------------ */

static int add(struct rung_names *names, const struct rung_name *name)
{
	struct rung_slice host, port;
	size_t size = name->authority ? strlen(name->authority) : 0;

	if (rung_uri_parse_authority(name->authority ? name->authority : "", size, &host, &port) < 0)
		return rung_refuse(-EINVAL, "names: \"%.100s\" is no authority; write a host, or host:port",
			name->authority ? name->authority : "(NULL)");
	if (!rung_app_is_closed(name->app))
		return rung_refuse(-EINVAL,
			"names: the stack for %s ends in a layer, so nothing answers; put an "
			"endpoint last",
			name->authority);
	struct entry *entry = calloc(1, sizeof *entry);
	if (!entry)
		return rung_refuse(-ENOMEM, "names: out of memory");
	size_t length = make_key(entry->key, host.at, host.size, (unsigned)(port.size ? atoi(port.at) : 0));
	struct entry *other = NULL;
	if (length)
		HASH_FIND(hh, names->table, entry->key, length, other);
	if (!length || other) {
		free(entry);
		return rung_refuse(-EINVAL, "names: \"%.100s\" %s", name->authority,
			other ? "stands twice; drop one of them"
			      : "is longer than a host name can be; shorten it");
	}
	entry->app = name->app;
	HASH_ADD_KEYPTR(hh, names->table, entry->key, length, entry);
	if (entry->lost) {
		free(entry);
		return rung_refuse(-ENOMEM, "names: out of memory");
	}
	return 0;
}

static void free_table(struct rung_names *names)
{
	struct entry *entry, *next;

	HASH_ITER (hh, names->table, entry, next) {
		HASH_DELETE(hh, names->table, entry);
		free(entry);
	}
	free(names);
}

struct rung_names *rung_names_new(const struct rung_name *list, size_t count)
{
	int rc = 0;

	if (count == 0) {
		rung_refuse(-EINVAL, "names: the table is empty; give it { authority, app } pairs");
		return NULL;
	}
	if (rung_take_all(&list->app, sizeof *list, count, "names") < 0)
		return NULL;
	struct rung_names *names = calloc(1, sizeof *names);
	if (!names)
		rc = rung_refuse(-ENOMEM, "names: out of memory");
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = add(names, &list[i]);
	if (rc == 0)
		return names;
	if (names)
		free_table(names);
	for (size_t i = 0; i < count; i++)
		rung_drop(list[i].app);
	return NULL;
}

void rung_names_destroy(struct rung_names *names)
{
	if (!names)
		return;
	for (struct entry *entry = names->table; entry; entry = entry->hh.next)
		rung_drop(entry->app);
	free_table(names);
}

int rung_names_visit(const struct rung_names *names, rung_visit_fn visit, void *data)
{
	int rc = 0;

	for (struct entry *entry = names ? names->table : NULL; entry && rc == 0; entry = entry->hh.next)
		rc = visit(entry->app, entry->key, data);
	return rc;
}
