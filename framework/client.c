/* client.c: the in-process client. It is a second caller of the contract that the server is the first of. */
#include "client_jar.h"
#include "request.h"
#include "wake_private.h"
#include <rung/client.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct rung_client {
	struct rung_app *app;
	struct rung_site site;
	char *host;
	const char *authorities[2];
	struct rung_jar *jar; /* NULL: none is kept */
	struct rung_arena_pool pool;
	struct rung_request request;
	struct rung_response *response; /* of the open request, NULL when none is open */
	bool is_head;
	int64_t sent;   /* bytes of body read so far */
	int64_t length; /* as announced; -1: unknown */
	struct rung_reply reply;
	char *body; /* of the reply; room grows and stays */
	size_t body_room;
	pthread_mutex_t lock;
	pthread_cond_t has_mail;
	struct rung_mail *mail; /* a wake that nobody has looked at yet */
};

/* -- making ------------------------------------------------------------------------------------------------------ */

static int start_stack(struct rung_client *client, const struct rung_client_options *options)
{
	struct rung_setup setup = { .size = sizeof setup };
	const char *host = options->host ? options->host : "localhost";

	if (options->setup && rung_options_copy("client", &setup, options->setup, sizeof setup) < 0)
		return -EINVAL;
	client->host = strdup(host);
	client->jar = options->no_cookies ? NULL : rung_jar_new();
	if (!client->host || (!client->jar && !options->no_cookies))
		return rung_refuse(-ENOMEM, "client: out of memory");
	client->authorities[0] = client->host;
	if (!setup.authorities)
		setup.authorities = client->authorities;
	client->site = rung_site_of(client->app, &setup);
	return rung_start(client->app, &setup);
}

