/* The small guest's agent: makes a machine that was copied in memory one of its own.
 *
 * `agent page KEY TOKEN ROOM MEETING TITLE` writes the page of a machine that was told at its start.
 * Else it lives on the virtio-serial port named as its only argument and answers lines:
 *   renew seed=HEX128 time=NS machine-id=HEX32 hostname=NAME key=K token=T room=R meeting=M [title=P]
 *   who
 * with `renewed ...` or `who ...` (what it is now), or `error WHAT` (and nothing was changed).
 * At its start it says `waiting`. Copies share everything, the kernel's random pool included, so
 * the seed comes first: what is drawn before it is equal in all of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SEED 64
#define LINE 4096

/* The last may be missing. */
enum { F_SEED, F_TIME, F_ID, F_HOST, F_KEY, F_TOKEN, F_ROOM, F_MEETING, F_TITLE, FIELDS };
static const char *const names[FIELDS] = {"seed",  "time", "machine-id", "hostname", "key",
                                          "token", "room", "meeting",    "title"};

static int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

/* Read exactly `count` bytes of lower-case hex; 0 when the text is anything else. */
static int unhex(const char *text, unsigned char *out, size_t count) {
  if (strlen(text) != 2 * count) return 0;
  for (size_t i = 0; i < count; i++) {
    int high = nibble(text[2 * i]), low = nibble(text[2 * i + 1]);
    if (high < 0 || low < 0) return 0;
    out[i] = (unsigned char)(high << 4 | low);
  }
  return 1;
}

static int is_hostname(const char *text) {
  size_t length = strlen(text);
  return length >= 1 && length <= 63 && text[0] != '-' &&
         strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

static int put(const char *path, const char *text, mode_t mode) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
  if (fd < 0) return 0;
  size_t length = strlen(text);
  int done = write(fd, text, length) == (ssize_t)length;
  return close(fd) == 0 && done;
}

/* Credit the seed to the pool and make the generators begin anew from it. */
static int reseed(const unsigned char *seed) {
  struct { /* a struct rand_pool_info whose buffer has its size */
    int entropy_bits, size;
    unsigned char bytes[SEED];
  } pool = {.entropy_bits = SEED * 8, .size = SEED};
  memcpy(pool.bytes, seed, SEED);
  int fd = open("/dev/urandom", O_RDWR);
  if (fd < 0) return 0;
  int done = ioctl(fd, RNDADDENTROPY, &pool) == 0 && ioctl(fd, RNDRESEEDCRNG) == 0;
  return close(fd) == 0 && done;
}

static int new_host_key(void) {
  unsigned char key[32];
  char text[2 * sizeof key + 2];
  if (getrandom(key, sizeof key, 0) != sizeof key) return 0;
  for (size_t i = 0; i < sizeof key; i++) sprintf(text + 2 * i, "%02x", key[i]);
  strcat(text, "\n");
  return put("/etc/host_key", text, 0600);
}

/* Write percent-encoded text as text of an HTML page; what does not fit is left out. */
static void html(const char *text, char *out, size_t size) {
  size_t used = 0;
  for (; *text && used + 7 < size; text++) {
    int high = -1, low = -1;
    if (*text == '%' && (high = nibble(text[1] | 32)) >= 0) low = nibble(text[2] | 32);
    char c = low >= 0 ? (char)(high << 4 | low) : *text;
    if (low >= 0) text += 2;
    if (strchr("<>&\"'", c))
      used += (size_t)sprintf(out + used, "&#%d;", c);
    else
      out[used++] = c;
  }
  out[used] = 0;
}

/* Say on the guest's page whose machine it is; all but the title is shown as it is encoded. No
 * program is started for it: where the processor is emulated that takes longer than all the rest. */
static int page(const char *const value[]) {
  static char title[LINE], text[4 * LINE];
  html(value[4], title, sizeof title);
  const char *room = value[2];
  snprintf(text, sizeof text,
           "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Room %s</title>\n"
           "<h1>Machine of room %s</h1>%s%s%s<p>Meeting <code>%s</code></p>"
           "<p>Key <code>%s</code></p></html>\n",
           room, room, *title ? "<p>" : "", title, *title ? "</p>" : "", value[3], value[0]);
  if (!put("/www/index.html", text, 0644)) return 0;
  snprintf(text, sizeof text, "%s %s\n", value[0], value[1]);
  /* Last, and whole at once: who reads it takes the machine for ready. */
  return put("/www/.ready", text, 0644) && rename("/www/.ready", "/www/ready") == 0;
}

