/* What the C side of the bench shares: a clock, and one loop that serves the harness or runs N times by itself. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static inline void die(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  _exit(125);
}

/* The result of a call that must not fail. */
#define MUST(call) ({ long must_ = (long)(call); if (must_ < 0) die(#call); must_; })

static inline double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static inline int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* One operation: returns its exit status and stores its duration. */
typedef int (*operation)(double *us);

/* "serve": for every line on stdin one operation, answered by "STATUS MICROSECONDS". A number: so many, and a summary. */
static inline int drive(const char *mode, operation once) {
  double us = 0;
  char line[64];
  if (strcmp(mode, "serve") == 0) {
    while (fgets(line, sizeof line, stdin)) {
      int status = once(&us);
      printf("%d %.1f\n", status, us);
      fflush(stdout);
    }
    return 0;
  }
  int n = atoi(mode);
  if (n < 1) return fprintf(stderr, "expected serve or a number: %s\n", mode), 2;
  double *all = calloc(n, sizeof *all);
  for (int i = 0; i < n; i++) {
    int status = once(&all[i]);
    if (status) return fprintf(stderr, "run %d ended with %d\n", i, status), 1;
  }
  qsort(all, n, sizeof *all, ascending);
  printf("{\"runs\":%d,\"median\":%.1f,\"p10\":%.1f}\n", n, all[n / 2], all[n / 10]);
  return 0;
}
