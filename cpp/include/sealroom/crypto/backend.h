#pragma once

#include <cstdint>
#include <string_view>

#include "sealroom/base/result.h"

namespace sealroom::crypto {

/// Which library does the arithmetic. Both pass the same vectors; a process may use both at once.
enum class Backend : std::uint8_t {
  openssl,   ///< OpenSSL 3 EVP, on every machine
  ipsec_mb,  ///< intel-ipsec-mb, x86-64 only, found at build time, dispatched by CPU at run time
};

[[nodiscard]] bool is_available(Backend backend);
[[nodiscard]] Backend fastest_backend();
[[nodiscard]] std::string_view backend_name(Backend backend);  ///< "openssl", "ipsec_mb"
/// `unsupported` for a back end that this build or machine lacks, `invalid_argument` for a name of
/// none.
[[nodiscard]] Result<Backend> backend_from_name(std::string_view name);
/// The library's own version text; empty if not available.
[[nodiscard]] std::string_view backend_version(Backend backend);

}  // namespace sealroom::crypto
