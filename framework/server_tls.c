/*
 * server_tls.c: the certificate and its key: read, checked, and handed to each handshake, so that new ones can take their
 * place while connections go on with the old. libmicrohttpd does the rest of TLS, by GnuTLS.
 */
#include "server_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef RUNG_HAS_TLS

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

enum { MOST_CERTIFICATES = 16 }; /* of a chain */

/* Used by the server, until another takes its place, and by connections that began with it. */
struct tls_pair {
	atomic_uint users;
	gnutls_pcert_st chain[MOST_CERTIFICATES];
	unsigned count;
	gnutls_privkey_t key;
};

struct rung_tls {
	pthread_mutex_t lock; /* of pair */
	struct tls_pair *pair;
	char *cert, *key; /* where the files are */
};

/* -- a pair ----------------------------------------------------------------------------------------------------------- */

static void drop_pair(struct tls_pair *pair)
{
	if (!pair || atomic_fetch_sub(&pair->users, 1) != 1)
		return;
	for (unsigned i = 0; i < pair->count; i++)
		gnutls_pcert_deinit(&pair->chain[i]);
	if (pair->key)
		gnutls_privkey_deinit(pair->key);
	free(pair);
}

static int refuse_file(const char *path, const char *what, int rc)
{
	return rung_refuse(-EINVAL, "server: %s is no %s in PEM form: %s", path, what, gnutls_strerror(rc));
}

static int load_file(const char *path, gnutls_datum_t *data)
{
	errno = 0;
	if (gnutls_load_file(path, data) == 0)
		return 0;
	int err = errno ? -errno : -ENOMEM;
	return rung_refuse(err, "server: cannot read %s: %s", path, strerror(-err));
}

static int load_chain(struct tls_pair *pair, const char *path)
{
	gnutls_datum_t data;
	unsigned count = MOST_CERTIFICATES;

	if (load_file(path, &data) < 0)
		return -EINVAL;
	int rc = gnutls_pcert_list_import_x509_raw(
		pair->chain, &count, &data, GNUTLS_X509_FMT_PEM, GNUTLS_X509_CRT_LIST_SORT);
	gnutls_free(data.data);
	if (rc < 0)
		return refuse_file(path, "certificate, or chain of certificates,", rc);
	pair->count = count;
	return 0;
}

static int load_key(struct tls_pair *pair, const char *path)
{
	gnutls_datum_t data;

	if (load_file(path, &data) < 0)
		return -EINVAL;
	int rc = gnutls_privkey_init(&pair->key);
	if (rc == 0)
		rc = gnutls_privkey_import_x509_raw(pair->key, &data, GNUTLS_X509_FMT_PEM, NULL, 0);
	gnutls_memset(data.data, 0, data.size);
	gnutls_free(data.data);
	return rc < 0 ? refuse_file(path, "private key", rc) : 0;
}

static bool fits(const struct tls_pair *pair)
{
	unsigned char of_key[64], of_cert[64];
	size_t key_size = sizeof of_key, cert_size = sizeof of_cert;
	gnutls_pubkey_t public;
	bool is_same = false;

	if (gnutls_pubkey_init(&public) < 0)
		return false;
	if (gnutls_pubkey_import_privkey(public, pair->key, 0, 0) == 0 &&
		gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, of_key, &key_size) == 0 &&
		gnutls_pubkey_get_key_id(
			pair->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, of_cert, &cert_size) == 0)
		is_same = key_size == cert_size && memcmp(of_key, of_cert, key_size) == 0;
	gnutls_pubkey_deinit(public);
	return is_same;
}

/* NULL, refused with a message. */
static struct tls_pair *load_pair(const char *cert, const char *key)
{
	struct tls_pair *pair = calloc(1, sizeof *pair);

	if (!pair) {
		rung_refuse(-ENOMEM, "server: out of memory");
		return NULL;
	}
	atomic_init(&pair->users, 1);
	int rc = load_chain(pair, cert);
	if (rc == 0)
		rc = load_key(pair, key);
	if (rc == 0 && !fits(pair))
		rc = rung_refuse(
			-EINVAL, "server: the key in %s does not belong to the certificate in %s", key, cert);
	if (rc == 0)
		return pair;
	drop_pair(pair);
	return NULL;
}

