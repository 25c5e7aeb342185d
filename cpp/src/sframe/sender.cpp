#include "sealroom/sframe/sender.h"

#include "aad.h"
#include "frame_cipher.h"

namespace sealroom::sframe {

struct Sender::State {
  FrameCipher cipher;
  CipherSuite suite;
  Header next;
  std::uint64_t counter_limit;
};

Result<Sender> Sender::create(crypto::Backend backend, CipherSuite suite, KeyId key_id,
                              ByteView base_key, SenderOptions options) {
  auto cipher = FrameCipher::create(backend, suite, key_id, base_key);
  if (!cipher) return cipher.error();
  return Sender(
      std::make_unique<State>(State{std::move(cipher).value(), suite,
                                    Header{key_id, options.first_counter}, options.counter_limit}));
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

  const auto encoded = state.next.encode(out);
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

std::size_t Sender::protected_size(std::size_t plaintext_size) const {
  return state_->next.encoded_size() + plaintext_size + state_->cipher.tag_size();
}

std::uint64_t Sender::next_counter() const { return state_->next.counter; }
KeyId Sender::key_id() const { return state_->next.key_id; }
CipherSuite Sender::suite() const { return state_->suite; }

}  // namespace sealroom::sframe
