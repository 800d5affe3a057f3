// What the parts of the libpq client share.
#pragma once

#include <stdbool.h>

#include <libpq-fe.h>

// Where to connect, from the environment, as "key='value' ..." with `changes` in front of it or
// behind: of two equal keys libpq takes the last.
const char* settings(void);
PGconn* connect_to(const char* base, const char* changes);
PGconn* connect_with(const char* changes);

// A step fails at its first expectation that does not hold.
void failed(const char* format, ...) __attribute__((format(printf, 1, 2)));
void begin_step(void);
void end_step(const char* name);
bool step_failed(void);

// The first value of a text, valid until the next call; fails the step on an error.
const char* one(PGconn* on, const char* sql);
void expect_text(const char* actual, const char* wanted);
bool contains(const char* text, const char* part);

// The steps that libpq has beyond the common ones.
void more_steps(void);
void keyword_steps(void);
