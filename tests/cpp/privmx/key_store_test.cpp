#include "sealroom/privmx/key_store.h"

#include "privmx_fixture.h"

namespace sealroom::privmx {
namespace {

class KeyStoreTest : public PrivmxTest {};

TEST_P(KeyStoreTest, AKeyIdIsThirtyTwoHexadecimalDigits) {
  EXPECT_TRUE(RoomKeyId::parse(as_bytes("00112233445566778899AABBCCDDEEFF")));
  for (const char* text : {"", "0011223344556677", "00112233445566778899aabbccddeef",
                           "00112233445566778899aabbccddeeff0", "00112233445566778899aabbccddeefg",
                           "00112233-4455-6677-8899-aabbccdde"}) {
    EXPECT_EQ(RoomKeyId::parse(as_bytes(text)).error(), Error::malformed) << text;
  }
  EXPECT_NE(room_key_id("00112233445566778899AABBCCDDEEFF"), room_key_id())
      << "as they are written";
}

TEST_P(KeyStoreTest, KeysComeOnceAndUpToABound) {
  KeyStore keys = make_keys();
  EXPECT_EQ(keys.add(room_key_id(), Bytes(kKeySize, 1)).error(), Error::invalid_argument);
  const RoomKeyId other = room_key_id("ffffffffffffffffffffffffffffffff");
  EXPECT_EQ(keys.add(other, Bytes(31)).error(), Error::invalid_argument);
  EXPECT_EQ(keys.add(other, Bytes(33)).error(), Error::invalid_argument);
  for (std::size_t i = 1; i < kMaxKeys; ++i) {
    std::string text(32, 'a');
    text[0] = static_cast<char>('0' + i % 10);
    text[1] = static_cast<char>('0' + i / 10);
    EXPECT_TRUE(keys.add(room_key_id(text), Bytes(kKeySize, 1)));
  }
  EXPECT_EQ(keys.size(), kMaxKeys);
  EXPECT_EQ(keys.add(other, Bytes(kKeySize)).error(), Error::limit_exceeded);
  EXPECT_TRUE(keys.remove(room_key_id()));
  EXPECT_FALSE(keys.remove(room_key_id()));
  EXPECT_FALSE(keys.contains(room_key_id()));
  EXPECT_TRUE(keys.add(other, Bytes(kKeySize)));
}

TEST_P(KeyStoreTest, RefusesMoreMessagesThanTheLimit) {
  KeyStore keys = make_keys(2);
  Bytes out(kTagSize);
  EXPECT_TRUE(keys.seal(room_key_id(), iv(1), {}, {}, out));
  EXPECT_TRUE(keys.seal(room_key_id(), iv(2), {}, {}, out));
  EXPECT_EQ(keys.seal(room_key_id(), iv(3), {}, {}, out).error(), Error::key_exhausted);
  EXPECT_TRUE(keys.open(room_key_id(), iv(2), {}, out, {})) << "opening has no limit";
}

TEST_P(KeyStoreTest, RefusesAnIvThatIsPlainlyNotRandom) {
  KeyStore keys = make_keys();
  Bytes out(kTagSize);
  EXPECT_TRUE(keys.seal(room_key_id(), Bytes(kIvSize, 0), {}, {}, out));
  EXPECT_EQ(keys.seal(room_key_id(), Bytes(kIvSize, 0), {}, {}, out).error(),
            Error::invalid_argument);
  EXPECT_EQ(keys.seal(room_key_id(), Bytes(16, 7), {}, {}, out).error(), Error::invalid_argument);
  EXPECT_EQ(keys.seal(room_key_id(), Bytes(11, 7), {}, {}, out).error(), Error::invalid_argument);
  EXPECT_TRUE(keys.seal(room_key_id(), iv(1), {}, {}, out));
}

INSTANTIATE_TEST_SUITE_P(Backends, KeyStoreTest, every_backend(), test::BackendTestName());

}  // namespace
}  // namespace sealroom::privmx
