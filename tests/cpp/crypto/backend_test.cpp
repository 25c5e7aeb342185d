#include "sealroom/crypto/backend.h"

#include <gtest/gtest.h>

#include <thread>

#include "sealroom/crypto/aead.h"
#include "sealroom/crypto/aes_ctr.h"
#include "sealroom/crypto/hmac.h"
#include "support/backends.h"

namespace sealroom::crypto {
namespace {

TEST(Backend, OpensslIsAlwaysThereAndTheFastestOneIsAvailable) {
  EXPECT_TRUE(is_available(Backend::openssl));
  EXPECT_TRUE(is_available(fastest_backend()));
}

TEST(Backend, NamesRoundTripAndTellItsVersion) {
  for (const Backend backend : test::available_backends()) {
    const auto parsed = backend_from_name(backend_name(backend));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed.value(), backend);
    EXPECT_FALSE(backend_version(backend).empty());
  }
  EXPECT_EQ(backend_from_name("").error(), Error::invalid_argument);
  EXPECT_EQ(backend_from_name("OpenSSL").error(), Error::invalid_argument);
}

TEST(Backend, AMissingBackendIsUnsupportedEverywhere) {
  if (is_available(Backend::ipsec_mb)) GTEST_SKIP() << "ipsec_mb is available";
  EXPECT_EQ(backend_from_name("ipsec_mb").error(), Error::unsupported);
  EXPECT_EQ(Aead::create(Backend::ipsec_mb, AeadAlgorithm::aes_128_gcm, Bytes(16)).error(),
            Error::unsupported);
  EXPECT_EQ(AesCtr::create(Backend::ipsec_mb, Bytes(16)).error(), Error::unsupported);
  EXPECT_EQ(Hmac::create(Backend::ipsec_mb, HashAlgorithm::sha1, Bytes(16)).error(),
            Error::unsupported);
}

/// Everything one thread computes with keys of its own, condensed to the last tag.
Bytes work(Backend backend, std::uint8_t seed) {
  auto aead = Aead::create(backend, AeadAlgorithm::aes_128_gcm, Bytes(16, seed));
  auto ctr = AesCtr::create(backend, Bytes(16, seed));
  auto hmac = Hmac::create(backend, HashAlgorithm::sha1, Bytes(20, seed));
  if (!aead || !ctr || !hmac) return {};
  Bytes message(1000, seed);
  Bytes sealed(message.size() + kAeadTagSize);
  Bytes tag(20);
  for (int i = 0; i < 300; ++i) {
    const bool ok = ctr.value()->crypt(Bytes(16, seed), message, message) &&
                    hmac.value()->compute({message, tag}, tag) &&
                    aead.value()->seal(Bytes(12, seed), tag, message, sealed) &&
                    aead.value()->open(Bytes(12, seed), tag, sealed, message);
    if (!ok) return {};
  }
  return tag;
}

TEST(Backend, KeysOfDifferentThreadsDoNotDisturbEachOther) {
  for (const Backend backend : test::available_backends()) {
    constexpr std::size_t kThreads = 4;
    std::vector<Bytes> results(kThreads);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back(
          [&, i] { results[i] = work(backend, static_cast<std::uint8_t>(i + 1)); });
    }
    for (auto& thread : threads) thread.join();
    for (std::size_t i = 0; i < kThreads; ++i) {
      EXPECT_EQ(results[i].size(), 20U);
      EXPECT_EQ(results[i], work(Backend::openssl, static_cast<std::uint8_t>(i + 1)));
    }
  }
}

TEST(Backend, AKeyMayMoveToAnotherThreadAndOutliveItsFirst) {
  for (const Backend backend : test::available_backends()) {
    std::unique_ptr<Hmac> hmac;
    Bytes first(20);
    std::thread([&] {
      auto created = Hmac::create(backend, HashAlgorithm::sha1, Bytes(20, 1));
      if (created) hmac = std::move(created).value();
      if (hmac) (void)hmac->compute({Bytes(100, 2)}, first).ok();
    }).join();
    ASSERT_NE(hmac, nullptr);
    Bytes second(20);
    EXPECT_TRUE(hmac->compute({Bytes(100, 2)}, second));
    EXPECT_EQ(first, second);
  }
}

}  // namespace
}  // namespace sealroom::crypto
