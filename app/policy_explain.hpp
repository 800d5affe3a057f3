// What policy says about one SQL text, in words.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "config/options.hpp"
#include "policy/decision.hpp"
#include "sql/facts.hpp"

namespace postern::app {

struct Explanation {
  const config::Config* config = nullptr;
  std::string login;
  std::string text;
  policy::Principal principal;
  std::shared_ptr<const policy::Ruleset> rules;
  std::shared_ptr<const sql::Facts> facts;
  policy::Decision decision;
};

/// Literals of the text appear nowhere in it: only its normalised form does.
nlohmann::ordered_json explain_json(const Explanation& explanation);
void explain_print(const Explanation& explanation);

}  // namespace postern::app
