#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <utility>
#include <vector>

#include "jitter_intake.h"
#include "native_call.h"
#include "sealroom/rtp/packet.h"

namespace sealroom::bindings {

void bind_rtp_batch(pybind11::module_& m);

namespace {

namespace py = pybind11;
using namespace py::literals;

/// One row of the table; its names are those of the numpy fields.
struct PacketRow {
  std::uint32_t ssrc;
  std::uint32_t timestamp;
  std::uint64_t payload_offset;
  std::uint32_t payload_size;
  std::uint16_t sequence_number;
  std::uint8_t payload_type;
  bool marker;
  bool is_valid;
};

PacketRow to_row(ByteView packet, std::size_t offset) {
  PacketRow row{};
  const auto parsed = rtp::RtpPacketView::parse(packet);
  if (!parsed) return row;
  const rtp::RtpPacketView& view = parsed.value();
  row.ssrc = view.header().ssrc.value;
  row.timestamp = view.header().timestamp.value;
  row.payload_offset = offset + view.header_size();
  row.payload_size = static_cast<std::uint32_t>(view.payload().size());
  row.sequence_number = view.header().sequence_number;
  row.payload_type = view.header().payload_type.value;
  row.marker = view.header().marker;
  row.is_valid = true;
  return row;
}

py::array parse_rtp_batch(const py::buffer& data, const py::object& sizes) {
  const py::array array = py::array::ensure(sizes);
  if (!array) raise(Error::invalid_argument, "sizes: a one-dimensional array of integers");
  const PacketBatch batch(data, array);
  const std::vector<ByteView>& packets = batch.views();
  py::array_t<PacketRow> table(static_cast<py::ssize_t>(packets.size()));
  PacketRow* rows = table.mutable_data();
  // Of each packet only the header is touched.
  run_native(packets.size() * sizeof(PacketRow), [&] {
    std::size_t offset = 0;
    for (std::size_t i = 0; i < packets.size(); ++i) {
      rows[i] = to_row(packets[i], offset);
      offset += packets[i].size();
    }
  });
  return std::move(table);
}

}  // namespace

void bind_rtp_batch(py::module_& m) {
  PYBIND11_NUMPY_DTYPE(PacketRow, ssrc, timestamp, payload_offset, payload_size, sequence_number,
                       payload_type, marker, is_valid);
  m.def(
      "parse_rtp_batch", &parse_rtp_batch, "data"_a, "sizes"_a,
      "The headers of packets (RFC 3550 section 5.1) that lie end to end in `data`, `sizes` "
      "(integers, shape (n,)) long,\n"
      "as a structured array of shape (n,): ssrc, timestamp (uint32), payload_offset (uint64, in\n"
      "data), payload_size (uint32, without padding), sequence_number (uint16), payload_type\n"
      "(uint8), marker, is_valid (bool). A packet that is not RTP has is_valid False and zeros.\n\n"
      "Raises InvalidArgumentError for sizes that are no integers or do not add up to data.");
}

}  // namespace sealroom::bindings
