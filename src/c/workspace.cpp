#include "pass.hpp"
#include "status.hpp"

extern "C" {

nearfar_status nearfar_workspace_create(int32_t threads, nearfar_workspace** workspace) {
  return nearfar::detail::c::guarded([&] {
    nearfar_workspace*& out = nearfar::detail::c::required("workspace", workspace);
    out = new nearfar_workspace{nearfar::Workspace(threads)};
  });
}

size_t nearfar_workspace_bytes(const nearfar_workspace* workspace) {
  return workspace != nullptr ? workspace->workspace.bytes() : 0;
}

void nearfar_workspace_destroy(nearfar_workspace* workspace) { delete workspace; }

}  // extern "C"
