/* The errors of the wall, word for word those of base/codes/wall.def. */
#ifndef POSTERN_GUARD_ERRORS_H
#define POSTERN_GUARD_ERRORS_H

#define GUARD_INVALID_STATE MAKE_SQLSTATE('Z', 'P', '0', '0', '2')
#define GUARD_INVALID "tenant context is not valid on this connection"
#define GUARD_INVALID_DETAIL "PST-1602"
#define GUARD_INVALID_HINT \
  "The setting postern.ctx was changed by hand, or belongs to another session; reconnect."

#define GUARD_EXPIRED_STATE MAKE_SQLSTATE('Z', 'P', '0', '0', '3')
#define GUARD_EXPIRED "tenant context has expired"
#define GUARD_EXPIRED_DETAIL "PST-1603"
#define GUARD_EXPIRED_HINT "Reconnect; Postern renews contexts between transactions."

#endif
