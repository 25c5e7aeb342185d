#include "sealroom/privmx/media_frame.h"

#include <algorithm>

#include "privmx_fixture.h"

namespace sealroom::privmx {
namespace {

constexpr FrameKind kKinds[] = {FrameKind::audio, FrameKind::video_key, FrameKind::video_delta,
                                FrameKind::video_empty, FrameKind::video_other};

class PrivmxMediaTest : public PrivmxTest {
 protected:
  static Bytes protect(KeyStore& keys, FrameKind kind, ByteView frame,
                       ClearHeader clear_header = ClearHeader::by_kind, std::uint8_t number = 1) {
    Bytes out(frame.size() + kMediaOverhead);
    const auto size =
        protect_media(keys, room_key_id(), iv(number), clear_header, kind, 63, frame, out);
    EXPECT_TRUE(size);
    out.resize(size ? size.value() : 0);
    return out;
  }
  static Result<Bytes> unprotect(KeyStore& keys, FrameKind kind, ByteView frame,
                                 ClearHeader clear_header = ClearHeader::by_kind) {
    Bytes out(frame.size());
    const auto opened = unprotect_media(keys, clear_header, kind, frame, out);
    if (!opened) return opened.error();
    out.resize(opened.value().size);
    return out;
  }
};

TEST_P(PrivmxMediaTest, TheLayoutIsTheReferences) {
  KeyStore keys = make_keys();
  const Bytes frame = sequence_of_bytes(40);
  const Bytes sealed = protect(keys, FrameKind::video_key, frame);
  ASSERT_EQ(sealed.size(), frame.size() + 63);
  EXPECT_TRUE(std::equal(frame.begin(), frame.begin() + 10, sealed.begin()));
  const ByteView trailer = ByteView(sealed).last(kMediaTrailerSize);
  const Bytes expected_iv = iv(1);
  EXPECT_TRUE(std::equal(expected_iv.begin(), expected_iv.end(), trailer.begin()));
  EXPECT_EQ(trailer[12], 12);
  const ByteView id = as_bytes("00112233445566778899aabbccddeeff");
  EXPECT_TRUE(std::equal(id.begin(), id.end(), trailer.begin() + 13));
  EXPECT_EQ(trailer[45], 32);
  EXPECT_EQ(trailer[46], 63);
  // The cipher of the reference, by itself.
  Bytes plaintext(30);
  EXPECT_TRUE(keys.open(room_key_id(), expected_iv, ByteView(frame).first(10),
                        ByteView(sealed).subspan(10, 30 + kTagSize), plaintext));
  EXPECT_TRUE(std::equal(plaintext.begin(), plaintext.end(), frame.begin() + 10));
}

TEST_P(PrivmxMediaTest, TheClearHeaderHasTheSizeOfItsKindOrOneByte) {
  const std::size_t sizes[] = {1, 10, 3, 1, 0};
  for (std::size_t i = 0; i < std::size(kKinds); ++i) {
    EXPECT_EQ(clear_header_size(ClearHeader::by_kind, kKinds[i]), sizes[i]);
    EXPECT_EQ(clear_header_size(ClearHeader::one_byte, kKinds[i]), 1U);
  }
}

TEST_P(PrivmxMediaTest, EveryFrameAsLongAsItsClearHeaderComesBack) {
  KeyStore keys = make_keys();
  std::uint8_t number = 0;
  for (const ClearHeader clear_header : {ClearHeader::by_kind, ClearHeader::one_byte}) {
    for (const FrameKind kind : kKinds) {
      for (std::size_t size = 0; size < 70; ++size) {
        const Bytes frame = sequence_of_bytes(size);
        Bytes out(size + kMediaOverhead);
        ++number;
        const auto sealed =
            protect_media(keys, room_key_id(), iv(number), clear_header, kind, number, frame, out);
        if (size < clear_header_size(clear_header, kind)) {
          EXPECT_EQ(sealed.error(), Error::invalid_argument);
          continue;
        }
        ASSERT_TRUE(sealed);
        Bytes plain(size);
        const auto opened = unprotect_media(keys, clear_header, kind, out, plain);
        ASSERT_TRUE(opened);
        EXPECT_EQ(opened.value().size, size);
        EXPECT_EQ(opened.value().key_id, room_key_id());
        EXPECT_EQ(opened.value().unauthenticated_rms, number);
        EXPECT_EQ(plain, frame);
      }
    }
  }
}

TEST_P(PrivmxMediaTest, EveryBitButThoseOfTheLoudnessIsAuthenticated) {
  KeyStore keys = make_keys();
  for (const FrameKind kind : kKinds) {
    const Bytes sealed = protect(keys, kind, sequence_of_bytes(20), ClearHeader::by_kind,
                                 static_cast<std::uint8_t>(kind));
    for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
      const bool is_rms = bit / 8 == sealed.size() - 1;
      EXPECT_EQ(unprotect(keys, kind, with_flipped_bit(sealed, bit)).ok(), is_rms) << bit;
    }
  }
}

TEST_P(PrivmxMediaTest, EveryTruncationIsRefused) {
  KeyStore keys = make_keys();
  const Bytes sealed = protect(keys, FrameKind::video_key, sequence_of_bytes(20));
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    const ByteView part = ByteView(sealed).first(size);
    EXPECT_FALSE(unprotect(keys, FrameKind::video_key, part));
    EXPECT_FALSE(unprotect(keys, FrameKind::video_key, ByteView(sealed).last(size)));
    if (size < 10 + kMediaOverhead) {
      EXPECT_EQ(unprotect(keys, FrameKind::video_key, part).error(), Error::truncated);
    }
  }
}

