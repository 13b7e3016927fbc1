/*
 * link.c: what stands behind the call from one app to the next (rung_call, in app.h). The one place where a failure
 * becomes a response, so that layers outside it need no error path; and the one place where probes look on.
 */
#include "app_record.h"
#include "request.h"

#include <errno.h>
#include <string.h>

static int status_of(int err)
{
	switch (err) {
	case -ENOMEM:
		return 503;
	case -ETIMEDOUT:
		return 504;
	case -ELOOP:
	case -EHOSTUNREACH:
		return 502;
	case -EBADMSG:
		return 400;
	case -E2BIG:
		return 413;
	case -EMEDIUMTYPE:
		return 415;
	default:
		return 500;
	}
}

/* Nobody is there to be answered, and nothing is wrong with the app. */
static bool client_left(int err)
{
	return err == -EPIPE || err == -ECONNRESET || err == -ECANCELED;
}

/* What went wrong, as a negative errno; says it where the app itself said nothing. */
static int judge(struct rung_env *env, const struct rung_response *res, int result)
{
	if (result < 0)
		return rung_nameable(result);
	if (res->error)
		return res->error;
	if (result > 0)
		return rung_fail_at(env, -EPROTO, NULL, 0,
			"call returned %d; return 0 or a negative errno, and put the status into res",
			result);
	if (res->status == 0)
		return rung_fail_at(
			env, -EPROTO, NULL, 0, "no response was made; set a status or use rung_reply_...");
	return rung_fail_at(env, -EPROTO, NULL, 0, "status %d; use 200 to 999", res->status);
}

void rung_contain_(const struct rung_app *app, struct rung_env *env, struct rung_response *res, int result)
{
	struct rung_request *request = env->request_;
	int err = judge(env, res, result);
	int status = status_of(err);

	/* A failure that was recorded for something else, earlier, says nothing about this one. */
	if (request->failure.err != err || request->logged)
		rung_fail_at(env, err, NULL, 0, "%s", "");
	request->failure.layer = rung_app_name(app);
	rung_response_clear(res);
	res->status = status;
	if (client_left(err))
		request->logged = true;
	else
		rung_log_failure(env, status);
}

bool rung_admit(const struct rung_app *app, struct rung_env *env, struct rung_admission *admission)
{
	for (; app; app = app->next)
		if (app->class_->admit && !app->class_->admit(app, env, admission))
			return false;
	return true;
}

int rung_probed_call(const struct rung_app *app, struct rung_env *env, struct rung_response *res)
{
	const struct rung_probe *const *probes = app->record_->probes;
	void *states[RUNG_MAX_PROBES];
	size_t count = 0;

	for (; probes[count]; count++)
		states[count] = probes[count]->enter(probes[count], app, env, res);
	int result = rung_nameable(app->class_->call(app, env, res));
	while (count--)
		result = probes[count]->leave(probes[count], app, env, res, states[count], result);
	return result;
}
