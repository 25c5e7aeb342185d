#include "sealroom/crypto/hmac.h"

#include <gtest/gtest.h>

#include "support/backends.h"
#include "support/json.h"

namespace sealroom::crypto {
namespace {

using test::from_hex;

class HmacTest : public testing::TestWithParam<Backend> {
 protected:
  static Bytes mac(Backend backend, HashAlgorithm algorithm, ByteView key,
                   std::initializer_list<ByteView> parts, std::size_t size) {
    auto hmac = Hmac::create(backend, algorithm, key);
    Bytes out(size);
    if (!hmac || !hmac.value()->compute(parts, out)) return {};
    return out;
  }
  [[nodiscard]] Bytes mac(HashAlgorithm algorithm, ByteView key,
                          std::initializer_list<ByteView> parts, std::size_t size) const {
    return mac(GetParam(), algorithm, key, parts, size);
  }

  /// Returns how many vectors were checked.
  [[nodiscard]] std::size_t check_wycheproof(const std::string& file_name,
                                             HashAlgorithm algorithm) const {
    const auto file = test::Json::load(file_name);
    std::size_t checked = 0;
    for (const auto& group : file["testGroups"].items()) {
      for (const auto& vector : group["tests"].items()) {
        SCOPED_TRACE(vector["tcId"].number());
        const Bytes message = vector["msg"].hex();
        const Bytes tag =
            mac(algorithm, vector["key"].hex(), {message}, group["tagSize"].number() / 8);
        EXPECT_EQ(tag == vector["tag"].hex(), vector["result"].text() == "valid");
        ++checked;
      }
    }
    return checked;
  }
};

TEST_P(HmacTest, AgreesWithEveryWycheproofVectorOfSha1) {
  EXPECT_EQ(check_wycheproof("wycheproof-hmac-sha1.json", HashAlgorithm::sha1), 170U);
}

TEST_P(HmacTest, AgreesWithEveryWycheproofVectorOfSha256) {
  EXPECT_EQ(check_wycheproof("wycheproof-hmac-sha256.json", HashAlgorithm::sha256), 174U);
}

TEST_P(HmacTest, MatchesRfc4231CaseTwoWithSha512) {
  EXPECT_EQ(mac(HashAlgorithm::sha512, as_bytes("Jefe"),
                {as_bytes("what do ya want "), as_bytes("for nothing?")}, 64),
            from_hex("164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
                     "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"));
}

TEST_P(HmacTest, MatchesRfc2202CaseSixWithAKeyLongerThanABlock) {
  EXPECT_EQ(mac(HashAlgorithm::sha1, Bytes(80, 0xaa),
                {as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")}, 20),
            from_hex("aa4ae5e15272d00e95705637ce8a3b55ed402112"));
}

TEST_P(HmacTest, PartsCountAsOneMessageAtEverySizeThatTakesAnotherPath) {
  const Bytes key(20, 0x0b);
  for (const std::size_t size : {0U, 1U, 55U, 56U, 63U, 64U, 65U, 1204U, 2047U, 2048U, 2049U,
                                 65534U, 65535U, 65536U, 200'000U}) {
    SCOPED_TRACE(size);
    Bytes message(size);
    for (std::size_t i = 0; i < size; ++i) message[i] = static_cast<std::uint8_t>(i * 31);
    const ByteView view(message);
    for (const auto algorithm : {HashAlgorithm::sha1, HashAlgorithm::sha256}) {
      const Bytes expected = mac(Backend::openssl, algorithm, key, {message}, 20);
      EXPECT_EQ(mac(algorithm, key, {message}, 20), expected);
      EXPECT_EQ(mac(algorithm, key, {view.first(size / 3), {}, view.subspan(size / 3)}, 20),
                expected);
    }
  }
}

TEST_P(HmacTest, TruncatesToTheLeftmostBytes) {
  const Bytes whole = mac(HashAlgorithm::sha1, Bytes(20, 1), {as_bytes("abc")}, 20);
  EXPECT_EQ(mac(HashAlgorithm::sha1, Bytes(20, 1), {as_bytes("abc")}, 10),
            Bytes(whole.begin(), whole.begin() + 10));
}

TEST_P(HmacTest, RefusesOutputSizesOutsideTheDigest) {
  auto hmac = Hmac::create(GetParam(), HashAlgorithm::sha1, Bytes(20));
  ASSERT_TRUE(hmac);
  Bytes out(21);
  EXPECT_EQ(hmac.value()->compute({}, out).error(), Error::invalid_argument);
  EXPECT_EQ(hmac.value()->compute({}, {}).error(), Error::invalid_argument);
  EXPECT_TRUE(hmac.value()->compute({}, MutableByteView(out).first(20)));
}

INSTANTIATE_TEST_SUITE_P(Backends, HmacTest, testing::ValuesIn(test::available_backends()),
                         test::BackendTestName());

}  // namespace
}  // namespace sealroom::crypto
