/* request.c: the way of one request through a stack, the same for a socket and for the in-process client. */
#include "request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void rung_request_init(struct rung_request *request, struct rung_arena_pool *pool)
{
	struct rung_env *env = &request->env;

	rung_arena_init(&request->arena, pool);
	*env = (struct rung_env){
		.scheme = "http",
		.script_name = "",
		.request_ = request,
		.scope_ = &request->scope,
		.headers_ = &request->headers,
		.owns_headers_ = true,
	};
	rung_response_init(&request->store, env);
}

/* What nothing changes in the root view was set once; the rest here, field by field: a struct assigned whole is first
 * zeroed whole, which costs more than all of this. */
void rung_request_begin(struct rung_request *request, const struct rung_site *site)
{
	struct rung_env *env = &request->env;

	env->method = rung_method_get;
	env->host = env->query = "";
	env->path_info = "/";
	env->protocol = "HTTP/1.1";
	env->content_length = 0;
	env->headers_ = &request->headers;
	env->params_ = NULL;
	env->input_at_ = 0;
	env->owns_headers_ = true;
	env->is_plain_path_ = false;
	request->site = site;
	request->scope = (struct rung_scope){ 0 };
	request->headers = (struct rung_header_list){ request->first_fields, 0, RUNG_FIRST_FIELDS };
	request->responses = NULL;
	request->values = NULL;
	request->finish_hooks = request->response_hooks = NULL;
	request->input = "";
	request->input_size = 0;
	request->stream = NULL;
	request->body_limit = 0;
	request->find_peer = NULL;
	request->waker = NULL;
	atomic_store_explicit(&request->is_abandoned, false, memory_order_relaxed);
	request->uri_header = NULL;
	request->dispatches = 0;
	request->logged = false;
	request->failure.err = 0;
	rung_response_prepare(&request->store);
}

/* -- the request line -------------------------------------------------------------------------------------------- */

static struct rung_refusal refuse(int status, const char *reason)
{
	return (struct rung_refusal){ status, reason };
}

/* The Host that was found good last, by this thread: nearly every request of a client has the same one. */
static _Thread_local struct {
	char text[64];
	size_t size;
} good_host;

static RUNG_COLD bool check_authority(const char *text, size_t size)
{
	struct rung_slice host, port;

	if (rung_uri_parse_authority(text, size, &host, &port) < 0)
		return false;
	if (size < sizeof good_host.text) {
		memcpy(good_host.text, text, size);
		good_host.size = size;
	}
	return true;
}

static inline bool is_authority(const char *text, size_t size)
{
	return (size == good_host.size && rung_same_bytes(text, good_host.text, size)) ||
	       check_authority(text, size);
}

/* The fields that frame the message or say how it is to be taken; each at most once. */
struct framing {
	const struct rung_field *host, *length, *coding, *expect;
};

/* The place of a field that frames, or NULL. Sizes nearly always tell names apart. */
static const struct rung_field **place_of(struct framing *framing, const struct rung_field *field)
{
	switch (field->name_size) {
	case 4:
		return rung_same_letters(field->name, "Host", 4) ? &framing->host : NULL;
	case 6:
		return rung_same_letters(field->name, "Expect", 6) ? &framing->expect : NULL;
	case 14:
		return rung_same_letters(field->name, "Content-Length", 14) ? &framing->length : NULL;
	case 17:
		return rung_same_letters(field->name, "Transfer-Encoding", 17) ? &framing->coding : NULL;
	}
	return NULL;
}

static RUNG_COLD const char *name_twice(const struct rung_field *field)
{
	return field->name_size == 4    ? "more than one Host field"
	       : field->name_size == 6  ? "more than one Expect field"
	       : field->name_size == 14 ? "more than one Content-Length field"
					: "more than one Transfer-Encoding field";
}

/* Returns what is there twice, NULL for nothing. */
static const char *find_framing(const struct rung_header_list *list, struct framing *framing)
{
	*framing = (struct framing){ 0 };
	for (uint32_t i = 0; i < list->count; i++) {
		const struct rung_field **place = place_of(framing, &list->fields[i]);

		if (!place)
			continue;
		if (*place)
			return name_twice(*place);
		*place = &list->fields[i];
	}
	return NULL;
}

/*
 * What could be read in two ways, by us and by a server in front, is how one request is smuggled behind another: RFC 9112
 * sections 6.1 and 6.3; the one coding there is, section 7; RFC 9110 section 10.1.1 for Expect.
 */
