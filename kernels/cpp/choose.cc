// Which of the compiled instruction sets to run: asked of the processor, once.

#include "compute.h"

namespace lamina {

extern const Compute compute_baseline;
#if defined(__x86_64__)
extern const Compute compute_avx2;
extern const Compute compute_avx512;
#endif

const Compute& compute() {
#if defined(__x86_64__)
  static const Compute& best = __builtin_cpu_supports("avx512f") &&
                                       __builtin_cpu_supports("avx512dq") &&
                                       __builtin_cpu_supports("avx512vl") &&
                                       __builtin_cpu_supports("avx512bw")
                                   ? compute_avx512
                               : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
                                   ? compute_avx2
                                   : compute_baseline;
  return best;
#else
  return compute_baseline;
#endif
}

}  // namespace lamina
