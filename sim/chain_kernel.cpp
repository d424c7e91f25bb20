#include "sim/chain_kernel.hpp"

#include <bit>
#include <cstring>

// The vectors are the compiler's own, since it finds none in loops over bytes and times; and the
// functions are compiled, not only inlined, for each kind of processor, since it takes vectors to
// pieces before it inlines. Together that makes a wave of 256 lanes four times as fast. Clang,
// which has other pragmas, gets the portable one.
#if defined(__x86_64__) && !defined(__clang__)
#define PIPESIM_CHAIN_KERNELS
#endif

namespace pipesim {

namespace {

namespace portable {
constexpr std::size_t kRegister = 16;
#include "sim/chain_kernel.inc"
}  // namespace portable

#ifdef PIPESIM_CHAIN_KERNELS
#pragma GCC push_options
#pragma GCC target("avx2")
namespace avx2 {
constexpr std::size_t kRegister = 32;
#include "sim/chain_kernel.inc"
}  // namespace avx2
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw")
namespace avx512 {
constexpr std::size_t kRegister = 64;
#include "sim/chain_kernel.inc"
}  // namespace avx512
#pragma GCC pop_options
#endif

template <bool kHasLatency>
std::vector<ChainKernel> kernels_with() {
  std::vector<ChainKernel> kernels = {portable::wave<kHasLatency>};
#ifdef PIPESIM_CHAIN_KERNELS
  if (__builtin_cpu_supports("avx2")) kernels.push_back(avx2::wave<kHasLatency>);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")) {
    kernels.push_back(avx512::wave<kHasLatency>);
  }
#endif
  return kernels;
}

}  // namespace

std::vector<ChainKernel> chain_kernels(bool has_latency) {
  return has_latency ? kernels_with<true>() : kernels_with<false>();
}

}  // namespace pipesim
