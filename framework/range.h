/*
 * range.h: which parts of a thing a request asks for: Range and If-Range, RFC 9110 section 14.
 *
 * Rack: Rack::Utils.get_byte_ranges.
 */
#pragma once

#include <rung/api.h>

#include <time.h>

RUNG_BEGIN

struct rung_env;

enum {
	RUNG_MAX_RANGES = 32, /* of one request: a field that asks for more counts as if it were not there */
};

/* Bytes. */
struct rung_range {
	int64_t offset;
	int64_t length;
};

/* In the order in which they were asked for. No two of them overlap or touch. */
struct rung_range_set {
	size_t count;
	struct rung_range ranges[RUNG_MAX_RANGES];
};

enum rung_range_kind {
	RUNG_RANGE_ALL,  /* 200: no range was asked for, or none that counts */
	RUNG_RANGE_PART, /* 206: of one range with Content-Range, of several as multipart/byteranges */
	RUNG_RANGE_UNSATISFIABLE, /* 416: nothing of it lies in the thing */
};

/*
 * Judges the request for a thing of `size` bytes; etag and modified as for rung_preconditions(), which comes first. Counts for
 * GET alone, for the unit "bytes", and if there is an If-Range only when that names this very state of the thing: by a strong
 * tag, or by exactly its date, once that second is over. One member that is no range, and the whole field counts for nothing. Ranges that overlap or
 * touch become one, so that nobody is sent a byte twice (section 15.3.7.2); those that lie outside are left out.
 * ret_set is set for RUNG_RANGE_PART alone, has at least one range, and all of them lie within the size.
 */
RUNG_API enum rung_range_kind rung_ranges(const struct rung_env *env, const char *etag, time_t modified,
	int64_t size, struct rung_range_set *ret_set);

RUNG_END
