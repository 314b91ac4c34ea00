#pragma once

/// \file
/// An option of MutualInformation.

namespace nearfar {

/// A bound on mutual information.
enum class MutualInformationBound { info_nce, nwj, donsker_varadhan, club };

}  // namespace nearfar
