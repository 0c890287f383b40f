/* JSON out of a plugin: a text that grows by doubling and stops, marked broken, when it cannot. */
#include "roomkeeper.h"

static bool fits(rk_out *out, size_t more) {
    if (out->broken) return false;
    if (more > RK_MEMORY || out->len > RK_MEMORY - more) {
        out->broken = true;
        return false;
    }
    size_t need = out->len + more;
    if (need <= out->room) return true;
    size_t room = out->room < 512u ? 512u : out->room * 2u;
    if (room < need) room = need;
    char *made = rk_realloc(out->at, out->len, room);
    if (made == NULL) {
        out->broken = true;
        return false;
    }
    out->at = made;
    out->room = room;
    return true;
}

void rk_put_str(rk_out *out, rk_str text) {
    if (!fits(out, text.len)) return;
    char *to = out->at + out->len;
    const char *from = text.at;
    size_t left = text.len;
    out->len += left;
    /* Eight at a time: every turn of a loop is also a look at the deadline. */
    for (; left >= 8u; to += 8, from += 8, left -= 8u) __builtin_memcpy(to, from, 8);
    while (left-- > 0) *to++ = *from++;
}

void rk_put(rk_out *out, const char *text) { rk_put_str(out, rk_lit(text)); }

void rk_put_number(rk_out *out, double number, int decimals) {
    if (decimals < 0) decimals = 0;
    if (decimals > 6) decimals = 6;
    if (number != number) number = 0.0;
    if (number > 1e15) number = 1e15;
    if (number < -1e15) number = -1e15;
    bool minus = number < 0.0;
    double size = minus ? -number : number;
    if (size == (double)(uint64_t)size) decimals = 0;
    uint64_t unit = 1;
    while (decimals > 0 && size * (double)(unit * 10u) < 9e15) {
        unit *= 10u;
        decimals--;
    }
    uint64_t whole = (uint64_t)(size * (double)unit + 0.5);
    while (unit > 1u && whole % 10u == 0) {
        whole /= 10u;
        unit /= 10u;
    }
    char text[32];
    size_t at = sizeof text;
    for (uint64_t place = 1;; place *= 10u) {
        text[--at] = (char)('0' + whole % 10u);
        whole /= 10u;
        if (place * 10u == unit) text[--at] = '.';
        if (whole == 0 && place >= unit) break;
    }
    if (minus && !(sizeof text - at == 1 && text[at] == '0')) text[--at] = '-';
    rk_put_str(out, (rk_str){text + at, sizeof text - at});
}

/* What needs no escape goes out in one piece. */
void rk_put_quoted(rk_out *out, rk_str text) {
    static const char hex[] = "0123456789abcdef";
    rk_put(out, "\"");
    for (size_t i = 0; i < text.len;) {
        size_t run = (size_t)(rk_plain(text.at + i, text.at + text.len) - text.at);
        rk_put_str(out, (rk_str){text.at + i, run - i});
        if (run == text.len) break;
        unsigned char c = (unsigned char)text.at[run];
        char code[7] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15], 0};
        char pair[3] = {'\\', (char)c, 0};
        rk_put(out, c < 0x20 ? code : pair);
        i = run + 1;
    }
    rk_put(out, "\"");
}
