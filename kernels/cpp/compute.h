// What is computed, apart from who calls it: plain functions over stretches of arrays, compiled
// once for each instruction set.
#pragma once

#include <cstdint>

namespace lamina {

// One step of Adam on a stretch of weights.
struct AdamStep {
  float rate;  // the learning rate, with the corrections of both running means in it
  float change_1, change_2, epsilon;  // 1 - beta_1, 1 - beta_2
  float decay;                        // fraction of each weight that is taken off first
};

// A window that slides over images, channels last. Sizes count pixels.
struct Window {
  int64_t height, width, channels;      // of an image
  int64_t rows, columns, filters;       // of a result
  int64_t kernel_height, kernel_width;
  int64_t step_y, step_x;
  int64_t above, left;                  // zeros around the image; below zero, pixels left out
  int64_t row_distance, column_distance;  // in the result, in numbers
};

// Blocks of a convolution's result, side by side: of each, the largest number is kept.
struct Blocks {
  int64_t height, width;  // of a block
  int64_t rows, columns;  // how many
};

// In place of the number of the largest in a block (row by row, from 0): none has a gradient.
constexpr int32_t kNowhere = 255;

// Long short-term memory over all steps of a batch. Sequences are (steps, batch, ...); gates are in
// the order input, forget, cell, output. Units fill whole vectors.
struct Lstm {
  int64_t steps, batch, features, units;
  bool backwards;  // the step that is run first is the last of the inputs

  int64_t place(int64_t step) const { return backwards ? steps - 1 - step : step; }
};

// What the gradient needs of the run before: its inputs, and h, c and gates after every step. Of
// `counts`, (steps, batch), see `lstm`.
struct LstmPast {
  const float *x, *h0, *c0, *h, *c, *gates;
  const uint8_t* counts;
};

// Where the gradient goes. Those of kernels and bias are added to; x may be null.
struct LstmGradient {
  float *x, *kernel, *recurrent, *bias, *h0, *c0;
};

// Attention of one sample, for all heads of the query that share a head of the keys. Arrays are
// (rows, heads, size); distances are in numbers, from one row to the next.
struct Attention {
  int64_t queries, steps, shared, size, value_size;
  int64_t query_row, key_row, value_row, result_row;
  int64_t mask_head, mask_row;  // 0 where the same for all
  float scale;
  bool causal;
};

struct Compute {
  void (*adam)(const AdamStep& step, int64_t count, const float* weight, const float* momentum,
               const float* velocity, const float* gradient, float* new_weight,
               float* new_momentum, float* new_velocity);

  // Rows `from` to `to` of x^T y, where x is (batch, rows) and y (batch, columns). `scratch` has
  // `batch * (columns + panel)` numbers.
  void (*transposed_product)(int64_t batch, int64_t rows, int64_t columns, int64_t from,
                             int64_t to, const float* x, const float* y, float* scratch,
                             float* product);

  // Rows `from` to `to` of x y, in the `panel` columns that begin at `column`; x is (rows, inner)
  // and y (inner, columns), or (columns, inner) if it is to be transposed. `scratch` has
  // `inner * panel` numbers.
  int64_t panel;
  void (*product)(int64_t inner, int64_t columns, int64_t from, int64_t to, int64_t column,
                  bool transposed, const float* x, const float* y, float* scratch,
                  float* product);

  // A kernel (height, width, channels, filters) as `convolve` reads it.
  int64_t (*packed_size)(const Window& window);
  void (*pack)(const Window& window, const float* kernel, float* packed);

  // Rows `from` to `to` of the result for one image. `scratch` has `convolve_scratch` numbers.
  int64_t (*convolve_scratch)(const Window& window, int64_t rows);
  void (*convolve)(const Window& window, int64_t from, int64_t to, const float* image,
                   const float* packed, float* scratch, float* result);

  // Adds to row `y` of the kernel's gradient, (width, channels, filters), what one image gives.
  // `scratch` has `slab_size` of all rows and `change_size` numbers.
  int64_t (*slab_size)(const Window& window, int64_t rows);
  int64_t (*change_size)(const Window& window);
  void (*kernel_gradient)(const Window& window, int64_t y, const float* image,
                          const float* change, float* scratch, float* gradient);

