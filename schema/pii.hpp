// Which columns probably hold personal data: by name and type, and by the form of their values.
// Pure; values are looked at, counted and forgotten.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::schema {

enum class PiiKind : std::uint8_t {
  kEmail,
  kPhone,
  kNationalId,
  kBirthDate,
  kPersonName,
  kAddress,
  kBankAccount,
  kCardNumber,
  kCredential,
};
/// "e-mail address" and so on; static storage.
const char* to_word(PiiKind kind);

/// How PostgreSQL stores a column, as far as guesses about its content need it.
enum class ValueClass : std::uint8_t { kText, kDate, kInteger, kSealed, kOther };
/// From a type as format_type() writes it. kSealed: Postern's own container.
ValueClass value_class(std::string_view type);

/// What the words of a column's name (split at '_', '-' and capital letters) speak of, if a column
/// of this class can hold it.
std::optional<PiiKind> pii_by_name(std::string_view column, ValueClass values);

/// What the form of the values speaks of: at least kLeastValues of them, and kMatchPercent of those
/// have it. `values` are a sample of one column without NULLs; `today` is "YYYY-MM-DD".
inline constexpr std::size_t kLeastValues = 8;
inline constexpr std::size_t kMatchPercent = 85;
std::optional<PiiKind> pii_by_values(const std::vector<std::string>& values, ValueClass values_of,
                                     std::string_view today);

// The recognisers, each for one value.
bool looks_like_email(std::string_view value);
/// An international or national number with separators; bare digits are not enough.
bool looks_like_phone(std::string_view value);
/// ddd-dd-dddd, or 9 to 14 digits; only all values of one length make a column of them.
bool looks_like_national_id(std::string_view value);

/// Whether a protected column of the kind is searched for as a whole, so that equality must work.
bool wants_equality(PiiKind kind);

}  // namespace postern::schema
