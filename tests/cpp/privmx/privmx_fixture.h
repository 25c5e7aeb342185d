#pragma once

#include <gtest/gtest.h>

#include "sealroom/privmx/key_store.h"
#include "support/backends.h"

namespace sealroom::privmx {

class PrivmxTest : public testing::TestWithParam<crypto::Backend> {
 protected:
  static RoomKeyId room_key_id(std::string_view text = "00112233445566778899aabbccddeeff") {
    return RoomKeyId::parse(as_bytes(text)).value();
  }
  static KeyStore make_keys(std::uint64_t message_limit = kDefaultMessageLimit,
                            std::uint8_t key = 0x42) {
    KeyStore keys(GetParam(), message_limit);
    EXPECT_TRUE(keys.add(room_key_id(), Bytes(kKeySize, key)));
    return keys;
  }
  static Bytes iv(std::uint8_t number) {
    Bytes bytes(kIvSize, 0xa5);
    bytes[3] = number;
    return bytes;
  }
  static Bytes with_flipped_bit(Bytes bytes, std::size_t bit) {
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (1U << (bit % 8)));
    return bytes;
  }
  static Bytes sequence_of_bytes(std::size_t size) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i + 1);
    return bytes;
  }
};

inline auto every_backend() { return testing::ValuesIn(test::available_backends()); }

}  // namespace sealroom::privmx
