// XML as the tests read it: strictly, and no more of it than pictures use.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace pipesim::test {

struct Element {
  std::string name;
  std::map<std::string, std::string> attributes;
  std::string text;        ///< its own, as it stands in the file
  std::size_t parent = 0;  ///< index of the element around it; of the root its own

  std::string attribute(const std::string& key) const {
    const auto found = attributes.find(key);
    return found == attributes.end() ? "" : found->second;
  }
};

/// Elements in the order of their start tags. Whatever is not well-formed fails the test.
class XmlReader {
 public:
  explicit XmlReader(std::string_view text) : text_(text) {}

  std::vector<Element> read() {
    while (at_ < text_.size()) {
      if (text_[at_] == '<') {
        tag();
      } else {
        const std::string run = until("<");
        require_text(run);
        if (open_.empty()) {
          REQUIRE_MESSAGE(run == "\n", "text outside the root: " << run);
        } else {
          elements_[open_.back()].text += run;
        }
      }
    }
    REQUIRE(open_.empty());
    REQUIRE(!elements_.empty());
    return elements_;
  }

 private:
  std::string until(std::string_view stops) {
    const std::size_t end = std::min(text_.find_first_of(stops, at_), text_.size());
    std::string part(text_.substr(at_, end - at_));
    at_ = end;
    return part;
  }

  void expect(std::string_view literal) {
    REQUIRE_MESSAGE(text_.substr(at_, literal.size()) == literal, text_.substr(at_, 40));
    at_ += literal.size();
  }

  static void require_text(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      REQUIRE((byte >= 0x20 || byte == '\n'));
      REQUIRE(text[i] != '<');
      if (text[i] != '&') continue;
      bool is_entity = false;
      for (const std::string_view known : {"&amp;", "&lt;", "&gt;", "&quot;"}) {
        is_entity = is_entity || text.substr(i, known.size()) == known;
      }
      REQUIRE_MESSAGE(is_entity, text);
    }
  }

  std::string name() {
    std::string word = until(" =/><\n\"");
    REQUIRE_MESSAGE(!word.empty(), text_.substr(at_, 40));
    return word;
  }

  void tag() {
    expect("<");
    if (text_.substr(at_, 1) == "/") {
      expect("/");
      REQUIRE(!open_.empty());
      CHECK(name() == elements_[open_.back()].name);
      expect(">");
      open_.pop_back();
      return;
    }
    REQUIRE_MESSAGE((!open_.empty() || elements_.empty()), "two roots");
    Element element{.name = name(), .attributes = {}, .text = "", .parent = 0};
    while (text_.substr(at_, 1) == " ") {
      expect(" ");
      const std::string key = name();
      expect("=\"");
      const std::string value = until("\"");
      require_text(value);
      expect("\"");
      REQUIRE_MESSAGE(element.attributes.emplace(key, value).second, "twice: " << key);
    }
    element.parent = open_.empty() ? 0 : open_.back();
    elements_.push_back(element);
    if (text_.substr(at_, 1) == "/") {
      expect("/>");
    } else {
      expect(">");
      open_.push_back(elements_.size() - 1);
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<Element> elements_;
  std::vector<std::size_t> open_;
};

}  // namespace pipesim::test
