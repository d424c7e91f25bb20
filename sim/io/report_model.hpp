// What reports say of the model that a run trains.
#pragma once

#include <string>
#include <vector>

#include "sim/io/report.hpp"
#include "sim/io/report_facts.hpp"

namespace pipesim {

/// "96 layers, 174615797760 parameters  tp=8  dp=1".
std::string model_heading(const RunConfig& config, const ModelReport& model);
std::vector<Fact> model_facts(const ModelReport& model);
/// Layers, times and bytes by stage as a table; equal neighbours in one row.
std::string model_stages(const Report& report, const ModelReport& model);
/// The member `model` of a result.
std::string model_json(const Report& report, const ModelReport& model);

}  // namespace pipesim
