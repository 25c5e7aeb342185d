#include <gtest/gtest.h>
#include <openssl/err.h>

#include "sealroom/crypto/aead.h"
#include "sealroom/crypto/hkdf.h"

namespace sealroom::crypto {
namespace {

TEST(OpensslErrorQueue, IsEmptyAfterEveryRefusal) {
  ERR_clear_error();
  auto aead = Aead::create(Backend::openssl, AeadAlgorithm::aes_256_gcm, Bytes(32));
  ASSERT_TRUE(aead);
  Bytes out(4);
  EXPECT_FALSE(aead.value()->open(Bytes(12), {}, Bytes(20), out));
  EXPECT_EQ(ERR_peek_error(), 0U);
  EXPECT_FALSE(Aead::create(Backend::openssl, AeadAlgorithm::aes_256_gcm, Bytes(1)));
  EXPECT_FALSE(hkdf_expand(HashAlgorithm::sha1, Bytes(20), {}, {}));
  EXPECT_EQ(ERR_peek_error(), 0U);
}

}  // namespace
}  // namespace sealroom::crypto
