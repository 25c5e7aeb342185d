#pragma once

#include <algorithm>
#include <array>
#include <span>

#include "sealroom/rtp/packet.h"
#include "sealroom/srtp/receiver.h"

namespace sealroom::srtp {

/// Datagrams that are opened before the first of them is handed on: a batch fills the lanes of the
/// cipher, and what it opened is still in the cache.
inline constexpr std::size_t kMaxOpenedAtOnce = 32;

/// Opens SRTP datagrams in place, in order, and hands each on before a later SRTCP one is looked
/// at: `take_rtp(datagram, size)` with the verdict of unprotect_rtp, `take_rtcp(datagram)` as it
/// came. No two datagrams share memory. The functions must not use `receiver` for RTP.
template <class TakeRtp, class TakeRtcp>
void open_datagrams(Receiver& receiver, std::span<const MutableByteView> datagrams,
                    TakeRtp&& take_rtp, TakeRtcp&& take_rtcp) {
  const auto open_singly = [&](MutableByteView datagram) {
    if (rtp::is_rtcp(datagram)) {
      take_rtcp(datagram);
    } else {
      take_rtp(datagram, receiver.unprotect_rtp(datagram, datagram));
    }
  };
  if (datagrams.size() == 1 || !receiver.gains_from_batches()) {
    std::ranges::for_each(datagrams, open_singly);
    return;
  }
  std::array<UnprotectTask, kMaxOpenedAtOnce> tasks;
  while (!datagrams.empty()) {
    const auto within = datagrams.first(std::min(datagrams.size(), tasks.size()));
    const auto end = std::ranges::find_if(within, [](ByteView it) { return rtp::is_rtcp(it); });
    const auto count = static_cast<std::size_t>(end - within.begin());
    if (count <= 1) {
      open_singly(datagrams.front());
      datagrams = datagrams.subspan(1);
      continue;
    }
    for (std::size_t i = 0; i < count; ++i) tasks[i] = {datagrams[i], datagrams[i]};
    receiver.unprotect_rtp_batch(std::span(tasks).first(count));
    for (std::size_t i = 0; i < count; ++i) take_rtp(datagrams[i], tasks[i].size);
    datagrams = datagrams.subspan(count);
  }
}

}  // namespace sealroom::srtp
