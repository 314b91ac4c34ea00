# One library, its losses in several instruction sets, chosen when the program starts.
#
# The same sources are compiled once for each set, with everything of theirs under names of its own
# (namespace nearfar_avx2 for nearfar, and so on, Eigen included): inline functions have one body a
# program, and a body with wide instructions must not become the baseline's. Then
# - isolate_objects.cmake makes local whatever else an object has to offer (instances of std's
#   templates, compiled with the same flags), and
# - write_entries.cmake writes, for every function of nearfar that is compiled so, an entry under its
#   public name, which jumps to the chosen set's.
# Types have the same layout under all names, and nothing but views and std types goes through an
# entry.

set(nearfar_instruction_sets baseline avx2 avx512)  # in the order of nearfar::InstructionSet
set(nearfar_flags_avx2 -mavx2 -mfma)
set(nearfar_flags_avx512 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma)

# Whether this compiler and system can do it: ELF objects of x86-64, GNU's linker and objcopy.
function(nearfar_can_dispatch out)
  set(${out} OFF PARENT_SCOPE)
  if(NEARFAR_NATIVE
     OR NOT CMAKE_SYSTEM_NAME STREQUAL "Linux"
     OR NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$"
     OR NOT CMAKE_SIZEOF_VOID_P EQUAL 8
     OR NOT CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang"
     OR CMAKE_CONFIGURATION_TYPES
     OR CMAKE_INTERPROCEDURAL_OPTIMIZATION
     OR NOT CMAKE_NM
     OR NOT CMAKE_OBJCOPY)
    return()
  endif()
  find_program(NEARFAR_LD NAMES ld.bfd ld)
  mark_as_advanced(NEARFAR_LD)
  if(NEARFAR_LD)
    execute_process(COMMAND "${NEARFAR_LD}" --help OUTPUT_VARIABLE help ERROR_QUIET)
    if(help MATCHES "--force-group-allocation")
      set(${out} ON PARENT_SCOPE)
    endif()
  endif()
endfunction()

# Compiles `sources` once for each instruction set. Their objects go to the variable `isolated_objects`
# and their entries to `target`. `usage` sets up a target as nearfar's.
function(nearfar_dispatch target usage isolated_objects)
  set(sources ${ARGN})
  set(all_isolated)
  foreach(set IN LISTS nearfar_instruction_sets)
    set(objects nearfar_${set})
    add_library(${objects} OBJECT ${sources})
    cmake_language(CALL ${usage} ${objects} PRIVATE)
    nearfar_warnings(${objects})
    target_compile_options(${objects} PRIVATE ${nearfar_flags_${set}})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # Its own headers' undefined vectors are deliberate, but inlined they look like mistakes to it
      # (GCC bug 105593).
      target_compile_options(${objects} PRIVATE -Wno-uninitialized -Wno-maybe-uninitialized)
      # Symbols unique to a process could not be made local.
      target_compile_options(${objects} PRIVATE -fno-gnu-unique)
    endif()
    target_compile_definitions(${objects} PRIVATE nearfar=nearfar_${set} Eigen=Eigen_${set})
    # One object a source, which is what they are called by below.
    set_target_properties(${objects} PROPERTIES POSITION_INDEPENDENT_CODE ON UNITY_BUILD OFF)
    set(isolated)
    foreach(source IN LISTS sources)
      get_filename_component(name "${source}" NAME_WE)
      list(APPEND isolated "${CMAKE_CURRENT_BINARY_DIR}/dispatch/${set}/${name}.o")
    endforeach()
    add_custom_command(
      OUTPUT ${isolated}
      COMMAND
        "${CMAKE_COMMAND}" "-DOBJECTS=$<TARGET_OBJECTS:${objects}>" "-DNAMESPACE=nearfar_${set}"
        "-DFOLDER=${CMAKE_CURRENT_BINARY_DIR}/dispatch/${set}" "-DLD=${NEARFAR_LD}"
        "-DNM=${CMAKE_NM}" "-DOBJCOPY=${CMAKE_OBJCOPY}" -P
        "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/isolate_objects.cmake"
      DEPENDS ${objects} "$<TARGET_OBJECTS:${objects}>"
              "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/isolate_objects.cmake"
      COMMENT "Isolating nearfar's objects for ${set}"
      VERBATIM)
    set_source_files_properties(${isolated} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
    list(APPEND all_isolated ${isolated})
  endforeach()

  foreach(source IN LISTS sources)
    get_filename_component(name "${source}" NAME_WE)
    set(entries "${CMAKE_CURRENT_BINARY_DIR}/dispatch/entries/${name}.cpp")
    add_custom_command(
      OUTPUT "${entries}"
      COMMAND
        "${CMAKE_COMMAND}" "-DOBJECT=${CMAKE_CURRENT_BINARY_DIR}/dispatch/baseline/${name}.o"
        "-DSETS=${nearfar_instruction_sets}" "-DOUT=${entries}" "-DNM=${CMAKE_NM}" -P
        "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/write_entries.cmake"
      DEPENDS "${CMAKE_CURRENT_BINARY_DIR}/dispatch/baseline/${name}.o"
              "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/write_entries.cmake"
      COMMENT "Writing the entries of ${name}"
      VERBATIM)
    target_sources(${target} PRIVATE "${entries}")
  endforeach()
  target_compile_definitions(${target} PRIVATE NEARFAR_DISPATCH)
  add_custom_target(nearfar_isolate DEPENDS ${all_isolated})
  add_dependencies(${target} nearfar_isolate)
  set(${isolated_objects} ${all_isolated} PARENT_SCOPE)
endfunction()
