#include "context.h"

#include <stdlib.h>
#include <string.h>

/* The digits of a role make half as many bytes, and its comma makes room for its length. */
static size_t packed_size(GuardSpan roles) {
  size_t commas = 0;
  if (roles.size == 0) return 0;
  for (size_t i = 0; i < roles.size; ++i) commas += roles.at[i] == ',';
  return (roles.size - commas) / 2 + commas + 1;
}

static bool pack_roles(GuardSpan roles, uint8_t* out) {
  const char* end = roles.at + roles.size;
  const char* at = roles.at;
  while (at < end) {
    const char* comma = memchr(at, ',', (size_t)(end - at));
    const GuardSpan role = {at, (size_t)((comma == NULL ? end : comma) - at)};
    *out = (uint8_t)(role.size / 2);
    if (!guard_from_hex(role, out + 1)) return false;
    out += 1 + role.size / 2;
    at = comma == NULL ? end : comma + 1;
  }
  return true;
}

GuardContext* guard_make_context(const GuardToken* token) {
  const size_t tenant = token->tenant.size / 2;
  const size_t subject = token->subject.size / 2;
  const size_t roles = packed_size(token->roles);
  GuardContext* out = malloc(sizeof *out + tenant + subject + roles);
  if (out == NULL) return NULL;
  out->expiry_us = token->expiry_us;
  out->shown = false;
  out->tenant_size = tenant;
  out->subject_size = subject;
  out->roles_size = roles;
  if (guard_from_hex(token->tenant, out->bytes) &&
      guard_from_hex(token->subject, out->bytes + tenant) &&
      pack_roles(token->roles, out->bytes + tenant + subject)) {
    return out;
  }
  free(out);
  return NULL;
}

const char* guard_tenant(const GuardContext* context) {
  return (const char*)context->bytes;
}

const char* guard_subject(const GuardContext* context) {
  return (const char*)context->bytes + context->tenant_size;
}

bool guard_has_role(const GuardContext* context, const char* role, size_t size) {
  const uint8_t* at = context->bytes + context->tenant_size + context->subject_size;
  const uint8_t* end = at + context->roles_size;
  for (; at < end; at += 1 + *at) {
    if (*at == size && memcmp(at + 1, role, size) == 0) return true;
  }
  return false;
}
