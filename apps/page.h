/* page.h: private: how the pages of the gallery's apps begin: what every page must say, and an easy hand on how it looks. */
#pragma once

#define PAGE(title)                                                                                                       \
	"<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"                                         \
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"                                      \
	"<link rel=\"icon\" href=\"data:,\">\n<title>" title "</title>\n<style>\n"                                        \
	":root { color-scheme: light dark; font: 100%/1.6 system-ui, sans-serif }\n"                                      \
	"body { max-width: 46rem; margin: 0 auto; padding: 1.5rem 1rem; overflow-wrap: anywhere }\n"                      \
	"h2 { margin: 1.25rem 0 0; font-size: 1.1rem } li { padding: .15rem 0 }\n"                                        \
	"h2 > a, li > a:only-child, a.go { display: inline-block; padding: .15rem 0 }\n"                                  \
	"pre, code { font: .875rem/1.5 ui-monospace, monospace; overflow-wrap: anywhere }\n"                              \
	"pre { white-space: pre-wrap; padding: .75rem; border: 1px solid rgb(128 128 128 / .5); border-radius: .4rem }\n" \
	"table { border-collapse: collapse } th, td { text-align: left; vertical-align: top; "                            \
	"padding: .3rem .8rem .3rem 0 }\n"                                                                                \
	"label { display: block; font-weight: 600 } button { padding: .35rem 1.25rem }\n"                                 \
	"input, textarea, button { font: inherit; box-sizing: border-box; max-width: 100% } textarea { width: 100% }\n"   \
	".wide { overflow-x: auto }\n"                                                                                    \
	".side { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 0 1rem }\n"  \
	"body:has(.side) { max-width: 78rem } body:has(.side) > p { max-width: 46rem }\n"                                 \
	"</style>\n</head>\n<body>\n<h1>" title "</h1>\n"
