// RFC 3711 appendix B, RFC 6188 section 7, RFC 7714 sections 16 and 17, and whole packets of
// libsrtp's own tests.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "sealroom/crypto/aes_ctr.h"
#include "srtp/key_derivation.h"
#include "srtp/packet_cipher.h"
#include "srtp/support.h"
#include "support/hex.h"
#include "support/json.h"

namespace sealroom::srtp {
namespace {

using sealroom::test::from_hex;
using sealroom::test::Json;

class SrtpVectors : public testing::TestWithParam<crypto::Backend> {};

INSTANTIATE_TEST_SUITE_P(Backends, SrtpVectors,
                         testing::ValuesIn(sealroom::test::available_backends()),
                         sealroom::test::BackendTestName());

TEST_P(SrtpVectors, KeyStreamIsThatOfRfc3711AppendixB2) {
  auto cipher =
      crypto::AesCtr::create(GetParam(), from_hex("2B7E151628AED2A6ABF7158809CF4F3C")).value();
  const auto block = counter_block(from_hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"), Ssrc{0}, 0);
  Bytes stream(0xFF02 * 16);
  ASSERT_TRUE(cipher->crypt(block, stream, stream).ok());
  const std::map<std::size_t, std::string> blocks{
      {0x0000, "E03EAD0935C95E80E166B16DD92B4EB4"}, {0x0001, "D23513162B02D0F72A43A2FE4A5F97AB"},
      {0x0002, "41E95B3BB0A2E8DD477901E4FCA894C0"}, {0xFEFF, "EC8CDF7398607CB0F2D21675EA9EA1E4"},
      {0xFF00, "362B7C3C6773516318A077D7FC5073AE"}, {0xFF01, "6A2CC3787889374FBEB4C81B17BA6C44"}};
  for (const auto& [number, expected] : blocks) {
    const ByteView part = ByteView(stream).subspan(16 * number, 16);
    EXPECT_EQ(Bytes(part.begin(), part.end()), from_hex(expected)) << number;
  }
}

TEST_P(SrtpVectors, SessionKeysAreThoseOfRfc3711AppendixB3) {
  const Bytes key = from_hex("E1F97A0D3E018BE0D64FA32C06DE4139");
  const Bytes salt = from_hex("0EC675AD498AFEEBB6960B3AABE6");
  const std::vector<std::string> expected{
      "C61E7A93744F39EE10734AFE3FF7A087",
      "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCEE049646C43D9327AD175578EF722"
      "70986371C10C9A36"
      "9AC2F94A8C5FBCDDDC256D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2",
      "30CBBC08863D8C85D49DB34A9AE1"};
  for (std::size_t label = 0; label < expected.size(); ++label) {
    Bytes derived(expected[label].size() / 2);
    ASSERT_TRUE(derive(GetParam(), key, salt, static_cast<std::uint8_t>(label), derived).ok());
    EXPECT_EQ(derived, from_hex(expected[label])) << "label " << label;
  }
}

TEST_P(SrtpVectors, KeyStreamIsThatOfRfc6188Section71) {
  auto cipher =
      crypto::AesCtr::create(
          GetParam(), from_hex("57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98"))
          .value();
  const auto block = counter_block(from_hex("f0f1f2f3f4f5f6f7f8f9fafbfcfd"), Ssrc{0}, 0);
  Bytes stream(0xFF02 * 16);
  ASSERT_TRUE(cipher->crypt(block, stream, stream).ok());
  EXPECT_EQ(Bytes(stream.begin(), stream.begin() + 48),
            from_hex("92bdd28a93c3f52511c677d08b5515a49da71b2378a854f67050756ded165bac"
                     "63c4868b7096d88421b563b8c94c9a31"));
  EXPECT_EQ(Bytes(stream.end() - 48, stream.end()),
            from_hex("cea518c90fd91ced9cbb18c078a547113dbc4814f4da5f00a08772b63c6a046d"
                     "6eb246913062a16891433e97dd01a57f"));
}

TEST_P(SrtpVectors, SessionKeysAreThoseOfRfc6188Section72) {
  const Bytes key = from_hex("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6");
  const Bytes salt = from_hex("3b04803de51ee7c96423ab5b78d2");
  const std::vector<std::string> expected{
      "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4",
      "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05", "fa31791685ca444a9e07c6c64e93"};
  for (std::size_t label = 0; label < expected.size(); ++label) {
    Bytes derived(expected[label].size() / 2);
    ASSERT_TRUE(derive(GetParam(), key, salt, static_cast<std::uint8_t>(label), derived).ok());
    EXPECT_EQ(derived, from_hex(expected[label])) << "label " << label;
  }
}

// The RFC starts from session keys: 00 01 02 ... and the salt "Quid pro quo".
PacketCipher rfc7714_cipher(crypto::Backend backend, Profile profile) {
  const auto parameters = profile_parameters(profile).value();
  SessionKeys keys{SecretBytes<32>(parameters.key_size), {}, SecretBytes<kMaxSaltSize>(12)};
  for (std::size_t i = 0; i < parameters.key_size; ++i) {
    keys.key.mutable_view()[i] = static_cast<std::uint8_t>(i);
  }
  std::ranges::copy(as_bytes("Quid pro quo"), keys.salt.mutable_view().begin());
  return PacketCipher::create(backend, parameters, keys).value();
}

TEST_P(SrtpVectors, RtpPacketsAreThoseOfRfc7714Section16) {
  const Bytes header = from_hex("8040f17b8041f8d35501a0b2");
  const ByteView payload = as_bytes("Gallia est omnis divisa in partes tres");
  const std::map<Profile, std::string> expected{
      {Profile::aead_aes_128_gcm,
       "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9"
       "152cf765ee4390cce"},
      {Profile::aead_aes_256_gcm,
       "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b7aa3db36dfffd6b"
       "0f9bb7878d7a76c13"}};
  for (const auto& [profile, ciphertext] : expected) {
    auto cipher = rfc7714_cipher(GetParam(), profile);
    Bytes packet = header;
    packet.resize(header.size() + payload.size() + 16);
    ASSERT_TRUE(cipher.seal_rtp({Ssrc{0x5501a0b2}, 0xf17b, packet, header.size(), payload}).ok());
    EXPECT_EQ(Bytes(packet.begin() + 12, packet.end()), from_hex(ciphertext));
    Bytes opened(payload.size());
    ASSERT_TRUE(cipher.open_rtp({Ssrc{0x5501a0b2}, 0xf17b, packet, header.size(), opened}).ok());
    EXPECT_TRUE(std::ranges::equal(opened, payload));
  }
}

TEST_P(SrtpVectors, RtcpPacketsAreThoseOfRfc7714Section17) {
  const Bytes compound = from_hex(
      "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdead"
      "beefdeadbeef");
  const std::map<Profile, std::string> expected{
      {Profile::aead_aes_128_gcm,
       "63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275bc84"
       "aa45896cf4d2fc5abf8"
       "7245d9eade800005d4"},
      {Profile::aead_aes_256_gcm,
       "d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de0476f1b6fad1d1"
       "eb30c4446839f57ff6f"
       "6cb26ac3be800005d4"}};
  for (const auto& [profile, ciphertext] : expected) {
    auto cipher = rfc7714_cipher(GetParam(), profile);
    Bytes packet = compound;
    packet.resize(compound.size() + 20);
    ASSERT_TRUE(cipher.seal_rtcp(Ssrc{0x4d617273}, 0x5d4, packet, compound.size()).ok());
    EXPECT_EQ(Bytes(packet.begin() + 8, packet.end()), from_hex(ciphertext));
    Bytes opened(compound.size() - 8);
    ASSERT_TRUE(cipher.open_rtcp(Ssrc{0x4d617273}, 0x5d4, packet, opened).ok());
    EXPECT_TRUE(std::ranges::equal(opened, ByteView(compound).subspan(8)));
  }
}

TEST_P(SrtpVectors, PacketsAreThoseOfLibsrtp) {
  const std::map<std::string, Profile> profiles{
      {"SRTP_AES128_CM_HMAC_SHA1_80", Profile::aes128_cm_sha1_80},
      {"SRTP_AEAD_AES_128_GCM", Profile::aead_aes_128_gcm},
      {"RFC 6188 AES_256_CM_HMAC_SHA1_80", Profile::aes256_cm_sha1_80}};
  std::size_t checked = 0;
  const Json file = Json::load("srtp-libsrtp.json");
  for (const Json& entry : file.items()) {
    const auto profile = profiles.find(entry["profile"].text());
    ASSERT_NE(profile, profiles.end()) << entry["name"].text();
    const bool is_aes_256 = entry.has("aes_256_test_key");
    const Bytes master = entry[is_aes_256 ? "aes_256_test_key" : "master_key_and_salt"].hex();
    auto sender = Sender::create(GetParam(), profile->second, master).value();
    auto receiver = Receiver::create(GetParam(), profile->second, master).value();
    const bool has_rtp_name = entry.has("rtp_plaintext_ref");
    const Bytes rtp = entry[has_rtp_name ? "rtp_plaintext_ref" : "srtp_plaintext_ref"].hex();
    EXPECT_TRUE(test::gives(test::protect_rtp(sender, rtp), entry["srtp_ciphertext"].hex()));
    EXPECT_TRUE(test::gives(test::unprotect_rtp(receiver, entry["srtp_ciphertext"].hex()), rtp));
    ++checked;
    if (!entry.has("srtcp_ciphertext")) continue;
    const Bytes rtcp = entry["rtcp_plaintext_ref"].hex();
    EXPECT_TRUE(test::gives(test::protect_rtcp(sender, rtcp), entry["srtcp_ciphertext"].hex()));
    EXPECT_TRUE(test::gives(test::unprotect_rtcp(receiver, entry["srtcp_ciphertext"].hex()), rtcp));
    ++checked;
  }
  EXPECT_EQ(checked, 5U);
}

}  // namespace
}  // namespace sealroom::srtp
