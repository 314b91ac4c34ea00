#include "nearfar/c/scores.h"

#include "kernels.hpp"
#include "names.hpp"
#include "nearfar/scores/paired.hpp"
#include "nearfar/scores/pairwise.hpp"
#include "outputs.hpp"
#include "status.hpp"

using namespace nearfar;
using namespace nearfar::detail;
using namespace nearfar::detail::c;

namespace {

/// The rows and the kernel of a call.
struct Scores {
  nearfar_kernel kernel;
  const nearfar_rows* matrix;
  const nearfar_rows* a;
  const nearfar_rows* b;
};

/// Calls body(kernel, a, b, read) with the kernel and the rows, and all memory that these are.
template <class Body>
nearfar_status with_scores(const Scores& in, const Body& body) {
  return guarded([&] {
    with_names({{"kernel parameter", "matrix"}, {"d_parameter", "d_matrix"}}, [&] {
      const KernelChoice choice{in.kernel, in.matrix != nullptr ? *in.matrix : nearfar_rows{}};
      choice.check();
      with_scalar("a", required("a", in.a), [&]<class S>(S) {
        const Rows<S> a = rows_of<S>("a", *in.a);
        const Rows<S> b = rows_of<S>("b", required("b", in.b));
        std::vector<NamedPlace> read = {{"a", a.place()}, {"b", b.place()}};
        if (in.matrix != nullptr) {
          read.push_back({"matrix", rows_of<S>("matrix", *in.matrix).place()});
        }
        choice.with_kernel<S>(registered::kernel_lists::All<S>(),
                              [&](const auto& kernel) { body(kernel, a, b, read); });
      });
    });
  });
}

/// As paired and pairwise make them, which take and return matrices of Eigen's: their functions
/// must not get into the library.
template <class S>
Inputs<S, 2> inputs_of(const Rows<S>& a, const Rows<S>& b, nearfar_workspace* workspace) {
  return {{a, b}, {}, false, {.workspace = workspace_of(workspace)}};
}

/// Gradients of a call, checked to lie apart from what it reads.
template <class S>
struct ScoreGradients {
  GradientRows<S> da;
  GradientRows<S> db;
  CallOptions<S> call;

  ScoreGradients(const nearfar_gradient* to_a, const nearfar_gradient* to_b,
                 const nearfar_gradient* to_matrix, nearfar_workspace* workspace,
                 const std::vector<NamedPlace>& read)
      : da(gradient_of<S>("da", to_a)),
        db(gradient_of<S>("db", to_b)),
        call{.workspace = workspace_of(workspace),
             .d_parameter = gradient_of<S>("d_matrix", to_matrix)} {
    if (da.wanted()) check_apart(NamedPlace{"da", da.place()}, read);
    if (db.wanted()) check_apart(NamedPlace{"db", db.place()}, read);
    if (call.d_parameter.wanted()) {
      check_apart(NamedPlace{"d_matrix", call.d_parameter.place()}, read);
    }
  }
};

}  // namespace

// Scores are computed before any is written: some may turn out not to be finite.

extern "C" {

nearfar_status nearfar_paired(nearfar_kernel kernel, const nearfar_rows* matrix,
                              const nearfar_rows* a, const nearfar_rows* b,
                              nearfar_workspace* workspace, const nearfar_gradient* scores) {
  return with_scores({kernel, matrix, a, b}, [&]<class S>(const auto& its, const Rows<S>& x,
                                                          const Rows<S>& y, const auto& read) {
    const GradientRows<S> out = overwritten<S>("scores", scores);
    out.check_shape("scores", x.rows(), 1);
    check_apart(NamedPlace{"scores", out.place()}, read);
    std::vector<S> computed(static_cast<std::size_t>(x.rows()));
    evaluate_paired<S>(kernel_value<S>(its), inputs_of(x, y, workspace), computed.data());
    copy_rows(Rows<S>(computed, x.rows(), 1), out);
  });
}

nearfar_status nearfar_paired_backward(nearfar_kernel kernel, const nearfar_rows* matrix,
                                       const nearfar_rows* upstream, const nearfar_rows* a,
                                       const nearfar_rows* b, nearfar_workspace* workspace,
                                       const nearfar_gradient* da, const nearfar_gradient* db,
                                       const nearfar_gradient* d_matrix) {
  return with_scores({kernel, matrix, a, b}, [&]<class S>(const auto& its, const Rows<S>& x,
                                                          const Rows<S>& y, auto read) {
    const Numbers<S> weights = numbers_of<S>("upstream", required("upstream", upstream));
    read.push_back({"upstream", place_of(weights)});
    const ScoreGradients<S> out(da, db, d_matrix, workspace, read);
    evaluate_paired_backward<S>(kernel_value<S>(its), {{x, y}, {out.da, out.db}, true, out.call},
                                Rows<S>(weights.data(), weights.size(), 1));
  });
}

nearfar_status nearfar_pairwise(nearfar_kernel kernel, const nearfar_rows* matrix,
                                const nearfar_rows* a, const nearfar_rows* b,
                                nearfar_workspace* workspace, const nearfar_gradient* scores) {
  return with_scores({kernel, matrix, a, b}, [&]<class S>(const auto& its, const Rows<S>& x,
                                                          const Rows<S>& y, const auto& read) {
    const GradientRows<S> out = overwritten<S>("scores", scores);
    out.check_shape("scores", x.rows(), y.rows());
    check_apart(NamedPlace{"scores", out.place()}, read);
    std::vector<S> computed(static_cast<std::size_t>(x.rows() * y.rows()));
    evaluate_pairwise<S>(kernel_value<S>(its), inputs_of(x, y, workspace),
                         GradientRows<S>(computed, x.rows(), y.rows()));
    copy_rows(Rows<S>(computed, x.rows(), y.rows()), out);
  });
}

nearfar_status nearfar_pairwise_backward(nearfar_kernel kernel, const nearfar_rows* matrix,
                                         const nearfar_rows* upstream, const nearfar_rows* a,
                                         const nearfar_rows* b, nearfar_workspace* workspace,
                                         const nearfar_gradient* da, const nearfar_gradient* db,
                                         const nearfar_gradient* d_matrix) {
  return with_scores({kernel, matrix, a, b}, [&]<class S>(const auto& its, const Rows<S>& x,
                                                          const Rows<S>& y, auto read) {
    const Rows<S> weights = rows_of<S>("upstream", required("upstream", upstream));
    read.push_back({"upstream", weights.place()});
    const ScoreGradients<S> out(da, db, d_matrix, workspace, read);
    evaluate_pairwise_backward<S>(kernel_value<S>(its), {{x, y}, {out.da, out.db}, true, out.call},
                                  weights);
  });
}

}  // extern "C"
