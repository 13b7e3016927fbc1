/* request.c: what is sent to the backend: its fields, its target, its body, and how libcurl is told. */
#include "../../framework/request.h"
#include "upstream_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* -- which fields ------------------------------------------------------------------------------------------------------ */

struct known_name {
	const char *name;
	uint32_t size;
};

#define NAME(text)                     \
	{                              \
		text, sizeof(text) - 1 \
	}

static bool is_one_of(const struct rung_field *field, const struct known_name *names)
{
	for (; names->name; names++)
		if (names->size == field->name_size && rung_names_equal(field->name, names->name))
			return true;
	return false;
}

bool rung_upstream_is_hop_by_hop(const struct rung_field *field)
{
	static const struct known_name names[] = { NAME("Connection"), NAME("Keep-Alive"),
		NAME("Proxy-Connection"), NAME("Proxy-Authenticate"), NAME("Proxy-Authorization"),
		NAME("Proxy-Authentication-Info"), NAME("TE"), NAME("Trailer"), NAME("Transfer-Encoding"),
		NAME("Upgrade"), NAME("HTTP2-Settings"), { NULL, 0 } };

	return is_one_of(field, names);
}

/* What libcurl writes itself, or what was for us: the client's expectation is met by the server. */
static bool is_ours(const struct rung_field *field)
{
	static const struct known_name names[] = { NAME("Host"), NAME("Content-Length"), NAME("Expect"),
		{ NULL, 0 } };

	return is_one_of(field, names);
}

/* Some backends take "_" for "-". */
static bool begins_like(const char *name, const char *prefix)
{
	for (; *prefix; name++, prefix++) {
		char letter = *name == '_'                   ? '-'
			      : *name >= 'A' && *name <= 'Z' ? (char)(*name | 0x20)
							     : *name;

		if (letter != *prefix)
			return false;
	}
	return true;
}

/* What servers in front tell of the client. */
static bool tells_of_client(const struct rung_field *field)
{
	static const struct known_name names[] = { NAME("Forwarded"), { NULL, 0 } };

	return is_one_of(field, names) || begins_like(field->name, "x-forwarded-") ||
	       (field->name_size == 9 && begins_like(field->name, "x-real-ip"));
}

static bool is_named_by_connection(const struct rung_env *env, const char *name)
{
	const struct rung_field *field;

	for (size_t i = 0; (field = rung_request_field(env, i)); i++)
		if (field->name_size == 10 && rung_names_equal(field->name, "Connection") &&
			rung_list_has(field->value, name))
			return true;
	return false;
}

/* -- the list of them -------------------------------------------------------------------------------------------------- */

/* libcurl's list, in the request's memory: its own functions would take memory for every part. */
struct list {
	const struct rung_env *env;
	struct curl_slist *first, **end;
	bool is_lost;
};

/* "Name;" is how libcurl is told of a field with an empty value, and "Name:" of one that it shall not send. */
static void add(struct list *list, const char *name, size_t name_size, const char *value, size_t value_size)
{
	struct curl_slist *entry = rung_alloc(list->env, sizeof *entry + name_size + value_size + 3);

	if (!entry) {
		list->is_lost = true;
		return;
	}
	char *at = entry->data = (char *)(entry + 1);
	memcpy(at, name, name_size);
	at += name_size;
	if (value_size) {
		*at++ = ':';
		*at++ = ' ';
		memcpy(at, value, value_size);
		at += value_size;
	} else {
		*at++ = ';';
	}
	*at = '\0';
	entry->next = NULL;
	*list->end = entry;
	list->end = &entry->next;
}

static void add_text(struct list *list, const char *name, const char *value)
{
	if (value)
		add(list, name, strlen(name), value, strlen(value));
	else
		list->is_lost = true;
}

static void leave_out(struct list *list, struct curl_slist *entry)
{
	entry->next = NULL;
	*list->end = entry;
	list->end = &entry->next;
}

/* All values of a name that the client's side sent, as one list, with one more behind. */
static const char *add_to_list(const struct rung_env *env, const char *name, const char *more)
{
	const struct rung_field *field;
	const char *text = NULL;

	for (size_t i = 0; (field = rung_request_field(env, i)); i++) {
		if (!rung_names_equal(field->name, name) || !field->value_size)
			continue;
		text = text ? rung_printf(env, "%s, %s", text, field->value) : field->value;
		if (!text)
			return NULL;
	}
	return text ? rung_printf(env, "%s, %s", text, more) : more;
}

/* RFC 7239 section 4; an address with colons stands in brackets, and that in quotes. */
static const char *element(const struct rung_env *root, const char *address)
{
	const char *open = strchr(address, ':') ? "\"[" : "", *close = *open ? "]\"" : "";
	const char *who = *address ? address : "unknown";

	if (!*root->host)
		return rung_printf(root, "for=%s%s%s;proto=%s", open, who, close, root->scheme);
	return rung_printf(
		root, "for=%s%s%s;host=\"%s\";proto=%s", open, who, close, root->host, root->scheme);
}

