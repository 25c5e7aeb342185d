#pragma once

#include <pybind11/pybind11.h>

namespace sealroom::bindings {

/// An object whose __init__ was not called, or failed (`cls.__new__(cls)`, or `__del__` of a class
/// derived in Python), has no native object yet, and pybind11 would let its methods work on raw
/// memory in place of one. Has it refused with a TypeError, for every class of `m` and its
/// submodules. Called once, after all are bound.
void refuse_unmade_objects(const pybind11::module_& m);

}  // namespace sealroom::bindings
