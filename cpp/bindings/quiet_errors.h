#pragma once

#include <pybind11/pybind11.h>

namespace sealroom::bindings {

/// Where no overload fits, pybind11 writes the values of all arguments into its TypeError: keys,
/// frames and messages, and so into somebody's log. From here on every function, method and
/// property of `m` and its submodules says the types of its arguments only. Called once, after all
/// are bound.
void keep_arguments_out_of_errors(const pybind11::module_& m);

}  // namespace sealroom::bindings
