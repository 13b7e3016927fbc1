/* mime.h: media types by file name. */
#pragma once

#include <rung/api.h>

RUNG_BEGIN

/* The media type for a file's name or path by its last extension, without regard to case, with "; charset=utf-8" for
 * text. Returns NULL when the extension is unknown or there is none. */
RUNG_API const char *rung_mime_type(const char *path);

RUNG_END
