#include "forms.hpp"

/// \file
/// Losses over labels.

NEARFAR_LOSSES_OVER_LABELS(NEARFAR_C_LOSS)
