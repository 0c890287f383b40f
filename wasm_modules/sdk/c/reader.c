/* JSON into a tree. Every step checks what is left; nesting is limited; memory is rk_alloc's. */
#include "roomkeeper.h"

typedef struct {
    const char *at;
    const char *end;
    int depth;
    bool input;
    bool keeps;
} reader;

static bool value(reader *r, rk_json *into);

/* The settings are the same text call after call: an instance that is called again has them read
 * already. The text is compared whole, so what a plugin sees is its input and nothing else. */
static struct {
    char text[RK_KEPT];
    size_t len;
    rk_json *child;
    bool seen;
    bool again;
    _Alignas(8) unsigned char room[2u * RK_KEPT];
    size_t used;
} kept;

static void *room_for(const reader *r, size_t size) {
    if (!r->keeps) return rk_alloc(size);
    size_t from = (kept.used + 7u) & ~(size_t)7u;
    if (size > sizeof kept.room - from) return NULL;
    kept.used = from + size;
    return kept.room + from;
}

static int peek(const reader *r) { return r->at < r->end ? (unsigned char)*r->at : -1; }

static void blank(reader *r) {
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

static bool take(reader *r, char c) {
    if (peek(r) != c) blank(r);
    if (peek(r) != c) return false;
    r->at++;
    return true;
}

static bool word(reader *r, const char *text) {
    for (; *text != 0; text++, r->at++)
        if (peek(r) != *text) return false;
    return true;
}

static int hex4(reader *r) {
    int code = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        int c = peek(r);
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) return -1;
        code = code * 16 + digit;
    }
    return code;
}

