#include "forms.hpp"

/// \file
/// All other losses.

NEARFAR_OTHER_LOSSES(NEARFAR_C_LOSS)
