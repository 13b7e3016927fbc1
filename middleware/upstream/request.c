/* request.c: what is sent to the backend: its target, its fields, its body. */
#include "../../framework/request.h"
#include "upstream_private.h"
#include <rung/writer.h>

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

/* What is told anew, or what was for us: the client's expectation is met by the server. */
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

/* -- the head ------------------------------------------------------------------------------------------------------------ */

/* Whatever wrote them: nothing of a field may end its line. A server has seen to that for a client's; other callers may not have. */
static void add(
	struct rung_writer *head, const char *name, size_t name_size, const char *value, size_t value_size)
{
	if (!rung_is_token(name, name_size) || !rung_is_field_value(value, value_size)) {
		head->error = head->error ? head->error : -EBADMSG;
		return;
	}
	rung_write_bytes(head, name, name_size);
	rung_write_bytes(head, ": ", value_size ? 2 : 1);
	rung_write_bytes(head, value, value_size);
	rung_write_bytes(head, "\r\n", 2);
}

/* NULL: there was no memory for it. */
static void add_text(struct rung_writer *head, const char *name, const char *value)
{
	if (value)
		add(head, name, strlen(name), value, strlen(value));
	else if (!head->error)
		head->error = -ENOMEM;
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
static void add_forwarded(struct rung_writer *head, const struct rung_env *env, bool is_trusted)
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
	add_text(head, "Forwarded",
		is_trusted && forwarded ? add_to_list(env, "Forwarded", forwarded) : forwarded);
	add_text(head, "X-Forwarded-For", is_trusted ? add_to_list(env, "X-Forwarded-For", shown) : shown);
	add_text(head, "X-Forwarded-Proto", proto ? proto : root->scheme);
	if (host || *root->host)
		add_text(head, "X-Forwarded-Host", host ? host : root->host);
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

static void add_fields(struct rung_writer *head, const struct transfer *transfer, const struct rung_env *env)
{
	const struct upstream *upstream = transfer->upstream;
	const struct rung_field *field;
	bool has_connection = rung_request_header(env, "Connection") != NULL;

	for (size_t i = 0; (field = rung_request_field(env, i)); i++)
		if (is_passed_on(upstream, env, field, has_connection))
			add(head, field->name, field->name_size, field->value, field->value_size);
	if (!upstream->no_forwarded)
		add_forwarded(head, env, upstream->trust_forwarded);
}

static struct iovec part_of(const char *text, size_t size)
{
	return (struct iovec){ (char *)(uintptr_t)text, size };
}

/* What stands behind Host's value. */
static int set_fields(struct transfer *transfer, struct rung_env *env, int64_t body_size)
{
	struct rung_writer head = rung_writer(env);

	rung_write(&head, "\r\n");
	if (body_size >= 0)
		rung_writef(&head, "Content-Length: %lld\r\n", (long long)body_size);
	else if (transfer->is_chunked_input)
		rung_write(&head, "Transfer-Encoding: chunked\r\n");
	add_fields(&head, transfer, env);
	rung_write(&head, "\r\n");
	if (head.error == -EBADMSG)
		return rung_fail(env, -EBADMSG, "upstream: a field of the request is none");
	transfer->parts[2] = part_of(head.text, head.size);
	return head.error;
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

static bool is_target(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || *text == 0x7f)
			return false;
	return true;
}

/* What stands before Host's value. */
static int set_line(struct transfer *transfer, struct rung_env *env)
{
	const struct upstream *upstream = transfer->upstream;
	const char *front = upstream->origins.path ? upstream->origins.path : env->script_name;
	const char *rest = *env->path_info ? env->path_info : upstream->origins.path || !*front ? "/" : "";
	struct rung_writer line = rung_writer(env);

	if (*front && has_step_up(rest))
		return rung_fail(env, -EBADMSG, "upstream: the path has \"..\" below %s", front);
	if (!rung_is_token(env->method, strlen(env->method)) || !is_target(front) || !is_target(rest) ||
		!is_target(env->query))
		return rung_fail(env, -EBADMSG, "upstream: the request's method or target is none");
	rung_write(&line, env->method);
	rung_write(&line, " ");
	rung_write(&line, front);
	rung_write(&line, rest);
	if (*env->query)
		rung_write(&line, "?");
	rung_write(&line, env->query);
	rung_write(&line, " HTTP/1.1\r\nHost: ");
	transfer->parts[0] = part_of(line.text, line.size);
	return line.error;
}

void rung_upstream_request_aim(struct transfer *transfer)
{
	const char *host = transfer->host ? transfer->host : transfer->origin->host;

	transfer->parts[1] = part_of(host, strlen(host));
}

/* -- method and body ------------------------------------------------------------------------------------------------------- */

static bool is_any(const char *method, const char *const *methods)
{
	for (; *methods; methods++)
		if (strcmp(method, *methods) == 0)
			return true;
	return false;
}

static int set_body(struct transfer *transfer, struct rung_env *env, int64_t *ret_size)
{
	size_t size = 0;

	*ret_size = env->content_length;
	transfer->streams_input = env->request_->stream != NULL;
	if (!transfer->streams_input) {
		const char *body = rung_input_bytes(env, &size);

		if (!body)
			return rung_failure(env) ? rung_failure(env)->err : -EIO;
		transfer->parts[3] = part_of(body, size);
		*ret_size = (int64_t)size;
		return 0;
	}
	char *room = rung_alloc(env, UPSTREAM_INPUT);
	transfer->piece = rung_alloc(env, UPSTREAM_FRONT + UPSTREAM_PIECE + UPSTREAM_BACK);
	if (!room || !transfer->piece)
		return -ENOMEM;
	transfer->input = (struct rung_ring){ .at = room, .room = UPSTREAM_INPUT };
	transfer->is_chunked_input = *ret_size < 0;
	return 0;
}

static int set_host(struct transfer *transfer, struct rung_env *env)
{
	if (transfer->upstream->pass_host && *env->host)
		transfer->host = env->host;
	if (transfer->host && !rung_is_field_value(transfer->host, strlen(transfer->host)))
		return rung_fail(env, -EBADMSG, "upstream: the request's Host is none");
	return 0;
}

int rung_upstream_request_set(struct transfer *transfer, struct rung_env *env)
{
	static const char *const with_body[] = { "POST", "PUT", "PATCH", NULL };
	static const char *const repeatable[] = { "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", NULL };
	bool has_body = env->content_length != 0 || is_any(env->method, with_body);
	int64_t body_size = -1;
	int rc = 0;

	transfer->env = env;
	transfer->is_head = strcmp(env->method, "HEAD") == 0;
	transfer->is_repeatable = is_any(env->method, repeatable);
	if (has_body && !transfer->is_head)
		rc = set_body(transfer, env, &body_size);
	if (rc == 0)
		rc = set_host(transfer, env);
	if (rc == 0)
		rc = set_line(transfer, env);
	return rc == 0 ? set_fields(transfer, env, body_size) : rc;
}
