// The doors through which XLA comes in: shapes are read, work is shared out, numbers are computed.

#include <algorithm>
#include <vector>

#include "call.h"
#include "compute.h"
#include "parallel.h"

namespace ffi = xla::ffi;
using lamina::AdamStep;
using lamina::Attention;
using lamina::Blocks;
using lamina::compute;
using lamina::Lstm;
using lamina::parallel_for;
using lamina::Window;
using Array = lamina::Buffer<ffi::F32, 4>;
using Places = lamina::Buffer<ffi::U8, 4>;
using Row = lamina::Buffer<ffi::F32, 1>;
using Matrix = lamina::Buffer<ffi::F32, 2>;
using Sequence = lamina::Buffer<ffi::F32, 3>;
using Counts = lamina::Buffer<ffi::U8, 2>;
using Numbers = ffi::Span<const int64_t>;

namespace {

// Memory that a thread keeps, one piece for each use: large ones are asked of the system anew every
// time otherwise, page by page.
enum Use { kTask, kSums };

template <Use kUse = kTask>
float* scratch(int64_t size) {
  thread_local std::vector<float> kept;
  if (static_cast<int64_t>(kept.size()) < size) kept.resize(size);
  return kept.data();
}

// -- Adam ----------------------------------------------------------------------------------------

constexpr int64_t kStretch = 8192;  // weights a thread takes at a time: 128 KiB of four arrays

ffi::Error adam(ffi::ThreadPool pool, ffi::RemainingArgs args, ffi::RemainingRets results,
                float change_1, float change_2, float epsilon, ffi::Span<const float> decays) {
  // rate, corrected rate, then weights, momenta, velocities and gradients
  const int64_t tensors = (args.size() - 2) / 4;
  struct Piece {
    AdamStep step;
    int64_t count;
    const float* from[4];
    float* to[3];
  };
  const float rate = *args.get<ffi::AnyBuffer>(0)->typed_data<float>();
  const float size = *args.get<ffi::AnyBuffer>(1)->typed_data<float>();
  std::vector<Piece> pieces;
  for (int64_t t = 0; t < tensors; ++t) {
    Piece whole{{size, change_1, change_2, epsilon, decays[t] * rate}, 0, {}, {}};
    for (int i = 0; i < 4; ++i) {
      auto buffer = args.get<ffi::AnyBuffer>(2 + i * tensors + t);
      whole.from[i] = buffer->typed_data<float>();
      whole.count = buffer->element_count();
    }
    for (int i = 0; i < 3; ++i) {
      whole.to[i] = (*results.get<ffi::AnyBuffer>(i * tensors + t))->typed_data<float>();
    }
    for (int64_t at = 0; at < whole.count; at += kStretch) {
      Piece piece = whole;
      piece.count = std::min(kStretch, whole.count - at);
      for (auto& from : piece.from) from += at;
      for (auto& to : piece.to) to += at;
      pieces.push_back(piece);
    }
  }
  parallel_for(pool, pieces.size(), [&](int64_t i) {
    const Piece& p = pieces[i];
    compute().adam(p.step, p.count, p.from[0], p.from[1], p.from[2], p.from[3], p.to[0], p.to[1],
                   p.to[2]);
  });
  return ffi::Error::Success();
}

// -- dense ---------------------------------------------------------------------------------------

ffi::Error transposed_product(ffi::ThreadPool pool, Matrix x, Matrix y,
                              ffi::Result<Matrix> product) {
  const int64_t batch = x.dimensions()[0], rows = x.dimensions()[1], columns = y.dimensions()[1];
  const int64_t most = std::max<int64_t>(48, rows / 16), tasks = (rows + most - 1) / most;
  const int64_t height = (rows + tasks - 1) / std::max<int64_t>(tasks, 1);
  parallel_for(pool, (rows + height - 1) / height, [&](int64_t i) {
    compute().transposed_product(batch, rows, columns, i * height,
                                 std::min(rows, (i + 1) * height), x.typed_data(), y.typed_data(),
                                 scratch(batch * (columns + compute().panel)),
                                 product->typed_data());
  });
  return ffi::Error::Success();
}

ffi::Error product(ffi::ThreadPool pool, Matrix x, Matrix y, bool transposed,
                   ffi::Result<Matrix> product) {
  const int64_t rows = x.dimensions()[0], inner = x.dimensions()[1];
  const int64_t columns = product->dimensions()[1], width = compute().panel;
  const int64_t panels = (columns + width - 1) / width;
  // Tall enough that turning a panel round is little beside the products with it.
  const int64_t height = std::max<int64_t>(96, rows / 96 * 12);
  const int64_t stretches = (rows + height - 1) / height;
  parallel_for(pool, panels * stretches, [&](int64_t i) {
    const int64_t from = i / panels * height;
    compute().product(inner, columns, from, std::min(rows, from + height), i % panels * width,
                      transposed, x.typed_data(), y.typed_data(), scratch(inner * width),
                      product->typed_data());
  });
  return ffi::Error::Success();
}

// -- convolution ---------------------------------------------------------------------------------

Window window_of(const Array& image, const Array& result, int64_t kernel_height,
                 int64_t kernel_width, Numbers strides, Numbers before) {
  const auto from = image.dimensions(), to = result.dimensions();
  return {from[1],    from[2],    from[3],   to[1],     to[2],         to[3], kernel_height,
          kernel_width, strides[0], strides[1], before[0], before[1], to[2] * to[3], to[3]};
}

void convolve_all(ffi::ThreadPool& pool, const Window& w, int64_t batch, const float* images,
                  int64_t image_size, const float* packed, float* results, int64_t result_size) {
  if (w.rows < 1 || w.columns < 1) return;
  // A task has enough to do to be worth sharing out, and a slab that stays in the cache.
  const int64_t row_work = w.columns * w.filters * w.kernel_height * w.kernel_width * w.channels;
  const int64_t height = std::clamp<int64_t>(4'000'000 / std::max<int64_t>(row_work, 1), 4, w.rows);
  const int64_t stretches = (w.rows + height - 1) / height;
  parallel_for(pool, batch * stretches, [&](int64_t i) {
    const int64_t image = i / stretches, from = i % stretches * height;
    compute().convolve(w, from, std::min(w.rows, from + height), images + image * image_size,
                       packed, scratch(compute().convolve_scratch(w, height)),
                       results + image * result_size);
  });
}

ffi::Error convolution(ffi::ThreadPool pool, Array images, Array kernel, Numbers strides,
                       Numbers before, ffi::Result<Array> result) {
  const auto window = kernel.dimensions();
  const Window w = window_of(images, *result, window[0], window[1], strides, before);
  std::vector<float> packed(compute().packed_size(w));
  compute().pack(w, kernel.typed_data(), packed.data());
  const int64_t batch = images.dimensions()[0];
  if (batch == 0) return ffi::Error::Success();
  convolve_all(pool, w, batch, images.typed_data(), images.element_count() / batch, packed.data(),
               result->typed_data(), result->element_count() / batch);
  return ffi::Error::Success();
}

int64_t ceil_div(int64_t a, int64_t b) { return a >= 0 ? (a + b - 1) / b : -(-a / b); }

// Input pixels that are the same place in the stride see the same part of the kernel: for each
// such phase it is a convolution of the result's gradient, with that part turned around.
ffi::Error input_gradient(ffi::ThreadPool pool, Array change, Array kernel, Numbers strides,
                          Numbers before, ffi::Result<Array> result) {
  const auto window = kernel.dimensions();
  const auto from = change.dimensions(), to = result->dimensions();
  const int64_t batch = from[0], channels = window[2], filters = window[3];
  if (batch == 0) return ffi::Error::Success();
  std::vector<float> part, packed;
  for (int64_t y = 0; y < strides[0]; ++y) {
    for (int64_t x = 0; x < strides[1]; ++x) {
      const int64_t taps_y = std::max<int64_t>(0, ceil_div(window[0] - y, strides[0]));
      const int64_t taps_x = std::max<int64_t>(0, ceil_div(window[1] - x, strides[1]));
      // The first pixel of the phase, and the row and column of the result that it is in line with.
      const int64_t line_y = ceil_div(before[0] - y, strides[0]);
      const int64_t line_x = ceil_div(before[1] - x, strides[1]);
      const int64_t first_y = line_y * strides[0] + y - before[0];
      const int64_t first_x = line_x * strides[1] + x - before[1];
      const Window w{from[1], from[2], filters,
                     ceil_div(to[1] - first_y, strides[0]), ceil_div(to[2] - first_x, strides[1]),
                     channels, taps_y, taps_x, 1, 1, taps_y - 1 - line_y, taps_x - 1 - line_x,
                     strides[0] * to[2] * channels, strides[1] * channels};
      part.resize(taps_y * taps_x * filters * channels);
      float* place = part.data();
      for (int64_t j = taps_y - 1; j >= 0; --j) {
        for (int64_t i = taps_x - 1; i >= 0; --i) {
          const float* corner = kernel.typed_data() + ((y + j * strides[0]) * window[1] + x +
                                                       i * strides[1]) * channels * filters;
          for (int64_t f = 0; f < filters; ++f) {
            for (int64_t c = 0; c < channels; ++c) *place++ = corner[c * filters + f];
          }
        }
      }
      packed.resize(compute().packed_size(w));
      compute().pack(w, part.data(), packed.data());
      convolve_all(pool, w, batch, change.typed_data(), change.element_count() / batch,
                   packed.data(),
                   result->typed_data() + (first_y * to[2] + first_x) * channels,
                   result->element_count() / batch);
    }
  }
  return ffi::Error::Success();
}

int64_t groups_for(int64_t size, int64_t batch) {
  constexpr int64_t kMostGroups = 16, kMostNumbers = 1 << 22;
  return std::clamp<int64_t>(kMostNumbers / size, 1, std::min(batch, kMostGroups));
}

void tiles_gradient(ffi::ThreadPool& pool, const Window& w, const Array& images,
                    const Array& change, float* gradient) {
  const int64_t batch = images.dimensions()[0], size = compute().tiles_gradient_size(w);
  const int64_t image_size = images.element_count() / batch;
  const int64_t change_size = change.element_count() / batch;
  const int64_t groups = groups_for(size, batch);
  float* sums = scratch<kSums>(groups * size);
  parallel_for(pool, groups, [&](int64_t group) {
    float* space = scratch(compute().tiles_gradient_scratch(w));
    float* sum = sums + group * size;
    std::fill_n(sum, size, 0.0f);
    for (int64_t n = group * batch / groups; n < (group + 1) * batch / groups; ++n) {
      compute().add_tiles_gradient(w, images.typed_data() + n * image_size,
                                   change.typed_data() + n * change_size, space, sum);
    }
  });
  constexpr int64_t kStretches = 16;
  parallel_for(pool, kStretches, [&](int64_t i) {
    for (int64_t group = 1; group < groups; ++group) {
      const float* from = sums + group * size;
      for (int64_t k = i * size / kStretches; k < (i + 1) * size / kStretches; ++k) {
        sums[k] += from[k];
      }
    }
  });
  compute().finish_tiles_gradient(w, sums, gradient);
}

// The images are added up in groups, and the groups in order: the sums do not depend on how many
// threads there are.
ffi::Error kernel_gradient(ffi::ThreadPool pool, Array images, Array change, Numbers strides,
                           Numbers before, ffi::Result<Array> gradient) {
  const auto window = gradient->dimensions();
  const Window w = window_of(images, change, window[0], window[1], strides, before);
  const int64_t batch = images.dimensions()[0], size = gradient->element_count();
  float* total = gradient->typed_data();
  if (batch == 0 || size == 0) {
    std::fill(total, total + size, 0.0f);
    return ffi::Error::Success();
  }
  if (compute().by_tiles(w)) {
    tiles_gradient(pool, w, images, change, total);
    return ffi::Error::Success();
  }
  const int64_t groups = groups_for(size, batch);
  float* sums = scratch<kSums>(groups * size);
  const int64_t row_size = size / window[0];
  const int64_t image_size = images.element_count() / batch;
  const int64_t change_size = change.element_count() / batch;
  parallel_for(pool, groups * window[0], [&](int64_t i) {
    const int64_t group = i / window[0], y = i % window[0];
    float* space = scratch(compute().slab_size(w, w.rows) + compute().change_size(w));
    float* sum = sums + group * size + y * row_size;
    std::fill_n(sum, row_size, 0.0f);
    for (int64_t n = group * batch / groups; n < (group + 1) * batch / groups; ++n) {
      compute().kernel_gradient(w, y, images.typed_data() + n * image_size,
                                change.typed_data() + n * change_size, space, sum);
    }
  });
  parallel_for(pool, window[0], [&](int64_t y) {
    float* to = total + y * row_size;
    std::copy_n(sums + y * row_size, row_size, to);
    for (int64_t group = 1; group < groups; ++group) {
      const float* from = sums + group * size + y * row_size;
      for (int64_t k = 0; k < row_size; ++k) to[k] += from[k];
    }
  });
  return ffi::Error::Success();
}

// -- convolution and the largest of each block ---------------------------------------------------

// Only the part of the result that blocks cover, (height, width, filters), is computed.
Window covered(const Array& image, const Blocks& b, int64_t filters, int64_t kernel_height,
               int64_t kernel_width, Numbers strides, Numbers before) {
  const auto from = image.dimensions();
  const int64_t rows = b.rows * b.height, columns = b.columns * b.width;
  return {from[1],    from[2],    from[3],   rows,      columns,           filters, kernel_height,
          kernel_width, strides[0], strides[1], before[0], before[1], columns * filters, filters};
}

template <typename Result>
Blocks blocks_of(const Result& result, Numbers block) {
  return {block[0], block[1], result.dimensions()[1], result.dimensions()[2]};
}

ffi::Error pooled_convolution(ffi::ThreadPool pool, Array images, Array kernel, Row bias,
                              Numbers strides, Numbers before, Numbers block, bool rectified,
                              ffi::Result<Array> result, ffi::Result<Places> places) {
  const auto taps = kernel.dimensions();
  const Blocks b = blocks_of(*result, block);
  const Window w = covered(images, b, taps[3], taps[0], taps[1], strides, before);
  const int64_t batch = images.dimensions()[0];
  if (batch == 0 || result->element_count() == 0) return ffi::Error::Success();
  std::vector<float> packed(compute().packed_size(w));
  compute().pack(w, kernel.typed_data(), packed.data());
  const int64_t image_size = images.element_count() / batch;
  const int64_t result_size = result->element_count() / batch;
  const int64_t row_work = w.columns * w.filters * taps[0] * taps[1] * taps[2] * b.height;
  const int64_t height = std::clamp<int64_t>(4'000'000 / std::max<int64_t>(row_work, 1), 2, b.rows);
  const int64_t stretches = (b.rows + height - 1) / height;
  parallel_for(pool, batch * stretches, [&](int64_t i) {
    const int64_t image = i / stretches, from = i % stretches * height;
    compute().convolve_pooled(w, b, rectified, from, std::min(b.rows, from + height),
                              images.typed_data() + image * image_size, packed.data(),
                              bias.typed_data(), scratch(compute().pooled_size(w, b)),
                              result->typed_data() + image * result_size,
                              places->typed_data() + image * result_size);
  });
  return ffi::Error::Success();
}

ffi::Error pooled_input_gradient(ffi::ThreadPool pool, Array change, Array kernel, Places places,
                                 Numbers strides, Numbers before, Numbers block,
                                 ffi::Result<Array> result) {
  const auto taps = kernel.dimensions();
  const int64_t batch = result->dimensions()[0], size = kernel.element_count() / taps[3];
  const Blocks b = blocks_of(change, block);
  const Window w = covered(*result, b, taps[3], taps[0], taps[1], strides, before);
  if (batch == 0) return ffi::Error::Success();
  std::vector<float> turned(kernel.element_count());
  for (int64_t k = 0; k < size; ++k) {
    for (int64_t f = 0; f < w.filters; ++f) {
      turned[f * size + k] = kernel.typed_data()[k * w.filters + f];
    }
  }
  const int64_t image_size = result->element_count() / batch;
  const int64_t change_size = change.element_count() / batch;
  parallel_for(pool, batch, [&](int64_t n) {
    compute().pooled_input_gradient(w, b, change.typed_data() + n * change_size,
                                    places.typed_data() + n * change_size, turned.data(),
                                    scratch(compute().slab_size(w, w.rows)),
                                    result->typed_data() + n * image_size);
  });
  return ffi::Error::Success();
}

// As above, in groups of images that are added up in order. Short rows of the kernel, such as of
// the first layer, are quicker with the zeros spread out, image by image.
ffi::Error pooled_kernel_gradient(ffi::ThreadPool pool, Array images, Array change, Places places,
                                  Numbers strides, Numbers before, Numbers block,
                                  ffi::Result<Array> gradient) {
  const auto taps = gradient->dimensions();
  const Blocks b = blocks_of(change, block);
  const Window w = covered(images, b, taps[3], taps[0], taps[1], strides, before);
  const int64_t batch = images.dimensions()[0], size = gradient->element_count();
  float* total = gradient->typed_data();
  if (batch == 0 || size == 0) {
    std::fill(total, total + size, 0.0f);
    return ffi::Error::Success();
  }
  const int64_t groups = groups_for(size, batch);
  float* sums = scratch<kSums>(groups * size);
  const int64_t image_size = images.element_count() / batch;
  const int64_t change_size = change.element_count() / batch;
  const int64_t slab_size = compute().slab_size(w, w.rows);
  const bool turned = w.kernel_width * w.channels % 16 == 0;
  parallel_for(pool, groups, [&](int64_t group) {
    const int64_t whole = turned ? 0 : w.rows * w.columns * w.filters;
    float* space = scratch(slab_size + compute().change_size(w) + whole);
    float* spread = space + slab_size + compute().change_size(w);
    float* sum = sums + group * size;
    std::fill_n(sum, size, 0.0f);
    for (int64_t n = group * batch / groups; n < (group + 1) * batch / groups; ++n) {
      const float* image = images.typed_data() + n * image_size;
      const float* from = change.typed_data() + n * change_size;
      const uint8_t* at = places.typed_data() + n * change_size;
      if (turned) {
        compute().pooled_kernel_gradient(w, b, image, from, at, space, sum);
        continue;
      }
      compute().spread(w, b, from, at, spread);
      for (int64_t y = 0; y < taps[0]; ++y) {
        compute().kernel_gradient(w, y, image, spread, space, sum + y * (size / taps[0]));
      }
    }
  });
  for (int64_t group = 1; group < groups; ++group) {
    for (int64_t k = 0; k < size; ++k) sums[k] += sums[group * size + k];
  }
  const int64_t rows = size / w.filters;
  for (int64_t k = 0; k < rows; ++k) {
    for (int64_t f = 0; f < w.filters; ++f) {
      total[k * w.filters + f] = turned ? sums[f * rows + k] : sums[k * w.filters + f];
    }
  }
  return ffi::Error::Success();
}

// -- long short-term memory ----------------------------------------------------------------------

// Samples go through all steps in groups, which threads share out. A group's size does not depend on
// the number of threads, and neither do the sums.
constexpr int64_t kSamples = 16;

struct Groups {
  int64_t batch, number;

