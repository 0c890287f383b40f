/* What a plugin written in C needs: bounded memory, JSON both ways, numbers, the room's log.
 *
 * A plugin defines rk_describe and rk_handle (below); the rest is here. Nothing is kept between
 * two calls but settings already read: memory is handed out upwards and given back at once when the
 * call has returned.
 */
#ifndef ROOMKEEPER_H
#define ROOMKEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Deepest nesting, largest memory and longest answer the SDK takes part in. */
#define RK_DEPTH 16
#define RK_MEMORY (3u << 20)
/* Longest text of settings that an instance reads only once, bytes. */
#define RK_KEPT 2048u

typedef struct {
    const char *at;
    size_t len;
} rk_str;

typedef enum { RK_NULL, RK_FALSE, RK_TRUE, RK_NUMBER, RK_TEXT, RK_LIST, RK_OBJECT } rk_kind;

/* One JSON value. Lists and objects chain their members from `child` through `next`. */
typedef struct rk_json {
    rk_kind kind;
    rk_str key;
    rk_str text;
    double number;
    struct rk_json *child;
    struct rk_json *next;
} rk_json;

/* memory.c: NULL when RK_MEMORY is used up. */
void *rk_alloc(size_t size);
void *rk_realloc(void *old, size_t old_size, size_t size);
void rk_reset(void);

/* text.c */
rk_str rk_lit(const char *text);
bool rk_equal(rk_str a, rk_str b);
bool rk_starts(rk_str text, const char *beginning);
/* Where the first character is that stands escaped in JSON, or `end`. */
const char *rk_plain(const char *at, const char *end);

/* reader.c: NULL when `text` is not one JSON value, is nested too deep or does not fit. */
rk_json *rk_parse(rk_str text);
/* The same of a call's input: its settings are kept for the next call. */
rk_json *rk_input(rk_str text);
/* Whether the settings of this call's input are, byte for byte, those of the call before, so that
 * what was made of them then still holds: their texts are kept as well. */
bool rk_settings_again(void);
/* The member `key` of an object, or NULL; NULL in, NULL out. */
const rk_json *rk_get(const rk_json *object, const char *key);
/* The member as the wanted kind, or `otherwise`. Numbers are finite. */
double rk_number(const rk_json *object, const char *key, double otherwise);
rk_str rk_text(const rk_json *object, const char *key, rk_str otherwise);
bool rk_flag(const rk_json *object, const char *key, bool otherwise);

/* writer.c: a growing text. Once memory is used up `broken` is set and nothing more is added. */
typedef struct {
    char *at;
    size_t len;
    size_t room;
    bool broken;
} rk_out;

void rk_put(rk_out *out, const char *text);
void rk_put_str(rk_out *out, rk_str text);
/* At most `decimals` (0 to 6) decimals, trailing zeros dropped; clamped to +-1e15. */
void rk_put_number(rk_out *out, double number, int decimals);
/* With quotes and escapes. */
void rk_put_quoted(rk_out *out, rk_str text);

/* plugin.c: one answer being written. */
typedef struct {
    rk_out json;
    int commands;
} rk_answer;

/* Ask for `actuator` to be `value` for `lease_s` seconds, in answer to `event`. */
void rk_command(rk_answer *answer, rk_str event, rk_str actuator, double value, double lease_s,
                rk_str reason);
void rk_log(const char *level, rk_str message);

void rk_command_text(rk_answer *answer, rk_str event, rk_str actuator, rk_str value, double lease_s,
                     rk_str reason);

/* "3 people, quiet-video" or "nobody here": the beginning of a human reason. */
void rk_put_people(rk_out *out, const rk_json *event);

/* room.c. A number that nobody told is RK_UNKNOWN. */
#define RK_UNKNOWN (-1e12)

/* The first event, the others follow through `next`; NULL when there is none. */
const rk_json *rk_events(const rk_json *input);
rk_str rk_id(const rk_json *event);
bool rk_here(const rk_json *event);
bool rk_meeting(const rk_json *event, const char *phase);
double rk_reading(const rk_json *event, const char *quantity);
bool rk_known(double number);
/* The first member of an object, or NULL. */
const rk_json *rk_first(const rk_json *object);
double rk_between(double number, double low, double high);
double rk_round(double number);
/* A running mean with the time constant `tau`, `seconds` after the last value. */
double rk_smooth(double old, double new_one, double seconds, double tau);
/* The next word of a text of words, which is shortened by it; empty at its end. */
rk_str rk_word(rk_str *text);
bool rk_holds(rk_str text, const char *part);
/* ", measured " 21.4 " C": a piece of a reason. */
void rk_put_rest(rk_out *out, const char *text, double number, int decimals, const char *unit);
/* One more number of the state, which begins with the first and is ended by the plugin with "}";
 * what is unknown is left out. */
void rk_keep(rk_out *state, const char *name, double number);

/* The plugin defines these. rk_handle appends its new state to `state` (at most 16 kB). */
extern const char rk_describe[];
void rk_handle(const rk_json *input, rk_answer *answer, rk_out *state);

#endif
