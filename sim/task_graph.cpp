#include "sim/task_graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/graph/depth_first_search.hpp>
#include <boost/graph/graph_concepts.hpp>
#include <optional>

#include "sim/dependencies.hpp"
#include "sim/error.hpp"
#include "sim/task_graph_boost.hpp"

namespace pipesim {

BOOST_CONCEPT_ASSERT((boost::VertexListGraphConcept<TaskGraph>));
BOOST_CONCEPT_ASSERT((boost::IncidenceGraphConcept<TaskGraph>));
BOOST_CONCEPT_ASSERT((boost::BidirectionalGraphConcept<TaskGraph>));

namespace {

/// Remembers the edge that closed a cycle, and the tree by which it was reached.
class CycleVisitor : public boost::default_dfs_visitor {
 public:
  CycleVisitor(std::vector<TaskId>& parent, std::optional<TaskEdge>& back)
      : parent_(&parent), back_(&back) {}

  void tree_edge(const TaskEdge& edge, const TaskGraph&) { (*parent_)[edge.target] = edge.source; }
  void back_edge(const TaskEdge& edge, const TaskGraph&) {
    if (!*back_) *back_ = edge;
  }

 private:
  std::vector<TaskId>* parent_;
  std::optional<TaskEdge>* back_;
};

}  // namespace

TaskGraph::TaskGraph(const Problem& problem, const Program& program) : problem_(problem) {
  const std::int64_t tasks = op_count(problem);
  if (tasks >= kNoTask) {
    throw Error(Fault{.pointer = "/m",
                      .what = fmt::format("{} tasks", tasks),
                      .allowed = fmt::format("at most {}", kNoTask - 1)});
  }
  ops_.reserve(static_cast<std::size_t>(tasks));
  task_of_op_.resize(static_cast<std::size_t>(tasks), kNoTask);
  for (const LaneOrder& order : program.lanes) {
    lane_begin_.push_back(static_cast<TaskId>(ops_.size()));
    for (OpCursor cursor(order); !cursor.done(); cursor.advance()) {
      const Op op = cursor.op();
      task_of_op_[number(op)] = static_cast<TaskId>(ops_.size());
      ops_.push_back(op);
    }
  }
  lane_begin_.push_back(static_cast<TaskId>(ops_.size()));
  PIPESIM_CHECK(ops_.size() == task_of_op_.size());
}

std::size_t TaskGraph::number(const Op& op) const {
  const std::int64_t row =
      std::int64_t{op.kind == OpKind::backward} * problem_.stages() + op.stage.value;
  return static_cast<std::size_t>(row * problem_.microbatches + op.microbatch.value);
}

NeighborList TaskGraph::predecessors(TaskId id) const {
  NeighborList list;
  if (id != lane_begin(lane(id)))
    list.add({.task = id - 1, .kind = EdgeKind::order, .latency = {}});
  for (const Dependency& needed : data_predecessors(problem_, op(id))) {
    list.add({.task = task(needed.op), .kind = EdgeKind::data, .latency = needed.latency});
  }
  return list;
}

NeighborList TaskGraph::successors(TaskId id) const {
  NeighborList list;
  if (id + 1 != lane_end(lane(id))) {
    list.add({.task = id + 1, .kind = EdgeKind::order, .latency = {}});
  }
  for (const Dependency& fed : data_successors(problem_, op(id))) {
    list.add({.task = task(fed.op), .kind = EdgeKind::data, .latency = fed.latency});
  }
  return list;
}

std::vector<TaskId> TaskGraph::find_cycle() const {
  std::vector<TaskId> parent(size(), kNoTask);
  std::vector<boost::default_color_type> color(size());
  std::optional<TaskEdge> back;
  boost::depth_first_search(*this,
                            boost::visitor(CycleVisitor(parent, back))
                                .color_map(boost::make_iterator_property_map(
                                    color.begin(), boost::typed_identity_property_map<TaskId>())));
  if (!back) return {};
  // back goes from the deepest task to one above it; each waits for its parent in the tree.
  std::vector<TaskId> cycle;
  for (TaskId id = back->source; id != back->target; id = parent[id]) cycle.push_back(id);
  cycle.push_back(back->target);
  std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
  return cycle;
}

Error deadlock_error(const TaskGraph& graph, const std::vector<TaskId>& cycle) {
  constexpr std::size_t kShown = 12;
  std::string text = "deadlock: these ops wait for each other";
  for (std::size_t i = 0; i < cycle.size(); ++i) {
    if (i == kShown && cycle.size() > kShown + 1) {
      text += fmt::format("\n  ... and {} more", cycle.size() - kShown);
      break;
    }
    const TaskId waiting = cycle[i];
    const TaskId awaited = cycle[(i + 1) % cycle.size()];
    const bool same_lane_order =
        graph.lane(waiting) == graph.lane(awaited) && waiting == awaited + 1;
    text += fmt::format("\n  {} on device {} waits for {} on device {}{}", token(graph.op(waiting)),
                        graph.lane(waiting), token(graph.op(awaited)), graph.lane(awaited),
                        same_lane_order ? ", which stands before it in the device's order"
                                        : ", whose result it needs");
  }
  return Error(Fault{.pointer = "/schedule", .what = std::move(text)}, ErrorKind::run_failed);
}

}  // namespace pipesim