  explicit Groups(int64_t batch) : batch(batch), number((batch + kSamples - 1) / kSamples) {
    if (number == 1 && batch > 1) number = 2;
  }
  int64_t begin(int64_t group) const { return group * batch / number; }
};

Lstm lstm_of(const Sequence& x, int64_t units, bool backwards) {
  const auto from = x.dimensions();
  return {from[0], from[1], from[2], units, backwards};
}

// Bytes, (steps, batch); none if every step counts.
const uint8_t* counts_of(const Counts& counts) {
  return counts.element_count() == 0 ? nullptr : counts.typed_data();
}

ffi::Error run_lstm(ffi::ThreadPool& pool, const Lstm& l, const Sequence& x, const Matrix& kernel,
                    const Matrix& recurrent, const Row& bias, const Matrix& h0, const Matrix& c0,
                    const Counts& counts, float* h, float* c, float* gates) {
  float* packed = scratch<kSums>((l.features + l.units) * 4 * l.units);
  compute().lstm_pack(l, kernel.typed_data(), recurrent.typed_data(), packed);
  const Groups groups(l.batch);
  parallel_for(pool, groups.number, [&](int64_t i) {
    compute().lstm(l, groups.begin(i), groups.begin(i + 1), x.typed_data(), packed,
                   bias.typed_data(), h0.typed_data(), c0.typed_data(), counts_of(counts), h, c, gates);
  });
  return ffi::Error::Success();
}

ffi::Error lstm(ffi::ThreadPool pool, Sequence x, Matrix kernel, Matrix recurrent, Row bias,
                Matrix h0, Matrix c0, Counts counts, bool backwards, ffi::Result<Sequence> h,
                ffi::Result<Matrix> c) {
  return run_lstm(pool, lstm_of(x, h0.dimensions()[1], backwards), x, kernel, recurrent, bias, h0,
                  c0, counts, h->typed_data(), c->typed_data(), nullptr);
}

ffi::Error lstm_kept(ffi::ThreadPool pool, Sequence x, Matrix kernel, Matrix recurrent, Row bias,
                     Matrix h0, Matrix c0, Counts counts, bool backwards, ffi::Result<Sequence> h,
                     ffi::Result<Sequence> c, ffi::Result<Sequence> gates) {
  return run_lstm(pool, lstm_of(x, h0.dimensions()[1], backwards), x, kernel, recurrent, bias, h0,
                  c0, counts, h->typed_data(), c->typed_data(), gates->typed_data());
}

ffi::Error lstm_gradient(ffi::ThreadPool pool, Sequence h_change, Matrix c_change, Sequence x,
                         Matrix kernel, Matrix recurrent, Matrix h0, Matrix c0, Counts counts,
                         Sequence h, Sequence c, Sequence gates, bool backwards, bool of_inputs,
                         ffi::Result<Sequence> to_x, ffi::Result<Matrix> to_kernel,
                         ffi::Result<Matrix> to_recurrent, ffi::Result<Row> to_bias,
                         ffi::Result<Matrix> to_h0, ffi::Result<Matrix> to_c0) {
  const Lstm l = lstm_of(x, h0.dimensions()[1], backwards);
  const lamina::LstmPast past{x.typed_data(), h0.typed_data(), c0.typed_data(),
                              h.typed_data(), c.typed_data(),  gates.typed_data(),
                              counts_of(counts)};
  const int64_t inner = 4 * l.units, sizes[] = {l.features * inner, l.units * inner, inner};
  const int64_t size = sizes[0] + sizes[1] + sizes[2];
  const Groups groups(l.batch);
  const int64_t kernel_size = compute().lstm_transposed_size(l, l.features);
  float* packed =
      scratch<kSums>(kernel_size + compute().lstm_transposed_size(l, l.units) + groups.number * size);
  float *packed_recurrent = packed + kernel_size;
  float* sums = packed_recurrent + compute().lstm_transposed_size(l, l.units);
  parallel_for(pool, 2, [&](int64_t i) {
    if (i == 0) compute().lstm_transpose(l, l.units, recurrent.typed_data(), packed_recurrent);
    if (i == 1 && of_inputs) compute().lstm_transpose(l, l.features, kernel.typed_data(), packed);
  });
  parallel_for(pool, groups.number, [&](int64_t i) {
    const int64_t from = groups.begin(i), to = groups.begin(i + 1);
    float* sum = sums + i * size;
    std::fill_n(sum, size, 0.0f);
    compute().lstm_backward(l, from, to, past, packed, packed_recurrent, h_change.typed_data(),
                            c_change.typed_data(), scratch(compute().lstm_scratch(l, to - from)),
                            {of_inputs ? to_x->typed_data() : nullptr, sum, sum + sizes[0],
                             sum + sizes[0] + sizes[1], to_h0->typed_data(), to_c0->typed_data()});
  });
  float* totals[] = {to_kernel->typed_data(), to_recurrent->typed_data(), to_bias->typed_data()};
  for (int64_t part = 0, at = 0; part < 3; at += sizes[part++]) {
    std::copy_n(sums + at, sizes[part], totals[part]);
    for (int64_t group = 1; group < groups.number; ++group) {
      const float* from = sums + group * size + at;
      for (int64_t k = 0; k < sizes[part]; ++k) totals[part][k] += from[k];
    }
  }
  return ffi::Error::Success();
}

#include "attention_handlers.inc"

}  // namespace

#include "column_handlers.inc"

// The names under which Python finds them.
#pragma GCC visibility push(default)

LAMINA_HANDLER(adam, "change_1", "change_2", "epsilon", "decays");
LAMINA_HANDLER(transposed_product);
LAMINA_HANDLER(product, "transposed");
LAMINA_HANDLER(convolution, "strides", "before");
LAMINA_HANDLER(input_gradient, "strides", "before");
LAMINA_HANDLER(kernel_gradient, "strides", "before");
LAMINA_HANDLER(pooled_convolution, "strides", "before", "block", "rectified");
LAMINA_HANDLER(pooled_input_gradient, "strides", "before", "block");
LAMINA_HANDLER(pooled_kernel_gradient, "strides", "before", "block");
LAMINA_HANDLER(moments);
LAMINA_HANDLER(weighted_sums);
LAMINA_HANDLER(lstm, "backwards");
LAMINA_HANDLER(lstm_kept, "backwards");
LAMINA_HANDLER(lstm_gradient, "backwards", "of_inputs");
LAMINA_HANDLER(attention, "scale", "causal");
LAMINA_HANDLER(attention_gradient, "scale", "causal");

#pragma GCC visibility pop
