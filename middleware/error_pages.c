/*
 * error_pages.c: bodies for errors that have none. Rack: Rack::ShowStatus, Rack::ShowExceptions.
 *
 * RFC 9110 sections 12.5.1 (Accept) and 15 (status codes), RFC 9457 (problem details). A page is built beside the
 * response, in one of its own that takes the first one's place when all of it succeeded: setters' errors stick, and
 * one that stuck in the response itself would turn a 404 into a 503.
 */
#include <rung/error_pages.h>

#include <rung/env.h>
#include <rung/response.h>
#include <rung/writer.h>

#include <string.h>

/* -- what statuses mean --------------------------------------------------------------------------------------- */

struct meaning {
	int status;
	const char *reason;   /* as registered with IANA */
	const char *sentence; /* for a person; NULL: the reason says it all */
};

static const struct meaning meanings[] = {
	{ 400, "Bad Request", "The server did not understand this request." },
	{ 401, "Unauthorized", "You need to sign in to see this." },
	{ 402, "Payment Required", NULL },
	{ 403, "Forbidden", "You may not see this." },
	{ 404, "Not Found", "There is nothing at this address." },
	{ 405, "Method Not Allowed", "This address does not answer to that method." },
	{ 406, "Not Acceptable", "This is not to be had in a form that your program accepts." },
	{ 407, "Proxy Authentication Required", NULL },
	{ 408, "Request Timeout", "The request took too long to arrive." },
	{ 409, "Conflict", "The request conflicts with how things are now." },
	{ 410, "Gone", "What was at this address is gone for good." },
	{ 411, "Length Required", NULL },
	{ 412, "Precondition Failed", NULL },
	{ 413, "Content Too Large", "What you sent is larger than this server takes." },
	{ 414, "URI Too Long", NULL },
	{ 415, "Unsupported Media Type", NULL },
	{ 416, "Range Not Satisfiable", NULL },
	{ 417, "Expectation Failed", NULL },
	{ 421, "Misdirected Request", NULL },
	{ 422, "Unprocessable Content", "The request was understood, but what it says cannot be right." },
	{ 423, "Locked", NULL },
	{ 424, "Failed Dependency", NULL },
	{ 425, "Too Early", NULL },
	{ 426, "Upgrade Required", NULL },
	{ 428, "Precondition Required", NULL },
	{ 429, "Too Many Requests", "Please wait a little and try again." },
	{ 431, "Request Header Fields Too Large", NULL },
	{ 451, "Unavailable For Legal Reasons", NULL },
	{ 500, "Internal Server Error", "Something went wrong here. It is not your fault." },
	{ 501, "Not Implemented", NULL },
	{ 502, "Bad Gateway", "A server behind this one gave no usable answer." },
	{ 503, "Service Unavailable", "The server cannot answer now. Please try again in a while." },
	{ 504, "Gateway Timeout", "A server behind this one took too long to answer." },
	{ 505, "HTTP Version Not Supported", NULL },
	{ 506, "Variant Also Negotiates", NULL },
	{ 507, "Insufficient Storage", NULL },
	{ 508, "Loop Detected", NULL },
	{ 511, "Network Authentication Required", NULL },
};

/* An unknown status means what its class does (RFC 9110 section 15). */
static const struct meaning *meaning_of(int status)
{
	static const struct meaning client = { 0, "Client Error", NULL },
				    server = { 0, "Server Error", NULL }, other = { 0, "Error", NULL };

	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
		if (meanings[i].status == status)
			return &meanings[i];
	return status < 500 ? &client : status < 600 ? &server : &other;
}

/* -- which form ----------------------------------------------------------------------------------------------- */

enum form { FORM_PLAIN, FORM_HTML, FORM_JSON };

/* A media type that asks for a form; of equals the earlier one here is taken. */
struct offer {
	enum form form;
	const char *media_type;
};

static const struct offer offers[] = {
	{ FORM_PLAIN, "text/plain" },
	{ FORM_HTML, "text/html" },
	{ FORM_JSON, "application/problem+json" },
	{ FORM_JSON, "application/json" },
};

/* Which member of an Accept value names this very type, counted from 0; the number of members when none does. */
static unsigned place_of(const char *accept, const char *media_type)
{
	size_t size = strlen(media_type), member_size;
	const char *member;
	unsigned place = 0;

	for (; rung_list_next(&accept, &member, &member_size); place++)
		if (strcspn(member, "; \t,") == size && strncasecmp(member, media_type, size) == 0)
			break;
	return place;
}

