#include <array>

#include "srtp/receiver_state.h"

namespace sealroom::srtp {

namespace {

/// A packet of the batch that is opened ahead of its turn.
struct Candidate {
  ParsedRtp packet;
  std::uint64_t index;  ///< guessed from the state before the batch
  std::size_t job;
};

}  // namespace

// The verdicts are those of single calls in order. All tags are checked first, under the indices
// that follow from the state before the batch, and what is authentic is decrypted. Then each packet
// has its turn and is entered or refused. One that could not be guessed ahead, or whose tag was
// wrong under the guess while the packets before it moved the state (its stream wrapped or began in
// between), goes through the single call. Nothing is entered before it lies in clear: a packet that
// the crypto library failed on may come again.
std::size_t Receiver::State::unprotect_rtp_part(Receiver& receiver,
                                                std::span<UnprotectTask> tasks) {
  std::array<OpenJob, kMaxBatch> jobs;
  std::array<Candidate, kMaxBatch> candidates;
  std::array<bool, kMaxBatch> authentic{};
  std::size_t count = 0;
  ReceiveKey* key = nullptr;  // of all candidates
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    candidates[i].packet.key = nullptr;
    const auto parsed = parse_rtp(tasks[i].packet, tasks[i].out);
    if (!parsed) continue;
    if (key != nullptr && parsed.value().key != key) continue;
    const auto judged = judge_rtp(parsed.value());
    if (!judged) continue;
    key = parsed.value().key;
    const RtpPacketHeader& header = parsed.value().header;
    candidates[i] = {parsed.value(), judged.value().index, count};
    jobs[count++] = {header.ssrc, judged.value().index, tasks[i].packet, header.size,
                     tasks[i].out.subspan(header.size, parsed.value().size - header.size)};
  }
  if (count > 0 && !key->rtp.verify_rtp_batch(std::span(jobs).first(count), authentic)) {
    // Nothing is known and nothing written: the single calls say which packets it was.
    for (std::size_t i = 0; i < tasks.size(); ++i) candidates[i].packet.key = nullptr;
    count = 0;
  }
  std::size_t to_decrypt = 0;  // of the jobs, moved to the front
  for (std::size_t i = 0; i < count; ++i) {
    if (authentic[i]) jobs[to_decrypt++] = jobs[i];
  }
  const auto decrypted = to_decrypt > 0
                             ? key->rtp.decrypt_rtp_batch(std::span(jobs).first(to_decrypt))
                             : Result<void>();

  std::size_t succeeded = 0;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const Candidate& candidate = candidates[i];
    UnprotectTask& task = tasks[i];
    const bool is_candidate = candidate.packet.key != nullptr;
    const auto judged = is_candidate ? judge_rtp(candidate.packet) : Error::not_ready;
    const bool moved = judged && judged.value().index != candidate.index;
    if (!is_candidate || (moved && !authentic[candidate.job])) {
      task.size = receiver.unprotect_rtp(task.packet, task.out);
    } else if (!authentic[candidate.job]) {
      task.size = judged ? Error::authentication_failed : judged.error();
    } else if (!decrypted || !judged || moved) {
      task.size = !decrypted ? decrypted.error()
                  : judged   ? Error::authentication_failed
                             : judged.error();
      const RtpPacketHeader& header = candidate.packet.header;
      secure_wipe(task.out.subspan(header.size, candidate.packet.size - header.size));
    } else {
      commit_rtp(candidate.packet, judged.value());
      if (task.out.data() != task.packet.data()) {
        copy_header(task.packet.first(candidate.packet.header.size), task.out);
      }
      task.size = candidate.packet.size;
    }
    succeeded += task.size.ok() ? 1 : 0;
  }
  return succeeded;
}

}  // namespace sealroom::srtp
