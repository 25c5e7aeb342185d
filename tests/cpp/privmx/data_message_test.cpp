#include "sealroom/privmx/data_message.h"

#include "privmx_fixture.h"

namespace sealroom::privmx {
namespace {

class PrivmxDataTest : public PrivmxTest {
 protected:
  static Bytes protect(DataSender& sender, KeyStore& keys, ByteView message,
                       std::uint8_t number = 1) {
    Bytes out(message.size() + kDataOverhead);
    const auto size = sender.protect(keys, room_key_id(), iv(number), message, out);
    out.resize(size ? size.value() : 0);
    return out;
  }
  static Result<OpenedData> unprotect(DataReceiver& receiver, KeyStore& keys, ByteView message) {
    Bytes out(message.size());
    return receiver.unprotect(keys, message, out);
  }
  static Bytes message_at(KeyStore& keys, std::uint32_t sequence, std::uint8_t number = 1) {
    DataSender sender(sequence);
    return protect(sender, keys, as_bytes("message"), number);
  }
};

TEST_P(PrivmxDataTest, TheLayoutIsTheReferences) {
  KeyStore keys = make_keys();
  const Bytes message = sequence_of_bytes(21);
  DataSender sender(0x01020304);
  const Bytes sealed = protect(sender, keys, message);
  ASSERT_EQ(sealed.size(), message.size() + 18 + 32 + 16);
  EXPECT_EQ(Bytes(sealed.begin(), sealed.begin() + 5), (Bytes{1, 1, 2, 3, 4}));
  EXPECT_EQ(Bytes(sealed.begin() + 5, sealed.begin() + 17), iv(1));
  EXPECT_EQ(sealed[17], 32);
  const ByteView id = as_bytes("00112233445566778899aabbccddeeff");
  EXPECT_TRUE(std::equal(id.begin(), id.end(), sealed.begin() + 18));
  Bytes plaintext(message.size());
  EXPECT_TRUE(keys.open(room_key_id(), iv(1), ByteView(sealed).first(50),
                        ByteView(sealed).subspan(50), plaintext));
  EXPECT_EQ(plaintext, message);

  Bytes out(message.size());
  DataReceiver receiver;
  const auto opened = receiver.unprotect(keys, sealed, out);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened.value().size, message.size());
  EXPECT_EQ(opened.value().sequence, 0x01020304U);
  EXPECT_EQ(opened.value().key_id, room_key_id());
  EXPECT_EQ(out, message);
}

TEST_P(PrivmxDataTest, BothBeginningsAreRead) {
  for (const std::uint32_t first : {kFirstSequenceOfNative, std::uint32_t{2}}) {
    KeyStore keys = make_keys();
    DataSender sender(first);
    DataReceiver receiver;
    EXPECT_FALSE(receiver.last_sequence());
    for (std::uint32_t i = 0; i < 5; ++i) {
      const Bytes sealed = protect(sender, keys, as_bytes("hello"), static_cast<std::uint8_t>(i));
      ASSERT_TRUE(unprotect(receiver, keys, sealed));
      EXPECT_EQ(receiver.last_sequence(), first + i);
    }
  }
}

TEST_P(PrivmxDataTest, NumbersMustGrow) {
  KeyStore keys = make_keys();
  DataReceiver receiver;
  ASSERT_TRUE(unprotect(receiver, keys, message_at(keys, 7, 1)));
  for (const std::uint32_t old : {0U, 6U, 7U}) {
    const Bytes sealed = message_at(keys, old, static_cast<std::uint8_t>(10 + old));
    EXPECT_EQ(unprotect(receiver, keys, sealed).error(), Error::replayed);
  }
  EXPECT_TRUE(unprotect(receiver, keys, message_at(keys, 100, 2))) << "gaps are no matter";
  EXPECT_TRUE(unprotect(receiver, keys, message_at(keys, 0xffffffff, 3)));
  EXPECT_EQ(unprotect(receiver, keys, message_at(keys, 0, 4)).error(), Error::replayed);
}

TEST_P(PrivmxDataTest, TheLastNumberIsUsedAndThenNone) {
  KeyStore keys = make_keys();
  DataSender sender(0xfffffffe);
  EXPECT_FALSE(protect(sender, keys, as_bytes("a"), 1).empty());
  EXPECT_FALSE(protect(sender, keys, as_bytes("b"), 2).empty());
  EXPECT_EQ(sender.next_sequence(), std::uint64_t{1} << 32);
  Bytes out(100);
  EXPECT_EQ(sender.protect(keys, room_key_id(), iv(3), as_bytes("c"), out).error(),
            Error::key_exhausted);
}

TEST_P(PrivmxDataTest, ARefusedMessageSpendsNoNumber) {
  KeyStore keys = make_keys(1);
  DataSender sender;
  Bytes small(kDataOverhead);
  EXPECT_EQ(sender.protect(keys, room_key_id(), iv(1), as_bytes("a"), small).error(),
            Error::buffer_too_small);
  Bytes out(kDataOverhead + 1);
  EXPECT_EQ(sender.protect(keys, room_key_id(), Bytes(13), as_bytes("a"), out).error(),
            Error::invalid_argument);
  EXPECT_EQ(
      sender
          .protect(keys, room_key_id("ffffffffffffffffffffffffffffffff"), iv(1), as_bytes("a"), out)
          .error(),
      Error::unknown_key_id);
  EXPECT_EQ(sender.next_sequence(), 0U);
  EXPECT_TRUE(sender.protect(keys, room_key_id(), iv(1), as_bytes("a"), out));
  EXPECT_EQ(sender.protect(keys, room_key_id(), iv(2), as_bytes("a"), out).error(),
            Error::key_exhausted);
  EXPECT_EQ(sender.next_sequence(), 1U);
}

TEST_P(PrivmxDataTest, EveryFlippedBitAndEveryTruncationIsRefusedAndChangesNothing) {
  KeyStore keys = make_keys();
  const Bytes sealed = message_at(keys, 3);
  DataReceiver receiver;
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    EXPECT_FALSE(unprotect(receiver, keys, with_flipped_bit(sealed, bit))) << bit;
  }
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_FALSE(unprotect(receiver, keys, ByteView(sealed).first(size))) << size;
  }
  EXPECT_FALSE(receiver.last_sequence());
  EXPECT_TRUE(unprotect(receiver, keys, sealed));
}

