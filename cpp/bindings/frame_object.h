#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <exception>
#include <type_traits>

#include "sealroom/base/bytes.h"

/// What the classes of encoded frames share that are written against CPython itself. A class of
/// pybind11 costs each object two more allocations and an entry in a table of instances, and media
/// is made of such objects.
namespace sealroom::bindings {

/// A view of memory inside `owner`, which it keeps alive: uint8, writable. Null with a Python error
/// set, as getters of CPython return.
inline PyObject* data_view(PyObject* owner, MutableByteView data) {
  try {
    // numpy would copy what it takes for no memory.
    static std::uint8_t nothing = 0;
    std::uint8_t* const at = data.empty() ? &nothing : data.data();
    return pybind11::array_t<std::uint8_t>(static_cast<pybind11::ssize_t>(data.size()), at,
                                           pybind11::handle(owner))
        .release()
        .ptr();
  } catch (pybind11::error_already_set& error) {
    error.restore();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

/// Adds the class of `spec` under `name` and returns it; it is kept for good.
inline PyTypeObject* add_frame_type(pybind11::module_& m, const char* name, PyType_Spec& spec) {
  auto type = pybind11::reinterpret_steal<pybind11::object>(PyType_FromSpec(&spec));
  if (!type) throw pybind11::error_already_set();
  m.add_object(name, type);
  return reinterpret_cast<PyTypeObject*>(type.release().ptr());
}

/// Made by native code only, and nobody hangs anything on it.
inline constexpr unsigned kFrameTypeFlags =
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE;

}  // namespace sealroom::bindings
