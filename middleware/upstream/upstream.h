/*
 * upstream.h: an HTTP backend: an endpoint that forwards the request, over a connection of libcurl's, and answers with what comes back.
 *
 * In one of two uses:
 *
 *	rung_upstream(.to = "http://127.0.0.1:3000")             all requests go to one backend, or to several of its kind
 *	rung_reproxy(.remote = rung_upstream(.allow = list))     fetches what a URI names, from authorities that are listed
 *
 * Connections are kept and used again. Bodies pass through in pieces, both ways, and whoever is slow slows the other down;
 * no more than some 100 KiB of an answer are held. Dropped in both directions is what concerns one connection alone: Connection and
 * what it names, Keep-Alive, Proxy-..., TE, Trailer, Transfer-Encoding, Upgrade; also trailers and answers of the kind 1xx.
 * Redirects are not followed, and codings other than chunks not undone: the client gets what the backend said. A request that may be done
 * twice is sent again, once, when a connection that was kept turns out to be closed (RFC 9112 section 9.3.1).
 *
 * What goes wrong: 502 for a backend that refuses the connection, that cannot be found, whose certificate is no good, or whose
 * answer is no HTTP; 504 for one that is too slow; 503 when too many transfers are under way; and one that goes away half-way costs
 * the client its connection, so that no body is taken for whole that is not. A client that leaves ends the transfer.
 *
 * Its call waits for the head of the answer, and no longer, so a server of it has workers: as many requests may wait for their backend at
 * a time (--workers, 16 unless told; not more than .transfers). Where the library was built without libcurl the constructor is refused.
 *
 * Place: an endpoint; or the .remote, .app or a name of reproxy.
 * Rack: Rack::Proxy (the gem rack-proxy). RFC 9110 sections 7.6 (forwarding), 15.6.3 and 15.6.5; RFC 7239 (Forwarded).
 */
#pragma once

#include <rung/api.h>
#include <rung/app.h>

RUNG_BEGIN

/* Zero means the default. Strings and lists are copied. */
struct rung_upstream_options {
	size_t size;

	/* The backend: "http://HOST:PORT", "https://HOST" or "unix:PATH"; several, separated by commas, take turns, and when a
	 * connection cannot be had the next one is tried. One that failed is tried last for ten seconds. Without a path the whole path of the
	 * request is asked for; with one ("http://b:3000/" or "http://b:3000/v2") it stands in place of the script name, as in
	 * nginx's proxy_pass. Either this or .allow. */
	const char *to;

	/*
	 * The authorities that URIs may name, NULL-ended: "files.example.com" (the usual ports), "files.example.com:8080",
	 * "*.example.com", "*"; and addresses: "10.0.0.7", "[fd00::1]:8080", "10.0.0.0/8". Names alone reach only what is public:
	 * no loopback, private, link-local, shared, multicast or other special address, whatever it is written as and whatever DNS
	 * says, unless an entry lists that address. Judged is the address that is connected to. For .remote alone: what a client
	 * asks for itself is refused.
	 */
	const char *const *allow;

	/* Host is what the request says, in place of the backend's authority. */
	bool pass_host;

	/* Forwarded, X-Forwarded-For, -Proto, -Host are told from what is known of the client; those it sent itself are dropped, and so
	 * are the other X-Forwarded-... and X-Real-IP. With this they are passed on and added to: for when a server in front sets
	 * them. */
	bool trust_forwarded;

	/* None of them is told, nor passed on. With .trust_forwarded: passed on as they came, and none is told. */
	bool no_forwarded;

	/* A request's body is sent on as it comes, instead of when it is whole. Then a connection that turns out to be dead costs the
	 * request, since what has gone by cannot be sent again; and an answer that comes early waits for the body's end. */
	bool stream_input;
	int64_t body_limit; /* bytes of a request's body, in place of the server's limit; more: 413 */

	/* A PEM file of certificates; those alone are trusted, for https; default: the system's. Certificates are always checked. */
	const char *ca;

	unsigned transfers;  /* at a time; default 256; more: 503 */
	unsigned kept;       /* connections that wait to be used again; default: as many as .transfers */
	size_t header_bytes; /* of an answer's head; default 8 KiB; more: 502 */
	unsigned
		connect_seconds; /* for a connection, with name and TLS; default 10; more: the next backend, or 504 */
	unsigned
		idle_seconds; /* in which the backend must send or take something; default 60; more: 504, or cut */
	unsigned keep_seconds; /* how long a connection is kept that nobody uses; default 60 */
};

/* Returns NULL, with a message for rung_error(), without libcurl, without .to and .allow or with both, or when one of them makes no
 * sense. A backend that is this very server is refused at start, as is a .ca that cannot be read. */
RUNG_API RUNG_MUST_USE struct rung_app *rung_upstream_new(const struct rung_upstream_options *options);
#define rung_upstream(...)                                       \
	rung_upstream_new(&(const struct rung_upstream_options){ \
		.size = sizeof(struct rung_upstream_options), __VA_ARGS__ })

RUNG_END
