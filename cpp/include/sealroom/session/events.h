#pragma once

#include <optional>
#include <variant>

#include "sealroom/base/bytes.h"
#include "sealroom/base/types.h"
#include "sealroom/session/statistics.h"

namespace sealroom::session {

using SenderId = StrongNumber<struct SenderIdTag, std::uint64_t>;
using ReceiverId = StrongNumber<struct ReceiverIdTag, std::uint64_t>;

/// A whole encoded frame. Without `rejected` it is authentic (or protection is off for its
/// receiver).
struct FrameReceived {
  ReceiverId receiver{};
  Bytes data;  ///< empty where is_missing
  RtpTimestamp timestamp{};
  bool is_key_frame = false;
  bool is_missing = false;  ///< audio: conceal this frame
  std::optional<RejectReason>
      rejected;         ///< only with drop_broken_frames off; `data` is then as received
  TimePoint arrival{};  ///< of its first packet
};

/// At most one a second per receiver and reason.
struct FrameRejected {
  ReceiverId receiver{};
  RejectReason reason{};
  std::uint64_t count = 0;  ///< since the last such event
};

/// The other end cannot decode without a key frame: have the encoder make one.
struct KeyFrameRequested {
  SenderId sender{};
};

struct RemoteBye {
  ReceiverId receiver{};
};

using Event = std::variant<FrameReceived, FrameRejected, KeyFrameRequested, RemoteBye>;

}  // namespace sealroom::session