static RUNG_COLD struct rung_refusal check_framing(const struct framing *framing, bool is_old)
{
	if (framing->coding && is_old)
		return refuse(400, "Transfer-Encoding in HTTP/1.0");
	if (framing->coding && framing->length)
		return refuse(400, "both Content-Length and Transfer-Encoding");
	if (framing->coding && !rung_names_equal(framing->coding->value, "chunked"))
		return refuse(501, "this server knows no transfer coding but chunked");
	if (framing->expect && !is_old && !rung_names_equal(framing->expect->value, "100-continue"))
		return refuse(417, "this server meets no expectation but 100-continue");
	return refuse(0, NULL);
}

/* RFC 9112 section 3.2: HTTP/1.1 has exactly one Host field, which may be empty. */
static struct rung_refusal check_fields(
	struct rung_request *request, const char *protocol, const struct rung_field **ret_host)
{
	struct framing framing;
	const char *twice = find_framing(&request->headers, &framing);
	bool is_old = protocol[7] == '0';

	if (twice)
		return refuse(400, twice);
	if (protocol[7] > '1')
		return refuse(505, "this server speaks HTTP/1.0 and HTTP/1.1");
	if (!framing.host && !is_old)
		return refuse(400, "no Host field");
	if (framing.host && framing.host->value_size &&
		!is_authority(framing.host->value, framing.host->value_size))
		return refuse(400, "the Host field is no host");
	request->length_field = framing.length;
	request->is_chunked = framing.coding != NULL;
	*ret_host = framing.host;
	if (framing.coding || framing.expect)
		return check_framing(&framing, is_old);
	return refuse(0, NULL);
}

/* Ends a part of the target with a NUL, over the delimiter behind it. A part that is no piece of the target, the "/"
 * of an absolute form without path, is a literal and has one. */
static const char *cut(const struct rung_raw_target *target, struct rung_slice part)
{
	uintptr_t offset = (uintptr_t)part.at - (uintptr_t)target->at;

	if (!part.at)
		return "";
	if (offset <= target->size && part.size <= target->size - offset)
		target->at[offset + part.size] = '\0';
	return part.at;
}

/* The forms that are not plain: absolute, authority, asterisk; and what is wrong. */
static RUNG_COLD struct rung_refusal take_odd_target(
	struct rung_request *request, const char *method, const struct rung_raw_target *target)
{
	struct rung_env *env = &request->env;
	struct rung_request_target parts;

	if (rung_target_parse(method, target->at, target->size, &parts) < 0)
		return refuse(400, "the request target is not valid");
	if (parts.form == RUNG_TARGET_AUTHORITY)
		return refuse(501, "this server is no tunnel");
	if (parts.form == RUNG_TARGET_ABSOLUTE) {
		/* Its authority overrides Host (section 3.2.2); no byte behind it is free for a NUL, so it is copied. */
		env->host = rung_arena_copy(&request->arena, parts.authority.at, parts.authority.size);
		if (!env->host)
			return refuse(503, "out of memory");
		if (!is_authority(env->host, parts.authority.size))
			return refuse(400, "the request target has no valid host");
	}
	env->query = cut(target, parts.query);
	env->path_info = cut(target, parts.path);
	return refuse(0, NULL);
}

const char rung_method_get[] = "GET", rung_method_head[] = "HEAD";

const char *rung_known_method(const char *method)
{
	static const char *const others[] = { rung_method_head, "POST", "PUT", "DELETE", "PATCH", "OPTIONS" };

	if (rung_is_get(method))
		return rung_method_get;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (rung_same_text(method, others[i]))
			return others[i];
	return NULL;
}

struct rung_refusal rung_request_line(struct rung_request *request, const char *method,
	const struct rung_raw_target *target, const char *protocol)
{
	struct rung_env *env = &request->env;
	const struct rung_field *host = NULL;
	struct rung_refusal refusal = check_fields(request, protocol, &host);
	const char *known = rung_is_get(method) ? rung_method_get : rung_known_method(method);

	env->method = known ? known : method;
	env->protocol = protocol;
	if (host)
		env->host = host->value;
	if (refusal.status)
		return refusal;
	if (!known && !rung_is_token(method, strlen(method)))
		return refuse(400, "the method is no token");
	if (!target->is_plain || (!known && strcmp(method, "CONNECT") == 0))
		return take_odd_target(request, method, target);
	if (target->path_size < target->size) {
		target->at[target->path_size] = '\0';
		env->query = target->at + target->path_size + 1;
	}
	env->path_info = target->at;
	env->is_plain_path_ = !target->has_escape;
	return refuse(0, NULL);
}

