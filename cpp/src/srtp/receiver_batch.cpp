#include <array>

#include "srtp/receiver_state.h"

namespace sealroom::srtp {

namespace {

/// A packet of the batch whose tag is checked ahead of its turn.
struct Candidate {
  ParsedRtp packet;
  std::uint64_t index;  ///< guessed from the state before the batch
  std::size_t job;
};

}  // namespace

// The verdicts are those of single calls in order. All tags are checked first, under the indices
// that follow from the state before the batch. Then each packet has its turn: if the packets before
// it moved the state such that its index is another one (its stream wrapped or began in between) or
// if it could not be guessed ahead, it goes through the single call; else its tag has been checked,
// and it is entered or refused. Only what was entered is decrypted.
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
    if (!parsed || !parsed.value().key->rtp.gains_from_batches()) continue;
    if (key != nullptr && parsed.value().key != key) continue;
    const auto index = judge_rtp(parsed.value());
    if (!index) continue;
    key = parsed.value().key;
    const RtpPacketHeader& header = parsed.value().header;
    candidates[i] = {parsed.value(), index.value(), count};
    jobs[count++] = {header.ssrc, index.value(), tasks[i].packet, header.size,
                     tasks[i].out.subspan(header.size, parsed.value().size - header.size)};
  }
  if (count > 0 && !key->rtp.verify_rtp_batch(std::span(jobs).first(count), authentic)) {
    for (UnprotectTask& task : tasks) task.size = Error::crypto_failure;
    return 0;
  }

  std::size_t succeeded = 0;
  std::size_t accepted = 0;  // of the jobs, moved to the front
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const Candidate& candidate = candidates[i];
    UnprotectTask& task = tasks[i];
    const auto index = candidate.packet.key == nullptr ? Result<std::uint64_t>(Error::not_ready)
                                                       : judge_rtp(candidate.packet);
    if (candidate.packet.key == nullptr || (index && index.value() != candidate.index)) {
      task.size = receiver.unprotect_rtp(task.packet, task.out);
    } else if (!index) {
      task.size = index.error();
    } else if (!authentic[candidate.job]) {
      task.size = Error::authentication_failed;
    } else {
      commit_rtp(candidate.packet, candidate.index);
      copy_header(task.packet, candidate.packet.header.size, task.out);
      jobs[accepted++] = jobs[candidate.job];
      task.size = candidate.packet.size;
    }
    succeeded += task.size.ok() ? 1 : 0;
  }
  if (accepted > 0 && !key->rtp.decrypt_rtp_batch(std::span(jobs).first(accepted))) {
    for (UnprotectTask& task : tasks) task.size = Error::crypto_failure;
    return 0;
  }
  return succeeded;
}

}  // namespace sealroom::srtp
