// Files that are read.
#pragma once

#include <cstdio>
#include <string>

namespace pipesim {

/// What a file holds, or why it cannot be read.
struct FileText {
  std::string text{};
  std::string fault{};    ///< "" if it could be read
  std::string allowed{};  ///< instead
};

/// The rest of the file, uncompressed if it is gzip; of a null pointer, the fault that errno says.
/// A text of 4 GiB or more is a fault, and so is one that leaves too little memory for what is made
/// of it.
FileText read_rest(std::FILE* file);

/// The bytes of a file that a config names, relative to the working directory, as read_rest() gives
/// them. Throws Error (bad input) at the pointer of the config key.
std::string read_text_file(const std::string& file, std::string pointer);

}  // namespace pipesim
