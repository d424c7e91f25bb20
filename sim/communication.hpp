// How results cross from device to device.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/types.hpp"

namespace pipesim {

/// What a transfer occupies while it is under way.
enum class TransferMode {
  free,           ///< nothing: any number of transfers at once
  async,          ///< the link between its two devices, in one direction
  single_stream,  ///< the one communication stream of each of its devices
  rendezvous      ///< both devices' compute lanes: blocking calls
};

/// Where a receive is posted in the order of single_stream and rendezvous.
enum class RecvPosting {
  eager,        ///< as soon as the sender's schedule is known to send it (PyTorch)
  just_in_time  ///< directly before the op that needs it
};

/// One message over one hop: it keeps its lane for `occupancy`; its result is there `latency`
/// after that.
struct Link {
  Ticks latency;
  Ticks occupancy;

  friend bool operator==(const Link&, const Link&) = default;
};

/// Point-to-point communication between devices.
struct Communication {
  TransferMode mode = TransferMode::free;
  RecvPosting recv_posting = RecvPosting::eager;
  /// Devices 0..k-1 form a node, k..2k-1 the next, ...; 0: all devices are one node.
  std::int32_t devices_per_node = 0;
  Link intra;  ///< between devices of one node
  Link inter;  ///< between devices of different nodes
  /// By sender and receiver, p * p entries in rows of a sender; empty: intra and inter hold.
  std::vector<Ticks> latencies;
  /// How long one message occupies the link that a node's devices share for what they send to
  /// other devices; none: there is no such link.
  std::optional<Ticks> shared_link;

  /// The node of a device.
  std::int32_t node(Device device) const {
    return devices_per_node == 0 ? 0 : device.value / devices_per_node;
  }
};

}  // namespace pipesim
