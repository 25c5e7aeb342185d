#include "sealroom/srtp/idle_streams.h"

#include "sealroom/base/byte_reader.h"
#include "sealroom/rtp/packet.h"

namespace sealroom::srtp {

void IdleStreams::add(Ssrc ssrc, Receiver* receiver) {
  last_heard_[ssrc] = ++clock_;
  if (last_heard_.size() <= kMaxIdleStreams) return;
  const auto oldest =
      std::ranges::min_element(last_heard_, {}, [](const auto& stream) { return stream.second; });
  if (receiver != nullptr && refused_.size() < kMaxRefusedSsrcs) {
    refused_.insert(oldest->first);
    receiver->remove_stream(oldest->first);
  }
  last_heard_.erase(oldest);
}

std::optional<Ssrc> IdleStreams::ssrc_of(ByteView datagram) {
  ByteReader reader(datagram);
  reader.skip(rtp::is_rtcp(datagram) ? 4 : 8);
  const std::uint32_t ssrc = reader.u32();
  return reader.ok() ? std::optional(Ssrc{ssrc}) : std::nullopt;
}

}  // namespace sealroom::srtp