/* -- the chain --------------------------------------------------------------------------------------------------- */

void rung_request_input(struct rung_request *request, const char *bytes, size_t size)
{
	request->input = bytes;
	request->input_size = size;
	request->env.content_length = (int64_t)size;
}

/* Ends a request whose response may not be sent. */
static void give_up(struct rung_request *request, struct rung_response *res, int status)
{
	rung_response_clear(res);
	res->status = status;
	request->failure.layer = "server";
	rung_log_failure(&request->env, status);
}

/* A response that asks for a reproxy nobody did. With a reproxy layer in the stack its header is there on purpose. */
static bool is_unreproxied(const struct rung_request *request, const struct rung_response *res)
{
	return res->kind == RUNG_BODY_URI ||
	       (!request->uri_header && rung_list_find(res->headers_, "X-Reproxy-Url", 13));
}

static RUNG_COLD void refuse_unreproxied(struct rung_request *request, struct rung_response *res)
{
	const char *uri = rung_body_get_uri(res);

	rung_fail_at(&request->env, -ENOTSUP, NULL, 0,
		"the URI %s was given and no reproxy layer took it; put rung_reproxy() outside the app",
		uri ? uri : rung_header_get(res, "X-Reproxy-Url"));
	give_up(request, res, 500);
}

/* A hook's setter failed: the fields it meant are missing, so nothing of the response may go out. Or it set a status that is
 * none. */
static RUNG_COLD void refuse_hook(struct rung_request *request, struct rung_response *res)
{
	int err = res->error ? res->error : -EPROTO;

	if (!request->failure.err || request->logged)
		rung_fail_at(&request->env, err, NULL, 0, "a response hook failed: %s", strerror(-err));
	give_up(request, res, err == -ENOMEM ? 503 : 500);
}

static bool describes_body(const struct rung_field *field, const void *data)
{
	(void)data;
	return rung_name_is(field, "Content-Type", 12) || rung_name_is(field, "Content-Length", 14);
}

/* RFC 9110 section 6.4.1: 204 and 304 have no content; 205 is given none either (section 15.3.6). */
static bool has_no_content(int status)
{
	return status == 204 || status == 205 || status == 304;
}

static RUNG_COLD void strip_body(struct rung_response *res)
{
	rung_body_close(res);
	if (res->status != 304 && !res->exact_)
		rung_header_filter(res, describes_body, NULL);
}

struct rung_response *rung_request_run(struct rung_request *request)
{
	struct rung_response *res = &request->store.response;

	rung_call(request->site->app, &request->env, res);
	if (__builtin_expect(is_unreproxied(request, res), 0))
		refuse_unreproxied(request, res);
	for (struct rung_hook *hook = request->response_hooks; hook; hook = hook->next)
		hook->response(hook->env, res, hook->data);
	if (__builtin_expect(res->error != 0 || (unsigned)(res->status - 200) > 799u, 0))
		refuse_hook(request, res);
	if (__builtin_expect(has_no_content(res->status), 0) && !(res->exact_ && res->status == 205))
		strip_body(res);
	return res;
}

int64_t rung_response_length(const struct rung_response *res, bool is_head)
{
	const char *given =
		is_head && res->kind == RUNG_BODY_EMPTY ? rung_header_get(res, "Content-Length") : NULL;

	if (given) {
		char *end;
		long long length = strtoll(given, &end, 10);

		if (*end == '\0' && end != given && length >= 0)
			return length;
	}
	return rung_body_size(res);
}

static void close_responses(struct rung_request *request)
{
	rung_body_drop(&request->store.response);
	for (struct rung_response_store *store = request->responses; store; store = store->next)
		rung_body_drop(&store->response);
}

void rung_request_finish(struct rung_request *request, const struct rung_finish *finish)
{
	close_responses(request);
	for (struct rung_hook *hook = request->finish_hooks; hook; hook = hook->next)
		hook->finish(hook->env, finish, hook->data);
	for (struct rung_value *value = request->values; value; value = value->made_before)
		if (value->key->destroy)
			value->key->destroy(value->value);
}
