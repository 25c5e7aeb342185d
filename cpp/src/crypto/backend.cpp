#include "sealroom/crypto/backend.h"

#include <openssl/crypto.h>

#include "ipsec_mb_backend.h"

namespace sealroom::crypto {

bool is_available(Backend backend) {
  switch (backend) {
    case Backend::openssl:
      return true;
    case Backend::ipsec_mb:
      return ipsec_mb::is_available();
  }
  return false;
}

Backend fastest_backend() {
  return is_available(Backend::ipsec_mb) ? Backend::ipsec_mb : Backend::openssl;
}

std::string_view backend_name(Backend backend) {
  return backend == Backend::ipsec_mb ? "ipsec_mb" : "openssl";
}

Result<Backend> backend_from_name(std::string_view name) {
  for (const Backend backend : {Backend::openssl, Backend::ipsec_mb}) {
    if (name != backend_name(backend)) continue;
    if (!is_available(backend)) return Error::unsupported;
    return backend;
  }
  return Error::invalid_argument;
}

std::string_view backend_version(Backend backend) {
  return backend == Backend::ipsec_mb ? ipsec_mb::version() : OpenSSL_version(OPENSSL_VERSION);
}

}  // namespace sealroom::crypto