  // Where a window is computed by tiles (see winograd.inc), what one image gives is added to sums
  // of another form, from which the gradient is made at the end.
  bool (*by_tiles)(const Window& window);
  int64_t (*tiles_gradient_size)(const Window& window);
  int64_t (*tiles_gradient_scratch)(const Window& window);
  void (*add_tiles_gradient)(const Window& window, const float* image, const float* change,
                             float* scratch, float* sums);
  void (*finish_tiles_gradient)(const Window& window, const float* sums, float* gradient);

  // The convolution of one image plus `bias`, and of that the largest number of each block in rows
  // `from` to `to` of blocks, with its place in the block; `rectified`: zero, from nowhere, where
  // it is below. The window's result is `rows * height` of the blocks high, and likewise wide.
  // `scratch` has `pooled_size` numbers.
  int64_t (*pooled_size)(const Window& window, const Blocks& blocks);
  void (*convolve_pooled)(const Window& window, const Blocks& blocks, bool rectified, int64_t from,
                          int64_t to, const float* image, const float* packed, const float* bias,
                          float* scratch, float* result, uint8_t* places);

  // The gradient of one image's convolution, zeros included, from that of the blocks.
  void (*spread)(const Window& window, const Blocks& blocks, const float* change,
                 const uint8_t* places, float* result);

  // The same gradients from the blocks alone, if a row of the kernel is some multiple of 16 numbers
  // long. The kernel, or the gradient that is added to, is turned: (filters, height, width,
  // channels). `scratch` has `slab_size` of all rows.
  void (*pooled_kernel_gradient)(const Window& window, const Blocks& blocks, const float* image,
                                 const float* change, const uint8_t* places, float* scratch,
                                 float* gradient);
  void (*pooled_input_gradient)(const Window& window, const Blocks& blocks, const float* change,
                                const uint8_t* places, const float* turned, float* scratch,
                                float* result);

  // Both kernels of an LSTM as `lstm` reads them, `(features + units) * 4 * units` numbers, and one
  // of them, with `rows` rows, as `lstm_backward` does.
  void (*lstm_pack)(const Lstm& lstm, const float* kernel, const float* recurrent, float* packed);
  int64_t (*lstm_transposed_size)(const Lstm& lstm, int64_t rows);
  void (*lstm_transpose)(const Lstm& lstm, int64_t rows, const float* kernel, float* packed);

  // Samples `from` to `to`. Without `gates` only the last `c` is kept. Where `counts` is false, a
  // sample stays as it is and has no gates; it may be null.
  void (*lstm)(const Lstm& lstm, int64_t from, int64_t to, const float* x, const float* packed,
               const float* bias, const float* h0, const float* c0, const uint8_t* counts, float* h,
               float* c, float* gates);

  // `scratch` has `lstm_scratch` of the samples' number.
  int64_t (*lstm_scratch)(const Lstm& lstm, int64_t rows);
  void (*lstm_backward)(const Lstm& lstm, int64_t from, int64_t to, const LstmPast& past,
                        const float* kernel, const float* recurrent, const float* h_change,
                        const float* c_change, float* scratch, const LstmGradient& gradient);

  // `mask` is 1 where a query may look at a step, or null. `scratch` has so many numbers.
  int64_t (*attention_scratch)(const Attention& attention);
  void (*attention)(const Attention& attention, const float* query, const float* key,
                    const float* value, const uint8_t* mask, float* scratch, float* result);
  int64_t (*attention_gradient_scratch)(const Attention& attention);
  void (*attention_gradient)(const Attention& attention, const float* query, const float* key,
                             const float* value, const uint8_t* mask, const float* change,
                             float* scratch, float* to_query, float* to_key, float* to_value);

  // Sums down the columns of a matrix, of rows `from` to `to`; see columns.inc.
  void (*moments)(int64_t columns, int64_t from, int64_t to, const float* x, float* sums,
                  float* squares);
  void (*weighted_sums)(int64_t columns, int64_t from, int64_t to, const float* x, const float* y,
                        float* products, float* sums);
};

// The best that this processor can run.
const Compute& compute();

}  // namespace lamina
