// expect: nearfar: a vector of Eigen's is a column, N rows of one number
#include <nearfar/nearfar.hpp>

// What columns_as_rows makes of it is one row of N numbers.
double value(const Eigen::VectorXd& x) { return nearfar::Triplet<double>().forward(x, x, x).value; }
