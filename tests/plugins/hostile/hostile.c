/* One plugin with every bad intention. Which one it follows, and its name, is a text in its data
 * that the tests overwrite ("@@case@@"): every case is the same machine code. */
#include "roomkeeper.h"

const char rk_describe[] = "{\"id\":\"h-@@case@@------\",\"schema\":1}";
static volatile const char chosen[17] = "@@case@@------..";

static volatile uint32_t sink, zero;

static bool is(const char *name) {
    for (int i = 0; name[i] != 0; i++)
        if (chosen[i] != name[i]) return false;
    return true;
}

static uint32_t deeper(uint32_t n) {
    if (n == UINT32_MAX) return 0;
    return deeper(n + 1) + sink;
}

/* Work that would end, in some thousand years. */
static void burn(void) {
    for (uint64_t i = 0; i < (1ull << 62); i++) sink = sink * 1664525u + (uint32_t)i;
}

/* All the memory there is, every page of it touched, again and again. */
static void grow(void) {
    for (;;) {
        size_t pages = __builtin_wasm_memory_grow(0, 1);
        if (pages == (size_t)-1) __builtin_trap();
        *(volatile char *)(pages * 65536u) = 1;
    }
}

static void shout(int lines) {
    for (int i = 0; lines < 0 || i < lines; i++) rk_log("info", rk_lit("look at me"));
}

static void repeat(rk_out *out, const char *text, int times) {
    for (int i = 0; i < times; i++) rk_put(out, text);
}

static void ask(rk_answer *answer, rk_str event, const char *actuator, double value) {
    rk_command(answer, event, rk_lit(actuator), value, 60.0, rk_lit("because"));
}

static void commands(rk_answer *answer, rk_str event, double now) {
    if (is("good")) ask(answer, event, "light.main", 40.0);
    else if (is("foreign")) ask(answer, event, "door.lock", 1.0);
    else if (is("range")) ask(answer, event, "light.main", 900.0);
    else if (is("below")) ask(answer, event, "light.main", -5.0);
    else if (is("flicker")) ask(answer, event, "light.main", sink++ % 2 ? 100.0 : 0.0);
    else if (is("huge")) ask(answer, event, "light.main", 1e12);
    else if (is("other")) ask(answer, rk_lit("made-up-1"), "light.main", 1.0);
    else if (is("many")) for (int i = 0; i < 65; i++) ask(answer, event, "light.main", 1.0);
    else if (is("lease")) rk_command(answer, event, rk_lit("light.main"), 1, 1e9, rk_lit(""));
    (void)now;
}

void rk_handle(const rk_json *input, rk_answer *answer, rk_out *state) {
    if (is("loop")) for (;;) sink++;
    if (is("burn")) burn();
    if (is("grow")) grow();
    if (is("recurse")) sink = deeper(0);
    if (is("trap")) __builtin_trap();
    if (is("bounds")) sink = *(volatile uint32_t *)0x7ffffff0u;
    if (is("wild")) *(volatile uint32_t *)0xfffffff0u = 1;
    if (is("divide")) sink = 7919u / zero;
    if (is("flood")) shout(-1);
    if (is("shout")) shout(150);
    if (is("long")) repeat(&answer->json, "                ", 20000);
    if (is("nojson")) answer->json.len = 0, rk_put(&answer->json, "hello");
    if (is("deep")) answer->json.len = 0, repeat(&answer->json, "[[[[[[[[[[[[[[[[", 4000);
    if (is("field")) answer->json.len = 0, rk_put(&answer->json, "{\"exec\":\"rm\",\"commands\":[");
    if (is("schema")) answer->json.len = 0, rk_put(&answer->json, "{\"schema\":9,\"commands\":[");
    if (is("noutf8")) answer->json.len = 0, rk_put(&answer->json, "\xff\xfe");
    if (is("state")) repeat(state, "ssssssssssssssss", 1024), rk_put(state, "s");
    const rk_json *events = rk_get(input, "events");
    const rk_json *event = events != NULL && events->kind == RK_LIST ? events->child : NULL;
    for (; event != NULL; event = event->next)
        commands(answer, rk_text(event, "id", rk_lit("")), rk_number(input, "now", 0.0));
}
