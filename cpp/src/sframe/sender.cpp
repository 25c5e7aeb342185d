#include "sealroom/sframe/sender.h"

#include "aad.h"
#include "frame_cipher.h"
#include "key_schedule.h"

namespace sealroom::sframe {

struct Sender::State {
  FrameCipher cipher;
  crypto::Backend backend;
  CipherSuite suite;
  Header next;
  std::uint64_t counter_limit;
  unsigned ratchet_bits;
  Secret next_base_key;  ///< of the next step, if there are steps
};

Result<Sender> Sender::create(crypto::Backend backend, CipherSuite suite, KeyId key_id,
                              ByteView base_key, SenderOptions options) {
  if (options.ratchet_bits > kMaxRatchetBits) return Error::invalid_argument;
  auto cipher = FrameCipher::create(backend, suite, key_id, base_key);
  if (!cipher) return cipher.error();
  auto next = options.ratchet_bits > 0 ? next_base_key(suite, base_key) : Result<Secret>(Secret());
  if (!next) return next.error();
  return Sender(std::make_unique<State>(
      State{std::move(cipher).value(), backend, suite, Header{key_id, options.first_counter},
            options.counter_limit, options.ratchet_bits, std::move(next).value()}));
}

Sender::Sender(std::unique_ptr<State> state) : state_(std::move(state)) {}
Sender::Sender(Sender&&) noexcept = default;
Sender& Sender::operator=(Sender&&) noexcept = default;
Sender::~Sender() = default;

Result<std::size_t> Sender::protect(ByteView metadata, ByteView plaintext, MutableByteView out) {
  State& state = *state_;
  if (state.next.counter >= state.counter_limit) return Error::key_exhausted;
  if (metadata.size() > kMaxMetadataSize) return Error::invalid_argument;
  const std::size_t size = protected_size(plaintext.size());
  if (out.size() < size) return Error::buffer_too_small;

  const auto encoded = state.next.encode(out.first(size));
  if (!encoded) return encoded.error();
  const ByteView header = out.first(encoded.value());
  const MutableByteView ciphertext = out.subspan(header.size(), size - header.size());
  const auto sealed = metadata.empty()
                          ? state.cipher.seal(state.next.counter, header, plaintext, ciphertext)
                          : state.cipher.seal(state.next.counter, Aad(header, metadata).view(),
                                              plaintext, ciphertext);
  if (!sealed) {
    // The counter will be used again, so nothing made under it may leave.
    secure_wipe(out.first(size));
    return sealed.error();
  }
  ++state.next.counter;
  return size;
}

Result<void> Sender::ratchet() {
  State& state = *state_;
  if (state.ratchet_bits == 0) return Error::invalid_argument;
  const KeyId key_id = next_ratchet_key_id(state.next.key_id, state.ratchet_bits);
  auto cipher = FrameCipher::create(state.backend, state.suite, key_id, state.next_base_key.view());
  if (!cipher) return cipher.error();
  auto next = next_base_key(state.suite, state.next_base_key.view());
  if (!next) return next.error();
  state.cipher = std::move(cipher).value();
  state.next_base_key = std::move(next).value();
  state.next = Header{key_id, 0};
  return {};
}

std::size_t Sender::protected_size(std::size_t plaintext_size) const {
  return state_->next.encoded_size() + plaintext_size + state_->cipher.tag_size();
}

std::uint64_t Sender::next_counter() const { return state_->next.counter; }
KeyId Sender::key_id() const { return state_->next.key_id; }
CipherSuite Sender::suite() const { return state_->suite; }

}  // namespace sealroom::sframe
