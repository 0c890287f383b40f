/* The small guest's agent: serves the machine's page, and makes a copied machine one of its own.
 *
 * `agent PORT page KEY TOKEN ROOM MEETING TITLE` serves the page of a machine that was told at its
 * start, and comes back. `agent PORT DEVICE` lives on that virtio-serial port and answers lines:
 *   renew seed=HEX128 time=NS machine-id=HEX32 hostname=NAME key=K token=T room=R meeting=M [title=P]
 *   who
 *   rest
 * with `rested` after two quiet seconds, with `renewed ...` or `who ...` (what it is now), or with
 * `error WHAT`: nothing was changed where WHAT is a word of the line; where the kernel refused,
 * some of it may have been.
 * At its start it says `waiting`. Copies share everything, the kernel's random pool included, so
 * the seed comes first: what is drawn before it is equal in all of them.
 *
 * Where the processor is emulated, whatever a copy does for the first time is translated first, and
 * that is most of the time until it answers: so it forks nothing, starts no program for its page
 * and reads no file for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SEED 64
#define LINE 4096
#define SERVERS 4
#define VISITOR_S 5

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

/* Files of an identity, opened and as long as they will be before the machine is copied. */
static int port = -1, pool = -1, id_file = -1, key_file = -1;

static int blank(const char *path, size_t size, mode_t mode) {
  static const char zeros[LINE] = {0};
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, mode);
  return fd >= 0 && pwrite(fd, zeros, size, 0) == (ssize_t)size ? fd : -1;
}

static int put(int fd, const char *text) {
  size_t length = strlen(text);
  return pwrite(fd, text, length, 0) == (ssize_t)length;
}

/* Credit the seed to the pool and make the generators begin anew from it. */
static int reseed(const unsigned char *seed) {
  struct { /* a struct rand_pool_info whose buffer has its size */
    int entropy_bits, size;
    unsigned char bytes[SEED];
  } fresh = {.entropy_bits = SEED * 8, .size = SEED};
  memcpy(fresh.bytes, seed, SEED);
  return ioctl(pool, RNDADDENTROPY, &fresh) == 0 && ioctl(pool, RNDRESEEDCRNG) == 0;
}

/* Write `count` bytes as lower-case hex. */
static void hex(const unsigned char *bytes, size_t count, char *out) {
  for (size_t i = 0; i < count; i++) sprintf(out + 2 * i, "%02x", bytes[i]);
}

/* Who it is. The host key as its file holds it: a line. */
static struct {
  char id[64], host_key[80];
} self;

