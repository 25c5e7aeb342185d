#pragma once

#include <benchmark/benchmark.h>

#include <cstdlib>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/crypto/backend.h"

namespace sealroom::bench {

inline Bytes pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + (i >> 8));
  return bytes;
}

/// The value, or the end of the program: a benchmark of something that fails is worth nothing.
template <class T>
T must(Result<T> result) {
  if (!result) std::abort();
  return std::move(result).value();
}
inline void must(Result<void> result) {
  if (!result) std::abort();
}

/// The back end of argument 0; marks the run as skipped where this machine lacks it.
inline bool choose_backend(benchmark::State& state, crypto::Backend& backend) {
  backend = static_cast<crypto::Backend>(state.range(0));
  if (!crypto::is_available(backend)) {
    state.SkipWithError("this back end is not available here");
    return false;
  }
  state.SetLabel(std::string(crypto::backend_name(backend)));
  return true;
}

}  // namespace sealroom::bench
