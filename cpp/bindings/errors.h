#pragma once

#include <pybind11/pybind11.h>

#include <exception>
#include <string>
#include <type_traits>
#include <utility>

#include "sealroom/base/result.h"

namespace sealroom::bindings {

/// A new exception of the class of `sealroom.errors` for `error`. Needs the GIL.
pybind11::object make_exception(Error error);
pybind11::object make_exception(Error error, const std::string& message);

/// Throws it as Python's current exception, with the core's sentence or a better one. Needs the
/// GIL, and no lock that a finaliser could want (native_call.h).
[[noreturn]] void raise(Error error);
[[noreturn]] void raise(Error error, const std::string& message);
[[noreturn]] void raise(const pybind11::object& exception);

/// A call to what belongs to another process; NotReadyError in Python. Thrown without the GIL, too.
struct MadeBeforeFork : std::exception {};

/// Has MadeBeforeFork and std::system_error (as OSError with its errno) raised by every function
/// of this module.
void translate_exceptions();

/// The value, or the exception. Needs what raise needs.
template <class T>
T unwrap(Result<T> result) {
  if (!result) raise(result.error());
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

/// The same, with `invalid` as the sentence where the core says invalid_argument: the core does not
/// know what the caller's arguments are called.
template <class T>
T unwrap(Result<T> result, const char* invalid) {
  if (!result && result.error() == Error::invalid_argument) raise(result.error(), invalid);
  return unwrap(std::move(result));
}

/// The same, with a sentence for each error.
template <class T>
T unwrap(Result<T> result, std::string (*sentence)(Error)) {
  if (!result) raise(result.error(), sentence(result.error()));
  return unwrap(std::move(result));
}

}  // namespace sealroom::bindings
