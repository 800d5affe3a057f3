#include <algorithm>
#include <array>
#include <cctype>

#include "schema/pii.hpp"

namespace postern::schema {
namespace {

struct NameRule {
  std::string_view words;  ///< joined by '_'; must stand in the name one after the other
  PiiKind kind;
};

// The first that matches counts, so the more particular stand first.
constexpr std::array kRules{
    NameRule{"email", PiiKind::kEmail},
    NameRule{"e_mail", PiiKind::kEmail},
    NameRule{"mail_address", PiiKind::kEmail},
    NameRule{"phone", PiiKind::kPhone},
    NameRule{"telephone", PiiKind::kPhone},
    NameRule{"mobile", PiiKind::kPhone},
    NameRule{"fax", PiiKind::kPhone},
    NameRule{"msisdn", PiiKind::kPhone},
    NameRule{"national_id", PiiKind::kNationalId},
    NameRule{"ssn", PiiKind::kNationalId},
    NameRule{"social_security", PiiKind::kNationalId},
    NameRule{"passport", PiiKind::kNationalId},
    NameRule{"personal_number", PiiKind::kNationalId},
    NameRule{"tax_id", PiiKind::kNationalId},
    NameRule{"tax_number", PiiKind::kNationalId},
    NameRule{"tin", PiiKind::kNationalId},
    NameRule{"driver_license", PiiKind::kNationalId},
    NameRule{"birth", PiiKind::kBirthDate},
    NameRule{"birthdate", PiiKind::kBirthDate},
    NameRule{"birthday", PiiKind::kBirthDate},
    NameRule{"dob", PiiKind::kBirthDate},
    NameRule{"full_name", PiiKind::kPersonName},
    NameRule{"fullname", PiiKind::kPersonName},
    NameRule{"first_name", PiiKind::kPersonName},
    NameRule{"firstname", PiiKind::kPersonName},
    NameRule{"last_name", PiiKind::kPersonName},
    NameRule{"lastname", PiiKind::kPersonName},
    NameRule{"middle_name", PiiKind::kPersonName},
    NameRule{"maiden_name", PiiKind::kPersonName},
    NameRule{"given_name", PiiKind::kPersonName},
    NameRule{"family_name", PiiKind::kPersonName},
    NameRule{"surname", PiiKind::kPersonName},
    NameRule{"street", PiiKind::kAddress},
    NameRule{"postal_address", PiiKind::kAddress},
    NameRule{"home_address", PiiKind::kAddress},
    NameRule{"billing_address", PiiKind::kAddress},
    NameRule{"shipping_address", PiiKind::kAddress},
    NameRule{"address_line", PiiKind::kAddress},
    NameRule{"iban", PiiKind::kBankAccount},
    NameRule{"account_number", PiiKind::kBankAccount},
    NameRule{"bank_account", PiiKind::kBankAccount},
    NameRule{"card_number", PiiKind::kCardNumber},
    NameRule{"credit_card", PiiKind::kCardNumber},
    NameRule{"password", PiiKind::kCredential},
    NameRule{"secret", PiiKind::kCredential},
    NameRule{"api_key", PiiKind::kCredential},
    NameRule{"access_token", PiiKind::kCredential},
    NameRule{"refresh_token", PiiKind::kCredential},
};

// Words that make a column speak about a thing rather than hold it.
constexpr std::array<std::string_view, 12> kAbout{"count", "total",  "type",    "status",
                                                  "kind",  "format", "enabled", "verified",
                                                  "sent",  "at",     "hash",    "template"};

/// "userEMailAddress" and "user_e-mail" alike: "_user_e_mail_address_".
std::string words_of(std::string_view name) {
  std::string out = "_";
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto c = static_cast<unsigned char>(name[i]);
    const bool separator = c == '_' || c == '-' || c == ' ' || c == '.';
    const bool hump =
        std::isupper(c) != 0 && i > 0 && std::islower(static_cast<unsigned char>(name[i - 1])) != 0;
    if ((separator || hump) && out.back() != '_') out += '_';
    if (!separator) out += static_cast<char>(std::tolower(c));
  }
  if (out.back() != '_') out += '_';
  return out;
}

bool has_words(const std::string& name, std::string_view words) {
  std::string framed = "_";
  framed.append(words).append("_");
  return name.find(framed) != std::string::npos;
}

bool can_hold(PiiKind kind, ValueClass values) {
  switch (values) {
    case ValueClass::kText:
      return true;
    case ValueClass::kDate:
      return kind == PiiKind::kBirthDate;
    case ValueClass::kInteger:
      return kind == PiiKind::kPhone || kind == PiiKind::kNationalId ||
             kind == PiiKind::kCardNumber || kind == PiiKind::kBankAccount;
    case ValueClass::kSealed:
    case ValueClass::kOther:
      return false;
  }
  return false;
}

}  // namespace

const char* to_word(PiiKind kind) {
  constexpr std::array kWords{"e-mail address", "phone number",  "national id",
                              "birth date",     "person's name", "postal address",
                              "bank account",   "payment card",  "credential"};
  return kWords.at(static_cast<std::size_t>(kind));
}

ValueClass value_class(std::string_view type) {
  if (type == "postern.pe1") return ValueClass::kSealed;
  const std::string_view base = type.substr(0, type.find('('));
  if (base == "text" || base == "character varying" || base == "character" || base == "citext" ||
      base.ends_with(".citext")) {
    return ValueClass::kText;
  }
  if (base == "date") return ValueClass::kDate;
  if (base == "bigint" || base == "integer" || base == "numeric") return ValueClass::kInteger;
  return ValueClass::kOther;
}

std::optional<PiiKind> pii_by_name(std::string_view column, ValueClass values) {
  const std::string words = words_of(column);
  const bool about = std::any_of(kAbout.begin(), kAbout.end(), [&](std::string_view word) {
    return words.ends_with("_" + std::string(word) + "_");
  });
  if (about) return std::nullopt;
  for (const NameRule& rule : kRules) {
    if (has_words(words, rule.words)) {
      return can_hold(rule.kind, values) ? std::optional(rule.kind) : std::nullopt;
    }
  }
  return std::nullopt;
}

bool wants_equality(PiiKind kind) {
  return kind == PiiKind::kEmail || kind == PiiKind::kNationalId || kind == PiiKind::kBankAccount ||
         kind == PiiKind::kCardNumber;
}

}  // namespace postern::schema
