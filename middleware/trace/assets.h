/* assets.h: private: the inspector's page, as embed.c writes it into the library. */
#pragma once

#include <stddef.h>

extern const unsigned char rung_trace_inspect_html[], rung_trace_inspect_css[], rung_trace_inspect_js[];
extern const size_t rung_trace_inspect_html_size, rung_trace_inspect_css_size, rung_trace_inspect_js_size;
