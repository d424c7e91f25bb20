#include "sim/io/explanation.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/io/json_text.hpp"
#include "sim/io/text_table.hpp"
#include "sim/version.hpp"

namespace pipesim {

namespace {

std::string number(const Report& report, Ticks ticks) {
  return format_time(ticks, report.config.time_unit);
}

std::string with_unit(const Report& report, Ticks ticks) {
  return fmt::format("{} {}", number(report, ticks), name(report.config.time_unit));
}

/// A part with its device.
struct PlacedPart {
  std::size_t device;
  IdlePart part;
};

std::vector<PlacedPart> largest_first(const std::vector<std::vector<IdlePart>>& idle) {
  std::vector<PlacedPart> parts;
  for (std::size_t device = 0; device < idle.size(); ++device) {
    for (const IdlePart& part : idle[device]) parts.push_back({device, part});
  }
  std::stable_sort(parts.begin(), parts.end(), [](const PlacedPart& left, const PlacedPart& right) {
    return left.part.end - left.part.begin > right.part.end - right.part.begin;
  });
  return parts;
}

std::string token_of(const TaskGraph& graph, TaskId task) {
  return task == kNoTask ? "" : token(graph.step(task));
}

std::string sentence(const PlacedPart& placed, const Explanation& explanation,
                     const TaskGraph& graph) {
  const IdlePart& part = placed.part;
  const Report& report = explanation.report;
  std::string text = fmt::format("  device {} is idle for {}, from {} to {}", placed.device,
                                 with_unit(report, part.end - part.begin),
                                 number(report, part.begin), number(report, part.end));
  if (part.next != kNoTask) text += fmt::format(", before {}", token_of(graph, part.next));
  text += fmt::format(": {}", idle_reason(part));
  if (part.released_by != kNoTask) {
    text += fmt::format(" (released by {})", token_of(graph, part.released_by));
  }
  return text + "\n";
}

std::string causes_table(const Explanation& explanation) {
  TextTable table;
  std::vector<std::string> header = {"device"};
  for (int cause = 0; cause < kIdleCauses; ++cause) {
    header.emplace_back(name(static_cast<IdleCause>(cause)));
  }
  header.emplace_back("idle");
  table.add(std::move(header));
  for (std::size_t device = 0; device < explanation.idle.size(); ++device) {
    std::vector<std::string> row = {std::to_string(device)};
    Int128 sum = 0;
    for (const Int128 time : idle_times(explanation.idle[device])) {
      sum += time;
      row.push_back(number(explanation.report, Ticks{static_cast<std::int64_t>(time)}));
    }
    row.push_back(number(explanation.report, Ticks{static_cast<std::int64_t>(sum)}));
    table.add(std::move(row));
  }
  return table.text(2);
}

std::string runs_text(const Report& report) {
  std::string text;
  for (const CriticalRun& run : report.critical_path->runs) {
    text += fmt::format("  stage {}: {}", run.stage.value, short_name(run.first));
    if (run.ops > 1) text += fmt::format("..{} ({} ops)", short_name(run.last), run.ops);
    text += '\n';
  }
  return text;
}

/// "+8, -1": what one tick more and one tick less make.
std::string derivative_text(const Derivative& derivative) {
  if (derivative.if_longer == derivative.if_shorter) {
    return std::to_string(derivative.if_longer);
  }
  return fmt::format("{} if longer, {} if shorter", derivative.if_longer, derivative.if_shorter);
}

std::string stages_table(const Explanation& explanation) {
  if (explanation.sensitivity.empty()) {
    return fmt::format("  not defined: {}\n", why_no_sensitivity(explanation.report.problem));
  }
  TextTable table;
  table.add({"stage", "slack", "dT_total/dt_f", "dT_total/dt_b"});
  for (std::size_t stage = 0; stage < explanation.sensitivity.size(); ++stage) {
    const StageSensitivity& of = explanation.sensitivity[stage];
    table.add({std::to_string(stage), number(explanation.report, of.slack),
               derivative_text(of.forward), derivative_text(of.backward)});
  }
  return table.text(2);
}

std::string part_json(const PlacedPart& placed, const Report& report, const TaskGraph& graph) {
  const IdlePart& part = placed.part;
  return fmt::format(
      R"({{"device": {}, "begin": {}, "end": {}, "cause": "{}", "on_device": {}, "before": {}, )"
      R"("released_by": {}}})",
      placed.device, number(report, part.begin), number(report, part.end), name(part.cause),
      part.on ? std::to_string(part.on->value) : "null",
      part.next == kNoTask ? "null" : json_string(token_of(graph, part.next)),
      part.released_by == kNoTask ? "null" : json_string(token_of(graph, part.released_by)));
}

std::string derivative_json(const Derivative& derivative) {
  return fmt::format(R"({{"if_longer": {}, "if_shorter": {}}})", derivative.if_longer,
                     derivative.if_shorter);
}

}  // namespace

std::string idle_reason(const IdlePart& part) {
  switch (part.cause) {
    case IdleCause::fill:
      return "the pipeline fills";
    case IdleCause::drain:
      return "it has nothing left to do";
    case IdleCause::dependency:
      return fmt::format("device {} has not yet done what it waits for",
                         part.on.value_or(Device{}).value);
    case IdleCause::communication:
      return "what it waits for is on its way";
    case IdleCause::head_of_line:
      return "what it waits for is ready, but stands behind another transfer";
    case IdleCause::barrier:
      return "other devices have not finished the step";
    case IdleCause::optimizer:
      return "its optimizer runs";
    case IdleCause::memory:
      return "activations are moved out of its memory, or back";
  }
  return "";
}

std::string explanation_table(const Explanation& explanation, const TaskGraph& graph) {
  constexpr std::size_t kShown = 10;
  const Report& report = explanation.report;
  const std::vector<PlacedPart> parts = largest_first(explanation.idle);
  std::string text = fmt::format("{}: T_total {}, lower bound {}\n\nlargest gaps\n",
                                 report.config.schedule, with_unit(report, report.metrics.t_total),
                                 with_unit(report, report.metrics.lower_bound));
  for (std::size_t i = 0; i < std::min(parts.size(), kShown); ++i) {
    text += sentence(parts[i], explanation, graph);
  }
  if (parts.size() > kShown) {
    text += fmt::format("  {} smaller ones: --format json has all\n", parts.size() - kShown);
  }
  text += fmt::format("\nidle time by cause, in {}\n{}", name(report.config.time_unit),
                      causes_table(explanation));
  text += fmt::format("\ncritical path: forward {}, backward {}, waiting {}\n{}",
                      with_unit(report, report.critical_path->forward),
                      with_unit(report, report.critical_path->backward),
                      with_unit(report, report.critical_path->waiting), runs_text(report));
  text += fmt::format("\nwhat a stage's times change; slack in {}\n{}",
                      name(report.config.time_unit), stages_table(explanation));
  return text;
}

std::string explanation_json(const Explanation& explanation, const TaskGraph& graph) {
  const Report& report = explanation.report;
  std::string parts;
  for (std::size_t device = 0; device < explanation.idle.size(); ++device) {
    for (const IdlePart& part : explanation.idle[device]) {
      parts += fmt::format("{}\n    {}", parts.empty() ? "" : ",",
                           part_json({device, part}, report, graph));
    }
  }
  std::string runs;
  for (const CriticalRun& run : report.critical_path->runs) {
    runs +=
        fmt::format(R"({}{{"device": {}, "stage": {}, "first": "{}", "last": "{}", "ops": {}}})",
                    runs.empty() ? "" : ", ", run.device.value, run.stage.value,
                    short_name(run.first), short_name(run.last), run.ops);
  }
  std::string stages;
  for (std::size_t stage = 0; stage < explanation.sensitivity.size(); ++stage) {
    const StageSensitivity& of = explanation.sensitivity[stage];
    stages += fmt::format("{}\n    {{\"stage\": {}, \"slack\": {}, \"t_f\": {}, \"t_b\": {}}}",
                          stages.empty() ? "" : ",", stage, number(report, of.slack),
                          derivative_json(of.forward), derivative_json(of.backward));
  }
  return fmt::format(
      "{{\n  \"schema_version\": {},\n  \"pipesim_version\": \"{}\",\n  \"time_unit\": \"{}\",\n"
      "  \"t_total\": {},\n  \"gaps\": [{}\n  ],\n  \"critical_path\": [{}],\n"
      "  \"stages\": [{}\n  ],\n  \"config\": {}\n}}\n",
      kResultSchemaVersion, kVersion, name(report.config.time_unit),
      number(report, report.metrics.t_total), parts, runs, stages, resolved_json(report.config));
}

}  // namespace pipesim
