#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>
#include <vector>

#include "buffers.h"
#include "errors.h"
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

py::array_t<PacketRow> parse_rtp_batch(
    const py::buffer& data,
    const py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>& sizes) {
  const ReadBuffer in(data);
  if (sizes.ndim() != 1) raise(Error::invalid_argument, "sizes: one dimension");
  const auto count = static_cast<std::size_t>(sizes.shape(0));
  // A copy: what is checked here must be what is read without the GIL.
  const std::vector<std::int64_t> size(sizes.data(), sizes.data() + count);
  std::size_t left = in.view().size();
  for (std::size_t i = 0; i < count; ++i) {
    if (size[i] < 0 || static_cast<std::size_t>(size[i]) > left) {
      raise(Error::invalid_argument,
            "sizes: packet " + std::to_string(i) + " lies outside the buffer");
    }
    left -= static_cast<std::size_t>(size[i]);
  }
  py::array_t<PacketRow> table(static_cast<py::ssize_t>(count));
  PacketRow* rows = table.mutable_data();
  // Of each packet only the header is touched.
  run_native(count * sizeof(PacketRow), [&] {
    std::size_t offset = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const auto bytes = static_cast<std::size_t>(size[i]);
      rows[i] = to_row(in.view().subspan(offset, bytes), offset);
      offset += bytes;
    }
  });
  return table;
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
      "Raises InvalidArgumentError if the sizes do not lie within data.");
}

}  // namespace sealroom::bindings
