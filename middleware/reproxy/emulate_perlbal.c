/*
 * emulate_perlbal.c: what Perlbal 1.80 does with X-Reproxy-File, X-Reproxy-URL and X-Reproxy-Service when enable_reproxy is
 * on.
 *
 * Sources: Perlbal's BackendHTTP.pm, ClientProxy.pm, HTTPHeaders.pm, ClientHTTPBase.pm, read and recorded.
 */
#include "emulate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* -- URLs -------------------------------------------------------------------------------------------------------- */

/* As Perl packs it, which takes "0" for none and cuts what is too large down to 16 bits. */
static unsigned port_of(const char *digits, const char *end)
{
	if (end - digits == 1 && *digits == '0')
		return 0;
	uint16_t port = (uint16_t)strtoul(digits, NULL, 10);
	return port ? port : EMULATED_NO_PORT;
}

/* ^http://(.+?)(?::(\d+))?(/.*)?$ */
static bool parse(struct emulated *at, const char *text, struct emulated_url *url)
{
	static const char scheme[] = "http://";

	if (strncmp(text, scheme, sizeof scheme - 1) != 0 || !text[sizeof scheme - 1])
		return false;
	const char *host = text + sizeof scheme - 1;
	const char *end = host + 1 + strcspn(host + 1, "/");
	const char *colon = memrchr(host + 1, ':', (size_t)(end - host) - 1);
	bool has_port =
		colon && colon + 1 < end && strspn(colon + 1, "0123456789") == (size_t)(end - colon) - 1;
	const char *stop = has_port ? colon : end;
	const char *query = strchr(end, '?');
	url->scheme = "http";
	url->host = rung_emulated_copy(at, host, (size_t)(stop - host));
	url->port = has_port ? port_of(colon + 1, end) : 0;
	url->host_field = rung_request_header(at->env, "Host");
	url->path = !*end ? "/" : query ? rung_emulated_copy(at, end, (size_t)(query - end)) : end;
	url->query = query ? query + 1 : NULL;
	if (url->host && strpbrk(url->host, "?@[:"))
		rung_emulated_warn(at, DANGER_HANG,
			"on a URL such as %.300s Perlbal hangs, or with a \"?\" ends as a whole; write a path, no user "
			"and no IPv6 address",
			text);
	return url->host && url->path;
}

static bool is_true(const char *value)
{
	return value && *value && strcmp(value, "0") != 0;
}

static bool is_good(const struct emulated *at)
{
	const char *expected = rung_emulated_asked(at, "X-Reproxy-Expected-Size");
	const char *length = rung_header_get(at->res, "Content-Length");
	int64_t size = rung_body_size(at->res);

	if ((at->res->status < 200 || at->res->status > 299) && at->res->status != 416)
		return false;
	if (!is_true(expected))
		return true;
	/* What has no length is 0 to Perl. */
	return atoll(expected) == (length ? atoll(length) : size < 0 ? 0 : size);
}

static int go_urls(struct emulated *at, const char *urls)
{
	struct emulated_url all = { .uri = urls };
	int fetched;

	at->method = strcmp(at->method, "HEAD") == 0 ? "HEAD" : "GET";
	int rc = rung_emulated_try(at, urls, parse, is_good, &fetched);
	if (rc < 0)
		return rc;
	if (fetched == FETCHED && at->res->status == 204 && !rung_header_get(at->res, "Content-Length"))
		return rung_emulated_unmeasured(at);
	if (fetched < 0)
		return rung_emulated_status(at, 503, "there is no URL for it in \"%.300s\"", urls);
	if (fetched == FETCH_TIMEOUT)
		rung_emulated_warn(at, DANGER_HANG, "when a target hangs, so does Perlbal; here it is 503");
	return rung_emulated_judge(at, fetched, &all);
}

/* -- files and services -------------------------------------------------------------------------------------------- */

/* ^bytes=(\d*)-(\d*)$, where nothing before the dash means from the start. */
static int range(const struct rung_env *env, int64_t size, struct rung_range *ret_range)
{
	const char *text = rung_request_header(env, "Range");

	if (!text || strncmp(text, "bytes=", 6) != 0)
		return 200;
	text += 6;
	size_t first = strspn(text, "0123456789");
	size_t last = text[first] == '-' ? strspn(text + first + 1, "0123456789") : 0;
	if (text[first] != '-' || text[first + 1 + last] || first + last == 0 || first > 18 || last > 18)
		return 200;
	int64_t from = first ? atoll(text) : 0, to = last ? atoll(text + first + 1) : size - 1;
	if ((first && last && from > to) || (!first && to == 0) || (first && from >= size))
		return 416;
	*ret_range = (struct rung_range){ from, (to < size ? to : size - 1) - from + 1 };
	return 206;
}

