/* Text with a length: what a guest compares and measures. */
#include "roomkeeper.h"

rk_str rk_lit(const char *text) {
    rk_str made = {text, 0};
    while (text[made.len] != 0) made.len++;
    return made;
}

bool rk_equal(rk_str a, rk_str b) {
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++)
        if (a.at[i] != b.at[i]) return false;
    return true;
}

bool rk_starts(rk_str text, const char *beginning) {
    rk_str want = rk_lit(beginning);
    if (text.len < want.len) return false;
    text.len = want.len;
    return rk_equal(text, want);
}

#define EACH(byte) (0x0101010101010101ull * (byte))

/* The lowest byte that is zero has its highest bit set; those above it may have it too. */
static uint64_t zeros(uint64_t x) { return (x - EACH(1u)) & ~x & EACH(0x80u); }

/* Eight at a time: every turn of a loop is also a look at the deadline. */
const char *rk_plain(const char *at, const char *end) {
    for (; end - at >= 8; at += 8) {
        uint64_t x;
        __builtin_memcpy(&x, at, 8);
        uint64_t low = (x - EACH(0x20u)) & ~x & EACH(0x80u);
        uint64_t found = low | zeros(x ^ EACH('"')) | zeros(x ^ EACH('\\'));
        if (found != 0) return at + __builtin_ctzll(found) / 8;
    }
    while (at < end && (unsigned char)*at >= 0x20 && *at != '"' && *at != '\\') at++;
    return at;
}