static int init_wakes(struct rung_client *client)
{
	pthread_condattr_t attributes;

	/* Neither fails on Linux with what they are given here. */
	pthread_mutex_init(&client->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	int rc = pthread_cond_init(&client->has_mail, &attributes);
	pthread_condattr_destroy(&attributes);
	return rc == 0 ? 0 : rung_refuse(-rc, "client: %s", strerror(rc));
}

struct rung_client *rung_client_open(const struct rung_client_options *given)
{
	struct rung_client_options options;

	if (rung_options_copy("client", &options, given, sizeof options) < 0)
		return NULL;
	if (rung_take(options.app, "client") < 0)
		return NULL;
	struct rung_client *client = calloc(1, sizeof *client);
	if (!client) {
		rung_refuse(-ENOMEM, "client: out of memory");
		rung_drop(options.app);
		return NULL;
	}
	client->app = options.app;
	rung_request_init(&client->request, &client->pool);
	if (init_wakes(client) == 0 && start_stack(client, &options) == 0)
		return client;
	rung_drop(client->app);
	client->app = NULL;
	rung_client_destroy(client);
	return NULL;
}

/* -- wakes ------------------------------------------------------------------------------------------------------- */

static void take_wake(struct rung_request *request, struct rung_mail *mail)
{
	struct rung_client *client =
		(struct rung_client *)((char *)request - offsetof(struct rung_client, request));

	pthread_mutex_lock(&client->lock);
	client->mail = mail;
	pthread_cond_signal(&client->has_mail);
	pthread_mutex_unlock(&client->lock);
}

/* Returns true when there was one. */
static bool forget_wake(struct rung_client *client)
{
	pthread_mutex_lock(&client->lock);
	struct rung_mail *mail = client->mail;
	client->mail = NULL;
	pthread_mutex_unlock(&client->lock);
	if (mail)
		rung_waker_delivered(mail);
	return mail != NULL;
}

static struct timespec in_milliseconds(int timeout_ms)
{
	struct timespec when;

	clock_gettime(CLOCK_MONOTONIC, &when);
	when.tv_sec += timeout_ms / 1000;
	when.tv_nsec += timeout_ms % 1000 * 1000000L;
	when.tv_sec += when.tv_nsec / 1000000000;
	when.tv_nsec %= 1000000000;
	return when;
}

int rung_client_wait(struct rung_client *client, int timeout_ms)
{
	const struct timespec pause = { .tv_nsec = 1000 * 1000 };
	struct timespec until = in_milliseconds(timeout_ms < 0 ? 0 : timeout_ms);
	int rc = 0;

	if (!client->response)
		return 0;
	if (!client->request.waker) {
		nanosleep(&pause, NULL);
		return 0;
	}
	pthread_mutex_lock(&client->lock);
	while (!client->mail && rc == 0)
		rc = timeout_ms < 0 ? pthread_cond_wait(&client->has_mail, &client->lock)
				    : pthread_cond_timedwait(&client->has_mail, &client->lock, &until);
	pthread_mutex_unlock(&client->lock);
	return forget_wake(client) ? 0 : -rc;
}

/* -- the end --------------------------------------------------------------------------------------------------------- */

static void finish(struct rung_client *client, enum rung_outcome outcome)
{
	struct rung_finish how = { client->reply.status, client->sent, outcome };

	if (!client->response)
		return;
	rung_request_drop_waker(&client->request);
	forget_wake(client);
	client->response = NULL;
	client->reply.outcome = outcome;
	rung_request_finish(&client->request, &how);
}

void rung_client_abort(struct rung_client *client)
{
	finish(client, RUNG_ABORTED);
}

void rung_client_destroy(struct rung_client *client)
{
	if (!client)
		return;
	rung_client_abort(client);
	rung_arena_finish(&client->request.arena);
	rung_arena_pool_finish(&client->pool);
	rung_stop(client->app);
	rung_drop(client->app);
	rung_jar_destroy(client->jar);
	pthread_cond_destroy(&client->has_mail);
	pthread_mutex_destroy(&client->lock);
	free(client->host);
	free(client->body);
	free(client);
}

/* -- the request ------------------------------------------------------------------------------------------------- */

static int add_field(struct rung_client *client, const char *name, const char *value)
{
	struct rung_arena *arena = &client->request.arena;
	size_t name_size = strlen(name), value_size = strlen(value);
	const char *name_copy = rung_arena_copy(arena, name, name_size);
	const char *value_copy = rung_arena_copy(arena, value, value_size);

	if (!name_copy || !value_copy)
		return -ENOMEM;
	return rung_request_add_field(&client->request, name_copy, name_size, value_copy, value_size);
}

static bool has_field(const struct rung_client *client, const char *name)
{
	return rung_list_find(&client->request.headers, name, strlen(name)) != NULL;
}

static int add_cookies(struct rung_client *client, const char *target)
{
	char *cookies;

	if (!client->jar || rung_jar_is_empty(client->jar) || has_field(client, "Cookie"))
		return 0;
	int rc = rung_jar_header(client->jar, &client->request.arena, target, &cookies);
	return rc == 0 && cookies
		       ? rung_request_add_field(&client->request, "Cookie", 6, cookies, strlen(cookies))
		       : rc;
}

static int add_fields(struct rung_client *client, const struct rung_client_request *given)
{
	int rc = 0;

	for (const struct rung_field *field = given->headers; field && field->name && rc == 0; field++)
		rc = add_field(client, field->name, field->value ? field->value : "");
	if (rc == 0 && !has_field(client, "Host"))
		rc = rung_request_add_field(&client->request, "Host", 4, client->host, strlen(client->host));
	return rc == 0 ? add_cookies(client, given->target) : rc;
}

static int add_type(struct rung_client *client, const struct rung_client_request *given)
{
	const char *type = given->content_type ? given->content_type
			   : given->form       ? "application/x-www-form-urlencoded"
					       : NULL;

	return type && !has_field(client, "Content-Type") ? add_field(client, "Content-Type", type) : 0;
}

static int add_body(struct rung_client *client, const struct rung_client_request *given)
{
	const char *body = given->form ? given->form : given->body;
	size_t size = body && (given->form || !given->body_size) ? strlen(body) : given->body_size;
	char length[32];
	int rc = add_type(client, given);

	if (!body || rc < 0)
		return rc;
	const char *copy = rung_arena_copy(&client->request.arena, body, size);
	if (!copy)
		return -ENOMEM;
	rung_request_input(&client->request, copy, size);
	snprintf(length, sizeof length, "%zu", size);
	if (has_field(client, "Content-Length") || has_field(client, "Transfer-Encoding"))
		return 0;
	return add_field(client, "Content-Length", length);
}

static struct rung_refusal make_request(struct rung_client *client, const struct rung_client_request *given)
{
	struct rung_arena *arena = &client->request.arena;
	const char *target = given->target ? given->target : "/";
	const char *method = given->method ? given->method : "GET";
	struct rung_raw_target raw;

	rung_request_begin(&client->request, &client->site);
	client->request.wake = take_wake;
	char *target_copy = rung_arena_copy(arena, target, strlen(target));
	char *method_copy = rung_arena_copy(arena, method, strlen(method));
	if (!target_copy || !method_copy || add_fields(client, given) < 0 || add_body(client, given) < 0)
		return (struct rung_refusal){ 503, "out of memory" };
	rung_target_scan(target_copy, &raw);
	return rung_request_line(&client->request, method_copy, &raw, "HTTP/1.1");
}

/* -- the answer -------------------------------------------------------------------------------------------------- */

static void note_cookies(struct rung_client *client)
{
	const struct rung_header_list *list = &client->request.store.headers;

	for (uint32_t i = 0; client->jar && i < list->count; i++)
		if (rung_name_is(&list->fields[i], "Set-Cookie", 10))
			rung_jar_note(client->jar, list->fields[i].value, client->request.env.path_info);
}

/* Announces the length as the server does: it is the body's, whatever the app wrote. */
static void set_length(struct rung_client *client, struct rung_response *res)
{
	bool bare = res->status == 204 || (res->status == 304 && !rung_header_get(res, "Content-Length"));

	client->is_head = client->is_head || res->status == 304;
	client->length = rung_response_length(res, client->is_head);
	if (bare || client->length < 0)
		rung_header_remove(res, "Content-Length");
	else /* stays where the app put it */
		rung_headerf(res, "Content-Length", "%lld", (long long)client->length);
}

static const struct rung_reply *refused(struct rung_client *client, struct rung_refusal refusal)
{
	client->reply =
		(struct rung_reply){ .status = refusal.status, .body = refusal.reason, .client_ = client };
	client->reply.size = strlen(refusal.reason);
	return &client->reply;
}

const struct rung_reply *rung_client_start(
	struct rung_client *client, const struct rung_client_request *given)
{
	struct rung_client_request copy;

	rung_client_abort(client);
	rung_arena_reset(&client->request.arena);
	if (rung_options_copy("client", &copy, given, sizeof copy) < 0)
		return refused(client, (struct rung_refusal){ 400, rung_error() });
	struct rung_refusal refusal = make_request(client, &copy);
	if (refusal.status)
		return refused(client, refusal);
	client->is_head = rung_is_head(&client->request);
	client->sent = 0;
	rung_must_not_wait = true;
	client->response = rung_request_run(&client->request);
	rung_must_not_wait = false;
	note_cookies(client);
	set_length(client, client->response);
	client->reply =
		(struct rung_reply){ .status = client->response->status, .body = "", .client_ = client };
	return &client->reply;
}

ssize_t rung_client_read(struct rung_client *client, void *buffer, size_t max)
{
	struct rung_response *res = client->response;
	ssize_t n = 0;

	if (!res)
		return 0;
	if (client->length >= 0 && (int64_t)max > client->length - client->sent)
		max = (size_t)(client->length - client->sent);
	if (!client->is_head && max)
		n = rung_body_read(res, client->sent, buffer, max);
	if (n > 0)
		client->sent += n;
	bool is_short = n == 0 && !client->is_head && client->length > client->sent;
	if (is_short || (n < 0 && n != -EAGAIN))
		rung_log_broken_body(&client->request.env, n, client->sent);
	if (is_short)
		n = -EIO;
	if (n <= 0 && n != -EAGAIN)
		finish(client, n == 0 ? RUNG_SENT : RUNG_BROKEN);
	return n;
}

static int grow_body(struct rung_client *client)
{
	size_t room = client->body_room ? client->body_room * 2 : 4096;
	char *body = realloc(client->body, room);

	if (!body)
		return -ENOMEM;
	client->body = body;
	client->body_room = room;
	return 0;
}

static void read_all(struct rung_client *client)
{
	size_t size = 0;

	while (client->response) {
		if (size + 1 >= client->body_room && grow_body(client) < 0) {
			rung_client_abort(client);
			client->reply.status = 503;
			break;
		}
		ssize_t n = rung_client_read(client, client->body + size, client->body_room - size - 1);
		if (n == -EAGAIN)
			rung_client_wait(client, -1);
		else if (n > 0)
			size += (size_t)n;
	}
	if (client->body) {
		client->body[size] = '\0';
		client->reply.body = client->body;
		client->reply.size = size;
	}
}

const struct rung_reply *rung_client_request(
	struct rung_client *client, const struct rung_client_request *request)
{
	const struct rung_reply *reply = rung_client_start(client, request);

	if (client->response)
		read_all(client);
	return reply;
}

const struct rung_reply *rung_client_get(struct rung_client *client, const char *target)
{
	return rung_client_send(client, "GET", target);
}

/* -- reading the reply ------------------------------------------------------------------------------------------- */

const struct rung_field *rung_reply_field(const struct rung_reply *reply, size_t index)
{
	const struct rung_header_list *list = &reply->client_->request.store.headers;

	return index < list->count ? &list->fields[index] : NULL;
}

const char *rung_reply_header(const struct rung_reply *reply, const char *name)
{
	const struct rung_field *field =
		rung_list_find(&reply->client_->request.store.headers, name, strlen(name));

	return field ? field->value : NULL;
}

const char *rung_client_cookie(const struct rung_client *client, const char *name)
{
	return client->jar ? rung_jar_find(client->jar, name) : NULL;
}

void rung_client_forget_cookies(struct rung_client *client)
{
	if (client->jar)
		rung_jar_forget(client->jar);
}
