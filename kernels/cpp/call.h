// From a call by XLA to a plain function: arguments, results and attributes are read in the order of
// the function's parameters.
//
// XLA's headers can do that, too, with classes for every signature and every kind of array; those took
// a third of the compiler's time.
#pragma once

#include <initializer_list>
#include <optional>
#include <string_view>

#include "xla/ffi/api/ffi.h"

namespace lamina {

namespace ffi = xla::ffi;

// An array of XLA's with the type and the number of axes that a function asks for.
template <ffi::DataType kType, size_t kRank>
class Buffer {
 public:
  explicit Buffer(std::optional<ffi::AnyBuffer> buffer) : buffer_(buffer) {}

  static bool accepts(const ffi::AnyBuffer& buffer) {
    return buffer.element_type() == kType && buffer.dimensions().size() == kRank;
  }
  ffi::Span<const int64_t> dimensions() const { return buffer_->dimensions(); }
  int64_t element_count() const { return buffer_->element_count(); }
  ffi::NativeType<kType>* typed_data() const {
    return static_cast<ffi::NativeType<kType>*>(buffer_->untyped_data());
  }

 private:
  std::optional<ffi::AnyBuffer> buffer_;
};

class Call {
 public:
  Call(ffi::RemainingArgs arguments, ffi::RemainingRets results, ffi::Dictionary attributes,
       std::initializer_list<std::string_view> names)
      : arguments_(arguments), results_(results), attributes_(attributes), names_(names) {}

  // Calls `function`. Attributes go by the names, in their order.
  template <typename... Parameters>
  ffi::Error run(ffi::Error (*function)(ffi::ThreadPool, Parameters...), ffi::ThreadPool pool) {
    // Between braces, one is read after the other.
    return Read<Parameters...>{this, function, pool, next(static_cast<Parameters*>(nullptr))...}
        .result;
  }

 private:
  template <typename... Parameters>
  struct Read {
    ffi::Error result;

    Read(Call* call, ffi::Error (*function)(ffi::ThreadPool, Parameters...), ffi::ThreadPool pool,
         Parameters... read)
        : result(call->fits() ? function(pool, read...)
                              : ffi::Error::InvalidArgument("a kernel was called with arrays or "
                                                            "settings that it does not have")) {}
  };

  ffi::RemainingArgs arguments_;
  ffi::RemainingRets results_;
  ffi::Dictionary attributes_;
  std::initializer_list<std::string_view> names_;
  size_t argument_ = 0, result_ = 0, name_ = 0;
  bool all_fit_ = true;

  bool fits() const {
    return all_fit_ && argument_ == arguments_.size() && result_ == results_.size();
  }

  std::optional<ffi::AnyBuffer> argument(bool (*accepts)(const ffi::AnyBuffer&)) {
    const auto found = arguments_.get<ffi::AnyBuffer>(argument_++);
    if (found.has_value() && accepts(*found)) return *found;
    all_fit_ = false;
    return std::nullopt;
  }
  std::optional<ffi::AnyBuffer> result(bool (*accepts)(const ffi::AnyBuffer&)) {
    auto found = results_.get<ffi::AnyBuffer>(result_++);
    if (found.has_value() && accepts(**found)) return **found;
    all_fit_ = false;
    return std::nullopt;
  }

  template <ffi::DataType kType, size_t kRank>
  Buffer<kType, kRank> next(Buffer<kType, kRank>*) {
    return Buffer<kType, kRank>(argument(Buffer<kType, kRank>::accepts));
  }
  template <ffi::DataType kType, size_t kRank>
  ffi::Result<Buffer<kType, kRank>> next(ffi::Result<Buffer<kType, kRank>>*) {
    return Buffer<kType, kRank>(result(Buffer<kType, kRank>::accepts));
  }
  ffi::RemainingArgs next(ffi::RemainingArgs*) {
    argument_ = arguments_.size();
    return arguments_;
  }
  ffi::RemainingRets next(ffi::RemainingRets*) {
    result_ = results_.size();
    return results_;
  }
  template <typename Attribute>
  Attribute next(Attribute*) {
    const auto found = attributes_.get<Attribute>(names_.begin()[name_++]);
    all_fit_ = all_fit_ && found.has_value();
    return found.has_value() ? *found : Attribute{};
  }
};

}  // namespace lamina

// The symbol lamina_`function`, which XLA calls; after the name come those of the attributes.
#define LAMINA_HANDLER(function, ...)                                                           \
  static xla::ffi::Error call_##function(xla::ffi::ThreadPool pool, xla::ffi::RemainingArgs a,  \
                                         xla::ffi::RemainingRets r, xla::ffi::Dictionary d) {   \
    return lamina::Call(a, r, d, {__VA_ARGS__}).run(function, pool);                            \
  }                                                                                             \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(lamina_##function, call_##function,                             \
                                xla::ffi::Ffi::Bind()                                           \
                                    .Ctx<xla::ffi::ThreadPool>()                                \
                                    .RemainingArgs()                                            \
                                    .RemainingRets()                                            \
                                    .Attrs())
