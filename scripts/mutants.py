"""Mutants of a C++ header as text: where small wrong changes can be made, and the header that holds
all of them, to be chosen by number when the program runs (mutant schemata).

Sites:

    + and -, * and /, += and -=, a sign      exchanged
    < <= > >=                                with or without equality; reversed
    == !=  && ||  min max                    exchanged
    0 1 and other small literals             1, 0, one more
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from cpp_source import masked

# Each object stands where its operator stood, with the operator's own precedence on either side.
SCHEMATA = r"""
#pragma once
#include <algorithm>
#include <cstdlib>
#include <utility>
namespace nearfar_mutants {
inline const int chosen = [] {
  const char* text = std::getenv("NEARFAR_MUTANT");
  return text != nullptr ? std::atoi(text) : -1;
}();
inline int active() { return chosen; }
struct At {
  int number;
  int variant() const { return active() - number; }
  bool on() const { return active() == number; }
};
#define NEARFAR_MUTANT_BINARY(Name, op, first, second)                              \
  struct Name : At {};                                                              \
  template <class T>                                                                \
  struct Name##Left {                                                               \
    T&& value;                                                                      \
    int variant;                                                                    \
    template <class U>                                                              \
    auto operator op(const U& b) const {                                            \
      if (variant == 0) return value first b;                                       \
      if (variant == 1) return value second b;                                      \
      return value op b;                                                            \
    }                                                                               \
  };                                                                                \
  template <class T>                                                                \
  Name##Left<T> operator op(T&& a, Name at) {                                       \
    return {std::forward<T>(a), at.variant()};                                      \
  }
