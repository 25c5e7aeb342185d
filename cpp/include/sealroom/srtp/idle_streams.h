#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "sealroom/base/bytes.h"
#include "sealroom/base/types.h"
#include "sealroom/srtp/receiver.h"

namespace sealroom::srtp {

/// Streams that nothing takes whose place in SRTP is kept, in case something will; from then on,
/// those heard of longest ago are given up, and their SSRCs refused.
inline constexpr std::size_t kMaxIdleStreams = 1024;
inline constexpr std::size_t kMaxRefusedSsrcs = 65'536;

/// The streams of a Receiver that nothing takes, or takes any more, so that streams that come and
/// go do not use up its kMaxReceiveStreams. What the peer still sends, and be it RTCP only, is
/// heard of: among the rest a stream that is given up is one of a track that ended. SRTP forgets
/// it, and would take its old packets for new ones: so it is refused for good. The owner gives
/// the receiver only what `open_accepted` lets through, and adds every authenticated SSRC that
/// nothing takes.
class IdleStreams {
 public:
  /// Heard of now, or taken until now. Another one may be given up for it, which `receiver` then
  /// forgets; null before the keys, when no stream has authenticated.
  void add(Ssrc ssrc, Receiver* receiver);
  /// It is taken now.
  void remove(Ssrc ssrc) { last_heard_.erase(ssrc); }
  [[nodiscard]] bool is_refused(Ssrc ssrc) const { return refused_.contains(ssrc); }

  /// Hands on the datagrams whose streams were not given up, in order and as many at once as there
  /// are between two others. Returns how many were refused.
  template <class Open>
  std::size_t open_accepted(std::span<const MutableByteView> datagrams, Open&& open) const {
    std::size_t refused = 0;
    while (!refused_.empty() && !datagrams.empty()) {
      const auto found = std::ranges::find_if(datagrams, [&](ByteView datagram) {
        const auto ssrc = ssrc_of(datagram);
        return ssrc && is_refused(*ssrc);
      });
      const auto before = static_cast<std::size_t>(found - datagrams.begin());
      if (before == datagrams.size()) break;
      if (before > 0) open(datagrams.first(before));
      ++refused;
      datagrams = datagrams.subspan(before + 1);
    }
    if (!datagrams.empty()) open(datagrams);
    return refused;
  }

  /// Read before or after it is opened: RTP has its SSRC in the third word, RTCP its sender's in
  /// the second. Absent of one that is too short.
  static std::optional<Ssrc> ssrc_of(ByteView datagram);

 private:
  std::map<Ssrc, std::uint64_t> last_heard_;  ///< by `clock_`
  std::uint64_t clock_ = 0;
  std::set<Ssrc> refused_;  ///< ordered, so that no peer can choose colliding SSRCs
};

}  // namespace sealroom::srtp