TEST_P(PrivmxDataTest, EachFaultHasItsName) {
  KeyStore keys = make_keys();
  DataReceiver receiver;
  const Bytes sealed = message_at(keys, 3);
  Bytes wrong = sealed;
  wrong[0] = 2;
  EXPECT_EQ(unprotect(receiver, keys, wrong).error(), Error::unsupported);
  wrong = sealed;
  wrong[17] = 31;
  EXPECT_EQ(unprotect(receiver, keys, wrong).error(), Error::malformed);
  wrong = sealed;
  wrong[18] = 'x';
  EXPECT_EQ(unprotect(receiver, keys, wrong).error(), Error::malformed);
  EXPECT_EQ(unprotect(receiver, keys, ByteView(sealed).first(65)).error(), Error::truncated);
  EXPECT_EQ(unprotect(receiver, keys, {}).error(), Error::truncated);
  KeyStore other_key = make_keys(kDefaultMessageLimit, 0x43);
  EXPECT_EQ(unprotect(receiver, other_key, sealed).error(), Error::authentication_failed);
  KeyStore no_key(GetParam());
  EXPECT_EQ(unprotect(receiver, no_key, sealed).error(), Error::unknown_key_id);
  Bytes small(6);
  EXPECT_EQ(receiver.unprotect(keys, sealed, small).error(), Error::buffer_too_small);
  EXPECT_TRUE(unprotect(receiver, keys, sealed));
}

INSTANTIATE_TEST_SUITE_P(Backends, PrivmxDataTest, every_backend(), test::BackendTestName());

}  // namespace
}  // namespace sealroom::privmx
