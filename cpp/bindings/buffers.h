#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "sealroom/base/bytes.h"

namespace sealroom::bindings {

/// A one-dimensional contiguous numpy array, whose memory can be used as it lies. numpy's buffer
/// protocol describes it anew each time, which takes as long as sealing a small frame; a reference
/// holds the memory just as well, for ndarray.resize() refuses an array with two.
inline std::optional<pybind11::array> plain_array(const pybind11::buffer& object,
                                                  bool is_written_to) {
  if (!pybind11::isinstance<pybind11::array>(object)) return std::nullopt;
  auto array = pybind11::reinterpret_borrow<pybind11::array>(object);
  constexpr int kAligned = pybind11::detail::npy_api::NPY_ARRAY_ALIGNED_;
  constexpr int kNeeded = pybind11::array::c_style | kAligned;
  const bool is_plain = array.ndim() == 1 && (array.flags() & kNeeded) == kNeeded;
  if (!is_plain || (is_written_to && !array.writeable())) return std::nullopt;
  return array;
}

/// True for items of type `Integer` in the machine's byte order.
template <class Integer>
bool holds(const pybind11::array& array) {
  const pybind11::dtype type = array.dtype();
  const char order = type.byteorder();
  return type.itemsize() == sizeof(Integer) &&
         type.kind() == (std::is_signed_v<Integer> ? 'i' : 'u') && (order == '=' || order == '|');
}

/// Holds the memory of a Python bytes-like: one dimension, contiguous, items of one byte (bytes,
/// bytearray, memoryview, numpy uint8). While it lives the owner cannot resize the memory; that
/// nobody else writes into it is the caller's duty. Made and destroyed with the GIL held; the view
/// may be used without it.
template <bool kIsWritable>
class Buffer {
 public:
  using View = std::conditional_t<kIsWritable, MutableByteView, ByteView>;
  using Byte = typename View::element_type;

  /// Raises BufferError if the object has no such memory, or only read-only memory where it is to
  /// be written.
  explicit Buffer(const pybind11::buffer& object) {
    if (auto array = plain_array(object, kIsWritable); array && array->itemsize() == 1) {
      view_ = {static_cast<Byte*>(const_cast<void*>(array->data())),
               static_cast<std::size_t>(array->shape(0))};
      array_ = std::move(*array);
      return;
    }
    constexpr int kFlags =
        PyBUF_ND | (kIsWritable ? PyBUF_WRITABLE : 0);  // ND: the exporter must be C-contiguous
    if (PyObject_GetBuffer(object.ptr(), &buffer_, kFlags) != 0)
      throw pybind11::error_already_set();
    if (buffer_.ndim != 1 || buffer_.itemsize != 1) {
      PyBuffer_Release(&buffer_);
      throw pybind11::buffer_error(
          "expected a one-dimensional bytes-like object with items of one byte");
    }
    view_ = {static_cast<Byte*>(buffer_.buf), static_cast<std::size_t>(buffer_.len)};
  }
  ~Buffer() { PyBuffer_Release(&buffer_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  [[nodiscard]] View view() const { return view_; }

 private:
  Py_buffer buffer_{};
  pybind11::object array_;
  View view_;
};

using ReadBuffer = Buffer<false>;
using WriteBuffer = Buffer<true>;

/// Where int32s go, aligned or not.
class Int32Writer {
 public:
  explicit Int32Writer(void* items) : items_(static_cast<char*>(items)) {}

  void set(std::size_t index, std::size_t value) const {
    const auto item = static_cast<std::int32_t>(value);
    std::memcpy(items_ + index * sizeof(item), &item, sizeof(item));
  }

 private:
  char* items_;
};

/// Holds integers of 32 bits as Buffer holds bytes, in the machine's byte order (numpy int32 and
/// uint32, array.array "i" and "I").
template <bool kIsWritable>
class Int32Buffer {
 public:
  /// Raises TypeError, which says `name` and `expected`, for another kind of array, and BufferError
  /// as Buffer does.
  Int32Buffer(const pybind11::buffer& object, const char* name, const char* expected) {
    auto array = plain_array(object, kIsWritable);
    if (array) is_signed_ = holds<std::int32_t>(*array);
    if (array && (is_signed_ || holds<std::uint32_t>(*array))) {
      items_ = static_cast<char*>(const_cast<void*>(array->data()));
      size_ = static_cast<std::size_t>(array->shape(0));
      array_ = std::move(*array);
      return;
    }
    constexpr int kFlags = PyBUF_ND | PyBUF_FORMAT | (kIsWritable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object.ptr(), &buffer_, kFlags) != 0) {
      throw pybind11::error_already_set();
    }
    std::string_view format(buffer_.format == nullptr ? "B" : buffer_.format);
    if (format.starts_with('@') || format.starts_with('=')) format.remove_prefix(1);
    is_signed_ = format == "i" || format == "l";
    if (buffer_.ndim != 1 || buffer_.itemsize != sizeof(std::int32_t) ||
        (!is_signed_ && format != "I" && format != "L")) {
      PyBuffer_Release(&buffer_);
      throw pybind11::type_error(std::string(name) + expected);
    }
    items_ = static_cast<char*>(buffer_.buf);
    size_ = static_cast<std::size_t>(buffer_.shape[0]);
  }
  ~Int32Buffer() { PyBuffer_Release(&buffer_); }
  Int32Buffer(const Int32Buffer&) = delete;
  Int32Buffer& operator=(const Int32Buffer&) = delete;

  [[nodiscard]] bool is_signed() const { return is_signed_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  /// As unsigned: a negative one is a large one.
  [[nodiscard]] std::uint32_t operator[](std::size_t index) const {
    std::uint32_t value = 0;  // an exporter need not align it
    std::memcpy(&value, items_ + index * sizeof(value), sizeof(value));
    return value;
  }
  [[nodiscard]] ByteView memory() const {
    return {reinterpret_cast<const std::uint8_t*>(items_), size_ * sizeof(std::int32_t)};
  }
  [[nodiscard]] Int32Writer writer() const
    requires kIsWritable
  {
    return Int32Writer(items_);
  }

 private:
  Py_buffer buffer_{};
  pybind11::object array_;
  char* items_ = nullptr;
  std::size_t size_ = 0;
  bool is_signed_ = false;
};

}  // namespace sealroom::bindings
