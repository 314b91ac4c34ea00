// expect: nearfar: these rows are of another scalar type than the loss
#include <nearfar/nearfar.hpp>

// Two mistakes, and one message: the cast makes rows of columns, too.
double value(const Eigen::MatrixXd& x) { return nearfar::InfoNce<float>().forward(x, x).value; }
