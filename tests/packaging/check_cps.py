"""Checks the description in the Common Package Specification against what is built and exported.

usage: check_cps.py NEARFAR_CPS VERSION NAME=FILE...
A component NAME for each library, whose FILE it names; header_only beside them.
"""

import json
import pathlib
import sys

description = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
version, libraries = sys.argv[2], dict(argument.split("=") for argument in sys.argv[3:])
complaints = []


def check(true, complaint):
    if not true:
        complaints.append(complaint)


check(description["name"] == "nearfar", "its name is nearfar")
check(description["version"] == version, f"version {description['version']}, not {version}")
check(description["compat_version"] == version.rsplit(".", 1)[0] + ".0", "compatible is the same minor version")
check(description["cps_path"].startswith("@prefix@/"), "a path that does not move with the prefix")

components = description["components"]
check(set(description["default_components"]) <= components.keys(), "a default component that is none")
check(components.keys() - {"openmp"} == libraries.keys() | {"header_only"},
      f"components {sorted(components)}, wanted {sorted(libraries)} and header_only")
for name, component in components.items():
    for wanted in component.get("requires", []):
        package, _, part = wanted.partition(":")
        known = components if package == "" else description["requires"]
        check((part if package == "" else package) in known, f"{name}: requires {wanted}, which is nowhere")
    if name == "openmp":
        continue
    check("c++20" in component["compile_features"], f"{name}: C++20")
    check(all(folder.startswith("@prefix@/") for folder in component["includes"]), f"{name}: folders move")
    defined = component.get("definitions", {}).get("*", {})
    check(("NEARFAR_HEADER_ONLY" in defined) == (name == "header_only"), f"{name}: defines {defined}")
    if name in libraries:
        file = libraries[name]
        check(component["location"].endswith("/" + file), f"{name}: {component['location']} is not {file}")
        check(component["type"] == ("archive" if file.endswith((".a", ".lib")) else "dylib"), f"{name}: its type")

for complaint in complaints:
    print(complaint)
sys.exit(1 if complaints else 0)
