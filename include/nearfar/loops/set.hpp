#pragma once

/// \file
/// The instruction set of vector code. All of loops/impl is in an inline namespace of this name, so
/// that one program can contain the same loops compiled for several sets. A build defines
/// NEARFAR_SET as `baseline`, `avx2` or `avx512` together with the compiler's flags. Without a
/// definition, the set is that of the translation unit's own flags.

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
