/*
 * load: sends events of about 400 bytes over kept-open connections and times the answers.
 *
 *   load --port N --path PATH [--connections 64] [--batch 1] [--seconds 5 | --events N]
 *        [--rate N] [--fire PERCENT] [--get]
 *
 * Without --rate each connection sends its next request when the last one is answered. With --rate
 * requests leave on a fixed schedule, and a delay counts from the moment the request was due, so that a
 * pause of the server is charged to every request it held up. --fire says how many events of a hundred
 * reach 90 percent, which is where the bench rule sends a webhook. --get sends plain GETs instead.
 * Prints one line of JSON.
 *
 * Thread: one, with epoll. Promise: every event has a random subject (of 100,000), a random id and the
 * time it was sent; an event counts only when its request was answered with a status of 2xx.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SUBJECTS = 100000, MOST_SAMPLES = 1 << 22, ANSWER_BYTES = 16384, PATIENCE_SECONDS = 10 };

/* Every field has a fixed width, so that only digits change from one event to the next. */
static const char pattern[] =
    "{\"id\":\"IIIIIIIIIIIIIIIIIIIIIIII\",\"name\":\"usage_limit_approaching\",\"user\":\"uUUUUUU\","
    "\"time\":\"2026-01-15T10:20:30.123Z\",\"data\":{\"plan\":\"professional\",\"metric\":\"api_calls_per_month\","
    "\"percent\":PP,\"used\":VVVVV,\"limit\":100000,\"region\":\"eu-central-1\",\"workspace\":\"ws_WWWWWW\","
    "\"sent_ns\":\"SSSSSSSSSSSSSSSSSSS\"},"
    "\"context\":{\"library\":\"bench/1\",\"ip\":\"203.0.113.7\",\"ua\":\"bench-load/1.0\"}}";

typedef struct connection {
  int fd;
  bool busy, dead;
  char *request;
  size_t request_bytes, body_at, sent;
  char answer[ANSWER_BYTES];
  size_t answer_bytes;
  int64_t started;
} connection;

static struct {
  int port, connections, batch, fire;
  double seconds, rate;
  long events;
  const char *path;
  bool get;
} want = {.connections = 64, .batch = 1, .fire = 10, .seconds = 5, .path = "/v1/events"};

static size_t id_at, user_at, percent_at, used_at, workspace_at, sent_at;
static connection *all;
static uint32_t *samples;
static long answered, refused, fired, samples_count, begun;
static int poller;

static int64_t clock_ns(clockid_t which) {
  struct timespec t;
  clock_gettime(which, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static uint64_t chance(void) {
  static uint64_t s;
  if (!s) s = (uint64_t)clock_ns(CLOCK_REALTIME) ^ ((uint64_t)getpid() << 32);
  uint64_t z = (s += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

static size_t place(char letter) {
  char run[3] = {letter, letter, 0};
  return (size_t)(strstr(pattern, run) - pattern);
}

/* Digits to the right, `pad` to the left. */
static void number(char *at, int width, uint64_t value, char pad) {
  for (int i = width - 1; i >= 0; i--) {
    at[i] = value || i == width - 1 ? (char)('0' + value % 10) : pad;
    value /= 10;
  }
}

static void fill(char *event, uint64_t now) {
  static const char digits[] = "0123456789abcdef";
  uint64_t a = chance(), b = chance();
  for (int i = 0; i < 16; i++) event[id_at + (size_t)i] = digits[a >> (4 * i) & 15];
  for (int i = 0; i < 8; i++) event[id_at + 16 + (size_t)i] = digits[b >> (4 * i) & 15];
  uint64_t user = (b >> 32) % SUBJECTS, draw = chance();
  bool fires = (int)(draw % 100) < want.fire;
  uint64_t percent = fires ? 90 + (draw >> 32) % 10 : (draw >> 32) % 90;
  fired += fires;
  number(event + user_at, 6, user, '0');
  number(event + workspace_at, 6, user, '0');
  number(event + percent_at, 2, percent, ' ');
  number(event + used_at, 5, percent * 1000, ' ');
  number(event + sent_at, 19, now, '0');
}

static void make_request(connection *c) {
  size_t event = sizeof pattern - 1;
  size_t body = want.batch == 1 ? event : (event + 1) * (size_t)want.batch + 1;
  c->request = malloc(body + 512);
  if (want.get) {
    c->request_bytes = (size_t)sprintf(c->request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", want.path);
    return;
  }
  c->body_at = (size_t)sprintf(
      c->request, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
      want.path, body);
  char *at = c->request + c->body_at;
  if (want.batch == 1) {
    memcpy(at, pattern, event);
  } else {
    for (int i = 0; i < want.batch; i++) {
      *at++ = i == 0 ? '[' : ',';
      memcpy(at, pattern, event);
      at += event;
    }
    *at = ']';
  }
  c->request_bytes = c->body_at + body;
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void push(connection *c) {
  while (c->sent < c->request_bytes) {
    ssize_t n = send(c->fd, c->request + c->sent, c->request_bytes - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
      c->sent += (size_t)n;
      continue;
    }
    if (n < 0 && errno != EAGAIN) die("send");
    struct epoll_event wish = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &wish);
    return;
  }
}

static void begin(connection *c, int64_t counted_from) {
  uint64_t now = (uint64_t)clock_ns(CLOCK_REALTIME);
  if (!want.get) {
    size_t event = sizeof pattern - 1;
    char *body = c->request + c->body_at;
    if (want.batch == 1) fill(body, now);
    else for (int i = 0; i < want.batch; i++) fill(body + 1 + (size_t)i * (event + 1), now);
  }
  begun += want.batch;
  c->sent = 0;
  c->answer_bytes = 0;
  c->busy = true;
  c->started = counted_from;
  push(c);
}

/* 1: one answer is complete; 0: not yet; -1: the connection is at its end. */
static int take(connection *c) {
  ssize_t n = recv(c->fd, c->answer + c->answer_bytes, sizeof c->answer - 1 - c->answer_bytes, MSG_DONTWAIT);
  if (n == 0 || (n < 0 && errno != EAGAIN)) return -1;
  if (n < 0) return 0;
  c->answer_bytes += (size_t)n;
  c->answer[c->answer_bytes] = 0;
  char *end = strstr(c->answer, "\r\n\r\n");
  if (!end) return 0;
  char *length = strcasestr(c->answer, "\r\ncontent-length:");
  size_t needed = (size_t)(end - c->answer) + 4 + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
  return c->answer_bytes >= needed;
}

static void finish(connection *c, int64_t now) {
  c->busy = false;
  if (c->answer[9] == '2') answered += want.batch;
  else refused += want.batch;
  if (samples_count < MOST_SAMPLES) samples[samples_count++] = (uint32_t)((now - c->started) / 1000);
}

static void open_all(void) {
  poller = epoll_create1(0);
  all = calloc((size_t)want.connections, sizeof *all);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)want.port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < want.connections; i++) {
    connection *c = &all[i];
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address)) die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event wish = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &wish);
    make_request(c);
  }
}

