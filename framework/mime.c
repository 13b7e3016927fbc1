/*
 * mime.c: media types by file name. The types are IANA's where there is one for the extension, else the one that browsers
 * know; program sources are text/plain, so that they are shown and not run or saved.
 */
#include "text.h"
#include <rung/mime.h>

#include <stdlib.h>
#include <string.h>

struct row {
	char extension[12];
	const char *type;
};

/* Sorted by extension, in the order of strcmp(). */
/* clang-format off */
static const struct row rows[] = {
	{ "3gp", "video/3gpp" },
	{ "7z", "application/x-7z-compressed" },
	{ "aac", "audio/aac" },
	{ "aif", "audio/aiff" },
	{ "aiff", "audio/aiff" },
	{ "apk", "application/vnd.android.package-archive" },
	{ "apng", "image/apng" },
	{ "atom", "application/atom+xml" },
	{ "avi", "video/x-msvideo" },
	{ "avif", "image/avif" },
	{ "bin", "application/octet-stream" },
	{ "bmp", "image/bmp" },
	{ "br", "application/x-brotli" },
	{ "bz2", "application/x-bzip2" },
	{ "c", "text/plain; charset=utf-8" },
	{ "cc", "text/plain; charset=utf-8" },
	{ "cer", "application/pkix-cert" },
	{ "conf", "text/plain; charset=utf-8" },
	{ "cpp", "text/plain; charset=utf-8" },
	{ "crt", "application/x-x509-ca-cert" },
	{ "css", "text/css; charset=utf-8" },
	{ "csv", "text/csv; charset=utf-8" },
	{ "cxx", "text/plain; charset=utf-8" },
	{ "deb", "application/vnd.debian.binary-package" },
	{ "diff", "text/plain; charset=utf-8" },
	{ "djvu", "image/vnd.djvu" },
	{ "dmg", "application/x-apple-diskimage" },
	{ "doc", "application/msword" },
	{ "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document" },
	{ "eot", "application/vnd.ms-fontobject" },
	{ "eps", "application/postscript" },
	{ "epub", "application/epub+zip" },
	{ "exe", "application/x-msdos-program" },
	{ "flac", "audio/flac" },
	{ "flv", "video/x-flv" },
	{ "geojson", "application/geo+json" },
	{ "gif", "image/gif" },
	{ "glb", "model/gltf-binary" },
	{ "gltf", "model/gltf+json" },
	{ "go", "text/plain; charset=utf-8" },
	{ "gpx", "application/gpx+xml" },
	{ "gz", "application/gzip" },
	{ "h", "text/plain; charset=utf-8" },
	{ "heic", "image/heic" },
	{ "heif", "image/heif" },
	{ "hpp", "text/plain; charset=utf-8" },
	{ "htm", "text/html; charset=utf-8" },
	{ "html", "text/html; charset=utf-8" },
	{ "ico", "image/vnd.microsoft.icon" },
	{ "ics", "text/calendar; charset=utf-8" },
	{ "ini", "text/plain; charset=utf-8" },
	{ "iso", "application/x-iso9660-image" },
	{ "jar", "application/java-archive" },
	{ "java", "text/plain; charset=utf-8" },
	{ "jfif", "image/jpeg" },
	{ "jpe", "image/jpeg" },
	{ "jpeg", "image/jpeg" },
	{ "jpg", "image/jpeg" },
	{ "js", "text/javascript; charset=utf-8" },
	{ "json", "application/json" },
	{ "jsonld", "application/ld+json" },
	{ "jxl", "image/jxl" },
	{ "kml", "application/vnd.google-earth.kml+xml" },
	{ "kmz", "application/vnd.google-earth.kmz" },
	{ "log", "text/plain; charset=utf-8" },
	{ "m3u8", "application/vnd.apple.mpegurl" },
	{ "m4a", "audio/mp4" },
	{ "m4v", "video/mp4" },
	{ "map", "application/json" },
	{ "markdown", "text/markdown; charset=utf-8" },
	{ "md", "text/markdown; charset=utf-8" },
	{ "mid", "audio/midi" },
	{ "midi", "audio/midi" },
	{ "mjs", "text/javascript; charset=utf-8" },
	{ "mkv", "video/matroska" },
	{ "mobi", "application/x-mobipocket-ebook" },
	{ "mov", "video/quicktime" },
	{ "mp3", "audio/mpeg" },
	{ "mp4", "video/mp4" },
	{ "mpd", "application/dash+xml" },
	{ "mpe", "video/mpeg" },
	{ "mpeg", "video/mpeg" },
	{ "mpg", "video/mpeg" },
	{ "obj", "model/obj" },
	{ "odg", "application/vnd.oasis.opendocument.graphics" },
	{ "odp", "application/vnd.oasis.opendocument.presentation" },
	{ "ods", "application/vnd.oasis.opendocument.spreadsheet" },
	{ "odt", "application/vnd.oasis.opendocument.text" },
	{ "oga", "audio/ogg" },
	{ "ogg", "audio/ogg" },
	{ "ogv", "video/ogg" },
	{ "opus", "audio/ogg" },
	{ "otf", "font/otf" },
	{ "patch", "text/plain; charset=utf-8" },
	{ "pdf", "application/pdf" },
	{ "pl", "text/plain; charset=utf-8" },
	{ "png", "image/png" },
	{ "ppt", "application/vnd.ms-powerpoint" },
	{ "pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation" },
	{ "ps", "application/postscript" },
	{ "py", "text/plain; charset=utf-8" },
	{ "rar", "application/vnd.rar" },
	{ "rb", "text/plain; charset=utf-8" },
	{ "rpm", "application/x-redhat-package-manager" },
	{ "rs", "text/plain; charset=utf-8" },
	{ "rss", "application/rss+xml" },
	{ "rtf", "text/rtf; charset=utf-8" },
	{ "sh", "text/plain; charset=utf-8" },
	{ "shtml", "text/html; charset=utf-8" },
	{ "sqlite3", "application/vnd.sqlite3" },
	{ "srt", "text/plain; charset=utf-8" },
	{ "stl", "model/stl" },
	{ "svg", "image/svg+xml" },
	{ "swf", "application/vnd.adobe.flash.movie" },
	{ "tar", "application/x-tar" },
	{ "tex", "text/plain; charset=utf-8" },
	{ "text", "text/plain; charset=utf-8" },
	{ "tgz", "application/gzip" },
	{ "tif", "image/tiff" },
	{ "tiff", "image/tiff" },
	{ "toml", "application/toml" },
	{ "ts", "video/mp2t" },
	{ "tsv", "text/tab-separated-values; charset=utf-8" },
	{ "ttc", "font/collection" },
	{ "ttf", "font/ttf" },
	{ "txt", "text/plain; charset=utf-8" },
	{ "vcf", "text/vcard; charset=utf-8" },
	{ "vtt", "text/vtt; charset=utf-8" },
	{ "wasm", "application/wasm" },
	{ "wav", "audio/wav" },
	{ "weba", "audio/webm" },
	{ "webm", "video/webm" },
	{ "webmanifest", "application/manifest+json" },
	{ "webp", "image/webp" },
	{ "wmv", "video/x-ms-wmv" },
	{ "woff", "font/woff" },
	{ "woff2", "font/woff2" },
	{ "xhtml", "application/xhtml+xml" },
	{ "xls", "application/vnd.ms-excel" },
	{ "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" },
	{ "xml", "application/xml" },
	{ "xsl", "application/xslt+xml" },
	{ "xslt", "application/xslt+xml" },
	{ "xz", "application/x-xz" },
	{ "yaml", "application/yaml" },
	{ "yml", "application/yaml" },
	{ "zip", "application/zip" },
	{ "zst", "application/zstd" },
};
/* clang-format on */

static int compare(const void *extension, const void *row)
{
	return strcmp(extension, ((const struct row *)row)->extension);
}

const char *rung_mime_type(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	const char *dot = strrchr(name, '.');
	char extension[sizeof rows->extension];
	size_t size = 0;

	/* A dot in front hides a file; it does not begin an extension. */
	if (!dot || dot == name)
		return NULL;
	for (dot++; dot[size]; size++) {
		if (size + 1 == sizeof extension)
			return NULL;
		extension[size] = rung_lower(dot[size]);
	}
	extension[size] = '\0';
	const struct row *row = bsearch(extension, rows, sizeof rows / sizeof *rows, sizeof *rows, compare);
	return row ? row->type : NULL;
}
