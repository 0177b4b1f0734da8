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

struct Choice {
  const Compute& compute;
  const char* name;
};

Choice choose() {
#if defined(__x86_64__)
  // For the tests of a set that is not the machine's best. A set that the processor does not have is
  // never run, whatever is asked for.
  const char* named = std::getenv("LAMINA_KERNELS_INSTRUCTIONS");
  const std::string_view most = named ? named : "";
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512bw");
  if (avx512 && most != "avx2" && most != "baseline") return {compute_avx512, "AVX-512"};
  if (avx2 && most != "baseline") return {compute_avx2, "AVX2"};
#endif
  return {compute_baseline, "baseline"};
}

const Choice& choice() {
  static const Choice best = choose();
  return best;
}

}  // namespace

const Compute& compute() { return choice().compute; }

}  // namespace lamina

#pragma GCC visibility push(default)

extern "C" const char* lamina_instructions() { return lamina::choice().name; }

// Of what Python calls; see library.py.
extern "C" int lamina_edition() { return LAMINA_EDITION; }

#pragma GCC visibility pop
