/* assets.h: private: the inspector's page, as embed.c writes it into the library. */
#pragma once

#include <stddef.h>

extern const unsigned char trace_inspect_html[], trace_inspect_css[], trace_inspect_js[];
extern const size_t trace_inspect_html_size, trace_inspect_css_size, trace_inspect_js_size;
