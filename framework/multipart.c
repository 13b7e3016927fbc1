/*
 * multipart.c: multipart/form-data, RFC 7578, on RFC 2046 section 5.1.
 *
 * A parser of its own, since libmicrohttpd's post processor wants a connection, which the in-process client has none of. The
 * body is there as one piece, so parts are found by searching it, each byte once for the next boundary and those of heads once
 * more; files stay where they are, and only names and values are copied.
 */
#include "field_params.h"
#include "params_private.h"

#include <errno.h>
#include <string.h>

enum {
	MOST_BOUNDARY = 70, /* RFC 2046 section 5.1.1 */
	MARK_SIZE = 4,      /* the line's end and two dashes before a boundary */
};

struct multipart {
	struct rung_env *env;
	const struct rung_params_limits *limits;
	const char *at, *end; /* what is left of the body */
	char delimiter[MARK_SIZE + MOST_BOUNDARY];
	size_t delimiter_size;
	struct rung_pair_list list;
	size_t files, text, escapes; /* so far */
};

/* One part, with what its head says. */
struct part {
	struct rung_slice head; /* its lines, each with its end */
	struct rung_slice bytes;
	struct rung_slice disposition, content_type, coding; /* values; `at` NULL: there is no such field */
	struct rung_slice name, filename, extended_filename; /* still escaped; `at` NULL: there is none */
};

/* -- the boundary ------------------------------------------------------------------------------------------------ */

static int malformed(struct multipart *form, const char *what)
{
	return rung_fail_at(form->env, -EBADMSG, NULL, 0, "multipart form: %s", what);
}

static int malformed_part(struct multipart *form, const char *what)
{
	return rung_fail_at(
		form->env, -EBADMSG, NULL, 0, "multipart form: part %zu %s", form->list.count + 1, what);
}

static int too_much(struct multipart *form, size_t limit, const char *what)
{
	return rung_fail_at(form->env, -E2BIG, NULL, 0, "multipart form: part %zu: more than %zu %s",
		form->list.count + 1, limit, what);
}

/* bchars of RFC 2046; a blank may not be the last one. */
static bool is_boundary(struct rung_slice text)
{
	static const char marks[] = "'()+_,-./:=? ";

	for (size_t i = 0; i < text.size; i++) {
		char c = text.at[i];
		bool is_letter = (c >= '0' && c <= '9') || (rung_lower(c) >= 'a' && rung_lower(c) <= 'z');

		if (!is_letter && (c == '\0' || !strchr(marks, c)))
			return false;
	}
	return text.size > 0 && text.size <= MOST_BOUNDARY && text.at[text.size - 1] != ' ';
}

/* Exactly one: of two, another reader of the same body might take the other. */
static int find_boundary(struct multipart *form, const char *content_type, struct rung_slice *ret_boundary)
{
	struct rung_slice rest = { content_type, strlen(content_type) }, boundary = { 0 };
	struct rung_field_param param;
	size_t count = 0;
	int rc;

	rung_field_word(&rest);
	for (; (rc = rung_field_param_next(&rest, &param)) > 0; count++) {
		if (count == form->limits->disposition_params)
			return too_much(form, count, "parameters in the Content-Type");
		if (!rung_slice_is(param.name, "boundary"))
			continue;
		if (boundary.at)
			return malformed(form, "its Content-Type has two boundaries");
		boundary = param.value;
	}
	if (rc < 0)
		return malformed(form, "its Content-Type cannot be read");
	if (!boundary.at)
		return malformed(form, "its Content-Type has no boundary");
	if (!is_boundary(boundary))
		return malformed(form, "its boundary is none that RFC 2046 allows");
	*ret_boundary = boundary;
	return 0;
}

static void set_delimiter(struct multipart *form, struct rung_slice boundary)
{
	memcpy(form->delimiter, "\r\n--", MARK_SIZE);
	memcpy(form->delimiter + MARK_SIZE, boundary.at, boundary.size);
	form->delimiter_size = MARK_SIZE + boundary.size;
}

