/*
 * test_uri_oracle.c: our URIs against two libraries that others keep: liburiparser for what is taken, how it is split,
 * resolved and normalised; libcurl for the parts of http URLs. Some handwritten texts and some thousands made of pieces, always
 * the same ones.
 */
#include "support.h"

#include <curl/curl.h>
#include <uriparser/Uri.h>

SUITE(uri_oracle);

enum { MADE = 20000, MOST = 512 };

/* -- texts ---------------------------------------------------------------------------------------------------------- */

/* A small generator of our own, so that every machine tries the same. */
static uint32_t state = 20260726;

static uint32_t draw(uint32_t below)
{
	state = state * 1664525u + 1013904223u;
	return (state >> 8) % below;
}

#define PICK(list) ((list)[draw(sizeof(list) / sizeof *(list))])

static const char *const schemes[] = { "http:", "https:", "HTTP:", "x:", "a+b-c.1:", "", "", "", "1x:", ":" };
static const char *const authorities[] = { "//h", "//H:80", "//h:", "//u@h", "//u:p@h:8080", "//[::1]",
	"//[2001:db8::7]:1", "//[v1.a]", "//[::1.2.3.4]", "//1.2.3.4", "//", "", "", "", "//a%20b", "//h:x",
	"//[::g]", "//a b", "//h_-~" };
static const char *const segments[] = { "/", "/a", "/b/", "/.", "/..", "/../", "/./", "a", "..", ".", "/a:b",
	"a:b", "/%41", "/%2e%2E", "/%zz", "/;p=1", "/\xc3\xa9", "/ ", "//", "/~", "/%c3%a9", "/*'()!", "" };
static const char *const queries[] = { "?", "?q", "?a=b&c", "?/?", "?%3d", "?%7E", "?[", "", "", "" };
static const char *const fragments[] = { "#", "#f", "#/?", "##", "", "", "", "" };

static const char *make(void)
{
	static char text[MOST];
	int count = (int)draw(5);

	snprintf(text, sizeof text, "%s%s", PICK(schemes), PICK(authorities));
	while (count--)
		strcat(text, PICK(segments));
	strcat(text, PICK(queries));
	strcat(text, PICK(fragments));
	return text;
}

static const char *const written[] = { "", "/", "//", "///", "?", "#", "http:", "http:///", "http://?",
	"http://#", "http://h?#", "mailto:a@b.c", "urn:x:y", "file:///a", "a:", "a:/", "a:.", "a:..", "./a:b",
	"http://h/a/../../b/./c/..", "http://h:0", "http://h:65535", "http://[0:0:0:0:0:0:0:1]/",
	"http://[1::]/", "http://[::ffff:192.0.2.1]/", "http://192.0.2.1.5/", "http://01.2.3.4/", "//h/..",
	"..//a", "x:..//a", "x://h/..//a", "x:/a/../..//b" };

/* -- liburiparser ---------------------------------------------------------------------------------------------------- */

static bool parse_theirs(const char *text, UriUriA *uri)
{
	const char *at;

	return uriParseSingleUriA(uri, text, &at) == URI_SUCCESS;
}

/* It knows no limit of ports; we hold to the 65535 that TCP has. */
static bool has_large_port(const UriUriA *uri)
{
	size_t size = uri->portText.first ? (size_t)(uri->portText.afterLast - uri->portText.first) : 0;
	unsigned long port = 0;

	for (size_t i = 0; i < size; i++)
		port = port * 10 + (unsigned long)(uri->portText.first[i] - '0');
	return size > 5 || port > 65535;
}

static bool same_text(const struct rung_slice *ours, const UriTextRangeA *theirs)
{
	size_t size = theirs->first ? (size_t)(theirs->afterLast - theirs->first) : 0;

	return ours->size == size && (size == 0 || memcmp(ours->at, theirs->first, size) == 0);
}

/* It gives an IP literal without its brackets. */
static bool same_host(const struct rung_uri *ours, const UriUriA *theirs)
{
	struct rung_slice host = ours->host;

	if (theirs->hostData.ip6 || theirs->hostData.ipFuture.first)
		host = (struct rung_slice){ host.at + 1, host.size - 2 };
	return same_text(
		&host, theirs->hostData.ipFuture.first ? &theirs->hostData.ipFuture : &theirs->hostText);
}

static void compare_parts(const char *text, const struct rung_uri *ours, const UriUriA *theirs)
{
	cr_expect(same_text(&ours->scheme, &theirs->scheme), "<%s>: scheme", text);
	cr_expect(same_text(&ours->userinfo, &theirs->userInfo), "<%s>: userinfo", text);
	cr_expect(same_text(&ours->port, &theirs->portText), "<%s>: port", text);
	cr_expect(same_text(&ours->query, &theirs->query), "<%s>: query", text);
	cr_expect(same_text(&ours->fragment, &theirs->fragment), "<%s>: fragment", text);
	cr_expect((ours->query.at != NULL) == (theirs->query.first != NULL), "<%s>: is there a query?", text);
	cr_expect(same_host(ours, theirs), "<%s>: host", text);
}

static void compare_with_uriparser(const char *text)
{
	struct rung_uri ours;
	UriUriA theirs;
	bool taken = parse_theirs(text, &theirs);

	if (taken && has_large_port(&theirs))
		taken = false;
	cr_expect((rung_uri_parse(text, strlen(text), &ours) == 0) == taken, "<%s> is %s by uriparser", text,
		taken ? "taken" : "refused");
	if (taken && rung_uri_parse(text, strlen(text), &ours) == 0)
		compare_parts(text, &ours, &theirs);
	uriFreeUriMembersA(&theirs);
}

