/* use.h: private: an app of a plain function. */
#pragma once

#include <rung/app.h>

struct rung_use {
	struct rung_app app;
	rung_call_fn call;
	void *data;
	void (*free_data)(void *);
};
