# What packages of nearfar hold and say. Whether they install and work elsewhere is tried by
# scripts/check_deb.

if(Python3_Interpreter_FOUND)
  add_test(NAME packaging.recipes
           COMMAND Python3::Interpreter "${CMAKE_CURRENT_LIST_DIR}/check_recipes.py"
                   "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}/CMakeCache.txt")
  set_tests_properties(packaging.recipes PROPERTIES LABELS once)
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
