#include <algorithm>
#include <random>

#include "media_frame_fixture.h"
#include "support/hex.h"

namespace sealroom::sframe {
namespace {

using test::from_hex;

class MediaFrameTest : public MediaFrameFixture {};

const Bytes kVp8KeyFrame = from_hex("d0a1009d012a8002e0010102030405060708090a0b0c0d0e0f");
const Bytes kVp8DeltaFrame = from_hex("b10100061112131415161718191a1b1c1d1e1f");

TEST_P(MediaFrameTest, AVp8KeyFrameKeepsTenClearBytesAndADeltaFrameOne) {
  Sender sender = make_sender();
  Receiver receiver = make_receiver();
  for (const auto& [frame, clear] : {std::pair(kVp8KeyFrame, 10), std::pair(kVp8DeltaFrame, 1)}) {
    const auto sealed = protect_media(sender, FrameFormat::vp8, frame);
    ASSERT_TRUE(sealed);
    EXPECT_TRUE(std::equal(frame.begin(), frame.begin() + clear, sealed.value().begin()));
    const Bytes header(sealed.value().begin() + clear, sealed.value().begin() + clear + 1);
    EXPECT_EQ(header[0] >> 4, 7) << "the SFrame header follows the clear bytes";
    const auto opened = unprotect_media(receiver, FrameFormat::vp8, sealed.value());
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened.value(), frame);
  }
}

TEST_P(MediaFrameTest, AnOpaqueFrameHasNoClearBytes) {
  Sender sender = make_sender();
  const auto sealed = protect_media(sender, FrameFormat::opaque, kVp8KeyFrame);
  ASSERT_TRUE(sealed);
  EXPECT_EQ(sealed.value()[0] >> 4, 7);
  EXPECT_EQ(sealed.value().size(), kVp8KeyFrame.size() + 1 + tag_size());
}

TEST_P(MediaFrameTest, TheClearBytesAreAuthenticated) {
  Sender sender = make_sender();
  Receiver receiver = make_receiver();
  const auto sealed = protect_media(sender, FrameFormat::vp8, kVp8KeyFrame);
  ASSERT_TRUE(sealed);
  for (std::size_t bit = 0; bit < 80; ++bit) {
    Bytes tampered = sealed.value();
    tampered[bit / 8] = static_cast<std::uint8_t>(tampered[bit / 8] ^ (1U << (bit % 8)));
    EXPECT_FALSE(unprotect_media(receiver, FrameFormat::vp8, tampered)) << bit;
  }
  EXPECT_TRUE(unprotect_media(receiver, FrameFormat::vp8, sealed.value()));
}

TEST_P(MediaFrameTest, EveryNonEmptyFrameComesBackUnchanged) {
  std::mt19937 random(7741);
  Sender sender = make_sender();
  Receiver receiver = make_receiver();
  for (int i = 0; i < 4000; ++i) {
    Bytes frame(1 + random() % (i % 10 == 0 ? 3000 : 40));
    for (auto& byte : frame) byte = static_cast<std::uint8_t>(random());
    if (i % 3 != 0) frame[0] &= 0xfe;  // claims to be a key frame
    if (i % 3 == 1) {                  // with as much of a start code as fits
      const Bytes start_code = {0x9d, 0x01, 0x2a};
      for (std::size_t at = 0; at < 3 && at + 3 < frame.size(); ++at)
        frame[at + 3] = start_code[at];
    }
    for (const FrameFormat format : {FrameFormat::vp8, FrameFormat::opaque}) {
      const auto sealed = protect_media(sender, format, frame);
      ASSERT_TRUE(sealed);
      const auto opened = unprotect_media(receiver, format, sealed.value());
      ASSERT_TRUE(opened) << i;
      ASSERT_EQ(opened.value(), frame);
    }
  }
}

TEST_P(MediaFrameTest, ShortFramesThatLookLikeKeyFramesComeBackUnchanged) {
  Sender sender = make_sender();
  Receiver receiver = make_receiver();
  for (std::size_t size = 1; size <= kVp8KeyFrame.size(); ++size) {
    const ByteView frame = ByteView(kVp8KeyFrame).first(size);
    EXPECT_EQ(clear_prefix_size(FrameFormat::vp8, frame), size < 10 ? 1U : 10U);
    const auto sealed = protect_media(sender, FrameFormat::vp8, frame);
    ASSERT_TRUE(sealed);
    const auto opened = unprotect_media(receiver, FrameFormat::vp8, sealed.value());
    ASSERT_TRUE(opened) << size;
    EXPECT_TRUE(
        std::equal(opened.value().begin(), opened.value().end(), frame.begin(), frame.end()));
  }
}

TEST_P(MediaFrameTest, AnImitatedStartCodeCostsOneCounterAndStaysReadable) {
  // The clear byte, the config byte, then the counter: its bytes 1 to 3 fall where the start code
  // would be.
  constexpr std::uint64_t kImitating = 0x019d012a;
  Sender sender = make_sender({.first_counter = kImitating});
  Receiver receiver = make_receiver();
  const Bytes frame = {0x10, 1, 2, 3};
  const auto sealed = protect_media(sender, FrameFormat::vp8, frame);
  ASSERT_TRUE(sealed);
  EXPECT_EQ(sender.next_counter(), kImitating + 2);
  const auto opened = unprotect_media(receiver, FrameFormat::vp8, sealed.value());
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened.value(), frame);