NEARFAR_MUTANT_BINARY(Plus, +, -, -)
NEARFAR_MUTANT_BINARY(Minus, -, +, +)
NEARFAR_MUTANT_BINARY(Times, *, /, /)
NEARFAR_MUTANT_BINARY(Over, /, *, *)
NEARFAR_MUTANT_BINARY(Less, <, <=, >=)
NEARFAR_MUTANT_BINARY(LessEqual, <=, <, >)
NEARFAR_MUTANT_BINARY(Greater, >, >=, <=)
NEARFAR_MUTANT_BINARY(GreaterEqual, >=, >, <)
NEARFAR_MUTANT_BINARY(Equal, ==, !=, !=)
NEARFAR_MUTANT_BINARY(Unequal, !=, ==, ==)
struct Sign : At {};
template <class T>
T operator*(Sign at, const T& b) {
  if constexpr (requires { -b; }) {
    return at.on() ? static_cast<T>(-b) : b;
  } else {
    return at.on() ? (b - b) - b : b;
  }
}
template <class A, class B>
bool both(int number, const A& a, const B& b) {
  return active() == number ? a() || b() : a() && b();
}
template <class A, class B>
bool either(int number, const A& a, const B& b) {
  return active() == number ? a() && b() : a() || b();
}
template <bool smaller>
struct Extreme : At {
  template <class T>
  T operator()(const T& a, const T& b) const {
    using std::max;
    using std::min;
    return on() == smaller ? max(a, b) : min(a, b);
  }
  template <class T>
  T operator()(std::initializer_list<T> all) const {
    return on() == smaller ? std::max(all) : std::min(all);
  }
  template <class T>
  T as(const T& a, const T& b) const {
    return (*this)(a, b);
  }
};
template <class T>
T literal(int number, T right, T first, T second) {
  return active() == number ? first : active() == number + 1 ? second : right;
}
}  // namespace nearfar_mutants
"""

BINARY = {"+": "Plus", "-": "Minus", "*": "Times", "/": "Over", "<": "Less", "<=": "LessEqual",
          ">": "Greater", ">=": "GreaterEqual", "==": "Equal", "!=": "Unequal"}
TURNED = {"+": ["-"], "-": ["+"], "*": ["/"], "/": ["*"], "<": ["<=", ">="], "<=": ["<", ">"],
          ">": [">=", "<="], ">=": [">", "<"], "==": ["!="], "!=": ["=="]}

# Lines whose expressions are constants of the compiler's, or no expressions.
NOT_CODE = re.compile(r"^\s*(#|template\b|using\b|static_assert\b|requires\b|concept\b|friend\b|case\b|"
                      r"enum\b|extern\b|NEARFAR_[A-Z_]+\()|\bconstexpr\b|\boperator\b|= default|"
                      r"static_assert|__builtin_shufflevector|\bfail_|to_string|std::string|"
                      r"^\s*[\w:<>]+ \w+\[[^\]]*\];")


def template_arguments(code):
    """Spans of <...> that are arguments of templates: no space before them, as around operators."""
    spans = []
    for m in re.finditer(r"(?<=\w)<(?=[\w:-])", code):
        depth = 0
        for i in range(m.start(), min(len(code), m.start() + 300)):
            if code[i] in ";{":
                break
            depth += {"<": 1, ">": -1}.get(code[i], 0)
            if depth == 0:
                spans.append((m.start(), i))
                break
    return spans


@dataclass
class Site:
    file: str
    line: int
    text: str  # of the line
    what: list  # one description a mutant
    edits: list  # (offset, length, replacement with {n})
    number: int = -1


@dataclass
class Header:
    path: Path
    name: str
    source: str
    sites: list = field(default_factory=list)


def operand_start(code, at, stops):
    """Where the left operand of an operator at `at` starts."""
    depth = 0
    i = at - 1
    while i >= 0:
        c = code[i]
        if c in ")]}":
            depth += 1
        elif c in "([{":
            if depth == 0:
                return i + 1
            depth -= 1
        elif depth == 0:
            if c in ",;?:" and code[i - 1:i + 1] != "::" and code[i:i + 2] != "::":
                return i + 1
            if code[i - 1:i + 2] in (" = ", " =\n"):
                return i + 1
            if code[i:i + 2] in stops:
                return i + 2
            if re.match(r"\breturn\b", code[i:]) and not code[i - 1].isalnum():
                return i + 6
        i -= 1
    return None


def operand_end(code, at, stops, whole=False):
    """Where the right operand that starts at `at` ends; with `whole` after an a ? b : c."""
    depth = 0
    for i in range(at, len(code)):
        c = code[i]
        if c in "([{":
            depth += 1
        elif c in ")]}":
            if depth == 0:
                return i
            depth -= 1
        elif depth == 0:
            if c in ",;" or (c in "?:" and not whole and code[i - 1] != ":" and code[i + 1] != ":"):
                return i
            if code[i:i + 2] in stops:
                return i
    return None


def find_sites(header):
    code = masked(header.source)
    lines = code.split("\n")
    raw = header.source.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)

    constants = template_arguments(code)

    def add(offset, what, edits):
        if any(start < offset < end for start, end in constants):
            return
        line = next(k for k in range(len(lines)) if starts[k + 1] > offset)
        if NOT_CODE.search(lines[line]):
            return
        # Mutants live in bodies; declarations and defaults are indented like them, but end up
        # in the compiler's complaints.
        header.sites.append(Site(header.name, line + 1, raw[line].strip(), what, edits))

    for m in re.finditer(r"(?<=[\w\)\]>] )(<=|>=|==|!=|[-+*/<>])(?=\s)", code):
        op = m.group(1)
        add(m.start(), [f"{op} -> {t}" for t in TURNED[op]],
            [(m.start(), len(op), f"{op} nearfar_mutants::{BINARY[op]}{{{{{{n}}}}}} {op}")])
    for m in re.finditer(r" ([-+])=\s", code):
        end = operand_end(code, m.end(), (), whole=True)
        if end is None:
            continue
        other = "-" if m.group(1) == "+" else "+"
        add(m.start(), [f"{m.group(1)}= -> {other}="],
            [(m.end(), 0, "nearfar_mutants::Sign{{{n}}} * ("), (end, 0, ")")])
    for m in re.finditer(r"(?:(?<=[(,=?:] )|(?<=\()|(?<=return ))-(?=[\w(])", code):
        add(m.start(), ["sign dropped"], [(m.start(), 1, "nearfar_mutants::Sign{{{n}}} * -")])
    for m in re.finditer(r"(&&|\|\|)(?=\s)", code):
        op = m.group(1)
        low = ("||",) if op == "&&" else ()
        start = operand_start(code, m.start(), low)
        end = operand_end(code, m.end(), ("&&", "||") if op == "&&" else ("||",))
        if start is None or end is None or not code[start:m.start()].strip():
            continue
        start += len(code[start:]) - len(code[start:].lstrip())
        name = "both" if op == "&&" else "either"
        add(m.start(), [f"{op} -> {'||' if op == '&&' else '&&'}"],
            [(start, 0, f"nearfar_mutants::{name}({{n}}, [&]() -> bool {{{{ return "),
             (m.start(), 2, "; }}, [&]() -> bool {{ return "), (end, 0, "; }})")])
    for m in re.finditer(r"(?<![:.\w])(?:std::)?(min|max)(<\w+>)?\(", code):
        smaller = m.group(1) == "min"
        call = "" if m.group(2) is None else f".template as{m.group(2)}"
        add(m.start(), [f"{m.group(1)} -> {'max' if smaller else 'min'}"],
            [(m.start(), m.end() - m.start() - 1,
              f"nearfar_mutants::Extreme<{str(smaller).lower()}>{{{{{{n}}}}}}{call}")])
    for m in re.finditer(r"(?<![\w.'])(\d|\d\.\d)(?![\w.'])", code):
        value = m.group(1)
        wrong = {"0": ["1"], "1": ["0", "2"]}.get(value, [f"{value} + 1"])
        before = code[:m.start()].rstrip()
        if re.search(r"\d[eE][-+]$", before):  # an exponent
            continue
        add(m.start(), [f"{value} -> {w}" for w in wrong],
            [(m.start(), len(value),
              f"nearfar_mutants::literal({{n}}, {value}, {wrong[0]}, {wrong[-1]})")])


def written(header, left_out):
    """The header with its sites, those of `left_out` as they were."""
    edits = []
    for site in header.sites:
        if site.number < 0 or site.number in left_out:
            continue
        first, last = site.edits[0][0], site.edits[-1][0]
        for offset, length, text in site.edits:
            # In one place: what closes, the narrowest first; what opens, the widest first; and
            # last what stands in for the operator or the literal there.
            if length > 0:
                rank = (2, 0)
            elif offset == last and len(site.edits) > 1:
                rank = (0, last - first)
            else:
                rank = (1, first - last)
            edits.append((offset, rank, length, text.format(n=site.number)))
    out = header.source
    for offset, _, length, text in sorted(edits, reverse=True):
        out = out[:offset] + text + out[offset + length:]
    return out
