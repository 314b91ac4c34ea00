#include "forms.hpp"

/// \file
/// Losses of labelled rows against proxies.

NEARFAR_LOSSES_OVER_PROXIES(NEARFAR_C_LOSS)
