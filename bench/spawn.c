/* spawn MODE PROGRAM [ARG...]: a whole process from vfork to its end, with /dev/null as its streams (stderr stays). */
#include "common.h"

static char **command;

static int once(double *us) {
  double begin = now_us();
  pid_t pid = vfork();
  if (pid == 0) {
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    if (null > 2) close(null);
    execv(command[0], command);
    _exit(127);
  }
  if (pid < 0) die("vfork");
  int status;
  MUST(waitpid(pid, &status, 0));
  *us = now_us() - begin;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv) {
  if (argc < 3) return fprintf(stderr, "usage: spawn serve|N PROGRAM [ARG...]\n"), 2;
  command = argv + 2;
  return drive(argv[1], once);
}
