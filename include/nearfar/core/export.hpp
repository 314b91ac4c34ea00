#pragma once

/// \file
/// The compiled library's objects hide their names but for its entry points.

/// Stands before what the shared library offers: a function's declaration, or its explicit
/// instantiation in src/.
#if defined(NEARFAR_BUILDING) && defined(__GNUC__) && !defined(_WIN32)
#define NEARFAR_EXPORT __attribute__((visibility("default")))
#else
#define NEARFAR_EXPORT
#endif
