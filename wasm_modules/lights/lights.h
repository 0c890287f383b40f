/* Lights: what is set, what is remembered, and the parts that decide. Percent, lux, seconds. */
#ifndef LIGHTS_H
#define LIGHTS_H

#include "roomkeeper.h"

#define LAMPS 16

typedef struct {
    rk_str lamps, scenes[4];
    double level, lowest, enough_lx, prelight_min, prelight_level, hold_s, still_min, still_co2;
    double fade_s, cleaning_from, cleaning_to, lease_s;
} settings;

typedef struct {
    rk_str name;
    double level, at;
} lamp;

/* seen: when people were last seen; share: of the wanted light that the lamps give, since share_at;
 * empty: nobody was seen or felt since; lux, air, slow: running means of light and CO2 (slow: over ten minutes), taken at read_at. */
typedef struct {
    double seen, share, share_at, lux, air, slow, read_at;
    bool empty;
    lamp lamps[LAMPS];
    int count;
} memory;

/* use.c: whether the room is used, which the reason says; what is wanted is changed by `factor`. */
typedef enum { UNUSED, SOON, USED } use;
use in_use(const rk_json *event, double now, const settings *s, const memory *m, rk_out *why);
void breathe(const rk_json *event, double now, memory *m);

/* scene.c: the level that intent or scene ask of a lamp. */
double wanted_of(const rk_json *event, rk_str lamp, const settings *s, rk_out *why);

/* daylight.c: moves the lamps' share towards what the sensor still lacks. */
void follow_daylight(double wanted, double now, const settings *s, memory *m);
/* At the moment the lamps go on, all that is measured is daylight. */
void begin_daylight(double wanted, double now, const settings *s, memory *m);

#endif