/* Take on an identity; return what was wrong, NULL when it is done. */
static const char *renew(char *words) {
  const char *value[FIELDS] = {0};
  char *rest, *end;
  unsigned char seed[SEED], id[16];
  for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
    char *equals = strchr(word, '=');
    if (!equals) return "word";
    *equals = 0;
    for (int i = 0; i < FIELDS; i++)
      if (!strcmp(word, names[i])) value[i] = equals + 1;
  }
  if (!value[F_TITLE]) value[F_TITLE] = "";
  for (int i = 0; i < FIELDS; i++)
    if (!value[i]) return names[i];
  errno = 0;
  unsigned long long ns = strtoull(value[F_TIME], &end, 10);
  if (errno || *end || end == value[F_TIME]) return "time";
  if (!unhex(value[F_SEED], seed, SEED)) return "seed";
  if (!unhex(value[F_ID], id, sizeof id)) return "machine-id";
  if (!is_hostname(value[F_HOST])) return "hostname";
  struct timespec now = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
  char line[64];
  snprintf(line, sizeof line, "%s\n", value[F_ID]);
  if (!reseed(seed)) return "random pool";
  if (clock_settime(CLOCK_REALTIME, &now)) return "clock";
  if (sethostname(value[F_HOST], strlen(value[F_HOST]))) return "hostname";
  if (!put("/etc/machine-id", line, 0444) || !new_host_key()) return "files";
  return page(value + F_KEY) ? NULL : "page";
}

static void first_line(const char *path, char *out, size_t size) {
  int fd = open(path, O_RDONLY);
  ssize_t got = fd < 0 ? 0 : read(fd, out, size - 1);
  if (fd >= 0) close(fd);
  out[got > 0 ? got : 0] = 0;
  out[strcspn(out, "\n")] = 0;
}

/* The host key is told by a sum that does not give it away. */
static uint64_t sum(const char *text) {
  uint64_t hash = 14695981039346656037u;
  while (*text) hash = (hash ^ (unsigned char)*text++) * 1099511628211u;
  return hash;
}

static void describe(char *out, size_t size, const char *head) {
  char id[64], uuid[64], key[80], host[64] = "";
  struct timespec now;
  first_line("/etc/machine-id", id, sizeof id);
  first_line("/proc/sys/kernel/random/uuid", uuid, sizeof uuid);
  first_line("/etc/host_key", key, sizeof key);
  gethostname(host, sizeof host - 1);
  clock_gettime(CLOCK_REALTIME, &now);
  snprintf(out, size, "%s machine-id=%s hostname=%s host-key=%016llx time=%lld%09ld uuid=%s\n",
           head, id, host, (unsigned long long)sum(key), (long long)now.tv_sec, now.tv_nsec,
           uuid);
}

static void answer(int port, char *line) {
  char out[512];
  const char *wrong = "command";
  if (!strncmp(line, "renew ", 6))
    wrong = renew(line + 6);
  else if (!strcmp(line, "who"))
    wrong = NULL;
  if (wrong)
    snprintf(out, sizeof out, "error %s\n", wrong);
  else
    describe(out, sizeof out, line[0] == 'r' ? "renewed" : "who");
  if (write(port, out, strlen(out)) < 0) perror("agent: write");
}

int main(int argc, char **argv) {
  static char line[LINE];
  if (argc == 7 && !strcmp(argv[1], "page")) return !page((const char *const *)argv + 2);
  size_t held = 0;
  int lost = 0, port = argc == 2 ? open(argv[1], O_RDWR) : -1;
  if (port < 0) return 1;
  if (write(port, "waiting\n", 8) != 8) return 1;
  for (;;) {
    ssize_t got = read(port, line + held, sizeof line - 1 - held);
    if (got <= 0) {
      /* Nobody holds the other end, as after a restore: what was half said is void. */
      struct timespec pause = {0, 10000000};
      nanosleep(&pause, NULL);
      held = lost = 0;
      continue;
    }
    held += (size_t)got;
    line[held] = 0;
    for (char *end; (end = memchr(line, '\n', held)); ) {
      *end = 0;
      size_t used = (size_t)(end - line) + 1;
      if (lost)
        lost = 0;
      else
        answer(port, line);
      memmove(line, line + used, held - used + 1);
      held -= used;
    }
    if (held == sizeof line - 1) {
      if (!lost) (void)!write(port, "error length\n", 13);
      lost = 1;
      held = 0;
    }
  }
}
