// Which of the compiled instruction sets to run: asked of the processor, once.

#include <cstdlib>
#include <string_view>

#include "compute.h"

namespace lamina {

extern const Compute compute_baseline;
#if defined(__x86_64__)
extern const Compute compute_avx2;
extern const Compute compute_avx512;
#endif

namespace {

const Compute& choose() {
#if defined(__x86_64__)
  // For the tests of a set that is not the machine's best.
  const char* named = std::getenv("LAMINA_KERNELS_INSTRUCTIONS");
  const std::string_view most = named ? named : "avx512";
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
  if (avx512 && most == "avx512") return compute_avx512;
  if (avx2 && most != "baseline") return compute_avx2;
#endif
  return compute_baseline;
}

}  // namespace

const Compute& compute() {
  static const Compute& best = choose();
  return best;
}

}  // namespace lamina
