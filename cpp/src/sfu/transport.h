#pragma once

#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "sealroom/base/datagram_batch.h"
#include "sealroom/rtp/fir_filter.h"
#include "sealroom/rtp/rtcp.h"
#include "sealroom/sfu/router.h"
#include "sealroom/srtp/idle_streams.h"
#include "sealroom/srtp/open_datagrams.h"
#include "sealroom/srtp/receiver.h"
#include "sealroom/srtp/sender.h"

namespace sealroom::sfu {

class Consumer;
class Producer;

/// The router's own SSRC in the RTCP it sends to producers.
inline constexpr Ssrc kRouterSsrc{1};
inline constexpr std::size_t kMaxRtcpSize = rtp::kMaxDatagramSize;
/// Consumers one transport may have in its life: their SSRCs are remembered, see
/// Transport::used_ssrcs.
inline constexpr std::size_t kMaxSsrcsPerTransport = 65'536;
/// Producers one transport may have at a time: SRTP has places for these, for the idle streams and
/// for those that are opened before the first of them is handed on.
inline constexpr std::size_t kMaxProducersPerTransport =
    srtp::kMaxReceiveStreams - srtp::kMaxIdleStreams - srtp::kMaxOpenedAtOnce;

/// SRTP packets behind the newest of a stream that are still opened: more than any cache holds, so
/// that what comes late is refused by the cache, whose bound it is.
inline constexpr std::size_t kReplayWindow = 4096;
/// Packets that the datagrams of one publisher that came together may let consumers catch up with,
/// see Transport::may_catch_up.
inline constexpr std::int64_t kMaxCatchUp = 256;

struct Transport;
/// The transports that have something to send, in no particular order.
using SendQueue = std::vector<Transport*>;

/// One association: its keys, what it carries, what waits to leave.
struct Transport {
  Transport(TransportId transport_id, SendQueue& queue) : id(transport_id), send_queue(queue) {}
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  [[nodiscard]] bool has_keys() const { return sender.has_value(); }

  /// Takes the first `size` bytes of `outgoing.prepare()`.
  void commit(std::size_t size) {
    outgoing.commit(size);
    if (is_queued) return;
    is_queued = true;
    send_queue.push_back(this);
  }

  /// Seals and queues what `write(rtp::RtcpWriter&)` writes; nothing before the keys are there.
  template <class Write>
  bool send_rtcp(Write&& write) {
    if (!has_keys()) return false;
    const MutableByteView buffer = outgoing.prepare(kMaxRtcpSize + srtp::kMaxRtcpOverhead);
    rtp::RtcpWriter writer(buffer.first(kMaxRtcpSize));
    write(writer);
    if (writer.size() == 0) return false;
    const auto size = sender->protect_rtcp(buffer, writer.size());
    if (size.ok()) commit(size.value());
    return size.ok();
  }

  /// An authenticated stream, if no producer takes it.
  void note_unused(Ssrc ssrc) {
    if (producers_by_ssrc.contains(ssrc.value)) return;
    idle_streams.add(ssrc, receiver ? &*receiver : nullptr);
  }
  void take(Ssrc ssrc, Producer& producer) {
    producers_by_ssrc.emplace(ssrc.value, &producer);
    idle_streams.remove(ssrc);
  }

  /// Whether consumers of one of its producers may begin so many packets behind the newest, which
  /// then leave in one piece. With too many in one piece, of one track or of several, it is better
  /// to ask for another key frame.
  bool may_catch_up(std::int64_t packets) {
    if (packets > catch_up_budget) return false;
    catch_up_budget -= packets;
    return true;
  }

  const TransportId id;
  SendQueue& send_queue;
  bool is_queued = false;
  rtp::ExtensionMap extensions;  ///< each producer and consumer has its own copy
  std::optional<srtp::Sender> sender;
  std::optional<srtp::Receiver> receiver;
  DatagramBatch outgoing;
  std::int64_t catch_up_budget = kMaxCatchUp;  ///< of the datagrams being handled
  rtp::FirFilter fir_filter;

  std::vector<Producer*> producers;
  std::unordered_map<std::uint32_t, Producer*> producers_by_ssrc;
  srtp::IdleStreams idle_streams;
  std::unordered_map<std::uint32_t, Consumer*> consumers_by_ssrc;
  /// Also of consumers that are gone. Used anew, an SSRC would begin again with the SRTP indices,
  /// and so the key stream, of the one before.
  std::unordered_set<std::uint32_t> used_ssrcs;
};

}  // namespace sealroom::sfu
