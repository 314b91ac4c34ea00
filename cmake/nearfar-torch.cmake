# find_package(nearfar COMPONENTS torch): nearfar::torch, where LibTorch is found.

include("${CMAKE_CURRENT_LIST_DIR}/nearfarTorch.cmake")
nearfar_add_torch(nearfar_torch_FOUND)
