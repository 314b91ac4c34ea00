#pragma once

#include <array>
#include <ostream>
#include <string>

/// \file
/// What the scripts of all pictures share.

namespace example {

/// Ten colours told apart by hue and by lightness; more classes go round again.
inline constexpr std::array<const char*, 10> palette = {"3B6FB6", "F28E2B", "D7404E", "45B5AA",
                                                        "4E9F3D", "E3B81F", "9161B3", "F283A5",
                                                        "8A5A3C", "6B7885"};

/// Text as gnuplot reads it.
std::string quoted(const std::string& text);

/// Pixels above a picture's frame, for its title.
inline constexpr double header_height = 115;

/// Size, title and border of a picture `<name>.png` of `<name>.csv`. `out` may be set on gnuplot's
/// command line.
void begin_script(std::ostream& script, const std::string& name, int width, int height,
                  const std::string& title, const std::string& subtitle);

/// Defines colour(k) as the palette's, half transparent if asked for, so that crowds show.
void define_colours(std::ostream& script, bool transparent);

/// Axes at the left and below, with marks outside and a faint grid.
void draw_axes(std::ostream& script, const std::string& x_label);

}  // namespace example
