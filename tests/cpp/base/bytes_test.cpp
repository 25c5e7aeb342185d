#include "sealroom/base/bytes.h"

#include <gtest/gtest.h>

#include "sealroom/base/byte_reader.h"
#include "sealroom/base/byte_writer.h"
#include "sealroom/base/result.h"

namespace sealroom {
namespace {

TEST(ByteReader, ReadsBigEndianAndStaysFailedAfterReadingPastTheEnd) {
  const Bytes data{1, 2, 3, 4, 5};
  ByteReader reader(data);
  EXPECT_EQ(reader.u16(), 0x0102);
  EXPECT_EQ(reader.u24(), 0x030405U);
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.u8(), 0);
  EXPECT_FALSE(reader.ok());
  EXPECT_TRUE(reader.bytes(1).empty());
}

TEST(ByteReader, ShortReadConsumesTheRestSoLaterFieldsCannotBeMisread) {
  const Bytes data{1, 2, 3};
  ByteReader reader(data);
  EXPECT_EQ(reader.u32(), 0U);
  EXPECT_EQ(reader.u8(), 0);
  EXPECT_FALSE(reader.ok());
}

TEST(ByteWriter, RefusesToWritePastTheEndAndKeepsWhatWasWritten) {
  Bytes data(4, 0xee);
  ByteWriter writer(data);
  writer.u16(0x0102);
  writer.u32(0x03040506);
  EXPECT_FALSE(writer.ok());
  EXPECT_EQ(data, (Bytes{1, 2, 0xee, 0xee}));
  writer.u8(9);
  EXPECT_EQ(writer.position(), 2U);
}

TEST(EqualConstantTime, ComparesEveryByte) {
  const Bytes a{1, 2, 3};
  EXPECT_TRUE(equal_constant_time(a, Bytes{1, 2, 3}));
  EXPECT_FALSE(equal_constant_time(a, Bytes{1, 2, 4}));
  EXPECT_FALSE(equal_constant_time(a, Bytes{0, 2, 3}));
  EXPECT_FALSE(equal_constant_time(a, Bytes{1, 2}));
}

TEST(SecretBytes, MovedFromSecretIsWiped) {
  SecretBytes<4> secret(4);
  secret.mutable_view()[0] = 7;
  const SecretBytes<4> taken(std::move(secret));
  EXPECT_EQ(taken.view()[0], 7);
  EXPECT_EQ(secret.view()[0], 0);  // NOLINT(bugprone-use-after-move): that is the property
}

TEST(Error, EveryErrorHasItsOwnNameAndMessage) {
  EXPECT_EQ(error_name(Error::invalid_argument), "invalid_argument");
  EXPECT_EQ(error_name(Error::key_exhausted), "key_exhausted");
  EXPECT_EQ(error_name(Error::system_error), "system_error");
  EXPECT_FALSE(error_message(Error::not_ready).empty());
}

}  // namespace
}  // namespace sealroom
