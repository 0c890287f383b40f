/* While a JavaScript plugin is built, its interpreter runs once, and what it finds stays in the
 * component: seeds and instants too. Loaded before the builder, this gives it the same ones each
 * time, so that the same source gives the same bytes. */
#include <stddef.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>

#define EPOCH 1767225600

ssize_t getrandom(void *into, size_t size, unsigned flags) {
    unsigned char *bytes = into;
    (void)flags;
    for (size_t i = 0; i < size; i++) bytes[i] = (unsigned char)(i * 37u + 11u);
    return (ssize_t)size;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    *at = (struct timespec){.tv_sec = clock == CLOCK_REALTIME ? EPOCH : 100000, .tv_nsec = 0};
    return 0;
}

int gettimeofday(struct timeval *at, void *zone) {
    (void)zone;
    *at = (struct timeval){.tv_sec = EPOCH, .tv_usec = 0};
    return 0;
}
