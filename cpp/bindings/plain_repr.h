#pragma once

#include <pybind11/pybind11.h>

namespace sealroom::bindings {

/// "RouterStatistics(packets=3, ...)": the properties of an object, with bytes and arrays as their
/// size only, since they are media or keys. Null with a Python error set, as a tp_repr returns.
PyObject* plain_repr(PyObject* object);

/// Gives it to all classes of `m` and its submodules that have none of their own.
void add_plain_reprs(const pybind11::module_& m);

}  // namespace sealroom::bindings
