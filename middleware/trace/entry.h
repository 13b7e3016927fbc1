/* entry.h: private: a remembered request as JSON, with dots for secrets. */
#pragma once

#include "record.h"
#include <rung/writer.h>

/*
 * Writes what is known once the answer was sent. `fields` is the answer's fields as rung_trace_write_fields() made them; `when`
 * is when the request came; a brief entry has neither fields nor URIs nor messages. No text in it is longer than 2 KiB. The
 * record has ended. Errors stick in the writer.
 */
void rung_trace_write_entry(struct rung_writer *writer, const struct rung_env *env,
	const struct trace_record *record, const struct rung_finish *finish, const struct timespec *when,
	const char *fields, bool is_brief);

/* Writes the fields of an answer as a list of pairs. */
void rung_trace_write_fields(struct rung_writer *writer, const struct rung_response *res);
