/* DESC: A site of files: an index, a listing, ranges, precompressed assets that browsers keep for a year. */
/* TRY: 200 / -- the shop, a page that takes its assets by their fingerprints */
/* TRY: 200 -H 'Accept-Encoding: br' -I / -- the same as Brotli, because you say so: look at Vary and Content-Length */
/* TRY: 200 -H 'Accept-Encoding: br;q=0.1, zstd' -I / -- you would rather have Zstandard */
/* TRY: 301 /catalogue -- a folder has a slash */
/* TRY: 200 /downloads/ -- a folder without an index is listed: sorted, escaped, without what is hidden */
/* TRY: 404 /downloads/.hidden -- and what is hidden is not there */
/* TRY: 206 -r 0-15 /downloads/lines.txt -- the first sixteen bytes */
/* TRY: 206 -r 0-15,-16 /downloads/lines.txt -- and the last sixteen too, as one answer of two parts */
/* TRY: 416 -r 2000000- /downloads/lines.txt -- beyond its end there is nothing */
/* TRY: 304 -H 'If-None-Match: *' /downloads/lines.txt -- what you have is not sent again */
/* TRY: 404 --path-as-is /downloads/../public/index.html -- there is no way out of a folder */
#include <rung/access_log.h>
#include <rung/error_pages.h>
#include <rung/files.h>
#include <rung/rung.h>

int main(int argc, char **argv)
{
	return rung_main(argc, argv,
		rung_stack(rung_access_log(), rung_error_pages(),
			rung_routes(rung_mount("/downloads",
					    rung_files(.root = SITE "/downloads", .listing = true)),
				rung_files(.root = SITE "/public", .index = "index.html",
					.precompressed = true, .immutable = true,
					.cache_control = "no-cache"))));
}
