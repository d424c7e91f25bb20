// pipesim show: the timeline in the terminal.
#include <array>
#include <string>

#include "sim/io/picture.hpp"
#include "sim/io/terminal_picture.hpp"
#include "tools/driver.hpp"
#include "tools/files.hpp"
#include "tools/picture_options.hpp"
#include "tools/prepared_run.hpp"
#include "tools/standard_error.hpp"
#include "tools/terminal.hpp"

namespace pipesim {

int show(const Request& request, const Registry& registry) {
  return with_config(request, registry, [&](const RunConfig& config) {
    reject_run_outputs(request, config.output, "a picture in the terminal");
    require_different_files(request, config);
    const PictureView view = picture_view(request, config).value_or(PictureView{});
    const TerminalStyle style = terminal_style(request.picture, config.output);
    const Prepared prepared = prepare(request, config, registry, Wanted::timeline);
    require_showable(expected_blocks(prepared.problem, view));
    const Finished finished = simulate(prepared, report_options(request));
    require_memory_limit(finished.report);
    require_view(view, prepared.problem, finished.report.metrics.t_total, config.time_unit);
    Phase phase(request.progress, "drawing");
    const Picture picture = make_picture(finished.graph, finished.timeline, finished.report, view);
    require_showable(picture.blocks());
    const std::string drawn = terminal_picture(std::array{&picture}, style);
    phase.finish();
    OutputFile result = result_file(config.output);
    result.write(drawn);
    result.commit();
    print_notes(request, prepared.notes);
    return 0;
  });
}

}  // namespace pipesim
