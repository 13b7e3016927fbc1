/*
 * field_params.h: private: the parameters of a field value such as "form-data; name=x" (RFC 9110 section 5.6.6), read as
 * leniently as what browsers and others send demands.
 */
#pragma once

#include <rung/uri.h>

struct rung_field_param {
	struct rung_slice name;  /* a token */
	struct rung_slice value; /* without its quotes; what is escaped in it is still so */
};

/* Takes what stands before the first parameter off the text, blanks around it dropped. */
struct rung_slice rung_field_word(struct rung_slice *rest);

/*
 * Takes one parameter off the text. Empty ones are skipped. In quotes, a backslash before a quote or another backslash is an
 * escape, any other is itself, since browsers write none; so is one that would hide the last quote of all.
 * Returns 1; 0 at the end; -EBADMSG.
 */
int rung_field_param_next(struct rung_slice *rest, struct rung_field_param *ret_param);

/* True when the slice is this word, without regard to case. */
bool rung_slice_is(struct rung_slice slice, const char *word);
