#ifndef NEARFAR_C_DLPACK_H
#define NEARFAR_C_DLPACK_H

#include "nearfar/c/basics.h"

/// \file
/// Views of tensors that other libraries hand out by DLPack. `tensor` is a pointer to a DLTensor of
/// <dlpack/dlpack.h>, or to a DLManagedTensor, which begins with one; of a DLManagedTensorVersioned
/// pass the address of its dl_tensor. Nothing of DLPack's is needed to compile or link this.
/// Nothing is copied or kept, and no deleter is called: the tensor must outlive the view.
///
/// Tensors are on the CPU. Null strides mean that elements lie row after row without gaps.
/// NEARFAR_INVALID_ARGUMENT on a null pointer, and on a device, a type, a number of dimensions or
/// strides that a view cannot have, by name.

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

/// Rows of a tensor of float or double, N x D, elements of a row next to each other; or N, which is
/// N x 1.
nearfar_status nearfar_rows_of_dlpack(const void* tensor, nearfar_rows* rows);

/// The same as memory for a gradient.
nearfar_status nearfar_gradient_of_dlpack(const void* tensor, nearfar_write write,
                                          nearfar_gradient* gradient);

/// Integers of a tensor of int64 with one dimension and no gaps.
nearfar_status nearfar_integers_of_dlpack(const void* tensor, nearfar_integers* integers);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
