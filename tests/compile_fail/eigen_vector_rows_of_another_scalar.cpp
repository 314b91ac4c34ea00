// expect: nearfar: a vector of Eigen's is a column, N rows of one number
#include <nearfar/nearfar.hpp>

// Two mistakes, and one message.
double value(const Eigen::VectorXd& x) { return nearfar::Triplet<float>().forward(x, x, x).value; }
