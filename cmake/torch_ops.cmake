# The losses as operators of LibTorch's dispatcher: a module that Python's torch.ops.load_library loads.

file(GLOB nearfar_torch_ops_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/torch/*.cpp")
add_library(nearfar_torch_ops MODULE ${nearfar_torch_ops_sources})
nearfar_warnings(nearfar_torch_ops)
target_link_libraries(nearfar_torch_ops PRIVATE nearfar::torch)
# The loops are in the library; what is here converts arguments.
if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  target_compile_options(nearfar_torch_ops PRIVATE "$<$<CONFIG:Release>:-O1>")
endif()
# Optional: who builds the library alone installs the library alone.
if(NEARFAR_INSTALL)
  install(TARGETS nearfar_torch_ops LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT torch OPTIONAL)
endif()
