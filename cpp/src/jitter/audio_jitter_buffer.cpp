#include "sealroom/jitter/audio_jitter_buffer.h"

#include "audio_jitter_state.h"

namespace sealroom::jitter {

AudioJitterBuffer::AudioJitterBuffer(AudioJitterConfig config)
    : state_(std::make_unique<State>(config)) {}
AudioJitterBuffer::~AudioJitterBuffer() = default;
AudioJitterBuffer::AudioJitterBuffer(AudioJitterBuffer&&) noexcept = default;
AudioJitterBuffer& AudioJitterBuffer::operator=(AudioJitterBuffer&&) noexcept = default;

void AudioJitterBuffer::insert(const AudioPacket& packet, TimePoint now) {
  state_->insert(packet, now);
  // Also behind a packet that was dropped, and after the packet: in time is in time.
  state_->handle_timeout(now);
}
void AudioJitterBuffer::handle_timeout(TimePoint now) { state_->handle_timeout(now); }
TimePoint AudioJitterBuffer::next_timeout() const { return state_->next_timeout(); }
bool AudioJitterBuffer::pop(AudioFrame& frame) { return state_->pop(frame); }
Playout AudioJitterBuffer::next(AudioFrame& frame, TimePoint now) {
  return state_->pull(frame, now);
}
PlayoutHint AudioJitterBuffer::hint() const { return state_->hint(); }
const AudioJitterStatistics& AudioJitterBuffer::statistics() const { return state_->statistics; }

}  // namespace sealroom::jitter
