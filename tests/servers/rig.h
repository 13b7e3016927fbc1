/* rig.h: a real web server in front of an app, which asks it to fetch from targets; all of them ordinary processes on free ports. */
#pragma once

#include "program.h"

#include <pthread.h>

/* What is different from server to server. */
struct front {
	const char *name;    /* of the configuration */
	const char *reproxy; /* what the app is told */
	bool is_self;        /* the app redispatches by itself */
	bool keeps_status;   /* the target's; else any but 200 and its kin is 503 */
	bool is_conditional; /* a target hears If-None-Match */
	bool takes_chunks;   /* in requests */
	bool knows_names;    /* a target sees the name the app used */
	bool is_discreet;    /* a target gets neither login nor cookies */
	bool is_listed;      /* what is not configured is refused */
	bool keeps_app_cookie, keeps_target_cookie;
	int hops;     /* as many pass */
	int too_many; /* the status of one more */
	int down;     /* of a target that is not there */
};

extern const struct front nginx, nginx_hardened, apache, h2o, perlbal, lighttpd;

struct rig {
	const struct front *front;
	struct program app, targets;
	unsigned app_port, target_port, bad_port, dead_port, port; /* the last is the server's */
	pid_t pid;                                                 /* the server's */
	char folder[64];
	pthread_t bad;
	int bad_listener;
};

/* Starts the app, its targets and the server with the configuration that the app prints. */
void rig_start(struct rig *rig, const struct front *front, const char *app);

/* Ends them all, and fails the test if the server crashed or the app did not end well. */
void rig_stop(struct rig *rig);

/* What the server wrote to its log and its standard error. To be freed. */
char *rig_log(const struct rig *rig);

struct answer {
	int status;
	char *head, *body; /* NUL-terminated; the body without chunks */
	size_t size;       /* of the body */
	bool is_whole;     /* as long as it was said to be */
	char *bytes;
};

/* One request on a connection of its own: method and path, fields each with "\r\n", a body or NULL. To be given to answer_free(). */
struct answer rig_ask(const struct rig *rig, const char *method, const char *path, const char *fields,
	const char *body, size_t size);
struct answer rig_get(const struct rig *rig, const char *path, const char *fields);
void answer_free(struct answer *answer);

/* The value of a field, in a buffer that the next call uses again; "" when it is not there. */
const char *answer_field(const struct answer *answer, const char *name);

/* Fails the test when the head has what only servers should see. */
void answer_is_clean(const struct answer *answer);
