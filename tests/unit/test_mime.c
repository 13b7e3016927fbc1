/* test_mime.c: media types by file name. */
#include "support.h"

SUITE(mime);

Test(mime, the_last_extension_tells_the_type)
{
	static const struct {
		const char *path, *type;
	} cases[] = {
		{ "a.html", "text/html; charset=utf-8" },
		{ "a.htm", "text/html; charset=utf-8" },
		{ "a.HTML", "text/html; charset=utf-8" },
		{ "a.Css", "text/css; charset=utf-8" },
		{ "a.js", "text/javascript; charset=utf-8" },
		{ "a.mjs", "text/javascript; charset=utf-8" },
		{ "a.json", "application/json" },
		{ "a.txt", "text/plain; charset=utf-8" },
		{ "a.md", "text/markdown; charset=utf-8" },
		{ "a.csv", "text/csv; charset=utf-8" },
		{ "a.c", "text/plain; charset=utf-8" },
		{ "a.xml", "application/xml" },
		{ "a.svg", "image/svg+xml" },
		{ "a.png", "image/png" },
		{ "a.jpg", "image/jpeg" },
		{ "a.jpeg", "image/jpeg" },
		{ "a.gif", "image/gif" },
		{ "a.webp", "image/webp" },
		{ "a.avif", "image/avif" },
		{ "a.ico", "image/vnd.microsoft.icon" },
		{ "a.pdf", "application/pdf" },
		{ "a.zip", "application/zip" },
		{ "a.gz", "application/gzip" },
		{ "a.tar.gz", "application/gzip" },
		{ "a.min.js", "text/javascript; charset=utf-8" },
		{ "a.woff2", "font/woff2" },
		{ "a.wasm", "application/wasm" },
		{ "a.mp4", "video/mp4" },
		{ "a.webm", "video/webm" },
		{ "a.mp3", "audio/mpeg" },
		{ "a.webmanifest", "application/manifest+json" },
		{ "a.3gp", "video/3gpp" },       /* the first row */
		{ "a.zst", "application/zstd" }, /* the last one */
		{ "a.TAR.GZ", "application/gzip" },
		{ "a.WEBMANIFEST", "application/manifest+json" }, /* the longest */
		{ "a.C", "text/plain; charset=utf-8" },           /* the shortest */
		{ "..html", "text/html; charset=utf-8" },
		{ ".hidden.html", "text/html; charset=utf-8" },
		{ "a b.html", "text/html; charset=utf-8" },
		{ "\xc3\xa9.css", "text/css; charset=utf-8" },
		{ "/a.html", "text/html; charset=utf-8" },
		{ "/x/y.z/a.html", "text/html; charset=utf-8" },
		{ "/x/.git/a.html", "text/html; charset=utf-8" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *type = rung_mime_type(cases[i].path);

		cr_expect(type && strcmp(type, cases[i].type) == 0, "%s is %s", cases[i].path,
			type ? type : "(NULL)");
	}
}

Test(mime, what_has_no_extension_that_is_known_has_no_type)
{
	static const char *const paths[] = { "", "a", "a.", "a.unknown", ".html", "/x.html/a", "/x/.html",
		"/x.html/", "a.html ", "a.htmlx", "a.ht", "a.html.bak", "a.webmanifestx",
		"a.averyveryverylongextension", ".", "..", "/", "a..", "html", "a.\xc3\xa9" };

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		cr_expect_null(rung_mime_type(paths[i]), "%s is %s", paths[i], rung_mime_type(paths[i]));
}

/* The table is searched by halves: a row out of order hides itself or others. */
Test(mime, every_extension_is_found_in_either_case)
{
	static const char *const extensions[] = { "3gp", "7z", "aac", "aif", "aiff", "apk", "apng", "atom",
		"avi", "avif", "bin", "bmp", "br", "bz2", "c", "cc", "cer", "conf", "cpp", "crt", "css",
		"csv", "cxx", "deb", "diff", "djvu", "dmg", "doc", "docx", "eot", "eps", "epub", "exe",
		"flac", "flv", "geojson", "gif", "glb", "gltf", "go", "gpx", "gz", "h", "heic", "heif", "hpp",
		"htm", "html", "ico", "ics", "ini", "iso", "jar", "java", "jfif", "jpe", "jpeg", "jpg", "js",
		"json", "jsonld", "jxl", "kml", "kmz", "log", "m3u8", "m4a", "m4v", "map", "markdown", "md",
		"mid", "midi", "mjs", "mkv", "mobi", "mov", "mp3", "mp4", "mpd", "mpe", "mpeg", "mpg", "obj",
		"odg", "odp", "ods", "odt", "oga", "ogg", "ogv", "opus", "otf", "patch", "pdf", "pl", "png",
		"ppt", "pptx", "ps", "py", "rar", "rb", "rpm", "rs", "rss", "rtf", "sh", "shtml", "sqlite3",
		"srt", "stl", "svg", "swf", "tar", "tex", "text", "tgz", "tif", "tiff", "toml", "ts", "tsv",
		"ttc", "ttf", "txt", "vcf", "vtt", "wasm", "wav", "weba", "webm", "webmanifest", "webp",
		"wmv", "woff", "woff2", "xhtml", "xls", "xlsx", "xml", "xsl", "xslt", "xz", "yaml", "yml",
		"zip", "zst" };

	for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++) {
		char lower[32], upper[32];

		snprintf(lower, sizeof lower, "/a.%s", extensions[i]);
		for (size_t j = 0; j <= strlen(lower); j++)
			upper[j] = (char)(lower[j] >= 'a' && lower[j] <= 'z' ? lower[j] - 32 : lower[j]);
		const char *type = rung_mime_type(lower);
		cr_assert(type != NULL, "%s", lower);
		ASSERT_STR(rung_mime_type(upper), type);
		/* Text says its charset, and nothing else does. */
		cr_expect((strncmp(type, "text/", 5) == 0) == (strstr(type, "; charset=utf-8") != NULL),
			"%s is %s", lower, type);
		cr_expect(strchr(type, '/') && !strpbrk(type, "\r\n,"), "%s is %s", lower, type);
	}
}