/* The client's own view tells how it asked, whatever was made of that since. */
static void add_forwarded(struct list *list, const struct rung_env *env, bool is_trusted)
{
	const struct rung_env *root = env;

	while (root->outer)
		root = root->outer;
	const char *address = rung_remote_address(root);
	if (strcmp(address, "unix:") == 0)
		address = "";
	const char *shown = *address ? address : "unknown";
	const char *forwarded = element(root, address);
	const char *host = is_trusted ? rung_request_header(env, "X-Forwarded-Host") : NULL;
	const char *proto = is_trusted ? rung_request_header(env, "X-Forwarded-Proto") : NULL;
	if (!forwarded) {
		list->is_lost = true;
		return;
	}
	add_text(list, "Forwarded", is_trusted ? add_to_list(env, "Forwarded", forwarded) : forwarded);
	add_text(list, "X-Forwarded-For", is_trusted ? add_to_list(env, "X-Forwarded-For", shown) : shown);
	add_text(list, "X-Forwarded-Proto", proto ? proto : root->scheme);
	if (host || *root->host)
		add_text(list, "X-Forwarded-Host", host ? host : root->host);
}

/* The rest of those fields is passed on where they are trusted. */
static bool is_told_anew(const struct rung_field *field)
{
	static const struct known_name names[] = { NAME("Forwarded"), NAME("X-Forwarded-For"),
		NAME("X-Forwarded-Proto"), NAME("X-Forwarded-Host"), { NULL, 0 } };

	return is_one_of(field, names);
}

static bool is_passed_on(const struct upstream *upstream, const struct rung_env *env,
	const struct rung_field *field, bool has_connection)
{
	if (rung_upstream_is_hop_by_hop(field) || is_ours(field))
		return false;
	if (tells_of_client(field) &&
		(!upstream->trust_forwarded || (!upstream->no_forwarded && is_told_anew(field))))
		return false;
	return !has_connection || !is_named_by_connection(env, field->name);
}

static int set_fields(struct transfer *transfer, struct rung_env *env)
{
	static char no_accept[] = "Accept:", no_expect[] = "Expect:";
	const struct upstream *upstream = transfer->upstream;
	struct list list = { .env = env };
	const struct rung_field *field;
	bool has_connection = rung_request_header(env, "Connection") != NULL, has_accept = false;

	list.end = &list.first;
	if (upstream->pass_host && *env->host)
		add_text(&list, "Host", env->host);
	for (size_t i = 0; (field = rung_request_field(env, i)); i++) {
		if (!is_passed_on(upstream, env, field, has_connection))
			continue;
		/* A server has seen to both; other callers may not have. */
		if (!rung_is_token(field->name, field->name_size) ||
			!rung_is_field_value(field->value, field->value_size))
			return rung_fail(env, -EBADMSG, "upstream: a field of the request is none");
		has_accept = has_accept || rung_names_equal(field->name, "Accept");
		add(&list, field->name, field->name_size, field->value, field->value_size);
	}
	if (!upstream->no_forwarded)
		add_forwarded(&list, env, upstream->trust_forwarded);
	struct curl_slist *entries = rung_alloc(env, 2 * sizeof *entries);
	if (!entries || list.is_lost)
		return -ENOMEM;
	entries[0].data = no_accept;
	entries[1].data = no_expect;
	leave_out(&list, &entries[1]);
	if (!has_accept)
		leave_out(&list, &entries[0]);
	return curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, list.first) ? -ENOMEM : 0;
}

/* -- the target ---------------------------------------------------------------------------------------------------------- */

/* "..", as itself or escaped, also with parameters ("..;x"): the backend may take it for a step up, out of the place that this app answers for. */
static bool has_step_up(const char *path)
{
	while (*path) {
		size_t size = strcspn(path, "/"), name = strcspn(path, "/;"), dots = 0;

		for (size_t i = 0; i < name; dots++) {
			if (path[i] == '.')
				i++;
			else if (strncasecmp(path + i, "%2e", 3) == 0)
				i += 3;
			else {
				dots = 0;
				break;
			}
		}
		if (dots == 2)
			return true;
		path += size;
		path += *path == '/';
	}
	return false;
}

static int set_target(struct transfer *transfer, struct rung_env *env)
{
	const struct upstream *upstream = transfer->upstream;
	const char *front = upstream->origins.path ? upstream->origins.path : env->script_name;
	const char *rest = *env->path_info ? env->path_info : upstream->origins.path || !*front ? "/" : "";
	const char *target = rest;

	if (*front && has_step_up(rest))
		return rung_fail(env, -EBADMSG, "upstream: the path has \"..\" below %s", front);
	if (*front || *env->query)
		target = rung_printf(env, "%s%s%s%s", front, rest, *env->query ? "?" : "", env->query);
	if (!target)
		return -ENOMEM;
	return curl_easy_setopt(transfer->easy, CURLOPT_REQUEST_TARGET, target) ? -ENOMEM : 0;
}

