#include "nearfar/losses/impl/cosine_embedding.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const CosineEmbeddingOptions&, const Inputs<float, 2>&,
                                        const Labels&);
template NEARFAR_EXPORT Result evaluate(const CosineEmbeddingOptions&, const Inputs<double, 2>&,
                                        const Labels&);

}  // namespace nearfar::detail
