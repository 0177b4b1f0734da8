// Compiled once for each instruction set; `LAMINA_TABLE` is the name under which it is found.

#include "compute.h"

#include "vectors.h"

using lamina::AdamStep;
using lamina::Window;

#include "adam.inc"
#include "convolution.inc"
#include "dense.inc"

namespace lamina {

extern const Compute LAMINA_TABLE;
const Compute LAMINA_TABLE = {adam, transposed_product, kPanel,      product,        packed_size,
                              pack, slab_size,          convolve,    change_size,    kernel_gradient};

}  // namespace lamina
