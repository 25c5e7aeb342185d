#include "sealroom/sframe/receiver.h"

#include <algorithm>
#include <vector>

#include "aad.h"
#include "frame_cipher.h"
#include "replay_window.h"

namespace sealroom::sframe {
namespace {

struct Key {
  KeyId key_id;
  FrameCipher cipher;
  ReplayWindow window;
};

}  // namespace

struct Receiver::State {
  crypto::Backend backend;
  CipherSuite suite;
  std::vector<std::unique_ptr<Key>> keys;  ///< one or two in practice, so a scan beats a map

  [[nodiscard]] auto find(KeyId key_id) {
    return std::find_if(keys.begin(), keys.end(),
                        [&](const auto& key) { return key->key_id == key_id; });
  }
};

Receiver::Receiver(crypto::Backend backend, CipherSuite suite)
    : state_(std::make_unique<State>(State{backend, suite, {}})) {}
Receiver::Receiver(Receiver&&) noexcept = default;
Receiver& Receiver::operator=(Receiver&&) noexcept = default;
Receiver::~Receiver() = default;

Result<void> Receiver::add_key(KeyId key_id, ByteView base_key) {
  if (has_key(key_id)) return Error::invalid_argument;
  if (state_->keys.size() >= kMaxReceiverKeys) return Error::limit_exceeded;
  auto cipher = FrameCipher::create(state_->backend, state_->suite, key_id, base_key);
  if (!cipher) return cipher.error();
  state_->keys.push_back(
      std::make_unique<Key>(Key{key_id, std::move(cipher).value(), ReplayWindow()}));
  return {};
}

bool Receiver::remove_key(KeyId key_id) {
  const auto key = state_->find(key_id);
  if (key == state_->keys.end()) return false;
  state_->keys.erase(key);
  return true;
}

bool Receiver::has_key(KeyId key_id) const { return state_->find(key_id) != state_->keys.end(); }

Result<std::size_t> Receiver::unprotect(ByteView metadata, ByteView frame, MutableByteView out) {
  if (metadata.size() > kMaxMetadataSize) return Error::invalid_argument;
  const auto parsed = Header::parse(frame);
  if (!parsed) return parsed.error();
  const Header header = parsed.value().header;
  const auto found = state_->find(header.key_id);
  if (found == state_->keys.end()) return Error::unknown_key_id;
  Key& key = **found;

  const ByteView ciphertext = frame.subspan(parsed.value().size);
  if (ciphertext.size() < key.cipher.tag_size()) return Error::truncated;
  const std::size_t size = ciphertext.size() - key.cipher.tag_size();
  if (out.size() < size) return Error::buffer_too_small;
  const ByteView encoded_header = frame.first(parsed.value().size);

  const auto fresh = key.window.check(header.counter);
  if (!fresh) return fresh.error();
  const MutableByteView plaintext = out.first(size);
  const auto opened = metadata.empty()
                          ? key.cipher.open(header.counter, encoded_header, ciphertext, plaintext)
                          : key.cipher.open(header.counter, Aad(encoded_header, metadata).view(),
                                            ciphertext, plaintext);
  if (!opened) return opened.error();
  key.window.accept(header.counter);
  return size;
}

}  // namespace sealroom::sframe
