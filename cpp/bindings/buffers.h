#pragma once

#include <pybind11/pybind11.h>

#include <type_traits>

#include "sealroom/base/bytes.h"

namespace sealroom::bindings {

/// Holds the memory of a Python bytes-like: one dimension, contiguous, items of one byte (bytes,
/// bytearray, memoryview, numpy uint8). While it lives the owner cannot resize the memory; that
/// nobody else writes into it is the caller's duty. Made and destroyed with the GIL held; the view
/// may be used without it.
template <bool kIsWritable>
class Buffer {
 public:
  using View = std::conditional_t<kIsWritable, MutableByteView, ByteView>;

  /// Raises BufferError if the object has no such memory, or only read-only memory where it is to
  /// be written.
  explicit Buffer(const pybind11::buffer& object) {
    constexpr int kFlags =
        PyBUF_ND | (kIsWritable ? PyBUF_WRITABLE : 0);  // ND: the exporter must be C-contiguous
    if (PyObject_GetBuffer(object.ptr(), &buffer_, kFlags) != 0)
      throw pybind11::error_already_set();
    if (buffer_.ndim == 1 && buffer_.itemsize == 1) return;
    PyBuffer_Release(&buffer_);
    throw pybind11::buffer_error(
        "expected a one-dimensional bytes-like object with items of one byte");
  }
  ~Buffer() { PyBuffer_Release(&buffer_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  [[nodiscard]] View view() const {
    using Byte = typename View::element_type;
    return {static_cast<Byte*>(buffer_.buf), static_cast<std::size_t>(buffer_.len)};
  }

 private:
  Py_buffer buffer_{};
};

using ReadBuffer = Buffer<false>;
using WriteBuffer = Buffer<true>;

}  // namespace sealroom::bindings
