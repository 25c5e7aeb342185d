#pragma once

#include <random>

#include "sealroom/sframe/media_frame.h"
#include "suite_fixture.h"

namespace sealroom::sframe {

class MediaFrameFixture : public SuiteTest {
 protected:
  static Result<Bytes> protect_media(Sender& sender, FrameFormat format, ByteView frame) {
    Bytes out(max_protected_size(format, frame.size()));
    const auto size = protect_frame(sender, format, frame, out);
    if (!size) return size.error();
    out.resize(size.value());
    return out;
  }
  static Result<Bytes> unprotect_media(Receiver& receiver, FrameFormat format, ByteView frame) {
    Bytes out(frame.size());
    const auto size = unprotect_frame(receiver, format, frame, out);
    if (!size) return size.error();
    out.resize(size.value());
    return out;
  }
  /// Through a fresh sender and receiver of KID 0, whose first counters make header bytes below 4.
  static Bytes round_trip(FrameFormat format, ByteView frame) {
    Sender sender = make_sender({}, KeyId{0});
    Receiver receiver(backend(), suite());
    EXPECT_TRUE(receiver.add_key(KeyId{0}, Bytes(32, 0x42)));
    const auto sealed = protect_media(sender, format, frame);
    if (!sealed) return {};
    const auto opened = unprotect_media(receiver, format, sealed.value());
    return opened ? opened.value() : Bytes{};
  }

  /// The number of bits of `sealed` that can be flipped without being refused; then `sealed` itself
  /// must still be accepted, so no try changed the receiver.
  static std::size_t accepted_flips(FrameFormat format, const Bytes& sealed) {
    Receiver receiver = make_receiver();
    std::size_t accepted = 0;
    for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
      Bytes tampered = sealed;
      tampered[bit / 8] = static_cast<std::uint8_t>(tampered[bit / 8] ^ (1U << (bit % 8)));
      if (unprotect_media(receiver, format, tampered)) ++accepted;
    }
    EXPECT_TRUE(unprotect_media(receiver, format, sealed));
    return accepted;
  }
  static std::size_t accepted_truncations(FrameFormat format, const Bytes& sealed) {
    Receiver receiver = make_receiver();
    std::size_t accepted = 0;
    for (std::size_t size = 0; size < sealed.size(); ++size) {
      if (unprotect_media(receiver, format, ByteView(sealed).first(size))) ++accepted;
    }
    EXPECT_TRUE(unprotect_media(receiver, format, sealed));
    return accepted;
  }

  static void append(Bytes& bytes, ByteView more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
  }
  static Bytes concat(std::initializer_list<ByteView> parts) {
    Bytes bytes;
    for (const ByteView part : parts) append(bytes, part);
    return bytes;
  }
  static bool equal(ByteView a, ByteView b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }
};

}  // namespace sealroom::sframe
