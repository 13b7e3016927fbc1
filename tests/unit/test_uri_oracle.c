/*
 * test_uri_oracle.c: our URIs against two libraries that others keep: liburiparser for what is taken, how it is split,
 * resolved and normalised; libcurl for the parts of http URLs. Some handwritten texts and some thousands made of
 * pieces, always the same ones.
 */
#include "support.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <strings.h>
#include <uriparser/Uri.h>

SUITE(uri_oracle);

enum { MADE = 20000, MOST = 512 };

/* -- texts ------------------------------------------------------------------------------------------------------- */

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

static const char *const literals[] = { "0", "1", "ab", "12Cd", "12345", "1.2.3.4", "1.2.3.256", "01.2.3.4",
	"::", ":", "g", "" };

/* An IP literal, good or bad: up to nine groups, some of them none. */
static void add_literal(char *text)
{
	strcat(text, "//[");
	for (uint32_t i = 0, count = draw(10); i < count; i++) {
		if (i && draw(12))
			strcat(text, ":");
		strcat(text, draw(3) ? literals[draw(4)] : PICK(literals));
	}
	strcat(text, "]");
}

static const char *make(void)
{
	static char text[MOST];
	int count = (int)draw(5);

	strcpy(text, PICK(schemes));
	if (draw(8))
		strcat(text, PICK(authorities));
	else
		add_literal(text);
	while (count--)
		strcat(text, PICK(segments));
	strcat(text, PICK(queries));
	strcat(text, PICK(fragments));
	/* One byte in some of them is any other; none becomes a NUL, which their strings cannot hold. */
	if (*text && !draw(4))
		text[draw((uint32_t)strlen(text))] = (char)(1 + draw(255));
	return text;
}

static const char *const written[] = { "", "/", "//", "///", "?", "#", "http:", "http:///", "http://?",
	"http://#", "http://h?#", "mailto:a@b.c", "urn:x:y", "file:///a", "a:", "a:/", "a:.", "a:..", "./a:b",
	"http://h/a/../../b/./c/..", "http://h:0", "http://h:65535", "http://[0:0:0:0:0:0:0:1]/",
	"http://[1::]/", "http://[::ffff:192.0.2.1]/", "http://192.0.2.1.5/", "http://01.2.3.4/", "//h/..",
	"..//a", "x:..//a", "x://h/..//a", "x:/a/../..//b", "http://h:65536", "http://h:000080/",
	"http://h:4294967376/", "ftp://h:0/", "//h:0", "http://u@v@h/", "http://u:p:q@h/", "%41:b", "a/b:c",
	"http://[1:2:3:4:5:6:7::]/", "http://[::2:3:4:5:6:7:8]/", "http://[1::3:4:5:6:7:8]/",
	"http://[1:2:3:4:5:6:7:8::]/", "http://[::1:2:3:4:5:6:7:8]/", "http://[1:2:3:4:5:6:1.2.3.4]/",
	"http://[1:2:3:4:5:6:7:1.2.3.4]/", "http://[1:2:3:4:5::1.2.3.4]/", "http://[::1.2.3.4:5]/",
	"http://[1.2.3.4]/", "http://[:::]/", "http://[:1::]/", "http://[1:]/", "http://[fe80::1%25a]/",
	"http://[vF.x:y]/", "http://[v.x]/", "http://[vg.x]/", "http://[v1.]/", "http://[v1x]/", "http://[",
	"http://]/", "http://[]", "http://[::1]a/", "http://[::1]:", "http://u@[::1]:1/", "http://h/%",
	"http://h/%4", "http://h/%00", "http://h/a%2Fb/%2e%2e/%2E/c" };

/* The written ones, then as many made ones as it takes. */
static const char *text_at(size_t i)
{
	return i < sizeof written / sizeof *written ? written[i] : make();
}

/* -- liburiparser ------------------------------------------------------------------------------------------------ */

static bool parse_theirs(const char *text, UriUriA *uri)
{
	const char *at;

	return uriParseSingleUriA(uri, text, &at) == URI_SUCCESS;
}

/* RFC 3986 section 3.2.3 and uriparser know no limit of ports; we hold to the 65535 that TCP has. */
static bool has_large_port(const UriUriA *uri)
{
	unsigned long port = 0;

	for (const char *at = uri->portText.first; at && at < uri->portText.afterLast; at++) {
		port = port * 10 + (unsigned long)(*at - '0');
		if (port > 65535)
			return true;
	}
	return false;
}