static int new_host_key(void) {
  unsigned char key[32];
  if (getrandom(key, sizeof key, 0) != sizeof key) return 0;
  hex(key, sizeof key, self.host_key);
  return put(key_file, strcat(self.host_key, "\n"));
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

/* What the servers below show: written by one process, and read by them when `ready`. Who renews it
 * again says the same again. */
struct shown {
  int ready; /* last of all: who reads of it takes the machine for ready */
  size_t page_size, told_size;
  char page[4 * LINE], told[LINE];
};
static struct shown *shown;

/* Say on the guest's page whose machine it is; all but the title is shown as it is encoded. */
static void page(const char *const value[]) {
  static char title[LINE];
  html(value[4], title, sizeof title);
  const char *room = value[2];
  __atomic_store_n(&shown->ready, 0, __ATOMIC_SEQ_CST);
  int size = snprintf(
      shown->page, sizeof shown->page,
      "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Room %s</title>\n"
      "<h1>Machine of room %s</h1>%s%s%s<p>Meeting <code>%s</code></p>"
      "<p>Key <code>%s</code></p></html>\n",
      room, room, *title ? "<p>" : "", title, *title ? "</p>" : "", value[3], value[0]);
  shown->page_size = (size_t)size < sizeof shown->page ? (size_t)size : sizeof shown->page - 1;
  size = snprintf(shown->told, sizeof shown->told, "%s %s\n", value[0], value[1]);
  shown->told_size = (size_t)size < sizeof shown->told ? (size_t)size : sizeof shown->told - 1;
  __atomic_store_n(&shown->ready, 1, __ATOMIC_SEQ_CST);
}

/* Answer one request; a visitor who is slow or talks nonsense is left to himself. */
static void reply(int visitor) {
  static char asked[LINE], out[5 * LINE];
  size_t held = 0;
  time_t began = time(NULL);
  asked[0] = 0;
  while (!strstr(asked, "\r\n\r\n")) {
    if (time(NULL) - began > VISITOR_S) return;
    ssize_t got = read(visitor, asked + held, sizeof asked - 1 - held);
    if (got <= 0) return;
    held += (size_t)got;
    asked[held] = 0;
  }
  const char *text = "", *kind = "text/html; charset=utf-8", *status = "404 Not Found";
  size_t size = 0;
  int head = !strncmp(asked, "HEAD ", 5);
  const char *path = asked + (head ? 5 : 4);
  size_t length = strcspn(path, " ?\r\n");
  if (!head && strncmp(asked, "GET ", 4)) {
    status = "405 Method Not Allowed";
  } else if (__atomic_load_n(&shown->ready, __ATOMIC_SEQ_CST)) {
    if (length == 6 && !strncmp(path, "/ready", 6))
      text = shown->told, size = shown->told_size, kind = "text/plain", status = "200 OK";
    else if ((length == 1 && *path == '/') || (length == 11 && !strncmp(path, "/index.html", 11)))
      text = shown->page, size = shown->page_size, status = "200 OK";
  }
  int used = snprintf(out, sizeof out,
                      "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                      "Connection: close\r\n\r\n", status, kind, size);
  if (!head) {
    memcpy(out + used, text, size);
    used += (int)size;
  }
  for (int done = 0; done < used;) {
    ssize_t sent = write(visitor, out + done, (size_t)(used - done));
    if (sent <= 0) return;
    done += (int)sent;
  }
}

/* Listen on a port and return in the caller; SERVERS processes serve, so that fewer slow visitors do
 * not keep the one who asks whether the machine is ready. mortal: they end with the caller. Returns
 * NULL, or what went wrong. */
static const char *serve(const char *number, int mortal) {
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(number))};
  pid_t us = getpid();
  int yes = 1, door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  shown = mmap(NULL, sizeof *shown, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (door < 0 || shown == MAP_FAILED) return "socket";
  setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(door, (struct sockaddr *)&any, sizeof any) || listen(door, 16)) return "port";
  signal(SIGPIPE, SIG_IGN); /* a visitor who asks and vanishes takes no server with him */
  for (int i = 0; i < SERVERS; i++) {
    pid_t child = fork();
    if (child < 0) return "fork";
    if (child) continue;
    /* One whose caller has ended already would keep the port from the next. */
    if (mortal && (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != us)) _exit(1);
    for (int i = 0, own[] = {port, pool, id_file, key_file}; i < 4; i++)
      if (own[i] >= 0) close(own[i]);
    for (;;) {
      int visitor = accept(door, NULL, NULL);
      if (visitor < 0) continue;
      struct timeval patience = {VISITOR_S, 0};
      setsockopt(visitor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
      setsockopt(visitor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
      reply(visitor);
      close(visitor);
    }
  }
  close(door);
  return NULL;
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
  snprintf(self.id, sizeof self.id, "%s\n", value[F_ID]);
  if (!reseed(seed)) return "random pool";
  if (clock_settime(CLOCK_REALTIME, &now)) return "clock";
  if (sethostname(value[F_HOST], strlen(value[F_HOST]))) return "hostname";
  if (!put(id_file, self.id) || !new_host_key()) return "files";
  page(value + F_KEY);
  return NULL;
}

/* Do all of it once before anybody copies the machine: what the kernel sets up at a first time, and
 * the pages that a write makes one's own, are there in every copy then. */
static const char *rehearse(void) {
  char line[LINE], zeros[2 * SEED + 1];
  memset(zeros, '0', sizeof zeros - 1);
  zeros[sizeof zeros - 1] = 0;
  snprintf(line, sizeof line,
           "seed=%s time=%lld000000000 machine-id=%.32s hostname=template key=- token=- room=- "
           "meeting=-", zeros, (long long)time(NULL), zeros);
  const char *wrong = renew(line);
  __atomic_store_n(&shown->ready, 0, __ATOMIC_SEQ_CST);
  return wrong;
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
  while (*text && *text != '\n') hash = (hash ^ (unsigned char)*text++) * 1099511628211u;
  return hash;
}

static void describe(char *out, size_t size, const char *head) {
  char host[64] = "", uuid[33];
  unsigned char fresh[16];
  struct timespec now;
  if (getrandom(fresh, sizeof fresh, 0) != sizeof fresh) memset(fresh, 0, sizeof fresh);
  hex(fresh, sizeof fresh, uuid);
  gethostname(host, sizeof host - 1);
  clock_gettime(CLOCK_REALTIME, &now);
  snprintf(out, size,
           "%s machine-id=%.*s hostname=%s host-key=%016llx time=%lld%09ld "
           "uuid=%.8s-%.4s-%.4s-%.4s-%.12s\n",
           head, (int)strcspn(self.id, "\n"), self.id, host,
           (unsigned long long)sum(self.host_key), (long long)now.tv_sec, now.tv_nsec, uuid,
           uuid + 8, uuid + 12, uuid + 16, uuid + 20);
}

static void answer(char *line) {
  char out[512];
  const char *wrong = "command";
  if (!strncmp(line, "renew ", 6)) {
    wrong = renew(line + 6);
  } else if (!strcmp(line, "who")) {
    /* What it is taken for, not what it believes. */
    first_line("/etc/machine-id", self.id, sizeof self.id);
    first_line("/etc/host_key", self.host_key, sizeof self.host_key);
    wrong = NULL;
  } else if (!strcmp(line, "rest")) {
    /* It deals with a network that came up, and with visits that ended, a second later. */
    struct timespec calm = {2, 0};
    nanosleep(&calm, NULL);
    if (write(port, "rested\n", 7) < 0) perror("agent: write");
    return;
  }
  if (wrong)
    snprintf(out, sizeof out, "error %s\n", wrong);
  else
    describe(out, sizeof out, line[0] == 'r' ? "renewed" : "who");
  if (write(port, out, strlen(out)) < 0) perror("agent: write");
}

int main(int argc, char **argv) {
  static char line[LINE];
  int told = argc == 8 && !strcmp(argv[2], "page");
  const char *wrong = told || argc == 3 ? NULL : "arguments";
  if (!wrong && !told) {
    if ((port = open(argv[2], O_RDWR | O_CLOEXEC)) < 0 ||
        (pool = open("/dev/urandom", O_RDWR | O_CLOEXEC)) < 0)
      wrong = "device";
    else if ((id_file = blank("/etc/machine-id", 2 * 16 + 1, 0444)) < 0 ||
             (key_file = blank("/etc/host_key", 2 * 32 + 1, 0600)) < 0)
      wrong = "files";
  }
  if (!wrong) wrong = serve(argv[1], !told);
  if (!wrong && !told) wrong = rehearse();
  if (wrong) {
    fprintf(stderr, "agent: %s\n", wrong);
    return 1;
  }
  if (told) {
    page((const char *const *)argv + 3);
    return 0;
  }
  size_t held = 0;
  int lost = 0;
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
        answer(line);
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
