#include "common/chart.hpp"

#include <algorithm>

#include "common/gnuplot.hpp"
#include "common/output.hpp"

namespace example {

void write_lines(const std::filesystem::path& folder, const LineChart& chart) {
  OutputFile script(folder / (chart.name + ".gp"));
  std::ostream& out = script.stream();
  begin_script(out, chart.name, 1200, 700, chart.title, chart.subtitle);
  draw_axes(out, chart.x_label);
  // Bars need room at the sides, and the legend room above them.
  if (std::any_of(chart.lines.begin(), chart.lines.end(),
                  [](const LineChart::Line& line) { return line.deviation > 0; })) {
    out << "set offsets graph 0.05, graph 0.05, graph 0.3, graph 0.1\n";
  }
  if (!chart.y_label.empty()) {
    out << "set ylabel " << quoted(chart.y_label) << " noenhanced tc rgb '#6B7280'\n"
        << "set lmargin at screen 0.105\n";
  }
  if (chart.y_top > 0) out << "set yrange [0:" << chart.y_top << "]\n";
  if (chart.log_x) out << "set logscale x 2\n";
  if (chart.log_y) {
    out << "set logscale y 10\nset ytics (1e-7";
    for (int power = -6; power <= 6; ++power) {
      for (const char* digits : {"1", "1.5", "2", "3", "5", "7"}) {
        out << ", " << digits << "e" << power;
      }
    }
    out << ")\nset format y '%g'\n";
  }
  out << "set key " << chart.key
      << " Left reverse samplen 2 spacing 1.4 noenhanced tc rgb '#22252B'\n"
      << "plot ";
  for (std::size_t k = 0; k < chart.lines.size(); ++k) {
    const LineChart::Line& line = chart.lines[k];
    const bool bars = k > 0 && line.deviation > 0;
    const std::string style = k == 0 ? "lines dt 2 lw 3 lc rgb '#22252B'"
                                     : (bars ? "yerrorlines" : "linespoints") +
                                           std::string(" pt 7 ps 0.9 lw 3 lc rgb '#") +
                                           palette[(k - 1) % palette.size()] + "'";
    out << (k > 0 ? ", \\\n     " : "") << quoted(chart.name + ".csv") << " every ::1 using "
        << chart.x_column << ":" << line.column
        << (bars ? ":" + std::to_string(line.deviation) : "") << " with " << style << " title "
        << quoted(line.title);
  }
  out << '\n';
  script.commit();
}

}  // namespace example
