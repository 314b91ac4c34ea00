#include "nearfar/c/basics.h"

extern "C" {

nearfar_rows nearfar_float_rows(const float* data, int64_t rows, int64_t cols) {
  return {data, rows, cols, 0, NEARFAR_FLOAT};
}

nearfar_rows nearfar_double_rows(const double* data, int64_t rows, int64_t cols) {
  return {data, rows, cols, 0, NEARFAR_DOUBLE};
}

nearfar_gradient nearfar_float_gradient(float* data, int64_t rows, int64_t cols) {
  return {data, rows, cols, 0, NEARFAR_FLOAT, NEARFAR_OVERWRITE};
}

nearfar_gradient nearfar_double_gradient(double* data, int64_t rows, int64_t cols) {
  return {data, rows, cols, 0, NEARFAR_DOUBLE, NEARFAR_OVERWRITE};
}

}  // extern "C"
