#pragma once

#include <pybind11/numpy.h>

#include <memory>
#include <utility>

#include "sealroom/base/bytes.h"

namespace sealroom::bindings {

/// A numpy array that owns the bytes: no copy.
inline pybind11::array_t<std::uint8_t> to_array(Bytes bytes) {
  auto owner = std::make_unique<Bytes>(std::move(bytes));
  const auto size = static_cast<pybind11::ssize_t>(owner->size());
  const std::uint8_t* data = owner->data();
  pybind11::capsule capsule(owner.get(),
                            [](void* pointer) { delete static_cast<Bytes*>(pointer); });
  (void)owner.release();
  return pybind11::array_t<std::uint8_t>(size, data, capsule);
}

inline pybind11::bytes to_bytes(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A `bytes` of which the first `size` are kept; native code has filled it and nobody else saw it.
inline pybind11::bytes shrink(pybind11::bytes bytes, std::size_t size) {
  PyObject* object = bytes.release().ptr();
  if (_PyBytes_Resize(&object, static_cast<Py_ssize_t>(size)) != 0) {
    throw pybind11::error_already_set();
  }
  return pybind11::reinterpret_steal<pybind11::bytes>(object);
}

}  // namespace sealroom::bindings
