#include <sys/mman.h>
#include <unistd.h>

#include <nearfar/memory/cross_batch_memory.hpp>
#include <nearfar/memory/key_queue.hpp>
#include <nearfar/memory/memory_bank.hpp>
#include <sstream>

#include "common/idx.hpp"
#include "fuzz/bytes.hpp"
#include "golden/golden_case.hpp"

/// Any bytes as each kind of file: read, or refused by one of the reader's exceptions, with its
/// object unchanged.

namespace {

using fuzz::Bytes;
using fuzz::require;

/// The bytes as a file in memory.
class MemoryFile {
 public:
  explicit MemoryFile(const std::string& bytes) : descriptor_(memfd_create("case", 0)) {
    require(descriptor_ >= 0 && write(descriptor_, bytes.data(), bytes.size()) ==
                                    static_cast<ssize_t>(bytes.size()),
            "a file in memory");
  }
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

template <class Read>
void read_or_refuse(const Read& read) {
  try {
    read();
  } catch (const std::runtime_error&) {
  }
}

template <class Memory>
std::string saved(const Memory& memory) {
  std::ostringstream out;
  memory.save(out);
  return out.str();
}

/// `sealed`: with the right hash at the end, so that the contents before it are read.
template <class Memory>
void load(Memory memory, std::string bytes, bool sealed) {
  if (sealed) {
    nearfar::detail::SavedHash hash;
    hash.add(bytes.data(), bytes.size());
    for (int k = 0; k < 8; ++k) bytes.push_back(static_cast<char>(hash.state() >> (8 * k)));
  }
  const std::string before = saved(memory);
  try {
    std::istringstream in(bytes);
    memory.load(in);
  } catch (const std::runtime_error&) {
    require(saved(memory) == before, "a memory that refuses a file stays as it was");
    return;
  }
  Memory again = memory;
  std::istringstream in(saved(memory));
  again.load(in);
  require(saved(again) == saved(memory), "what was loaded is saved and loaded again");
}

void golden_case(const std::string& bytes) {
  const MemoryFile file(bytes);
  try {
    golden::Case a_case(file.path());
    static_cast<void>(a_case.loss());
    static_cast<void>(a_case.expected_loss());
    static_cast<void>(a_case.expected_gradients());
    static_cast<void>(a_case.matrix<float>("x"));
    static_cast<void>(a_case.labels("labels"));
    static_cast<void>(a_case.reduction());
    static_cast<void>(a_case.unused());
  } catch (const nlohmann::json::exception&) {
  } catch (const std::runtime_error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(data, size);
  const int kind = bytes.below(10);
  const bool sealed = bytes.flag();
  const nearfar::Matrix<float> rows = nearfar::Matrix<float>::Ones(2, 2);
  const std::vector<int> ids = {3, 4};
  switch (kind) {
    case 0: {
      const MemoryFile file(bytes.rest());
      read_or_refuse([&] {
        const example::ImageSet set = example::read_idx_images(file.path());
        require(!set.pixels.empty() && set.pixels.size() % set.image_size() == 0, "whole images");
      });
      break;
    }
    case 1: {
      const MemoryFile file(bytes.rest());
      read_or_refuse([&] { require(!example::read_idx_labels(file.path()).empty(), "labels"); });
      break;
    }
    case 2: {
      nearfar::KeyQueue<float> queue(3, 2);
      queue.push(rows, ids);
      load(queue, bytes.rest(), sealed);
      break;
    }
    case 3:
      load(nearfar::KeyQueue<double>(3, 2), bytes.rest(), sealed);
      break;
    case 4:
      load(nearfar::MemoryBank<float>(3, 2), bytes.rest(), sealed);
      break;
    case 5: {
      nearfar::CrossBatchMemory<float> memory(3, 2);
      memory.push(rows, ids, ids);
      load(memory, bytes.rest(), sealed);
      break;
    }
    case 6: {
      nearfar::KeyQueue<Eigen::bfloat16> queue(3, 2);
      queue.push(rows, ids);
      load(queue, bytes.rest(), sealed);
      break;
    }
    case 7:
      load(nearfar::MemoryBank<Eigen::half>(3, 2), bytes.rest(), sealed);
      break;
    case 8: {
      nearfar::CrossBatchMemory<Eigen::bfloat16> memory(3, 2);
      memory.push(rows, ids, ids);
      load(memory, bytes.rest(), sealed);
      break;
    }
    default:
      golden_case(bytes.rest());
  }
  return 0;
}
