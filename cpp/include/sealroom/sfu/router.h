#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/base/types.h"
#include "sealroom/crypto/backend.h"
#include "sealroom/rtp/header_extension.h"
#include "sealroom/rtp/payload_format.h"
#include "sealroom/srtp/profile.h"

namespace sealroom::sfu {

using TransportId = StrongNumber<struct TransportIdTag, std::uint64_t>;  ///< one DTLS association
using ProducerId =
    StrongNumber<struct ProducerIdTag, std::uint64_t>;  ///< a track somebody sends to the router
using ConsumerId =
    StrongNumber<struct ConsumerIdTag, std::uint64_t>;  ///< that track on its way to a subscriber

struct ProducerConfig {
  rtp::Codec codec{};
  PayloadType payload_type{};
  std::optional<Ssrc> ssrc;  ///< absent: latched from the first authenticated packet with this mid
  std::string mid;           ///< at most 16 bytes
};

struct ConsumerConfig {
  PayloadType payload_type{};
  Ssrc ssrc{};  ///< the subscriber's, unique in its transport
  std::string mid;
  std::uint16_t first_sequence_number = 0;
};

struct ProducerStatistics {
  std::uint64_t packets_received = 0;
  std::uint64_t bytes_received = 0;  ///< RTP payload
  std::uint64_t packets_lost = 0;
  std::uint64_t nacks_sent = 0;  ///< packets asked for, retries counted
  std::uint64_t key_frame_requests_sent = 0;
};

struct ConsumerStatistics {
  std::uint64_t packets_sent = 0;
  std::uint64_t bytes_sent = 0;  ///< RTP payload
  std::uint64_t packets_retransmitted = 0;
  std::uint64_t nacks_received = 0;  ///< messages
  std::uint64_t key_frame_requests_received = 0;
  std::uint8_t fraction_lost = 0;  ///< of the last receiver report, of 256
};

struct RouterStatistics {
  std::uint64_t packets_received = 0;
  std::uint64_t packets_forwarded = 0;
  std::uint64_t bytes_forwarded = 0;  ///< RTP payload
  /// Not authentic, replayed, of no producer, of a stream that was given up, or larger than 1500
  /// bytes.
  std::uint64_t packets_rejected = 0;
};

/// A frame as the router could see it: the reassembled payload, which is ciphertext.
struct TappedFrame {
  Bytes data;
  RtpTimestamp timestamp{};
  bool is_key_frame = false;
};

/// Datagrams for one transport, equal in size but for the last, ready for one GSO call.
struct Transmit {
  TransportId transport{};
  ByteView data;
  std::size_t segment_size = 0;
};

struct RouterLimits {
  std::size_t max_transports = 10000;
  std::size_t max_producers = 10000;
  std::size_t max_consumers = 100000;
  std::size_t max_tapped_frames = 256;  ///< per producer, and 32 MiB; oldest dropped
};

/// A selective forwarding unit (RFC 7667 section 3.7): opens SRTP from a producer, rewrites the
/// header for each consumer, seals it again. Holds no frame key: this layer does not link sframe.
/// Answers NACKs from a packet cache per producer (a retransmission is byte-identical to the first
/// sending, no sequence number ever stands for two packets), asks the producer for what it lost
/// itself, passes key-frame requests on at most every 300 ms per producer, and originates receiver
/// reports to producers and sender reports to consumers. A video consumer starts with a key frame,
/// which its arrival asks for.
/// Sans-IO and single-threaded: one input (datagram, time-out, change), then drain poll_transmit
/// until it says false. After a change look at next_timeout too: what it set off (a key-frame
/// request) may be due at once. No allocation per packet after warm-up. Memory: per
/// producer its last 2048 packets of video or 128 of audio, 3.3 MiB and 0.3 MiB at most; per
/// transport what was waiting to leave at its worst of late, see DatagramBatch. Errors:
/// invalid_argument for an unknown id or a bad configuration, limit_exceeded, and those of srtp.
class Router {
 public:
  explicit Router(crypto::Backend backend, RouterLimits limits = {});
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  Result<TransportId> add_transport();
  void remove_transport(TransportId id);  ///< and its producers and consumers
  /// Installs the keys of the association, once; packets before are dropped. `send` and `receive`
  /// are master key and salt.
  Result<void> set_keys(TransportId id, srtp::Profile profile, ByteView send, ByteView receive);
  /// Producers and consumers that have carried a packet keep theirs, as a retransmission must not
  /// differ.
  Result<void> set_extensions(TransportId id, const rtp::ExtensionMap& map);

  /// The SSRC of a producer that was removed may come back, as long as its stream was not given up
  /// (srtp::IdleStreams): then it is refused, its SRTP replay window being gone.
  Result<ProducerId> add_producer(TransportId id, ProducerConfig config);
  void remove_producer(ProducerId id);  ///< and its consumers, each with a BYE
  /// An SSRC that this transport had before is refused: its SRTP indices are spent.
  Result<ConsumerId> add_consumer(TransportId id, ProducerId producer, ConsumerConfig config);
  void remove_consumer(ConsumerId id);
  Result<void> set_consumer_paused(
      ConsumerId id, bool paused);  ///< a resumed video consumer waits for a key frame

  /// Datagrams in order of arrival, opened in place; no two share memory. What came together is
  /// best given together, as for session::MediaSession.
  void handle_datagrams(TransportId from, std::span<const MutableByteView> datagrams,
                        TimePoint now);
  void handle_datagram(TransportId from, MutableByteView datagram, TimePoint now) {
    handle_datagrams(from, {&datagram, 1}, now);
  }
  void handle_timeout(TimePoint now);
  [[nodiscard]] TimePoint next_timeout() const;
  /// False when nothing is left. The view stays valid until the next call of any method.
  bool poll_transmit(Transmit& transmit);

  Result<void> set_tap(ProducerId id, bool enabled);
  std::vector<TappedFrame> take_tapped_frames(ProducerId id);

  [[nodiscard]] RouterStatistics statistics() const;
  [[nodiscard]] std::optional<ProducerStatistics> statistics(ProducerId id) const;
  [[nodiscard]] std::optional<ConsumerStatistics> statistics(ConsumerId id) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sealroom::sfu