/* After "\u": one code point, two escapes for those beyond the first plane; -1 when broken. */
static int code_point(reader *r) {
    int high = hex4(r);
    if (high < 0xD800 || high > 0xDFFF) return high;
    if (high > 0xDBFF || !word(r, "\\u")) return -1;
    int low = hex4(r);
    if (low < 0xDC00 || low > 0xDFFF) return -1;
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

/* An escape is never shorter than what it stands for, so the copy cannot outgrow the source. */
static char *utf8(char *to, int code) {
    if (code < 0x80) {
        *to++ = (char)code;
        return to;
    }
    if (code < 0x800) {
        *to++ = (char)(0xC0 | (code >> 6));
    } else {
        if (code < 0x10000) {
            *to++ = (char)(0xE0 | (code >> 12));
        } else {
            *to++ = (char)(0xF0 | (code >> 18));
            *to++ = (char)(0x80 | ((code >> 12) & 0x3F));
        }
        *to++ = (char)(0x80 | ((code >> 6) & 0x3F));
    }
    *to++ = (char)(0x80 | (code & 0x3F));
    return to;
}

static char *escape(reader *r, char *to) {
    int c = peek(r);
    if (c < 0) return NULL;
    r->at++;
    switch (c) {
    case '"': case '\\': case '/': *to++ = (char)c; return to;
    case 'b': *to++ = '\b'; return to;
    case 'f': *to++ = '\f'; return to;
    case 'n': *to++ = '\n'; return to;
    case 'r': *to++ = '\r'; return to;
    case 't': *to++ = '\t'; return to;
    case 'u': {
        int code = code_point(r);
        return code < 0 ? NULL : utf8(to, code);
    }
    default: return NULL;
    }
}

/* The closing quote's place, or NULL. */
static const char *closing(const reader *r) {
    for (const char *p = r->at; p < r->end; p++) {
        if (*p == '"') return p;
        if (*p == '\\') p++;
    }
    return NULL;
}

/* A text without escapes is left where it is: the input outlives what is read of it. */
static bool plain_text(reader *r, rk_str *into) {
    const char *p = rk_plain(r->at, r->end);
    if (p == r->end || *p != '"') return false;
    *into = (rk_str){r->at, (size_t)(p - r->at)};
    r->at = p + 1;
    return true;
}

static bool text(reader *r, rk_str *into) {
    if (!take(r, '"')) return false;
    if (plain_text(r, into)) return true;
    const char *end = closing(r);
    if (end == NULL) return false;
    char *start = room_for(r, (size_t)(end - r->at) + 1u);
    if (start == NULL) return false;
    char *to = start;
    while (r->at < end) {
        unsigned char c = (unsigned char)*r->at++;
        if (c < 0x20) return false;
        if (c != '\\') {
            *to++ = (char)c;
        } else {
            to = escape(r, to);
            if (to == NULL) return false;
        }
    }
    if (r->at != end) return false;
    r->at++;
    into->at = start;
    into->len = (size_t)(to - start);
    return true;
}

static bool digits(reader *r, uint64_t *mantissa, int *scale, int step) {
    const char *start = r->at;
    for (; peek(r) >= '0' && peek(r) <= '9'; r->at++) {
        if (*mantissa < 100000000000000000ull) {
            *mantissa = *mantissa * 10u + (uint64_t)(*r->at - '0');
            *scale += step;
        } else {
            *scale += step + 1;
        }
    }
    return r->at > start;
}

static double scaled(double number, int exponent) {
    double power = 1.0;
    int steps = exponent < 0 ? -exponent : exponent;
    if (steps > 340) steps = 340;
    for (int i = 0; i < steps; i++) power *= 10.0;
    return exponent < 0 ? number / power : number * power;
}

static bool number(reader *r, double *into) {
    uint64_t mantissa = 0;
    uint64_t exponent = 0;
    int scale = 0;
    int ignored = 0;
    bool minus = peek(r) == '-';
    if (minus) r->at++;
    if (!digits(r, &mantissa, &scale, 0)) return false;
    if (peek(r) == '.') {
        r->at++;
        if (!digits(r, &mantissa, &scale, -1)) return false;
    }
    if (peek(r) == 'e' || peek(r) == 'E') {
        r->at++;
        bool down = peek(r) == '-';
        if (down || peek(r) == '+') r->at++;
        if (!digits(r, &exponent, &ignored, 0)) return false;
        if (exponent > 400u || ignored != 0) exponent = 400u;
        scale += down ? -(int)exponent : (int)exponent;
    }
    double size = mantissa == 0 ? 0.0 : scaled((double)mantissa, scale);
    if (!(size <= 1e300)) return false;
    *into = minus ? -size : size;
    return true;
}

static bool same(const char *a, const char *b, size_t size) {
    for (; size >= 8u; a += 8, b += 8, size -= 8u) {
        uint64_t x, y;
        __builtin_memcpy(&x, a, 8);
        __builtin_memcpy(&y, b, 8);
        if (x != y) return false;
    }
    while (size-- > 0)
        if (*a++ != *b++) return false;
    return true;
}

static void keep(const char *at, size_t len) {
    kept.len = kept.used = 0;
    if (len > sizeof kept.text) return;
    __builtin_memcpy(kept.text, at, len);
    reader r = {kept.text, kept.text + len, 1, false, true};
    rk_json read = {0};
    if (!value(&r, &read)) return;
    kept.child = read.child;
    kept.len = len;
}

/* An object ends where its text says, so one that begins with all of another's text is that one. */
static bool settings(reader *r, rk_json *into) {
    blank(r);
    const char *at = r->at;
    r->input = false; /* Who says "settings" twice is heard once, as by rk_get. */
    if (kept.len > 0 && kept.len <= (size_t)(r->end - at) && same(kept.text, at, kept.len)) {
        r->at += kept.len;
        into->kind = RK_OBJECT;
        into->child = kept.child;
        kept.seen = kept.again = true;
        return true;
    }
    if (!value(r, into)) return false;
    if (into->kind != RK_OBJECT || *at != '{') return true;
    keep(at, (size_t)(r->at - at));
    /* What is kept outlives this call's input, and so does what a plugin makes of it. */
    kept.seen = kept.len > 0;
    if (kept.seen) into->child = kept.child;
    return true;
}

bool rk_settings_again(void) { return kept.again; }

static bool members(reader *r, rk_json *into, char end) {
    rk_json **last = &into->child;
    if (take(r, end)) return true;
    do {
        rk_json *made = room_for(r, sizeof *made);
        if (made == NULL) return false;
        *made = (rk_json){0};
        if (end == '}' && (!text(r, &made->key) || !take(r, ':'))) return false;
        bool given = r->input && r->depth == 1 && rk_equal(made->key, rk_lit("settings"));
        if (given ? !settings(r, made) : !value(r, made)) return false;
        *last = made;
        last = &made->next;
    } while (take(r, ','));
    return take(r, end);
}

static bool nested(reader *r, rk_json *into, rk_kind kind, char end) {
    r->at++;
    into->kind = kind;
    if (++r->depth > RK_DEPTH) return false;
    bool good = members(r, into, end);
    r->depth--;
    return good;
}

static bool value(reader *r, rk_json *into) {
    blank(r);
    switch (peek(r)) {
    case '{': return nested(r, into, RK_OBJECT, '}');
    case '[': return nested(r, into, RK_LIST, ']');
    case '"': into->kind = RK_TEXT; return text(r, &into->text);
    case 't': into->kind = RK_TRUE; return word(r, "true");
    case 'f': into->kind = RK_FALSE; return word(r, "false");
    case 'n': into->kind = RK_NULL; return word(r, "null");
    default: into->kind = RK_NUMBER; return number(r, &into->number);
    }
}

static rk_json *parsed(reader r) {
    rk_json *made = rk_alloc(sizeof *made);
    if (made == NULL) return NULL;
    *made = (rk_json){0};
    if (!value(&r, made)) return NULL;
    blank(&r);
    return r.at == r.end ? made : NULL;
}

rk_json *rk_parse(rk_str source) {
    return parsed((reader){source.at, source.at + source.len, 0, false, false});
}

rk_json *rk_input(rk_str source) {
    kept.seen = kept.again = false;
    rk_json *made = parsed((reader){source.at, source.at + source.len, 0, true, false});
    /* "Again" is of the call before: a call without them, or without an answer, comes between. */
    if (made == NULL || !kept.seen) kept.len = 0;
    return made;
}

const rk_json *rk_get(const rk_json *object, const char *key) {
    if (object == NULL || object->kind != RK_OBJECT) return NULL;
    rk_str want = rk_lit(key);
    for (const rk_json *m = object->child; m != NULL; m = m->next)
        if (rk_equal(m->key, want)) return m;
    return NULL;
}

double rk_number(const rk_json *object, const char *key, double otherwise) {
    const rk_json *found = rk_get(object, key);
    return found != NULL && found->kind == RK_NUMBER ? found->number : otherwise;
}

rk_str rk_text(const rk_json *object, const char *key, rk_str otherwise) {
    const rk_json *found = rk_get(object, key);
    return found != NULL && found->kind == RK_TEXT ? found->text : otherwise;
}

bool rk_flag(const rk_json *object, const char *key, bool otherwise) {
    const rk_json *found = rk_get(object, key);
    if (found == NULL || (found->kind != RK_TRUE && found->kind != RK_FALSE)) return otherwise;
    return found->kind == RK_TRUE;
}
