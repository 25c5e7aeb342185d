#pragma once

#include <pybind11/pybind11.h>

#include <string_view>

namespace sealroom::bindings {

/// Text on the wire comes from strangers: what is not UTF-8 must not become an exception.
inline pybind11::str decode(std::string_view text) {
  PyObject* object =
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace");
  if (object == nullptr) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::str>(object);
}

}  // namespace sealroom::bindings
