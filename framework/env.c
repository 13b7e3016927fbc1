/* env.c: what an app reads of a request, and the request's memory, values and hooks. Views are in view.c. */
#include "request.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* -- reading -------------------------------------------------------------------------------------------------- */

const char *rung_request_header(const struct rung_env *env, const char *name)
{
	const struct rung_field *field = rung_list_find(env->headers_, name, strlen(name));

	return field ? field->value : NULL;
}

const struct rung_field *rung_request_field(const struct rung_env *env, size_t index)
{
	return index < env->headers_->count ? &env->headers_->fields[index] : NULL;
}

const char *rung_param(const struct rung_env *env, const char *name)
{
	for (const struct rung_param *param = env->params_; param; param = param->next)
		if (strcmp(param->name, name) == 0)
			return param->value;
	return NULL;
}

/* As inet_ntop(), which does it by sprintf(): 1,850 instructions, in each line of the access log. */
static void put_ipv4(const struct in_addr *address, char *text)
{
	const unsigned char *bytes = (const unsigned char *)address;

	for (size_t i = 0; i < sizeof *address; i++) {
		if (i)
			*text++ = '.';
		if (bytes[i] >= 100)
			*text++ = (char)('0' + bytes[i] / 100);
		if (bytes[i] >= 10)
			*text++ = (char)('0' + bytes[i] / 10 % 10);
		*text++ = (char)('0' + bytes[i] % 10);
	}
	*text = '\0';
}

const char *rung_remote_address(const struct rung_env *env)
{
	struct rung_request *request = env->request_;
	const struct sockaddr *peer = request->find_peer ? request->find_peer(request) : NULL;
	char text[INET6_ADDRSTRLEN] = "";

	if (!peer)
		return "";
	if (peer->sa_family == AF_UNIX)
		return "unix:";
	if (peer->sa_family == AF_INET)
		put_ipv4(&((const struct sockaddr_in *)(const void *)peer)->sin_addr, text);
	else if (peer->sa_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, text,
			sizeof text);
	const char *copy = rung_strndup(env, text, strlen(text));
	return copy ? copy : "";
}

bool rung_is_development(const struct rung_env *env)
{
	return env->request_->site->development;
}

bool rung_is_stopping(const struct rung_env *env)
{
	const atomic_bool *is_stopping = env->request_->site->is_stopping;

	return is_stopping && atomic_load_explicit(is_stopping, memory_order_acquire);
}

bool rung_is_abandoned(const struct rung_env *env)
{
	return atomic_load_explicit(&env->request_->is_abandoned, memory_order_relaxed);
}

const char *rung_uri_header(const struct rung_env *env)
{
	return env->request_->uri_header;
}

void rung_uri_header_set(struct rung_env *env, const char *name)
{
	env->request_->uri_header = name;
}

/* -- memory ----------------------------------------------------------------------------------------------------- */

void *rung_alloc(const struct rung_env *env, size_t size)
{
	return rung_arena_alloc(rung_arena_of(env), size);
}

char *rung_strndup(const struct rung_env *env, const char *text, size_t size)
{
	return rung_arena_copy(rung_arena_of(env), text, size);
}

char *rung_printf(const struct rung_env *env, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	int size = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (size < 0)
		return NULL;
	if ((size_t)size < sizeof text)
		return rung_strndup(env, text, (size_t)size);
	char *copy = rung_alloc(env, (size_t)size + 1);
	if (!copy)
		return NULL;
	va_start(arguments, format);
	vsnprintf(copy, (size_t)size + 1, format, arguments);
	va_end(arguments);
	return copy;
}

/* -- values ----------------------------------------------------------------------------------------------------- */

int rung_env_set(struct rung_env *env, const struct rung_key *key, void *value)
{
	struct rung_request *request = env->request_;
	struct rung_value *entry = rung_alloc(env, sizeof *entry);

	if (!entry) {
		if (key->destroy)
			key->destroy(value);
		return -ENOMEM;
	}
	*entry = (struct rung_value){ env->scope_->values, request->values, key, value };
	env->scope_->values = entry;
	request->values = entry;
	return 0;
}

void *rung_env_get(const struct rung_env *env, const struct rung_key *key)
{
	for (const struct rung_scope *scope = env->scope_; scope; scope = scope->outer)
		for (const struct rung_value *entry = scope->values; entry; entry = entry->next)
			if (entry->key == key)
				return entry->value;
	return NULL;
}

/* -- hooks ------------------------------------------------------------------------------------------------------ */

static struct rung_hook *push_hook(struct rung_env *env, struct rung_hook **list, void *data)
{
	struct rung_hook *hook = rung_alloc(env, sizeof *hook);

	if (!hook)
		return NULL;
	*hook = (struct rung_hook){ .next = *list, .env = env, .data = data };
	*list = hook;
	return hook;
}

int rung_on_finish(struct rung_env *env, rung_finish_fn run, void *data)
{
	struct rung_hook *hook = push_hook(env, &env->request_->finish_hooks, data);

	if (!hook)
		return -ENOMEM;
	hook->finish = run;
	return 0;
}

int rung_on_response(struct rung_env *env, rung_response_fn run, void *data)
{
	struct rung_hook *hook = push_hook(env, &env->request_->response_hooks, data);

	if (!hook)
		return -ENOMEM;
	hook->response = run;
	return 0;
}

/* -- failures --------------------------------------------------------------------------------------------------- */

int rung_fail_at(struct rung_env *env, int err, const char *file, int line, const char *format, ...)
{
	struct rung_request *request = env->request_;
	char text[2048];
	va_list arguments;

	va_start(arguments, format);
	int size = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	/* Of a message that finds no memory at least the number and the place remain. */
	const char *message = size < 0 ? NULL : rung_strndup(env, text, strlen(text));
	err = rung_nameable(err);
	request->failure = (struct rung_failure){
		.err = err, .message = message ? message : "", .layer = "", .file = file, .line = line
	};
	request->logged = false;
	return err;
}

const struct rung_failure *rung_failure(const struct rung_env *env)
{
	const struct rung_failure *failure = &env->request_->failure;

	return failure->err ? failure : NULL;
}