TEST_P(PrivmxMediaTest, WhatCannotBeOpenedIsAnErrorAndLeavesNothing) {
  KeyStore keys = make_keys();
  const Bytes frame = sequence_of_bytes(100);
  EXPECT_EQ(unprotect(keys, FrameKind::audio, frame).error(), Error::malformed)
      << "clear text is not passed through";

  const Bytes sealed = protect(keys, FrameKind::audio, frame);
  KeyStore other_key = make_keys(kDefaultMessageLimit, 0x43);
  Bytes out(sealed.size(), 0x77);
  EXPECT_EQ(unprotect_media(other_key, ClearHeader::by_kind, FrameKind::audio, sealed, out).error(),
            Error::authentication_failed);
  EXPECT_EQ(std::search(out.begin(), out.end(), frame.begin() + 1, frame.end()), out.end());
  KeyStore no_key(GetParam());
  EXPECT_EQ(unprotect(no_key, FrameKind::audio, sealed).error(), Error::unknown_key_id);
  // The sizes of the clear headers must agree.
  EXPECT_EQ(unprotect(keys, FrameKind::video_delta, sealed).error(), Error::authentication_failed);

  Bytes wrong = sealed;
  wrong[sealed.size() - kMediaTrailerSize + kIvSize] = 13;
  EXPECT_EQ(unprotect(keys, FrameKind::audio, wrong).error(), Error::malformed);
  wrong = sealed;
  wrong[sealed.size() - 2] = 31;
  EXPECT_EQ(unprotect(keys, FrameKind::audio, wrong).error(), Error::malformed);
  wrong = sealed;
  wrong[sealed.size() - 3] = 'g';
  EXPECT_EQ(unprotect(keys, FrameKind::audio, wrong).error(), Error::malformed);
  EXPECT_EQ(unprotect(keys, FrameKind::audio, sealed).value(), frame);
}

TEST_P(PrivmxMediaTest, AReplayIsNotNoticed) {
  // A property of the format, stated in docs/security.md.
  KeyStore keys = make_keys();
  const Bytes sealed = protect(keys, FrameKind::audio, sequence_of_bytes(9));
  EXPECT_TRUE(unprotect(keys, FrameKind::audio, sealed));
  EXPECT_TRUE(unprotect(keys, FrameKind::audio, sealed));
}

TEST_P(PrivmxMediaTest, SmallBuffersAreRefused) {
  KeyStore keys = make_keys(1);
  const Bytes frame = sequence_of_bytes(30);
  Bytes out(frame.size() + kMediaOverhead - 1);
  EXPECT_EQ(protect_media(keys, room_key_id(), iv(1), ClearHeader::by_kind, FrameKind::audio, 0,
                          frame, out)
                .error(),
            Error::buffer_too_small);
  const Bytes sealed = protect(keys, FrameKind::audio, frame);
  ASSERT_FALSE(sealed.empty()) << "the refused one did not count";
  Bytes opened(frame.size() - 1);
  EXPECT_EQ(unprotect_media(keys, ClearHeader::by_kind, FrameKind::audio, sealed, opened).error(),
            Error::buffer_too_small);
}

INSTANTIATE_TEST_SUITE_P(Backends, PrivmxMediaTest, every_backend(), test::BackendTestName());

}  // namespace
}  // namespace sealroom::privmx