/* Goes behind the first boundary: the first thing of all, or at the start of a line. */
static int skip_preamble(struct multipart *form)
{
	size_t size = (size_t)(form->end - form->at), bare = form->delimiter_size - 2;
	const char *found;

	if (size > form->limits->preamble)
		size = form->limits->preamble;
	if (size >= bare && memcmp(form->at, form->delimiter + 2, bare) == 0) {
		form->at += bare;
		return 0;
	}
	found = memmem(form->at, size, form->delimiter, form->delimiter_size);
	if (!found)
		return rung_fail_at(form->env, -EBADMSG, NULL, 0,
			"multipart form: its boundary is not in the first %zu bytes of the body",
			form->limits->preamble);
	form->at = found + form->delimiter_size;
	return 0;
}

/* What stands behind a boundary. Returns 1 and goes to the next line when a part follows; 0 at the end of all. */
static int end_boundary(struct multipart *form)
{
	const char *at = form->at, *end = form->end;
	bool is_last = end - at >= 2 && at[0] == '-' && at[1] == '-';

	at += is_last ? 2 : 0;
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	if (is_last && at == end)
		return 0;
	if (end - at < 2 || at[0] != '\r' || at[1] != '\n')
		return malformed(form, "there is something behind a boundary in its line");
	form->at = at + 2;
	return !is_last;
}

/* -- a part's head ----------------------------------------------------------------------------------------------- */

/*
 * Cuts the part off the body. The search for its end starts with the line's end before it, which may belong to the next
 * boundary; and the end of its head may be the line's end of that, when nothing else follows (RFC 2046: body-part).
 */
static int cut_part(struct multipart *form, struct part *part)
{
	const char *start = form->at - 2;
	const char *next = memmem(start, (size_t)(form->end - start), form->delimiter, form->delimiter_size);

	if (!next)
		return malformed_part(form, "has no end: no boundary follows");
	size_t room = (size_t)(next - start) + 2, most = form->limits->part_head;
	bool is_cut = room > 4 && room - 4 > most;
	const char *blank = memmem(start, is_cut ? most + 4 : room, "\r\n\r\n", 4);
	if (!blank && is_cut)
		return too_much(form, most, "bytes in its head");
	if (!blank)
		return malformed_part(form, "has no blank line behind its head");
	part->head = (struct rung_slice){ form->at, (size_t)(blank - start) };
	const char *bytes = blank + 4;
	part->bytes = (struct rung_slice){ bytes, bytes < next ? (size_t)(next - bytes) : 0 };
	form->at = next + form->delimiter_size;
	return 0;
}

/* The place of a field that counts, or NULL. */
static struct rung_slice *place_of(struct part *part, struct rung_slice name)
{
	return rung_slice_is(name, "Content-Disposition")         ? &part->disposition
	       : rung_slice_is(name, "Content-Type")              ? &part->content_type
	       : rung_slice_is(name, "Content-Transfer-Encoding") ? &part->coding
								  : NULL;
}

