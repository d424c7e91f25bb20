#include "tools/picture_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "sim/error.hpp"
#include "sim/io/html_report.hpp"
#include "sim/io/terminal_picture.hpp"
#include "sim/io/view_text.hpp"

namespace pipesim {

namespace {

Fault option_fault(std::string_view option, std::string_view value, std::string what,
                   std::string allowed) {
  return {.place = fmt::format("command line: {}", option),
          .value = std::string(value),
          .what = std::move(what),
          .allowed = std::move(allowed)};
}

class PictureOptions {
 public:
  PictureOptions(const PictureRequest& request, TimeUnit unit) : request_(request), unit_(unit) {}

  PictureView read() {
    PictureView view;
    if (request_.from) view.from = time("--from", *request_.from);
    if (request_.to) view.to = time("--to", *request_.to);
    if (request_.devices) view.devices = devices(*request_.devices);
    if (!faults_.empty()) throw Error(std::move(faults_));
    return view;
  }

 private:
  std::optional<Ticks> time(std::string_view option, const std::string& text) {
    const ParsedTime parsed = parse_view_time(text, unit_);
    if (parsed.fault) {
      faults_.push_back(option_fault(option, text, fmt::format("\"{}\" is no time of a run", text),
                                     view_time_allowed(unit_)));
    }
    return parsed.ticks;
  }

  std::vector<Device> devices(std::string_view text) {
    // No run has more devices than that; a wider range would only fill the memory.
    constexpr std::int32_t kMostDevices = 1 << 20;
    std::vector<Device> result;
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      const std::string_view part = text.substr(begin, end - begin);
      const auto range = parse_index_range(part);
      if (!range || range->last >= kMostDevices) {
        faults_.push_back(option_fault("--devices", text,
                                       fmt::format("\"{}\" is neither a device nor a range", part),
                                       "numbers and ranges of them: 0,2-5"));
        return {};
      }
      for (std::int32_t device = range->first; device <= range->last; ++device) {
        result.emplace_back(device);
      }
      begin = end + 1;
    }
    std::sort(result.begin(), result.end());
    result.erase(std::unique(result.begin(), result.end()), result.end());
    return result;
  }

  const PictureRequest& request_;
  TimeUnit unit_;
  std::vector<Fault> faults_;
};

/// Which pictures are asked for.
struct Drawn {
  bool in_terminal = false;
  bool svg = false;
  bool html = false;

  bool any() const { return in_terminal || svg || html; }
};

/// Throws Error if an option is given that none of the pictures takes.
void reject_unused(const PictureRequest& request, const Drawn& drawn) {
  struct Option {
    std::string_view name;
    bool is_given = false;
    bool is_used = false;
    std::string_view used_by;
  };
  constexpr std::string_view kFiles = "--svg FILE or --html FILE";
  const bool any_file = drawn.svg || drawn.html;
  const Option options[] = {
      {"--from", request.from.has_value(), drawn.any(), ""},
      {"--to", request.to.has_value(), drawn.any(), ""},
      {"--devices", request.devices.has_value(), drawn.any(), ""},
      {"--theme", request.theme.has_value(), drawn.svg, "--svg FILE"},
      {"--color", request.color.has_value(), drawn.in_terminal, "pipesim show or compare --show"},
      {"--critical", request.critical, any_file, kFiles},
      {"--memory", request.memory, any_file, kFiles}};
  std::vector<Fault> faults;
  for (const Option& option : options) {
    if (!option.is_given || option.is_used) continue;
    faults.push_back(drawn.any()
                         ? option_fault(option.name, "", "no picture that takes it is asked for",
                                        std::string(option.used_by))
                         : option_fault(option.name, "", "no picture is asked for",
                                        "--svg FILE, --html FILE, or pipesim show"));
  }
  if (!faults.empty()) throw Error(std::move(faults));
}

}  // namespace

std::optional<PictureView> picture_view(const Request& request, const RunConfig& config) {
  const Drawn drawn = {.in_terminal = request.picture.show,
                       .svg = !config.output.svg.empty(),
                       .html = !config.output.html.empty()};
  reject_unused(request.picture, drawn);
  if (!drawn.any()) return std::nullopt;
  picture_theme(request.picture);
  return PictureOptions(request.picture, config.time_unit).read();
}

Theme picture_theme(const PictureRequest& request) {
  if (!request.theme) return Theme::automatic;
  const std::optional<Theme> known = theme(*request.theme);
  if (known) return *known;
  Fault fault =
      option_fault("--theme", *request.theme, fmt::format("unknown theme \"{}\"", *request.theme),
                   "auto, light or dark");
  const std::vector<std::string> names = {"auto", "light", "dark"};
  fault.nearest = nearest_name(*request.theme, names);
  throw Error(std::move(fault));
}

SvgOptions svg_options(const PictureRequest& request) {
  return {.theme = picture_theme(request), .critical = request.critical, .memory = request.memory};
}

void require_drawable(std::int64_t blocks, const OutputConfig& output) {
  if (!output.svg.empty()) require_drawable(blocks, {kMostSvgBlocks, "/output/svg"});
  if (!output.html.empty()) require_page_size(least_page_bytes(blocks), PageSize::least);
}

void require_showable(std::int64_t blocks) {
  require_drawable(blocks, {kMostTerminalBlocks, "/m"});
}

void reject_picture_options(const PictureRequest& request) {
  reject_unused(request, {.in_terminal = false, .svg = false, .html = false});
}

}  // namespace pipesim
