"""What `lamina.layers` offers, and where each name lives; loaded when it is first used."""

from lamina.core.layer.input_spec import (
    InputSpec,
)
from lamina.core.layer.layer import (
    Layer,
)
from lamina.layers.activation import (
    ELU,
    Activation,
    LeakyReLU,
    PReLU,
    ReLU,
    Softmax,
)
from lamina.layers.adaptive_pooling import (
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
)
from lamina.layers.attention.heads import (
    GroupedQueryAttention as GroupQueryAttention,
    MultiHeadAttention,
)
from lamina.layers.attention.scores import (
    AdditiveAttention,
    Attention,
)
from lamina.layers.convolution import (
    Conv1D,
    Conv2D,
    Conv3D,
    Convolution1D,
    Convolution2D,
    Convolution3D,
)
from lamina.layers.convolution_separable import (
    DepthwiseConv1D,
    DepthwiseConv2D,
    SeparableConv1D,
    SeparableConv2D,
    SeparableConvolution1D,
    SeparableConvolution2D,
)
from lamina.layers.convolution_transpose import (
    Conv1DTranspose,
    Conv2DTranspose,
    Conv3DTranspose,
    Convolution1DTranspose,
    Convolution2DTranspose,
    Convolution3DTranspose,
)
from lamina.layers.core import (
    Dense,
    Embedding,
    Identity,
)
from lamina.layers.cropping_and_padding import (
    Cropping1D,
    Cropping2D,
    Cropping3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from lamina.layers.einsum_dense import (
    EinsumDense,
)
from lamina.layers.group_normalization import (
    GroupNormalization,
)
from lamina.layers.input import (
    Input,
    InputLayer,
)
from lamina.layers.jax_layer import (
    FlaxLayer,
    JaxLayer,
)
from lamina.layers.lambda_layer import (
    Lambda,
)
from lamina.layers.masking import (
    Masking,
)
from lamina.layers.merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from lamina.layers.noise import (
    AlphaDropout,
    GaussianDropout,
    GaussianNoise,
)
from lamina.layers.normalization import (
    BatchNormalization,
    LayerNormalization,
)
from lamina.layers.other_frameworks import (
    TFSMLayer,
    TorchModuleWrapper,
)
from lamina.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    AvgPool1D,
    AvgPool2D,
    AvgPool3D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalAvgPool1D,
    GlobalAvgPool2D,
    GlobalAvgPool3D,
    GlobalMaxPool1D,
    GlobalMaxPool2D,
    GlobalMaxPool3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from lamina.layers.preprocessing.audio import (
    MelSpectrogram,
    STFTSpectrogram,
)
from lamina.layers.preprocessing.categorical import (
    CategoryEncoding,
    Discretization,
)
from lamina.layers.preprocessing.hashing import (
    HashedCrossing,
    Hashing,
)
from lamina.layers.preprocessing.images.bounding_boxes import (
    MaxNumBoundingBoxes,
)
from lamina.layers.preprocessing.images.colours import (
    RandomBrightness,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomContrast,
    RandomGrayscale,
    RandomHue,
    RandomInvert,
    RandomPosterization,
    RandomSaturation,
    Solarization,
)
from lamina.layers.preprocessing.images.elastic import (
    RandomElasticTransform,
)
from lamina.layers.preprocessing.images.filters import (
    RandomGaussianBlur,
    RandomSharpness,
)
from lamina.layers.preprocessing.images.histograms import (
    AutoContrast,
    ContrastLimitedAdaptiveHistogramEqualization,
    Equalization,
)
from lamina.layers.preprocessing.images.mixing import (
    CutMix,
    MixUp,
    RandomErasing,
)
from lamina.layers.preprocessing.images.policies import (
    AugMix,
    RandAugment,
)
from lamina.layers.preprocessing.images.sizes import (
    CenterCrop,
    RandomCrop,
    Resizing,
)
from lamina.layers.preprocessing.images.warps import (
    RandomFlip,
    RandomPerspective,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
)
from lamina.layers.preprocessing.numerical import (
    Normalization,
    Rescaling,
)
from lamina.layers.preprocessing.pipeline import (
    Pipeline,
)
from lamina.layers.preprocessing.text_vectorization import (
    TextVectorization,
)
from lamina.layers.preprocessing.vocabulary_lookup import (
    IntegerLookup,
    StringLookup,
)
from lamina.layers.recurrent.bidirectional import (
    Bidirectional,
)
from lamina.layers.recurrent.cells import (
    GRUCell,
    LSTMCell,
    SimpleRNNCell,
)
from lamina.layers.recurrent.conv_lstm import (
    ConvLSTM1D,
    ConvLSTM2D,
    ConvLSTM3D,
)
from lamina.layers.recurrent.gated import (
    GRU,
    LSTM,
    SimpleRNN,
)
from lamina.layers.recurrent.rnn import (
    RNN,
)
from lamina.layers.recurrent.stacked import (
    StackedRNNCells,
)
from lamina.layers.regularization import (
    ActivityRegularization,
    Dropout,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from lamina.layers.reshaping import (
    Flatten,
    Permute,
    RepeatVector,
    Reshape,
)
from lamina.layers.reversible_embedding import (
    ReversibleEmbedding,
)
from lamina.layers.rms_and_unit_normalization import (
    RMSNormalization,
    UnitNormalization,
)
from lamina.layers.serialization import (
    deserialize,
    serialize,
)
from lamina.layers.spectral_normalization import (
    SpectralNormalization,
)
from lamina.layers.upsampling import (
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
)
from lamina.layers.wrapper import (
    TimeDistributed,
    Wrapper,
)

__all__ = [
    "Activation",
    "ActivityRegularization",
    "AdaptiveAveragePooling1D",
    "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D",
    "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D",
    "AdaptiveMaxPooling3D",
    "Add",
    "AdditiveAttention",
    "AlphaDropout",
    "Attention",
    "AugMix",
    "AutoContrast",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "BatchNormalization",
    "Bidirectional",
    "CategoryEncoding",
    "CenterCrop",
    "Concatenate",
    "ContrastLimitedAdaptiveHistogramEqualization",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "Convolution1D",
    "Convolution1DTranspose",
    "Convolution2D",
    "Convolution2DTranspose",
    "Convolution3D",
    "Convolution3DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "CutMix",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Discretization",
    "Dot",
    "Dropout",
    "ELU",
    "EinsumDense",
    "Embedding",
    "Equalization",
    "Flatten",
    "FlaxLayer",
    "GRU",
    "GRUCell",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalAvgPool3D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPool3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "GroupNormalization",
    "GroupQueryAttention",
    "HashedCrossing",
    "Hashing",
    "Identity",
    "Input",
    "InputLayer",
    "InputSpec",
    "IntegerLookup",
    "JaxLayer",
    "LSTM",
    "LSTMCell",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "MaxNumBoundingBoxes",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "Maximum",
    "MelSpectrogram",
    "Minimum",
    "MixUp",
    "MultiHeadAttention",
    "Multiply",
    "Normalization",
    "PReLU",
    "Permute",
    "Pipeline",
    "RMSNormalization",
    "RNN",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Resizing",
    "ReversibleEmbedding",
    "STFTSpectrogram",
    "SeparableConv1D",
    "SeparableConv2D",
    "SeparableConvolution1D",
    "SeparableConvolution2D",
    "SimpleRNN",
    "SimpleRNNCell",
    "Softmax",
    "Solarization",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "SpectralNormalization",
    "StackedRNNCells",
    "StringLookup",
    "Subtract",
    "TFSMLayer",
    "TextVectorization",
    "TimeDistributed",
    "TorchModuleWrapper",
    "UnitNormalization",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "Wrapper",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "add",
    "average",
    "concatenate",
    "deserialize",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "serialize",
    "subtract",
]
