/* api.h: what every public header needs: export, linkage and attribute macros. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
#define RUNG_BEGIN extern "C" {
#define RUNG_END   }
#else
#define RUNG_BEGIN
#define RUNG_END
#endif

/* The library is built with hidden visibility; only what carries RUNG_API leaves it. */
#if defined(__GNUC__)
#define RUNG_API            __attribute__((visibility("default")))
#define RUNG_PRINTF(fmt, a) __attribute__((format(printf, fmt, a)))
#define RUNG_MUST_USE       __attribute__((warn_unused_result))
#define RUNG_PURE           __attribute__((pure))
#define RUNG_UNLIKELY(x)    __builtin_expect(!!(x), 0)
#else
#define RUNG_API
#define RUNG_PRINTF(fmt, a)
#define RUNG_MUST_USE
#define RUNG_PURE
#define RUNG_UNLIKELY(x) (x)
#endif
