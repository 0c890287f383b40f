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
