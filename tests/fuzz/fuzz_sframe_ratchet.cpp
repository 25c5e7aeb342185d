// Input: a byte that chooses the suite, then operations on a sender that ratchets, a receiver that
// follows it and the queue of frames without a key: the sender moves on or sends, the peer sends
// frames of the input's bytes, time passes, keys come. Refused frames must move nothing, and the
// queue must keep its bounds.

#include <algorithm>
#include <cstdlib>

#include "sealroom/base/byte_reader.h"
#include "sealroom/sframe/header.h"
#include "sealroom/sframe/pending_queue.h"
#include "sealroom/sframe/receiver.h"
#include "sealroom/sframe/sender.h"

namespace {

using namespace sealroom;          // NOLINT(google-build-using-namespace)
using namespace sealroom::sframe;  // NOLINT(google-build-using-namespace)

constexpr unsigned kBits = 3;
constexpr KeyId kFirst = ratchet_key_id(0, 0, kBits);
constexpr RatchetOptions kOptions{.bits = kBits, .max_steps_ahead = 4, .kept_steps = 2};
constexpr PendingLimits kLimits{.max_key_ids = 3,
                                .max_frames_per_key = 4,
                                .max_bytes_per_key = 200,
                                .max_age = std::chrono::milliseconds(100)};

void require(bool holds) {
  if (!holds) std::abort();
}

class Call {
 public:
  explicit Call(CipherSuite suite)
      : sender_(Sender::create(crypto::fastest_backend(), suite, kFirst, as_bytes("fuzz"),
                               {.ratchet_bits = kBits})
                    .value()),
        receiver_(crypto::fastest_backend(), suite) {
    require(receiver_.add_ratchet(kFirst, as_bytes("fuzz"), kOptions).ok());
  }

  void ratchet() {
    require(sender_.ratchet().ok());
    behind_ += 1;
  }

  void send(std::uint8_t size, bool is_damaged) {
    Bytes frame(size + kMaxOverhead);
    frame.resize(sender_.protect({}, Bytes(size), frame).value());
    if (is_damaged) frame[frame.size() - 1 - size % 4] ^= 0x20;
    const bool opened = receive(frame);
    require(opened == (!is_damaged && behind_ <= kOptions.max_steps_ahead));
    if (opened) behind_ = 0;
  }

  bool receive(ByteView frame) {
    const KeyId before = receiver_.ratchet_position(kFirst).value();
    Bytes out(frame.size());
    const auto opened = receiver_.unprotect({}, frame, out);
    if (opened) {
      const auto again = receiver_.unprotect({}, frame, out);
      require(!again && again.error() == Error::replayed);
      return true;
    }
    require(receiver_.ratchet_position(kFirst).value() == before);
    if (opened.error() != Error::unknown_key_id) return false;
    const KeyId key_id = receiver_.unknown_key_id();
    require(Header::parse(frame).value().header.key_id == key_id);
    HeldFrame held{Bytes(frame.begin(), frame.end()), {}};
    (void)pending_.hold(key_id, frame.size(), now_, std::move(held), [](KeyId, HeldFrame&&) {});
    require(pending_.frames() <= kLimits.max_key_ids * kLimits.max_frames_per_key);
    require(pending_.bytes() <= kLimits.max_key_ids * kLimits.max_bytes_per_key);
    return false;
  }

  void give_key(KeyId key_id) {
    if (!receiver_.add_key(key_id, as_bytes("other"))) return;
    pending_.set_newest_key_id(key_id);
    HeldFrame held;
    std::size_t count = pending_.count(key_id);
    for (; pending_.take(key_id, held); --count) {
      require(Header::parse(held.frame).value().header.key_id == key_id);
      (void)receive(held.frame);
    }
    require(count == 0 && pending_.count(key_id) == 0);
  }

  void wait(std::uint8_t milliseconds) {
    now_ += std::chrono::milliseconds(milliseconds);
    pending_.expire(now_, [](KeyId, HeldFrame&&) {});
    require(pending_.next_expiry() > now_);
  }

 private:
  Sender sender_;
  Receiver receiver_;
  PendingFrames pending_{kLimits};
  TimePoint now_{std::chrono::seconds(1)};
  std::size_t behind_ = 0;  ///< steps that the receiver has not seen a frame of
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader reader(ByteView(data, size));
  Call call(static_cast<CipherSuite>(reader.u8() % 5 + 1));
  for (int i = 0; i < 64 && reader.remaining() > 0; ++i) {
    const std::uint8_t operation = reader.u8();
    const std::uint8_t argument = reader.u8();
    switch (operation % 6) {
      case 0:
        call.send(argument, false);
        break;
      case 1:
        call.send(argument, true);
        break;
      case 2:
        call.ratchet();
        break;
      case 3:
        (void)call.receive(reader.bytes(std::min<std::size_t>(argument, reader.remaining())));
        break;
      case 4:
        call.give_key(KeyId{argument});
        break;
      default:
        call.wait(argument);
    }
  }
  return 0;
}
