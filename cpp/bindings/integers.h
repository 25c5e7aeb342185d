#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "errors.h"

namespace sealroom::bindings {

/// An integer of Python of any size, for arguments whose range is told by name where they are
/// taken; pybind11 would only say that no overload fits.
struct Integer {
  std::optional<std::uint64_t> value;  ///< none: negative, or too large for 64 bits
};

/// The number if it is within `least` and `most`, else InvalidArgumentError.
inline std::uint64_t within(const char* name, const Integer& number, std::uint64_t least,
                            std::uint64_t most) {
  if (number.value && *number.value >= least && *number.value <= most) return *number.value;
  const std::string limit = most == std::numeric_limits<std::uint64_t>::max() ? "2**64 - 1"
                            : most == std::numeric_limits<std::uint32_t>::max()
                                ? "2**32 - 1"
                                : std::to_string(most);
  raise(Error::invalid_argument,
        std::string(name) + ": an integer from " + std::to_string(least) + " to " + limit);
}

template <class Number>
Number number(const char* name, const Integer& integer) {
  return static_cast<Number>(within(name, integer, 0, std::numeric_limits<Number>::max()));
}

template <class Number>
std::optional<Number> number(const char* name, const std::optional<Integer>& integer) {
  return integer ? std::optional(number<Number>(name, *integer)) : std::nullopt;
}

}  // namespace sealroom::bindings

template <>
struct pybind11::detail::type_caster<sealroom::bindings::Integer> {
  PYBIND11_TYPE_CASTER(sealroom::bindings::Integer, const_name("typing.SupportsIndex"));

  bool load(handle source, bool /*convert*/) {
    const auto index = reinterpret_steal<object>(PyNumber_Index(source.ptr()));
    if (!index) {
      PyErr_Clear();
      return false;
    }
    const std::uint64_t whole = PyLong_AsUnsignedLongLong(index.ptr());
    if (PyErr_Occurred() == nullptr) {
      value.value = whole;
    } else {
      PyErr_Clear();
      value.value.reset();
    }
    return true;
  }
};
