#pragma once

#include <filesystem>
#include <string>
#include <vector>

/// \file
/// Charts of lines.

namespace example {

/// A chart of columns of `<name>.csv`, whose first line names them.
struct LineChart {
  struct Line {
    int column;  ///< from 1
    std::string title;
    int deviation = 0;  ///< the column with half the length of error bars; 0: none
  };
  std::string name;
  std::string title;
  std::string subtitle;
  std::string x_label;
  std::string y_label = "";  ///< none where the title says it
  int x_column = 1;
  bool log_x = false;
  bool log_y = false;
  double y_top = 0;              ///< where the frame ends; 0: at the largest number
  std::string key = "left top";  ///< where the lines are named, in gnuplot's words
  std::vector<Line> lines;  ///< the first one is drawn dashed, as what the others are held against
};

/// `<name>.gp`. Throws std::runtime_error when it cannot be written.
void write_lines(const std::filesystem::path& folder, const LineChart& chart);

}  // namespace example
