#include "sim/dtype.hpp"

namespace pipesim {

std::string_view name(Dtype dtype) {
  switch (dtype) {
    case Dtype::fp32:
      return "fp32";
    case Dtype::bf16:
      return "bf16";
    case Dtype::fp16:
      return "fp16";
    case Dtype::fp8:
      return "fp8";
  }
  return "";
}

std::vector<std::string> dtype_names() {
  std::vector<std::string> names;
  for (const Dtype dtype : {Dtype::fp32, Dtype::bf16, Dtype::fp16, Dtype::fp8}) {
    names.emplace_back(name(dtype));
  }
  return names;
}

Bytes size(Dtype dtype) {
  if (dtype == Dtype::fp32) return Bytes(4);
  return dtype == Dtype::fp8 ? Bytes(1) : Bytes(2);
}

}  // namespace pipesim