  // The same counter is no trouble for real key frames and for delta frames.
  for (const Bytes& other : {kVp8KeyFrame, kVp8DeltaFrame}) {
    Sender fresh = make_sender({.first_counter = kImitating});
    ASSERT_TRUE(protect_media(fresh, FrameFormat::vp8, other));
    EXPECT_EQ(fresh.next_counter(), kImitating + 1);
  }
}

TEST_P(MediaFrameTest, AKeyIdThatImitatesTheStartCodeIsRefusedRatherThanUnreadable) {
  Sender sender = make_sender({}, KeyId{0x019d012a});
  Bytes out(100);
  EXPECT_EQ(protect_frame(sender, FrameFormat::vp8, Bytes{0x10, 1, 2}, out).error(),
            Error::unsupported);
  EXPECT_TRUE(protect_frame(sender, FrameFormat::vp8, kVp8KeyFrame, out));
  EXPECT_TRUE(protect_frame(sender, FrameFormat::vp8, kVp8DeltaFrame, out));
}

TEST_P(MediaFrameTest, RefusesEmptyFramesAndEveryTruncation) {
  Sender sender = make_sender();
  Receiver receiver = make_receiver();
  Bytes out(100);
  EXPECT_EQ(protect_frame(sender, FrameFormat::vp8, {}, out).error(), Error::invalid_argument);
  EXPECT_EQ(sender.next_counter(), 0U);
  const auto sealed = protect_media(sender, FrameFormat::vp8, kVp8KeyFrame);
  ASSERT_TRUE(sealed);
  for (std::size_t size = 0; size < sealed.value().size(); ++size) {
    EXPECT_FALSE(unprotect_media(receiver, FrameFormat::vp8, ByteView(sealed.value()).first(size)));
  }
  for (std::size_t size = 0; size < kVp8KeyFrame.size(); ++size) {
    EXPECT_EQ(unprotect_frame(receiver, FrameFormat::vp8, sealed.value(),
                              MutableByteView(out).first(size))
                  .error(),
              Error::buffer_too_small);
  }
  EXPECT_TRUE(unprotect_media(receiver, FrameFormat::vp8, sealed.value()));
}

INSTANTIATE_TEST_SUITE_P(Suites, MediaFrameTest, every_suite_and_backend(), suite_test_name);

}  // namespace
}  // namespace sealroom::sframe
