#include <cmath>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <nearfar/memory/key_queue.hpp>
#include <nearfar/memory/memory_bank.hpp>
#include <sstream>

#include "memory/rings.hpp"

#if defined(__linux__)
#include <sys/resource.h>
#include <sys/wait.h>

/// Interrupted saving: a full disk, a size limit, a killed process. The old file stays complete.

namespace memory_test {
namespace {

using nearfar::KeyQueue;

/// A separate folder, removed at the end.
class Folder {
 public:
  Folder()
      : path_(std::filesystem::path(testing::TempDir()) /
              ("nearfar_saved_" + std::to_string(getpid()) + "_" +
               testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::create_directories(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

  std::ptrdiff_t files() const {
    return std::distance(std::filesystem::directory_iterator(path_),
                         std::filesystem::directory_iterator());
  }

 private:
  std::filesystem::path path_;
};

std::string content(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

KeyQueue<double> queue_of(int first) {
  KeyQueue<double> queue(3, 2);
  queue.push(numbered<double>(3, 2, first), numbers_from(3, first));
  return queue;
}

/// During its life no file of this process grows beyond `bytes`.
class SizeLimit {
 public:
  explicit SizeLimit(std::size_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit = {bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }
  SizeLimit(const SizeLimit&) = delete;
  SizeLimit& operator=(const SizeLimit&) = delete;

 private:
  rlimit before_{};
};

TEST(SavedFiles, AreAsTheyWereWhenWritingStopsAtAnyByte) {
  const Folder folder;
  const auto file = folder.path() / "queue";
  queue_of(1).save(file);
  const std::string old = content(file);
  const auto newer = queue_of(20);
  std::signal(SIGXFSZ, SIG_IGN);  // writing then fails instead
  for (std::size_t bytes = 0; bytes < old.size(); ++bytes) {
    std::string message;
    {
      const SizeLimit limit(bytes);
      try {
        newer.save(file);
      } catch (const std::runtime_error& error) {
        message = error.what();
      }
    }
    EXPECT_EQ(message, "nearfar: " + file.string() + " could not be written: File too large")
        << bytes;
    ASSERT_EQ(content(file), old) << "stopped after " << bytes << " bytes";
    ASSERT_EQ(folder.files(), 1) << "stopped after " << bytes << " bytes";
  }
  {
    const SizeLimit limit(old.size());
    newer.save(file);
  }
  std::signal(SIGXFSZ, SIG_DFL);
  EXPECT_NE(content(file), old);
  EXPECT_EQ(folder.files(), 1);
}

TEST(SavedFiles, AreAsTheyWereWhenTheProgramDiesAtAnyByte) {
  const Folder folder;
  const auto file = folder.path() / "queue";
  queue_of(1).save(file);
  const std::string old = content(file);
  const auto newer = queue_of(20);
  for (std::size_t bytes = 0; bytes < old.size(); ++bytes) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const rlimit no_core = {0, 0};
      setrlimit(RLIMIT_CORE, &no_core);
      std::signal(SIGXFSZ, SIG_DFL);
      const SizeLimit limit(bytes);
      newer.save(file);
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ) << bytes << ": " << status;
    ASSERT_EQ(content(file), old) << "died after " << bytes << " bytes";
  }
  KeyQueue<double> loaded(3, 2);
  loaded.load(file);
  EXPECT_EQ(listed(loaded.ids()), numbers_from(3, 1));
}

TEST(SavedFiles, AFullDiskIsNamed) {
  std::ofstream full("/dev/full", std::ios::binary);
  if (!full) GTEST_SKIP() << "no /dev/full here";
  try {
    nearfar::MemoryBank<float>(3000, 4).save(full);
    FAIL() << "a full disk went unnoticed";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "nearfar: memory could not be written: No space left on device");
  }
}

TEST(SavedFiles, OfNoFolderAreNamed) {
  const Folder folder;
  const std::filesystem::path file = folder.path() / "none" / "queue";
  try {
    queue_of(1).save(file);
    FAIL() << "written, though there is no folder";
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(std::string(error.what()),
              "nearfar: " + file.string() + " could not be written: No such file or directory");
  }
}

/// Files with a correct checksum and impossible content.
TEST(SavedFiles, RefuseImpossibleContentWithAValidChecksum) {
  using nearfar::detail::SavedKind;
  using nearfar::detail::SavedWriter;
  struct Content {
    Index size;
    Index next;
    double number;
    const char* says;
  };
  const char* damaged = "is damaged: its rows cannot be where it says";
  for (const Content& content :
       {Content{-1, 0, 1, damaged}, Content{4, 0, 1, damaged}, Content{3, -1, 1, damaged},
        Content{3, 3, 1, damaged}, Content{2, 1, 1, damaged},
        Content{3, 1, std::nan(""), "holds a number that is not finite"}}) {
    std::stringstream file;
    SavedWriter writer(file, SavedKind::key_queue);
    writer.put(static_cast<std::uint32_t>(sizeof(double)));
    for (const Index number : {Index(3), Index(2), content.size, content.next}) {
      writer.put(static_cast<std::int64_t>(number));
    }
    writer.put(std::uint32_t{0});
    for (Index k = 0; k < 2 * content.size; ++k) writer.put(content.number);
    writer.finish();
    KeyQueue<double> queue = queue_of(1);
    try {
      queue.load(file);
      FAIL() << "read: " << content.size << " rows, the next " << content.next;
    } catch (const std::runtime_error& error) {
      EXPECT_NE(std::string(error.what()).find(content.says), std::string::npos) << error.what();
    }
    EXPECT_EQ(listed(queue.ids()), numbers_from(3, 1));
  }

  std::stringstream file;
  SavedWriter writer(file, SavedKind::memory_bank);
  writer.put(static_cast<std::uint32_t>(sizeof(float)));
  for (const Index number : {2, 1}) writer.put(static_cast<std::int64_t>(number));
  writer.put(1.0f);
  writer.put(std::numeric_limits<float>::infinity());
  writer.finish();
  nearfar::MemoryBank<float> bank(2, 1);
  EXPECT_THROW(bank.load(file), std::runtime_error);
}

TEST(SavedFiles, DevicesAndFoldersAreNotReplaced) {
  const Folder folder;
  EXPECT_THROW(queue_of(1).save(folder.path()), std::runtime_error);
  EXPECT_THROW(queue_of(1).save("/dev/null"), std::runtime_error);
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
  EXPECT_EQ(folder.files(), 0);
}

}  // namespace
}  // namespace memory_test

#endif
