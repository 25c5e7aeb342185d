#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sealroom/crypto/backend.h"

namespace sealroom::test {

/// Every back end of this build and machine: each crypto test runs on all of them.
inline std::vector<crypto::Backend> available_backends() {
  std::vector<crypto::Backend> backends;
  for (const auto backend : {crypto::Backend::openssl, crypto::Backend::ipsec_mb}) {
    if (crypto::is_available(backend)) backends.push_back(backend);
  }
  return backends;
}

/// For INSTANTIATE_TEST_SUITE_P(Backends, Suite, testing::ValuesIn(available_backends()),
/// BackendTestName());
struct BackendTestName {
  std::string operator()(const testing::TestParamInfo<crypto::Backend>& info) const {
    return std::string(crypto::backend_name(info.param));
  }
};

}  // namespace sealroom::test
