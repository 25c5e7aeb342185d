#include "sealroom/crypto/hkdf.h"

#include <gtest/gtest.h>

#include "support/json.h"

namespace sealroom::crypto {
namespace {

/// Returns how many vectors were checked.
std::size_t check_wycheproof(const std::string& file_name, HashAlgorithm algorithm) {
  const auto file = test::Json::load(file_name);
  std::size_t checked = 0;
  for (const auto& group : file["testGroups"].items()) {
    for (const auto& vector : group["tests"].items()) {
      SCOPED_TRACE(vector["tcId"].number());
      Bytes secret(digest_size(algorithm));
      EXPECT_TRUE(hkdf_extract(algorithm, vector["salt"].hex(), vector["ikm"].hex(), secret));
      Bytes out(vector["size"].number());
      const bool expanded = hkdf_expand(algorithm, secret, vector["info"].hex(), out).ok();
      EXPECT_EQ(expanded, vector["result"].text() == "valid");
      if (expanded) {
        EXPECT_EQ(out, vector["okm"].hex());
      }
      ++checked;
    }
  }
  return checked;
}

TEST(Hkdf, AgreesWithEveryWycheproofVectorOfSha256) {
  EXPECT_EQ(check_wycheproof("wycheproof-hkdf-sha256.json", HashAlgorithm::sha256), 86U);
}

TEST(Hkdf, AgreesWithEveryWycheproofVectorOfSha512) {
  EXPECT_EQ(check_wycheproof("wycheproof-hkdf-sha512.json", HashAlgorithm::sha512), 83U);
}

TEST(Hkdf, RefusesOutputSizesOutsideRfc5869) {
  Bytes out(255 * 32 + 1);
  const Bytes key(32);
  EXPECT_EQ(hkdf_expand(HashAlgorithm::sha256, key, {}, out).error(), Error::invalid_argument);
  EXPECT_EQ(hkdf_expand(HashAlgorithm::sha256, key, {}, {}).error(), Error::invalid_argument);
  EXPECT_TRUE(hkdf_expand(HashAlgorithm::sha256, key, {}, MutableByteView(out).first(255 * 32)));
  EXPECT_EQ(hkdf_extract(HashAlgorithm::sha256, {}, key, MutableByteView(out).first(31)).error(),
            Error::invalid_argument);
}

}  // namespace
}  // namespace sealroom::crypto
