/*
 * rung.h: all of the framework. Rung is Rack for C: apps answer, layers wrap apps, a stack is one value.
 * Layers each have a header of their own: <rung/reproxy.h>, <rung/files.h> ...
 */
#pragma once

#include <rung/api.h>
#include <rung/app.h>
#include <rung/body.h>
#include <rung/client.h>
#include <rung/conditional.h>
#include <rung/date.h>
#include <rung/env.h>
#include <rung/events.h>
#include <rung/headers.h>
#include <rung/main.h>
#include <rung/mime.h>
#include <rung/names.h>
#include <rung/params.h>
#include <rung/pipe.h>
#include <rung/range.h>
#include <rung/response.h>
#include <rung/routes.h>
#include <rung/server.h>
#include <rung/setup.h>
#include <rung/upload.h>
#include <rung/uri.h>
#include <rung/wake.h>
#include <rung/writer.h>
