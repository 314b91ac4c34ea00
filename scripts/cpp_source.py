"""C++ as text, for the scripts that look at it without a compiler."""

import re


def masked(source):
    """The source with comments, literals of text and preprocessor lines blanked out."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    out = re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', blank, source,
                 flags=re.S)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", blank, out, flags=re.M)
