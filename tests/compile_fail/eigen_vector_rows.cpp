// expect: nearfar: a vector of Eigen's is a column, N rows of one number
#include <nearfar/nearfar.hpp>

// columns_as_rows makes one row of N numbers of it.
double value(const Eigen::VectorXd& x) { return nearfar::Triplet<double>().forward(x, x, x).value; }
