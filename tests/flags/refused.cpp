// expect: -ffinite-math-only
#include <nearfar/losses/info_nce.hpp>
