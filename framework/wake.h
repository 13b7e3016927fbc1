/*
 * wake.h: telling a body that said "not yet" that there is more.
 *
 * A source whose read gives -EAGAIN is asked again when its request is woken, or, where nobody ever asked for a waker,
 * every 10 milliseconds. Most bodies need none of this: rung_pipe (pipe.h) does it for them.
 */
#pragma once

#include <rung/api.h>

RUNG_BEGIN

struct rung_env;
struct rung_waker;

/*
 * The waker of a request, for whoever fills its body. Taken while the request is handled: in the app, a filter, a source's
 * read. Returns NULL when memory is out.
 * Ownership: the caller's; given back by rung_waker_destroy(), before or after the request has ended.
 */
RUNG_API RUNG_MUST_USE struct rung_waker *rung_waker(struct rung_env *env);

/*
 * Has the body asked again. A wake that comes before the body said "not yet" is not lost; one too many, or after the
 * client has left, does no harm. Never waits for anything but a short lock.
 * Threads: any.
 */
RUNG_API void rung_wake(struct rung_waker *waker);

/* NULL does nothing. Threads: any. */
RUNG_API void rung_waker_destroy(struct rung_waker *waker);

RUNG_END
