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
		"/x.html/", "a.html ", "a.htmlx", "a.ht", "a.html.bak", "a.averyveryverylongextension",
		"a.\xc3\xa9" };

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		cr_expect_null(rung_mime_type(paths[i]), "%s is %s", paths[i], rung_mime_type(paths[i]));
}
