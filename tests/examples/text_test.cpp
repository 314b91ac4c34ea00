#include "common/text.hpp"

#include <stdexcept>

#include "files.hpp"

namespace example_test {
namespace {

using example::Passage;
using example::read_passages;
using example::Vocabulary;
using example::words_of;

void write_text(const fs::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

/// A file in WordNet's format: two lines of the licence, then entries.
std::string database(const std::string& gloss) {
  return "  1 This software | and database is being provided to you\n  2 by Princeton\n"
         "00001740 03 n 01 entity 0 001 ~ 00001930 n 0000 | " +
         gloss + "  \n00001930 03 n 01 thing 0 000 | one\n";
}

TEST(Text, WordsAreLettersInLowerCase) {
  EXPECT_EQ(words_of("The king's 12 sons -- 'all' of them; re-entered."),
            (Passage{"the", "king's", "sons", "all", "of", "them", "re", "entered"}));
  EXPECT_EQ(words_of("Éa \xc3\xa9t\xc3\xa9"), (Passage{"Éa", "\xc3\xa9t\xc3\xa9"}));
  EXPECT_EQ(words_of("o' clock'"), (Passage{"o", "clock"}));
  EXPECT_EQ(words_of("\t 1 2 ' \r\n"), Passage{});
}

TEST(Text, APlainFileHasAPassageALine) {
  const Folder folder;
  write_text(folder / "book.txt", "In the beginning\r\n\nlonely\nA second, the last one");
  EXPECT_EQ(
      read_passages(folder / "book.txt"),
      (std::vector<Passage>{{"in", "the", "beginning"}, {"a", "second", "the", "last", "one"}}));
}

TEST(Text, AFolderHasWordNetsGlosses) {
  const Folder folder;
  for (const std::string part : {"noun", "verb", "adj", "adv"}) {
    write_text(folder / ("data." + part), database("a " + part + "; \"as here\""));
  }
  EXPECT_EQ(read_passages(folder.path()), (std::vector<Passage>{{"a", "noun", "as", "here"},
                                                                {"a", "verb", "as", "here"},
                                                                {"a", "adj", "as", "here"},
                                                                {"a", "adv", "as", "here"}}));
}

/// The message of the exception, which is one line with the name of the file.
std::string refusal(const fs::path& path) {
  try {
    read_passages(path);
  } catch (const std::runtime_error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find(path.string()), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message;
  }
  return "nothing thrown";
}

TEST(Text, RefusesWhatIsNoText) {
  const Folder folder;
  EXPECT_NE(refusal(folder / "none").find("cannot be read"), std::string::npos);
  write_text(folder / "empty", "");
  EXPECT_NE(refusal(folder / "empty").find("no line"), std::string::npos);
  write_text(folder / "numbers", "1 2 3\nword\n");
  EXPECT_NE(refusal(folder / "numbers").find("no line"), std::string::npos);
  // A folder without WordNet's files.
  EXPECT_NE(refusal(folder.path()).find("data.noun: cannot be read"), std::string::npos);
}

TEST(Vocabulary, HasFrequentWordsMostFrequentFirst) {
  const std::vector<Passage> passages = {{"b", "a", "c", "b"}, {"d", "b", "a", "e", "c"}};
  const Vocabulary vocabulary(passages, 2);
  ASSERT_EQ(vocabulary.size(), 3);
  const std::vector<std::string> words = {"b", "a", "c"};  // a and c tie: alphabetical order
  const std::vector<double> counts = {3, 2, 2};
  for (Vocabulary::Word w = 0; w < 3; ++w) {
    EXPECT_EQ(vocabulary[w], words[static_cast<std::size_t>(w)]);
    EXPECT_EQ(vocabulary.count(w), counts[static_cast<std::size_t>(w)]);
    EXPECT_EQ(vocabulary.find(vocabulary[w]), w);
  }
  for (const std::string word : {"d", "", "z", "aa"}) EXPECT_EQ(vocabulary.find(word), -1);
  EXPECT_EQ(vocabulary.numbers({"c", "d", "b", "b"}), (std::vector<Vocabulary::Word>{2, 0, 0}));
}

}  // namespace
}  // namespace example_test
