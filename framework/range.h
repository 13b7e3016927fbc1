/*
 * range.h: which part of a thing a request asks for: Range and If-Range, RFC 9110 section 14. Of several ranges at once
 * nothing is made: the whole is sent, as the RFC allows.
 *
 * Rack: Rack::Utils.get_byte_ranges.
 */
#pragma once

#include <rung/api.h>

#include <time.h>

RUNG_BEGIN

struct rung_env;

/* Bytes. */
struct rung_range {
	int64_t offset;
	int64_t length;
};

enum rung_range_kind {
	RUNG_RANGE_ALL,           /* 200: no range was asked for, or none that counts */
	RUNG_RANGE_PART,          /* 206 with Content-Range */
	RUNG_RANGE_UNSATISFIABLE, /* 416: nothing of it lies in the thing */
};

/*
 * Judges the request for a thing of `size` bytes; etag and modified as for rung_preconditions(), which comes first. Counts for
 * GET alone, for the unit "bytes", and if there is an If-Range only when that names this very state of the thing: by a strong
 * tag, or by exactly its date. ret_range is set for RUNG_RANGE_PART alone, and lies within the size.
 */
RUNG_API enum rung_range_kind rung_range(const struct rung_env *env, const char *etag, time_t modified,
	int64_t size, struct rung_range *ret_range);

RUNG_END
