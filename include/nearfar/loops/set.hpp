#pragma once

/// \file
/// The instruction set that vector code is compiled for. Everything in loops/impl lies in an inline
/// namespace of this name, so that one program can hold the same loops compiled for several sets:
/// a build defines NEARFAR_SET as `baseline`, `avx2` or `avx512` along with the compiler's flags.
/// Where nothing is defined, the set is what the translation unit's own flags give.

#ifndef NEARFAR_SET
#define NEARFAR_SET native
#endif

#if defined(_MSC_VER)
#define NEARFAR_ALWAYS_INLINE __forceinline
#define NEARFAR_LAMBDA_INLINE
#define NEARFAR_NOT_INLINE __declspec(noinline)
#else
#define NEARFAR_ALWAYS_INLINE inline __attribute__((always_inline))
#define NEARFAR_LAMBDA_INLINE __attribute__((always_inline))
#define NEARFAR_NOT_INLINE __attribute__((noinline))
#endif