static int take_line(struct multipart *form, struct part *part, struct rung_slice line)
{
	const char *colon = memchr(line.at, ':', line.size), *end = line.at + line.size;

	if (!colon || !rung_is_token(line.at, (size_t)(colon - line.at)))
		return malformed_part(form, "has a line in its head that is no field");
	const struct rung_slice name = { line.at, (size_t)(colon - line.at) };
	struct rung_slice *place = place_of(part, name);
	do
		colon++;
	while (colon < end && (*colon == ' ' || *colon == '\t'));
	while (end > colon && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (!rung_is_field_value(colon, (size_t)(end - colon)))
		return malformed_part(form, "has a control byte in its head");
	if (place && place->at)
		return malformed_part(form, "has a field of its head twice");
	if (place)
		*place = (struct rung_slice){ colon, (size_t)(end - colon) };
	return 0;
}

static int take_head(struct multipart *form, struct part *part)
{
	const char *at = part->head.at, *end = at + part->head.size;
	int rc = 0;

	while (at < end && rc == 0) {
		/* Each line has its end: the head was cut behind one. */
		const char *stop = memmem(at, (size_t)(end - at), "\r\n", 2);

		rc = take_line(form, part, (struct rung_slice){ at, (size_t)(stop - at) });
		at = stop + 2;
	}
	return rc;
}

/* The names of RFC 7578 section 4.2, each once. */
static int take_disposition(struct multipart *form, struct part *part)
{
	struct rung_slice rest = part->disposition;
	struct rung_field_param param;
	size_t count = 0;
	int rc;

	if (!rest.at || !rung_slice_is(rung_field_word(&rest), "form-data"))
		return malformed_part(form, "has no Content-Disposition of form-data");
	if (part->disposition.size > form->limits->disposition)
		return too_much(form, form->limits->disposition, "bytes in its Content-Disposition");
	for (; (rc = rung_field_param_next(&rest, &param)) > 0; count++) {
		struct rung_slice *place = rung_slice_is(param.name, "name")        ? &part->name
					   : rung_slice_is(param.name, "filename")  ? &part->filename
					   : rung_slice_is(param.name, "filename*") ? &part->extended_filename
										    : NULL;

		if (count == form->limits->disposition_params)
			return too_much(form, count, "parameters in its Content-Disposition");
		if (place && place->at)
			return malformed_part(form, "has a parameter of its Content-Disposition twice");
		if (place)
			*place = param.value;
	}
	if (rc < 0)
		return malformed_part(form, "has a Content-Disposition that cannot be read");
	return part->name.at ? 0 : malformed_part(form, "has no name");
}

/* What section 4.7 has no place for any more would be handed on undecoded; several files in one part, section 4.3, too. */
static int check_coding(struct multipart *form, const struct part *part)
{
	struct rung_slice type = part->content_type;

	if (part->coding.at && !rung_slice_is(part->coding, "binary") &&
		!rung_slice_is(part->coding, "8bit") && !rung_slice_is(part->coding, "7bit"))
		return malformed_part(form, "has a Content-Transfer-Encoding");
	if (type.at && rung_slice_is(rung_field_word(&type), "multipart/mixed"))
		return malformed_part(form, "has several files in it; each needs a part of its own");
	return 0;
}

/* -- names ------------------------------------------------------------------------------------------------------- */

/* The byte that an escape at the start of `text` stands for, and its size; 0 when there is none. */
static size_t read_escape(struct rung_slice text, char *ret_byte)
{
	const char *at = text.at;

	if (text.size > 1 && at[0] == '\\' && (at[1] == '"' || at[1] == '\\')) {
		*ret_byte = at[1];
		return 2;
	}
	if (text.size < 3 || at[0] != '%')
		return 0;
	*ret_byte = at[1] == '2' && at[2] == '2'               ? '"'
		    : at[1] == '0' && rung_lower(at[2]) == 'd' ? '\r'
		    : at[1] == '0' && rung_lower(at[2]) == 'a' ? '\n'
							       : '\0';
	return *ret_byte ? 3 : 0;
}

/* Decodes a name or filename. NULL, and what went wrong, on failure. */
static char *unescape(struct multipart *form, struct rung_slice text, size_t *ret_size, int *ret_error)
{
	char *copy = rung_alloc(form->env, text.size + 1), *out = copy;

	*ret_error = copy ? 0 : -ENOMEM;
	while (copy && text.size) {
		size_t size = read_escape(text, out);

		if (size && form->escapes++ == form->limits->escapes) {
			*ret_error = too_much(form, form->limits->escapes, "escapes in names");
			return NULL;
		}
		if (!size)
			*out = *text.at;
		out++;
		text.at += size ? size : 1;
		text.size -= size ? size : 1;
	}
	if (copy) {
		*out = '\0';
		*ret_size = (size_t)(out - copy);
	}
	return copy;
}

/* UTF-8'en'%e2%82%ac%20rates (RFC 8187 section 3.2). */
static int decode_extended(struct multipart *form, struct rung_slice text, const char **ret_filename)
{
	static const char charset[] = "UTF-8'";
	const size_t size = sizeof charset - 1;
	const char *end = text.at + text.size;
	const char *language_end = text.size > size && rung_same_letters(text.at, charset, size)
					   ? memchr(text.at + size, '\'', text.size - size)
					   : NULL;

	if (!language_end)
		return malformed_part(form, "has a filename* that is not in UTF-8");
	size_t encoded = (size_t)(end - language_end) - 1;
	char *copy = rung_alloc(form->env, encoded + 1);
	if (!copy)
		return -ENOMEM;
	if (rung_uri_decode(language_end + 1, encoded, copy, encoded + 1) < 0)
		return malformed_part(form, "has a filename* that cannot be decoded");
	*ret_filename = copy;
	return 0;
}

/* Sets what it was called by the client; leaves NULL where it is no file. */
static int read_filename(struct multipart *form, const struct part *part, const char **ret_filename)
{
	size_t size;
	int rc = 0;

	if (part->extended_filename.at)
		return decode_extended(form, part->extended_filename, ret_filename);
	if (part->filename.at)
		*ret_filename = unescape(form, part->filename, &size, &rc);
	return rc;
}

/* -- pairs ------------------------------------------------------------------------------------------------------- */

static int set_value(struct multipart *form, const struct part *part, struct rung_pair *pair)
{
	if (part->bytes.size > form->limits->text - form->text)
		return too_much(form, form->limits->text, "bytes in values that are no files");
	form->text += part->bytes.size;
	pair->value = rung_strndup(form->env, part->bytes.at, part->bytes.size);
	pair->value_size = part->bytes.size;
	return pair->value ? 0 : -ENOMEM;
}

static int set_file(
	struct multipart *form, const struct part *part, const char *filename, struct rung_pair *pair)
{
	const struct rung_slice type = part->content_type;
	struct rung_upload *file = rung_alloc(form->env, sizeof *file);
	char safe_name[RUNG_SAFE_NAME_SIZE];

	if (form->files++ == form->limits->files)
		return too_much(form, form->limits->files, "files");
	rung_safe_name(filename, strlen(filename), safe_name);
	char *name_copy = rung_strndup(form->env, safe_name, strlen(safe_name));
	char *type_copy = type.at ? rung_strndup(form->env, type.at, type.size) : NULL;
	if (!file || !name_copy || (type.at && !type_copy))
		return -ENOMEM;
	*file = (struct rung_upload){ filename, name_copy, type_copy ? type_copy : "text/plain",
		part->bytes.at, part->bytes.size };
	pair->file = file;
	return 0;
}

/* A file input in which nobody chose one is sent as a file without name and bytes. */
static int add_part(struct multipart *form, const struct part *part)
{
	const char *filename = NULL;
	struct rung_pair pair = { .value = "" };
	int rc;

	pair.name = unescape(form, part->name, &pair.name_size, &rc);
	if (rc == 0)
		rc = read_filename(form, part, &filename);
	if (rc == 0 && !filename)
		rc = set_value(form, part, &pair);
	else if (rc == 0 && (*filename || part->bytes.size))
		rc = set_file(form, part, filename, &pair);
	if (rc < 0)
		return rc;
	struct rung_pair *place = rung_pair_add(&form->list, form->env);
	if (!place)
		return -ENOMEM;
	*place = pair;
	return 0;
}

static int take_part(struct multipart *form)
{
	struct part part = { 0 };
	int rc;

	if (form->list.count == form->limits->parts)
		return too_much(form, form->limits->parts, "parts");
	rc = cut_part(form, &part);
	if (rc == 0)
		rc = take_head(form, &part);
	if (rc == 0)
		rc = take_disposition(form, &part);
	if (rc == 0)
		rc = check_coding(form, &part);
	return rc < 0 ? rc : add_part(form, &part);
}

int rung_multipart_parse(struct rung_env *env, const struct rung_params_limits *limits,
	const char *content_type, struct rung_params *ret_params)
{
	struct multipart form = { .env = env, .limits = limits };
	struct rung_slice boundary = { 0 };
	size_t size;

	form.at = rung_input_bytes(env, &size);
	form.end = form.at + size;
	int rc = find_boundary(&form, content_type, &boundary);
	if (rc < 0)
		return rc;
	set_delimiter(&form, boundary);
	rc = skip_preamble(&form);
	while (rc == 0 && (rc = end_boundary(&form)) > 0)
		rc = take_part(&form);
	if (rc == 0)
		*ret_params = (struct rung_params){ form.list.count, form.list.pairs };
	return rc;
}
