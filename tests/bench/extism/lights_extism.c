/* The lights plugin behind Extism's ABI: the same sources, read and written as its C kit does. */
#define __attribute__(ignored)
#include "plugin.c"
#undef __attribute__

#define ENV(name) __attribute__((import_module("extism:host/env"), import_name(name)))

ENV("input_length") uint64_t input_length(void);
ENV("input_load_u8") uint8_t input_load_u8(uint64_t at);
ENV("input_load_u64") uint64_t input_load_u64(uint64_t at);
ENV("alloc") uint64_t host_alloc(uint64_t size);
ENV("store_u8") void store_u8(uint64_t at, uint8_t byte);
ENV("store_u64") void store_u64(uint64_t at, uint64_t word);
ENV("output_set") void output_set(uint64_t at, uint64_t size);

void host_log(const char *level, size_t level_len, const char *message, size_t message_len) {
    (void)level, (void)level_len, (void)message, (void)message_len;
}

__attribute__((export_name("run"))) int32_t run(void) {
    uint64_t size = input_length(), i = 0;
    char *input = rk_alloc((size_t)size + 8u);
    if (input == NULL) return 1;
    for (; i + 8 <= size; i += 8) *(uint64_t *)(void *)(input + i) = input_load_u64(i);
    for (; i < size; i++) input[i] = (char)input_load_u8(i);
    rk_str *answer = handle(input, (size_t)size);
    uint64_t at = host_alloc(answer->len);
    for (i = 0; i + 8 <= answer->len; i += 8)
        store_u64(at + i, *(const uint64_t *)(const void *)(answer->at + i));
    for (; i < answer->len; i++) store_u8(at + i, (uint8_t)answer->at[i]);
    output_set(at, answer->len);
    post_handle(answer);
    return 0;
}
