#include "common/definitions.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "files.hpp"

namespace example_test {
namespace {

using example::Definitions;
using example::read_definitions;
using Lists = std::vector<std::vector<Eigen::Index>>;

void write_text(const fs::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

/// The message of what is thrown; it names the file and is one line.
std::string refusal(const fs::path& path) {
  try {
    read_definitions(path);
  } catch (const std::runtime_error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find(path.string()), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message;
  }
  return "nothing thrown";
}

TEST(Definitions, AFileHasATextATabAndAnAnswerALine) {
  const Folder folder;
  write_text(folder / "pairs",
             "how to sleep\tLie down.\r\n\nwhy?\tBecause!\nhow to sleep\tRest\n"
             "why?\tBecause!\n123\tnone\nnone\t456\nwhen\tBecause!");
  const Definitions found = read_definitions(folder / "pairs");
  EXPECT_EQ(found.texts, (std::vector<std::string>{"how to sleep", "why?", "when"}));
  EXPECT_EQ(found.answers, (std::vector<std::string>{"Lie down.", "Because!", "Rest"}));
  EXPECT_EQ(found.answers_of, (Lists{{0, 2}, {1}, {1}}));
}

TEST(Definitions, AFolderHasWordNetsSynonymSets) {
  const Folder folder;
  const std::string licence = "  1 This software | and database\n";
  write_text(folder / "data.noun",
             licence +
                 "00000001 03 n 02 Book 0 written_work 1 001 ~ 00000002 n 0000 | pages; bound; "
                 "\"he read a book\"; \"a good one\"-A. Writer  \n");
  write_text(folder / "data.verb",
             licence + "00000002 29 v 01 book 0 000 01 + 08 00 | reserve  \n");
  write_text(folder / "data.adj",
             licence + "00000003 00 a 01 afraid(p) 0 000 | filled with fear\n");
  write_text(folder / "data.adv", licence + "00000004 02 r 01 well 0 000 | pages; bound\n");
  const Definitions found = read_definitions(folder.path());
  EXPECT_EQ(found.texts, (std::vector<std::string>{"pages; bound", "reserve", "filled with fear"}));
  EXPECT_EQ(found.answers, (std::vector<std::string>{"book", "written work", "afraid", "well"}));
  EXPECT_EQ(found.answers_of, (Lists{{0, 1, 3}, {0}, {2}}));

  write_text(folder / "data.adv", "00000004 02 r 01 well 0 000\n");
  EXPECT_NE(refusal(folder / "data.adv").find("line 1 has no tab"), std::string::npos);
}

TEST(Definitions, RefusesWhatIsNone) {
  const Folder folder;
  EXPECT_NE(refusal(folder / "none").find("cannot be read"), std::string::npos);
  write_text(folder / "empty", "");
  EXPECT_NE(refusal(folder / "empty").find("no text with an answer"), std::string::npos);
  write_text(folder / "no_tab", "a\tb\nno tab\n");
  EXPECT_NE(refusal(folder / "no_tab").find("line 2 has no tab"), std::string::npos);
  EXPECT_NE(refusal(folder.path()).find("data.noun: cannot be read"), std::string::npos);
  write_text(folder / "data.noun", "00000001 03 n 02 one 0 | too few\n");
  EXPECT_NE(refusal(folder.path()).find("data.noun: line 1 has no words"), std::string::npos);
  write_text(folder / "data.noun", "00000001 03 n 01 one 0 no gloss\n");
  EXPECT_NE(refusal(folder.path()).find("data.noun: line 1 has no gloss"), std::string::npos);
}

}  // namespace
}  // namespace example_test
