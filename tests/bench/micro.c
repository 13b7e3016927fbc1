/*
 * micro.c: what a layer, a hop and a call of the in-process client cost, in nanoseconds of CPU time.
 *
 * All is measured in one run, in many short rounds that take turns, and the median of the rounds counts, so that a
 * neighbour on the machine or a change of clock rate meets every measure alike.
 *
 * Usage: micro ROUNDS RAW_NS
 *
 * RAW_NS is the CPU time that the raw server takes for a request. Prints a line for each measure: its name, its
 * nanoseconds, and its ratio: of layers to the bare call, of hops and client calls to RAW_NS.
 */
#include <rung/reproxy.h>
#include <rung/rung.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	LAYERS = 10,     /* no-op layers in the deep stacks */
	CALLS = 100000,  /* of an endpoint, a round */
	REQUESTS = 2000, /* of the client, a round */
	MAX_ROUNDS = 1001,
};

enum measure {
	BARE,      /* an endpoint, through a function pointer */
	ENDPOINT,  /* the same through rung_call() */
	USE_STACK, /* the same behind LAYERS of rung_use() */
	OWN_STACK, /* the same behind LAYERS of a class of their own */
	HELLO,     /* a client's GET of a route that answers with text */
	DIRECT,    /* a client's GET of an app */
	HOP,       /* the same app by way of a URI and the reproxy layer */
	MEASURES,
};

struct micro {
	struct rung_app *stacks[MEASURES];  /* those that are called without a client */
	double times[MEASURES][MAX_ROUNDS]; /* nanoseconds a call */
	size_t rounds;
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* -- what is measured ---------------------------------------------------------------------------------------- */

static int touch(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)env;
	res->status = 200;
	return 0;
}

static int pass_on(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	rung_next(self, env, res);
	return 0;
}

static int hello(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)env;
	return rung_reply_text(res, 200, "Hello, World!\n");
}

static int send_elsewhere(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	(void)self;
	(void)env;
	return rung_reply_uri(res, 200, "http://target.internal/");
}

static const struct rung_app_class own_layer_class = {
	.size = sizeof(struct rung_app),
	.name = "own_layer",
	.flags = RUNG_LAYER,
	.call = pass_on,
};

/* Volatile, so that the call stays a call through a pointer. */
static rung_call_fn volatile bare = touch;

static double time_bare(struct rung_env *env, struct rung_response *res)
{
	double start = now();

	for (int i = 0; i < CALLS; i++)
		if (bare(NULL, env, res) < 0)
			abort();
	return (now() - start) / CALLS;
}

static double time_stack(const struct rung_app *app, struct rung_env *env, struct rung_response *res)
{
	double start = now();

	for (int i = 0; i < CALLS; i++)
		rung_call(app, env, res);
	return (now() - start) / CALLS;
}

/* One round of what needs no client, run inside a request, since that is where an env and a response are. */
static int time_calls(const struct rung_app *self, struct rung_env *env, struct rung_response *res)
{
	struct micro *micro = (struct micro *)(uintptr_t)rung_data(self);

	micro->times[BARE][micro->rounds] = time_bare(env, res);
	for (int i = ENDPOINT; i <= OWN_STACK; i++)
		micro->times[i][micro->rounds] = time_stack(micro->stacks[i], env, res);
	return 0;
}

static double time_gets(struct rung_client *client, const char *target)
{
	double start = now();

	for (int i = 0; i < REQUESTS; i++)
		if (rung_client_get(client, target)->size != 14)
			abort();
	return (now() - start) / REQUESTS;
}

/* -- the run ------------------------------------------------------------------------------------------------- */

static struct rung_app *behind(struct rung_app *(*make_layer)(void), struct rung_app *inside)
{
	for (int i = 0; i < LAYERS; i++)
		inside = rung_stack(make_layer(), inside);
	return inside;
}

static struct rung_app *make_use(void)
{
	return rung_use(pass_on);
}

static struct rung_app *make_own(void)
{
	return rung_app_new(&own_layer_class);
}

static struct rung_client *open_client(struct micro *micro)
{
	struct rung_app *target = rung_run(hello);

	return rung_client_new(
		rung_stack(rung_reproxy(.server = RUNG_SERVER_SELF,
				   .names = rung_names({ "target.internal", rung_ref(target) })),
			rung_routes(rung_get("/", hello), rung_get("/calls", time_calls, .data = micro),
				rung_get("/direct", .app = target), rung_get("/hop", send_elsewhere))));
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static double median(struct micro *micro, enum measure measure)
{
	qsort(micro->times[measure], micro->rounds, sizeof(double), compare);
	return micro->times[measure][micro->rounds / 2];
}

static void print_results(struct micro *micro, double raw)
{
	double of[MEASURES];

	for (int i = 0; i < MEASURES; i++)
		of[i] = median(micro, i);
	double use_layer = (of[USE_STACK] - of[ENDPOINT]) / LAYERS;
	double own_layer = (of[OWN_STACK] - of[ENDPOINT]) / LAYERS;
	double hop = of[HOP] - of[DIRECT];

	printf("bare_call %.2f 1.00\n", of[BARE]);
	printf("use_layer %.2f %.2f\n", use_layer, use_layer / of[BARE]);
	printf("own_layer %.2f %.2f\n", own_layer, own_layer / of[BARE]);
	printf("hop %.1f %.3f\n", hop, hop / raw);
	printf("client_call %.1f %.3f\n", of[HELLO], of[HELLO] / raw);
}

/* Takes one round of each. Returns false when the client did not get its answer. */
static bool measure(struct micro *micro, struct rung_client *client)
{
	size_t round = micro->rounds;

	if (rung_client_get(client, "/calls")->status != 200)
		return false;
	micro->times[HELLO][round] = time_gets(client, "/");
	micro->times[DIRECT][round] = time_gets(client, "/direct");
	micro->times[HOP][round] = time_gets(client, "/hop");
	micro->rounds++;
	return true;
}

int main(int argc, char **argv)
{
	static struct micro micro;
	long rounds = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
	double raw = argc == 3 ? strtod(argv[2], NULL) : 0;

	if (rounds < 1 || rounds > MAX_ROUNDS || raw <= 0) {
		fprintf(stderr, "usage: micro ROUNDS RAW_NS\n");
		return 2;
	}
	micro.stacks[ENDPOINT] = rung_run(touch);
	micro.stacks[USE_STACK] = behind(make_use, rung_run(touch));
	micro.stacks[OWN_STACK] = behind(make_own, rung_run(touch));

	struct rung_client *client = open_client(&micro);
	bool is_good = client && micro.stacks[ENDPOINT] && micro.stacks[USE_STACK] && micro.stacks[OWN_STACK];

	if (!is_good)
		fprintf(stderr, "micro: %s\n", rung_error());
	while (is_good && rounds--)
		is_good = measure(&micro, client);
	if (is_good)
		print_results(&micro, raw);
	rung_client_destroy(client);
	for (int i = 0; i < MEASURES; i++)
		rung_app_destroy(micro.stacks[i]);
	return is_good ? 0 : 1;
}
