import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load, rmdir

required_conan_version = ">=2.0"

# conan create packaging/conan


class NearfarConan(ConanFile):
    name = "nearfar"
    description = "Contrastive losses with exact gradients, for C++"
    license = "MIT"
    topics = ("contrastive-learning", "metric-learning", "machine-learning", "eigen")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False], "openmp": [True, False], "dispatch": [True, False]}
    default_options = {"shared": False, "fPIC": True, "openmp": True, "dispatch": True}
    implements = ["auto_shared_fpic"]

    @property
    def _root(self):
        return os.path.join(self.recipe_folder, "..", "..")

    def set_version(self):
        header = load(self, os.path.join(self._root, "include", "nearfar", "version.hpp"))
        self.version = ".".join(re.findall(r"^#define NEARFAR_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)$", header, re.M))

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "src/*"):
            copy(self, pattern, src=self._root, dst=self.export_sources_folder)

    def requirements(self):
        # Its headers are part of nearfar's.
        self.requires("eigen/3.4.0", transitive_headers=True)

    def validate(self):
        check_min_cppstd(self, 20)

    def layout(self):
        cmake_layout(self)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["NEARFAR_DEVELOPER"] = False
        toolchain.cache_variables["NEARFAR_INSTALL"] = True
        toolchain.cache_variables["NEARFAR_BOTH_LIBRARIES"] = False
        toolchain.cache_variables["NEARFAR_OPENMP"] = bool(self.options.openmp)
        toolchain.cache_variables["NEARFAR_DISPATCH"] = bool(self.options.dispatch)
        toolchain.generate()
        CMakeDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", src=self.source_folder, dst=os.path.join(self.package_folder, "licenses"))
        rmdir(self, os.path.join(self.package_folder, "share"))

    def package_info(self):
        # nearfar's own CMake package says more than Conan could make up: targets and components.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = [os.path.join("lib", "cmake", "nearfar")]
        self.cpp_info.set_property("pkg_config_name", "nearfar")
        self.cpp_info.libs = ["nearfar"]
        if self.options.openmp and self.settings.compiler in ("gcc", "clang"):
            self.cpp_info.cxxflags = ["-fopenmp"]
            self.cpp_info.sharedlinkflags = ["-fopenmp"]
            self.cpp_info.exelinkflags = ["-fopenmp"]
