#include <algorithm>
#include <string>

#include "schedules/schedule.hpp"

namespace pipesim {

#define PIPESIM_SCHEDULE(name) extern const Schedule schedule_##name;
#include "schedules/schedules.def"
#undef PIPESIM_SCHEDULE

std::string_view name(BackwardPass pass) {
  switch (pass) {
    case BackwardPass::full:
      return "full";
    case BackwardPass::split:
      return "split";
    case BackwardPass::mixed:
      return "mixed";
  }
  return "";
}

Registry builtin_schedules() {
  return {
#define PIPESIM_SCHEDULE(name) &schedule_##name,
#include "schedules/schedules.def"
#undef PIPESIM_SCHEDULE
  };
}

const Schedule* find_schedule(const Registry& registry, std::string_view name) {
  const auto found = std::find_if(registry.begin(), registry.end(), [&](const Schedule* schedule) {
    return schedule->info.name == name;
  });
  return found == registry.end() ? nullptr : *found;
}

bool needs_order(const Schedule& schedule) {
  const std::vector<ParameterSpec>& parameters = schedule.info.parameters;
  return std::any_of(parameters.begin(), parameters.end(), [](const ParameterSpec& parameter) {
    return parameter.type == ParameterType::orders;
  });
}

std::vector<ScheduleSignature> signatures(const Registry& registry) {
  std::vector<ScheduleSignature> result;
  for (const Schedule* schedule : registry) {
    result.push_back(
        {.name = std::string(schedule->info.name), .parameters = schedule->info.parameters});
  }
  return result;
}

Placement place(const Schedule& schedule, int devices, const Parameters& parameters) {
  return schedule.place ? schedule.place(devices, parameters) : loop_placement(devices, 1);
}

Integers slices(const Schedule& schedule, const Parameters& parameters) {
  return schedule.slices ? schedule.slices(parameters) : Integers{1};
}

Problem with_state(const Schedule& schedule, Problem problem, const Parameters& parameters) {
  if (schedule.keepers) {
    problem.parking.keeper = schedule.keepers(problem.devices, parameters);
  }
  if (schedule.weight_versions) {
    for (std::int32_t device = 0; device < problem.devices; ++device) {
      problem.weight_versions.push_back(
          schedule.weight_versions(problem, parameters, Device{device}));
    }
  }
  return problem;
}

Plan plan(const Schedule& schedule, const Problem& problem, const Parameters& parameters) {
  return schedule.plan ? schedule.plan(problem, parameters) : Plan{parameters, {}};
}

std::int64_t peak(const Schedule& schedule, const Problem& problem, const Parameters& parameters,
                  Device device) {
  if (schedule.peak) return schedule.peak(problem, parameters, device);
  std::int64_t pairs = 0;
  for (std::int32_t j = 0; j < problem.microbatches; ++j) {
    for (int s = 0; s < problem.stages(); ++s) {
      pairs += problem.device(Stage{s}, Microbatch{j}) == device ? 1 : 0;
    }
  }
  return pairs;
}

Program order(const Schedule& schedule, const Problem& problem, const Parameters& parameters) {
  if (schedule.check) schedule.check(problem, parameters);
  return with_recompute(problem, schedule.build(problem, parameters));
}

Program build(const Schedule& schedule, const Problem& problem, const Parameters& parameters) {
  Program program = order(schedule, problem, parameters);
  validate_program(problem, program);
  return program;
}

}  // namespace pipesim
