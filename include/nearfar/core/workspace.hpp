#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <vector>

#include "nearfar/core/errors.hpp"
#include "nearfar/core/guards.hpp"
#include "nearfar/core/huge_pages.hpp"

/// \file
/// Scratch memory that a caller may keep from call to call.

namespace nearfar {

namespace detail {
class Scratch;
}

/// Scratch memory for calls of losses and scores. Keep one for each thread and pass it to each
/// call: after the first call of a given shape, later ones allocate nothing. Without one, a call
/// allocates its own and frees it at the end. A Workspace serves one call at a time: a second call
/// at the same time throws std::invalid_argument. No result depends on its contents.
class Workspace {
 public:
  Workspace() = default;

  /// Sets the number of threads that its calls use; 0, the default, is OpenMP's own setting. Throws
  /// std::invalid_argument if negative.
  explicit Workspace(int threads) : threads_(threads) {
    if (threads < 0) fail_argument("threads", "a number >= 0", std::to_string(threads));
  }

  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  int threads() const { return threads_; }

  /// Bytes that it keeps from call to call.
  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const Block& b : blocks_) sum += b.size;
    return sum;
  }

 private:
  friend class detail::Scratch;

  // The size of a cache line and of the widest vector.
  static constexpr std::size_t alignment = 64;

  struct Free {
    std::align_val_t alignment;
    void operator()(std::byte* p) const { ::operator delete[](p, alignment); }
  };
  struct Block {
    std::unique_ptr<std::byte[], Free> memory;
    std::size_t size;
  };

  std::vector<Block> blocks_;
  std::atomic<bool> taken_{false};
  int threads_ = 0;
};

namespace detail {

/// The use of a Workspace by one call. It gives out aligned arrays and takes all of them back at
/// the end.
class Scratch {
 public:
  /// Uses `shared`, or memory of its own if null.
  explicit Scratch(Workspace* shared) : workspace_(shared != nullptr ? *shared : own_) {
    if (workspace_.taken_.exchange(true)) {
      fail_argument("workspace", "one that no other call is using", "one in use by another call");
    }
    forbid_rest();
  }
  ~Scratch() { workspace_.taken_ = false; }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  int threads() const { return workspace_.threads(); }

  /// `count` uninitialised T, aligned to a cache line. Equal sequences of requests get the same
  /// memory in each call. Throws std::bad_alloc.
  template <class T>
  T* take(Eigen::Index count) {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);
    static_assert(guard_bytes % Workspace::alignment == 0);
    const std::size_t size = static_cast<std::size_t>(count) * sizeof(T);
    const std::size_t bytes = round_up(size) + guard_bytes;
    auto& blocks = workspace_.blocks_;
    while (block_ < blocks.size() && used_ + bytes > blocks[block_].size) {
      if (used_ == 0) passed_over_ += blocks[block_].size;
      ++block_;
      used_ = 0;
    }
    if (block_ == blocks.size()) add_block(bytes);
    std::byte* at = blocks[block_].memory.get() + used_;
    used_ += bytes;
    allow(at, size);
    return reinterpret_cast<T*>(at);
  }

 private:
  friend class ScratchLoan;

  /// Marks the memory that is not in use.
  void forbid_rest() const {
    for (std::size_t k = block_; k < workspace_.blocks_.size(); ++k) {
      const std::size_t from = k == block_ ? used_ : 0;
      const auto& block = workspace_.blocks_[k];
      forbid(block.memory.get() + from, block.size - from);
    }
  }

  static std::size_t round_up(std::size_t n) {
    return (n + Workspace::alignment - 1) / Workspace::alignment * Workspace::alignment;
  }

  void add_block(std::size_t bytes) {
    // Small requests share a block. Large ones get a block of their size, so that nothing is
    // wasted. Blocks stay where they are, so that a call of a shape that came before finds its
    // memory again; a call that has passed over many of them has outgrown them, little by little as
    // with a queue that fills, and gets room to grow.
    constexpr std::size_t smallest = std::size_t(1) << 16;
    const std::size_t wanted = passed_over_ >= 2 * bytes ? 2 * bytes : bytes;
    const std::size_t size = wanted > smallest ? wanted : smallest;
    // Blocks of at least half a huge page are aligned to a huge page: tiles are read with long
    // strides, from page to page.
    const bool large = size >= huge_page / 2;
    const std::align_val_t alignment{large ? huge_page : Workspace::alignment};
    workspace_.blocks_.reserve(workspace_.blocks_.size() + 1);
    auto* p = static_cast<std::byte*>(::operator new[](size, alignment));
    if (large) ask_for_huge_pages(p, size);
    workspace_.blocks_.push_back(
        {std::unique_ptr<std::byte[], Workspace::Free>(p, {alignment}), size});
    used_ = 0;
    forbid_rest();
  }

  Workspace own_;
  Workspace& workspace_;
  std::size_t block_ = 0;
  std::size_t used_ = 0;
  std::size_t passed_over_ = 0;  ///< bytes of blocks that were too small for a request
};

/// Takes back, at its end, all that was taken from `scratch` since its start. Work in parts uses it
/// so that all parts use the same memory.
class ScratchLoan {
 public:
  explicit ScratchLoan(Scratch& scratch)
      : scratch_(scratch),
        block_(scratch.block_),
        used_(scratch.used_),
        passed_over_(scratch.passed_over_) {}
  ~ScratchLoan() {
    scratch_.block_ = block_;
    scratch_.used_ = used_;
    scratch_.passed_over_ = passed_over_;
    scratch_.forbid_rest();
  }
  ScratchLoan(const ScratchLoan&) = delete;
  ScratchLoan& operator=(const ScratchLoan&) = delete;

 private:
  Scratch& scratch_;
  std::size_t block_;
  std::size_t used_;
  std::size_t passed_over_;
};

}  // namespace detail
}  // namespace nearfar
