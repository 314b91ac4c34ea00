#include "common/gnuplot.hpp"

namespace example {

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}

void begin_script(std::ostream& script, const std::string& name, int width, int height,
                  const std::string& title, const std::string& subtitle) {
  const auto from_top = [&](double pixels) { return 1 - pixels / height; };
  script << "# Draws " << name << ".csv: gnuplot " << name << ".gp\n"
         << "if (!exists('out')) out = '" << name << ".png'\n"
         << "set terminal pngcairo size " << width << "," << height
         << " enhanced font 'DejaVu Sans,14' background rgb '#FFFFFF'\n"
         << "set output out\n"
         << "set datafile separator comma\n"
         << "set label 1 " << quoted(title) << " at screen 0.035," << from_top(46)
         << " left font 'DejaVu Sans,20' tc rgb '#22252B' noenhanced\n"
         << "set label 2 " << quoted(subtitle) << " at screen 0.035," << from_top(86)
         << " left font 'DejaVu Sans,13' tc rgb '#6B7280' noenhanced\n"
         << "set border lc rgb '#D5D9DF'\n"
         << "set tmargin at screen " << from_top(header_height) << "\n";
}

void define_colours(std::ostream& script, bool transparent) {
  script << "colours = '";
  for (const char* colour : palette) script << (colour == palette[0] ? "0x" : " 0x") << colour;
  script << "'\n"
         << "colour(label) = " << (transparent ? "0x80000000 + " : "")
         << "int(word(colours, 1 + int(label) % " << palette.size() << "))\n";
}

void draw_axes(std::ostream& script, const std::string& x_label) {
  script << "set border 3\n"
         << "set tics nomirror out scale 0.6 tc rgb '#6B7280'\n"
         << "set grid ytics lc rgb '#E8EBEF' lw 1\n"
         << "set xlabel " << quoted(x_label) << " tc rgb '#6B7280'\n"
         << "set rmargin at screen 0.965\n"
         << "set bmargin at screen 0.115\n"
         << "set lmargin at screen 0.075\n"
         << "set autoscale xfix\n"
         << "set autoscale yfix\n"
         << "set offsets graph 0, graph 0, graph 0.02, graph 0.02\n";
}

}  // namespace example
