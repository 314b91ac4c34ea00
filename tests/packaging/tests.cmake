# What packages of nearfar hold and say. Whether they install and work elsewhere is tried by
# scripts/check_deb.

if(Python3_Interpreter_FOUND)
  add_test(NAME packaging.recipes
           COMMAND Python3::Interpreter "${CMAKE_CURRENT_LIST_DIR}/check_recipes.py"
                   "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}/CMakeCache.txt")
  set_tests_properties(packaging.recipes PROPERTIES LABELS once)
  if(NEARFAR_INSTALL AND nearfar_has_cps)
    set(names_and_files "nearfar=$<TARGET_FILE_NAME:nearfar>")
    if(NEARFAR_BOTH_LIBRARIES)
      list(APPEND names_and_files "${nearfar_other_kind}=$<TARGET_FILE_NAME:nearfar_${nearfar_other_kind}>")
    endif()
    add_test(NAME packaging.cps
             COMMAND Python3::Interpreter "${CMAKE_CURRENT_LIST_DIR}/check_cps.py"
                     "${PROJECT_BINARY_DIR}/$<CONFIG>/nearfar.cps" "${PROJECT_VERSION}" ${names_and_files})
    set_tests_properties(packaging.cps PROPERTIES LABELS once)
  endif()
endif()

find_program(NEARFAR_SHLIBDEPS dpkg-shlibdeps)
find_program(NEARFAR_FILE file)
if(NEARFAR_INSTALL AND PROJECT_IS_TOP_LEVEL AND NEARFAR_SHLIBDEPS AND NEARFAR_FILE)
  nearfar_once_test(
    packaging.deb "-DBUILD=${PROJECT_BINARY_DIR}" "-DCPACK=${CMAKE_CPACK_COMMAND}"
    "-DWORK=${CMAKE_CURRENT_BINARY_DIR}/packaging/deb" "-DVERSION=${PROJECT_VERSION}"
    "-DSTATIC=$<TARGET_EXISTS:nearfar::static>" "-DSHARED=$<TARGET_EXISTS:nearfar::shared>" -P
    "${CMAKE_CURRENT_LIST_DIR}/deb.cmake")
endif()
