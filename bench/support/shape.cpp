#include "support/shape.hpp"

#include <sstream>
#include <stdexcept>

namespace bench {

namespace {

[[noreturn]] void refuse(const std::string& what, const std::string& text) {
  throw std::invalid_argument(what + " in '" + text + "'");
}

std::ptrdiff_t positive(const std::string& number, const std::string& text) {
  std::istringstream in(number);
  std::ptrdiff_t out = 0;
  if (!(in >> out) || !in.eof() || out < 1) refuse("no number of rows: " + number, text);
  return out;
}

bool yes(const std::string& word, const std::string& text) {
  if (word != "yes" && word != "no") refuse("neither yes nor no: " + word, text);
  return word == "yes";
}

}  // namespace

Shape parse_shape(const std::string& text) {
  Shape out;
  out.text = text;
  std::istringstream parts(text);
  std::getline(parts, out.loss, ',');
  for (std::string part; std::getline(parts, part, ',');) {
    const std::size_t equal = part.find('=');
    if (equal == std::string::npos) refuse("no option: " + part, text);
    const std::string name = part.substr(0, equal);
    const std::string value = part.substr(equal + 1);
    if (name == "n") {
      out.n = positive(value, text);
    } else if (name == "m") {
      out.m = positive(value, text);
    } else if (name == "d") {
      out.d = positive(value, text);
    } else if (name == "threads") {
      out.threads = static_cast<int>(positive(value, text));
    } else if (name == "scalar") {
      if (value != "float" && value != "double") refuse("no scalar: " + value, text);
      out.scalar = value;
    } else if (name == "kernel") {
      out.kernel = value;
    } else if (name == "gradients") {
      out.gradients = yes(value, text);
    } else if (name == "peers") {
      out.peers = yes(value, text);
    } else if (name == "products") {
      if (value != "scalar" && value != "bfloat16") refuse("no products: " + value, text);
      out.bfloat16 = value == "bfloat16";
    } else {
      out.options.emplace_back(name, value);
    }
  }
  if (out.m == 0) out.m = out.n;
  if (out.bfloat16 && out.scalar != "float") refuse("products in bfloat16 of " + out.scalar, text);
  return out;
}

}  // namespace bench
