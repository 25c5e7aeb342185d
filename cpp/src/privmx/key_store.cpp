#include "sealroom/privmx/key_store.h"

#include <algorithm>

namespace sealroom::privmx {
namespace {

bool is_hex_digit(std::uint8_t byte) {
  return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') ||
         (byte >= 'A' && byte <= 'F');
}

}  // namespace

Result<RoomKeyId> RoomKeyId::parse(ByteView text) {
  if (text.size() != kSize || !std::all_of(text.begin(), text.end(), is_hex_digit)) {
    return Error::malformed;
  }
  RoomKeyId key_id;
  std::copy(text.begin(), text.end(), key_id.digits_.begin());
  return key_id;
}

struct KeyStore::Key {
  RoomKeyId key_id;
  std::unique_ptr<crypto::Aead> aead;
  std::uint64_t sealed = 0;
  std::array<std::uint8_t, kIvSize> last_iv{};
};

KeyStore::KeyStore(crypto::Backend backend, std::uint64_t message_limit)
    : backend_(backend), message_limit_(message_limit) {}
KeyStore::KeyStore(KeyStore&&) noexcept = default;
KeyStore& KeyStore::operator=(KeyStore&&) noexcept = default;
KeyStore::~KeyStore() = default;

Result<void> KeyStore::add(const RoomKeyId& key_id, ByteView key) {
  if (key.size() != kKeySize || contains(key_id)) return Error::invalid_argument;
  if (keys_.size() >= kMaxKeys) return Error::limit_exceeded;
  auto aead = crypto::Aead::create(backend_, crypto::AeadAlgorithm::aes_256_gcm, key);
  if (!aead) return aead.error();
  keys_.push_back(std::make_unique<Key>(Key{key_id, std::move(aead).value(), 0, {}}));
  return {};
}

bool KeyStore::remove(const RoomKeyId& key_id) {
  return std::erase_if(keys_, [&](const auto& key) { return key->key_id == key_id; }) > 0;
}

bool KeyStore::contains(const RoomKeyId& key_id) const { return find(key_id) != nullptr; }

std::size_t KeyStore::size() const { return keys_.size(); }

Result<void> KeyStore::seal(const RoomKeyId& key_id, ByteView iv, ByteView aad, ByteView plaintext,
                            MutableByteView out) {
  Key* const key = find(key_id);
  if (key == nullptr) return Error::unknown_key_id;
  if (iv.size() != kIvSize) return Error::invalid_argument;
  if (key->sealed > 0 && std::equal(iv.begin(), iv.end(), key->last_iv.begin())) {
    return Error::invalid_argument;
  }
  if (key->sealed >= message_limit_) return Error::key_exhausted;
  const auto sealed = key->aead->seal(iv, aad, plaintext, out);
  if (!sealed) return sealed.error();
  ++key->sealed;
  std::copy(iv.begin(), iv.end(), key->last_iv.begin());
  return {};
}

Result<void> KeyStore::open(const RoomKeyId& key_id, ByteView iv, ByteView aad, ByteView ciphertext,
                            MutableByteView out) {
  Key* const key = find(key_id);
  if (key == nullptr) return Error::unknown_key_id;
  auto opened = key->aead->open(iv, aad, ciphertext, out);
  if (!opened && opened.error() == Error::crypto_failure) secure_wipe(out);
  return opened;
}

KeyStore::Key* KeyStore::find(const RoomKeyId& key_id) const {
  const auto found = std::find_if(keys_.begin(), keys_.end(),
                                  [&](const auto& key) { return key->key_id == key_id; });
  return found == keys_.end() ? nullptr : found->get();
}

}  // namespace sealroom::privmx
