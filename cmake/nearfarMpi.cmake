# nearfar::mpi: nearfar and what <nearfar/adapters/mpi.hpp> needs of MPI, any implementation that
# CMake finds. This tree and the installed package make it alike.

# Sets `found` to whether there is nearfar::mpi.
function(nearfar_add_mpi found)
  if(NOT TARGET nearfar::mpi)
    set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)
    set(MPI_CXX_SKIP_MPICXX ON)  # its old C++ bindings
    find_package(MPI QUIET COMPONENTS CXX)
    if(MPI_CXX_FOUND)
      add_library(nearfar::mpi INTERFACE IMPORTED GLOBAL)
      target_link_libraries(nearfar::mpi INTERFACE nearfar::nearfar MPI::MPI_CXX)
    endif()
  endif()
  if(TARGET nearfar::mpi)
    set(${found} TRUE PARENT_SCOPE)
  else()
    set(${found} FALSE PARENT_SCOPE)
  endif()
endfunction()
