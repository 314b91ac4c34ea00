# find_package(nearfar COMPONENTS mpi): nearfar::mpi, where MPI is found.

include("${CMAKE_CURRENT_LIST_DIR}/nearfarMpi.cmake")
nearfar_add_mpi(nearfar_mpi_FOUND)
