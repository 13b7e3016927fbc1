/*
 * upload.h: a file that came in a form, a name for it that is safe, and a place on disk. Which files a form has: params.h.
 *
 * Rack: Rack::Multipart::UploadedFile.
 */
#pragma once

#include <rung/api.h>

RUNG_BEGIN

struct rung_upload {
	const char *filename;  /* as sent, to be shown and not to be used; "" if empty. NUL-terminated */
	const char *safe_name; /* made of it by rung_safe_name() */
	const char *
		content_type; /* as sent, which proves nothing; "text/plain" if none was (RFC 7578 section 4.4) */
	const void *bytes; /* in the request's body: no NUL follows; valid as long as the request */
	size_t size;
};

enum { RUNG_SAFE_NAME_SIZE = 201 }; /* bytes of the longest safe name, with its NUL */

/*
 * Makes a file name out of what a client sent as one: what stands behind the last slash of either kind, without control and
 * text-direction characters, and without dots, blanks and dashes in front, dots and blanks at the end, "..". Bytes that are no
 * UTF-8, and those of <>:"|?*, become "_". Too long a name keeps its extension. Names of Windows' devices (CON, com1.txt) get a
 * "_" in front, and "file" stands for nothing left. Made again from its own result, it stays the same.
 */
RUNG_API void rung_safe_name(const char *name, size_t size, char buffer[RUNG_SAFE_NAME_SIZE]);

/*
 * Writes the file into the folder that descriptor `folder` (or AT_FDCWD) stands for. A name that is there is never
 * overwritten, nor is a link followed. `name` NULL: its safe name. `mode` 0: 0600; else as open() takes it.
 * Returns 0; -EINVAL for a name that is none (empty, ".", "..", with a slash); -EEXIST; what open() or write() gave. What was
 * written up to an error is removed. Waits for the disk, not for its cache to be written out.
 */
RUNG_API RUNG_MUST_USE int rung_upload_save(
	const struct rung_upload *upload, int folder, const char *name, mode_t mode);

RUNG_END