static int go_file(struct emulated *at, const char *path)
{
	const char *expected = rung_emulated_asked(at, "X-Reproxy-Expected-Size");
	struct rung_emulated_file file = { .path = path,
		.range = range,
		.always_ranges = true,
		.expected = is_true(expected) ? atoll(expected) : 0 };
	int rc = rung_emulated_file(at, &file);

	if (rc == 0 && at->res->kind == RUNG_BODY_FILE && rung_body_size(at->res) == 0)
		rc = -ENOENT;
	if (rc == 0 && at->res->status == 416) {
		at->asked = NULL; /* that page is Perlbal's own */
		rung_header_remove(at->res, "Accept-Ranges");
		return rung_emulated_unmeasured(at);
	}
	if (rc == -ENOENT)
		return rung_emulated_status(
			at, 404, "there is no file %s, or not of the size that is expected", path);
	if (rc == -EACCES)
		return rung_emulated_status(at, 500, "the file %s cannot be read", path);
	return rc;
}

/* A service is a name of Perlbal's own, which here an app may stand for. */
static int go_service(struct emulated *at, const char *name)
{
	struct emulated_url url = { .scheme = "http",
		.host = name,
		.host_field = at->env->host,
		.path = at->path,
		.query = at->query,
		.uri = name,
		.input = INPUT_AGAIN,
		.request = &at->rules->app };

	at->asked = NULL; /* the service's answer is an answer of its own */
	int fetched = rung_emulated_fetch(at, &url);
	if (fetched == FETCH_UNREACHABLE)
		return rung_emulated_status(
			at, 404, "there is no service %s; give it an app in .names", name);
	return rung_emulated_judge(at, fetched, &url);
}

static bool may_ask(const struct emulated *at, const struct emulated_ask *ask)
{
	return is_true(rung_header_get(at->res, ask->field));
}

/* A page that Perlbal makes itself. */
static int page(struct emulated *at)
{
	static const struct {
		int status;
		const char *reason;
	} known[] = { { 400, "Bad request" }, { 404, "Not Found" }, { 500, "Internal Server Error" },
		{ 503, "Service Unavailable" } };
	size_t i = 0;

	while (i < sizeof known / sizeof *known && known[i].status != at->res->status)
		i++;
	const char *text =
		i < sizeof known / sizeof *known
			? rung_printf(at->env, "<h1>%d - %s</h1>\n", known[i].status, known[i].reason)
			: rung_printf(at->env, "<h1>%d</h1>\n", at->res->status);
	if (!text)
		return -ENOMEM;
	rung_header_static(at->res, "Content-Type", "text/html");
	return rung_body_static(at->res, text, strlen(text));
}

/* A body that it does not wait for, in chunks or with HEAD, is taken for a second request. */
static int admit(struct emulated *at)
{
	const struct rung_env *env = at->env;

	if (rung_request_header(env, "Transfer-Encoding"))
		return 400;
	return env->content_length && strcmp(env->method, "HEAD") == 0 ? 400 : 0;
}

/* -- the table --------------------------------------------------------------------------------------------------- */

static const char *const not_passed_to_app[] = { "Connection", "Keep-Alive", "X-Host", "X-Forwarded-Host",
	NULL };
static const char *const passed_on[] = { "Range", NULL };

static const char *const spent[] = { "X-Reproxy-File", "X-Reproxy-Url", "X-Reproxy-Expected-Size",
	"X-Reproxy-Cache-For", NULL };
static const struct emulated_ask asks[] = {
	{ "X-Reproxy-File", go_file, NULL },
	{ "X-Reproxy-Url", go_urls, spent },
	{ "X-Reproxy-Service", go_service, NULL },
	{ NULL, NULL, NULL },
};

static const char *const taken[] = { "Content-Length", NULL };
static const char *const taken_partial[] = { "Accept-Ranges", "Content-Range", NULL };
static const char *const hidden[] = { "Connection", "Keep-Alive", NULL };

const struct emulation rung_emulation_perlbal = {
	.name = "perlbal",
	.app = { .left_out = not_passed_to_app,
		.joins = true,
		.added = { { "X-Proxy-Capabilities", VALUE_TEXT, PLACE_SET, "reproxy-file" },
			{ "X-Forwarded-For", VALUE_CLIENT, PLACE_SET, NULL } } },
	.target = { .only = passed_on },
	.admit = admit,
	.asks = asks,
	.may_ask = may_ask,
	.input = INPUT_NONE,
	.page = page,
	.answer = { .on_asker = true,
		.taken = taken,
		.taken_partial = taken_partial,
		.joins = true,
		.groups = true,
		.asker_status = true,
		.hidden = hidden },
	.unreachable = 503,
	.no_answer = 503,
	.timeout = 503,
};
