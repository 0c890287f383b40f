/* Climate: what is set, what is remembered, and the parts that decide. Degrees Celsius, ppm, s. */
#ifndef CLIMATE_H
#define CLIMATE_H

#include "roomkeeper.h"

typedef struct {
    rk_str actuator, fan;
    double comfort, setback, held, preheat_min, preheat_max_min, walk_in_s, hold_s, window_s;
    double co2_good, co2_bad, fan_least, lease_s;
    bool door_counts;
} settings;

/* came, seen: since when people are here, when they last were; opened: since when the window is
 * open. warmth, air: running means, taken at read_at. rate: degrees an hour that heating was seen
 * to gain; from, from_at: where the rise that is being watched began. early: heating began for the
 * meeting that comes. last: the set point last asked for. level: the fan's, since level_at. */
typedef struct {
    double came, seen, opened, warmth, air, read_at, rate, from, from_at, last, level, level_at;
    bool early;
} memory;

/* use.c */
void look(const rk_json *event, double now, const settings *s, memory *m);
bool is_open(double now, const settings *s, const memory *m);
bool is_used(const rk_json *event, double now, const settings *s, const memory *m, rk_out *why);

/* heat.c: minutes that heating to `target` takes, as learned; and the learning. */
double lead_min(double target, const settings *s, const memory *m);
void learn(double setpoint, double now, memory *m);

/* air.c */
double fan_level(const rk_json *event, double now, bool used, const settings *s, memory *m,
                 rk_out *why);

#endif
