#include "key_schedule.h"

#include <algorithm>
#include <array>

#include "sealroom/base/byte_writer.h"
#include "sealroom/crypto/hkdf.h"
#include "sealroom/sframe/key_commitment.h"
#include "sealroom/sframe/ratchet.h"

namespace sealroom::sframe {
namespace {

constexpr std::string_view kRatchetLabel = "SFrame 1.0 Ratchet";
constexpr std::string_view kCommitmentLabel{"sealroom/1 SFrame key commitment\0", 33};

}  // namespace

Result<Secret> extract_secret(const SuiteParameters& parameters, ByteView base_key) {
  if (base_key.empty()) return Error::invalid_argument;
  Secret secret(parameters.hash_size);
  const auto extracted = crypto::hkdf_extract(parameters.hash, {}, base_key, secret.mutable_view());
  if (!extracted) return extracted.error();
  return secret;
}

Result<void> expand_secret(const SuiteParameters& parameters, CipherSuite suite, KeyId key_id,
                           const Secret& secret, std::string_view label, MutableByteView out) {
  std::array<std::uint8_t, 40> info;
  ByteWriter writer(info);
  writer.bytes(as_bytes(label));
  writer.u64(key_id.value);
  writer.u16(static_cast<std::uint16_t>(suite));
  return crypto::hkdf_expand(parameters.hash, secret.view(), writer.written(), out);
}

Result<Secret> next_base_key(CipherSuite suite, ByteView base_key) {
  const auto parameters = suite_parameters(suite);
  if (!parameters) return parameters.error();
  const auto secret = extract_secret(parameters.value(), base_key);
  if (!secret) return secret.error();
  Secret next(parameters.value().hash_size);
  const auto expanded = crypto::hkdf_expand(parameters.value().hash, secret.value().view(),
                                            as_bytes(kRatchetLabel), next.mutable_view());
  if (!expanded) return expanded.error();
  return next;
}

Result<std::size_t> ratchet_base_key(CipherSuite suite, ByteView base_key, MutableByteView out) {
  const auto next = next_base_key(suite, base_key);
  if (!next) return next.error();
  const ByteView key = next.value().view();
  if (out.size() < key.size()) return Error::buffer_too_small;
  std::copy(key.begin(), key.end(), out.begin());
  return key.size();
}

Result<KeyCommitment> key_commitment(CipherSuite suite, KeyId key_id, ByteView base_key) {
  const auto parameters = suite_parameters(suite);
  if (!parameters) return parameters.error();
  const auto secret = extract_secret(parameters.value(), base_key);
  if (!secret) return secret.error();
  // Each field after its length, as in the other labels of sealroom's key schedule.
  std::array<std::uint8_t, kCommitmentLabel.size() + 2 * (4 + 8)> info;
  ByteWriter writer(info);
  writer.bytes(as_bytes(kCommitmentLabel));
  for (const std::uint64_t field :
       {std::uint64_t{static_cast<std::uint16_t>(suite)}, key_id.value}) {
    writer.u32(sizeof(field));
    writer.u64(field);
  }
  KeyCommitment commitment;
  const auto expanded =
      crypto::hkdf_expand(parameters.value().hash, secret.value().view(), info, commitment);
  if (!expanded) return expanded.error();
  return commitment;
}

Result<void> check_commitment(CipherSuite suite, KeyId key_id, ByteView base_key,
                              ByteView commitment) {
  if (commitment.size() != kCommitmentSize) return Error::invalid_argument;
  const auto expected = key_commitment(suite, key_id, base_key);
  if (!expected) return expected.error();
  if (!equal_constant_time(expected.value(), commitment)) return Error::commitment_mismatch;
  return {};
}

}  // namespace sealroom::sframe