Test(uri_oracle, what_is_taken_and_how_it_is_split)
{
	for (size_t i = 0; i < sizeof written / sizeof *written; i++)
		compare_with_uriparser(written[i]);
	for (size_t i = 0; i < MADE; i++)
		compare_with_uriparser(make());
}

/* -- resolving --------------------------------------------------------------------------------------------------------- */

static bool resolve_theirs(const char *base_text, const char *reference_text, char *text, int room)
{
	UriUriA base, reference, target;
	bool is_done = false;

	if (!parse_theirs(base_text, &base))
		return false;
	if (parse_theirs(reference_text, &reference)) {
		is_done = uriAddBaseUriExA(&target, &reference, &base, URI_RESOLVE_STRICTLY) == URI_SUCCESS &&
			  uriToStringA(text, &target, room, NULL) == URI_SUCCESS;
		uriFreeUriMembersA(&target);
		uriFreeUriMembersA(&reference);
	}
	uriFreeUriMembersA(&base);
	return is_done;
}

/*
 * Left out: references whose path is empty or rootless beside a base without authority. There uriparser removes dots where
 * RFC 3986 section 5.2.2 keeps the base's path as it is, and where a path begins with "//" without an authority the RFC's text
 * has no answer (its errata do).
 */
static bool is_comparable(const struct rung_uri *base, const struct rung_uri *reference)
{
	/* It writes IPv6 addresses in full. */
	if (reference->host.size && *reference->host.at == '[')
		return false;
	if (reference->scheme.at || reference->host.at)
		return reference->host.at != NULL;
	return base->host.at != NULL && reference->path.size > 0;
}

Test(uri_oracle, how_references_resolve)
{
	static const char *const bases[] = { "http://a/b/c/d;p?q", "http://a", "http://a?q",
		"http://u@a:81/b/", "https://1.2.3.4/x/y" };
	size_t compared = 0;

	for (size_t i = 0; i < MADE; i++) {
		const char *base_text = PICK(bases), *text = make();
		struct rung_uri base, reference;
		char ours[MOST], theirs[MOST];

		if (rung_uri_parse(text, strlen(text), &reference) < 0)
			continue;
		cr_assert(rung_uri_parse(base_text, strlen(base_text), &base) == 0);
		if (!is_comparable(&base, &reference) ||
			!resolve_theirs(base_text, text, theirs, sizeof theirs))
			continue;
		cr_assert(rung_uri_resolve(&base, &reference, ours, sizeof ours) >= 0, "<%s>", text);
		/* Where a path begins with an empty segment uriparser writes "/." before it also behind an authority, where it
		 * is needed for nothing (RFC 3986 section 3.3). */
		if (strstr(theirs, "/.//"))
			continue;
		cr_expect_str_eq(ours, theirs, "<%s> at <%s> is <%s>, by uriparser <%s>", text, base_text,
			ours, theirs);
		compared++;
	}
	cr_assert_gt(compared, 3000, "only %zu", compared);
}

/* -- libcurl ------------------------------------------------------------------------------------------------------------- */

static bool same_part(CURLU *url, CURLUPart part, const struct rung_slice *ours)
{
	char *theirs = NULL;
	bool has = curl_url_get(url, part, &theirs, 0) == CURLUE_OK;
	bool same = has ? strlen(theirs) == ours->size &&
				    (!ours->size || strncasecmp(theirs, ours->at, ours->size) == 0)
			: ours->size == 0;

	curl_free(theirs);
	return same;
}

/* curl completes what a browser would: "//h" for "/h", a path of "/" for none, dots removed, one escape or another decoded
 * in hosts. Compared are the URLs that need no such help. */
static bool is_plain(const struct rung_uri *uri)
{
	for (size_t i = 0; i < uri->path.size; i++)
		if (uri->path.at[i] == '.')
			return false;
	for (size_t i = 0; i < uri->host.size; i++)
		if (strchr("%[_", uri->host.at[i]))
			return false;
	return uri->host.size && uri->path.size && uri->port.size != 0;
}

Test(uri_oracle, the_parts_of_http_urls_as_curl_has_them)
{
	size_t compared = 0;

	for (size_t i = 0; i < MADE; i++) {
		const char *text = make();
		struct rung_uri uri;

		if (strncasecmp(text, "http", 4) != 0 || rung_uri_parse(text, strlen(text), &uri) < 0 ||
			!is_plain(&uri))
			continue;
		CURLU *url = curl_url();
		CURLUcode code = curl_url_set(url, CURLUPART_URL, text, 0);
		cr_expect(code == CURLUE_OK, "<%s> is refused by curl: %d", text, code);
		if (code == CURLUE_OK) {
			cr_expect(same_part(url, CURLUPART_SCHEME, &uri.scheme), "<%s>: scheme", text);
			cr_expect(same_part(url, CURLUPART_HOST, &uri.host), "<%s>: host", text);
			cr_expect(same_part(url, CURLUPART_PORT, &uri.port), "<%s>: port", text);
			cr_expect(same_part(url, CURLUPART_PATH, &uri.path), "<%s>: path", text);
			cr_expect(same_part(url, CURLUPART_QUERY, &uri.query), "<%s>: query", text);
			compared++;
		}
		curl_url_cleanup(url);
	}
	cr_assert_gt(compared, 100, "only %zu", compared);
}
