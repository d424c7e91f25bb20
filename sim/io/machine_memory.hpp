// The memory that this process may take.
#pragma once

#include <cstdint>

namespace pipesim {

/// Bytes that a result may need: the limit of this process's data (limit_memory(), ulimit -d) if
/// there is one, else what the machine can give without swapping and the container, or the job of a
/// cluster, may take.
std::int64_t available_memory();

/// Lets this process have at most so many bytes of data, heap and stacks; what needs more throws
/// std::bad_alloc. Requires that no other thread runs yet. Throws Error (bad input) where the
/// system allows less.
void limit_memory(std::int64_t bytes);

}  // namespace pipesim
