#include "sim/io/output_file.hpp"
#include "sim/io/shapes_report.hpp"
#include "tools/driver.hpp"
#include "tools/files.hpp"

namespace pipesim {

int shapes(const Request& request) {
  std::optional<ConfigText> file;
  if (request.config_file) file = read_file(*request.config_file);
  const ShapesConfig config = read_shapes_config(file, request.overrides);
  const std::vector<LayerBlock> blocks = layer_blocks(config.sizes, config.pairings);
  OutputFile result("/dev/stdout", "");
  result.write(config.format == OutputFormat::json ? shapes_json(config, blocks)
                                                   : shapes_table(config, blocks));
  result.commit();
  return 0;
}

}  // namespace pipesim
