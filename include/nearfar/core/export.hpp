#pragma once

/// \file
/// The compiled library exports its entry points and hides all other symbols.

/// Marks what the shared library exports. It stands before a function's declaration, or before its
/// explicit instantiation in src/.
#if defined(NEARFAR_BUILDING) && defined(__GNUC__) && !defined(_WIN32)
#define NEARFAR_EXPORT __attribute__((visibility("default")))
#else
#define NEARFAR_EXPORT
#endif
