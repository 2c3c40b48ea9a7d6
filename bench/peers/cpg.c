/*
 * The corosync contender, one process of several: a member of a closed process group (cpg) that multicasts in agreed
 * order and takes account of what it gets, as the other contenders' processes do. corosync has its own flow control: it
 * says when to try again.
 *
 *     cc -O2 -o cpg cpg.c -lcpg            (Debian: libcpg-dev)
 *     cpg INDEX MEMBERS BYTES DAEMON       (DAEMON: process id of the corosync that it is connected to)
 *
 * Takes commands from standard input, one a line, and answers on standard output:
 *
 *     run WARM_UP MEASURED SENDS   measured MILLIS CPU_SECONDS MEMORY_BYTES DELIVERED...
 *     stop                         stopped SENT
 *     drain SENT...                drained MISSING MISORDERED DAMAGED DELIVERED...
 *
 * Times are milliseconds, counts are one per member. `full` is said as soon as all members are there. It ends with its
 * input, and the corosync with it.
 */
#include <corosync/cpg.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MEMBERS_MAX = 64, BYTES_MAX = 1024 * 1024, BURST = 64, QUIET_MILLIS = 5000 };

static cpg_handle_t handle;
static pid_t daemon_pid;
static uint32_t self, members, bytes;
static unsigned char message[BYTES_MAX];

/* By sender: the number of the next message, and what was delivered in this trial. */
static uint64_t next_of[MEMBERS_MAX], first_of[MEMBERS_MAX], delivered[MEMBERS_MAX], before[MEMBERS_MAX];
static uint64_t missing, misordered, damaged;

static uint64_t sent, first_sent;
static int sends, running;
/* When the measured time is to begin and to end, and since when nothing has come in a drain; 0: not now. */
static double measure_from, measure_until, drain_since;
static double cpu_before, measure_began;
static uint64_t awaited[MEMBERS_MAX], drain_total;

/* The corosync is a child of the shell that became this program, and so of this program. */
static void end(int status) {
  if (daemon_pid > 0 && kill(daemon_pid, SIGKILL) == 0) waitpid(daemon_pid, NULL, 0);
  _exit(status);
}

static void fail(const char *what, int code) {
  fprintf(stderr, "cpg: %s: error %d\n", what, code);
  end(1);
}

