/* request.c: the way of one request through a stack, the same for a socket and for the in-process client. */
#include "request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void rung_request_begin(struct rung_request *request, const struct rung_site *site)
{
	struct rung_env *env = &request->env;

	*env = (struct rung_env){
		.method = "GET",
		.scheme = "http",
		.host = "",
		.script_name = "",
		.path_info = "/",
		.query = "",
		.protocol = "HTTP/1.1",
		.request_ = request,
		.scope_ = &request->scope,
		.headers_ = &request->headers,
		.owns_headers_ = true,
	};
	request->site = site;
	request->scope = (struct rung_scope){ 0 };
	request->headers = (struct rung_header_list){ request->first_fields, 0, RUNG_FIRST_FIELDS };
	request->responses = NULL;
	request->values = NULL;
	request->finish_hooks = request->response_hooks = NULL;
	request->input = "";
	request->input_size = 0;
	request->find_peer = NULL;
	request->uri_header = NULL;
	request->dispatches = 0;
	request->logged = false;
	request->failure.err = 0;
	rung_response_prepare(&request->store, env);
}

/* -- the request line --------------------------------------------------------------------------------------------- */

static struct rung_refusal refuse(int status, const char *reason)
{
	return (struct rung_refusal){ status, reason };
}

/* The Host that was found good last, by this thread: nearly every request of a client has the same one. */
static _Thread_local char good_host[64];

static bool is_authority(const char *text, size_t size)
{
	struct rung_slice host, port;

	if (size < sizeof good_host && memcmp(text, good_host, size + 1) == 0)
		return true;
	if (rung_uri_parse_authority(text, size, &host, &port) < 0)
		return false;
	if (size < sizeof good_host)
		memcpy(good_host, text, size + 1);
	return true;
}

/* One walk for the fields that every request needs. RFC 9112 section 3.2: HTTP/1.1 has exactly one Host field, which may
 * be empty. */
static struct rung_refusal check_fields(
	struct rung_request *request, const char *protocol, const struct rung_field **ret_host)
{
	const struct rung_header_list *list = &request->headers;
	const struct rung_field *host = NULL;

	request->length_field = NULL;
	for (uint32_t i = 0; i < list->count; i++) {
		if (rung_name_is(&list->fields[i], "Content-Length", 14))
			request->length_field = &list->fields[i];
		if (!rung_name_is(&list->fields[i], "Host", 4))
			continue;
		if (host)
			return refuse(400, "more than one Host field");
		host = &list->fields[i];
	}
	if (!host && strcmp(protocol, "HTTP/1.0") != 0)
		return refuse(400, "no Host field");
	if (host && host->value_size && !is_authority(host->value, host->value_size))
		return refuse(400, "the Host field is no host");
	*ret_host = host;
	return refuse(0, NULL);
}

/* Ends a part of the target with a NUL, over the delimiter behind it. A part that is no piece of the target, the "/"
 * of an absolute form without path, is a literal and has one. */
static const char *cut(char *target, size_t size, struct rung_slice part)
{
	uintptr_t offset = (uintptr_t)part.at - (uintptr_t)target;

	if (!part.at)
		return "";
	if (offset <= size && part.size <= size - offset)
		target[offset + part.size] = '\0';
	return part.at;
}

static struct rung_refusal take_target(
	struct rung_request *request, char *target, size_t size, const struct rung_request_target *parts)
{
	struct rung_env *env = &request->env;

	if (parts->form == RUNG_TARGET_AUTHORITY)
		return refuse(501, "this server is no tunnel");
	if (parts->form == RUNG_TARGET_ABSOLUTE) {
		/* Its authority overrides Host (section 3.2.2); no byte behind it is free for a NUL, so it is copied. */
		env->host = rung_arena_copy(&request->arena, parts->authority.at, parts->authority.size);
		if (!env->host)
			return refuse(503, "out of memory");
		if (!is_authority(env->host, parts->authority.size))
			return refuse(400, "the request target has no valid host");
	}
	env->query = cut(target, size, parts->query);
	env->path_info = cut(target, size, parts->path);
	return refuse(0, NULL);
}

static bool is_method(const char *method)
{
	/* Spares the most common one the walk. */
	return rung_same_text(method, "GET") || rung_is_token(method, strlen(method));
}

struct rung_refusal rung_request_line(struct rung_request *request, const char *method, char *target,
	size_t target_size, const char *protocol)
{
	struct rung_request_target parts;
	const struct rung_field *host = NULL;
	struct rung_refusal refusal = check_fields(request, protocol, &host);

	request->env.method = method;
	request->env.protocol = protocol;
	request->env.host = host ? host->value : "";
	if (refusal.status)
		return refusal;
	if (!is_method(method))
		return refuse(400, "the method is no token");
	if (rung_target_parse(method, target, target_size, &parts) < 0)
		return refuse(400, "the request target is not valid");
	return take_target(request, target, target_size, &parts);
}

/* -- the chain ------------------------------------------------------------------------------------------------------ */

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

static void refuse_unreproxied(struct rung_request *request, struct rung_response *res)
{
	const char *uri = rung_body_get_uri(res);

	rung_fail_at(&request->env, -ENOTSUP, NULL, 0,
		"the URI %s was given and no reproxy layer took it; put rung_reproxy() outside the app",
		uri ? uri : rung_header_get(res, "X-Reproxy-Url"));
	give_up(request, res, 500);
}

/* A hook's setter failed: the fields it meant are missing, so nothing of the response may go out. */
static void refuse_hook(struct rung_request *request, struct rung_response *res)
{
	int err = res->error;

	if (!request->failure.err || request->logged)
		rung_fail_at(&request->env, err, NULL, 0, "a response hook failed: %s", strerror(-err));
	give_up(request, res, err == -ENOMEM ? 503 : 500);
}

static bool describes_body(const struct rung_field *field, const void *data)
{
	(void)data;
	return rung_name_is(field, "Content-Type", 12) || rung_name_is(field, "Content-Length", 14);
}

/* RFC 9110 section 6.4.1: 1xx, 204 and 304 have no content; 205 is given none either (section 15.3.6). */
static void strip_forbidden_body(struct rung_response *res)
{
	if (res->status >= 200 && res->status != 204 && res->status != 205 && res->status != 304)
		return;
	rung_body_close(res);
	if (res->status != 304)
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
	if (__builtin_expect(res->error != 0, 0))
		refuse_hook(request, res);
	if (__builtin_expect(
		    res->status < 200 || res->status == 204 || res->status == 205 || res->status == 304, 0))
		strip_forbidden_body(res);
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
	rung_body_close(&request->store.response);
	for (struct rung_response_store *store = request->responses; store; store = store->next)
		rung_body_close(&store->response);
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
