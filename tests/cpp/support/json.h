#pragma once

#include <cstdint>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sealroom/base/bytes.h"
#include "support/hex.h"

namespace sealroom::test {

/// A JSON value of a vector file. Numbers are unsigned 64-bit integers, because KID and CTR reach
/// 2^64-1; anything else throws. Asking for the wrong kind or a missing key throws too, which fails
/// the test.
class Json {
 public:
  enum class Kind : std::uint8_t { null, boolean, number, text, array, object };

  static Json parse(std::string_view text);
  /// A file of tests/vectors, e.g. "srtp-libsrtp.json".
  static Json load(const std::string& name) {
    std::ifstream file(std::string(SEALROOM_VECTORS) + "/" + name, std::ios::binary);
    if (!file) throw std::runtime_error("no vector file " + name);
    return parse(std::string{std::istreambuf_iterator<char>(file), {}});
  }

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] bool boolean() const { return expect(Kind::boolean).number_ != 0; }
  [[nodiscard]] std::uint64_t number() const { return expect(Kind::number).number_; }
  [[nodiscard]] const std::string& text() const { return expect(Kind::text).text_; }
  [[nodiscard]] Bytes hex() const { return from_hex(text()); }
  [[nodiscard]] const std::vector<Json>& items() const { return expect(Kind::array).items_; }

  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }
  const Json& operator[](std::string_view key) const {
    const Json* value = find(key);
    if (value == nullptr) throw std::runtime_error("no JSON key " + std::string(key));
    return *value;
  }

 private:
  class Parser;

  [[nodiscard]] const Json& expect(Kind kind) const {
    if (kind_ != kind) throw std::runtime_error("JSON value of another kind");
    return *this;
  }
  [[nodiscard]] const Json* find(std::string_view key) const {
    const auto& values = expect(Kind::object).items_;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (keys_[i] == key) return &values[i];
    }
    return nullptr;
  }

  Kind kind_ = Kind::null;
  std::uint64_t number_ = 0;
  std::string text_;
  std::vector<std::string> keys_;  ///< of an object, parallel to items_
  std::vector<Json> items_;
};

class Json::Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Json document() {
    Json result = value(0);
    skip_space();
    if (position_ != text_.size()) fail();
    return result;
  }

 private:
  static constexpr int kMaxDepth = 32;

  [[noreturn]] void fail() const {
    throw std::runtime_error("JSON error at byte " + std::to_string(position_));
  }
  [[nodiscard]] char peek() const {
    if (position_ >= text_.size()) fail();
    return text_[position_];
  }
  char take() {
    const char c = peek();
    ++position_;
    return c;
  }
  void expect(std::string_view literal) {
    if (text_.substr(position_, literal.size()) != literal) fail();
    position_ += literal.size();
  }
  void skip_space() {
    while (position_ < text_.size() && std::string_view(" \t\r\n").find(peek()) != text_.npos) {
      ++position_;
    }
  }
  bool take_if(char c) {
    skip_space();
    if (peek() != c) return false;
    ++position_;
    return true;
  }

  Json value(int depth) {
    if (depth > kMaxDepth) fail();
    skip_space();
    Json result;
    switch (peek()) {
      case '{':
      case '[':
        collection(result, depth);
        break;
      case '"':
        result.kind_ = Kind::text;
        result.text_ = string();
        break;
      case 't':
      case 'f':
        result.kind_ = Kind::boolean;
        result.number_ = peek() == 't' ? 1 : 0;
        expect(result.number_ != 0 ? "true" : "false");
        break;
      case 'n':
        expect("null");
        break;
      default:
        result.kind_ = Kind::number;
        result.number_ = integer();
    }
    return result;
  }

  void collection(Json& result, int depth) {
    const bool is_object = take() == '{';
    const char end = is_object ? '}' : ']';
    result.kind_ = is_object ? Kind::object : Kind::array;
    if (take_if(end)) return;
    do {
      if (is_object) {
        skip_space();
        result.keys_.push_back(string());
        if (!take_if(':')) fail();
      }
      result.items_.push_back(value(depth + 1));
    } while (take_if(','));
    if (!take_if(end)) fail();
  }

  std::uint64_t integer() {
    if (peek() < '0' || peek() > '9') fail();
    std::uint64_t number = 0;
    while (position_ < text_.size() && text_[position_] >= '0' && text_[position_] <= '9') {
      const auto digit = static_cast<std::uint64_t>(take() - '0');
      if (number > (UINT64_MAX - digit) / 10) fail();
      number = number * 10 + digit;
    }
    if (position_ < text_.size() && std::string_view(".eE").find(text_[position_]) != text_.npos) {
      fail();
    }
    return number;
  }

  std::string string() {
    if (take() != '"') fail();
    std::string result;
    for (char c = take(); c != '"'; c = take()) {
      result.push_back(c == '\\' ? escape() : c);
    }
    return result;
  }

  /// Code points above 127 become '?': no vector depends on prose.
  char escape() {
    switch (const char c = take()) {
      case 'n':
        return '\n';
      case 't':
        return '\t';
      case 'r':
        return '\r';
      case 'b':
        return '\b';
      case 'f':
        return '\f';
      case 'u': {
        std::string digits;
        for (int i = 0; i < 4; ++i) digits.push_back(take());
        const Bytes code = from_hex(digits);
        return code[0] == 0 && code[1] < 0x80 ? static_cast<char>(code[1]) : '?';
      }
      default:
        return c;
    }
  }

  std::string_view text_;
  std::size_t position_ = 0;
};

inline Json Json::parse(std::string_view text) { return Parser(text).document(); }

}  // namespace sealroom::test