int rung_upstream_request_aim(struct transfer *transfer)
{
	struct origin *origin = transfer->origin;

	if (!origin) {
		transfer->set_origin = NULL;
		return curl_easy_setopt(transfer->easy, CURLOPT_URL, transfer->url) ? -ENOMEM : 0;
	}
	if (origin == transfer->set_origin)
		return 0;
	transfer->set_origin = NULL;
	if (curl_easy_setopt(transfer->easy, CURLOPT_URL, origin->url) ||
		curl_easy_setopt(transfer->easy, CURLOPT_UNIX_SOCKET_PATH, origin->local))
		return -ENOMEM;
	transfer->set_origin = origin;
	return 0;
}

/* -- method and body ------------------------------------------------------------------------------------------------------- */

static bool is_any(const char *method, const char *const *methods)
{
	for (; *methods; methods++)
		if (strcmp(method, *methods) == 0)
			return true;
	return false;
}

static int set_mode(struct transfer *transfer, enum transfer_mode mode)
{
	CURL *easy = transfer->easy;
	CURLcode code = CURLE_OK;

	if (mode == transfer->mode)
		return 0;
	code = curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	if (!code && mode == UPSTREAM_HEAD)
		code = curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	if (!code && mode == UPSTREAM_BODY)
		code = curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	transfer->mode = mode;
	return code ? -ENOMEM : 0;
}

static int set_method(struct transfer *transfer, const char *method, enum transfer_mode mode)
{
	bool is_usual = (mode == UPSTREAM_BARE && strcmp(method, "GET") == 0) || mode == UPSTREAM_HEAD;
	const char *wanted = is_usual ? "" : method;
	size_t size = strlen(wanted);

	if (set_mode(transfer, mode) < 0)
		return -ENOMEM;
	if (size < UPSTREAM_METHOD && strcmp(wanted, transfer->set_method) == 0)
		return 0;
	if (curl_easy_setopt(transfer->easy, CURLOPT_CUSTOMREQUEST, is_usual ? NULL : method))
		return -ENOMEM;
	/* What is too long to be remembered is no method. */
	snprintf(transfer->set_method, sizeof transfer->set_method, "%s",
		size < UPSTREAM_METHOD ? wanted : " ");
	return 0;
}

static int set_body(struct transfer *transfer, struct rung_env *env)
{
	size_t size = 0;

	transfer->body_size = env->content_length;
	transfer->streams_input = env->request_->stream != NULL;
	if (!transfer->streams_input) {
		transfer->body = rung_input_bytes(env, &size);
		if (!transfer->body)
			return rung_failure(env) ? rung_failure(env)->err : -EIO;
		transfer->body_size = (int64_t)size;
	} else {
		char *room = rung_alloc(env, UPSTREAM_INPUT);

		if (!room)
			return -ENOMEM;
		transfer->input = (struct rung_ring){ .at = room, .room = UPSTREAM_INPUT };
	}
	return curl_easy_setopt(transfer->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)transfer->body_size)
		       ? -ENOMEM
		       : 0;
}

int rung_upstream_request_set(struct transfer *transfer, struct rung_env *env)
{
	static const char *const with_body[] = { "POST", "PUT", "PATCH", NULL };
	static const char *const repeatable[] = { "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", NULL };
	bool has_body = env->content_length != 0 || is_any(env->method, with_body);
	enum transfer_mode mode = strcmp(env->method, "HEAD") == 0 ? UPSTREAM_HEAD
				  : has_body                       ? UPSTREAM_BODY
								   : UPSTREAM_BARE;
	int rc = set_method(transfer, env->method, mode);

	transfer->env = env;
	transfer->is_repeatable = is_any(env->method, repeatable);
	if (rc == 0 && mode == UPSTREAM_BODY)
		rc = set_body(transfer, env);
	if (rc == 0)
		rc = set_fields(transfer, env);
	if (rc == 0)
		rc = set_target(transfer, env);
	if (rc == 0)
		rc = rung_upstream_request_aim(transfer);
	/* Without a body nothing tells libcurl not to repeat it, when a kept connection turns out to be dead. */
	bool is_fresh = !transfer->is_repeatable && !transfer->body_size;
	if (rc == 0 && is_fresh != transfer->is_fresh) {
		rc = curl_easy_setopt(transfer->easy, CURLOPT_FRESH_CONNECT, is_fresh ? 1L : 0L) ? -ENOMEM
												 : 0;
		transfer->is_fresh = is_fresh;
	}
	return rc;
}
