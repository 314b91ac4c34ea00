#include "nearfar/loops/impl/tables.hpp"

// Compiled once for each instruction set (cmake/dispatch.cmake).

namespace nearfar::detail {
inline namespace NEARFAR_SET {

constinit const LoopTables<float> float_tables = tables_here<float>;

}  // namespace NEARFAR_SET
}  // namespace nearfar::detail
