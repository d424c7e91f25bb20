# pipesim_embed(TARGET HEADER NAME FILE [NAME FILE]...) puts files into a target as constants.
#
#   pipesim_embed(pipesim_io sim/io/page_assets.hpp kPageScript sim/io/page.js kPageStyle a/b.css)
#
# makes `#include "sim/io/page_assets.hpp"` declare `extern const std::string_view kPageScript`, the
# bytes of sim/io/page.js, and so on, in the namespace pipesim. Paths of files are relative to the
# project's source directory. A change of a file is seen by the next build.
function(pipesim_embed target header)
  set(declarations "")
  set(definitions "")
  while(ARGN)
    list(POP_FRONT ARGN constant file)
    set(path ${PROJECT_SOURCE_DIR}/${file})
    set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
    file(READ ${path} bytes HEX)
    string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${bytes}")
    string(APPEND declarations "extern const std::string_view ${constant};  // ${file}\n")
    string(APPEND definitions
      "namespace {\nconstexpr char ${constant}Bytes[] = {\n${bytes}'\\0'};\n}  // namespace\n"
      "const std::string_view ${constant}(${constant}Bytes, sizeof(${constant}Bytes) - 1);\n")
  endwhile()
  set(stem ${PROJECT_BINARY_DIR}/generated/${header})
  set(open "namespace pipesim {\n\n")
  set(close "\n}  // namespace pipesim\n")
  file(CONFIGURE OUTPUT ${stem} @ONLY
    CONTENT "#pragma once\n\n#include <string_view>\n\n${open}${declarations}${close}")
  file(CONFIGURE OUTPUT ${stem}.cpp @ONLY
    CONTENT "#include \"${header}\"\n\n${open}${definitions}${close}")
  target_sources(${target} PRIVATE ${stem}.cpp)
endfunction()
