#pragma once

#include <algorithm>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>

/// \file
/// Messages of the classes with the interface's names of arguments.

namespace nearfar::detail::c {

/// An argument of a class's call and that of the interface.
struct Renamed {
  std::string_view in_cpp;
  std::string_view in_c;
};
using Names = std::initializer_list<Renamed>;

/// "nearfar: <argument>: wanted ...", with each name among the words of <argument> replaced.
inline std::string renamed(std::string_view message, Names names) {
  constexpr std::string_view prefix = "nearfar: ";
  const std::size_t end = message.find(": wanted");
  if (!message.starts_with(prefix) || end == std::string_view::npos || end < prefix.size()) {
    return std::string(message);
  }
  std::string_view argument = message.substr(prefix.size(), end - prefix.size());
  std::string out(prefix);
  while (!argument.empty()) {
    std::size_t taken = 0;
    for (const Renamed& name : names) {
      // A gradient's name is that of its rows, after d or d_.
      for (const std::string_view d : {"", "d", "d_"}) {
        const std::string in_cpp = std::string(d) + std::string(name.in_cpp);
        if (taken > 0 || !argument.starts_with(in_cpp)) continue;
        if (argument.size() > in_cpp.size() && argument[in_cpp.size()] != ' ') continue;
        taken = in_cpp.size();
        if (!d.empty()) out += name.in_c.size() == 1 ? "d" : "d_";
        out += name.in_c;
      }
    }
    if (taken == 0) {
      taken = std::min(argument.find(' '), argument.size());
      out += argument.substr(0, taken);
    }
    argument.remove_prefix(taken);
    if (argument.empty()) break;
    out += ' ';
    argument.remove_prefix(1);
  }
  return out + std::string(message.substr(end));
}

/// Runs body(); what it throws names arguments as `names` says.
template <class Body>
void with_names(Names names, const Body& body) {
  try {
    body();
  } catch (const std::invalid_argument& e) {
    throw std::invalid_argument(renamed(e.what(), names));
  } catch (const std::domain_error& e) {
    throw std::domain_error(renamed(e.what(), names));
  }
}

}  // namespace nearfar::detail::c