static enum form choose_form(const char *accept)
{
	enum form best = FORM_PLAIN;
	unsigned best_quality = 0, best_place = 0;

	if (!accept)
		return FORM_PLAIN;
	for (size_t i = 0; i < sizeof offers / sizeof *offers; i++) {
		unsigned quality = rung_accept_quality(accept, offers[i].media_type);
		unsigned place = place_of(accept, offers[i].media_type);

		if (quality > best_quality || (quality && quality == best_quality && place < best_place)) {
			best = offers[i].form;
			best_quality = quality;
			best_place = place;
		}
	}
	return best;
}

/* -- text ----------------------------------------------------------------------------------------------------- */

/* A page in the making. */
struct text {
	enum form form;
	struct rung_writer writer;
};

static void put(struct text *text, const char *bytes)
{
	rung_write(&text->writer, bytes);
}

/* Adds one printable ASCII character, escaped as the form needs it. */
static void put_char(struct text *text, char c)
{
	const char plain[] = { c, '\0' };

	if (text->form == FORM_HTML) {
		rung_write_html(&text->writer, plain);
		return;
	}
	if (text->form == FORM_JSON && (c == '"' || c == '\\'))
		put(text, "\\");
	put(text, plain);
}

/* Adds text of anybody's. Control bytes and bytes from 0x7f up are shown as \xHH, as in the log: so whatever they are,
 * the page is valid in its form and its charset. */
static void put_escaped(struct text *text, const char *bytes)
{
	static const char hex[] = "0123456789abcdef";

	for (; *bytes; bytes++) {
		unsigned char byte = (unsigned char)*bytes;

		if (byte >= 0x20 && byte < 0x7f) {
			put_char(text, *bytes);
			continue;
		}
		put_char(text, '\\');
		put_char(text, 'x');
		put_char(text, hex[byte >> 4]);
		put_char(text, hex[byte & 15]);
	}
}

static void put_number(struct text *text, int number)
{
	rung_writef(&text->writer, "%d", number);
}

/* -- the page ------------------------------------------------------------------------------------------------- */

static const char html_head[] =
	"<!doctype html>\n"
	"<html lang=\"en\">\n"
	"<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<meta name=\"color-scheme\" content=\"light dark\">\n"
	"<style>\n"
	":root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif }\n"
	"body { margin: 0; min-height: 100vh; display: grid; place-content: center }\n"
	"main { max-width: 40rem; padding: 2rem }\n"
	"h1 { margin: 0; font-size: 1.5rem }\n"
	"h1 span { display: block; font-size: 4rem; line-height: 1; opacity: .5 }\n"
	"dl { margin-top: 2rem; padding: 1rem; border: 1px solid; border-radius: .5rem }\n"
	"dt { font-size: .8rem; opacity: .7 }\n"
	"dd { margin: 0 0 .5rem; font-family: ui-monospace, monospace; overflow-wrap: anywhere }\n"
	"</style>\n";

/* One line of what is told in development. `number` is a line number, 0 when there is none. */
static void put_detail(struct text *text, const char *name, const char *value, int number)
{
	static const char *const before[] = { "\n", "<dt>", ",\"" };
	static const char *const between[] = { ": ", "</dt><dd>", "\":\"" };
	static const char *const after[] = { "", "</dd>\n", "\"" };

	put(text, before[text->form]);
	put(text, name);
	put(text, between[text->form]);
	put_escaped(text, value);
	if (number) {
		put(text, ":");
		put_number(text, number);
	}
	put(text, after[text->form]);
}

static void put_failure(struct text *text, const struct rung_failure *failure)
{
	const char *slash = failure->file ? strrchr(failure->file, '/') : NULL;

	put_detail(text, "detail", *failure->message ? failure->message : strerror(-failure->err), 0);
	if (*failure->layer)
		put_detail(text, "layer", failure->layer, 0);
	if (failure->file)
		put_detail(text, "where", slash ? slash + 1 : failure->file, failure->line);
}

