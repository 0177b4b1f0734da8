// The vector of floats of the instruction set that this file is compiled for, and tiles of them.
//
// Everything has internal linkage: the same code is compiled several times with different
// instructions, and the linker must not take one for another.
#pragma once

#include <cstdint>
#include <cstring>

namespace {

#if defined(__AVX512F__)
constexpr int kWidth = 16;
constexpr int kMostRows = 12;  // 12 x 2 sums, 2 factors and a broadcast fill 27 of 32 registers
#elif defined(__AVX2__)
constexpr int kWidth = 8;
constexpr int kMostRows = 6;  // 12 of 16
#else
constexpr int kWidth = 4;
constexpr int kMostRows = 6;
#endif
constexpr int kMostVectors = 2;
constexpr int kPanel = kWidth * kMostVectors;

typedef float Vector __attribute__((vector_size(kWidth * sizeof(float))));

inline Vector load(const float* from) {
  Vector value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

inline void store(float* to, Vector value) { std::memcpy(to, &value, sizeof(value)); }

// Up to kWidth numbers from where perhaps fewer are left.
inline Vector load_some(const float* from, int64_t count) {
  if (count >= kWidth) return load(from);
  Vector value{};
  std::memcpy(&value, from, count * sizeof(float));
  return value;
}

inline void store_some(float* to, Vector value, int64_t count) {
  if (count >= kWidth) {
    store(to, value);
  } else {
    std::memcpy(to, &value, count * sizeof(float));
  }
}

// Sums of products, kept in registers: `rows` numbers times `kVectors` vectors at a time.
template <int kRows, int kVectors>
struct Tile {
  Vector sums[kRows][kVectors];

  inline void clear() {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[r][v] = Vector{};
  }

  // sums[r][v] += a[r * a_step] * b[v]
  inline void add_products(const float* a, int64_t a_step, const float* b) {
    Vector factors[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) factors[v] = load(b + v * kWidth);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const float one = a[r * a_step];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[r][v] += one * factors[v];
    }
  }

  // Only the first `columns` numbers of each row are written; `kAdd`: to what is there.
  template <bool kAdd>
  inline void put(float* to, int64_t step, int64_t columns) const {
    if (columns >= kVectors * kWidth) {
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) {
          float* place = to + r * step + v * kWidth;
          store(place, kAdd ? load(place) + sums[r][v] : sums[r][v]);
        }
      return;
    }
    // With a number in place of `r` everywhere, `sums` need not be in memory at all.
    float rows[kRows][kVectors * kWidth];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) store(rows[r] + v * kWidth, sums[r][v]);
    for (int r = 0; r < kRows; ++r) {
      for (int64_t c = 0; c < columns; ++c) {
        to[r * step + c] = kAdd ? to[r * step + c] + rows[r][c] : rows[r][c];
      }
    }
  }
};

// Calls `body.template run<rows>()` for a number of rows known only now, 1 to `kRows`.
template <int kRows = kMostRows, typename Body>
inline void with_rows(int64_t rows, const Body& body) {
  if constexpr (kRows == 1) {
    body.template run<1>();
  } else {
    if (rows == kRows) {
      body.template run<kRows>();
    } else {
      with_rows<kRows - 1>(rows, body);
    }
  }
}

// Cuts `count` rows into tiles of nearly equal height: 26 is 9 + 9 + 8 and not 12 + 12 + 2.
template <int kMost = kMostRows, typename Body>
inline void for_tiles(int64_t count, const Body& body) {
  const int64_t tiles = (count + kMost - 1) / kMost;
  for (int64_t i = 0, at = 0; i < tiles; ++i) {
    const int64_t rows = (count - at + tiles - i - 1) / (tiles - i);
    body(at, rows);
    at += rows;
  }
}

}  // namespace
