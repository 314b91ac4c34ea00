"""Checks of the Conan recipe and the vcpkg port what can be checked without Conan and vcpkg, and that
all files that state the version state the one of version.hpp.

usage: check_recipes.py REPOSITORY CMAKE_CACHE
"""

import ast
import json
import pathlib
import re
import sys

root, cache = map(pathlib.Path, sys.argv[1:])
complaints = []


def check(true, complaint):
    if not true:
        complaints.append(complaint)


def read(path):
    return (root / path).read_text(encoding="utf-8")


header = read("include/nearfar/version.hpp")
version = ".".join(re.findall(r"^#define NEARFAR_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)$", header, re.M))
check(re.fullmatch(r"\d+\.\d+\.\d+", version), f"version.hpp: three numbers make a version, got {version!r}")
description = re.search(r'DESCRIPTION "([^"]+)"', read("CMakeLists.txt")).group(1)

# ---- options: all that a recipe sets are the project's, and none of another name ----------------

options = set(re.findall(r"^option\((NEARFAR_\w+)", read("CMakeLists.txt"), re.M))
cached = set(re.findall(r"^(NEARFAR_\w+):BOOL=", cache.read_text(encoding="utf-8"), re.M))
check(options and options <= cached, f"options that CMake does not know: {options - cached}")
recipe, port = read("packaging/conan/conanfile.py"), read("packaging/vcpkg/nearfar/portfile.cmake")
for name, text in (("conanfile.py", recipe), ("portfile.cmake", port)):
    used = set(re.findall(r"(?:\b|-D)(NEARFAR_(?!VERSION)[A-Z_]+)\b", text))
    check("NEARFAR_DEVELOPER" in used, f"{name}: builds nearfar with all of its tests")
    check(used <= options, f"{name}: no such options: {used - options}")

# ---- Conan -------------------------------------------------------------------------------------

for path in ("packaging/conan/conanfile.py", "packaging/conan/test_package/conanfile.py"):
    recipes = [n for n in ast.parse(read(path), path).body if isinstance(n, ast.ClassDef)]
    check(len(recipes) == 1 and ast.unparse(recipes[0].bases[0]) == "ConanFile", f"{path}: one recipe, a ConanFile")
members = {m.targets[0].id: m.value for c in ast.parse(recipe).body if isinstance(c, ast.ClassDef)
           for m in c.body if isinstance(m, ast.Assign)}
check(ast.literal_eval(members["name"]) == "nearfar", "conanfile.py: its name is nearfar")
check(ast.literal_eval(members["description"]) == description, "conanfile.py: another description than CMake's")
check("version" not in members, "conanfile.py: the version is version.hpp's")
choices, defaults = ast.literal_eval(members["options"]), ast.literal_eval(members["default_options"])
check(choices.keys() == defaults.keys(), "conanfile.py: an option without a default")
for pattern in re.search(r"for pattern in \((.*?)\)", recipe).group(1).split(", "):
    check(list(root.glob(pattern.strip('"'))), f"conanfile.py: exports {pattern}, which is not there")

# ---- vcpkg -------------------------------------------------------------------------------------

manifest = json.loads(read("packaging/vcpkg/nearfar/vcpkg.json"))
check(manifest["name"] == "nearfar" == (root / "packaging/vcpkg/nearfar").name, "vcpkg.json: its name is nearfar")
check(manifest["version-semver"] == version, f"vcpkg.json: version {manifest['version-semver']}, not {version}")
check(manifest["description"] == description, "vcpkg.json: another description than CMake's")
known = {"$schema", "name", "version-semver", "port-version", "description", "homepage", "license", "supports",
         "dependencies", "default-features", "features"}
check(manifest.keys() <= known, f"vcpkg.json: unknown keys {manifest.keys() - known}")
for dependency in manifest["dependencies"]:
    name = dependency if isinstance(dependency, str) else dependency["name"]
    check(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name), f"vcpkg.json: no name of a port: {name}")
features = manifest["features"]
check(set(manifest["default-features"]) <= features.keys(), "vcpkg.json: a default feature that is none")
check(all(set(f) <= {"description", "dependencies"} and f["description"] for f in features.values()),
      "vcpkg.json: a feature has a description")
used = set(re.findall(r"^\s+(\w+) NEARFAR_", port, re.M))
check(used == features.keys(), f"portfile.cmake asks for features {used}, vcpkg.json has {set(features)}")

# ---- what users are told -----------------------------------------------------------------------

minor = version.rsplit(".", 1)[0]
for path in ("README.md", "packaging/README.md"):
    for said in re.findall(r"find_package\(nearfar ([\d.]+)|libnearfar([\d.]+\d)", read(path)):
        check("".join(said) == minor, f"{path}: version {''.join(said)}, not {minor}")
cited = re.search(r"^version: (\S+)$", read("CITATION.cff"), re.M)
check(cited and cited.group(1) == version, f"CITATION.cff: {cited and cited.group(0)}, not {version}")
newest = re.search(r"^## (.+)$", read("CHANGELOG.md"), re.M)
check(newest and re.fullmatch(rf"\[{re.escape(version)}\] - (Unreleased|\d{{4}}-\d\d-\d\d)", newest.group(1)),
      f"CHANGELOG.md: the first heading is {newest and newest.group(1)!r}, not [{version}] with a date or Unreleased")

for complaint in complaints:
    print(complaint)
sys.exit(1 if complaints else 0)
