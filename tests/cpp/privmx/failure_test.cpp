// The crypto library fails in the middle.

#include "privmx_fixture.h"
#include "sealroom/privmx/media_frame.h"
#include "support/failing_crypto.h"

namespace sealroom::privmx {
namespace {

using test::CryptoCall;
using test::fail_crypto;
using test::mend_crypto;

class PrivmxFailure : public PrivmxTest {
 protected:
  PrivmxFailure() { mend_crypto(); }
  ~PrivmxFailure() override { mend_crypto(); }
};

INSTANTIATE_TEST_SUITE_P(Backends, PrivmxFailure, every_backend(), test::BackendTestName());

TEST_P(PrivmxFailure, NoPlaintextIsLeftOfAFrameThatCouldNotBeOpened) {
  KeyStore keys = make_keys();
  Bytes sealed(100 + kMediaOverhead);
  ASSERT_TRUE(protect_media(keys, room_key_id(), iv(1), ClearHeader::by_kind,
                            FrameKind::video_other, 0, Bytes(100, 0x5a), sealed));
  Bytes out(sealed.size());
  fail_crypto(CryptoCall::aead_open);
  const auto opened =
      unprotect_media(keys, ClearHeader::by_kind, FrameKind::video_other, sealed, out);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), Error::crypto_failure);
  EXPECT_EQ(out, Bytes(out.size(), 0));
}

}  // namespace
}  // namespace sealroom::privmx