static void put_html(struct text *text, int status, const struct rung_failure *failure)
{
	const struct meaning *meaning = meaning_of(status);

	put(text, html_head);
	put(text, "<title>");
	put_number(text, status);
	put(text, " ");
	put(text, meaning->reason);
	put(text, "</title>\n<main>\n<h1><span>");
	put_number(text, status);
	put(text, "</span> ");
	put(text, meaning->reason);
	put(text, "</h1>\n");
	if (meaning->sentence) {
		put(text, "<p>");
		put(text, meaning->sentence);
		put(text, "</p>\n");
	}
	if (failure) {
		put(text, "<dl>\n");
		put_failure(text, failure);
		put(text, "</dl>\n");
	}
	put(text, "</main>\n");
}

static void put_json(struct text *text, int status, const struct rung_failure *failure)
{
	put(text, "{\"type\":\"about:blank\",\"title\":\"");
	put(text, meaning_of(status)->reason);
	put(text, "\",\"status\":");
	put_number(text, status);
	if (failure)
		put_failure(text, failure);
	put(text, "}\n");
}

static void put_plain(struct text *text, int status, const struct rung_failure *failure)
{
	put_number(text, status);
	put(text, " ");
	put(text, meaning_of(status)->reason);
	if (failure)
		put_failure(text, failure);
	put(text, "\n");
}

static void put_page(struct text *text, int status, const struct rung_failure *failure)
{
	if (text->form == FORM_HTML)
		put_html(text, status, failure);
	else if (text->form == FORM_JSON)
		put_json(text, status, failure);
	else
		put_plain(text, status, failure);
}

/* -- the response --------------------------------------------------------------------------------------------- */

/* True for a response that is, or hands the server in front, a reproxy: its body comes from elsewhere. */
static bool is_reproxy(const struct rung_env *env, const struct rung_response *res)
{
	const char *announced = rung_uri_header(env);

	return rung_header_get(res, "X-Reproxied") || rung_header_get(res, "X-Reproxy-Url") ||
	       (announced && rung_header_get(res, announced));
}

static bool wants_page(const struct rung_env *env, const struct rung_response *res)
{
	return res->status >= 400 && res->kind == RUNG_BODY_EMPTY && !rung_header_get(res, "Content-Type") &&
	       !rung_header_get(res, "Content-Length") && !rung_header_get(res, "Content-Encoding") &&
	       !is_reproxy(env, res);
}

static bool varies_by_accept(const struct rung_response *res)
{
	const struct rung_field *field;

	for (size_t i = 0; (field = rung_header_at(res, i)); i++)
		if (rung_names_equal(field->name, "Vary") &&
			(rung_list_has(field->value, "Accept") || rung_list_has(field->value, "*")))
			return true;
	return false;
}

/* Puts the page's body and fields into a response. Failures stick there. */
static void fill(struct rung_env *env, struct rung_response *page, const struct rung_response *res)
{
	static const char *const types[] = {
		[FORM_PLAIN] = "text/plain; charset=utf-8",
		[FORM_HTML] = "text/html; charset=utf-8",
		[FORM_JSON] = "application/problem+json",
	};
	const struct rung_failure *failure = rung_is_development(env) ? rung_failure(env) : NULL;
	struct text text = { choose_form(rung_request_header(env, "Accept")), rung_writer(env) };

	put_page(&text, res->status, failure);
	page->pass = res->pass;
	rung_header_merge(page, res, NULL);
	rung_reply_written(page, res->status, types[text.form], &text.writer);
	rung_header_default(page, "Cache-Control", "no-store");
	if (!varies_by_accept(page))
		rung_header_add(page, "Vary", "Accept");
}

static int error_pages_call(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	struct rung_response *page = wants_page(env, res) ? rung_response_new(env) : NULL;
	if (!page)
		return 0;
	fill(env, page, res);
	if (page->error == 0 && page->kind != RUNG_BODY_EMPTY)
		rung_response_move(res, page);
	return 0;
}

static const struct rung_order error_pages_order[] = {
	{ .outside = "basic_auth", .why = "its refusals would have no page", .advice = true },
	{ .outside = "reproxy", .why = "its failures would have no page", .advice = true },
	{ 0 },
};

static const struct rung_app_class error_pages_class = {
	.size = sizeof(struct rung_app),
	.name = "error_pages",
	.flags = RUNG_LAYER,
	.call = error_pages_call,
	.order = error_pages_order,
};

struct rung_app *rung_error_pages_new(const struct rung_error_pages_options *given)
{
	struct rung_error_pages_options options;

	if (rung_options_copy("error_pages", &options, given, sizeof options) < 0)
		return NULL;
	return rung_app_new(&error_pages_class);
}
