/* view.c: the same request seen otherwise, and redispatch: child views that share the request and own what differs. */
#include "request.h"

#include <errno.h>
#include <string.h>

/* The copy stands inside the original; it borrows the header list until it changes it. */
struct rung_env *rung_env_copy(struct rung_env *env)
{
	struct rung_env *copy = rung_arena_alloc(rung_arena_of(env), sizeof *copy);

	if (!copy)
		return NULL;
	*copy = *env;
	copy->outer = env;
	copy->owns_headers_ = false;
	copy->is_dispatch_ = false;
	return copy;
}

static void apply(struct rung_env *env, const struct rung_target *target)
{
	if (target->method)
		env->method = target->method;
	if (target->scheme)
		env->scheme = target->scheme;
	if (target->host)
		env->host = target->host;
	if (target->script_name)
		env->script_name = target->script_name;
	if (target->path_info) {
		env->path_info = target->path_info;
		env->is_plain_path_ = false;
	}
	if (target->query)
		env->query = target->query;
}

/* Gives the view the target's own fields. Returns 0 or -ENOMEM. */
static int take_fields(struct rung_env *env, const struct rung_target *target)
{
	const struct rung_header_list given = { .fields = (struct rung_field *)(uintptr_t)target->fields,
		.count = (uint32_t)target->field_count };
	struct rung_header_list *list = rung_arena_alloc(rung_arena_of(env), sizeof *list);

	if (!list || target->field_count > UINT32_MAX / 2 ||
		rung_list_copy(&given, rung_arena_of(env), 2, list) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < list->count; i++)
		if (!list->fields[i].name_size) {
			list->fields[i].name_size = (uint32_t)strlen(list->fields[i].name);
			list->fields[i].value_size = (uint32_t)strlen(list->fields[i].value);
		}
	env->headers_ = list;
	env->owns_headers_ = true;
	return 0;
}

struct rung_env *rung_rewrite(struct rung_env *env, const struct rung_target *target)
{
	struct rung_env *view = rung_env_copy(env);

	if (view)
		apply(view, target);
	if (view && target->fields && take_fields(view, target) < 0)
		return NULL;
	return view;
}

/* -- request fields of a view ----------------------------------------------------------------------------------- */

static int own_headers(struct rung_env *env)
{
	if (env->owns_headers_)
		return 0;
	struct rung_header_list *list = rung_arena_alloc(rung_arena_of(env), sizeof *list);
	if (!list || rung_list_copy(env->headers_, rung_arena_of(env), 2, list) < 0)
		return -ENOMEM;
	env->headers_ = list;
	env->owns_headers_ = true;
	return 0;
}

int rung_request_header_filter(struct rung_env *env,
	bool (*match)(const struct rung_field *field, const void *data), const void *data)
{
	uint32_t i = 0;

	while (i < env->headers_->count && !match(&env->headers_->fields[i], data))
		i++;
	if (i == env->headers_->count)
		return 0;
	int rc = own_headers(env);
	if (rc == 0)
		rung_list_filter(env->headers_, match, data);
	return rc;
}

int rung_request_header_remove(struct rung_env *env, const char *name)
{
	size_t size = strlen(name);

	if (!rung_list_find(env->headers_, name, size))
		return 0;
	int rc = own_headers(env);
	if (rc == 0)
		rung_list_remove(env->headers_, name, size, 0);
	return rc;
}

/* Puts a field in place of all of that name; the strings are pointed at. */
static int replace_field(struct rung_env *env, struct rung_field field)
{
	int rc = own_headers(env);

	if (rc < 0)
		return rc;
	struct rung_field *first = rung_list_find(env->headers_, field.name, field.name_size);
	if (!first)
		return rung_list_push(env->headers_, rung_arena_of(env), field);
	*first = field;
	rung_list_remove(
		env->headers_, field.name, field.name_size, (uint32_t)(first - env->headers_->fields) + 1);
	return 0;
}

int rung_request_header_set(struct rung_env *env, const char *name, const char *value)
{
	size_t name_size = strlen(name), value_size = strlen(value);

	if (!rung_is_token(name, name_size) || !rung_is_field_value(value, value_size) ||
		value_size > UINT32_MAX)
		return -EINVAL;
	char *name_copy = rung_strndup(env, name, name_size);
	char *value_copy = rung_strndup(env, value, value_size);
	if (!name_copy || !value_copy)
		return -ENOMEM;
	return replace_field(
		env, (struct rung_field){ name_copy, value_copy, (uint32_t)name_size, (uint32_t)value_size });
}

/* -- redispatch ------------------------------------------------------------------------------------------------- */

/* Fields that describe a request body; they go when it goes. */
static bool describes_input(const struct rung_field *field, const void *data)
{
	static const char *const names[] = { "Content-Length", "Content-Type", "Content-Encoding",
		"Content-Language", "Content-Location", "Transfer-Encoding", "Expect", "Trailer" };

	(void)data;
	/* Their first letters: most fields end here. */
	if (!memchr("cte", rung_lower(*field->name), 3))
		return false;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (rung_names_equal(field->name, names[i]))
			return true;
	return false;
}

static int count_dispatch(struct rung_env *env, unsigned max_hops)
{
	struct rung_request *request = env->request_;

	if (max_hops == 0)
		max_hops = request->site->max_hops;
	if (max_hops > RUNG_MAX_DISPATCHES)
		max_hops = RUNG_MAX_DISPATCHES;
	if (env->hop >= max_hops)
		return rung_fail(env, -ELOOP, "more than %u redispatches one after another", max_hops);
	if (request->dispatches >= RUNG_MAX_DISPATCHES)
		return rung_fail(env, -ELOOP, "more than %d dispatches for one request", RUNG_MAX_DISPATCHES);
	request->dispatches++;
	return 0;
}

static int set_host_field(struct rung_env *view, const char *host)
{
	size_t size = strlen(host);

	if (size > UINT32_MAX)
		return -EINVAL;
	return replace_field(view, (struct rung_field){ "Host", host, 4, (uint32_t)size });
}

static int change_fields(struct rung_env *view, const struct rung_target *target)
{
	int rc = target->host ? set_host_field(view, target->host) : 0;

	return rc == 0 && target->drop_body ? rung_request_header_filter(view, describes_input, NULL) : rc;
}

struct rung_env *rung_view(struct rung_env *env, const struct rung_target *target)
{
	if (count_dispatch(env, target->max_hops) < 0)
		return NULL;
	struct rung_env *view = rung_env_copy(env);
	struct rung_scope *scope = rung_alloc(env, sizeof *scope);
	if (!view || !scope)
		goto no_memory;
	*scope = (struct rung_scope){ .outer = env->scope_ };
	apply(view, target);
	view->uri = target->uri;
	view->scope_ = scope;
	view->params_ = NULL;
	view->input_at_ = 0;
	view->hop = env->hop + 1;
	view->is_dispatch_ = true;
	if (target->spent_body)
		view->input_at_ = env->request_->stream ? (size_t)env->request_->stream->taken
							: env->request_->input_size;
	if (target->drop_body)
		view->content_length = 0;
	if (target->fields ? take_fields(view, target) < 0 : change_fields(view, target) < 0)
		goto no_memory;
	return view;

no_memory:
	rung_fail(env, -ENOMEM, "no memory for a redispatch");
	return NULL;
}