/* -- the server's ------------------------------------------------------------------------------------------------------- */

void rung_tls_close(struct rung_tls *tls)
{
	if (!tls)
		return;
	drop_pair(tls->pair);
	free(tls->cert);
	free(tls->key);
	pthread_mutex_destroy(&tls->lock);
	free(tls);
}

struct rung_tls *rung_tls_open(const char *cert, const char *key)
{
	if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES) {
		rung_refuse(
			-ENOTSUP, "server: this libmicrohttpd was built without TLS; put a proxy in front");
		return NULL;
	}
	struct rung_tls *tls = calloc(1, sizeof *tls);
	if (!tls || pthread_mutex_init(&tls->lock, NULL) != 0) {
		free(tls);
		rung_refuse(-ENOMEM, "server: out of memory");
		return NULL;
	}
	tls->cert = strdup(cert);
	tls->key = strdup(key);
	if (!tls->cert || !tls->key)
		rung_refuse(-ENOMEM, "server: out of memory");
	else
		tls->pair = load_pair(cert, key);
	if (tls->pair)
		return tls;
	rung_tls_close(tls);
	return NULL;
}

int rung_tls_reload(struct rung_tls *tls)
{
	struct tls_pair *pair = load_pair(tls->cert, tls->key), *before;

	if (!pair)
		return -EINVAL;
	pthread_mutex_lock(&tls->lock);
	before = tls->pair;
	tls->pair = pair;
	pthread_mutex_unlock(&tls->lock);
	drop_pair(before);
	return 0;
}

/* -- handshakes -------------------------------------------------------------------------------------------------------- */

/* The connection holds the pair until it is closed: GnuTLS points at it as long as the session lives. */
static struct tls_pair *take_pair(struct connection *connection)
{
	struct rung_tls *tls = connection->loop->server->tls;

	drop_pair(connection->pair);
	pthread_mutex_lock(&tls->lock);
	connection->pair = tls->pair;
	atomic_fetch_add(&tls->pair->users, 1);
	pthread_mutex_unlock(&tls->lock);
	return connection->pair;
}

void rung_tls_forget(struct connection *connection)
{
	drop_pair(connection->pair);
	connection->pair = NULL;
}

/* libmicrohttpd leaves its connection as the session's pointer, which is how its own callbacks find it too. */
static int choose_pair(gnutls_session_t session, const gnutls_datum_t *names, int name_count,
	const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **ret_chain,
	unsigned *ret_count, gnutls_privkey_t *ret_key)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(gnutls_session_get_ptr(session), MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	(void)names, (void)name_count, (void)algorithms, (void)algorithm_count;
	if (!info || !info->socket_context)
		return -1;
	struct tls_pair *pair = take_pair(info->socket_context);
	*ret_chain = pair->chain;
	*ret_count = pair->count;
	*ret_key = pair->key;
	return 0;
}

void *rung_tls_callback(void)
{
	return (void *)(uintptr_t)choose_pair;
}

#else

struct rung_tls *rung_tls_open(const char *cert, const char *key)
{
	(void)cert, (void)key;
	rung_refuse(-ENOTSUP,
		"server: librung was built without TLS; build it where GnuTLS's headers are, or put a proxy in front");
	return NULL;
}

void rung_tls_close(struct rung_tls *tls)
{
	(void)tls;
}

int rung_tls_reload(struct rung_tls *tls)
{
	(void)tls;
	return -ENOTSUP;
}

void rung_tls_forget(struct connection *connection)
{
	(void)connection;
}

void *rung_tls_callback(void)
{
	return NULL;
}

#endif

int rung_server_reload(struct rung_server *server)
{
	if (!server->tls)
		return rung_refuse(-ENOTSUP, "server: it has no certificate to read again");
	int rc = rung_tls_reload(server->tls);
	if (rc < 0)
		rung_site_log(&server->site, RUNG_LOG_ERROR, "rung: the certificate stays as it is: %s",
			rung_error());
	else
		rung_site_log(&server->site, RUNG_LOG_INFO, "rung: the certificate was read again");
	return rc;
}