static double now_millis(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static double seconds(struct timeval t) { return t.tv_sec + t.tv_usec / 1e6; }

/* CPU seconds of this process and of its corosync. */
static double cpu_seconds(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  double total = seconds(used.ru_utime) + seconds(used.ru_stime);
  char path[64], line[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", daemon_pid);
  FILE *file = fopen(path, "r");
  if (!file || !fgets(line, sizeof line, file)) fail("corosync has ended", 0);
  fclose(file);
  unsigned long user = 0, system = 0;
  /* after the name, which may hold anything: state and ten numbers, then these */
  sscanf(strrchr(line, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
  return total + (double)(user + system) / sysconf(_SC_CLK_TCK);
}

/* Resident, in bytes. */
static long memory_of(pid_t pid) {
  char path[64];
  long resident = 0;
  snprintf(path, sizeof path, "/proc/%d/statm", pid);
  FILE *file = fopen(path, "r");
  if (!file || fscanf(file, "%*d %ld", &resident) != 1) fail("no memory figures", 0);
  fclose(file);
  return resident * sysconf(_SC_PAGESIZE);
}

static void say_counts(const uint64_t *counts, const uint64_t *less) {
  for (uint32_t i = 0; i < members; i++) printf(" %llu", (unsigned long long)(counts[i] - (less ? less[i] : 0)));
  putchar('\n');
  fflush(stdout);
}

static void write_number(unsigned char *at, uint64_t number) {
  for (int i = 0; i < 6; i++) at[1 + i] = number >> (8 * i);
  at[bytes - 1] = number;
}

static void on_message(cpg_handle_t h, const struct cpg_name *group, uint32_t node, uint32_t pid, void *msg, size_t length) {
  (void)h, (void)group, (void)node, (void)pid;
  const unsigned char *at = msg;
  if (length != bytes || at[0] >= members || at[length - 1] != at[1]) {
    damaged++;
    return;
  }
  uint64_t number = 0;
  for (int i = 5; i >= 0; i--) number = number << 8 | at[1 + i];
  if (number < next_of[at[0]]) {
    misordered++;
    return;
  }
  missing += number - next_of[at[0]];
  next_of[at[0]] = number + 1;
  delivered[at[0]]++;
}

static void on_change(cpg_handle_t h, const struct cpg_name *group, const struct cpg_address *list, size_t count,
                      const struct cpg_address *left, size_t left_count, const struct cpg_address *joined,
                      size_t joined_count) {
  (void)h, (void)group, (void)list, (void)left, (void)left_count, (void)joined, (void)joined_count;
  if (count != members) return;
  puts("full");
  fflush(stdout);
}

/* As fast as it goes; true if corosync wants a pause. */
static int send_burst(void) {
  struct iovec part = {.iov_base = message, .iov_len = bytes};
  for (int i = 0; i < BURST; i++) {
    write_number(message, sent);
    cs_error_t error = cpg_mcast_joined(handle, CPG_TYPE_AGREED, &part, 1);
    if (error == CS_ERR_TRY_AGAIN) return 1;
    if (error != CS_OK) fail("cpg_mcast_joined", error);
    sent++;
  }
  return 0;
}

static void end_measure(double now) {
  long own = memory_of(getpid()), its = memory_of(daemon_pid);
  printf("measured %f %f %ld", now - measure_began, cpu_seconds() - cpu_before, own > its ? own : its);
  say_counts(delivered, before);
  measure_from = measure_until = 0;
}

static void begin_measure(double now) {
  measure_until += now - measure_from;
  measure_from = 0;
  measure_began = now;
  cpu_before = cpu_seconds();
  memcpy(before, delivered, sizeof before);
}

/* All has come, or nothing has for a while. */
static void maybe_drained(double now) {
  uint64_t total = 0;
  int complete = 1;
  for (uint32_t i = 0; i < members; i++) {
    total += delivered[i];
    complete &= delivered[i] >= awaited[i];
  }
  if (total != drain_total) drain_since = now;
  drain_total = total;
  if (!complete && now - drain_since < QUIET_MILLIS) return;
  uint64_t lost = 0;
  for (uint32_t i = 0; i < members; i++) {
    if (awaited[i] > delivered[i]) lost += awaited[i] - delivered[i];
    first_of[i] += awaited[i];
    next_of[i] = first_of[i];
  }
  if (missing > lost) lost = missing;
  printf("drained %llu %llu %llu", (unsigned long long)lost, (unsigned long long)misordered,
         (unsigned long long)damaged);
  say_counts(delivered, NULL);
  memset(delivered, 0, sizeof delivered);
  missing = misordered = damaged = 0;
  drain_since = 0;
}

static void obey(char *line) {
  char *rest = NULL;
  const char *command = strtok_r(line, " \n", &rest);
  if (!command) return;
  if (strcmp(command, "run") == 0) {
    double warm_up = 0, measured = 0;
    sscanf(rest, "%lf %lf %d", &warm_up, &measured, &sends);
    first_sent = sent;
    running = 1;
    measure_from = now_millis() + warm_up;
    measure_until = measure_from + measured;
  } else if (strcmp(command, "stop") == 0) {
    running = 0;
    printf("stopped %llu\n", (unsigned long long)(sent - first_sent));
    fflush(stdout);
  } else if (strcmp(command, "drain") == 0) {
    for (uint32_t i = 0; i < members; i++) awaited[i] = strtoull(rest, &rest, 10);
    drain_since = now_millis();
    drain_total = 0;
  }
}

/* Whole lines only. */
static void read_commands(void) {
  static char buffer[4096];
  static size_t held;
  ssize_t got = read(STDIN_FILENO, buffer + held, sizeof buffer - 1 - held);
  if (got <= 0) end(0);
  held += got;
  buffer[held] = 0;
  char *line = buffer, *newline;
  while ((newline = strchr(line, '\n'))) {
    *newline = 0;
    obey(line);
    line = newline + 1;
  }
  held -= line - buffer;
  memmove(buffer, line, held);
}

/* corosync takes a while until it serves. */
static void join(void) {
  cpg_callbacks_t callbacks = {.cpg_deliver_fn = on_message, .cpg_confchg_fn = on_change};
  struct cpg_name group = {.length = 5, .value = "bench"};
  cs_error_t error = CS_ERR_TRY_AGAIN;
  for (int i = 0; i < 100 && (error = cpg_initialize(&handle, &callbacks)) != CS_OK; i++) usleep(100000);
  if (error != CS_OK) fail("cpg_initialize", error);
  for (int i = 0; i < 100 && (error = cpg_join(handle, &group)) == CS_ERR_TRY_AGAIN; i++) usleep(100000);
  if (error != CS_OK) fail("cpg_join", error);
}

int main(int count, char **values) {
  if (count != 5) return 2;
  self = atoi(values[1]);
  members = atoi(values[2]);
  bytes = atoi(values[3]);
  daemon_pid = atoi(values[4]);
  if (self >= members || members > MEMBERS_MAX || bytes < 8 || bytes > BYTES_MAX) return 2;
  message[0] = self;
  join();
  puts("ready");
  fflush(stdout);
  struct pollfd inputs[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.events = POLLIN}};
  cpg_fd_get(handle, &inputs[1].fd);
  for (;;) {
    int pause = 1;
    if (running && sends) pause = send_burst();
    if (poll(inputs, 2, pause ? 1 : 0) < 0) fail("poll", 0);
    if (inputs[0].revents) read_commands();
    if (inputs[1].revents) {
      cs_error_t error = cpg_dispatch(handle, CS_DISPATCH_ALL);
      if (error != CS_OK && error != CS_ERR_TRY_AGAIN) fail("cpg_dispatch", error);
    }
    double now = now_millis();
    if (measure_from > 0 && now >= measure_from) begin_measure(now);
    else if (measure_from == 0 && measure_until > 0 && now >= measure_until) end_measure(now);
    if (drain_since > 0) maybe_drained(now);
  }
}
