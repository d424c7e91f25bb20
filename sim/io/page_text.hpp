// Texts as they may stand in XML and in pages.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pipesim {

/// The text as the content of an element or of an attribute in double quotes; what a page may not
/// hold is escaped as in messages.
std::string xml_text(std::string_view text);

/// JSON as it may stand in a script element, which ends at the first "</script".
std::string script_json(std::string_view json);

/// An element <p> for each text.
std::string paragraphs(const std::vector<std::string>& texts);

}  // namespace pipesim
