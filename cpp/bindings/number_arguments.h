#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "errors.h"
#include "sealroom/base/types.h"

namespace sealroom::bindings {

/// `value` if it lies within the range, which the exception names otherwise. Numbers come in as 64
/// bits: of one that does not fit its parameter pybind11 says only that the types are wrong.
inline std::int64_t in_range(const std::string& name, std::int64_t value, std::int64_t low,
                             std::int64_t high) {
  if (value < low || value > high) {
    raise(Error::invalid_argument, name + ": " + std::to_string(low) + " to " +
                                       std::to_string(high) + ", got " + std::to_string(value));
  }
  return value;
}

template <class Unsigned>
Unsigned to_unsigned(const std::string& name, std::int64_t value) {
  static_assert(sizeof(Unsigned) < sizeof(std::int64_t));
  return static_cast<Unsigned>(in_range(name, value, 0, std::numeric_limits<Unsigned>::max()));
}

inline std::uint16_t to_u16(const char* name, std::int64_t value) {
  return to_unsigned<std::uint16_t>(name, value);
}
inline std::uint32_t to_u32(const char* name, std::int64_t value) {
  return to_unsigned<std::uint32_t>(name, value);
}
inline Ssrc to_ssrc(const char* name, std::int64_t value) { return Ssrc{to_u32(name, value)}; }

/// As many as lie within the range.
inline void check_count(const char* name, std::size_t count, std::size_t low, std::size_t high) {
  if (count >= low && count <= high) return;
  raise(Error::invalid_argument, name + (": " + std::to_string(low)) + " to " +
                                     std::to_string(high) + " of them, got " +
                                     std::to_string(count));
}
inline void check_size(const char* name, std::size_t size, std::size_t low, std::size_t high) {
  if (size >= low && size <= high) return;
  raise(Error::invalid_argument, name + (": " + std::to_string(low)) + " to " +
                                     std::to_string(high) + " bytes, got " + std::to_string(size));
}

}  // namespace sealroom::bindings