static bool same_text(const struct rung_slice *ours, const UriTextRangeA *theirs)
{
	size_t size = theirs->first ? (size_t)(theirs->afterLast - theirs->first) : 0;

	return (ours->at != NULL) == (theirs->first != NULL) && ours->size == size &&
	       (size == 0 || memcmp(ours->at, theirs->first, size) == 0);
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

/* It keeps the path as a list of segments; behind an authority each has a slash before it. */
static bool same_path(const struct rung_uri *ours, const UriUriA *theirs)
{
	char path[MOST] = "";
	bool is_slash_due = theirs->absolutePath || theirs->hostText.first;

	if (theirs->absolutePath && !theirs->pathHead)
		strcpy(path, "/");
	for (const UriPathSegmentA *segment = theirs->pathHead; segment; segment = segment->next) {
		size_t size = (size_t)(segment->text.afterLast - segment->text.first);

		if (is_slash_due)
			strcat(path, "/");
		strncat(path, segment->text.first, size);
		is_slash_due = true;
	}
	return ours->path.at && ours->path.size == strlen(path) &&
	       memcmp(ours->path.at, path, ours->path.size) == 0;
}

static void compare_parts(const char *text, const struct rung_uri *ours, const UriUriA *theirs)
{
	cr_expect(same_text(&ours->scheme, &theirs->scheme), "<%s>: scheme", text);
	cr_expect(same_text(&ours->userinfo, &theirs->userInfo), "<%s>: userinfo", text);
	cr_expect(same_host(ours, theirs), "<%s>: host", text);
	cr_expect(same_text(&ours->port, &theirs->portText), "<%s>: port", text);
	cr_expect(same_path(ours, theirs), "<%s>: path", text);
	cr_expect(same_text(&ours->query, &theirs->query), "<%s>: query", text);
	cr_expect(same_text(&ours->fragment, &theirs->fragment), "<%s>: fragment", text);
}

/* Returns whether both take it. */
static bool compare_with_uriparser(const char *text)
{
	struct rung_uri ours;
	UriUriA theirs;
	bool taken = parse_theirs(text, &theirs);
	int rc = rung_uri_parse(text, strlen(text), &ours);

	if (!taken) {
		cr_expect(rc == -EINVAL, "<%s> is refused by uriparser", text);
		return false;
	}
	bool expected = !has_large_port(&theirs);
	cr_expect((rc == 0) == expected, "<%s> is taken by uriparser", text);
	if (rc == 0)
		compare_parts(text, &ours, &theirs);
	uriFreeUriMembersA(&theirs);
	return rc == 0;
}

Test(uri_oracle, what_is_taken_and_how_it_is_split)
{
	size_t taken = 0;

	for (size_t i = 0; i < MADE; i++)
		taken += compare_with_uriparser(text_at(i));
	cr_assert(
		taken > 4000 && taken < MADE - 4000, "%zu taken of %d: the texts are too alike", taken, MADE);
}

/* -- resolving --------------------------------------------------------------------------------------------------- */

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

/* True when a segment is "." or "..", in escapes or not. */
static bool has_dots(struct rung_slice path)
{
	const char *end = path.at + path.size;
	size_t dots = 0, others = 0;

	for (const char *at = path.at; at <= end; at++) {
		if (at == end || *at == '/') {
			if (!others && (dots == 1 || dots == 2))
				return true;
			dots = others = 0;
		} else if (end - at > 2 && strncasecmp(at, "%2e", 3) == 0) {
			dots++;
			at += 2;
		} else {
			*at == '.' ? dots++ : others++;
		}
	}
	return false;
}

/* It writes IPv6 addresses with all 32 digits, where RFC 3986 section 6.2.2.1 changes their case alone. */
static bool is_rewritten(const struct rung_uri *uri)
{
	return uri->host.size && *uri->host.at == '[' && (uri->host.at[1] | 0x20) != 'v';
}

/*
 * Left out, all of it where there is no authority:
 * - "//" at the start of the path, which dots have hidden: RFC 3986 section 3.3 forbids it, so we write "/."
 *   before it; uriparser writes what reads as an authority;
 * - dots in a path without a slash at its start: by the letter of section 5.2.4 "a/.." is "/"; uriparser has
 *   "".
 */
static bool is_apart(const struct rung_uri *target, struct rung_slice dotted)
{
	bool is_rootless = !dotted.size || *dotted.at != '/';
	bool is_guarded = target->path.size > 3 && memcmp(target->path.at, "/.//", 4) == 0;

	return !target->host.at && (is_guarded || (is_rootless && has_dots(dotted)));
}

/* The path whose dots are removed, as far as is_apart() asks. */
static struct rung_slice dotted_path(const struct rung_uri *base, const struct rung_uri *reference)
{
	bool is_merged = !reference->scheme.at && reference->path.size && *reference->path.at != '/';

	return is_merged && base->path.size && *base->path.at == '/' ? base->path : reference->path;
}

Test(uri_oracle, how_references_resolve)
{
	static const char *const bases[] = { "http://a/b/c/d;p?q", "http://a", "http://a?q",
		"http://u@a:81/b/", "https://1.2.3.4/x/y", "file:///a/b", "http://a/b/../c", "x:a/b",
		"x:/a/b", "x:", "x:?q" };
	size_t compared = 0;

	for (size_t i = 0; i < MADE; i++) {
		const char *base_text = PICK(bases), *text = text_at(i);
		struct rung_uri base, reference, target;
		char ours[MOST], theirs[MOST];

		if (rung_uri_parse(text, strlen(text), &reference) < 0)
			continue;
		cr_assert(rung_uri_parse(base_text, strlen(base_text), &base) == 0);
		ssize_t size = rung_uri_resolve(&base, &reference, ours, sizeof ours);
		cr_assert(size >= 0 && rung_uri_parse(ours, (size_t)size, &target) == 0, "<%s>", text);
		if (is_rewritten(&target) || is_apart(&target, dotted_path(&base, &reference)))
			continue;
		cr_assert(resolve_theirs(base_text, text, theirs, sizeof theirs), "<%s>", text);
		cr_expect_str_eq(ours, theirs, "<%s> at <%s> is <%s>, by uriparser <%s>", text, base_text,
			ours, theirs);
		compared++;
	}
	cr_assert_gt(compared, 4000, "only %zu", compared);
}

static bool normalize_theirs(const char *text, char *normal, int room)
{
	UriUriA uri;

	if (!parse_theirs(text, &uri))
		return false;
	bool is_done = uriNormalizeSyntaxA(&uri) == URI_SUCCESS &&
		       uriToStringA(normal, &uri, room, NULL) == URI_SUCCESS;
	uriFreeUriMembersA(&uri);
	return is_done;
}

static bool is_web(const struct rung_uri *uri)
{
	return (uri->scheme.size == 4 && strncasecmp(uri->scheme.at, "http", 4) == 0) ||
	       (uri->scheme.size == 5 && strncasecmp(uri->scheme.at, "https", 5) == 0);
}

static bool has_lettered_escape(struct rung_slice part)
{
	for (size_t i = 0; i + 2 < part.size; i++)
		if (part.at[i] == '%' && (part.at[i + 1] >= 'A' || part.at[i + 2] >= 'A'))
			return true;
	return false;
}

/*
 * Left out, besides the above:
 * - what RFC 3986 section 6.2.3 does by scheme and uriparser does not know: ports dropped or shortened, "/" for
 *   no path;
 * - dots in references without scheme: what they mean depends on the base (section 6.2.2.3). We remove them
 *   behind a slash alone, uriparser everywhere but at the start;
 * - letters in the escapes of a host, which section 6.2.2.1 has in upper case; uriparser lowers them with the
 *   rest of the host.
 */
static bool is_normal_apart(const struct rung_uri *uri, const struct rung_uri *normal)
{
	bool is_port_default = is_web(uri) && rung_uri_port(uri) == (uri->scheme.size == 4 ? 80 : 443);
	bool is_port_changed = uri->port.at && (uri->port.size == 0 || is_port_default ||
						       (uri->port.size > 1 && *uri->port.at == '0'));
	bool is_path_new = uri->path.size == 0 && normal->path.size;

	return is_rewritten(uri) || is_apart(normal, uri->path) || is_port_changed || is_path_new ||
	       (!uri->scheme.at && has_dots(uri->path)) || has_lettered_escape(normal->host);
}

Test(uri_oracle, the_normal_form)
{
	size_t compared = 0;

	for (size_t i = 0; i < MADE; i++) {
		const char *text = text_at(i);
		struct rung_uri uri, normal;
		char ours[MOST], theirs[MOST];

		if (rung_uri_parse(text, strlen(text), &uri) < 0)
			continue;
		ssize_t size = rung_uri_normalize(&uri, ours, sizeof ours);
		cr_assert(size >= 0 && rung_uri_parse(ours, (size_t)size, &normal) == 0, "<%s>", text);
		if (is_normal_apart(&uri, &normal))
			continue;
		cr_assert(normalize_theirs(text, theirs, sizeof theirs), "<%s>", text);
		cr_expect_str_eq(ours, theirs, "<%s> is <%s>, by uriparser <%s>", text, ours, theirs);
		compared++;
	}
	cr_assert_gt(compared, 3000, "only %zu", compared);
}

/* -- libcurl ----------------------------------------------------------------------------------------------------- */

static void compare_part(const char *text, CURLU *url, CURLUPart part, struct rung_slice ours)
{
	char *theirs = NULL;
	bool has = curl_url_get(url, part, &theirs, 0) == CURLUE_OK;

	/* An absent part and an empty one are the same to curl. */
	cr_expect(
		has ? strlen(theirs) == ours.size && strncmp(theirs, ours.size ? ours.at : "", ours.size) == 0
		    : ours.size == 0,
		"<%s>: part %d is <%.*s>, by curl <%s>", text, (int)part, (int)ours.size,
		ours.size ? ours.at : "", has ? theirs : "");
	curl_free(theirs);
}

static void compare_port(const char *text, CURLU *url, unsigned port)
{
	char *theirs = NULL;

	cr_assert(curl_url_get(url, CURLUPART_PORT, &theirs, CURLU_DEFAULT_PORT) == CURLUE_OK, "<%s>", text);
	cr_expect(strtoul(theirs, NULL, 10) == port, "<%s>: port %u, by curl %s", text, port, theirs);
	curl_free(theirs);
}

/* It splits the userinfo at the first colon. */
static void compare_userinfo(const char *text, CURLU *url, struct rung_slice userinfo)
{
	const char *colon = userinfo.size ? memchr(userinfo.at, ':', userinfo.size) : NULL;
	struct rung_slice user = userinfo, password = { 0 };

	if (colon) {
		user.size = (size_t)(colon - userinfo.at);
		password = (struct rung_slice){ colon + 1, userinfo.size - user.size - 1 };
	}
	compare_part(text, url, CURLUPART_USER, user);
	compare_part(text, url, CURLUPART_PASSWORD, password);
}

static void compare_with_curl(const char *text, CURLU *url, const struct rung_uri *uri)
{
	static const struct rung_slice root = { "/", 1 };

	compare_userinfo(text, url, uri->userinfo);
	/* It writes IPv6 addresses anew, in their shortest form. */
	if (!is_rewritten(uri))
		compare_part(text, url, CURLUPART_HOST, uri->host);
	compare_port(text, url, rung_uri_port(uri));
	/* An empty path is "/" (RFC 9110 section 4.2.3). */
	compare_part(text, url, CURLUPART_PATH, uri->path.size ? uri->path : root);
	compare_part(text, url, CURLUPART_QUERY, uri->query);
	compare_part(text, url, CURLUPART_FRAGMENT, uri->fragment);
}

static bool is_ipv4(struct rung_slice host)
{
	char text[16];
	struct in_addr address;

	if (host.size >= sizeof text)
		return false;
	memcpy(text, host.at, host.size);
	text[host.size] = '\0';
	return inet_pton(AF_INET, text, &address) == 1;
}

/*
 * Left out: hosts that are empty, which http forbids (RFC 9110 section 4.2.1); with escapes, which curl decodes,
 * or with sub-delims, which it refuses, since DNS knows no such names (RFC 3986 section 3.2.2 takes both);
 * IPvFuture, which curl does not know; and numbers that are no IPv4 address but that curl reads as one (the "rare
 * formats" of RFC 3986 section 7.4).
 */
static bool is_for_curl(const struct rung_uri *uri)
{
	for (size_t i = 0; i < uri->host.size; i++)
		if (strchr("%!$&'()*+,;=", uri->host.at[i]))
			return false;
	if (uri->host.size && strspn(uri->host.at, "0123456789.") >= uri->host.size)
		return is_web(uri) && is_ipv4(uri->host);
	return is_web(uri) && uri->host.size && strncasecmp(uri->host.at, "[v", 2) != 0;
}

Test(uri_oracle, the_parts_of_http_urls_as_curl_has_them)
{
	size_t compared = 0;

	for (size_t i = 0; i < MADE; i++) {
		const char *text = text_at(i);
		struct rung_uri uri;

		if (rung_uri_parse(text, strlen(text), &uri) < 0 || !is_for_curl(&uri))
			continue;
		CURLU *url = curl_url();
		CURLUcode code = curl_url_set(url, CURLUPART_URL, text, CURLU_PATH_AS_IS);
		cr_expect(code == CURLUE_OK, "<%s> is refused by curl: %d", text, code);
		if (code == CURLUE_OK)
			compare_with_curl(text, url, &uri);
		curl_url_cleanup(url);
		compared++;
	}
	cr_assert_gt(compared, 1000, "only %zu", compared);
}
