#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <string>

namespace sealroom::bindings {

/// The last overload of a function that takes a key. Where no overload fits, pybind11 writes the
/// values of all arguments into its TypeError, and so the key into somebody's log; this one catches
/// such calls and tells only what is expected.
inline auto refuse_call(const char* expected) {
  return [expected](const pybind11::args&, const pybind11::kwargs&) {
    throw pybind11::type_error(std::string("expected ") + expected);
  };
}

/// The same for a constructor.
template <class Object>
auto refuse_construction(const char* expected) {
  return pybind11::init(
      [expected](const pybind11::args&, const pybind11::kwargs&) -> std::unique_ptr<Object> {
        throw pybind11::type_error(std::string("expected ") + expected);
      });
}

}  // namespace sealroom::bindings
