/* Memory handed out upwards from the heap's base, given back all at once, bounded by RK_MEMORY. */
#include "roomkeeper.h"

#define PAGE 65536u

extern unsigned char __heap_base;
static size_t used;

void rk_reset(void) { used = 0; }

void *rk_alloc(size_t size) {
    size_t from = (used + 7u) & ~(size_t)7u;
    if (size > RK_MEMORY || from > RK_MEMORY - size) return NULL;
    size_t base = (size_t)&__heap_base;
    size_t end = base + from + size;
    size_t have = (size_t)__builtin_wasm_memory_size(0) * PAGE;
    if (end > have) {
        size_t pages = (end - have + PAGE - 1u) / PAGE;
        if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) return NULL;
    }
    used = from + size;
    return (void *)(base + from);
}

void *rk_realloc(void *old, size_t old_size, size_t size) {
    if (old != NULL && size <= old_size) return old;
    unsigned char *made = rk_alloc(size);
    if (made == NULL || old == NULL) return made;
    __builtin_memcpy(made, old, old_size);
    return made;
}

/* The host calls this to place the input; it cannot be told that there is no room: so trap. */
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size,
                                                                size_t align, size_t size) {
    (void)align;
    if (size == 0) return (void *)(size_t)8;
    void *made = rk_realloc(old_size == 0 ? NULL : old, old_size, size);
    if (made == NULL) __builtin_trap();
    return made;
}

/* Without a C library the compiler still expects these. */
void *memcpy(void *restrict to, const void *restrict from, size_t size) {
    unsigned char *t = to;
    const unsigned char *f = from;
    while (size-- > 0) *t++ = *f++;
    return to;
}

void *memset(void *to, int value, size_t size) {
    unsigned char *t = to;
    while (size-- > 0) *t++ = (unsigned char)value;
    return to;
}
