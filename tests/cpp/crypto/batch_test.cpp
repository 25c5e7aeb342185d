// Batches give what single calls give: for every number of messages, as the lanes of a back end are
// filled differently, and for messages that leave the batch for another path.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "sealroom/crypto/aes_ctr.h"
#include "sealroom/crypto/hmac.h"
#include "support/backends.h"

namespace sealroom::crypto {
namespace {

class CryptoBatch : public testing::TestWithParam<Backend> {
 protected:
  Bytes random_bytes(std::size_t size) {
    Bytes bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random_());
    return bytes;
  }
  /// Mostly datagrams, some of the sizes that take another path.
  std::size_t random_size() {
    constexpr std::array<std::size_t, 12> kSizes{0,  1,    15,   16,   160,    1200,
                                                 64, 2044, 2048, 2049, 65'534, 65'535};
    return random_() % 8 == 0 ? kSizes[random_() % kSizes.size()] : 12 + random_() % 1200;
  }
  std::mt19937 random_{17};
};

INSTANTIATE_TEST_SUITE_P(Backends, CryptoBatch, testing::ValuesIn(test::available_backends()),
                         test::BackendTestName());

TEST_P(CryptoBatch, CounterModeGivesWhatSingleCallsGive) {
  for (const std::size_t key_size : {16U, 32U}) {
    const Bytes key = random_bytes(key_size);
    auto batch = AesCtr::create(GetParam(), key).value();
    auto single = AesCtr::create(Backend::openssl, key).value();
    for (std::size_t count = 0; count <= 150; ++count) {
      std::vector<Bytes> inputs;
      std::vector<Bytes> outputs;
      std::vector<CtrMessage> messages(count);
      for (std::size_t i = 0; i < count; ++i) {
        inputs.push_back(random_bytes(random_size()));
        outputs.push_back(inputs.back());
        std::ranges::copy(random_bytes(16), messages[i].initial_counter.begin());
        if (random_() % 8 == 0) {  // runs over in the message
          std::fill_n(messages[i].initial_counter.begin() + 12, 3, std::uint8_t{0xff});
        }
        const bool in_place = random_() % 2 == 0;
        messages[i].in = in_place ? ByteView(outputs[i]) : ByteView(inputs[i]);
        messages[i].out = outputs[i];
      }
      ASSERT_TRUE(batch->crypt_many(messages));
      for (std::size_t i = 0; i < count; ++i) {
        Bytes expected(inputs[i].size());
        ASSERT_TRUE(single->crypt(messages[i].initial_counter, inputs[i], expected));
        ASSERT_EQ(outputs[i], expected) << i << " of " << count;
      }
    }
  }
}

TEST_P(CryptoBatch, MacsAreThoseOfSingleCalls) {
  for (const auto algorithm : {HashAlgorithm::sha1, HashAlgorithm::sha256, HashAlgorithm::sha512}) {
    const Bytes key = random_bytes(20);
    auto batch = Hmac::create(GetParam(), algorithm, key).value();
    auto single = Hmac::create(Backend::openssl, algorithm, key).value();
    for (std::size_t count = 0; count <= 150; ++count) {
      std::vector<Bytes> inputs;
      std::vector<Bytes> outputs;
      std::vector<MacMessage> messages(count);
      for (std::size_t i = 0; i < count; ++i) {
        inputs.push_back(random_bytes(random_size()));
        outputs.emplace_back(1 + random_() % 20);
      }
      for (std::size_t i = 0; i < count; ++i) {
        const ByteView input(inputs[i]);
        const std::size_t cut = input.size() - std::min<std::size_t>(input.size(), random_() % 5);
        messages[i] = {input.first(cut), input.subspan(cut), outputs[i]};
      }
      ASSERT_TRUE(batch->compute_many(messages));
      for (std::size_t i = 0; i < count; ++i) {
        Bytes expected(outputs[i].size());
        ASSERT_TRUE(single->compute({inputs[i]}, expected));
        ASSERT_EQ(outputs[i], expected) << i << " of " << count;
      }
    }
  }
}

TEST_P(CryptoBatch, KeysOfOneThreadDoNotMixTheirBatches) {
  auto first = Hmac::create(GetParam(), HashAlgorithm::sha1, Bytes(20, 1)).value();
  auto second = Hmac::create(GetParam(), HashAlgorithm::sha256, Bytes(20, 2)).value();
  auto cipher = AesCtr::create(GetParam(), Bytes(16, 3)).value();
  const Bytes data = random_bytes(1200);
  std::array<std::uint8_t, 20> expected{};
  ASSERT_TRUE(first->compute({data}, expected));
  for (int round = 0; round < 20; ++round) {
    std::array<std::uint8_t, 20> tag{};
    std::array<std::uint8_t, 32> other{};
    Bytes crypted(data.size());
    const MacMessage message{data, {}, tag};
    const MacMessage other_message{data, {}, other};
    const CtrMessage counter{{}, data, crypted};
    ASSERT_TRUE(second->compute_many({&other_message, 1}));
    ASSERT_TRUE(cipher->crypt_many({&counter, 1}));
    ASSERT_TRUE(first->compute_many({&message, 1}));
    ASSERT_EQ(tag, expected);
  }
}

TEST_P(CryptoBatch, OneWrongSizeRefusesTheBatch) {
  auto cipher = AesCtr::create(GetParam(), Bytes(16)).value();
  auto hmac = Hmac::create(GetParam(), HashAlgorithm::sha1, Bytes(20)).value();
  const Bytes data(100);
  Bytes out(100);
  const std::array<CtrMessage, 2> counters{
      {{{}, data, out}, {{}, data, MutableByteView(out).first(99)}}};
  EXPECT_EQ(cipher->crypt_many(counters).error(), Error::invalid_argument);
  const std::array<MacMessage, 2> macs{
      {{data, {}, MutableByteView(out).first(20)}, {data, {}, MutableByteView(out).first(21)}}};
  EXPECT_EQ(hmac->compute_many(macs).error(), Error::invalid_argument);
  EXPECT_TRUE(hmac->compute_many(std::span(macs).first(1)));
}

}  // namespace
}  // namespace sealroom::crypto
