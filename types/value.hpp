// Values between PostgreSQL's formats and the canonical form that is encrypted.
//
// Canonical forms, one per family:
//   text, varchar       the UTF-8 bytes; varchar(n) after PostgreSQL's removal of excess spaces
//   int2, int4, int8    8 bytes, two's complement, big-endian
//   uuid                16 bytes
//   date                4 bytes, days since 2000-01-01, two's complement, big-endian;
//                       infinity 7fffffff, -infinity 80000000 (PostgreSQL's own binary form)
// NULL has no canonical form: callers pass it through.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "types/logical_type.hpp"
#include "types/render.hpp"

namespace postern::types {

/// PostgreSQL's format codes.
enum class Format : std::uint8_t { kText = 0, kBinary = 1 };

/// A value on its way in: format and the bytes of a parameter, literal (unescaped) or COPY field.
/// The view must outlive the call.
struct Input {
  Format format = Format::kText;
  ByteView bytes;
};

/// The canonical form of a value stored into a column of this type. Accepts what PostgreSQL 15
/// accepts and nothing else; what PostgreSQL may accept but is not understood here (e.g. 'today' or
/// a time zone name in a date) is kValueNotUnderstood, never guessed. Errors carry PostgreSQL's
/// SQLSTATE (codes 18xx) and never the value. For an operand of a comparison pass
/// operand_type(type). Pure; any thread.
Result<Secret> parse(const Input& input, const LogicalType& type, const Render& render);

/// How a value leaves. The settings must outlive the call.
struct Output {
  Format format;
  const Render& settings;
};

/// Appends the value as PostgreSQL would send it under these settings. kBadCanonicalValue where the
/// bytes are not a canonical form or do not fit the type; `out` is as before then. Pure; any
/// thread.
Status render(ByteView canonical, const LogicalType& type, const Output& output, Bytes& out);

/// PostgreSQL's own message for an error of parse(), e.g. `invalid input syntax for type integer:
/// "x"`. It repeats the client's input: send it to that client only, never log or audit it.
/// Messages of errors that PostgreSQL does not have are those of the error itself.
std::string client_message(const Error& error, const Input& input, const LogicalType& type);

}  // namespace postern::types
