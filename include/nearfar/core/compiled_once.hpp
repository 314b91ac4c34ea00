#pragma once

/// \file
/// Members of class templates that one source of the compiled library instantiates.

/// Stands before such a member that is more than an accessor. A declaration as `extern template`
/// does not keep an optimising compiler from instantiating the member's body, and all that the
/// body uses, in each file that calls it: it might inline it.
#if defined(NEARFAR_HEADER_ONLY) || !defined(__GNUC__)
#define NEARFAR_COMPILED_ONCE
#else
#define NEARFAR_COMPILED_ONCE __attribute__((noinline))
#endif
