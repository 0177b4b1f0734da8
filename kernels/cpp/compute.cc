// Compiled once for each instruction set; `LAMINA_TABLE` is the name under which it is found.

#include "compute.h"

#include "vectors.h"

using lamina::AdamStep;
using lamina::Attention;
using lamina::Blocks;
using lamina::kNowhere;
using lamina::Lstm;
using lamina::LstmGradient;
using lamina::LstmPast;
using lamina::Window;

#include "adam.inc"
#include "columns.inc"
#include "products.inc"
#include "convolution.inc"
#include "dense.inc"
#include "functions.inc"
#include "lstm.inc"
#include "attention.inc"
#include "winograd.inc"
#include "pooled.inc"

namespace lamina {

extern const Compute LAMINA_TABLE;
const Compute LAMINA_TABLE = {adam,
                              transposed_product,
                              kPanel,
                              product,
                              packed_size,
                              pack,
                              convolve_scratch,
                              convolve,
                              slab_size,
                              change_size,
                              kernel_gradient,
                              by_tiles,
                              tiles_gradient_size,
                              tiles_gradient_scratch,
                              add_tiles_gradient,
                              finish_tiles_gradient,
                              pooled_size,
                              convolve_pooled,
                              spread,
                              pooled_kernel_gradient,
                              pooled_input_gradient,
                              lstm_pack,
                              lstm_transposed_size,
                              lstm_transpose,
                              lstm,
                              lstm_scratch,
                              lstm_backward,
                              attention_scratch,
                              attention,
                              attention_gradient_scratch,
                              attention_gradient,
                              moments,
                              weighted_sums};

}  // namespace lamina