static bool may_begin(int64_t now, int64_t end) {
  return want.events ? begun < want.events : now < end;
}

static long busy_count(void) {
  long count = 0;
  for (int i = 0; i < want.connections; i++) count += all[i].busy;
  return count;
}

static void serve_ready(struct epoll_event *ready, int count, int64_t end) {
  for (int i = 0; i < count; i++) {
    connection *c = ready[i].data.ptr;
    if (c->dead) continue;
    if (c->sent < c->request_bytes && c->busy) push(c);
    int state = take(c);
    if (state < 0) {
      fprintf(stderr, "load: the server closed a connection\n");
      exit(1);
    }
    if (!state || !c->busy) continue;
    int64_t now = clock_ns(CLOCK_MONOTONIC);
    finish(c, now);
    if (want.rate == 0 && may_begin(now, end)) begin(c, now);
  }
}

static double run(void) {
  int64_t start = clock_ns(CLOCK_MONOTONIC), end = start + (int64_t)(want.seconds * 1e9), last = start;
  int64_t step = want.rate > 0 ? (int64_t)(1e9 / want.rate) : 0, due = start;
  struct epoll_event ready[128];
  if (!step) for (int i = 0; i < want.connections && may_begin(start, end); i++) begin(&all[i], start);
  for (int64_t now = start;; now = clock_ns(CLOCK_MONOTONIC)) {
    if (step) {
      for (int i = 0; i < want.connections && due <= now && may_begin(now, end); i++) {
        if (all[i].busy) continue;
        begin(&all[i], due);
        due += step;
      }
    }
    bool more = may_begin(now, end);
    if (!more && busy_count() == 0) break;
    if (!more && now > end + PATIENCE_SECONDS * 1000000000LL && !want.events) break;
    int64_t wait = step && more && due > now ? due - now : 20000000;
    struct timespec pause = {.tv_nsec = wait < 20000000 ? wait : 20000000};
    int count = epoll_pwait2(poller, ready, 128, &pause, NULL);
    if (count > 0) {
      serve_ready(ready, count, end);
      last = clock_ns(CLOCK_MONOTONIC);
    }
  }
  return (double)(last - start) / 1e9;
}

static int by_size(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static double quantile(double share) {
  if (!samples_count) return 0;
  long at = (long)((double)samples_count * share);
  return samples[at < samples_count ? at : samples_count - 1] / 1000.0;
}

static void usage(const char *word) {
  fprintf(stderr, "load: what is \"%s\"? The head of load.c tells the flags.\n", word);
  exit(2);
}

static void read_flags(int count, char **words) {
  for (int i = 1; i < count; i++) {
    const char *flag = words[i];
    if (!strcmp(flag, "--get")) {
      want.get = true;
      continue;
    }
    if (i + 1 == count) usage(flag);
    const char *value = words[++i];
    if (!strcmp(flag, "--port")) want.port = atoi(value);
    else if (!strcmp(flag, "--path")) want.path = value;
    else if (!strcmp(flag, "--connections")) want.connections = atoi(value);
    else if (!strcmp(flag, "--batch")) want.batch = atoi(value);
    else if (!strcmp(flag, "--seconds")) want.seconds = atof(value);
    else if (!strcmp(flag, "--events")) want.events = atol(value);
    else if (!strcmp(flag, "--rate")) want.rate = atof(value);
    else if (!strcmp(flag, "--fire")) want.fire = atoi(value);
    else usage(flag);
  }
  if (want.port <= 0 || want.connections <= 0 || want.batch <= 0) usage("--port");
}

int main(int count, char **words) {
  read_flags(count, words);
  id_at = place('I'), user_at = place('U'), percent_at = place('P'), used_at = place('V');
  workspace_at = place('W'), sent_at = place('S');
  samples = malloc(sizeof *samples * MOST_SAMPLES);
  open_all();
  double seconds = run();
  qsort(samples, (size_t)samples_count, sizeof *samples, by_size);
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
               (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
  printf("{\"events\":%ld,\"refused\":%ld,\"begun\":%ld,\"fired\":%ld,\"seconds\":%.4f,\"per_second\":%.0f,"
         "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"cpu_seconds\":%.3f}\n",
         answered, refused, begun, want.get ? 0 : fired, seconds, seconds > 0 ? (double)answered / seconds : 0,
         quantile(0.5), quantile(0.99), quantile(1), cpu);
  return 0;
}
