# Libraries made of one set of objects. They are position independent whatever they end up in, which
# costs nothing that could be measured on x86-64: so a static and a shared library come of one build.

# Against what a project around this one may have in its flags: -ffast-math and the like, under which
# checks for NaN are left out and sums regrouped. Compilers take the last word.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(NEARFAR_EXACT_FLAGS
      -fno-fast-math -fno-unsafe-math-optimizations -fno-associative-math -fno-reciprocal-math
      -fno-finite-math-only -fsigned-zeros -ftrapping-math -fno-single-precision-constant)
  # Of -Ofast its linker's part goes with a later level.
  set(NEARFAR_EXACT_LINK_FLAGS -O2)
elseif(CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND NOT MSVC)
  set(NEARFAR_EXACT_FLAGS -fno-fast-math -fno-associative-math -fno-reciprocal-math
                          -fno-finite-math-only -fsigned-zeros -fno-approx-func)
  set(NEARFAR_EXACT_LINK_FLAGS -O2)
endif()

# How all of the library's own objects are compiled.
function(nearfar_compiled target)
  nearfar_warnings(${target})
  target_compile_definitions(${target} PRIVATE NEARFAR_BUILDING)
  set_target_properties(
    ${target} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden
                         VISIBILITY_INLINES_HIDDEN ON)
  # An element must have the same bits in a vector and in what is left over: multiply-adds are fused
  # where the source says so, not where a compiler sees one.
  if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
    target_compile_options(${target} PRIVATE ${NEARFAR_EXACT_FLAGS} -ffp-contract=off)
  endif()
endfunction()

# Adds `target` as a library of `kind`, static or shared, also known as nearfar::<kind>.
function(nearfar_library target kind)
  string(TOUPPER ${kind} type)
  list(TRANSFORM nearfar_object_targets REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE objects)
  add_library(${target} ${type} ${objects})
  add_library(nearfar::${kind} ALIAS ${target})
  set_target_properties(
    ${target} PROPERTIES LINKER_LANGUAGE CXX OUTPUT_NAME nearfar VERSION ${PROJECT_VERSION}
                         SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  nearfar_usage(${target} PUBLIC)
  if(kind STREQUAL "shared")
    target_link_options(${target} PRIVATE ${NEARFAR_EXACT_FLAGS} ${NEARFAR_EXACT_LINK_FLAGS})
  endif()
  if(kind STREQUAL "shared" AND UNIX AND NOT APPLE)
    # Offered to others is what users call: nothing of the standard library's. Inside, the library's
    # own functions are called, not a program's.
    set(exports "${PROJECT_SOURCE_DIR}/cmake/nearfar.map")
    set_target_properties(${target} PROPERTIES LINK_DEPENDS "${exports}")
    target_link_options(${target} PRIVATE "-Wl,--version-script=${exports}"
                                          "-Wl,-Bsymbolic-functions")
  endif()
endfunction()
