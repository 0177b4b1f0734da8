// Work shared out over XLA's own threads, so that no second pool fights for the cores.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>

#include "xla/ffi/api/ffi.h"

namespace lamina {

// Calls `body(i)` for every i below `count`, in any order, on any thread; returns after the last.
//
// The caller works along and never waits for a helper that has not started: a pool whose threads
// are all busy, perhaps with callers like this one, costs time and cannot lock up.
template <typename Body>
void parallel_for(xla::ffi::ThreadPool& pool, int64_t count, const Body& body) {
  const int64_t helpers = std::min<int64_t>(pool.num_threads(), count) - 1;
  if (helpers < 1) {
    for (int64_t i = 0; i < count; ++i) body(i);
    return;
  }
  struct Progress {
    std::atomic<int64_t> next{0}, done{0};
  };
  // Shared, because a helper may start when everything is over. `body` is touched only by those
  // that have got a number, and the caller is still here then.
  auto progress = std::make_shared<Progress>();
  const auto work = [progress, count, &body] {
    for (int64_t i; (i = progress->next.fetch_add(1, std::memory_order_relaxed)) < count;) {
      body(i);
      progress->done.fetch_add(1, std::memory_order_release);
    }
  };
  for (int64_t i = 0; i < helpers; ++i) pool.Schedule(std::decay_t<decltype(work)>(work));
  work();
  for (int spins = 0; progress->done.load(std::memory_order_acquire) < count; ++spins) {
    if (spins > 2000) std::this_thread::yield();
  }
}

}  // namespace lamina
