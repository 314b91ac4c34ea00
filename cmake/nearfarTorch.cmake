# nearfar::torch: nearfar and what <nearfar/adapters/torch.hpp> needs of LibTorch. This tree and the
# installed package make it alike. A function, so that what LibTorch's package sets stays in it: its
# flags reach those who link nearfar::torch, and nobody else.

# Sets `found` to whether there is nearfar::torch.
function(nearfar_add_torch found)
  if(NOT TARGET nearfar::torch)
    set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)
    find_package(Torch QUIET)
    if(Torch_FOUND)
      add_library(nearfar::torch INTERFACE IMPORTED GLOBAL)
      target_include_directories(nearfar::torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
      target_link_libraries(nearfar::torch INTERFACE nearfar::nearfar ${TORCH_LIBRARIES})
    endif()
  endif()
  if(TARGET nearfar::torch)
    set(${found} TRUE PARENT_SCOPE)
  else()
    set(${found} FALSE PARENT_SCOPE)
  endif()
endfunction()
